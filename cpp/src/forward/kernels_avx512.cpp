// SPDX-License-Identifier: MIT
// The forward pass with AVX-512 F; called only where the processor has it.
#if defined(__x86_64__) || defined(_M_X64)
// GCC 12 warns about the undefined operand inside some of its own intrinsics.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>

#include "forward/forward_kernels.hpp"

namespace linear_regions {
namespace {

// One register is a group. 16 sums are twice what the latency of two units asks for; each weight is
// a broadcast from memory inside its instruction.
struct Doubles {
  using Real = double;
  using Register = __m512d;
  static constexpr std::size_t kParts = 1;
  static Register all(double x) { return _mm512_set1_pd(x); }
  static Register part(const double* p) { return _mm512_loadu_pd(p); }
  static void put(double* p, Register r) { _mm512_storeu_pd(p, r); }
  static Register add_product(Register a, Register b, Register c) {
    return _mm512_fmadd_pd(a, b, c);
  }
  using Mask = __mmask8;
  static constexpr int kPanel = 16;
  __m512d v;
  static Doubles load(const double* p) { return {_mm512_loadu_pd(p)}; }
  static Doubles broadcast(double x) { return {_mm512_set1_pd(x)}; }
  void store(double* p) const { _mm512_storeu_pd(p, v); }
};
inline Doubles operator*(Doubles x, Doubles y) {
  return {_mm512_mul_pd(x.v, y.v)};
}
inline Doubles operator+(Doubles x, Doubles y) {
  return {_mm512_add_pd(x.v, y.v)};
}
inline Doubles fma(Doubles x, Doubles y, Doubles z) {
  return {_mm512_fmadd_pd(x.v, y.v, z.v)};
}
inline __mmask8 greater(Doubles x, Doubles y) {
  return _mm512_cmp_pd_mask(x.v, y.v, _CMP_GT_OQ);
}
inline Doubles select(__mmask8 m, Doubles x, Doubles y) {
  return {_mm512_mask_blend_pd(m, y.v, x.v)};
}
// For sums of zeros and NaNs.
inline bool finite(Doubles x) {
  return _mm512_cmp_pd_mask(x.v, x.v, _CMP_UNORD_Q) == 0;
}

struct Floats {
  using Real = float;
  using Register = __m512;
  static constexpr std::size_t kParts = 1;
  static Register all(float x) { return _mm512_set1_ps(x); }
  static Register part(const float* p) { return _mm512_loadu_ps(p); }
  static void put(float* p, Register r) { _mm512_storeu_ps(p, r); }
  static Register add_product(Register a, Register b, Register c) {
    return _mm512_fmadd_ps(a, b, c);
  }
  using Mask = __mmask16;
  static constexpr int kPanel = 16;
  __m512 v;
  static Floats load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Floats broadcast(float x) { return {_mm512_set1_ps(x)}; }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
};
inline Floats operator*(Floats x, Floats y) {
  return {_mm512_mul_ps(x.v, y.v)};
}
inline Floats operator+(Floats x, Floats y) {
  return {_mm512_add_ps(x.v, y.v)};
}
inline Floats fma(Floats x, Floats y, Floats z) {
  return {_mm512_fmadd_ps(x.v, y.v, z.v)};
}
inline __mmask16 greater(Floats x, Floats y) {
  return _mm512_cmp_ps_mask(x.v, y.v, _CMP_GT_OQ);
}
inline Floats select(__mmask16 m, Floats x, Floats y) {
  return {_mm512_mask_blend_ps(m, y.v, x.v)};
}
inline bool finite(Floats x) {
  return _mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q) == 0;
}

inline std::uint16_t bits(unsigned mask) {
  return static_cast<std::uint16_t>(mask);
}

#include "forward/kernels_body.hpp"

}  // namespace

const ForwardKernels<double> kAvx512Forward64 = forward_kernels_of<Doubles>();
const ForwardKernels<float> kAvx512Forward32 = forward_kernels_of<Floats>();

}  // namespace linear_regions
#endif
