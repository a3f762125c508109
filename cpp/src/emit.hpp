// SPDX-License-Identifier: MIT
// Turning a found region into columns: pattern, vertices, edges and a proved interior point.
#pragma once

#include "engine.hpp"

namespace linear_regions {

class BlockSink : public RegionSink {
 public:
  BlockSink(RegionBlock& block, std::size_t words) : block_(block) { block_.words = words; }
  void region(Engine& engine, const Polygon& polygon, const std::uint64_t* pattern) override;

 private:
  static FacetLabel label(Engine& engine, const EdgeLine& edge);
  void add_edge(Engine& engine, std::int32_t edge);

  RegionBlock& block_;
  std::vector<double> corners_;
};

}  // namespace linear_regions
