// SPDX-License-Identifier: MIT
// Bounds of the errors of rows along a path, against rows in extended precision.
#include "../src/deep/path_errors.hpp"

#include <cmath>
#include <random>
#include <vector>

#include "check.hpp"
#include "linear_regions/sign_vector.hpp"
#include "networks.hpp"

namespace {

using namespace linear_regions;
using Extended = long double;
using ExtendedRow = std::vector<Extended>;

constexpr std::size_t kDim = 3;

struct Layers {
  std::vector<std::size_t> widths;
  std::vector<std::vector<double>> weight, bias;  // output-major
  Tape tape{kDim};

  Layers(std::vector<std::size_t> sizes, unsigned seed, bool gaps) : widths(std::move(sizes)) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    int slot = 0;
    for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
      const std::size_t n = widths[l], m = widths[l + 1];
      std::vector<double> w(n * m), b(m);
      for (double& x : w) x = normal(random) * std::sqrt(2.0 / static_cast<double>(n));
      for (double& x : b) x = normal(random);
      if (gaps)
        for (std::size_t i = 0; i < w.size(); i += 3) w[i] = 0.0;
      slot = tape.dense(slot, w, b);
      const std::vector<std::int64_t> tables(m, 0);
      slot = tape.pointwise(slot, {samples::relu()}, tables);
      weight.push_back(std::move(w));
      bias.push_back(std::move(b));
    }
    tape.finish();
  }
};

// A path with random decisions, half of them taken by members, and the rows of every layer on it.
struct Walk {
  const Layers& net;
  DeepMaps maps{net.tape, kDim};
  Path path;
  std::vector<LineVector> room;
  std::vector<double*> blocks;
  std::vector<std::vector<std::uint64_t>> on, member_on;
  std::vector<std::vector<std::int32_t>> member;
  std::vector<std::vector<ExtendedRow>> rows;  // per layer and unit

  Walk(const Layers& n, unsigned seed) : net(n) {
    const std::size_t layers = net.weight.size();
    path.cuts.resize(layers + 1);
    path.winner.resize(layers + 1);
    path.cell.resize(layers + 1);
    room.resize(layers + 1);
    blocks.resize(layers + 1);
    on.resize(layers);
    member_on.resize(layers);
    member.resize(layers);
    std::mt19937 random(seed);
    std::vector<ExtendedRow> in(kDim, ExtendedRow(kDim + 1, 0));
    DeepRows opening(kDim + 2);
    for (std::size_t j = 0; j < kDim; ++j) {
      in[j][j] = 1;
      double* row = opening.add(static_cast<std::int32_t>(j));
      std::fill(row, row + kDim + 2, 0.0);
      row[j] = 1.0;
    }
    for (std::size_t l = 0; l < layers; ++l) {
      room[l].resize(maps.block_size(static_cast<int>(l)));
      blocks[l] = room[l].data();
      maps.base(static_cast<int>(l), opening, blocks, blocks[l]);
      path.cell[l] = l + 1;
      rows.push_back(next_rows(l, in));
      decide(l, random, opening, in);
    }
  }

  std::vector<ExtendedRow> next_rows(std::size_t l, const std::vector<ExtendedRow>& in) const {
    const std::size_t n = net.widths[l], m = net.widths[l + 1];
    std::vector<ExtendedRow> out(m, ExtendedRow(kDim + 1, 0));
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = 0; j < n; ++j)
        for (std::size_t k = 0; k <= kDim; ++k)
          out[i][k] += static_cast<Extended>(net.weight[l][i * n + j]) * in[j][k];
      out[i][kDim] += net.bias[l][i];
    }
    return out;
  }

  void decide(std::size_t l, std::mt19937& random, DeepRows& opening,
              std::vector<ExtendedRow>& in) {
    const std::size_t m = net.widths[l + 1];
    on[l].assign(word_count(padded(m)), 0);
    opening.clear();
    in.assign(m, ExtendedRow(kDim + 1, 0));
    std::vector<bool> chosen;
    for (std::size_t i = 0; i < m; ++i) {
      const bool positive = random() % 2 == 0, is_member = random() % 2 == 0;
      const auto unit = static_cast<std::int32_t>(i);
      if (is_member) {
        member[l].push_back(unit);
        chosen.push_back(positive);
      } else if (positive) {
        set_sign(on[l].data(), unit);
      }
      if (!positive) continue;
      in[i] = rows[l][i];
      maps.row_at(stored(l), m, unit, opening.add(unit));
    }
    member_on[l].assign(word_count(chosen.size()) + 1, 0);
    for (std::size_t i = 0; i < chosen.size(); ++i)
      if (chosen[i]) set_sign(member_on[l].data(), static_cast<std::int32_t>(i));
    path.cuts[l] = {on[l].data(), member_on[l].data(), member[l].data(),
                    static_cast<std::int32_t>(member[l].size())};
  }

  const double* stored(std::size_t l) const {
    return maps.stored(net.tape.split(static_cast<int>(l)).inputs[0], blocks);
  }
};

void check_walk(const Layers& net, unsigned seed, double gain) {
  const Walk walk(net, seed);
  PathErrors errors(net.tape, walk.maps);
  const std::size_t layers = net.weight.size();
  std::vector<double> row(kDim + 2);
  double closer = 0.0, known = 0.0;
  for (std::size_t l = 0; l < layers; ++l)
    for (std::size_t i = 0; i < net.widths[l + 1]; ++i) {
      const auto unit = static_cast<std::int32_t>(i);
      walk.maps.row_at(walk.stored(l), net.widths[l + 1], unit, row.data());
      const double before = row[kDim + 1];
      const double bound =
          errors.row_error(static_cast<int>(l), unit, before, walk.path, walk.blocks);
      Extended error = 0;
      for (std::size_t k = 0; k <= kDim; ++k)
        error += std::fabs(static_cast<Extended>(row[k]) - walk.rows[l][i][k]);
      CHECK(error <= static_cast<Extended>(1.001 * bound));
      CHECK(bound <= before);
      if (l == 0) CHECK_EQUAL(bound, before);
      if (l + 1 < layers) continue;
      closer += bound;
      known += before;
    }
  CHECK(closer * gain < known);
}

TEST(errors_along_a_path_are_bounded_and_much_closer_than_by_norms) {
  for (unsigned seed = 0; seed < 4; ++seed) {
    check_walk(Layers({3, 40, 40, 40, 40, 40, 40}, seed, false), seed, 20.0);
    check_walk(Layers({3, 9, 70, 5, 64, 17, 30}, seed, false), seed, 4.0);
    check_walk(Layers({3, 40, 40, 40, 40, 40}, seed, true), seed, 1.0);
  }
}

TEST(other_stages_keep_the_bounds_that_they_have) {
  Tape tape(kDim);
  const std::vector<double> one(kDim, 1.0);
  const std::vector<std::int64_t> tables(1, 0);
  int slot = tape.dense(0, one, std::vector<double>{0.0});
  slot = tape.pointwise(slot, {samples::relu()}, tables);
  slot = tape.scale(slot, std::vector<double>{3.0}, std::vector<double>{1.0});
  tape.pointwise(slot, {samples::relu()}, tables);
  tape.finish();
  const DeepMaps maps(tape, kDim);
  PathErrors errors(tape, maps);
  CHECK_EQUAL(errors.row_error(1, 0, 0.125, Path{}, {}), 0.125);
}

TEST(kernels_pull_slopes_through_the_active_weights) {
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  for (const std::size_t lead : {8, 16, 24, 40, 56, 72}) {
    const std::size_t n = 9;
    LineVector weight(n * lead), slope(n), mask(lead), own(lead), out(lead, -1.0);
    for (double& w : weight) w = normal(random);
    for (double& g : slope) g = normal(random);
    for (double& m : mask) m = static_cast<double>(random() % 2);
    for (double& e : own) e = std::fabs(normal(random));
    const std::vector<std::int32_t> active{7, 0, 3};
    for (const ConeKernels* set : {&cone_kernels(), &kGenericConeKernels}) {
      const PulledSums sums = set->pull(weight.data(), lead, active.data(), active.size(),
                                        slope.data(), mask.data(), own.data(), out.data());
      PulledSums plain{0.0, 0.0, 0.0};
      for (std::size_t j = 0; j < lead; ++j) {
        double sum = 0.0;
        for (const std::int32_t i : active)
          sum +=
              weight[static_cast<std::size_t>(i) * lead + j] * slope[static_cast<std::size_t>(i)];
        sum *= mask[j];
        CHECK(std::fabs(out[j] - sum) < 1e-13);
        plain.weighted += std::fabs(sum) * own[j];
        plain.squares += sum * sum;
        plain.sizes += std::fabs(sum);
      }
      CHECK(std::fabs(sums.weighted - plain.weighted) < 1e-12 * (1 + plain.weighted));
      CHECK(std::fabs(sums.squares - plain.squares) < 1e-12 * (1 + plain.squares));
      CHECK(std::fabs(sums.sizes - plain.sizes) < 1e-12 * (1 + plain.sizes));
    }
  }
}

}  // namespace

TEST_MAIN()
