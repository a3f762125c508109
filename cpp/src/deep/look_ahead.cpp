// SPDX-License-Identifier: MIT
#include "deep/look_ahead.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "deep/cone.hpp"
#include "linear_regions/sign_vector.hpp"
#include "relaxation.hpp"

namespace linear_regions {
namespace {

constexpr double kTiny = 0x1p-600;

}  // namespace

LookAhead::LookAhead(const Tape& tape, DeepMaps& maps)
    : tape_(tape),
      maps_(maps),
      kernels_(cone_kernels()),
      width_(maps.columns() - 1),
      row_(maps.columns()),
      relaxed_(maps.columns()) {}

bool LookAhead::possible(int split) const {
  const auto one_cut = [&](int s) {
    const Op& op = tape_.split(s);
    return op.kind == OpKind::kPointwise && op.pointwise.one_cut_at_zero;
  };
  return one_cut(split) && one_cut(split + 1);
}

std::span<const std::uint64_t> LookAhead::open(int split, const double* rows,
                                               std::span<const std::int32_t> units,
                                               const double* base,
                                               const std::vector<double*>& blocks,
                                               std::span<const double* const> rays, double slack) {
  const Op &op = tape_.split(split), &next = tape_.split(split + 1);
  const std::size_t n = tape_.slots()[next.output].size, lead = padded(n);
  if (n == 0 || hopeless(units.size(), n) || !(slack < INFINITY)) return {};
  block_.resize(maps_.block_size(split + 1));
  std::memcpy(block_.data(), base, block_.size() * sizeof(double));
  for (const std::int32_t unit : units) {
    maps_.row_at(rows, tape_.slots()[op.output].size, unit, row_.data());
    if (!relax(op.pointwise, unit, rays, slack)) return {};
    maps_.push(op.output, unit, relaxed_.data(), block_.data());
  }
  blocks_ = blocks;
  blocks_[static_cast<std::size_t>(split) + 1] = block_.data();
  const std::size_t words = word_count(lead);
  signs_.resize(4 * words);
  std::uint64_t *some = signs_.data(), *positive = some + 2 * words, *negative = positive + words;
  kernels_.classify({maps_.stored(next.inputs[0], blocks_), lead, width_}, rays.data(), rays.size(),
                    slack, some, some + words, positive, negative);
  for (std::size_t w = 0; w < words; ++w)
    some[w] = first_bits(n - std::min(n, 64 * w)) & ~(positive[w] | negative[w]);
  return {some, words};
}

// Makes relaxed_ stand for the unit whose input is row_; false where numbers are too large.
bool LookAhead::relax(const Pointwise& p, std::int32_t unit, std::span<const double* const> rays,
                      double slack) {
  const PieceTable& table = p.tables[static_cast<std::size_t>(p.table_of[unit])];
  for (const std::size_t piece : {std::size_t{0}, std::size_t{1}})
    if (table.intercepts[piece] != 0.0 || table.intercept_errors[piece] != 0.0) return false;
  const double e = row_[width_], norm = maps_.norm(row_.data());
  const double doubt = 1.0001 * e + norm * slack + kTiny;
  double high = 0.0, low = 0.0;  // bounds of the values, and of what is not zero at x_0 = 1
  bool flat = true;
  for (const double* ray : rays) {
    double value = row_[0] * ray[0];
    for (std::size_t k = 1; k < width_; ++k) value += row_[k] * ray[k];
    high = std::max(high, value + doubt);
    low = std::min(low, value - doubt);
    flat = flat && ray[width_ - 1] == 1.0;
  }
  const double first = table.slopes[0], jump = table.slopes[1] - first;
  const double share = high / (high - low), slope = first + jump * share;
  double miss = std::fabs(jump) * std::max((1 - share) * high, -share * low);
  // Where x_0 is one at all rays the middle of zero and T is known, and misses half as much.
  const double middle = flat ? 0.5 * std::copysign(miss, jump) : 0.0;
  if (flat) miss *= 0.5 * (1 + slack);  // x_0 is known up to the slack
  const double size = std::fabs(slope), steep = std::fabs(first) + std::fabs(table.slopes[1]);
  for (std::size_t k = 0; k < width_; ++k) relaxed_[k] = slope * row_[k];
  relaxed_[width_ - 1] += middle;
  relaxed_[width_] = (size * e + miss +
                      16 * kRoundoff * (steep * (high - low) + size * norm + std::fabs(middle))) *
                         1.0000001 +
                     kTiny;
  return maps_.norm(relaxed_.data()) + relaxed_[width_] < 1e300;  // NaN, too
}

}  // namespace linear_regions
