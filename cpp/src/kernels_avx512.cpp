// SPDX-License-Identifier: MIT
// Kernels for AVX-512 F; compiled with -mavx512f -mfma, called only where the processor has it.
#if defined(__x86_64__) || defined(_M_X64)
#include "kernels.hpp"
#include "simd/vector_avx512.hpp"

namespace linear_regions {
namespace {

constexpr int kBlock = 5;  // 20 accumulators, 4 row values, 5 weights: fits 32 registers
#include "kernels_body.hpp"

}  // namespace

const Kernels kAvx512Kernels = {"avx512", classify, signs_at,
                                add_row,  add_rows, add_row_double_double};

}  // namespace linear_regions
#endif
