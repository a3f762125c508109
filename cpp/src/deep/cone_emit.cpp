// SPDX-License-Identifier: MIT
#include "deep/cone_emit.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace linear_regions {
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
  bool bounded = d == dim && cone.n_lines == 0;
  for (std::int32_t i = 0; i < cone.n; ++i) {
    const double* r = points_.rays() + static_cast<std::size_t>(i) * (d + 1);
    bounded = bounded && r[d] != 0;
    const std::size_t at = block_.vertices.size();
    block_.vertices.resize(at + dim + 1, 0.0);
    for (std::size_t k = 0; k < d; ++k)
      block_.vertices[at + root.coordinates[k]] = root.to_domain(k, r[k]);
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

// Without faces the rays need not be placed, unless their mean is not proved to lie inside.
template <int W>
void ConeBlockSink<W>::region(ConeEngine<W>& engine, const Region& region) {
  const ConeRoot& root = engine.root();
  if (block_.faces) {
    points_.place_rays(engine, region);
    find_facets(engine, region);
    points_.find(engine, region, facets_);
    add_columns(engine, region);
  } else {
    if (!points_.from_rays(engine, region)) {
      points_.place_rays(engine, region);
      points_.find(engine, region, points_.bits());
    }
    block_.bounded.push_back(root.dim == block_.dim && points_.bounded());
  }
  block_.patterns.insert(block_.patterns.end(), region.pattern, region.pattern + block_.words);
  points_.append_to(block_, root);
  ++block_.n;
}

template <int W>
void ConeBlockSink<W>::point(const ConeRoot& root, const std::uint64_t* pattern,
                             const double* engine_coordinates, bool bounded) {
  block_.patterns.insert(block_.patterns.end(), pattern, pattern + block_.words);
  block_.bounded.push_back(bounded && root.dim == block_.dim);
  const std::size_t at = block_.points.size();
  block_.points.resize(at + block_.dim);
  double* to = block_.points.data() + at;
  for (std::size_t k = 0; k < root.dim; ++k)
    to[root.coordinates[k]] = root.to_domain(k, engine_coordinates[k]) + 0.0;
  ++block_.n;
}

template <int W>
void ConeBlockSink<W>::drop() {
  block_.n = first_;
  block_.patterns.resize(first_ * block_.words);
  block_.bounded.resize(first_);
  block_.points.resize(first_ * block_.dim);
  while (!block_.exact_points.empty() && block_.exact_points.back().region >= first_)
    block_.exact_points.pop_back();
}

#define LINEAR_REGIONS_CONES(W) template class ConeBlockSink<W>;
#include "deep/cone_widths.hpp"

void ConeBlock::append(ConeBlock&& o) {
  if (n == 0) {
    *this = std::move(o);
    return;
  }
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
