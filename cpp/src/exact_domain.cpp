// SPDX-License-Identifier: MIT
// Domains in exact arithmetic: their sides and columns as integers, and other coordinates for them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "double_double_maps.hpp"
#include "exact_algebra.hpp"
#include "exact_rows.hpp"
#include "exact_signs.hpp"

namespace linear_regions {

ExactColumns columns_of(const DomainFrame& domain) {
  ExactColumns columns;
  for (const auto& column : domain.columns) columns.rounded.emplace_back(column);
  columns.exact = domain.exact_columns;
  columns.denominator = domain.exact_denominator;
  return columns;
}

namespace {

// What rounding took from columns whose exact entries are these, column by column.
std::vector<std::vector<double>> rests_of(const std::vector<std::vector<double>>& columns,
                                          const std::vector<std::string>& exact,
                                          const std::string& common) {
  std::vector<std::vector<double>> rests;
  const Integer denominator = parse_hex(common);
  const std::size_t n = columns[0].size();
  for (std::size_t k = 0; k < columns.size(); ++k) {
    auto& rest = rests.emplace_back(n);
    for (std::size_t j = 0; j < n; ++j) {
      const Dyadic near = dyadic(columns[k][j]);
      Integer numerator = parse_hex(exact[k * n + j]), below = denominator;
      Integer taken = near.mantissa * denominator;
      if (near.exponent >= 0) {
        taken <<= static_cast<unsigned>(near.exponent);
      } else {
        numerator <<= static_cast<unsigned>(-near.exponent);
        below <<= static_cast<unsigned>(-near.exponent);
      }
      rest[j] = ratio(numerator - taken, below);
    }
  }
  return rests;
}

void scale_by(std::vector<std::vector<double>>& columns, std::size_t k, int scale) {
  if (columns.empty()) return;
  for (double& x : columns[k]) x = std::ldexp(x, scale);
}

}  // namespace

InputColumns input_columns(const PlanarDomain& domain, int scale_x, int scale_y) {
  InputColumns input;
  input.columns = {domain.direction1, domain.direction2, domain.origin};
  if (!domain.exact_columns.empty()) {
    input.rests = rests_of(input.columns, domain.exact_columns, domain.exact_denominator);
  } else if (!domain.rest1.empty()) {
    const std::vector<double> none(domain.origin.size(), 0.0);
    input.rests = {domain.rest1, none, none};
  }
  for (auto* columns : {&input.columns, &input.rests}) {
    scale_by(*columns, 0, scale_x);
    scale_by(*columns, 1, scale_y);
  }
  return input;
}

InputColumns input_columns(const DomainFrame& domain, const std::vector<int>& scale) {
  InputColumns input;
  input.columns = domain.columns;
  if (!domain.exact_columns.empty())
    input.rests = rests_of(input.columns, domain.exact_columns, domain.exact_denominator);
  for (std::size_t k = 0; k < scale.size(); ++k) {
    scale_by(input.columns, k, scale[k]);
    scale_by(input.rests, k, scale[k]);
  }
  return input;
}

std::vector<Vector> exact_sides(const DomainFrame& domain) {
  const std::size_t k = domain.dim + 1;
  std::vector<Vector> sides(domain.n_sides());
  for (std::size_t i = 0; i < sides.size(); ++i) {
    if (domain.exact_sides.empty()) {
      sides[i] = integers(domain.side(i), k);
      continue;
    }
    for (std::size_t j = 0; j < k; ++j)
      sides[i].push_back(parse_hex(domain.exact_sides[i * k + j]));
  }
  return sides;
}

namespace {

// The decisions of a path on which every unit is on its first piece and first entries win.
struct FirstPieces {
  explicit FirstPieces(const Tape& tape) {
    path.cell.assign(tape.stages().size(), 1);
    for (std::size_t s = 0; s < tape.splits().size(); ++s) {
      const Op& op = tape.split(static_cast<int>(s));
      off.emplace_back(op.pointwise.unit_of_cut.size() / 64 + 1, 0);
      first.emplace_back(op.max.start);
      path.cuts.push_back({off.back().data(), nullptr, nullptr, 0});
      path.winner.push_back(first.back().data());
    }
  }
  FirstPieces(const FirstPieces&) = delete;
  FirstPieces& operator=(const FirstPieces&) = delete;

  std::vector<std::vector<std::uint64_t>> off;
  std::vector<std::vector<std::int32_t>> first;
  Path path;
};

// Whether all that later layers read has passed a unit of the first one, and bends there.
bool all_bends(const Tape& tape) {
  if (tape.splits().empty()) return true;
  const Op& op = tape.split(0);
  if (op.kind == OpKind::kMax) return false;
  const auto& start = op.pointwise.cut_start;
  for (std::size_t i = 1; i < start.size(); ++i)
    if (start[i] == start[i - 1]) return false;
  const auto behind = [&](const Op& reader) {
    return std::all_of(reader.inputs.begin(), reader.inputs.end(),
                       [&](int slot) { return tape.slots()[slot].stage > 0; });
  };
  for (std::size_t s = 1; s < tape.stages().size(); ++s)
    for (const int index : tape.stages()[s].ops)
      if (!behind(tape.ops()[static_cast<std::size_t>(index)])) return false;
  for (std::size_t s = 1; s < tape.splits().size(); ++s)
    if (!behind(tape.split(static_cast<int>(s)))) return false;
  return true;
}

// Shows `take` the linear parts of sides and of all decisions, until it says that it has all. Along
// a direction in which no decision of the layers before changes, every value has one slope on all
// cells. So the first cell without such directions is found with the rows of any path.
template <typename Take>
void for_essential_rows(const Tape& tape, const DomainFrame& domain, Take&& take) {
  for (Vector side : exact_sides(domain)) {
    side.resize(domain.dim);
    if (!take(std::move(side))) return;
  }
  const FirstPieces chosen(tape);
  ExactRows rows(tape, chosen.path, columns_of(domain));
  const auto linear = [&](Line line) {
    Vector v = rows.line(line);
    v.resize(domain.dim);
    return v;
  };
  const int splits = all_bends(tape) ? std::min<int>(1, static_cast<int>(tape.splits().size()))
                                     : static_cast<int>(tape.splits().size());
  for (int s = 0; s < splits; ++s) {
    const Op& op = tape.split(s);
    const Pointwise& p = op.pointwise;
    for (std::size_t i = 1; i < p.cut_start.size(); ++i)
      if (p.cut_start[i] > p.cut_start[i - 1] &&
          !take(linear({Line::Kind::kCut, s, p.cut_start[i - 1], 0})))
        return;
    const Max& max = op.max;
    for (std::size_t w = 1; w < max.start.size(); ++w)
      for (std::int32_t k = max.start[w - 1] + 1; k < max.start[w]; ++k)
        if (!take(linear({Line::Kind::kPair, s, max.entries[max.start[w - 1]], max.entries[k]})))
          return;
  }
}

}  // namespace

CoordinateBounds coordinate_bounds(const DomainFrame& domain) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::size_t d = domain.dim;
  CoordinateBounds out{std::vector<double>(d, -kInfinity), std::vector<double>(d, kInfinity)};
  for (std::size_t i = 0; i < domain.n_sides(); ++i) {
    const double* side = domain.side(i);
    std::size_t at = d, entries = 0;
    for (std::size_t j = 0; j < d; ++j)
      if (side[j] != 0.0) at = j, ++entries;
    const double value = entries == 1 ? -side[d] / side[at] : kInfinity;
    if (!std::isfinite(value)) continue;
    if (side[at] > 0)
      out.low[at] = std::max(out.low[at], value);
    else
      out.high[at] = std::min(out.high[at], value);
  }
  return out;
}

std::vector<std::size_t> essential_coordinates(const Tape& tape, const DomainFrame& domain) {
  const auto [low, high] = coordinate_bounds(domain);
  bool lines = false;  // none where every coordinate has a bound
  for (std::size_t j = 0; j < domain.dim; ++j)
    lines = lines || !(std::isfinite(low[j]) || std::isfinite(high[j]));
  if (!lines) {
    std::vector<std::size_t> all(domain.dim);
    std::iota(all.begin(), all.end(), std::size_t{0});
    return all;
  }
  Echelon echelon;
  for_essential_rows(tape, domain, [&](Vector row) {
    echelon.add(std::move(row));
    return echelon.pivots().size() < domain.dim;
  });
  std::vector<std::size_t> pivots = echelon.pivots();
  std::sort(pivots.begin(), pivots.end());
  return pivots;
}

std::vector<std::vector<std::string>> essential_row_basis(const Tape& tape,
                                                          const DomainFrame& domain) {
  Echelon echelon;
  std::vector<std::vector<std::string>> out;
  if (domain.dim > 0)
    for_essential_rows(tape, domain, [&](Vector row) {
      if (echelon.add(row)) {
        out.emplace_back();
        for (const Integer& value : row) out.back().push_back(hex_text(value));
      }
      return echelon.pivots().size() < domain.dim;
    });
  return out;
}

DomainFrame restricted(const DomainFrame& domain, std::span<const std::size_t> coordinates) {
  std::vector<std::size_t> kept(coordinates.begin(), coordinates.end());
  kept.push_back(domain.dim);  // origin and constants
  DomainFrame out;
  out.dim = coordinates.size();
  out.exact_denominator = domain.exact_denominator;
  out.columns.clear();
  const std::size_t n = domain.columns[0].size(), k = domain.dim + 1;
  for (std::size_t j : kept) {
    out.columns.push_back(domain.columns[j]);
    if (!domain.exact_columns.empty())
      out.exact_columns.insert(out.exact_columns.end(), domain.exact_columns.begin() + j * n,
                               domain.exact_columns.begin() + (j + 1) * n);
  }
  for (std::size_t i = 0; i < domain.n_sides(); ++i)
    for (std::size_t j : kept) {
      out.sides.push_back(domain.side(i)[j]);
      if (!domain.exact_sides.empty()) out.exact_sides.push_back(domain.exact_sides[i * k + j]);
    }
  return out;
}

namespace {

// numerator * 2^scale / denominator as the nearest double; clears `same` where that is not exact.
double nearest(const Integer& numerator, int scale, const Integer& denominator, bool& same) {
  const Integer up = scale > 0 ? Integer(numerator << static_cast<unsigned>(scale)) : numerator;
  const Integer down =
      scale < 0 ? Integer(denominator << static_cast<unsigned>(-scale)) : denominator;
  const double value = ratio(up, down);
  const Dyadic d = dyadic(value);
  const Integer size(d.mantissa);
  same =
      same && std::isfinite(value) &&
      (d.exponent >= 0 ? Integer((size << static_cast<unsigned>(d.exponent)) * down) == up
                       : Integer(size * down) == Integer(up << static_cast<unsigned>(-d.exponent)));
  return value;
}

}  // namespace

// With center_j = m_j 2^p_j, a column is scaled by 2^exponent_j and the last entry grows by the sum
// of column entries times center_j; all over the least power of two that occurs.
DomainFrame moved(const DomainFrame& domain, const std::vector<double>& center,
                  const std::vector<int>& exponent) {
  const std::size_t d = domain.dim, n = domain.columns[0].size();
  DomainFrame out = domain;
  int least = 0;
  for (std::size_t j = 0; j < d; ++j)
    least = std::min({least, exponent[j], dyadic(center[j]).exponent});
  const auto move = [&](Vector& row) {  // times 2^-least
    row[d] <<= static_cast<unsigned>(-least);
    for (std::size_t j = 0; j < d; ++j) {
      row[d] += row[j] * scaled(center[j], least);
      row[j] <<= static_cast<unsigned>(exponent[j] - least);
    }
  };
  bool same = true;
  out.exact_sides.clear();
  std::vector<Vector> sides = exact_sides(domain);
  for (std::size_t i = 0; i < sides.size(); ++i) {
    move(sides[i]);
    make_primitive(sides[i]);
    Integer largest = 1;
    for (const Integer& x : sides[i]) largest = std::max(largest, Integer(abs(x)));
    const int bits = static_cast<int>(msb(largest)) + 1;
    for (std::size_t j = 0; j <= d; ++j) {
      out.sides[i * (d + 1) + j] = nearest(sides[i][j], -bits, 1, same);
      out.exact_sides.push_back(hex_text(sides[i][j]));
    }
  }
  if (same) out.exact_sides.clear();
  // Entries of all columns are integers times 2^scale / denominator.
  const ExactColumns columns = columns_of(domain);
  Integer denominator = 1;
  int scale = 0;
  if (!domain.exact_columns.empty()) {
    denominator = parse_hex(domain.exact_denominator);
  } else {
    scale = kNoExponent;
    for (const auto& column : columns.rounded) scale = least_exponent(column.data(), n, scale);
    if (scale == kNoExponent) scale = 0;
  }
  same = true;
  std::vector<Vector> exact(d + 1, Vector(n));
  for (std::size_t i = 0; i < n; ++i) {
    Vector row(d + 1);
    for (std::size_t j = 0; j <= d; ++j)
      row[j] = domain.exact_columns.empty() ? scaled(domain.columns[j][i], scale)
                                            : parse_hex(domain.exact_columns[j * n + i]);
    move(row);
    for (std::size_t j = 0; j <= d; ++j) {
      out.columns[j][i] = nearest(row[j], scale + least, denominator, same);
      exact[j][i] = std::move(row[j]);
    }
  }
  out.exact_columns.clear();
  out.exact_denominator.assign(1, '1');  // GCC 12 warns about = "1" without reason
  if (same) return out;
  const int power = scale + least;
  if (power < 0) denominator <<= static_cast<unsigned>(-power);
  for (Vector& column : exact)
    for (Integer& x : column)
      out.exact_columns.push_back(
          hex_text(power > 0 ? Integer(x << static_cast<unsigned>(power)) : x));
  out.exact_denominator = hex_text(denominator);
  return out;
}

}  // namespace linear_regions
