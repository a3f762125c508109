// SPDX-License-Identifier: MIT
// Hyperplanes: the input that every arrangement engine takes.
//
// Notation: n hyperplanes in R^d; row i is (a_1, ..., a_d, b) and means a . x + b = 0. The sign
// vector of a chamber has bit i set where a . x + b > 0.
//
// Rows are exact. Where doubles hold them, they are the doubles themselves; where they do not
// (integers beyond 2^53, rows composed exactly), `exact` holds integers of any size and `value` the
// doubles nearest to some positive multiple of each row. Zero rows, equal, opposite and parallel
// rows, and normals that do not span R^d are ordinary input.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace linear_regions {

struct Hyperplanes {
  std::size_t n = 0, d = 0;
  std::vector<double> value;       // n * (d + 1), row-major
  std::vector<std::string> exact;  // empty, or n * (d + 1) signed hexadecimal integers; row i is a
                                   // positive multiple of the true row i

  std::size_t columns() const { return d + 1; }
  const double* row(std::size_t i) const { return value.data() + i * columns(); }
};

// The open convex set {x : side . (x, 1) > 0 for all sides}, with non-empty interior; no sides:
// R^d.
struct ConvexDomain {
  Hyperplanes sides;
};

}  // namespace linear_regions
