// SPDX-License-Identifier: MIT
// Packing in plain C++, for any processor.
#include "patterns/pack_kernels.hpp"

namespace linear_regions {
namespace {

#include "pack_kernels_body.hpp"

bool pack_f64(const double* row, std::size_t n, double threshold, std::uint64_t* words) {
  return pack_rest(row, 0, n, threshold, words);
}
bool pack_f32(const float* row, std::size_t n, float threshold, std::uint64_t* words) {
  return pack_rest(row, 0, n, threshold, words);
}
bool pack_half(const std::uint16_t* row, std::size_t n, std::int16_t threshold_key,
               std::int16_t infinity, std::uint64_t* words) {
  return pack_half_rest(row, 0, n, threshold_key, infinity, words);
}
void pack_bool(const std::uint8_t* row, std::size_t n, std::uint64_t* words) {
  pack_bool_rest(row, 0, n, words);
}

}  // namespace

const PackKernels kGenericPackKernels = {"generic", pack_f64, pack_f32, pack_half, pack_bool};

}  // namespace linear_regions
