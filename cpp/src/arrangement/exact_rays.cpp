// SPDX-License-Identifier: MIT
#include "arrangement/exact_rays.hpp"

#include <optional>

#include "arrangement/exact_point.hpp"

namespace linear_regions::arrangement {

struct ExactRays::Impl {
  const Reduction& reduction;
  std::vector<std::optional<Vector>> rows;

  const Vector& row(std::size_t i) {
    if (!rows[i]) {
      rows[i].emplace();
      for (const std::string& text : reduction.exact_row(i)) rows[i]->push_back(parse_hex(text));
    }
    return *rows[i];
  }
};

ExactRays::ExactRays(const Reduction& reduction)
    : impl_(std::make_unique<Impl>(
          Impl{reduction, std::vector<std::optional<Vector>>(reduction.rows.n)})) {}
ExactRays::~ExactRays() = default;

std::vector<std::int32_t> ExactRays::basis() {
  Echelon echelon;
  std::vector<std::int32_t> basis;
  const auto take = [&](std::int32_t row) {
    if (basis.size() < impl_->reduction.rows.dim &&
        echelon.add(impl_->row(static_cast<std::size_t>(row))))
      basis.push_back(row);
  };
  for (const SignedRow& r : impl_->reduction.forced) take(r.row);
  for (std::size_t i = 0; i < impl_->reduction.rows.n; ++i) take(static_cast<std::int32_t>(i));
  return basis;
}

std::vector<RayPoint> ExactRays::corners(std::span<const std::int32_t> basis) {
  std::vector<RayPoint> out;
  for (const std::int32_t own : basis) {
    std::vector<Vector> others;
    for (const std::int32_t row : basis)
      if (row != own) others.push_back(impl_->row(static_cast<std::size_t>(row)));
    Vector ray = null_vector(std::move(others), basis.size());
    if (dot(ray, impl_->row(static_cast<std::size_t>(own))) < 0)
      for (Integer& v : ray) v = -v;
    out.push_back(std::make_shared<ExactPoint>(std::move(ray)));
  }
  return out;
}

RayPoint ExactRays::meet(const ExactPoint& p, int p_sign, const ExactPoint& q, int q_sign,
                         std::size_t row) {
  Integer of_p = abs(dot(impl_->row(row), p.x)), of_q = abs(dot(impl_->row(row), q.x));
  const Integer common = gcd(of_p, of_q);
  of_p = of_p / common * q_sign;
  of_q = of_q / common * p_sign;
  Vector ray(p.x.size());
  for (std::size_t k = 0; k < ray.size(); ++k) ray[k] = of_q * p.x[k] + of_p * q.x[k];
  return std::make_shared<ExactPoint>(std::move(ray));
}

void ExactRays::signs(const ExactPoint& ray, Word* positive, Word* negative) {
  const ConeRows& rows = impl_->reduction.rows;
  std::vector<double> x(rows.dim);
  nearest(ray, x.data());
  double size = 0;
  for (const double v : x) size += std::abs(v);
  for (std::size_t w = 0; w < word_count(rows.n); ++w) positive[w] = negative[w] = 0;
  for (std::size_t i = 0; i < rows.n; ++i) {
    double value = 0;
    for (std::size_t k = 0; k < rows.dim; ++k) value += rows.row(i)[k] * x[k];
    // ConeRows::bound is more than four units per entry: room for those that x is off by.
    const bool sure = std::abs(value) > 2 * rows.bound[i] * size;
    const int sign = sure ? (value > 0 ? 1 : -1) : dot(impl_->row(i), ray.x).sign();
    if (sign > 0) set_sign(positive, i);
    if (sign < 0) set_sign(negative, i);
  }
}

void ExactRays::nearest(const ExactPoint& ray, double* x) {
  ExactLp::round(ray, 1, x);
}

void ExactRays::integers(const ExactPoint& ray, double* x) {
  for (std::size_t k = 0; k < ray.x.size(); ++k) x[k] = to_double(ray.x[k], 0);
}

}  // namespace linear_regions::arrangement
