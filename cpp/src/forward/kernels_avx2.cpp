// SPDX-License-Identifier: MIT
// The forward pass with AVX2 and FMA; called only where the processor has both.
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>

#include "forward/forward_kernels.hpp"

namespace linear_regions {
namespace {

// B outputs of eight samples: 2 B sums in registers, of which B = 6 leaves room for the rest.
template <int B>
void dense_block(double* out, const double* weight, std::size_t lead, std::size_t n_in,
                 const double* in) {
  __m256d low[B], high[B];
  for (int b = 0; b < B; ++b) {
    low[b] = _mm256_loadu_pd(out + 8 * b);
    high[b] = _mm256_loadu_pd(out + 8 * b + 4);
  }
  for (std::size_t j = 0; j < n_in; ++j, weight += lead, in += 8) {
    const __m256d x = _mm256_loadu_pd(in), y = _mm256_loadu_pd(in + 4);
    for (int b = 0; b < B; ++b) {
      const __m256d w = _mm256_broadcast_sd(weight + b);
      low[b] = _mm256_fmadd_pd(w, x, low[b]);
      high[b] = _mm256_fmadd_pd(w, y, high[b]);
    }
  }
  for (int b = 0; b < B; ++b) {
    _mm256_storeu_pd(out + 8 * b, low[b]);
    _mm256_storeu_pd(out + 8 * b + 4, high[b]);
  }
}

void dense(double* out, const double* weight, std::size_t lead, std::size_t n_in, std::size_t n_out,
           const double* in) {
  std::size_t i = 0;
  for (; i + 6 <= n_out; i += 6) dense_block<6>(out + 8 * i, weight + i, lead, n_in, in);
  for (; i + 2 <= n_out; i += 2) dense_block<2>(out + 8 * i, weight + i, lead, n_in, in);
  if (i < n_out) dense_block<1>(out + 8 * i, weight + i, lead, n_in, in);
}

struct Piece {
  bool constant;
  __m256d slope, intercept;
  __m256d operator()(__m256d z) const {
    return constant ? intercept : _mm256_add_pd(_mm256_mul_pd(slope, z), intercept);
  }
};

void two_pieces(double* out, const double* in, std::size_t n, double breakpoint,
                const double* slopes, const double* intercepts, std::uint8_t* above) {
  const __m256d limit = _mm256_set1_pd(breakpoint);
  const Piece lower = {slopes[0] == 0.0, _mm256_set1_pd(slopes[0]), _mm256_set1_pd(intercepts[0])};
  const Piece upper = {slopes[1] == 0.0, _mm256_set1_pd(slopes[1]), _mm256_set1_pd(intercepts[1])};
  for (std::size_t i = 0; i < n; ++i, in += 8, out += 8) {
    const __m256d a = _mm256_loadu_pd(in), b = _mm256_loadu_pd(in + 4);
    const __m256d over_a = _mm256_cmp_pd(a, limit, _CMP_GT_OQ);
    const __m256d over_b = _mm256_cmp_pd(b, limit, _CMP_GT_OQ);
    _mm256_storeu_pd(out, _mm256_blendv_pd(lower(a), upper(a), over_a));
    _mm256_storeu_pd(out + 4, _mm256_blendv_pd(lower(b), upper(b), over_b));
    above[i] =
        static_cast<std::uint8_t>(_mm256_movemask_pd(over_a) | (_mm256_movemask_pd(over_b) << 4));
  }
}

}  // namespace

const ForwardKernels kAvx2ForwardKernels = {dense, two_pieces};

}  // namespace linear_regions
#endif
