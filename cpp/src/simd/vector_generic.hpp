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
  void store_rounded(float* p) const {
    for (int i = 0; i < 8; ++i) p[i] = static_cast<float>(v[i]);
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
// a * b - p for the rounded product p, without error (Dekker 1971; factors below 2^900).
inline V product_rest(const V& a, const V& b, const V& p) {
  V r;
  for (int i = 0; i < 8; ++i) {
    const double c = 134217729.0 * a.v[i], d = 134217729.0 * b.v[i];
    const double a1 = c - (c - a.v[i]), a2 = a.v[i] - a1, b1 = d - (d - b.v[i]), b2 = b.v[i] - b1;
    r.v[i] = ((a1 * b1 - p.v[i]) + a1 * b2 + a2 * b1) + a2 * b2;
  }
  return r;
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
// What signs and sizes are taken from: here the doubles themselves.
using High = V;
inline const High& high(const V& x) {
  return x;
}
// Sign bits of 32 lanes (that of -0.0 may count).
inline std::uint32_t sign_bits(const High& a, const High& b, const High& c, const High& d) {
  std::uint32_t bits = 0;
  for (int i = 0; i < 8; ++i)
    bits |= static_cast<std::uint32_t>(a.v[i] < 0) << i |
            static_cast<std::uint32_t>(b.v[i] < 0) << (8 + i) |
            static_cast<std::uint32_t>(c.v[i] < 0) << (16 + i) |
            static_cast<std::uint32_t>(d.v[i] < 0) << (24 + i);
  return bits;
}

// The least size met in each lane.
struct Least {
  V size = V::broadcast(0x1p1023);
  void meet(const High& x) { size = min(size, abs(x)); }
  bool beyond(double threshold) const { return greater(size, V::broadcast(threshold)) == 0xFF; }
};

// W: eight words of 64 bits.
struct W {
  std::uint64_t v[8];
  static W zero() {
    W r;
    for (int i = 0; i < 8; ++i) r.v[i] = 0;
    return r;
  }
  void store(std::uint64_t* p) const {
    for (int i = 0; i < 8; ++i) p[i] = v[i];
  }
};
inline W operator|(const W& a, const W& b) {
  W r;
  for (int i = 0; i < 8; ++i) r.v[i] = a.v[i] | b.v[i];
  return r;
}
// The sign of every lane, as bit `position`.
inline W sign_at(const V& x, unsigned position) {
  W r;
  for (int i = 0; i < 8; ++i) r.v[i] = static_cast<std::uint64_t>(x.v[i] < 0) << position;
  return r;
}
// The sign of lane i, as bit `position` + i.
inline W signs_from(const V& x, unsigned position) {
  W r;
  for (int i = 0; i < 8; ++i)
    r.v[i] = static_cast<std::uint64_t>(x.v[i] < 0) << (position + static_cast<unsigned>(i));
  return r;
}

}  // namespace
}  // namespace linear_regions
