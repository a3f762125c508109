// SPDX-License-Identifier: MIT
#include "arrangement/sweep_kernels.hpp"

#include <cstring>

#include "linear_regions/build.hpp"

namespace linear_regions::sweeping {

const Kernels& kernels() {
#if defined(__x86_64__) || defined(_M_X64)
  // One choice of instruction set for the whole core.
  if (std::strcmp(simd_name(), "avx512") == 0) return kAvx512;
  if (std::strcmp(simd_name(), "avx2") == 0) return kAvx2;
#endif
  return kGeneric;
}

}  // namespace linear_regions::sweeping
