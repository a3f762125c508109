// SPDX-License-Identifier: MIT
// On which side of a row a point lies, by the row's error bound.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "deep/cone.hpp"
#include "kernels.hpp"

namespace linear_regions {

inline constexpr double kLargestPoint = 0x1p900;  // coordinates beyond decide nothing

inline double largest_entry(const double* x, std::size_t d) {
  double most = 0.0;
  for (std::size_t k = 0; k < d; ++k) most = std::max(most, std::fabs(x[k]));
  return most;
}

// Largest coordinate, at least 1; infinity where one is NaN.
inline double size_of_point(const double* point, std::size_t d) {
  double size = 1.0;
  for (std::size_t k = 0; k < d; ++k)
    size = std::fabs(point[k]) < kLargestPoint ? std::max(size, std::fabs(point[k])) : INFINITY;
  return size;
}

// 1 or -1 where the row (d + 1 coefficients, e, N) is certainly positive or negative at the point,
// else 0. `size` is size_of_point, below kLargestPoint.
inline int side_of_point(const double* row, std::size_t d, const double* point, double size) {
  double value = row[d];
  for (std::size_t k = 0; k < d; ++k) value += row[k] * point[k];
  const double norm = row[d + 2];
  const double bound =
      1.0001 * (row[d + 1] + 1.1 * kRoundoff * static_cast<double>(d + 4) * norm) * size;
  if (!((norm + row[d + 1]) * size < kLargest)) return 0;  // else a sum may overflow
  return value > bound ? 1 : value < -bound ? -1 : 0;
}

}  // namespace linear_regions
