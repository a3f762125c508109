// SPDX-License-Identifier: MIT
// V: eight doubles, for AVX-512 F.
// For the sources of this instruction set only; everything is in an unnamed namespace, so that the
// linker cannot pick these functions for code that runs on other processors.
#pragma once

// GCC 12 warns about the undefined operand inside its own min and max intrinsics.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>

#include <cstdint>

namespace linear_regions {
namespace {

struct V {
  __m512d v;
  static V load(const double* p) { return {_mm512_loadu_pd(p)}; }
  static V broadcast(double x) { return {_mm512_set1_pd(x)}; }
  static V zero() { return {_mm512_setzero_pd()}; }
  void store(double* p) const { _mm512_storeu_pd(p, v); }
  void store_rounded(float* p) const { _mm256_storeu_ps(p, _mm512_cvtpd_ps(v)); }
};

inline V operator+(V x, V y) {
  return {_mm512_add_pd(x.v, y.v)};
}
inline V operator-(V x, V y) {
  return {_mm512_sub_pd(x.v, y.v)};
}
inline V operator*(V x, V y) {
  return {_mm512_mul_pd(x.v, y.v)};
}
inline V fma(V x, V y, V z) {
  return {_mm512_fmadd_pd(x.v, y.v, z.v)};
}
// x * y - p for the rounded product p, without error.
inline V product_rest(V x, V y, V p) {
  return {_mm512_fmsub_pd(x.v, y.v, p.v)};
}
inline V abs(V x) {
  return {_mm512_abs_pd(x.v)};
}
inline V min(V x, V y) {
  return {_mm512_min_pd(x.v, y.v)};
}
inline V max(V x, V y) {
  return {_mm512_max_pd(x.v, y.v)};
}
inline unsigned greater(V x, V y) {
  return _mm512_cmp_pd_mask(x.v, y.v, _CMP_GT_OQ);
}
inline V operator/(V x, V y) {
  return {_mm512_div_pd(x.v, y.v)};
}
// What signs and sizes are taken from: here the doubles themselves.
using High = V;
inline High high(V x) {
  return x;
}
// Sign bits of 32 lanes (that of -0.0 may count).
inline std::uint32_t sign_bits(High a, High b, High c, High d) {
  const auto bits = [](V x) {
    return static_cast<std::uint32_t>(_mm512_movepi64_mask(_mm512_castpd_si512(x.v)));
  };
  return bits(a) | bits(b) << 8 | bits(c) << 16 | bits(d) << 24;
}

// The least size met in each lane.
struct Least {
  V size = V::broadcast(0x1p1023);
  void meet(High x) { size = min(size, abs(x)); }
  bool beyond(double threshold) const { return greater(size, V::broadcast(threshold)) == 0xFF; }
};

// W: eight words of 64 bits.
struct W {
  __m512i v;
  static W zero() { return {_mm512_setzero_si512()}; }
  void store(std::uint64_t* p) const { _mm512_storeu_si512(p, v); }
};
inline W operator|(W x, W y) {
  return {_mm512_or_si512(x.v, y.v)};
}
// The sign bit of every lane, moved to bit `position`.
inline W sign_at(V x, unsigned position) {
  const __m512i sign = _mm512_srli_epi64(_mm512_castpd_si512(x.v), 63);
  return {_mm512_sll_epi64(sign, _mm_cvtsi32_si128(static_cast<int>(position)))};
}
// The sign bit of lane i, moved to bit `position` + i.
inline W signs_from(V x, unsigned position) {
  const __m512i sign = _mm512_srli_epi64(_mm512_castpd_si512(x.v), 63);
  const __m512i lane = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
  return {_mm512_sllv_epi64(sign, _mm512_add_epi64(lane, _mm512_set1_epi64(position)))};
}

}  // namespace
}  // namespace linear_regions
