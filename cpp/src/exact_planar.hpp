// SPDX-License-Identifier: MIT
// ExactStage: signs in exact arithmetic, for the decisions that the float filter leaves open.
//
// Weights, domain and breakpoints are doubles, hence rationals. The row of a unit on a cell is
// recomputed from them in big integers through the decisions already taken on the path (never from
// coordinates); the sign of a line at the meeting point of two others is then the sign of a 3 x 3
// determinant. Rows are kept per stage until the path leaves the layer cell that they belong to.
//
// Cost: one dense row is (active inputs) x 3 products of about 60 bits per layer passed; every
// row below it is computed once per layer cell. Ordinary networks hardly ever come here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "linear_regions/planar_domain.hpp"
#include "linear_regions/tape.hpp"
#include "path.hpp"

namespace linear_regions {

class ExactStage {
 public:
  ExactStage(const Tape& tape, const PlanarDomain& domain, const Path& path);
  ~ExactStage();
  ExactStage(const ExactStage&) = delete;
  ExactStage& operator=(const ExactStage&) = delete;

  // Sign (-1, 0, 1) of `line` at the vertex where lines a and b meet.
  int sign(const Line& line, const Line& a, const Line& b);
  // Sign of `line` at a point given in doubles.
  int sign_at_point(const Line& line, double x, double y);
  // An exact interior point, as hexadecimal "numerator/denominator" for x and y, of the cell that
  // the vertices (pairs of lines) and the edges (line, side +1 or -1) describe: the mean of the
  // vertices, with M = 1, 16, 256, ... at infinity until the point is strictly inside.
  struct Point {
    std::string x, y;                     // exactly, hexadecimal
    double nearest_x = 0, nearest_y = 0;  // rounded
  };
  Point interior_point(const std::vector<std::pair<Line, Line>>& vertices,
                       const std::vector<std::pair<Line, int>>& edges);
  // The vertex where two lines meet, or its direction at infinity, rounded to double.
  std::pair<double, double> vertex(const Line& a, const Line& b);

  // Asked before every row; where it says no, Stopped is thrown.
  void watch(std::function<bool()> keep_going);

  std::uint64_t rows_computed() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace linear_regions
