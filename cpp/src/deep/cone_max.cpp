// SPDX-License-Identifier: MIT
// Max pooling and maxout on cones; the rules are those of split_max.cpp.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "deep/cone_engine.hpp"
#include "linear_regions/sign_vector.hpp"

namespace linear_regions {
template <int W>
bool ConeEngine<W>::entry_zero(const LayerCell& cell, std::int32_t a) const {
  const std::size_t n = tape_.slots()[tape_.split(cell.split).inputs[0]].size;
  const std::size_t lead = padded(n);
  for (std::size_t k = 0; k <= width_; ++k)
    if (cell.rows[k * lead + static_cast<std::size_t>(a)] != 0.0) return false;
  return true;
}

// Row of entry a minus entry b with the columns e and N; false where it says nothing.
template <int W>
bool ConeEngine<W>::pair_row(const LayerCell& cell, std::int32_t a, std::int32_t b,
                             double* row) const {
  const std::size_t n = tape_.slots()[tape_.split(cell.split).inputs[0]].size;
  const std::size_t lead = padded(n);
  const auto ia = static_cast<std::size_t>(a), ib = static_cast<std::size_t>(b);
  double sizes = 0.0, norm = 0.0;
  for (std::size_t k = 0; k < width_; ++k) {
    const double x = cell.rows[k * lead + ia], y = cell.rows[k * lead + ib];
    row[k] = x - y;
    sizes += std::fabs(x) + std::fabs(y);
    norm += std::fabs(row[k]);
  }
  const std::size_t e = width_ * lead;
  row[width_] = (cell.rows[e + ia] + cell.rows[e + ib] + 2 * kRoundoff * sizes) * 1.0001;
  row[width_ + 1] = norm * 1.0000001;
  return sizes < 1e300;
}

// Sign of entry a minus entry b (input indices) at a ray. Two kinds of ties follow from the wiring:
// the ray lies on this very pair, or on the borders of two units whose first pieces are zero.
template <int W>
int ConeEngine<W>::compare_at(const LayerCell& cell, std::int32_t a, std::int32_t b, Ray& ray,
                              const Mask<W>& mask, const Through& through) {
  const Op& op = tape_.split(cell.split);
  bool a_zero = entry_zero(cell, a), b_zero = entry_zero(cell, b);
  for (int w = 0; w < W; ++w)
    for (std::uint64_t rest = mask.w[w]; rest != 0; rest &= rest - 1) {
      const std::int32_t entry = through.table[64 * w + std::countr_zero(rest)];
      const Line& l = lines_[static_cast<std::size_t>(entry >> 1)].line;
      if (l.kind == Line::Kind::kPair && l.split == cell.split &&
          ((l.first == a && l.second == b) || (l.first == b && l.second == a)))
        return 0;
      if (!op.max.inputs_nonnegative || l.kind != Line::Kind::kCut) continue;
      const Op& activation = tape_.split(l.split);
      const Pointwise& p = activation.pointwise;
      if (activation.output != op.inputs[0] || p.breakpoint_of_cut[l.first] != 0) continue;
      a_zero = a_zero || p.unit_of_cut[l.first] == a;
      b_zero = b_zero || p.unit_of_cut[l.first] == b;
    }
  if (a_zero && b_zero) return 0;
  double* row = cut_row_.data();
  pair_row(cell, a, b, row);
  return sign_at({Line::Kind::kPair, cell.split, a, b}, row, ray, mask, through);
}

template <int W>
typename ConeEngine<W>::Sides ConeEngine<W>::compare(const LayerCell& cell, std::int32_t a,
                                                     std::int32_t b, const Node& node) {
  const Op& op = tape_.split(cell.split);
  if (op.max.inputs_nonnegative) {
    const bool a_zero = entry_zero(cell, a), b_zero = entry_zero(cell, b);
    if (a_zero || b_zero) return {!a_zero, !b_zero};  // an active unit is positive inside
  }
  Sides result;
  const Cone<W>& cone = node.cone;
  const Through through{node.table, node.n_bits, nullptr, 0, cone.anchor, cone.n_lines};
  for (std::int32_t j = 0; j < cone.n_lines; ++j)
    if (pair_line_sign(cell, a, b, node, j) != 0) return {true, true};
  for (std::int32_t i = 0; i < cone.n && !(result.more && result.less); ++i) {
    const int s = compare_at(cell, a, b, *cone.ray[i], cone.mask[i], through);
    result.more = result.more || s > 0;
    result.less = result.less || s < 0;
  }
  return result;
}

template <int W>
int ConeEngine<W>::pair_line_sign(const LayerCell& cell, std::int32_t a, std::int32_t b,
                                  const Node& node, std::int32_t j) {
  const Cone<W>& cone = node.cone;
  line_axes_.clear();
  for (std::int32_t i = 0; i < cone.n_lines; ++i)
    if (i != j) line_axes_.push_back(cone.anchor[i]);
  const Through through{node.table,        node.n_bits,
                        nullptr,           0,
                        line_axes_.data(), static_cast<std::int32_t>(line_axes_.size()),
                        cone.anchor[j]};
  return compare_at(cell, a, b, *cone.line[j], cone.used, through);
}

// The window's winner where one entry is nowhere smaller than all others: the lowest of those with
// its map. Else -1.
template <int W>
std::int32_t ConeEngine<W>::find_winner(const LayerCell& cell, std::int32_t window,
                                        const Node& node) {
  const Max& max = tape_.split(cell.split).max;
  const std::int32_t first = max.start[window], end = max.start[window + 1];
  std::int32_t best = first;
  // A champion hands over to an entry that is nowhere smaller. "Nowhere smaller" is transitive, so
  // an entry that lost to a champion has lost to all later ones.
  lost_.assign(static_cast<std::size_t>(end - first), 0);
  for (std::int32_t k = first + 1; k < end; ++k) {
    const auto c = compare(cell, max.entries[k], max.entries[best], node);
    if (c.more && !c.less) {
      lost_[static_cast<std::size_t>(best - first)] = 1;
      best = k;
    } else if (c.less && !c.more) {
      lost_[static_cast<std::size_t>(k - first)] = 1;
    }
  }
  std::int32_t name = best;
  for (std::int32_t k = first; k < end; ++k) {
    if (k == best || lost_[static_cast<std::size_t>(k - first)]) continue;
    const auto c = compare(cell, max.entries[k], max.entries[best], node);
    if (c.more) return -1;
    if (!c.less) name = std::min(name, k);
  }
  return name;
}

// Cuts the node's cone down to the part on which `entry` wins the window; false where it has no
// interior or another entry with the same map comes first.
template <int W>
bool ConeEngine<W>::clip_to_winner(const LayerCell& cell, std::int32_t window, std::int32_t entry,
                                   Node& node) {
  const Max& max = tape_.split(cell.split).max;
  const std::int32_t a = max.entries[entry];
  for (std::int32_t k = max.start[window]; k < max.start[window + 1]; ++k) {
    if (k == entry) continue;
    const std::int32_t b = max.entries[k];
    const auto c = compare(cell, a, b, node);
    if (!c.more && (c.less || k < entry)) return false;
    if (!c.more || !c.less) continue;
    pair_row(cell, a, b, row_.data());
    const std::int32_t line = push_line({Line::Kind::kPair, cell.split, a, b}, row_.data());
    const std::int32_t bit_of_pair = new_bit(node);
    node.table[bit_of_pair] = 2 * line;
    own_.push_back(2 * line);
    std::int32_t which = -1;
    int along = 0;
    for (std::int32_t j = 0; j < node.cone.n_lines && which < 0; ++j)
      if ((along = pair_line_sign(cell, a, b, node, j)) != 0) which = j;
    if (which >= 0) {
      split_lines(node, line, which, 0);
      node.cone = side_of_lines(node, true, bit_of_pair, which, along);
      continue;
    }
    const Cone<W>& cone = node.cone;
    const Through through{node.table, bit_of_pair, nullptr, 0, cone.anchor, cone.n_lines};
    sign_.resize(static_cast<std::size_t>(cone.n));
    for (std::int32_t i = 0; i < cone.n; ++i)
      sign_[static_cast<std::size_t>(i)] =
          static_cast<std::int8_t>(compare_at(cell, a, b, *cone.ray[i], cone.mask[i], through));
    sort_rays(sign_.data(), cone.n);
    cut_edges(node, line, 0);
    node.cone = side_of_cut(node, true, bit_of_pair);
  }
  return true;
}

template <int W>
bool ConeEngine<W>::enter_max(Node& node, LayerCell& cell) {
  const Op& op = tape_.split(cell.split);
  const std::size_t n_in = tape_.slots()[op.inputs[0]].size;
  const auto windows = static_cast<std::int32_t>(tape_.slots()[op.output].size);
  cell.winner = arena_.make<std::int32_t>(static_cast<std::size_t>(windows));
  cell.member = arena_.make<std::int32_t>(static_cast<std::size_t>(windows));
  opening_.clear();
  for (std::int32_t w = 0; w < windows; ++w) {
    const std::int32_t winner = find_winner(cell, w, node);
    cell.winner[w] = winner;
    if (winner < 0) {
      cell.member[cell.m++] = w;
      continue;
    }
    if (!maps_.row_at(cell.rows, n_in, op.max.entries[winner], opening_.add(w)))
      opening_.drop_last();
  }
  cell.words = (cell.m + 63) / 64;
  if (!last_split(cell.split)) {
    const int stage = cell.split + 1;
    cell.base = arena_.make<double>(maps_.block_size(stage));
    maps_.base(stage, opening_, blocks_, cell.base);
  }
  if (counting() && last_split(cell.split) && cell.m == 0) {
    ++regions_;
    return false;
  }
  node.block = cell.base;
  node.mixed = arena_.make<std::uint64_t>(static_cast<std::size_t>(cell.words));
  for (std::int32_t w = 0; w < cell.words; ++w)
    node.mixed[w] = first_bits(static_cast<std::size_t>(cell.m - 64 * w));
  node.choice = arena_.make<std::int32_t>(static_cast<std::size_t>(cell.m));
  std::fill(node.choice, node.choice + cell.m, -1);
  return true;
}

template <int W>
void ConeEngine<W>::expand_max(std::int32_t index) {
  const Node& parent = stack_[static_cast<std::size_t>(index)];
  const LayerCell& cell = *parent.cell;
  const Op& op = tape_.split(cell.split);
  const std::size_t n_in = tape_.slots()[op.inputs[0]].size;
  std::int32_t first = 0;
  while (!get_sign(parent.mixed, first)) ++first;
  const std::int32_t window = cell.member[first];
  decide(cell.split, window);
  for (std::int32_t k = op.max.start[window]; k < op.max.start[window + 1]; ++k) {
    Node child = child_of(index);
    child.child = static_cast<std::uint32_t>(k - op.max.start[window]);
    child.cone = parent.cone;
    child.table = parent.table;
    child.n_bits = parent.n_bits;
    own_.clear();
    if (!clip_to_winner(cell, window, k, child)) continue;
    // The facets of this child, to be entered again when its turn comes. A renumbering on the way
    // gave it a table of its own, which nobody else writes to below child.n_bits.
    if (child.table == parent.table) {
      child.own_first = parent.n_bits;
      child.n_own = child.n_bits - parent.n_bits;
      child.own = arena_.make<std::int32_t>(own_.size());
      std::copy(own_.begin(), own_.end(), child.own);
    } else {
      child.own_first = child.n_own = 0;
    }
    child.mixed = arena_.make<std::uint64_t>(static_cast<std::size_t>(cell.words));
    std::memcpy(child.mixed, parent.mixed,
                static_cast<std::size_t>(cell.words) * sizeof(std::uint64_t));
    child.choice = arena_.make<std::int32_t>(static_cast<std::size_t>(cell.m));
    std::memcpy(child.choice, parent.choice,
                static_cast<std::size_t>(cell.m) * sizeof(std::int32_t));
    std::int32_t left = 0;
    for (std::int32_t i = first; i < cell.m; ++i) {
      if (!get_sign(parent.mixed, i)) continue;
      const std::int32_t winner = i == first ? k : find_winner(cell, cell.member[i], child);
      if (winner < 0) {
        ++left;
        continue;
      }
      child.choice[i] = winner;
      child.mixed[i >> 6] &= ~(std::uint64_t{1} << (i & 63));
      if (last_split(cell.split)) continue;
      if (maps_.row_at(cell.rows, n_in, op.max.entries[winner], row_.data()))
        maps_.push(op.output, cell.member[i], row_.data(), own_block(child, parent.block));
    }
    if (counting() && last_split(cell.split) && left == 0)
      ++regions_;
    else
      children_.push_back(child);
  }
}

template <int W>
void ConeEngine<W>::leave_max(const Node& node, std::uint64_t* pattern) {
  const LayerCell& cell = *node.cell;
  const Op& op = tape_.split(cell.split);
  const auto windows = static_cast<std::int32_t>(tape_.slots()[op.output].size);
  auto* winner = arena_.make<std::int32_t>(static_cast<std::size_t>(windows));
  std::memcpy(winner, cell.winner, static_cast<std::size_t>(windows) * sizeof(std::int32_t));
  for (std::int32_t i = 0; i < cell.m; ++i) winner[cell.member[i]] = node.choice[i];
  path_.winner[static_cast<std::size_t>(cell.split)] = winner;
  if (pattern == nullptr) return;
  for (std::int32_t w = 0; w < windows; ++w) {
    const auto position = static_cast<std::uint64_t>(op.max.positions[winner[w]]);
    for (std::int32_t b = 0; b < op.max.bits; ++b)
      if ((position >> b) & 1) {
        const std::int32_t at = op.pattern_bit[w] + b;
        pattern[at >> 6] |= std::uint64_t{1} << (at & 63);
      }
  }
}

#define LINEAR_REGIONS_CONES(W) template class ConeEngine<W>;
#include "deep/cone_widths.hpp"

}  // namespace linear_regions
