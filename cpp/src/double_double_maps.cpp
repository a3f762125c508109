// SPDX-License-Identifier: MIT
#include "double_double_maps.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "polygon.hpp"

namespace linear_regions {
namespace {

constexpr double kTiny = 0x1p-600;  // covers underflow, as in RowMaps
constexpr double kUp = 1.0000001;   // more than the rounding of a bound
constexpr std::size_t kSpare = 8;   // doubles that the kernel may touch behind a map

struct Pair {
  double high, low;
};

// Knuth 1969: high + low = a + b.
Pair sum(double a, double b) {
  const double s = a + b, t = s - a;
  return {s, (a - (s - t)) + (b - t)};
}

// Dekker 1971: high + low = a * b, with factors below 2^900.
Pair product(double a, double b) {
  const auto split = [](double x) {
    const double c = 134217729.0 * x, high = c - (c - x);
    return Pair{high, x - high};
  };
  const double p = a * b;
  const Pair x = split(a), y = split(b);
  return {p, ((x.high * y.high - p) + x.high * y.low + x.low * y.high) + x.low * y.low};
}

}  // namespace

bool sharpen_always() {
  const char* wish = std::getenv("LINEAR_REGIONS_SHARPEN");
  return wish != nullptr && std::strcmp(wish, "always") == 0;
}

DoubleDoubleMaps::DoubleDoubleMaps(const Tape& tape, const Path& path, std::size_t width,
                                   std::function<InputColumns()> input)
    : tape_(tape),
      path_(path),
      kernels_(kernels()),
      width_(width),
      columns_(2 * width + 1),
      input_(std::move(input)),
      owner_(tape.stages().size(), 0),
      maps_(tape.slots().size()),
      row_(columns_),
      entered_(columns_) {}

double DoubleDoubleMaps::norm(const double* row) const {
  double sum = 0.0;
  for (std::size_t k = 0; k < width_; ++k) sum += std::fabs(row[k]);
  return sum * kUp;
}

bool DoubleDoubleMaps::get(int slot, std::size_t unit, double* row) const {
  const std::size_t lead = padded(tape_.slots()[slot].size);
  const double* from = maps_[static_cast<std::size_t>(slot)].data() + unit;
  bool any = false;
  for (std::size_t k = 0; k < columns_; ++k) {
    row[k] = from[k * lead];
    any = any || row[k] != 0.0;
  }
  return any;
}

void DoubleDoubleMaps::put(int slot, std::size_t unit, const double* row) {
  const std::size_t lead = padded(tape_.slots()[slot].size);
  double* to = maps_[static_cast<std::size_t>(slot)].data() + unit;
  for (std::size_t k = 0; k < columns_; ++k) to[k * lead] = row[k];
}

void DoubleDoubleMaps::fill(int split, double* block) {
  int stage = 0;
  while (stage <= split &&
         owner_[static_cast<std::size_t>(stage)] == path_.cell[static_cast<std::size_t>(stage)])
    ++stage;
  for (; stage <= split; ++stage) advance(stage);
  for (const int slot : tape_.stages()[static_cast<std::size_t>(split)].stored) {
    const std::size_t n = tape_.slots()[slot].size, lead = padded(n);
    const double* from = maps_[static_cast<std::size_t>(slot)].data();
    double* out = block + tape_.offset(slot) / 4 * (width_ + 1);  // offsets are for four columns
    std::copy_n(from, width_ * lead, out);
    double* e = out + width_ * lead;
    for (std::size_t i = 0; i < lead; ++i) {
      double sum = 0.0;  // what the high parts leave
      for (std::size_t k = width_; k < columns_; ++k) sum += std::fabs(from[k * lead + i]);
      e[i] = sum == 0.0 ? 0.0 : sum * kUp + kTiny;
    }
  }
}

// Computes all maps of a stage; those of the stages before it are there.
void DoubleDoubleMaps::advance(int stage) {
  const auto at = static_cast<std::size_t>(stage);
  owner_[at] = 0;
  open(stage);
  for (const int index : tape_.stages()[at].ops) {
    if (keep_going_ && !keep_going_()) throw Stopped{};
    apply(index);
  }
  owner_[at] = path_.cell[at];
}

// The slot that opens a stage: the input, or the outputs of the split before it.
void DoubleDoubleMaps::open(int stage) {
  const int slot = stage == 0 ? 0 : tape_.split(stage - 1).output;
  const Slot& s = tape_.slots()[slot];
  maps_[static_cast<std::size_t>(slot)].assign(columns_ * padded(s.size) + kSpare, 0.0);
  if (stage == 0) return open_input(s);
  const Op& op = tape_.split(stage - 1);
  const auto split = static_cast<std::size_t>(stage - 1);
  if (op.kind == OpKind::kMax) {
    for (std::size_t w = 0; w < s.size; ++w) {
      const auto winner = static_cast<std::size_t>(path_.winner[split][w]);
      if (get(op.inputs[0], static_cast<std::size_t>(op.max.entries[winner]), row_.data()))
        put(slot, w, row_.data());
    }
    return;
  }
  const Pointwise& p = op.pointwise;
  const CutsOn& on = path_.cuts[split];
  for (std::size_t i = 0; i < s.size; ++i) {
    std::size_t number = 0;
    for (std::int32_t q = p.cut_start[i]; q < p.cut_start[i + 1]; ++q) number += on(q);
    get(op.inputs[0], i, row_.data());
    if (piece(row_.data(), p.tables[static_cast<std::size_t>(p.table_of[i])], number,
              entered_.data()))
      put(slot, i, entered_.data());
  }
}

void DoubleDoubleMaps::open_input(const Slot& s) {
  if (known_.columns.empty()) known_ = input_();
  for (std::size_t i = 0; i < s.size; ++i) {
    const auto j = static_cast<std::size_t>(s.external_of[i]);
    std::fill(row_.begin(), row_.end(), 0.0);
    for (std::size_t k = 0; k < width_; ++k) row_[k] = known_.columns[k][j];
    if (!known_.rests.empty()) {
      for (std::size_t k = 0; k < width_; ++k) row_[width_ + k] = known_.rests[k][j];
      row_[2 * width_] = 4 * kUlp * kUlp * norm(row_.data()) + kTiny;
    }
    put(0, i, row_.data());
  }
}

// Row of a pointwise unit on one of its pieces; false where it is exactly zero.
bool DoubleDoubleMaps::piece(const double* row, const PieceTable& table, std::size_t number,
                             double* out) const {
  const double slope = table.slopes[number], intercept = table.intercepts[number];
  const double doubt = table.intercept_errors[number];
  if (intercept == 0.0 && doubt == 0.0) {
    const bool zero = std::all_of(row, row + columns_, [](double x) { return x == 0.0; });
    if (slope == 0.0 || zero) return false;
    if (slope == 1.0) {
      std::copy_n(row, columns_, out);
      return true;
    }
  }
  for (std::size_t k = 0; k < width_; ++k) {
    const Pair p = product(slope, row[k]);
    const Pair s = sum(p.high, k + 1 == width_ ? intercept : 0.0);
    const Pair r = sum(s.high, s.low + (p.low + slope * row[width_ + k]));
    out[k] = r.high;
    out[width_ + k] = r.low;
  }
  const double size = std::fabs(slope);
  out[2 * width_] = (size * row[2 * width_] +
                     16 * kUlp * kUlp * (size * norm(row) + std::fabs(intercept)) + doubt) *
                        kUp +
                    kTiny;
  return true;
}

void DoubleDoubleMaps::apply(int index) {
  const Op& op = tape_.ops()[static_cast<std::size_t>(index)];
  const std::size_t lead = padded(tape_.slots()[op.output].size);
  auto& out = maps_[static_cast<std::size_t>(op.output)];
  out.assign(columns_ * lead + kSpare, 0.0);
  // Quotients have two parts.
  const double terms = (op.kind == OpKind::kSparse ? 2 : 1) * op.fan_in + 4;
  const double gamma = 1.1 * terms * terms * kUlp * kUlp;
  for (std::size_t i = 0; i < op.bias.size(); ++i) {
    out[(width_ - 1) * lead + i] = op.bias[i];
    out[2 * width_ * lead + i] = gamma * std::fabs(op.bias[i]);
  }
  for (std::size_t k = 0; k < op.inputs.size(); ++k) {
    const int slot = op.inputs[k];
    for (std::size_t i = 0; i < tape_.slots()[slot].size; ++i) {
      if (!get(slot, i, row_.data())) continue;
      row_[2 * width_] = (row_[2 * width_] + gamma * norm(row_.data())) * kUp + kTiny;
      scatter(op, static_cast<int>(k), static_cast<std::int32_t>(i), row_.data(), out.data());
    }
  }
  normalize(out.data(), lead);
}

void DoubleDoubleMaps::scatter(const Op& op, int input, std::int32_t unit, const double* row,
                               double* map) const {
  const std::size_t lead = padded(tape_.slots()[op.output].size);
  const auto u = static_cast<std::size_t>(unit);
  const auto add = [&](std::size_t at, const double* weight, std::size_t n) {
    kernels_.add_row_double_double(map + at, lead, width_, weight, n, row);
  };
  if (op.kind == OpKind::kDense) {
    add(0, op.dense.weight.data() + u * lead, lead);
  } else if (op.kind == OpKind::kConv) {
    op.conv.for_readers(unit, add);
  } else {
    const auto& in = op.sparse.inputs[static_cast<std::size_t>(input)];
    const auto end = static_cast<std::size_t>(in.by_input_start[u + 1]);
    for (auto k = static_cast<std::size_t>(in.by_input_start[u]); k < end; ++k) {
      const auto& term = in.by_input[k];
      const double factor = term.coefficient / term.divisor;
      add_term(factor, row, 0.0, map + term.index, lead);
      if ((term.divisor & (term.divisor - 1)) == 0) continue;
      // What the quotient leaves out, known up to 2 u of itself.
      const Pair p = product(factor, term.divisor);
      const double rest = ((term.coefficient - p.high) - p.low) / term.divisor;
      add_term(rest, row, 4 * kUlp * norm(row), map + term.index, lead);
    }
  }
}

// The kernel's step for one output; its columns are `lead` apart.
void DoubleDoubleMaps::add_term(double factor, const double* row, double doubt, double* out,
                                std::size_t lead) const {
  for (std::size_t k = 0; k < width_; ++k) {
    double &high = out[k * lead], &low = out[(width_ + k) * lead];
    const Pair p = factor == 1.0 ? Pair{row[k], 0.0} : product(factor, row[k]);
    const Pair s = sum(high, p.high);
    high = s.high;
    low += s.low + (p.low + factor * row[width_ + k]);
  }
  out[2 * width_ * lead] += std::fabs(factor) * (row[2 * width_] + doubt);
}

void DoubleDoubleMaps::normalize(double* map, std::size_t lead) const {
  for (std::size_t i = 0; i < width_ * lead; ++i) {
    const Pair s = sum(map[i], map[width_ * lead + i]);
    map[i] = s.high;
    map[width_ * lead + i] = s.low;
  }
}

}  // namespace linear_regions
