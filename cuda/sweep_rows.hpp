// SPDX-License-Identifier: MIT
//
// The arithmetic of the lowest-vertex sweep for one row: an elimination step, a vertex, and the
// error bounds of both. docs/design/sweep.md has the method. A sign counts only beyond its bound.
//
// Every row carries its own bounds here: of its entries, of its offset, of its multipliers. An
// elimination step takes row k by pivot p with f = x_k / a. The entry x_k is known up to error_k, a
// up to error_p, so f is off by at most
//   df = (error_k + |f| error_p) / (|a| - error_p) + 3 u |f|,
// and the entry x_k - f x_p by error_k + |f| error_p + df (|x_p| + error_p) and its own rounding,
// fused or not: u (|result| + 2 |f x_p|). Two factors absorb the roundings of the bounds
// themselves: kUnit > u, and kInflate.
#pragma once

#include "teams.hpp"

namespace linear_regions {

inline constexpr double kUnit = 1.2e-16, kInflate = 1.0000001, kTinyError = 0x1p-900;
inline constexpr Size kMaxLevel = 8;

LR_DEVICE inline double size_of(double x) {
  return x < 0 ? -x : x;
}
LR_DEVICE inline double larger(double a, double b) {
  return a > b ? a : b;
}

// Rows of one level after some eliminations; entry i of every array belongs to row i, and entry n
// to the functional. Column numbers are those of `columns`, in which an eliminated column holds the
// multipliers of its pivot.
struct SweepRows {
  double* columns;  // [column][stride]
  double *beta, *error, *beta_error, *nu_error;
  Size stride;

  LR_DEVICE double& entry(Size column, Size row) const { return columns[column * stride + row]; }
};

// What an elimination step needs of its pivot, read before anything changes.
struct SweepPivot {
  Size row = 0, column = 0, n_active = 0, n_nu = 0;
  const double *active = nullptr, *nu = nullptr;  // the pivot row's entries
  double value = 0, error = 0, beta = 0, beta_error = 0, nu_error = 0, nu_size = 0;
  double inverse = 0, relative = 0;

  // False when no entry of the row is certainly not zero.
  LR_DEVICE bool finish() {
    if (!(size_of(value) > 2 * error)) return false;
    inverse = 1.0 / value;
    relative = kInflate / (size_of(value) - error);
    return true;
  }
};

// The multiplier of a row and what its error does to the row.
struct SweepStep {
  double f, size, joint, df;

  LR_DEVICE SweepStep(const SweepPivot& p, double entry, double error)
      : f(entry * p.inverse),
        size(size_of(f)),
        joint(size * p.error + error),
        df(joint * p.relative + 3 * kUnit * size) {}

  // The bound of the entries; `largest` of the new ones.
  LR_DEVICE double error(const SweepPivot& p, double largest) const {
    const double reach = size_of(p.value) + p.error;
    const double rounding = kUnit * (size * (2 * size_of(p.value)) + largest);
    return ((df * reach + (joint + rounding)) + kTinyError) * kInflate;
  }
  LR_DEVICE double beta_error(const SweepPivot& p, double beta, double before) const {
    const double reach = size_of(p.beta) + p.beta_error;
    const double rounding = kUnit * (size * (2 * size_of(p.beta)) + size_of(beta));
    return ((df * reach + (size * p.beta_error + before + rounding)) + kTinyError) * kInflate;
  }
  LR_DEVICE double nu_error(const SweepPivot& p, double largest, double before) const {
    const double rounding = kUnit * (size * (2 * p.nu_size) + largest);
    const double all = df * (p.nu_size + p.nu_error) + (size * p.nu_error + before + rounding);
    return larger(df, all) * kInflate + kTinyError;
  }
};

// What all vertices of a line share: the functional on the line, and the largest entries.
struct SweepLine {
  double gamma, gamma_error, kappa_error;
  double alpha_size, alpha_error, beta_size, beta_error;
};

// The vertex of row j on a line.
struct SweepVertex {
  double t, threshold;  // row k is beta_k + t alpha_k there, certain in sign beyond the threshold
  double lambda, lambda_error;
  bool known;  // its own sign, lambda's, is certain; without it no sign at the vertex is

  LR_DEVICE SweepVertex(const SweepLine& line, double alpha, double error, double beta,
                        double beta_error) {
    const double inverse = 1.0 / alpha, relative = kInflate / (size_of(alpha) - error);
    const bool sure = size_of(alpha) > 2 * error;
    t = 0.0 - beta * inverse;
    const double size = size_of(t);
    const double dt = (size * error + beta_error) * relative + 3 * kUnit * size;
    const double spread =
        size * line.alpha_error + line.beta_error + dt * (line.alpha_size + line.alpha_error);
    const double rounding = 3 * kUnit * (size * line.alpha_size + line.beta_size);
    threshold = (spread + rounding) * kInflate + kTinyError;
    lambda = line.gamma * inverse;
    const double size_l = size_of(lambda);
    lambda_error = (size_l * error + line.gamma_error) * relative + 3 * kUnit * size_l;
    known = sure && size_l > lambda_error * kInflate + kTinyError;
  }

  // The own sign of a pivot of the line: kappa of the functional, nu of row j. Returns whether it
  // is positive; `known` falls when that is not certain.
  LR_DEVICE bool pivot_is_up(const SweepLine& line, double kappa, double nu, double nu_error) {
    const double product = lambda * nu, value = kappa - product;
    const double doubt = size_of(lambda) * nu_error + line.kappa_error +
                         lambda_error * (size_of(nu) + nu_error) +
                         3 * kUnit * (size_of(kappa) + size_of(product));
    known = known && size_of(value) > doubt * kInflate + kTinyError;
    return value > 0;
  }
};

}  // namespace linear_regions
