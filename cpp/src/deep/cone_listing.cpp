// SPDX-License-Identifier: MIT
// Listing all cells of a node of the last layer at once: patterns and points.
//
// When all rays of a node's cells are known (cone_vertices.cpp), a cell is a set of them, and the
// search below the node needs nothing but sets: those of the part where u > 0 are the ones that are
// not strictly below. Here a set is a few words, and for every unit the words of the rays above it
// and below it are at hand, so a node costs some dozen instructions per unit that is still open.
//
// The cells come in the order of the search, and everything about them is what the search would
// find: it is the search, without its stack. So a part of a run may list a node at once where
// another one had to go down into it. Points are means of the same numbers added in the same order.
#include <algorithm>
#include <bit>
#include <cmath>

#include "deep/cone_engine.hpp"
#include "deep/cone_sides.hpp"
#include "linear_regions/sign_vector.hpp"

namespace linear_regions {
namespace {

constexpr std::int32_t kMostRays = 512;  // of a node that is listed at once

// The words of some rays: `and` with them in any word?
template <int N>
bool meets(const std::uint64_t* set, const std::uint64_t* column) {
  std::uint64_t some = 0;
  for (int w = 0; w < N; ++w) some |= set[w] & column[w];
  return some != 0;
}

// Bit j of word i becomes bit i of word j. Halves of ever smaller squares change places (Warren,
// Hacker's Delight, section 7-3).
void transpose(std::uint64_t* a) {
  std::uint64_t mask = 0x00000000ffffffff;
  for (int j = 32; j != 0; j >>= 1, mask ^= mask << j)
    for (int k = 0; k < 64; k = ((k | j) + 1) & ~j) {
      const std::uint64_t t = (a[k] >> j ^ a[k | j]) & mask;
      a[k] ^= t << j;
      a[k | j] ^= t;
    }
}

// Bit u & 63 of every `step`-th of n words, for each of the m numbers u: as m words, `lead` apart.
void turn_bits(const std::uint64_t* from, std::size_t step, std::size_t n, const std::int32_t* u,
               std::size_t m, std::uint64_t* to, std::size_t lead) {
  constexpr std::size_t kWorthASquare = 384;  // bits
  if (n * m < kWorthASquare) {
    for (std::size_t j = 0; j < m; ++j) {
      std::uint64_t bits = 0;
      for (std::size_t i = 0; i < n; ++i) bits |= (from[step * i] >> (u[j] & 63) & 1) << i;
      to[lead * j] = bits;
    }
    return;
  }
  std::uint64_t square[64] = {};
  for (std::size_t i = 0; i < n; ++i) square[i] = from[step * i];
  transpose(square);
  for (std::size_t j = 0; j < m; ++j) to[lead * j] = square[u[j] & 63];
}

// Per member the rays with its bit, `lead` words each, from the words of n rays, two times `words`
// apart. Members are in ascending order.
void turn_signs(const std::uint64_t* signs, std::size_t words, std::size_t n,
                const std::vector<std::int32_t>& member, std::size_t lead,
                std::vector<std::uint64_t>& to) {
  to.assign(lead * member.size(), 0);
  std::size_t first = 0;
  while (first < member.size()) {
    const std::int32_t word = member[first] >> 6;
    std::size_t last = first;
    while (last < member.size() && member[last] >> 6 == word) ++last;
    for (std::size_t begin = 0; begin < n; begin += 64)
      turn_bits(signs + 2 * words * begin + word, 2 * words, std::min<std::size_t>(64, n - begin),
                member.data() + first, last - first, to.data() + lead * first + begin / 64, lead);
    first = last;
  }
}

}  // namespace

// Only a run that may take all regions below the node.
template <int W>
bool ConeEngine<W>::lists_at_once(const Node& node) const {
  if (counting() || !hooks_->sink->at_once || !last_split(node.cell->split)) return false;
  if (node.guide.active() || hooks_->cut > 0 || hooks_->probe != nullptr) return false;
  if (control_.limit != RunControl::kNoLimit || node.n_list > kMostRays) return false;
  if (node.cell->words == 1) return true;
  int open = 0;
  for (std::int32_t w = 0; w < node.cell->words; ++w) open += std::popcount(node.mixed[w]);
  return open <= 64;
}

template <int W>
void ConeEngine<W>::list_at_once(const Node& node) {
  prepare_listing(node);
  hooks_->sink->begin();
  std::uint64_t whole[kMostRays / 64] = {};
  for (std::int32_t i = 0; i < node.n_list; ++i) whole[i >> 6] |= std::uint64_t{1} << (i & 63);
  const std::uint64_t open = first_bits(listing_.member.size());
  const std::uint64_t before = work_.cells;
  --work_.cells;  // the node itself is counted already
  try {
    switch (listing_.words) {
      case 1:
        list_cells<1>(node, whole, open, 0);
        break;
      case 2:
        list_cells<2>(node, whole, open, 0);
        break;
      case 4:
        list_cells<4>(node, whole, open, 0);
        break;
      default:
        list_cells<8>(node, whole, open, 0);
        break;
    }
  } catch (...) {
    work_.cells = before;
    hooks_->sink->drop();
    throw;
  }
  hooks_->sink->end();
}

// Rays as points, the rays above and below every open unit, and the rows of all facets. With faces
// a ray gets its place when a cell asks for it.
template <int W>
void ConeEngine<W>::prepare_listing(const Node& node) {
  const LayerCell& cell = *node.cell;
  const VertexSet<W>& set = *node.vertices;
  const auto words = static_cast<std::size_t>(cell.words);
  const auto n = static_cast<std::size_t>(node.n_list);
  Listing& l = listing_;
  l.words = n <= 64 ? 1 : n <= 128 ? 2 : n <= 256 ? 4 : 8;
  l.faces = hooks_->sink->lists_rays;
  l.spot.resize(n * stride_);
  l.mask.resize(n);
  std::fill(std::begin(l.far), std::end(l.far), 0);
  std::fill(std::begin(l.placed), std::end(l.placed), 0);
  const auto lead = static_cast<std::size_t>(l.words);
  l.on_bit.assign(l.faces ? lead * static_cast<std::size_t>(node.n_bits) : 0, 0);
  for (std::size_t i = 0; i < n; ++i) {
    const auto r = static_cast<std::size_t>(node.list[i]);
    const double* x = set.ray[r]->x();
    const bool vertex = x[dim_] != 0;
    if (!vertex) l.far[i >> 6] |= std::uint64_t{1} << (i & 63);
    l.mask[i] = set.mask[r];
    if (l.faces) {
      for (int w = 0; w < W; ++w)
        for (std::uint64_t rest = l.mask[i].w[w]; rest != 0; rest &= rest - 1)
          l.on_bit[lead * static_cast<std::size_t>(64 * w + std::countr_zero(rest)) + i / 64] |=
              std::uint64_t{1} << (i & 63);
      continue;
    }
    double* spot = l.spot.data() + i * stride_;
    const double factor = 1.0 / (vertex ? x[dim_] : largest_entry(x, dim_));
    for (std::size_t k = 0; k < dim_; ++k) spot[k] = x[k] * factor;
    for (std::size_t k = dim_; k < stride_; ++k) spot[k] = 0.0;
  }
  l.member.clear();
  for (std::size_t w = 0; w < words; ++w)
    for (std::uint64_t rest = node.mixed[w]; rest != 0; rest &= rest - 1)
      l.member.push_back(static_cast<std::int32_t>(64 * w) + std::countr_zero(rest));
  turn_signs(node.list_signs, words, n, l.member, lead, l.above);
  turn_signs(node.list_signs + words, words, n, l.member, lead, l.below);
  l.point.resize(2 * stride_);
  l.pattern.assign(cell.pattern, cell.pattern + tape_.pattern_words());
  leave_pointwise(node, l.pattern.data());
  const Op& op = tape_.split(cell.split);
  l.unit_bit.clear();
  for (const std::int32_t u : l.member)
    l.unit_bit.push_back(op.pattern_bit[static_cast<std::size_t>(cell.member[u])]);
  l.row.assign(static_cast<std::size_t>(node.n_bits), nullptr);
  l.side.assign(static_cast<std::size_t>(node.n_bits), 0);
  l.open.assign(static_cast<std::size_t>(node.n_bits), -1);
  for (std::size_t b = 0; b < l.row.size(); ++b) {
    const std::int32_t entry = node.table[b];
    const PathLine& line = lines_[static_cast<std::size_t>(entry >> 1)];
    l.row[b] = line.line.kind == Line::Kind::kInfinity ? nullptr : line.row;
    l.side[b] = (entry & 1) == 0 ? 1 : -1;
  }
  std::int32_t next = 0;  // both are in ascending order
  for (std::int32_t i = 0; i < set.n_members; ++i) {
    const auto b = static_cast<std::size_t>(set.first_bit + i);
    l.side[b] = get_sign(node.on, set.member[i]) ? 1 : -1;
    if (get_sign(node.mixed, set.member[i])) l.open[b] = next++;
  }
}

// The cells of the part of the node whose closure has the rays `in`, where the units `open` are
// still to be decided and the units `on` were found to be on. N: words of `in`.
template <int W>
template <int N>
void ConeEngine<W>::list_cells(const Node& node, const std::uint64_t* in, std::uint64_t open,
                               std::uint64_t on) {
  ++work_.cells;
  if (open == 0) {
    list_cell<N>(node, in, on);
    return;
  }
  const int u = std::countr_zero(open);
  open &= open - 1;
  for (int side = 0; side < 2; ++side) {
    const std::uint64_t* beyond = (side == 0 ? listing_.below : listing_.above).data() + N * u;
    std::uint64_t part[N], left = 0, fixed = 0;
    for (int w = 0; w < N; ++w) part[w] = in[w] & ~beyond[w];
    for (std::uint64_t rest = open; rest != 0; rest &= rest - 1) {
      const int v = std::countr_zero(rest);
      const bool more = meets<N>(part, listing_.above.data() + N * v);
      const bool less = meets<N>(part, listing_.below.data() + N * v);
      left |= std::uint64_t{more && less} << v;
      fixed |= std::uint64_t{more && !less} << v;
    }
    if (side == 0) fixed |= std::uint64_t{1} << u;
    list_cells<N>(node, part, left, on | fixed);
  }
}

// One region: by the mean of its rays, or as the search would report it.
template <int W>
template <int N>
void ConeEngine<W>::list_cell(const Node& node, const std::uint64_t* in, std::uint64_t on) {
  Listing& l = listing_;
  if (l.faces) place_spots<N>(node, in, on);
  double* point = l.point.data();
  double* direction = point + stride_;
  std::fill(point, point + 2 * stride_, 0.0);
  Mask<W> seen = Mask<W>::none();
  int n = 0, n_far = 0;
  for (int w = 0; w < N; ++w) {
    for (std::uint64_t rest = in[w]; rest != 0; rest &= rest - 1) {
      const auto i = static_cast<std::size_t>(64 * w + std::countr_zero(rest));
      seen = seen | l.mask[i];
      const double* spot = l.spot.data() + i * stride_;
      const bool far = (l.far[w] & rest & (0 - rest)) != 0;
      n += 1;
      n_far += far;
      double* to = far ? direction : point;
      for (std::size_t k = 0; k < stride_; k += 4)
        for (std::size_t j = k; j < k + 4; ++j) to[j] += spot[j];
    }
  }
  if (n > n_far)
    for (std::size_t k = 0; k < dim_; ++k) point[k] /= static_cast<double>(n - n_far);
  if (n_far > 0)
    for (std::size_t k = 0; k < dim_; ++k) point[k] += direction[k];
  find_facets<N>(node, in, seen);
  if (!proved_inside(on, point)) {
    list_slowly<N>(node, in, on);
    return;
  }
  l.found.assign(l.pattern.begin(), l.pattern.end());
  for (std::uint64_t rest = on; rest != 0; rest &= rest - 1)
    set_sign(l.found.data(), l.unit_bit[static_cast<std::size_t>(std::countr_zero(rest))]);
  ConeListed cell{l.found.data(), point, n_far == 0};
  if (l.faces) {
    set_sides(node, on);
    cell.words = N;
    cell.rays = in;
    cell.far = l.far;
    cell.spots = l.spot.data();
    cell.stride = stride_;
    cell.facets = l.facets;
    cell.table = node.table;
    cell.on_bit = l.on_bit.data();
  }
  hooks_->sink->listed(*this, cell);
  ++regions_;
}

// The places of rays that no cell has asked for, as precise as doubles are. Which cell asks first
// does not matter: a ray is determined by the rows on which it lies.
template <int W>
template <int N>
void ConeEngine<W>::place_spots(const Node& node, const std::uint64_t* in, std::uint64_t on) {
  Listing& l = listing_;
  bool sides = false;
  for (int w = 0; w < N; ++w)
    for (std::uint64_t rest = in[w] & ~l.placed[w]; rest != 0; rest &= rest - 1) {
      if (!sides) set_sides(node, on);
      sides = true;
      const auto i = static_cast<std::size_t>(64 * w + std::countr_zero(rest));
      const Arena::Mark mark = arena_.mark();
      const Region region{node.cone, node.table, node.n_bits, nullptr};
      const Ray& ray = listed_ray(*node.vertices->ray[node.list[i]], l.mask[i], region);
      double* spot = l.spot.data() + i * stride_;
      write_spot(ray, spot);
      for (std::size_t k = dim_; k < stride_; ++k) spot[k] = 0.0;
      arena_.release(mark);
      l.placed[w] |= rest & (0 - rest);
    }
}

// The sides of the cell's facets in the node's table.
template <int W>
void ConeEngine<W>::set_sides(const Node& node, std::uint64_t on) {
  const VertexSet<W>& set = *node.vertices;
  for (std::int32_t i = 0; i < set.n_members; ++i)
    node.table[set.first_bit + i] =
        2 * (set.first_line + i) + (side_of_bit(set.first_bit + i, on) > 0 ? 0 : 1);
}

// The facets of a cell, or without faces all rows on which rays lie. A bit is a facet unless its
// rays are among those of another one, which can only be where rays lie on more rows than needed.
template <int W>
template <int N>
void ConeEngine<W>::find_facets(const Node& node, const std::uint64_t* in, const Mask<W>& seen) {
  Listing& l = listing_;
  bool simple = !l.faces || node.vertices->simple;
  if (!simple) {
    simple = true;
    for (int w = 0; w < N && simple; ++w)
      for (std::uint64_t rest = in[w]; rest != 0 && simple; rest &= rest - 1)
        simple = l.mask[static_cast<std::size_t>(64 * w + std::countr_zero(rest))].count() ==
                 node.cone.k - 1;
  }
  const auto within = [&](std::int32_t a, std::int32_t b) {
    const std::uint64_t* pa = l.on_bit.data() + static_cast<std::size_t>(N * a);
    const std::uint64_t* pb = l.on_bit.data() + static_cast<std::size_t>(N * b);
    std::uint64_t beside = 0;
    for (int w = 0; w < N; ++w) beside |= in[w] & pa[w] & ~pb[w];
    return beside == 0;
  };
  l.facets.clear();
  for (int w = 0; w < W; ++w)
    for (std::uint64_t rest = seen.w[w]; rest != 0; rest &= rest - 1) {
      const std::int32_t b = 64 * w + std::countr_zero(rest);
      if (l.row[static_cast<std::size_t>(b)] == nullptr) continue;
      bool facet = true;
      if (!simple)
        for (std::int32_t o = 0; o < node.n_bits && facet; ++o)
          facet = o == b || !seen.has(o) || !within(b, o) || (within(o, b) && b < o);
      if (facet) l.facets.push_back(b);
    }
}

// Are the rows of all facets positive at the point, by their error bounds alone?
template <int W>
bool ConeEngine<W>::proved_inside(std::uint64_t on, const double* point) const {
  const double size = size_of_point(point, dim_);
  if (!(size < kLargestPoint)) return false;
  for (const std::int32_t b : listing_.facets)
    if (side_of_point(listing_.row[static_cast<std::size_t>(b)], dim_, point, size) !=
        side_of_bit(b, on))
      return false;
  return true;
}

template <int W>
template <int N>
void ConeEngine<W>::list_slowly(const Node& node, const std::uint64_t* in, std::uint64_t on) {
  const Arena::Mark mark = arena_.mark();
  Node cell = node;
  const auto words = static_cast<std::size_t>(node.cell->words);
  cell.on = arena_.make<std::uint64_t>(words);
  std::copy_n(node.on, words, cell.on);
  for (std::uint64_t rest = on; rest != 0; rest &= rest - 1)
    set_sign(cell.on, listing_.member[static_cast<std::size_t>(std::countr_zero(rest))]);
  cell.list = arena_.make<std::int32_t>(static_cast<std::size_t>(node.n_list));
  cell.n_list = 0;
  for (int w = 0; w < N; ++w)
    for (std::uint64_t rest = in[w]; rest != 0; rest &= rest - 1)
      cell.list[cell.n_list++] = node.list[64 * w + std::countr_zero(rest)];
  collect_cone(cell);
  auto* pattern = arena_.make<std::uint64_t>(tape_.pattern_words());
  std::copy_n(cell.cell->pattern, tape_.pattern_words(), pattern);
  leave_pointwise(cell, pattern);
  report(cell, pattern);
  arena_.release(mark);
}

#define LINEAR_REGIONS_CONES(W) template class ConeEngine<W>;
#include "deep/cone_widths.hpp"

}  // namespace linear_regions
