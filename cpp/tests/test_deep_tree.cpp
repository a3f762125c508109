// SPDX-License-Identifier: MIT
// The tree against the polygons, and its threads; the sanitizers run this.
#include "linear_regions/deep_tree.hpp"

#include <algorithm>
#include <set>

#include "check.hpp"
#include "networks.hpp"

namespace {

using namespace linear_regions;
using samples::cube;

TreeResult count(const Tape& tape, const DomainFrame& domain, unsigned threads = 1) {
  RunControl control;
  control.threads = threads;
  return count_tree(tape, domain, Arithmetic::kCertified, control);
}

TreeBlock list(const Tape& tape, const DomainFrame& domain, unsigned threads = 1) {
  RunControl control;
  control.threads = threads;
  std::vector<TreeBlock> blocks;
  list_tree(tape, domain, Arithmetic::kCertified, control, blocks);
  return joined(std::move(blocks));
}

std::set<std::vector<std::uint64_t>> patterns(const std::vector<std::uint64_t>& words,
                                              std::size_t n, std::size_t each) {
  std::set<std::vector<std::uint64_t>> out;
  for (std::size_t i = 0; i < n; ++i)
    out.insert({words.begin() + static_cast<std::ptrdiff_t>(i * each),
                words.begin() + static_cast<std::ptrdiff_t>((i + 1) * each)});
  return out;
}

TEST(tree_lists_the_patterns_of_the_polygons) {
  for (unsigned seed = 0; seed < 6; ++seed)
    for (double half : {0.0, 1.0}) {
      const Tape tape = samples::mlp({2, 6, 5, 4}, seed, seed % 2 == 0 ? 2 : 0);
      const RegionBlock expected = samples::list(tape, samples::square(half));
      const TreeBlock got = list(tape, cube(2, half));
      CHECK_EQUAL(got.n, expected.n);
      CHECK(patterns(got.patterns, got.n, got.words) ==
            patterns(expected.patterns, expected.n, expected.words));
      CHECK_EQUAL(count(tape, cube(2, half)).regions, expected.n);
    }
}

TEST(order_does_not_depend_on_the_threads) {
  const Tape tape = samples::mlp({3, 10, 10}, 5);
  const TreeBlock one = list(tape, cube(3, 2.0)), four = list(tape, cube(3, 2.0), 4);
  CHECK(one.patterns == four.patterns);
  CHECK_EQUAL(count(tape, cube(3, 2.0), 4).regions, one.n);
}

TEST(a_cancelled_run_stops) {
  const Tape tape = samples::mlp({3, 10, 10}, 5);
  RunControl control;
  control.threads = 2;
  control.limit = 20;
  CHECK_EQUAL(count_tree(tape, cube(3, 0.0), Arithmetic::kCertified, control).regions, 20u);
  std::size_t blocks = 0;
  RunControl streaming;
  stream_tree(tape, cube(3, 0.0), Arithmetic::kCertified, streaming, 7, [&](TreeBlock&& block) {
    CHECK_EQUAL(block.n, 7u);
    return ++blocks < 3;
  });
  CHECK_EQUAL(blocks, 3u);
}

TEST(a_domain_of_another_size_is_refused) {
  CHECK_THROWS(count(samples::mlp({2, 3}, 1), cube(3, 1.0)), std::invalid_argument);
}

}  // namespace

TEST_MAIN()
