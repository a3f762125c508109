// SPDX-License-Identifier: MIT
#include "arrangement/lp_kernels.hpp"

#include <cstring>

#include "linear_regions/build.hpp"

namespace linear_regions::arrangement {

// Cones are small: wider vectors than AVX2's would be half empty.
const LpKernels& lp_kernels() {
#if defined(__x86_64__) || defined(_M_X64)
  if (std::strcmp(simd_name(), "avx512") == 0 || std::strcmp(simd_name(), "avx2") == 0)
    return kLpAvx2;
#endif
  return kLpGeneric;
}

}  // namespace linear_regions::arrangement
