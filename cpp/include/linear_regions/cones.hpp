// SPDX-License-Identifier: MIT
// Counting and listing the activation regions of a tape on a domain of any dimension by its cells'
// rays, certified.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "linear_regions/domain_frame.hpp"
#include "linear_regions/long_column.hpp"
#include "linear_regions/planar.hpp"
#include "linear_regions/run_control.hpp"
#include "linear_regions/tape.hpp"

namespace linear_regions {

// Regions in columns; one block holds consecutive regions of the depth-first order. Coordinates are
// those of the domain; along coordinates on which nothing depends the regions contain whole lines,
// and all points and directions are zero there.
struct ConeBlock {
  std::size_t n = 0, words = 0, dim = 0;
  bool faces = true;                       // otherwise no vertices, rows, labels and corners
  LongColumn<std::uint64_t> patterns;      // n * words
  LongColumn<double> vertices;             // dim + 1 each: (x, 1), or (direction, 0)
  LongColumn<std::int64_t> vertex_counts;  // n
  // Irredundant facets, all regions one after the other: rows (a, c) with a . t + c > 0 inside, and
  // what changes across: the pattern bit of a cut, -1, -1; the first bit of a window, its winner's
  // place here and beyond the facet; or -1 - side of the domain, -1, -1.
  LongColumn<double> rows;                // dim + 1 each
  LongColumn<std::int32_t> labels;        // three each
  LongColumn<std::int64_t> facet_counts;  // n
  // Which vertices (numbers within the region) lie on every facet, facet after facet.
  LongColumn<std::int64_t> corners, corner_counts;
  LongColumn<double> points;         // n * dim; NaN where no double lies inside
  LongColumn<std::uint8_t> bounded;  // n
  struct ExactPoint {
    std::size_t region;
    std::vector<std::string> coordinates;  // hexadecimal "numerator/denominator"
  };
  std::vector<ExactPoint> exact_points;  // of the regions without a point in doubles

  void append(ConeBlock&& other);
};

struct ConeResult {
  std::uint64_t regions = 0;
  Status status = Status::kComplete;
  Work work;
  double seconds = 0;
};

// Count without storing anything: memory does not grow with the number of regions.
ConeResult count_cones(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                       RunControl& control);

// List all regions in depth-first order, the same for every number of threads; without `faces` only
// patterns, points, and whether they are bounded. In blocks, one at least, for `joined`.
ConeResult list_cones(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                      RunControl& control, std::vector<ConeBlock>& out, bool faces = true);

// List in blocks of about `block` regions, on the calling thread; `sink` returns false to stop.
ConeResult stream_cones(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                        RunControl& control, std::size_t block,
                        const std::function<bool(ConeBlock&&)>& sink, bool faces = true);

// Searches a part alone: regions found, whether stopped or done, and what is left of it. Regions
// beyond the control's limit are among them. With options.list they are listed.
ConeResult search_cones(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                        RunControl& control, const Part& part, const PartOptions& options,
                        PartOutcome<ConeBlock>& out);

// Cuts a part into sub-trees of at most about options.cut of the whole; finds nothing.
Part cut_cones(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
               RunControl& control, const Part& part, const PartOptions& options);

// Random ways down a count's tree, until `ways` of them or the control's time limit.
std::vector<RandomWay> probe_cones(const Tape& tape, const DomainFrame& domain,
                                   Arithmetic arithmetic, RunControl& control, std::uint64_t seed,
                                   std::size_t ways);

}  // namespace linear_regions
