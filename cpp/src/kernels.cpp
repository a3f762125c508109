// SPDX-License-Identifier: MIT
#include "kernels.hpp"

#include "linear_regions/build.hpp"

#include <cstdlib>
#include <cstring>

namespace linear_regions {
namespace {

const Kernels& choose() {
#if defined(__x86_64__) || defined(_M_X64)
  // LINEAR_REGIONS_SIMD=generic|avx2|avx512 narrows the choice, for tests and bug reports.
  const char* wish = std::getenv("LINEAR_REGIONS_SIMD");
  // All that the sources of an instruction set are compiled for (CMakeLists.txt): some processors
  // have AVX-512 F alone.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi2");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl");
  if (wish != nullptr && std::strcmp(wish, "generic") == 0) return kGenericKernels;
  if (wish != nullptr && std::strcmp(wish, "avx2") == 0 && avx2) return kAvx2Kernels;
  if (avx512) return kAvx512Kernels;
  if (avx2) return kAvx2Kernels;
#endif
  return kGenericKernels;
}

}  // namespace

const char* simd_name() {
  return kernels().name;
}

const Kernels& kernels() {
  static const Kernels& best = choose();
  return best;
}

}  // namespace linear_regions
