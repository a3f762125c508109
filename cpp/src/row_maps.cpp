// SPDX-License-Identifier: MIT
#include "row_maps.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "polygon.hpp"

namespace linear_regions {
namespace {

constexpr double kTiny = 0x1p-600;
constexpr double kRounded = 0x1p-45;  // beside norms: more precision does not mend these

}  // namespace

bool blunt(const double* map, std::size_t stride, std::size_t n, std::size_t width, double share) {
  const std::size_t step = n / 8 + 1;
  double slope = 0, norm = 0, error = 0;
  for (std::size_t i = 0; i < n; i += step) error = std::max(error, map[width * stride + i]);
  for (std::size_t i = 0; i < n; i += step) {
    double sum = 0;
    for (std::size_t k = 0; k + 1 < width; ++k) sum += std::fabs(map[k * stride + i]);
    slope = std::max(slope, sum);
    if (error <= share * slope) return false;  // mostly by the first row
    norm = std::max(norm, sum + std::fabs(map[(width - 1) * stride + i]));
  }
  return error > share * slope && error > kRounded * norm && slope > 0;
}

Row4 piece_row(const Row4& row, const PieceTable& table, std::size_t piece) {
  const double slope = table.slopes[piece], intercept = table.intercepts[piece];
  const double doubt = table.intercept_errors[piece];
  if (intercept == 0.0 && doubt == 0.0) {
    if (slope == 1.0) return row;
    if (slope == 0.0 || row.zero()) return {};  // exactly
  }
  Row4 out{{slope * row.v[0], slope * row.v[1], slope * row.v[2] + intercept, 0}};
  const double size = std::fabs(slope);
  out.v[3] = (size * row.v[3] + 4 * kUlp * (size * row.norm() + std::fabs(intercept)) + doubt) *
                 1.0000001 +
             kTiny;
  return out;
}

RowMaps::RowMaps(const Tape& tape)
    : tape_(tape), kernels_(kernels()), scratch_(tape.slots().size()), delta_(tape.slots().size()) {
  for (const Op& op : tape.ops()) {
    const double gamma =
        tape.moderate() ? 1.01 * kUlp * (op.fan_in + 4) : std::numeric_limits<double>::infinity();
    gamma_.push_back(gamma);
    std::vector<double> doubt(op.is_split() ? 0 : op.bias.size(), 0.0);
    for (std::size_t i = 0; i < doubt.size(); ++i)
      if (op.bias[i] != 0.0) doubt[i] = gamma * std::fabs(op.bias[i]);
    bias_error_.push_back(std::move(doubt));
  }
}

Row4 RowMaps::entering(const Op& op, const Row4& row) const {
  if (row.zero()) return row;
  Row4 out = row;
  const double gamma = gamma_[static_cast<std::size_t>(&op - tape_.ops().data())];
  out.v[3] = (row.v[3] + gamma * row.norm()) * 1.0000001 + kTiny;
  return out;
}

double* RowMaps::scratch(int slot) {
  auto& map = scratch_[static_cast<std::size_t>(slot)];
  map.resize(4 * padded(tape_.slots()[slot].size));
  return map.data();
}

void RowMaps::collect(int slot, const double* map, RowList& rows) const {
  rows.clear();
  const std::size_t n = tape_.slots()[slot].size;
  for (std::size_t i = 0; i < n; ++i) {
    const Row4 row = row_at(map, n, static_cast<std::int32_t>(i));
    if (!row.zero()) rows.add(static_cast<std::int32_t>(i), row);
  }
}

void RowMaps::base(int stage, const RowList& opening, const std::vector<double*>& blocks,
                   double* block, const How& how) {
  const Stage& st = tape_.stages()[static_cast<std::size_t>(stage)];
  const int opening_slot = stage == 0 ? 0 : tape_.split(stage - 1).output;
  if (const std::size_t at = tape_.offset(opening_slot); at != Tape::npos) {
    const std::size_t n = tape_.slots()[opening_slot].size;
    std::fill(block + at, block + at + 4 * padded(n), 0.0);
    for (std::size_t i = 0; i < opening.size(); ++i)
      set_row(block + at, n, opening.unit(i), opening.row(i));
  }
  for (int index : st.ops) {
    const Op& op = tape_.ops()[index];
    const std::size_t lead = padded(tape_.slots()[op.output].size);
    const std::size_t at = tape_.offset(op.output);
    double* map = at != Tape::npos ? block + at : scratch(op.output);
    const auto& doubt = bias_error_[static_cast<std::size_t>(index)];
    std::fill(map, map + 2 * lead, 0.0);
    if (how.homogeneous) {
      std::fill(map + 2 * lead, map + 4 * lead, 0.0);
    } else {
      std::copy(op.bias.begin(), op.bias.end(), map + 2 * lead);
      std::copy(doubt.begin(), doubt.end(), map + 3 * lead);
    }
    for (std::size_t k = 0; k < op.inputs.size(); ++k) {
      const int slot = op.inputs[k];
      if (slot == opening_slot) {
        scatter_all(op, static_cast<int>(k), opening, map, how.sharp);
        continue;
      }
      const bool here = tape_.slots()[slot].stage == stage;
      if (!here && blocks[static_cast<std::size_t>(tape_.slots()[slot].stage)] == nullptr) continue;
      const std::size_t from = tape_.offset(slot);
      collect(slot,
              here ? (from != Tape::npos ? block + from : scratch(slot)) : stored(slot, blocks),
              rows_);
      scatter_all(op, static_cast<int>(k), rows_, map, how.sharp);
    }
  }
}

void RowMaps::scatter_all(const Op& op, int input, const RowList& rows, double* map, bool sharp) {
  if (op.kind == OpKind::kDense) {
    add_dense(op, rows, map, sharp);
    return;
  }
  for (std::size_t i = 0; i < rows.size(); ++i)
    scatter(op, input, rows.unit(i), entering(op, rows.row(i)), map);
}

// Where no weight is zero, the error bounds of all outputs come from one number by the inequality
// of Cauchy and Schwarz, sum |w_j| e_j <= ||w|| ||e||: about twice the sum itself in random layers,
// and a quarter of the work saved. Zero weights ask for the sum, so that an output that sees only
// rows that are exactly zero stays exact.
void RowMaps::add_dense(const Op& op, const RowList& rows, double* map, bool sharp) {
  const std::size_t k = rows.size(), lead = padded(op.dense.n_out);
  const double gamma = gamma_[static_cast<std::size_t>(&op - tape_.ops().data())];
  if (entered_.size() < k) entered_.resize(k);
  double squares = 0.0;
  for (std::size_t i = 0; i < k; ++i) {
    const Row4& row = rows.row(i);
    const double error = (row.v[3] + gamma * row.norm()) * 1.0000001 + kTiny;
    entered_[i] = {{row.v[0], row.v[1], row.v[2], error}};
    squares += error * error;
  }
  double* const out[4] = {map, map + lead, map + 2 * lead, map + 3 * lead};
  const auto& norms = op.dense.row_norm;
  // Squares of tiny bounds underflow: such rows take the sum.
  const bool sum = sharp || norms.empty() || !(squares > 0x1p-900);
  kernels_.add_rows(out, op.dense.weight.data(), lead, rows.units(), k,
                    entered_.empty() ? nullptr : entered_[0].v, sum);
  if (sum) return;
  const double length = std::sqrt(squares) * 1.0000001;
  for (std::size_t i = 0; i < lead; ++i) out[3][i] += norms[i] * length;
}

void RowMaps::scatter(const Op& op, int input, std::int32_t unit, const Row4& r, double* map) {
  const std::size_t lead = padded(tape_.slots()[op.output].size);
  double *gx = map, *gy = map + lead, *c = map + 2 * lead, *e = map + 3 * lead;
  const auto u = static_cast<std::size_t>(unit);
  if (op.kind == OpKind::kDense) {
    kernels_.add_row(gx, gy, c, e, op.dense.weight.data() + u * lead, lead, r.v);
  } else if (op.kind == OpKind::kConv) {
    op.conv.for_readers(unit, [&](std::size_t at, const double* weight, std::size_t n) {
      kernels_.add_row(gx + at, gy + at, c + at, e + at, weight, n, r.v);
    });
  } else {
    const auto& in = op.sparse.inputs[static_cast<std::size_t>(input)];
    const auto end = static_cast<std::size_t>(in.by_input_start[u + 1]);
    for (auto k = static_cast<std::size_t>(in.by_input_start[u]); k < end; ++k) {
      const auto& term = in.by_input[k];
      const double factor = term.coefficient / term.divisor;
      kernels_.add_row(gx + term.index, gy + term.index, c + term.index, e + term.index, &factor, 1,
                       r.v);
    }
  }
}

void RowMaps::push(int slot, std::int32_t unit, const Row4& row, double* block) {
  if (row.zero()) return;
  if (const std::size_t at = tape_.offset(slot); at != Tape::npos) {
    const std::size_t lead = padded(tape_.slots()[slot].size);
    for (std::size_t k = 0; k < 4; ++k)
      block[at + k * lead + static_cast<std::size_t>(unit)] += row.v[k];
  }
  for (const auto& [index, input] : tape_.consumers(slot))
    push_through(tape_.ops()[index], input, unit, row, block);
}

void RowMaps::push_through(const Op& op, int input, std::int32_t unit, const Row4& row,
                           double* block) {
  const Row4 entered = entering(op, row);
  const std::size_t at = tape_.offset(op.output);
  if (at != Tape::npos && tape_.consumers(op.output).empty()) {
    scatter(op, input, unit, entered, block + at);
    return;
  }
  // Another linear operation follows in the same stage: carry the additions on.
  const std::size_t n = tape_.slots()[op.output].size;
  auto& delta = delta_[static_cast<std::size_t>(op.output)];
  delta.resize(4 * padded(n), 0.0);
  scatter(op, input, unit, entered, delta.data());
  RowList touched;
  collect(op.output, delta.data(), touched);
  for (std::size_t i = 0; i < touched.size(); ++i) set_row(delta.data(), n, touched.unit(i), {});
  for (std::size_t i = 0; i < touched.size(); ++i)
    push(op.output, touched.unit(i), touched.row(i), block);
}

}  // namespace linear_regions
