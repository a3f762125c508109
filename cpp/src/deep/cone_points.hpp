// SPDX-License-Identifier: MIT
// A proved point inside a found cone.
//
// The mean of the rays lies inside, up to rounding: first of the rays as they are, whose errors
// hardly ever matter, since a point counts only once every facet's row is proved to be positive
// there. Where that fails, the rays are placed as precisely as doubles allow, other means are
// tried, and at last the point is found exactly.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "deep/cone_engine.hpp"

namespace linear_regions {

template <int W>
class ConePoints {
 public:
  using Region = typename ConeEngine<W>::Region;

  // The mean of the rays as they are. False where it is not proved to lie inside. In passing: which
  // facets (and perhaps redundant rows) rays lie on, bits(), and whether the cone is bounded().
  bool from_rays(ConeEngine<W>& engine, const Region& region);
  // The rays as precise as doubles are: (x, 1) or (direction, 0), d + 1 numbers each.
  void place_rays(ConeEngine<W>& engine, const Region& region);
  const double* rays() const { return rays_.data(); }
  // From the placed rays; `bits` are of all facets.
  void find(ConeEngine<W>& engine, const Region& region, std::span<const std::int32_t> bits);
  std::span<const std::int32_t> bits() const { return bits_; }
  bool bounded() const { return bounded_; }
  // Adds the point that was found to a block's columns.
  void append_to(ConeBlock& block, const ConeRoot& root);

 private:
  bool inside(ConeEngine<W>& engine, const Region& region, std::span<const std::int32_t> bits,
              const double* point) const;
  bool try_means(ConeEngine<W>& engine, const Region& region, std::span<const std::int32_t> bits);
  bool go_far(ConeEngine<W>& engine, const Region& region, std::span<const std::int32_t> bits,
              bool unbounded);
  void find_exactly(ConeEngine<W>& engine, const Region& region,
                    std::span<const std::int32_t> bits);

  // Of the region at hand, in engine coordinates.
  std::vector<double> rays_;
  std::vector<double> point_, direction_, trial_;
  std::vector<std::int32_t> bits_;
  std::vector<std::string> exact_;  // of the point, in the domain's coordinates; mostly none
  bool bounded_ = false, found_ = false;
};

}  // namespace linear_regions
