// SPDX-License-Identifier: MIT
// Reducing the later splits on the polygon of a node to their live units (reduced.hpp).
//
// The affine parts are the rows that come out when live units contribute nothing. The columns are
// found by impulses: three outputs of live units at a time stand in the three columns of a map,
// each with a size R that bounds the norm of every row it can take below the node. The error bound
// e of such a map bounds the sum of the errors of the three coefficients times R, hence the error
// of whatever they add to a row.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "engine.hpp"
#include "relaxation.hpp"

namespace linear_regions {
namespace {

constexpr double kUp = 1.0000001;  // more than the rounding of a few operations
constexpr std::size_t kTogether = 3;
constexpr std::size_t kMostLive = 2048;  // 32 MB of columns

}  // namespace

// Settled splits are ReLUs or max windows, and what cuts the node is of the same kinds.
bool Engine::reducible(const Node& node) const {
  const LayerCell& cell = *node.cell;
  std::size_t sources = 0, live = 0, units = 0, passes = 1;
  for (std::int32_t w = 0; w < cell.words; ++w)
    sources += static_cast<std::size_t>(std::popcount(node.mixed[w]));
  const auto group = [](std::size_t n) { return (n + kTogether - 1) / kTogether; };
  passes += group(sources);
  for (int s = cell.split; s <= cell.last; ++s) {
    const Op& op = tape_.split(s);
    if (op.kind == OpKind::kPointwise && !op.pointwise.is_relu) return false;
    if (s == cell.split) continue;
    const std::size_t n = look_.live[static_cast<std::size_t>(s)].size();
    if (op.kind == OpKind::kMax && n > 0) return false;
    live += n;
    units += tape_.slots()[op.output].size;
    if (s < cell.last) passes += group(n);
  }
  if (sources + live > kMostLive) return false;
  if (root_.looking != PlanarRoot::Looking::kWherePaid)
    return root_.looking == PlanarRoot::Looking::kReduce;
  // Cells that k lines make of the polygon, if half of their pairs meet in it.
  const auto lines = static_cast<double>(sources + live);
  const double cells = 1 + lines + (root_.flat ? 0.0 : lines * lines / 4);
  return 2 * static_cast<double>(passes) <= cells && 3 * live <= units;
}

void Engine::reduce(Node& node) {
  const LayerCell& cell = *node.cell;
  const int first = cell.split, last = cell.last;
  auto* reduced = arena_.make<Reduced>(1);
  *reduced = {};
  reduced->first = first;
  reduced->last = last;
  reduced->splits = arena_.make<ReducedSplit>(static_cast<std::size_t>(last - first) + 1);
  list_live(node, *reduced);
  const std::size_t lead = reduced->lead;
  auto* map = arena_.make<double>(4 * lead);
  std::fill(map, map + 4 * lead, 0.0);
  // The affine parts.
  look_.blocks = blocks_;
  look_.blocks[static_cast<std::size_t>(first) + 1] = node.block;
  follow_settled(first + 1, last, false, [&](int s, const double* rows, std::size_t n) {
    const ReducedSplit& split = reduced->split(s);
    for (std::int32_t i = 0; i < split.count; ++i) {
      const Row4 row = row_at(rows, n, split.unit[i]);
      const std::size_t at = split.offset + static_cast<std::size_t>(i);
      for (std::size_t k = 0; k < 4; ++k) map[k * lead + at] = row.v[k];
      // It is a term of all sums that follow.
      map[3 * lead + at] = (row.v[3] + reduced->gamma * row.norm()) * kUp;
    }
  });
  std::vector<std::vector<double>>& sizes = look_.sizes;
  for (int s = first; s < last; ++s) {
    bound_sizes(node, *reduced, s, map);
    const auto count = static_cast<std::size_t>(reduced->split(s).count);
    for (const double size : sizes[static_cast<std::size_t>(s)])
      if (size != 0.0 && !(size > 0x1p-200 && size < 0x1p200)) return;  // left as it was
    for (std::size_t i = 0; i < count; i += kTogether) {
      control_.report(0, 0, caller_);  // a pass through a big network takes milliseconds
      if (control_.stopped()) throw Stopped{};
      impulses(*reduced, s, i, std::min(kTogether, count - i), map);
    }
  }
  // Cells below would never be sharpened.
  if (blunt(map, lead, lead, 3, kBluntForPolygons)) return;
  auto* own = arena_.make<LayerCell>(1);
  *own = cell;
  own->reduced = reduced;
  node.cell = own;
  node.block = map;
}

// The live units, their places in the combined map, and what is settled.
void Engine::list_live(const Node& node, Reduced& reduced) {
  const LayerCell& cell = *node.cell;
  std::size_t sources = 0;
  for (int s = cell.split; s <= cell.last; ++s) {
    auto& live = look_.live[static_cast<std::size_t>(s)];
    if (s == cell.split) {
      live.clear();
      for (std::int32_t w = 0; w < cell.words; ++w)
        for (std::uint64_t rest = node.mixed[w]; rest != 0; rest &= rest - 1)
          live.push_back(cell.member[64 * w + std::countr_zero(rest)]);
    }
    ReducedSplit split;
    split.count = static_cast<std::int32_t>(live.size());
    auto* unit = arena_.make<std::int32_t>(live.size());
    std::copy(live.begin(), live.end(), unit);
    split.unit = unit;
    sources += live.size();
    if (s > cell.split) {
      split.offset = reduced.lead;
      reduced.lead += padded(live.size());
      const auto at = static_cast<std::size_t>(s);
      if (tape_.split(s).kind == OpKind::kPointwise) {
        auto* on = arena_.make<std::uint64_t>(look_.on[at].size());
        std::copy(look_.on[at].begin(), look_.on[at].end(), on);
        split.on = on;
      } else {
        auto* winner = arena_.make<std::int32_t>(look_.winner[at].size());
        std::copy(look_.winner[at].begin(), look_.winner[at].end(), winner);
        split.winner = winner;
      }
    }
    reduced.splits[s - cell.split] = split;
  }
  for (int s = cell.split; s < cell.last; ++s) {
    ReducedSplit& split = reduced.splits[s - cell.split];
    const std::size_t size = static_cast<std::size_t>(split.count) * reduced.lead;
    split.column = arena_.make<double>(size);
    std::fill(split.column, split.column + size, 0.0);
  }
  reduced.gamma = 1.01 * kUlp * (static_cast<double>(sources) + 6);
}

// Goes from the map of split `from` to that of `last` by settled units alone; `see` gets the rows
// of every split on the way.
template <typename See>
void Engine::follow_settled(int from, int last, bool homogeneous, const See& see) {
  for (int s = from; s <= last; ++s) {
    const Op& op = tape_.split(s);
    const int slot = op.inputs[0];
    const bool known = look_.blocks[static_cast<std::size_t>(tape_.slots()[slot].stage)] != nullptr;
    const double* rows = known ? maps_.stored(slot, look_.blocks) : nullptr;
    const std::size_t n = tape_.slots()[slot].size;
    if (known) see(s, rows, n);
    if (s == last) return;
    look_.opening.clear();
    const auto open = [&](std::int32_t output, std::int32_t input) {
      const Row4 row = row_at(rows, n, input);
      if (!row.zero()) look_.opening.add(output, row);
    };
    if (known && op.kind == OpKind::kPointwise) {
      const auto& on = look_.on[static_cast<std::size_t>(s)];
      for (std::size_t w = 0; w < on.size(); ++w)
        for (std::uint64_t rest = on[w]; rest != 0; rest &= rest - 1) {
          const auto unit = static_cast<std::int32_t>(64 * w) + std::countr_zero(rest);
          open(unit, unit);
        }
    } else if (known) {
      const auto& winner = look_.winner[static_cast<std::size_t>(s)];
      for (std::size_t w = 0; w < winner.size(); ++w)
        open(static_cast<std::int32_t>(w), op.max.entries[static_cast<std::size_t>(winner[w])]);
    }
    maps_.base(s + 1, look_.opening, look_.blocks, look_block(s + 1), {false, homogeneous});
  }
}

// look_.sizes[s]: bounds of the norm of the true row of every live output of split s, below the
// node. Of later splits by the triangle inequality; their e holds the errors of the columns.
void Engine::bound_sizes(const Node& node, const Reduced& reduced, int s, const double* map) {
  const LayerCell& cell = *node.cell;
  const ReducedSplit& split = reduced.split(s);
  auto& sizes = look_.sizes[static_cast<std::size_t>(s)];
  sizes.assign(static_cast<std::size_t>(split.count), 0.0);
  const Op& op = tape_.split(s);
  const std::size_t n = tape_.slots()[op.inputs[0]].size, lead = reduced.lead;
  for (std::int32_t i = 0; i < split.count; ++i) {
    double size = 0;
    if (s > cell.split) {
      const std::size_t at = split.offset + static_cast<std::size_t>(i);
      for (std::size_t k = 0; k < 4; ++k) size += std::fabs(map[k * lead + at]);
      for (int t = cell.split; t < s; ++t) {
        const ReducedSplit& source = reduced.split(t);
        for (std::int32_t q = 0; q < source.count; ++q)
          size += std::fabs(source.column[static_cast<std::size_t>(q) * lead + at]) *
                  look_.sizes[static_cast<std::size_t>(t)][static_cast<std::size_t>(q)];
      }
    } else if (op.kind == OpKind::kPointwise) {
      const Row4 row = row_at(cell.rows, n, split.unit[i]);
      size = row.norm() + row.v[3];
    } else {
      const std::int32_t window = split.unit[i];
      for (std::int32_t k = op.max.start[window]; k < op.max.start[window + 1]; ++k) {
        const Row4 row = row_at(cell.rows, n, op.max.entries[k]);
        size = std::max(size, row.norm() + row.v[3]);
      }
    }
    sizes[static_cast<std::size_t>(i)] = size * 1.00001;
  }
}

// The columns of `count` live outputs of split s from number `begin` on; their errors go to the e
// of the combined map.
void Engine::impulses(const Reduced& reduced, int s, std::size_t begin, std::size_t count,
                      double* map) {
  const ReducedSplit& split = reduced.split(s);
  const auto& sizes = look_.sizes[static_cast<std::size_t>(s)];
  const std::size_t lead = reduced.lead;
  std::fill(look_.blocks.begin(), look_.blocks.end(), nullptr);
  const auto row_of = [&](std::size_t k) {
    Row4 row{};
    row.v[k] = sizes[begin + k];
    return row;
  };
  double* block = look_block(s + 1);
  const int slot = tape_.split(s).output;
  if (s == reduced.first) {
    std::fill_n(block, tape_.stages()[static_cast<std::size_t>(s) + 1].block, 0.0);
    for (std::size_t k = 0; k < count; ++k)
      maps_.push(slot, split.unit[begin + k], row_of(k), block);
  } else {
    look_.opening.clear();
    for (std::size_t k = 0; k < count; ++k)
      if (const Row4 row = row_of(k); !row.zero()) look_.opening.add(split.unit[begin + k], row);
    maps_.base(s + 1, look_.opening, look_.blocks, block, {false, true});
  }
  follow_settled(s + 1, reduced.last, true, [&](int t, const double* rows, std::size_t n) {
    const ReducedSplit& target = reduced.split(t);
    for (std::int32_t i = 0; i < target.count; ++i) {
      const Row4 row = row_at(rows, n, target.unit[i]);
      const std::size_t at = target.offset + static_cast<std::size_t>(i);
      for (std::size_t k = 0; k < count; ++k)
        if (sizes[begin + k] != 0.0)
          split.column[(begin + k) * lead + at] = row.v[k] / sizes[begin + k];
      // The quotients round, too.
      if (!row.zero())
        map[3 * lead + at] =
            (map[3 * lead + at] + row.v[3] + 4 * kUlp * row.norm()) * kUp + 0x1p-600;
    }
  });
}

}  // namespace linear_regions
