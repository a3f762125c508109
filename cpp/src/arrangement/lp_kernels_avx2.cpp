// SPDX-License-Identifier: MIT
// The loops of SmallLp for one instruction set; see simd/vector_avx2.hpp.
#if defined(__x86_64__) || defined(_M_X64)
#include "arrangement/lp_kernels.hpp"
#include "simd/vector_avx2.hpp"

#include <bit>

namespace linear_regions::arrangement {
namespace {

#include "arrangement/lp_kernels_body.hpp"

}  // namespace

const LpKernels kLpAvx2 = {evaluate, worst, coefficients, subtract, append, remove, dot};

}  // namespace linear_regions::arrangement
#endif
