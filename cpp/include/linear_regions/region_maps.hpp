// SPDX-License-Identifier: MIT
// The affine maps of listed regions: which of them are the same function, and facets exactly.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "linear_regions/domain_frame.hpp"
#include "linear_regions/region_table.hpp"
#include "linear_regions/tape.hpp"

namespace linear_regions {

struct MapClasses {
  std::vector<std::int64_t> of;  // per region: its class, numbered by first occurrence
  std::int64_t n = 0;
  std::uint64_t exact_maps = 0;  // maps that were computed in exact arithmetic
  bool complete = true;          // false: stopped; regions of one class may still differ
};

// Groups the regions whose patterns give the same affine map of the domain coordinates (all
// outputs, exactly). Maps are told apart by floating point with error bounds where these suffice;
// equal patterns of the units that the output depends on prove equality; the rest is decided in
// integers of any size. Only the columns of `domain` take part, not its sides. `keep_going` is
// asked now and then.
//
// Cost: patterns in depth-first order share all layers but the last with their neighbour, so a
// region costs about one product with the last layer's weights; n log n comparisons besides.
MapClasses map_classes(const Tape& tape, const DomainFrame& domain,
                       std::span<const std::uint64_t> patterns, std::size_t n,
                       const std::function<bool()>& keep_going);

// Rows (d + 1 integers each, in hexadecimal, up to a positive factor) of the units that make these
// facets of the region with this pattern; the labels must name units.
std::vector<std::string> exact_facet_rows(const Tape& tape, const DomainFrame& domain,
                                          std::span<const std::uint64_t> pattern,
                                          std::span<const FacetLabel> labels);

// Components of the graph with n nodes and the edges (i, j), numbered by first occurrence.
std::vector<std::int64_t> components(std::size_t n, std::span<const std::int64_t> i,
                                     std::span<const std::int64_t> j);

}  // namespace linear_regions
