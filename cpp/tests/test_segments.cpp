// SPDX-License-Identifier: MIT
// Counts on many segments: the planar count of each, threads, equal ends, errors; distances.
#include "linear_regions/segments.hpp"

#include <limits>

#include "../src/patterns/differing_bits.hpp"
#include "check.hpp"
#include "linear_regions/pattern_distances.hpp"
#include "networks.hpp"

using namespace samples;

namespace {

std::vector<double> points(std::size_t n, unsigned seed, int scale) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int> whole(-scale, scale);
  std::vector<double> values(n);
  for (double& v : values) v = whole(random) / 2.0;
  return values;
}

std::vector<std::int64_t> counts(const Tape& tape, const std::vector<double>& a,
                                 const std::vector<double>& b, unsigned threads) {
  std::vector<std::int64_t> found(a.size() / tape.n_in());
  RunControl control;
  control.threads = threads;
  const auto result = count_segments(tape, a, b, Arithmetic::kCertified, control, found);
  CHECK(result.status == Status::kComplete);
  return found;
}

}  // namespace

TEST(each_count_is_the_planar_one) {
  for (const int scale : {0, 2}) {
    const Tape tape = mlp({3, 12, 12}, 1, scale);
    const std::size_t m = 40;
    const auto a = points(3 * m, 2, 4), b = points(3 * m, 3, 4);
    const auto found = counts(tape, a, b, 1);
    for (std::size_t i = 0; i < m; ++i) {
      PlanarDomain d;
      for (std::size_t j = 0; j < 3; ++j) {  // halves: the differences are doubles
        d.direction1.push_back(b[3 * i + j] - a[3 * i + j]);
        d.direction2.push_back(0);
        d.origin.push_back(a[3 * i + j]);
      }
      d.edges = {{0, 1, 1, false}, {-1, 0, 1, false}, {0, -1, 1, false}, {1, 0, 0, false}};
      CHECK_EQUAL(static_cast<std::uint64_t>(found[i]), count(tape, d).regions);
    }
  }
}

TEST(threads_and_direction_do_not_matter) {
  const Tape tape = mlp({6, 60, 60}, 4);
  const std::size_t m = 300;
  const auto a = points(6 * m, 5, 100), b = points(6 * m, 6, 100);
  const auto found = counts(tape, a, b, 1);
  CHECK(counts(tape, a, b, 4) == found);
  CHECK(counts(tape, b, a, 3) == found);
  for (const std::int64_t one : counts(tape, a, a, 2)) CHECK_EQUAL(one, 1);
}

TEST(wide_layers_are_narrowed_to_what_cuts) {
  // Units x - t; of 400 sorted t, every other one is doubled. Then a layer of which 90 units bend
  // in few places. From 0 to 1, and where only the last units bend.
  const std::size_t n = 400, m = 90;
  Tape tape(1);
  const std::vector<double> ones(n, 1.0);
  std::vector<double> bias(n), second(m * n, 0.0), offset(m);
  for (std::size_t i = 0; i < n; ++i) bias[i] = -static_cast<double>(i / 2 + 1) / 256;
  for (std::size_t j = 0; j < m; ++j) {
    second[j * n] = 1;
    offset[j] = -static_cast<double>(j % 9 + 1) / 10;
  }
  const int first = pointwise(tape, tape.dense(0, ones, bias), n, relu());
  pointwise(tape, tape.dense(first, second, offset), m, relu());
  tape.finish();
  const auto found = counts(tape, {0, 199.5 / 256}, {1, 1}, 1);
  CHECK_EQUAL(found[0], 201 + 8);  // 1/256 + j/10 is below 1; for j = 5 it is a t
  CHECK_EQUAL(found[1], 2 + 2);    // t = 200/256; 1/256 + 8/10 and 1/256 + 9/10
  CHECK(counts(tape, {0, 199.5 / 256}, {1, 1}, 2) == found);
}

TEST(rounded_differences_are_completed) {
  // The unit 2^60 (x - y) - 1 is zero at the end only: 1 - 2^-60 rounds to 1.
  Tape tape(2);
  const std::vector<double> weight{0x1p60, -0x1p60}, bias{-0.5};
  pointwise(tape, tape.dense(0, weight, bias), 1, relu());
  tape.finish();
  const double tiny = 0x1p-60;
  CHECK_EQUAL(counts(tape, {tiny, 0.0}, {1.0, 1.0}, 1)[0], 2);  // from 0.5 down to -0.5
  CHECK_EQUAL(counts(tape, {tiny / 2, 0.0}, {1.0, 1.0}, 1)[0], 1);
}

TEST(stopped_runs_mark_what_is_missing) {
  const Tape tape = mlp({3, 12, 12}, 1);
  const auto a = points(30, 2, 4), b = points(30, 3, 4);
  std::vector<std::int64_t> found(10, 7);
  RunControl control;
  control.stop(Status::kCancelled);
  const auto result = count_segments(tape, a, b, Arithmetic::kCertified, control, found);
  CHECK(result.status == Status::kCancelled);
  for (const std::int64_t one : found) CHECK_EQUAL(one, -1);
}

TEST(wrong_sizes_and_overflows_are_refused) {
  const Tape tape = mlp({2, 3}, 1);
  std::vector<std::int64_t> found(1);
  RunControl control;
  const std::vector<double> short_one{1.0}, big{1.7e308, 0.0}, low{-1.7e308, 0.0};
  CHECK_THROWS(count_segments(tape, short_one, big, Arithmetic::kCertified, control, found),
               std::invalid_argument);
  CHECK_THROWS(count_segments(tape, low, big, Arithmetic::kCertified, control, found),
               std::invalid_argument);
}

TEST(distances_count_differing_signs) {
  std::mt19937_64 random(1);
  for (const std::size_t width : {0, 1, 3, 4, 5, 37}) {
    const std::size_t n = 70;
    std::vector<Word> rows(n * width);
    for (Word& w : rows) w = random();
    std::vector<std::int64_t> distances(n * n, -1);
    pattern_distances(rows, n, width, distances);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        CHECK_EQUAL(distances[i * n + j], differing_bits_generic(rows.data() + i * width,
                                                                 rows.data() + j * width, width));
  }
  // Asked now and then; a "no" ends it.
  const std::size_t n = 40, width = 100'000;
  const std::vector<Word> rows(n * width);
  std::vector<std::int64_t> distances(n * n, -1);
  int asked = 0;
  pattern_distances(rows, n, width, distances, [&] { return ++asked < 3; });
  CHECK_EQUAL(asked, 3);
  CHECK_EQUAL(distances.back(), -1);
  std::vector<std::int64_t> small(1);
  CHECK_THROWS(pattern_distances(std::vector<Word>(4), 2, 2, small), std::invalid_argument);
}

TEST_MAIN()
