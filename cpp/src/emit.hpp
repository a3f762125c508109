// SPDX-License-Identifier: MIT
// Turning a found region into columns: pattern and a proved interior point; vertices and edges
// where the block wants them.
#pragma once

#include "engine.hpp"

namespace linear_regions {

class BlockSink : public RegionSink {
 public:
  BlockSink(RegionBlock& block, std::size_t words, bool faces) : block_(block) {
    block_.words = words;
    block_.faces = faces;
  }
  void region(Engine& engine, const Polygon& polygon, const std::uint64_t* pattern) override;

 private:
  static FacetLabel label(Engine& engine, const EdgeLine& edge);
  void place_corners(Engine& engine, const Polygon& polygon);
  void add_edge(Engine& engine, std::int32_t edge);

  RegionBlock& block_;
  std::vector<double> corners_;
};

}  // namespace linear_regions
