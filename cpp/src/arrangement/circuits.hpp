// SPDX-License-Identifier: MIT
// CircuitStore: proofs that no x has certain signs, kept for the next time.
//
// A circuit is a set of signed rows with a positive dependence, sum y_i s_i v_i = 0, y > 0: no x is
// strictly positive on all of them. So is its opposite. Per row of the circuit the store keeps the
// other rows as two bit masks, oriented so that the row itself is positive; a cone on which the
// masks' signs are known cannot have the row positive. Rows repeat in few circuits where input is
// degenerate, and then most questions end here, after a few word operations.
//
// Memory is bounded: `per_row` circuits a row, the least recently useful one makes room.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "arrangement/cone_rows.hpp"
#include "linear_regions/sign_vector.hpp"

namespace linear_regions::arrangement {

class CircuitStore {
 public:
  explicit CircuitStore(std::size_t rows)
      : words_(std::max<std::size_t>(1, word_count(rows))),
        per_row_(room(rows, words_)),
        used_(rows, 0),
        masks_(rows * per_row_ * 2 * words_) {}

  // True if a circuit says that `row` cannot have `sign` where the rows of `known` have the signs
  // of `positive` (set bits of both: positive; of the first alone: negative).
  bool forbids(std::size_t row, int sign, const Word* known, const Word* positive) {
    Word* const first = masks_.data() + row * per_row_ * 2 * words_;
    Word* entry = first;
    for (std::size_t e = 0; e < used_[row]; ++e, entry += 2 * words_) {
      Word missing = 0;
      for (std::size_t w = 0; w < words_; ++w) {
        const Word plus = positive[w], minus = known[w] & ~positive[w];
        missing |= sign > 0 ? (entry[w] & ~plus) | (entry[words_ + w] & ~minus)
                            : (entry[w] & ~minus) | (entry[words_ + w] & ~plus);
      }
      if (missing != 0) continue;
      // Useful ones move towards the front, by half the way.
      const std::size_t to = e / 2;
      if (to != e) std::swap_ranges(entry, entry + 2 * words_, first + to * 2 * words_);
      return true;
    }
    return false;
  }

  void add(std::span<const SignedRow> circuit) {
    for (const SignedRow& own : circuit) {
      const auto row = static_cast<std::size_t>(own.row);
      // The last place is the least useful one.
      const std::size_t at = used_[row] < per_row_ ? used_[row]++ : per_row_ - 1;
      Word* entry = masks_.data() + (row * per_row_ + at) * 2 * words_;
      std::fill_n(entry, 2 * words_, Word{0});
      for (const SignedRow& other : circuit)
        if (other.row != own.row)
          set_sign(entry + (other.sign == own.sign ? 0 : words_),
                   static_cast<std::size_t>(other.row));
    }
  }

 private:
  static std::size_t room(std::size_t rows, std::size_t words) {
    constexpr std::size_t kMost = 64, kLeast = 4, kBytes = std::size_t{1} << 23;
    return std::clamp(kBytes / (std::max<std::size_t>(1, rows) * 2 * words * sizeof(Word)), kLeast,
                      kMost);
  }

  std::size_t words_, per_row_;
  std::vector<std::size_t> used_;
  std::vector<Word> masks_;
};

}  // namespace linear_regions::arrangement
