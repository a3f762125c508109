// SPDX-License-Identifier: MIT
// ExactSigns: signs in exact arithmetic, for the decisions that the float filter leaves open, on
// domains of any dimension d.
//
// The row of a unit on a cell is recomputed in big integers through the decisions already taken on
// the path (never from coordinates). A ray of R^(d+1) is given by d lines that vanish on it, so the
// sign of another line there is that of a (d+1)-determinant, by fraction-free elimination: about
// d^3 products once per ray, then d + 1 per sign.
//
// First *aim* at a ray or a point, then ask for signs there.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "linear_regions/domain_frame.hpp"
#include "linear_regions/tape.hpp"
#include "path.hpp"

namespace linear_regions {

class ExactSigns {
 public:
  struct Side {  // the sign of a line is `sign` (+1 or -1), or zero
    Line line;
    int sign;
  };
  // A ray: the d independent lines that vanish on it. Where it lies at infinity, its direction is
  // the one on which the sides have their signs; the first side that does not vanish decides.
  struct Ray {
    std::vector<Line> lines;
    std::vector<Side> sides;
  };

  ExactSigns(const Tape& tape, const DomainFrame& domain, const Path& path);
  ~ExactSigns();
  ExactSigns(const ExactSigns&) = delete;
  ExactSigns& operator=(const ExactSigns&) = delete;

  void aim_at_ray(std::span<const Line> lines, std::span<const Side> sides);
  void aim_at_point(const double* t);
  // The mean of the points plus the sum of the directions: strictly inside of a cell, where `rays`
  // are all its extreme rays.
  void aim_inside(std::span<const Ray> rays);

  // Sign (-1, 0, 1) of the line where the aim is.
  int sign(const Line& line);
  bool at_infinity() const;
  // The aim rounded to doubles: (t, 1), or (direction, 0) with largest entry 1 in size.
  std::vector<double> rounded() const;
  // The aim exactly, one hexadecimal "numerator/denominator" per coordinate.
  std::vector<std::string> fractions() const;

  // The line's row times a positive number, in signed hexadecimal.
  std::vector<std::string> row_text(const Line& line);
  // Is the line's row identically zero?
  bool zero(const Line& line);
  // Is only the constant of the row not zero? Then its sign, else 0.
  int constant_sign(const Line& line);
  // The lines, by number, that do not depend on earlier ones; rows include the constant, or with
  // `directions` leave it out (the line at infinity then depends on nothing).
  std::vector<std::size_t> independent(std::span<const Line> lines, bool directions);

  // Asked before every row; where it says no, Stopped is thrown.
  void watch(std::function<bool()> keep_going);
  std::uint64_t rows_computed() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The coordinates that matter: no side and no unit changes along the others once they are set to
// zero, because the rows of the domain and of all decisions (units at their breakpoints,
// differences of entries of a window) have rank |result| < d. A domain without lines, or a network
// that sees all of it, gives all d. Cutting the domain down to them (`restricted`) changes no
// count, and then no cell of the last layer contains a line.
std::vector<std::size_t> essential_coordinates(const Tape& tape, const DomainFrame& domain);

// Linear parts, in hexadecimal, that span those rows and are independent of each other.
std::vector<std::vector<std::string>> essential_row_basis(const Tape& tape,
                                                          const DomainFrame& domain);

DomainFrame restricted(const DomainFrame& domain, std::span<const std::size_t> coordinates);

// What single sides say of each coordinate, rounded to nearest; infinite where they say nothing.
struct CoordinateBounds {
  std::vector<double> low, high;
};
CoordinateBounds coordinate_bounds(const DomainFrame& domain);

// The same domain in the coordinates s with t_j = center_j + 2^exponent_j s_j, exactly.
DomainFrame moved(const DomainFrame& domain, const std::vector<double>& center,
                  const std::vector<int>& exponent);

}  // namespace linear_regions
