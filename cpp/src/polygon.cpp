// SPDX-License-Identifier: MIT
#include "polygon.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace linear_regions {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double norm(const EdgeLine& l) {
  return std::fabs(l.gx) + std::fabs(l.gy) + std::fabs(l.c);
}

double value(const EdgeLine& l, const Vertex& v) {
  return l.gx * v.x + l.gy * v.y + l.c * v.w;
}

// |value of the true line at the computed vertex| is at most this.
double residual(const EdgeLine& l, const Vertex& v, double magnitude) {
  return std::fabs(value(l, v)) + (l.e + 6 * kUlp * norm(l)) * magnitude;
}

// Direction (x, y) with |x| = 1 or |y| = 1 fixed by an edge at infinity; the other coordinate
// follows from the finite line: its gradient vanishes along the direction.
double direction_error(const Vertex& v, const EdgeLine& finite, const EdgeLine& square) {
  const double along = square.gx != 0 ? finite.gy : finite.gx;
  const double lower = std::fabs(along) - finite.e;
  const double size = std::max({1.0, std::fabs(v.x), std::fabs(v.y)});
  const double miss =
      std::fabs(finite.gx * v.x + finite.gy * v.y) + (finite.e + 6 * kUlp * norm(finite)) * size;
  const double error = miss / lower * 1.0000001;
  return lower > 0 && error < kLargestError ? error : kInfinity;  // NaN becomes infinity
}

}  // namespace

Vertex intersection(const EdgeLine& a, const EdgeLine& b, std::int32_t ia, std::int32_t ib) {
  Vertex v{};
  v.a = ia;
  v.b = ib;
  if (a.at_infinity && b.at_infinity) {  // corner of the square: gx x + gy y + M = 0
    v.x = a.gx != 0 ? -a.gx : -b.gx;
    v.y = a.gy != 0 ? -a.gy : -b.gy;
  } else if (a.at_infinity || b.at_infinity) {
    const EdgeLine& square = a.at_infinity ? a : b;
    const EdgeLine& line = a.at_infinity ? b : a;
    v.x = square.gx != 0 ? -square.gx : square.gy * line.gy / line.gx;
    v.y = square.gy != 0 ? -square.gy : square.gx * line.gx / line.gy;
  } else {
    const double determinant = a.gx * b.gy - a.gy * b.gx;
    v.x = (a.gy * b.c - a.c * b.gy) / determinant;
    v.y = (a.c * b.gx - a.gx * b.c) / determinant;
    v.w = 1;
  }
  v.error = vertex_error(v, a, b);
  return v;
}

namespace {

Vertex crossing(const Polygon& p, std::int32_t from, std::int32_t to, std::int32_t edge,
                std::int32_t line, const std::vector<EdgeLine>& lines) {
  const Vertex& u = p.vertices[from];
  const Vertex& v = p.vertices[to];
  const EdgeLine& cut = lines[static_cast<std::size_t>(line)];
  const double fu = std::fabs(value(cut, u)), fv = std::fabs(value(cut, v));
  Vertex r{};
  r.a = edge;
  r.b = line;
  const EdgeLine& side = lines[static_cast<std::size_t>(edge)];
  if (u.w == 0 && v.w == 0 && !side.at_infinity) {
    // The edge is a whole line: both ends are far away, the crossing is not.
    return intersection(side, cut, edge, line);
  }
  if (u.w == v.w) {
    // The residual below judges the result, so an uncertain quotient does no harm.
    const double t = fu + fv > 0 ? fu / (fu + fv) : 0.5;
    r.x = u.x + t * (v.x - u.x);
    r.y = u.y + t * (v.y - u.y);
    r.w = u.w;
  } else {
    const Vertex& point = u.w != 0 ? u : v;
    const Vertex& direction = u.w != 0 ? v : u;
    const double ratio = u.w != 0 ? fu / fv : fv / fu;
    r.x = point.x + ratio * direction.x;
    r.y = point.y + ratio * direction.y;
    r.w = 1;
  }
  r.error = vertex_error(r, side, cut);
  if (!(r.error <
        1e-10 * r.magnitude())) {  // an end is far away: the lines themselves place better
    const Vertex direct = intersection(side, cut, edge, line);
    if (direct.error < r.error) return direct;
  }
  return r;
}

std::int32_t step(std::int32_t i, std::int32_t n) {
  return i + 1 == n ? 0 : i + 1;
}
std::int32_t back(std::int32_t i, std::int32_t n) {
  return i == 0 ? n - 1 : i - 1;
}

}  // namespace

double Polygon::magnitude() const {
  double most = 1.0;
  for (std::int32_t i = 0; i < n; ++i) most = std::max(most, vertices[i].magnitude());
  return most;
}

double Polygon::slack() const {
  double most = 0.0;
  for (std::int32_t i = 0; i < n; ++i) most = std::max(most, vertices[i].slack());
  return most;
}

namespace {

// The bound for lines with very small gradients, brought to size one by exact powers of two.
double rescaled_error(const Vertex& v, const EdgeLine& a, const EdgeLine& b) {
  const auto size = [](const EdgeLine& l) { return std::max(std::fabs(l.gx), std::fabs(l.gy)); };
  const auto small = [&](const EdgeLine& l) { return size(l) > 0 && size(l) < 0x1p-200; };
  const auto scaled = [&](EdgeLine l) {
    if (!small(l)) return l;
    const int by = -std::ilogb(size(l));
    l.gx = std::ldexp(l.gx, by);
    l.gy = std::ldexp(l.gy, by);
    l.c = std::ldexp(l.c, by);
    l.e = std::ldexp(l.e, by) + 0x1p-1000;
    return l;
  };
  return small(a) || small(b) ? vertex_error(v, scaled(a), scaled(b)) : kInfinity;
}

}  // namespace

// Finite vertex: with the gradients as the rows of a 2 x 2 matrix G and R the bounds of the
// residuals, the true vertex is off by at most |G^-1| R (Cramer's rule below). The entries of G
// are known up to e, and so is the determinant.
double vertex_error(const Vertex& v, const EdgeLine& a, const EdgeLine& b) {
  if (v.w == 0) {
    if (a.at_infinity && b.at_infinity) return 0.0;
    return a.at_infinity ? direction_error(v, b, a) : direction_error(v, a, b);
  }
  const double m = std::max({1.0, std::fabs(v.x), std::fabs(v.y)});
  const double ra = residual(a, v, m), rb = residual(b, v, m);
  const double ax = std::fabs(a.gx) + a.e, ay = std::fabs(a.gy) + a.e;
  const double bx = std::fabs(b.gx) + b.e, by = std::fabs(b.gy) + b.e;
  const double determinant = std::fabs(a.gx * b.gy - a.gy * b.gx);
  const double doubt = a.e * (bx + by) + b.e * (ax + ay) + 4 * kUlp * (ax * by + ay * bx);
  const double lower = determinant - 1.0000001 * doubt;
  // Products of gradients may underflow; above this size that costs less than the last term.
  if (!(lower > 0x1p-900)) return lower > -kInfinity ? rescaled_error(v, a, b) : kInfinity;
  const double ex = (by * ra + ay * rb) / lower, ey = (bx * ra + ax * rb) / lower;
  const double error = std::max(ex, ey) * 1.0000001 + 0x1p-170;
  return ex < kInfinity && ey < kInfinity && error < kLargestError ? error : kInfinity;  // NaN too
}

Chord find_chord(const Polygon& p, const std::int8_t* signs, std::int32_t line,
                 const std::vector<EdgeLine>& lines) {
  Chord c{};
  c.line = line;
  const std::int32_t n = p.n;
  const auto has = [&](int sign) { return std::find(signs, signs + n, sign) != signs + n; };
  if (!has(1) || !has(-1)) throw std::logic_error("a line without both strict signs has no chord");
  // A positive vertex whose predecessor is not positive, reached from the negative side.
  std::int32_t i = 0;
  while (signs[i] >= 0) i = step(i, n);
  while (signs[i] <= 0) i = step(i, n);
  c.first_positive = i;
  std::int32_t zero = -1;
  while (signs[i] >= 0) {
    if (signs[i] > 0) {
      c.last_positive = i;
      zero = -1;
    } else if (zero < 0) {
      zero = i;
    }
    i = step(i, n);
  }
  c.first_negative = i;
  c.out_vertex = zero;
  zero = -1;
  for (; i != c.first_positive; i = step(i, n)) {
    if (signs[i] < 0) {
      c.last_negative = i;
      zero = -1;
    } else if (zero < 0) {
      zero = i;
    }
  }
  c.in_vertex = zero;
  c.out = c.out_vertex >= 0 ? p.vertices[c.out_vertex]
                            : crossing(p, c.last_positive, c.first_negative,
                                       p.edges[c.last_positive] >> 1, line, lines);
  c.in = c.in_vertex >= 0 ? p.vertices[c.in_vertex]
                          : crossing(p, c.last_negative, c.first_positive,
                                     p.edges[c.last_negative] >> 1, line, lines);
  return c;
}

Polygon cut_side(const Polygon& p, const Chord& c, bool positive, Arena& arena,
                 std::int32_t* source) {
  Polygon r;
  const std::int32_t kept = positive ? c.positives(p.n) : c.negatives(p.n);
  r.n = kept + 2;
  r.vertices = arena.make<Vertex>(static_cast<std::size_t>(r.n));
  r.edges = arena.make<std::int32_t>(static_cast<std::size_t>(r.n));
  // The kept run starts at one chord point and ends at the other; the chord closes it.
  const Vertex& start = positive ? c.in : c.out;
  const Vertex& end = positive ? c.out : c.in;
  const std::int32_t start_vertex = positive ? c.in_vertex : c.out_vertex;
  const std::int32_t first = positive ? c.first_positive : c.first_negative;
  r.vertices[0] = start;
  r.edges[0] = p.edges[start_vertex >= 0 ? start_vertex : back(first, p.n)];
  source[0] = positive ? -2 : -1;
  std::int32_t i = first;
  for (std::int32_t k = 1; k <= kept; ++k, i = step(i, p.n)) {
    r.vertices[k] = p.vertices[i];
    r.edges[k] = p.edges[i];
    source[k] = i;
  }
  r.vertices[kept + 1] = end;
  r.edges[kept + 1] = 2 * c.line + (positive ? 0 : 1);
  source[kept + 1] = positive ? -1 : -2;
  return r;
}

}  // namespace linear_regions
