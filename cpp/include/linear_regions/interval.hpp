// SPDX-License-Identifier: MIT
// Interval bounds of all values of a tape on a box, rounded outwards.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "linear_regions/tape.hpp"

namespace linear_regions {

// For every split one byte per unit (pointwise) or window (max), external order: 1 where the bounds
// leave open on which piece the unit is, or which entry wins, somewhere in the box. `low` and
// `high` are finite and in the external order of the input. Cost: about two forward passes.
std::vector<std::vector<std::uint8_t>> unstable_units(const Tape& tape, std::span<const double> low,
                                                      std::span<const double> high);

}  // namespace linear_regions
