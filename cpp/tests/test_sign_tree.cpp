// SPDX-License-Identifier: MIT
#include "linear_regions/sign_tree.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#include "check.hpp"
#include "linear_regions/sign_vector.hpp"

using namespace linear_regions;

namespace {

Hyperplanes planes_of(std::size_t d, std::vector<double> value) {
  Hyperplanes planes;
  planes.d = d;
  planes.n = value.size() / (d + 1);
  planes.value = std::move(value);
  return planes;
}

// All 0/1 normals but zero, through the origin.
Hyperplanes resonance(std::size_t d) {
  std::vector<double> value;
  for (std::size_t mask = 1; mask < (std::size_t{1} << d); ++mask) {
    for (std::size_t k = 0; k < d; ++k) value.push_back(static_cast<double>(mask >> k & 1));
    value.push_back(0);
  }
  return planes_of(d, value);
}

Hyperplanes normal(std::size_t n, std::size_t d, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> draw;
  std::vector<double> value(n * (d + 1));
  for (double& v : value) v = draw(generator);
  return planes_of(d, value);
}

Hyperplanes integers(std::size_t n, std::size_t d, int most, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> draw(-most, most);
  std::vector<double> value(n * (d + 1));
  for (double& v : value) v = draw(generator);
  return planes_of(d, value);
}

SignTreeResult count(const Hyperplanes& planes, unsigned threads = 1,
                     const ConvexDomain& domain = {}) {
  RunControl control;
  control.threads = threads;
  return sign_tree_count(planes, domain, {}, control);
}

ChamberBlock list(const Hyperplanes& planes, unsigned threads, bool points,
                  TreeEngine engine = TreeEngine::kAuto) {
  RunControl control;
  control.threads = threads;
  SignTreeOptions options;
  options.points = points;
  options.engine = engine;
  std::vector<ChamberBlock> blocks;
  sign_tree_list(planes, {}, options, control, blocks);
  return joined(std::move(blocks), threads);
}

}  // namespace

TEST(degenerate_central_arrangements_have_their_number_of_chambers) {
  CHECK_EQUAL(count(resonance(3)).chambers, 32u);
  CHECK_EQUAL(count(resonance(4)).chambers, 370u);
  CHECK_EQUAL(count(resonance(5)).chambers, 11292u);
}

TEST(simple_arrangements_have_zaslavskys_number) {
  CHECK_EQUAL(count(normal(20, 3, 1)).chambers, 1351u);
  CHECK_EQUAL(count(normal(70, 2, 2)).chambers, 1u + 70u + 70u * 69u / 2u);
}

TEST(lists_do_not_depend_on_threads) {
  for (const Hyperplanes& planes : {resonance(5), normal(30, 4, 3)}) {
    const ChamberBlock one = list(planes, 1, false);
    for (const unsigned threads : {2u, 4u}) {
      const ChamberBlock many = list(planes, threads, false);
      CHECK_EQUAL(many.n, one.n);
      CHECK(many.signs == one.signs);
    }
  }
}

TEST(streams_do_not_depend_on_threads) {
  for (const Hyperplanes& planes : {resonance(4), normal(15, 4, 3)})
    for (const TreeEngine engine : {TreeEngine::kRays, TreeEngine::kWitnesses}) {
      const ChamberBlock whole = list(planes, 1, true, engine);
      for (const unsigned threads : {1u, 2u, 5u})
        for (const std::size_t most : {whole.n, whole.n - 1, whole.n / 2}) {
          RunControl control;
          control.threads = threads;
          if (most < whole.n) control.limit = most;
          SignTreeOptions options;
          options.points = true;
          options.engine = engine;
          std::vector<ChamberBlock> blocks;
          bool full = true;
          const SignTreeResult result =
              sign_tree_stream(planes, {}, options, control, 100, [&](ChamberBlock&& block) {
                full = full && (blocks.empty() || blocks.back().n == 100);  // all but the last one
                blocks.push_back(std::move(block));
                return true;
              });
          const ChamberBlock all = joined(std::move(blocks), 1);
          CHECK(full);
          CHECK_EQUAL(all.n, most);
          CHECK_EQUAL(result.chambers, most);
          CHECK(result.status == (most < whole.n ? Status::kLimit : Status::kComplete));
          CHECK(std::equal(all.signs.begin(), all.signs.end(), whole.signs.begin()));
          CHECK(std::equal(all.points.begin(), all.points.end(), whole.points.begin()));
        }
    }
}

TEST(a_reader_that_says_no_ends_a_stream) {
  for (const unsigned threads : {1u, 3u}) {
    RunControl control;
    control.threads = threads;
    std::size_t blocks = 0;
    const SignTreeResult result =
        sign_tree_stream(normal(15, 4, 3), {}, {}, control, 300, [&](ChamberBlock&& block) {
          CHECK_EQUAL(block.n, 300u);
          return ++blocks < 3;
        });
    CHECK(result.status == Status::kCancelled);
    CHECK_EQUAL(result.chambers, 900u);
    CHECK_EQUAL(blocks, 3u);
  }
}

TEST(both_engines_find_the_same_chambers) {
  for (const Hyperplanes& planes : {resonance(4), integers(20, 3, 5, 3), integers(70, 2, 9, 5),
                                    integers(150, 2, 9, 6), normal(12, 4, 7)}) {
    std::vector<std::vector<Word>> sets[2];
    for (const TreeEngine engine : {TreeEngine::kRays, TreeEngine::kWitnesses}) {
      const ChamberBlock block = list(planes, 2, true, engine);
      CHECK_EQUAL(block.points.size(), block.n * planes.d);
      auto& set = sets[engine == TreeEngine::kRays ? 0 : 1];
      for (std::size_t c = 0; c < block.n; ++c)
        set.emplace_back(block.signs.begin() + static_cast<long>(c * block.words),
                         block.signs.begin() + static_cast<long>((c + 1) * block.words));
      std::sort(set.begin(), set.end());
    }
    CHECK(sets[0] == sets[1]);
  }
}

// More lines than a store keeps, of either of two threads.
TEST(rays_that_are_forgotten_are_found_again) {
  RunControl control;
  control.threads = 2;
  SignTreeOptions options;
  options.engine = TreeEngine::kRays;
  CHECK_EQUAL(sign_tree_count(integers(110, 3, 1000, 8), {}, options, control).chambers,
              1u + 110u + 110u * 109u / 2u + 110u * 109u * 108u / 6u);
}

TEST(points_lie_inside_their_chambers) {
  const Hyperplanes planes = normal(66, 2, 4);
  const ChamberBlock block = list(planes, 2, true);
  CHECK_EQUAL(block.n * 2, block.points.size());
  for (std::size_t c = 0; c < block.n; ++c)
    for (std::size_t i = 0; i < planes.n; ++i) {
      const double* row = planes.row(i);
      const double* x = block.points.data() + 2 * c;
      CHECK_EQUAL(row[0] * x[0] + row[1] * x[1] + row[2] > 0,
                  get_sign(block.signs.data() + c * block.words, i));
    }
}

TEST(cells_between_adjacent_doubles_are_found) {
  const double a = 1.0 / 3, b = std::nextafter(a, 1.0);
  const Hyperplanes planes = planes_of(1, {1, -a, 1, -b});
  const ChamberBlock block = list(planes, 1, true);
  CHECK_EQUAL(block.n, 3u);
  CHECK_EQUAL(block.exact_points.size(), 1u);
  // In the plane as well, where lines cross within the gap.
  CHECK_EQUAL(count(planes_of(2, {1, 0, -a, 1, 0, -b, 1, 1, -1})).chambers, 6u);
}

TEST(a_domain_restricts_the_chambers) {
  ConvexDomain box;
  box.sides = planes_of(2, {1, 0, 1, -1, 0, 1, 0, 1, 1, 0, -1, 1});
  CHECK_EQUAL(count(planes_of(2, {1, 0, 0, 0, 1, 0, 1, 1, -2, 1, 1, -1}), 1, box).chambers, 5u);
  box.sides = planes_of(1, {1, 0, -1, 0});
  CHECK_THROWS(count(planes_of(1, {1, 0}), 1, box), std::invalid_argument);
}

TEST(empty_zero_and_repeated_rows_are_ordinary) {
  CHECK_EQUAL(count(planes_of(3, {})).chambers, 1u);
  CHECK_EQUAL(count(planes_of(0, {2, -1, 0})).chambers, 1u);
  CHECK_EQUAL(count(planes_of(1, {1, 1, -2, -2, 0, 0, 0, 5})).chambers, 2u);
  CHECK_THROWS(count(planes_of(1, {1, std::numeric_limits<double>::infinity()})),
               std::invalid_argument);
}

TEST(a_search_goes_on_from_every_state) {
  for (const TreeEngine engine : {TreeEngine::kRays, TreeEngine::kWitnesses}) {
    const Hyperplanes planes = integers(14, 4, 2, 9);
    SignTreeOptions options;
    options.engine = engine;
    for (const unsigned threads : {1u, 3u}) {
      RunControl whole_control;
      const std::uint64_t whole = sign_tree_count(planes, {}, options, whole_control).chambers;
      std::vector<SignTreeState> states;
      SignTreeSaving saving;
      saving.every = 1e-9;
      saving.save = [&](SignTreeState&& state) { states.push_back(std::move(state)); };
      RunControl control;
      control.threads = threads;
      CHECK_EQUAL(sign_tree_count(planes, {}, options, control, saving).chambers, whole);
      CHECK(states.size() > 5);
      for (std::size_t i = 0; i < states.size(); i += 1 + states.size() / 7) {
        SignTreeSaving from;
        from.from = &states[i].rest;
        RunControl again;
        again.threads = threads;
        const SignTreeResult rest = sign_tree_count(planes, {}, options, again, from);
        CHECK_EQUAL(states[i].chambers + rest.chambers, whole);
      }
    }
  }
}

TEST(a_part_of_another_search_is_refused) {
  const Hyperplanes planes = normal(10, 3, 4);
  for (const TreeEngine engine : {TreeEngine::kRays, TreeEngine::kWitnesses}) {
    SignTreeOptions options;
    options.engine = engine;
    ChamberPart part;
    part.words = 1;
    part.rows = {0, 0, 0x3, ~std::uint64_t{0}};
    part.shares = {1.0};
    SignTreeSaving saving;
    saving.from = &part;
    RunControl control;
    CHECK_THROWS(sign_tree_count(planes, {}, options, control, saving), ForeignChamberPart);
    part.words = 2;
    CHECK_THROWS(sign_tree_count(planes, {}, options, control, saving), ForeignChamberPart);
  }
}

TEST_MAIN()
