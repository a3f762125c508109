// SPDX-License-Identifier: MIT
//
// The inner loops over the vectors of a frontier count, with one definition per instruction set.
//
// A vector has one cell of 8 or 16 bits per set U; buffers are padded with zeros to a multiple of
// kStateBytes. Hashes differ between instruction sets, so that rows of a StateMap may come in
// another order; sums over rows do not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "one_layer/sweep.hpp"

namespace linear_regions::one_layer {

inline constexpr std::size_t kStateBytes = 32;

// The reads of a step in separate tables: entry u becomes g[index[u]] + added[u].
template <class Cell>
struct ReadTable {
  std::vector<std::uint16_t> index;  // one per set
  std::vector<Cell> added;           // padded
};

template <class Cell>
struct StateKernels {
  // out = g read through the table.
  void (*read)(Cell* out, const Cell* g, const ReadTable<Cell>& table);
  // The smallest y[u] - x[u] over the first n cells; y >= x there.
  unsigned (*gap)(const Cell* x, const Cell* y, std::size_t n);
  // key = min(x, y - t), `cells` of them, a multiple of kStateBytes; returns a hash of the key.
  // The padding has y = 0, where the difference wraps around: x = 0 is smaller.
  std::uint32_t (*take)(Cell* key, const Cell* x, const Cell* y, unsigned t, std::size_t cells);
};

// The best kernels of this processor.
template <class Cell>
const StateKernels<Cell>& state_kernels();

// Finishes a hash: every bit of the result depends on all of both words.
inline std::uint32_t mixed(std::uint64_t a, std::uint64_t b) {
  a = (a ^ (b << 32 | b >> 32)) * 0xbf58476d1ce4e5b9;
  a = (a ^ (a >> 32)) * 0x94d049bb133111eb;
  return static_cast<std::uint32_t>(a >> 32);
}

#if defined(__x86_64__) || defined(_M_X64)
extern const StateKernels<std::uint8_t> kStateKernels8Avx2;
extern const StateKernels<std::uint16_t> kStateKernels16Avx2;
#endif

}  // namespace linear_regions::one_layer
