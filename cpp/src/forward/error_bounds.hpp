// SPDX-License-Identifier: MIT
// What rounding does to the values of a forward pass in doubles: one bound for all entries of a
// slot, from the largest computed value of the slots that it reads.
//
// With e the bound of an input's entries, M its largest entry in size and N the largest row sum of
// |weights|, sums in any order have errors of at most N e + gamma (N M + |bias|), gamma = (terms +
// 8) 1.02 u as in the scan of maps. A piecewise linear function with slopes up to L adds L e and
// its own roundings, whatever piece was taken: it is continuous. A maximum has the bound of its
// entries.
#pragma once

#include <cstddef>
#include <vector>

#include "linear_regions/tape.hpp"

namespace linear_regions {

class ErrorBounds {
 public:
  explicit ErrorBounds(const Tape& tape);

  // Factors of the bound of operation i: norm[k] of its input k's entries, and what is added.
  struct Factors {
    std::vector<double> norm;
    double gamma = 0.0, bias = 0.0, added = 0.0;
  };
  const Factors& of(std::size_t i) const { return factors_[i]; }
  // False where weights have extreme sizes: bounds would say nothing.
  bool usable() const { return usable_; }
  // Multiplications of one pass.
  double work() const { return work_; }

 private:
  void linear(const Tape& tape, const Op& op, Factors& f);
  void pieces(const Op& op, Factors& f) const;

  std::vector<Factors> factors_;
  bool usable_;
  double work_ = 0.0;
};

}  // namespace linear_regions
