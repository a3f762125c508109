// SPDX-License-Identifier: MIT
// Tallies of patterns against a map of rows: every sketch, width and number of threads; a merged
// tally is that of all rows.
#include "linear_regions/pattern_tally.hpp"

#include <cmath>
#include <map>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.hpp"
#include "linear_regions/hash.hpp"
#include "linear_regions/hit_and_run.hpp"
#include "linear_regions/hyperloglog.hpp"

using namespace linear_regions;

namespace {

constexpr Sketch kSketches[] = {Sketch::kWords, Sketch::kHash64, Sketch::kHash128, Sketch::kHll};

struct Rows {
  std::size_t width, n;
  std::vector<Word> words;
};

// n rows out of `distinct` ones.
Rows draw(std::size_t width, std::size_t n, std::size_t distinct, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<Word> base(width * distinct);
  for (Word& word : base) word = random();
  Rows rows{width, n, {}};
  for (std::size_t i = 0; i < n; ++i) {
    const Word* row = base.data() + (random() % distinct) * width;
    rows.words.insert(rows.words.end(), row, row + width);
  }
  return rows;
}

std::map<std::vector<Word>, std::uint64_t> counted(const Rows& rows) {
  std::map<std::vector<Word>, std::uint64_t> out;
  for (std::size_t i = 0; i < rows.n; ++i) {
    const Word* row = rows.words.data() + i * rows.width;
    ++out[std::vector<Word>(row, row + rows.width)];
  }
  return out;
}

bool equal(const TallyContents& a, const TallyContents& b) {
  return a.rows == b.rows && a.keys == b.keys && a.times == b.times && a.registers == b.registers &&
         a.level == b.level;
}

}  // namespace

TEST(every_sketch_counts_as_a_map_does) {
  for (const std::size_t width : {0, 1, 2, 3, 5})
    for (const Sketch sketch : kSketches) {
      const Rows rows = draw(width, 5000, 700, 1);
      PatternTally tally(width, sketch, true, 12);
      tally.insert({}, 0);
      CHECK_EQUAL(tally.distinct(), 0.0);
      tally.insert(rows.words, rows.n);
      const auto expected = counted(rows);
      CHECK_EQUAL(tally.rows(), 5000U);
      CHECK_EQUAL(tally.distinct(), static_cast<double>(expected.size()));
      CHECK(tally.exact_count());
      std::map<std::uint64_t, std::uint64_t> times;
      for (const auto& [row, t] : expected) ++times[t];
      const auto found = tally.frequencies();
      CHECK((std::map<std::uint64_t, std::uint64_t>(found.begin(), found.end()) == times));
      if (sketch != Sketch::kWords) continue;
      const TallyContents contents = tally.contents();
      std::size_t i = 0;
      for (std::size_t k = 0; k < contents.times.size(); ++k, i += width) {
        const auto at = static_cast<std::ptrdiff_t>(i);
        const std::vector<Word> row(
            contents.keys.begin() + at,
            contents.keys.begin() + at + static_cast<std::ptrdiff_t>(width));
        CHECK_EQUAL(expected.at(row), contents.times[k]);
      }
    }
}

TEST(a_merged_tally_is_that_of_all_rows_whatever_the_threads) {
  for (const Sketch sketch : kSketches) {
    const Rows rows = draw(3, 60'000, 40'000, 2);  // beyond the sample of the sketch
    PatternTally all(3, sketch, true, 10), threaded(3, sketch, true, 10);
    PatternTally first(3, sketch, true, 10), second(3, sketch, true, 10);
    const std::span<const Word> words(rows.words);
    all.insert(words, rows.n);
    first.insert(words.first(3 * 20'000), 20'000);
    second.insert(words.subspan(3 * 20'000), 40'000);
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (std::size_t part = 0; part < 3; ++part)
          threaded.insert(words.subspan(3 * (15'000 * t + 5000 * part), 3 * 5000), 5000);
      });
    for (std::thread& thread : threads) thread.join();
    CHECK(equal(all.contents(), threaded.contents()));
    const TallyContents alone = first.contents();
    first.absorb(second.contents());
    second.absorb(alone);
    CHECK(equal(all.contents(), first.contents()));
    CHECK(equal(all.contents(), second.contents()));
    CHECK_EQUAL(all.exact_count(), sketch != Sketch::kHll);
  }
}

TEST(the_sketch_errs_as_little_as_it_says) {
  const unsigned precision = 10;
  for (const std::size_t n : {100, 5000, 100'000}) {
    double squares = 0.0;
    constexpr int kTrials = 60;
    for (int trial = 0; trial < kTrials; ++trial) {
      HyperLogLog sketch(precision);
      for (std::size_t i = 0; i < n; ++i) {
        const Word row[1] = {mix(static_cast<Word>(trial) * 1'000'003 + i)};
        sketch.add(hash_words(row, 1));
      }
      const double error = sketch.estimate() / static_cast<double>(n) - 1.0;
      squares += error * error;
    }
    // The root mean square of 60 normal errors exceeds 1.4 times its mean once in 10^6.
    CHECK(std::sqrt(squares / kTrials) < 1.4 * 1.04 / std::sqrt(1024.0));
  }
}

TEST(contents_that_do_not_fit_are_refused) {
  PatternTally sketch(1, Sketch::kHll, true, 8), set(1, Sketch::kWords, true, 8);
  TallyContents bad = sketch.contents();
  bad.registers.resize(3);
  CHECK_THROWS(sketch.absorb(bad), std::invalid_argument);
  bad = sketch.contents();
  bad.level = 64;
  CHECK_THROWS(sketch.absorb(bad), std::invalid_argument);
  bad = set.contents();
  bad.times = {1, 2};
  CHECK_THROWS(set.absorb(bad), std::invalid_argument);
  CHECK_THROWS(set.insert(std::vector<Word>(3), 2), std::invalid_argument);
  CHECK_THROWS(PatternTally(1, Sketch::kHll, true, 3), std::invalid_argument);
}

TEST(walks_stay_inside_and_depend_on_their_words_alone) {
  // The simplex y >= 0, sum y <= 1 around its center.
  const std::vector<double> sides = {1, 0, 0, 0.25, 0, 1, 0, 0.25, 0, 0, 1, 0.25, -1, -1, -1, 0.25};
  const std::vector<double> start(3, 0.0);
  std::mt19937_64 random(3);
  std::vector<std::uint64_t> words(50 * 200);
  for (auto& word : words) word = random();
  std::vector<double> points(150), one(3);
  hit_and_run(sides, 3, start, words, 50, 200, points);
  for (std::size_t i = 0; i < 50; ++i) {
    hit_and_run(sides, 3, start, std::span(words).subspan(200 * i, 200), 1, 200, one);
    for (std::size_t r = 0; r < 4; ++r) {
      double slack = sides[4 * r + 3];
      for (std::size_t j = 0; j < 3; ++j) slack += sides[4 * r + j] * one[j];
      CHECK(slack > -1e-14);
    }
    for (std::size_t j = 0; j < 3; ++j) CHECK_EQUAL(one[j], points[3 * i + j]);
  }
  const std::vector<double> half(sides.begin(), sides.begin() + 12), outside = {-1.0, 0.0, 0.0};
  CHECK_THROWS(hit_and_run(half, 3, start, words, 50, 200, points), std::invalid_argument);
  CHECK_THROWS(hit_and_run(sides, 3, outside, words, 50, 200, points), std::invalid_argument);
  CHECK_THROWS(hit_and_run(sides, 3, start, words, 49, 200, points), std::invalid_argument);
}

TEST_MAIN()
