// SPDX-License-Identifier: MIT
// Looks at the values of a forward pass for signs that rounding may have turned.
//
// Every point has its own bounds (error_bounds.hpp), lane by lane. Exact zeros behind a function
// that is zero on its first piece and positive after it (ReLU) are no doubt in a window while the
// point has none: they are zeros, and all other entries are proved to be positive.
//
// Cost: one comparison for each value of each slot.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "forward/error_bounds.hpp"
#include "linear_regions/forward.hpp"

namespace linear_regions {

class DoubtScan {
 public:
  DoubtScan(const Tape& tape, const ErrorBounds& bounds, Doubts& doubts)
      : tape_(tape), bounds_(bounds), doubts_(doubts) {}

  // A new tile, whose first point is number `first`.
  template <typename Tile>
  void start(Tile& tile, std::size_t first) {
    first_ = first;
    lanes_ = Tile::kLanes;
    groups_ = tile.used();
    const std::size_t all = tape_.slots().size() * groups_ * lanes_;
    error_.assign(all, 0.0);
    largest_.assign(all, 0.0);
    scale_.assign(all, 0.0);
    doubted_.assign(groups_ * lanes_, 0);
    measure(tile, 0);
  }

  // The bounds of what operation i has computed.
  template <typename Tile>
  void bound(Tile& tile, std::size_t i) {
    const Op& op = tape_.ops()[i];
    const ErrorBounds::Factors& f = bounds_.of(i);
    for (std::size_t g = 0; g < groups_; ++g)
      for (std::size_t s = 0; s < lanes_; ++s) {
        double before = 0.0, size = f.bias;
        for (std::size_t k = 0; k < op.inputs.size(); ++k) {
          before += f.norm[k] * error_[at(op.inputs[k], g) + s];
          size += f.norm[k] * largest_[at(op.inputs[k], g) + s];
        }
        error_[at(op.output, g) + s] = bounds_.usable()
                                           ? 1.000001 * (before + f.gamma * size) + f.added
                                           : std::numeric_limits<double>::infinity();
        largest_[at(op.output, g) + s] = scale_[at(op.output, g) + s] = size;
      }
    if (!op.is_split()) measure(tile, op.output);
  }

  // Operation i, a split, is about to be computed.
  template <typename Tile>
  void split(Tile& tile, std::size_t i) {
    const Op& op = tape_.ops()[i];
    earlier_ = doubted_;
    for (std::size_t g = 0; g < groups_; ++g) {
      live_ = std::min(lanes_, tile.live() - g * lanes_);
      const double* error = error_.data() + at(op.inputs[0], g);
      const double* scale = scale_.data() + at(op.inputs[0], g);
      for (std::size_t s = 0; s < live_; ++s)
        if (scale[s] > 0.0) doubts_.loosest = std::max(doubts_.loosest, error[s] / scale[s]);
      if (op.kind == OpKind::kPointwise)
        cuts<Tile::kLanes>(tile.kernels(), op, g, tile.slot(op.inputs[0], g), error);
      else
        windows<Tile::kLanes>(tile.kernels(), op, g, tile.slot(op.inputs[0], g), error);
    }
  }

 private:
  std::size_t at(int slot, std::size_t group) const {
    return (static_cast<std::size_t>(slot) * groups_ + group) * lanes_;
  }

  template <typename Tile>
  void measure(Tile& tile, int slot) {
    double nearest[Tile::kLanes];
    for (std::size_t g = 0; g < groups_; ++g)
      tile.kernels().reach(tile.slot(slot, g), tile.size(slot), 0.0, largest_.data() + at(slot, g),
                           nearest);
  }

  // Runs of units with one function, as in the pass itself.
  template <std::size_t kLanes, typename Kernels>
  void cuts(const Kernels& kernels, const Op& op, std::size_t group, const double* value,
            const double* error) {
    const Pointwise& p = op.pointwise;
    double nearest[kLanes], least[kLanes], largest[kLanes];
    std::fill_n(least, kLanes, std::numeric_limits<double>::infinity());
    for (std::size_t i = 0; i < p.table_of.size();) {
      std::size_t stop = p.tables.size() == 1 ? p.table_of.size() : i + 1;
      while (stop < p.table_of.size() && p.table_of[stop] == p.table_of[i]) ++stop;
      for (const double at : p.tables[static_cast<std::size_t>(p.table_of[i])].breakpoints) {
        kernels.reach(value + i * kLanes, stop - i, at, largest, nearest);
        for (std::size_t s = 0; s < kLanes; ++s) least[s] = std::min(least[s], nearest[s]);
      }
      i = stop;
    }
    bool any = false;
    for (std::size_t s = 0; s < live_; ++s) any = any || !(least[s] > error[s]);
    if (!any) return;
    each_cut(p, [&](std::size_t cut, std::size_t unit, double breakpoint) {
      for (std::size_t s = 0; s < live_; ++s)
        if (!(std::fabs(value[unit * kLanes + s] - breakpoint) > error[s]))
          note(group, s, op.pattern_bit[cut], -1);
    });
  }

  template <typename F>
  static void each_cut(const Pointwise& p, F f) {
    for (std::size_t i = 0; i < p.table_of.size(); ++i) {
      const PieceTable& table = p.tables[static_cast<std::size_t>(p.table_of[i])];
      const auto first = static_cast<std::size_t>(p.cut_start[i]);
      for (std::size_t b = 0; b < table.breakpoints.size(); ++b)
        f(first + b, i, table.breakpoints[b]);
    }
  }

  template <std::size_t kLanes, typename Kernels>
  void windows(const Kernels& kernels, const Op& op, std::size_t group, const double* value,
               const double* error) {
    const Max& m = op.max;
    double top[kLanes], next[kLanes];
    for (std::size_t w = 0; w + 1 < m.start.size(); ++w) {
      const auto begin = static_cast<std::size_t>(m.start[w]);
      const auto end = static_cast<std::size_t>(m.start[w + 1]);
      if (end - begin < 2) continue;
      kernels.two_largest(value, m.entries.data() + begin, end - begin, top, next);
      for (std::size_t s = 0; s < live_; ++s) {
        const double reach = 2.000001 * error[s];
        if (top[s] - next[s] > reach) continue;
        if (m.inputs_nonnegative && next[s] == 0.0 && !earlier_[group * kLanes + s]) continue;
        for (std::size_t k = begin; k < end; ++k)
          if (!(top[s] - value[static_cast<std::size_t>(m.entries[k]) * kLanes + s] > reach))
            note(group, s, op.pattern_bit[w], m.positions[k]);
      }
    }
  }

  void note(std::size_t group, std::size_t lane, std::int32_t bit, std::int32_t place) {
    doubted_[group * lanes_ + lane] = 1;
    doubts_.list.push_back({static_cast<std::int32_t>(first_ + group * lanes_ + lane), bit, place});
  }

  const Tape& tape_;
  const ErrorBounds& bounds_;
  Doubts& doubts_;
  std::size_t first_ = 0, lanes_ = 0, groups_ = 0, live_ = 0;
  // [slot][group][lane]; the scale is what sums without cancelling could reach.
  std::vector<double> error_, largest_, scale_;
  // [group][lane]: whether the point has a doubt, so far and before the split under way.
  std::vector<std::uint8_t> doubted_, earlier_;
};

}  // namespace linear_regions
