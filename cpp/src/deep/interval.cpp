// SPDX-License-Identifier: MIT
#include "linear_regions/interval.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "polygon.hpp"

namespace linear_regions {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Bounds {
  std::vector<double> low, high;
  explicit Bounds(std::size_t n = 0) : low(n, 0.0), high(n, 0.0) {}
};

// A sum of products and the sum of their sizes, which bounds the rounding.
struct Sums {
  std::vector<double> low, high, size;
  explicit Sums(std::size_t n) : low(n, 0.0), high(n, 0.0), size(n, 0.0) {}

  void add(std::size_t out, double weight, const Bounds& in, std::size_t j) {
    if (weight == 0.0) return;
    low[out] += weight * (weight > 0 ? in.low[j] : in.high[j]);
    high[out] += weight * (weight > 0 ? in.high[j] : in.low[j]);
    size[out] += std::fabs(weight) * std::max(std::fabs(in.low[j]), std::fabs(in.high[j]));
  }
};

void add_conv(const Conv& conv, const Bounds& in, Sums& out) {
  const std::size_t group_in = conv.channels / conv.groups;
  const std::size_t group_out = conv.filters / conv.groups;
  const auto offsets = static_cast<std::size_t>(conv.kernel[0] * conv.kernel[1] * conv.kernel[2]);
  for (std::size_t j = 0; j < in.low.size(); ++j) {
    const auto channel = static_cast<std::size_t>(conv.channel_of[j]);
    const auto position = static_cast<std::size_t>(conv.position_of[j]);
    const std::size_t group = channel / group_in;
    const double* weight =
        conv.weight.data() + (group * group_in + channel % group_in) * offsets * group_out;
    const auto end = static_cast<std::size_t>(conv.reader_start[position + 1]);
    for (auto k = static_cast<std::size_t>(conv.reader_start[position]); k < end; ++k) {
      const std::size_t at =
          static_cast<std::size_t>(conv.reader_position[k]) * conv.filters + group * group_out;
      const double* w = weight + static_cast<std::size_t>(conv.reader_offset[k]) * group_out;
      for (std::size_t f = 0; f < group_out; ++f) out.add(at + f, w[f], in, j);
    }
  }
}

Bounds linear(const Op& op, const std::vector<Bounds>& slots, std::size_t n, bool moderate) {
  Sums sums(n);
  for (std::size_t k = 0; k < op.inputs.size(); ++k) {
    const Bounds& in = slots[static_cast<std::size_t>(op.inputs[k])];
    if (op.kind == OpKind::kDense) {
      const std::size_t lead = padded(op.dense.n_out);
      for (std::size_t j = 0; j < in.low.size(); ++j)
        for (std::size_t i = 0; i < n; ++i) sums.add(i, op.dense.weight[j * lead + i], in, j);
    } else if (op.kind == OpKind::kConv) {
      add_conv(op.conv, in, sums);
    } else {
      const auto& map = op.sparse.inputs[k];
      for (std::size_t j = 0; j < in.low.size(); ++j)
        for (std::int32_t t = map.by_input_start[j]; t < map.by_input_start[j + 1]; ++t) {
          const auto& term = map.by_input[static_cast<std::size_t>(t)];
          sums.add(static_cast<std::size_t>(term.index), term.coefficient / term.divisor, in, j);
        }
    }
  }
  // Weights outside the moderate range may underflow: then nothing is known.
  const double gamma = moderate ? 1.01 * kUlp * (op.fan_in + 6) : kInfinity;
  Bounds out(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double bias = op.bias[i];
    const double size = sums.size[i] + std::fabs(bias);
    // A sum of nothing but zeros is zero.
    const double error = size == 0.0 && moderate ? 0.0 : gamma * size + 0x1p-600;
    out.low[i] = sums.low[i] + bias - error;
    out.high[i] = sums.high[i] + bias + error;
    if (!(out.low[i] <= out.high[i])) {  // an overflow
      out.low[i] = -kInfinity;
      out.high[i] = kInfinity;
    }
  }
  return out;
}

// Least and largest value of a piecewise linear function between low and high.
void image(const PieceTable& table, double low, double high, double& least, double& largest) {
  least = kInfinity;
  largest = -kInfinity;
  const auto take = [&](std::size_t piece, double z) {
    const double slope = table.slopes[piece], intercept = table.intercepts[piece];
    const double value = slope == 0.0 ? intercept : slope * z + intercept;
    const bool exact = slope == 0.0 || std::isinf(z) || (slope == 1.0 && intercept == 0.0);
    const double rounding =
        exact ? 0.0 : 4 * kUlp * (std::fabs(slope * z) + std::fabs(intercept)) + 0x1p-600;
    const double error = rounding + table.intercept_errors[piece];
    const bool overflow = std::isinf(value) && std::isfinite(z);
    if (overflow || std::isnan(value) || !std::isfinite(error)) {
      least = -kInfinity;
      largest = kInfinity;
      return;
    }
    least = std::min(least, value - error);
    largest = std::max(largest, value + error);
  };
  for (std::size_t piece = 0; piece < table.slopes.size(); ++piece) {
    const double from = piece == 0 ? -kInfinity : table.breakpoints[piece - 1];
    const double to = piece == table.breakpoints.size() ? kInfinity : table.breakpoints[piece];
    if (high < from || low > to) continue;
    take(piece, std::max(low, from));
    take(piece, std::min(high, to));
  }
  if (!(least <= largest)) {
    least = -kInfinity;
    largest = kInfinity;
  }
}

// Values of pointwise unit i; true where one piece holds all of its inputs.
bool bend(const Pointwise& p, std::size_t i, const Bounds& in, double& low, double& high) {
  const PieceTable& table = p.tables[static_cast<std::size_t>(p.table_of[i])];
  image(table, in.low[i], in.high[i], low, high);
  return std::all_of(table.breakpoints.begin(), table.breakpoints.end(),
                     [&](double at) { return in.high[i] <= at || in.low[i] > at; });
}

// Values of window i; true where one entry is above all others.
bool win(const Max& max, std::size_t i, const Bounds& in, double& low, double& high) {
  low = high = -kInfinity;
  std::int32_t best = max.start[i];
  for (std::int32_t k = max.start[i]; k < max.start[i + 1]; ++k) {
    const auto entry = static_cast<std::size_t>(max.entries[static_cast<std::size_t>(k)]);
    if (in.low[entry] > low) best = k;
    low = std::max(low, in.low[entry]);
    high = std::max(high, in.high[entry]);
  }
  for (std::int32_t k = max.start[i]; k < max.start[i + 1]; ++k)
    if (k != best &&
        !(in.high[static_cast<std::size_t>(max.entries[static_cast<std::size_t>(k)])] < low))
      return false;
  return true;
}

}  // namespace

std::vector<std::vector<std::uint8_t>> unstable_units(const Tape& tape, std::span<const double> low,
                                                      std::span<const double> high) {
  if (low.size() != tape.n_in() || high.size() != tape.n_in())
    throw std::invalid_argument("the box has another input size than the network");
  std::vector<Bounds> slots;
  slots.emplace_back(tape.n_in());
  for (std::size_t j = 0; j < tape.n_in(); ++j) {
    const auto e = static_cast<std::size_t>(tape.slots()[0].external_of[j]);
    slots[0].low[j] = low[e];
    slots[0].high[j] = high[e];
  }
  std::vector<std::vector<std::uint8_t>> result;
  for (const Op& op : tape.ops()) {
    const std::size_t n = tape.slots()[op.output].size;
    if (!op.is_split()) {
      slots.push_back(linear(op, slots, n, tape.moderate()));
      continue;
    }
    const Bounds& in = slots[static_cast<std::size_t>(op.inputs[0])];
    Bounds out(n);
    std::vector<std::uint8_t> open(n, 0);
    const auto& external = tape.slots()[op.output].external_of;
    for (std::size_t i = 0; i < n; ++i) {
      const bool fixed = op.kind == OpKind::kPointwise
                             ? bend(op.pointwise, i, in, out.low[i], out.high[i])
                             : win(op.max, i, in, out.low[i], out.high[i]);
      open[static_cast<std::size_t>(external[i])] = fixed ? 0 : 1;
    }
    result.push_back(std::move(open));
    slots.push_back(std::move(out));
  }
  return result;
}

}  // namespace linear_regions
