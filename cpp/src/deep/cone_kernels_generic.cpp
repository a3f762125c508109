// SPDX-License-Identifier: MIT
// Cone kernels in plain C++.
#include "deep/cone_kernels.hpp"
#include "simd/vector_generic.hpp"

namespace linear_regions {
namespace {

#include "deep/cone_kernels_body.hpp"

}  // namespace

const ConeKernels kGenericConeKernels = {classify_cones,  evaluate_cones, mix_values,
                                         mix_coordinates, shared_pairs,   add_columns,
                                         add_row_block};

}  // namespace linear_regions
