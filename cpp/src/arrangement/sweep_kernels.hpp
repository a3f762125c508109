// SPDX-License-Identifier: MIT
// Inner loops of the lowest-vertex sweep, one translation unit per instruction set.
//
// Notation. A *block* holds the rows of one level after t eliminations, one lane per row: the
// `active` columns that are left, the offset `beta`, and the multipliers nu_0 .. nu_(t-1) by which
// the row is a combination of the pivots: row = sum nu_m pivot_m + (what is left). Lane n is the
// functional whose lowest vertices are sought. Beside them stand rigorous bounds: `error` of every
// active entry, `beta_error` of the offset, `nu_error` of every multiplier.
// Lanes of pivots hold zeros.
#pragma once

#include <cstddef>
#include <cstdint>

namespace linear_regions::sweeping {

inline constexpr double kHuge = 0x1p1000;  // beyond every threshold that decides

struct Block {
  double* const* active = nullptr;  // n_active arrays of `lanes` doubles
  std::size_t n_active = 0;
  double *beta = nullptr, *error = nullptr, *beta_error = nullptr, *nu_error = nullptr;
  double* const* nu = nullptr;  // n_nu arrays
  std::size_t n_nu = 0;
};

struct Pivot {
  std::size_t lane = 0, column = 0;  // column: number among the active ones of the input block
  double value = 0, error = 0;       // of the pivot's entry
  double beta = 0, beta_error = 0, nu_error = 0, nu_size = 0;
};

// The last two columns of a block with one active column, and what is known of them.
struct Line {
  const double *alpha = nullptr, *beta = nullptr;
  std::size_t lanes = 0;  // of the rows; the functional's lane, if it is among them, holds zeros
};

// What the vertices on a line need: value of row k at vertex j is beta_k + t_j alpha_k, certain in
// sign beyond threshold_j.
struct Vertices {
  double *t = nullptr, *threshold = nullptr;
  std::uint64_t* up = nullptr;  // [n_nu + 1][words]: own sign of pivot m (last: of j) is positive
  std::uint64_t* known = nullptr;  // [words]: all own signs of the vertex are certain
};

struct Kernels {
  // One step of Gauss-Jordan elimination: out = in without pivot.column, in all lanes; multipliers
  // only from lane `from` on.
  void (*eliminate)(const Block& in, const Block& out, const Pivot& pivot, std::size_t lanes,
                    std::size_t from);
  // t, thresholds and own signs for the lanes from `from` (rounded down to whole vectors) on.
  void (*vertices)(const Block& block, const Line& line, std::size_t functional, std::size_t from,
                   const Vertices& out);
  // Sign vectors of the vertices j in [first, last), on rows padded to 32 lanes; pivots and padding
  // hold alpha = 0 and beta = kHuge. own: per j, `words` words, the own signs; exempt: words that
  // mark pivots and padding; one: points to kHuge, with zeros around it for all lanes. Vertices
  // with signs left open are appended to `open`, and their number is returned.
  std::size_t (*cells)(const Line& line, std::size_t first, std::size_t last, const double* t,
                       const double* threshold, const std::uint64_t* own,
                       const std::uint64_t* exempt, const double* one, std::size_t words,
                       std::uint64_t* out, std::size_t stride, std::uint32_t* open);
};

const Kernels& kernels();

extern const Kernels kGeneric;
#if defined(__x86_64__) || defined(_M_X64)
extern const Kernels kAvx2;
extern const Kernels kAvx512;
#endif

}  // namespace linear_regions::sweeping
