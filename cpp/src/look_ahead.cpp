// SPDX-License-Identifier: MIT
// Looking ahead: what do the later splits do on a polygon that this layer still cuts?
//
// The units that still cut go on as relaxations (relaxation.hpp), and so through all later stages.
// A later unit whose sign comes out certain has it on the whole polygon, in every cell below the
// node. Where that holds for all units of the last splits, the sub-tree ends before them: its
// cells neither need their rows nor are entered by them. One look costs about as much as one cell
// that goes through all stages, and spares that to all cells of the sub-tree.
//
// A look decides nothing that is not certain, so it never asks for exact arithmetic: what it cannot
// settle is left to the cells below.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine.hpp"
#include "linear_regions/sign_vector.hpp"
#include "relaxation.hpp"

namespace linear_regions {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Longest sides of the box around a polygon; infinite if it is unbounded. The number of lines of
// later splits that meet a small cell grows in proportion.
double extent_of(const Polygon& polygon, bool flat) {
  double low[2] = {kInfinity, kInfinity}, high[2] = {-kInfinity, -kInfinity};
  for (std::int32_t i = 0; i < polygon.n; ++i) {
    const Vertex& v = polygon.vertices[i];
    if (v.w == 0) return kInfinity;
    low[0] = std::min(low[0], v.x);
    high[0] = std::max(high[0], v.x);
    low[1] = std::min(low[1], v.y);
    high[1] = std::max(high[1], v.y);
  }
  return high[0] - low[0] + (flat ? 0.0 : high[1] - low[1]);
}

}  // namespace

// Worth it where the number of open units, taken to shrink with the extent, is about to vanish;
// and, to learn that number, whenever the extent has shrunk to a quarter.
bool Engine::worth_looking(const Node& node) const {
  const LayerCell& cell = *node.cell;
  using Looking = PlanarRoot::Looking;
  if (last(cell) || cell.reduced != nullptr || !root_.tame || root_.looking == Looking::kNever)
    return false;
  const bool always = root_.looking != Looking::kWherePaid;
  if (!always && root_.later[static_cast<std::size_t>(cell.split)] < kCheap) return false;
  const double extent = extent_of(node.polygon, root_.flat);
  if (!(extent < kInfinity)) return false;
  if (always || !(cell.seen < kInfinity)) return true;
  const double expected = cell.open * extent / cell.seen;
  return expected <= kFewOpen || extent <= kShrunk * cell.seen;
}

void Engine::look_ahead(Node& node) {
  const LayerCell& before = *node.cell;
  auto* cell = arena_.make<LayerCell>(1);
  *cell = before;
  node.cell = cell;
  cell->seen = extent_of(node.polygon, root_.flat);
  cell->open = kManyOpen;
  const Extent extent(node.polygon);
  const int next = before.split + 1;
  look_.blocks = blocks_;
  double* map = look_block(next);
  std::memcpy(map, node.block, look_.map[static_cast<std::size_t>(next)].size() * sizeof(double));
  if (!push_relaxed(node, extent, map)) return;
  int last = before.split;
  std::int32_t left = 0;
  for (int split = next;; ++split) {
    const std::int32_t open = survey(split, extent, split < before.last);
    if (open < 0) return;
    if (open > 0) {
      last = split;
      left = open;
    }
    if (split == before.last) break;
    maps_.base(split + 1, look_.opening, look_.blocks, look_block(split + 1), {true, false});
  }
  cell->open = left;
  if (last < before.last && !counting()) cell->settled = settle(before, last);
  cell->last = last;
  if (last > before.split && reducible(node)) reduce(node);
}

double* Engine::look_block(int stage) {
  auto& map = look_.map[static_cast<std::size_t>(stage)];
  map.resize(tape_.stages()[static_cast<std::size_t>(stage)].block);
  return look_.blocks[static_cast<std::size_t>(stage)] = map.data();
}

// Adds relaxations of what still cuts the node to the map of the next stage.
bool Engine::push_relaxed(const Node& node, const Extent& extent, double* block) {
  const LayerCell& cell = *node.cell;
  const Op& op = tape_.split(cell.split);
  const std::size_t n = tape_.slots()[op.inputs[0]].size;
  std::int32_t before = -1;
  for (std::int32_t w = 0; w < cell.words; ++w)
    for (std::uint64_t rest = node.mixed[w]; rest != 0; rest &= rest - 1) {
      const std::int32_t member = cell.member[64 * w + std::countr_zero(rest)];
      Row4 out{};
      std::int32_t unit = member;
      if (op.kind == OpKind::kPointwise) {
        const Pointwise& p = op.pointwise;
        unit = p.unit_of_cut[static_cast<std::size_t>(member)];
        if (unit == before) continue;  // cuts of one unit are neighbours
        before = unit;
        const Row4 row = row_at(cell.rows, n, unit);
        const auto& table = p.tables[static_cast<std::size_t>(p.table_of[unit])];
        if (!relax(row, table, span_of(row, extent), out)) return false;
      } else if (!relax_window(op.max, cell.rows, n, member, extent, out).possible) {
        return false;
      }
      maps_.push(op.output, unit, out, block);
    }
  return true;
}

// Fills look_.opening with the rows of the split's outputs, look_.on or look_.winner with what is
// settled; returns the number of units or windows that are not. -1: there is no hope, because
// numbers are too large or too much is open.
std::int32_t Engine::survey(int split, const Extent& extent, bool rows) {
  look_.opening.clear();
  look_.live[static_cast<std::size_t>(split)].clear();
  return tape_.split(split).kind == OpKind::kPointwise ? survey_pointwise(split, extent, rows)
                                                       : survey_max(split, extent);
}

std::int32_t Engine::survey_pointwise(int split, const Extent& extent, bool needed) {
  const Op& op = tape_.split(split);
  const Pointwise& p = op.pointwise;
  const std::size_t n = tape_.slots()[op.output].size, cuts = p.unit_of_cut.size();
  const double* rows = maps_.stored(op.inputs[0], look_.blocks);
  auto& on = look_.on[static_cast<std::size_t>(split)];
  on.assign((padded(cuts) + 63) / 64, 0);
  auto& live = look_.live[static_cast<std::size_t>(split)];
  std::int32_t open = 0;
  if (p.one_cut_at_zero) {
    const std::size_t words = on.size();
    masks_.resize(4 * words);
    std::uint64_t *sp = masks_.data(), *sn = sp + words, *ap = sn + words, *an = ap + words;
    probes_.clear();
    for (std::int32_t v = 0; v < extent.polygon.n; ++v)
      probes_.push_back(extent.polygon.vertices[v].probe());
    kernels_.classify(rows_of(rows, n), padded(n), probes_.data(), probes_.size(), extent.magnitude,
                      extent.slack, sp, sn, ap, an);
    for (std::size_t w = 0; w < words; ++w) {
      const std::uint64_t valid = first_bits(n - 64 * w);
      on[w] = ap[w] & valid;
      sp[w] = valid;
      sn[w] = valid & ~(ap[w] | an[w]);
      open += std::popcount(sn[w]);
      for (std::uint64_t rest = sn[w]; rest != 0; rest &= rest - 1)
        live.push_back(static_cast<std::int32_t>(64 * w) + std::countr_zero(rest));
    }
    if (!needed) return open;
    if (hopeless(static_cast<std::size_t>(open), n) &&
        root_.looking == PlanarRoot::Looking::kWherePaid)
      return -1;
    for (std::size_t w = 0; w < words; ++w) {
      const std::uint64_t valid = sp[w], unsettled = sn[w];
      for (std::uint64_t rest = p.is_relu ? on[w] | unsettled : valid; rest != 0;
           rest &= rest - 1) {
        const auto unit = static_cast<std::int32_t>(64 * w) + std::countr_zero(rest);
        const auto& table = p.tables[static_cast<std::size_t>(p.table_of[unit])];
        const std::uint64_t bit = rest & (~rest + 1);
        Row4 row = row_at(rows, n, unit);
        if ((unsettled & bit) == 0)
          row = piece_row(row, table, (on[w] & bit) != 0);
        else if (!relax(row, table, span_of(row, extent), row))
          return -1;
        if (!row.zero()) look_.opening.add(unit, row);
      }
    }
    return open;
  }
  for (std::size_t j = 0; j < n; ++j) {
    const auto unit = static_cast<std::int32_t>(j);
    const auto& table = p.tables[static_cast<std::size_t>(p.table_of[j])];
    Row4 row = row_at(rows, n, unit);
    const Span span = span_of(row, extent);
    bool settled = true;
    std::size_t piece = 0;
    for (std::int32_t q = p.cut_start[j]; q < p.cut_start[j + 1]; ++q) {
      const double at = table.breakpoints[static_cast<std::size_t>(p.breakpoint_of_cut[q])];
      if (span.low > at) {
        on[static_cast<std::size_t>(q) >> 6] |= std::uint64_t{1} << (q & 63);
        ++piece;
      } else if (!(span.high < at || row.zero())) {  // a value equal to it is not above it
        settled = false;
      }
    }
    if (!settled) {
      ++open;
      live.push_back(unit);
    }
    if (settled)
      row = piece_row(row, table, piece);
    else if (!relax(row, table, span, row))
      return -1;
    if (!row.zero()) look_.opening.add(unit, row);
  }
  return open;
}

std::int32_t Engine::survey_max(int split, const Extent& extent) {
  const Op& op = tape_.split(split);
  const std::size_t n = tape_.slots()[op.inputs[0]].size;
  const double* rows = maps_.stored(op.inputs[0], look_.blocks);
  const auto windows = static_cast<std::int32_t>(tape_.slots()[op.output].size);
  auto& winner = look_.winner[static_cast<std::size_t>(split)];
  winner.assign(static_cast<std::size_t>(windows), -1);
  std::int32_t open = 0;
  for (std::int32_t w = 0; w < windows; ++w) {
    Row4 row;
    const WindowBound bound = relax_window(op.max, rows, n, w, extent, row);
    if (!bound.possible) return -1;
    winner[static_cast<std::size_t>(w)] = bound.winner;
    if (bound.winner < 0) {
      ++open;
      look_.live[static_cast<std::size_t>(split)].push_back(w);
    }
    if (!row.zero()) look_.opening.add(w, row);
  }
  return open;
}

// Pattern bits of the splits after `last`, which the look just settled or an earlier one had.
const std::uint64_t* Engine::settle(const LayerCell& cell, int last) {
  const std::size_t words = tape_.pattern_words();
  auto* pattern = arena_.make<std::uint64_t>(words);
  if (cell.settled != nullptr)
    std::copy_n(cell.settled, words, pattern);
  else
    std::fill_n(pattern, words, std::uint64_t{0});
  for (int split = last + 1; split <= cell.last; ++split) {
    const Op& op = tape_.split(split);
    if (op.kind == OpKind::kPointwise)
      write_cuts(op, look_.on[static_cast<std::size_t>(split)].data(), pattern);
    else
      write_winners(op, look_.winner[static_cast<std::size_t>(split)].data(), pattern);
  }
  return pattern;
}

}  // namespace linear_regions
