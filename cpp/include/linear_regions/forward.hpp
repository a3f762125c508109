// SPDX-License-Identifier: MIT
// Evaluating a tape on batches of points, in double or in single precision.
//
// Points go in groups of a cache line each, and several groups at a time pass through a block of
// packed weights. A value is the sum of its terms in the order of the inputs, one rounding a term,
// so it depends on its point alone: not on the batch, the instruction set, or the number of
// threads. In single precision weights, biases, slopes and points are rounded to the nearest float
// first, and everything is computed in floats; breakpoints stay exact.
//
// Cost: one fused multiplication and addition per weight and point; memory for the packed weights,
// as many as the tape's, and 64 bytes for each value of a layer of each group.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "linear_regions/tape.hpp"

namespace linear_regions {

template <typename Real>
class PackedTape;

template <typename Real>
class ForwardPass {
 public:
  // Throws std::invalid_argument where a number of the tape is beyond the range of Real.
  explicit ForwardPass(std::shared_ptr<const Tape> tape);
  ~ForwardPass();

  // points: n * n_in, row-major, external order. Either output may be empty: values n * n_out,
  // patterns n * pattern_words (bits as in the sign format; a value on a breakpoint is on the lower
  // piece, the lowest of equal entries wins a window). Returns whether all points, and all values
  // that decided a bit, were finite: the signs of others mean nothing.
  bool run(std::span<const double> points, std::size_t n, std::span<Real> values,
           std::span<std::uint64_t> patterns) const;
  bool run(std::span<const float> points, std::size_t n, std::span<Real> values,
           std::span<std::uint64_t> patterns) const;

  // Composite affine map of the network's output for each pattern: columns is (n_columns, n_in),
  // the linear columns and last the offset column; out is (n_patterns, n_out, n_columns). Rounded
  // to Real.
  void affine_maps(std::span<const std::uint64_t> patterns, std::size_t n_patterns,
                   std::span<const Real> columns, std::size_t n_columns, std::span<Real> out) const;

  const Tape& tape() const { return *tape_; }

 private:
  std::shared_ptr<const Tape> tape_;
  std::unique_ptr<const PackedTape<Real>> packed_;
};

extern template class ForwardPass<double>;
extern template class ForwardPass<float>;

}  // namespace linear_regions
