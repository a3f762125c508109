// SPDX-License-Identifier: MIT
// Counting the activation regions of a tape on many segments of its input space, certified.
#pragma once

#include <cstdint>
#include <span>

#include "linear_regions/planar.hpp"
#include "linear_regions/run_control.hpp"
#include "linear_regions/tape.hpp"

namespace linear_regions {

struct SegmentsResult {
  Status status = Status::kComplete;
  Work work;
  double seconds = 0;
};

// Segment i runs from the n_in numbers at a + i n_in to those at b + i n_in; the difference is
// taken exactly and must be finite. counts[i] is the number of regions that meet its relative
// interior (1 where both ends are the same point), or -1 where the run was stopped before it was
// known. Segments are shared out among the threads; each is counted by one of them.
SegmentsResult count_segments(const Tape& tape, std::span<const double> a,
                              std::span<const double> b, Arithmetic arithmetic, RunControl& control,
                              std::span<std::int64_t> counts);

}  // namespace linear_regions
