// SPDX-License-Identifier: MIT
// The device's sweep, run on the host: the sign vectors, and their order, are those of the core.
#include <algorithm>
#include <cmath>
#include <random>
#include <thread>
#include <vector>

#include "check.hpp"
#include "linear_regions/sweep.hpp"
#include "sweep_kernels.cu"

using namespace linear_regions;

namespace {

using Words = std::vector<Word>;

Hyperplanes draw(Size n, Size d, double size, unsigned seed) {
  Hyperplanes h;
  h.n = n;
  h.d = d;
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> entry;
  for (Size i = 0; i < n * (d + 1); ++i) h.value.push_back(size * entry(generator));
  return h;
}

Words by_core(const Hyperplanes& h, Size first, Size last) {
  const Size words = word_count(h.n);
  Words out(words * (last - first));
  RunControl control;
  control.threads = 1;
  sweep(h, first, last, Arithmetic::kCertified, control, out.data(), words);
  return out;
}

// C(n, k) for k <= kMaxLevel.
Words binomials(Size n) {
  Words table((n + 1) * kBinomialColumns, 0);
  for (Size i = 0; i <= n; ++i)
    for (Size k = 0; k < kBinomialColumns && k <= i; ++k)
      table[i * kBinomialColumns + k] = k == 0 ? 1
                                               : table[(i - 1) * kBinomialColumns + k - 1] +
                                                     table[(i - 1) * kBinomialColumns + k];
  return table;
}

// Rows of a level, each scaled by a power of two, and the functional; columns, beta and the errors.
std::vector<double> start_of(const Hyperplanes& h, Size level) {
  const Size stride = h.n + 1;
  std::vector<double> start((level + 3) * stride, 0.0);
  start[(level - 1) * stride + h.n] = 1.0;
  for (Size i = 0; i < h.n; ++i) {
    const double* row = h.row(i);
    double most = 0;
    for (Size c = 0; c < level; ++c) most = std::max(most, std::fabs(row[c]));
    const int scale = most > 0 ? -std::ilogb(most) : 0;
    for (Size c = 0; c < level; ++c) start[c * stride + i] = std::ldexp(row[c], scale);
    start[level * stride + i] = std::ldexp(level == h.d ? row[h.d] : -row[level], scale);
    start[(level + 1) * stride + i] = start[(level + 2) * stride + i] = kTinyError;
  }
  return start;
}

struct Found {
  Words out, open;
};

// Ranks [first, last) of a level, counted within it.
Found by_kernel(const Hyperplanes& h, Size level, Size first, Size last, Size per_team,
                bool backwards) {
  const Words table = binomials(h.n);
  const std::vector<double> start = start_of(h, level);
  const Size words = word_count(h.n), doubles = sweep_doubles(h.n, level, words), threads = 3;
  const Size n_lines = table[(h.n - 1) * kBinomialColumns + level - 1];
  Found found;
  found.out.assign((last - first) * words, 0xabcdef);
  found.open.assign(last - first, 0);
  std::vector<double> workspace(threads * doubles, -7.0);
  Word n_open = 0;
  std::vector<std::thread> team;
  for (Size i = 0; i < threads; ++i)
    team.emplace_back([&, i] {
      host_share = {i, threads, backwards};
      lr_sweep_lines(start.data(), table.data(), h.n, level, first, last, 0, n_lines, per_team,
                     found.out.data(), words, found.open.data(), found.open.size(), &n_open,
                     workspace.data(), doubles);
    });
  for (auto& thread : team) thread.join();
  found.open.resize(n_open);
  std::sort(found.open.begin(), found.open.end());
  return found;
}

// All of the level's ranks that are asked for, open ones replaced by the core's.
void check_level(const Hyperplanes& h, Size level, Size first, Size last, Size base, Size per_team,
                 bool backwards, Size* n_open = nullptr) {
  Found found = by_kernel(h, level, first, last, per_team, backwards);
  const Size words = word_count(h.n);
  const Words expected = by_core(h, base + first, base + last);
  CHECK(std::adjacent_find(found.open.begin(), found.open.end()) == found.open.end());
  for (const Word rank : found.open)
    std::copy_n(expected.begin() + static_cast<std::ptrdiff_t>((rank - first) * words), words,
                found.out.begin() + static_cast<std::ptrdiff_t>((rank - first) * words));
  CHECK(found.out == expected);
  if (n_open != nullptr) *n_open += found.open.size();
}

void check_all(const Hyperplanes& h, Size* n_open = nullptr) {
  const Words table = binomials(h.n);
  Size base = 0;
  for (Size level = std::min(h.n, h.d); level > 0; --level) {
    const Size size = table[h.n * kBinomialColumns + level];
    check_level(h, level, 0, size, base, 5, level % 2 == 1, n_open);
    check_level(h, level, size / 3, size - size / 4, base, 64, false);
    base += size;
  }
}

TEST(sign_vectors_and_their_order_are_those_of_the_core) {
  unsigned seed = 1;
  for (const auto& [n, d] : std::vector<std::pair<Size, Size>>{{1, 1},
                                                               {2, 2},
                                                               {3, 6},
                                                               {5, 2},
                                                               {9, 3},
                                                               {12, 4},
                                                               {15, 5},
                                                               {10, 8},
                                                               {31, 2},
                                                               {32, 3},
                                                               {33, 2},
                                                               {64, 2},
                                                               {65, 2},
                                                               {130, 2},
                                                               {192, 2},
                                                               {256, 1},
                                                               {17, 6},
                                                               {12, 7}}) {
    Size n_open = 0;
    check_all(draw(n, d, 1.0, seed++), &n_open);
    CHECK_EQUAL(n_open, Size{0});
  }
}

TEST(rows_of_very_different_size_make_no_difference) {
  Hyperplanes h = draw(14, 4, 1.0, 77);
  for (Size i = 0; i < h.n; ++i)
    for (Size c = 0; c <= h.d; ++c)
      h.value[i * (h.d + 1) + c] =
          std::ldexp(h.value[i * (h.d + 1) + c], static_cast<int>(i % 5) * 150 - 300);
  check_all(h);
}

// Some d + 1 hyperplanes pass within rounding of a common point: their signs are left open, and
// nothing else is wrong.
TEST(what_rounding_cannot_decide_is_left_open) {
  Hyperplanes h = draw(12, 3, 1.0, 5);
  std::mt19937_64 generator(6);
  std::uniform_real_distribution<double> entry(0.5, 1.0);
  const double point[3] = {0.3, -0.7, 0.9};
  for (Size i = 0; i < 6; ++i) {
    double* row = h.value.data() + i * 4;
    for (Size c = 0; c < 3; ++c) row[c] = entry(generator) * (c == i % 3 ? -1 : 1);
    // Rounded, so that no four of them meet exactly.
    row[3] = -(row[0] * point[0] + row[1] * point[1] + row[2] * point[2]);
  }
  Size n_open = 0;
  check_all(h, &n_open);
  CHECK(n_open > 0);
  CHECK(n_open < 200);
}

// A pivot that rounding cannot tell from zero decides nothing below it.
TEST(an_uncertain_pivot_leaves_its_lines_open) {
  Hyperplanes h = draw(9, 3, 1.0, 8);
  const double u = 0x1p-52;
  for (Size c = 0; c < 4; ++c) h.value[4 + c] = h.value[c] * (1 + static_cast<double>(c + 1) * u);
  Size n_open = 0;
  check_all(h, &n_open);
  CHECK(n_open >= 7);
}

TEST(an_overfull_list_still_counts_what_is_open) {
  Hyperplanes h = draw(9, 2, 1.0, 8);
  for (Size c = 0; c < 3; ++c) h.value[3 + c] = h.value[c];  // two equal rows
  const Words table = binomials(9);
  const std::vector<double> start = start_of(h, 2);
  std::vector<double> workspace(sweep_doubles(9, 2, 1));
  Word open[1] = {99}, n_open = 0;
  lr_sweep_lines(start.data(), table.data(), 9, 2, 0, 36, 0, 8, 3, nullptr, 1, open, 1, &n_open,
                 workspace.data(), workspace.size());
  CHECK(n_open > 1);
  CHECK(open[0] < 36);
}

}  // namespace

TEST_MAIN()
