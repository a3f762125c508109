// SPDX-License-Identifier: MIT
// Compiled with -mavx2, called only where the processor has it.
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>

#include <cstring>
#include <limits>

#include "one_layer/state_kernels.hpp"

namespace linear_regions::one_layer {
namespace {

template <class Cell>
__m256i subtract(__m256i a, __m256i b) {
  return sizeof(Cell) == 1 ? _mm256_sub_epi8(a, b) : _mm256_sub_epi16(a, b);
}

template <class Cell>
__m256i add(__m256i a, __m256i b) {
  return sizeof(Cell) == 1 ? _mm256_add_epi8(a, b) : _mm256_add_epi16(a, b);
}

template <class Cell>
__m256i smaller(__m256i a, __m256i b) {
  return sizeof(Cell) == 1 ? _mm256_min_epu8(a, b) : _mm256_min_epu16(a, b);
}

__m256i load(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}
void store(void* to, __m256i v) {
  _mm256_storeu_si256(static_cast<__m256i*>(to), v);
}

// Eight bytes are joined in a register: one store instead of eight.
template <class Cell>
void read(Cell* out, const Cell* g, const ReadTable<Cell>& table) {
  constexpr std::size_t kJoined = 8 / sizeof(Cell);
  const std::uint16_t* index = table.index.data();
  const Cell* added = table.added.data();
  const std::size_t n = table.index.size();
  std::size_t u = 0;
  for (; u + kJoined <= n; u += kJoined) {
    std::uint64_t joined = 0;
    for (std::size_t i = 0; i < kJoined; ++i)
      joined |= std::uint64_t{g[index[u + i]]} << (8 * sizeof(Cell) * i);
    std::memcpy(out + u, &joined, 8);
  }
  for (; u < n; ++u) out[u] = g[index[u]];
  constexpr std::size_t kCells = kStateBytes / sizeof(Cell);
  for (u = 0; u < table.added.size(); u += kCells)
    store(out + u, add<Cell>(load(out + u), load(added + u)));
}

template <class Cell>
unsigned gap(const Cell* x, const Cell* y, std::size_t n) {
  constexpr std::size_t kCells = kStateBytes / sizeof(Cell);
  __m256i least = _mm256_set1_epi8(-1);
  std::size_t u = 0;
  for (; u + kCells <= n; u += kCells)
    least = smaller<Cell>(least, subtract<Cell>(load(y + u), load(x + u)));
  Cell found[kCells];
  store(found, least);
  unsigned result = std::numeric_limits<Cell>::max();
  for (const Cell cell : found) result = cell < result ? cell : result;
  for (; u < n; ++u) {
    const unsigned cell = static_cast<Cell>(y[u] - x[u]);
    result = cell < result ? cell : result;
  }
  return result;
}

// The hash adds, per 64 bits, the product of the two halves of key xor secret, and the neighbour's
// key itself; secrets differ from place to place.
template <class Cell>
std::uint32_t take(Cell* key, const Cell* x, const Cell* y, unsigned t, std::size_t cells) {
  constexpr std::size_t kCells = kStateBytes / sizeof(Cell);
  const __m256i taken = sizeof(Cell) == 1 ? _mm256_set1_epi8(static_cast<char>(t))
                                          : _mm256_set1_epi16(static_cast<short>(t));
  const __m256i stride = _mm256_set1_epi64x(0x61c8864680b583eb);
  __m256i secret = _mm256_setr_epi64x(0x243f6a8885a308d3, 0x13198a2e03707344, 0x24093822299f31d0,
                                      0x082efa98ec4e6c89);
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t u = 0; u < cells; u += kCells) {
    const __m256i v = smaller<Cell>(load(x + u), subtract<Cell>(load(y + u), taken));
    store(key + u, v);
    const __m256i mask = _mm256_xor_si256(v, secret);
    const __m256i product = _mm256_mul_epu32(mask, _mm256_srli_epi64(mask, 32));
    sum = _mm256_add_epi64(sum, _mm256_shuffle_epi32(v, 0x4e));
    sum = _mm256_add_epi64(sum, product);
    secret = _mm256_add_epi64(secret, stride);
  }
  std::uint64_t word[4];
  store(word, sum);
  return mixed(word[0] ^ word[2] * 0x9e3779b97f4a7c15, word[1] ^ word[3] * 0xd6e8feb86659fd93);
}

}  // namespace

const StateKernels<std::uint8_t> kStateKernels8Avx2 = {read<std::uint8_t>, gap<std::uint8_t>,
                                                       take<std::uint8_t>};
const StateKernels<std::uint16_t> kStateKernels16Avx2 = {read<std::uint16_t>, gap<std::uint16_t>,
                                                         take<std::uint16_t>};

}  // namespace linear_regions::one_layer
#endif
