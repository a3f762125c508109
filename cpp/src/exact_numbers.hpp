// SPDX-License-Identifier: MIT
// Integers of any size, and doubles as such integers: what the sources of the exact stage share.
// Only sources that are registered with linear_regions_use_boost may include this.
#pragma once

#include <boost/multiprecision/cpp_int.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace linear_regions {

using Integer = boost::multiprecision::cpp_int;
using Vector = std::vector<Integer>;

// value = mantissa * 2^exponent with an odd mantissa (or zero with exponent 0).
struct Dyadic {
  std::int64_t mantissa = 0;
  int exponent = 0;
};
Dyadic dyadic(double value);

inline constexpr int kNoExponent = 1 << 28;

// The least exponent of the non-zero values, or `least`.
int least_exponent(const double* values, std::size_t n, int least = kNoExponent);

// value * 2^-scale as an integer; scale must not exceed the value's exponent.
Integer scaled(double value, int scale);

// The values times one power of two, as integers.
Vector integers(const double* values, std::size_t n);

Integer parse_hex(const std::string& text);

// Signed hexadecimal: Python reads it in linear time and without a limit on digits.
std::string hex_text(const Integer& value);
std::string fraction_text(const Integer& numerator, const Integer& denominator);

// Bits of |value|: 0 for zero, else floor(log2) + 1.
long bit_count(const Integer& value);

// value * 2^-shift as a double, cut to 64 leading bits and rounded: within one unit of the last
// place.
double to_double(const Integer& value, long shift);

// numerator / denominator rounded to double; infinite beyond the range.
double ratio(const Integer& numerator, const Integer& denominator);

}  // namespace linear_regions
