// SPDX-License-Identifier: MIT
// V: eight doubles, in plain C++: the compiler uses what its baseline offers (SSE2, NEON).
// For the sources of this instruction set only; everything is in an unnamed namespace, so that the
// linker cannot pick these functions for code that runs on other processors.
#pragma once

#include <cstdint>

namespace linear_regions {
namespace {

struct V {
  double v[8];
  static V load(const double* p) {
    V r;
    for (int i = 0; i < 8; ++i) r.v[i] = p[i];
    return r;
  }
  static V broadcast(double x) {
    V r;
    for (int i = 0; i < 8; ++i) r.v[i] = x;
    return r;
  }
  static V zero() { return broadcast(0.0); }
  void store(double* p) const {
    for (int i = 0; i < 8; ++i) p[i] = v[i];
  }
};

inline V operator+(const V& a, const V& b) {
  V r;
  for (int i = 0; i < 8; ++i) r.v[i] = a.v[i] + b.v[i];
  return r;
}
inline V operator-(const V& a, const V& b) {
  V r;
  for (int i = 0; i < 8; ++i) r.v[i] = a.v[i] - b.v[i];
  return r;
}
inline V operator*(const V& a, const V& b) {
  V r;
  for (int i = 0; i < 8; ++i) r.v[i] = a.v[i] * b.v[i];
  return r;
}
// Two roundings: the error bounds allow for either form.
inline V fma(const V& a, const V& b, const V& c) {
  return a * b + c;
}
inline V abs(const V& a) {
  V r;
  for (int i = 0; i < 8; ++i) r.v[i] = a.v[i] < 0 ? -a.v[i] : a.v[i];
  return r;
}
inline V min(const V& a, const V& b) {
  V r;
  for (int i = 0; i < 8; ++i) r.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
  return r;
}
inline V max(const V& a, const V& b) {
  V r;
  for (int i = 0; i < 8; ++i) r.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
  return r;
}
inline unsigned greater(const V& a, const V& b) {
  unsigned bits = 0;
  for (int i = 0; i < 8; ++i) bits |= static_cast<unsigned>(a.v[i] > b.v[i]) << i;
  return bits;
}
inline V operator/(const V& a, const V& b) {
  V r;
  for (int i = 0; i < 8; ++i) r.v[i] = a.v[i] / b.v[i];
  return r;
}
// Sign bits of 32 lanes (that of -0.0 may count).
inline std::uint32_t sign_bits(const V& a, const V& b, const V& c, const V& d) {
  std::uint32_t bits = 0;
  for (int i = 0; i < 8; ++i)
    bits |= static_cast<std::uint32_t>(a.v[i] < 0) << i |
            static_cast<std::uint32_t>(b.v[i] < 0) << (8 + i) |
            static_cast<std::uint32_t>(c.v[i] < 0) << (16 + i) |
            static_cast<std::uint32_t>(d.v[i] < 0) << (24 + i);
  return bits;
}

}  // namespace
}  // namespace linear_regions
