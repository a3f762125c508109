// SPDX-License-Identifier: MIT
#include "one_layer/shared_rank.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace linear_regions::one_layer {
namespace {

using Index = WindowGraph::Index;
constexpr std::uint64_t kPrime = (std::uint64_t{1} << 61) - 1;

std::uint64_t reduce(Wide x) {
  const std::uint64_t sum =
      static_cast<std::uint64_t>(x & kPrime) + static_cast<std::uint64_t>(x >> 61);
  return sum >= kPrime ? sum - kPrime : sum;
}

std::uint64_t times(std::uint64_t a, std::uint64_t b) {
  return reduce(Wide{a} * b);
}

std::uint64_t inverse(std::uint64_t a) {
  // a^(p - 2); p - 2 = 2^61 - 3 has all bits but the second.
  std::uint64_t result = 1;
  for (int bit = 60; bit >= 0; --bit) {
    result = times(result, result);
    if (bit != 1) result = times(result, a);
  }
  return result;
}

std::uint64_t draw(RandomStream& random) {
  while (true) {
    const std::uint64_t value = random.next() >> 3;
    if (value != kPrime) return value;
  }
}

// A row that is zero outside of the columns from `first` on.
struct Row {
  std::size_t first = 0;
  std::vector<std::uint64_t> values;
};

// Rows in echelon form; each has value 1 at its pivot, which is its first column.
class Basis {
 public:
  explicit Basis(std::size_t columns) : pivots_(columns) {}

  bool add(Row row) {
    for (std::size_t i = 0; i < row.values.size(); ++i) {
      const std::uint64_t value = row.values[i];
      if (value == 0) continue;
      const std::size_t column = row.first + i;
      const std::vector<std::uint64_t>& known = pivots_[column];
      if (known.empty()) {
        store(row, i, column);
        return true;
      }
      if (i + known.size() > row.values.size()) row.values.resize(i + known.size(), 0);
      const std::uint64_t factor = kPrime - value;
      for (std::size_t j = 0; j < known.size(); ++j)
        row.values[i + j] = reduce(Wide{factor} * known[j] + row.values[i + j]);
    }
    return false;
  }

 private:
  void store(const Row& row, std::size_t from, std::size_t column) {
    const std::uint64_t scale = inverse(row.values[from]);
    std::vector<std::uint64_t>& pivot = pivots_[column];
    pivot.reserve(row.values.size() - from);
    for (std::size_t i = from; i < row.values.size(); ++i)
      pivot.push_back(times(scale, row.values[i]));
    while (pivot.back() == 0) pivot.pop_back();
  }

  std::vector<std::vector<std::uint64_t>> pivots_;
};

}  // namespace

void check_places(const WindowGraph& graph, const std::vector<std::uint32_t>& places) {
  if (places.size() != graph.n_pairs())
    throw std::invalid_argument("every pair of window and entry needs a kernel place");
}

bool shared_rows_independent(const WindowGraph& graph, const std::vector<std::uint32_t>& places,
                             const std::vector<Index>& neurons, RandomStream& random,
                             const WorkSource& source) {
  const std::size_t channels = graph.channels;
  const std::size_t n_places = *std::max_element(places.begin(), places.end()) + std::size_t{1};
  const std::size_t per_filter = n_places * channels;
  std::vector<std::uint64_t> weights(per_filter * graph.filters);
  for (std::uint64_t& weight : weights) weight = draw(random);
  std::vector<Index> filters(graph.filters);
  std::iota(filters.begin(), filters.end(), Index{0});
  Basis basis(graph.n_slots());
  for (Index window = 0; window < graph.n_windows(); ++window) {
    const auto entries = graph.entries_of(window);
    const auto [low, high] = std::minmax_element(entries.begin(), entries.end());
    const std::size_t first_pair = graph.first_pair(window);
    for (Index i = 0; i < neurons[window]; ++i) {
      if (!source.go_on()) return false;
      // The first `neurons[window]` steps of a random permutation.
      const auto other = i + static_cast<Index>(random.below(graph.filters - i));
      std::swap(filters[i], filters[other]);
      const std::uint64_t* const filter = weights.data() + filters[i] * per_filter;
      Row row{*low * channels, std::vector<std::uint64_t>((*high - *low + 1) * channels, 0)};
      for (std::size_t j = 0; j < entries.size(); ++j)
        std::copy_n(filter + places[first_pair + j] * channels, channels,
                    row.values.data() + (entries[j] - *low) * channels);
      if (!basis.add(std::move(row))) return false;
    }
  }
  return true;
}

}  // namespace linear_regions::one_layer
