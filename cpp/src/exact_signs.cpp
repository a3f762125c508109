// SPDX-License-Identifier: MIT
#include "exact_signs.hpp"

#include <algorithm>
#include <stdexcept>

#include "exact_algebra.hpp"
#include "exact_rows.hpp"

namespace linear_regions {
namespace {

bool is_zero(const Integer& x) {
  return x.is_zero();
}

}  // namespace

struct ExactSigns::Impl {
  ExactRows rows;
  const DomainFrame& domain;
  std::vector<Vector> sides;  // of the domain, filled at first use
  Vector aim;                 // d + 1 entries, the last one not negative

  Impl(const Tape& tape, const DomainFrame& d, const Path& path)
      : rows(tape, path, columns_of(d)), domain(d) {}

  Vector line(const Line& l) {
    if (l.kind == Line::Kind::kDomain) {
      if (sides.empty()) sides = exact_sides(domain);
      return sides[static_cast<std::size_t>(l.first)];
    }
    if (l.kind == Line::Kind::kInfinity) {
      Vector v(domain.dim + 1);
      v.back() = 1;
      return v;
    }
    return rows.line(l);
  }

  Vector ray(std::span<const Line> lines, std::span<const Side> at_sides) {
    std::vector<Vector> matrix;
    for (const Line& l : lines) matrix.push_back(line(l));
    Vector v = null_vector(std::move(matrix), domain.dim + 1);
    int side = v.back().sign();
    for (std::size_t i = 0; side == 0 && i < at_sides.size(); ++i)
      side = dot(line(at_sides[i].line), v).sign() * at_sides[i].sign;
    if (side == 0) throw std::logic_error("no side tells the direction of a ray at infinity");
    if (side < 0)
      for (Integer& x : v) x = -x;
    return v;
  }
};

ExactSigns::ExactSigns(const Tape& tape, const DomainFrame& domain, const Path& path)
    : impl_(std::make_unique<Impl>(tape, domain, path)) {}
ExactSigns::~ExactSigns() = default;

void ExactSigns::watch(std::function<bool()> keep_going) {
  impl_->rows.watch(std::move(keep_going));
}

std::uint64_t ExactSigns::rows_computed() const {
  return impl_->rows.computed();
}

void ExactSigns::aim_at_ray(std::span<const Line> lines, std::span<const Side> sides) {
  impl_->aim = impl_->ray(lines, sides);
}

void ExactSigns::aim_at_point(const double* t) {
  impl_->aim = point_vector(t, impl_->domain.dim);
}

void ExactSigns::aim_inside(std::span<const Ray> rays) {
  const std::size_t d = impl_->domain.dim;
  Vector sum(d + 1);  // of the points, over the common denominator sum[d] / (number of points)
  sum[d] = 1;
  std::vector<Vector> directions;
  Integer points = 0;
  for (const Ray& r : rays) {
    Vector v = impl_->ray(r.lines, r.sides);
    if (v[d].is_zero()) {
      directions.push_back(std::move(v));
      continue;
    }
    ++points;
    for (std::size_t j = 0; j < d; ++j) sum[j] = sum[j] * v[d] + v[j] * sum[d];
    sum[d] *= v[d];
    make_primitive(sum);
  }
  if (points.is_zero()) throw std::logic_error("a cell has a vertex");
  sum[d] *= points;
  for (Vector& v : directions) {
    make_primitive(v);
    for (std::size_t j = 0; j < d; ++j) sum[j] += v[j] * sum[d];
  }
  make_primitive(sum);
  impl_->aim = std::move(sum);
}

int ExactSigns::sign(const Line& line) {
  return dot(impl_->line(line), impl_->aim).sign();
}

bool ExactSigns::at_infinity() const {
  return impl_->aim.back().is_zero();
}

std::vector<double> ExactSigns::rounded() const {
  return rounded_vector(impl_->aim);
}

std::vector<std::string> ExactSigns::fractions() const {
  std::vector<std::string> out;
  for (std::size_t j = 0; j + 1 < impl_->aim.size(); ++j)
    out.push_back(fraction_text(impl_->aim[j], impl_->aim.back()));
  return out;
}

std::vector<std::string> ExactSigns::row_text(const Line& line) {
  std::vector<std::string> out;
  for (const Integer& x : impl_->line(line)) out.push_back(hex_text(x));
  return out;
}

bool ExactSigns::zero(const Line& line) {
  return all_zero(impl_->line(line));
}

int ExactSigns::constant_sign(const Line& line) {
  const Vector v = impl_->line(line);
  return std::all_of(v.begin(), v.end() - 1, is_zero) ? v.back().sign() : 0;
}

std::vector<std::size_t> ExactSigns::independent(std::span<const Line> lines, bool directions) {
  const std::size_t width = impl_->domain.dim + (directions ? 0 : 1);
  Echelon echelon;
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < lines.size() && out.size() < width; ++i) {
    Vector v = impl_->line(lines[i]);
    v.resize(width);
    if (echelon.add(std::move(v))) out.push_back(i);
  }
  return out;
}

}  // namespace linear_regions
