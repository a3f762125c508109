// SPDX-License-Identifier: MIT
// Counting and listing the activation regions of a tape on a planar domain, certified.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "linear_regions/part.hpp"
#include "linear_regions/planar_domain.hpp"
#include "linear_regions/region_table.hpp"
#include "linear_regions/run_control.hpp"
#include "linear_regions/tape.hpp"

namespace linear_regions {

enum class Arithmetic : std::uint8_t {
  kCertified,  // undecided signs are recomputed exactly
  kFloat,      // undecided signs are taken as zero; the answer is an estimate
};

struct Work {
  std::uint64_t cells = 0;        // nodes of the search tree
  std::uint64_t layer_cells = 0;  // cells that entered a layer
  std::uint64_t exact_signs = 0;  // decisions taken in exact arithmetic
  std::uint64_t exact_rows = 0;   // affine rows recomputed exactly
  std::uint64_t stolen = 0;       // sub-trees handed to another thread

  Work& operator+=(const Work& o);
};

// Regions in columns; one block holds consecutive regions of the depth-first order.
struct RegionBlock {
  std::size_t n = 0, words = 0;
  bool faces = true;                        // otherwise no vertices, labels and rows
  std::vector<std::uint64_t> patterns;      // n * words
  std::vector<double> vertices;             // (x, y, w) each; w = 0 is a direction at infinity
  std::vector<std::int64_t> vertex_counts;  // n
  // One per vertex: the edge from it to the next one, what changes across it, and its row
  // (a1, a2, a3) with a1 x + a2 y + a3 > 0 inside.
  std::vector<FacetLabel> labels;
  std::vector<double> rows;
  std::vector<double> points;         // n * 2; NaN where no double lies inside
  std::vector<std::uint8_t> bounded;  // n
  // Regions without an interior point in doubles: (number in this block, x, y as
  // hexadecimal fractions).
  struct ExactPoint {
    std::size_t region;
    std::string x, y;
  };
  std::vector<ExactPoint> exact_points;

  void append(RegionBlock&& other);
};

// The blocks of a list, one after the other; each goes as it is taken over.
template <typename Block>
Block joined(std::vector<Block>&& blocks) {
  Block whole = std::move(blocks.at(0));
  for (std::size_t i = 1; i < blocks.size(); ++i) whole.append(std::move(blocks[i]));
  blocks.clear();
  return whole;
}

struct PlanarResult {
  std::uint64_t regions = 0;
  Status status = Status::kComplete;
  Work work;
  double seconds = 0;
};

// Count without storing anything: memory does not grow with the number of regions.
PlanarResult count_planar(const Tape& tape, const PlanarDomain& domain, Arithmetic arithmetic,
                          RunControl& control);

// List all regions in depth-first order, the same for every number of threads; without `faces` only
// patterns, points, and whether they are bounded. Blocks, one at least, are left for `joined`: a
// stopped run has nothing more to do with what it found.
PlanarResult list_planar(const Tape& tape, const PlanarDomain& domain, Arithmetic arithmetic,
                         RunControl& control, std::vector<RegionBlock>& out, bool faces = true);

// List in blocks of about `block` regions, on the calling thread; `sink` returns false to stop.
PlanarResult stream_planar(const Tape& tape, const PlanarDomain& domain, Arithmetic arithmetic,
                           RunControl& control, std::size_t block,
                           const std::function<bool(RegionBlock&&)>& sink, bool faces = true);

// Searches a part alone: regions found, whether stopped or done, and what is left of it. Regions
// beyond the control's limit are among them. With options.list they are listed.
PlanarResult search_planar(const Tape& tape, const PlanarDomain& domain, Arithmetic arithmetic,
                           RunControl& control, const Part& part, const PartOptions& options,
                           PartOutcome<RegionBlock>& out);

// Cuts a part into sub-trees of at most about options.cut of the whole; finds nothing.
Part cut_planar(const Tape& tape, const PlanarDomain& domain, Arithmetic arithmetic,
                RunControl& control, const Part& part, const PartOptions& options);

// Random ways down a count's tree, until `ways` of them or the control's time limit.
std::vector<RandomWay> probe_planar(const Tape& tape, const PlanarDomain& domain,
                                    Arithmetic arithmetic, RunControl& control, std::uint64_t seed,
                                    std::size_t ways);

}  // namespace linear_regions
