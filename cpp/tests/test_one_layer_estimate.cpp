// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "check.hpp"
#include "linear_regions/one_layer_estimate.hpp"

using namespace linear_regions;

namespace {

// An image of `side` x `side` under square kernels, stride 1, no padding.
WindowGraph image(std::int64_t side, std::int64_t kernel, std::size_t channels,
                  std::size_t filters) {
  std::vector<std::int64_t> starts{0}, entries;
  for (std::int64_t i = 0; i + kernel <= side; ++i)
    for (std::int64_t j = 0; j + kernel <= side; ++j) {
      for (std::int64_t a = 0; a < kernel; ++a)
        for (std::int64_t b = 0; b < kernel; ++b) entries.push_back((i + a) * side + j + b);
      starts.push_back(static_cast<std::int64_t>(entries.size()));
    }
  return {starts, entries, static_cast<std::size_t>(side * side), channels, filters};
}

// 3x3 input, 2x2 kernel, 2 filters: all sets of 8 neurons are allowed, formula 256 = 2^8.
DirectPlan all_sizes(const WindowGraph& graph, Side side) {
  DirectPlan plan;
  std::uint64_t binomial = 1, sum = 0, total = 0;  // cut at the number of slots
  const std::uint64_t n = graph.n_neurons(), most = std::min<std::uint64_t>(n, graph.n_slots());
  for (int pass = 0; pass < 2; ++pass) {
    binomial = 1;
    for (std::uint64_t s = 0; s <= most; ++s) {
      if (pass == 0) {
        total += binomial;
      } else {
        sum += binomial;
        plan.sizes.push_back(s);
        plan.thresholds.push_back(
            sum == total ? ~std::uint64_t{0}
                         : static_cast<std::uint64_t>(std::ldexp(
                               static_cast<double>(sum) / static_cast<double>(total), 64)));
      }
      binomial = binomial * (n - s) / (s + 1);
    }
  }
  const std::size_t length = side == Side::kEntries ? graph.n_entries() : graph.n_windows();
  for (std::uint32_t i = 0; i < length; ++i) plan.order.push_back(i);
  plan.side = side;
  plan.key = {1, 2};
  plan.n_chunks = 8;
  plan.chunk_size = 100;
  return plan;
}

std::uint64_t sum(const std::vector<std::uint64_t>& values) {
  std::uint64_t total = 0;
  for (const std::uint64_t value : values) total += value;
  return total;
}

}  // namespace

TEST(every_set_succeeds_where_all_are_independent) {
  const WindowGraph graph = image(3, 2, 1, 2);
  for (const Side side : {Side::kEntries, Side::kWindows}) {
    RunControl control;
    CHECK_EQUAL(sum(run_direct(graph, all_sizes(graph, side), control).successes), 800u);
  }
}

TEST(direct_trials_do_not_depend_on_threads) {
  const WindowGraph graph = image(5, 2, 1, 2);
  for (const Side side : {Side::kEntries, Side::kWindows}) {
    std::vector<std::vector<std::uint64_t>> found;
    for (const unsigned threads : {1u, 2u, 7u}) {
      RunControl control;
      control.threads = threads;
      found.push_back(run_direct(graph, all_sizes(graph, side), control).successes);
    }
    CHECK(found[0] == found[1]);
    CHECK(found[0] == found[2]);
    CHECK(sum(found[0]) > 0);
    CHECK(sum(found[0]) < 800);
  }
}

TEST(particles_find_the_number_of_independent_sets_and_do_not_depend_on_threads) {
  // 3x3 input, 2x2 kernel, 3 filters: 4013 sets. Half of the neurons, no penalty.
  const WindowGraph graph = image(3, 2, 1, 3);
  ParticlePlan plan;
  for (const double t : {0.125, 0.5, 0.875})
    plan.thresholds.push_back(static_cast<std::uint64_t>(std::ldexp(t, 64)));
  plan.key = {3, 4};
  plan.n_batches = 16;
  plan.particles = 500;
  std::vector<double> first;
  for (const unsigned threads : {1u, 2u, 7u}) {
    RunControl control;
    control.threads = threads;
    const ParticleResult result = run_particles(graph, plan, control);
    double mean = 0;
    for (const double value : result.log_estimates) mean += std::exp(value) / 16;
    CHECK(std::abs(mean * 4096 - 4013) < 60);
    if (first.empty()) first = result.log_estimates;
    CHECK(first == result.log_estimates);
  }
}

TEST(penalties_change_the_variance_and_not_the_mean) {
  // p = 0.4, penalty p / (1 - p) = 2/3: R = (2/3)^-9 0.6^-12 E[...].
  const WindowGraph graph = image(3, 2, 1, 3);
  ParticlePlan plan;
  for (const double t : {0.216, 0.648, 0.936})
    plan.thresholds.push_back(static_cast<std::uint64_t>(std::ldexp(t, 64)));
  plan.log_penalty = std::log(2.0 / 3.0);
  plan.n_batches = 32;
  plan.particles = 1000;
  RunControl control;
  const ParticleResult result = run_particles(graph, plan, control);
  const double scale = std::pow(2.0 / 3.0, -9) * std::pow(0.6, -12);
  double mean = 0;
  for (const double value : result.log_estimates) mean += std::exp(value) / 32 * scale;
  CHECK(std::abs(mean - 4013) < 120);
}

TEST(a_cancelled_run_reports_no_unfinished_piece) {
  const WindowGraph graph = image(5, 2, 1, 2);
  RunControl control;
  control.stop(Status::kCancelled);
  const DirectResult result = run_direct(graph, all_sizes(graph, Side::kEntries), control);
  CHECK(result.successes.empty());
  CHECK(result.status == Status::kCancelled);
}

TEST(wrong_plans_are_refused) {
  const WindowGraph graph = image(3, 2, 1, 2);
  RunControl control;
  DirectPlan plan = all_sizes(graph, Side::kEntries);
  plan.order[0] = plan.order[1];
  CHECK_THROWS(run_direct(graph, plan, control), std::invalid_argument);
  plan = all_sizes(graph, Side::kEntries);
  plan.ranks_per_chunk = 1;
  CHECK_THROWS(run_direct(graph, plan, control), std::invalid_argument);
  ParticlePlan particles;
  CHECK_THROWS(run_particles(graph, particles, control), std::invalid_argument);
}

TEST_MAIN()
