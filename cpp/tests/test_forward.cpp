// SPDX-License-Identifier: MIT
// The forward pass: all sets of kernels give the same values, bit for bit, and those are the sums
// in their order; batches do not matter.
#include "linear_regions/forward.hpp"

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "../src/forward/forward_kernels.hpp"
#include "check.hpp"
#include "networks.hpp"

using namespace linear_regions;

namespace {

std::vector<const ForwardKernels*> variants() {
  std::vector<const ForwardKernels*> all = {&kGenericForwardKernels};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    all.push_back(&kAvx2ForwardKernels);
#endif
  return all;
}

std::vector<double> normal_numbers(std::size_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> out(n);
  for (double& x : out) x = normal(random);
  return out;
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

}  // namespace

TEST(every_set_of_kernels_gives_the_sums_in_their_order) {
  for (const std::size_t n_in : {0, 1, 7, 40})
    for (const std::size_t n_out : {0, 1, 2, 5, 6, 7, 12, 19}) {
      const std::size_t lead = n_out + 3;
      const auto weight = normal_numbers(n_in * lead, 1), in = normal_numbers(8 * n_in, 2);
      const auto bias = normal_numbers(8 * n_out, 3);
      std::vector<double> expected = bias;
      for (std::size_t i = 0; i < n_out; ++i)
        for (std::size_t s = 0; s < 8; ++s)
          for (std::size_t j = 0; j < n_in; ++j)
            expected[8 * i + s] =
                std::fma(weight[j * lead + i], in[8 * j + s], expected[8 * i + s]);
      for (const ForwardKernels* k : variants()) {
        std::vector<double> got = bias;
        k->dense(got.data(), weight.data(), lead, n_in, n_out, in.data());
        CHECK(same_bits(got, expected));
      }
    }
}

TEST(every_set_of_kernels_gives_the_same_pieces) {
  auto in = normal_numbers(8 * 37, 4);
  in[3] = 0.25;  // on the breakpoint: the lower piece
  in[4] = INFINITY;
  in[5] = -INFINITY;
  const double slopes[][2] = {{0.0, 1.0}, {0.01, 1.0}, {1.0, 0.0}, {-1.0, 1.0}};
  const double intercepts[2] = {0.125, -0.5};
  for (const auto& slope : slopes) {
    std::vector<double> expected(in.size());
    std::vector<std::uint8_t> masks(37, 0);
    for (std::size_t i = 0; i < in.size(); ++i) {
      const std::size_t piece = in[i] > 0.25 ? 1 : 0;
      expected[i] =
          slope[piece] == 0.0 ? intercepts[piece] : slope[piece] * in[i] + intercepts[piece];
      masks[i / 8] = static_cast<std::uint8_t>(masks[i / 8] | (piece << (i % 8)));
    }
    for (const ForwardKernels* k : variants()) {
      std::vector<double> got(in.size());
      std::vector<std::uint8_t> above(37);
      k->two_pieces(got.data(), in.data(), 37, 0.25, slope, intercepts, above.data());
      CHECK(same_bits(got, expected));
      CHECK(above == masks);
    }
  }
}

TEST(patterns_do_not_depend_on_the_batch) {
  for (const std::size_t width : {1, 7, 8, 63, 64, 65, 130}) {
    const Tape tape = samples::mlp({5, width, 9}, static_cast<unsigned>(width));
    for (const std::size_t n : {0, 1, 8, 21}) {
      const auto points = normal_numbers(5 * n, 6);
      std::vector<double> values(9 * n);
      std::vector<std::uint64_t> words(n * tape.pattern_words());
      forward(tape, points, n, values, words);
      for (std::size_t i = 0; i < n; ++i) {
        std::vector<double> one(9);
        std::vector<std::uint64_t> row(tape.pattern_words());
        forward(tape, {points.data() + 5 * i, 5}, 1, one, row);
        CHECK(same_bits(one, {values.begin() + static_cast<std::ptrdiff_t>(9 * i),
                              values.begin() + static_cast<std::ptrdiff_t>(9 * (i + 1))}));
        CHECK(std::equal(row.begin(), row.end(), words.data() + i * row.size()));
        // The bits are the signs of the last layer behind those of the first.
        for (std::size_t k = 0; k < 9; ++k) {
          const std::size_t bit = width + k;
          CHECK_EQUAL(((row[bit / 64] >> (bit % 64)) & 1) != 0, one[k] > 0);
        }
      }
    }
  }
}

TEST(arrays_of_another_size_are_refused) {
  const Tape tape = samples::mlp({2, 3}, 1);
  std::vector<double> points(4), values(6);
  std::vector<std::uint64_t> words(1);
  CHECK_THROWS(forward(tape, points, 2, values, words), std::invalid_argument);
  CHECK_THROWS(forward(tape, points, 3, values, {}), std::invalid_argument);
}

TEST_MAIN()
