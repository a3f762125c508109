// SPDX-License-Identifier: MIT
//
// Hashes of packed sign words, the same on host and device (docs/design/sign-format.md).
//
//   h_0       = mix(seed + kStep * n_words)
//   h_(i+1)   = mix((h_i ^ word_i) + kStep),   i = 0, ..., n_words - 1;   the hash is the last h
//
// All sums and products are modulo 2^64; mix is a bijection of 64-bit words (variant 13 of
// Stafford's constants for the murmur3 finalizer, as in splitmix64). Words enter as integers, never
// as bytes, so the byte order of the machine does not matter. A step is a bijection of its word, so
// two vectors that differ in one word only never collide.
//
// A hash only speeds up a look-up: equality of sign vectors is equality of words. Cost: two
// multiplications a word and lane.
#pragma once

#include "linear_regions/sign_vector.hpp"

namespace linear_regions {

inline constexpr Word kHashStep = 0x9e3779b97f4a7c15;      // 2^64 / golden ratio, odd
inline constexpr Word kHashSeedLow = 0x243f6a8885a308d3;   // the fraction of pi, first 64 bits
inline constexpr Word kHashSeedHigh = 0x13198a2e03707344;  // and the next 64

[[nodiscard]] LR_HD constexpr Word mix(Word x) noexcept {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9;
  x ^= x >> 27;
  x *= 0x94d049bb133111eb;
  x ^= x >> 31;
  return x;
}

[[nodiscard]] LR_HD constexpr Word hash_start(Word seed, Size n_words) noexcept {
  return mix(seed + kHashStep * static_cast<Word>(n_words));
}

[[nodiscard]] LR_HD constexpr Word hash_step(Word state, Word word) noexcept {
  return mix((state ^ word) + kHashStep);
}

// The 64-bit hash of a row of words.
[[nodiscard]] LR_HD constexpr Word hash_words(const Word* words, Size n_words,
                                              Word seed = kHashSeedLow) noexcept {
  Word state = hash_start(seed, n_words);
  for (Size w = 0; w < n_words; ++w) state = hash_step(state, words[w]);
  return state;
}

// Two lanes with different seeds; `low` is the 64-bit hash.
struct Hash128 {
  Word low;
  Word high;
  friend LR_HD constexpr bool operator==(const Hash128& a, const Hash128& b) noexcept {
    return a.low == b.low && a.high == b.high;
  }
};

[[nodiscard]] LR_HD constexpr Hash128 hash_words_128(const Word* words, Size n_words) noexcept {
  Hash128 state{hash_start(kHashSeedLow, n_words), hash_start(kHashSeedHigh, n_words)};
  for (Size w = 0; w < n_words; ++w) {
    state.low = hash_step(state.low, words[w]);
    state.high = hash_step(state.high, words[w]);
  }
  return state;
}

// The first output of splitmix64 with state 0, a published value: the constants are not mistyped.
static_assert(mix(kHashStep) == 0xe220a8397b1dcdaf);
static_assert(mix(0) == 0);

}  // namespace linear_regions
