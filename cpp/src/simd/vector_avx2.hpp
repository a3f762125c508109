// SPDX-License-Identifier: MIT
// V: eight doubles, for AVX2 with FMA.
// For the sources of this instruction set only; everything is in an unnamed namespace, so that the
// linker cannot pick these functions for code that runs on other processors.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace linear_regions {
namespace {

struct V {
  __m256d a, b;
  static V load(const double* p) { return {_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)}; }
  static V broadcast(double x) { return {_mm256_set1_pd(x), _mm256_set1_pd(x)}; }
  static V zero() { return {_mm256_setzero_pd(), _mm256_setzero_pd()}; }
  void store(double* p) const {
    _mm256_storeu_pd(p, a);
    _mm256_storeu_pd(p + 4, b);
  }
};

inline V operator+(V x, V y) {
  return {_mm256_add_pd(x.a, y.a), _mm256_add_pd(x.b, y.b)};
}
inline V operator-(V x, V y) {
  return {_mm256_sub_pd(x.a, y.a), _mm256_sub_pd(x.b, y.b)};
}
inline V operator*(V x, V y) {
  return {_mm256_mul_pd(x.a, y.a), _mm256_mul_pd(x.b, y.b)};
}
inline V fma(V x, V y, V z) {
  return {_mm256_fmadd_pd(x.a, y.a, z.a), _mm256_fmadd_pd(x.b, y.b, z.b)};
}
inline V abs(V x) {
  const __m256d sign = _mm256_set1_pd(-0.0);
  return {_mm256_andnot_pd(sign, x.a), _mm256_andnot_pd(sign, x.b)};
}
inline V min(V x, V y) {
  return {_mm256_min_pd(x.a, y.a), _mm256_min_pd(x.b, y.b)};
}
inline V max(V x, V y) {
  return {_mm256_max_pd(x.a, y.a), _mm256_max_pd(x.b, y.b)};
}
inline unsigned greater(V x, V y) {
  const int low = _mm256_movemask_pd(_mm256_cmp_pd(x.a, y.a, _CMP_GT_OQ));
  const int high = _mm256_movemask_pd(_mm256_cmp_pd(x.b, y.b, _CMP_GT_OQ));
  return static_cast<unsigned>(low | (high << 4));
}
inline V operator/(V x, V y) {
  return {_mm256_div_pd(x.a, y.a), _mm256_div_pd(x.b, y.b)};
}
// Sign bits of 32 lanes (that of -0.0 may count). The high halves of the doubles are narrowed, with
// saturation, to bytes; the halves of the registers come out apart and are joined at the end.
inline std::uint32_t sign_bits(V p, V q, V r, V s) {
  const auto high = [](V x) {
    return _mm256_castps_si256(
        _mm256_shuffle_ps(_mm256_castpd_ps(x.a), _mm256_castpd_ps(x.b), 0xDD));
  };
  const __m256i words = _mm256_packs_epi16(_mm256_packs_epi32(high(p), high(q)),
                                           _mm256_packs_epi32(high(r), high(s)));
  const __m128i low = _mm256_castsi256_si128(words), top = _mm256_extracti128_si256(words, 1);
  const int first = _mm_movemask_epi8(_mm_unpacklo_epi16(low, top));
  const int second = _mm_movemask_epi8(_mm_unpackhi_epi16(low, top));
  return static_cast<std::uint32_t>(first) | static_cast<std::uint32_t>(second) << 16;
}

}  // namespace
}  // namespace linear_regions
