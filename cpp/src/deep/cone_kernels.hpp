// SPDX-License-Identifier: MIT
// The inner loops of the cone engine, in one translation unit per instruction set.
//
// Rows. A linear function of homogeneous coordinates (x_1, ..., x_d, x_0) is a row of `width` = d +
// 1 coefficients. Beside it stand e >= 0, a rigorous bound of the sum of the coefficients' errors,
// and its norm N = sum |coefficient|. Rows of one slot are kept column by column: column k of row i
// is data[k * lead + i]; columns 0 to d are the coefficients, column d + 1 is e, column d + 2 is N
// where the kernel says so. `lead` is a multiple of kLanes, padded with zeros.
//
// Filter. Rays have |x_k| <= 1. A value computed at a ray is certain in sign when its size exceeds
// 1.0001 e + N * slack, where slack covers the error of the ray (in the maximum norm) and the
// rounding of the evaluation. Where a kernel reads N from a column, e is 1.0001 e already.
#pragma once

#include <cstddef>
#include <cstdint>

namespace linear_regions {

struct Columns {
  const double* data;
  std::size_t lead, width;
};

// A unit's value at a ray is known up to error + norm * slack.
struct UnitDoubt {
  double error, norm;
};

// Sums over outputs: size times `own`, squares, sizes.
struct PulledSums {
  double weighted, squares, sizes;
};

// Where a row vanishes between two rays: its values there, at least zero and at most zero; the
// share of the second ray; how far the rays are apart, and the largest entry of the mixture.
struct MixedRay {
  double vp, vq, t, length, size;
};

inline constexpr double kUnclear = 0x1p-13;

struct ConeKernels {
  // For every row, one bit each: is it certainly positive (negative) at some ray, at all rays?
  // A row that is exactly zero (N + e == 0) counts as negative at all rays. Reads columns 0 to
  // d + 1, and of the rays as many coordinates as make a multiple of four.
  void (*classify)(const Columns& rows, const double* const* rays, std::size_t n_rays, double slack,
                   std::uint64_t* some_positive, std::uint64_t* some_negative,
                   std::uint64_t* all_positive, std::uint64_t* all_negative);

  // Values of the rows at one ray, and which of them are certainly positive (negative). Reads
  // columns 0 to d + 2; e is infinite unless N + e < 1e300. `values` may be null.
  void (*evaluate)(const Columns& rows, const double* ray, double slack, double* values,
                   std::uint64_t* positive, std::uint64_t* negative);

  // At most 64 rows at n rays, bit u for row u: which are certainly positive (negative), and of
  // which the size is clear: known up to kUnclear of itself, as is the float that is stored for it
  // in sizes[ray][row], unless `sizes` is null. Reads columns 0 to d + 1. Returns the rows that are
  // exactly zero.
  std::uint64_t (*look)(const Columns& rows, const double* const* rays, const double* slack,
                        std::size_t n, std::uint64_t* positive, std::uint64_t* negative,
                        std::uint64_t* clear, float* const* sizes);

  // Row i of `out` = (1 - t[i]) * row p + t[i] * row q of `value`, rows of `lead` values, for n
  // pairs p, q in `ends`; and which of the `wanted` ones are certainly positive (negative): size
  // above e + norm * slack[i]. At most 64 values count. True where all wanted signs are certain.
  bool (*mix_edges)(const double* value, std::size_t lead, const std::int32_t* ends, std::size_t n,
                    const double* t, const double* e, const double* norm, const double* slack,
                    std::uint64_t wanted, double* out, std::uint64_t* positive,
                    std::uint64_t* negative);

  // The signs of n rays (a multiple of kLanes), bit u for unit u, unit by unit: for every one of
  // the `units`, at 2 * words * u, `words` words of positive rays, then as many of negative ones.
  void (*sign_columns)(const std::uint64_t* positive, const std::uint64_t* negative, std::size_t n,
                       std::uint64_t units, std::uint64_t* columns, std::size_t words);

  // Of one unit's values at n rays, `lead` apart, where its sign bit says positive, then negative:
  // sizes, and inverses of the sizes; else zero. The runs are of padded(n): positive sizes,
  // negative sizes, negative inverses, positive inverses. Returns the largest bound of a size
  // over the size. Signs are read up to padded(n), and must be zero from n on.
  double (*sizes)(const double* value, std::size_t lead, std::size_t n,
                  const std::uint64_t* positive, const std::uint64_t* negative, int unit,
                  UnitDoubt doubt, const double* slack, double* out);

  // (largest a[i] * b[i]) * (largest c[i] * d[i]), for n entries (a multiple of kLanes) >= 0.
  double (*reach)(const double* a, const double* b, const double* c, const double* d,
                  std::size_t n);

  // out = (1 - t) p + t q, where the row (`width` coefficients) is zero, positive at p and negative
  // at q; t is 1/2 where its values tell nothing. For `padded` coordinates, a multiple of four.
  MixedRay (*mix_edge)(const double* p, const double* q, const double* row, std::size_t width,
                       std::size_t padded, double* out);

  // out = a * p + b * q for n coordinates (a multiple of four); returns the largest size.
  double (*mix_point)(const double* p, const double* q, double a, double b, std::size_t n,
                      double* out);

  // The pairs (i, j) of masks that share at least `need` bits; returns their number. `first` and
  // `second` have room for n * m + 8.
  std::size_t (*pairs)(const std::uint64_t* positive, std::size_t n, const std::uint64_t* negative,
                       std::size_t m, int need, std::int32_t* first, std::int32_t* second);

  // The ray x, up to sign, on which d rows (d + 1 coefficients, e, N) vanish, scaled to largest
  // entry 1 (entry `fixed` keeps the positive sign), and a bound of its error in the maximum norm;
  // false where nothing can be said. Column `fixed` is the one that is not solved for; -1: any.
  // `work` has room for solve_room(d), `place` for 2 d + 1.
  bool (*solve)(const double* const* rows, std::size_t d, std::int32_t fixed, double* work,
                std::int32_t* place, double* x, double* error);

  // Column k of `out` += weight * row[k] for a run of n outputs; the last of the `columns`, the
  // error, grows by |weight| * row.
  void (*add_row)(double* out, std::size_t lead, std::size_t columns, const double* weight,
                  std::size_t n, const double* row);

  // The same for many rows of `columns` doubles each and whole columns of outputs, added to those
  // of `start`, which may be `out`: row j has the weights weight[active[j] * lead ...]. Without
  // `errors` the last column of `out` stays as it is.
  void (*add_rows)(double* out, const double* start, std::size_t lead, std::size_t columns,
                   const double* weight, const std::int32_t* active, std::size_t n_active,
                   const double* rows, bool errors);

  // The other way round: out[j] = mask[j] * sum of weight[i * lead + j] * slope[i] over the active
  // i, for j < lead.
  PulledSums (*pull)(const double* weight, std::size_t lead, const std::int32_t* active,
                     std::size_t n_active, const double* slope, const double* mask,
                     const double* own, double* out);
};

inline std::size_t solve_room(std::size_t d) {
  return (3 * d + 7) * ((d + 7) / 8 * 8) + 2 * d + 1;
}

const ConeKernels& cone_kernels();  // the best set that this processor runs

extern const ConeKernels kGenericConeKernels;
#if defined(__x86_64__) || defined(_M_X64)
extern const ConeKernels kAvx2ConeKernels;
extern const ConeKernels kAvx512ConeKernels;
#endif

}  // namespace linear_regions
