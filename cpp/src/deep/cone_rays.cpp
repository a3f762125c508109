// SPDX-License-Identifier: MIT
// Where a ray lies, how well that is known, and on which side of a hyperplane.
//
// A new ray is interpolated between two old ones; its error bound follows theirs (mixed_error) and
// grows with every generation. When it has become useless the ray is solved anew from the d
// hyperplanes that determine it, and bounded by their residuals. What is still open is exact.
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "deep/cone_engine.hpp"

namespace linear_regions {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kImprove = 1e-9;   // bounds above this are worth a linear system
constexpr double kListed = 1e-12;   // ... where rays are listed
constexpr double kPlaced = 1e-9;    // listed rays with larger bounds are placed exactly
constexpr double kTrusted = 1e-5;   // rays with larger bounds decide nothing
constexpr double kOriented = 0.05;  // bounds below this leave no doubt about the direction
// Last coordinate of a point that doubles cannot tell from infinity: it is zero at infinity alone.
constexpr double kLeastFinite = 0x1p-900;

}  // namespace

// Error of the ray and rounding of d + 1 products and sums; the factor covers the part of the row
// error that meets the error of the ray.
template <int W>
double ConeEngine<W>::slack_of(const Ray& ray) const {
  if (!(ray.error <= kTrusted)) return kInfinity;
  return 1.0001 * (ray.error + 1.1 * kRoundoff * static_cast<double>(dim_ + 4));
}

template <int W>
double ConeEngine<W>::value_at(const double* row, const Ray& ray) const {
  const double* x = ray.x();
  double sum = row[0] * x[0];
  for (std::size_t k = 1; k < width_; ++k) sum += row[k] * x[k];
  return sum;
}

template <int W>
Ray* ConeEngine<W>::new_ray(std::size_t words) {
  const std::size_t bytes =
      sizeof(Ray) + sizeof(double) * stride_ + 2 * words * sizeof(std::uint64_t);
  auto* ray = reinterpret_cast<Ray*>(arena_.make<double>(bytes / sizeof(double)));
  ray->error = kInfinity;
  ray->refreshed = ray->vanishing = ray->alive = false;
  return ray;
}

template <int W>
Ray* ConeEngine<W>::copy_ray(const Ray& ray, std::size_t words) {
  Ray* copy = new_ray(words);
  *copy = ray;
  std::copy_n(ray.x(), stride_, copy->x());
  return copy;
}

// The point of the edge from p (row positive) to q (row negative) where the row vanishes.
template <int W>
Ray* ConeEngine<W>::mix_rays(const Ray& p, const Ray& q, const double* row, const Mask<W>& common,
                             const Through& through, std::size_t words) {
  Ray* ray = new_ray(words);
  const double vp = std::max(value_at(row, p), 0.0), vq = std::min(value_at(row, q), 0.0);
  const double e = row[width_], norm = row[width_ + 1];
  const double total = vp - vq;
  const double t = total > 0 && total < kInfinity ? vp / total : 0.5;
  const double size = kernels_.mix_point(p.x(), q.x(), 1 - t, t, stride_, ray->x());
  ray->error = mixed_error(t, p.error, q.error, vp, vq, 1.0001 * e + norm * slack_of(p),
                           1.0001 * e + norm * slack_of(q), 2.0);
  ray->alive = p.alive || q.alive;
  if (p.x()[dim_] + q.x()[dim_] > 0 && !(ray->x()[dim_] > kLeastFinite))
    ray->x()[dim_] = kLeastFinite;
  if (size < 0.5) {  // opposite directions nearly cancel; powers of two scale exactly
    const int by = size > 0x1p-100 ? -std::ilogb(size) - 1 : 0;
    for (std::size_t k = 0; k < stride_; ++k) ray->x()[k] = std::ldexp(ray->x()[k], by);
    ray->error = std::ldexp(ray->error, by);
  }
  if (!(ray->error < (counting() ? kImprove : kListed))) improve(*ray, common, through);
  return ray;
}

// Rows and lines of the hyperplanes through a ray.
template <int W>
void ConeEngine<W>::gather_through(const Mask<W>& mask, const Through& through) {
  through_rows_.clear();
  through_lines_.clear();
  const auto add = [&](std::int32_t line) {
    const PathLine& l = lines_[static_cast<std::size_t>(line)];
    through_rows_.push_back(l.row);
    through_lines_.push_back(l.line);
  };
  for (std::int32_t i = 0; i < through.n_lines; ++i) add(through.lines[i]);
  for (int w = 0; w < W; ++w)
    for (std::uint64_t rest = mask.w[w]; rest != 0; rest &= rest - 1)
      add(through.table[64 * w + std::countr_zero(rest)] >> 1);
  for (std::int32_t i = 0; i < through.n_axes; ++i) {
    through_rows_.push_back(root_.axes.data() +
                            static_cast<std::size_t>(through.axes[i]) * (width_ + 2));
    through_lines_.push_back(root_.axis(through.axes[i]));
  }
}

// Solves the ray anew from its hyperplanes; exactly where doubles do not even give a direction.
template <int W>
void ConeEngine<W>::improve(Ray& ray, const Mask<W>& mask, const Through& through) {
  if (ray.refreshed) return;
  if (!(ray.error < kOriented)) {
    place_exactly(ray, mask, through);
    return;
  }
  gather_through(mask, through);
  double error = kInfinity;
  std::copy_n(ray.x(), width_, row_.data());
  const bool at_infinity = ray.x()[dim_] == 0.0;
  ray.refreshed = true;
  if (!solve(row_.data(), &error, true) || !(error < ray.error)) return;
  row_[dim_] = at_infinity ? 0.0 : std::max(row_[dim_], kLeastFinite);
  std::copy_n(row_.data(), width_, ray.x());
  ray.error = error;
}

// Solves the rows through_rows_ (at least d of them, d independent) for x, starting from a guess
// whose bound is good enough to fix its direction, or from nothing; then any of the two directions
// may come out.
//
// Bound: fix the largest coordinate, |x_k| = 1. With A the d rows without column k, B about A^-1
// and r the residuals, A delta = r for the true ray, so |delta| <= |B| (|r| + doubt) / (1 - q),
// where q >= |1 - B A| + |B| e in the maximum norm.
template <int W>
bool ConeEngine<W>::solve(double* x, double* error, bool guess) {
  const std::size_t d = dim_, r = through_rows_.size();
  if (r < d) throw std::logic_error("a ray lies on fewer hyperplanes than dimensions");
  std::vector<std::int32_t>& order = solve_order_;
  std::vector<double>& a = matrix_;
  order.resize(r);
  for (std::size_t i = 0; i < r; ++i) order[i] = static_cast<std::int32_t>(i);
  if (r > d || !guess) {
    // Elimination with full pivoting: d independent rows, and the ray when there is no guess.
    a.resize(r * width_);
    for (std::size_t i = 0; i < r; ++i) {
      const double norm = through_rows_[i][width_ + 1];
      if (!(norm > 0 && norm < 1e300)) return false;
      for (std::size_t k = 0; k < width_; ++k) a[i * width_ + k] = through_rows_[i][k] / norm;
    }
    std::vector<std::int32_t>& column = solve_column_;
    column.resize(width_);
    for (std::size_t k = 0; k < width_; ++k) column[k] = static_cast<std::int32_t>(k);
    for (std::size_t s = 0; s < d; ++s) {
      std::size_t pi = s, pk = s;
      double most = 0.0;
      for (std::size_t i = s; i < r; ++i)
        for (std::size_t k = s; k < width_; ++k) {
          const double size = std::fabs(a[i * width_ + static_cast<std::size_t>(column[k])]);
          if (size > most) most = size, pi = i, pk = k;
        }
      if (!(most > 1e-14)) return false;
      std::swap(order[s], order[pi]);
      if (pi != s)
        std::swap_ranges(a.begin() + static_cast<std::ptrdiff_t>(s * width_),
                         a.begin() + static_cast<std::ptrdiff_t>((s + 1) * width_),
                         a.begin() + static_cast<std::ptrdiff_t>(pi * width_));
      std::swap(column[s], column[pk]);
      const auto c = static_cast<std::size_t>(column[s]);
      for (std::size_t i = s + 1; i < r; ++i) {
        const double factor = a[i * width_ + c] / a[s * width_ + c];
        if (factor == 0.0) continue;
        for (std::size_t k = s; k < width_; ++k) {
          const auto j = static_cast<std::size_t>(column[k]);
          a[i * width_ + j] -= factor * a[s * width_ + j];
        }
      }
    }
    if (!guess) {
      x[column[d]] = 1.0;
      double most = 1.0;
      for (std::size_t s = d; s-- > 0;) {
        double sum = 0.0;
        for (std::size_t k = s + 1; k < width_; ++k)
          sum += a[s * width_ + static_cast<std::size_t>(column[k])] * x[column[k]];
        x[column[s]] = -sum / a[s * width_ + static_cast<std::size_t>(column[s])];
        most = std::max(most, std::fabs(x[column[s]]));
      }
      if (!(most < 1e300)) return false;
      for (std::size_t k = 0; k < width_; ++k) x[k] /= most;
    }
  }
  std::size_t k = 0;
  for (std::size_t j = 1; j < width_; ++j)
    if (std::fabs(x[j]) > std::fabs(x[k])) k = j;
  const double largest = std::fabs(x[k]);
  if (!(largest > 0)) return false;
  // Box-like rays have x_k = 1 already; powers of two keep others within [1/2, 1].
  if (!guess)
    for (std::size_t j = 0; j < width_; ++j) x[j] /= largest;
  // Gauss and Jordan on (A | 1).
  inverse_.resize(2 * d * d);
  const std::size_t twice = 2 * d;
  for (std::size_t i = 0; i < d; ++i) {
    const double* row = through_rows_[static_cast<std::size_t>(order[i])];
    double* to = inverse_.data() + i * twice;
    for (std::size_t j = 0, c = 0; j < width_; ++j)
      if (j != k) to[c++] = row[j];
    std::fill(to + d, to + twice, 0.0);
    to[d + i] = 1.0;
  }
  for (std::size_t s = 0; s < d; ++s) {
    std::size_t p = s;
    for (std::size_t i = s + 1; i < d; ++i)
      if (std::fabs(inverse_[i * twice + s]) > std::fabs(inverse_[p * twice + s])) p = i;
    const double pivot = inverse_[p * twice + s];
    if (!(std::fabs(pivot) > 0)) return false;
    if (p != s)
      for (std::size_t j = 0; j < twice; ++j)
        std::swap(inverse_[s * twice + j], inverse_[p * twice + j]);
    const double scale = 1.0 / pivot;
    for (std::size_t j = 0; j < twice; ++j) inverse_[s * twice + j] *= scale;
    for (std::size_t i = 0; i < d; ++i) {
      const double factor = inverse_[i * twice + s];
      if (i == s || factor == 0.0) continue;
      for (std::size_t j = 0; j < twice; ++j)
        inverse_[i * twice + j] -= factor * inverse_[s * twice + j];
    }
  }
  double* residual = other_row_.data();
  const double terms = static_cast<double>(d + 4);
  const auto residuals = [&] {
    for (std::size_t i = 0; i < d; ++i) {
      const double* row = through_rows_[static_cast<std::size_t>(order[i])];
      double sum = row[0] * x[0];
      for (std::size_t j = 1; j < width_; ++j) sum += row[j] * x[j];
      residual[i] = sum;
    }
  };
  residuals();
  double most = std::fabs(x[k]);
  for (std::size_t j = 0, c = 0; j < width_; ++j) {
    if (j == k) continue;
    double sum = 0.0;
    for (std::size_t i = 0; i < d; ++i) sum += inverse_[c * twice + d + i] * residual[i];
    x[j] -= sum;
    most = std::max(most, std::fabs(x[j]));
    ++c;
  }
  if (!(most < 1e300)) return false;
  // Keep |x| <= 1; what this moves, the residuals see.
  if (most > 1 + 1e-9)
    for (std::size_t j = 0; j < width_; ++j) x[j] *= 0.5 / most;
  for (std::size_t j = 0; j < width_; ++j) x[j] = std::clamp(x[j], -1.0, 1.0);
  residuals();
  double worst = 0.0, q = 0.0;
  for (std::size_t c = 0; c < d; ++c) {
    const double* b = inverse_.data() + c * twice + d;
    double off = 0.0, doubt = 0.0, bound = 0.0;
    for (std::size_t i = 0; i < d; ++i) {
      const double* row = through_rows_[static_cast<std::size_t>(order[i])];
      const double e = row[width_], norm = row[width_ + 1], size = std::fabs(b[i]);
      doubt += size * (e + terms * kRoundoff * norm);
      bound += size * (std::fabs(residual[i]) + e + 1.1 * terms * kRoundoff * norm);
    }
    for (std::size_t j = 0, cc = 0; j < width_; ++j) {
      if (j == k) continue;
      double sum = cc == c ? -1.0 : 0.0;
      for (std::size_t i = 0; i < d; ++i)
        sum += b[i] * through_rows_[static_cast<std::size_t>(order[i])][j];
      off += std::fabs(sum);
      ++cc;
    }
    worst = std::max(worst, bound);
    // Row sums: the error of the product counts once per column.
    q = std::max(q, off + 1.1 * static_cast<double>(d) * doubt);
  }
  if (!(q < 0.5)) return false;
  *error = 1.0001 * worst / (1 - q);
  return *error < kInfinity;
}

// Points the exact stage at the ray.
template <int W>
void ConeEngine<W>::aim(const Mask<W>& mask, const Through& through) {
  gather_through(mask, through);
  if (through_lines_.size() > dim_) {
    std::vector<Line> chosen;
    for (std::size_t i : exact_.independent(through_lines_, false))
      chosen.push_back(through_lines_[i]);
    through_lines_ = std::move(chosen);
  }
  std::vector<ExactSigns::Side> sides;
  if (through.direction >= 0) sides.push_back({root_.axis(through.direction), 1});
  for (std::int32_t bit = 0; bit < through.n_bits; ++bit)
    if (!mask.has(bit)) {
      const std::int32_t entry = through.table[bit];
      sides.push_back({lines_[static_cast<std::size_t>(entry >> 1)].line, entry & 1 ? -1 : 1});
    }
  exact_.aim_at_ray(through_lines_, sides);
}

template <int W>
void ConeEngine<W>::place_exactly(Ray& ray, const Mask<W>& mask, const Through& through) {
  if (root_.arithmetic == Arithmetic::kFloat) return;
  ++work_.exact_signs;
  aim(mask, through);
  const std::vector<double> t = exact_.rounded();
  double most = 0.0;
  for (std::size_t j = 0; j < width_; ++j) {
    ray.x()[j] = j < dim_ ? std::ldexp(t[j], -root_.scale[j]) : t[j];
    most = std::max(most, std::fabs(ray.x()[j]));
  }
  ray.refreshed = true;
  if (!(most < 0x1p900 && most > 0x1p-900)) {
    ray.error = kInfinity;
    return;
  }
  const int by = -std::ilogb(most) - (most == std::ldexp(1.0, std::ilogb(most)) ? 0 : 1);
  for (std::size_t j = 0; j < width_; ++j) ray.x()[j] = std::ldexp(ray.x()[j], by);
  ray.error = 2 * kRoundoff;
}

template <int W>
int ConeEngine<W>::exact_sign(const Line& line, const Mask<W>& mask, const Through& through) {
  if (root_.arithmetic == Arithmetic::kFloat) return 0;
  ++work_.exact_signs;
  aim(mask, through);
  return exact_.sign(line);
}

template <int W>
int ConeEngine<W>::sign_at(const Line& line, const double* row, const Ray& ray, const Mask<W>& mask,
                           const Through& through) {
  const auto decide = [&](const Ray& r) {
    const double value = value_at(row, r);
    const double bound = 1.0001 * row[width_] + row[width_ + 1] * slack_of(r);
    if (!(row[width_ + 1] + row[width_] < 1e300)) return 0;
    return value > bound ? 1 : value < -bound ? -1 : 0;
  };
  int sign = decide(ray);
  if (sign == 0 && !ray.refreshed && ray.error < kOriented) {
    // In a copy: what a ray is must not depend on who asked before, or listings would change in
    // their last digits with the number of threads.
    const Arena::Mark mark = arena_.mark();
    Ray* better = copy_ray(ray, 0);
    improve(*better, mask, through);
    sign = decide(*better);
    arena_.release(mark);
  }
  return sign != 0 ? sign : exact_sign(line, mask, through);
}

template <int W>
const Ray& ConeEngine<W>::listed_ray(const Ray& ray, const Mask<W>& mask, const Region& region) {
  const double size = ray.x()[dim_] != 0 ? ray.x()[dim_] : 1.0;
  if (region.cone.n_lines > 0 || ray.error < kListed * size) return ray;
  Ray& better = *copy_ray(ray, 0);
  const Through through{region.table, region.n_bits};
  improve(better, mask, through);
  if (!(better.error < kPlaced * (better.x()[dim_] != 0 ? better.x()[dim_] : 1.0)))
    place_exactly(better, mask, through);
  return better;
}

template <int W>
ExactSigns::Ray ConeEngine<W>::exact_ray(const Mask<W>& mask, const Region& region) {
  const Through through{region.table, region.n_bits};
  gather_through(mask, through);
  ExactSigns::Ray ray;
  if (through_lines_.size() > dim_) {
    for (std::size_t i : exact_.independent(through_lines_, false))
      ray.lines.push_back(through_lines_[i]);
  } else {
    ray.lines = through_lines_;
  }
  for (std::int32_t bit = 0; bit < region.n_bits; ++bit)
    if (!mask.has(bit)) {
      const std::int32_t entry = region.table[bit];
      ray.sides.push_back({lines_[static_cast<std::size_t>(entry >> 1)].line, entry & 1 ? -1 : 1});
    }
  return ray;
}

#define LINEAR_REGIONS_CONES(W) template class ConeEngine<W>;
#include "deep/cone_widths.hpp"

}  // namespace linear_regions
