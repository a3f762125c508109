// SPDX-License-Identifier: MIT
// Cone: a convex cell of R^d as a cone in R^(d+1), described by its rays and by who lies on what.
//
// Notation
//   ray       (x, 1) scaled to largest entry at most 1: a vertex; or (direction, 0): at infinity
//   line      a vector l with both l and -l in the cone (domains that contain whole lines)
//   k         dimension of the cone modulo its lines; a full cell has k = d + 1 - lines
//   bit       a facet of the cone; a ray's mask has the bits of all facets on which it lies
//
// The hyperplane at infinity, x_0 >= 0, is a facet like all others, so boxes, the whole space and
// everything between are the same code.
//
// Two rays are adjacent when no third ray lies on all facets that they share (Motzkin et al. 1953,
// the double description test). Where one of them lies on exactly k - 1 facets it is enough that
// they share k - 2.
//
// While the cone has lines, every ray and every line but one vanishes at the *anchor* of that one:
// an axis t_j = 0. So rays and lines are always determined by d hyperplanes, facets and anchors.
#pragma once

#include <bit>
#include <cmath>
#include <compare>
#include <cstdint>
#include <vector>

#include "path.hpp"

namespace linear_regions {

inline constexpr double kRoundoff = 0x1p-53;

template <int W>
struct Mask {
  std::uint64_t w[W];

  static Mask none() {
    Mask m;
    for (int i = 0; i < W; ++i) m.w[i] = 0;
    return m;
  }
  bool has(std::int32_t bit) const { return (w[bit >> 6] >> (bit & 63)) & 1; }
  void set(std::int32_t bit) { w[bit >> 6] |= std::uint64_t{1} << (bit & 63); }
  int count() const {
    int n = 0;
    for (int i = 0; i < W; ++i) n += std::popcount(w[i]);
    return n;
  }
  bool within(const Mask& o) const {  // every bit of this is a bit of o
    std::uint64_t extra = 0;
    for (int i = 0; i < W; ++i) extra |= w[i] & ~o.w[i];
    return extra == 0;
  }
  friend Mask operator&(const Mask& a, const Mask& b) {
    Mask m;
    for (int i = 0; i < W; ++i) m.w[i] = a.w[i] & b.w[i];
    return m;
  }
  friend Mask operator|(const Mask& a, const Mask& b) {
    Mask m;
    for (int i = 0; i < W; ++i) m.w[i] = a.w[i] | b.w[i];
    return m;
  }
  friend bool operator==(const Mask&, const Mask&) = default;
  friend auto operator<=>(const Mask&, const Mask&) = default;
};

// A hyperplane of the current path; its row in the columns of cone_kernels.hpp: d + 1 coefficients,
// e, N.
struct PathLine {
  Line line;
  const double* row;
};

// Followed in memory by the coordinates (padded to a multiple of four) and, in a pointwise layer,
// by the words of the members' positive and negative signs.
struct Ray {
  double error;  // bound in the maximum norm for some positive multiple; infinity: nothing is known
  double base;   // the bound when it was solved last, here or where the ray's edge comes from
  bool refreshed;  // solved from its own hyperplanes: the bound will not get better
  // Where the unit's inputs are known to be zero on the ray, signs need no arithmetic.
  bool vanishing;  // all inputs of this layer's stage are zero here
  bool alive;      // some unit of this layer that is fixed on the whole cell is not zero here

  double* x() { return reinterpret_cast<double*>(this + 1); }
  const double* x() const { return reinterpret_cast<const double*>(this + 1); }
};
static_assert(sizeof(Ray) % sizeof(double) == 0);

template <int W>
struct Cone {
  std::int32_t n = 0, n_lines = 0;
  std::int32_t k = 0;
  bool simple = true;  // every ray lies on exactly k - 1 facets
  Ray** ray = nullptr;
  Mask<W>* mask = nullptr;
  Ray** line = nullptr;
  std::int32_t* anchor = nullptr;  // axis of every line
  Mask<W> used = Mask<W>::none();  // facets so far; all of them contain the lines
};

inline constexpr double kTrusted = 1e-5;  // rays with larger error bounds decide nothing

// Two adjacent rays on different sides of a hyperplane, by number.
struct Edge {
  std::int32_t positive, negative;
};

// The error bound of a row, infinite where it says nothing or the row is close to overflow.
inline double usable_error(double error, double norm) {
  return norm + error < 1e300 ? error : INFINITY;  // NaN becomes infinity
}

// How far w = (1 - t) p + t q, where a row with values vp > 0 > vq vanishes, lies from the true
// meeting point of the true edge and the true hyperplane. dp and dq bound the errors of the values,
// `length` is at least the distance of p and q (maximum norm).
//
// The true t differs by at most ((1 - t) dp + t dq) / (vp - vq - dp - dq).
inline double mixed_error(double t, double p_error, double q_error, double vp, double vq, double dp,
                          double dq, double length) {
  const double room = vp - vq - dp - dq;
  const double shift = ((1 - t) * dp + t * dq) / room;
  const double error =
      (1 - t) * p_error + t * q_error + shift * (length + p_error + q_error) + 8 * kRoundoff;
  return room > 0 && error < 1e300 ? error * 1.0000001 : INFINITY;  // NaN becomes infinity
}

}  // namespace linear_regions
