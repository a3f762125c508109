// SPDX-License-Identifier: MIT
// Cone kernels in plain C++.
#include "deep/cone_kernels.hpp"
#include "simd/vector_generic.hpp"

namespace linear_regions {
namespace {

#include "deep/cone_kernels_body.hpp"
#include "deep/cone_solve_body.hpp"

// Branch-free: every pair is written, and the place kept only if it counts.
inline std::size_t shared_pairs(const std::uint64_t* positive, std::size_t n,
                                const std::uint64_t* negative, std::size_t m, int need,
                                std::int32_t* first, std::int32_t* second) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t mask = positive[i];
    for (std::size_t j = 0; j < m; ++j) {
      first[at] = static_cast<std::int32_t>(i);
      second[at] = static_cast<std::int32_t>(j);
      at += static_cast<std::size_t>(__builtin_popcountll(mask & negative[j]) >= need);
    }
  }
  return at;
}

}  // namespace

const ConeKernels kGenericConeKernels = {classify_cones,  evaluate_cones, mix_values,
                                         mix_coordinates, shared_pairs,   solve_ray,
                                         add_columns,     add_row_block};

}  // namespace linear_regions
