// SPDX-License-Identifier: MIT
// Questions about the current cell, and the proofs of their answers.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "deep/tree.hpp"
#include "linear_regions/sign_vector.hpp"

namespace linear_regions {
namespace {

using arrangement::ExactLp;
using arrangement::SignedRow;
using arrangement::SmallLp;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kTiny = 0x1p-900;  // more than underflow may cost
// A step from a witness is taken if every row keeps this share of its norm on the other side.
constexpr double kKept = 0.1;
// Of the length of a row, what is taken for rounding of a multiple of another, and of a sum. Proofs
// do not rely on it.
constexpr double kNoMultiplier = 1e-12, kNoPart = 1e-9;
// What a layer cell remembers, at most.
constexpr std::size_t kMostPoints = 128, kMostCircuits = 128;
// Rounding an exact witness times these tries that many directions near it.
constexpr unsigned kFactors[] = {1, 3, 5, 7, 9, 11, 13, 15};

}  // namespace

std::vector<std::string> Tree::Source::exact_row(std::size_t i) const {
  tree_.path_rows_[i].asked = true;
  return tree_.exact_.row_text(tree_.path_rows_[i].line);
}

// Rows are scaled by a power of two to a largest entry near one. A row that doubles cannot hold is
// replaced by one of which nothing is certain; then everything about it is decided exactly. An
// error is NaN where a weight of zero met one that is infinite.
std::size_t Tree::push_row(const double* row, const Line& line, std::int32_t member, int sign) {
  const std::size_t d = width_ - 2;
  int shift = 0;
  double largest = 0, error = std::isnan(row[d + 1]) ? kInfinity : row[d + 1];
  bool usable = true, tiny = false;
  for (std::size_t k = 0; k <= d; ++k) {
    usable = usable && std::isfinite(row[k]);
    largest = std::max(largest, std::fabs(row[k]));
  }
  usable = usable && largest > 0x1p-900 && largest < 0x1p900;
  row_.assign(d + 1, 0.0);
  if (usable) {
    shift = -std::ilogb(largest);
    const double factor = std::ldexp(1.0, shift);  // exact where no entry becomes tiny
    for (std::size_t k = 0; k <= d; ++k) {
      row_[k] = row[k] * factor;
      tiny = tiny || (row[k] != 0.0 && std::fabs(row_[k]) < kTiny);
    }
    error = error * factor + (tiny ? kTiny : 0.0);
  } else {
    row_[d] = 1.0;
    error = kInfinity;
  }
  const std::size_t i = rows_.push(row_.data(), error);
  path_rows_.push_back({line, shift, member, false});
  weight_[i] = sign * rows_.inverse_norm[i];
  return i;
}

void Tree::truncate(std::size_t rows) {
  while (rows_.n > rows) {
    --rows_.n;
    weight_[rows_.n] = 0;
    if (path_rows_.back().asked) exact_lp_.forget(rows_.n);
    path_rows_.pop_back();
  }
}

void Tree::set_sign(std::size_t row, int sign) {
  weight_[row] = sign * rows_.inverse_norm[row];
}

double Tree::value_at(std::size_t row, const double* x) const {
  const double* r = rows_.row(row);
  double sum = 0;
  for (std::size_t k = 0; k < rows_.dim; ++k) sum += r[k] * x[k];
  return sum;
}

// Zero means exactly zero, or in floating point that nobody knows.
int Tree::sign_at_witness(std::size_t row) {
  if (now_.exact == nullptr) {
    const double value = value_at(row, now_.x.data());
    if (std::fabs(value) > rows_.bound[row] * lp_.size_of(now_.x.data())) return value > 0 ? 1 : -1;
    if (root_.arithmetic == Arithmetic::kFloat) return 0;
  }
  ++work_.exact_signs;
  return now_.exact != nullptr ? exact_lp_.sign_at(row, *now_.exact)
                               : exact_lp_.sign_at(row, now_.x.data());
}

// Sign of a row of maps at a point of this size, as ConeRows bounds it; 0 where that leaves it
// open, or a partial sum may overflow.
int Tree::sign_at(const double* row, const double* x, double size) const {
  double value = 0, norm = 0;
  for (std::size_t k = 0; k + 1 < width_; ++k) {
    value += row[k] * x[k];
    norm = std::max(norm, std::fabs(row[k]));
  }
  const double error = row[width_ - 1];
  if (!((norm + error) * size < kLargest)) return 0;
  const double bound =
      ((2.0 * static_cast<double>(width_) + 8) * arrangement::kRounding * (norm + error) +
       error * 1.0001) *
          size +
      kTiny;
  return value > bound ? 1 : value < -bound ? -1 : 0;
}

// Has the cell a point where the last row has this sign? Leaves it, with a proof, in found_.
bool Tree::exists(std::size_t row, int sign) {
  const PathRow& asked = path_rows_[row];
  return !impossible(asked.line.first, asked.member, sign) && search(row, sign);
}

// Is a proof known that a cut of the split (a member, or -1) has not this sign on the current cell?
bool Tree::impossible(std::int32_t cut, std::int32_t member, int sign) {
  bool known = refutations_.usable() && refutations_.refutes(split_, cut, sign > 0);
  if (!known && member >= 0 && !(refutations_.usable() && refutations_.bounded()))
    known = known_impossible(static_cast<std::size_t>(member), sign);
  work_.questions += known;
  work_.circuits_reused += known;
  return known;
}

// The same question without known proofs of a "no".
bool Tree::search(std::size_t row, int sign) {
  ++work_.questions;
  const std::int32_t member = path_rows_[row].member;
  if (member >= 0 && known_point(static_cast<std::size_t>(member), sign)) {
    ++work_.points_reused;
    return true;
  }
  weight_[row] = 0;
  if (step_across(row, sign)) {
    ++work_.points_reused;
    note_point(found_.x);
    return true;
  }
  refresh();
  set_sign(row, sign);
  const bool found = solve(static_cast<std::int32_t>(row));
  if (found && found_.exact == nullptr) note_point(found_.x);
  weight_[row] = 0;
  return found;
}

// The state that programs start from, made optimal for all rows of the path once rows were added.
void Tree::refresh() {
  if (fresh_) return;
  fresh_ = true;
  found_state_ = state_;
  if (lp_.solve(found_state_, weight_.data()) == SmallLp::Answer::kInterior)
    std::swap(state_, found_state_);
}

bool Tree::known_impossible(std::size_t member, int sign) {
  const TreeLayer& layer = layers_[static_cast<std::size_t>(split_)];
  for (const auto& c : known_[static_cast<std::size_t>(split_)].circuits.all()) {
    if (!get_sign(c.first.data(), member) || get_sign(c.second.data(), member) != (sign > 0))
      continue;
    bool holds = true;
    for (std::size_t w = 0; w < c.first.size() && holds; ++w) {
      std::uint64_t mask = c.first[w];
      if (w == member >> 6) mask &= ~(std::uint64_t{1} << (member & 63));
      // Only members before the one in question are decided.
      const std::uint64_t decided = layer.k >= 64 * (w + 1) ? ~std::uint64_t{0}
                                    : layer.k > 64 * w
                                        ? (std::uint64_t{1} << (layer.k - 64 * w)) - 1
                                        : 0;
      holds = (mask & ~decided) == 0 && ((c.second[w] ^ layer.member_on[w]) & mask) == 0;
    }
    if (holds) return true;
  }
  return false;
}

bool Tree::known_point(std::size_t member, int sign) {
  const TreeLayer& layer = layers_[static_cast<std::size_t>(split_)];
  for (const auto& p : known_[static_cast<std::size_t>(split_)].points.all()) {
    if (!get_sign((sign > 0 ? p.first : p.second).data(), member)) continue;
    bool inside = true;
    for (std::size_t w = 0; w < layer.bounds.size() && inside; ++w) {
      const std::uint64_t on = layer.member_on[w];
      inside = (layer.bounds[w] & ~((p.first[w] & on) | (p.second[w] & ~on))) == 0;
    }
    if (!inside) continue;
    found_.x = p.x;
    found_.exact = nullptr;
    found_state_ = state_;
    found_fresh_ = false;
    return true;
  }
  return false;
}

// Signs of the members at a point of the layer cell, where doubles know them.
void Tree::note_point(const std::vector<double>& x) {
  const auto s = static_cast<std::size_t>(split_);
  if (!pointwise(split_) || layers_[s].m == 0) return;
  const std::size_t m = layers_[s].m, words = (m + 63) / 64;
  Known::Signs* p = &known_[s].points.take(kMostPoints);
  p->x = x;
  p->first.assign(words, 0);
  p->second.assign(words, 0);
  const double size = lp_.size_of(x.data());
  for (std::size_t i = 0; i < m; ++i) {
    const int sign = sign_at(member_rows_[s].data() + i * width_, x.data(), size);
    if (sign != 0) put_bit(sign > 0 ? p->first : p->second, i, true);
  }
}

// Rows of earlier layers and of the domain hold in the whole layer cell: only members matter.
void Tree::note_circuit(std::span<const SignedRow> support) {
  const auto s = static_cast<std::size_t>(split_);
  if (!pointwise(split_) || layers_[s].m == 0) return;
  const std::size_t words = (layers_[s].m + 63) / 64;
  Known::Signs circuit;
  circuit.first.assign(words, 0);
  circuit.second.assign(words, 0);
  bool any = false;
  for (const SignedRow& r : support) {
    const PathRow& row = path_rows_[static_cast<std::size_t>(r.row)];
    if (row.member < 0 || row.line.split != split_) continue;
    any = true;
    put_bit(circuit.first, static_cast<std::size_t>(row.member), true);
    if (r.sign > 0) put_bit(circuit.second, static_cast<std::size_t>(row.member), true);
  }
  if (!any) return;
  known_[s].circuits.take(kMostCircuits) = std::move(circuit);
}

// From the witness x along the row's normal: x + t s v, where every row of the path stays positive.
bool Tree::step_across(std::size_t row, int sign) {
  if (now_.exact != nullptr) return false;
  const double norm = rows_.norm[row], inverse = rows_.inverse_norm[row];
  lp_.evaluate(now_.x.data(), values_.data());
  lp_.evaluate(rows_.row(row), across_.data());
  const double least = (kKept - sign * values_[row] * inverse) * inverse;  // of t
  double most = std::max(2 * least, least + inverse);
  for (std::size_t i = 0; i < rows_.n; ++i) {
    const double slope = -sign * weight_[i] * across_[i];
    if (slope > 0) most = std::min(most, (weight_[i] * values_[i] - kKept) / slope);
  }
  if (!(most > least)) return false;
  const double t = sign * (least + most) / 2;
  found_.x = now_.x;
  for (std::size_t k = 0; k < rows_.dim; ++k) found_.x[k] += t * rows_.row(row)[k];
  lp_.evaluate(found_.x.data(), across_.data());
  weight_[row] = sign / norm;
  const bool proved = accept(found_.x.data(), across_.data());
  weight_[row] = 0;
  if (!proved) return false;
  found_.exact = nullptr;
  found_state_ = state_;
  found_fresh_ = false;
  return true;
}

// Is it proved that all rows with a weight are positive at x?
bool Tree::accept(const double* x, const double* values) {
  if (root_.arithmetic == Arithmetic::kFloat) return true;
  return lp_.holds(weight_.data(), values, lp_.size_of(x));
}

// Is there a point at which all rows with a weight are positive? A program that starts with row
// `first`.
bool Tree::solve(std::int32_t first) {
  found_state_ = state_;
  const SmallLp::Answer answer = lp_.solve(found_state_, weight_.data(), first);
  found_.exact = nullptr;
  if (answer == SmallLp::Answer::kInterior && accept(found_state_.x.data(), lp_.values())) {
    found_.x = found_state_.x;
    found_fresh_ = true;
    return true;
  }
  if (root_.arithmetic == Arithmetic::kFloat) return false;
  if (answer == SmallLp::Answer::kEmpty) {
    if (refutes()) return false;
    if (proves_empty() || lp_.proves_empty(found_state_)) {
      note_circuit(lp_.support());
      return false;
    }
    ++work_.exact_lps;
    const ExactLp::Outcome outcome = exact_lp_.solve(lp_.support());
    if (outcome.interior == nullptr) {
      note_circuit(outcome.support);
      return false;
    }
  }
  return solve_exactly(first);
}

// Multipliers of a dependence that leaves a margin: with w = sum t_i g_i in terms of the active
// rows, row = sum r_i g_i gives row + sum (-r_i - e t_i) g_i = -e w, for the largest e that leaves
// no factor negative. In a bounded domain w = e_0, the row of x_0. Elsewhere w is that plus the
// units below that are on, so that their coefficients c_j are negative, not zero up to rounding.
bool Tree::refutes() {
  if (!refutations_.usable() || (split_ == 0 && !refutations_.bounded())) return false;
  const std::size_t d = width_ - 2, stride = rows_.stride;
  slack_.clear();
  refuted_.clear();
  target_.assign(d + 1, 0.0);
  target_[d] = 1.0;
  if (!refutations_.bounded()) add_units_below();
  double size = 0;
  for (const double v : target_) size += std::fabs(v);
  const auto r = lp_.coefficients();
  const double length = rows_.norm[static_cast<std::size_t>(lp_.support().back().row)];
  double e = kInfinity;
  along_.assign(found_state_.active, 0.0);
  residual_ = target_;
  for (std::size_t i = 0; i < found_state_.active; ++i) {
    const SignedRow& active = found_state_.rows[i];
    const auto row = static_cast<std::size_t>(active.row);
    double t = 0;
    for (std::size_t k = 0; k <= d; ++k)
      if (target_[k] != 0.0) t += target_[k] * found_state_.inverse[k * stride + i];
    along_[i] = t;
    for (std::size_t k = 0; k <= d; ++k) residual_[k] -= t * active.sign * rows_.row(row)[k];
    if (t * rows_.norm[row] > kNoPart * size) e = std::min(e, std::max(0.0, -r[i]) / t);
  }
  for (const double v : residual_)
    if (std::fabs(v) > kNoPart * size) e = 0;  // w is not in the span
  if (e == kInfinity) e = 0;
  const auto put = [&](SignedRow row, double y) {
    const auto i = static_cast<std::size_t>(row.row);
    const PathRow& p = path_rows_[i];
    if (p.line.kind == Line::Kind::kCut && y * rows_.norm[i] > kNoMultiplier * length)
      refuted_.push_back({p.line.split, p.line.first, row.sign, std::ldexp(y, p.shift)});
  };
  put(lp_.support().back(), 1.0);
  for (std::size_t i = 0; i < found_state_.active; ++i)
    put(found_state_.rows[i], std::max(0.0, -r[i]) - e * along_[i]);
  if (e > 0)
    for (RefutedSign unit : slack_) {
      unit.multiplier *= e;
      refuted_.push_back(unit);
    }
  return refutations_.add(split_, refuted_);
}

// Adds the rows of the units below the split that are on, each divided by its length.
void Tree::add_units_below() {
  const std::size_t d = width_ - 2;
  below_row_.resize(width_);
  for (int s = 0; s < split_; ++s) {
    const auto cuts = static_cast<std::int32_t>(tape_.split(s).pointwise.unit_of_cut.size());
    for (std::int32_t u = 0; u < cuts; ++u) {
      if (!refutations_.on(s, u)) continue;
      cut_row(s, u, below_row_.data());
      double squares = 0;
      for (std::size_t k = 0; k <= d; ++k) squares += below_row_[k] * below_row_[k];
      const double weight = 1 / std::sqrt(squares);
      if (!std::isfinite(weight) || weight < 0x1p-200) continue;
      for (std::size_t k = 0; k <= d; ++k) target_[k] += weight * below_row_[k];
      slack_.push_back({s, u, 1, weight});
    }
  }
}

// The support's rows times their multipliers, summed up: where the sum is negative on the whole
// domain, no point has them all positive. Holds for any multipliers >= 0, so only the sum's
// rounding and the rows' errors need a bound. The row at infinity (x_0 > 0) only adds a positive
// constant and is left out.
bool Tree::proves_empty() {
  const auto support = lp_.support();
  const auto y = lp_.multipliers();
  const std::size_t d = width_ - 2;
  row_.assign(d + 1, 0.0);
  double sizes = 0, doubt = 0;
  for (std::size_t i = 0; i < support.size(); ++i) {
    const auto r = static_cast<std::size_t>(support[i].row);
    if (path_rows_[r].line.kind == Line::Kind::kInfinity) continue;
    const double* row = rows_.row(r);
    const double factor = support[i].sign * y[i];
    for (std::size_t k = 0; k <= d; ++k) {
      if (row[k] == 0.0) continue;
      row_[k] += factor * row[k];
      sizes += y[i] * std::fabs(row[k]) * (k < d ? std::max(1.0, root_.reach[k]) : 1.0);
    }
    doubt += y[i] * rows_.bound[r];
  }
  double most = row_[d];
  for (std::size_t k = 0; k < d; ++k)
    if (row_[k] != 0.0) most += std::fabs(row_[k]) * root_.reach[k];
  const double terms = static_cast<double>(support.size() + 2 * d + 16);
  most +=
      1.01 * terms * arrangement::kRounding * sizes + 1.01 * doubt * root_.largest_reach + kTiny;
  return most < 0;
}

// All rows with a weight, exactly; `first` and those of the last state go first. A point goes to
// found_, as doubles if some near it are proved to lie inside.
bool Tree::solve_exactly(std::int32_t first) {
  std::vector<SignedRow> cone;
  std::vector<bool> taken(rows_.n, false);
  const auto put = [&](std::size_t i) {
    if (weight_[i] == 0 || taken[i]) return;
    taken[i] = true;
    cone.push_back({static_cast<std::int32_t>(i), weight_[i] < 0 ? -1 : 1});
  };
  if (first >= 0) put(static_cast<std::size_t>(first));
  for (std::size_t j = 0; j < found_state_.active; ++j)
    put(static_cast<std::size_t>(found_state_.rows[j].row));
  for (std::size_t i = 0; i < rows_.n; ++i) put(i);
  ++work_.exact_lps;
  const ExactLp::Outcome outcome = exact_lp_.solve(cone);
  if (outcome.interior == nullptr) {
    note_circuit(outcome.support);
    return false;
  }
  found_state_ = state_;
  found_fresh_ = false;
  found_.x.assign(rows_.stride, 0.0);
  for (const unsigned factor : kFactors) {
    ExactLp::round(*outcome.interior, factor, found_.x.data());
    lp_.evaluate(found_.x.data(), values_.data());
    if (lp_.holds(weight_.data(), values_.data(), lp_.size_of(found_.x.data()))) {
      found_.exact = nullptr;
      return true;
    }
  }
  found_.exact = outcome.interior;
  return true;
}

}  // namespace linear_regions
