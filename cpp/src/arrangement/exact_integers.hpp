// SPDX-License-Identifier: MIT
// What the exact parts of the arrangement engine add to exact_numbers.hpp; included by exact_*.cpp
// only.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "exact_numbers.hpp"

namespace linear_regions::arrangement {

using IntegerRow = Vector;

// As exact_numbers.hpp reads it.
inline std::string hex_text(const Integer& value) {
  const std::string digits = Integer(abs(value)).str(0, std::ios_base::hex);
  return value < 0 ? "-" + digits : digits;
}

// Bits of |value|: 0 for zero, else floor(log2) + 1.
inline long bit_count(const Integer& value) {
  return value.is_zero() ? 0 : static_cast<long>(msb(Integer(abs(value)))) + 1;
}

// value * 2^-shift as a double, cut to 64 leading bits and rounded: within one unit of the last
// place.
inline double to_double(const Integer& value, long shift) {
  const long extra = std::max(0L, bit_count(value) - 64);
  const Integer top = Integer(abs(value)) >> static_cast<unsigned>(extra);
  const double size = std::ldexp(top.convert_to<double>(), static_cast<int>(extra - shift));
  return value < 0 ? -size : size;
}

inline Integer dot(const IntegerRow& a, const IntegerRow& b) {
  Integer sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k)
    if (!a[k].is_zero() && !b[k].is_zero()) sum += a[k] * b[k];
  return sum;
}

// Divide by the greatest common divisor of the entries.
inline void make_primitive(IntegerRow& row) {
  Integer g = 0;
  for (const Integer& v : row) {
    g = gcd(g, v);
    if (g == 1) return;
  }
  if (g > 1)
    for (Integer& v : row) v /= g;
}

}  // namespace linear_regions::arrangement
