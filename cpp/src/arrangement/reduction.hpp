// SPDX-License-Identifier: MIT
// Reduction: hyperplanes and a domain as one cone problem with distinct, spanning rows, exactly.
//
// Notation: n hyperplanes in R^d, row i = (a_i, b_i) in R^(d+1), e = (0, ..., 0, 1).
//
// A chamber is the set {x : s_i (a_i . x + b_i) > 0}; with y = x0 (x, 1), x0 > 0, it is the cone
// {y : s_i v_i . y > 0, e . y > 0}. Sides of the domain are rows with a given sign, and so is e.
//  * Rows that are multiples of each other are one row: equal or opposite signs everywhere. A row
//    that is a multiple of e, or of a side, has a known sign. A zero row has a clear bit.
//  * Columns that depend on columns to their left are left out: V y takes the same values on the
//    coordinate subspace of the independent ones, so sign vectors stay what they are.
//  * If e is not in the span of the rows and there are no sides, all hyperplanes have a point in
//    common (`central`): e . y > 0 restricts nothing, and chambers come in opposite pairs.
//  * Columns of very different size are scaled by powers of two: y_k = 2^(s_k) y'_k.
// All of it in integers of any size: n d^2 products for the rank, n d for the rest.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "arrangement/cone_rows.hpp"
#include "arrangement/exact_lp.hpp"
#include "linear_regions/hyperplanes.hpp"
#include "linear_regions/sign_vector.hpp"

namespace linear_regions::arrangement {

class Reduction : public ExactRowSource {
 public:
  // Throws std::invalid_argument for values that are not finite and for shapes that do not fit.
  Reduction(const Hyperplanes& planes, const ConvexDomain& domain);
  ~Reduction() override;
  Reduction(const Reduction&) = delete;
  Reduction& operator=(const Reduction&) = delete;

  ConeRows rows;                             // distinct rows: of hyperplanes first, in their order
  std::size_t n = 0, d = 0;                  // of the hyperplanes given
  std::vector<std::int32_t> representative;  // per hyperplane; -1 for a zero row
  std::vector<std::int8_t> orientation;      // hyperplane = +-(positive multiple of) that row
  std::vector<SignedRow> forced;             // known signs
  bool contradictory = false;                // two sides are opposite: the domain is empty
  bool central = false;
  bool identity = false;  // hyperplane i is row i, for all i: sign vectors need no translation

  std::vector<std::string> exact_row(std::size_t i) const override;

  // Sign vector of the hyperplanes (word_count(n) words) from that of the rows; `opposite` for the
  // opposite chamber of a central arrangement.
  void translate(const Word* rows_positive, bool opposite, Word* out) const;

  // ---- interior points in the coordinates of the hyperplanes ----
  // A candidate for a point of the chamber that holds the cone's point y (d doubles out).
  // `stretch` (1, 2^8, ...) moves points of central arrangements away from the common point.
  void affine_point(const double* y, bool opposite, double stretch, double* x) const;
  // True if the point has these signs, with respect to the given rows: in doubles with error
  // bounds, exactly where they do not decide. Zero rows are skipped, sides are tested.
  bool has_signs(const double* x, const Word* signs) const;
  // The cone's point as fractions "numerator/denominator" in hexadecimal.
  std::vector<std::string> exact_affine_point(const ExactPoint& y, bool opposite) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace linear_regions::arrangement
