// SPDX-License-Identifier: MIT
// What ExactPoint holds; included by exact_*.cpp only.
#pragma once

#include "arrangement/exact_integers.hpp"
#include "arrangement/exact_lp.hpp"

namespace linear_regions::arrangement {

class ExactPoint {
 public:
  explicit ExactPoint(IntegerRow entries) : x(std::move(entries)) { make_primitive(x); }
  IntegerRow x;
};

}  // namespace linear_regions::arrangement
