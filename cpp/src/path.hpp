// SPDX-License-Identifier: MIT
// Path: the decisions that lead to the current cell, and the lines that bound it. What the engines
// and the exact stage tell each other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace linear_regions {

// A line (in more dimensions: a hyperplane) of the current path: a side of the domain, a cut of a
// pointwise unit (value of the unit minus a breakpoint), the difference of two entries of a max
// window, or the hyperplane at infinity.
struct Line {
  enum class Kind : std::uint8_t { kDomain, kCut, kPair, kInfinity };
  Kind kind = Kind::kDomain;
  std::int32_t split = -1;  // kCut, kPair
  std::int32_t first = 0;   // side number; cut number; input index of the first entry
  std::int32_t second = 0;  // kPair: input index of the second entry

  friend bool operator==(const Line&, const Line&) = default;
};

// Which cuts of a pointwise split are positive: those that were on the whole layer cell, and of the
// cutting ones (members, ascending) those that the path made positive.
struct CutsOn {
  const std::uint64_t* on = nullptr;
  const std::uint64_t* member_on = nullptr;
  const std::int32_t* member = nullptr;
  std::int32_t m = 0;

  bool operator()(std::int32_t cut) const {
    if ((on[cut >> 6] >> (cut & 63)) & 1) return true;
    const std::int32_t* found = std::lower_bound(member, member + m, cut);
    if (found == member + m || *found != cut) return false;
    const auto i = found - member;
    return (member_on[i >> 6] >> (i & 63)) & 1;
  }
};

// What the path has decided at split s: the positive cuts, or the winner (entry number) of every
// window. cell[s] identifies the layer cell of split s.
struct Path {
  std::vector<CutsOn> cuts;
  std::vector<const std::int32_t*> winner;
  std::vector<std::uint64_t> cell;
};

// Thrown out of exact arithmetic when the run is to stop: one sign of a wide, deep network can take
// a second. The exact stage stays usable.
struct Stopped {};

}  // namespace linear_regions
