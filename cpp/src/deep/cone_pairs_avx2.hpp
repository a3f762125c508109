// SPDX-License-Identifier: MIT
// Pairs of masks that share many bits, eight at a time; for sources that are compiled with -mavx2.
#pragma once

#include <immintrin.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace linear_regions {
namespace {

// Row b has the places of the bits that are set in b.
struct BitPlaces {
  alignas(32) std::array<std::array<std::int32_t, 8>, 256> place{};
  constexpr BitPlaces() {
    for (unsigned b = 0; b < 256; ++b) {
      std::size_t n = 0;
      for (std::int32_t i = 0; i < 8; ++i)
        if (((b >> i) & 1) != 0) place[b][n++] = i;
    }
  }
};
constexpr BitPlaces kBitPlaces;

inline __m256i masks_at(const std::uint64_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

inline unsigned lanes_of(__m256i v) {
  return static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(v)));
}

// Four lanes: which of them have all but at most `missing` (0 or 1) of the bits?
inline unsigned nearly_all(__m256i bits, __m256i other, bool exactly) {
  __m256i x = _mm256_andnot_si256(other, bits);
  if (!exactly) x = _mm256_and_si256(x, _mm256_add_epi64(x, _mm256_set1_epi64x(-1)));
  return lanes_of(_mm256_cmpeq_epi64(x, _mm256_setzero_si256()));
}

inline unsigned enough(__m256i bits, __m256i other, __m256i below) {
  const __m256i x = _mm256_and_si256(bits, other), four = _mm256_set1_epi8(15);
  const __m256i counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1,
                                          2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i low = _mm256_shuffle_epi8(counts, _mm256_and_si256(x, four));
  const __m256i high = _mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi64(x, 4), four));
  const __m256i sum = _mm256_sad_epu8(_mm256_add_epi8(low, high), _mm256_setzero_si256());
  return lanes_of(_mm256_cmpgt_epi64(sum, below));
}

// A ray that is simple has just one facet more than are needed: then one bit may be missing, which
// is quicker to see than how many are shared.
inline std::size_t shared_pairs_avx2(const std::uint64_t* positive, std::size_t n,
                                     const std::uint64_t* negative, std::size_t m, int need,
                                     std::int32_t* first, std::int32_t* second) {
  std::size_t at = 0;
  const std::size_t whole = m / 8 * 8;
  std::uint64_t rest[8] = {};
  for (std::size_t j = whole; j < m; ++j) rest[j - whole] = negative[j];
  const unsigned valid = (1u << (m - whole)) - 1;
  const __m256i below = _mm256_set1_epi64x(need - 1);
  for (std::size_t i = 0; i < n; ++i) {
    const __m256i mask = _mm256_set1_epi64x(static_cast<long long>(positive[i]));
    const __m256i me = _mm256_set1_epi32(static_cast<int>(i));
    const int spare = __builtin_popcountll(positive[i]) - need;
    if (spare < 0) continue;
    const auto append = [&](std::size_t j, unsigned found) {
      const __m256i place =
          _mm256_load_si256(reinterpret_cast<const __m256i*>(kBitPlaces.place[found].data()));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(first + at), me);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(second + at),
                          _mm256_add_epi32(place, _mm256_set1_epi32(static_cast<int>(j))));
      at += static_cast<std::size_t>(__builtin_popcount(found));
    };
    const auto look = [&](const std::uint64_t* p) {
      const __m256i a = masks_at(p), b = masks_at(p + 4);
      if (spare <= 1) return nearly_all(mask, a, spare == 0) | nearly_all(mask, b, spare == 0) << 4;
      return enough(mask, a, below) | enough(mask, b, below) << 4;
    };
    for (std::size_t j = 0; j < whole; j += 8) {
      const unsigned found = look(negative + j);
      if (found != 0) append(j, found);
    }
    if (valid != 0) {
      const unsigned found = look(rest) & valid;
      if (found != 0) append(whole, found);
    }
  }
  return at;
}

}  // namespace
}  // namespace linear_regions
