// SPDX-License-Identifier: MIT
// The planar engine: known counts, ties, unbounded domains, threads, limits, extreme numbers.
#include "linear_regions/planar.hpp"

#include <cfenv>
#include <cmath>
#include <cstdlib>
#include <set>

#include "check.hpp"
#include "linear_regions/forward.hpp"
#include "networks.hpp"

using namespace samples;

namespace {

// One layer of ReLU units with these rows (gx, gy, offset).
Tape lines(const std::vector<std::array<double, 3>>& rows) {
  Tape tape(2);
  std::vector<double> weight, bias;
  for (const auto& r : rows) {
    weight.insert(weight.end(), {r[0], r[1]});
    bias.push_back(r[2]);
  }
  const int slot = tape.dense(0, weight, bias);
  pointwise(tape, slot, rows.size(), relu());
  tape.finish();
  return tape;
}

std::set<std::vector<std::uint64_t>> pattern_set(const RegionBlock& block) {
  std::set<std::vector<std::uint64_t>> set;
  for (std::size_t i = 0; i < block.n; ++i)
    set.emplace(block.patterns.begin() + static_cast<std::ptrdiff_t>(i * block.words),
                block.patterns.begin() + static_cast<std::ptrdiff_t>((i + 1) * block.words));
  return set;
}

std::uint64_t regions(const Tape& tape, double half) {
  return count(tape, square(half)).regions;
}

}  // namespace

// Zaslavsky: n lines in general position make 1 + n + n (n - 1) / 2 regions of the plane.
TEST(lines_in_general_position_give_zaslavskys_number) {
  for (unsigned seed = 0; seed < 5; ++seed)
    for (const std::size_t n : {1, 2, 5, 63, 64, 65, 100, 150}) {
      const Tape tape = mlp({2, n}, seed);
      CHECK_EQUAL(regions(tape, 0.0), 1 + n + n * (n - 1) / 2);
    }
}

TEST(coinciding_opposite_dead_and_parallel_lines_count_once) {
  CHECK_EQUAL(regions(lines({{1, 0, 0}, {1, 0, 0}}), 1), 2u);
  CHECK_EQUAL(regions(lines({{1, 0, 0}, {-2, 0, 0}}), 1), 2u);
  CHECK_EQUAL(regions(lines({{0, 0, 0}, {0, 0, 1}, {0, 0, -1}}), 1), 1u);
  CHECK_EQUAL(regions(lines({{1, 0, 0}, {3, 0, 0.5}, {1, 0, -0.25}}), 1), 4u);
  CHECK_EQUAL(regions(lines({{1, 0, 0}, {0, 1, 0}, {1, 1, 0}}), 1), 6u);  // three through a point
  CHECK_EQUAL(regions(lines({{1, 0, 0}, {0, 1, 0}, {1, 1, 1e-300}}), 1), 7u);
  CHECK_EQUAL(regions(lines({{1, 1, -2}}), 1), 1u);  // touches a corner
  CHECK_EQUAL(regions(lines({{1, 0, 1}}), 1), 1u);   // along an edge
  CHECK_EQUAL(regions(lines({{1, 1, -2}, {1, 1, std::nextafter(-2.0, 0.0)}}), 1), 2u);
}

TEST(the_plane_is_really_unbounded) {
  // Two almost parallel lines meet near x = 1e15, a third separates what lies beyond.
  CHECK_EQUAL(regions(lines({{0, 1, 0}, {1e-15, 1, -1}, {1, 0, -1e18}}), 0.0), 7u);
  CHECK_EQUAL(regions(lines({{0, 1, 0}, {0, 1, 1}, {0, 2, 5}}), 0.0), 4u);  // strips
  CHECK_EQUAL(regions(lines({{0, 0, 1}}), 0.0), 1u);
}

TEST(extreme_numbers_are_counted_exactly) {
  CHECK_EQUAL(regions(lines({{1e300, 0, 0}, {0, 1e-300, 0}, {5e-324, 5e-324, 0}}), 1), 6u);
  CHECK_EQUAL(regions(lines({{1e300, 1e300, 0}, {5e-324, 5e-324, 0}}), 1), 2u);
}

TEST(threads_give_the_same_regions_in_the_same_order) {
  for (const int scale : {0, 2}) {
    const Tape tape = mlp({2, 40, 40, 40}, 3, scale);
    const RegionBlock one = list(tape, square(0.0));
    for (const unsigned threads : {2u, 7u}) {
      const RegionBlock many = list(tape, square(0.0), threads);
      CHECK(one.patterns == many.patterns);
      CHECK(one.vertices == many.vertices);
      CHECK(one.points == many.points);
      CHECK_EQUAL(count(tape, square(0.0), threads).regions, one.n);
    }
    CHECK_EQUAL(pattern_set(one).size(), one.n);
  }
}

TEST(interior_points_have_the_pattern_of_their_region) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    const auto shared = std::make_shared<const Tape>(mlp({2, 12, 12, 12}, seed));
    const Tape& tape = *shared;
    const ForwardPass<double> pass(shared);
    for (const double half : {1.0, 0.0}) {
      const RegionBlock block = list(tape, square(half));
      std::vector<std::uint64_t> seen(block.patterns.size());
      CHECK(pass.run(block.points, block.n, {}, seen));
      CHECK(seen == block.patterns);
    }
  }
}

TEST(areas_add_up_to_the_domain) {
  const RegionBlock block = list(mlp({2, 30, 30}, 5), square(2.0));
  double area = 0;
  std::size_t first = 0;
  for (std::size_t i = 0; i < block.n; ++i) {
    const auto n = static_cast<std::size_t>(block.vertex_counts[i]);
    const double* v = block.vertices.data() + 3 * first;
    for (std::size_t k = 0; k < n; ++k) {
      const double *a = v + 3 * k, *b = v + 3 * ((k + 1) % n);
      area += 0.5 * (a[0] * b[1] - b[0] * a[1]);
    }
    first += n;
  }
  CHECK(std::fabs(area - 16.0) < 1e-10);
}

TEST(pooling_splits_by_winner_and_merges_equal_entries) {
  for (const bool activated : {false, true}) {
    Tape tape(2);
    const std::vector<double> weight = {1, 0, 0, 1, 1, 0, -1, -1}, bias = {0, 0, 0, 0};
    int slot = tape.dense(0, weight, bias);  // x, y, x again, -x - y
    if (activated) slot = pointwise(tape, slot, 4, relu());
    const std::vector<std::int64_t> start = {0, 4}, entries = {0, 1, 2, 3};
    tape.max(slot, start, entries, entries, 2);
    tape.finish();
    // Winners x, y, -x - y; with ReLU first: six sign cells, each quadrant with two positive
    // entries split once more (x, y > 0; x, -x - y > 0; y, -x - y > 0).
    CHECK_EQUAL(regions(tape, 1.0), activated ? 9u : 3u);
    CHECK_EQUAL(regions(tape, 0.0), activated ? 9u : 3u);
  }
}

TEST(a_residual_link_reads_an_earlier_slot) {
  Tape tape(2);
  const std::vector<double> unit = {1, 0, 0, 1}, bias = {0, 0};
  int slot = pointwise(tape, tape.dense(0, unit, bias), 2, relu());
  const std::vector<int> both = {tape.dense(slot, unit, {{-0.5, -0.5}}), 0};
  pointwise(tape, tape.add(both), 2, relu());  // relu(x) - 0.5 + x: on above 0.25
  tape.finish();
  CHECK_EQUAL(regions(tape, 1.0), 9u);
}

TEST(limits_and_cancelling_stop_early) {
  const Tape tape = mlp({2, 60, 60, 60}, 1);
  RunControl limited;
  limited.limit = 100;
  const auto some = count_planar(tape, square(0.0), Arithmetic::kCertified, limited);
  CHECK_EQUAL(some.regions, 100u);
  CHECK(some.status == Status::kLimit);
  RunControl listed;
  listed.limit = 77;
  listed.threads = 4;
  std::vector<RegionBlock> blocks;
  list_planar(tape, square(0.0), Arithmetic::kCertified, listed, blocks);
  const RegionBlock block = joined(std::move(blocks));
  CHECK_EQUAL(block.n, 77u);
  const RegionBlock all = list(tape, square(0.0));
  CHECK(std::equal(block.patterns.begin(), block.patterns.end(), all.patterns.begin()));
  RunControl timed;
  timed.time_limit = 0.0;
  timed.threads = 2;
  CHECK(count_planar(tape, square(0.0), Arithmetic::kCertified, timed).status ==
        Status::kTimeLimit);
  RunControl cancelled;
  cancelled.threads = 2;
  cancelled.stop(Status::kCancelled);
  CHECK(count_planar(tape, square(0.0), Arithmetic::kCertified, cancelled).status ==
        Status::kCancelled);
}

TEST(a_limit_equal_to_the_count_is_no_limit) {
  const Tape tape = mlp({2, 12, 12}, 1);
  const auto whole = count(tape, square(0.0));
  for (const unsigned threads : {1u, 4u}) {
    RunControl control;
    control.limit = whole.regions;
    control.threads = threads;
    const auto again = count_planar(tape, square(0.0), Arithmetic::kCertified, control);
    CHECK_EQUAL(again.regions, whole.regions);
    CHECK(again.status == Status::kComplete);
    std::vector<RegionBlock> blocks;
    RunControl listing;
    listing.limit = whole.regions;
    CHECK(list_planar(tape, square(0.0), Arithmetic::kCertified, listing, blocks).status ==
          Status::kComplete);
  }
}

// Scaling a layer by a power of two, and later biases with it, changes no sign: not even where
// products of the scaled gradients leave the range of doubles.
TEST(scaling_layers_by_powers_of_two_changes_nothing) {
  std::mt19937_64 random(9);
  std::normal_distribution<double> normal;
  for (int trial = 0; trial < 40; ++trial) {
    std::vector<double> first(8), second(12), bias(4), bias2(3);
    for (auto* v : {&first, &second, &bias, &bias2})
      for (double& x : *v) x = normal(random);
    if (trial % 2) second = {1, 2, -3, 1, 1 + 1e-13, 2, -3, 1, -2, 1, 0.5, 1};  // nearly parallel
    std::uint64_t expected = 0;
    for (const int power : {0, -120, -180, 100}) {
      Tape tape(2);
      const auto scaled = [](std::vector<double> v, int by) {
        for (double& x : v) x = std::ldexp(x, by);
        return v;
      };
      int slot = tape.dense(0, scaled(first, power), scaled(bias, power));
      slot = pointwise(tape, slot, 4, relu());
      slot = tape.dense(slot, scaled(second, power), scaled(bias2, 2 * power));
      pointwise(tape, slot, 3, relu());
      tape.finish();
      const auto found = regions(tape, 1.0);
      if (power == 0) expected = found;
      CHECK_EQUAL(found, expected);
    }
  }
}

TEST(a_direction_that_underflows_is_not_zero) {
  Tape tape(2);
  pointwise(tape, 0, 2, relu());
  tape.finish();
  PlanarDomain d = square(0.25);
  d.direction1 = {5e-324, 0.0};
  d.direction2 = {0.0, 5e-324};
  CHECK_EQUAL(count(tape, d).regions, 4u);
  d = square(1e-20);
  d.direction1 = {1e-310, 0.0};
  CHECK_EQUAL(count(tape, d).regions, 4u);
}

// The classification and the signs at a vertex come from one kernel; were they to differ in the
// last bit, a float count would look for a chord that does not exist.
TEST(float_counts_end_where_a_value_equals_its_bound) {
  const double x = 0.938242115405352, y = 0.5292840174025972;
  PlanarDomain d = square(1.0);
  d.edges = {{0, 1, y, false}, {-1, 0, x, false}, {0, -1, y, false}, {1, 0, x, false}};
  double c = -0.502162344974061;
  for (int i = 0; i < 64; ++i, c = std::nextafter(c, 0.0))
    for (const auto arithmetic : {Arithmetic::kFloat, Arithmetic::kCertified}) {
      const auto found =
          count(lines({{0.40250535449109437, 0.23525152020535517, c}}), d, 1, arithmetic);
      CHECK(found.regions == 1 || found.regions == 2);
    }
}

TEST(a_stream_is_the_list_in_blocks) {
  const Tape tape = mlp({2, 20, 20}, 4);
  const RegionBlock all = list(tape, square(1.0));
  RegionBlock joined;
  RunControl control;
  const auto result = stream_planar(tape, square(1.0), Arithmetic::kCertified, control, 7,
                                    [&](RegionBlock&& block) {
                                      CHECK(block.n <= 7);
                                      joined.append(std::move(block));
                                      return true;
                                    });
  CHECK_EQUAL(result.regions, all.n);
  CHECK(joined.patterns == all.patterns);
  CHECK(joined.points == all.points);
}

// Whole numbers make ties everywhere; without the exact stage the answer is an estimate only.
TEST(ties_go_to_the_exact_stage) {
  const Tape tape = mlp({2, 8, 8, 8}, 11, 1);
  const auto certified = count(tape, square(2.0));
  CHECK(certified.work.exact_signs > 0);
  CHECK_EQUAL(list(tape, square(2.0)).n, certified.regions);
  CHECK_EQUAL(count(mlp({2, 8, 8, 8}, 11), square(2.0)).work.exact_signs, 0u);
}

// Looked ahead from every node or never, reduced at once or not at all: the same regions.
TEST(looking_ahead_changes_no_region) {
  for (const int scale : {0, 1})
    for (unsigned seed = 20; seed < 24; ++seed) {
      const Tape tape = mlp({2, 9, 12, 10, 8}, seed, scale);
      setenv("LINEAR_REGIONS_LOOK_AHEAD", "never", 1);
      const auto expected = pattern_set(list(tape, square(1.0)));
      for (const char* how : {"always", "reduce"}) {
        setenv("LINEAR_REGIONS_LOOK_AHEAD", how, 1);
        CHECK(pattern_set(list(tape, square(1.0), 2)) == expected);
        CHECK_EQUAL(count(tape, square(1.0)).regions, expected.size());
      }
      unsetenv("LINEAR_REGIONS_LOOK_AHEAD");
    }
}

TEST(the_rounding_mode_of_the_process_does_not_matter) {
  const Tape tape = mlp({2, 40, 40}, 2);
  const auto expected = list(tape, square(0.0));
  for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    std::fesetround(mode);
    const auto got = list(tape, square(0.0));
    CHECK_EQUAL(std::fegetround(), mode);
    std::fesetround(FE_TONEAREST);
    CHECK(got.patterns == expected.patterns);
    CHECK(got.vertices == expected.vertices);
  }
}

TEST(wrong_domains_are_refused) {
  const Tape tape = mlp({2, 3}, 1);
  PlanarDomain d = square(1.0);
  d.edges.resize(2);
  CHECK_THROWS(count(tape, d), std::invalid_argument);
  d = square(1.0);
  d.origin.push_back(0.0);
  CHECK_THROWS(count(tape, d), std::invalid_argument);
}

TEST_MAIN()
