// SPDX-License-Identifier: MIT
// The forward pass with AVX2 and FMA; called only where the processor has both.
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>

#include "forward/forward_kernels.hpp"

namespace linear_regions {
namespace {

// 2 * 6 sums in registers leave room for two values and a weight.
struct Doubles {
  using Real = double;
  using Register = __m256d;
  static constexpr std::size_t kParts = 2;
  static Register all(const double& x) { return _mm256_broadcast_sd(&x); }
  static Register part(const double* p) { return _mm256_loadu_pd(p); }
  static void put(double* p, Register r) { _mm256_storeu_pd(p, r); }
  static Register add_product(Register a, Register b, Register c) {
    return _mm256_fmadd_pd(a, b, c);
  }
  static constexpr int kPanel = 6;
  struct Mask {
    __m256d a, b;
  };
  __m256d a, b;
  static Doubles load(const double* p) { return {_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)}; }
  static Doubles broadcast(const double& x) {
    const __m256d all = _mm256_broadcast_sd(&x);
    return {all, all};
  }
  void store(double* p) const {
    _mm256_storeu_pd(p, a);
    _mm256_storeu_pd(p + 4, b);
  }
};
inline Doubles operator*(Doubles x, Doubles y) {
  return {_mm256_mul_pd(x.a, y.a), _mm256_mul_pd(x.b, y.b)};
}
inline Doubles operator+(Doubles x, Doubles y) {
  return {_mm256_add_pd(x.a, y.a), _mm256_add_pd(x.b, y.b)};
}
inline Doubles fma(Doubles x, Doubles y, Doubles z) {
  return {_mm256_fmadd_pd(x.a, y.a, z.a), _mm256_fmadd_pd(x.b, y.b, z.b)};
}
inline Doubles::Mask greater(Doubles x, Doubles y) {
  return {_mm256_cmp_pd(x.a, y.a, _CMP_GT_OQ), _mm256_cmp_pd(x.b, y.b, _CMP_GT_OQ)};
}
inline Doubles select(Doubles::Mask m, Doubles x, Doubles y) {
  return {_mm256_blendv_pd(y.a, x.a, m.a), _mm256_blendv_pd(y.b, x.b, m.b)};
}
inline std::uint16_t bits(Doubles::Mask m) {
  return static_cast<std::uint16_t>(_mm256_movemask_pd(m.a) | (_mm256_movemask_pd(m.b) << 4));
}
// For sums of zeros and NaNs.
inline bool finite(Doubles x) {
  return bits({_mm256_cmp_pd(x.a, x.a, _CMP_UNORD_Q), _mm256_cmp_pd(x.b, x.b, _CMP_UNORD_Q)}) == 0;
}

struct Floats {
  using Real = float;
  using Register = __m256;
  static constexpr std::size_t kParts = 2;
  static Register all(const float& x) { return _mm256_broadcast_ss(&x); }
  static Register part(const float* p) { return _mm256_loadu_ps(p); }
  static void put(float* p, Register r) { _mm256_storeu_ps(p, r); }
  static Register add_product(Register a, Register b, Register c) {
    return _mm256_fmadd_ps(a, b, c);
  }
  static constexpr int kPanel = 6;
  struct Mask {
    __m256 a, b;
  };
  __m256 a, b;
  static Floats load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static Floats broadcast(const float& x) {
    const __m256 all = _mm256_broadcast_ss(&x);
    return {all, all};
  }
  void store(float* p) const {
    _mm256_storeu_ps(p, a);
    _mm256_storeu_ps(p + 8, b);
  }
};
inline Floats operator*(Floats x, Floats y) {
  return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}
inline Floats operator+(Floats x, Floats y) {
  return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
}
inline Floats fma(Floats x, Floats y, Floats z) {
  return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
inline Floats::Mask greater(Floats x, Floats y) {
  return {_mm256_cmp_ps(x.a, y.a, _CMP_GT_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_GT_OQ)};
}
inline Floats select(Floats::Mask m, Floats x, Floats y) {
  return {_mm256_blendv_ps(y.a, x.a, m.a), _mm256_blendv_ps(y.b, x.b, m.b)};
}
inline std::uint16_t bits(Floats::Mask m) {
  return static_cast<std::uint16_t>(_mm256_movemask_ps(m.a) | (_mm256_movemask_ps(m.b) << 8));
}
inline bool finite(Floats x) {
  return bits({_mm256_cmp_ps(x.a, x.a, _CMP_UNORD_Q), _mm256_cmp_ps(x.b, x.b, _CMP_UNORD_Q)}) == 0;
}

#include "forward/kernels_body.hpp"

}  // namespace

const ForwardKernels<double> kAvx2Forward64 = forward_kernels_of<Doubles>();
const ForwardKernels<float> kAvx2Forward32 = forward_kernels_of<Floats>();

}  // namespace linear_regions
#endif
