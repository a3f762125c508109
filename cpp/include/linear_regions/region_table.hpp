// SPDX-License-Identifier: MIT
// Tables of regions in columns, and questions about them that need no search. All of it holds in
// every dimension.
//
// Regions of one listing are numbered; facet f of the listing belongs to one region, the facets of
// region r are numbers facet_start[r] to facet_start[r + 1].
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

namespace linear_regions {

// What makes a facet, in terms of the pattern.
//   bit >= 0, from < 0   the cut of a pointwise unit with this pattern bit
//   bit >= 0, from >= 0  the window whose code begins at this bit: its code `from` here ties with
//                        `to` on the facet
//   bit < 0              side -1 - bit of the domain, or kAtInfinity
// A search that separates two regions by a unit gives the common facet the label of that unit on
// both sides; where several units vanish on a facet, it is one of the earliest layer among them.
struct FacetLabel {
  std::int32_t bit, from, to;

  // The pattern of the other side is that of this one XOR flip() << bit, if nothing else changes.
  std::uint64_t flip() const { return from < 0 ? 1 : static_cast<std::uint64_t>(from ^ to); }
};
inline constexpr std::int32_t kAtInfinity = std::numeric_limits<std::int32_t>::min();

struct RegionColumns {
  std::span<const std::uint64_t> patterns;  // n * words, all distinct
  std::size_t n = 0, words = 0;
  std::span<const std::int64_t> facet_start;  // n + 1
  std::span<const FacetLabel> labels;
};

// The mate of facet f is the facet of another region that is the same set of points; mates[f] is
// its number. Only pairs of regions are found whose patterns differ by the flip of the label and
// nothing else, which leaves the facets on which several units vanish; -1 there and where there is
// no other side. No arithmetic takes part: for a facet of a region, a region with the flipped
// pattern is the one across (docs/regions.md). Linear in the number of facets. `keep_going` is
// asked once in a while; where it says no, the answer is empty.
std::vector<std::int64_t> facet_mates(const RegionColumns& regions,
                                      const std::function<bool()>& keep_going = {});

}  // namespace linear_regions
