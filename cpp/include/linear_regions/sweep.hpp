// SPDX-License-Identifier: MIT
// The lowest-vertex sweep: all sign vectors of a simple arrangement, without linear programs.
//
// Notation: n hyperplanes in R^d, z_1 .. z_d the coordinates. Level d is the arrangement itself
// with the functional z_d: every chamber on which z_d is bounded below has one lowest vertex, and
// in a simple arrangement every vertex, the meeting point of d hyperplanes, is the lowest vertex of
// one chamber. The other chambers are seen from infinity, in the direction z_d -> -infinity: they
// are the chambers of the arrangement with rows (a_1 .. a_(d-1) | -a_d) in R^(d-1), level d - 1;
// and so on down to level 0, one chamber. Together sum over k of C(n, k), as by Zaslavsky.
//
// Rank: the chambers are numbered, level d first, the k-subsets of a level in lexicographic order.
// Any range of ranks can be computed alone, so threads, blocks of a stream and machines need no
// other agreement.
//
// The sweep proves what it assumes. A sign is taken from floating point only beyond a running
// error bound, otherwise from an exact determinant; a determinant that vanishes shows that the
// arrangement is not simple (or that the coordinates are not generic), and ends the sweep.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "linear_regions/hyperplanes.hpp"
#include "linear_regions/planar.hpp"
#include "linear_regions/run_control.hpp"

namespace linear_regions {

// `coordinates`: other coordinates may help; otherwise the arrangement itself is not simple.
class NotSimple : public std::runtime_error {
 public:
  NotSimple(const std::string& what, bool coordinates)
      : std::runtime_error(what), coordinates_(coordinates) {}
  bool coordinates() const { return coordinates_; }

 private:
  bool coordinates_;
};

struct SweepResult {
  std::uint64_t chambers = 0;  // the ranks first .. first + chambers - 1 are done
  Status status = Status::kComplete;
  std::uint64_t lines = 0;           // eliminations down to a line
  std::uint64_t exact_signs = 0;     // decisions taken in exact arithmetic
  std::uint64_t exact_chambers = 0;  // chambers with at least one such decision
  double seconds = 0;
};

// Number of chambers of a simple arrangement. Throws std::overflow_error beyond 64 bits.
std::uint64_t sweep_size(std::size_t n, std::size_t d);

// Sign vectors of the ranks [first, last) into out, `stride` words each (of which the first
// (n + 63) / 64 are written). out == nullptr: only prove. Throws NotSimple; std::invalid_argument.
SweepResult sweep(const Hyperplanes& hyperplanes, std::uint64_t first, std::uint64_t last,
                  Arithmetic arithmetic, RunControl& control, std::uint64_t* out,
                  std::size_t stride);

}  // namespace linear_regions
