// SPDX-License-Identifier: MIT
// The inner loops of packing, in one source per instruction set, chosen once at run time.
//
// Each packs one row of n neighbouring values against one threshold into word_count(n) words and
// returns true if a value was NaN. Half-precision values come as their bits, and are compared as
// integers: `key` maps the bits of all numbers monotonically to int16, both zeros to 0.
#pragma once

#include <cstddef>
#include <cstdint>

namespace linear_regions {

struct PackKernels {
  const char* name;
  bool (*pack_f64)(const double* row, std::size_t n, double threshold, std::uint64_t* words);
  bool (*pack_f32)(const float* row, std::size_t n, float threshold, std::uint64_t* words);
  // infinity: the bits of +infinity; what is above it, without the sign, is NaN.
  bool (*pack_half)(const std::uint16_t* row, std::size_t n, std::int16_t threshold_key,
                    std::int16_t infinity, std::uint64_t* words);
  void (*pack_bool)(const std::uint8_t* row, std::size_t n, std::uint64_t* words);
};

const PackKernels& pack_kernels();  // the best set that this processor runs

extern const PackKernels kGenericPackKernels;
#if defined(__x86_64__) || defined(_M_X64)
extern const PackKernels kAvx2PackKernels;
extern const PackKernels kAvx512PackKernels;
#endif

}  // namespace linear_regions
