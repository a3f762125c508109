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

// The inequalities of the region with this pattern: for a pointwise unit the one or two cuts that
// end its piece, for a window one per entry that does not win. Together with the sides of the
// domain they describe the region; many are redundant, some are constant.
std::vector<FacetLabel> cell_labels(const Tape& tape, std::span<const std::uint64_t> pattern);

// Rows (a, c), d + 1 doubles each, with a . t + c > 0 in the region, for the facets of regions with
// these patterns (facet_start as in RegionColumns; the labels must name units). Every coefficient
// is within errors[f] of the true one, infinite where doubles say nothing.
//
// Cost: as for map_classes; storage of (d + 2) doubles for every entry of every slot.
struct FacetRows {
  std::vector<double> rows, errors;
};
FacetRows facet_rows(const Tape& tape, const DomainFrame& domain,
                     std::span<const std::uint64_t> patterns,
                     std::span<const std::int64_t> facet_start, std::span<const FacetLabel> labels);

// The region that holds one point, decided exactly. `point` is a frame of dimension zero;
// `guess` a pattern to begin with, best the one that a forward pass found.
struct Located {
  std::vector<std::uint64_t> pattern;
  // Not empty: the point lies on the boundary of a region, where the units of these labels (all of
  // one layer) change. The pattern is then that of no region.
  std::vector<FacetLabel> on;
  // Units whose value is on a breakpoint on the whole cell, and equal entries of windows.
  std::vector<FacetLabel> vanishing;
  std::uint64_t exact = 0;  // decisions in exact arithmetic
  bool stopped = false;     // by `keep_going`; the rest then says nothing
};
Located locate(const Tape& tape, const DomainFrame& domain, const DomainFrame& point,
               std::span<const std::uint64_t> guess, const std::function<bool()>& keep_going);

// The pattern of one input point in exact arithmetic, on facets too: a value on a breakpoint is on
// the lower piece, the first of equal entries wins. `on` is empty where every such value stays
// there on the whole cell within the domain; without a domain it names all of them.
Located pattern_at(const Tape& tape, const DomainFrame* domain, std::span<const double> point,
                   std::span<const std::uint64_t> guess, const std::function<bool()>& keep_going);

// Linear parts of sides and of the decisions of all layers: as many independent ones as there are,
// d integers each in hexadecimal. The directions in which none of them changes are those of the
// lines that all regions contain; no region contains others.
std::vector<std::string> essential_rows(const Tape& tape, const DomainFrame& domain);

// Components of the graph with n nodes and the edges (i, j), numbered by first occurrence.
std::vector<std::int64_t> components(std::size_t n, std::span<const std::int64_t> i,
                                     std::span<const std::int64_t> j);

}  // namespace linear_regions
