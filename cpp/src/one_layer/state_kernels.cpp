// SPDX-License-Identifier: MIT
#include "one_layer/state_kernels.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "linear_regions/build.hpp"

namespace linear_regions::one_layer {
namespace {

template <class Cell>
void read(Cell* __restrict out, const Cell* __restrict g, const ReadTable<Cell>& table) {
  const std::uint16_t* index = table.index.data();
  const Cell* added = table.added.data();
  const std::size_t n = table.index.size();
  for (std::size_t u = 0; u < n; ++u) out[u] = static_cast<Cell>(g[index[u]] + added[u]);
}

template <class Cell>
unsigned gap(const Cell* x, const Cell* y, std::size_t n) {
  Cell least = std::numeric_limits<Cell>::max();
  for (std::size_t u = 0; u < n; ++u) least = std::min(least, static_cast<Cell>(y[u] - x[u]));
  return least;
}

template <class Cell>
std::uint32_t take(Cell* __restrict key, const Cell* __restrict x, const Cell* __restrict y,
                   unsigned t, std::size_t cells) {
  const auto taken = static_cast<Cell>(t);
  for (std::size_t u = 0; u < cells; ++u) {
    const auto with = static_cast<Cell>(y[u] - taken);
    key[u] = x[u] < with ? x[u] : with;
  }
  std::uint64_t a = 0x9e3779b97f4a7c15, b = 0x243f6a8885a308d3;
  const auto* bytes = reinterpret_cast<const unsigned char*>(key);
  for (std::size_t i = 0; i < cells * sizeof(Cell); i += 16) {
    std::uint64_t v, w;
    std::memcpy(&v, bytes + i, 8);
    std::memcpy(&w, bytes + i + 8, 8);
    a = (a ^ v) * 0xbf58476d1ce4e5b9;
    b = (b ^ w) * 0x94d049bb133111eb;
    a ^= a >> 29;
    b ^= b >> 31;
  }
  return mixed(a, b);
}

template <class Cell>
constexpr StateKernels<Cell> kGeneric = {read<Cell>, gap<Cell>, take<Cell>};

#if defined(__x86_64__) || defined(_M_X64)
bool vectors() {
  return std::strcmp(simd_name(), "generic") != 0;
}
#endif

}  // namespace

template <>
const StateKernels<std::uint8_t>& state_kernels() {
#if defined(__x86_64__) || defined(_M_X64)
  if (vectors()) return kStateKernels8Avx2;
#endif
  return kGeneric<std::uint8_t>;
}

template <>
const StateKernels<std::uint16_t>& state_kernels() {
#if defined(__x86_64__) || defined(_M_X64)
  if (vectors()) return kStateKernels16Avx2;
#endif
  return kGeneric<std::uint16_t>;
}

}  // namespace linear_regions::one_layer
