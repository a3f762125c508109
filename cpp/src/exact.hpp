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

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "linear_regions/planar_domain.hpp"
#include "linear_regions/tape.hpp"

namespace linear_regions {

// A line of the current path: an edge of the domain, a cut of a pointwise unit (value of the unit
// minus a breakpoint) or the difference of two entries of a max window.
struct Line {
  enum class Kind : std::uint8_t { kDomain, kCut, kPair };
  Kind kind = Kind::kDomain;
  std::int32_t split = -1;  // kCut, kPair
  std::int32_t first = 0;   // edge number; cut number; input index of the first entry
  std::int32_t second = 0;  // kPair: input index of the second entry

  friend bool operator==(const Line&, const Line&) = default;
};

// Which cuts of a pointwise split are positive: those that were on the whole layer cell, and of the
// cutting ones (members, ascending) those that the path made positive.
struct CutsOn {
  const std::uint64_t* on = nullptr;
  const std::uint64_t* member_on = nullptr;
  const std::int32_t* member = nullptr;
  std::int32_t m = 0;

  bool operator()(std::int32_t cut) const {
    if ((on[cut >> 6] >> (cut & 63)) & 1) return true;
    const std::int32_t* found = std::lower_bound(member, member + m, cut);
    if (found == member + m || *found != cut) return false;
    const auto i = found - member;
    return (member_on[i >> 6] >> (i & 63)) & 1;
  }
};

// What the path has decided at split s: the positive cuts, or the winner (entry number) of every
// window. cell[s] identifies the layer cell of split s.
struct Path {
  std::vector<CutsOn> cuts;
  std::vector<const std::int32_t*> winner;
  std::vector<std::uint64_t> cell;
};

class ExactStage {
 public:
  // Thrown out of any call when `keep_going` says no: one sign of a wide, deep network can take
  // a second. The stage stays usable.
  struct Stopped {};

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

  // Asked before every row.
  void watch(std::function<bool()> keep_going);

  std::uint64_t rows_computed() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace linear_regions
