// SPDX-License-Identifier: MIT
#include "arrangement/exact_minors.hpp"

#include <stdexcept>

#include "exact_algebra.hpp"

namespace linear_regions {

struct ExactMinors::Impl {
  const Hyperplanes& hyperplanes;
  std::vector<Vector> rows;  // d + 1 columns
  Vector matrix;

  void read() {
    if (rows.empty()) rows = exact_rows(hyperplanes);
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
      const Vector& row = rows[chosen[i]];
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
