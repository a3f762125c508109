// SPDX-License-Identifier: MIT
// Compiled with -mavx2 -mfma, called only where the processor has both.
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>

#include "one_layer/residue_kernels.hpp"

namespace linear_regions::one_layer {
namespace {

constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

// sum + x w - q p, |x w - q p| < 0.77 p.
inline __m256d with_product(__m256d sum, const double* from, const double* weight,
                            const double* ratio, __m256d p) {
  const __m256d x = _mm256_loadu_pd(from), w = _mm256_loadu_pd(weight);
  const __m256d high = _mm256_mul_pd(x, w), low = _mm256_fmsub_pd(x, w, high);
  const __m256d q = _mm256_round_pd(_mm256_mul_pd(x, _mm256_loadu_pd(ratio)), kNearest);
  return _mm256_add_pd(sum, _mm256_add_pd(_mm256_fnmadd_pd(q, p, high), low));
}

inline __m256d not_negative(__m256d sum, __m256d p) {
  const __m256d negative = _mm256_cmp_pd(sum, _mm256_setzero_pd(), _CMP_LT_OQ);
  return _mm256_add_pd(sum, _mm256_and_pd(p, negative));
}

void add(double* to, const double* from, const WeightRows& rows, std::size_t row,
         std::size_t lanes) {
  const double *weight = rows.weight + row * rows.stride, *ratio = rows.ratio + row * rows.stride;
  for (std::size_t i = 0; i < lanes; i += 4) {
    const __m256d p = _mm256_loadu_pd(rows.prime + i);
    // In (-0.77 p, 1.77 p).
    __m256d sum = with_product(_mm256_loadu_pd(to + i), from + i, weight + i, ratio + i, p);
    sum = _mm256_sub_pd(sum, _mm256_and_pd(p, _mm256_cmp_pd(sum, p, _CMP_GE_OQ)));
    _mm256_storeu_pd(to + i, not_negative(sum, p));
  }
}

template <int V>
void apply_vectors(double* to, const double* from, const Transitions& transitions,
                   const WeightRows& rows) {
  constexpr std::size_t kLanes = 4 * V;
  __m256d p[V], inverse[V];
  for (int v = 0; v < V; ++v) {
    p[v] = _mm256_loadu_pd(rows.prime + 4 * v);
    inverse[v] = _mm256_div_pd(_mm256_set1_pd(1.0), p[v]);
  }
  for (std::size_t target = 0; target < transitions.n_targets(); ++target) {
    __m256d sum[V];
    for (int v = 0; v < V; ++v) sum[v] = _mm256_setzero_pd();
    // |sum| < 2^53 and sum / p is off by less than 2^-40: the remainder lies in (-0.51 p, 0.51 p).
    const auto reduce = [&] {
      for (int v = 0; v < V; ++v)
        sum[v] = _mm256_fnmadd_pd(_mm256_round_pd(_mm256_mul_pd(sum[v], inverse[v]), kNearest),
                                  p[v], sum[v]);
    };
    int terms = 0;
    for (std::uint32_t i = transitions.begin[target]; i < transitions.begin[target + 1]; ++i) {
      if (terms == 8) {
        reduce();
        terms = 1;
      }
      ++terms;
      const Term term = transitions.terms[i];
      const double *x = from + term.from * kLanes, *w = rows.weight + term.row * rows.stride,
                   *r = rows.ratio + term.row * rows.stride;
      for (int v = 0; v < V; ++v)
        sum[v] = with_product(sum[v], x + 4 * v, w + 4 * v, r + 4 * v, p[v]);
    }
    reduce();
    for (int v = 0; v < V; ++v)
      _mm256_storeu_pd(to + target * kLanes + 4 * v, not_negative(sum[v], p[v]));
  }
}

void apply(double* to, const double* from, const Transitions& transitions, const WeightRows& rows,
           std::size_t lanes) {
  if (lanes == 4)
    apply_vectors<1>(to, from, transitions, rows);
  else
    apply_vectors<2>(to, from, transitions, rows);
}

}  // namespace

const ResidueKernels kResidueKernelsAvx2 = {add, apply};

}  // namespace linear_regions::one_layer
#endif
