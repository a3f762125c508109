// SPDX-License-Identifier: MIT
// The sweep's kernels for one instruction set; see simd/vector_generic.hpp.
#include "arrangement/sweep_kernels.hpp"
#include "simd/vector_generic.hpp"

namespace linear_regions::sweeping {
namespace {

#include "arrangement/sweep_kernels_body.hpp"

}  // namespace

const Kernels kGeneric = {eliminate, line, cells};

}  // namespace linear_regions::sweeping
