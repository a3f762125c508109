// SPDX-License-Identifier: MIT
#include "linear_regions/pattern_distances.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "linear_regions/build.hpp"
#include "patterns/differing_bits.hpp"

namespace linear_regions {

std::int64_t differing_bits_generic(const std::uint64_t* a, const std::uint64_t* b,
                                    std::size_t width) {
  std::size_t total = 0;
  for (std::size_t w = 0; w < width; ++w) total += popcount(a[w] ^ b[w]);
  return static_cast<std::int64_t>(total);
}

DifferingBits differing_bits() {
#if defined(__x86_64__) || defined(_M_X64)
  if (std::strcmp(simd_name(), "generic") != 0 && __builtin_cpu_supports("popcnt"))
    return differing_bits_popcnt;
#endif
  return differing_bits_generic;
}

void pattern_distances(std::span<const Word> rows, std::size_t n, std::size_t width,
                       std::span<std::int64_t> distances, const std::function<bool()>& keep_going) {
  if (rows.size() != n * width || distances.size() != n * n)
    throw std::invalid_argument("rows or distances have the wrong size");
  const DifferingBits differ = differing_bits();
  // A block of rows that fits the first cache is compared with all later rows.
  constexpr std::size_t kBlockWords = 2048;
  const std::size_t block = std::max<std::size_t>(1, kBlockWords / std::max<std::size_t>(1, width));
  constexpr std::size_t kWordsPerQuestion = std::size_t{1} << 20;
  std::size_t words = 0;
  for (std::size_t first = 0; first < n; first += block) {
    const std::size_t last = std::min(n, first + block);
    for (std::size_t j = first; j < n; ++j) {
      words += (last - first) * width;
      if (words >= kWordsPerQuestion) {
        if (!keep_going()) return;
        words = 0;
      }
      for (std::size_t i = first; i < std::min(last, j + 1); ++i) {
        const std::int64_t d = differ(rows.data() + i * width, rows.data() + j * width, width);
        distances[i * n + j] = distances[j * n + i] = d;
      }
    }
  }
}

}  // namespace linear_regions
