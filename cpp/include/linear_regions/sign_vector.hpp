// SPDX-License-Identifier: MIT
//
// Packed sign vectors: the one definition of their layout (docs/design/sign-format.md).
//
//   n            number of signs
//   i            index of a sign, 0 <= i < n
//   words        word_count(n) = ceil(n / 64) unsigned 64-bit words
//
// Sign i is bit i mod 64 of word i div 64, least significant bit first. A set bit means "positive",
// or "above the breakpoint"; a value that is equal to the breakpoint, and NaN, give a clear bit.
// Invariant: the bits behind the last sign are zero, so that equality of sign vectors is equality
// of words. Zeros, where a caller has to tell them from negative signs, live in a second plane of
// the same layout. Every function takes time linear in the words that it names.
#pragma once

#include "linear_regions/host_device.hpp"

#if !defined(__CUDACC_RTC__)
#include <bit>
#include <cstddef>
#include <cstdint>
#endif

namespace linear_regions {

#if defined(__CUDACC_RTC__)
// NVRTC compiles without the standard headers.
using Word = unsigned long long;
using Size = unsigned long long;
#else
using Word = std::uint64_t;
using Size = std::size_t;
#endif

inline constexpr Size kWordBits = 64;

// Number of words that hold n signs.
[[nodiscard]] LR_HD constexpr Size word_count(Size n) noexcept {
  return n / kWordBits + (n % kWordBits != 0 ? 1 : 0);
}

// The word with only the bit of sign i set.
[[nodiscard]] LR_HD constexpr Word sign_bit(Size i) noexcept {
  return Word{1} << (i % kWordBits);
}

// The word with the bits of the first n signs set, at most all of them.
[[nodiscard]] LR_HD constexpr Word first_bits(Size n) noexcept {
  return n >= kWordBits ? ~Word{0} : (Word{1} << n) - 1;
}

// Mask of the bits of the last word that belong to signs; all ones where n fills its words, n = 0
// included.
[[nodiscard]] LR_HD constexpr Word tail_mask(Size n) noexcept {
  const Size used = n % kWordBits;
  return used == 0 ? ~Word{0} : (Word{1} << used) - 1;
}

[[nodiscard]] LR_HD constexpr bool get_sign(const Word* words, Size i) noexcept {
  return (words[i / kWordBits] & sign_bit(i)) != 0;
}

LR_HD constexpr void set_sign(Word* words, Size i) noexcept {
  words[i / kWordBits] |= sign_bit(i);
}

LR_HD constexpr void clear_sign(Word* words, Size i) noexcept {
  words[i / kWordBits] &= ~sign_bit(i);
}

LR_HD constexpr void assign_sign(Word* words, Size i, bool positive) noexcept {
  if (positive) {
    set_sign(words, i);
  } else {
    clear_sign(words, i);
  }
}

[[nodiscard]] LR_HD constexpr bool equal_words(const Word* a, const Word* b,
                                               Size n_words) noexcept {
  for (Size w = 0; w < n_words; ++w) {
    if (a[w] != b[w]) return false;
  }
  return true;
}

// Negative, zero or positive as a comes before b, equals it or comes after it: words are compared
// as integers, from the first word on.
[[nodiscard]] LR_HD constexpr int compare_words(const Word* a, const Word* b,
                                                Size n_words) noexcept {
  for (Size w = 0; w < n_words; ++w) {
    if (a[w] != b[w]) return a[w] < b[w] ? -1 : 1;
  }
  return 0;
}

// Number of set bits of one word.
[[nodiscard]] LR_HD constexpr Size popcount(Word word) noexcept {
#if defined(__CUDA_ARCH__)
  return static_cast<Size>(__popcll(word));
#else
  return static_cast<Size>(std::popcount(word));
#endif
}

// Number of positive signs.
[[nodiscard]] LR_HD constexpr Size count_positive(const Word* words, Size n_words) noexcept {
  Size total = 0;
  for (Size w = 0; w < n_words; ++w) total += popcount(words[w]);
  return total;
}

// The sign of a value against its breakpoint: a tie belongs to the lower piece.
template <class Real>
[[nodiscard]] LR_HD constexpr bool is_above(Real value, Real breakpoint) noexcept {
  return value > breakpoint;
}

// One word from two halves of 32 signs: what two warp votes give on a GPU.
[[nodiscard]] LR_HD constexpr Word join_halves(unsigned first, unsigned second) noexcept {
  return Word{first} | (Word{second} << 32);
}

// Signs of `count` <= 64 values against the breakpoint 0, as one word.
template <class Real>
[[nodiscard]] LR_HD constexpr Word pack_word(const Real* values, Size count) noexcept {
  Word word = 0;
  for (Size i = 0; i < count; ++i) {
    word |= Word{is_above(values[i], Real{0})} << i;
  }
  return word;
}

// Signs of n values against the breakpoint 0, into word_count(n) words.
template <class Real>
LR_HD constexpr void pack_signs(const Real* values, Size n, Word* words) noexcept {
  for (Size w = 0; w < word_count(n); ++w) {
    const Size first = w * kWordBits;
    words[w] = pack_word(values + first, n - first < kWordBits ? n - first : kWordBits);
  }
}

static_assert(word_count(0) == 0 && word_count(1) == 1 && word_count(64) == 1);
static_assert(word_count(65) == 2 && word_count(1000) == 16);
static_assert(tail_mask(0) == ~Word{0} && tail_mask(1) == 1 && tail_mask(64) == ~Word{0});
static_assert(sign_bit(0) == 1 && sign_bit(63) == Word{1} << 63 && sign_bit(64) == 1);
static_assert(join_halves(1, 2) == 0x0000000200000001);

}  // namespace linear_regions
