// SPDX-License-Identifier: MIT
// Turning a found cone into columns: pattern, vertices, facets and a proved interior point.
#pragma once

#include <vector>

#include "deep/cone_engine.hpp"

namespace linear_regions {

template <int W>
class ConeBlockSink : public ConeSink<W> {
 public:
  using Region = typename ConeEngine<W>::Region;

  ConeBlockSink(ConeBlock& block, std::size_t words, std::size_t dim) : block_(block) {
    block_.words = words;
    block_.dim = dim;
  }
  void region(ConeEngine<W>& engine, const Region& region) override;

 private:
  void place_rays(ConeEngine<W>& engine, const Region& region);
  void find_facets(ConeEngine<W>& engine, const Region& region);
  bool inside(ConeEngine<W>& engine, const Region& region, const double* point) const;
  bool find_point(ConeEngine<W>& engine, const Region& region);
  void add_label(ConeEngine<W>& engine, const Line& line);
  void add_columns(ConeEngine<W>& engine, const Region& region);

  ConeBlock& block_;
  // Of the region at hand, in engine coordinates.
  std::vector<double> rays_;  // (x, 1) or (direction, 0), d + 1 each
  std::vector<double> point_, trial_;
  std::vector<std::int32_t> facets_;     // bits
  std::vector<std::uint64_t> on_facet_;  // rays on every bit, as words
};

}  // namespace linear_regions
