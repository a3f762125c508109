// SPDX-License-Identifier: MIT
// Small networks and domains for the C++ tests.
#pragma once

#include <random>
#include <vector>

#include "linear_regions/domain_frame.hpp"
#include "linear_regions/planar.hpp"
#include "linear_regions/tape.hpp"

namespace samples {

using namespace linear_regions;

inline PieceTable relu() {
  PieceTable t;
  t.breakpoints = {0.0};
  t.slopes = {0.0, 1.0};
  return t;
}

inline int pointwise(Tape& tape, int input, std::size_t n, const PieceTable& table) {
  return tape.pointwise(input, {table}, std::vector<std::int64_t>(n, 0));
}

// Fully connected network of two inputs. Whole numbers from -scale to scale, or normal weights
// where scale is 0; ReLU after every layer.
inline Tape mlp(const std::vector<std::size_t>& widths, unsigned seed, int scale = 0) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::uniform_int_distribution<int> whole(-scale, scale);
  const auto draw = [&] { return scale > 0 ? static_cast<double>(whole(random)) : normal(random); };
  Tape tape(widths[0]);
  int slot = 0;
  for (std::size_t i = 1; i < widths.size(); ++i) {
    std::vector<double> weight(widths[i] * widths[i - 1]), bias(widths[i]);
    for (double& w : weight) w = draw();
    for (double& b : bias) b = draw();
    slot = tape.dense(slot, weight, bias);
    slot = pointwise(tape, slot, widths[i], relu());
  }
  tape.finish();
  return tape;
}

inline PlanarDomain plane() {
  PlanarDomain d;
  d.direction1 = {1.0, 0.0};
  d.direction2 = {0.0, 1.0};
  d.origin = {0.0, 0.0};
  return d;
}

// |x|, |y| <= half; half 0 is the whole plane.
inline PlanarDomain square(double half) {
  PlanarDomain d = plane();
  const bool infinite = half == 0.0;
  d.edges = {{0, 1, half, infinite},
             {-1, 0, half, infinite},
             {0, -1, half, infinite},
             {1, 0, half, infinite}};
  return d;
}

inline DomainFrame space(std::size_t d) {
  DomainFrame frame;
  frame.dim = d;
  frame.columns.assign(d + 1, std::vector<double>(d, 0.0));
  for (std::size_t j = 0; j < d; ++j) frame.columns[j][j] = 1.0;
  return frame;
}

// |t_j| <= half; half 0 is the whole space.
inline DomainFrame cube(std::size_t d, double half) {
  DomainFrame frame = space(d);
  if (half == 0.0) return frame;
  for (std::size_t j = 0; j < d; ++j)
    for (const double sign : {1.0, -1.0}) {
      std::vector<double> side(d + 1, 0.0);
      side[j] = sign;
      side[d] = half;
      frame.sides.insert(frame.sides.end(), side.begin(), side.end());
    }
  return frame;
}

inline PlanarResult count(const Tape& tape, const PlanarDomain& domain, unsigned threads = 1,
                          Arithmetic arithmetic = Arithmetic::kCertified) {
  RunControl control;
  control.threads = threads;
  return count_planar(tape, domain, arithmetic, control);
}

inline RegionBlock list(const Tape& tape, const PlanarDomain& domain, unsigned threads = 1) {
  RunControl control;
  control.threads = threads;
  std::vector<RegionBlock> blocks;
  list_planar(tape, domain, Arithmetic::kCertified, control, blocks);
  return joined(std::move(blocks));
}

}  // namespace samples
