// SPDX-License-Identifier: MIT
// WindowGraph: which input entries the windows of one convolutional layer see.
//
// Notation: window w (one position of the kernel) has `filters` neurons and sees a set of entries;
// entry e (a place of the input) has `channels` slots, all seen by the same windows. A set of
// neurons is Hall-independent if each of them can be matched to a slot of its own that it sees.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace linear_regions {

struct WindowGraph {
  using Index = std::uint32_t;

  // Window w sees entries[window_start[w] .. window_start[w + 1]); both arrays are checked. Every
  // window must see an entry and every entry must be seen. Throws std::invalid_argument.
  WindowGraph(std::span<const std::int64_t> window_start, std::span<const std::int64_t> entries,
              std::size_t n_entries, std::size_t channels, std::size_t filters);

  std::span<const Index> entries_of(Index window) const {
    return {entries_.data() + window_start_[window],
            window_start_[window + 1] - window_start_[window]};
  }
  std::span<const Index> windows_of(Index entry) const {
    return {windows_.data() + entry_start_[entry], entry_start_[entry + 1] - entry_start_[entry]};
  }
  // The same graph; the windows of every entry come in the order in which they run out: first the
  // one whose last entry in `order` (a permutation of the entries) is earliest.
  WindowGraph with_windows_by_last_entry(std::span<const Index> order) const;

  // Number of the first pair (window, entry) of a window: kernel places are stored per pair.
  std::size_t first_pair(Index window) const { return window_start_[window]; }
  std::size_t n_pairs() const { return entries_.size(); }

  std::size_t n_windows() const { return window_start_.size() - 1; }
  std::size_t n_entries() const { return entry_start_.size() - 1; }
  std::size_t n_slots() const { return n_entries() * channels; }
  std::size_t n_neurons() const { return n_windows() * filters; }

  Index channels, filters;

 private:
  std::vector<std::size_t> window_start_, entry_start_;
  std::vector<Index> entries_, windows_;
};

}  // namespace linear_regions
