// SPDX-License-Identifier: MIT
// The inner loops of the forward pass, in double or single precision, on one group of samples: a
// cache line of them, 8 doubles or 16 floats, value i of sample s at [i * kGroup + s].
//
// Sums run over the inputs in order, from the bias on, one fused multiplication and addition for
// each weight: blocks of outputs stay in registers, and blocks of inputs in the cache, but every
// sum has the same roundings as one by one. All sets of kernels therefore give the same values and
// patterns, bit for bit; a processor without such an instruction pays for it with a call of the C
// library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace linear_regions {

template <typename Real>
inline constexpr std::size_t kGroup = 64 / sizeof(Real);

// `n` rows of inputs from row `in` on, with as many rows of weights from row `weight` on.
struct Run {
  std::uint32_t in, weight, n;
};

template <typename Real>
struct Term {
  std::uint32_t index;
  Real factor;
};

template <typename Real>
struct ForwardKernels {
  std::size_t panel;  // most outputs of one call of `block`

  // out[b] = bias[b] + sum over all rows of all runs of weight[row * width + b] * in[row], for
  // width <= panel outputs b; without `bias` the sums go on from out.
  void (*block)(Real* out, const Real* bias, const Real* weight, std::size_t width, const Run* runs,
                std::size_t n_runs, const Real* in);

  // out[i] = bias[i] + sum over its terms; without `bias` the sums go on from out.
  void (*combine)(Real* out, const Real* bias, const Real* in, const std::uint32_t* start,
                  const Term<Real>* terms, std::size_t n);

  // The same k breakpoints for n units: piece p of the unit where p breakpoints are below it; a
  // slope of 0 gives the intercept. Bit s of above[i * k + j] tells whether sample s is above
  // breakpoint j. False where some input is no finite number.
  bool (*pieces)(Real* out, const Real* in, std::size_t n, std::size_t k, const Real* breakpoints,
                 const Real* slopes, const Real* intercepts, std::uint16_t* above);

  // The maximum of n entries, and which one it is: the first of equal ones. False as above.
  bool (*window)(Real* out, std::uint32_t* winner, const Real* in, const std::int32_t* entries,
                 std::size_t n);

  // Per sample the largest |in| and the smallest |in - breakpoint| of n units.
  void (*reach)(const Real* in, std::size_t n, Real breakpoint, Real* largest, Real* nearest);

  // The largest of n entries and the next one, which may be equal; n is at least 2.
  void (*two_largest)(const Real* in, const std::int32_t* entries, std::size_t n, Real* top,
                      Real* next);

  // A group of points, rows of n_in numbers `stride` apart, to columns. False where some number,
  // rounded to Real, is not finite.
  bool (*from_double)(Real* out, const double* points, std::size_t stride, std::size_t n_in);
  bool (*from_float)(Real* out, const float* points, std::size_t stride, std::size_t n_in);
};

template <typename Real>
const ForwardKernels<Real>& forward_kernels();  // the best set that this processor runs

extern const ForwardKernels<double> kGenericForward64;
extern const ForwardKernels<float> kGenericForward32;
#if defined(__x86_64__) || defined(_M_X64)
extern const ForwardKernels<double> kAvx2Forward64, kAvx512Forward64;
extern const ForwardKernels<float> kAvx2Forward32, kAvx512Forward32;
#endif

}  // namespace linear_regions
