// SPDX-License-Identifier: MIT
// Reduced: what a look ahead leaves of the later splits on the polygon of a node.
//
// Where all other units are settled, everything between the units that still cut (*live*) is
// linear: each is an affine function plus weights times the outputs of the live units before it.
// The rows of all live units of all later splits lie in one combined map; an output that becomes
// fixed adds its row times one *column* of weights, whatever convolutions lie between. Cells below
// the node keep this map in place of the maps of stages, and skip splits without live units.
//
// Error. The combined map begins with the bounds of its affine parts and of its columns: the latter
// are bounded together with the largest row that can enter by them (look_ahead.cpp, reduce.cpp), so
// that rows from the map have coefficients as certain as all others.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace linear_regions {

struct ReducedSplit {
  std::int32_t count = 0;                // live units (of the node's own split: what cuts the node)
  std::size_t offset = 0;                // where their rows begin in the combined map
  const std::int32_t* unit = nullptr;    // ascending
  double* column = nullptr;              // count columns of `lead` weights
  const std::uint64_t* on = nullptr;     // pointwise: settled cuts that are on
  const std::int32_t* winner = nullptr;  // max: entry of every window

  std::int32_t position(std::int32_t live) const {
    return static_cast<std::int32_t>(std::lower_bound(unit, unit + count, live) - unit);
  }
};

struct Reduced {
  int first = 0, last = 0;  // the split of the node, the last one
  std::size_t lead = 0;     // rows of the combined map, padded
  double gamma = 0;         // rounding of the sums of rows times columns
  ReducedSplit* splits = nullptr;

  const ReducedSplit& split(int s) const { return splits[s - first]; }
};

}  // namespace linear_regions
