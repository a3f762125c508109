// SPDX-License-Identifier: MIT
// Compiled with -mpopcnt, called only where the processor has it.
#if defined(__x86_64__) || defined(_M_X64)
#include "patterns/differing_bits.hpp"

namespace linear_regions {

std::int64_t differing_bits_popcnt(const std::uint64_t* a, const std::uint64_t* b,
                                   std::size_t width) {
  // Four sums, so that no addition waits for the one before it.
  long long sum[4] = {0, 0, 0, 0};
  std::size_t w = 0;
  for (; w + 4 <= width; w += 4)
    for (std::size_t k = 0; k < 4; ++k) sum[k] += __builtin_popcountll(a[w + k] ^ b[w + k]);
  for (; w < width; ++w) sum[0] += __builtin_popcountll(a[w] ^ b[w]);
  return sum[0] + sum[1] + sum[2] + sum[3];
}

}  // namespace linear_regions
#endif
