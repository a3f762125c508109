// SPDX-License-Identifier: MIT
// Linear algebra in integers of any size: fraction-free elimination (Bareiss 1968), whose entries
// are minors of the matrix and so do not grow beyond what Hadamard's bound allows.
#pragma once

#include <vector>

#include "exact_numbers.hpp"
#include "linear_regions/domain_frame.hpp"
#include "linear_regions/hyperplanes.hpp"

namespace linear_regions {

Integer dot(const Vector& a, const Vector& b);

// Divides by the greatest common divisor.
void make_primitive(Vector& v);

// The vector, up to sign, on which n - 1 independent rows of length n vanish: their minors.
// Throws std::logic_error where the rows are dependent.
Vector null_vector(std::vector<Vector> rows, std::size_t n);

// (t, 1) times a positive integer.
Vector point_vector(const double* t, std::size_t dim);

// (t, 1), or (direction, 0) with largest entry 1 in size.
std::vector<double> rounded_vector(const Vector& v);

// The sides of a domain as rows of integers, up to positive factors.
std::vector<Vector> exact_sides(const DomainFrame& domain);

// The rows of hyperplanes as integers, up to positive factors. Throws std::invalid_argument for
// arrays of a wrong size and values that are not finite.
std::vector<Vector> exact_rows(const Hyperplanes& planes);

bool all_zero(const Vector& v);

// Rows in echelon form.
class Echelon {
 public:
  // Replaces the row by a positive multiple of it less a combination of the rows, with zeros at
  // their pivots.
  void reduce(Vector& row) const;
  // False where the row depends on those that were added before.
  bool add(Vector row);
  const std::vector<std::size_t>& pivots() const { return pivots_; }

 private:
  std::vector<Vector> rows_;
  std::vector<std::size_t> pivots_;
};

}  // namespace linear_regions
