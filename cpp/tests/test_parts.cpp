// SPDX-License-Identifier: MIT
// Parts of a search: cuts, pauses and foreign paths, on one thread and on several.
#include "linear_regions/part.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "check.hpp"
#include "linear_regions/cones.hpp"
#include "linear_regions/deep_tree.hpp"
#include "linear_regions/planar.hpp"
#include "networks.hpp"

using namespace samples;

namespace {

// What a search finds of a part, on several threads, pausing all the time.
template <typename Block, typename Run>
std::vector<std::uint64_t> patterns_of(const Run& run, Part part, unsigned threads, double pause,
                                       std::uint64_t& regions) {
  std::map<TreePath, Block> blocks;
  while (!part.empty()) {
    RunControl control;
    control.threads = threads;
    control.pause_after = pause;
    PartOptions options;
    options.list = true;
    PartOutcome<Block> outcome;
    const auto result = run(control, part, options, outcome);
    regions += result.regions;
    for (auto& [path, block] : outcome.blocks) CHECK(blocks.emplace(path, std::move(block)).second);
    part = std::move(outcome.rest);
  }
  std::vector<std::uint64_t> patterns;
  for (const auto& [path, block] : blocks)
    patterns.insert(patterns.end(), block.patterns.begin(), block.patterns.end());
  return patterns;
}

template <typename Block, typename Run, typename Cut>
void divided_searches_find_the_whole(const Run& run, const Cut& cut) {
  std::uint64_t whole = 0;
  const auto order = patterns_of<Block>(run, whole_search(), 1, 1e9, whole);
  CHECK(whole > 100);
  for (const double share : {0.3, 0.003}) {
    RunControl control;
    PartOptions options;
    options.list = true;
    options.cut = share;
    const Part part = cut(control, options);
    check_part(part);
    for (const unsigned threads : {1u, 3u}) {
      std::uint64_t found = 0;
      CHECK(patterns_of<Block>(run, part, threads, 0.0, found) == order);
      CHECK_EQUAL(found, whole);
    }
  }
}

}  // namespace

TEST(divided_planar_searches_find_the_whole) {
  const Tape tape = mlp({2, 15, 15}, 3);
  const PlanarDomain domain = square(0.0);
  divided_searches_find_the_whole<RegionBlock>(
      [&](RunControl& c, const Part& p, const PartOptions& o, PartOutcome<RegionBlock>& out) {
        return search_planar(tape, domain, Arithmetic::kCertified, c, p, o, out);
      },
      [&](RunControl& c, const PartOptions& o) {
        return cut_planar(tape, domain, Arithmetic::kCertified, c, whole_search(), o);
      });
}

TEST(divided_cone_searches_find_the_whole) {
  const Tape tape = mlp({3, 6, 6}, 3);
  const DomainFrame domain = space(3);
  divided_searches_find_the_whole<ConeBlock>(
      [&](RunControl& c, const Part& p, const PartOptions& o, PartOutcome<ConeBlock>& out) {
        return search_cones(tape, domain, Arithmetic::kCertified, c, p, o, out);
      },
      [&](RunControl& c, const PartOptions& o) {
        return cut_cones(tape, domain, Arithmetic::kCertified, c, whole_search(), o);
      });
}

TEST(divided_tree_searches_find_the_whole) {
  const Tape tape = mlp({3, 6, 6}, 4);
  const DomainFrame domain = space(3);
  divided_searches_find_the_whole<TreeBlock>(
      [&](RunControl& c, const Part& p, const PartOptions& o, PartOutcome<TreeBlock>& out) {
        return search_tree(tape, domain, Arithmetic::kCertified, c, p, o, out);
      },
      [&](RunControl& c, const PartOptions& o) {
        return cut_tree(tape, domain, Arithmetic::kCertified, c, whole_search(), o);
      });
}

// Looks ahead settle units early, so that nodes have fewer children; what settles may differ from
// processor to processor. A path is one cell everywhere, or refused.
TEST(a_path_is_the_same_cell_whatever_is_settled_before) {
  const Tape tape = mlp({2, 8, 8, 8}, 3);
  const PlanarDomain domain = square(1.0);
  const auto look = [](const char* wish) { setenv("LINEAR_REGIONS_LOOK_AHEAD", wish, 1); };
  const auto count = [&](const SubTree& tree) {
    RunControl control;
    PartOutcome<RegionBlock> out;
    return search_planar(tape, domain, Arithmetic::kCertified, control, {tree}, {}, out).regions;
  };
  int same = 0, refused = 0;
  for (const char* here : {"never", "always"})
    for (const char* there : {"never", "always"}) {
      look(here);
      RunControl control;
      PartOptions options;
      options.cut = 0.01;
      const Part part =
          cut_planar(tape, domain, Arithmetic::kCertified, control, whole_search(), options);
      for (const SubTree& tree : part) {
        look(here);
        const std::uint64_t expected = count(tree);
        look(there);
        try {
          CHECK_EQUAL(count(tree), expected);
          ++same;
        } catch (const ForeignPart&) {
          CHECK(here != there);
          ++refused;
        }
      }
    }
  unsetenv("LINEAR_REGIONS_LOOK_AHEAD");
  CHECK(same > 4 * refused);
}

TEST(paths_that_lead_elsewhere_are_refused) {
  const Tape tape = mlp({2, 8, 8}, 3);
  const PlanarDomain domain = square(0.0);
  const auto refused = [&](const Part& part) {
    RunControl control;
    PartOutcome<RegionBlock> out;
    try {
      search_planar(tape, domain, Arithmetic::kCertified, control, part, {}, out);
    } catch (const ForeignPart&) {
      return true;
    }
    return false;
  };
  RunControl control;
  PartOptions options;
  options.cut = 0.1;
  Part part = cut_planar(tape, domain, Arithmetic::kCertified, control, whole_search(), options);
  CHECK(!refused(part));
  Part renamed = part;
  ++renamed.back().name;
  CHECK(refused(renamed));
  Part longer = part;
  longer.back().path.insert(longer.back().path.end(), 1000, 0);
  CHECK(refused(longer));
  std::swap(part.front(), part.back());
  bool thrown = false;
  try {
    check_part(part);
  } catch (const std::invalid_argument&) {
    thrown = true;
  }
  CHECK(thrown);
}

TEST_MAIN()
