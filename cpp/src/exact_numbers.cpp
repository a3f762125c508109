// SPDX-License-Identifier: MIT
#include "exact_numbers.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace linear_regions {

std::string hex_text(const Integer& value) {
  const std::string digits = Integer(abs(value)).str(0, std::ios_base::hex);
  return value < 0 ? "-" + digits : digits;
}

Dyadic dyadic(double value) {
  if (value == 0.0) return {};
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);
  auto mantissa = static_cast<std::int64_t>(std::ldexp(fraction, 53));
  const int zeros = std::countr_zero(static_cast<std::uint64_t>(mantissa));
  return {mantissa / (std::int64_t{1} << zeros), exponent - 53 + zeros};
}

int least_exponent(const double* values, std::size_t n, int least) {
  for (std::size_t i = 0; i < n; ++i)
    if (values[i] != 0.0) least = std::min(least, dyadic(values[i]).exponent);
  return least;
}

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

std::string fraction_text(const Integer& numerator, const Integer& denominator) {
  const Integer g = boost::multiprecision::gcd(numerator, denominator);
  const Integer n = denominator < 0 ? Integer(-numerator / g) : Integer(numerator / g);
  const Integer d = denominator < 0 ? Integer(-denominator / g) : Integer(denominator / g);
  return hex_text(n) + "/" + hex_text(d);
}

long bit_count(const Integer& value) {
  return value.is_zero() ? 0 : static_cast<long>(msb(Integer(abs(value)))) + 1;
}

double to_double(const Integer& value, long shift) {
  const long extra = std::max(0L, bit_count(value) - 64);
  const Integer top = Integer(abs(value)) >> static_cast<unsigned>(extra);
  const double size = std::ldexp(top.convert_to<double>(), static_cast<int>(extra - shift));
  return value < 0 ? -size : size;
}

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

Vector integers(const double* values, std::size_t n) {
  const int scale = least_exponent(values, n);
  Vector out(n);
  if (scale == kNoExponent) return out;
  for (std::size_t i = 0; i < n; ++i) out[i] = scaled(values[i], scale);
  return out;
}

}  // namespace linear_regions
