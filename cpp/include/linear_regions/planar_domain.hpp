// SPDX-License-Identifier: MIT
// PlanarDomain: a convex set of dimension at most two, embedded in the input space.
//
// Points of the domain are (x, y); the network input is direction1 * x + direction2 * y + origin.
// The set is given by its irredundant edges in counter-clockwise order:
// a1 * x + a2 * y + a3 >= 0 inside, vertex i is where edge i - 1 meets edge i. An unbounded set is
// the limit of its part in the square |x|, |y| <= M for M -> infinity: edges of that square are
// marked at_infinity, and every later decision is taken lexicographically in M. So the whole plane
// is an ordinary polygon, and no coordinate is ever "large".
// Domains of dimension one and zero have dummy coordinates in [-1, 1] on which nothing depends.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace linear_regions {

struct PlanarDomain {
  struct Edge {
    double a1 = 0, a2 = 0, a3 = 0;
    bool at_infinity = false;
  };
  std::vector<double> direction1, direction2, origin;  // external order of the input
  std::vector<Edge> edges;

  // Exact values where the doubles above are only the nearest ones; signed hexadecimal integers.
  // Columns are (direction1, direction2, origin) entries over one common positive denominator;
  // edges are three integers each.
  std::vector<std::string> exact_columns, exact_edges;
  std::string exact_denominator;
  // Where direction1 is a rounded difference and exact_columns are empty: what rounding took from
  // it, so that direction1 + rest1 is exact. Empty: nothing.
  std::vector<double> rest1;
};

}  // namespace linear_regions
