// SPDX-License-Identifier: MIT
//
// Uniform points in a box from a counter-based stream, the same numbers as on the processor
// (python/linear_regions/_sample.py): point i takes the blocks i * blocks .. of four 64-bit words
// that Philox4x64-10 gives for its key, as NumPy counts them (the first block has the counter 1).
//
// J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, Parallel random numbers: as easy as 1, 2, 3,
// SC 2011. No rounding depends on the compiler: products and sums stay separate.
#pragma once

#include "teams.hpp"

namespace linear_regions {

struct PhiloxBlock {
  Word word[4];
};

LR_DEVICE inline Word high_product(Word a, Word b) {
#if defined(__CUDA_ARCH__)
  return __umul64hi(a, b);
#else
  const Word a_low = a & 0xffffffffU, a_high = a >> 32, b_low = b & 0xffffffffU, b_high = b >> 32;
  const Word cross = (a_low * b_low >> 32) + (a_high * b_low & 0xffffffffU) + a_low * b_high;
  return a_high * b_high + (a_high * b_low >> 32) + (cross >> 32);
#endif
}

// Block number `block` of the stream of a key.
LR_DEVICE inline PhiloxBlock philox(Word block, Word key_low, Word key_high) {
  PhiloxBlock c = {{block + 1, block + 1 == 0 ? Word{1} : Word{0}, 0, 0}};
  for (int round = 0; round < 10; ++round) {
    constexpr Word kFirst = 0xd2e7470ee14c6c93, kSecond = 0xca5a826395121157;
    const Word high0 = high_product(kFirst, c.word[0]), low0 = kFirst * c.word[0];
    const Word high1 = high_product(kSecond, c.word[2]), low1 = kSecond * c.word[2];
    c = {{high1 ^ c.word[1] ^ key_low, low1, high0 ^ c.word[3] ^ key_high, low0}};
    key_low += 0x9e3779b97f4a7c15;
    key_high += 0xbb67ae8584caa73b;
  }
  return c;
}

// The middle of one of 2^52 equal parts of (0, 1).
LR_DEVICE inline double unit_number(Word word) {
  return (static_cast<double>(word >> 12) + 0.5) * 0x1p-52;
}

LR_DEVICE inline double between(double low, double high, double u) {
  const double rest = 1.0 - u, a = low * rest, b = high * u;
  const double sum = a + b;
  const double least = sum < low ? low : sum;
  return least > high ? high : least;
}

}  // namespace linear_regions
