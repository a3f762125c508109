// SPDX-License-Identifier: MIT
// Refutations: proofs that no point of the domain has certain signs of units, kept as bit masks and
// valid in every cell of a network of ReLU layers whose signs they name.
//
// Notation: z_i the pre-activation of a unit, a_i = max(z_i, 0), W and b the weights and biases of
// its layer. A refutation in layer l has *multipliers* m_i, one per unit of the layers 0 .. l. In
// layer l, m_i = y_i s_i with y_i >= 0, and the claim is that G = sum y_i s_i z_i is negative
// wherever the masks' signs hold. Going down, with c_j = sum m_i W_ij,
//     sum m_i z_i = sum c_j a_j + sum m_i b_i,
//     c_j a_j <= m_j z_j   where z_j >= 0, if m_j >= c_j;   where z_j <= 0, if m_j <= 0,
// so G <= sum m_j z_j + constant for every sign of unit j that m_j allows, which may be both. At
// the bottom z_j is an affine function on the domain, and so is the bound; it is negative
// everywhere if its value at the centre is below minus the sum of its slopes times the reach of
// the coordinates. Then s_i z_i >= 0 for all i with y_i > 0 is impossible wherever the upstream
// units have signs that are allowed. On an unbounded domain this needs slopes that are exactly
// zero: where c_j <= 0, m_j = 0 is right for both signs of unit j, so a sum that the layer below
// settles alone has no slopes at all. If such a bound is exactly zero, G <= 0 still excludes that
// one of the signs holds strictly, which is what questions are about.
//
// The multipliers come from a linear program in one cell (s_j = +: m_j = c_j + y_j; s_j = -:
// m_j = -y_j), and are right for every cell whose signs are allowed. Nothing that the program
// computes needs to be trusted: y_i >= 0 is all that is used, the rest is computed anew, with error
// bounds.
//
// Cost: one pass back through the weights for a new one; to look one up, some word operations each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "linear_regions/sign_vector.hpp"

namespace linear_regions {

struct TreeRoot;

// A unit's row in the dependence, with the sign it has; multipliers of the same unit are added up.
struct RefutedSign {
  int split;
  std::int32_t unit;
  int sign;
  double multiplier;
};

class Refutations {
 public:
  explicit Refutations(const TreeRoot& root);

  // False for networks that the argument above does not cover; nothing else may be called then.
  bool usable() const { return usable_; }
  // Has every coordinate a reach?
  bool bounded() const { return bounded_; }

  // The signs of the current path. A unit that is zero counts as negative.
  void enter(int split);
  void know(int split, std::int32_t unit, bool positive) {
    set_sign(known_.data(), literal(split, unit, positive));
  }
  void forget(int split, std::int32_t unit) {
    clear_sign(known_.data(), literal(split, unit, false));
    clear_sign(known_.data(), literal(split, unit, true));
  }

  bool on(int split, std::int32_t unit) const { return knows(literal(split, unit, true)); }

  // Is the sign of the unit impossible on the current path?
  bool refutes(int split, std::int32_t unit, bool positive);
  // Keeps what follows from the dependence on the current path, whose highest layer is `split`;
  // false where it proves nothing.
  bool add(int split, std::span<const RefutedSign> signs);

 private:
  // Refutations of one sign of a unit: the masks of the literals that they need beside it.
  struct List {
    std::size_t used = 0;
    std::vector<Word> needed;
  };
  // A sign of a unit as a number: two for every unit, in the order of the layers.
  std::size_t literal(int split, std::int32_t unit, bool positive) const {
    return 2 * (first_[static_cast<std::size_t>(split)] + static_cast<std::size_t>(unit)) +
           (positive ? 1 : 0);
  }
  std::size_t words_to(int split) const {
    return word_count(2 * first_[static_cast<std::size_t>(split) + 1]);
  }
  bool knows(std::size_t literal) const { return get_sign(known_.data(), literal); }
  const double* rows_of_first_layer() const;
  void bound_first_layer();
  bool bound_below(int split);
  bool negative_on_domain();
  std::pair<double, double> relaxed(std::size_t unit) const;
  double price(std::size_t unit) const;
  void widen();

  const TreeRoot& root_;
  bool usable_ = false, bounded_ = false;
  std::vector<std::size_t> first_;  // per split: number of units before it; and the end
  std::vector<Word> known_, needed_;
  std::vector<std::vector<double>> multiplier_, given_;  // per split and unit
  double constant_ = 0, sizes_ = 0;  // the constant of the bound, and the sizes that it sums up
  bool no_constant_ = true;          // exactly zero, all its terms are
  double most_ = 0;                  // of the bound on the domain
  std::vector<double> slope_;        // its slopes
  // First layer: the pre-activations' bounds on the domain, and upper bounds of c.
  std::vector<double> low_, high_, coefficient_;
  std::vector<std::pair<double, std::int32_t>> prices_;
  std::vector<std::int32_t> freed_;
  std::vector<List> lists_;  // per literal
  std::size_t room_ = 0;
};

}  // namespace linear_regions
