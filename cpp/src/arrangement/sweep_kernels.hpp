// SPDX-License-Identifier: MIT
// Inner loops of the lowest-vertex sweep, one translation unit per instruction set.
//
// Notation. A *block* holds the rows of one level after some eliminations, one lane per row: the
// `active` columns that are left, the offset `beta`, and the multipliers nu_0, nu_1, ... by which
// the row is a combination of the pivots: row = (what is left) - sum nu_m pivot_m. Lane n is the
// functional whose lowest vertices are sought; lanes beyond it are padding.
//
// Beside every row stand three *sizes*: of its active entries, of its offset, of its multipliers.
// They bound absolute values, they never fall, and one number for the block, `doubt`, bounds all
// errors relative to them. An entry is known up to doubt * size, an offset up to
// doubt * beta_size, a multiplier up to doubt * nu_size.
//
// Lanes without a sign (pivots, padding) hold zeros, and the offset -kHuge.
#pragma once

#include <cstddef>
#include <cstdint>

namespace linear_regions::sweeping {

inline constexpr double kHuge = 0x1p1000;  // beyond every threshold that decides
inline constexpr double kUnit = 1.2e-16;   // more than half a unit in the last place of 1
inline constexpr double kInflate = 1.0000001;
inline constexpr double kTinyError = 0x1p-900;

struct Block {
  double* const* active = nullptr;  // n_active arrays of lanes
  std::size_t n_active = 0;
  double *beta = nullptr, *size = nullptr, *beta_size = nullptr, *nu_size = nullptr;
  double* const* nu = nullptr;  // n_nu arrays
  std::size_t n_nu = 0;
  double doubt = 0;
};

struct Pivot {
  std::size_t lane = 0, column = 0;  // column: number among the active ones of the block
  double inverse = 0;                // of the pivot's entry
  double beta = 0, size = 0, beta_size = 0, nu_size = 0;
  double beta_share = 0, nu_share = 0;  // of a row's new size in its new beta_size and nu_size
  double doubt = 0;                     // of the rows after the elimination
};

// What is left on a line, and its vertices. The value of row k at the vertex of row j is
// beta_k + t_j alpha_k, and its sign is certain beyond threshold_j.
struct Line {
  double *alpha = nullptr, *beta = nullptr, *size = nullptr, *beta_size = nullptr;
  double *t = nullptr, *threshold = nullptr;
  std::uint64_t* own = nullptr;  // [words][own_stride]: signs of the vertex' own rows, in place
  std::size_t own_stride = 0;
  std::uint64_t* known = nullptr;  // one bit a row: all own signs of its vertex are certain
};

struct LineTask {
  std::size_t n = 0, lanes = 0;           // rows; lanes of the block
  std::size_t from = 0;                   // first row with a vertex that is asked for
  const std::uint32_t* prefix = nullptr;  // the hyperplanes of the line
  std::size_t n_prefix = 0;
};

struct Kernels {
  // One step of Gauss-Jordan elimination: out = in without pivot.column, in all lanes; multipliers
  // only from lane `from` on.
  void (*eliminate)(const Block& in, const Block& out, const Pivot& pivot, std::size_t lanes,
                    std::size_t from);
  // The last step, from two active columns to one, and the vertices of the rows task.from ..
  // n - 1.
  void (*line)(const Block& in, const Pivot& pivot, const LineTask& task, const Line& out);
  // Sign vectors of the vertices j in [first, last). one: points to -kHuge, with zeros around it
  // for all lanes. Vertices with signs left open are appended to `open`; returns their number.
  std::size_t (*cells)(const Line& line, std::size_t n, std::size_t first, std::size_t last,
                       const double* one, std::uint64_t* out, std::size_t stride,
                       std::uint32_t* open);
};

const Kernels& kernels();

extern const Kernels kGeneric;
#if defined(__x86_64__) || defined(_M_X64)
extern const Kernels kAvx2;
extern const Kernels kAvx512;
#endif

}  // namespace linear_regions::sweeping
