// SPDX-License-Identifier: MIT
// MapScan: the affine map of the network for one pattern after the other, in doubles with a proved
// bound of the error.
//
// The row of a unit has d + 1 coefficients and one bound e of the error of each. A sum of products
// gives e' = sum |w| e + gamma sum |w| N with N the largest coefficient in size and gamma =
// (terms + 8) 1.02 u, which covers products, sums and the bound itself. Where all numbers of a slot
// are multiples of 2^s and sum |w| N + |b| stays below 2^(52 + s), nothing was rounded and e' = 0:
// networks with small integers are exact in doubles.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "linear_regions/domain_frame.hpp"
#include "linear_regions/tape.hpp"
#include "regions/pattern_path.hpp"

namespace linear_regions {

class MapScan {
 public:
  MapScan(const Tape& tape, const DomainFrame& domain);

  // False where doubles say nothing: weights of extreme size.
  bool usable() const { return usable_; }
  void move_to(const std::uint64_t* pattern);
  std::size_t width() const { return width_; }
  // Coefficient k of output i (internal order), and the bound of its error.
  double value(std::size_t i, std::size_t k) const { return map_.back()[k * lead_of_output_ + i]; }
  double error(std::size_t i) const { return map_.back()[width_ * lead_of_output_ + i]; }
  // The same of entry i of any slot.
  double value(int slot, std::size_t i, std::size_t k) const {
    return map_[static_cast<std::size_t>(slot)][k * lead(slot) + i];
  }
  double error(int slot, std::size_t i) const {
    return map_[static_cast<std::size_t>(slot)][width_ * lead(slot) + i];
  }

 private:
  std::size_t lead(int slot) const {
    return padded(tape_.slots()[static_cast<std::size_t>(slot)].size);
  }
  void load_input(const DomainFrame& domain);
  void find_scale(const Op& op);
  void run(const Op& op, const std::uint64_t* pattern);
  void linear(const Op& op);
  void add_entry(const Op& op, std::size_t input, std::size_t j, double* out);
  void axpy(double* out, const double* weight, std::size_t n, std::size_t lead);
  void settle(const Op& op, double* out);
  void pointwise(const Op& op, const std::uint64_t* pattern);
  void max(const Op& op, const std::uint64_t* pattern);

  const Tape& tape_;
  PatternOrder order_;
  std::size_t width_;  // d + 1
  bool usable_;
  std::size_t lead_of_output_;
  std::vector<LineVector> map_;    // per slot: columns of padded(size), the errors last
  std::vector<int> scale_;         // per slot: all numbers are multiples of 2^scale
  std::vector<double> limit_;      // per slot: 2^(52 + scale), 0 where there is no scale
  std::vector<double> row_;        // the entry that is being added
  std::vector<std::size_t> used_;  // its non-zero columns
  double row_error_ = 0, row_norm_ = 0;
  LineVector errors_, norms_;  // sums of |w| e and of |w| N
  std::vector<std::uint64_t> pattern_;
  bool started_ = false;
};

// Sets the bits of the units that the outputs depend on, by the zeros of weights and slopes alone:
// the rest of the pattern does not change the map.
void relevant_bits(const Tape& tape, const std::uint64_t* pattern, std::uint64_t* mask);

}  // namespace linear_regions
