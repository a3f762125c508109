// SPDX-License-Identifier: MIT
#include "exact_rows.hpp"

#include <algorithm>

namespace linear_regions {

void ExactRows::prepare() {
  if (!units_.empty()) return;
  memos_.resize(tape_.stages().size());
  std::vector<Unit> result(tape_.slots().size());
  intercepts_.resize(tape_.ops().size());
  intercept_scale_.assign(tape_.ops().size(), 0);
  prepare_input(result[0]);
  for (std::size_t i = 0; i < tape_.ops().size(); ++i) prepare_op(i, result);
  units_ = std::move(result);
}

void ExactRows::prepare_input(Unit& unit) {
  const std::size_t n = tape_.n_in(), k = width();
  input_.assign(n, Vector(k));
  if (!columns_.exact.empty()) {
    unit.denominator = parse_hex(columns_.denominator);
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t i = 0; i < k; ++i) input_[j][i] = parse_hex(columns_.exact[i * n + j]);
    return;
  }
  int least = kNoExponent;
  for (const auto& column : columns_.rounded) least = least_exponent(column.data(), n, least);
  least = least_exponent(columns_.rest.data(), columns_.rest.size(), least);
  unit.scale = least == kNoExponent ? 0 : least;
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t i = 0; i < k; ++i) input_[j][i] = scaled(columns_.rounded[i][j], unit.scale);
  for (std::size_t j = 0; j < columns_.rest.size(); ++j)
    input_[j][0] += scaled(columns_.rest[j], unit.scale);
}

void ExactRows::prepare_op(std::size_t index, std::vector<Unit>& result) {
  const Op& op = tape_.ops()[index];
  Unit& out = result[op.output];
  const Unit& in = result[op.inputs[0]];
  int least = least_exponent(op.bias.data(), op.bias.size());
  out.denominator = in.denominator;
  const auto with = [&](int weight_exponent, const Unit& from) {
    if (weight_exponent != kNoExponent) least = std::min(least, from.scale + weight_exponent);
  };
  switch (op.kind) {
    case OpKind::kDense:
      with(least_exponent(op.dense.weight.data(), op.dense.weight.size()), in);
      break;
    case OpKind::kConv:
      with(least_exponent(op.conv.weight.data(), op.conv.weight.size()), in);
      break;
    case OpKind::kSparse:
      prepare_sparse(op, result, least);
      return;
    case OpKind::kPointwise:
      prepare_pointwise(index, op, in, out);
      return;
    case OpKind::kMax:
      out.scale = in.scale;
      return;
  }
  out.scale = least == kNoExponent ? in.scale : least;
}

void ExactRows::prepare_sparse(const Op& op, std::vector<Unit>& result, int least) {
  Unit& out = result[op.output];
  Integer divisors = 1;
  out.denominator = 1;
  for (std::size_t k = 0; k < op.inputs.size(); ++k) {
    const Unit& in = result[op.inputs[k]];
    out.denominator = boost::multiprecision::lcm(out.denominator, in.denominator);
    for (const auto& term : op.sparse.inputs[k].by_input) {
      if (divisors % term.divisor != 0)
        divisors = boost::multiprecision::lcm(divisors, Integer(term.divisor));
      if (term.coefficient != 0.0)
        least = std::min(least, in.scale + dyadic(term.coefficient).exponent);
    }
  }
  out.denominator *= divisors;
  out.scale = least == kNoExponent ? result[op.inputs[0]].scale : least;
}

void ExactRows::prepare_pointwise(std::size_t index, const Op& op, const Unit& in, Unit& out) {
  int least = in.scale, scale = kNoExponent;
  for (const auto& table : op.pointwise.tables) {
    const int slope = least_exponent(table.slopes.data(), table.slopes.size());
    const int at = least_exponent(table.breakpoints.data(), table.breakpoints.size());
    if (slope != kNoExponent) least = std::min(least, in.scale + slope);
    if (slope != kNoExponent && at != kNoExponent) scale = std::min(scale, slope + at);
    scale = least_exponent(&table.value_at_zero, 1, scale);
  }
  if (scale == kNoExponent) scale = 0;
  intercept_scale_[index] = scale;
  for (const auto& table : op.pointwise.tables) {
    const auto& b = table.breakpoints;
    const auto& s = table.slopes;
    const auto home =
        static_cast<std::size_t>(std::lower_bound(b.begin(), b.end(), 0.0) - b.begin());
    std::vector<Integer> t(s.size(), scaled(table.value_at_zero, scale));
    const auto step = [&](std::size_t from, std::size_t to, double at) {
      t[to] = t[from] + product(s[from], at, scale) - product(s[to], at, scale);
    };
    for (std::size_t k = home; k < b.size(); ++k) step(k, k + 1, b[k]);
    for (std::size_t k = home; k > 0; --k) step(k, k - 1, b[k - 1]);
    intercepts_[index].push_back(std::move(t));
  }
  out.denominator = in.denominator;
  out.scale = std::min(least, scale);
}

Integer ExactRows::product(double a, double b, int scale) {
  const Dyadic x = dyadic(a), y = dyadic(b);
  if (x.mantissa == 0 || y.mantissa == 0) return 0;
  return (Integer(x.mantissa) * y.mantissa)
         << static_cast<unsigned>(x.exponent + y.exponent - scale);
}

ExactRows::Memo& ExactRows::memo(int stage) {
  Memo& m = memos_[static_cast<std::size_t>(stage)];
  const std::uint64_t owner = path_.cell[static_cast<std::size_t>(stage)];
  if (m.owner != owner) {
    m.rows.clear();
    m.owner = owner;
  }
  return m;
}

const ExactRows::Row& ExactRows::row(int slot, std::int32_t unit) {
  prepare();
  auto& rows = memo(tape_.slots()[slot].stage).rows;
  const std::uint64_t key =
      (static_cast<std::uint64_t>(slot) << 32) | static_cast<std::uint32_t>(unit);
  if (const auto found = rows.find(key); found != rows.end()) return found->second;
  if (keep_going_ && !keep_going_()) throw Stopped{};
  Row result = compute(slot, unit);
  result.zero =
      std::all_of(result.v.begin(), result.v.end(), [](const Integer& x) { return x.is_zero(); });
  ++computed_;
  return rows.emplace(key, std::move(result)).first->second;
}

ExactRows::Row ExactRows::compute(int slot, std::int32_t unit) {
  const Slot& s = tape_.slots()[slot];
  Row out;
  if (s.producer < 0) {
    out.v = input_[static_cast<std::size_t>(s.external_of[unit])];
    return out;
  }
  const Op& op = tape_.ops()[s.producer];
  const Unit& u = units_[slot];
  out.v.resize(width());
  if (!op.is_split() && op.bias[unit] != 0.0)
    out.v.back() = scaled(op.bias[unit], u.scale) * u.denominator;
  switch (op.kind) {
    case OpKind::kDense: {
      const std::size_t lead = padded(op.dense.n_out);
      for (std::size_t j = 0; j < op.dense.n_in; ++j)
        accumulate(out, op.inputs[0], static_cast<std::int32_t>(j),
                   op.dense.weight[j * lead + static_cast<std::size_t>(unit)], 1, u);
      break;
    }
    case OpKind::kConv:
      compute_conv(op, unit, u, out);
      break;
    case OpKind::kSparse: {
      for (std::size_t k = 0; k < op.inputs.size(); ++k) {
        const auto& map = op.sparse.inputs[k];
        const Integer factor = u.denominator / units_[op.inputs[k]].denominator;
        for (std::int32_t t = map.by_output_start[unit]; t < map.by_output_start[unit + 1]; ++t) {
          const auto& term = map.by_output[static_cast<std::size_t>(t)];
          accumulate(out, op.inputs[k], term.index, term.coefficient, factor / term.divisor, u);
        }
      }
      break;
    }
    case OpKind::kPointwise:
      compute_pointwise(op, static_cast<std::size_t>(s.producer), unit, u, out);
      break;
    case OpKind::kMax: {
      const std::int32_t entry = path_.winner[static_cast<std::size_t>(op.split)][unit];
      out = row(op.inputs[0], op.max.entries[static_cast<std::size_t>(entry)]);
      break;
    }
  }
  return out;
}

// out += weight * factor * row(slot, unit), in the units of the output slot.
void ExactRows::accumulate(Row& out, int slot, std::int32_t unit, double weight,
                           const Integer& factor, const Unit& u) {
  if (weight == 0.0) return;
  const Row& in = row(slot, unit);
  if (in.zero) return;
  const Dyadic w = dyadic(weight);
  const auto shift = static_cast<unsigned>(w.exponent + units_[slot].scale - u.scale);
  for (std::size_t k = 0; k < in.v.size(); ++k) {
    if (in.v[k].is_zero()) continue;
    Integer term = in.v[k] * w.mantissa;
    if (factor != 1) term *= factor;
    out.v[k] += term << shift;
  }
}

void ExactRows::compute_conv(const Op& op, std::int32_t unit, const Unit& u, Row& out) {
  const Conv& c = op.conv;
  const auto position = static_cast<std::int64_t>(unit) / static_cast<std::int64_t>(c.filters);
  const std::size_t filter = static_cast<std::size_t>(unit) % c.filters;
  const std::size_t group_in = c.channels / c.groups, group_out = c.filters / c.groups;
  const std::size_t group = filter / group_out;
  const std::size_t offsets = static_cast<std::size_t>(c.kernel[0] * c.kernel[1] * c.kernel[2]);
  const std::int64_t o[3] = {position / (c.out_shape[1] * c.out_shape[2]),
                             position / c.out_shape[2] % c.out_shape[1], position % c.out_shape[2]};
  for (std::size_t k = 0; k < offsets; ++k) {
    const auto kk = static_cast<std::int64_t>(k);
    const std::int64_t e[3] = {kk / (c.kernel[1] * c.kernel[2]), kk / c.kernel[2] % c.kernel[1],
                               kk % c.kernel[2]};
    std::int64_t at = 0;
    bool inside = true;
    for (int axis = 0; axis < 3; ++axis) {
      const std::int64_t x = o[axis] * c.stride[axis] - c.before[axis] + e[axis] * c.dilation[axis];
      inside = inside && x >= 0 && x < c.in_shape[axis];
      at = at * c.in_shape[axis] + x;
    }
    if (!inside) continue;
    for (std::size_t i = 0; i < group_in; ++i) {
      const std::size_t channel = group * group_in + i;
      const std::int32_t j = c.input_at[static_cast<std::size_t>(at) * c.channels + channel];
      const double w =
          c.weight[((group * group_in + i) * offsets + k) * group_out + filter % group_out];
      accumulate(out, op.inputs[0], j, w, 1, u);
    }
  }
}

void ExactRows::compute_pointwise(const Op& op, std::size_t index, std::int32_t unit, const Unit& u,
                                  Row& out) {
  const Pointwise& p = op.pointwise;
  const auto table = static_cast<std::size_t>(p.table_of[unit]);
  const CutsOn& on = path_.cuts[static_cast<std::size_t>(op.split)];
  std::size_t piece = 0;
  for (std::int32_t q = p.cut_start[unit]; q < p.cut_start[unit + 1]; ++q) piece += on(q);
  accumulate(out, op.inputs[0], unit, p.tables[table].slopes[piece], 1, u);
  const Integer& t = intercepts_[index][table][piece];
  if (!t.is_zero())
    out.v.back() += (t * u.denominator) << static_cast<unsigned>(intercept_scale_[index] - u.scale);
}

// The value of the unit minus its breakpoint, or the difference of two entries.
Vector ExactRows::line(const Line& l) {
  const Op& op = tape_.split(l.split);
  const int slot = op.inputs[0];
  if (l.kind == Line::Kind::kPair) {
    Vector out = row(slot, l.first).v;
    const Row& b = row(slot, l.second);
    for (std::size_t k = 0; k < out.size(); ++k) out[k] -= b.v[k];
    return out;
  }
  const Pointwise& p = op.pointwise;
  const std::int32_t unit = p.unit_of_cut[l.first];
  const double at = p.tables[static_cast<std::size_t>(p.table_of[unit])]
                        .breakpoints[static_cast<std::size_t>(p.breakpoint_of_cut[l.first])];
  Vector out = row(slot, unit).v;
  if (at != 0.0) {
    const int own = units_[slot].scale, scale = std::min(own, dyadic(at).exponent);
    for (auto& x : out) x <<= static_cast<unsigned>(own - scale);
    out.back() -= scaled(at, scale) * units_[slot].denominator;
  }
  return out;
}

}  // namespace linear_regions
