// SPDX-License-Identifier: MIT
#include "forward/error_bounds.hpp"

#include <algorithm>
#include <cmath>

namespace linear_regions {
namespace {

constexpr double kRoundoff = 0x1p-53, kUp = 1.000001;

double largest(const std::vector<double>& values) {
  double most = 0.0;
  for (const double v : values) most = std::max(most, std::fabs(v));
  return most;
}

double dense_norm(const Dense& dense) {
  const std::size_t lead = padded(dense.n_out);
  std::vector<double> sums(dense.n_out, 0.0);
  for (std::size_t j = 0; j < dense.n_in; ++j)
    for (std::size_t i = 0; i < dense.n_out; ++i) sums[i] += std::fabs(dense.weight[j * lead + i]);
  return kUp * largest(sums);
}

// Of the positions that read the whole kernel; the others read less.
double conv_norm(const Conv& c) {
  const std::size_t group_out = c.filters / c.groups, rows = c.weight.size() / c.filters;
  std::vector<double> sums(c.filters, 0.0);
  for (std::size_t g = 0; g < c.groups; ++g)
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t f = 0; f < group_out; ++f)
        sums[g * group_out + f] += std::fabs(c.weight[(g * rows + r) * group_out + f]);
  return kUp * largest(sums);
}

double sparse_norm(const Sparse::Input& map, double& terms) {
  double most = 0.0;
  for (std::size_t i = 0; i + 1 < map.by_output_start.size(); ++i) {
    double sum = 0.0;
    for (std::int32_t t = map.by_output_start[i]; t < map.by_output_start[i + 1]; ++t) {
      const auto& term = map.by_output[static_cast<std::size_t>(t)];
      sum += std::fabs(term.coefficient) / term.divisor;
    }
    most = std::max(most, sum);
  }
  terms += static_cast<double>(map.by_output.size());
  return kUp * most;
}

}  // namespace

ErrorBounds::ErrorBounds(const Tape& tape) : usable_(tape.moderate()) {
  for (const Op& op : tape.ops()) {
    Factors f;
    if (op.kind == OpKind::kMax)
      f.norm = {1.0};
    else if (op.kind == OpKind::kPointwise)
      pieces(op, f);
    else
      linear(tape, op, f);
    factors_.push_back(std::move(f));
  }
}

void ErrorBounds::linear(const Tape& tape, const Op& op, Factors& f) {
  f.gamma = 1.02 * kRoundoff * (op.fan_in + 8);
  f.bias = largest(op.bias);
  f.added = 0x1p-700;  // of underflows, which later weights may enlarge
  if (op.kind == OpKind::kDense) {
    f.norm = {dense_norm(op.dense)};
    work_ += static_cast<double>(op.dense.n_in) * static_cast<double>(op.dense.n_out);
  } else if (op.kind == OpKind::kConv) {
    f.norm = {conv_norm(op.conv)};
    const auto n_out = tape.slots()[static_cast<std::size_t>(op.output)].size;
    work_ += static_cast<double>(n_out) * static_cast<double>(op.conv.weight.size()) /
             static_cast<double>(op.conv.filters);
  } else {
    for (const auto& map : op.sparse.inputs) f.norm.push_back(sparse_norm(map, work_));
  }
}

void ErrorBounds::pieces(const Op& op, Factors& f) const {
  double slope = 0.0;
  for (const PieceTable& table : op.pointwise.tables) {
    slope = std::max(slope, largest(table.slopes));
    f.bias = std::max(f.bias, largest(table.intercepts));
    f.added = std::max(f.added, kUp * largest(table.intercept_errors));
  }
  f.norm = {slope};
  if (op.pointwise.is_relu) return;  // nothing is rounded
  f.gamma = 8 * kRoundoff;
  f.added += 0x1p-700;
}

}  // namespace linear_regions
