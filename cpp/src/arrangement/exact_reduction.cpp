// SPDX-License-Identifier: MIT
#include <stdexcept>
#include <unordered_map>

#include "arrangement/exact_point.hpp"
#include "arrangement/reduction.hpp"

namespace linear_regions::arrangement {
namespace {

bool is_zero(const Vector& row) {
  for (const Integer& v : row)
    if (!v.is_zero()) return false;
  return true;
}

// Fully reduced echelon form of the rows added, in primitive integer rows with positive pivots.
class Echelon {
 public:
  // True if the row was independent of the earlier ones.
  bool add(Vector row) {
    for (std::size_t j = 0; j < rows_.size(); ++j) clear(row, rows_[j], pivot_[j]);
    std::size_t lead = 0;
    while (lead < row.size() && row[lead].is_zero()) ++lead;
    if (lead == row.size()) return false;
    if (row[lead] < 0)
      for (Integer& v : row) v = -v;
    make_primitive(row);
    for (Vector& other : rows_) clear(other, row, lead);
    rows_.push_back(std::move(row));
    pivot_.push_back(lead);
    return true;
  }

  bool contains(Vector row) const {
    for (std::size_t j = 0; j < rows_.size(); ++j) clear(row, rows_[j], pivot_[j]);
    return is_zero(row);
  }

  std::size_t rank() const { return rows_.size(); }
  std::vector<std::size_t> pivots() const {
    std::vector<std::size_t> sorted = pivot_;
    std::sort(sorted.begin(), sorted.end());
    return sorted;
  }
  // Column `column` = sum over pivots p of (first / second) * column p.
  std::pair<Integer, Integer> coefficient(std::size_t pivot, std::size_t column) const {
    for (std::size_t j = 0; j < rows_.size(); ++j)
      if (pivot_[j] == pivot) return {rows_[j][column], rows_[j][pivot]};
    return {0, 1};
  }

 private:
  // row -= (its entry at `pivot`) * by, scaled by a positive number to stay in integers.
  static void clear(Vector& row, const Vector& by, std::size_t pivot) {
    if (row[pivot].is_zero()) return;
    const Integer g = gcd(row[pivot], by[pivot]);
    const Integer keep = by[pivot] / g, subtract = row[pivot] / g;
    for (std::size_t k = 0; k < row.size(); ++k) row[k] = row[k] * keep - by[k] * subtract;
    make_primitive(row);
  }

  std::vector<Vector> rows_;
  std::vector<std::size_t> pivot_;
};

long longest(const Vector& row) {
  long bits = 0;
  for (const Integer& v : row) bits = std::max(bits, bit_count(v));
  return bits;
}

// Shifts that bring each column's largest entry, relative to its row, near to 1.
std::vector<long> column_shifts(const std::vector<Vector>& rows, std::size_t columns) {
  constexpr long kNegligible = 20;
  std::vector<long> shift(columns, 0);
  for (std::size_t k = 0; k < columns; ++k) {
    long most = -(1L << 40);
    for (const Vector& row : rows)
      if (!row[k].is_zero()) most = std::max(most, bit_count(row[k]) - longest(row));
    if (most < -kNegligible && most > -(1L << 40)) shift[k] = -most;
  }
  return shift;
}

}  // namespace

struct Reduction::Impl {
  std::vector<Vector> given, sides;  // d + 1 columns
  std::vector<Vector> distinct;      // the columns kept, shifted
  std::vector<std::size_t> columns;  // the columns kept
  std::vector<long> shift;
  std::vector<std::pair<Integer, Integer>> common;  // central: the common point, per column
  std::vector<double> common_value;
  std::vector<double> value, value_bound;  // the given rows in doubles, and their error factor
  std::unordered_map<std::string, std::int32_t> known;

  // Choose the columns; true if the arrangement is central.
  bool choose_columns(std::size_t n_columns) {
    Echelon echelon;
    for (const Vector& row : given)
      if (echelon.rank() < n_columns) echelon.add(row);
    Vector e(n_columns);
    e.back() = 1;
    const bool is_central = sides.empty() && !echelon.contains(e);
    if (is_central) {
      common.assign(n_columns, {0, 1});
      common_value.assign(n_columns, 0.0);
      for (const std::size_t p : echelon.pivots()) {
        const auto [top, bottom] = echelon.coefficient(p, n_columns - 1);
        common[p] = {-top, bottom};
        const long size = bit_count(bottom);
        common_value[p] = to_double(-top, size) / to_double(bottom, size);
      }
    } else {
      echelon.add(e);
      for (const Vector& row : sides) echelon.add(row);
    }
    columns = echelon.pivots();
    return is_central;
  }

  Vector restricted(const Vector& row) const {
    Vector out;
    for (const std::size_t k : columns) out.push_back(row[k]);
    return out;
  }

  // Number of the row and the sign of the given one against it; enters it if it is new.
  SignedRow enter(Vector row) {
    for (std::size_t k = 0; k < row.size(); ++k) row[k] <<= static_cast<unsigned>(shift[k]);
    make_primitive(row);
    const auto first = std::find_if(row.begin(), row.end(), [](auto& v) { return !v.is_zero(); });
    const bool flip = first != row.end() && *first < 0;
    std::string key;
    for (const Integer& v : row) key += hex_text(flip ? Integer(-v) : v) + " ";
    const auto [at, is_new] = known.emplace(key, static_cast<std::int32_t>(distinct.size()));
    if (is_new) distinct.push_back(row);
    const Vector& kept = distinct[static_cast<std::size_t>(at->second)];
    for (std::size_t k = 0; k < row.size(); ++k)
      if (!row[k].is_zero()) return {at->second, row[k].sign() == kept[k].sign() ? 1 : -1};
    return {at->second, 1};
  }

  void fill(ConeRows& out) const {
    out.reset(columns.size(), distinct.size());
    for (const Vector& row : distinct) {
      const long bits = longest(row);
      const long scale = bits <= 15 ? 0 : bits - 1;
      std::vector<double> values;
      bool exact = true;
      for (const Integer& v : row) {
        values.push_back(to_double(v, scale));
        // Exact unless the entry has more than 53 significant bits or underflows.
        exact = exact &&
                (v.is_zero() || (bit_count(v) - static_cast<long>(lsb(Integer(abs(v)))) <= 53 &&
                                 static_cast<long>(lsb(Integer(abs(v)))) - scale > -1000));
      }
      out.push(values.data(), exact ? 0.0 : 0x1p-50);
    }
  }

  void fill_given(std::size_t d) {
    const auto put = [&](const Vector& row) {
      const long bits = longest(row);
      double largest = 0;
      for (const Integer& v : row) {
        value.push_back(to_double(v, bits));
        largest = std::max(largest, std::abs(value.back()));
      }
      // Rounding of the entries (relative 2^-52, or underflow) and of the sum, as in ConeRows.
      value_bound.push_back((2.0 * static_cast<double>(d) + 16) * kRounding * largest);
    };
    for (const Vector& row : given) put(row);
    for (const Vector& row : sides) put(row);
  }

  // -1, 0, 1; the row's number counts sides after the hyperplanes.
  int sign_at(std::size_t row, const double* x, std::size_t d) const {
    double sum = value[row * (d + 1) + d], size = 1;
    for (std::size_t k = 0; k < d; ++k) {
      sum += value[row * (d + 1) + k] * x[k];
      size += std::abs(x[k]);
    }
    if (size < kLargestPoint && std::abs(sum) > value_bound[row] * size) return sum > 0 ? 1 : -1;
    std::vector<double> point(x, x + d);
    point.push_back(1.0);
    return dot(row < given.size() ? given[row] : sides[row - given.size()],
               integers(point.data(), d + 1))
        .sign();
  }
};

Reduction::Reduction(const Hyperplanes& planes, const ConvexDomain& domain)
    : n(planes.n), d(planes.d), impl_(std::make_unique<Impl>()) {
  if (domain.sides.n > 0 && domain.sides.d != planes.d)
    throw std::invalid_argument("the domain has another dimension than the hyperplanes");
  impl_->given = exact_rows(planes);
  if (domain.sides.n > 0) impl_->sides = exact_rows(domain.sides);
  central = impl_->choose_columns(d + 1);
  Vector e(d + 1);
  e.back() = 1;
  std::vector<Vector> all;
  for (const Vector& row : impl_->given) all.push_back(impl_->restricted(row));
  for (const Vector& row : impl_->sides) all.push_back(impl_->restricted(row));
  if (!central) all.push_back(impl_->restricted(e));
  impl_->shift = column_shifts(all, impl_->columns.size());
  identity = true;
  for (std::size_t i = 0; i < n; ++i) {
    const bool zero = is_zero(all[i]);
    const SignedRow r = zero ? SignedRow{-1, 1} : impl_->enter(all[i]);
    representative.push_back(r.row);
    orientation.push_back(static_cast<std::int8_t>(r.sign));
    identity = identity && r.row == static_cast<std::int32_t>(i) && r.sign == 1;
  }
  for (std::size_t i = n; i < all.size(); ++i) {
    if (is_zero(all[i])) {
      contradictory = true;  // 0 > 0
      continue;
    }
    const SignedRow r = impl_->enter(all[i]);
    bool seen = false;
    for (const SignedRow& f : forced) {
      seen = seen || f.row == r.row;
      contradictory = contradictory || (f.row == r.row && f.sign != r.sign);
    }
    if (!seen) forced.push_back(r);
  }
  impl_->fill(rows);
  impl_->fill_given(d);
}

Reduction::~Reduction() = default;

std::vector<std::string> Reduction::exact_row(std::size_t i) const {
  std::vector<std::string> out;
  for (const Integer& v : impl_->distinct[i]) out.push_back(hex_text(v));
  return out;
}

void Reduction::translate(const Word* rows_positive, bool opposite, Word* out) const {
  const std::size_t words = word_count(n);
  if (identity) {
    for (std::size_t w = 0; w < words; ++w)
      out[w] = opposite ? ~rows_positive[w] : rows_positive[w];
    if (words > 0) out[words - 1] &= tail_mask(n);
    return;
  }
  for (std::size_t w = 0; w < words; ++w) out[w] = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (representative[i] < 0) continue;
    const bool positive = get_sign(rows_positive, static_cast<std::size_t>(representative[i]));
    if ((positive != opposite) == (orientation[i] > 0)) set_sign(out, i);
  }
}

void Reduction::affine_point(const double* y, bool opposite, double stretch, double* x) const {
  const Impl& m = *impl_;
  for (std::size_t k = 0; k < d; ++k) x[k] = central ? m.common_value[k] : 0.0;
  if (central) {
    const double factor = opposite ? -stretch : stretch;
    for (std::size_t j = 0; j < m.columns.size(); ++j)
      x[m.columns[j]] += factor * std::ldexp(y[j], static_cast<int>(m.shift[j]));
    return;
  }
  // The last column kept is the last of all: e is among the rows.
  const std::size_t last = m.columns.size() - 1;
  for (std::size_t j = 0; j < last; ++j)
    x[m.columns[j]] = std::ldexp(y[j] / y[last], static_cast<int>(m.shift[j] - m.shift[last]));
}

bool Reduction::has_signs(const double* x, const Word* signs) const {
  for (std::size_t k = 0; k < d; ++k)
    if (!std::isfinite(x[k])) return false;
  for (std::size_t i = 0; i < n; ++i)
    if (representative[i] >= 0 && impl_->sign_at(i, x, d) != (get_sign(signs, i) ? 1 : -1))
      return false;
  for (std::size_t i = 0; i < impl_->sides.size(); ++i)
    if (impl_->sign_at(n + i, x, d) <= 0) return false;
  return true;
}

std::vector<std::string> Reduction::exact_affine_point(const ExactPoint& y, bool opposite) const {
  const Impl& m = *impl_;
  std::vector<Integer> top(d, 0), bottom(d, 1);
  if (central)
    for (std::size_t k = 0; k < d; ++k) std::tie(top[k], bottom[k]) = m.common[k];
  const std::size_t kept = m.columns.size();
  for (std::size_t j = 0; j + (central ? 0 : 1) < kept; ++j) {
    const std::size_t k = m.columns[j];
    const Integer value = y.x[j] << static_cast<unsigned>(m.shift[j]);
    if (central) {
      top[k] += (opposite ? Integer(-value) : value) * bottom[k];
    } else {
      top[k] = value;
      bottom[k] = y.x[kept - 1] << static_cast<unsigned>(m.shift[kept - 1]);
    }
  }
  std::vector<std::string> out;
  for (std::size_t k = 0; k < d; ++k) out.push_back(fraction_text(top[k], bottom[k]));
  return out;
}

}  // namespace linear_regions::arrangement
