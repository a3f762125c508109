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
  void begin() override;
  void listed(ConeEngine<W>& engine, const ConeListed& cell) override;
  void drop() override;

 private:
  void find_facets(ConeEngine<W>& engine, const Region& region);
  void add_region(ConeEngine<W>& engine, const Region& region);
  void add_faces(ConeEngine<W>& engine, const ConeListed& cell);
  void know_nothing(std::size_t words);
  void convert_vertex(const ConeRoot& root, const ConeListed& cell, std::size_t ray);
  void convert_facet(ConeEngine<W>& engine, const Line& line, const double* row, std::int32_t bit);
  void find_label(ConeEngine<W>& engine, const Line& line, std::int32_t* label) const;

  ConeBlock& block_;
  // Sizes of the columns before the regions that are listed at once.
  struct Sizes {
    std::size_t n = 0, vertices = 0, facets = 0, corners = 0;
  } before_;
  ConePoints<W> points_;
  // Of a region that is not listed at once.
  std::vector<std::int32_t> facets_;      // bits
  std::vector<std::uint64_t> on_facet_;   // rays on every bit, as words
  std::vector<std::uint64_t> all_, far_;  // rays
  // Of all regions that are listed at once, made when the first of them asks.
  std::vector<std::uint64_t> known_rays_;
  std::vector<double> vertices_;  // per ray: as in the block
  Mask<W> known_facets_;
  std::vector<double> rows_;          // per bit: as in the block, for the positive side
  std::vector<std::int32_t> labels_;  // three per bit
  std::vector<std::int64_t> rank_;    // of a ray of the region among them
};

}  // namespace linear_regions
