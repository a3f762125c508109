// SPDX-License-Identifier: MIT
// Signs and sizes unit by unit, four rays at a time; for sources that are compiled with -mavx2.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "deep/cone_kernels.hpp"

namespace linear_regions {
namespace {

// Bit `63 - shift` of four words, as sign bits.
inline __m256d bits_of(const std::uint64_t* words, __m128i shift) {
  const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
  return _mm256_castsi256_pd(_mm256_sll_epi64(w, shift));
}

inline double largest(__m256d x) {
  const __m128d pair = _mm_max_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd(x, 1));
  return _mm_cvtsd_f64(_mm_max_sd(pair, _mm_unpackhi_pd(pair, pair)));
}

inline void sign_columns_avx2(const std::uint64_t* positive, const std::uint64_t* negative,
                              std::size_t n, std::uint64_t units, std::uint64_t* columns,
                              std::size_t words) {
  for (; units != 0; units &= units - 1) {
    const int u = __builtin_ctzll(units);
    const __m128i shift = _mm_cvtsi32_si128(63 - u);
    std::uint64_t* to = columns + 2 * words * static_cast<std::size_t>(u);
    for (std::size_t w = 0; w < words; ++w) {
      const std::size_t first = 64 * w, last = n < first + 64 ? n : first + 64;
      std::uint64_t p = 0, q = 0;
      for (std::size_t r = first; r < last; r += 4) {
        const auto more = static_cast<unsigned>(_mm256_movemask_pd(bits_of(positive + r, shift)));
        const auto less = static_cast<unsigned>(_mm256_movemask_pd(bits_of(negative + r, shift)));
        p |= static_cast<std::uint64_t>(more) << (r - first);
        q |= static_cast<std::uint64_t>(less) << (r - first);
      }
      to[w] = p;
      to[words + w] = q;
    }
  }
}

inline double sizes_avx2(const double* value, std::size_t lead, std::size_t n,
                         const std::uint64_t* positive, const std::uint64_t* negative, int unit,
                         UnitDoubt doubt, const double* slack, double* out) {
  const std::size_t run = (n + 7) / 8 * 8;
  const __m128i shift = _mm_cvtsi32_si128(63 - unit);
  const __m256d zero = _mm256_setzero_pd(), sign = _mm256_set1_pd(-0.0), one = _mm256_set1_pd(1.0);
  const __m256d error = _mm256_set1_pd(doubt.error), norm = _mm256_set1_pd(doubt.norm);
  __m256d worst = zero;
  for (std::size_t r = 0; r < run; r += 4) {
    const double* v = value + r * lead;
    const __m256d x = _mm256_set_pd(v[3 * lead], v[2 * lead], v[lead], v[0]);
    const __m256d size = _mm256_andnot_pd(sign, x), inverse = _mm256_div_pd(one, size);
    const __m256d more = bits_of(positive + r, shift), less = bits_of(negative + r, shift);
    _mm256_storeu_pd(out + r, _mm256_blendv_pd(zero, size, more));
    _mm256_storeu_pd(out + run + r, _mm256_blendv_pd(zero, size, less));
    _mm256_storeu_pd(out + 2 * run + r, _mm256_blendv_pd(zero, inverse, less));
    _mm256_storeu_pd(out + 3 * run + r, _mm256_blendv_pd(zero, inverse, more));
    // Not a number, or zero with a strict sign: nothing is known.
    const __m256d bound = _mm256_add_pd(error, _mm256_mul_pd(norm, _mm256_loadu_pd(slack + r)));
    const __m256d share = _mm256_div_pd(bound, size);
    const __m256d fine = _mm256_cmp_pd(share, _mm256_set1_pd(1e300), _CMP_LT_OQ);
    const __m256d capped = _mm256_blendv_pd(_mm256_set1_pd(1e300), share, fine);
    worst = _mm256_max_pd(worst, _mm256_blendv_pd(zero, capped, _mm256_or_pd(more, less)));
  }
  return largest(worst);
}

inline double reach_avx2(const double* a, const double* b, const double* c, const double* d,
                         std::size_t n) {
  __m256d x = _mm256_setzero_pd(), y = x;
  for (std::size_t i = 0; i < n; i += 4) {
    x = _mm256_max_pd(_mm256_mul_pd(_mm256_loadu_pd(a + i), _mm256_loadu_pd(b + i)), x);
    y = _mm256_max_pd(_mm256_mul_pd(_mm256_loadu_pd(c + i), _mm256_loadu_pd(d + i)), y);
  }
  return largest(x) * largest(y);
}

}  // namespace
}  // namespace linear_regions
