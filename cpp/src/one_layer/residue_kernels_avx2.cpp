// SPDX-License-Identifier: MIT
// Compiled with -mavx2 -mfma, called only where the processor has both.
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>

#include "one_layer/residue_kernels.hpp"

namespace linear_regions::one_layer {

void add_products_avx2(double* to, const double* from, const double* weight, const double* ratio,
                       const double* prime, std::size_t lanes) {
  const __m256d zero = _mm256_setzero_pd();
  for (std::size_t i = 0; i < lanes; i += 4) {
    const __m256d x = _mm256_loadu_pd(from + i), w = _mm256_loadu_pd(weight + i);
    const __m256d p = _mm256_loadu_pd(prime + i);
    const __m256d high = _mm256_mul_pd(x, w), low = _mm256_fmsub_pd(x, w, high);
    const __m256d q = _mm256_round_pd(_mm256_mul_pd(x, _mm256_loadu_pd(ratio + i)),
                                      _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256d sum = _mm256_add_pd(_mm256_fnmadd_pd(q, p, high), low);
    // In (-2 p, 2 p), and the old residue in [0, p) comes on top: four steps at most.
    sum = _mm256_add_pd(sum, _mm256_and_pd(p, _mm256_cmp_pd(sum, zero, _CMP_LT_OQ)));
    sum = _mm256_add_pd(sum, _mm256_and_pd(p, _mm256_cmp_pd(sum, zero, _CMP_LT_OQ)));
    sum = _mm256_add_pd(sum, _mm256_loadu_pd(to + i));
    sum = _mm256_sub_pd(sum, _mm256_and_pd(p, _mm256_cmp_pd(sum, p, _CMP_GE_OQ)));
    sum = _mm256_sub_pd(sum, _mm256_and_pd(p, _mm256_cmp_pd(sum, p, _CMP_GE_OQ)));
    _mm256_storeu_pd(to + i, sum);
  }
}

}  // namespace linear_regions::one_layer
#endif
