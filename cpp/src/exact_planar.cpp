// SPDX-License-Identifier: MIT
#include "exact_planar.hpp"

#include <array>
#include <stdexcept>

#include "exact_rows.hpp"

namespace linear_regions {
namespace {

// a line (v . (x, y, 1) = 0); at infinity v[2] is the symbol M.
struct ExactLine {
  Vector v;
  bool at_infinity = false;
};

// The meeting point of two lines, homogeneous with positive last coordinate, linear in M.
struct ExactVertex {
  std::array<Integer, 3> finite, infinite;  // finite + M * infinite; infinite[2] == 0
};

ExactVertex meet(const ExactLine& a, const ExactLine& b) {
  ExactVertex r;
  const Integer a3 = a.at_infinity ? Integer(0) : a.v[2], b3 = b.at_infinity ? Integer(0) : b.v[2];
  const int am = a.at_infinity ? 1 : 0, bm = b.at_infinity ? 1 : 0;
  r.finite[0] = a.v[1] * b3 - a3 * b.v[1];
  r.finite[1] = a3 * b.v[0] - a.v[0] * b3;
  r.finite[2] = a.v[0] * b.v[1] - a.v[1] * b.v[0];
  r.infinite[0] = a.v[1] * bm - b.v[1] * am;
  r.infinite[1] = b.v[0] * am - a.v[0] * bm;
  r.infinite[2] = 0;
  if (r.finite[2].sign() == 0) throw std::logic_error("a vertex is defined by parallel lines");
  if (r.finite[2].sign() < 0)
    for (int k = 0; k < 3; ++k) {
      r.finite[k] = -r.finite[k];
      r.infinite[k] = -r.infinite[k];
    }
  return r;
}

int sign_of(const ExactLine& line, const ExactVertex& v) {
  const Integer leading = line.v[0] * v.infinite[0] + line.v[1] * v.infinite[1];
  if (leading.sign() != 0) return leading.sign();
  const Integer rest = line.v[0] * v.finite[0] + line.v[1] * v.finite[1] + line.v[2] * v.finite[2];
  return rest.sign();
}

}  // namespace

struct ExactStage::Impl {
  ExactRows rows;
  const PlanarDomain& domain;

  Impl(const Tape& tape, const PlanarDomain& d, const Path& path)
      : rows(tape, path,
             {{d.direction1, d.direction2, d.origin},
              d.exact_columns,
              d.exact_denominator,
              d.rest1}),
        domain(d) {}

  ExactLine line(const Line& l) {
    ExactLine out;
    if (l.kind != Line::Kind::kDomain) {
      out.v = rows.line(l);
      return out;
    }
    const auto i = static_cast<std::size_t>(l.first);
    const auto& edge = domain.edges[i];
    out.at_infinity = edge.at_infinity;
    const double values[3] = {edge.a1, edge.a2, edge.at_infinity ? 0.0 : edge.a3};
    out.v = integers(values, 3);
    if (!domain.exact_edges.empty() && !edge.at_infinity)
      for (std::size_t k = 0; k < 3; ++k) out.v[k] = parse_hex(domain.exact_edges[3 * i + k]);
    return out;
  }
};

ExactStage::ExactStage(const Tape& tape, const PlanarDomain& domain, const Path& path)
    : impl_(std::make_unique<Impl>(tape, domain, path)) {}
ExactStage::~ExactStage() = default;

void ExactStage::watch(std::function<bool()> keep_going) {
  impl_->rows.watch(std::move(keep_going));
}

std::uint64_t ExactStage::rows_computed() const {
  return impl_->rows.computed();
}

int ExactStage::sign(const Line& line, const Line& a, const Line& b) {
  const ExactLine l = impl_->line(line);
  if (l.v[0].is_zero() && l.v[1].is_zero()) return l.v[2].sign();
  return sign_of(l, meet(impl_->line(a), impl_->line(b)));
}

int ExactStage::sign_at_point(const Line& line, double x, double y) {
  const ExactLine l = impl_->line(line);
  if (l.at_infinity) return 1;
  const double point[2] = {x, y};
  const int scale = std::min(0, least_exponent(point, 2));
  const Integer value = l.v[0] * scaled(x, scale) + l.v[1] * scaled(y, scale) +
                        (l.v[2] << static_cast<unsigned>(-scale));
  return value.sign();
}

std::pair<double, double> ExactStage::vertex(const Line& a, const Line& b) {
  const ExactVertex v = meet(impl_->line(a), impl_->line(b));
  if (v.infinite[0].is_zero() && v.infinite[1].is_zero())
    return {ratio(v.finite[0], v.finite[2]), ratio(v.finite[1], v.finite[2])};
  const Integer x = abs(v.infinite[0]), y = abs(v.infinite[1]);
  const Integer& largest = x < y ? y : x;
  return {ratio(v.infinite[0], largest), ratio(v.infinite[1], largest)};
}

ExactStage::Point ExactStage::interior_point(const std::vector<std::pair<Line, Line>>& vertices,
                                             const std::vector<std::pair<Line, int>>& edges) {
  std::vector<ExactVertex> corners;
  for (const auto& [a, b] : vertices) corners.push_back(meet(impl_->line(a), impl_->line(b)));
  std::vector<std::pair<ExactLine, int>> sides;
  for (const auto& [l, side] : edges) sides.emplace_back(impl_->line(l), side);
  Integer m = 1;
  for (int attempt = 0; attempt < 4096; ++attempt, m *= 16) {
    Integer x = 0, y = 0, w = 1;  // mean = (x, y) / (w * corners)
    for (const auto& c : corners) {
      x = x * c.finite[2] + (c.finite[0] + m * c.infinite[0]) * w;
      y = y * c.finite[2] + (c.finite[1] + m * c.infinite[1]) * w;
      w *= c.finite[2];
    }
    w *= corners.size();
    bool inside = true;
    for (const auto& [l, side] : sides) {
      if (l.at_infinity) continue;
      const Integer value = l.v[0] * x + l.v[1] * y + l.v[2] * w;
      inside = inside && value.sign() == side;
    }
    if (inside) return {fraction_text(x, w), fraction_text(y, w), ratio(x, w), ratio(y, w)};
  }
  throw std::logic_error("no exact interior point was found");
}

}  // namespace linear_regions
