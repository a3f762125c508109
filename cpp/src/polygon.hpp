// SPDX-License-Identifier: MIT
// Polygon: a convex cell in the domain coordinates, and how a line cuts it.
//
// Every vertex remembers the two lines that define it; coordinates are only approximations with a
// proved error, so a sign that they do not settle can be recomputed from the lines. Once taken, a
// sign is stored and never asked again: combinatorics and signs come from one source.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "arena.hpp"
#include "exact_planar.hpp"
#include "kernels.hpp"

namespace linear_regions {

inline constexpr double kUlp = 0x1p-53;  // unit roundoff
inline constexpr double kLargestError = 0x1p1000;

struct EdgeLine {
  Line line;
  double gx = 0, gy = 0, c = 0, e = 0;  // see kernels.hpp
  bool at_infinity = false;             // an edge of the square |x|, |y| <= M, M -> infinity
};

struct Vertex {
  double x, y, w;     // w = 1: a point; w = 0: the direction in which a vertex goes off with M
  double error;       // bound of the error of x and of y, < 2^1000; infinity: nothing is known
  std::int32_t a, b;  // the edge lines that meet here

  Probe probe() const { return {x, y, w}; }
  double magnitude() const {  // >= max(1, |x|, |y|) of the true vertex
    const double size =
        std::max(std::fabs(x), std::fabs(y)) + (error < kLargestError ? error : 0.0);
    return std::max(1.0, 1.0000001 * size);
  }
  // Slack of kernels.hpp at this vertex: vertex error and rounding of the evaluation.
  double slack() const { return error + 6 * kUlp * magnitude(); }
};

struct Polygon {
  Vertex* vertices = nullptr;
  std::int32_t* edges = nullptr;  // edge i runs from vertex i to i + 1: 2 * line + side; side 0:
  std::int32_t n = 0;             // the line is positive inside, side 1: negative

  double magnitude() const;
  double slack() const;
};

// A polygon with its magnitude and slack, which every test on it asks for.
struct Extent {
  explicit Extent(const Polygon& p) : polygon(p), magnitude(p.magnitude()), slack(p.slack()) {}
  const Polygon& polygon;
  double magnitude, slack;
};

// How a line cuts a polygon: walking counter-clockwise, positive vertices from first_positive to
// last_positive, the point `out`, negative vertices, the point `in`. A point may be an existing
// vertex that lies on the line (its number in *_vertex, else -1).
struct Chord {
  Vertex out, in;
  std::int32_t out_vertex, in_vertex;
  std::int32_t first_positive, last_positive, first_negative, last_negative;
  std::int32_t line;

  std::int32_t positives(std::int32_t n) const {
    return (last_positive - first_positive + n) % n + 1;
  }
  std::int32_t negatives(std::int32_t n) const {
    return (last_negative - first_negative + n) % n + 1;
  }
};

// signs[i] in {-1, 0, 1} of the line at vertex i; both strict signs must occur.
Chord find_chord(const Polygon& polygon, const std::int8_t* signs, std::int32_t line,
                 const std::vector<EdgeLine>& lines);

// The part of the polygon on one side of the chord. source[i] is the number of the vertex that
// vertex i of the result was, or -1 (chord.out) or -2 (chord.in).
Polygon cut_side(const Polygon& polygon, const Chord& chord, bool positive, Arena& arena,
                 std::int32_t* source);

// The vertex where two lines meet.
Vertex intersection(const EdgeLine& a, const EdgeLine& b, std::int32_t ia, std::int32_t ib);

// Error bound of a vertex from the lines that define it.
double vertex_error(const Vertex& v, const EdgeLine& a, const EdgeLine& b);

}  // namespace linear_regions
