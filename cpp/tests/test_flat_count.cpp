// SPDX-License-Identifier: MIT
#include "linear_regions/flat_count.hpp"

#include <cstdint>
#include <stdexcept>
#include <vector>

#include "../src/arrangement/fields.hpp"
#include "check.hpp"

namespace lr = linear_regions;

namespace {

struct Rows {
  std::size_t n = 0, r = 0;
  std::vector<std::uint64_t> entries;
};

// x_i = x_j for i < j <= k, in the differences y_i = x_i - x_(i+1): row y_1 first, then the others.
Rows braid(std::size_t k) {
  Rows rows;
  rows.r = k - 1;
  for (std::size_t length = 1; length < k; ++length)
    for (std::size_t i = 0; i + length < k; ++i) {
      for (std::size_t c = 0; c + 1 < k; ++c)
        rows.entries.push_back(c >= i && c < i + length ? 1 : 0);
      ++rows.n;
    }
  return rows;
}

// (1, t, t^2, ...) modulo p behind the row at infinity: every r rows are independent.
Rows moments(std::size_t n, std::size_t r, std::uint64_t p) {
  Rows rows;
  rows.n = n + 1;
  rows.r = r;
  rows.entries.assign(r, 0);
  rows.entries[0] = 1;
  for (std::size_t t = 1; t <= n; ++t) {
    std::uint64_t power = 1;
    for (std::size_t c = 0; c < r; ++c) {
      rows.entries.push_back(power);
      power = static_cast<std::uint64_t>(static_cast<lr::Wide128>(power) * t % p);
    }
  }
  return rows;
}

std::vector<std::uint64_t> count(const Rows& rows, std::uint64_t p, unsigned threads = 1,
                                 std::size_t store = std::size_t{1} << 28,
                                 bool* uniform = nullptr) {
  lr::RunControl control;
  control.threads = threads;
  const auto result = lr::count_flats(rows.entries, rows.n, rows.r, p, control, store);
  CHECK(result.status == lr::Status::kComplete);
  if (uniform != nullptr) *uniform = result.uniform;
  std::vector<std::uint64_t> low;
  for (const auto& b : result.whitney) {
    CHECK_EQUAL(b.high, std::uint64_t{0});
    low.push_back(b.low);
  }
  return low;
}

std::uint64_t sum(const std::vector<std::uint64_t>& values) {
  std::uint64_t total = 0;
  for (const auto v : values) total += v;
  return total;
}

constexpr std::uint64_t kMersenne = (std::uint64_t{1} << 61) - 1;

}  // namespace

TEST(braid_arrangements_have_factorially_many_chambers) {
  std::uint64_t factorial = 2;
  for (std::size_t k = 3; k <= 8; ++k) {
    factorial *= k;
    // A central arrangement has twice the chambers of its part above one hyperplane.
    for (const std::uint64_t p : {std::uint64_t{3}, std::uint64_t{101}, std::uint64_t{8191},
                                  std::uint64_t{8209}, kMersenne}) {
      CHECK_EQUAL(2 * sum(count(braid(k), p)), factorial);
    }
  }
}

TEST(general_position_is_recognised) {
  bool uniform = false;
  CHECK(count(moments(9, 4, kMersenne), kMersenne, 1, 1 << 20, &uniform) ==
        (std::vector<std::uint64_t>{1, 9, 36, 84}));
  CHECK(uniform);
  CHECK(count(moments(9, 4, 8191), 8191, 1, 1 << 20, &uniform) ==
        (std::vector<std::uint64_t>{1, 9, 36, 84}));
  CHECK(uniform);
  count(braid(5), kMersenne, 1, 1 << 20, &uniform);
  CHECK(!uniform);
}

TEST(threads_and_full_stores_do_not_change_a_number) {
  const Rows rows = braid(9);
  const auto expected = count(rows, 101);
  for (const unsigned threads : {1u, 2u, 7u})
    for (const std::size_t store : {std::size_t{1}, std::size_t{1} << 28}) {
      CHECK(count(rows, 101, threads, store) == expected);
      CHECK(count(rows, kMersenne, threads, store) == expected);
    }
}

TEST(ranks_one_and_two_are_counted) {
  const Rows point{1, 1, {1}};
  CHECK(count(point, 101) == std::vector<std::uint64_t>{1});
  const Rows line{4, 2, {1, 0, 0, 1, 1, 1, 5, 1}};
  CHECK(count(line, 101) == (std::vector<std::uint64_t>{1, 3}));
}

TEST(broken_promises_are_refused) {
  lr::RunControl control;
  const std::vector<std::uint64_t> rows{1, 0, 0, 1};
  CHECK_THROWS(lr::count_flats(rows, 2, 2, 4, control), std::invalid_argument);
  CHECK_THROWS(lr::count_flats(rows, 1, 2, 101, control), std::invalid_argument);
  const std::vector<std::uint64_t> other{0, 1, 1, 0};
  CHECK_THROWS(lr::count_flats(other, 2, 2, 101, control), std::invalid_argument);
}

TEST(a_stopped_run_says_so) {
  lr::RunControl control;
  control.stop(lr::Status::kCancelled);
  const Rows rows = braid(8);
  CHECK(lr::count_flats(rows.entries, rows.n, rows.r, 101, control).status ==
        lr::Status::kCancelled);
}

TEST(fields_invert_and_reduce) {
  const lr::SmallField small(8191);
  for (std::uint32_t v = 1; v < 8191; ++v) {
    const auto x = static_cast<lr::SmallField::T>(v);
    CHECK(small.mul(x, small.inv(x)) == 1);
  }
  CHECK(small.reduce(~std::uint32_t{0}) == ~std::uint32_t{0} % 8191);
  const lr::LargeField large(kMersenne);
  for (const std::uint64_t v : {std::uint64_t{2}, std::uint64_t{12345}, kMersenne - 1}) {
    const auto x = large.from(v);
    CHECK(large.mul(x, large.inv(x)) == large.one());
    CHECK(large.mul(x, large.one()) == x);
  }
}

TEST(a_count_goes_on_from_every_state) {
  const Rows rows = braid(8);
  const std::uint64_t p = (std::uint64_t{1} << 61) - 1;
  const std::size_t store = 2000;  // bytes: levels are worked off in parts
  const auto whole = count(rows, p);
  for (const unsigned threads : {1u, 3u}) {
    std::vector<lr::FlatCountState> states;
    lr::FlatCountSaving saving;
    saving.every = 1e-9;
    saving.save = [&](const lr::FlatCountState& state) { states.push_back(state); };
    lr::RunControl control;
    control.threads = threads;
    lr::count_flats(rows.entries, rows.n, rows.r, p, control, store, saving);
    CHECK(states.size() > 5);
    for (std::size_t i = 0; i < states.size(); i += 1 + states.size() / 9) {
      lr::FlatCountSaving from;
      from.from = &states[i];
      lr::RunControl again;
      again.threads = 4 - threads;  // numbers do not depend on threads
      const auto found = lr::count_flats(rows.entries, rows.n, rows.r, p, again, store, from);
      for (std::size_t k = 0; k < whole.size(); ++k) CHECK_EQUAL(found.whitney[k].low, whole[k]);
    }
  }
}

TEST_MAIN()
