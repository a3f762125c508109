// SPDX-License-Identifier: MIT
#include "relaxation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace linear_regions {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The entry that is largest in the mean over the vertices.
std::int32_t champion_of(const Max& max, const double* rows, std::size_t n, std::int32_t window,
                         const Polygon& polygon) {
  double x = 0, y = 0, w = 0;
  for (std::int32_t i = 0; i < polygon.n; ++i) {
    x += polygon.vertices[i].x;
    y += polygon.vertices[i].y;
    w += polygon.vertices[i].w;
  }
  std::int32_t best = max.start[window];
  double most = -kInfinity;
  for (std::int32_t k = best; k < max.start[window + 1]; ++k) {
    const Row4 row = row_at(rows, n, max.entries[k]);
    const double value = row.v[0] * x + row.v[1] * y + row.v[2] * w;
    if (value > most) {
      most = value;
      best = k;
    }
  }
  return best;
}

}  // namespace

Span span_of(const Row4& row, const Extent& extent) {
  const double norm = row.norm();
  if (!((norm + row.v[3]) * extent.magnitude < kLargest)) return {-kInfinity, kInfinity};
  if (row.zero()) return {0.0, 0.0};
  double low = kInfinity, high = -kInfinity;
  for (std::int32_t i = 0; i < extent.polygon.n; ++i) {
    const Vertex& v = extent.polygon.vertices[i];
    const double value = row.v[0] * v.x + row.v[1] * v.y + row.v[2] * v.w;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  // The bound of kernels.hpp. Of its second term, a sixth is more than the rounding of the sums
  // below.
  const double doubt = 1.25 * (row.v[3] * extent.magnitude + norm * extent.slack);
  if (!(doubt < kLargest)) return {-kInfinity, kInfinity};
  return {low - doubt, high + doubt};
}

// With g(z) = f(z) - slope * z between its least and its largest value on the span, f(z) is slope *
// z plus their mean, up to half their difference. A piecewise linear g takes them at the ends or at
// breakpoints.
bool relax(const Row4& row, const PieceTable& f, const Span& span, Row4& out) {
  const double size = std::max(std::fabs(span.low), std::fabs(span.high));
  if (!(size < kLargest)) return false;
  const auto& b = f.breakpoints;
  const auto piece_at = [&](double z) {
    return static_cast<std::size_t>(std::lower_bound(b.begin(), b.end(), z) - b.begin());
  };
  const auto value = [&](std::size_t piece, double z) {
    return f.slopes[piece] * z + f.intercepts[piece];
  };
  const std::size_t first = piece_at(span.low), last = piece_at(span.high);
  const double at_low = value(first, span.low), at_high = value(last, span.high);
  const double width = span.high - span.low;
  const double slope = width > 0 ? (at_high - at_low) / width : 0.0;
  double least = at_low - slope * span.low, most = least;
  const auto meet = [&](double g) {
    least = std::min(least, g);
    most = std::max(most, g);
  };
  meet(at_high - slope * span.high);
  double steep = 0, far = 0, doubt = 0;
  for (std::size_t p = first; p <= last; ++p) {
    if (p < last) meet(value(p, b[p]) - slope * b[p]);
    steep = std::max(steep, std::fabs(f.slopes[p]));
    far = std::max(far, std::fabs(f.intercepts[p]));
    doubt = std::max(doubt, f.intercept_errors[p]);
  }
  const double mean = 0.5 * least + 0.5 * most, half = 0.5 * most - 0.5 * least;
  const double lambda = std::fabs(slope);
  // Four roundings in each g, two more in the mean and in the half; then the row's own products.
  const double rounding = 16 * kUlp * ((steep + lambda) * size + far) +
                          4 * kUlp * (lambda * row.norm() + std::fabs(mean));
  out = {{slope * row.v[0], slope * row.v[1], slope * row.v[2] + mean,
          (lambda * row.v[3] + half + rounding + doubt) * 1.0000001 + 0x1p-600}};
  return out.norm() + out.v[3] < kLargest;  // NaN too
}

// The maximum is at least the champion's value, and exceeds it by no more than the others do.
WindowBound relax_window(const Max& max, const double* rows, std::size_t n, std::int32_t window,
                         const Extent& extent, Row4& out) {
  const std::int32_t begin = max.start[window], end = max.start[window + 1];
  const auto zero = [&](std::int32_t entry) { return row_at(rows, n, entry).zero(); };
  if (std::all_of(max.entries.begin() + begin, max.entries.begin() + end, zero)) {
    out = {};  // the same map: the first entry gives the name
    return {true, begin};
  }
  const std::int32_t best = champion_of(max, rows, n, window, extent.polygon);
  const Row4 champion = row_at(rows, n, max.entries[best]);
  std::int32_t winner = best;
  bool settled = true;
  double excess = 0.0;
  for (std::int32_t k = begin; k < end; ++k) {
    if (k == best) continue;
    const Row4 other = row_at(rows, n, max.entries[k]);
    if (champion.zero() && other.zero()) {
      winner = std::min(winner, k);
      continue;
    }
    const Span span = span_of(difference(other, champion), extent);
    if (!(std::fabs(span.low) < kLargest && std::fabs(span.high) < kLargest)) return {false, -1};
    settled = settled && span.high < 0;
    excess = std::max(excess, span.high);
  }
  out = champion;
  if (settled || excess == 0.0) return {true, settled ? winner : -1};
  out.v[2] += 0.5 * excess;
  out.v[3] =
      (champion.v[3] + 0.5 * excess + 4 * kUlp * (champion.norm() + excess)) * 1.0000001 + 0x1p-600;
  return {true, -1};
}

Row4 difference(const Row4& a, const Row4& b) {
  return {{a.v[0] - b.v[0], a.v[1] - b.v[1], a.v[2] - b.v[2],
           (a.v[3] + b.v[3] + 2 * kUlp * (a.norm() + b.norm())) * 1.0000001}};
}

}  // namespace linear_regions
