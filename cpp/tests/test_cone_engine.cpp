// SPDX-License-Identifier: MIT
// One engine that searches many sub-trees in turn keeps the way to the last one: nothing is found
// twice or not at all, and every region looks as in one run.
#include "../src/deep/cone_engine.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "../src/deep/cone_emit.hpp"
#include "check.hpp"
#include "networks.hpp"

namespace {

using namespace linear_regions;
using Engine = ConeEngine<1>;

struct Problem {
  Tape tape;
  DomainFrame domain;
};

std::vector<Problem> problems() {
  std::vector<Problem> found;
  for (unsigned seed = 0; seed < 4; ++seed) {
    found.push_back({samples::mlp({3, 7, 6, 5}, seed), samples::cube(3, 1.0)});
    found.push_back({samples::mlp({4, 6, 5, 4}, seed, 2), samples::cube(4, 0.0)});
    found.push_back({samples::mlp({3, 5, 5, 5, 5}, seed, 1), samples::cube(3, 2.0)});
    found.push_back({samples::mlp({5, 9, 4}, seed), samples::space(5)});
  }
  return found;
}

Part pieces(const Problem& p, bool list, std::uint64_t seed) {
  RunControl control;
  PartOptions options;
  options.list = list;
  options.cut = 0.02;
  Part part = cut_cones(p.tape, p.domain, Arithmetic::kCertified, control, whole_search(), options);
  std::mt19937_64 random(seed);
  std::shuffle(part.begin(), part.end(), random);
  return part;
}

TEST(sub_trees_in_any_order_have_all_regions) {
  std::size_t most = 0;
  for (const Problem& p : problems()) {
    RunControl control;
    control.start();
    const ConeRoot root(p.tape, p.domain, Arithmetic::kCertified, ConeRoot::Asked::kCount);
    Engine engine(root, control, true);
    const Part part = pieces(p, false, p.tape.n_in());
    most = std::max(most, part.size());
    const Engine::Hooks hooks;
    for (const SubTree& tree : part) engine.run({tree}, hooks);
    RunControl once;
    const auto all = count_cones(p.tape, p.domain, Arithmetic::kCertified, once).regions;
    CHECK(!engine.unfinished());
    CHECK_EQUAL(engine.regions(), all);
    engine.run(whole_search(), hooks);  // begins anew
    CHECK_EQUAL(engine.regions(), 2 * all);
    for (const SubTree& tree : part) engine.run({tree}, hooks);
    CHECK_EQUAL(engine.regions(), 3 * all);
  }
  CHECK(most > 20);
}

TEST(sub_trees_in_any_order_list_the_same_regions) {
  for (const Problem& p : problems()) {
    RunControl control;
    control.start();
    const ConeRoot root(p.tape, p.domain, Arithmetic::kCertified, ConeRoot::Asked::kList);
    Engine engine(root, control, true);
    std::vector<std::pair<TreePath, ConeBlock>> blocks;
    for (const SubTree& tree : pieces(p, true, 7)) {
      blocks.emplace_back(tree.path, ConeBlock{});
      ConeBlockSink<1> sink(blocks.back().second, p.tape.pattern_words(), p.domain.dim, true);
      Engine::Hooks hooks;
      hooks.sink = &sink;
      engine.run({tree}, hooks);
    }
    std::sort(blocks.begin(), blocks.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    ConeBlock whole;
    for (auto& [path, block] : blocks)
      if (block.n > 0) whole.append(std::move(block));
    RunControl once;
    std::vector<ConeBlock> listed;
    list_cones(p.tape, p.domain, Arithmetic::kCertified, once, listed);
    const ConeBlock all = joined(std::move(listed));
    CHECK_EQUAL(whole.n, all.n);
    CHECK(whole.patterns == all.patterns);
    CHECK(whole.vertices == all.vertices);
    CHECK(whole.labels == all.labels);
    CHECK(whole.rows == all.rows);
  }
}

// The box [3.1, 3.5]^2 x [-1, 1].
DomainFrame far_box() {
  DomainFrame box = samples::cube(3, 1.0);
  for (std::size_t i = 0; i < box.n_sides(); ++i)
    for (std::size_t j = 0; j < 2; ++j) {
      double* side = box.sides.data() + 4 * i;
      if (side[j] != 0.0) side[3] = side[j] > 0 ? -3.1 : 3.5;
    }
  return box;
}

TEST(only_a_count_moves_a_box_that_lies_far_from_zero) {
  const Tape tape = samples::mlp({3, 7, 6}, 1);
  const DomainFrame box = far_box();
  const auto largest = [](const ConeRoot& root, std::size_t j) {
    const auto [low, high] = coordinate_bounds(root.domain);
    return std::max(-low[j], high[j]);
  };
  const ConeRoot count(tape, box, Arithmetic::kCertified, ConeRoot::Asked::kCount);
  const ConeRoot list(tape, box, Arithmetic::kCertified, ConeRoot::Asked::kList);
  for (const std::size_t j : {0, 1}) {
    CHECK(largest(count, j) < 0.25);
    CHECK_EQUAL(largest(list, j), 3.5);
  }
  CHECK_EQUAL(largest(count, 2), 1.0);
  CHECK(count.domain.exact_columns.empty() && count.domain.exact_sides.empty());
  // Doubles do not hold an origin of 3.25 * 0.1: the domain stays where it is.
  DomainFrame plane = box;
  plane.columns[0][0] = 0.1;
  const ConeRoot there(tape, plane, Arithmetic::kCertified, ConeRoot::Asked::kCount);
  CHECK_EQUAL(largest(there, 0), 3.5);
}

TEST(sides_whose_bound_overflows_say_nothing) {
  DomainFrame box = far_box();
  for (double* side = box.sides.data(); side < box.sides.data() + box.sides.size(); side += 4)
    if (side[0] != 0.0) side[0] *= 0x1p-1074;
  const auto [low, high] = coordinate_bounds(box);
  CHECK_EQUAL(low[0], -INFINITY);
  CHECK_EQUAL(high[0], INFINITY);
  CHECK_EQUAL(low[1], 3.1);
  CHECK_EQUAL(high[1], 3.5);
}

TEST(a_stopped_search_keeps_no_way) {
  const Problem p = problems().front();
  RunControl control;
  control.start();
  const ConeRoot root(p.tape, p.domain, Arithmetic::kCertified, ConeRoot::Asked::kCount);
  Engine engine(root, control, true);
  const Part part = pieces(p, false, 3);
  const Engine::Hooks hooks;
  engine.run({part[0]}, hooks);
  const auto found = engine.regions();
  control.stop(Status::kCancelled);
  engine.run({part[1]}, hooks);
  CHECK_EQUAL(engine.regions(), found);
  CHECK_EQUAL(engine.rest().size(), 1u);
}

}  // namespace

TEST_MAIN()
