// SPDX-License-Identifier: MIT
// ExactMinors: signs of minors of the exact rows of an arrangement, for the sweep.
//
// Cost: a k x k determinant by fraction-free elimination (Bareiss), k^3 / 3 products of integers
// that grow to k times the length of the entries.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "linear_regions/hyperplanes.hpp"

namespace linear_regions {

class ExactMinors {
 public:
  explicit ExactMinors(const Hyperplanes& hyperplanes);  // reads the rows at first use
  ~ExactMinors();
  ExactMinors(const ExactMinors&) = delete;
  ExactMinors& operator=(const ExactMinors&) = delete;

  // The columns of level k: a_1 .. a_k and, with `offset`, the offset: b for k = d, else -a_(k+1).
  // Rows may name n, the functional (0, .., 0, 1 | 0) of the level.
  int sign(std::span<const std::uint32_t> rows, std::size_t level, bool offset);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace linear_regions
