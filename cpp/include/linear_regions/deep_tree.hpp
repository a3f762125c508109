// SPDX-License-Identifier: MIT
// Counting and listing the activation regions of a tape on a domain of any dimension by a tree of
// witness points and small linear programs, certified. docs/design/deep-tree.md has the
// mathematics.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "linear_regions/domain_frame.hpp"
#include "linear_regions/planar.hpp"
#include "linear_regions/run_control.hpp"
#include "linear_regions/tape.hpp"

namespace linear_regions {

struct TreeWork {
  std::uint64_t layer_cells = 0;      // cells that entered a layer
  std::uint64_t questions = 0;        // "has this cell a point on that side?"
  std::uint64_t points_reused = 0;    // "yes" by a point that was known
  std::uint64_t circuits_reused = 0;  // "no" by a proof that was known
  std::uint64_t lps = 0;              // programs solved in doubles
  std::uint64_t steps = 0;            // their steps
  std::uint64_t exact_signs = 0;      // signs taken in exact arithmetic
  std::uint64_t exact_lps = 0;        // programs solved in exact arithmetic
  std::uint64_t exact_rows = 0;       // affine rows recomputed exactly
  std::uint64_t stolen = 0;           // sub-trees handed to another thread

  TreeWork& operator+=(const TreeWork& o);
};

// Regions in columns; one block holds consecutive regions of the depth-first order.
struct TreeBlock {
  std::size_t n = 0, words = 0, dim = 0;
  std::vector<std::uint64_t> patterns;  // n * words
  std::vector<double> points;           // n * dim; NaN where no double is proved to lie inside
  std::vector<std::uint8_t> bounded;    // n
  // Regions without an interior point in doubles: (number in this block, coordinates as hexadecimal
  // fractions).
  std::vector<std::pair<std::size_t, std::vector<std::string>>> exact_points;

  void append(TreeBlock&& other);
};

struct TreeResult {
  std::uint64_t regions = 0;
  Status status = Status::kComplete;
  TreeWork work;
  double seconds = 0;
};

// Count without storing anything: memory does not grow with the number of regions.
TreeResult count_tree(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                      RunControl& control);

// List all regions in depth-first order, the same for every number of threads. In blocks, one at
// least, for `joined`.
TreeResult list_tree(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                     RunControl& control, std::vector<TreeBlock>& out);

// List in blocks of about `block` regions, on the calling thread; `sink` returns false to stop.
TreeResult stream_tree(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                       RunControl& control, std::size_t block,
                       const std::function<bool(TreeBlock&&)>& sink);

// Searches a part alone: regions found, whether stopped or done, and what is left of it. Regions
// beyond the control's limit are among them. With options.list they are listed.
TreeResult search_tree(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                       RunControl& control, const Part& part, const PartOptions& options,
                       PartOutcome<TreeBlock>& out);

// Cuts a part into sub-trees of at most about options.cut of the whole; finds nothing.
Part cut_tree(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
              RunControl& control, const Part& part, const PartOptions& options);

// Random ways down a count's tree, until `ways` of them or the control's time limit.
std::vector<RandomWay> probe_tree(const Tape& tape, const DomainFrame& domain,
                                  Arithmetic arithmetic, RunControl& control, std::uint64_t seed,
                                  std::size_t ways);

}  // namespace linear_regions
