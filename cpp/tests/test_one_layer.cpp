// SPDX-License-Identifier: MIT
#include "linear_regions/one_layer.hpp"

#include <bit>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "check.hpp"

namespace lr = linear_regions;

namespace {

constexpr std::uint64_t kPrime = (std::uint64_t{1} << 61) - 1;

// Windows of a kernel on an image, row by row, and the mirror image of the columns.
lr::WindowLayer image(std::uint32_t height, std::uint32_t width, std::uint32_t kernel,
                      std::uint32_t channels) {
  lr::WindowLayer layer;
  layer.n_inputs = height * width;
  layer.channels = channels;
  for (std::uint32_t i = 0; i + kernel <= height; ++i)
    for (std::uint32_t j = 0; j + kernel <= width; ++j) {
      std::vector<std::uint32_t> window;
      for (std::uint32_t a = 0; a < kernel; ++a)
        for (std::uint32_t b = 0; b < kernel; ++b) window.push_back((i + a) * width + j + b);
      layer.windows.push_back(window);
    }
  std::vector<std::uint32_t> mirror;
  for (std::uint32_t i = 0; i < layer.n_inputs; ++i)
    mirror.push_back(i / width * width + width - 1 - i % width);
  layer.symmetries.push_back(mirror);
  return layer;
}

std::uint64_t binomial(std::uint64_t n, std::uint64_t k) {
  std::uint64_t value = 1;
  for (std::uint64_t i = 0; i < k; ++i) value = value * (n - i) / (i + 1);
  return value;
}

lr::Lanes one_lane(std::uint32_t filters, std::uint32_t most) {
  lr::Lanes lanes{{kPrime}, {}};
  for (std::uint32_t t = 0; t <= most && t <= filters; ++t)
    lanes.weights.push_back(binomial(filters, t));
  return lanes;
}

std::uint64_t count(const lr::WindowLayer& layer, std::uint32_t filters) {
  lr::RunControl control;
  const auto most = static_cast<std::uint32_t>(layer.windows[0].size()) * layer.channels;
  const lr::FrontierResult found =
      lr::count_frontier(layer, one_lane(filters, most), std::uint64_t{1} << 30, 1u << 30, control);
  CHECK(found.end == lr::FrontierEnd::kDone);
  return found.residues.empty() ? 0 : found.residues[0];
}

// Hall's condition for every set of windows, for every choice of t.
std::uint64_t by_subsets(const lr::WindowLayer& layer, std::uint32_t filters) {
  const std::size_t n = layer.windows.size();
  std::vector<std::uint64_t> room(std::size_t{1} << n, 0);
  for (std::size_t set = 0; set < room.size(); ++set) {
    std::uint64_t seen = 0;
    for (std::size_t j = 0; j < n; ++j)
      if (set >> j & 1)
        for (const std::uint32_t entry : layer.windows[j]) seen |= std::uint64_t{1} << entry;
    room[set] = static_cast<std::uint64_t>(std::popcount(seen)) * layer.channels;
  }
  std::vector<std::uint32_t> t(n, 0);
  std::uint64_t total = 0;
  for (;;) {
    bool independent = true;
    for (std::size_t set = 0; set < room.size() && independent; ++set) {
      std::uint64_t sum = 0;
      for (std::size_t j = 0; j < n; ++j) sum += set >> j & 1 ? t[j] : 0;
      independent = sum <= room[set];
    }
    std::uint64_t ways = 1;
    for (const std::uint32_t chosen : t) ways *= binomial(filters, chosen);
    total += independent ? ways : 0;
    std::size_t j = 0;
    while (j < n && t[j] == filters) t[j++] = 0;
    if (j == n) return total;
    ++t[j];
  }
}

// A draw of shared filters for `image`: weights from a linear congruence.
lr::FilterDraw draw(const lr::WindowLayer& layer, std::uint32_t filters, std::uint64_t seed) {
  lr::FilterDraw made;
  made.n_slots = layer.n_inputs;
  made.n_windows = static_cast<std::uint32_t>(layer.windows.size());
  made.n_filters = filters;
  made.rank = std::min(made.n_slots, made.n_windows * filters);
  made.prime = kPrime;
  const auto next = [&seed] {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 4) % kPrime;
  };
  for (std::uint32_t f = 0; f < filters; ++f) {
    std::vector<std::uint64_t> weight;
    for (std::size_t i = 0; i < layer.windows[0].size(); ++i) weight.push_back(next());
    const std::uint64_t bias = next();
    for (const auto& window : layer.windows) {
      std::vector<std::uint64_t> row(layer.n_inputs + 1, 0);
      for (std::size_t i = 0; i < window.size(); ++i) row[window[i]] = weight[i];
      row[layer.n_inputs] = bias;
      made.rows.insert(made.rows.end(), row.begin(), row.end());
    }
  }
  for (std::uint32_t mask = 1; mask < 1u << made.n_windows; ++mask) {
    made.firsts.push_back(mask);
    made.orbits.push_back(1);
  }
  return made;
}

std::uint64_t regions(const lr::FilterTable& table, std::uint32_t filters, std::uint32_t rank) {
  std::uint64_t total = 0;
  for (std::uint32_t m = 0; m <= filters; ++m)
    for (std::uint32_t s = 0; s <= rank; ++s)
      total += binomial(filters, m) * table.low[m * (rank + 1) + s];
  return total;
}

}  // namespace

TEST(frontier_equals_halls_condition_by_subsets) {
  for (std::uint32_t filters = 1; filters <= 4; ++filters)
    for (std::uint32_t channels = 1; channels <= 2; ++channels) {
      for (const auto& layer : {image(3, 3, 2, channels), image(3, 4, 2, channels),
                                image(4, 3, 3, channels), image(2, 5, 1, channels)}) {
        if (layer.windows.size() <= 6 || filters == 1)
          CHECK_EQUAL(count(layer, filters), by_subsets(layer, filters));
      }
    }
}

TEST(frontier_gives_known_values_with_and_without_symmetry) {
  CHECK_EQUAL(count(image(6, 6, 2, 1), 64), 1819013381874108675u);
  lr::WindowLayer plain = image(6, 6, 3, 1);
  CHECK_EQUAL(count(plain, 64), 1857305022254214939u);
  plain.symmetries.clear();
  CHECK_EQUAL(count(plain, 64), 1857305022254214939u);
}

TEST(large_values_take_two_bytes) {
  // 300 channels: 2 windows of one entry each, at most 300 of 400 neurons at each.
  lr::WindowLayer layer{2, 300, {{0, 1}, {1}}, {}};
  lr::Lanes lanes{{kPrime}, {}};
  for (int t = 0; t <= 400; ++t) lanes.weights.push_back(1);
  lr::RunControl control;
  const auto found = lr::count_frontier(layer, lanes, 1u << 30, 1u << 30, control);
  // t_2 <= 300, t_1 + t_2 <= 600, t_1 <= 400.
  std::uint64_t expected = 0;
  for (int b = 0; b <= 300; ++b) expected += static_cast<std::uint64_t>(std::min(400, 600 - b)) + 1;
  CHECK_EQUAL(found.residues.at(0), expected);
}

TEST(budgets_and_cancelling_end_a_count) {
  const lr::WindowLayer layer = image(6, 6, 3, 1);
  lr::RunControl control;
  CHECK(lr::count_frontier(layer, one_lane(8, 9), 1u << 30, 10, control).end ==
        lr::FrontierEnd::kTooLong);
  lr::RunControl small;
  CHECK(lr::count_frontier(layer, one_lane(8, 9), 1000, 1u << 30, small).end ==
        lr::FrontierEnd::kOutOfMemory);
  lr::RunControl cancelled;
  cancelled.stop(lr::Status::kCancelled);
  CHECK(lr::count_frontier(layer, one_lane(8, 9), 1u << 30, 1u << 30, cancelled).end ==
        lr::FrontierEnd::kStopped);
}

TEST(shared_filters_of_the_smallest_image_commute) {
  const lr::WindowLayer layer = image(3, 3, 2, 1);
  const std::uint64_t truths[] = {16, 255, 3998, 48903};
  for (std::uint32_t filters = 1; filters <= 4; ++filters) {
    for (std::uint64_t seed = 1; seed <= 2; ++seed) {
      lr::RunControl control;
      const lr::FilterDraw made = draw(layer, filters, seed);
      const lr::FilterTable table = lr::count_filter_tuples(made, 1u << 30, control);
      CHECK(table.end == lr::TableEnd::kDone);
      CHECK_EQUAL(regions(table, filters, made.rank), truths[filters - 1]);
    }
  }
}

TEST(equal_biases_of_equal_rows_are_central) {
  lr::FilterDraw made = draw(image(3, 3, 2, 1), 2, 5);
  const auto half = static_cast<std::ptrdiff_t>(made.rows.size() / 2);
  std::copy(made.rows.begin(), made.rows.begin() + half, made.rows.begin() + half);
  lr::RunControl control, again;
  CHECK(lr::count_filter_tuples(made, 1u << 30, control).end == lr::TableEnd::kCentral);
  made.check_bias = false;
  CHECK(lr::count_filter_tuples(made, 1u << 30, again).end == lr::TableEnd::kDone);
}

TEST(malformed_input_is_refused) {
  lr::RunControl control;
  const lr::Lanes lanes = one_lane(2, 2);
  const std::uint64_t big = 1u << 30;
  CHECK_THROWS(lr::count_frontier({2, 1, {}, {}}, lanes, big, big, control), std::invalid_argument);
  CHECK_THROWS(lr::count_frontier({2, 1, {{2}}, {}}, lanes, big, big, control),
               std::invalid_argument);
  CHECK_THROWS(lr::count_frontier({2, 1, {{0}}, {{1, 0}}}, lanes, big, big, control),
               std::invalid_argument);
  CHECK_THROWS(lr::count_frontier({2, 1, {{0}}, {}}, {{kPrime}, {}}, big, big, control),
               std::invalid_argument);
  lr::FilterDraw made = draw(image(3, 3, 2, 1), 2, 5);
  made.prime = 101;
  CHECK_THROWS(lr::count_filter_tuples(made, big, control), std::invalid_argument);
}

TEST_MAIN()
