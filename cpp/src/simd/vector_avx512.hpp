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
// Sign bits of 32 lanes (that of -0.0 may count).
inline std::uint32_t sign_bits(V a, V b, V c, V d) {
  const auto bits = [](V x) {
    return static_cast<std::uint32_t>(_mm512_movepi64_mask(_mm512_castpd_si512(x.v)));
  };
  return bits(a) | bits(b) << 8 | bits(c) << 16 | bits(d) << 24;
}

}  // namespace
}  // namespace linear_regions
