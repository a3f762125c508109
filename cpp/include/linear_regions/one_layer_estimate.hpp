// SPDX-License-Identifier: MIT
// Estimates of R = sum over Hall-independent sets of neurons of k^size, for one part of a layer.
//
// Two methods, both unbiased (docs/design/one-layer-estimates.md has the proofs):
//
//   direct     independent trials; each succeeds with probability R / U for a known U
//   particles  batches of particles that reveal the layer window by window; each batch returns an
//              independent, unbiased estimate of R / Z for a known Z
//
// Every trial and every batch draws from a stream of its own, numbered by the key and its index, so
// nothing depends on the number of threads.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "linear_regions/run_control.hpp"
#include "linear_regions/window_graph.hpp"

namespace linear_regions {

using StreamKey = std::array<std::uint64_t, 2>;

enum class Side : std::uint8_t { kEntries, kWindows };

struct DirectPlan {
  // A trial draws u of 64 bits and takes size sizes[i] for the first i with u < thresholds[i]; it
  // fails where there is none.
  std::vector<std::uint64_t> sizes, thresholds;
  // kEntries: entries in the order in which they are covered; kWindows: windows in the order in
  // which their neurons are placed. A permutation.
  std::vector<std::uint32_t> order;
  Side side = Side::kEntries;
  StreamKey key{};
  std::uint64_t first_trial = 0, n_chunks = 0, chunk_size = 0;
  // Shared filters: test the rank of the first successes of every chunk, at most so many.
  std::uint64_t ranks_per_chunk = 0;
  std::vector<std::uint32_t> places;  // kernel place of every pair (window, entry)
};

struct DirectResult {
  // The chunks 0, 1, ... that are complete: a prefix, also where the run was stopped.
  std::vector<std::uint64_t> successes, ranks_tested, ranks_full;
  std::uint64_t revealed = 0;  // windows whose number of neurons was drawn
  std::uint64_t searched = 0;  // windows visited by searches for augmenting paths
  Status status = Status::kComplete;
  double seconds = 0;
};

DirectResult run_direct(const WindowGraph& graph, const DirectPlan& plan, RunControl& control);

// Windows are drawn by number. A neuron takes the first free slot of its window, so entries that
// are closed (seen for the last time) early should come first in every window.
struct ParticlePlan {
  // The number of neurons of a window is i for the first i with u < thresholds[i] (64 bits).
  std::vector<std::uint64_t> thresholds;
  double log_penalty = 0;  // natural logarithm of the weight of an uncovered slot, <= 0
  StreamKey key{};
  std::uint64_t first_batch = 0, n_batches = 0, particles = 0;
  std::uint64_t ranks_per_batch = 0;
  std::vector<std::uint32_t> places;
};

struct ParticleResult {
  // Natural logarithms of the estimates of the batches 0, 1, ... that are complete (a prefix);
  // minus infinity where all particles died.
  std::vector<double> log_estimates;
  std::vector<std::uint64_t> ranks_tested, ranks_full;
  std::uint64_t copied = 0, searched = 0;  // particles copied, windows visited by searches
  Status status = Status::kComplete;
  double seconds = 0;
};

ParticleResult run_particles(const WindowGraph& graph, const ParticlePlan& plan,
                             RunControl& control);

}  // namespace linear_regions
