// SPDX-License-Identifier: MIT
//
// Which register of a HyperLogLog sketch a hash raises, and to what: the number is the first
// `precision` bits, the rank one more than the leading zeros of the others.
#pragma once

#include "teams.hpp"

namespace linear_regions {

LR_DEVICE inline Size sketch_register(Word hash, unsigned precision) {
  return static_cast<Size>(hash >> (64 - precision));
}

LR_DEVICE inline unsigned sketch_rank(Word hash, unsigned precision) {
  // The set bit behind the last one ends the count.
  const Word rest = (hash << precision) | (Word{1} << (precision - 1));
#if defined(__CUDA_ARCH__)
  return static_cast<unsigned>(1 + __clzll(static_cast<long long>(rest)));
#else
  return static_cast<unsigned>(1 + std::countl_zero(rest));
#endif
}

}  // namespace linear_regions
