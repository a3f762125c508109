// SPDX-License-Identifier: MIT
#include "one_layer/residue_kernels.hpp"

#include <cstring>

#include "linear_regions/build.hpp"

namespace linear_regions::one_layer {

AddProducts add_products() {
#if defined(__x86_64__) || defined(_M_X64)
  if (std::strcmp(simd_name(), "generic") != 0) return add_products_avx2;
#endif
  return nullptr;
}

}  // namespace linear_regions::one_layer
