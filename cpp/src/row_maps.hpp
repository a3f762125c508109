// SPDX-License-Identifier: MIT
// RowMaps: the affine maps (rows) of a stage, as a base and additions.
//
// On a layer cell the stage after split s is computed once from the units that are fixed on the
// whole cell (base); whenever a cutting unit becomes fixed on a sub-cell, its row is pushed through
// the linear operations of the stage (one rank-1 update in an ordinary network). There are only
// additions, so the usual bound of a sum of products covers every order of them, and nothing
// drifts.
//
// Error. A row that enters an operation with error bound e and norm N leaves the bound
// |weight| * (e + gamma * N + tiny) in every sum that it joins, where gamma = (terms + 4) * 1.01 u
// covers products, sums and the rounding of the bound itself, and tiny covers underflow.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels.hpp"
#include "linear_regions/tape.hpp"

namespace linear_regions {

struct Row4 {
  double v[4];  // gx, gy, c, e

  double norm() const { return std::fabs(v[0]) + std::fabs(v[1]) + std::fabs(v[2]); }
  bool zero() const { return v[0] == 0 && v[1] == 0 && v[2] == 0 && v[3] == 0; }
};

// Known non-zero rows of a slot. The memory stays when the list is cleared.
class RowList {
 public:
  std::size_t size() const { return size_; }
  const std::int32_t* units() const { return unit_.data(); }
  std::int32_t unit(std::size_t i) const { return unit_[i]; }
  const Row4& row(std::size_t i) const { return row_[i]; }
  Row4& row(std::size_t i) { return row_[i]; }

  void clear() { size_ = 0; }
  void add(std::int32_t unit, const Row4& row) {
    if (size_ == unit_.size()) {
      unit_.resize(2 * size_ + 64);
      row_.resize(2 * size_ + 64);
    }
    unit_[size_] = unit;
    row_[size_++] = row;
  }

 private:
  std::vector<std::int32_t> unit_;
  std::vector<Row4> row_;
  std::size_t size_ = 0;
};

inline Rows rows_of(const double* map, std::size_t n) {
  const std::size_t lead = padded(n);
  return {map, map + lead, map + 2 * lead, map + 3 * lead};
}

// Row number `at` of a map whose columns are `stride` apart.
inline Row4 row_in(const double* map, std::size_t stride, std::size_t at) {
  return {{map[at], map[stride + at], map[2 * stride + at], map[3 * stride + at]}};
}

inline Row4 row_at(const double* map, std::size_t n, std::int32_t unit) {
  const std::size_t lead = padded(n), i = static_cast<std::size_t>(unit);
  return {{map[i], map[lead + i], map[2 * lead + i], map[3 * lead + i]}};
}

inline void set_row(double* map, std::size_t n, std::int32_t unit, const Row4& row) {
  const std::size_t lead = padded(n), i = static_cast<std::size_t>(unit);
  for (std::size_t k = 0; k < 4; ++k) map[k * lead + i] = row.v[k];
}

// Do the error bounds leave a map so little that twice the precision pays (double_double_maps.hpp)?
// Where they exceed this share of slopes. Less serves cones: the errors of all rows that determine
// a ray add up there, times the condition of their system.
constexpr double kBluntForPolygons = 0x1p-22, kBluntForCones = 0x1p-25;
// Rows have `width` coefficients, the constant last, and e. By eight of its rows: bounds grow alike
// in a layer.
bool blunt(const double* map, std::size_t stride, std::size_t n, std::size_t width, double share);

// Row of a pointwise unit on one of its pieces.
Row4 piece_row(const Row4& row, const PieceTable& table, std::size_t piece);

class RowMaps {
 public:
  explicit RowMaps(const Tape& tape);

  // Fills `block` of stage s. `opening` are the known non-zero rows of the slot that opens the
  // stage (the network input or the output of split s - 1); blocks[t] are the blocks of the
  // earlier stages on the path; nullptr: nothing comes from there.
  struct How {
    bool sharp = false;  // sums of error bounds, not the product of norms, about twice as large
    bool homogeneous = false;  // without biases
  };
  void base(int stage, const RowList& opening, const std::vector<double*>& blocks, double* block) {
    base(stage, opening, blocks, block, How());
  }
  void base(int stage, const RowList& opening, const std::vector<double*>& blocks, double* block,
            const How& how);

  // Adds the row of one unit of the opening slot of the block's stage.
  void push(int slot, std::int32_t unit, const Row4& row, double* block);

  // The stored map of a slot on the current path.
  const double* stored(int slot, const std::vector<double*>& blocks) const {
    return blocks[static_cast<std::size_t>(tape_.slots()[slot].stage)] + tape_.offset(slot);
  }

 private:
  Row4 entering(const Op& op, const Row4& row) const;
  void add_dense(const Op& op, const RowList& rows, double* map, bool sharp);
  void scatter(const Op& op, int input, std::int32_t unit, const Row4& entered, double* map);
  void scatter_all(const Op& op, int input, const RowList& rows, double* map, bool sharp);
  void push_through(const Op& op, int input, std::int32_t unit, const Row4& row, double* block);
  void collect(int slot, const double* map, RowList& rows) const;
  double* scratch(int slot);

  const Tape& tape_;
  const Kernels& kernels_;
  std::vector<double> gamma_;                    // per operation
  std::vector<std::vector<double>> bias_error_;  // per operation: the biases' part of e
  std::vector<LineVector> scratch_;              // per slot: a map that is not stored
  std::vector<LineVector> delta_;  // per slot: additions on their way (all zero between)
  RowList rows_;
  std::vector<Row4> entered_;
};

}  // namespace linear_regions
