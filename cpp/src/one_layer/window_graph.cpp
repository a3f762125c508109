// SPDX-License-Identifier: MIT
#include "linear_regions/window_graph.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace linear_regions {

WindowGraph::WindowGraph(std::span<const std::int64_t> window_start,
                         std::span<const std::int64_t> entries, std::size_t n_entries,
                         std::size_t n_channels, std::size_t n_filters) {
  constexpr std::size_t most = std::numeric_limits<Index>::max() / 2;
  if (n_channels == 0 || n_filters == 0 || n_channels > most || n_filters > most)
    throw std::invalid_argument("a window graph needs channels and filters");
  channels = static_cast<Index>(n_channels);
  filters = static_cast<Index>(n_filters);
  if (window_start.size() < 2 || window_start[0] != 0 ||
      window_start.back() != static_cast<std::int64_t>(entries.size()) || entries.size() > most ||
      n_entries > most / n_channels || window_start.size() > most / n_filters)
    throw std::invalid_argument("window starts do not fit the entries, or too many of them");
  window_start_.reserve(window_start.size());
  for (std::size_t w = 0; w < window_start.size(); ++w) {
    if (w > 0 && window_start[w] <= window_start[w - 1])
      throw std::invalid_argument("every window must see an entry");
    window_start_.push_back(static_cast<std::size_t>(window_start[w]));
  }
  entry_start_.assign(n_entries + 1, 0);
  entries_.reserve(entries.size());
  for (const std::int64_t entry : entries) {
    if (entry < 0 || static_cast<std::size_t>(entry) >= n_entries)
      throw std::invalid_argument("an entry is out of range");
    entries_.push_back(static_cast<Index>(entry));
    ++entry_start_[static_cast<std::size_t>(entry) + 1];
  }
  for (std::size_t e = 0; e < n_entries; ++e) {
    if (entry_start_[e + 1] == 0) throw std::invalid_argument("every entry must be seen");
    entry_start_[e + 1] += entry_start_[e];
  }
  windows_.resize(entries_.size());
  std::vector<std::size_t> next(entry_start_.begin(), entry_start_.end() - 1);
  for (std::size_t w = 0; w < n_windows(); ++w)
    for (std::size_t i = window_start_[w]; i < window_start_[w + 1]; ++i)
      windows_[next[entries_[i]]++] = static_cast<Index>(w);
}

WindowGraph WindowGraph::with_windows_by_last_entry(std::span<const Index> order) const {
  std::vector<Index> last(n_windows(), 0);
  for (Index rank = 0; rank < order.size(); ++rank)
    for (const Index window : windows_of(order[rank])) last[window] = rank;
  WindowGraph sorted(*this);
  for (Index entry = 0; entry < n_entries(); ++entry) {
    const auto begin = sorted.windows_.begin();
    std::stable_sort(begin + static_cast<std::ptrdiff_t>(entry_start_[entry]),
                     begin + static_cast<std::ptrdiff_t>(entry_start_[entry + 1]),
                     [&](Index a, Index b) { return last[a] < last[b]; });
  }
  return sorted;
}

}  // namespace linear_regions
