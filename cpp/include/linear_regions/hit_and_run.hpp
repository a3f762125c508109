// SPDX-License-Identifier: MIT
// Nearly uniform points of a bounded polytope: hit-and-run along the coordinate axes.
//
// Notation: {y in R^d : sides y + c >= 0}, m rows (a_1, ..., a_d, c); `start` is strictly inside.
//
// One step picks a coordinate and a uniform place on the chord through the point along it. The
// uniform law is the only one that steps leave as it is, and every start comes arbitrarily near to
// it (R. L. Smith, Operations Research 32 (1984) 1296-1308, for both kinds of directions). How many
// steps are enough depends on the shape: the caller makes it round (coordinates y) and long enough.
//
// Cost: m multiplications a step. No function of the library's takes part, and products and sums
// stay apart, so that equal words give equal points on all processors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace linear_regions {

// Point i starts at `start` and makes one step for each of its n_steps words: the high half picks
// the coordinate, the low half the place. out: n * d. Throws std::invalid_argument where sizes do
// not fit or the start is not inside.
void hit_and_run(std::span<const double> sides, std::size_t d, std::span<const double> start,
                 std::span<const std::uint64_t> words, std::size_t n, std::size_t n_steps,
                 std::span<double> out);

}  // namespace linear_regions
