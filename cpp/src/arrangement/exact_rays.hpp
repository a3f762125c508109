// SPDX-License-Identifier: MIT
// ExactRays: rays of cones in integers of any size.
//
// A ray is the half line on which dim - 1 independent rows vanish. Its entries, without common
// factor, are at most minors of these rows; signs come from doubles where their error bound allows
// it. Cost: some microseconds per ray, so the store keeps rays for the next cone that has them.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "arrangement/reduction.hpp"

namespace linear_regions::arrangement {

using RayPoint = std::shared_ptr<const ExactPoint>;

class ExactRays {
 public:
  explicit ExactRays(const Reduction& reduction);
  ~ExactRays();
  ExactRays(const ExactRays&) = delete;
  ExactRays& operator=(const ExactRays&) = delete;

  // Rows that form a basis, those with a forced sign first.
  std::vector<std::int32_t> basis();
  // For each row of a basis the ray on which it is positive and the others vanish.
  std::vector<RayPoint> corners(std::span<const std::int32_t> basis);
  // The positive combination of two rays, given with signs, on which the row vanishes.
  RayPoint meet(const ExactPoint& p, int p_sign, const ExactPoint& q, int q_sign, std::size_t row);
  // Signs of all rows, as masks of word_count(n) words.
  void signs(const ExactPoint& ray, Word* positive, Word* negative);
  // Doubles near the ray, the largest near 1; or its integers, where they are small.
  static void nearest(const ExactPoint& ray, double* x);
  static void integers(const ExactPoint& ray, double* x);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace linear_regions::arrangement
