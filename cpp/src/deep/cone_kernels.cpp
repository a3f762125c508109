// SPDX-License-Identifier: MIT
#include "deep/cone_kernels.hpp"

#include "kernels.hpp"

namespace linear_regions {

const ConeKernels& cone_kernels() {
#if defined(__x86_64__) || defined(_M_X64)
  if (&kernels() == &kAvx512Kernels) return kAvx512ConeKernels;
  if (&kernels() == &kAvx2Kernels) return kAvx2ConeKernels;
#endif
  return kGenericConeKernels;
}

}  // namespace linear_regions
