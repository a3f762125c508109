// SPDX-License-Identifier: MIT
// Splitting a cone by one cutting unit of a pointwise layer: which unit, the signs of the new rays,
// and what becomes fixed on the two sides.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "deep/cone_engine.hpp"
#include "linear_regions/sign_vector.hpp"

namespace linear_regions {

// The member to split by: one that a line crosses, as long as there is any; `which` is that line.
template <int W>
std::int32_t ConeEngine<W>::choose_member(const Node& node, std::int32_t& which) const {
  const LayerCell& cell = *node.cell;
  const auto words = static_cast<std::size_t>(cell.words);
  which = -1;
  double most = -1.0;
  std::int32_t chosen = -1;
  for (std::int32_t j = 0; j < node.cone.n_lines; ++j) {
    const std::uint64_t* signs = signs_of(*node.cone.line[j], stride_);
    for (std::size_t w = 0; w < words; ++w)
      for (std::uint64_t rest = node.mixed[w] & (signs[w] | signs[words + w]); rest != 0;
           rest &= rest - 1) {
        const auto i = static_cast<std::int32_t>(64 * w) + std::countr_zero(rest);
        double value = 0.0, norm = 0.0;
        const std::size_t lead = padded(static_cast<std::size_t>(cell.m));
        for (std::size_t k = 0; k < width_; ++k) {
          const double g = cell.member_rows[k * lead + static_cast<std::size_t>(i)];
          value += g * node.cone.line[j]->x()[k];
          norm += std::fabs(g);
        }
        const double size = std::fabs(value) / norm;
        if (chosen < 0 || size > most) most = size, which = j, chosen = i;
      }
  }
  if (chosen >= 0) return chosen;
  std::int32_t u = 0;
  while (node.mixed[u >> 6] == 0) u += 64;
  return u + std::countr_zero(node.mixed[u >> 6]);
}

template <int W>
void ConeEngine<W>::expand_pointwise(std::int32_t index) {
  Node parent = stack_[static_cast<std::size_t>(index)];
  const LayerCell& cell = *parent.cell;
  if (parent.vertices == nullptr && find_vertices(parent)) {
    parent.made_set = true;
    parent.mark_before = std::exchange(parent.mark, arena_.mark());
    parent.lines_before = std::exchange(parent.lines_mark, lines_.size());
    stack_[static_cast<std::size_t>(index)] = parent;
  }
  if (parent.vertices != nullptr) {
    if (lists_at_once(parent))
      list_at_once(parent);
    else
      split_list(index, parent);
    return;
  }
  const auto words = static_cast<std::size_t>(cell.words);
  std::int32_t which = -1;
  const std::int32_t u = choose_member(parent, which);
  decide(cell.split, cell.member[u]);
  const std::size_t lead = padded(static_cast<std::size_t>(cell.m));
  for (std::size_t k = 0; k < width_ + 2; ++k)
    row_[k] = cell.member_rows[k * lead + static_cast<std::size_t>(u)];
  const std::int32_t line =
      push_line({Line::Kind::kCut, cell.split, cell.member[u], 0}, row_.data());
  const std::int32_t bit_of_cut = new_bit(parent);
  parent.table[bit_of_cut] = 2 * line;
  auto* wanted = arena_.make<std::uint64_t>(words);
  std::memcpy(wanted, parent.mixed, words * sizeof(std::uint64_t));
  wanted[u >> 6] &= ~(std::uint64_t{1} << (u & 63));

  int along = 0;
  if (which >= 0) {
    const std::uint64_t* signs = signs_of(*parent.cone.line[which], stride_);
    along = get_sign(signs, u) ? 1 : -1;
    split_lines(parent, line, which, words);
    sign_moved_rays(parent, line, wanted);
  } else {
    sign_.resize(static_cast<std::size_t>(parent.cone.n));
    for (std::int32_t i = 0; i < parent.cone.n; ++i) {
      const std::uint64_t* signs = signs_of(*parent.cone.ray[i], stride_);
      sign_[static_cast<std::size_t>(i)] =
          static_cast<std::int8_t>(get_sign(signs, u) - get_sign(signs + words, u));
    }
    sort_rays(sign_.data(), parent.cone.n);
    cut_edges(parent, line, words);
    sign_fresh_rays(parent, line, wanted);
  }
  // Both cones before either is finished: a child that is counted at once looks for edges of its
  // own, in the same place as the cut of the parent.
  Node children[2] = {child_of(index), child_of(index)};
  for (const bool positive : {true, false}) {
    Node& child = children[positive ? 0 : 1];
    child.table = parent.table;
    child.n_bits = parent.n_bits;
    child.own_first = bit_of_cut;
    child.n_own = 1;
    child.wait = std::max(0, parent.wait - 1);
    child.own = arena_.make<std::int32_t>(1);
    child.own[0] = 2 * line + (positive ? 0 : 1);
    child.table[bit_of_cut] = child.own[0];
    child.cone = which >= 0 ? side_of_lines(parent, positive, bit_of_cut, which, along)
                            : side_of_cut(parent, positive, bit_of_cut);
    if (which >= 0) sign_end(child, parent, which, wanted, u, positive);
  }
  for (const bool positive : {true, false}) {
    Node& child = children[positive ? 0 : 1];
    child.table[bit_of_cut] = child.own[0];  // the table is the parent's
    finish_child(child, parent, wanted, u, positive);
  }
}

// Signs at the rays on the new hyperplane; members that were fixed before vanish there exactly
// where they vanish on both ends of the edge.
template <int W>
void ConeEngine<W>::sign_fresh_rays(const Node& parent, std::int32_t line,
                                    const std::uint64_t* wanted) {
  const LayerCell& cell = *parent.cell;
  const auto words = static_cast<std::size_t>(cell.words);
  const Through through{parent.table,       parent.n_bits,      &line, 1,
                        parent.cone.anchor, parent.cone.n_lines};
  for (std::size_t r = 0; r < fresh_.size(); ++r) {
    ray_signs(cell, *fresh_[r], fresh_mask_[r], through, wanted);
    std::uint64_t* signs = signs_of(*fresh_[r], stride_);
    const std::uint64_t* p = signs_of(*parent.cone.ray[edges_[r].positive], stride_);
    const std::uint64_t* q = signs_of(*parent.cone.ray[edges_[r].negative], stride_);
    for (std::size_t w = 0; w < 2 * words; ++w)
      signs[w] |= (p[w] | q[w]) & ~parent.mixed[w < words ? w : w - words];
  }
}

// The same after the rays were moved along a line, on which the fixed members vanish.
template <int W>
void ConeEngine<W>::sign_moved_rays(const Node& parent, std::int32_t line,
                                    const std::uint64_t* wanted) {
  const LayerCell& cell = *parent.cell;
  const auto words = static_cast<std::size_t>(cell.words);
  const Through through{parent.table,
                        parent.n_bits,
                        &line,
                        1,
                        fresh_anchor_.data(),
                        static_cast<std::int32_t>(fresh_anchor_.size())};
  for (std::size_t r = 0; r < fresh_.size(); ++r) {
    ray_signs(cell, *fresh_[r], fresh_mask_[r], through, wanted);
    std::uint64_t* signs = signs_of(*fresh_[r], stride_);
    const std::uint64_t* old = signs_of(*parent.cone.ray[r], stride_);
    for (std::size_t w = 0; w < 2 * words; ++w)
      signs[w] |= old[w] & ~parent.mixed[w < words ? w : w - words];
  }
}

// Signs at the ray that a line became, and at the lines that are left.
template <int W>
void ConeEngine<W>::sign_end(Node& child, const Node& parent, std::int32_t which,
                             const std::uint64_t* wanted, std::int32_t u, bool positive) {
  const LayerCell& cell = *parent.cell;
  const auto words = static_cast<std::size_t>(cell.words);
  Ray& end = *child.cone.ray[child.cone.n - 1];
  const std::uint64_t* old = signs_of(*parent.cone.line[which], stride_);
  std::uint64_t* signs = signs_of(end, stride_);
  // The child's first look at the line: the same direction, or the opposite one.
  bool same = true;
  for (std::size_t k = 0; k < width_; ++k)
    same = same && end.x()[k] == parent.cone.line[which]->x()[k];
  for (std::size_t w = 0; w < words; ++w) {
    signs[w] = old[same ? w : words + w] & wanted[w];
    signs[words + w] = old[same ? words + w : w] & wanted[w];
  }
  set_sign(positive ? signs : signs + words, u);
  line_signs(cell, child.cone, child.table, child.n_bits, wanted);
}

// What is still mixed on the child, what became fixed; counts it where nothing else is asked.
template <int W>
void ConeEngine<W>::finish_child(Node& child, const Node& parent, const std::uint64_t* wanted,
                                 std::int32_t u, bool positive) {
  const LayerCell& cell = *child.cell;
  const auto words = static_cast<std::size_t>(cell.words);
  const Cone<W>& cone = child.cone;
  child.child = positive ? 0 : 1;
  child.mixed = arena_.make<std::uint64_t>(2 * words);
  child.on = child.mixed + words;
  std::uint64_t left = 0;
  bool on_line = false;
  for (std::size_t w = 0; w < words; ++w) {
    const auto [more, less, along] = strict_signs(cone, w, words, stride_);
    child.mixed[w] = wanted[w] & ((more & less) | along);
    on_line = on_line || (wanted[w] & along) != 0;
    // Fixed now and positive; a member without strict signs is zero on the cell: off.
    child.on[w] = parent.on[w] | (wanted[w] & ~child.mixed[w] & more);
    left += static_cast<std::uint64_t>(std::popcount(child.mixed[w]));
  }
  if (positive) set_sign(child.on, u);
  if (counting() && last_split(cell.split)) {
    if (left <= 1) {
      regions_ += left + 1;
      return;
    }
    if (left <= 64 && !on_line) {
      std::vector<std::int32_t> cuts;
      for (std::size_t w = 0; w < words; ++w)
        for (std::uint64_t rest = child.mixed[w]; rest != 0; rest &= rest - 1)
          cuts.push_back(cell.member[64 * w + static_cast<std::size_t>(std::countr_zero(rest))]);
      regions_ += count_cone(cell, child, cuts);
      return;
    }
  }
  if (!last_split(cell.split)) fix_members(child, parent);
  children_.push_back(child);
}

// Adds the rows of the units that became fixed between parent and child to the child's block.
template <int W>
void ConeEngine<W>::fix_members(Node& child, const Node& parent) {
  const auto words = static_cast<std::size_t>(child.cell->words);
  for (std::size_t w = 0; w < words; ++w)
    for (std::uint64_t fixed = parent.mixed[w] & ~child.mixed[w]; fixed != 0; fixed &= fixed - 1)
      push_fixed_unit(child, parent, static_cast<std::int32_t>(64 * w) + std::countr_zero(fixed));
}

template <int W>
void ConeEngine<W>::push_fixed_unit(Node& child, const Node& parent, std::int32_t member) {
  const LayerCell& cell = *child.cell;
  const Op& op = tape_.split(cell.split);
  const Pointwise& p = op.pointwise;
  if (p.is_relu && !get_sign(child.on, member)) return;
  const std::int32_t unit = p.unit_of_cut[cell.member[member]];
  std::size_t piece = 0;
  if (p.one_cut_at_zero) {
    piece = get_sign(child.on, member);
  } else {
    // Members of one unit are neighbours. Its row is due when the last of them is fixed.
    std::int32_t first = member, last = member;
    while (first > 0 && p.unit_of_cut[cell.member[first - 1]] == unit) --first;
    while (last + 1 < cell.m && p.unit_of_cut[cell.member[last + 1]] == unit) ++last;
    for (std::int32_t i = first; i <= last; ++i) {
      if (get_sign(child.mixed, i)) return;
      if (i > member && get_sign(parent.mixed, i))
        return;  // fixed in the same step: left to that one
      piece += get_sign(child.on, i);
    }
    for (std::int32_t q = p.cut_start[unit]; q < p.cut_start[unit + 1]; ++q)
      piece += get_sign(cell.on, q);
  }
  const PieceTable& table = p.tables[static_cast<std::size_t>(p.table_of[unit])];
  const std::size_t n = tape_.slots()[op.output].size;
  maps_.row_at(cell.rows, n, unit, row_.data());
  if (maps_.piece_row(row_.data(), table, piece, other_row_.data()))
    maps_.push(op.output, unit, other_row_.data(), own_block(child, parent.block));
}

template <int W>
void ConeEngine<W>::leave_pointwise(const Node& node, std::uint64_t* pattern) {
  const LayerCell& cell = *node.cell;
  const Op& op = tape_.split(cell.split);
  path_.cuts[static_cast<std::size_t>(cell.split)] = {cell.on, node.on, cell.member, cell.m};
  if (pattern == nullptr) return;
  const std::size_t words = word_count(op.pointwise.unit_of_cut.size());
  for (std::size_t w = 0; w < words; ++w)
    for (std::uint64_t rest = cell.on[w]; rest != 0; rest &= rest - 1)
      set_sign(pattern, op.pattern_bit[64 * w + static_cast<std::size_t>(std::countr_zero(rest))]);
  for (std::int32_t w = 0; w < cell.words; ++w)
    for (std::uint64_t rest = node.on[w]; rest != 0; rest &= rest - 1)
      set_sign(
          pattern,
          op.pattern_bit[static_cast<std::size_t>(cell.member[64 * w + std::countr_zero(rest)])]);
}

// Do all members that are on vanish on the ray, and is that all that the next stage sees?
template <int W>
bool ConeEngine<W>::members_vanish(const Node& node, const Ray& ray) const {
  const LayerCell& cell = *node.cell;
  const Op& op = tape_.split(cell.split);
  if (op.kind != OpKind::kPointwise || !op.pointwise.is_relu) return false;
  if (last_split(cell.split) || !root_.chain[static_cast<std::size_t>(cell.split) + 1])
    return false;
  const std::uint64_t* signs = signs_of(ray, stride_);
  for (std::int32_t w = 0; w < cell.words; ++w)
    if ((signs[w] & node.on[w]) != 0) return false;
  return true;
}

#define LINEAR_REGIONS_CONES(W) template class ConeEngine<W>;
#include "deep/cone_widths.hpp"

}  // namespace linear_regions
