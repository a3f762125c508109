// SPDX-License-Identifier: MIT
#include "deep/tree_refutations.hpp"

#include <algorithm>
#include <cmath>

#include "deep/tree.hpp"
#include "polygon.hpp"

namespace linear_regions {
namespace {

constexpr double kTiny = 0x1p-900;
// Of the margin, what widening leaves.
constexpr double kLeft = 0.05;
// Multipliers below this share of what they are the difference of are taken for zero.
constexpr double kNone = 1e-10;
constexpr std::size_t kMost = 128, kLeast = 4, kBytes = std::size_t{1} << 23;

// A ReLU layer that follows the one before it through one dense operation. What lies before the
// first layer does not matter: its rows on the domain are known.
bool covers(const Tape& tape, int split) {
  const Op& op = tape.split(split);
  if (op.kind != OpKind::kPointwise || !op.pointwise.is_relu) return false;
  if (split == 0) return true;
  const int producer = tape.slots()[static_cast<std::size_t>(op.inputs[0])].producer;
  if (producer < 0) return false;
  const Op& before = tape.ops()[static_cast<std::size_t>(producer)];
  return before.kind == OpKind::kDense && before.inputs.size() == 1 &&
         before.inputs[0] == tape.split(split - 1).output;
}

// Is a product not zero? (Those of doubles may underflow.)
bool meets(const std::vector<double>& m, const double* weight) {
  for (std::size_t i = 0; i < m.size(); ++i)
    if (m[i] != 0.0 && weight[i] != 0.0) return true;
  return false;
}

const Op& dense_before(const Tape& tape, int split) {
  const int slot = tape.split(split).inputs[0];
  return tape
      .ops()[static_cast<std::size_t>(tape.slots()[static_cast<std::size_t>(slot)].producer)];
}

}  // namespace

Refutations::Refutations(const TreeRoot& root) : root_(root) {
  const Tape& tape = root.tape;
  usable_ = tape.moderate() && !tape.splits().empty();
  bounded_ =
      std::all_of(root.reach.begin(), root.reach.end(), [](double r) { return std::isfinite(r); });
  std::size_t units = 0;
  for (std::size_t s = 0; s < tape.splits().size() && usable_; ++s) {
    const int split = static_cast<int>(s);
    usable_ = covers(tape, split);
    const auto n = tape.slots()[static_cast<std::size_t>(tape.split(split).output)].size;
    first_.push_back(units);
    multiplier_.emplace_back(n, 0.0);
    given_.emplace_back(n, 0.0);
    units += n;
  }
  if (!usable_) return;
  first_.push_back(units);
  known_.assign(word_count(2 * units), 0);
  needed_ = known_;
  lists_.resize(2 * units);
  room_ = std::clamp(kBytes / (lists_.size() * known_.size() * sizeof(Word) + 1), kLeast, kMost);
  slope_.assign(root.place.dim, 0.0);
  coefficient_.assign(multiplier_[0].size(), 0.0);
  if (bounded_) bound_first_layer();
}

const double* Refutations::rows_of_first_layer() const {
  return root_.first_block.data() +
         root_.tape.offset(root_.tape.split(0).inputs[0]) / 4 * (root_.place.dim + 2);
}

void Refutations::bound_first_layer() {
  const std::size_t n = multiplier_[0].size(), d = root_.place.dim, lead = padded(n);
  const double* map = rows_of_first_layer();
  low_ = high_ = coefficient_;
  for (std::size_t j = 0; j < n; ++j) {
    const double middle = map[d * lead + j];
    double radius = map[(d + 1) * lead + j] * root_.largest_reach;
    for (std::size_t k = 0; k < d; ++k) radius += std::fabs(map[k * lead + j]) * root_.reach[k];
    radius += static_cast<double>(d + 8) * 2 * kUlp * (std::fabs(middle) + radius) + kTiny;
    low_[j] = middle - radius;
    high_[j] = middle + radius;
  }
}

void Refutations::enter(int split) {
  const auto s = static_cast<std::size_t>(split);
  for (std::size_t i = 2 * first_[s]; i < 2 * first_[s + 1];) {
    if (i % kWordBits == 0 && i + kWordBits <= 2 * first_[s + 1]) {
      known_[i / kWordBits] = 0;
      i += kWordBits;
    } else {
      clear_sign(known_.data(), i++);
    }
  }
}

bool Refutations::refutes(int split, std::int32_t unit, bool positive) {
  List& list = lists_[literal(split, unit, positive)];
  const std::size_t words = words_to(split);
  Word* const first = list.needed.data();
  const Word* known = known_.data();
  for (std::size_t e = 0; e < list.used; ++e) {
    Word* entry = first + e * words;
    if ((entry[0] & ~known[0]) != 0) continue;
    Word missing = 0;
    for (std::size_t w = 1; w < words; ++w) missing |= entry[w] & ~known[w];
    if (missing != 0) continue;
    // Useful ones move towards the front, by half the way.
    const std::size_t to = e / 2;
    if (to != e) std::swap_ranges(entry, entry + words, first + to * words);
    return true;
  }
  return false;
}

bool Refutations::add(int split, std::span<const RefutedSign> signs) {
  // No sign is needed where sides of a thin domain alone seem dependent: that refutes nothing.
  if (std::none_of(signs.begin(), signs.end(), [](const auto& r) { return r.multiplier > 0; }))
    return false;
  const auto top = static_cast<std::size_t>(split);
  for (std::size_t s = 0; s <= top; ++s) std::fill(given_[s].begin(), given_[s].end(), 0.0);
  std::fill(multiplier_[top].begin(), multiplier_[top].end(), 0.0);
  std::fill(needed_.begin(), needed_.end(), Word{0});
  for (const RefutedSign& r : signs) {
    const auto s = static_cast<std::size_t>(r.split), u = static_cast<std::size_t>(r.unit);
    given_[s][u] += r.multiplier;
    if (s != top || r.multiplier == 0.0) continue;
    multiplier_[top][u] = r.sign * r.multiplier;
    set_sign(needed_.data(), literal(split, r.unit, r.sign > 0));
  }
  constant_ = sizes_ = 0;
  no_constant_ = true;
  for (int s = split; s > 0; --s)
    if (!bound_below(s)) return false;
  if (!negative_on_domain()) return false;
  if (split > 0 && bounded_) widen();
  const std::size_t words = words_to(split);
  for (const RefutedSign& r : signs) {
    if (r.split != split || r.multiplier == 0.0) continue;
    const std::size_t own = literal(split, r.unit, r.sign > 0);
    List& list = lists_[own];
    // The last place is the least useful one.
    const std::size_t at = list.used < room_ ? list.used++ : room_ - 1;
    list.needed.resize(list.used * words);
    Word* entry = list.needed.data() + at * words;
    std::copy_n(needed_.begin(), words, entry);
    clear_sign(entry, own);
  }
  return true;
}

// From the multipliers of one layer to those of the layer before it, with the signs that they need.
bool Refutations::bound_below(int split) {
  const auto s = static_cast<std::size_t>(split);
  const Op& op = dense_before(root_.tape, split);
  const auto& m = multiplier_[s];
  auto& below = multiplier_[s - 1];
  const auto& y = given_[s - 1];
  const std::size_t n = m.size(), lead = padded(n);
  const double rounding = static_cast<double>(n + 8) * kUlp;
  if (std::all_of(m.begin(), m.end(), [](double v) { return v == 0.0; }) &&
      std::all_of(y.begin(), y.end(), [](double v) { return v == 0.0; })) {
    std::fill(below.begin(), below.end(), 0.0);
    std::fill(coefficient_.begin(), coefficient_.end(), 0.0);
    return true;
  }
  for (std::size_t i = 0; i < n; ++i) {
    constant_ += m[i] * op.bias[i];
    sizes_ += std::fabs(m[i] * op.bias[i]);
    no_constant_ = no_constant_ && (m[i] == 0.0 || op.bias[i] == 0.0);
  }
  for (std::size_t j = 0; j < below.size(); ++j) {
    const double* weight = op.dense.weight.data() + j * lead;
    double c = 0, size = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double term = m[i] * weight[i];
      c += term;
      size += std::fabs(term);
    }
    if (!std::isfinite(size)) return false;
    // No smaller than the true sum.
    const bool none = size == 0.0 && !meets(m, weight);
    const double upper = none ? 0.0 : c + (rounding * size + kTiny);
    const auto unit = static_cast<std::int32_t>(j);
    const std::size_t on = literal(split - 1, unit, true), off = on - 1;
    const bool is_on = knows(on);
    if (!is_on && !knows(off)) return false;
    below[j] = is_on ? upper + y[j] : -y[j];
    // Right for both signs, or for the one that the unit has.
    if (std::fabs(below[j]) <= kNone * (size + y[j]) && (!is_on || upper <= 0)) below[j] = 0;
    if (is_on && below[j] > 0) set_sign(needed_.data(), on);
    if (!is_on && below[j] < upper) set_sign(needed_.data(), off);
    if (split == 1) coefficient_[j] = upper;
  }
  return true;
}

// The bound's largest value on the domain, from above: negative, or exactly zero because every term
// is.
bool Refutations::negative_on_domain() {
  const std::size_t d = root_.place.dim, n = multiplier_[0].size(), lead = padded(n);
  const double* map = rows_of_first_layer();
  const auto& m = multiplier_[0];
  double sizes = sizes_, doubt = 0;
  most_ = constant_;
  if (std::all_of(m.begin(), m.end(), [](double v) { return v == 0.0; })) {
    std::fill(slope_.begin(), slope_.end(), 0.0);
    most_ += 1.01 * static_cast<double>(3 * first_.back() + 32) * kUlp * sizes + kTiny;
    return no_constant_ || most_ < 0;
  }
  if (!bounded_) return false;
  for (std::size_t k = 0; k <= d; ++k) {
    const double* column = map + k * lead;
    double sum = 0, size = 0;
    for (std::size_t j = 0; j < n; ++j) {
      const double term = m[j] * column[j];
      sum += term;
      size += std::fabs(term);
    }
    if (k < d) slope_[k] = sum;
    most_ += k == d ? sum : std::fabs(sum) * root_.reach[k];
    sizes += size * (k == d ? 1.0 : std::max(1.0, root_.reach[k]));
  }
  for (std::size_t j = 0; j < n; ++j) doubt += std::fabs(m[j]) * map[(d + 1) * lead + j];
  const double terms = static_cast<double>(2 * d + 32 + 3 * first_.back());
  most_ += 1.01 * terms * kUlp * sizes + 1.01 * doubt * root_.largest_reach + kTiny;
  return most_ < 0;
}

// Unit j of the first layer with either sign: c a <= m z + constant, by a chord of the ReLU between
// the pre-activation's bounds where c > 0. Any slope is right: a - slope z is largest at an end.
std::pair<double, double> Refutations::relaxed(std::size_t j) const {
  const double c = coefficient_[j];
  if (c <= 0) return {std::clamp(multiplier_[0][j], c, 0.0), 0.0};
  const double slope = std::clamp(high_[j] / (high_[j] - low_[j]), 0.0, 1.0), m = c * slope;
  const double most = std::max({-m * low_[j], c * high_[j] - m * high_[j], 0.0});
  return {m, most + 8 * kUlp * (c + m) * std::max(std::fabs(low_[j]), std::fabs(high_[j])) + kTiny};
}

// What that adds to the bound's largest value, about.
double Refutations::price(std::size_t j) const {
  const std::size_t d = root_.place.dim, lead = padded(multiplier_[0].size());
  const double* row = rows_of_first_layer() + j;
  const auto [to, constant] = relaxed(j);
  const double change = to - multiplier_[0][j];
  double sum = constant + change * row[d * lead];
  for (std::size_t k = 0; k < d; ++k)
    sum += (std::fabs(slope_[k] + change * row[k * lead]) - std::fabs(slope_[k])) * root_.reach[k];
  return sum;
}

// Spends the margin on units of the first layer that need no sign then, the cheapest ones first.
void Refutations::widen() {
  const std::size_t d = root_.place.dim, n = multiplier_[0].size(), lead = padded(n);
  const double* map = rows_of_first_layer();
  const double left = kLeft * most_;
  prices_.clear();
  for (std::size_t j = 0; j < n; ++j) {
    const std::size_t on = 2 * j + 1, off = 2 * j;
    if (!get_sign(needed_.data(), on) && !get_sign(needed_.data(), off)) continue;
    if (const double p = price(j); most_ + p < left)
      prices_.emplace_back(p, static_cast<std::int32_t>(j));
  }
  if (prices_.empty()) return;
  std::sort(prices_.begin(), prices_.end());
  freed_.clear();
  double most = most_;
  for (const auto& [first_price, unit] : prices_) {
    const auto j = static_cast<std::size_t>(unit);
    const double p = price(j);
    if (!(most + p < left)) continue;
    const auto [to, constant] = relaxed(j);
    const double change = to - multiplier_[0][j];
    for (std::size_t k = 0; k < d; ++k) slope_[k] += change * map[k * lead + j];
    multiplier_[0][j] = to;
    constant_ += constant;
    sizes_ += constant;
    most += p;
    freed_.push_back(unit);
  }
  // Nothing hangs on the estimates: the bound is taken anew.
  if (!negative_on_domain()) return;
  for (const std::int32_t unit : freed_) {
    clear_sign(needed_.data(), 2 * static_cast<std::size_t>(unit));
    clear_sign(needed_.data(), 2 * static_cast<std::size_t>(unit) + 1);
  }
}

}  // namespace linear_regions
