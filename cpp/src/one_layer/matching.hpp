// SPDX-License-Identifier: MIT
// Matchings of neurons to input slots that grow by augmenting paths, one window or entry at a time.
//
// Notation as in WindowGraph. The slots of an entry are interchangeable; those in use are its first
// ones. A search runs over windows: from a window one comes to the windows that could take over a
// slot of it, or give one up.
//
// Sealed windows. A search that fails has visited a set of windows from which nothing can be moved
// out. In the orders used here that stays so (the windows' neurons and the entries concerned are
// final, see the callers), so these windows are sealed: no later search enters them. The cost of
// all failed searches together is linear.
#pragma once

#include <cstdint>
#include <vector>

#include "linear_regions/window_graph.hpp"

namespace linear_regions::one_layer {

using Index = WindowGraph::Index;

inline constexpr Index kNone = ~Index{0};

// What a matching consists of; a plain value that particles copy.
struct MatchingView {
  Index* owner;          // per slot: its window, where it is in use
  Index* used;           // per entry: slots in use
  std::uint8_t* sealed;  // per window
};

// Breadth-first searches: scratch space that is kept between calls.
class PathSearch {
 public:
  explicit PathSearch(const WindowGraph& graph);

  // Cover a slot of `entry` by a neuron: one of its windows has a neuron left, or takes one over
  // from another slot, whose windows go on in the same way. `unused`: neurons left, per window.
  // All windows of all entries in use must be final.
  bool cover(MatchingView m, Index entry, Index* unused);

  // Match one more neuron of `window` to a slot, moving others.
  bool place(MatchingView m, Index window);

  // All neurons are matched; `entry` has a slot to spare and no window to come. Use the slot by
  // freeing one of an open entry, that is, one with close_time > now.
  bool settle(MatchingView m, Index entry, const Index* close_time, Index now);

  std::uint64_t visited() const { return n_visited_; }

 private:
  void begin();
  bool enter(Index window, Index from, std::size_t slot, const std::uint8_t* sealed);
  void seal(MatchingView m) const;
  // Hand the slots along the path to the windows that reached for them; returns its first window.
  Index shift_back(MatchingView m, Index last) const;

  const WindowGraph& graph_;
  std::vector<std::uint32_t> window_stamp_, entry_stamp_;
  std::vector<Index> queue_, from_;
  std::vector<std::size_t> via_;
  std::uint32_t stamp_ = 0;
  std::uint64_t n_visited_ = 0;
};

}  // namespace linear_regions::one_layer
