// SPDX-License-Identifier: MIT
// What the cone engine searches: the problem that all threads share, layer cells, sets, nodes.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "arena.hpp"
#include "deep/cone.hpp"
#include "depth_first.hpp"
#include "linear_regions/cones.hpp"
#include "linear_regions/domain_frame.hpp"
#include "linear_regions/tape.hpp"

namespace linear_regions {

// What all threads share and nobody changes after the start.
struct ConeRoot {
  // A count may move the domain: where its regions lie nobody asks then.
  enum class Asked { kCount, kList };

  ConeRoot(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic, Asked asked);

  // The line t_j = 0, as the exact stage knows it.
  Line axis(std::int32_t j) const {
    return {Line::Kind::kDomain, -1, static_cast<std::int32_t>(domain.n_sides()) + j, 0};
  }
  const double* side(std::size_t i) const { return sides.data() + i * (dim + 3); }
  // An engine coordinate as one of the domain: as std::ldexp, in most cases by a product.
  double to_domain(std::size_t k, double x) const {
    return unit[k] > 0 && unit[k] < 0x1p1023 ? x * unit[k] : std::ldexp(x, scale[k]);
  }

  const Tape& tape;
  DomainFrame domain;     // without the coordinates on which nothing depends
  DomainFrame with_axes;  // the same with the axes as further sides, for the exact stage alone
  std::vector<std::size_t> coordinates;  // those that are left, of the domain as it was given
  Arithmetic arithmetic;
  bool tame = true;           // all numbers of ordinary size; else every decision is exact
  bool always_sharp = false;  // for tests: see DoubleDoubleMaps
  std::size_t dim, stride;    // of `domain`; doubles of a ray's coordinates
  std::vector<int> scale;     // engine coordinate * 2^scale = domain coordinate
  std::vector<double> unit;   // 2^scale
  std::vector<double> sides;  // rows (d + 1 coefficients, e, N) in engine coordinates
  std::vector<double> axes;   // the rows t_j = 0
  LineVector first_block;     // stage 0
  // Stages that read nothing but their opening slot, and the constants that are left where that
  // slot vanishes: known exactly, or not at all.
  std::vector<char> chain, constant_known;     // per stage
  std::vector<std::vector<double>> constants;  // of the split's input, one per unit

 private:
  void find_chains();
};

// A region as a set of rays, for its columns. Rays, facets and what they share have the numbers of
// the node that is listed at once.
struct ConeListed {
  const std::uint64_t* pattern;
  const double* point;  // inside, in engine coordinates
  bool bounded;
  // With faces:
  int words = 0;  // of a set of rays
  const std::uint64_t* rays = nullptr;
  const std::uint64_t* far = nullptr;         // those at infinity
  const double* spots = nullptr;              // of all rays: the point, or the direction
  std::size_t stride = 0;                     // numbers of a spot
  std::span<const std::int32_t> facets = {};  // bits
  const std::int32_t* table = nullptr;        // bit -> 2 * line + side
  const std::uint64_t* on_bit = nullptr;      // per bit: the rays that lie on it
};

// The sign words of a ray stand behind its coordinates.
template <typename R>
inline std::uint64_t* signs_of(R& ray, std::size_t stride) {
  return const_cast<std::uint64_t*>(reinterpret_cast<const std::uint64_t*>(ray.x() + stride));
}

// Cuts of one word that are positive somewhere on a cone, negative somewhere, and those that are
// not constant along its lines.
struct StrictSigns {
  std::uint64_t more = 0, less = 0, along = 0;
};

template <int W>
inline StrictSigns strict_signs(const Cone<W>& cone, std::size_t w, std::size_t words,
                                std::size_t stride) {
  StrictSigns found;
  for (std::int32_t i = 0; i < cone.n; ++i) {
    const std::uint64_t* signs = signs_of(*cone.ray[i], stride);
    found.more |= signs[w];
    found.less |= signs[words + w];
  }
  for (std::int32_t j = 0; j < cone.n_lines; ++j) {
    const std::uint64_t* signs = signs_of(*cone.line[j], stride);
    found.along |= signs[w] | signs[words + w];
  }
  return found;
}

struct ConeLayerCell {
  int split;
  const double* rows;      // map of the split's input slot
  std::uint64_t* pattern;  // bits of the splits before this one
  double* base;            // base block of the next stage (nullptr: not needed)
  const double* cut_rows;  // pointwise: all cuts as rows
  std::uint64_t* on;       // pointwise: cuts positive on the whole cell
  std::int32_t m, words;   // cutting units: cuts (pointwise) or windows (max)
  std::int32_t* member;
  double* member_rows;   // d + 3 columns
  std::uint64_t* loose;  // members whose errors may be bounded more closely; nullptr: none
  std::uint64_t beyond;  // the layer before the last: first units of the last that may cut the cell
  std::int32_t* winner;  // max: winner entry of windows fixed on the whole cell, else -1
};

// All rays of all cells of a node (cone_vertices.cpp). Its members have lines and bits in order.
template <int W>
struct VertexSet {
  std::int32_t n, n_members, first_line, first_bit;
  bool simple;  // every ray lies on as many facets as determine it
  std::int32_t* member;
  Ray** ray;
  Mask<W>* mask;
  std::uint64_t* signs;  // per ray: words of positive members, words of negative ones
  // Where the layer after this one is the last and is counted: what it is like at every ray, which
  // is the same in all cells that share the ray. Otherwise null.
  struct Beyond {
    std::uint64_t positive, negative;  // units; all bits of both: nobody has looked yet
    std::uint64_t clear;               // units whose sizes are known well, see ConeKernels::look
    bool known() const { return (positive & negative) == 0; }
  };
  Beyond* beyond;
  std::int32_t n_cuts;
  std::int32_t* cut;
  // Of the units' values, `lead` per ray; in pieces smaller than a chunk of the arena, because the
  // system takes larger blocks back after every call.
  static constexpr std::size_t kPiece = 512;
  float** sizes;
  std::size_t lead;
  float* sizes_at(std::size_t r) const { return sizes[r / kPiece] + r % kPiece * lead; }
};

template <int W>
struct ConeNode : SearchNode {
  const ConeLayerCell* cell = nullptr;
  Cone<W> cone;
  std::int32_t* table = nullptr;  // bit -> 2 * line + side; shared along the path
  std::int32_t n_bits = 0;
  std::int32_t own_first = 0, n_own = 0;  // the node's own entries of the table, set anew
  std::int32_t* own = nullptr;            // whenever it is expanded
  std::uint64_t* mixed = nullptr;
  std::uint64_t* on = nullptr;
  std::int32_t* choice = nullptr;
  double* block = nullptr;
  // Where all rays below the node are known: those in its closure, by number.
  const VertexSet<W>* vertices = nullptr;
  std::int32_t* list = nullptr;
  std::uint64_t* list_signs = nullptr;  // their words again, in the order of the list
  std::int32_t n_list = 0;
  std::int32_t wait = 0;  // cuts before it makes sense to ask for all rays again
  // Where the node made the set itself: what was there before. Its mark is behind the set, which
  // thus stays when the node is expanded again.
  bool made_set = false;
  Arena::Mark mark_before;
  std::size_t lines_before = 0;
};

}  // namespace linear_regions
