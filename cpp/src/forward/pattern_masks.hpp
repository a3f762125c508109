// SPDX-License-Identifier: MIT
// From one mask a bit, over the samples of a group, to the packed patterns of the samples.
#pragma once

#include <cstddef>
#include <cstdint>

namespace linear_regions {

// An 8 x 8 matrix of bits, row i in byte i, transposed (Warren, Hacker's Delight, 7-3).
inline std::uint64_t transposed(std::uint64_t x) {
  std::uint64_t t = (x ^ (x >> 7)) & 0x00AA00AA00AA00AA;
  x ^= t ^ (t << 7);
  t = (x ^ (x >> 14)) & 0x0000CCCC0000CCCC;
  x ^= t ^ (t << 14);
  t = (x ^ (x >> 28)) & 0x00000000F0F0F0F0;
  return x ^ t ^ (t << 28);
}

// Bit s of masks[i] becomes bit first + i of the pattern of sample s, for n masks and the samples
// s < live; those bits must be zero before.
inline void put_masks(const std::uint16_t* masks, std::size_t n, std::size_t first,
                      std::size_t live, std::size_t words, std::uint64_t* patterns) {
  for (std::size_t half = 0; half < live; half += 8) {
    const std::size_t some = live - half < 8 ? live - half : 8;
    for (std::size_t i = 0; i < n; i += 8) {
      std::uint64_t square = 0;
      for (std::size_t k = 0; k < 8 && i + k < n; ++k)
        square |= static_cast<std::uint64_t>((masks[i + k] >> half) & 0xFF) << (8 * k);
      square = transposed(square);
      const std::size_t word = (first + i) >> 6, shift = (first + i) & 63;
      for (std::size_t s = 0; s < some; ++s) {
        std::uint64_t* to = patterns + (half + s) * words + word;
        const std::uint64_t byte = (square >> (8 * s)) & 0xFF;
        to[0] |= byte << shift;
        if (shift > 56 && (byte >> (64 - shift)) != 0) to[1] |= byte >> (64 - shift);
      }
    }
  }
}

inline std::uint64_t get_bits(const std::uint64_t* words, std::size_t first, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t b = 0; b < count; ++b)
    value |= ((words[(first + b) >> 6] >> ((first + b) & 63)) & 1) << b;
  return value;
}

}  // namespace linear_regions
