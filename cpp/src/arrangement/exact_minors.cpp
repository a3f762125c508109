// SPDX-License-Identifier: MIT
#include "arrangement/exact_minors.hpp"

#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

namespace linear_regions {
namespace {

using Integer = boost::multiprecision::cpp_int;

Integer parse_hex(const std::string& text) {
  const bool negative = !text.empty() && text[0] == '-';
  Integer value("0x" + text.substr(negative ? 1 : 0));
  return negative ? Integer(-value) : value;
}

// The row times the power of two that makes all its entries integers.
void integers(const double* row, std::size_t columns, Integer* out) {
  int least = 1 << 28;
  for (std::size_t c = 0; c < columns; ++c) {
    if (row[c] == 0.0) continue;
    int exponent = 0;
    std::frexp(row[c], &exponent);
    least = std::min(least, exponent - 53);
  }
  for (std::size_t c = 0; c < columns; ++c) {
    if (row[c] == 0.0) continue;
    int exponent = 0;
    const double fraction = std::frexp(row[c], &exponent);
    out[c] = Integer(static_cast<std::int64_t>(std::ldexp(fraction, 53)))
             << static_cast<unsigned>(exponent - 53 - least);
  }
}

}  // namespace

struct ExactMinors::Impl {
  const Hyperplanes& hyperplanes;
  std::vector<Integer> rows;  // n * (d + 1)
  std::vector<Integer> matrix;

  void read() {
    if (!rows.empty()) return;
    const std::size_t columns = hyperplanes.columns();
    rows.resize(hyperplanes.n * columns);
    if (!hyperplanes.exact.empty()) {
      for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = parse_hex(hyperplanes.exact[i]);
      return;
    }
    for (std::size_t i = 0; i < hyperplanes.n; ++i)
      integers(hyperplanes.row(i), columns, rows.data() + i * columns);
  }

  void fill(std::span<const std::uint32_t> chosen, std::size_t level, bool offset) {
    const std::size_t k = level + (offset ? 1 : 0), d = hyperplanes.d;
    if (chosen.size() != k) throw std::logic_error("a minor needs as many rows as columns");
    matrix.assign(k * k, 0);
    for (std::size_t i = 0; i < k; ++i) {
      if (chosen[i] == hyperplanes.n) {
        matrix[i * k + level - 1] = 1;
        continue;
      }
      const Integer* row = rows.data() + chosen[i] * (d + 1);
      for (std::size_t c = 0; c < level; ++c) matrix[i * k + c] = row[c];
      if (!offset) continue;
      matrix[i * k + level] = row[level];
      if (level < d) matrix[i * k + level].backend().negate();
    }
  }

  int determinant_sign(std::size_t k) {
    int sign = 1;
    Integer previous = 1;
    for (std::size_t p = 0; p < k; ++p) {
      std::size_t pivot = p;
      while (pivot < k && matrix[pivot * k + p].is_zero()) ++pivot;
      if (pivot == k) return 0;
      if (pivot != p) {
        for (std::size_t c = p; c < k; ++c) swap(matrix[pivot * k + c], matrix[p * k + c]);
        sign = -sign;
      }
      for (std::size_t i = p + 1; i < k; ++i)
        for (std::size_t c = p + 1; c < k; ++c) {
          Integer& entry = matrix[i * k + c];
          entry *= matrix[p * k + p];
          entry -= matrix[i * k + p] * matrix[p * k + c];
          entry /= previous;
        }
      previous = matrix[p * k + p];
    }
    return k == 0 ? 1 : sign * previous.sign();
  }
};

ExactMinors::ExactMinors(const Hyperplanes& hyperplanes)
    : impl_(std::make_unique<Impl>(Impl{hyperplanes, {}, {}})) {}
ExactMinors::~ExactMinors() = default;

int ExactMinors::sign(std::span<const std::uint32_t> rows, std::size_t level, bool offset) {
  impl_->read();
  impl_->fill(rows, level, offset);
  return impl_->determinant_sign(level + (offset ? 1 : 0));
}

}  // namespace linear_regions
