// SPDX-License-Identifier: MIT
#include "emit.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <tuple>
#include <utility>

namespace linear_regions {
namespace {

// Strictly inside? By the error bounds of the edges, exactly where they do not decide.
bool inside(Engine& engine, const Polygon& polygon, double x, double y, bool certified) {
  const double size = std::max(std::fabs(x), std::fabs(y));
  if (!(std::fabs(x) < 0x1p1000 && std::fabs(y) < 0x1p1000)) return false;  // NaN too
  const double magnitude = std::max(1.0, size);
  for (std::int32_t i = 0; i < polygon.n; ++i) {
    const EdgeLine& l = engine.lines()[static_cast<std::size_t>(polygon.edges[i] >> 1)];
    if (l.at_infinity) continue;
    const int side = (polygon.edges[i] & 1) == 0 ? 1 : -1;
    const double value = l.gx * x + l.gy * y + l.c;
    const double norm = std::fabs(l.gx) + std::fabs(l.gy) + std::fabs(l.c);
    const double bound = (l.e + 6 * kUlp * norm) * magnitude;
    if (side * value > bound && norm < 1e300) continue;
    if (side * value < -bound && norm < 1e300) return false;
    if (!certified) return false;
    const double tx = std::ldexp(x, engine.root().scale_x),
                 ty = std::ldexp(y, engine.root().scale_y);
    if (engine.exact().sign_at_point(l.line, tx, ty) != side) return false;
  }
  return true;
}

// The mean of the vertices, then means of fewer of them; unbounded cells go far along their
// directions.
bool find_point(Engine& engine, const Polygon& polygon, bool bounded, bool certified,
                double* point) {
  double x = 0, y = 0, dx = 0, dy = 0;
  int finite = 0;
  for (std::int32_t i = 0; i < polygon.n; ++i) {
    const Vertex& v = polygon.vertices[i];
    (v.w != 0 ? x : dx) += v.x;
    (v.w != 0 ? y : dy) += v.y;
    finite += v.w != 0;
  }
  if (finite > 0) {
    x /= finite;
    y /= finite;
  }
  const auto accept = [&](double px, double py) {
    if (!inside(engine, polygon, px, py, certified)) return false;
    point[0] = px;
    point[1] = py;
    return true;
  };
  if (bounded) {
    if (accept(x, y)) return true;
    for (std::int32_t i = 0; i < polygon.n; ++i)
      for (std::int32_t j = i + 1; j < polygon.n; ++j) {
        const Vertex &a = polygon.vertices[i], &b = polygon.vertices[j];
        if (accept(0.5 * a.x + 0.5 * b.x, 0.5 * a.y + 0.5 * b.y)) return true;
      }
    return false;
  }
  for (double m = 1; m < 0x1p60; m *= 16)
    if (accept(x + m * dx, y + m * dy)) return true;
  return false;
}

// Longest side of the box around the finite vertices, as far as doubles know.
double extent_of(const Polygon& polygon) {
  double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
  for (std::int32_t i = 0; i < polygon.n; ++i) {
    const Vertex& v = polygon.vertices[i];
    if (v.w == 0) continue;
    low[0] = std::min(low[0], v.x);
    low[1] = std::min(low[1], v.y);
    high[0] = std::max(high[0], v.x);
    high[1] = std::max(high[1], v.y);
  }
  return std::max(high[0] - low[0], high[1] - low[1]);
}

}  // namespace

// What changes across an edge: see RegionBlock::labels.
FacetLabel BlockSink::label(Engine& engine, const EdgeLine& edge) {
  const Line& line = edge.line;
  if (edge.at_infinity) return {kAtInfinity, -1, -1};
  if (line.kind == Line::Kind::kDomain) return {-1 - line.first, -1, -1};
  const Tape& tape = engine.root().tape;
  const Op& op = tape.split(line.split);
  if (line.kind == Line::Kind::kCut)
    return {op.pattern_bit[static_cast<std::size_t>(line.first)], -1, -1};
  // The first window that the first entry wins and that the second one is in.
  const std::int32_t* winner = engine.path().winner[static_cast<std::size_t>(line.split)];
  const auto windows = static_cast<std::int32_t>(tape.slots()[op.output].size);
  const Max& max = op.max;
  for (std::int32_t w = 0; w < windows; ++w) {
    if (max.entries[static_cast<std::size_t>(winner[w])] != line.first) continue;
    for (std::int32_t k = max.start[w]; k < max.start[w + 1]; ++k)
      if (max.entries[static_cast<std::size_t>(k)] == line.second)
        return {op.pattern_bit[static_cast<std::size_t>(w)],
                max.positions[static_cast<std::size_t>(winner[w])],
                max.positions[static_cast<std::size_t>(k)]};
  }
  throw std::logic_error("an edge of a max window belongs to no window");
}

void BlockSink::add_edge(Engine& engine, std::int32_t edge) {
  const EdgeLine& line = engine.lines()[static_cast<std::size_t>(edge >> 1)];
  const double side = (edge & 1) == 0 ? 1.0 : -1.0;
  block_.labels.push_back(label(engine, line));
  // In domain coordinates; no negative zeros.
  block_.rows.push_back(side * std::ldexp(line.gx, -engine.root().scale_x) + 0.0);
  block_.rows.push_back(side * std::ldexp(line.gy, -engine.root().scale_y) + 0.0);
  block_.rows.push_back(side * line.c + 0.0);
}

// The vertices as precise as doubles are, into corners_.
void BlockSink::place_corners(Engine& engine, const Polygon& polygon) {
  const bool certified = engine.root().arithmetic == Arithmetic::kCertified;
  const int sx = engine.root().scale_x, sy = engine.root().scale_y;
  const auto line = [&](std::int32_t i) -> const EdgeLine& {
    return engine.lines()[static_cast<std::size_t>(i)];
  };
  const double extent = extent_of(polygon);
  corners_.clear();
  for (std::int32_t i = 0; i < polygon.n; ++i) {
    Vertex v = polygon.vertices[i];
    // Interpolation leaves the rounding of the far end in a vertex near zero; solving for the
    // meeting point of its lines does not, and is as good unless they are nearly parallel.
    const Vertex direct = intersection(line(v.a), line(v.b), v.a, v.b);
    if (direct.error <= 2 * v.error) v = direct;
    double x = v.w != 0 ? std::ldexp(v.x, sx) : v.x, y = v.w != 0 ? std::ldexp(v.y, sy) : v.y;
    // The bound is some hundred times the error. Where even so it leaves open where in its own
    // polygon the vertex lies, the exact stage places it.
    const double size = v.w != 0 && extent > 0 ? extent : v.magnitude();
    if (certified && !(v.error < size))
      std::tie(x, y) = engine.exact().vertex(line(v.a).line, line(v.b).line);
    corners_.insert(corners_.end(), {x + 0.0, y + 0.0, v.w});  // no negative zeros
  }
}

// The exact stage may stop the run in here: the columns are extended only when all is known.
void BlockSink::region(Engine& engine, const Polygon& polygon, const std::uint64_t* pattern) {
  const bool certified = engine.root().arithmetic == Arithmetic::kCertified;
  const int sx = engine.root().scale_x, sy = engine.root().scale_y;
  const auto line = [&](std::int32_t i) -> const EdgeLine& {
    return engine.lines()[static_cast<std::size_t>(i)];
  };
  bool bounded = true;
  for (std::int32_t i = 0; i < polygon.n; ++i) bounded = bounded && polygon.vertices[i].w != 0;
  if (block_.faces) place_corners(engine, polygon);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  double point[2] = {nan, nan};
  bool found = find_point(engine, polygon, bounded, certified, point);
  ExactStage::Point exact;
  if (!found && certified) {
    std::vector<std::pair<Line, Line>> vertices;
    std::vector<std::pair<Line, int>> edges;
    for (std::int32_t i = 0; i < polygon.n; ++i) {
      const Vertex& v = polygon.vertices[i];
      vertices.emplace_back(line(v.a).line, line(v.b).line);
      edges.emplace_back(line(polygon.edges[i] >> 1).line, (polygon.edges[i] & 1) == 0 ? 1 : -1);
    }
    exact = engine.exact().interior_point(vertices, edges);
    const double px = std::ldexp(exact.nearest_x, -sx), py = std::ldexp(exact.nearest_y, -sy);
    found = inside(engine, polygon, px, py, true);
    if (found) {
      point[0] = px;
      point[1] = py;
    }
  }

  if (block_.faces) {
    for (std::int32_t i = 0; i < polygon.n; ++i) add_edge(engine, polygon.edges[i]);
    block_.vertices.insert(block_.vertices.end(), corners_.begin(), corners_.end());
    block_.vertex_counts.push_back(polygon.n);
  }
  block_.patterns.insert(block_.patterns.end(), pattern, pattern + block_.words);
  block_.bounded.push_back(bounded);
  block_.points.push_back(std::ldexp(point[0], sx));
  block_.points.push_back(std::ldexp(point[1], sy));
  if (!found && certified)
    block_.exact_points.push_back({block_.n, std::move(exact.x), std::move(exact.y)});
  ++block_.n;
}

void RegionBlock::append(RegionBlock&& other) {
  if (n == 0) {
    *this = std::move(other);
    return;
  }
  RegionBlock o = std::move(other);  // given back at the end: blocks are not kept beside the whole
  words = o.words;
  patterns.insert(patterns.end(), o.patterns.begin(), o.patterns.end());
  vertices.insert(vertices.end(), o.vertices.begin(), o.vertices.end());
  labels.insert(labels.end(), o.labels.begin(), o.labels.end());
  rows.insert(rows.end(), o.rows.begin(), o.rows.end());
  vertex_counts.insert(vertex_counts.end(), o.vertex_counts.begin(), o.vertex_counts.end());
  points.insert(points.end(), o.points.begin(), o.points.end());
  bounded.insert(bounded.end(), o.bounded.begin(), o.bounded.end());
  for (auto& p : o.exact_points)
    exact_points.push_back({p.region + n, std::move(p.x), std::move(p.y)});
  n += o.n;
}

}  // namespace linear_regions
