// SPDX-License-Identifier: MIT
// The lowest-vertex sweep: counts, distinct sign vectors, blocks, threads, refusals.
#include "linear_regions/sweep.hpp"

#include <algorithm>
#include <cstdio>
#include <random>
#include <set>
#include <vector>

#include "check.hpp"

using namespace linear_regions;

namespace {

using Words = std::vector<std::uint64_t>;

Hyperplanes draw(std::size_t n, std::size_t d, int size, unsigned seed) {
  Hyperplanes h;
  h.n = n;
  h.d = d;
  std::mt19937_64 generator(seed);
  std::uniform_int_distribution<int> entry(-size, size);
  for (std::size_t i = 0; i < n * (d + 1); ++i) h.value.push_back(entry(generator));
  return h;
}

Words swept(const Hyperplanes& h, std::uint64_t first, std::uint64_t last, unsigned threads) {
  const std::size_t words = (h.n + 63) / 64;
  Words out(words * (last - first));
  RunControl control;
  control.threads = threads;
  const SweepResult result =
      sweep(h, first, last, Arithmetic::kCertified, control, out.data(), words);
  CHECK(result.status == Status::kComplete);
  CHECK(result.chambers == last - first);
  return out;
}

std::size_t distinct(const Words& out, std::size_t words) {
  std::set<Words> set;
  for (std::size_t i = 0; i < out.size(); i += words)
    set.insert(Words(out.begin() + static_cast<std::ptrdiff_t>(i),
                     out.begin() + static_cast<std::ptrdiff_t>(i + words)));
  return set.size();
}

TEST(sweep_finds_every_chamber_once_for_all_threads_and_blocks) {
  for (const auto& [n, d] : std::vector<std::pair<std::size_t, std::size_t>>{
           {1, 1}, {5, 2}, {9, 3}, {12, 4}, {3, 6}, {64, 2}, {65, 2}, {130, 2}, {15, 5}}) {
    const Hyperplanes h = draw(n, d, 100000, static_cast<unsigned>(n + 100 * d));
    const std::uint64_t size = sweep_size(n, d);
    const Words whole = swept(h, 0, size, 1);
    CHECK(distinct(whole, (n + 63) / 64) == size);
    CHECK(whole == swept(h, 0, size, 3));
    const Words tail = swept(h, size / 3, size, 2);
    CHECK(std::equal(tail.rbegin(), tail.rend(), whole.rbegin()));
  }
}

// Bounds that are right but loose would show in time only.
TEST(ordinary_arrangements_need_hardly_any_exact_sign) {
  for (const auto& [n, d] :
       std::vector<std::pair<std::size_t, std::size_t>>{{30, 3}, {20, 6}, {18, 8}, {15, 10}}) {
    const Hyperplanes h = draw(n, d, 10000, static_cast<unsigned>(n));
    RunControl control;
    const SweepResult result =
        sweep(h, 0, sweep_size(n, d), Arithmetic::kCertified, control, nullptr, 0);
    CHECK(result.status == Status::kComplete);
    CHECK(result.exact_chambers <= 3);
  }
}

// Rows whose float thresholds cannot decide: exact minors do, and the answer is the same as that of
// the same rows with an exact copy beside them.
TEST(rows_with_an_exact_copy_give_the_same) {
  Hyperplanes h = draw(8, 3, 3, 11);  // small entries: many minors vanish or are tiny
  const std::uint64_t size = sweep_size(8, 3);
  bool refused = false;
  RunControl control;
  Words out(size);
  try {
    sweep(h, 0, size, Arithmetic::kCertified, control, out.data(), 1);
  } catch (const NotSimple&) {
    refused = true;
  }
  CHECK(refused);
  h = draw(8, 3, 1000, 12);
  const Words plain = swept(h, 0, size, 1);
  for (const double v : h.value) {
    char text[40];
    std::snprintf(text, sizeof text, "%s%llx", v < 0 ? "-" : "",
                  static_cast<unsigned long long>(v < 0 ? -v : v));
    h.exact.emplace_back(text);
  }
  CHECK(plain == swept(h, 0, size, 1));
}

TEST(what_is_not_simple_or_too_large_is_refused) {
  Hyperplanes h;
  h.n = 4;
  h.d = 2;
  h.value = {1, 2, 0, 3, 1, 0, 1, 5, 0, 1, 7, 5};  // three lines through the origin
  RunControl control;
  bool refused = false;
  try {
    sweep(h, 0, sweep_size(4, 2), Arithmetic::kCertified, control, nullptr, 0);
  } catch (const NotSimple& found) {
    refused = !found.coordinates();
  }
  CHECK(refused);
  CHECK_THROWS(sweep_size(2000, 40), std::overflow_error);
}

TEST(a_time_limit_stops_the_sweep) {
  const Hyperplanes h = draw(40, 5, 100000, 3);
  RunControl control;
  control.threads = 2;
  control.time_limit = 0.0;
  const SweepResult result =
      sweep(h, 0, sweep_size(40, 5), Arithmetic::kCertified, control, nullptr, 0);
  CHECK(result.status == Status::kTimeLimit);
  CHECK(result.chambers < sweep_size(40, 5));
}

}  // namespace

TEST_MAIN()
