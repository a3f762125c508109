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
#include <vector>

#include "kernels.hpp"
#include "linear_regions/domain_frame.hpp"
#include "linear_regions/planar_domain.hpp"
#include "linear_regions/tape.hpp"
#include "path.hpp"

namespace linear_regions {

// The input of a network over its domain: `width` columns of as many entries as there are inputs,
// in their external order, the constants last, and what rounding took from them; rounded itself,
// and empty where the columns are exact.
struct InputColumns {
  std::vector<std::vector<double>> columns, rests;
};

// Of the inputs ldexp(direction1, scale_x) x + ldexp(direction2, scale_y) y + origin.
InputColumns input_columns(const PlanarDomain& domain, int scale_x, int scale_y);
// The same in any dimension, one scale for each coordinate.
InputColumns input_columns(const DomainFrame& domain, const std::vector<int>& scale);

// LINEAR_REGIONS_SHARPEN=always: such rows in every layer cell, for tests.
bool sharpen_always();

class DoubleDoubleMaps {
 public:
  // `input` is asked for once, when it is needed for the first time.
  DoubleDoubleMaps(const Tape& tape, const Path& path, std::size_t width,
                   std::function<InputColumns()> input);

  // Asked before every operation; where it says no, Stopped is thrown.
  void watch(std::function<bool()> keep_going) { keep_going_ = std::move(keep_going); }

  // Fills a block of the stage before `split` for the current layer cell of that split: maps of
  // `width` columns and e.
  void fill(int split, double* block);

 private:
  // Rows of `columns_` doubles: the high parts, the low ones, the error.
  double norm(const double* row) const;  // of high + low
  void advance(int stage);
  void open(int stage);
  void open_input(const Slot& slot);
  bool piece(const double* row, const PieceTable& table, std::size_t number, double* out) const;
  void apply(int index);
  void scatter(const Op& op, int input, std::int32_t unit, const double* row, double* map) const;
  void add_term(double factor, const double* row, double doubt, double* out,
                std::size_t lead) const;
  void normalize(double* map, std::size_t lead) const;
  bool get(int slot, std::size_t unit, double* row) const;  // false: exactly zero
  void put(int slot, std::size_t unit, const double* row);

  const Tape& tape_;
  const Path& path_;
  const Kernels& kernels_;
  const std::size_t width_, columns_;
  std::function<InputColumns()> input_;
  std::vector<std::uint64_t> owner_;  // per stage: the layer cell that its maps belong to
  std::vector<LineVector> maps_;      // per slot
  std::vector<double> row_, entered_;
  std::function<bool()> keep_going_;
  InputColumns known_;
};

}  // namespace linear_regions
