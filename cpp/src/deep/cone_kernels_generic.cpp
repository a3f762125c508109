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

inline void sign_columns(const std::uint64_t* positive, const std::uint64_t* negative,
                         std::size_t n, std::uint64_t units, std::uint64_t* columns,
                         std::size_t words) {
  for (; units != 0; units &= units - 1) {
    const int u = __builtin_ctzll(units);
    std::uint64_t* to = columns + 2 * words * static_cast<std::size_t>(u);
    for (std::size_t w = 0; w < words; ++w) {
      const std::size_t first = 64 * w, last = n < first + 64 ? n : first + 64;
      std::uint64_t p = 0, q = 0;
      for (std::size_t r = last; r-- > first;) {
        p = p << 1 | ((positive[r] >> u) & 1);
        q = q << 1 | ((negative[r] >> u) & 1);
      }
      to[w] = p;
      to[words + w] = q;
    }
  }
}

inline double sizes(const double* value, std::size_t lead, std::size_t n,
                    const std::uint64_t* positive, const std::uint64_t* negative, int unit,
                    UnitDoubt doubt, const double* slack, double* out) {
  const std::size_t run = (n + 7) / 8 * 8;
  double worst = 0.0;
  for (std::size_t r = 0; r < run; ++r) {
    const bool more = r < n && ((positive[r] >> unit) & 1) != 0;
    const bool less = r < n && ((negative[r] >> unit) & 1) != 0;
    const double v = more || less ? value[r * lead] : 0.0, size = v < 0 ? -v : v;
    out[r] = more ? size : 0.0;
    out[run + r] = less ? size : 0.0;
    out[2 * run + r] = less ? 1 / size : 0.0;
    out[3 * run + r] = more ? 1 / size : 0.0;
    const double share = size > 0 ? (doubt.error + doubt.norm * slack[r]) / size : 1e300;
    if ((more || less) && !(share <= worst)) worst = share;
  }
  return worst;
}

inline double reach(const double* a, const double* b, const double* c, const double* d,
                    std::size_t n) {
  double x = 0.0, y = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    x = a[i] * b[i] > x ? a[i] * b[i] : x;
    y = c[i] * d[i] > y ? c[i] * d[i] : y;
  }
  return x * y;
}

}  // namespace

const ConeKernels kGenericConeKernels = {classify_cones,  evaluate_cones, look_cones, mix_edges,
                                         sign_columns,    sizes,          reach,      mix_edge,
                                         mix_coordinates, shared_pairs,   solve_ray,  add_columns,
                                         add_row_block,   pull_slopes};

}  // namespace linear_regions
