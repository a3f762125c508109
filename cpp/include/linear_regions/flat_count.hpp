// SPDX-License-Identifier: MIT
// count_flats: Whitney numbers of an arrangement over a prime field, by recursion over merged
// flats.
//
// Notation: r columns over F_p; row i of n, entry 0 first, is the hyperplane row . x = 0 of a
// central arrangement in F_p^r. Row 0 is (1, 0, ..., 0): the hyperplane at infinity. The rows span,
// none is zero and no two are proportional. b_k (k = 0, ..., r - 1) is the number of
// no-broken-circuit sets of size k without row 0, which is the k-th absolute Whitney number of the
// affine arrangement {x_0 = 1}; its chambers over an ordered field number sum b_k (Zaslavsky 1975).
//
// Method. b counts the leaves of r(A) = 1 + sum_i r(first i - 1 hyperplanes restricted to H_i). A
// node depends on its flat alone: every no-broken-circuit base of a flat X has the same least
// element m(X), the least hyperplane that contains X. So equal flats merge, their weights (then
// |mu(X)|) add up, and only hyperplanes below m(X) are restricted to X. Flats are kept as reduced
// echelon forms; the hash finds them, comparing all entries decides. On planes, the lines below m
// and the points in which they meet are counted directly.
//
// Cost: one restriction of m(X) rows for every flat of codimension up to r - 3, and one quotient
// for every pair of lines on a plane. Memory: at most about `store_bytes` per level; beyond it a
// level is worked off in parts, which merge among themselves only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "linear_regions/run_control.hpp"

namespace linear_regions {

struct FlatCountResult {
  // high * 2^64 + low
  struct Wide {
    std::uint64_t high = 0, low = 0;
  };
  std::vector<Wide> whitney;  // b_0, ..., b_{r - 1}; lower bounds where the run was stopped
  // True: no two flats coincide, so every r rows are independent. Known of complete runs alone.
  bool uniform = false;
  std::uint64_t flats = 0;   // flats and lines and points met, each time that they were met
  std::uint64_t merged = 0;  // restrictions that led to a flat already known
  Status status = Status::kComplete;
  double seconds = 0;
};

// Where a count stands. levels[k] = {since, first}: the flats of codimension k with numbers below
// `first` are worked off, and those from `since` on are what the flats of codimension k + 1 at hand
// come from. Numbers follow from the order of the search (arrangement/flat_store.hpp), so they do
// not depend on threads.
struct FlatCountState {
  std::vector<std::array<std::uint64_t, 2>> levels;
  std::vector<FlatCountResult::Wide> whitney;  // of what is worked off
  std::uint64_t flats = 0, merged = 0, coincidences = 0;
};

// The levels at hand are made anew from their numbers, which takes at most as long as filling
// `store_bytes` of memory once a level.
struct FlatCountSaving {
  double every = 0;  // seconds; zero: never
  // Also called where the run is stopped before its end.
  std::function<void(const FlatCountState&)> save;
  const FlatCountState* from = nullptr;
};

// Throws std::invalid_argument where the rows break a promise that is cheap to check (2 <= p < 2^62
// odd prime, r <= 64), std::overflow_error where a weight exceeds 128 bits.
FlatCountResult count_flats(std::span<const std::uint64_t> rows, std::size_t n, std::size_t r,
                            std::uint64_t p, RunControl& control,
                            std::size_t store_bytes = std::size_t{1} << 28,
                            const FlatCountSaving& saving = {});

}  // namespace linear_regions
