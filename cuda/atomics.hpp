// SPDX-License-Identifier: MIT
//
// The few atomic operations of the kernels, on the device and on the host. All are relaxed: what a
// kernel publishes through them is read by later kernels alone.
#pragma once

#include "teams.hpp"

namespace linear_regions {

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)

__device__ inline Word atomic_load(const Word* at) {
  return *static_cast<const volatile Word*>(at);
}
// Writes `wanted` where `expected` was; returns what was there.
__device__ inline Word atomic_exchange_if(Word* at, Word expected, Word wanted) {
  return atomicCAS(reinterpret_cast<unsigned long long*>(at),
                   static_cast<unsigned long long>(expected),
                   static_cast<unsigned long long>(wanted));
}
__device__ inline void atomic_lower(Word* at, Word value) {
  atomicMin(reinterpret_cast<unsigned long long*>(at), static_cast<unsigned long long>(value));
}
// Returns the sum before.
__device__ inline Word atomic_add(Word* at, Word value) {
  return atomicAdd(reinterpret_cast<unsigned long long*>(at),
                   static_cast<unsigned long long>(value));
}
__device__ inline void atomic_raise(unsigned* at, unsigned value) {
  if (*static_cast<volatile unsigned*>(at) < value) atomicMax(at, value);
}
__device__ inline void set_flag(unsigned char* at) {
  *at = 1;
}

#else

inline Word atomic_load(const Word* at) {
  return __atomic_load_n(at, __ATOMIC_RELAXED);
}
inline Word atomic_exchange_if(Word* at, Word expected, Word wanted) {
  __atomic_compare_exchange_n(at, &expected, wanted, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return expected;
}
inline void atomic_lower(Word* at, Word value) {
  Word seen = atomic_load(at);
  while (seen > value && !__atomic_compare_exchange_n(at, &seen, value, false, __ATOMIC_RELAXED,
                                                      __ATOMIC_RELAXED)) {
  }
}
inline Word atomic_add(Word* at, Word value) {
  return __atomic_fetch_add(at, value, __ATOMIC_RELAXED);
}
inline void atomic_raise(unsigned* at, unsigned value) {
  unsigned seen = __atomic_load_n(at, __ATOMIC_RELAXED);
  while (seen < value && !__atomic_compare_exchange_n(at, &seen, value, false, __ATOMIC_RELAXED,
                                                      __ATOMIC_RELAXED)) {
  }
}
inline void set_flag(unsigned char* at) {
  __atomic_store_n(at, static_cast<unsigned char>(1), __ATOMIC_RELAXED);
}

#endif

}  // namespace linear_regions
