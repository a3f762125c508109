// SPDX-License-Identifier: MIT
// Sign vectors of all chambers of any arrangement, by a depth-first tree, certified.
//
// Two engines: one splits cones that are known by their rays, the other goes from witness to
// witness by small linear programs. The first is faster where cones have few rays: in degenerate
// arrangements and in low dimensions. A trial on the first cones decides, the same in every run.
//
// Degenerate, central, parallel, duplicate, opposite and zero rows are ordinary input; a domain
// restricts the search, and chambers outside are never visited. Bit i of a sign vector is set where
// row i is positive; the bit of a zero row is clear. Chambers come in the serial depth-first order,
// whatever the number of threads. docs/design/sign-tree.md has the mathematics.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "linear_regions/hyperplanes.hpp"
#include "linear_regions/planar.hpp"
#include "linear_regions/run_control.hpp"

namespace linear_regions {

struct SignTreeWork {
  // ---- rays ----
  std::uint64_t cones = 0;        // cones visited
  std::uint64_t splits = 0;       // those split by a row
  std::uint64_t rays = 0;         // rays computed
  std::uint64_t rays_reused = 0;  // rays that were known
  std::uint64_t exact_rays = 0;   // rays computed in integers of any size
  // ---- witnesses ----
  std::uint64_t chains = 0;           // witnesses, one per chamber (or per pair of opposite ones)
  std::uint64_t lps = 0;              // programs solved in doubles
  std::uint64_t steps = 0;            // their steps
  std::uint64_t circuits_reused = 0;  // "no" by a circuit that was known
  std::uint64_t steps_across = 0;     // "yes" by a step from the witness, without a program
  std::uint64_t exact_signs = 0;      // signs taken in exact arithmetic
  std::uint64_t exact_lps = 0;        // programs solved in exact arithmetic
  std::uint64_t exact_witnesses = 0;  // chambers' ancestors for which no double witness was found
  std::uint64_t stolen = 0;           // sub-trees handed to another thread

  SignTreeWork& operator+=(const SignTreeWork& o);
};

enum class TreeEngine : std::uint8_t { kAuto, kRays, kWitnesses };

struct SignTreeOptions {
  Arithmetic arithmetic = Arithmetic::kCertified;
  bool points = false;  // interior points as well
  // kRays takes at most 256 distinct rows, 29 dimensions and certified arithmetic; without any row
  // the other one runs.
  TreeEngine engine = TreeEngine::kAuto;
};

// Memory that is not zeroed before it is written: so that threads, and not the one that asks for
// it, touch the pages of a long column first.
template <typename T>
struct Untouched : std::allocator<T> {
  template <typename U>
  struct rebind {
    using other = Untouched<U>;
  };
  template <typename U, typename... Args>
  void construct(U* at, Args&&... args) {
    if constexpr (sizeof...(Args) == 0) {
      ::new (static_cast<void*>(at)) U;
    } else {
      ::new (static_cast<void*>(at)) U(std::forward<Args>(args)...);
    }
  }
};
template <typename T>
using Column = std::vector<T, Untouched<T>>;

// Chambers in columns; one block holds consecutive chambers of the order.
struct ChamberBlock {
  std::size_t n = 0, words = 0;
  TreeEngine engine = TreeEngine::kWitnesses;  // in blocks of a stream: the one that runs
  Column<std::uint64_t> signs;                 // n * words
  Column<double> points;  // n * d where asked for; NaN where no double was proved inside
  // Chambers without an interior point in doubles: (number in this block, coordinates as
  // hexadecimal fractions).
  std::vector<std::pair<std::size_t, std::vector<std::string>>> exact_points;
};

// The blocks of a list as one, copied by several threads.
ChamberBlock joined(std::vector<ChamberBlock>&& blocks, unsigned most_threads);

struct SignTreeResult {
  std::uint64_t chambers = 0;
  Status status = Status::kComplete;
  TreeEngine engine = TreeEngine::kWitnesses;  // the one that ran
  SignTreeWork work;
  double seconds = 0;
};

// Sub-trees of a search, in its order. A sub-tree is the set of chambers that have certain signs;
// it means the same in every run of the same engine. One row of `rows` each:
//   first, last    rays: numbers of simplicial cones, where no sign is known; else 0, 0
//   known          `words` words: rows (of the reduced problem) with a sign; witnesses: the cuts
//   positive       `words` words
struct ChamberPart {
  std::size_t words = 0;
  std::vector<std::uint64_t> rows;
  std::vector<double> shares;  // of the whole search

  std::size_t size() const { return shares.size(); }
  std::size_t stride() const { return 2 + 2 * words; }
};

// How far a search has come. The chambers found since the last state lie between the sub-trees that
// are left: `found[i]` comes before number `place[i]` of them.
struct SignTreeState {
  TreeEngine engine = TreeEngine::kWitnesses;
  std::uint64_t chambers = 0;  // of this run so far, all of them
  SignTreeWork work;
  ChamberPart rest;
  // By sub-tree that is left, by block: the number of the one it comes from, as the run before
  // (or the last state) numbered them.
  std::vector<std::uint64_t> origin, found_origin, place;
  std::vector<ChamberBlock> found;  // of a listing
};

struct SignTreeSaving {
  double every = 0;  // seconds; zero: never
  // Also called where the run is stopped before its end, and at the end of a listing.
  std::function<void(SignTreeState&&)> save;
  const ChamberPart* from = nullptr;  // none: the whole
};

// Thrown where a part does not lead to sub-trees of this search.
struct ForeignChamberPart : std::runtime_error {
  ForeignChamberPart() : std::runtime_error("a part of a search of chambers is of another one") {}
};

// All three throw std::invalid_argument for values that are not finite, shapes that do not fit, and
// a domain without interior, and std::domain_error where a forced engine cannot do it. Sides of
// `domain` may be absent: the whole space.

// Count without storing: memory does not grow with the number of chambers.
SignTreeResult sign_tree_count(const Hyperplanes& planes, const ConvexDomain& domain,
                               const SignTreeOptions& options, RunControl& control,
                               const SignTreeSaving& saving = {});
// A limit gives exactly the first chambers of the order. In blocks, one at least, for `joined`.
// With `saving` the states get the chambers and `out` no chambers; a limit is then a place to stop,
// and there may be one more.
SignTreeResult sign_tree_list(const Hyperplanes& planes, const ConvexDomain& domain,
                              const SignTreeOptions& options, RunControl& control,
                              std::vector<ChamberBlock>& out, const SignTreeSaving& saving = {});
// Blocks of `block` chambers, the last one smaller. The calling thread hands them to `sink`, which
// returns false to stop; the others work ahead of it, up to some hundred thousand chambers. With
// `saving` there is one thread.
SignTreeResult sign_tree_stream(const Hyperplanes& planes, const ConvexDomain& domain,
                                const SignTreeOptions& options, RunControl& control,
                                std::size_t block, const std::function<bool(ChamberBlock&&)>& sink,
                                const SignTreeSaving& saving = {});

}  // namespace linear_regions
