// SPDX-License-Identifier: MIT
#include "deep/cone_emit.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace linear_regions {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

template <int W>
void ConeBlockSink<W>::place_rays(ConeEngine<W>& engine, const Region& region) {
  const std::size_t d = engine.root().dim;
  const Cone<W>& cone = region.cone;
  rays_.resize(static_cast<std::size_t>(cone.n) * (d + 1));
  for (std::int32_t i = 0; i < cone.n; ++i) {
    const Ray& ray = engine.listed_ray(*cone.ray[i], cone.mask[i], region);
    const double w = ray.x()[d];
    double* to = rays_.data() + static_cast<std::size_t>(i) * (d + 1);
    double scale = w;
    if (w == 0) {
      scale = 0.0;
      for (std::size_t k = 0; k < d; ++k) scale = std::max(scale, std::fabs(ray.x()[k]));
    }
    for (std::size_t k = 0; k < d; ++k) to[k] = ray.x()[k] / scale + 0.0;
    to[d] = w != 0 ? 1.0 : 0.0;
  }
}

// A bit is a facet unless its rays are among those of another one.
template <int W>
void ConeBlockSink<W>::find_facets(ConeEngine<W>& engine, const Region& region) {
  const Cone<W>& cone = region.cone;
  const std::size_t words = (static_cast<std::size_t>(cone.n) + 63) / 64;
  facets_.clear();
  on_facet_.assign(static_cast<std::size_t>(region.n_bits) * words, 0);
  Mask<W> seen = Mask<W>::none();
  for (std::int32_t i = 0; i < cone.n; ++i) {
    seen = seen | cone.mask[i];
    for (int w = 0; w < W; ++w)
      for (std::uint64_t rest = cone.mask[i].w[w]; rest != 0; rest &= rest - 1)
        on_facet_[static_cast<std::size_t>(64 * w + std::countr_zero(rest)) * words +
                  static_cast<std::size_t>(i) / 64] |= std::uint64_t{1} << (i & 63);
  }
  if (cone.n_lines > 0) seen = seen | cone.used;
  const auto within = [&](std::int32_t a, std::int32_t b) {
    const std::uint64_t* pa = on_facet_.data() + static_cast<std::size_t>(a) * words;
    const std::uint64_t* pb = on_facet_.data() + static_cast<std::size_t>(b) * words;
    for (std::size_t w = 0; w < words; ++w)
      if ((pa[w] & ~pb[w]) != 0) return false;
    return true;
  };
  for (std::int32_t b = 0; b < region.n_bits; ++b) {
    if (!seen.has(b)) continue;
    const PathLine& line = engine.lines()[static_cast<std::size_t>(region.table[b] >> 1)];
    if (line.line.kind == Line::Kind::kInfinity) continue;
    bool facet = true;
    if (!cone.simple)
      for (std::int32_t o = 0; o < region.n_bits && facet; ++o)
        facet = o == b || !seen.has(o) || !within(b, o) || (within(o, b) && b < o);
    if (facet) facets_.push_back(b);
  }
}

// Strictly inside? By the error bounds of the facets, exactly where they do not decide.
template <int W>
bool ConeBlockSink<W>::inside(ConeEngine<W>& engine, const Region& region,
                              const double* point) const {
  const ConeRoot& root = engine.root();
  const std::size_t d = root.dim;
  const bool certified = root.arithmetic == Arithmetic::kCertified;
  double magnitude = 1.0;
  for (std::size_t k = 0; k < d; ++k) {
    if (!(std::fabs(point[k]) < 0x1p900)) return false;  // NaN too
    magnitude = std::max(magnitude, std::fabs(point[k]));
  }
  bool aimed = false;
  for (const std::int32_t b : facets_) {
    const std::int32_t entry = region.table[b];
    const PathLine& line = engine.lines()[static_cast<std::size_t>(entry >> 1)];
    const double* row = line.row;
    const int side = (entry & 1) == 0 ? 1 : -1;
    double value = row[d];
    for (std::size_t k = 0; k < d; ++k) value += row[k] * point[k];
    const double norm = row[d + 2];
    const double bound =
        1.0001 * (row[d + 1] + 1.1 * kRoundoff * static_cast<double>(d + 4) * norm) * magnitude;
    const bool usable = norm + row[d + 1] < 1e300;
    if (usable && side * value > bound) continue;
    if (usable && side * value < -bound) return false;
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

// The mean of the vertices, far along the directions where there are any; then other means.
template <int W>
bool ConeBlockSink<W>::find_point(ConeEngine<W>& engine, const Region& region) {
  const std::size_t d = engine.root().dim;
  const auto n = static_cast<std::size_t>(region.cone.n);
  point_.assign(d + 1, 0.0);
  trial_.assign(2 * d + 1, 0.0);
  double* direction = trial_.data();
  double* trial = trial_.data() + d;
  double finite = 0;
  bool unbounded = false;
  for (std::size_t i = 0; i < n; ++i) {
    const double* r = rays_.data() + i * (d + 1);
    if (r[d] != 0)
      ++finite;
    else
      unbounded = true;
    for (std::size_t k = 0; k < d; ++k) (r[d] != 0 ? point_[k] : direction[k]) += r[k];
  }
  if (finite > 0)
    for (std::size_t k = 0; k < d; ++k) point_[k] /= finite;
  const auto accept = [&] {
    if (!inside(engine, region, trial)) return false;
    std::copy_n(trial, d, point_.data());
    return true;
  };
  for (double m = 1; m < 0x1p60; m *= 16) {
    for (std::size_t k = 0; k < d; ++k) trial[k] = point_[k] + m * direction[k];
    if (accept()) return true;
    if (!unbounded) break;
  }
  if (unbounded) return false;
  for (std::size_t i = 0; i < n && i < 32; ++i)
    for (std::size_t j = i + 1; j < n && j < 32; ++j) {
      for (std::size_t k = 0; k < d; ++k)
        trial[k] = 0.5 * rays_[i * (d + 1) + k] + 0.5 * rays_[j * (d + 1) + k];
      if (accept()) return true;
    }
  return false;
}

// What changes across a facet: see ConeBlock::labels.
template <int W>
void ConeBlockSink<W>::add_label(ConeEngine<W>& engine, const Line& line) {
  const auto add = [&](std::int32_t bit, std::int32_t from, std::int32_t to) {
    block_.labels.insert(block_.labels.end(), {bit, from, to});
  };
  if (line.kind == Line::Kind::kDomain) return add(-1 - line.first, -1, -1);
  const Tape& tape = engine.root().tape;
  const Op& op = tape.split(line.split);
  if (line.kind == Line::Kind::kCut)
    return add(op.pattern_bit[static_cast<std::size_t>(line.first)], -1, -1);
  // The first window that the first entry wins and that the second one is in.
  const std::int32_t* winner = engine.path().winner[static_cast<std::size_t>(line.split)];
  const auto windows = static_cast<std::int32_t>(tape.slots()[op.output].size);
  const Max& max = op.max;
  for (std::int32_t w = 0; w < windows; ++w) {
    if (max.entries[static_cast<std::size_t>(winner[w])] != line.first) continue;
    for (std::int32_t k = max.start[w]; k < max.start[w + 1]; ++k)
      if (max.entries[static_cast<std::size_t>(k)] == line.second)
        return add(op.pattern_bit[static_cast<std::size_t>(w)],
                   max.positions[static_cast<std::size_t>(winner[w])],
                   max.positions[static_cast<std::size_t>(k)]);
  }
  throw std::logic_error("a facet of a max window belongs to no window");
}

// The exact stage may stop the run before this; here the columns grow together.
template <int W>
void ConeBlockSink<W>::add_columns(ConeEngine<W>& engine, const Region& region) {
  const ConeRoot& root = engine.root();
  const Cone<W>& cone = region.cone;
  const std::size_t d = root.dim, dim = block_.dim,
                    words = (static_cast<std::size_t>(cone.n) + 63) / 64;
  block_.patterns.insert(block_.patterns.end(), region.pattern, region.pattern + block_.words);
  bool bounded = d == dim && cone.n_lines == 0;
  for (std::int32_t i = 0; i < cone.n; ++i) {
    const double* r = rays_.data() + static_cast<std::size_t>(i) * (d + 1);
    bounded = bounded && r[d] != 0;
    const std::size_t at = block_.vertices.size();
    block_.vertices.resize(at + dim + 1, 0.0);
    for (std::size_t k = 0; k < d; ++k)
      block_.vertices[at + root.coordinates[k]] = std::ldexp(r[k], root.scale[k]);
    block_.vertices[at + dim] = r[d];
    if (r[d] == 0) {  // scaling changed the largest entry
      double most = 0.0;
      for (std::size_t k = 0; k < dim; ++k)
        most = std::max(most, std::fabs(block_.vertices[at + k]));
      for (std::size_t k = 0; k < dim; ++k) block_.vertices[at + k] /= most;
    }
  }
  block_.vertex_counts.push_back(cone.n);
  for (const std::int32_t b : facets_) {
    const std::int32_t entry = region.table[b];
    const PathLine& line = engine.lines()[static_cast<std::size_t>(entry >> 1)];
    const double side = (entry & 1) == 0 ? 1.0 : -1.0;
    const std::size_t at = block_.rows.size();
    block_.rows.resize(at + dim + 1, 0.0);
    for (std::size_t k = 0; k < d; ++k)
      block_.rows[at + root.coordinates[k]] = side * std::ldexp(line.row[k], -root.scale[k]) + 0.0;
    block_.rows[at + dim] = side * line.row[d] + 0.0;
    add_label(engine, line.line);
    std::int64_t corners = 0;
    for (std::size_t w = 0; w < words; ++w)
      for (std::uint64_t rest = on_facet_[static_cast<std::size_t>(b) * words + w]; rest != 0;
           rest &= rest - 1) {
        block_.corners.push_back(static_cast<std::int64_t>(64 * w) + std::countr_zero(rest));
        ++corners;
      }
    block_.corner_counts.push_back(corners);
  }
  block_.facet_counts.push_back(static_cast<std::int64_t>(facets_.size()));
  block_.bounded.push_back(bounded);
}

template <int W>
void ConeBlockSink<W>::region(ConeEngine<W>& engine, const Region& region) {
  const ConeRoot& root = engine.root();
  const std::size_t d = root.dim, dim = block_.dim;
  const bool certified = root.arithmetic == Arithmetic::kCertified;
  place_rays(engine, region);
  find_facets(engine, region);
  bool found = find_point(engine, region);
  std::vector<std::string> exact;
  if (!found && certified) {
    std::vector<ExactSigns::Ray> rays;
    for (std::int32_t i = 0; i < region.cone.n; ++i)
      rays.push_back(engine.exact_ray(region.cone.mask[i], region));
    engine.exact().aim_inside(rays);
    const std::vector<std::string> fractions = engine.exact().fractions();
    const std::vector<double> t = engine.exact().rounded();
    for (std::size_t k = 0; k < d; ++k) point_[k] = std::ldexp(t[k], -root.scale[k]);
    found = inside(engine, region, point_.data());
    if (!found) {
      exact.assign(dim, "0/1");
      for (std::size_t k = 0; k < d; ++k) exact[root.coordinates[k]] = fractions[k];
    }
  }
  add_columns(engine, region);
  const std::size_t at = block_.points.size();
  block_.points.resize(at + dim, found ? 0.0 : kNan);
  if (found)
    for (std::size_t k = 0; k < d; ++k)
      block_.points[at + root.coordinates[k]] = std::ldexp(point_[k], root.scale[k]) + 0.0;
  if (!exact.empty()) block_.exact_points.push_back({block_.n, std::move(exact)});
  ++block_.n;
}

#define LINEAR_REGIONS_CONES(W) template class ConeBlockSink<W>;
#include "deep/cone_widths.hpp"

void ConeBlock::append(ConeBlock&& o) {
  words = o.words;
  dim = o.dim;
  const auto join = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  join(patterns, o.patterns);
  join(vertices, o.vertices);
  join(vertex_counts, o.vertex_counts);
  join(rows, o.rows);
  join(labels, o.labels);
  join(facet_counts, o.facet_counts);
  join(corners, o.corners);
  join(corner_counts, o.corner_counts);
  join(points, o.points);
  join(bounded, o.bounded);
  for (auto& p : o.exact_points) exact_points.push_back({p.region + n, std::move(p.coordinates)});
  n += o.n;
}

}  // namespace linear_regions
