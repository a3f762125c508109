// SPDX-License-Identifier: MIT
//
// Packing and hashing of batches of sign vectors. Thin loops: the layout and the hash are those of
// the host/device headers. Rows are contiguous; every kernel runs with any grid, in a stride over
// its work, and needs no shared memory. Compiled by NVRTC at first use, and by nvcc as a check.
#include "linear_regions/hash.hpp"
#include "linear_regions/sign_vector.hpp"

namespace linear_regions {
namespace {

constexpr Size kWarpLanes = 32;

__device__ Size thread_number() {
  return Size{blockIdx.x} * blockDim.x + threadIdx.x;
}

__device__ Size thread_total() {
  return Size{gridDim.x} * blockDim.x;
}

// The votes of one warp on 32 values in a row; lane i gives bit i. All lanes must call it.
template <class Real>
__device__ unsigned vote_above_zero(const Real* row, Size first, Size n) {
  const Size i = first + threadIdx.x % kWarpLanes;
  return __ballot_sync(0xffffffffU, i < n && is_above(row[i], Real{0}));
}

// One warp a word, so that neighbouring lanes read neighbouring values. Needs whole warps: a block
// size that is a multiple of 32.
template <class Real>
__device__ void pack_rows(const Real* values, Size n_rows, Size n, Word* words) {
  const Size n_words = word_count(n);
  for (Size at = thread_number() / kWarpLanes; at < n_rows * n_words;
       at += thread_total() / kWarpLanes) {
    const Real* row = values + at / n_words * n;
    const Size first = at % n_words * kWordBits;
    const unsigned low = vote_above_zero(row, first, n);
    const unsigned high = vote_above_zero(row, first + kWarpLanes, n);
    if (threadIdx.x % kWarpLanes == 0) words[at] = join_halves(low, high);
  }
}

}  // namespace
}  // namespace linear_regions

using linear_regions::Size;
using linear_regions::Word;

// values: (n_rows, n); words: (n_rows, word_count(n)).
extern "C" __global__ void lr_pack_signs_f32(const float* values, Size n_rows, Size n,
                                             Word* words) {
  linear_regions::pack_rows(values, n_rows, n, words);
}

extern "C" __global__ void lr_pack_signs_f64(const double* values, Size n_rows, Size n,
                                             Word* words) {
  linear_regions::pack_rows(values, n_rows, n, words);
}

// words: (n_rows, n_words); hashes: (n_rows,).
extern "C" __global__ void lr_hash_rows(const Word* words, Size n_rows, Size n_words,
                                        Word* hashes) {
  for (Size row = linear_regions::thread_number(); row < n_rows;
       row += linear_regions::thread_total()) {
    hashes[row] = linear_regions::hash_words(words + row * n_words, n_words);
  }
}

// words: (n_rows, n_words); hashes: (n_rows, 2), the low lane first.
extern "C" __global__ void lr_hash_rows_128(const Word* words, Size n_rows, Size n_words,
                                            Word* hashes) {
  for (Size row = linear_regions::thread_number(); row < n_rows;
       row += linear_regions::thread_total()) {
    const linear_regions::Hash128 hash =
        linear_regions::hash_words_128(words + row * n_words, n_words);
    hashes[2 * row] = hash.low;
    hashes[2 * row + 1] = hash.high;
  }
}
