// SPDX-License-Identifier: MIT
//
// Which register of a HyperLogLog sketch a hash raises, and to what, on host and device: the number
// is the first `precision` bits, the value one more than the leading zeros of the others.
#pragma once

#include "linear_regions/sign_vector.hpp"

namespace linear_regions {

[[nodiscard]] LR_HD constexpr Size register_of(Word hash, unsigned precision) noexcept {
  return static_cast<Size>(hash >> (64 - precision));
}
[[nodiscard]] LR_HD constexpr unsigned char rank_of(Word hash, unsigned precision) noexcept {
  // The set bit behind the last ends the count at q + 1.
  const Word rest = (hash << precision) | (Word{1} << (precision - 1));
#if defined(__CUDA_ARCH__)
  return static_cast<unsigned char>(1 + __clzll(static_cast<long long>(rest)));
#else
  return static_cast<unsigned char>(1 + std::countl_zero(rest));
#endif
}

#if !defined(__CUDA_ARCH__)  // __clzll is no constant expression
static_assert(rank_of(~Word{0}, 14) == 1 && rank_of(0, 14) == 51 && rank_of(1, 14) == 50);
static_assert(register_of(~Word{0}, 14) == 16383 && register_of(0, 14) == 0);
#endif

}  // namespace linear_regions
