// SPDX-License-Identifier: MIT
// Packing with AVX2; called only where the processor has it.
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>

#include "patterns/pack_kernels.hpp"

namespace linear_regions {
namespace {

#include "pack_kernels_body.hpp"

bool pack_f64(const double* row, std::size_t n, double threshold, std::uint64_t* words) {
  const __m256d limit = _mm256_set1_pd(threshold);
  __m256d nan = _mm256_setzero_pd();
  const std::size_t whole = n / 64 * 64;
  for (std::size_t i = 0; i < whole; i += 64) {
    std::uint64_t word = 0;
    for (unsigned k = 0; k < 64; k += 8) {
      const __m256d a = _mm256_loadu_pd(row + i + k), b = _mm256_loadu_pd(row + i + k + 4);
      nan = _mm256_or_pd(nan, _mm256_cmp_pd(a, b, _CMP_UNORD_Q));
      const int low = _mm256_movemask_pd(_mm256_cmp_pd(a, limit, _CMP_GT_OQ));
      const int high = _mm256_movemask_pd(_mm256_cmp_pd(b, limit, _CMP_GT_OQ));
      word |= static_cast<std::uint64_t>(static_cast<unsigned>(low | (high << 4))) << k;
    }
    words[i / 64] = word;
  }
  const bool rest = pack_rest(row, whole, n, threshold, words);
  return rest || _mm256_movemask_pd(nan) != 0;
}

bool pack_f32(const float* row, std::size_t n, float threshold, std::uint64_t* words) {
  const __m256 limit = _mm256_set1_ps(threshold);
  __m256 nan = _mm256_setzero_ps();
  const std::size_t whole = n / 64 * 64;
  for (std::size_t i = 0; i < whole; i += 64) {
    std::uint64_t word = 0;
    for (unsigned k = 0; k < 64; k += 16) {
      const __m256 a = _mm256_loadu_ps(row + i + k), b = _mm256_loadu_ps(row + i + k + 8);
      nan = _mm256_or_ps(nan, _mm256_cmp_ps(a, b, _CMP_UNORD_Q));
      const int low = _mm256_movemask_ps(_mm256_cmp_ps(a, limit, _CMP_GT_OQ));
      const int high = _mm256_movemask_ps(_mm256_cmp_ps(b, limit, _CMP_GT_OQ));
      word |= static_cast<std::uint64_t>(static_cast<unsigned>(low | (high << 8))) << k;
    }
    words[i / 64] = word;
  }
  const bool rest = pack_rest(row, whole, n, threshold, words);
  return rest || _mm256_movemask_ps(nan) != 0;
}

bool pack_half(const std::uint16_t* row, std::size_t n, std::int16_t threshold_key,
               std::int16_t infinity, std::uint64_t* words) {
  const __m256i limit = _mm256_set1_epi16(threshold_key), top = _mm256_set1_epi16(infinity);
  const __m256i size_mask = _mm256_set1_epi16(0x7FFF);
  __m256i nan = _mm256_setzero_si256();
  const std::size_t whole = n / 64 * 64;
  for (std::size_t i = 0; i < whole; i += 64) {
    std::uint64_t word = 0;
    for (unsigned k = 0; k < 64; k += 32) {
      __m256i above[2];
      for (unsigned j = 0; j < 2; ++j) {
        const __m256i x =
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + i + k + 16 * j));
        const __m256i size = _mm256_and_si256(x, size_mask), sign = _mm256_srai_epi16(x, 15);
        nan = _mm256_or_si256(nan, _mm256_cmpgt_epi16(size, top));
        // Where the sign is -1: ~size + 1.
        const __m256i key = _mm256_sub_epi16(_mm256_xor_si256(size, sign), sign);
        above[j] = _mm256_cmpgt_epi16(key, limit);
      }
      // Packing works on halves of the registers: the permutation puts their quarters in order.
      const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(above[0], above[1]), 0xD8);
      word |= static_cast<std::uint64_t>(static_cast<unsigned>(_mm256_movemask_epi8(bytes))) << k;
    }
    words[i / 64] = word;
  }
  const bool rest = pack_half_rest(row, whole, n, threshold_key, infinity, words);
  return rest || _mm256_movemask_epi8(nan) != 0;
}

void pack_bool(const std::uint8_t* row, std::size_t n, std::uint64_t* words) {
  const std::size_t whole = n / 64 * 64;
  for (std::size_t i = 0; i < whole; i += 64) {
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + i));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + i + 32));
    const __m256i zero = _mm256_setzero_si256();
    const auto low = static_cast<unsigned>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, zero)));
    const auto high = static_cast<unsigned>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, zero)));
    words[i / 64] = ~(static_cast<std::uint64_t>(low) | static_cast<std::uint64_t>(high) << 32);
  }
  pack_bool_rest(row, whole, n, words);
}

}  // namespace

const PackKernels kAvx2PackKernels = {"avx2", pack_f64, pack_f32, pack_half, pack_bool};

}  // namespace linear_regions
#endif
