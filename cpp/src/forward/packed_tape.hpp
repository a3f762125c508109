// SPDX-License-Identifier: MIT
// A tape made ready for the forward pass: weights rounded to Real and packed in the order in which
// the kernels read them, and a place for every slot.
//
// Panel: up to `ForwardKernels::panel` neighbouring outputs; its weights lie input by input, those
// of one input side by side. A convolution has the panels of every group of filters, whose rows are
// (kernel offset, channel) or (channel, kernel offset), whichever has neighbours in memory; the
// runs of an output position tell which inputs meet which rows, in the order of the inputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "forward/forward_kernels.hpp"
#include "linear_regions/tape.hpp"

namespace linear_regions {

struct Panel {
  std::size_t first, width;  // outputs (of the group of filters)
  std::size_t weight;        // where its weights begin
};

template <typename Real>
struct PackedOp {
  std::vector<Real> bias;
  std::vector<Real, LineAllocator<Real>> weight;
  std::vector<Panel> panels;  // of a convolution group after group, equally many each
  // Runs of output position q and group g: runs[run_start[q * groups + g] ...].
  std::vector<std::uint32_t> run_start;
  std::vector<Run> runs;
  struct Terms {
    std::vector<std::uint32_t> start;
    std::vector<Term<Real>> terms;
  };
  std::vector<Terms> sparse;  // of every input
  struct Pieces {
    std::vector<Real> breakpoints, slopes, intercepts;
  };
  std::vector<Pieces> tables;
  // Splits: first bit and number of bits, and the bit (minus the first) of every cut or window;
  // empty where that is its own number.
  std::size_t first_bit = 0, bits = 0;
  std::vector<std::int32_t> bit;
};

template <typename Real>
class PackedTape {
 public:
  explicit PackedTape(const Tape& tape);

  const ForwardKernels<Real>& kernels() const { return kernels_; }
  const PackedOp<Real>& op(std::size_t i) const { return ops_[i]; }
  // Rows of a workspace, and the first row of a slot: slots share rows when one is no longer read
  // before the other is written.
  std::size_t rows() const { return rows_; }
  std::size_t row(int slot) const { return row_[static_cast<std::size_t>(slot)]; }
  std::size_t last_split() const { return last_split_; }  // operations up to it, for patterns alone

 private:
  void pack_dense(const Op& op, PackedOp<Real>& packed) const;
  void pack_conv(const Op& op, PackedOp<Real>& packed) const;
  void pack_runs(const Op& op, bool channels_last, PackedOp<Real>& packed) const;
  void pack_sparse(const Op& op, PackedOp<Real>& packed) const;
  void pack_split(const Op& op, PackedOp<Real>& packed) const;
  void place_slots(const Tape& tape);

  const ForwardKernels<Real>& kernels_;
  std::vector<PackedOp<Real>> ops_;
  std::vector<std::size_t> row_;
  std::size_t rows_ = 0, last_split_ = 0;
};

extern template class PackedTape<double>;
extern template class PackedTape<float>;

}  // namespace linear_regions
