// SPDX-License-Identifier: MIT
// Packing with AVX-512 (F and BW); called only where the processor has both.
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>

#include "patterns/pack_kernels.hpp"

namespace linear_regions {
namespace {

#include "pack_kernels_body.hpp"

bool pack_f64(const double* row, std::size_t n, double threshold, std::uint64_t* words) {
  const __m512d limit = _mm512_set1_pd(threshold);
  unsigned nan = 0;
  const std::size_t whole = n / 64 * 64;
  for (std::size_t i = 0; i < whole; i += 64) {
    std::uint64_t word = 0;
    for (unsigned k = 0; k < 64; k += 8) {
      const __m512d x = _mm512_loadu_pd(row + i + k);
      nan |= _mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q);
      word |= static_cast<std::uint64_t>(_mm512_cmp_pd_mask(x, limit, _CMP_GT_OQ)) << k;
    }
    words[i / 64] = word;
  }
  const bool rest = pack_rest(row, whole, n, threshold, words);
  return rest || nan != 0;
}

bool pack_f32(const float* row, std::size_t n, float threshold, std::uint64_t* words) {
  const __m512 limit = _mm512_set1_ps(threshold);
  unsigned nan = 0;
  const std::size_t whole = n / 64 * 64;
  for (std::size_t i = 0; i < whole; i += 64) {
    std::uint64_t word = 0;
    for (unsigned k = 0; k < 64; k += 16) {
      const __m512 x = _mm512_loadu_ps(row + i + k);
      nan |= _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
      word |= static_cast<std::uint64_t>(_mm512_cmp_ps_mask(x, limit, _CMP_GT_OQ)) << k;
    }
    words[i / 64] = word;
  }
  const bool rest = pack_rest(row, whole, n, threshold, words);
  return rest || nan != 0;
}

bool pack_half(const std::uint16_t* row, std::size_t n, std::int16_t threshold_key,
               std::int16_t infinity, std::uint64_t* words) {
  const __m512i limit = _mm512_set1_epi16(threshold_key), top = _mm512_set1_epi16(infinity);
  const __m512i size_mask = _mm512_set1_epi16(0x7FFF);
  std::uint32_t nan = 0;
  const std::size_t whole = n / 64 * 64;
  for (std::size_t i = 0; i < whole; i += 64) {
    std::uint64_t word = 0;
    for (unsigned k = 0; k < 64; k += 32) {
      const __m512i x = _mm512_loadu_si512(row + i + k);
      const __m512i size = _mm512_and_si512(x, size_mask), sign = _mm512_srai_epi16(x, 15);
      nan |= _mm512_cmpgt_epi16_mask(size, top);
      const __m512i key = _mm512_sub_epi16(_mm512_xor_si512(size, sign), sign);
      word |= static_cast<std::uint64_t>(_mm512_cmpgt_epi16_mask(key, limit)) << k;
    }
    words[i / 64] = word;
  }
  const bool rest = pack_half_rest(row, whole, n, threshold_key, infinity, words);
  return rest || nan != 0;
}

void pack_bool(const std::uint8_t* row, std::size_t n, std::uint64_t* words) {
  const std::size_t whole = n / 64 * 64;
  for (std::size_t i = 0; i < whole; i += 64) {
    const __m512i x = _mm512_loadu_si512(row + i);
    words[i / 64] = _mm512_test_epi8_mask(x, x);
  }
  pack_bool_rest(row, whole, n, words);
}

}  // namespace

const PackKernels kAvx512PackKernels = {"avx512", pack_f64, pack_f32, pack_half, pack_bool};

}  // namespace linear_regions
#endif
