// SPDX-License-Identifier: MIT
// Turning a found cone into columns: pattern and a proved interior point; vertices and facets where
// the block wants them.
#pragma once

#include <vector>

#include "deep/cone_engine.hpp"
#include "deep/cone_points.hpp"

namespace linear_regions {

template <int W>
class ConeBlockSink : public ConeSink<W> {
 public:
  using Region = typename ConeEngine<W>::Region;

  ConeBlockSink(ConeBlock& block, std::size_t words, std::size_t dim, bool faces) : block_(block) {
    block_.words = words;
    block_.dim = dim;
    block_.faces = faces;
    this->lists_rays = faces;
  }
  void region(ConeEngine<W>& engine, const Region& region) override;
  void begin() override { first_ = block_.n; }
  void point(const ConeRoot& root, const std::uint64_t* pattern, const double* engine_coordinates,
             bool bounded) override;
  void drop() override;

 private:
  void find_facets(ConeEngine<W>& engine, const Region& region);
  void add_label(ConeEngine<W>& engine, const Line& line);
  void add_columns(ConeEngine<W>& engine, const Region& region);

  ConeBlock& block_;
  std::size_t first_ = 0;  // of the regions that are listed at once
  ConePoints<W> points_;
  // Of the region at hand.
  std::vector<std::int32_t> facets_;     // bits
  std::vector<std::uint64_t> on_facet_;  // rays on every bit, as words
};

}  // namespace linear_regions
