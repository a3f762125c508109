// SPDX-License-Identifier: MIT
#include "exact.hpp"

#include <array>
#include <bit>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <stdexcept>
#include <unordered_map>

namespace linear_regions {
namespace {

using Integer = boost::multiprecision::cpp_int;
using Vector = std::array<Integer, 3>;

// value = mantissa * 2^exponent with an odd mantissa (or zero with exponent 0).
struct Dyadic {
  std::int64_t mantissa = 0;
  int exponent = 0;
};

Dyadic dyadic(double value) {
  if (value == 0.0) return {};
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);
  auto mantissa = static_cast<std::int64_t>(std::ldexp(fraction, 53));
  const int zeros = std::countr_zero(static_cast<std::uint64_t>(mantissa));
  return {mantissa / (std::int64_t{1} << zeros), exponent - 53 + zeros};
}

constexpr int kNoExponent = 1 << 28;

int least_exponent(const double* values, std::size_t n, int least = kNoExponent) {
  for (std::size_t i = 0; i < n; ++i)
    if (values[i] != 0.0) least = std::min(least, dyadic(values[i]).exponent);
  return least;
}

// value * 2^-scale as an integer; scale must not exceed the value's exponent.
Integer scaled(double value, int scale) {
  const Dyadic d = dyadic(value);
  if (d.mantissa == 0) return 0;
  return Integer(d.mantissa) << static_cast<unsigned>(d.exponent - scale);
}

Integer parse_hex(const std::string& text) {
  const bool negative = !text.empty() && text[0] == '-';
  Integer value("0x" + text.substr(negative ? 1 : 0));
  return negative ? Integer(-value) : value;
}

std::string hex_text(const Integer& value) {
  const std::string digits = Integer(abs(value)).str(0, std::ios_base::hex);
  return value < 0 ? "-" + digits : digits;
}

// Hexadecimal: Python reads it in linear time and without a limit on digits.
std::string fraction_text(const Integer& numerator, const Integer& denominator) {
  const Integer g = boost::multiprecision::gcd(numerator, denominator);
  const Integer n = denominator < 0 ? Integer(-numerator / g) : Integer(numerator / g);
  const Integer d = denominator < 0 ? Integer(-denominator / g) : Integer(denominator / g);
  return hex_text(n) + "/" + hex_text(d);
}

// numerator / denominator rounded to double; infinite beyond the range.
double ratio(const Integer& numerator, const Integer& denominator) {
  if (numerator.is_zero()) return 0.0;
  const Integer n = abs(numerator), d = abs(denominator);
  const auto bits = [](const Integer& x) { return static_cast<long>(msb(x)); };
  const long shift = 66 - (bits(n) - bits(d));
  const Integer quotient = shift >= 0 ? Integer((n << static_cast<unsigned>(shift)) / d)
                                      : Integer(n / (d << static_cast<unsigned>(-shift)));
  const double size = std::ldexp(quotient.convert_to<double>(), static_cast<int>(-shift));
  return numerator.sign() * denominator.sign() < 0 ? -size : size;
}

// A row over the domain coordinates, up to the positive factor 2^scale / denominator of its slot.
struct Row {
  Vector v;
  bool zero = true;
};

// a line (v . (x, y, 1) = 0); at infinity v[2] is the symbol M.
struct ExactLine {
  Vector v;
  bool at_infinity = false;
};

// The meeting point of two lines, homogeneous with positive last coordinate, linear in M.
struct ExactVertex {
  Vector finite, infinite;  // finite + M * infinite; infinite[2] == 0
};

ExactVertex meet(const ExactLine& a, const ExactLine& b) {
  ExactVertex r;
  const Integer a3 = a.at_infinity ? Integer(0) : a.v[2], b3 = b.at_infinity ? Integer(0) : b.v[2];
  const int am = a.at_infinity ? 1 : 0, bm = b.at_infinity ? 1 : 0;
  r.finite[0] = a.v[1] * b3 - a3 * b.v[1];
  r.finite[1] = a3 * b.v[0] - a.v[0] * b3;
  r.finite[2] = a.v[0] * b.v[1] - a.v[1] * b.v[0];
  r.infinite[0] = a.v[1] * bm - b.v[1] * am;
  r.infinite[1] = b.v[0] * am - a.v[0] * bm;
  r.infinite[2] = 0;
  if (r.finite[2].sign() == 0) throw std::logic_error("a vertex is defined by parallel lines");
  if (r.finite[2].sign() < 0)
    for (int k = 0; k < 3; ++k) {
      r.finite[k] = -r.finite[k];
      r.infinite[k] = -r.infinite[k];
    }
  return r;
}

int sign_of(const ExactLine& line, const ExactVertex& v) {
  const Integer leading = line.v[0] * v.infinite[0] + line.v[1] * v.infinite[1];
  if (leading.sign() != 0) return leading.sign();
  const Integer rest = line.v[0] * v.finite[0] + line.v[1] * v.finite[1] + line.v[2] * v.finite[2];
  return rest.sign();
}

}  // namespace

struct ExactStage::Impl {
  struct Memo {
    std::uint64_t owner = 0;
    std::unordered_map<std::uint64_t, Row> rows;
  };
  // Entries of a slot are (integer) * 2^scale / denominator.
  struct Unit {
    int scale = 0;
    Integer denominator = 1;
  };

  const Tape& tape;
  const PlanarDomain& domain;
  const Path& path;
  std::vector<Memo> memos;                                    // per stage
  std::vector<Unit> units;                                    // per slot, filled at first use
  std::vector<std::vector<std::vector<Integer>>> intercepts;  // per op, table, piece
  std::vector<int> intercept_scale;                           // per op
  std::vector<Vector> exact_columns;
  std::uint64_t computed = 0;
  std::function<bool()> keep_going;

  Impl(const Tape& t, const PlanarDomain& d, const Path& p) : tape(t), domain(d), path(p) {}

  void prepare() {
    if (!units.empty()) return;
    memos.resize(tape.stages().size());
    std::vector<Unit> result(tape.slots().size());
    intercepts.resize(tape.ops().size());
    intercept_scale.assign(tape.ops().size(), 0);
    prepare_input(result[0]);
    for (std::size_t i = 0; i < tape.ops().size(); ++i) prepare_op(i, result);
    units = std::move(result);
  }

  void prepare_input(Unit& unit) {
    const std::size_t n = tape.n_in();
    exact_columns.resize(n);
    if (!domain.exact_columns.empty()) {
      unit.denominator = parse_hex(domain.exact_denominator);
      for (std::size_t j = 0; j < n; ++j)
        for (std::size_t k = 0; k < 3; ++k)
          exact_columns[j][k] = parse_hex(domain.exact_columns[k * n + j]);
      return;
    }
    const std::vector<double>* columns[3] = {&domain.direction1, &domain.direction2,
                                             &domain.origin};
    int least = kNoExponent;
    for (const auto* column : columns) least = least_exponent(column->data(), n, least);
    unit.scale = least == kNoExponent ? 0 : least;
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t k = 0; k < 3; ++k)
        exact_columns[j][k] = scaled((*columns[k])[j], unit.scale);
  }

  void prepare_op(std::size_t index, std::vector<Unit>& result) {
    const Op& op = tape.ops()[index];
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

  static void prepare_sparse(const Op& op, std::vector<Unit>& result, int least) {
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

  void prepare_pointwise(std::size_t index, const Op& op, const Unit& in, Unit& out) {
    int least = in.scale, scale = kNoExponent;
    for (const auto& table : op.pointwise.tables) {
      const int slope = least_exponent(table.slopes.data(), table.slopes.size());
      const int at = least_exponent(table.breakpoints.data(), table.breakpoints.size());
      if (slope != kNoExponent) least = std::min(least, in.scale + slope);
      if (slope != kNoExponent && at != kNoExponent) scale = std::min(scale, slope + at);
      scale = least_exponent(&table.value_at_zero, 1, scale);
    }
    if (scale == kNoExponent) scale = 0;
    intercept_scale[index] = scale;
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
      intercepts[index].push_back(std::move(t));
    }
    out.denominator = in.denominator;
    out.scale = std::min(least, scale);
  }

  static Integer product(double a, double b, int scale) {
    const Dyadic x = dyadic(a), y = dyadic(b);
    if (x.mantissa == 0 || y.mantissa == 0) return 0;
    return (Integer(x.mantissa) * y.mantissa)
           << static_cast<unsigned>(x.exponent + y.exponent - scale);
  }

  Memo& memo(int stage) {
    Memo& m = memos[static_cast<std::size_t>(stage)];
    const std::uint64_t owner = path.cell[static_cast<std::size_t>(stage)];
    if (m.owner != owner) {
      m.rows.clear();
      m.owner = owner;
    }
    return m;
  }

  const Row& row(int slot, std::int32_t unit) {
    auto& rows = memo(tape.slots()[slot].stage).rows;
    const std::uint64_t key =
        (static_cast<std::uint64_t>(slot) << 32) | static_cast<std::uint32_t>(unit);
    if (const auto found = rows.find(key); found != rows.end()) return found->second;
    if (keep_going && !keep_going()) throw Stopped{};
    Row result = compute(slot, unit);
    result.zero = result.v[0].is_zero() && result.v[1].is_zero() && result.v[2].is_zero();
    ++computed;
    return rows.emplace(key, std::move(result)).first->second;
  }

  Row compute(int slot, std::int32_t unit) {
    const Slot& s = tape.slots()[slot];
    Row out;
    if (s.producer < 0) {
      out.v = exact_columns[static_cast<std::size_t>(s.external_of[unit])];
      return out;
    }
    const Op& op = tape.ops()[s.producer];
    const Unit& u = units[slot];
    if (!op.is_split() && op.bias[unit] != 0.0)
      out.v[2] = scaled(op.bias[unit], u.scale) * u.denominator;
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
          const Integer factor = u.denominator / units[op.inputs[k]].denominator;
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
        const std::int32_t entry = path.winner[static_cast<std::size_t>(op.split)][unit];
        out = row(op.inputs[0], op.max.entries[static_cast<std::size_t>(entry)]);
        break;
      }
    }
    return out;
  }

  // out += weight * factor * row(slot, unit), in the units of the output slot.
  void accumulate(Row& out, int slot, std::int32_t unit, double weight, const Integer& factor,
                  const Unit& u) {
    if (weight == 0.0) return;
    const Row& in = row(slot, unit);
    if (in.zero) return;
    const Dyadic w = dyadic(weight);
    const auto shift = static_cast<unsigned>(w.exponent + units[slot].scale - u.scale);
    for (std::size_t k = 0; k < 3; ++k) {
      if (in.v[k].is_zero()) continue;
      Integer term = in.v[k] * w.mantissa;
      if (factor != 1) term *= factor;
      out.v[k] += term << shift;
    }
  }

  void compute_conv(const Op& op, std::int32_t unit, const Unit& u, Row& out) {
    const Conv& c = op.conv;
    const auto position = static_cast<std::int64_t>(unit) / static_cast<std::int64_t>(c.filters);
    const std::size_t filter = static_cast<std::size_t>(unit) % c.filters;
    const std::size_t group_in = c.channels / c.groups, group_out = c.filters / c.groups;
    const std::size_t group = filter / group_out;
    const std::size_t offsets = static_cast<std::size_t>(c.kernel[0] * c.kernel[1] * c.kernel[2]);
    const std::int64_t o[3] = {position / (c.out_shape[1] * c.out_shape[2]),
                               position / c.out_shape[2] % c.out_shape[1],
                               position % c.out_shape[2]};
    for (std::size_t k = 0; k < offsets; ++k) {
      const auto kk = static_cast<std::int64_t>(k);
      const std::int64_t e[3] = {kk / (c.kernel[1] * c.kernel[2]), kk / c.kernel[2] % c.kernel[1],
                                 kk % c.kernel[2]};
      std::int64_t at = 0;
      bool inside = true;
      for (int axis = 0; axis < 3; ++axis) {
        const std::int64_t x =
            o[axis] * c.stride[axis] - c.before[axis] + e[axis] * c.dilation[axis];
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

  void compute_pointwise(const Op& op, std::size_t index, std::int32_t unit, const Unit& u,
                         Row& out) {
    const Pointwise& p = op.pointwise;
    const auto table = static_cast<std::size_t>(p.table_of[unit]);
    const CutsOn& on = path.cuts[static_cast<std::size_t>(op.split)];
    std::size_t piece = 0;
    for (std::int32_t q = p.cut_start[unit]; q < p.cut_start[unit + 1]; ++q) piece += on(q);
    accumulate(out, op.inputs[0], unit, p.tables[table].slopes[piece], 1, u);
    const Integer& t = intercepts[index][table][piece];
    if (!t.is_zero())
      out.v[2] += (t * u.denominator) << static_cast<unsigned>(intercept_scale[index] - u.scale);
  }

  ExactLine line(const Line& l) {
    prepare();
    ExactLine out;
    if (l.kind == Line::Kind::kDomain) {
      const auto i = static_cast<std::size_t>(l.first);
      const auto& edge = domain.edges[i];
      out.at_infinity = edge.at_infinity;
      if (!domain.exact_edges.empty() && !edge.at_infinity) {
        for (std::size_t k = 0; k < 3; ++k) out.v[k] = parse_hex(domain.exact_edges[3 * i + k]);
        return out;
      }
      const double values[3] = {edge.a1, edge.a2, edge.at_infinity ? 0.0 : edge.a3};
      const int scale = least_exponent(values, 3);
      for (std::size_t k = 0; k < 3; ++k)
        out.v[k] = scaled(values[k], scale == kNoExponent ? 0 : scale);
      return out;
    }
    const Op& op = tape.split(l.split);
    const int slot = op.inputs[0];
    if (l.kind == Line::Kind::kPair) {
      const Row& a = row(slot, l.first);
      const Row& b = row(slot, l.second);
      for (std::size_t k = 0; k < 3; ++k) out.v[k] = a.v[k] - b.v[k];
      return out;
    }
    const Pointwise& p = op.pointwise;
    const std::int32_t unit = p.unit_of_cut[l.first];
    const double at = p.tables[static_cast<std::size_t>(p.table_of[unit])]
                          .breakpoints[static_cast<std::size_t>(p.breakpoint_of_cut[l.first])];
    out.v = row(slot, unit).v;
    if (at != 0.0) {
      const int own = units[slot].scale, scale = std::min(own, dyadic(at).exponent);
      for (auto& x : out.v) x <<= static_cast<unsigned>(own - scale);
      out.v[2] -= scaled(at, scale) * units[slot].denominator;
    }
    return out;
  }
};

ExactStage::ExactStage(const Tape& tape, const PlanarDomain& domain, const Path& path)
    : impl_(std::make_unique<Impl>(tape, domain, path)) {}
ExactStage::~ExactStage() = default;

void ExactStage::watch(std::function<bool()> keep_going) {
  impl_->keep_going = std::move(keep_going);
}

std::uint64_t ExactStage::rows_computed() const {
  return impl_->computed;
}

int ExactStage::sign(const Line& line, const Line& a, const Line& b) {
  const ExactLine l = impl_->line(line);
  if (l.v[0].is_zero() && l.v[1].is_zero()) return l.v[2].sign();
  return sign_of(l, meet(impl_->line(a), impl_->line(b)));
}

int ExactStage::sign_at_point(const Line& line, double x, double y) {
  const ExactLine l = impl_->line(line);
  if (l.at_infinity) return 1;
  const double point[2] = {x, y};
  const int scale = std::min(0, least_exponent(point, 2));
  const Integer value = l.v[0] * scaled(x, scale) + l.v[1] * scaled(y, scale) +
                        (l.v[2] << static_cast<unsigned>(-scale));
  return value.sign();
}

std::pair<double, double> ExactStage::vertex(const Line& a, const Line& b) {
  const ExactVertex v = meet(impl_->line(a), impl_->line(b));
  if (v.infinite[0].is_zero() && v.infinite[1].is_zero())
    return {ratio(v.finite[0], v.finite[2]), ratio(v.finite[1], v.finite[2])};
  const Integer x = abs(v.infinite[0]), y = abs(v.infinite[1]);
  const Integer& largest = x < y ? y : x;
  return {ratio(v.infinite[0], largest), ratio(v.infinite[1], largest)};
}

ExactStage::Point ExactStage::interior_point(const std::vector<std::pair<Line, Line>>& vertices,
                                             const std::vector<std::pair<Line, int>>& edges) {
  std::vector<ExactVertex> corners;
  for (const auto& [a, b] : vertices) corners.push_back(meet(impl_->line(a), impl_->line(b)));
  std::vector<std::pair<ExactLine, int>> sides;
  for (const auto& [l, side] : edges) sides.emplace_back(impl_->line(l), side);
  Integer m = 1;
  for (int attempt = 0; attempt < 4096; ++attempt, m *= 16) {
    Integer x = 0, y = 0, w = 1;  // mean = (x, y) / (w * corners)
    for (const auto& c : corners) {
      x = x * c.finite[2] + (c.finite[0] + m * c.infinite[0]) * w;
      y = y * c.finite[2] + (c.finite[1] + m * c.infinite[1]) * w;
      w *= c.finite[2];
    }
    w *= corners.size();
    bool inside = true;
    for (const auto& [l, side] : sides) {
      if (l.at_infinity) continue;
      const Integer value = l.v[0] * x + l.v[1] * y + l.v[2] * w;
      inside = inside && value.sign() == side;
    }
    if (inside) return {fraction_text(x, w), fraction_text(y, w), ratio(x, w), ratio(y, w)};
  }
  throw std::logic_error("no exact interior point was found");
}

}  // namespace linear_regions
