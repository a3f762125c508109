// SPDX-License-Identifier: MIT
// Where a ray lies, how well that is known, and on which side of a hyperplane.
//
// A new ray is interpolated between two old ones; its error bound follows theirs (mixed_error) and
// grows with every generation. When it has become useless the ray is solved anew from the d
// hyperplanes that determine it, and bounded by their residuals. What is still open is exact.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "deep/cone_engine.hpp"
#include "deep/cone_sides.hpp"

namespace linear_regions {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kImprove = 1e-8;   // bounds above this are worth a linear system,
constexpr double kGrowth = 256;     // unless the rows themselves allow little better,
constexpr double kWorn = 1e-6;      // up to this
constexpr double kCoarse = 1e-5;    // ... where rays may be coarse
constexpr double kListed = 1e-12;   // ... where rays are listed
constexpr double kPlaced = 1e-9;    // listed rays with larger bounds are placed exactly
constexpr double kOriented = 0.05;  // bounds below this share leave no doubt about the direction
// Last coordinate of a point that doubles cannot tell from infinity: it is zero at infinity alone.
constexpr double kLeastFinite = 0x1p-900;

}  // namespace

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
  ray->base = 0.0;
  ray->refreshed = ray->vanishing = ray->alive = false;
  return ray;
}

template <int W>
Ray* ConeEngine<W>::copy_ray(const Ray& ray, std::size_t words) {
  Ray* copy = new_ray(words);
  *copy = ray;
  for (std::size_t k = 0; k < stride_; k += 4)  // so short that calls of memcpy take longer
    std::memcpy(copy->x() + k, ray.x() + k, 4 * sizeof(double));
  return copy;
}

// The point of the edge from p (row positive) to q (row negative) where the row vanishes.
template <int W>
Ray* ConeEngine<W>::mix_rays(const Ray& p, const Ray& q, const double* row, const Mask<W>& common,
                             const Through& through, std::size_t words) {
  Ray* ray = new_ray(words);
  const auto [vp, vq, t, length, size] =
      kernels_.mix_edge(p.x(), q.x(), row, width_, stride_, ray->x());
  const double e = row[width_], norm = row[width_ + 1];
  ray->error = mixed_error(t, p.error, q.error, vp, vq, 1.0001 * e + norm * slack_of(p),
                           1.0001 * e + norm * slack_of(q), length);
  ray->alive = p.alive || q.alive;
  if (p.x()[dim_] + q.x()[dim_] > 0 && !(ray->x()[dim_] > kLeastFinite))
    ray->x()[dim_] = kLeastFinite;
  if (size < 0.5) {  // opposite directions nearly cancel; powers of two scale exactly
    const bool left = size > 0x1p-100;  // something of a direction
    const int by = left ? -std::ilogb(size) - 1 : 0;
    for (std::size_t k = 0; k < stride_; ++k) ray->x()[k] = std::ldexp(ray->x()[k], by);
    ray->error = left ? std::ldexp(ray->error, by) : kInfinity;
  }
  ray->base = std::max(p.base, q.base);
  const double enough =
      coarse() ? kCoarse : std::max(kImprove, std::min(kGrowth * ray->base, kWorn));
  const bool listed = !counting() && hooks_->sink->lists_rays;
  if (!(ray->error < (listed ? kListed : enough))) improve(*ray, common, through);
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
  if (!(ray.error < kOriented * largest_entry(ray.x(), width_))) {
    place_exactly(ray, mask, through);
    return;
  }
  gather_through(mask, through);
  double error = kInfinity;
  std::copy_n(ray.x(), width_, row_.data());
  const bool at_infinity = ray.x()[dim_] == 0.0;
  ray.refreshed = true;
  const bool solved = solve(row_.data(), &error, true);
  ray.base = std::min(error, ray.error);
  if (!solved || !(error < ray.error)) return;
  row_[dim_] = at_infinity ? 0.0 : std::max(row_[dim_], kLeastFinite);
  std::copy_n(row_.data(), width_, ray.x());
  ray.error = error;
}

// Keeps d independent ones of more than d hyperplanes, by elimination with full pivoting.
template <int W>
bool ConeEngine<W>::keep_independent_rows() {
  const std::size_t d = dim_, r = through_rows_.size();
  std::vector<double>& a = matrix_;
  a.resize(r * width_);
  for (std::size_t i = 0; i < r; ++i) {
    const double norm = through_rows_[i][width_ + 1];
    if (!(norm > 0 && norm < 1e300)) return false;
    for (std::size_t k = 0; k < width_; ++k) a[i * width_ + k] = through_rows_[i][k] / norm;
  }
  for (std::size_t s = 0; s < d; ++s) {
    std::size_t pi = s, pk = 0;
    double most = 0.0;
    for (std::size_t i = s; i < r; ++i)
      for (std::size_t k = 0; k < width_; ++k) {
        const double size = std::fabs(a[i * width_ + k]);
        if (size > most) most = size, pi = i, pk = k;
      }
    if (!(most > 1e-14)) return false;
    std::swap(through_rows_[s], through_rows_[pi]);
    if (pi != s)
      std::swap_ranges(a.begin() + static_cast<std::ptrdiff_t>(s * width_),
                       a.begin() + static_cast<std::ptrdiff_t>((s + 1) * width_),
                       a.begin() + static_cast<std::ptrdiff_t>(pi * width_));
    for (std::size_t i = s + 1; i < r; ++i) {
      const double factor = a[i * width_ + pk] / a[s * width_ + pk];
      if (factor == 0.0) continue;
      for (std::size_t k = 0; k < width_; ++k) a[i * width_ + k] -= factor * a[s * width_ + k];
      a[i * width_ + pk] = 0.0;
    }
  }
  through_rows_.resize(d);
  return true;
}

// Solves the rows through_rows_ (at least d of them, d independent) for x, with a bound of its
// error; see cone_solve_body.hpp. A guess must be good enough to fix its direction; without one any
// of the two directions may come out.
template <int W>
bool ConeEngine<W>::solve(double* x, double* error, bool guess) {
  const std::size_t r = through_rows_.size();
  if (r < dim_) throw std::logic_error("a ray lies on fewer hyperplanes than dimensions");
  if (r > dim_ && !keep_independent_rows()) return false;
  const auto largest = [&] {
    std::size_t k = 0;
    for (std::size_t j = 1; j < width_; ++j)
      if (std::fabs(x[j]) > std::fabs(x[k])) k = j;
    return static_cast<std::int32_t>(k);
  };
  const auto attempt = [&](std::int32_t fixed) {
    return kernels_.solve(through_rows_.data(), dim_, fixed, solve_work_.data(),
                          solve_place_.data(), x, error);
  };
  if (!guess) return attempt(-1);
  const std::int32_t k = largest();
  const bool negative = x[k] < 0;
  if (!attempt(k)) return false;
  if (negative)
    for (std::size_t j = 0; j < width_; ++j) x[j] = -x[j];
  return true;
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
  ray.error = ray.base = 2 * kRoundoff;
}

template <int W>
int ConeEngine<W>::exact_sign(const Line& line, const Mask<W>& mask, const Through& through) {
  if (root_.arithmetic == Arithmetic::kFloat) return 0;
  ++work_.exact_signs;
  aim(mask, through);
  return exact_.sign(line);
}

template <int W>
int ConeEngine<W>::float_sign(const double* row, const Ray& ray) const {
  if (!(row[width_ + 1] + row[width_] < 1e300)) return 0;
  const double value = value_at(row, ray);
  const double bound = 1.0001 * row[width_] + row[width_ + 1] * slack_of(ray);
  return value > bound ? 1 : value < -bound ? -1 : 0;
}

// A row and a ray without error that share no coordinate: sides of a box along its axes.
template <int W>
bool ConeEngine<W>::exactly_zero(const double* row, const Ray& ray) const {
  if (row[width_] != 0.0 || ray.error != 0.0) return false;
  for (std::size_t k = 0; k < width_; ++k)
    if (row[k] != 0.0 && ray.x()[k] != 0.0) return false;
  return true;
}

template <int W>
int ConeEngine<W>::sign_at(const Line& line, const double* row, Ray& ray, const Mask<W>& mask,
                           const Through& through) {
  int sign = float_sign(row, ray);
  if (sign == 0 && exactly_zero(row, ray)) return 0;
  if (sign == 0 && !ray.refreshed && ray.error < kOriented) {
    // In a copy where it shows: what a ray is must not depend on who asked before, or listings
    // would change in their last digits with the number of threads.
    const Arena::Mark mark = arena_.mark();
    Ray* better = coarse() ? &ray : copy_ray(ray, 0);
    improve(*better, mask, through);
    sign = float_sign(row, *better);
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
void ConeEngine<W>::write_spot(const Ray& ray, double* spot) const {
  const double* x = ray.x();
  const double scale = x[dim_] != 0 ? x[dim_] : largest_entry(x, dim_);
  for (std::size_t k = 0; k < dim_; ++k) spot[k] = x[k] / scale + 0.0;
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
