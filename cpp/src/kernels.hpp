// SPDX-License-Identifier: MIT
// The inner loops, in one translation unit per instruction set, chosen once at run time.
//
// Rows. An affine function of the two domain coordinates is a row (gx, gy, c) with value
// gx * x + gy * y + c at a point (x, y) and gx * x + gy * y at a direction (w = 0). Beside it
// stands e >= 0, a rigorous bound of |error of gx| + |error of gy| + |error of c|. Rows of one
// slot are kept as four arrays, padded with zeros to a multiple of kLanes.
//
// Filter. With N = |gx| + |gy| + |c|, a value computed at a vertex is certain in sign when its
// size exceeds e * magnitude + N * slack, where magnitude >= max(1, |x|, |y|) and slack covers the
// error of the vertex (in the maximum norm) and the rounding of the evaluation. No product or sum
// overflows while (N + e) * magnitude stays below kLargest; beyond that, nothing is certain.
#pragma once

#include <cstddef>
#include <cstdint>

namespace linear_regions {

inline constexpr double kLargest = 1e300;

struct Rows {
  const double *gx, *gy, *c, *e;
};

struct Probe {  // a vertex as the kernels see it
  double x, y, w;
};

struct Kernels {
  const char* name;

  // For every row, one bit each: is it certainly positive (negative) at some probe, at all probes?
  // A row that is exactly zero (N + e == 0) counts as negative at all probes.
  void (*classify)(const Rows& rows, std::size_t n, const Probe* probes, std::size_t n_probes,
                   double magnitude, double slack, std::uint64_t* some_positive,
                   std::uint64_t* some_negative, std::uint64_t* all_positive,
                   std::uint64_t* all_negative);

  // For every wanted row: is it certainly positive (negative) at the one probe?
  void (*signs_at)(const Rows& rows, std::size_t n, const Probe& probe, double magnitude,
                   double slack, const std::uint64_t* wanted, std::uint64_t* positive,
                   std::uint64_t* negative);

  // out += weight (outer) row for a run of n outputs; e grows by |weight| * row[3].
  void (*add_row)(double* gx, double* gy, double* c, double* e, const double* weight, std::size_t n,
                  const double* row);

  // out[c][0..lead) += sum over k of weight[active[k] * lead ..] * rows[4 k + c] for the columns
  // c = gx, gy, c and, with `errors`, e (by |weight|); lead is padded.
  void (*add_rows)(double* const* out, const double* weight, std::size_t lead,
                   const std::int32_t* active, std::size_t n_active, const double* rows,
                   bool errors);

  // The same as add_row for rows in twice the precision: `width` high and as many low columns and
  // the error, `lead` apart; see double_double_maps.hpp. Sums are left as they come, without a
  // carry. Up to seven doubles behind a run are read and written back as they were, so there are
  // that many behind the last column.
  void (*add_row_double_double)(double* out, std::size_t lead, std::size_t width,
                                const double* weight, std::size_t n, const double* row);
};

const Kernels& kernels();  // the best set that this processor runs

extern const Kernels kGenericKernels;
#if defined(__x86_64__) || defined(_M_X64)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

}  // namespace linear_regions
