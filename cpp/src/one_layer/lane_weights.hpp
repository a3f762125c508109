// SPDX-License-Identifier: MIT
//
// Products of counts by constants modulo primes, in several lanes.
//
// Either in integers (Shoup): with quotient = floor(weight 2^64 / p), one high and two low products
// give a remainder below 2 p. Or in doubles, several lanes at a time (residue_kernels.hpp), where
// the processor can and all primes are below 2^50; residues are then doubles, too. The store holds
// 64 bits a lane, and all of a run reads them as one of the two.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "one_layer/residue_kernels.hpp"

namespace linear_regions::one_layer {

class LaneWeights {
 public:
  static constexpr std::uint64_t kFusedLimit = std::uint64_t{1} << 50;

  explicit LaneWeights(const std::vector<std::uint64_t>& primes)
      : n_(primes.size()),
        lanes_((n_ + 3) / 4 * 4),
        kernels_(std::all_of(primes.begin(), primes.end(),
                             [](std::uint64_t p) { return p < kFusedLimit; })
                     ? residue_kernels()
                     : nullptr),
        primes_(primes) {
    primes_.resize(lanes_, 2);  // lanes of padding stay zero
    prime_.assign(primes_.begin(), primes_.end());
  }

  std::size_t lanes() const { return lanes_; }  // a multiple of 4

  void push_row(const std::vector<std::uint64_t>& row) {
    for (std::size_t i = 0; i < lanes_; ++i) {
      const std::uint64_t w = i < n_ ? row[i] : 0;
      if (kernels_ != nullptr) {
        weight_.push_back(static_cast<double>(w));
        ratio_.push_back(static_cast<double>(w) / prime_[i]);
        continue;
      }
      whole_.push_back(w);
      quotient_.push_back(static_cast<std::uint64_t>((static_cast<Wide>(w) << 64) / primes_[i]));
    }
  }

  // Sets `lanes` residues from lane `first` on to one, or to zero where the lane is padding.
  void set_one(std::uint64_t* counts, std::size_t first, std::size_t lanes) const {
    for (std::size_t i = 0; i < lanes; ++i) {
      const bool real = first + i < n_;
      if (kernels_ != nullptr)
        doubles(counts)[i] = real ? 1 : 0;
      else
        counts[i] = real ? 1 : 0;
    }
  }

  std::vector<std::uint64_t> residues(const std::uint64_t* counts) const {
    std::vector<std::uint64_t> out(n_);
    for (std::size_t i = 0; i < n_; ++i)
      out[i] = kernels_ != nullptr ? static_cast<std::uint64_t>(doubles(counts)[i]) : counts[i];
    return out;
  }

  // The residues of the lanes from `first` on; padding is zero.
  void copy_residues(std::uint64_t* to, const std::uint64_t* counts, std::size_t lanes) const {
    for (std::size_t i = 0; i < lanes; ++i)
      to[i] = kernels_ != nullptr ? static_cast<std::uint64_t>(doubles(counts)[i]) : counts[i];
  }
  // The other way round; false where a number is none of these residues.
  bool set_residues(std::uint64_t* counts, std::size_t first, std::size_t lanes,
                    const std::uint64_t* from) const {
    for (std::size_t i = 0; i < lanes; ++i) {
      if (from[i] >= (first + i < n_ ? primes_[first + i] : 1)) return false;
      if (kernels_ != nullptr)
        doubles(counts)[i] = static_cast<double>(from[i]);
      else
        counts[i] = from[i];
    }
    return true;
  }

  // to += from * weights of the row, in all lanes.
  void add(std::uint64_t* to, const std::uint64_t* from, std::size_t row) const {
    if (kernels_ != nullptr)
      kernels_->add(doubles(to), doubles(from), rows(0), row, lanes_);
    else
      add_whole(to, from, row, 0, lanes_);
  }

  // to = transitions applied to from, in the lanes first .. first + lanes - 1, 4 or 8 of them; both
  // are [state * lanes + lane].
  void apply(std::uint64_t* to, const std::uint64_t* from, const Transitions& transitions,
             std::size_t first, std::size_t lanes) const {
    if (kernels_ != nullptr) {
      kernels_->apply(doubles(to), doubles(from), transitions, rows(first), lanes);
      return;
    }
    for (std::size_t j = 0; j < transitions.n_targets(); ++j) {
      std::fill_n(to + j * lanes, lanes, 0);
      for (std::uint32_t i = transitions.begin[j]; i < transitions.begin[j + 1]; ++i) {
        const Term term = transitions.terms[i];
        add_whole(to + j * lanes, from + term.from * lanes, term.row, first, lanes);
      }
    }
  }

 private:
  __extension__ typedef unsigned __int128 Wide;

  static double* doubles(std::uint64_t* counts) { return reinterpret_cast<double*>(counts); }
  static const double* doubles(const std::uint64_t* counts) {
    return reinterpret_cast<const double*>(counts);
  }

  WeightRows rows(std::size_t first) const {
    return {weight_.data() + first, ratio_.data() + first, prime_.data() + first, lanes_};
  }

  void add_whole(std::uint64_t* to, const std::uint64_t* from, std::size_t row, std::size_t first,
                 std::size_t lanes) const {
    const std::uint64_t *w = &whole_[row * lanes_ + first], *q = &quotient_[row * lanes_ + first];
    for (std::size_t i = 0; i < lanes; ++i) {
      const std::uint64_t p = primes_[first + i];
      const auto high = static_cast<std::uint64_t>((static_cast<Wide>(from[i]) * q[i]) >> 64);
      std::uint64_t x = from[i] * w[i] - high * p;
      x -= x >= p ? p : 0;
      x += to[i];
      to[i] = x - (x >= p ? p : 0);
    }
  }

  std::size_t n_, lanes_;
  const ResidueKernels* kernels_;
  std::vector<std::uint64_t> primes_, whole_, quotient_;  // [row * lanes + lane]
  std::vector<double> prime_, weight_, ratio_;
};

}  // namespace linear_regions::one_layer
