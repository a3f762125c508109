// SPDX-License-Identifier: MIT
// ConeRows: the rows v_1, ..., v_n of problems about the cones {x : s_i v_i . x > 0}.
//
// Notation: `dim` columns; s_i is +1 or -1. A row of doubles may stand for a true row that differs
// from it: every entry of the true row lies within `error` of the double. Rows are kept twice, by
// row (for steps along one row) and by column (lanes are rows: all values at a point in one pass).
//
// bound[i] |x|_1 bounds the distance of the computed value of row i at x from the true value, for
// any order of summation: at most dim roundings of products and dim of sums, (1 + u)^(2 dim) - 1
// <= (2 dim + 1) u for dim < 2^24, and |v_i . x| terms summed are at most |v_i|_max |x|_1. The
// rounding of |x|_1 itself and of the bound is covered by the 7 spare units, and so is underflow as
// long as |x|_1 exceeds kSmallestPoint.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace linear_regions::arrangement {

inline constexpr double kRounding = 0x1p-53;
inline constexpr double kSmallestPoint = 1e-200;
inline constexpr double kLargestPoint = 1e200;

// Row number and the sign that it has on a cone.
struct SignedRow {
  std::int32_t row = 0;
  std::int32_t sign = 1;
  friend bool operator==(const SignedRow&, const SignedRow&) = default;
};

struct ConeRows {
  static constexpr std::size_t kLanes = 8;
  // Sums of this many products of integral entries and multipliers stay below 2^53.
  static constexpr double kLargestIntegral = 32768;

  std::size_t n = 0, dim = 0;
  std::size_t stride = 0;  // doubles from one row to the next in by_row; the rest are zeros
  std::size_t padded = 0;  // doubles from one column to the next in by_column; the rest are zeros
  bool integral = true;    // every entry is an integer up to kLargestIntegral, without an error
  std::vector<double> by_row, by_column;
  std::vector<double> norm, inverse_norm;  // Euclidean, rounded
  std::vector<double> bound;

  ConeRows() = default;
  ConeRows(std::size_t columns, std::size_t capacity) { reset(columns, capacity); }

  // Forget all rows; room for `capacity` of them.
  void reset(std::size_t columns, std::size_t capacity) {
    n = 0;
    dim = columns;
    integral = true;
    stride = (dim + kLanes - 1) / kLanes * kLanes;
    padded = (capacity + kLanes - 1) / kLanes * kLanes;
    by_row.assign(padded * stride, 0.0);
    by_column.assign(padded * dim, 0.0);
    norm.assign(padded, 1.0);
    inverse_norm.assign(padded, 0.0);
    bound.assign(padded, 0.0);
  }

  // The row must not be zero and should have entries of moderate size (a power of two times any
  // row has); `error` bounds the distance of each entry from the true one.
  std::size_t push(const double* row, double error = 0.0) {
    const std::size_t i = n++;
    double squares = 0, largest = 0;
    for (std::size_t k = 0; k < dim; ++k) {
      by_row[i * stride + k] = by_column[k * padded + i] = row[k];
      squares += row[k] * row[k];
      largest = std::max(largest, std::abs(row[k]));
      integral = integral && row[k] == std::nearbyint(row[k]);
    }
    integral = integral && error == 0.0 && largest <= kLargestIntegral;
    norm[i] = std::sqrt(squares);
    inverse_norm[i] = 1 / norm[i];
    bound[i] =
        (2.0 * static_cast<double>(dim) + 8) * kRounding * (largest + error) + error * 1.0001;
    return i;
  }

  const double* row(std::size_t i) const { return by_row.data() + i * stride; }
};

}  // namespace linear_regions::arrangement
