// SPDX-License-Identifier: MIT
// SmallLp: is the open cone {x : s_i v_i . x > 0 for i in S} empty? In doubles, warm-started.
//
// Notation: rows v_i of `dim` columns, n_i = |v_i|, S the constraints, g_i = s_i v_i. The cone is
// open and not empty if and only if the quadratic program
//     minimise |x|^2 / 2  subject to  g_i . x >= n_i  for i in S
// has a solution; then x is the centre of the largest ball of its size, of radius 1. The dual
// active set method of Goldfarb and Idnani solves it. Its state is the solution of a
// sub-problem: rows A with multipliers u > 0, x = sum u_i g_i, g_i . x = n_i on A, and the
// vectors p_i of span(A) with p_i . g_j = (i == j). Adding a violated row h moves x along the part
// z of h that is orthogonal to A, dropping rows of A whose multiplier reaches zero on the way;
// where z = 0 and nothing blocks, h + sum y_i g_i = 0 with y > 0: the cone is empty, and the rows
// are a circuit.
//
// Invariant: a state is optimal for its own rows A, so it warm-starts every cone whose constraints
// contain A; a solve may stop at any time, here once every constraint holds by a fixed share of its
// norm. Answers are *candidates*: `holds` and `proves_empty` prove them, with error bounds.
//
// Cost: a step is 3 |A| dim + n dim multiply-adds, eight at a time; most solves take one or two.
//
// References: Goldfarb and Idnani, A numerically stable dual method for solving strictly convex
// quadratic programs, Mathematical Programming 27 (1983), 1-33, section 3; the theorem of the
// alternative is Gordan's (Schrijver, Theory of Linear and Integer Programming, section 7.8).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "arrangement/cone_rows.hpp"
#include "arrangement/lp_kernels.hpp"

namespace linear_regions::arrangement {

// Copying is one block copy; nothing refers to the solver.
struct LpState {
  std::size_t active = 0;
  std::vector<double> x;        // dim, padded with zeros to the stride
  std::vector<double> u;        // multipliers of the active rows, padded
  std::vector<double> inverse;  // component k of p_i at k * stride + i
  std::vector<SignedRow> rows;  // the active rows

  // x = 0, no active row.
  void reset(const ConeRows& problem);
};

class SmallLp {
 public:
  enum class Answer : std::uint8_t { kInterior, kEmpty, kUnknown };
  struct Effort {
    std::uint64_t solves = 0, steps = 0;
  };

  explicit SmallLp(const ConeRows& rows, const LpKernels& kernels = kLpGeneric);

  // weight[i] = s_i / n_i for the constraints, 0 for other rows. Starts with the constraint
  // `first` if one is named. The state is changed in any case; keep a copy where kEmpty or
  // kUnknown shall leave it as it was.
  Answer solve(LpState& state, const double* weight, std::int32_t first = -1);

  // After kInterior: values of all rows at state.x.
  const double* values() const { return values_.data(); }
  // After kEmpty: rows of a circuit with positive multipliers.
  std::span<const SignedRow> support() const { return {support_.data(), support_.size()}; }
  std::span<const double> multipliers() const { return {multipliers_.data(), multipliers_.size()}; }
  // After kEmpty: the last row of the support is the sum of these times the state's active rows.
  std::span<const double> coefficients() const { return {r_.data(), r_.size()}; }
  const Effort& effort() const { return effort_; }

  // ---- values and proofs ----
  // All values at x (stride doubles).
  void evaluate(const double* x, double* values) const;
  // The factor of ConeRows::bound for a point; infinite where the bounds do not hold.
  double size_of(const double* x) const;
  // True if every constraint is proved to be positive at the point with these values.
  bool holds(const double* weight, const double* values, double size) const;
  // True if the support of the last kEmpty is proved to have a positive dependence, so that no x
  // has these signs on it.
  bool proves_empty(const LpState& state) const;
  // The same by dim + 1 rows that span the space: then even the closed cone is 0 alone.
  bool proves_only_zero(const LpState& state) const;

 private:
  Answer include(LpState& state, SignedRow row);
  void project(const LpState& state, SignedRow row);
  void append(LpState& state, SignedRow row, double multiplier);
  void drop(LpState& state, std::size_t at);
  Answer conclude_empty(const LpState& state, SignedRow row);
  bool integral_dependence() const;
  bool bounded_dependence(const LpState& state) const;

  const ConeRows& rows_;
  const LpKernels& kernels_;
  std::vector<double> values_, r_, part_, gone_;
  mutable std::vector<double> proof_;
  std::vector<double> z_;
  double zz_ = 0;
  std::vector<SignedRow> support_;
  std::vector<double> multipliers_;
  Effort effort_;
};

}  // namespace linear_regions::arrangement
