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
//
// Every call takes a function that is asked now and then, within a layer too; where it says no, the
// call ends, and its output means nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "linear_regions/tape.hpp"

namespace linear_regions {

class ErrorBounds;
template <typename Real>
class PackedTape;

// What rounding leaves open in the patterns of a batch.
struct Doubts {
  // Point `row` has a value that no bound parts from the breakpoint of pattern bit `bit` (place
  // -1), or the entry at this place of the window with that first bit may be its largest: then
  // every such entry of the window is named. In the order of the rows.
  struct Doubt {
    std::int32_t row, bit, place;
  };
  std::vector<Doubt> list;
  // Largest ratio of a bound to the sizes of the sums that it is a bound of, before any split;
  // infinite where bounds say nothing.
  double loosest = 0.0;
};

using KeepGoing = std::function<bool()>;

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
           std::span<std::uint64_t> patterns, const KeepGoing& keep_going = {}) const;
  bool run(std::span<const float> points, std::size_t n, std::span<Real> values,
           std::span<std::uint64_t> patterns, const KeepGoing& keep_going = {}) const;

  // Patterns, and which of their bits are not proved to be those of exact arithmetic. Real is
  // double. Cost: a look at every value besides.
  bool run(std::span<const double> points, std::size_t n, std::span<std::uint64_t> patterns,
           Doubts& doubts, const KeepGoing& keep_going = {}) const;
  // Multiplications of one pass.
  double work() const;

  // Composite affine map of the network's output for each pattern: columns is (n_columns, n_in),
  // the linear columns and last the offset column; out is (n_patterns, n_out, n_columns). Rounded
  // to Real.
  void affine_maps(std::span<const std::uint64_t> patterns, std::size_t n_patterns,
                   std::span<const Real> columns, std::size_t n_columns, std::span<Real> out,
                   const KeepGoing& keep_going = {}) const;

  const Tape& tape() const { return *tape_; }

 private:
  std::shared_ptr<const Tape> tape_;
  std::unique_ptr<const PackedTape<Real>> packed_;
  std::unique_ptr<const ErrorBounds> bounds_;
};

extern template class ForwardPass<double>;
extern template class ForwardPass<float>;

}  // namespace linear_regions
