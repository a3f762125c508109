// SPDX-License-Identifier: MIT
// Sums of products modulo primes below 2^50, in doubles with fused operations.
//
// For 0 <= x, w < p < 2^50: h = fl(x w) and l = x w - h, exact by one fused operation; with q the
// integer nearest to fl(x (w / p)), off by at most one from the quotient, h - q p is a small
// integer and exact, too, so x w - q p = (h - q p) + l lies in (-2 p, 2 p) without any rounding.
// About a dozen operations for four lanes; a 64-bit product alone takes three multiplications per
// lane.
#pragma once

#include <cstddef>

namespace linear_regions::one_layer {

// to = (to + from * weight) mod prime in every lane; `lanes` is a multiple of 4, ratio = weight /
// prime, rounded.
using AddProducts = void (*)(double* to, const double* from, const double* weight,
                             const double* ratio, const double* prime, std::size_t lanes);

// nullptr where the processor has no fused operations on vectors.
AddProducts add_products();

#if defined(__x86_64__) || defined(_M_X64)
void add_products_avx2(double* to, const double* from, const double* weight, const double* ratio,
                       const double* prime, std::size_t lanes);
#endif

}  // namespace linear_regions::one_layer
