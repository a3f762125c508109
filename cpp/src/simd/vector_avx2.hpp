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
  void store_rounded(float* p) const {
    _mm_storeu_ps(p, _mm256_cvtpd_ps(a));
    _mm_storeu_ps(p + 4, _mm256_cvtpd_ps(b));
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
// x * y - p for the rounded product p, without error.
inline V product_rest(V x, V y, V p) {
  return {_mm256_fmsub_pd(x.a, y.a, p.a), _mm256_fmsub_pd(x.b, y.b, p.b)};
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
// The high half of each double, its sign, exponent and first 20 bits: enough for a sign, and for
// a comparison of sizes that errs by one unit of the twentieth bit. Lanes 0, 1, 4, 5, 2, 3, 6, 7.
struct High {
  __m256i words;
};
inline High high(V x) {
  return {
      _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castpd_ps(x.a), _mm256_castpd_ps(x.b), 0xDD))};
}
// Sign bits of 32 lanes (that of -0.0 may count), in order. Sixteen-bit pieces, then bytes, by
// saturation; the halves of the registers come out apart and are joined at the end.
inline std::uint32_t sign_bits(High p, High q, High r, High s) {
  const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(p.words, q.words),
                                           _mm256_packs_epi32(r.words, s.words));
  const __m256i joined = _mm256_permute4x64_epi64(bytes, 0xD8);
  const __m256i order = _mm256_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15, 0, 1,
                                         8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15);
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_shuffle_epi8(joined, order)));
}

// The least size met in each lane.
struct Least {
  __m256i words = _mm256_set1_epi32(0x7fffffff);
  void meet(High x) {
    const __m256i size = _mm256_and_si256(x.words, _mm256_set1_epi32(0x7fffffff));
    words = _mm256_min_epi32(words, size);
  }
  // True only where all of them are beyond the finite `threshold` >= 0, and none is NaN unless
  // `threshold` stands for that.
  bool beyond(double threshold) const {
    const __m128i bits = _mm_castpd_si128(_mm_set_sd(threshold));
    const __m256i limit = _mm256_set1_epi32(_mm_extract_epi32(bits, 1));
    return _mm256_movemask_epi8(_mm256_cmpgt_epi32(words, limit)) == -1;
  }
};

// W: eight words of 64 bits.
struct W {
  __m256i a, b;
  static W zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  void store(std::uint64_t* p) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 4), b);
  }
};
inline W operator|(W x, W y) {
  return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)};
}
// The sign bit of every lane, moved to bit `position`.
inline W sign_at(V x, unsigned position) {
  const __m256d sign = _mm256_set1_pd(-0.0);
  const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(63 - position));
  return {_mm256_srl_epi64(_mm256_castpd_si256(_mm256_and_pd(sign, x.a)), shift),
          _mm256_srl_epi64(_mm256_castpd_si256(_mm256_and_pd(sign, x.b)), shift)};
}
// The sign bit of lane i, moved to bit `position` + i.
inline W signs_from(V x, unsigned position) {
  const __m256d sign = _mm256_set1_pd(-0.0);
  const __m256i shift =
      _mm256_sub_epi64(_mm256_setr_epi64x(63, 62, 61, 60), _mm256_set1_epi64x(position));
  const __m256i four = _mm256_set1_epi64x(4);
  return {_mm256_srlv_epi64(_mm256_castpd_si256(_mm256_and_pd(sign, x.a)), shift),
          _mm256_srlv_epi64(_mm256_castpd_si256(_mm256_and_pd(sign, x.b)),
                            _mm256_sub_epi64(shift, four))};
}

}  // namespace
}  // namespace linear_regions
