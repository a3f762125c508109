// SPDX-License-Identifier: MIT
// What ExactPoint holds; included by exact_*.cpp only.
#pragma once

#include "arrangement/exact_lp.hpp"
#include "exact_algebra.hpp"

namespace linear_regions::arrangement {

class ExactPoint {
 public:
  explicit ExactPoint(Vector entries) : x(std::move(entries)) { make_primitive(x); }
  Vector x;
};

}  // namespace linear_regions::arrangement
