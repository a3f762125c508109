// SPDX-License-Identifier: MIT
// Kernels in plain C++: any processor; the compiler uses what its baseline offers (SSE2, NEON).
#include "kernels.hpp"
#include "simd/vector_generic.hpp"

namespace linear_regions {
namespace {

constexpr int kBlock = 1;
#include "kernels_body.hpp"

}  // namespace

const Kernels kGenericKernels = {"generic", classify, signs_at,
                                 add_row,   add_rows, add_row_double_double};

}  // namespace linear_regions
