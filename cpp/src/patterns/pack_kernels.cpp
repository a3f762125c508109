// SPDX-License-Identifier: MIT
#include "patterns/pack_kernels.hpp"

#include <cstring>

#include "kernels.hpp"

namespace linear_regions {
namespace {

// The choice of the other kernels, LINEAR_REGIONS_SIMD included; AVX-512 here needs its byte
// instructions, too.
const PackKernels& choose() {
#if defined(__x86_64__) || defined(_M_X64)
  const char* name = kernels().name;
  if (std::strcmp(name, "avx512") == 0 && __builtin_cpu_supports("avx512bw"))
    return kAvx512PackKernels;
  if (std::strcmp(name, "generic") != 0) return kAvx2PackKernels;
#endif
  return kGenericPackKernels;
}

}  // namespace

const PackKernels& pack_kernels() {
  static const PackKernels& best = choose();
  return best;
}

}  // namespace linear_regions
