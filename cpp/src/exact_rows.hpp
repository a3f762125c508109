// SPDX-License-Identifier: MIT
// ExactRows: rows of units over the domain coordinates, recomputed in big integers.
//
// Weights, domain and breakpoints are doubles, hence rationals. Each slot has one power of two and
// one denominator (average pooling), so the row of a unit is a vector of integers. It is computed
// from the weights through the decisions of the path, as far back as the input, and kept per stage
// until the path leaves the layer cell that it belongs to.
//
// Cost: one dense row is (active inputs) x (columns) products of about 60 bits per layer passed;
// every row below it is computed once per layer cell.
#pragma once

#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "exact_numbers.hpp"
#include "linear_regions/domain_frame.hpp"
#include "linear_regions/tape.hpp"
#include "path.hpp"

namespace linear_regions {

// The input as affine functions of the domain coordinates: column by column, the constants last.
// `exact` has all columns' entries over one denominator where the doubles are only the nearest.
struct ExactColumns {
  std::vector<std::span<const double>> rounded;
  std::span<const std::string> exact;
  std::string denominator;
  // What the doubles of the first column leave out, exactly; empty: nothing.
  std::span<const double> rest = {};
};

ExactColumns columns_of(const DomainFrame& domain);

class ExactRows {
 public:
  // A row over the domain coordinates, up to the positive factor 2^scale / denominator of its
  // slot.
  struct Row {
    Vector v;
    bool zero = true;
  };

  ExactRows(const Tape& tape, const Path& path, ExactColumns columns)
      : tape_(tape), path_(path), columns_(std::move(columns)) {}

  // Asked before every row; where it says no, Stopped is thrown.
  void watch(std::function<bool()> keep_going) { keep_going_ = std::move(keep_going); }

  // The row of a cut or of a pair, up to a positive factor.
  Vector line(const Line& line);
  const Row& row(int slot, std::int32_t unit);
  std::size_t width() const { return columns_.rounded.size(); }
  std::uint64_t computed() const { return computed_; }

 private:
  struct Memo {
    std::uint64_t owner = 0;
    std::unordered_map<std::uint64_t, Row> rows;
  };
  // Entries of a slot are (integer) * 2^scale / denominator.
  struct Unit {
    int scale = 0;
    Integer denominator = 1;
  };

  void prepare();
  void prepare_input(Unit& unit);
  void prepare_op(std::size_t index, std::vector<Unit>& result);
  static void prepare_sparse(const Op& op, std::vector<Unit>& result, int least);
  void prepare_pointwise(std::size_t index, const Op& op, const Unit& in, Unit& out);
  static Integer product(double a, double b, int scale);
  Memo& memo(int stage);
  Row compute(int slot, std::int32_t unit);
  void accumulate(Row& out, int slot, std::int32_t unit, double weight, const Integer& factor,
                  const Unit& u);
  void compute_conv(const Op& op, std::int32_t unit, const Unit& u, Row& out);
  void compute_pointwise(const Op& op, std::size_t index, std::int32_t unit, const Unit& u,
                         Row& out);

  const Tape& tape_;
  const Path& path_;
  ExactColumns columns_;
  std::vector<Memo> memos_;                                    // per stage
  std::vector<Unit> units_;                                    // per slot, filled at first use
  std::vector<std::vector<std::vector<Integer>>> intercepts_;  // per op, table, piece
  std::vector<int> intercept_scale_;                           // per op
  std::vector<Vector> input_;                                  // rows of the network's inputs
  std::uint64_t computed_ = 0;
  std::function<bool()> keep_going_;
};

}  // namespace linear_regions
