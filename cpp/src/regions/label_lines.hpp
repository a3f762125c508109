// SPDX-License-Identifier: MIT
// LabelLines: from the label of a facet to the cut or pair of entries that it names.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <vector>

#include "linear_regions/region_table.hpp"
#include "linear_regions/tape.hpp"
#include "path.hpp"
#include "regions/pattern_path.hpp"

namespace linear_regions {

class LabelLines {
 public:
  explicit LabelLines(const Tape& tape) : tape_(tape), place_(tape.pattern_bits(), {-1, -1}) {
    for (std::size_t s = 0; s < tape.splits().size(); ++s) {
      const Op& op = tape.split(static_cast<int>(s));
      if (op.kind == OpKind::kMax && op.max.bits == 0) continue;
      for (std::size_t i = 0; i < op.pattern_bit.size(); ++i)
        place_[static_cast<std::size_t>(op.pattern_bit[i])] = {static_cast<std::int32_t>(s),
                                                               static_cast<std::int32_t>(i)};
    }
  }

  // Throws where the label names no unit. `pattern` is that of the region with the facet.
  Line line(const FacetLabel& label, const std::uint64_t* pattern) const {
    const auto bit = static_cast<std::size_t>(label.bit);
    if (label.bit >= 0 && bit < place_.size() && place_[bit].split >= 0) {
      const auto [split, number] = place_[bit];
      const Op& op = tape_.split(split);
      if (op.kind == OpKind::kPointwise) return {Line::Kind::kCut, split, number, 0};
      const Max& max = op.max;
      const std::int32_t winner = winner_of(op, number, pattern);
      for (std::int32_t k = max.start[number]; k < max.start[number + 1]; ++k)
        if (max.positions[static_cast<std::size_t>(k)] == label.to)
          return {Line::Kind::kPair, split, max.entries[static_cast<std::size_t>(winner)],
                  max.entries[static_cast<std::size_t>(k)]};
    }
    throw std::invalid_argument("the label of a facet names no unit");
  }

 private:
  struct Place {
    std::int32_t split, number;
  };
  const Tape& tape_;
  std::vector<Place> place_;
};

}  // namespace linear_regions
