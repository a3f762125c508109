// SPDX-License-Identifier: MIT
#include "one_layer/residue_kernels.hpp"

#include <cstring>

#include "linear_regions/build.hpp"

namespace linear_regions::one_layer {

const ResidueKernels* residue_kernels() {
#if defined(__x86_64__) || defined(_M_X64)
  if (std::strcmp(simd_name(), "generic") != 0) return &kResidueKernelsAvx2;
#endif
  return nullptr;
}

}  // namespace linear_regions::one_layer
