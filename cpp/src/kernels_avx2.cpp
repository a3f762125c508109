// SPDX-License-Identifier: MIT
// Kernels for AVX2 with FMA; compiled with -mavx2 -mfma, called only where the processor has both.
#if defined(__x86_64__) || defined(_M_X64)
#include "kernels.hpp"
#include "simd/vector_avx2.hpp"

namespace linear_regions {
namespace {

constexpr int kBlock = 1;
#include "kernels_body.hpp"

}  // namespace

const Kernels kAvx2Kernels = {"avx2", classify, signs_at, add_row, add_rows, add_row_double_double};

}  // namespace linear_regions
#endif
