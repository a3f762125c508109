// SPDX-License-Identifier: MIT
// Patterns in exact arithmetic: units that cancel are zero, whatever rounding says; threads share
// what was settled.
#include "linear_regions/exact_patterns.hpp"

#include <cmath>
#include <random>
#include <thread>
#include <vector>

#include "check.hpp"

using namespace linear_regions;

namespace {

// u w relu(x + 2) - w u relu(x + 2), times the units of `n` copies: zero, but not in doubles.
std::shared_ptr<Tape> cancelling(std::size_t n) {
  auto tape = std::make_shared<Tape>(1);
  const PieceTable relu{{0.0}, {0.0, 1.0}, {}, {}, 0.0};
  const std::vector<std::int64_t> one = {0}, two = {0, 0};
  const std::vector<std::int64_t> all(n, 0);
  const std::vector<double> first = {1.0}, bias = {2.0};
  int slot = tape->pointwise(tape->dense(0, first, bias), {relu}, one);
  const double w = 0.1, u = 0.7;
  const std::vector<double> pair = {w, u}, none(2, 0.0);
  slot = tape->pointwise(tape->dense(slot, pair, none), {relu}, two);
  std::vector<double> last;
  for (std::size_t i = 0; i < n; ++i) last.insert(last.end(), {u, -w});
  const std::vector<double> zeros(n, 0.0);
  tape->pointwise(tape->dense(slot, last, zeros), {relu}, all);
  tape->finish();
  return tape;
}

std::vector<double> points(std::size_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> law(-1.0, 1.0);
  std::vector<double> out(n);
  for (double& x : out) x = law(random);
  return out;
}

DomainFrame line() {
  DomainFrame frame;
  frame.dim = 1;
  frame.columns = {{1.0}, {0.0}};
  return frame;
}

const auto kGoOn = [] { return true; };

}  // namespace

TEST(units_that_cancel_are_zero_and_settled_once) {
  for (const std::size_t units : {1, 61, 62, 130}) {
    const auto tape = cancelling(units);
    const ForwardPass<double> pass(tape);
    const auto x = points(300, 1);
    const std::size_t words = tape->pattern_words();
    std::vector<std::uint64_t> bits(x.size() * words);
    Doubts doubts;
    CHECK(pass.run(x, x.size(), bits, doubts));
    CHECK_EQUAL(doubts.list.size(), x.size() * units);
    CHECK(doubts.loosest < 1e-14);
    bool noise = false;
    for (std::size_t i = 0; i < x.size(); ++i) noise = noise || bits[i * words] != 7;
    CHECK(noise);  // rounding did leave wrong signs
    ExactPatterns exact(tape, line());
    CHECK_EQUAL(exact.settle(x, bits, doubts.list, kGoOn).points, std::uint64_t{1});
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t w = 0; w < words; ++w)
        CHECK_EQUAL(bits[i * words + w], w == 0 ? std::uint64_t{7} : std::uint64_t{0});
  }
}

TEST(without_a_domain_every_doubtful_point_is_settled_alone) {
  const auto tape = cancelling(2);
  const ForwardPass<double> pass(tape);
  const auto x = points(20, 2);
  std::vector<std::uint64_t> bits(x.size());
  Doubts doubts;
  pass.run(x, x.size(), bits, doubts);
  ExactPatterns exact(tape, std::nullopt);
  CHECK_EQUAL(exact.settle(x, bits, doubts.list, kGoOn).points, std::uint64_t{x.size()});
  for (const std::uint64_t word : bits) CHECK_EQUAL(word, std::uint64_t{7});
}

TEST(threads_share_what_is_known) {
  const auto tape = cancelling(70);
  const ForwardPass<double> pass(tape);
  ExactPatterns exact(tape, line());
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> team;
  for (unsigned t = 0; t < 4; ++t)
    team.emplace_back([&, t] {
      const auto x = points(100, t);
      std::vector<std::uint64_t> bits(x.size() * 2);
      Doubts doubts;
      pass.run(x, x.size(), bits, doubts);
      exact.settle(x, bits, doubts.list, kGoOn);
      for (std::size_t i = 0; i < bits.size(); ++i)
        wrong[t] += bits[i] != (i % 2 == 0 ? std::uint64_t{7} : std::uint64_t{0});
    });
  for (std::thread& thread : team) thread.join();
  for (const int number : wrong) CHECK_EQUAL(number, 0);
}

TEST(a_stop_is_reported_and_a_doubt_beyond_the_points_refused) {
  const auto tape = cancelling(1);
  ExactPatterns exact(tape, line());
  std::vector<std::uint64_t> bits = {7};
  const std::vector<double> x = {0.5};
  const std::vector<Doubts::Doubt> doubt = {{0, 3, -1}}, beyond = {{1, 3, -1}};
  CHECK(exact.settle(x, bits, doubt, [] { return false; }).stopped);
  CHECK_THROWS(exact.settle(x, bits, beyond, kGoOn), std::invalid_argument);
}

TEST_MAIN()
