// SPDX-License-Identifier: MIT
// Every instruction set that this processor runs gives certain signs that agree, and sums that
// agree up to rounding.
#include "../src/kernels.hpp"

#include <cmath>
#include <random>
#include <vector>

#include "check.hpp"
#include "linear_regions/tape.hpp"

using namespace linear_regions;

namespace {

__extension__ using Wide = __int128;

std::vector<const Kernels*> variants() {
  std::vector<const Kernels*> all = {&kGenericKernels};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) all.push_back(&kAvx2Kernels);
  if (__builtin_cpu_supports("avx512f")) all.push_back(&kAvx512Kernels);
#endif
  return all;
}

struct Data {
  std::size_t n;
  std::vector<double> map;
  Rows rows() const {
    const std::size_t lead = padded(n);
    return {map.data(), map.data() + lead, map.data() + 2 * lead, map.data() + 3 * lead};
  }
};

Data draw(std::size_t n, unsigned seed, double error) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  Data d{n, std::vector<double>(4 * padded(n))};
  for (std::size_t k = 0; k < 3; ++k)
    for (std::size_t i = 0; i < n; ++i) d.map[k * padded(n) + i] = normal(random);
  for (std::size_t i = 0; i < n; ++i) d.map[3 * padded(n) + i] = error;
  return d;
}

bool bit(const std::vector<std::uint64_t>& words, std::size_t i) {
  return (words[i / 64] >> (i % 64)) & 1;
}

}  // namespace

// Sums of doubles that fit into 128-bit integers are known exactly, whatever cancels.
TEST(rows_in_twice_the_precision_lose_next_to_nothing) {
  constexpr std::size_t kTerms = 200, kOutputs = 13;
  constexpr double kUnit = 0x1p-53;
  std::mt19937_64 random(5);
  const auto integer = [&](int bits) {
    return static_cast<std::int64_t>(random() >> (64 - bits)) - (std::int64_t{1} << (bits - 1));
  };
  for (const Kernels* k : variants()) {
    std::vector<double> map(7 * kOutputs + 7);
    const auto out = [&](std::size_t c, std::size_t i) { return map[c * kOutputs + i]; };
    std::vector<Wide> exact(3 * kOutputs), size(3 * kOutputs);
    std::vector<double> errors(kOutputs);
    for (std::size_t t = 0; t < kTerms; ++t) {
      double row[7] = {};
      std::int64_t high[3], low[3];
      for (int c = 0; c < 3; ++c) {  // high in units of 2^10, low below half of its last bit
        high[c] = integer(52);
        low[c] = integer(9);
        row[c] = std::ldexp(static_cast<double>(high[c]), 10);
        row[3 + c] = static_cast<double>(low[c]);
      }
      row[6] = 0.25;
      std::vector<double> weight(kOutputs);
      for (std::size_t i = 0; i < kOutputs; ++i) {
        // The second half takes back most of the first: what is left is far below the terms.
        const std::int64_t w = integer(50);
        weight[i] = static_cast<double>(w);
        errors[i] += 0.25 * std::fabs(weight[i]);
        for (std::size_t c = 0; c < 3; ++c) {
          const Wide term = static_cast<Wide>(w) * ((static_cast<Wide>(high[c]) << 10) + low[c]);
          exact[c * kOutputs + i] += term;
          size[c * kOutputs + i] += term < 0 ? -term : term;
        }
      }
      k->add_row_double_double(map.data(), kOutputs, 3, weight.data(), kOutputs, row);
    }
    const double share = 1.1 * (kTerms + 4.0) * (kTerms + 4.0) * kUnit * kUnit;
    double worst = 0;
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t i = 0; i < kOutputs; ++i) {
        // Both parts are integers of less than 120 bits here, but for the roundings of the low one.
        const auto found = static_cast<Wide>(out(c, i)) + static_cast<Wide>(out(3 + c, i));
        const double error = std::fabs(static_cast<double>(found - exact[c * kOutputs + i]));
        const double bound = share * static_cast<double>(size[c * kOutputs + i]) + 2;
        CHECK(error <= bound);
        worst = std::max(worst, std::fabs(out(3 + c, i)));
      }
    CHECK(worst > 0);  // doubles alone would not do
    for (std::size_t i = 0; i < kOutputs; ++i)
      CHECK(std::fabs(out(6, i) - errors[i]) <= 1e-12 * errors[i]);
  }
}

TEST(classify_agrees_with_the_definition) {
  const std::vector<Probe> probes = {{0.5, 0.25, 1}, {-0.75, 0.1, 1}, {0.2, -0.9, 1}, {1, 0.5, 0}};
  for (const Kernels* k : variants())
    for (const std::size_t n : {1, 8, 63, 64, 65, 200}) {
      const Data d = draw(n, 7, 0.05);
      const std::size_t words = (padded(n) + 63) / 64;
      std::vector<std::uint64_t> sp(words), sn(words), ap(words), an(words);
      k->classify(d.rows(), padded(n), probes.data(), probes.size(), 1.0, 0.01, sp.data(),
                  sn.data(), ap.data(), an.data());
      for (std::size_t i = 0; i < n; ++i) {
        bool some_more = false, some_less = false, all_more = true, all_less = true;
        const auto r = d.rows();
        const double bound =
            r.e[i] + 0.01 * (std::fabs(r.gx[i]) + std::fabs(r.gy[i]) + std::fabs(r.c[i]));
        for (const Probe& p : probes) {
          const double value = r.gx[i] * p.x + r.gy[i] * p.y + r.c[i] * p.w;
          some_more = some_more || value > bound;
          some_less = some_less || value < -bound;
          all_more = all_more && value > bound;
          all_less = all_less && value < -bound;
        }
        CHECK(bit(sp, i) == some_more && bit(sn, i) == some_less);
        CHECK(bit(ap, i) == all_more && bit(an, i) == all_less);
      }
    }
}

TEST(nothing_is_certain_about_infinite_or_undefined_rows_and_zero_rows_are_off) {
  const double inf = INFINITY, nan = NAN;
  for (const Kernels* k : variants()) {
    std::vector<double> map(32, 0.0);
    map[0] = inf;  // row 0: infinite gradient
    map[1] = nan;  // row 1: undefined gradient
    map[2] = 1.0;  // row 2: unknown error
    map[24 + 2] = inf;
    map[3] = 1.0;  // row 3: undefined error
    map[24 + 3] = nan;
    map[16 + 4] = 5e-324;  // row 4: not zero, however small
    const Rows rows{map.data(), map.data() + 8, map.data() + 16, map.data() + 24};
    const Probe probe{0.5, 0.5, 1};
    std::uint64_t sp = 0, sn = 0, ap = 0, an = 0;
    k->classify(rows, 8, &probe, 1, 1.0, 1e-16, &sp, &sn, &ap, &an);
    CHECK_EQUAL(sp & 0xF, 0u);
    CHECK_EQUAL(sn & 0xF, 0u);
    CHECK_EQUAL(an, 0xE0u);  // rows 5 to 7 are exactly zero
    CHECK_EQUAL(ap & 0xF, 0u);
    const std::uint64_t wanted = 0xFF;
    k->signs_at(rows, 8, probe, 1.0, 1e-16, &wanted, &sp, &sn);
    CHECK_EQUAL((sp | sn) & 0xEF, 0u);
  }
}

// Far out, sums of terms that cancel overflow before they do; nothing is known of them then.
TEST(nothing_is_certain_of_values_that_may_overflow) {
  const double large = 0x1p990, far = 0x1p40;
  for (const Kernels* k : variants()) {
    std::vector<double> map(32, 0.0);
    const double rows[][3] = {{large, -large, 0}, {-large, large, 0}, {large, -large, large}};
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t c = 0; c < 3; ++c) map[8 * c + i] = rows[i][c];
    const Rows r{map.data(), map.data() + 8, map.data() + 16, map.data() + 24};
    const Probe probes[] = {{far, far, 1}, {1, 1, 0}};  // all values are zero or small
    std::uint64_t sp = 0, sn = 0, ap = 0, an = 0;
    k->classify(r, 8, probes, 2, far, 0x1p-13, &sp, &sn, &ap, &an);
    CHECK_EQUAL((sp | sn | ap | an) & 0x7, 0u);
    const std::uint64_t wanted = 0xFF;
    k->signs_at(r, 8, probes[0], far, 0x1p-13, &wanted, &sp, &sn);
    CHECK_EQUAL((sp | sn) & 0x7, 0u);
  }
}

TEST(sums_agree_up_to_rounding) {
  const std::size_t n = 77, lead = padded(n), inputs = 40;
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal;
  std::vector<double> weight(inputs * lead), rows(4 * inputs);
  for (double& w : weight) w = normal(random);
  for (double& r : rows) r = std::fabs(normal(random));
  const std::vector<std::int32_t> active = {0, 3, 4, 17, 39};
  for (const Kernels* k : variants())
    for (const bool errors : {false, true}) {
      std::vector<double> got(4 * lead), expected(4 * lead);
      double* const out[4] = {&got[0], &got[lead], &got[2 * lead], &got[3 * lead]};
      k->add_rows(out, weight.data(), lead, active.data(), active.size(), rows.data(), errors);
      for (std::size_t a = 0; a < active.size(); ++a)
        for (std::size_t c = 0; c < 4; ++c)
          for (std::size_t i = 0; i < lead; ++i) {
            const double w = weight[static_cast<std::size_t>(active[a]) * lead + i];
            if (c < 3) expected[c * lead + i] += w * rows[4 * a + c];
            if (c == 3 && errors) expected[c * lead + i] += std::fabs(w) * rows[4 * a + c];
          }
      double worst = 0;
      for (std::size_t i = 0; i < got.size(); ++i)
        worst = std::max(worst, std::fabs(got[i] - expected[i]));
      CHECK(worst < 1e-13);
      std::vector<double> single(4 * lead), run(4 * 5);
      k->add_row(&single[0], &single[lead], &single[2 * lead], &single[3 * lead], weight.data(),
                 lead, rows.data());
      k->add_row(&run[0], &run[5], &run[10], &run[15], weight.data(), 5, rows.data());
      for (std::size_t c = 0; c < 4; ++c)
        for (std::size_t i = 0; i < 5; ++i)
          CHECK(std::fabs(run[5 * c + i] - single[c * lead + i]) < 1e-15);
    }
}

TEST_MAIN()
