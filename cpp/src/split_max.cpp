// SPDX-License-Identifier: MIT
// Max pooling and maxout. A window splits its cell by winner: for every entry the part on which it
// is at least as large as all others. Entries with the same map on the cell are one piece, named
// by the lowest of them.
//
// Ties that follow from the structure are recognised before arithmetic is asked: a zero row under
// entries that cannot be negative (pooling after ReLU), and a difference at a vertex whose defining
// lines already say that both entries are equal there.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "engine.hpp"

namespace linear_regions {
namespace {

bool bit(const std::uint64_t* words, std::int32_t i) {
  return (words[i >> 6] >> (i & 63)) & 1;
}

}  // namespace

// Sign of entry a minus entry b (input indices) at a vertex.
int Engine::compare_at(const LayerCell& cell, std::int32_t a, std::int32_t b,
                       const Vertex& vertex) {
  const Op& op = tape_.split(cell.split);
  const std::size_t n = tape_.slots()[op.inputs[0]].size;
  const Row4 ra = row_at(cell.rows, n, a), rb = row_at(cell.rows, n, b);
  const Line* ends[2] = {&lines_[static_cast<std::size_t>(vertex.a)].line,
                         &lines_[static_cast<std::size_t>(vertex.b)].line};
  bool a_zero = ra.zero(), b_zero = rb.zero();
  for (const Line* l : ends) {
    if (l->kind == Line::Kind::kPair && l->split == cell.split &&
        ((l->first == a && l->second == b) || (l->first == b && l->second == a)))
      return 0;
    if (op.max.inputs_nonnegative && l->kind == Line::Kind::kCut) {
      // The boundary of a unit whose first piece is zero: the unit itself is zero there.
      const Op& activation = tape_.split(l->split);
      const Pointwise& p = activation.pointwise;
      if (activation.output == op.inputs[0] && p.breakpoint_of_cut[l->first] == 0) {
        a_zero = a_zero || p.unit_of_cut[l->first] == a;
        b_zero = b_zero || p.unit_of_cut[l->first] == b;
      }
    }
  }
  if (a_zero && b_zero) return 0;
  const double x = ra.v[0] - rb.v[0], y = ra.v[1] - rb.v[1], c = ra.v[2] - rb.v[2];
  const double sizes = ra.norm() + rb.norm();
  const double error = ra.v[3] + rb.v[3] + 2 * kUlp * sizes, magnitude = vertex.magnitude();
  const double norm = std::fabs(x) + std::fabs(y) + std::fabs(c);
  const double value = x * vertex.x + y * vertex.y + c * vertex.w;
  const double bound = error * magnitude + norm * vertex.slack();
  const bool usable = (sizes + error) * magnitude < kLargest;
  if (usable && value > bound) return 1;
  if (usable && value < -bound) return -1;
  return exact_sign({Line::Kind::kPair, cell.split, a, b}, vertex);
}

// Where is entry a larger or smaller than entry b? One difference and one bound serve all vertices;
// only what they leave open is looked at vertex by vertex.
Engine::Comparison Engine::compare(const LayerCell& cell, std::int32_t a, std::int32_t b,
                                   const Extent& extent) {
  const Op& op = tape_.split(cell.split);
  const std::size_t n = tape_.slots()[op.inputs[0]].size;
  const Row4 ra = row_at(cell.rows, n, a), rb = row_at(cell.rows, n, b);
  if (op.max.inputs_nonnegative) {
    const bool a_zero = ra.zero(), b_zero = rb.zero();
    if (a_zero || b_zero) return {!a_zero, !b_zero};  // an active unit is positive inside
  }
  const double x = ra.v[0] - rb.v[0], y = ra.v[1] - rb.v[1], c = ra.v[2] - rb.v[2];
  const double sizes = ra.norm() + rb.norm();
  const double norm = std::fabs(x) + std::fabs(y) + std::fabs(c);
  const double error = ra.v[3] + rb.v[3] + 2 * kUlp * sizes;
  const double bound = error * extent.magnitude + norm * extent.slack;
  const bool usable = (sizes + error) * extent.magnitude < kLargest;
  Comparison result;
  const Polygon& polygon = extent.polygon;
  for (std::int32_t v = 0; v < polygon.n; ++v) {
    const Vertex& vertex = polygon.vertices[v];
    const double value = x * vertex.x + y * vertex.y + c * vertex.w;
    if (usable && value > bound)
      result.more = true;
    else if (usable && value < -bound)
      result.less = true;
    else if (const int sign = compare_at(cell, a, b, vertex); sign != 0)
      (sign > 0 ? result.more : result.less) = true;
    if (result.more && result.less) break;
  }
  return result;
}

// The entry that wins the window on the whole polygon, or -1.
std::int32_t Engine::find_winner(const LayerCell& cell, std::int32_t window, const Extent& extent) {
  const Max& max = tape_.split(cell.split).max;
  const std::int32_t first = max.start[window], end = max.start[window + 1];
  std::int32_t best = first;
  // A champion hands over to an entry that is nowhere smaller. "Nowhere smaller" is transitive, so
  // an entry that lost to a champion has lost to all later ones.
  lost_.assign(static_cast<std::size_t>(end - first), 0);
  for (std::int32_t k = first + 1; k < end; ++k) {
    const auto c = compare(cell, max.entries[k], max.entries[best], extent);
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
    const auto c = compare(cell, max.entries[k], max.entries[best], extent);
    if (c.more) return -1;
    if (!c.less) name = std::min(name, k);
  }
  return name;
}

// Cuts the polygon down to the part on which `entry` wins the window; false where it has no
// interior or another entry with the same map comes first.
bool Engine::clip_to_winner(const LayerCell& cell, std::int32_t window, std::int32_t entry,
                            Polygon& polygon) {
  const Op& op = tape_.split(cell.split);
  const Max& max = op.max;
  const std::size_t n = tape_.slots()[op.inputs[0]].size;
  const std::int32_t a = max.entries[entry];
  for (std::int32_t k = max.start[window]; k < max.start[window + 1]; ++k) {
    if (k == entry) continue;
    const std::int32_t b = max.entries[k];
    const auto c = compare(cell, a, b, Extent(polygon));
    if (!c.more && (c.less || k < entry)) return false;
    if (!c.more || !c.less) continue;
    vertex_sign_.resize(static_cast<std::size_t>(polygon.n));
    for (std::int32_t v = 0; v < polygon.n; ++v)
      vertex_sign_[static_cast<std::size_t>(v)] =
          static_cast<std::int8_t>(compare_at(cell, a, b, polygon.vertices[v]));
    const Row4 ra = row_at(cell.rows, n, a), rb = row_at(cell.rows, n, b);
    lines_.push_back({{Line::Kind::kPair, cell.split, a, b},
                      ra.v[0] - rb.v[0],
                      ra.v[1] - rb.v[1],
                      ra.v[2] - rb.v[2],
                      ra.v[3] + rb.v[3] + 2 * kUlp * (ra.norm() + rb.norm()),
                      false});
    const Chord chord = find_chord(polygon, vertex_sign_.data(),
                                   static_cast<std::int32_t>(lines_.size()) - 1, lines_);
    source_.resize(static_cast<std::size_t>(chord.positives(polygon.n)) + 2);
    polygon = cut_side(polygon, chord, true, arena_, source_.data());
  }
  return true;
}

bool Engine::enter_max(Node& node, LayerCell& cell) {
  const Op& op = tape_.split(cell.split);
  const std::size_t n_in = tape_.slots()[op.inputs[0]].size;
  const auto windows = static_cast<std::int32_t>(tape_.slots()[op.output].size);
  cell.winner = arena_.make<std::int32_t>(static_cast<std::size_t>(windows));
  cell.member = arena_.make<std::int32_t>(static_cast<std::size_t>(windows));
  opening_.clear();
  const Extent extent(node.polygon);
  for (std::int32_t w = 0; w < windows; ++w) {
    const std::int32_t winner = find_winner(cell, w, extent);
    cell.winner[w] = winner;
    if (winner < 0) {
      cell.member[cell.m++] = w;
      continue;
    }
    const Row4 row = row_at(cell.rows, n_in, op.max.entries[winner]);
    if (!row.zero()) opening_.add(w, row);
  }
  cell.words = (cell.m + 63) / 64;
  if (!last(cell)) {
    const int stage = cell.split + 1;
    cell.base = arena_.make<double>(tape_.stages()[static_cast<std::size_t>(stage)].block);
    maps_.base(stage, opening_, blocks_, cell.base);
  }
  if (counting() && last(cell) && cell.m == 0) {
    ++regions_;
    return false;
  }
  node.block = cell.base;
  node.mixed = arena_.make<std::uint64_t>(static_cast<std::size_t>(cell.words));
  for (std::int32_t w = 0; w < cell.words; ++w)
    node.mixed[w] =
        cell.m - 64 * w >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << (cell.m - 64 * w)) - 1;
  node.choice = arena_.make<std::int32_t>(static_cast<std::size_t>(cell.m));
  std::fill(node.choice, node.choice + cell.m, -1);
  node.cell = &cell;
  if (cell.m > 0 && worth_looking(node)) look_ahead(node);
  return true;
}

void Engine::expand_max(std::int32_t index) {
  const Node& parent = stack_[static_cast<std::size_t>(index)];
  const LayerCell& cell = *parent.cell;
  const Op& op = tape_.split(cell.split);
  const std::size_t n_in = tape_.slots()[op.inputs[0]].size;
  std::int32_t first = 0;
  while (!bit(parent.mixed, first)) ++first;
  const std::int32_t window = cell.member[first];
  decide(cell.split, window);
  for (std::int32_t k = op.max.start[window]; k < op.max.start[window + 1]; ++k) {
    Node child = child_of(index);
    child.child = static_cast<std::uint32_t>(k - op.max.start[window]);
    child.polygon = parent.polygon;
    if (!clip_to_winner(cell, window, k, child.polygon)) continue;
    child.mixed = arena_.make<std::uint64_t>(static_cast<std::size_t>(cell.words));
    std::memcpy(child.mixed, parent.mixed,
                static_cast<std::size_t>(cell.words) * sizeof(std::uint64_t));
    child.choice = arena_.make<std::int32_t>(static_cast<std::size_t>(cell.m));
    std::memcpy(child.choice, parent.choice,
                static_cast<std::size_t>(cell.m) * sizeof(std::int32_t));
    const Extent extent(child.polygon);
    std::int32_t left = 0;
    for (std::int32_t i = first; i < cell.m; ++i) {
      if (!bit(parent.mixed, i)) continue;
      const std::int32_t winner = i == first ? k : find_winner(cell, cell.member[i], extent);
      if (winner < 0) {
        ++left;
        continue;
      }
      child.choice[i] = winner;
      child.mixed[i >> 6] &= ~(std::uint64_t{1} << (i & 63));
      if (last(cell)) continue;
      const Row4 row = row_at(cell.rows, n_in, op.max.entries[winner]);
      if (!row.zero()) add_fixed(child, parent.block, cell.member[i], row);
    }
    if (left > 0 && worth_looking(child)) look_ahead(child);
    if (counting() && last(*child.cell) && left == 0)
      ++regions_;
    else
      children_.push_back(child);
  }
}

void Engine::leave_max(const Node& node, std::uint64_t* pattern) {
  const LayerCell& cell = *node.cell;
  const Op& op = tape_.split(cell.split);
  const auto windows = static_cast<std::int32_t>(tape_.slots()[op.output].size);
  auto* winner = arena_.make<std::int32_t>(static_cast<std::size_t>(windows));
  std::memcpy(winner, cell.winner, static_cast<std::size_t>(windows) * sizeof(std::int32_t));
  for (std::int32_t i = 0; i < cell.m; ++i) winner[cell.member[i]] = node.choice[i];
  path_.winner[static_cast<std::size_t>(cell.split)] = winner;
  if (pattern != nullptr) write_winners(op, winner, pattern);
}

void Engine::write_winners(const Op& op, const std::int32_t* winner, std::uint64_t* pattern) {
  const auto windows = static_cast<std::int32_t>(op.max.start.size()) - 1;
  for (std::int32_t w = 0; w < windows; ++w) {
    const auto position = static_cast<std::uint64_t>(op.max.positions[winner[w]]);
    for (std::int32_t b = 0; b < op.max.bits; ++b)
      if ((position >> b) & 1) {
        const std::int32_t at = op.pattern_bit[w] + b;
        pattern[at >> 6] |= std::uint64_t{1} << (at & 63);
      }
  }
}

}  // namespace linear_regions
