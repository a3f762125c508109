// SPDX-License-Identifier: MIT
// DeepMaps: the affine maps (rows) of a stage over domains of any dimension, as a base and
// additions; see row_maps.hpp for the scheme and for the error bound, which are the same.
//
// A row is `columns` = d + 2 doubles: d gradients, the constant, the error bound e. A map keeps the
// rows of a slot column by column (cone_kernels.hpp), without the column of norms.
#pragma once

#include <cstdint>
#include <vector>

#include "deep/cone_kernels.hpp"
#include "linear_regions/tape.hpp"

namespace linear_regions {

// Known non-zero rows of a slot. The memory stays when the list is cleared.
class DeepRows {
 public:
  explicit DeepRows(std::size_t columns) : columns_(columns) {}
  std::size_t size() const { return unit_.size(); }
  const std::int32_t* units() const { return unit_.data(); }
  const double* rows() const { return row_.data(); }
  const double* row(std::size_t i) const { return row_.data() + i * columns_; }
  double* row(std::size_t i) { return row_.data() + i * columns_; }
  void clear() {
    unit_.clear();
    row_.clear();
  }
  // The new row's place, to be filled by the caller.
  double* add(std::int32_t unit) {
    unit_.push_back(unit);
    row_.resize(row_.size() + columns_);
    return row_.data() + row_.size() - columns_;
  }
  void drop_last() {
    unit_.pop_back();
    row_.resize(row_.size() - columns_);
  }

 private:
  std::size_t columns_;
  std::vector<std::int32_t> unit_;
  std::vector<double> row_;
};

class DeepMaps {
 public:
  DeepMaps(const Tape& tape, std::size_t dim);

  std::size_t columns() const { return columns_; }
  // Doubles of one block of a stage, and where a stored slot lies in it.
  std::size_t block_size(int stage) const {
    return tape_.stages()[static_cast<std::size_t>(stage)].block / 4 * columns_;
  }
  std::size_t offset(int slot) const { return tape_.offset(slot) / 4 * columns_; }
  const double* stored(int slot, const std::vector<double*>& blocks) const {
    return blocks[static_cast<std::size_t>(tape_.slots()[slot].stage)] + offset(slot);
  }

  // Copies a row out of a map; false where it is exactly zero.
  bool row_at(const double* map, std::size_t n, std::int32_t unit, double* row) const;
  double norm(const double* row) const;

  // Row of a pointwise unit on one of its pieces; false where it is exactly zero.
  bool piece_row(const double* row, const PieceTable& table, std::size_t piece, double* out) const;

  // Fills `block` of a stage from the known non-zero rows of the slot that opens it.
  void base(int stage, const DeepRows& opening, const std::vector<double*>& blocks, double* block);
  // Adds the row of one unit of the opening slot of the block's stage.
  void push(int slot, std::int32_t unit, const double* row, double* block);

 private:
  std::size_t number_of(const Op& op) const {
    return static_cast<std::size_t>(&op - tape_.ops().data());
  }
  double gamma_of(const Op& op) const { return gamma_[number_of(op)]; }
  double entering_error(const Op& op, const double* row) const;
  void start_map(const Op& op, double* map) const;
  void add_dense(const Op& op, const DeepRows& rows, const double* start, double* map);
  void scatter(const Op& op, int input, std::int32_t unit, const double* entered, double* map);
  void scatter_all(const Op& op, int input, const DeepRows& rows, double* map);
  void push_through(const Op& op, int input, std::int32_t unit, const double* row, double* block);
  void collect(int slot, const double* map, DeepRows& rows) const;
  double* scratch(int slot);

  const Tape& tape_;
  const ConeKernels& kernels_;
  const std::size_t columns_;
  std::vector<double> gamma_;        // per operation
  std::vector<LineVector> start_;    // per dense operation: the map of its biases alone
  std::vector<LineVector> scratch_;  // per slot: a map that is not stored
  std::vector<LineVector> delta_;    // per slot: additions on their way (all zero between)
  DeepRows rows_;
  std::vector<double> entered_;
};

}  // namespace linear_regions
