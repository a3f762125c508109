// SPDX-License-Identifier: MIT
// Exact interior points of regions in the coordinates of the domain.
#include <algorithm>

#include "arrangement/exact_point.hpp"
#include "deep/tree.hpp"
#include "exact_numbers.hpp"

namespace linear_regions {

TreePoint domain_point(const TreeRoot& root, const arrangement::ExactPoint& point) {
  TreePoint out;
  const Integer& one = point.x.back();
  for (std::size_t j = 0; j + 1 < point.x.size(); ++j) {
    // center + 2^exponent x / one, with powers of two moved to the denominator
    const Dyadic c = dyadic(root.center[j]);
    const int least = std::min({0, c.exponent, root.exponent[j]});
    const Integer numerator = scaled(root.center[j], least) * one +
                              (point.x[j] << static_cast<unsigned>(root.exponent[j] - least));
    const Integer denominator = one << static_cast<unsigned>(-least);
    out.fractions.push_back(fraction_text(numerator, denominator));
    out.nearest.push_back(ratio(numerator, denominator));
  }
  return out;
}

}  // namespace linear_regions
