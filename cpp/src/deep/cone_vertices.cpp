// SPDX-License-Identifier: MIT
// Splitting a cell by all of its units at once.
//
// Cutting cells one unit at a time makes a corner of the arrangement anew in every cell that meets
// it: some dozen times in six dimensions. Here all rays of all cells are made first, each
// once. A ray of a cell is a ray of the cell that is being split, or a corner of a section: the
// intersection with some of the hyperplanes. With the sections of sections taken by earlier units
// only, every section comes up once (the recursion of cone_count.cpp).
//
// After that cells are lists of rays. Those of the part where u > 0 are the ones where u >= 0,
// and v still cuts it if and only if v is positive at some of them and negative at some: every ray
// of the part is among them, and all of them lie in its closure. At the end the list holds the
// rays of the cell and nothing else, since any other point of a closed cell has a smaller face
// around it. A split is a pass over two words per ray.
//
// The number of rays may be as large as (units over d), so a set has an upper limit; above it the
// cell is cut by one unit in the ordinary way, and its parts are tried again.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "deep/cone_engine.hpp"
#include "linear_regions/sign_vector.hpp"

namespace linear_regions {
namespace {

constexpr std::size_t kMostBytes = std::size_t{24} << 20;  // of a set of rays

}  // namespace

// Makes the rays of all cells of the node that its mixed units cut; false where they are too many.
// The node's unit lines and bits are then fixed for all cells below.
template <int W>
bool ConeEngine<W>::find_vertices(Node& node) {
  const LayerCell& cell = *node.cell;
  if (node.cone.n_lines > 0 || node.wait > 0) return false;
  if (counting() && last_split(cell.split)) return false;
  const auto words = static_cast<std::size_t>(cell.words);
  vertex_members_.clear();
  for (std::size_t w = 0; w < words; ++w)
    for (std::uint64_t rest = node.mixed[w]; rest != 0; rest &= rest - 1)
      vertex_members_.push_back(static_cast<std::int32_t>(64 * w) + std::countr_zero(rest));
  const auto m = static_cast<std::int32_t>(vertex_members_.size());
  if (m < 2 && !leads_to_count(cell)) return false;
  const std::int32_t most_bits = by_parts_ ? 64 : 64 * W;
  if (node.n_bits + m > most_bits) compact(node);
  if (node.n_bits + m > most_bits) return false;
  const Arena::Mark mark = arena_.mark();
  const std::size_t lines_mark = lines_.size();
  const std::size_t lead = padded(static_cast<std::size_t>(cell.m));
  first_vertex_line_ = static_cast<std::int32_t>(lines_.size());
  for (const std::int32_t u : vertex_members_) {
    for (std::size_t k = 0; k < width_ + 2; ++k)
      row_[k] = cell.member_rows[k * lead + static_cast<std::size_t>(u)];
    push_line({Line::Kind::kCut, cell.split, cell.member[u], 0}, row_.data());
  }
  const Cone<W>& cone = node.cone;
  vertices_.assign(cone.ray, cone.ray + cone.n);
  vertex_masks_.assign(cone.mask, cone.mask + cone.n);
  sections_.resize(std::max(sections_.size(), dim_ + 2));
  Section& whole = sections_[0];
  whole.k = cone.k;
  whole.simple = cone.simple;
  whole.ray = vertices_;
  whole.mask = vertex_masks_;
  vertex_way_.clear();
  const bool leads = leads_to_count(cell);
  const std::size_t beyond =
      leads ? padded(tape_.split(cell.split + 1).pointwise.unit_of_cut.size()) : 0;
  const std::size_t mask_bytes = by_parts_ ? sizeof(Mask<1>) : sizeof(Mask<W>);
  most_vertices_ = kMostBytes / (sizeof(Ray) + 2 * mask_bytes + 4 * beyond +
                                 8 * (stride_ + 4 * words + (leads ? 7 : 4)));
  std::vector<std::int32_t> units(static_cast<std::size_t>(m));
  for (std::int32_t i = 0; i < m; ++i) units[static_cast<std::size_t>(i)] = i;
  const std::size_t reached = cut_sections(node, 0, units);
  if (reached < units.size()) {
    arena_.release(mark);
    lines_.resize(lines_mark);
    // The number grows at most like the d-th power of the units, and halves with every cut or so.
    const double growth =
        static_cast<double>(dim_) *
        std::log2(static_cast<double>(m) / static_cast<double>(std::max<std::size_t>(1, reached)));
    node.wait = std::max(1, static_cast<std::int32_t>(std::min(64.0, growth)));
    return false;
  }
  keep_vertices(node);
  return true;
}

// Adds the corners of all sections of the section at `depth` by these units (numbers in
// vertex_members_, ascending; all of them cut it). Returns how many units were done: fewer than
// there are where the rays become too many.
template <int W>
std::size_t ConeEngine<W>::cut_sections(const Node& node, std::size_t depth,
                                        const std::vector<std::int32_t>& units) {
  const std::size_t words = words_of(node);
  for (std::size_t i = 0; i < units.size(); ++i) {
    const std::int32_t u = vertex_members_[static_cast<std::size_t>(units[i])];
    Section& section = sections_[depth];
    sign_.resize(section.ray.size());
    for (std::size_t r = 0; r < section.ray.size(); ++r) {
      const std::uint64_t* signs = signs_of(*section.ray[r], stride_);
      sign_[r] = static_cast<std::int8_t>(get_sign(signs, u) - get_sign(signs + words, u));
    }
    sort_rays(sign_.data(), static_cast<std::int32_t>(section.ray.size()));
    vertex_way_.push_back(first_vertex_line_ + units[i]);
    make_corners(node, depth);
    std::vector<std::int32_t>& next = sections_[depth + 1].cutting;
    next.clear();
    const bool again = !cutting_units(sections_[depth + 1], words, {units.data(), i}, next);
    bool done = again;
    if (!again) {
      const Section& made = sections_[depth + 1];
      for (std::size_t r = made.first_new; r < made.ray.size(); ++r) {
        vertices_.push_back(made.ray[r]);
        vertex_masks_.push_back(made.mask[r]);
      }
      done = vertices_.size() <= most_vertices_ &&
             (next.empty() || cut_sections(node, depth + 1, next) == next.size());
    }
    vertex_way_.pop_back();
    if (!done) return i;
  }
  return units.size();
}

// Which of the units cut the section? False if one of them is zero on all of it: then the section
// was made before, by that unit.
template <int W>
bool ConeEngine<W>::cutting_units(const Section& section, std::size_t words,
                                  std::span<const std::int32_t> units,
                                  std::vector<std::int32_t>& cutting) const {
  for (const std::int32_t i : units) {
    const std::int32_t v = vertex_members_[static_cast<std::size_t>(i)];
    bool more = false, less = false;
    for (const Ray* ray : section.ray) {
      const std::uint64_t* signs = signs_of(*ray, stride_);
      more = more || get_sign(signs, v);
      less = less || get_sign(signs + words, v);
    }
    if (!more && !less) return false;
    if (more && less) cutting.push_back(i);
  }
  return true;
}

// The section at depth + 1: that of the one at `depth` by the line that was put on vertex_way_
// last, whose signs are in positive_ and the like. Rays carry the signs of all mixed members.
template <int W>
void ConeEngine<W>::make_corners(const Node& node, std::size_t depth) {
  const LayerCell& cell = *node.cell;
  const Section& section = sections_[depth];
  Section& made = sections_[depth + 1];
  const std::size_t words = words_of(node);
  find_edges(section.mask.data(), static_cast<std::int32_t>(section.ray.size()), section.k,
             section.simple);
  made.k = section.k - 1;
  made.ray.clear();
  made.mask.clear();
  for (const std::int32_t i : zero_) {
    made.ray.push_back(section.ray[static_cast<std::size_t>(i)]);
    made.mask.push_back(section.mask[static_cast<std::size_t>(i)]);
  }
  made.first_new = made.ray.size();
  Through through{node.table, node.n_bits};
  through.lines = vertex_way_.data();
  through.n_lines = static_cast<std::int32_t>(vertex_way_.size());
  vertex_wanted_.assign(node.mixed, node.mixed + words);
  for (const std::int32_t line : vertex_way_) {
    const std::int32_t u = vertex_members_[static_cast<std::size_t>(line - first_vertex_line_)];
    vertex_wanted_[static_cast<std::size_t>(u) >> 6] &= ~(std::uint64_t{1} << (u & 63));
  }
  const double* row = lines_[static_cast<std::size_t>(vertex_way_.back())].row;
  const std::size_t n = edges_.size();
  look_at_.resize(n);
  look_slack_.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto p = static_cast<std::size_t>(edges_[i].positive),
               q = static_cast<std::size_t>(edges_[i].negative);
    const Mask<W> common = section.mask[p] & section.mask[q];
    Ray* ray = mix_rays(*section.ray[p], *section.ray[q], row, common, through, words);
    made.ray.push_back(ray);
    made.mask.push_back(common);
    look_at_[i] = ray->x();
    look_slack_[i] = slack_of(*ray);
  }
  first_look(cell, made.ray.data() + made.first_new, n, vertex_wanted_.data());
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t r = made.first_new + i;
    if (!all_signed(cell, *made.ray[r], vertex_wanted_.data()))
      ray_signs(cell, *made.ray[r], made.mask[r], through, vertex_wanted_.data());
    // Members that were fixed before vanish where they do on both ends of the edge.
    std::uint64_t* signs = signs_of(*made.ray[r], stride_);
    const std::uint64_t* ps =
        signs_of(*section.ray[static_cast<std::size_t>(edges_[i].positive)], stride_);
    const std::uint64_t* qs =
        signs_of(*section.ray[static_cast<std::size_t>(edges_[i].negative)], stride_);
    for (std::size_t w = 0; w < 2 * words; ++w)
      signs[w] |= (ps[w] | qs[w]) & ~node.mixed[w < words ? w : w - words];
  }
  made.simple = section.simple && zero_.empty();
  if (!made.simple) {
    made.simple = true;
    for (std::size_t r = 0; r < made.mask.size() && made.simple; ++r)
      made.simple = made.mask[r].count() == made.k - 1;
  }
  work_off(edges_.size() + 1);
}

// Gives the rays their final masks, drops those that several sections made (where more hyperplanes
// than necessary meet), and makes the set the node's.
template <int W>
void ConeEngine<W>::keep_vertices(Node& node) {
  const auto words = static_cast<std::size_t>(node.cell->words);
  const std::int32_t first_bit = node.n_bits;
  const auto m = static_cast<std::int32_t>(vertex_members_.size());
  std::size_t kept = 0;
  std::vector<Mask<W>> seen;  // of rays on more facets than needed
  bool simple = true;
  // The units are the first ones of the word, and their facets lie in a word, too.
  const bool in_order = vertex_members_.back() == m - 1 && m < 64 && first_bit + m <= 64;
  for (std::size_t r = 0; r < vertices_.size(); ++r) {
    Mask<W> mask = vertex_masks_[r];
    const std::uint64_t* signs = signs_of(*vertices_[r], stride_);
    if (in_order) {
      mask.w[0] |= (~(signs[0] | signs[words]) & ((std::uint64_t{1} << m) - 1)) << first_bit;
    } else {
      for (std::int32_t i = 0; i < m; ++i) {
        const std::int32_t u = vertex_members_[static_cast<std::size_t>(i)];
        if (!get_sign(signs, u) && !get_sign(signs + words, u)) mask.set(first_bit + i);
      }
    }
    if (mask.count() > node.cone.k - 1) {
      simple = false;
      const auto at = std::lower_bound(seen.begin(), seen.end(), mask);
      if (at != seen.end() && *at == mask) continue;
      seen.insert(at, mask);
    }
    vertices_[kept] = vertices_[r];
    vertex_masks_[kept++] = mask;
  }
  auto* set = arena_.make<VertexSet<W>>(1);
  set->n = static_cast<std::int32_t>(kept);
  set->simple = simple;
  set->n_members = m;
  set->first_line = first_vertex_line_;
  set->first_bit = first_bit;
  set->member = arena_.make<std::int32_t>(vertex_members_.size());
  std::copy(vertex_members_.begin(), vertex_members_.end(), set->member);
  set->ray = arena_.make<Ray*>(kept);
  set->mask = arena_.make<Mask<W>>(kept);
  set->signs = arena_.make<std::uint64_t>(2 * words * kept);
  set->beyond = nullptr;
  if (leads_to_count(*node.cell)) {
    const std::size_t cuts = tape_.split(node.cell->split + 1).pointwise.unit_of_cut.size();
    set->cut = arena_.make<std::int32_t>(cuts);
    set->n_cuts = 0;
    for (std::uint64_t rest = node.cell->beyond & first_bits(cuts); rest != 0; rest &= rest - 1)
      set->cut[set->n_cuts++] = std::countr_zero(rest);
    set->lead = padded(static_cast<std::size_t>(set->n_cuts));
    set->beyond = arena_.make<typename VertexSet<W>::Beyond>(kept);
    constexpr std::size_t kPiece = VertexSet<W>::kPiece;
    set->sizes = arena_.make<float*>(kept / kPiece + 1);
    for (std::size_t r = 0; r < kept; r += kPiece)
      set->sizes[r / kPiece] = arena_.make<float>(std::min(kept - r, kPiece) * set->lead);
    for (std::size_t r = 0; r < kept; ++r)
      set->beyond[r] = {~std::uint64_t{0}, ~std::uint64_t{0}, 0};
  }
  node.list = arena_.make<std::int32_t>(kept);
  node.n_list = set->n;
  for (std::size_t r = 0; r < kept; ++r) {
    set->ray[r] = vertices_[r];
    set->mask[r] = vertex_masks_[r];
    for (std::size_t w = 0; w < 2 * words; w += 2)
      std::memcpy(set->signs + 2 * words * r + w, signs_of(*vertices_[r], stride_) + w,
                  2 * sizeof(std::uint64_t));
    node.list[r] = static_cast<std::int32_t>(r);
  }
  node.list_signs = set->signs;
  for (std::int32_t i = 0; i < m; ++i) node.table[first_bit + i] = 2 * (first_vertex_line_ + i);
  node.n_bits = first_bit + m;
  node.vertices = set;
}

// The lists of the parts of the node where unit u >= 0 and where u <= 0, and the signs that occur
// there: positive and negative words of the first, then of the second, in half_signs_. N is the
// number of words, or 0.
template <int W>
template <int N>
void ConeEngine<W>::halve_list(const Node& parent, std::int32_t u, Node* sides) {
  const auto words =
      N > 0 ? static_cast<std::size_t>(N) : static_cast<std::size_t>(parent.cell->words);
  const std::size_t word = static_cast<std::size_t>(u) >> 6;
  const auto n = static_cast<std::size_t>(parent.n_list);
  for (std::size_t side = 0; side < 2; ++side) {
    // Not in the part: strictly on the other side.
    const std::size_t other = side == 0 ? words + word : word;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < n; ++i)
      kept += (~parent.list_signs[2 * words * i + other] >> (u & 63)) & 1;
    auto* list = arena_.make<std::int32_t>(kept + 1);
    auto* signs = arena_.make<std::uint64_t>(2 * words * (kept + 1));
    std::uint64_t* found = half_signs_.data() + 2 * words * side;
    std::uint64_t some[2 * (N > 0 ? N : 1)] = {};
    std::size_t at = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint64_t* from = parent.list_signs + 2 * words * i;
      std::uint64_t* to = signs + 2 * words * at;
      const std::uint64_t in = (~from[other] >> (u & 63)) & 1;
      list[at] = parent.list[i];
      for (std::size_t w = 0; w < 2 * words; ++w) {
        to[w] = from[w];
        if constexpr (N > 0)
          some[w] |= from[w] & (0 - in);
        else
          found[w] |= from[w] & (0 - in);
      }
      at += in;
    }
    if constexpr (N > 0) std::copy_n(some, 2 * words, found);
    sides[side].list = list;
    sides[side].list_signs = signs;
    sides[side].n_list = static_cast<std::int32_t>(kept);
  }
}

// Splits a node whose rays are all there.
template <int W>
void ConeEngine<W>::split_list(std::int32_t index, const Node& parent) {
  const LayerCell& cell = *parent.cell;
  const auto words = static_cast<std::size_t>(cell.words);
  std::int32_t u = 0;
  while (parent.mixed[u >> 6] == 0) u += 64;
  u += std::countr_zero(parent.mixed[u >> 6]);
  decide(cell.split, cell.member[u]);
  if (count_few(parent)) return;
  Node sides[2] = {child_of(index), child_of(index)};
  half_signs_.assign(4 * words, 0);
  if (words == 1)
    halve_list<1>(parent, u, sides);
  else
    halve_list<0>(parent, u, sides);
  for (std::size_t side = 0; side < 2; ++side) {
    Node& child = sides[side];
    child.child = static_cast<std::uint32_t>(side);
    child.table = parent.table;
    child.n_bits = parent.n_bits;
    child.own_first = parent.n_bits;
    child.cone = parent.cone;
    child.vertices = parent.vertices;
    child.mixed = arena_.make<std::uint64_t>(2 * words);
    child.on = child.mixed + words;
    std::uint64_t left = 0;
    for (std::size_t w = 0; w < words; ++w) {
      const std::uint64_t more = half_signs_[2 * words * side + w],
                          less = half_signs_[2 * words * side + words + w];
      std::uint64_t wanted = parent.mixed[w];
      if (w == static_cast<std::size_t>(u) >> 6) wanted &= ~(std::uint64_t{1} << (u & 63));
      child.mixed[w] = wanted & more & less;
      child.on[w] = parent.on[w] | (wanted & ~child.mixed[w] & more);
      left |= child.mixed[w];
    }
    if (side == 0) set_sign(child.on, u);
    if (left == 0 && parent.vertices->beyond != nullptr) {
      count_leaf(child, parent);
      continue;
    }
    if (!last_split(cell.split)) fix_members(child, parent);
    children_.push_back(child);
  }
}

// A cell whose units are all decided becomes an ordinary cone.
template <int W>
void ConeEngine<W>::collect_cone(Node& node) {
  const VertexSet<W>& set = *node.vertices;
  const auto n = static_cast<std::size_t>(node.n_list);
  Cone<W>& cone = node.cone;
  cone.n = node.n_list;
  cone.ray = arena_.make<Ray*>(n);
  cone.mask = arena_.make<Mask<W>>(n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto r = static_cast<std::size_t>(node.list[i]);
    cone.ray[i] = set.ray[r];
    cone.mask[i] = set.mask[r];
  }
  cone.simple = set.simple;
  if (!cone.simple) check_simple(cone);
  for (std::int32_t i = 0; i < set.n_members; ++i)
    node.table[set.first_bit + i] =
        2 * (set.first_line + i) + (get_sign(node.on, set.member[i]) ? 0 : 1);
}

#define LINEAR_REGIONS_CONES(W) template class ConeEngine<W>;
#include "deep/cone_widths.hpp"

}  // namespace linear_regions
