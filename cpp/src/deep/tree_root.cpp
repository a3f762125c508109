// SPDX-License-Identifier: MIT
// TreeRoot: the domain in coordinates of moderate size, and its rows in doubles.
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "deep/tree.hpp"
#include "polygon.hpp"

namespace linear_regions {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool moderate(double value) {
  const double size = std::fabs(value);
  return size == 0.0 || (size >= 0x1p-200 && size <= 0x1p200);
}

// Bounds of the coordinates that single sides give, rounded outwards by far more than the two
// roundings, of the side and of the quotient.
CoordinateBounds outer_bounds(const DomainFrame& domain) {
  CoordinateBounds out = coordinate_bounds(domain);
  const auto room = [](double value) { return 0x1p-50 * std::fabs(value) + 0x1p-900; };
  for (double& value : out.low) value -= room(value);
  for (double& value : out.high) value += room(value);
  return out;
}

double norm_of(const double* row, std::size_t n) {
  double sum = 0;
  for (std::size_t k = 0; k < n; ++k) sum += std::fabs(row[k]);
  return sum;
}

}  // namespace

// Bounded coordinates are brought into about [-1, 1]: scaled by a power of two, and moved where
// the domain is far from zero.
TreeRoot::TreeRoot(const Tape& t, const DomainFrame& domain, Arithmetic how)
    : tape(t), arithmetic(how) {
  const std::size_t d = domain.dim, n = t.n_in();
  if (domain.columns.size() != d + 1 ||
      std::any_of(domain.columns.begin(), domain.columns.end(),
                  [&](const auto& column) { return column.size() != n; }))
    throw std::invalid_argument("the domain has another input size than the network");
  center.assign(d, 0.0);
  exponent.assign(d, 0);
  auto [low, high] = outer_bounds(domain);
  tame = t.moderate();
  always_sharp = sharpen_always();
  for (std::size_t j = 0; j < d; ++j) {
    if (!std::isfinite(low[j]) || !std::isfinite(high[j])) continue;
    const double middle = low[j] / 2 + high[j] / 2, half = high[j] / 2 - low[j] / 2;
    double size = std::max(std::fabs(low[j]), std::fabs(high[j]));
    if (std::fabs(middle) > half) {
      center[j] = middle;
      size = std::max(high[j] - middle, middle - low[j]);
    }
    tame = tame && moderate(size) && moderate(center[j]);
    if (size >= 0x1p-200 && size <= 0x1p200) exponent[j] = std::ilogb(size) + 1;
  }
  place = moved(domain, center, exponent);
  for (double value : place.sides) tame = tame && moderate(value);
  for (const auto& column : place.columns)
    for (double value : column) tame = tame && moderate(value);
  const CoordinateBounds around = outer_bounds(place);
  reach.assign(d, kInfinity);
  for (std::size_t j = 0; j < d; ++j) {
    reach[j] = std::max(std::fabs(around.low[j]), std::fabs(around.high[j]));
    largest_reach = std::max(largest_reach, reach[j]);
  }
  for (std::size_t i = 0; i < place.n_sides(); ++i) {
    const double* side = place.side(i);
    sides.insert(sides.end(), side, side + d + 1);
    sides.push_back(!tame                       ? kInfinity
                    : place.exact_sides.empty() ? 0.0
                                                : 2 * kUlp * norm_of(side, d + 1));
  }
  DeepRows opening(d + 2);
  for (std::size_t i = 0; i < n; ++i) {
    double* row = opening.add(static_cast<std::int32_t>(i));
    for (std::size_t j = 0; j <= d; ++j) row[j] = place.columns[j][i];
    const double norm = norm_of(row, d + 1);
    row[d + 1] = place.exact_columns.empty() ? 0.0 : 2 * kUlp * norm + 0x1p-600;
    if (!tame) row[d + 1] = kInfinity;
    if (norm == 0.0 && row[d + 1] == 0.0) opening.drop_last();
  }
  DeepMaps maps(t, d);
  first_block.resize(maps.block_size(0));
  maps.base(0, opening, {first_block.data()}, first_block.data());
  most_rows = place.n_sides() + 2;
  for (std::size_t s = 0; s < t.splits().size(); ++s) {
    const Op& op = t.split(static_cast<int>(s));
    most_rows +=
        op.kind == OpKind::kPointwise ? op.pointwise.unit_of_cut.size() : op.max.entries.size();
  }
}

}  // namespace linear_regions
