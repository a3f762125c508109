// SPDX-License-Identifier: MIT
// The forward pass: all sets of kernels give the same values, bit for bit, and those are the sums
// in their order; batches, tiles and the type of the points do not matter.
#include "linear_regions/forward.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include "../src/forward/forward_kernels.hpp"
#include "check.hpp"
#include "networks.hpp"

using namespace linear_regions;

namespace {

template <typename Real>
std::vector<const ForwardKernels<Real>*> variants();
template <>
std::vector<const ForwardKernels<double>*> variants<double>() {
  std::vector<const ForwardKernels<double>*> all = {&kGenericForward64};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    all.push_back(&kAvx2Forward64);
  if (__builtin_cpu_supports("avx512f")) all.push_back(&kAvx512Forward64);
#endif
  return all;
}
template <>
std::vector<const ForwardKernels<float>*> variants<float>() {
  std::vector<const ForwardKernels<float>*> all = {&kGenericForward32};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    all.push_back(&kAvx2Forward32);
  if (__builtin_cpu_supports("avx512f")) all.push_back(&kAvx512Forward32);
#endif
  return all;
}

template <typename Real>
std::vector<Real> normal_numbers(std::size_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<Real> out(n);
  for (Real& x : out) x = static_cast<Real>(normal(random));
  return out;
}

template <typename Real>
bool same_bits(const std::vector<Real>& a, const std::vector<Real>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(Real)) == 0);
}

template <typename Real>
void check_blocks() {
  constexpr std::size_t kLanes = kGroup<Real>;
  const std::vector<Run> runs = {{0, 0, 3}, {5, 3, 1}, {9, 8, 0}, {6, 4, 4}};
  const auto in = normal_numbers<Real>(10 * kLanes, 2);
  for (const ForwardKernels<Real>* k : variants<Real>())
    for (std::size_t width = 1; width <= k->panel; ++width)
      for (const bool fresh : {true, false}) {
        const auto weight = normal_numbers<Real>(8 * width, 1),
                   bias = normal_numbers<Real>(width, 3);
        const auto before = normal_numbers<Real>(width * kLanes, 4);
        std::vector<Real> expected = before, got = before;
        for (std::size_t b = 0; b < width; ++b)
          for (std::size_t s = 0; s < kLanes; ++s) {
            Real& sum = expected[b * kLanes + s];
            if (fresh) sum = bias[b];
            for (const Run& run : runs)
              for (std::size_t j = 0; j < run.n; ++j)
                sum = std::fma(weight[(run.weight + j) * width + b], in[(run.in + j) * kLanes + s],
                               sum);
          }
        k->block(got.data(), fresh ? bias.data() : nullptr, weight.data(), width, runs.data(),
                 runs.size(), in.data());
        CHECK(same_bits(got, expected));
      }
}

template <typename Real>
void check_pieces() {
  constexpr std::size_t kLanes = kGroup<Real>;
  const std::size_t n = 37;
  auto in = normal_numbers<Real>(kLanes * n, 4);
  in[3] = Real{0.25};  // on a breakpoint: the lower piece
  const Real infinity = std::numeric_limits<Real>::infinity();
  const std::vector<Real> breakpoints = {Real{-0.5}, Real{0.25}, Real{1.5}};
  const std::vector<Real> slopes[] = {{0, 1, Real(0.01), 0}, {Real(0.01), 1, 0, 2}, {-1, 0, 0, 1}};
  const std::vector<Real> intercepts = {Real(0.125), Real(-0.5), 0, 3};
  for (const bool spoiled : {false, true}) {
    if (spoiled) in[4] = infinity, in[5] = -infinity;
    for (std::size_t k = 0; k <= 3; ++k)
      for (const auto& slope : slopes) {
        std::vector<Real> expected(in.size());
        std::vector<std::uint16_t> masks(n * k, 0);
        for (std::size_t i = 0; i < in.size(); ++i) {
          std::size_t piece = 0;
          for (; piece < k && in[i] > breakpoints[piece]; ++piece)
            masks[i / kLanes * k + piece] =
                static_cast<std::uint16_t>(masks[i / kLanes * k + piece] | (1u << (i % kLanes)));
          expected[i] =
              slope[piece] == 0 ? intercepts[piece] : slope[piece] * in[i] + intercepts[piece];
        }
        for (const ForwardKernels<Real>* set : variants<Real>()) {
          std::vector<Real> got = in;  // in place
          std::vector<std::uint16_t> above(n * k);
          const bool finite = set->pieces(got.data(), got.data(), n, k, breakpoints.data(),
                                          slope.data(), intercepts.data(), above.data());
          CHECK(same_bits(got, expected));
          CHECK(above == masks);
          CHECK_EQUAL(finite, !spoiled);
        }
      }
  }
}

template <typename Real>
void check_windows() {
  constexpr std::size_t kLanes = kGroup<Real>;
  auto in = normal_numbers<Real>(6 * kLanes, 5);
  for (Real& x : in) x = std::round(x);  // equal entries
  for (const std::vector<std::int32_t>& entries :
       std::vector<std::vector<std::int32_t>>{{2}, {4, 1}, {0, 1, 2, 3, 4, 5}, {5, 5, 5}}) {
    std::vector<Real> expected(kLanes);
    std::vector<std::uint32_t> winners(kLanes);
    for (std::size_t s = 0; s < kLanes; ++s)
      for (std::size_t k = 0; k < entries.size(); ++k) {
        const Real z = in[static_cast<std::size_t>(entries[k]) * kLanes + s];
        if (k == 0 || z > expected[s]) {
          expected[s] = z;
          winners[s] = static_cast<std::uint32_t>(k);
        }
      }
    for (const ForwardKernels<Real>* set : variants<Real>()) {
      std::vector<Real> got(kLanes);
      std::vector<std::uint32_t> who(kLanes);
      CHECK(set->window(got.data(), who.data(), in.data(), entries.data(), entries.size()));
      CHECK(same_bits(got, expected));
      CHECK(who == winners);
    }
  }
}

template <typename Real>
void check_reach() {
  constexpr std::size_t kLanes = kGroup<Real>, kN = 9;
  auto in = normal_numbers<Real>(kN * kLanes, 6);
  in[3 * kLanes + 1] = in[5 * kLanes + 1];  // equal entries
  const std::vector<std::int32_t> entries = {5, 0, 3, 8};
  for (const ForwardKernels<Real>* k : variants<Real>()) {
    Real largest[kLanes], nearest[kLanes], top[kLanes], next[kLanes];
    k->reach(in.data(), kN, Real{0.25}, largest, nearest);
    k->two_largest(in.data(), entries.data(), entries.size(), top, next);
    for (std::size_t s = 0; s < kLanes; ++s) {
      Real most = 0, least = INFINITY;
      for (std::size_t i = 0; i < kN; ++i) {
        most = std::max(most, std::fabs(in[i * kLanes + s]));
        least = std::min(least, std::fabs(in[i * kLanes + s] - Real{0.25}));
      }
      std::vector<Real> window;
      for (const std::int32_t entry : entries)
        window.push_back(in[static_cast<std::size_t>(entry) * kLanes + s]);
      std::sort(window.rbegin(), window.rend());
      CHECK(largest[s] == most && nearest[s] == least);
      CHECK(top[s] == window[0] && next[s] == window[1]);
    }
    k->reach(in.data(), 0, Real{0}, largest, nearest);
    CHECK(largest[0] == 0 && nearest[0] == INFINITY);
  }
}

template <typename Real, typename Point>
void check_points() {
  constexpr std::size_t kLanes = kGroup<Real>;
  for (const std::size_t n : {0, 1, 5, 15, 16, 17, 40}) {
    auto points = normal_numbers<Point>(kLanes * n, 6);
    std::vector<Real> expected(points.size());
    for (std::size_t s = 0; s < kLanes; ++s)
      for (std::size_t j = 0; j < n; ++j)
        expected[j * kLanes + s] = static_cast<Real>(points[s * n + j]);
    for (const ForwardKernels<Real>* set : variants<Real>()) {
      const auto load = [&](Real* out) {
        if constexpr (std::is_same_v<Point, double>)
          return set->from_double(out, points.data(), n, n);
        else
          return set->from_float(out, points.data(), n, n);
      };
      std::vector<Real> got(points.size());
      CHECK(load(got.data()));
      CHECK(same_bits(got, expected));
      for (std::size_t at : {std::size_t{0}, points.size() / 2, points.size() - 1}) {
        if (n == 0) continue;
        const Point kept = points[at];
        points[at] = std::numeric_limits<Point>::quiet_NaN();
        CHECK(!load(got.data()));
        points[at] = -std::numeric_limits<Point>::infinity();
        CHECK(!load(got.data()));
        points[at] = kept;
      }
    }
  }
}

// One fused operation a term, in the order of the inputs: what a pass must give.
template <typename Real>
std::vector<Real> plain_layer(const std::vector<Real>& x, const std::vector<double>& weight,
                              const std::vector<double>& bias) {
  std::vector<Real> z;
  for (std::size_t i = 0; i < bias.size(); ++i) {
    Real sum = static_cast<Real>(bias[i]);
    for (std::size_t j = 0; j < x.size(); ++j)
      sum = std::fma(static_cast<Real>(weight[i * x.size() + j]), x[j], sum);
    z.push_back(sum);
  }
  return z;
}

// Layers wider than a block of inputs, and batches larger than a tile.
template <typename Real>
void check_pass(const std::vector<std::size_t>& widths, std::size_t n) {
  std::vector<std::vector<double>> weights, biases;
  Tape made(widths[0]);
  int slot = 0;
  for (std::size_t i = 1; i < widths.size(); ++i) {
    weights.push_back(
        normal_numbers<double>(widths[i] * widths[i - 1], static_cast<unsigned>(2 * i)));
    biases.push_back(normal_numbers<double>(widths[i], static_cast<unsigned>(2 * i + 1)));
    slot = made.dense(slot, weights.back(), biases.back());
    slot = samples::pointwise(made, slot, widths[i], samples::relu());
  }
  made.finish();
  const ForwardPass<Real> pass(std::make_shared<const Tape>(std::move(made)));
  const std::size_t words = pass.tape().pattern_words(), n_out = widths.back();
  const auto points = normal_numbers<float>(widths[0] * n, 8);
  std::vector<Real> values(n * n_out);
  std::vector<std::uint64_t> bits(n * words), alone(n * words);
  CHECK(pass.run(points, n, values, bits));
  const std::vector<double> wide(points.begin(), points.end());
  CHECK(pass.run(wide, n, {}, alone));
  CHECK(bits == alone);
  for (std::size_t s = 0; s < n; ++s) {
    std::vector<Real> x;
    for (std::size_t j = 0; j < widths[0]; ++j)
      x.push_back(static_cast<Real>(points[s * widths[0] + j]));
    std::vector<std::uint64_t> row(words);
    std::size_t bit = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      x = plain_layer(x, weights[i], biases[i]);
      for (Real& z : x) {
        if (z > 0)
          row[bit / 64] |= std::uint64_t{1} << (bit % 64);
        else
          z = 0;
        ++bit;
      }
    }
    CHECK(std::equal(row.begin(), row.end(), bits.data() + s * words));
    CHECK(std::equal(x.begin(), x.end(), values.data() + s * n_out));
  }
}

}  // namespace

TEST(every_set_of_kernels_gives_the_sums_in_their_order) {
  check_blocks<double>();
  check_blocks<float>();
}

TEST(every_set_of_kernels_gives_the_same_pieces) {
  check_pieces<double>();
  check_pieces<float>();
}

TEST(every_set_of_kernels_gives_the_first_winner) {
  check_windows<double>();
  check_windows<float>();
}

TEST(every_set_of_kernels_measures_values) {
  check_reach<double>();
  check_reach<float>();
}
TEST(every_set_of_kernels_turns_points_to_columns) {
  check_points<double, double>();
  check_points<double, float>();
  check_points<float, double>();
  check_points<float, float>();
}

TEST(a_pass_gives_the_sums_in_their_order) {
  for (const std::size_t n : {0, 1, 7, 8, 9, 16, 17}) {
    check_pass<double>({5, 63, 9}, n);
    check_pass<float>({5, 63, 9}, n);
  }
  for (const std::size_t width : {1, 7, 8, 64, 65, 130}) {
    check_pass<double>({3, width, 2}, 21);
    check_pass<float>({3, width, 2}, 21);
  }
  check_pass<double>({600, 300, 3}, 10);
  check_pass<float>({600, 300, 3}, 20);
  check_pass<double>({4, 40}, 300);
  check_pass<float>({4, 40}, 300);
}

TEST(values_beyond_the_range_are_reported) {
  Tape made(1);
  int slot = made.dense(0, std::vector<double>{1e30}, std::vector<double>{0.0});
  slot = samples::pointwise(made, slot, 1, samples::relu());
  made.dense(slot, std::vector<double>{1e30}, std::vector<double>{0.0});
  made.finish();
  const auto tape = std::make_shared<const Tape>(std::move(made));
  const ForwardPass<float> floats(tape);
  const ForwardPass<double> doubles(tape);
  std::vector<std::uint64_t> words(1);
  const std::vector<double> small = {1.0}, large = {1e20};
  CHECK(floats.run(small, 1, {}, words));  // the last layer has no sign
  CHECK(!floats.run(large, 1, {}, words));
  CHECK(doubles.run(large, 1, {}, words));
  Tape huge(1);
  huge.dense(0, std::vector<double>{1e300}, std::vector<double>{0.0});
  huge.finish();
  CHECK_THROWS(ForwardPass<float>(std::make_shared<const Tape>(std::move(huge))),
               std::invalid_argument);
}

TEST(breakpoints_are_exact_in_single_precision) {
  // Just above and just below a float; z = x lies on the float.
  const float x = 0.1F;
  for (const double step : {-1e-12, 0.0, 1e-12}) {
    Tape made(1);
    PieceTable table;
    table.breakpoints = {static_cast<double>(x) + step};
    table.slopes = {0.0, 1.0};
    samples::pointwise(made, 0, 1, table);
    made.finish();
    const ForwardPass<float> pass(std::make_shared<const Tape>(std::move(made)));
    std::vector<std::uint64_t> words(1);
    CHECK(pass.run(std::span<const float>(&x, 1), 1, {}, words));
    CHECK_EQUAL(words[0], step < 0 ? 1u : 0u);
  }
}

// A tape of one long layer: a pass that looked between layers only would be asked once or twice.
TEST(a_pass_ends_where_it_is_told_to_within_a_layer) {
  const std::size_t width = 2000, n = 64;
  Tape made(width);
  made.dense(0, normal_numbers<double>(width * width, 1), normal_numbers<double>(width, 2));
  made.finish();
  const ForwardPass<double> pass(std::make_shared<const Tape>(std::move(made)));
  const auto points = normal_numbers<double>(width * n, 3);
  std::vector<double> values(width * n), maps(width * n);
  int asked = 0, most = 1000;
  const auto keep_going = [&] { return ++asked < most; };
  pass.run(points, n, values, {}, keep_going);
  CHECK(asked > 10);
  CHECK(asked < most);
  asked = 0, most = 3;
  pass.run(points, n, values, {}, keep_going);
  CHECK_EQUAL(asked, 3);
  asked = 0;
  pass.affine_maps({}, 1, points, n, maps, keep_going);
  CHECK_EQUAL(asked, 3);
}

TEST(arrays_of_another_size_are_refused) {
  const ForwardPass<double> pass(std::make_shared<const Tape>(samples::mlp({2, 3}, 1)));
  std::vector<double> points(4), values(6);
  std::vector<std::uint64_t> words(1);
  CHECK_THROWS(pass.run(points, 2, values, words), std::invalid_argument);
  CHECK_THROWS(pass.run(points, 3, values, {}), std::invalid_argument);
}

TEST_MAIN()
