// SPDX-License-Identifier: MIT
// Cone kernels for AVX2 with FMA.
#if defined(__x86_64__) || defined(_M_X64)
#include "deep/cone_kernels.hpp"
#include "deep/cone_meet_avx2.hpp"
#include "deep/cone_pairs_avx2.hpp"
#include "simd/vector_avx2.hpp"

namespace linear_regions {
namespace {

#include "deep/cone_kernels_body.hpp"
#include "deep/cone_solve_body.hpp"

}  // namespace

const ConeKernels kAvx2ConeKernels = {classify_cones,    evaluate_cones,    look_cones, mix_edges,
                                      sign_columns_avx2, sizes_avx2,        reach_avx2, mix_edge,
                                      mix_coordinates,   shared_pairs_avx2, solve_ray,  add_columns,
                                      add_row_block,     pull_slopes};

}  // namespace linear_regions
#endif
