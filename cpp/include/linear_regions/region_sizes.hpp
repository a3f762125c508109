// SPDX-License-Identifier: MIT
// Lengths, areas, volumes of listed regions and of their facets.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace linear_regions {

// Vertices and the facets that they lie on. Region r has the vertices vertex_start[r] to
// vertex_start[r + 1] and the facets facet_start[r] to facet_start[r + 1]; facet f has the vertices
// corners[corner_start[f]] to corners[corner_start[f + 1]], all of them its region's.
struct CornerColumns {
  std::span<const double> vertices;  // (point, 1) or (direction, 0): dim + 1 doubles each
  std::size_t dim = 0;
  std::span<const std::int64_t> vertex_start, facet_start;  // n + 1
  std::span<const std::int64_t> corner_start, corners;
};

// The volume of every region in dimension `dim` >= 1, infinite where a vertex is a direction. Which
// vertices make up a face is taken from the columns, so rounded coordinates change no
// combinatorics; the sum itself is rounded. `keep_going` is asked once in a while; where it says
// no, the answer is empty.
//
// Cost: a face of a region is measured once, in time proportional to the squared number of facets.
// A cube of dimension d has 3^d faces, where triangulations have d! simplices.
std::vector<double> region_sizes(const CornerColumns& columns,
                                 const std::function<bool()>& keep_going);

// The same, one dimension down, for these facets; a facet that is a point has size 1.
std::vector<double> facet_sizes(const CornerColumns& columns, std::span<const std::int64_t> facets,
                                const std::function<bool()>& keep_going);

}  // namespace linear_regions
