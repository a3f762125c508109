// SPDX-License-Identifier: MIT
#include "exact_algebra.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace linear_regions {
namespace {

// A common power of two comes from the scaling of doubles: drop it before numbers multiply.
void drop_twos(Vector& v) {
  bool any = false;
  unsigned twos = 0;
  for (const Integer& x : v) {
    if (x.is_zero()) continue;
    const unsigned zeros = static_cast<unsigned>(lsb(abs(x)));
    twos = any ? std::min(twos, zeros) : zeros;
    any = true;
  }
  if (twos == 0) return;
  for (Integer& x : v) x /= Integer(1) << twos;
}

}  // namespace

Integer dot(const Vector& a, const Vector& b) {
  Integer sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!a[i].is_zero() && !b[i].is_zero()) sum += a[i] * b[i];
  return sum;
}

void make_primitive(Vector& v) {
  Integer g = 0;
  for (const Integer& x : v) {
    if (x.is_zero()) continue;
    g = gcd(g, x);
    if (g == 1) return;
  }
  if (g.is_zero()) return;
  for (Integer& x : v) x /= g;
}

Vector null_vector(std::vector<Vector> m, std::size_t n) {
  if (m.size() + 1 != n) throw std::logic_error("a ray is defined by as many lines as dimensions");
  for (Vector& row : m) drop_twos(row);
  std::vector<std::size_t> pivot;
  std::size_t free = n;
  Integer before = 1;
  // Gauss and Jordan, fraction-free: after step r the first r pivots are all equal to `before`.
  for (std::size_t column = 0; column < n && pivot.size() < m.size(); ++column) {
    const std::size_t r = pivot.size();
    std::size_t found = r;
    while (found < m.size() && m[found][column].is_zero()) ++found;
    if (found == m.size()) {
      if (free != n) throw std::logic_error("a ray is defined by dependent lines");
      free = column;
      continue;
    }
    std::swap(m[r], m[found]);
    const Integer p = m[r][column];
    for (std::size_t i = 0; i < m.size(); ++i) {
      if (i == r) continue;
      const Integer factor = m[i][column];
      for (std::size_t j = 0; j < n; ++j) {
        m[i][j] *= p;
        if (!factor.is_zero() && !m[r][j].is_zero()) m[i][j] -= factor * m[r][j];
        if (!m[i][j].is_zero()) m[i][j] /= before;
      }
    }
    before = p;
    pivot.push_back(column);
  }
  if (pivot.size() < m.size()) throw std::logic_error("a ray is defined by dependent lines");
  if (free == n) free = n - 1;
  Vector out(n);
  out[free] = before;
  for (std::size_t i = 0; i < m.size(); ++i) out[pivot[i]] = -m[i][free];
  make_primitive(out);
  return out;
}

Vector point_vector(const double* t, std::size_t dim) {
  const int scale = std::min(0, least_exponent(t, dim));
  Vector out(dim + 1);
  for (std::size_t j = 0; j < dim; ++j) out[j] = scaled(t[j], scale);
  out[dim] = Integer(1) << static_cast<unsigned>(-scale);
  return out;
}

std::vector<double> rounded_vector(const Vector& v) {
  Integer largest = v.back();
  if (largest.is_zero())
    for (const Integer& x : v) largest = std::max(largest, Integer(abs(x)));
  std::vector<double> out;
  for (const Integer& x : v) out.push_back(ratio(x, largest));
  return out;
}

bool all_zero(const Vector& v) {
  return std::all_of(v.begin(), v.end(), [](const Integer& x) { return x.is_zero(); });
}

void Echelon::reduce(Vector& row) const {
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const std::size_t p = pivots_[i];
    if (row[p].is_zero()) continue;
    const Integer pivot = abs(rows_[i][p]);
    const Integer factor = rows_[i][p].sign() < 0 ? Integer(-row[p]) : row[p];
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = row[j] * pivot - factor * rows_[i][j];
  }
  make_primitive(row);
}

bool Echelon::add(Vector row) {
  reduce(row);
  for (std::size_t j = 0; j < row.size(); ++j) {
    if (row[j].is_zero()) continue;
    pivots_.push_back(j);
    rows_.push_back(std::move(row));
    return true;
  }
  return false;
}

std::vector<Vector> exact_rows(const Hyperplanes& planes) {
  const std::size_t columns = planes.columns();
  if (planes.value.size() != planes.n * columns ||
      (!planes.exact.empty() && planes.exact.size() != planes.n * columns))
    throw std::invalid_argument("hyperplanes need n rows of d + 1 values");
  std::vector<Vector> rows;
  for (std::size_t i = 0; i < planes.n; ++i) {
    for (std::size_t k = 0; k < columns; ++k)
      if (!std::isfinite(planes.row(i)[k]))
        throw std::invalid_argument("a hyperplane has a value that is not finite");
    if (planes.exact.empty()) {
      rows.push_back(integers(planes.row(i), columns));
    } else {
      Vector row;
      for (std::size_t k = 0; k < columns; ++k)
        row.push_back(parse_hex(planes.exact[i * columns + k]));
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

}  // namespace linear_regions
