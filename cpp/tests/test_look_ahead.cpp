// SPDX-License-Identifier: MIT
// Units of the next layer that look ahead says cannot cut a cone, against their values inside it.
#include "../src/deep/look_ahead.hpp"

#include <cmath>
#include <random>
#include <vector>

#include "check.hpp"
#include "linear_regions/sign_vector.hpp"
#include "networks.hpp"

namespace {

using namespace linear_regions;
using Extended = long double;

constexpr std::size_t kDim = 3, kFirst = 8, kSecond = 70;  // more units than bits of a word

PieceTable two_slopes(double below, double above) {
  PieceTable t;
  t.breakpoints = {0.0};
  t.slopes = {below, above};
  t.intercepts = {0.0, 0.0};
  t.intercept_errors = {0.0, 0.0};
  return t;
}

// Where the rays of the cone are: all with x_0 = 1, finite but scaled, or partly at infinity.
enum class Rays { kFlat, kScaled, kInfinite };

struct Problem {
  PieceTable table;
  std::vector<double> weight[2], bias[2];
  Tape tape{kDim};
  std::vector<std::vector<double>> rays;

  Problem(const PieceTable& t, Rays kind, unsigned seed) : table(t) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> uniform;
    const std::size_t n[] = {kDim, kFirst, kSecond};
    int slot = 0;
    for (std::size_t l = 0; l < 2; ++l) {
      weight[l].resize(n[l] * n[l + 1]);
      bias[l].resize(n[l + 1]);
      for (double& w : weight[l]) w = normal(random);
      for (double& b : bias[l]) b = normal(random);
      slot = tape.dense(slot, weight[l], bias[l]);
      slot = samples::pointwise(tape, slot, n[l + 1], table);
    }
    tape.finish();
    std::vector<double> centre(kDim);
    for (double& x : centre) x = 0.5 * normal(random);
    const double size = 0.2 * uniform(random);
    for (int r = 0; r < 7; ++r) {
      std::vector<double> ray(kDim + 1, 1.0);
      double most = 1.0;
      for (std::size_t k = 0; k < kDim; ++k) {
        ray[k] = centre[k] + size * normal(random);
        if (kind == Rays::kFlat) ray[k] = std::min(1.0, std::max(-1.0, ray[k]));
        most = std::max(most, std::fabs(ray[k]));
      }
      if (kind == Rays::kInfinite && r % 2 == 0) ray[kDim] = 0.0;
      const double scale = kind == Rays::kFlat ? 1.0 : (0.1 + 0.9 * uniform(random)) / most;
      for (double& x : ray) x *= scale;
      rays.push_back(ray);
    }
  }

  Extended value(std::size_t layer, std::size_t unit, const std::vector<Extended>& x) const {
    if (layer == 0) {
      Extended sum = bias[0][unit] * x[kDim];
      for (std::size_t k = 0; k < kDim; ++k) sum += weight[0][unit * kDim + k] * x[k];
      return sum;
    }
    Extended sum = bias[1][unit] * x[kDim];
    for (std::size_t j = 0; j < kFirst; ++j) {
      const Extended v = value(0, j, x);
      sum += weight[1][unit * kFirst + j] * v * static_cast<Extended>(table.slopes[v > 0 ? 1 : 0]);
    }
    return sum;
  }
};

// The second layer's units that may cut, by the look; empty where it gives up.
std::vector<std::uint64_t> look(const Problem& p) {
  DeepMaps maps(p.tape, kDim);
  LookAhead ahead(p.tape, maps);
  CHECK(ahead.possible(0));
  DeepRows opening(kDim + 2);
  for (std::size_t j = 0; j < kDim; ++j) {
    double* row = opening.add(static_cast<std::int32_t>(j));
    std::fill(row, row + kDim + 2, 0.0);
    row[j] = 1.0;
  }
  LineVector first(maps.block_size(0)), base(maps.block_size(1));
  std::vector<double*> blocks(3, nullptr);
  blocks[0] = first.data();
  maps.base(0, opening, blocks, first.data());
  const double* rows = maps.stored(p.tape.split(0).inputs[0], blocks);
  std::vector<std::int32_t> cutting;
  opening.clear();
  for (std::size_t j = 0; j < kFirst; ++j) {
    bool more = false, less = false;
    for (const auto& ray : p.rays) {
      const Extended v = p.value(0, j, {ray.begin(), ray.end()});
      (v > 0 ? more : less) = true;
    }
    const auto unit = static_cast<std::int32_t>(j);
    if (more && less) {
      cutting.push_back(unit);
      continue;
    }
    std::vector<double> row(kDim + 3);
    maps.row_at(rows, kFirst, unit, row.data());
    if (!maps.piece_row(row.data(), p.table, more ? 1 : 0, opening.add(unit))) opening.drop_last();
  }
  maps.base(1, opening, blocks, base.data());
  std::vector<const double*> rays;
  for (const auto& ray : p.rays) rays.push_back(ray.data());
  const auto open = ahead.open(0, rows, cutting, base.data(), blocks, rays, 1e-14);
  return {open.begin(), open.end()};
}

// Counts units that are settled, and among the open ones those that were seen to cut.
void compare(const Problem& p, std::mt19937& random, int& settled, int& cutting, int& open_units) {
  const std::vector<std::uint64_t> open = look(p);
  if (open.empty()) return;
  CHECK(open.size() == word_count(kSecond));
  std::exponential_distribution<double> weight;
  std::vector<std::vector<Extended>> points;
  for (const auto& ray : p.rays) points.emplace_back(ray.begin(), ray.end());
  for (int i = 0; i < 300; ++i) {
    std::vector<Extended> x(kDim + 1, 0);
    for (const auto& ray : p.rays) {
      const double l = i % 3 == 0 && random() % 2 == 0 ? 0.0 : weight(random);  // faces, too
      for (std::size_t k = 0; k <= kDim; ++k) x[k] += static_cast<Extended>(l) * ray[k];
    }
    points.push_back(x);
  }
  for (std::size_t u = 0; u < kSecond; ++u) {
    bool more = false, less = false;
    for (const auto& x : points) {
      const Extended z = p.value(1, u, x);
      more = more || z > 0;
      less = less || z < 0;
    }
    if (get_sign(open.data(), u)) {
      ++open_units;
      cutting += more && less;
    } else {
      ++settled;
      CHECK(!(more && less));
    }
  }
}

TEST(settled_units_have_one_sign) {
  std::mt19937 random(1);
  for (const PieceTable& table : {two_slopes(0, 1), two_slopes(0.1, 1), two_slopes(-1, 1),
                                  two_slopes(2, -0.5), two_slopes(0, -1)})
    for (const Rays kind : {Rays::kFlat, Rays::kScaled, Rays::kInfinite}) {
      int settled = 0, cutting = 0, open = 0;
      for (unsigned seed = 0; seed < 60; ++seed)
        compare(Problem(table, kind, seed), random, settled, cutting, open);
      CHECK(settled > 100);
      CHECK(cutting > 100);
      // A relaxation is not exact, but no guess either.
      if (kind == Rays::kFlat) CHECK(2 * cutting > open);
    }
}

TEST(other_pieces_are_left_alone) {
  Tape tape(kDim);
  PieceTable shifted = samples::relu();
  shifted.breakpoints = {0.5};
  const std::vector<double> weight(kDim * 2, 1.0), bias(2, 0.0), square(4, 1.0);
  int slot = samples::pointwise(tape, tape.dense(0, weight, bias), 2, shifted);
  slot = samples::pointwise(tape, tape.dense(slot, square, bias), 2, samples::relu());
  tape.finish();
  DeepMaps maps(tape, kDim);
  CHECK(!LookAhead(tape, maps).possible(0));
}

}  // namespace

TEST_MAIN()
