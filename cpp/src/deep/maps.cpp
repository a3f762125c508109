// SPDX-License-Identifier: MIT
#include "deep/maps.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "polygon.hpp"

namespace linear_regions {
namespace {

constexpr double kTiny = 0x1p-600;

bool all_zero(const double* row, std::size_t n) {
  for (std::size_t k = 0; k < n; ++k)
    if (row[k] != 0.0) return false;
  return true;
}

}  // namespace

DeepMaps::DeepMaps(const Tape& tape, std::size_t dim)
    : tape_(tape),
      kernels_(cone_kernels()),
      columns_(dim + 2),
      scratch_(tape.slots().size()),
      delta_(tape.slots().size()),
      rows_(dim + 2) {
  for (const Op& op : tape.ops()) {
    const double gamma =
        tape.moderate() ? 1.01 * kUlp * (op.fan_in + 4) : std::numeric_limits<double>::infinity();
    gamma_.push_back(gamma);
    start_.emplace_back();
    if (op.kind != OpKind::kDense) continue;
    start_.back().resize(columns_ * padded(op.dense.n_out));
    start_map(op, start_.back().data());
  }
}

// The map of the operation's biases alone, with their part of e.
void DeepMaps::start_map(const Op& op, double* map) const {
  const double gamma = gamma_of(op);
  const std::size_t lead = padded(tape_.slots()[op.output].size);
  double* constant = map + (columns_ - 2) * lead;
  std::fill(map, map + columns_ * lead, 0.0);
  std::copy(op.bias.begin(), op.bias.end(), constant);
  for (std::size_t i = 0; i < op.bias.size(); ++i)
    if (op.bias[i] != 0.0) constant[lead + i] = gamma * std::fabs(op.bias[i]);
}

bool DeepMaps::row_at(const double* map, std::size_t n, std::int32_t unit, double* row) const {
  const std::size_t lead = padded(n), i = static_cast<std::size_t>(unit);
  bool any = false;
  for (std::size_t k = 0; k < columns_; ++k) {
    row[k] = map[k * lead + i];
    any = any || row[k] != 0.0;
  }
  return any;
}

double DeepMaps::norm(const double* row) const {
  double sum = 0.0;
  for (std::size_t k = 0; k + 1 < columns_; ++k) sum += std::fabs(row[k]);
  return sum;
}

bool DeepMaps::piece_row(const double* row, const PieceTable& table, std::size_t piece,
                         double* out) const {
  const double slope = table.slopes[piece], intercept = table.intercepts[piece];
  const double doubt = table.intercept_errors[piece];
  const std::size_t d = columns_ - 2;
  if (intercept == 0.0 && doubt == 0.0) {
    if (slope == 0.0 || all_zero(row, columns_)) return false;  // exactly
    if (slope == 1.0) {
      std::copy_n(row, columns_, out);
      return true;
    }
  }
  const double size = std::fabs(slope);
  const double error =
      (size * row[d + 1] + 4 * kUlp * (size * norm(row) + std::fabs(intercept)) + doubt) *
          1.0000001 +
      kTiny;
  for (std::size_t k = 0; k <= d; ++k) out[k] = slope * row[k];
  out[d] += intercept;
  out[d + 1] = error;
  return true;
}

double DeepMaps::entering_error(const Op& op, const double* row) const {
  return (row[columns_ - 1] + gamma_of(op) * norm(row)) * 1.0000001 + kTiny;
}

double* DeepMaps::scratch(int slot) {
  auto& map = scratch_[static_cast<std::size_t>(slot)];
  map.resize(columns_ * padded(tape_.slots()[slot].size));
  return map.data();
}

void DeepMaps::collect(int slot, const double* map, DeepRows& rows) const {
  rows.clear();
  const std::size_t n = tape_.slots()[slot].size;
  for (std::size_t i = 0; i < n; ++i) {
    const auto unit = static_cast<std::int32_t>(i);
    if (!row_at(map, n, unit, rows.add(unit))) rows.drop_last();
  }
}

void DeepMaps::base(int stage, const DeepRows& opening, const std::vector<double*>& blocks,
                    double* block) {
  const Stage& st = tape_.stages()[static_cast<std::size_t>(stage)];
  const int opening_slot = stage == 0 ? 0 : tape_.split(stage - 1).output;
  if (tape_.offset(opening_slot) != Tape::npos) {
    const std::size_t lead = padded(tape_.slots()[opening_slot].size);
    double* map = block + offset(opening_slot);
    std::fill(map, map + columns_ * lead, 0.0);
    for (std::size_t i = 0; i < opening.size(); ++i)
      for (std::size_t k = 0; k < columns_; ++k)
        map[k * lead + static_cast<std::size_t>(opening.units()[i])] = opening.row(i)[k];
  }
  for (int index : st.ops) {
    const Op& op = tape_.ops()[index];
    double* map =
        tape_.offset(op.output) != Tape::npos ? block + offset(op.output) : scratch(op.output);
    if (op.kind == OpKind::kDense && op.inputs[0] == opening_slot) {
      add_dense(op, opening, start_[number_of(op)].data(), map);
      continue;
    }
    start_map(op, map);
    for (std::size_t k = 0; k < op.inputs.size(); ++k) {
      const int slot = op.inputs[k];
      if (slot == opening_slot) {
        scatter_all(op, static_cast<int>(k), opening, map);
        continue;
      }
      const bool here = tape_.slots()[slot].stage == stage;
      const bool kept = tape_.offset(slot) != Tape::npos;
      collect(slot, here ? (kept ? block + offset(slot) : scratch(slot)) : stored(slot, blocks),
              rows_);
      scatter_all(op, static_cast<int>(k), rows_, map);
    }
  }
}

void DeepMaps::scatter_all(const Op& op, int input, const DeepRows& rows, double* map) {
  if (op.kind == OpKind::kDense) {
    add_dense(op, rows, map, map);
    return;
  }
  entered_.resize(columns_);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::copy_n(rows.row(i), columns_, entered_.data());
    entered_[columns_ - 1] = entering_error(op, rows.row(i));
    scatter(op, input, rows.units()[i], entered_.data(), map);
  }
}

// The map `start` and the rows. Errors by the inequality of Cauchy and Schwarz where no weight is
// zero, as in row_maps.cpp.
void DeepMaps::add_dense(const Op& op, const DeepRows& rows, const double* start, double* map) {
  const std::size_t n = rows.size(), lead = padded(op.dense.n_out);
  if (n == 0 || lead == 0) {
    if (start != map) std::copy_n(start, columns_ * lead, map);
    return;
  }
  entered_.resize(n * columns_);
  std::copy_n(rows.rows(), n * columns_, entered_.data());
  double squares = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    const double error = entering_error(op, rows.row(i));
    entered_[i * columns_ + columns_ - 1] = error;
    squares += error * error;
  }
  const auto& norms = op.dense.row_norm;
  // Squares of tiny bounds underflow: such rows take the sum.
  const bool sum = norms.empty() || !(squares > 0x1p-900);
  kernels_.add_rows(map, start, lead, columns_, op.dense.weight.data(), rows.units(), n,
                    entered_.data(), sum);
  if (sum) return;
  const double length = std::sqrt(squares) * 1.0000001;
  const std::size_t e = (columns_ - 1) * lead;
  for (std::size_t i = e; i < e + lead; ++i) map[i] = start[i] + norms[i - e] * length;
}

void DeepMaps::scatter(const Op& op, int input, std::int32_t unit, const double* r, double* map) {
  const std::size_t lead = padded(tape_.slots()[op.output].size);
  const auto u = static_cast<std::size_t>(unit);
  if (op.kind == OpKind::kDense) {
    kernels_.add_row(map, lead, columns_, op.dense.weight.data() + u * lead, lead, r);
  } else if (op.kind == OpKind::kConv) {
    op.conv.for_readers(unit, [&](std::size_t at, const double* weight, std::size_t filters) {
      kernels_.add_row(map + at, lead, columns_, weight, filters, r);
    });
  } else {
    const auto& in = op.sparse.inputs[static_cast<std::size_t>(input)];
    const auto end = static_cast<std::size_t>(in.by_input_start[u + 1]);
    for (auto k = static_cast<std::size_t>(in.by_input_start[u]); k < end; ++k) {
      const auto& term = in.by_input[k];
      const double factor = term.coefficient / term.divisor;
      kernels_.add_row(map + term.index, lead, columns_, &factor, 1, r);
    }
  }
}

void DeepMaps::push(int slot, std::int32_t unit, const double* row, double* block) {
  if (all_zero(row, columns_)) return;
  if (tape_.offset(slot) != Tape::npos) {
    const std::size_t lead = padded(tape_.slots()[slot].size);
    double* map = block + offset(slot);
    for (std::size_t k = 0; k < columns_; ++k)
      map[k * lead + static_cast<std::size_t>(unit)] += row[k];
  }
  for (const auto& [index, input] : tape_.consumers(slot))
    push_through(tape_.ops()[index], input, unit, row, block);
}

void DeepMaps::push_through(const Op& op, int input, std::int32_t unit, const double* row,
                            double* block) {
  entered_.resize(columns_);
  std::copy_n(row, columns_, entered_.data());
  entered_[columns_ - 1] = entering_error(op, row);
  if (tape_.offset(op.output) != Tape::npos && tape_.consumers(op.output).empty()) {
    scatter(op, input, unit, entered_.data(), block + offset(op.output));
    return;
  }
  // Another linear operation follows in the same stage: carry the additions on.
  const std::size_t n = tape_.slots()[op.output].size, lead = padded(n);
  auto& delta = delta_[static_cast<std::size_t>(op.output)];
  delta.resize(columns_ * lead, 0.0);
  scatter(op, input, unit, entered_.data(), delta.data());
  DeepRows touched(columns_);
  collect(op.output, delta.data(), touched);
  for (std::size_t i = 0; i < touched.size(); ++i)
    for (std::size_t k = 0; k < columns_; ++k)
      delta[k * lead + static_cast<std::size_t>(touched.units()[i])] = 0.0;
  for (std::size_t i = 0; i < touched.size(); ++i)
    push(op.output, touched.units()[i], touched.row(i), block);
}

}  // namespace linear_regions
