// SPDX-License-Identifier: MIT
#include "../src/exact_signs.hpp"

#include <random>

#include "check.hpp"
#include "networks.hpp"

namespace {

using namespace linear_regions;
using samples::cube;
using samples::pointwise;
using samples::relu;
using Side = ExactSigns::Side;

constexpr auto kDomain = Line::Kind::kDomain;
constexpr auto kCut = Line::Kind::kCut;
constexpr auto kInfinity = Line::Kind::kInfinity;

Tape layer(std::size_t n_in, const std::vector<double>& weight, const std::vector<double>& bias) {
  Tape tape(n_in);
  const int slot = tape.dense(0, weight, bias);
  pointwise(tape, slot, bias.size(), relu());
  tape.finish();
  return tape;
}

Path open_path(const Tape& tape) {
  Path path;
  path.cuts.resize(tape.stages().size());
  path.winner.resize(tape.stages().size());
  path.cell.assign(tape.stages().size(), 1);
  return path;
}

// The corner (h, h, h) of a cube, and units that pass by it at less than a rounding error.
TEST(sign_at_a_corner_is_exact) {
  const double h = 0.1;
  const Tape tape = layer(3, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {-3 * h, -0.30000000000000004, -0.3});
  const DomainFrame frame = cube(3, h);
  const Path path = open_path(tape);
  ExactSigns exact(tape, frame, path);
  const std::vector<Line> lines = {{kDomain, -1, 1, 0}, {kDomain, -1, 3, 0}, {kDomain, -1, 5, 0}};
  exact.aim_at_ray(lines, {});
  CHECK(!exact.at_infinity());
  CHECK_EQUAL(exact.rounded()[0], h);
  // 3 * 0.1 in doubles is above three times the double 0.1, 0.3 is below it.
  CHECK_EQUAL(exact.sign({kCut, 0, 0, 0}), -1);
  CHECK_EQUAL(exact.sign({kCut, 0, 1, 0}), -1);
  CHECK_EQUAL(exact.sign({kCut, 0, 2, 0}), 1);
  CHECK_EQUAL(exact.sign({kDomain, -1, 1, 0}), 0);
  CHECK_EQUAL(exact.sign({kDomain, -1, 0, 0}), 1);
}

TEST(ray_at_infinity_is_oriented_by_a_side) {
  const Tape tape = layer(2, {1, -1, 0, 1, 1, -1}, {1, -2, 7});
  const DomainFrame frame = cube(2, 0.0);
  const Path path = open_path(tape);
  ExactSigns exact(tape, frame, path);
  const Line diagonal{kCut, 0, 0, 0}, level{kCut, 0, 1, 0}, infinity{kInfinity, -1, 0, 0};
  const std::vector<Line> lines = {diagonal, infinity};
  for (int side : {1, -1}) {
    const std::vector<Side> sides = {{diagonal, 1}, {level, side}};
    exact.aim_at_ray(lines, sides);
    CHECK(exact.at_infinity());
    CHECK_EQUAL(exact.rounded()[0], static_cast<double>(side));
    CHECK_EQUAL(exact.sign(level), side);
    CHECK_EQUAL(exact.sign({kCut, 0, 2, 0}), 0);  // parallel to the ray
  }
  CHECK_THROWS(exact.aim_at_ray(lines, std::vector<Side>{{diagonal, 1}}), std::logic_error);
  const std::vector<Line> parallel = {diagonal, {kCut, 0, 2, 0}};
  exact.aim_at_ray(parallel, std::vector<Side>{{level, 1}});
  CHECK(exact.at_infinity());  // parallel lines meet at infinity
}

TEST(mean_of_the_rays_lies_inside) {
  // The wedge x > 0, y > x: corner at the origin, directions (0, 1) and (1, 1).
  const Tape tape = layer(2, {1, 0, -1, 1}, {0, 0});
  const DomainFrame frame = cube(2, 0.0);
  const Path path = open_path(tape);
  ExactSigns exact(tape, frame, path);
  const Line x{kCut, 0, 0, 0}, y{kCut, 0, 1, 0}, infinity{kInfinity, -1, 0, 0};
  const std::vector<Side> sides = {{x, 1}, {y, 1}};
  const std::vector<ExactSigns::Ray> rays = {
      {{x, y}, {}}, {{x, infinity}, sides}, {{y, infinity}, sides}};
  exact.aim_inside(rays);
  CHECK_EQUAL(exact.sign(x), 1);
  CHECK_EQUAL(exact.sign(y), 1);
  CHECK_EQUAL(exact.fractions()[0], "1/1");
  CHECK_EQUAL(exact.fractions()[1], "2/1");
}

TEST(zero_and_constant_rows_are_recognised) {
  const Tape tape = layer(2, {0, 0, 0, 0, 1, 0, 2, 0}, {0, -1, 0, 3});
  const DomainFrame frame = cube(2, 1.0);
  const Path path = open_path(tape);
  ExactSigns exact(tape, frame, path);
  const auto unit = [](std::int32_t i) { return Line{kCut, 0, i, 0}; };
  CHECK(exact.zero(unit(0)));
  CHECK(!exact.zero(unit(1)));
  CHECK_EQUAL(exact.constant_sign(unit(1)), -1);
  CHECK_EQUAL(exact.constant_sign(unit(2)), 0);
  const std::vector<Line> lines = {unit(0), unit(2), unit(3), unit(1)};
  CHECK_EQUAL(exact.independent(lines, false).size(), 2u);
  CHECK_EQUAL(exact.independent(lines, true).size(), 1u);
  const double point[2] = {-0x1p-1070, 0.5};
  exact.aim_at_point(point);
  CHECK_EQUAL(exact.sign(unit(2)), -1);
  CHECK_EQUAL(exact.sign(unit(3)), 1);
}

// Units of a second layer over the path's decisions, against the same network composed by hand.
TEST(rows_follow_the_decisions_of_the_path) {
  Tape tape(2);
  int slot = tape.dense(0, std::vector<double>{1, 2, 3, -1}, std::vector<double>{1, 0});
  slot = pointwise(tape, slot, 2, relu());
  slot = tape.dense(slot, std::vector<double>{2, 5}, std::vector<double>{-4});
  pointwise(tape, slot, 1, relu());
  tape.finish();
  const DomainFrame frame = cube(2, 0.0);
  Path path = open_path(tape);
  ExactSigns exact(tape, frame, path);
  const double point[2] = {1.0, 0.0};  // unit 0: 2, unit 1: 3
  std::uint64_t on = 1;                // only unit 0 is on: 2 (x + 2 y + 1) - 4
  path.cuts[0] = {&on, nullptr, nullptr, 0};
  exact.aim_at_point(point);
  CHECK_EQUAL(exact.sign({kCut, 1, 0, 0}), 0);
  on = 3;  // both: 15 more
  path.cell[1] = 2;
  CHECK_EQUAL(exact.sign({kCut, 1, 0, 0}), 1);
}

TEST(coordinates_that_no_unit_sees_are_dropped) {
  // Units see x + y and z of (x, y, z, w).
  const Tape tape = layer(4, {1, 1, 0, 0, 0, 0, 1, 0, 2, 2, -1, 0}, {0, 1, 2});
  CHECK_EQUAL(essential_coordinates(tape, cube(4, 1.0)).size(), 4u);
  const DomainFrame frame = cube(4, 0.0);
  const auto kept = essential_coordinates(tape, frame);
  CHECK(kept == (std::vector<std::size_t>{0, 2}));
  const DomainFrame smaller = restricted(frame, kept);
  CHECK_EQUAL(smaller.dim, 2u);
  CHECK(smaller.columns[1] == (std::vector<double>{0, 0, 1, 0}));
  CHECK(restricted(cube(4, 1.0), kept).n_sides() == 8u);
}

TEST(a_watch_that_says_no_stops_the_stage) {
  const Tape tape = layer(2, {1, 0, 0, 1}, {0, 0});
  const DomainFrame frame = cube(2, 1.0);
  const Path path = open_path(tape);
  ExactSigns exact(tape, frame, path);
  exact.watch([] { return false; });
  CHECK_THROWS(exact.zero({kCut, 0, 0, 0}), Stopped);
  exact.watch([] { return true; });
  CHECK(!exact.zero({kCut, 0, 0, 0}));
}

}  // namespace

TEST_MAIN()
