// SPDX-License-Identifier: MIT
// PathErrors: close bounds of the errors of rows in deep layers, one row at a time.
//
// The bounds that maps carry grow from layer to layer by the norms of weights, as if errors never
// met a weight of the other sign. But on a path everything is linear: with eta the rounding of
// one layer alone, the error of a row is exactly the sum of G eta over all layers, where G is the
// derivative of that unit by the units of the layer on the path. Hence |error| <= sum of |G| |eta|,
// with G from one pass backwards through the active weights. What is rounded in G itself is bounded
// by norms, which is coarse but multiplies roundings only.
//
// Serves networks whose stages are one dense operation behind ReLUs. Costs (active units) x (units)
// products per layer passed; the roundings of a layer are found once per layer cell. Keeps the
// weights of such layers a second time, in the order in which they are passed.
#pragma once

#include <cstdint>
#include <vector>

#include "deep/cone_kernels.hpp"
#include "deep/maps.hpp"
#include "linear_regions/tape.hpp"
#include "path.hpp"

namespace linear_regions {

class PathErrors {
 public:
  PathErrors(const Tape& tape, const DeepMaps& maps);

  // Is this one of the splits, the first ones of the network, whose rows it can bound?
  bool serves(int split) const { return static_cast<std::size_t>(split) < weights_.size(); }

  // A bound of the sum of the coefficients' errors of this row of the split's input, in the layer
  // cell that the path has entered; `known` where nothing better is found.
  double row_error(int split, std::int32_t unit, double known, const Path& path,
                   const std::vector<double*>& blocks);

 private:
  // What a layer cell of a split is behind.
  struct Layer {
    std::uint64_t owner = 0;
    std::vector<std::int32_t> active;  // units of the split before it that are on
    LineVector mask;                   // the same: one where they are on, else zero
    const double* own = nullptr;       // bounds of |eta|, one per unit
    double length = 0.0;               // bound of their Euclidean norm
    LineVector room;
  };
  struct Weights {  // of the dense operation before a split
    const Op* op = nullptr;
    double gamma = 0.0;      // rounding of the rows it makes,
    double back = 0.0;       // and of sums over its outputs
    double frobenius = 0.0;  // upper bound
    std::vector<double> norm;
    LineVector by_output;  // padded(inputs) per output; empty before it is asked for
  };

  void add_weights(const Op& op);
  void order_by_output(Weights& w);
  void enter(int split, const Path& path, const std::vector<double*>& blocks);
  void find_roundings(int split, const std::vector<double*>& blocks);
  void close(Layer& layer, std::size_t n);

  const Tape& tape_;
  const DeepMaps& maps_;
  const ConeKernels& kernels_;
  std::vector<Weights> weights_;  // per split that is served; the first entry is empty
  std::vector<Layer> layers_;
  LineVector slopes_, next_;
};

}  // namespace linear_regions
