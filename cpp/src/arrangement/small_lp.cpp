// SPDX-License-Identifier: MIT
#include "arrangement/small_lp.hpp"

#include <limits>

namespace linear_regions::arrangement {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
// A solve stops once every constraint holds by this share of its norm. A matter of speed alone:
// small values save steps, large ones give points that are well inside.
constexpr double kEnough = 0.25;
// Below these relative sizes a number is taken for a structural zero; proofs do not rely on it.
constexpr double kDependent = 1e-11, kReorthogonalise = 1e-3, kNoMultiplier = 1e-10;

void add_multiple(double* y, double factor, const double* x, std::size_t n) {
  for (std::size_t k = 0; k < n; ++k) y[k] += factor * x[k];
}

}  // namespace

void LpState::reset(const ConeRows& problem) {
  active = 0;
  x.assign(problem.stride, 0.0);
  u.assign(problem.stride, 0.0);
  inverse.assign(problem.dim * problem.stride, 0.0);
  rows.assign(problem.dim + 1, {});
}

SmallLp::SmallLp(const ConeRows& rows, const LpKernels& kernels)
    : rows_(rows),
      kernels_(kernels),
      values_(rows.padded),
      r_(rows.stride),
      part_(rows.stride),
      gone_(rows.stride),
      proof_(rows.dim + 1),
      z_(rows.stride) {}

void SmallLp::evaluate(const double* x, double* values) const {
  kernels_.evaluate(rows_, x, values);
}

double SmallLp::size_of(const double* x) const {
  double size = 0;
  for (std::size_t k = 0; k < rows_.dim; ++k) size += std::abs(x[k]);
  return size > kSmallestPoint && size < kLargestPoint ? size : kInfinite;
}

bool SmallLp::holds(const double* weight, const double* values, double size) const {
  if (!(size < kLargestPoint)) return false;
  bool all = true;
  for (std::size_t i = 0; i < rows_.n; ++i) {
    const double value = weight[i] < 0 ? -values[i] : values[i];
    all &= weight[i] == 0 || value > rows_.bound[i] * size;
  }
  return all;
}

SmallLp::Answer SmallLp::solve(LpState& state, const double* weight, std::int32_t first) {
  ++effort_.solves;
  const std::size_t most = 50 + 8 * rows_.dim;
  std::int32_t next = first;
  for (std::size_t step = 0; step < most; ++step) {
    if (next >= 0) {
      const Answer answer = include(state, {next, weight[next] < 0 ? -1 : 1});
      if (answer != Answer::kInterior) return answer;
    }
    next = kernels_.worst(rows_, state.x.data(), weight, kEnough, values_.data());
    if (next < 0) return Answer::kInterior;
  }
  return Answer::kUnknown;
}

// r_i = p_i . g and z = g - sum r_i g_i for g = sign * (row `row`); where cancellation spoils z, a
// second pass removes what is left of the span.
void SmallLp::project(const LpState& state, SignedRow row) {
  const std::size_t m = rows_.stride;
  const double* g = rows_.row(static_cast<std::size_t>(row.row));
  for (std::size_t k = 0; k < m; ++k) z_[k] = row.sign * g[k];
  std::fill(r_.begin(), r_.end(), 0.0);
  const double length = rows_.norm[static_cast<std::size_t>(row.row)];
  for (int pass = 0; pass < 2; ++pass) {
    kernels_.coefficients(state.inverse.data(), m, rows_.dim, state.active, z_.data(),
                          part_.data());
    zz_ = kernels_.subtract(rows_, state.rows.data(), state.active, part_.data(), z_.data());
    for (std::size_t i = 0; i < m; ++i) r_[i] += part_[i];
    if (zz_ > kReorthogonalise * length * length) break;
  }
  if (zz_ <= kDependent * kDependent * length * length || state.active >= rows_.dim) zz_ = 0;
}

SmallLp::Answer SmallLp::include(LpState& state, SignedRow row) {
  const auto h = static_cast<std::size_t>(row.row);
  const double* g = rows_.row(h);
  const double length = rows_.norm[h];
  double multiplier = 0;
  for (std::size_t round = 0; round <= rows_.dim; ++round) {
    ++effort_.steps;
    project(state, row);
    double blocked = kInfinite;
    std::size_t at = 0;
    for (std::size_t i = 0; i < state.active; ++i) {
      const double scale = rows_.norm[static_cast<std::size_t>(state.rows[i].row)];
      if (r_[i] * scale > kNoMultiplier * length && state.u[i] < blocked * r_[i]) {
        blocked = state.u[i] / r_[i];
        at = i;
      }
    }
    const double missing = length - row.sign * kernels_.dot(g, state.x.data(), rows_.stride);
    const double full = zz_ > 0 ? missing / zz_ : kInfinite;
    const double step = std::min(blocked, full);
    if (step == kInfinite) return conclude_empty(state, row);
    if (!(step >= 0)) return full < 0 ? Answer::kInterior : Answer::kUnknown;
    for (std::size_t i = 0; i < state.active; ++i)
      state.u[i] = std::max(0.0, state.u[i] - step * r_[i]);
    multiplier += step;
    if (zz_ > 0) add_multiple(state.x.data(), step, z_.data(), rows_.stride);
    if (full <= blocked) {
      append(state, row, multiplier);
      return Answer::kInterior;
    }
    drop(state, at);
  }
  return Answer::kUnknown;
}

// p_h = z / |z|^2, and the others become orthogonal to the new row.
void SmallLp::append(LpState& state, SignedRow row, double multiplier) {
  const std::size_t m = rows_.stride;
  for (std::size_t k = 0; k < m; ++k) part_[k] = z_[k] / zz_;
  kernels_.append(state.inverse.data(), m, rows_.dim, state.active, r_.data(), part_.data());
  state.u[state.active] = multiplier;
  state.rows[state.active++] = row;
}

// The others lose their part along p_at, which leaves the span.
void SmallLp::drop(LpState& state, std::size_t at) {
  const std::size_t m = rows_.stride;
  double* inverse = state.inverse.data();
  for (std::size_t k = 0; k < rows_.dim; ++k) gone_[k] = inverse[k * m + at];
  kernels_.coefficients(inverse, m, rows_.dim, state.active, gone_.data(), part_.data());
  const double square = part_[at];
  for (std::size_t i = 0; i < m; ++i) part_[i] = i == at ? 0.0 : part_[i] / square;
  kernels_.remove(inverse, m, rows_.dim, state.active, part_.data(), gone_.data());
  const std::size_t last = --state.active;
  for (std::size_t k = 0; k < rows_.dim; ++k) {
    inverse[k * m + at] = inverse[k * m + last];
    inverse[k * m + last] = 0.0;
  }
  state.u[at] = state.u[last];
  state.rows[at] = state.rows[last];
}

// row = sum r_i g_i without positive r_i: the row and those with negative r_i are dependent.
SmallLp::Answer SmallLp::conclude_empty(const LpState& state, SignedRow row) {
  support_.clear();
  multipliers_.clear();
  const double length = rows_.norm[static_cast<std::size_t>(row.row)];
  for (std::size_t i = 0; i < state.active; ++i) {
    const double scale = rows_.norm[static_cast<std::size_t>(state.rows[i].row)];
    if (r_[i] * scale < -kNoMultiplier * length) {
      support_.push_back(state.rows[i]);
      multipliers_.push_back(-r_[i]);
    }
  }
  support_.push_back(row);
  multipliers_.push_back(1.0);
  return Answer::kEmpty;
}

bool SmallLp::proves_empty(const LpState& state) const {
  if (rows_.integral && integral_dependence()) return true;
  return proves_only_zero(state);
}

bool SmallLp::proves_only_zero(const LpState& state) const {
  return support_.size() == rows_.dim + 1 && bounded_dependence(state);
}

// Structural dependences have small integer multipliers: guess them, and verify the sum, which
// doubles hold exactly as long as it stays below 2^53.
bool SmallLp::integral_dependence() const {
  double least = kInfinite, most = 0;
  for (const double y : multipliers_) {
    least = std::min(least, y);
    most = std::max(most, y);
  }
  constexpr int kDenominators = 12;
  constexpr double kLargestMultiplier = 0x1p30;
  if (!(most / least * kDenominators < kLargestMultiplier)) return false;
  for (int q = 1; q <= kDenominators; ++q) {
    bool whole = true;
    for (const double y : multipliers_) {
      const double scaled = q * y / least;
      whole = whole && std::abs(scaled - std::nearbyint(scaled)) < 1e-6 * scaled;
    }
    if (!whole) continue;
    for (std::size_t k = 0; k < rows_.dim; ++k) {
      double sum = 0, size = 0;
      for (std::size_t j = 0; j < support_.size(); ++j) {
        const double y = std::nearbyint(q * multipliers_[j] / least);
        const double term = y * rows_.row(static_cast<std::size_t>(support_[j].row))[k];
        sum += support_[j].sign * term;
        size += std::abs(term);
      }
      if (sum != 0 || size > 0x1p52) return false;
    }
    return true;
  }
  return false;
}

// dim active rows, N with rows g_i, X with columns p_i, E = 1 - N X. The true coefficients of the
// row h are r = h N^-1, so r (1 - E) = h X and |r - h X|_max <= e |h X|_max / (1 - e) where e
// bounds the column sums of |E|. Rounding, and the error of the rows, enter through
// ConeRows::bound.
bool SmallLp::bounded_dependence(const LpState& state) const {
  const std::size_t m = rows_.stride, count = rows_.dim;
  const SignedRow row = support_.back();
  const auto h = static_cast<std::size_t>(row.row);
  if (!(rows_.bound[h] < kInfinite)) return false;
  double e = 0, largest = 0, rounding = 0;
  std::vector<double> column(m, 0.0);
  const double* p = column.data();
  for (std::size_t j = 0; j < count; ++j) {
    for (std::size_t k = 0; k < count; ++k) column[k] = state.inverse[k * m + j];
    const double size = size_of(p);
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto a = static_cast<std::size_t>(state.rows[i].row);
      const double product = state.rows[i].sign * kernels_.dot(rows_.row(a), p, m);
      sum += std::abs(product - (i == j ? 1.0 : 0.0)) + rows_.bound[a] * size;
    }
    if (!(sum < 0.5)) return false;  // NaN, too, which std::max would lose
    e = std::max(e, sum);
    const double r = row.sign * kernels_.dot(rows_.row(h), p, m);
    proof_[j] = r;
    largest = std::max(largest, std::abs(r));
    rounding = std::max(rounding, rows_.bound[h] * size);
  }
  e *= 1.0001;
  if (!(e < 0.5)) return false;
  const double error = 1.0001 * (rounding + e / (1 - e) * (largest + rounding));
  for (std::size_t j = 0; j < count; ++j)
    if (!(proof_[j] < -error)) return false;
  return true;
}

}  // namespace linear_regions::arrangement
