// SPDX-License-Identifier: MIT
#include "regions/pattern_path.hpp"

#include <algorithm>
#include <bit>

namespace linear_regions {

PatternOrder::PatternOrder(const Tape& tape) : words_(tape.pattern_words()) {
  std::int32_t end = 0;
  for (int index : tape.splits()) {
    const Op& op = tape.ops()[static_cast<std::size_t>(index)];
    const std::int32_t width = op.kind == OpKind::kMax ? op.max.bits : 1;
    for (std::int32_t bit : op.pattern_bit) end = std::max(end, bit + width);
    end_.push_back(end);
  }
}

int PatternOrder::first_difference(const std::uint64_t* a, const std::uint64_t* b) const {
  for (std::size_t w = 0; w < words_; ++w)
    if (const std::uint64_t change = a[w] ^ b[w]; change != 0) {
      const auto bit = static_cast<std::int32_t>(64 * w) + std::countr_zero(change);
      return static_cast<int>(std::upper_bound(end_.begin(), end_.end(), bit) - end_.begin());
    }
  return static_cast<int>(end_.size());
}

PatternPath::PatternPath(const Tape& tape) : tape_(tape), order_(tape) {
  const std::size_t splits = tape.splits().size();
  path_.cuts.resize(tape.stages().size());
  path_.winner.resize(tape.stages().size());
  path_.cell.assign(tape.stages().size(), next_cell_);
  on_.resize(splits);
  winner_.resize(splits);
}

void PatternPath::move_to(const std::uint64_t* pattern) {
  const std::size_t words = tape_.pattern_words();
  const int first = pattern_.empty() ? 0 : order_.first_difference(pattern_.data(), pattern);
  pattern_.assign(pattern, pattern + words);
  ++next_cell_;
  for (auto s = static_cast<std::size_t>(first); s < on_.size(); ++s) {
    const Op& op = tape_.split(static_cast<int>(s));
    if (s + 1 < path_.cell.size()) path_.cell[s + 1] = next_cell_;
    if (op.kind == OpKind::kPointwise) {
      const std::size_t cuts = op.pointwise.unit_of_cut.size();
      on_[s].assign(cuts / 64 + 1, 0);
      for (std::size_t q = 0; q < cuts; ++q)
        on_[s][q >> 6] |= pattern_bits(pattern, op.pattern_bit[q], 1) << (q & 63);
      path_.cuts[s] = {on_[s].data(), nullptr, nullptr, 0};
    } else {
      const auto windows = static_cast<std::int32_t>(op.max.start.size()) - 1;
      winner_[s].resize(static_cast<std::size_t>(windows));
      for (std::int32_t w = 0; w < windows; ++w)
        winner_[s][static_cast<std::size_t>(w)] = winner_of(op, w, pattern);
      path_.winner[s] = winner_[s].data();
    }
  }
}

}  // namespace linear_regions
