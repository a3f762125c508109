// SPDX-License-Identifier: MIT
// The inner loops of SmallLp, for several instruction sets.
//
// `lanes` is the number of columns or of active rows, rounded up to eight; vectors over either are
// padded with zeros to it. The inverse is kept with the active rows as lanes: component k of p_i is
// inverse[k * lanes + i].
#pragma once

#include <cstddef>
#include <cstdint>

#include "arrangement/cone_rows.hpp"

namespace linear_regions::arrangement {

struct LpKernels {
  // values[i] = row i at x for i < n, and beyond to a multiple of eight.
  void (*evaluate)(const ConeRows& rows, const double* x, double* values);
  // The same; returns the row with the least weight * value below `least`, or -1. Rows without a
  // weight do not count.
  std::int32_t (*worst)(const ConeRows& rows, const double* x, const double* weight, double least,
                        double* values);
  // out_i = p_i . z
  void (*coefficients)(const double* inverse, std::size_t lanes, std::size_t dim,
                       std::size_t active, const double* z, double* out);
  // z -= sum over i of factor_i row_i; returns |z|^2.
  double (*subtract)(const ConeRows& rows, const SignedRow* active_rows, std::size_t active,
                     const double* part, double* z);
  // p_i -= r_i last, and `last` becomes p_active.
  void (*append)(double* inverse, std::size_t lanes, std::size_t dim, std::size_t active,
                 const double* r, const double* last);
  // p_i -= factor_i gone for all active rows.
  void (*remove)(double* inverse, std::size_t lanes, std::size_t dim, std::size_t active,
                 const double* factor, const double* gone);
  double (*dot)(const double* a, const double* b, std::size_t lanes);
};

extern const LpKernels kLpGeneric;
#if defined(__x86_64__) || defined(_M_X64)
extern const LpKernels kLpAvx2;
#endif

// What this processor takes.
const LpKernels& lp_kernels();

}  // namespace linear_regions::arrangement
