// SPDX-License-Identifier: MIT
// The sweep's kernels for one instruction set; see simd/vector_avx512.hpp.
#if defined(__x86_64__) || defined(_M_X64)
#include "arrangement/sweep_kernels.hpp"
#include "simd/vector_avx512.hpp"

namespace linear_regions::sweeping {
namespace {

#include "arrangement/sweep_kernels_body.hpp"

}  // namespace

const Kernels kAvx512 = {eliminate, line, cells};

}  // namespace linear_regions::sweeping
#endif
