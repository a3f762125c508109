// SPDX-License-Identifier: MIT
// Tape: a piecewise linear network as a list of operations on numbered slots.
//
// Notation
//   slot      a flat vector of values; slot 0 is the network input, operation i writes slot i + 1
//   split     an operation with linear pieces: a pointwise activation, a max pooling or a maxout
//   stage s   what is computed between split s - 1 and split s: the output slot of split s - 1
//             and the outputs of the linear operations that follow it (stage 0 starts with the
//             input)
//
// Invariant: inside one stage every slot is an affine function of the slots of earlier stages and
// of the output of the split that opens the stage. The engines rely on this alone, so residual
// links and concatenations need no special case.
//
// Layout: values of a slot are kept in an *internal* order in which the channels of one position
// are neighbours (the outputs of a convolution then lie contiguously); `external_of` maps back to
// the caller's order (channels first, row-major).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string>
#include <vector>

namespace linear_regions {

inline constexpr std::size_t kLanes = 8;  // arrays of rows are padded to this many doubles

constexpr std::size_t padded(std::size_t n) {
  return (n + kLanes - 1) / kLanes * kLanes;
}

// Vectors that start on a cache line: a wide load that straddles two lines costs twice.
template <typename T>
struct LineAllocator {
  using value_type = T;
  LineAllocator() = default;
  template <typename U>
  LineAllocator(const LineAllocator<U>&) {}
  T* allocate(std::size_t n) {
    return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t{64}));
  }
  void deallocate(T* p, std::size_t) { ::operator delete(p, std::align_val_t{64}); }
  template <typename U>
  bool operator==(const LineAllocator<U>&) const {
    return true;
  }
};
using LineVector = std::vector<double, LineAllocator<double>>;

// out = weight * in + bias.
struct Dense {
  std::size_t n_in = 0, n_out = 0;
  LineVector weight;  // input-major: weight[j * padded(n_out) + i], internal orders
  // Upper bounds of the Euclidean norms of the weight rows (one per output); empty when some
  // weight is zero.
  std::vector<double> row_norm;
};

// Convolution over up to three axes (missing axes have length one).
struct Conv {
  std::array<std::int64_t, 3> in_shape{}, out_shape{}, kernel{}, stride{}, before{}, dilation{};
  std::size_t channels = 0, filters = 0, groups = 0;
  LineVector weight;  // [group][channel in group][kernel offset][filter in group]
  // For every input position: the (kernel offset, output position) pairs that read it.
  std::vector<std::int32_t> reader_start, reader_offset, reader_position;
  std::vector<std::int32_t> channel_of, position_of;  // of every internal input index
  std::vector<std::int32_t> input_at;                 // internal index of [position][channel]

  // Calls add(first output, weights, number) for every run of outputs that reads an input.
  template <typename Add>
  void for_readers(std::int32_t unit, const Add& add) const {
    const std::size_t group_in = channels / groups, group_out = filters / groups;
    const auto channel = static_cast<std::size_t>(channel_of[static_cast<std::size_t>(unit)]);
    const auto position = static_cast<std::size_t>(position_of[static_cast<std::size_t>(unit)]);
    const std::size_t group = channel / group_in;
    const auto offsets = static_cast<std::size_t>(kernel[0] * kernel[1] * kernel[2]);
    const double* from =
        weight.data() + (group * group_in + channel % group_in) * offsets * group_out;
    const auto end = static_cast<std::size_t>(reader_start[position + 1]);
    for (auto k = static_cast<std::size_t>(reader_start[position]); k < end; ++k)
      add(static_cast<std::size_t>(reader_position[k]) * filters + group * group_out,
          from + static_cast<std::size_t>(reader_offset[k]) * group_out, group_out);
  }
};

// out[i] = sum of coefficient * in[slot][j] / divisor: average pooling, per-channel scale, sums of
// slots, concatenations and every kind of reordering.
struct Sparse {
  struct Term {
    std::int32_t index;    // output index (by_input) or input index (by_output)
    std::int32_t divisor;  // exact integer divisor, 1 unless averages are taken
    double coefficient;    // exact factor; the float engine uses coefficient / divisor
  };
  struct Input {
    std::vector<std::int32_t> by_input_start, by_output_start;
    std::vector<Term> by_input, by_output;
  };
  std::vector<Input> inputs;
};

// One continuous piecewise linear function: piece p is slopes[p] * z + intercepts[p] between
// breakpoints[p - 1] and breakpoints[p]. Intercepts follow from value_at_zero by continuity; the
// double is rounded, the exact stage recomputes it.
struct PieceTable {
  std::vector<double> breakpoints, slopes, intercepts, intercept_errors;
  double value_at_zero = 0.0;
};

struct Pointwise {
  std::vector<PieceTable> tables;
  std::vector<std::int32_t> table_of;   // per internal unit
  std::vector<std::int32_t> cut_start;  // size n + 1: the cuts (unit, breakpoint) of every unit
  std::vector<std::int32_t> unit_of_cut, breakpoint_of_cut;
  bool is_relu = false;             // every unit: slopes 0 and 1, breakpoint and value 0
  bool one_cut_at_zero = false;     // every unit has exactly one breakpoint, at zero: cut == unit
  bool zero_then_positive = false;  // first piece is identically 0, the others increase: f >= 0
};

// out[w] = max of the entries of window w.
struct Max {
  std::vector<std::int32_t> start, entries, positions;  // positions: index within the full window
  std::int32_t bits = 0;                                // pattern bits per window
  bool inputs_nonnegative = false;  // entries are outputs of a zero_then_positive activation
};

enum class OpKind { kDense, kConv, kSparse, kPointwise, kMax };

struct Op {
  OpKind kind;
  std::vector<int> inputs;   // slots
  int output = 0;            // slot
  std::vector<double> bias;  // padded(size of output), internal order; zeros where there is none
  Dense dense;
  Conv conv;
  Sparse sparse;
  Pointwise pointwise;
  Max max;
  double fan_in = 0;  // most terms that are added into one output
  // Splits only: pattern bit of every cut (pointwise) or first bit of every window (max).
  int split = -1;
  std::vector<std::int32_t> pattern_bit;

  bool is_split() const { return kind == OpKind::kPointwise || kind == OpKind::kMax; }
};

struct Slot {
  std::size_t size = 0;
  int stage = 0;
  int producer = -1;                      // operation that writes it, -1 for the network input
  std::vector<std::int32_t> external_of;  // internal index -> external index
};

struct Stage {
  std::vector<int> ops;     // linear operations that are needed by a later split, in order
  std::vector<int> stored;  // slots whose maps outlive the stage computation
  std::size_t block = 0;    // doubles of one map block of this stage (4 rows per stored slot)
};

struct ConvGeometry {
  std::array<std::int64_t, 3> in_shape, out_shape, kernel, stride, before, dilation;
  std::size_t channels, filters, groups;
};

class Tape {
 public:
  explicit Tape(std::size_t n_in);

  // Every method appends one operation and returns its output slot. All arrays are in external
  // order; shapes are checked (std::invalid_argument), finiteness is the caller's promise.
  int dense(int input, std::span<const double> weight, std::span<const double> bias);
  int conv(int input, const ConvGeometry& geometry, std::span<const double> weight,
           std::span<const double> bias);
  int scale(int input, std::span<const double> weight, std::span<const double> bias);
  int average(int input, std::span<const std::int64_t> start, std::span<const std::int64_t> entries,
              std::span<const std::int64_t> divisors);
  // index[i] is the input entry that output i copies, or -1 for the constant fill.
  int gather(int input, std::span<const std::int64_t> index, double fill);
  int add(std::span<const int> inputs);
  int concat(std::span<const int> inputs);
  int pointwise(int input, std::vector<PieceTable> tables, std::span<const std::int64_t> table_of);
  int max(int input, std::span<const std::int64_t> start, std::span<const std::int64_t> entries,
          std::span<const std::int64_t> positions, int bits);
  void finish();  // stages, stored slots, pattern bits; call once, after the last operation

  std::size_t n_in() const { return slots_.front().size; }
  std::size_t n_out() const { return slots_.back().size; }
  std::size_t pattern_bits() const { return pattern_bits_; }
  std::size_t pattern_words() const { return (pattern_bits_ + 63) / 64; }
  const std::vector<Op>& ops() const { return ops_; }
  const std::vector<Slot>& slots() const { return slots_; }
  const std::vector<int>& splits() const { return splits_; }
  const std::vector<Stage>& stages() const { return stages_; }
  const Op& split(int s) const { return ops_[splits_[s]]; }
  // Linear operations of the slot's own stage that read it, as (operation, input number).
  const std::vector<std::pair<int, int>>& consumers(int slot) const { return consumers_[slot]; }
  // Offset of a stored slot inside the block of its stage, or npos.
  std::size_t offset(int slot) const { return offset_[slot]; }
  // True when every weight is zero or within [2^-200, 2^200]: the float filter is then free of
  // overflow and underflow concerns. Otherwise every decision is taken exactly.
  bool moderate() const { return moderate_; }

  static constexpr std::size_t npos = static_cast<std::size_t>(-1);

 private:
  Op& append(OpKind kind, std::vector<int> inputs, std::size_t size);
  void check_slot(int slot) const;
  void note_magnitude(std::span<const double> values);
  void build_sparse_index(Op& op);

  std::vector<Op> ops_;
  std::vector<Slot> slots_;
  std::vector<int> splits_;
  std::vector<Stage> stages_;
  std::vector<std::vector<std::pair<int, int>>> consumers_;
  std::vector<std::size_t> offset_;
  std::size_t pattern_bits_ = 0;
  bool moderate_ = true;
};

}  // namespace linear_regions
