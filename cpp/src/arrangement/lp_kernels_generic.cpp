// SPDX-License-Identifier: MIT
// The loops of SmallLp for one instruction set; see simd/vector_generic.hpp.
#include "arrangement/lp_kernels.hpp"
#include "simd/vector_generic.hpp"

#include <bit>

namespace linear_regions::arrangement {
namespace {

#include "arrangement/lp_kernels_body.hpp"

}  // namespace

const LpKernels kLpGeneric = {evaluate, worst, coefficients, subtract, append, remove, dot};

}  // namespace linear_regions::arrangement
