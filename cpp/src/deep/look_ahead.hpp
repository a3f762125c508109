// SPDX-License-Identifier: MIT
// LookAhead: which units of the next split can cut a cell that this split still cuts?
//
// The units that cut the cell go on as *relaxations*: affine functions between their bounds, with
// the row's error bound e enlarged by what they miss. A unit of the next split whose sign comes out
// certain at all rays then has it on the whole cell, and none of the cells below need look at it
// (see relaxation.hpp for the same in the plane).
//
// Cones need one remark. A function with two slopes, s for negative values and s' for positive
// ones, is slope * v + (s' - s) g(v) with g(v) = max(v, 0) - a v, 0 <= a <= 1, which is at least
// zero, convex and positively homogeneous. So at x = sum of l_r r over the rays it is at most the
// sum of l_r T, where T is the largest g at a ray. That is the bound that errors of coefficients
// obey, too: |error at x| <= e * (sum of l_r), for |r_k| <= 1. A row plus such errors that has one
// strict sign at all rays has it everywhere, at infinity as well.
//
// A look decides nothing that is not certain and never asks for exact arithmetic.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "deep/cone_kernels.hpp"
#include "deep/maps.hpp"
#include "linear_regions/tape.hpp"

namespace linear_regions {

class LookAhead {
 public:
  LookAhead(const Tape& tape, DeepMaps& maps);

  // Looks are made where both splits are of pointwise units with one breakpoint, at zero.
  bool possible(int split) const;

  // The cell that was entered last: the map of the split's input, the units that cut it, the block
  // of the next stage from all others, and its rays, whose slacks are at most `slack`. Returns the
  // units of the next split that may cut it, a bit each; nothing where that is not known, and
  // perhaps all. Costs a row for every unit that cuts, and one look at the rows of the next split.
  std::span<const std::uint64_t> open(int split, const double* rows,
                                      std::span<const std::int32_t> units, const double* base,
                                      const std::vector<double*>& blocks,
                                      std::span<const double* const> rays, double slack);

 private:
  bool relax(const Pointwise& p, std::int32_t unit, std::span<const double* const> rays,
             double slack);

  const Tape& tape_;
  DeepMaps& maps_;
  const ConeKernels& kernels_;
  const std::size_t width_;
  LineVector block_;
  std::vector<double*> blocks_;
  std::vector<double> row_, relaxed_;
  std::vector<std::uint64_t> signs_;
};

}  // namespace linear_regions
