// SPDX-License-Identifier: MIT
// ExactLp: is an open cone {x : s_i v_i . x > 0} empty? In integers of any size.
//
// Phase one of the simplex method on the alternative of Gordan's theorem,
//     y >= 0,  sum y_i s_i v_i = 0,  sum y_i = 1,
// with Bland's rule (no cycling) and fraction-free pivots on the inverse of the basis: all entries
// are minors of the rows, so they stay as short as a determinant. A solution names a circuit's
// rows; without one, the dual values are a point of the cone, the one with the largest least value
// in a box. The order of the rows decides which column enters first: put suspects in front.
//
// Cost: a pivot is (dim + 1)^2 products of integers, pricing at most n dim; some tens of
// microseconds for a circuit of small rows, milliseconds for 60 rows of full doubles.
//
// References: Schrijver, Theory of Linear and Integer Programming, sections 7.8 and 11.3 (Bland);
// Edmonds and Maurras, Note sur les Q-matrices d'Edmonds, RAIRO 31 (1997), 203-209 (integer
// pivoting).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "arrangement/cone_rows.hpp"

namespace linear_regions::arrangement {

// Where the exact rows come from; asked at most once per row and cache.
class ExactRowSource {
 public:
  virtual ~ExactRowSource() = default;
  // Row i times any positive number, as integers in signed hexadecimal ("-1f"), `dim` of them.
  virtual std::vector<std::string> exact_row(std::size_t i) const = 0;
};

// The rows of a ConeRows without errors are their own exact rows.
class DoublesAreExact : public ExactRowSource {
 public:
  explicit DoublesAreExact(const ConeRows& rows) : rows_(rows) {}
  std::vector<std::string> exact_row(std::size_t i) const override;

 private:
  const ConeRows& rows_;
};

// A point of a cone in integers; points are directions, so no denominator is needed.
class ExactPoint;

class ExactLp {
 public:
  // Thrown out of solve when `keep_going` says no.
  struct Stopped {};

  ExactLp(std::size_t dim, const ExactRowSource& source);
  ~ExactLp();
  ExactLp(const ExactLp&) = delete;
  ExactLp& operator=(const ExactLp&) = delete;

  // Either a point that is strictly inside, or rows with a positive dependence.
  struct Outcome {
    std::shared_ptr<const ExactPoint> interior;
    std::vector<SignedRow> support;
  };
  Outcome solve(std::span<const SignedRow> cone);
  // Is 0 the only point of the closed cone {x : s_i v_i . x >= 0}?
  bool only_zero(std::span<const SignedRow> cone);

  // Sign of the row at the point.
  int sign_at(std::size_t row, const double* x);
  int sign_at(std::size_t row, const ExactPoint& x);

  // The doubles nearest to `factor` times the point, scaled to a largest entry near 1; another
  // odd factor rounds to another direction.
  static void round(const ExactPoint& point, unsigned factor, double* x);
  // The point that the doubles are.
  static std::shared_ptr<const ExactPoint> point(const double* x, std::size_t dim);

  void watch(std::function<bool()> keep_going);
  // Forget the rows that were asked for: the source has changed.
  void forget();
  void forget(std::size_t row);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace linear_regions::arrangement
