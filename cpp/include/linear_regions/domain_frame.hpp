// SPDX-License-Identifier: MIT
// DomainFrame: a convex set of any dimension d, embedded in the input space.
//
// Points of the domain are t in R^d; the network input is t_1 column_1 + ... + t_d column_d +
// origin. The set is where all sides a . t + c >= 0; it has an interior point, may be unbounded,
// and may contain lines. Dimension zero is a single point.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace linear_regions {

struct DomainFrame {
  std::size_t dim = 0;
  // The d directions, then the origin; each in the external order of the input.
  std::vector<std::vector<double>> columns = {{}};
  std::vector<double> sides;  // (a, c): d + 1 doubles per side, all of them irredundant

  // Exact values where the doubles above are only the nearest ones; signed hexadecimal integers.
  // Columns are entries over one common positive denominator, column by column; sides are d + 1
  // integers each, up to a positive factor.
  std::vector<std::string> exact_columns, exact_sides;
  std::string exact_denominator = "1";

  std::size_t n_sides() const { return sides.size() / (dim + 1); }
  const double* side(std::size_t i) const { return sides.data() + i * (dim + 1); }
};

}  // namespace linear_regions
