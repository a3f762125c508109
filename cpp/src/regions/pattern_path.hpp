// SPDX-License-Identifier: MIT
// Patterns as decisions: what a packed pattern says about every split of a tape.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <vector>

#include "linear_regions/tape.hpp"
#include "path.hpp"

namespace linear_regions {

inline std::uint64_t pattern_bits(const std::uint64_t* words, std::int32_t first,
                                  std::int32_t count) {
  std::uint64_t value = 0;
  for (std::int32_t b = 0; b < count; ++b)
    value |= ((words[(first + b) >> 6] >> ((first + b) & 63)) & 1) << b;
  return value;
}

// The piece that a pointwise unit is on.
inline std::size_t piece_of(const Op& op, std::int32_t unit, const std::uint64_t* pattern) {
  const Pointwise& p = op.pointwise;
  std::size_t piece = 0;
  for (std::int32_t q = p.cut_start[unit]; q < p.cut_start[unit + 1]; ++q)
    piece += pattern_bits(pattern, op.pattern_bit[static_cast<std::size_t>(q)], 1);
  return piece;
}

// The number of the entry that wins a window.
inline std::int32_t winner_of(const Op& op, std::int32_t window, const std::uint64_t* pattern) {
  const Max& max = op.max;
  const auto code = static_cast<std::int64_t>(
      pattern_bits(pattern, op.pattern_bit[static_cast<std::size_t>(window)], max.bits));
  for (std::int32_t k = max.start[window]; k < max.start[window + 1]; ++k)
    if (max.positions[static_cast<std::size_t>(k)] == code) return k;
  throw std::invalid_argument("the pattern names a window entry that does not exist");
}

// Finds the first split on which consecutive patterns differ.
class PatternOrder {
 public:
  explicit PatternOrder(const Tape& tape);
  // The first split whose bits differ; the number of splits where none does.
  int first_difference(const std::uint64_t* a, const std::uint64_t* b) const;

 private:
  std::size_t words_;
  std::vector<std::int32_t> end_;  // per split: one past its last bit
};

// The Path of the engines, made from patterns. Splits before the first difference keep their layer
// cells, so that what was computed for them serves again.
class PatternPath {
 public:
  explicit PatternPath(const Tape& tape);
  void move_to(const std::uint64_t* pattern);
  const Path& path() const { return path_; }

 private:
  const Tape& tape_;
  PatternOrder order_;
  Path path_;
  std::vector<std::vector<std::uint64_t>> on_;
  std::vector<std::vector<std::int32_t>> winner_;
  std::vector<std::uint64_t> pattern_;
  std::uint64_t next_cell_ = 1;
};

}  // namespace linear_regions
