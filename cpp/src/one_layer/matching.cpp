// SPDX-License-Identifier: MIT
#include "one_layer/matching.hpp"

#include <algorithm>

namespace linear_regions::one_layer {

PathSearch::PathSearch(const WindowGraph& graph)
    : graph_(graph),
      window_stamp_(graph.n_windows(), 0),
      entry_stamp_(graph.n_entries(), 0),
      from_(graph.n_windows()),
      via_(graph.n_windows()) {
  queue_.reserve(graph.n_windows());
}

void PathSearch::begin() {
  queue_.clear();
  if (++stamp_ == 0) {  // after 2^32 searches
    std::fill(window_stamp_.begin(), window_stamp_.end(), 0);
    std::fill(entry_stamp_.begin(), entry_stamp_.end(), 0);
    stamp_ = 1;
  }
}

bool PathSearch::enter(Index window, Index from, std::size_t slot, const std::uint8_t* sealed) {
  if (window_stamp_[window] == stamp_ || sealed[window]) return false;
  window_stamp_[window] = stamp_;
  from_[window] = from;
  via_[window] = slot;
  queue_.push_back(window);
  ++n_visited_;
  return true;
}

void PathSearch::seal(MatchingView m) const {
  for (const Index window : queue_) m.sealed[window] = 1;
}

Index PathSearch::shift_back(MatchingView m, Index last) const {
  Index window = last;
  while (from_[window] != kNone) {
    m.owner[via_[window]] = window;
    window = from_[window];
  }
  return window;
}

bool PathSearch::cover(MatchingView m, Index entry, Index* unused) {
  const std::size_t channels = graph_.channels;
  Index* const free_slot = m.owner + entry * channels + m.used[entry];
  for (const Index window : graph_.windows_of(entry)) {
    if (unused[window] == 0) continue;
    --unused[window];
    *free_slot = window;
    ++m.used[entry];
    return true;
  }
  begin();
  entry_stamp_[entry] = stamp_;
  for (const Index window : graph_.windows_of(entry)) enter(window, kNone, 0, m.sealed);
  for (std::size_t head = 0; head < queue_.size(); ++head) {
    const Index window = queue_[head];
    for (const Index other : graph_.entries_of(window)) {
      if (entry_stamp_[other] == stamp_) continue;
      const Index* const owners = m.owner + other * channels;
      const Index* const end = owners + m.used[other];
      const Index* const mine = std::find(owners, end, window);
      if (mine == end) continue;
      // Every window of `other` is entered now: it need not be looked at again.
      entry_stamp_[other] = stamp_;
      const auto slot = static_cast<std::size_t>(mine - m.owner);
      for (const Index next : graph_.windows_of(other)) {
        if (!enter(next, window, slot, m.sealed) || unused[next] == 0) continue;
        --unused[next];
        *free_slot = shift_back(m, next);
        ++m.used[entry];
        return true;
      }
    }
  }
  seal(m);
  return false;
}

bool PathSearch::place(MatchingView m, Index window) {
  const std::size_t channels = graph_.channels;
  for (const Index entry : graph_.entries_of(window)) {
    if (m.used[entry] == channels) continue;
    m.owner[entry * channels + m.used[entry]++] = window;
    return true;
  }
  begin();
  enter(window, kNone, 0, m.sealed);
  for (std::size_t head = 0; head < queue_.size(); ++head) {
    const Index current = queue_[head];
    for (const Index entry : graph_.entries_of(current)) {
      if (entry_stamp_[entry] == stamp_) continue;
      entry_stamp_[entry] = stamp_;
      if (m.used[entry] < channels) {
        // Backwards along the path: each window gives the slot that it was reached by to the one
        // that reached it, and takes the next.
        std::size_t slot = entry * channels + m.used[entry]++;
        Index taker = current;
        while (true) {
          m.owner[slot] = taker;
          if (from_[taker] == kNone) return true;
          slot = via_[taker];
          taker = from_[taker];
        }
      }
      const std::size_t first = entry * channels;
      for (std::size_t slot = first; slot < first + channels; ++slot)
        if (m.owner[slot] != kNone) enter(m.owner[slot], current, slot, m.sealed);
    }
  }
  seal(m);
  return false;
}

bool PathSearch::settle(MatchingView m, Index entry, const Index* close_time, Index now) {
  const std::size_t channels = graph_.channels;
  begin();
  entry_stamp_[entry] = stamp_;
  for (const Index window : graph_.windows_of(entry)) enter(window, kNone, 0, m.sealed);
  for (std::size_t head = 0; head < queue_.size(); ++head) {
    const Index window = queue_[head];
    for (const Index other : graph_.entries_of(window)) {
      if (entry_stamp_[other] == stamp_) continue;
      Index* const owners = m.owner + other * channels;
      Index* const end = owners + m.used[other];
      Index* const mine = std::find(owners, end, window);
      if (mine == end) continue;
      if (close_time[other] > now) {
        // Free this slot; the slots in use stay the first ones.
        *mine = *(end - 1);
        --m.used[other];
        m.owner[entry * channels + m.used[entry]++] = shift_back(m, window);
        return true;
      }
      entry_stamp_[other] = stamp_;
      const auto slot = static_cast<std::size_t>(mine - m.owner);
      for (const Index next : graph_.windows_of(other)) enter(next, window, slot, m.sealed);
    }
  }
  seal(m);
  return false;
}

}  // namespace linear_regions::one_layer
