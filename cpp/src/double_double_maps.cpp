// SPDX-License-Identifier: MIT
#include "double_double_maps.hpp"

#include <algorithm>
#include <cmath>

#include "polygon.hpp"

namespace linear_regions {
namespace {

constexpr double kTiny = 0x1p-600;  // covers underflow, as in RowMaps
constexpr double kUp = 1.0000001;   // more than the rounding of a bound

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

double DoubleDoubleMaps::Entry::norm() const {
  return (std::fabs(v[0]) + std::fabs(v[1]) + std::fabs(v[2])) * kUp;  // of high + low
}

bool DoubleDoubleMaps::Entry::zero() const {
  return std::all_of(v, v + kColumns, [](double x) { return x == 0.0; });
}

DoubleDoubleMaps::DoubleDoubleMaps(const Tape& tape, const PlanarDomain& domain, const Path& path,
                                   int scale_x, int scale_y)
    : tape_(tape),
      domain_(domain),
      path_(path),
      kernels_(kernels()),
      scale_x_(scale_x),
      scale_y_(scale_y),
      owner_(tape.stages().size(), 0),
      maps_(tape.slots().size()) {}

double* DoubleDoubleMaps::map(int slot) {
  return maps_[static_cast<std::size_t>(slot)].data();
}

DoubleDoubleMaps::Entry DoubleDoubleMaps::entry(int slot, std::size_t unit) const {
  const std::size_t lead = padded(tape_.slots()[slot].size);
  const double* from = maps_[static_cast<std::size_t>(slot)].data() + unit;
  Entry row;
  for (std::size_t k = 0; k < kColumns; ++k) row.v[k] = from[k * lead];
  return row;
}

void DoubleDoubleMaps::put(int slot, std::size_t unit, const Entry& row) {
  const std::size_t lead = padded(tape_.slots()[slot].size);
  double* to = map(slot) + unit;
  for (std::size_t k = 0; k < kColumns; ++k) to[k * lead] = row.v[k];
}

void DoubleDoubleMaps::fill(int split, double* block) {
  int stage = 0;
  while (stage <= split &&
         owner_[static_cast<std::size_t>(stage)] == path_.cell[static_cast<std::size_t>(stage)])
    ++stage;
  for (; stage <= split; ++stage) advance(stage);
  for (const int slot : tape_.stages()[static_cast<std::size_t>(split)].stored) {
    const std::size_t n = tape_.slots()[slot].size, lead = padded(n);
    double* out = block + tape_.offset(slot);
    std::fill(out, out + 4 * lead, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
      const Entry row = entry(slot, i);
      const double* v = row.v;
      Row4 rounded{{v[0], v[1], v[2], 0}};
      if (v[3] != 0 || v[4] != 0 || v[5] != 0 || v[6] != 0)
        rounded.v[3] = (std::fabs(v[3]) + std::fabs(v[4]) + std::fabs(v[5]) + v[6]) * kUp + kTiny;
      set_row(out, n, static_cast<std::int32_t>(i), rounded);
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
  maps_[static_cast<std::size_t>(slot)].assign(kColumns * padded(s.size), 0.0);
  if (stage == 0) {
    if (!rests_) rests_ = rests_of_columns(domain_);
    const std::vector<double>& rests = *rests_;
    const std::size_t n = domain_.origin.size();
    for (std::size_t i = 0; i < s.size; ++i) {
      const auto j = static_cast<std::size_t>(s.external_of[i]);
      Entry row{{std::ldexp(domain_.direction1[j], scale_x_),
                 std::ldexp(domain_.direction2[j], scale_y_), domain_.origin[j], 0, 0, 0, 0}};
      if (!rests.empty()) {
        row.v[3] = std::ldexp(rests[j], scale_x_);
        row.v[4] = std::ldexp(rests[n + j], scale_y_);
        row.v[5] = rests[2 * n + j];
        row.v[6] = 4 * kUlp * kUlp * row.norm() + kTiny;
      }
      put(slot, i, row);
    }
    return;
  }
  const Op& op = tape_.split(stage - 1);
  const auto split = static_cast<std::size_t>(stage - 1);
  if (op.kind == OpKind::kMax) {
    for (std::size_t w = 0; w < s.size; ++w) {
      const auto winner = static_cast<std::size_t>(path_.winner[split][w]);
      put(slot, w, entry(op.inputs[0], static_cast<std::size_t>(op.max.entries[winner])));
    }
    return;
  }
  const Pointwise& p = op.pointwise;
  const CutsOn& on = path_.cuts[split];
  for (std::size_t i = 0; i < s.size; ++i) {
    std::size_t number = 0;
    for (std::int32_t q = p.cut_start[i]; q < p.cut_start[i + 1]; ++q) number += on(q);
    put(slot, i,
        piece(entry(op.inputs[0], i), p.tables[static_cast<std::size_t>(p.table_of[i])], number));
  }
}

DoubleDoubleMaps::Entry DoubleDoubleMaps::piece(const Entry& row, const PieceTable& table,
                                                std::size_t number) const {
  const double slope = table.slopes[number], intercept = table.intercepts[number];
  const double doubt = table.intercept_errors[number];
  if (intercept == 0.0 && doubt == 0.0) {
    if (slope == 1.0) return row;
    if (slope == 0.0 || row.zero()) return {};  // exactly
  }
  Entry out{};
  for (std::size_t k = 0; k < 3; ++k) {
    const Pair p = product(slope, row.v[k]);
    const Pair s = sum(p.high, k == 2 ? intercept : 0.0);
    const Pair r = sum(s.high, s.low + (p.low + slope * row.v[3 + k]));
    out.v[k] = r.high;
    out.v[3 + k] = r.low;
  }
  const double size = std::fabs(slope);
  out.v[6] =
      (size * row.v[6] + 16 * kUlp * kUlp * (size * row.norm() + std::fabs(intercept)) + doubt) *
          kUp +
      kTiny;
  return out;
}

void DoubleDoubleMaps::apply(int index) {
  const Op& op = tape_.ops()[static_cast<std::size_t>(index)];
  const std::size_t lead = padded(tape_.slots()[op.output].size);
  auto& out = maps_[static_cast<std::size_t>(op.output)];
  out.assign(kColumns * lead, 0.0);
  // Quotients have two parts.
  const double terms = (op.kind == OpKind::kSparse ? 2 : 1) * op.fan_in + 4;
  const double gamma = 1.1 * terms * terms * kUlp * kUlp;
  for (std::size_t i = 0; i < op.bias.size(); ++i) {
    out[2 * lead + i] = op.bias[i];
    out[6 * lead + i] = gamma * std::fabs(op.bias[i]);
  }
  for (std::size_t k = 0; k < op.inputs.size(); ++k) {
    const int slot = op.inputs[k];
    for (std::size_t i = 0; i < tape_.slots()[slot].size; ++i) {
      Entry row = entry(slot, i);
      if (row.zero()) continue;
      row.v[6] = (row.v[6] + gamma * row.norm()) * kUp + kTiny;
      scatter(op, static_cast<int>(k), static_cast<std::int32_t>(i), row, out.data());
    }
  }
  normalize(out.data(), lead);
}

void DoubleDoubleMaps::scatter(const Op& op, int input, std::int32_t unit, const Entry& row,
                               double* map) {
  const std::size_t lead = padded(tape_.slots()[op.output].size);
  const auto u = static_cast<std::size_t>(unit);
  const auto add = [&](std::size_t at, const double* weight, std::size_t n, const double* entry) {
    double* out[kColumns];
    for (std::size_t k = 0; k < kColumns; ++k) out[k] = map + k * lead + at;
    kernels_.add_row_double_double(out, weight, n, entry);
  };
  if (op.kind == OpKind::kDense) {
    add(0, op.dense.weight.data() + u * lead, lead, row.v);
  } else if (op.kind == OpKind::kConv) {
    op.conv.for_readers(unit, [&](std::size_t at, const double* weight, std::size_t n) {
      add(at, weight, n, row.v);
    });
  } else {
    const auto& in = op.sparse.inputs[static_cast<std::size_t>(input)];
    const auto end = static_cast<std::size_t>(in.by_input_start[u + 1]);
    for (auto k = static_cast<std::size_t>(in.by_input_start[u]); k < end; ++k) {
      const auto& term = in.by_input[k];
      const double factor = term.coefficient / term.divisor;
      add(static_cast<std::size_t>(term.index), &factor, 1, row.v);
      if ((term.divisor & (term.divisor - 1)) == 0) continue;
      // What the quotient leaves out, known up to 2 u of itself.
      const Pair p = product(factor, term.divisor);
      const double rest = ((term.coefficient - p.high) - p.low) / term.divisor;
      Entry entered = row;
      entered.v[6] += 4 * kUlp * row.norm();
      add(static_cast<std::size_t>(term.index), &rest, 1, entered.v);
    }
  }
}

void DoubleDoubleMaps::normalize(double* map, std::size_t lead) const {
  for (std::size_t i = 0; i < 3 * lead; ++i) {
    const Pair s = sum(map[i], map[3 * lead + i]);
    map[i] = s.high;
    map[3 * lead + i] = s.low;
  }
}

}  // namespace linear_regions
