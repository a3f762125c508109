// SPDX-License-Identifier: MIT
// Sums of products modulo primes below 2^50, in doubles with fused operations.
//
// For 0 <= x, w < p < 2^50: h = fl(x w) and l = x w - h, exact by one fused operation. With ratio =
// fl(w / p) the product fl(x ratio) is within 2^50 (2 2^-53 + 2^-106) < 1/4 + 2^-50 of x w / p, so
// that the integer q nearest to it has |x w - q p| < (3/4 + 2^-49) p. h - q p is an integer of less
// than 2^50 and exact, too. So x w - q p = (h - q p) + l comes without any rounding, and eight such
// terms can be added: their sum stays below 8 * 0.77 * 2^50 < 2^53. About a dozen operations for
// four lanes; a 64-bit product alone takes three multiplications per lane.
#pragma once

#include <cstddef>

#include "one_layer/transitions.hpp"

namespace linear_regions::one_layer {

// Weights by row and lane, and their quotients by the primes.
struct WeightRows {
  const double* weight;  // [row * stride + lane]
  const double* ratio;
  const double* prime;  // [lane]
  std::size_t stride;
};

struct ResidueKernels {
  // to = (to + from * weights of the row) mod prime in all lanes, a multiple of 4.
  void (*add)(double* to, const double* from, const WeightRows& rows, std::size_t row,
              std::size_t lanes);
  // to = transitions applied to from; both [state * lanes + lane], 4 or 8 lanes.
  void (*apply)(double* to, const double* from, const Transitions& transitions,
                const WeightRows& rows, std::size_t lanes);
};

// nullptr where the processor has no fused operations on vectors.
const ResidueKernels* residue_kernels();

#if defined(__x86_64__) || defined(_M_X64)
extern const ResidueKernels kResidueKernelsAvx2;
#endif

}  // namespace linear_regions::one_layer
