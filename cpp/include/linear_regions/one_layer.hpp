// SPDX-License-Identifier: MIT
//
// The largest number of regions of one layer: two counts of independent sets of neurons.
//
// Notation. A layer has n_inputs input entries, each with c = `channels` slots, and windows W_1,
// .., W_n (sets of entries) with d neurons each. For free weights a set of neurons with t_j of them
// at window j is independent exactly if it can be matched to slots that it sees; by Hall's theorem
// if sum of t_j over J <= c |N(J)| for every set J of windows, N(J) being the union of its windows.
//
// Frontier count (docs/design/one-layer.md). Windows are processed in the given order. What the
// choice of t_1, .., t_m leaves to the future is the function
//     g(U) = min over sets J of processed windows of c |N(J) u U| - t(J)
// on the sets U of entries seen so far that future windows cut out; equal functions are merged. The
// weights of t neurons at a window are given modulo several primes, each with weights of its own: a
// lane. So one run gives a large integer by the Chinese remainder theorem, or values at several
// weights, or both.
//   Cost: one insertion per (state, t); a state takes one byte (two where values are large) per set
//   U and eight bytes per lane.
//
// Filter-multiset count. For filters that are shared by all windows and generic: a set of neurons
// is a tuple (A_1, .., A_m) of non-empty sets of windows, one per filter that is used. See
// FilterTable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "linear_regions/run_control.hpp"

namespace linear_regions {

struct WindowLayer {
  std::uint32_t n_inputs = 0;
  std::uint32_t channels = 1;
  std::vector<std::vector<std::uint32_t>> windows;  // in the order of the sweep, none empty
  // Permutations of the entries that map the set of windows to itself; a group without the
  // identity.
  std::vector<std::vector<std::uint32_t>> symmetries;
};

struct Lanes {
  std::vector<std::uint64_t> primes;   // below 2^62
  std::vector<std::uint64_t> weights;  // weights[t * primes.size() + lane], reduced
};

enum class FrontierEnd : std::uint8_t { kDone, kStopped, kTooManySets, kTooLong, kOutOfMemory };

struct FrontierResult {
  FrontierEnd end = FrontierEnd::kDone;
  Status status = Status::kComplete;
  std::vector<std::uint64_t> residues;  // one per lane; empty unless done
  std::uint64_t insertions = 0;
  std::uint64_t states = 0;  // expanded in all
  std::uint64_t max_states = 0;
  std::uint64_t vector_bytes = 0;  // largest
  std::uint64_t bytes = 0;         // largest
  double seconds = 0.0;
};

// Where a frontier count stands: before step `step` with these states and counts, the residues of
// all lanes. Or, with step 0, still in the steps that come back (two passes): the counts of the
// first `lanes` lanes after them are known, for all of their `states` states.
struct FrontierState {
  std::uint64_t step = 0, states = 0, lanes = 0;
  std::vector<std::uint8_t> keys;     // states one after the other; with step 0 none
  std::vector<std::uint64_t> counts;  // [state * lanes + lane]
  std::uint64_t insertions = 0, expanded = 0, max_states = 0, vector_bytes = 0, bytes = 0;
};

struct FrontierSaving {
  double every = 0;  // seconds; zero: never
  std::function<void(const FrontierState&)> save;
  const FrontierState* from = nullptr;
  std::uint64_t most_bytes = std::uint64_t{1} << 30;  // larger states are not kept
};

// Sum over all independent t of the products of weights[t_j], in every lane. Throws
// std::invalid_argument for a malformed layer. `max_bytes` bounds the memory of the states,
// `max_insertions` the work.
FrontierResult count_frontier(const WindowLayer& layer, const Lanes& lanes, std::uint64_t max_bytes,
                              std::uint64_t max_insertions, RunControl& control,
                              const FrontierSaving& saving = {});

// A generic draw of filters that all windows share, modulo a prime, and which first sets to list.
struct FilterDraw {
  std::uint32_t n_slots = 0, n_windows = 0, n_filters = 0, rank = 0;  // rank: an upper bound
  std::uint64_t prime = 0;                                            // odd, between 2^60 and 2^61
  std::vector<std::uint64_t> rows;    // [(filter * n_windows + window) * (n_slots + 1) + slot];
                                      // the last entry of a row is its bias
  std::vector<std::uint32_t> firsts;  // first sets, as bit masks of windows, one per orbit
  std::vector<std::uint64_t> orbits;  // their numbers of images
  bool check_bias = true;             // whether dependent rows may share a point
};

enum class TableEnd : std::uint8_t { kDone, kStopped, kTooLong, kTooLarge, kCentral };

// table[m][s] = number of ordered m-tuples of non-empty sets of windows, m filters, with s rows in
// all that are independent in the draw. Tuples are listed as multisets: the first set up to
// symmetry, the others in descending order, depth first. All rows that may still come are kept
// reduced by those that were chosen, so that a new row costs a look whether it is zero; and the
// last filter's rows that are independent all together are counted by binomials.
struct FilterTable {
  TableEnd end = TableEnd::kDone;
  Status status = Status::kComplete;
  std::uint64_t nodes = 0;  // rows that were tested
  double seconds = 0.0;
  std::vector<std::uint64_t> high, low;  // [m * (rank + 1) + s], 128 bits in two halves
};

// Where a listing stands: `way` leads from the root to the set whose extensions come next; empty
// before the first set. Else one number for that, and one per row after it: 64 filter + 2 window,
// plus 1 where the filters after it are being listed, no longer the windows below it. `table` is
// that of what came before.
struct FilterTableState {
  std::uint64_t first = 0;  // number of the first set
  std::vector<std::uint32_t> way;
  std::vector<std::uint64_t> high, low;
  std::uint64_t nodes = 0;
};

struct FilterTableSaving {
  double every = 0;  // seconds; zero: never
  // Also called where the run is stopped before its end.
  std::function<void(const FilterTableState&)> save;
  const FilterTableState* from = nullptr;
};

// kCentral: dependent rows of the draw have a common point (their biases depend as well), so that
// independent sets do not count regions. Throws std::invalid_argument for a malformed draw.
FilterTable count_filter_tuples(const FilterDraw& draw, std::uint64_t max_nodes,
                                RunControl& control, const FilterTableSaving& saving = {});

}  // namespace linear_regions
