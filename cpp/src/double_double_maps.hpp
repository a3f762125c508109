// SPDX-License-Identifier: MIT
// DoubleDoubleMaps: rows of a layer cell in twice the precision of doubles, for deep networks.
//
// The bounds e of RowMaps follow the triangle inequality, so from layer to layer they grow by the
// sum of absolute weights where signals keep their size: 4 to 30 times. After a dozen layers they
// leave signs open by the thousand, each of them an exact sign. So where the rows of a layer cell
// have lost more than half of their digits, they are computed anew from the input, through the
// decisions of the path, as unevaluated sums high + low of two doubles, and handed back rounded:
// with that, e is about one rounding again. Each stage is kept until the path leaves its layer
// cell, so a cell costs several times one pass over the stages since the last one that was kept.
//
// Error. Products are split without error (fused multiply-add, or Dekker 1971), sums likewise
// (Knuth), and what they leave is summed in the low parts: the dot product Dot2 of Ogita, Rump,
// Oishi (SIAM J. Sci. Comput. 26(6), 2005), whose last addition is left out. With n terms the error
// of high + low is at most 1.02 (n + 4)^2 u^2 (|bias| + sum |weight| |row|): per step 4 u^2 |w r|
// from adding w * low to the product's rest, u^2 (T + 3 |w r|) from adding the two rests, and
// u^2 (n + 4) T from the sum of the rests, T being all of the parenthesis.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "kernels.hpp"
#include "linear_regions/planar_domain.hpp"
#include "linear_regions/tape.hpp"
#include "path.hpp"
#include "row_maps.hpp"

namespace linear_regions {

// What rounding took from the columns of the domain, entry by entry: direction1, direction2,
// origin. Rounded itself; empty where the columns are exact.
std::vector<double> rests_of_columns(const PlanarDomain& domain);

class DoubleDoubleMaps {
 public:
  // Inputs are ldexp(direction1, scale_x) x + ldexp(direction2, scale_y) y + origin.
  DoubleDoubleMaps(const Tape& tape, const PlanarDomain& domain, const Path& path, int scale_x,
                   int scale_y);

  // Asked before every operation; where it says no, Stopped is thrown.
  void watch(std::function<bool()> keep_going) { keep_going_ = std::move(keep_going); }

  // Fills a block of the stage before `split` for the current layer cell of that split.
  void fill(int split, double* block);

 private:
  static constexpr std::size_t kColumns = 7;  // three high, three low, error
  struct Entry {
    double v[kColumns];

    double norm() const;
    bool zero() const;
  };

  void advance(int stage);
  void open(int stage);
  Entry piece(const Entry& row, const PieceTable& table, std::size_t piece) const;
  void apply(int index);
  void scatter(const Op& op, int input, std::int32_t unit, const Entry& row, double* map);
  void normalize(double* map, std::size_t lead) const;
  Entry entry(int slot, std::size_t unit) const;
  void put(int slot, std::size_t unit, const Entry& row);
  double* map(int slot);

  const Tape& tape_;
  const PlanarDomain& domain_;
  const Path& path_;
  const Kernels& kernels_;
  int scale_x_, scale_y_;
  std::vector<std::uint64_t> owner_;  // per stage: the layer cell that its maps belong to
  std::vector<LineVector> maps_;      // per slot
  std::function<bool()> keep_going_;
  std::optional<std::vector<double>> rests_;  // of the domain's columns, when they are asked for
};

}  // namespace linear_regions
