// SPDX-License-Identifier: MIT
// Relaxations: rows that stand for functions that are not affine on a polygon.
//
// The error bound e of a row says that the true value at a point (x, y) of the polygon is off by at
// most e * max(1, |x|, |y|). That the true function is affine is nowhere used: sums of such rows
// obey the same bound, and a value at the vertices that exceeds it everywhere has the same sign on
// the whole polygon. So a unit whose sign is not settled may go on as an affine function between
// its bounds, with e enlarged by what that misses.
#pragma once

#include "linear_regions/tape.hpp"
#include "polygon.hpp"
#include "row_maps.hpp"

namespace linear_regions {

// So many open ones of n units make the rows of the next stage too uncertain to settle anything.
inline bool hopeless(std::size_t open, std::size_t n) {
  return open > 4 && 8 * open > n;
}

struct Span {
  double low, high;
};

// Bounds of the function that a row stands for, on the polygon; infinite where nothing is known.
Span span_of(const Row4& row, const Extent& extent);

// out stands for f(z), z the function of `row`, whose values lie in `span`. Its slope is that of
// the chord of f over the span. False where numbers are too large to be sure of anything.
bool relax(const Row4& row, const PieceTable& f, const Span& span, Row4& out);

// What is known of a max window on the polygon: the entry that wins it everywhere, or -1. `out`
// stands for the window's value. Not possible where numbers are too large.
struct WindowBound {
  bool possible;
  std::int32_t winner;
};
WindowBound relax_window(const Max& max, const double* rows, std::size_t n, std::int32_t window,
                         const Extent& extent, Row4& out);

// The difference of two rows, with its error bound.
Row4 difference(const Row4& a, const Row4& b);

}  // namespace linear_regions
