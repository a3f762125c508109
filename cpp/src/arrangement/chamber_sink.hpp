// SPDX-License-Identifier: MIT
// What the engines that visit chambers hand to those that keep them.
#pragma once

#include <memory>

#include "arrangement/exact_lp.hpp"
#include "linear_regions/sign_vector.hpp"

namespace linear_regions::arrangement {

// A chamber in the coordinates of a Reduction. Points are computed when asked for.
class Chamber {
 public:
  virtual ~Chamber() = default;
  // Rows of the reduction that are positive.
  virtual const Word* positive() const = 0;
  // A point that should lie inside.
  virtual const double* witness() = 0;
  // A point well inside, from the exact program.
  virtual std::shared_ptr<const ExactPoint> exact_centre() = 0;
};

class ChamberSink {
 public:
  virtual ~ChamberSink() = default;
  // `opposite` for the mirror image of a chamber of a central arrangement.
  virtual void chamber(Chamber& chamber, bool opposite) = 0;
};

}  // namespace linear_regions::arrangement
