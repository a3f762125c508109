// SPDX-License-Identifier: MIT
#include "deep/cone_emit.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace linear_regions {
namespace {

constexpr std::size_t kMostWords = 8;  // of the rays of a node that is listed at once

}  // namespace

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
void ConeBlockSink<W>::find_label(ConeEngine<W>& engine, const Line& line,
                                  std::int32_t* label) const {
  const auto put = [&](std::int32_t bit, std::int32_t from, std::int32_t to) {
    label[0] = bit, label[1] = from, label[2] = to;
  };
  if (line.kind == Line::Kind::kDomain) return put(-1 - line.first, -1, -1);
  const Tape& tape = engine.root().tape;
  const Op& op = tape.split(line.split);
  if (line.kind == Line::Kind::kCut)
    return put(op.pattern_bit[static_cast<std::size_t>(line.first)], -1, -1);
  // The first window that the first entry wins and that the second one is in.
  const std::int32_t* winner = engine.path().winner[static_cast<std::size_t>(line.split)];
  const auto windows = static_cast<std::int32_t>(tape.slots()[op.output].size);
  const Max& max = op.max;
  for (std::int32_t w = 0; w < windows; ++w) {
    if (max.entries[static_cast<std::size_t>(winner[w])] != line.first) continue;
    for (std::int32_t k = max.start[w]; k < max.start[w + 1]; ++k)
      if (max.entries[static_cast<std::size_t>(k)] == line.second)
        return put(op.pattern_bit[static_cast<std::size_t>(w)],
                   max.positions[static_cast<std::size_t>(winner[w])],
                   max.positions[static_cast<std::size_t>(k)]);
  }
  throw std::logic_error("a facet of a max window belongs to no window");
}

template <int W>
void ConeBlockSink<W>::know_nothing(std::size_t words) {
  words = std::max(words, kMostWords);
  known_rays_.assign(words, 0);
  known_facets_ = Mask<W>::none();
  const std::size_t width = block_.dim + 1;
  vertices_.resize(std::max(vertices_.size(), 64 * words * width));
  rank_.resize(std::max(rank_.size(), 64 * words));
  rows_.resize(64 * W * width);
  labels_.resize(std::size_t{64} * W * 3);
}

template <int W>
void ConeBlockSink<W>::convert_vertex(const ConeRoot& root, const ConeListed& cell,
                                      std::size_t ray) {
  const std::size_t dim = block_.dim;
  const double* from = cell.spots + cell.stride * ray;
  double* to = vertices_.data() + (dim + 1) * ray;
  std::fill_n(to, dim, 0.0);
  for (std::size_t k = 0; k < root.dim; ++k) to[root.coordinates[k]] = root.to_domain(k, from[k]);
  const bool far = (cell.far[ray / 64] >> (ray & 63) & 1) != 0;
  to[dim] = far ? 0.0 : 1.0;
  if (!far) return;
  double most = 0.0;  // scaling changed the largest entry
  for (std::size_t k = 0; k < dim; ++k) most = std::max(most, std::fabs(to[k]));
  for (std::size_t k = 0; k < dim; ++k) to[k] /= most;
}

template <int W>
void ConeBlockSink<W>::convert_facet(ConeEngine<W>& engine, const Line& line, const double* row,
                                     std::int32_t bit) {
  const ConeRoot& root = engine.root();
  const std::size_t dim = block_.dim;
  double* to = rows_.data() + (dim + 1) * static_cast<std::size_t>(bit);
  std::fill_n(to, dim, 0.0);
  for (std::size_t k = 0; k < root.dim; ++k)
    to[root.coordinates[k]] = std::ldexp(row[k], -root.scale[k]);
  to[dim] = row[root.dim];
  find_label(engine, line, labels_.data() + 3 * static_cast<std::size_t>(bit));
}

// Vertices and facets of a region from its set of rays.
template <int W>
void ConeBlockSink<W>::add_faces(ConeEngine<W>& engine, const ConeListed& cell) {
  const std::size_t width = block_.dim + 1;
  const auto words = static_cast<std::size_t>(cell.words);
  std::int64_t n = 0;
  for (std::size_t w = 0; w < words; ++w) {
    for (std::uint64_t rest = cell.rays[w] & ~known_rays_[w]; rest != 0; rest &= rest - 1)
      convert_vertex(engine.root(), cell,
                     64 * w + static_cast<std::size_t>(std::countr_zero(rest)));
    known_rays_[w] |= cell.rays[w];
    for (std::uint64_t rest = cell.rays[w]; rest != 0; rest &= rest - 1)
      rank_[64 * w + static_cast<std::size_t>(std::countr_zero(rest))] = n++;
  }
  double* vertex = block_.vertices.grow(static_cast<std::size_t>(n) * width);
  for (std::size_t w = 0; w < words; ++w)
    for (std::uint64_t rest = cell.rays[w]; rest != 0; rest &= rest - 1) {
      const auto ray = 64 * w + static_cast<std::size_t>(std::countr_zero(rest));
      vertex = std::copy_n(vertices_.data() + width * ray, width, vertex);
    }
  block_.vertex_counts.push_back(n);
  double* row = block_.rows.grow(cell.facets.size() * width);
  std::int32_t* label = block_.labels.grow(cell.facets.size() * 3);
  std::int64_t* corner_count = block_.corner_counts.grow(cell.facets.size());
  for (const std::int32_t b : cell.facets) {
    const auto bit = static_cast<std::size_t>(b);
    if (!known_facets_.has(b)) {
      const PathLine& line = engine.lines()[static_cast<std::size_t>(cell.table[b] >> 1)];
      convert_facet(engine, line.line, line.row, b);
      known_facets_.set(b);
    }
    const double side = (cell.table[b] & 1) == 0 ? 1.0 : -1.0;
    for (std::size_t k = 0; k < width; ++k) *row++ = side * rows_[width * bit + k] + 0.0;
    label = std::copy_n(labels_.data() + 3 * bit, 3, label);
    const std::uint64_t* on = cell.on_bit + words * bit;
    std::int64_t* const first_corner = block_.corners.grow(static_cast<std::size_t>(n));
    std::int64_t* corner = first_corner;
    for (std::size_t w = 0; w < words; ++w)
      for (std::uint64_t rest = on[w] & cell.rays[w]; rest != 0; rest &= rest - 1)
        *corner++ = rank_[64 * w + static_cast<std::size_t>(std::countr_zero(rest))];
    *corner_count++ = corner - first_corner;
    block_.corners.shrink(static_cast<std::size_t>(corner - block_.corners.data()));
  }
  block_.facet_counts.push_back(static_cast<std::int64_t>(cell.facets.size()));
}

// Without faces the rays need not be placed, unless their mean is not proved to lie inside. The
// exact stage may stop the run before the columns grow.
template <int W>
void ConeBlockSink<W>::region(ConeEngine<W>& engine, const Region& region) {
  const ConeRoot& root = engine.root();
  if (block_.faces) {
    points_.place_rays(engine, region);
    find_facets(engine, region);
    points_.find(engine, region, facets_);
    add_region(engine, region);
  } else {
    if (!points_.from_rays(engine, region)) {
      points_.place_rays(engine, region);
      points_.find(engine, region, points_.bits());
    }
    block_.bounded.push_back(root.dim == block_.dim && points_.bounded());
  }
  block_.patterns.append(region.pattern, region.pattern + block_.words);
  points_.append_to(block_, root);
  ++block_.n;
}

// The faces of a region that is not listed at once.
template <int W>
void ConeBlockSink<W>::add_region(ConeEngine<W>& engine, const Region& region) {
  const std::size_t d = engine.root().dim;
  const auto n = static_cast<std::size_t>(region.cone.n), words = (n + 63) / 64;
  all_.assign(words, 0);
  far_.assign(words, 0);
  bool bounded = d == block_.dim && region.cone.n_lines == 0;
  for (std::size_t i = 0; i < n; ++i) {
    all_[i / 64] |= std::uint64_t{1} << (i & 63);
    if (points_.rays()[(d + 1) * i + d] != 0) continue;
    far_[i / 64] |= std::uint64_t{1} << (i & 63);
    bounded = false;
  }
  ConeListed cell{region.pattern, nullptr, bounded};
  cell.words = static_cast<int>(words);
  cell.rays = all_.data();
  cell.far = far_.data();
  cell.spots = points_.rays();
  cell.stride = d + 1;
  cell.facets = facets_;
  cell.table = region.table;
  cell.on_bit = on_facet_.data();
  know_nothing(words);
  add_faces(engine, cell);
  know_nothing(kMostWords);  // there may be a node around that is listed at once
  block_.bounded.push_back(bounded);
}

template <int W>
void ConeBlockSink<W>::begin() {
  before_ = {block_.n, block_.vertices.size(), block_.labels.size() / 3, block_.corners.size()};
  if (block_.faces) know_nothing(kMostWords);
}

template <int W>
void ConeBlockSink<W>::listed(ConeEngine<W>& engine, const ConeListed& cell) {
  const ConeRoot& root = engine.root();
  if (block_.faces) add_faces(engine, cell);
  block_.patterns.append(cell.pattern, cell.pattern + block_.words);
  block_.bounded.push_back(cell.bounded && root.dim == block_.dim);
  double* to = block_.points.grow(block_.dim);
  std::fill_n(to, block_.dim, 0.0);
  for (std::size_t k = 0; k < root.dim; ++k)
    to[root.coordinates[k]] = root.to_domain(k, cell.point[k]) + 0.0;
  ++block_.n;
}

template <int W>
void ConeBlockSink<W>::drop() {
  const Sizes& s = before_;
  block_.n = s.n;
  block_.patterns.shrink(s.n * block_.words);
  block_.bounded.shrink(s.n);
  block_.points.shrink(s.n * block_.dim);
  while (!block_.exact_points.empty() && block_.exact_points.back().region >= s.n)
    block_.exact_points.pop_back();
  if (!block_.faces) return;
  block_.vertices.shrink(s.vertices);
  block_.vertex_counts.shrink(s.n);
  block_.rows.shrink(s.facets * (block_.dim + 1));
  block_.labels.shrink(s.facets * 3);
  block_.facet_counts.shrink(s.n);
  block_.corner_counts.shrink(s.facets);
  block_.corners.shrink(s.corners);
}

#define LINEAR_REGIONS_CONES(W) template class ConeBlockSink<W>;
#include "deep/cone_widths.hpp"

void ConeBlock::append(ConeBlock&& other) {
  if (n == 0) {
    *this = std::move(other);
    return;
  }
  ConeBlock o = std::move(other);  // given back at the end: blocks are not kept beside the whole
  words = o.words;
  dim = o.dim;
  const auto join = [](auto& to, const auto& from) { to.append(from.begin(), from.end()); };
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
