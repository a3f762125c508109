// SPDX-License-Identifier: MIT
#include "deep/cone_points.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "deep/cone_sides.hpp"

namespace linear_regions {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kMostEnds = 32;  // rays whose pairwise means are tried

}  // namespace

template <int W>
bool ConePoints<W>::from_rays(ConeEngine<W>& engine, const Region& region) {
  const std::size_t d = engine.root().dim;
  const Cone<W>& cone = region.cone;
  point_.assign(d, 0.0);
  direction_.assign(d, 0.0);
  exact_.clear();
  double finite = 0.0;
  bounded_ = cone.n_lines == 0;
  Mask<W> seen = cone.n_lines > 0 ? cone.used : Mask<W>::none();
  for (std::int32_t i = 0; i < cone.n; ++i) {
    const double* x = cone.ray[i]->x();
    seen = seen | cone.mask[i];
    const bool vertex = x[d] != 0;
    double* to = vertex ? point_.data() : direction_.data();
    const double factor = 1.0 / (vertex ? x[d] : largest_entry(x, d));
    for (std::size_t k = 0; k < d; ++k) to[k] += x[k] * factor;
    finite += vertex ? 1.0 : 0.0;
    bounded_ = bounded_ && vertex;
  }
  if (finite > 0)
    for (std::size_t k = 0; k < d; ++k) point_[k] /= finite;
  bits_.clear();
  for (int w = 0; w < W; ++w)
    for (std::uint64_t rest = seen.w[w]; rest != 0; rest &= rest - 1) {
      const std::int32_t b = 64 * w + std::countr_zero(rest);
      const PathLine& line = engine.lines()[static_cast<std::size_t>(region.table[b] >> 1)];
      if (line.line.kind != Line::Kind::kInfinity) bits_.push_back(b);
    }
  const bool unbounded = finite < static_cast<double>(cone.n);
  found_ = go_far(engine, region, bits_, unbounded);
  return found_;
}

template <int W>
void ConePoints<W>::place_rays(ConeEngine<W>& engine, const Region& region) {
  const std::size_t d = engine.root().dim;
  const Cone<W>& cone = region.cone;
  rays_.resize(static_cast<std::size_t>(cone.n) * (d + 1));
  for (std::int32_t i = 0; i < cone.n; ++i) {
    const Ray& ray = engine.listed_ray(*cone.ray[i], cone.mask[i], region);
    double* to = rays_.data() + static_cast<std::size_t>(i) * (d + 1);
    engine.write_spot(ray, to);
    to[d] = ray.x()[d] != 0 ? 1.0 : 0.0;
  }
}

// Strictly inside? By the error bounds of the facets, exactly where they do not decide.
template <int W>
bool ConePoints<W>::inside(ConeEngine<W>& engine, const Region& region,
                           std::span<const std::int32_t> bits, const double* point) const {
  const ConeRoot& root = engine.root();
  const std::size_t d = root.dim;
  const bool certified = root.arithmetic == Arithmetic::kCertified;
  const double size = size_of_point(point, d);
  if (!(size < kLargestPoint)) return false;
  bool aimed = false;
  for (const std::int32_t b : bits) {
    const std::int32_t entry = region.table[b];
    const PathLine& line = engine.lines()[static_cast<std::size_t>(entry >> 1)];
    const int side = (entry & 1) == 0 ? 1 : -1;
    const int found = side_of_point(line.row, d, point, size);
    if (found == side) continue;
    if (found == -side) return false;
    if (!certified) return false;
    if (!aimed) {
      std::vector<double> t(d);
      for (std::size_t k = 0; k < d; ++k) t[k] = std::ldexp(point[k], root.scale[k]);
      engine.exact().aim_at_point(t.data());
      aimed = true;
    }
    if (engine.exact().sign(line.line) != side) return false;
  }
  return true;
}

// point_, or points ever farther along direction_ where the cone is unbounded.
template <int W>
bool ConePoints<W>::go_far(ConeEngine<W>& engine, const Region& region,
                           std::span<const std::int32_t> bits, bool unbounded) {
  if (!unbounded) return inside(engine, region, bits, point_.data());
  const std::size_t d = engine.root().dim;
  trial_.resize(d);
  for (double m = 1; m < 0x1p60; m *= 16) {
    for (std::size_t k = 0; k < d; ++k) trial_[k] = point_[k] + m * direction_[k];
    if (inside(engine, region, bits, trial_.data())) {
      point_.swap(trial_);
      return true;
    }
  }
  return false;
}

// The mean of the vertices, far along the directions where there are any; then other means.
template <int W>
bool ConePoints<W>::try_means(ConeEngine<W>& engine, const Region& region,
                              std::span<const std::int32_t> bits) {
  const std::size_t d = engine.root().dim;
  const auto n = static_cast<std::size_t>(region.cone.n);
  point_.assign(d, 0.0);
  direction_.assign(d, 0.0);
  double finite = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double* r = rays_.data() + i * (d + 1);
    finite += r[d];
    for (std::size_t k = 0; k < d; ++k) (r[d] != 0 ? point_[k] : direction_[k]) += r[k];
  }
  if (finite > 0)
    for (std::size_t k = 0; k < d; ++k) point_[k] /= finite;
  const bool unbounded = finite < static_cast<double>(n);
  if (go_far(engine, region, bits, unbounded)) return true;
  if (unbounded) return false;
  trial_.resize(d);
  for (std::size_t i = 0; i < n && i < kMostEnds; ++i)
    for (std::size_t j = i + 1; j < n && j < kMostEnds; ++j) {
      for (std::size_t k = 0; k < d; ++k)
        trial_[k] = 0.5 * rays_[i * (d + 1) + k] + 0.5 * rays_[j * (d + 1) + k];
      if (inside(engine, region, bits, trial_.data())) {
        point_.swap(trial_);
        return true;
      }
    }
  return false;
}

template <int W>
void ConePoints<W>::find_exactly(ConeEngine<W>& engine, const Region& region,
                                 std::span<const std::int32_t> bits) {
  const ConeRoot& root = engine.root();
  const std::size_t d = root.dim;
  std::vector<ExactSigns::Ray> rays;
  for (std::int32_t i = 0; i < region.cone.n; ++i)
    rays.push_back(engine.exact_ray(region.cone.mask[i], region));
  engine.exact().aim_inside(rays);
  exact_ = engine.exact().fractions();
  const std::vector<double> t = engine.exact().rounded();
  for (std::size_t k = 0; k < d; ++k) point_[k] = std::ldexp(t[k], -root.scale[k]);
  found_ = inside(engine, region, bits, point_.data());
  if (found_) exact_.clear();
}

template <int W>
void ConePoints<W>::find(ConeEngine<W>& engine, const Region& region,
                         std::span<const std::int32_t> bits) {
  exact_.clear();
  found_ = try_means(engine, region, bits);
  if (!found_ && engine.root().arithmetic == Arithmetic::kCertified)
    find_exactly(engine, region, bits);
}

template <int W>
void ConePoints<W>::append_to(ConeBlock& block, const ConeRoot& root) {
  double* to = block.points.grow(block.dim);
  std::fill_n(to, block.dim, found_ ? 0.0 : kNan);
  for (std::size_t k = 0; found_ && k < root.dim; ++k)
    to[root.coordinates[k]] = root.to_domain(k, point_[k]) + 0.0;
  if (exact_.empty()) return;
  std::vector<std::string> whole(block.dim, "0/1");
  for (std::size_t k = 0; k < root.dim; ++k) whole[root.coordinates[k]] = std::move(exact_[k]);
  block.exact_points.push_back({block.n, std::move(whole)});
}

#define LINEAR_REGIONS_CONES(W) template class ConePoints<W>;
#include "deep/cone_widths.hpp"

}  // namespace linear_regions
