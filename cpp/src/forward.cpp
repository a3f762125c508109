// SPDX-License-Identifier: MIT
#include "linear_regions/forward.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "forward/forward_kernels.hpp"

namespace linear_regions {
namespace {

constexpr std::size_t kBatch = 8;

bool has_two_pieces(const Op& op, std::size_t n);

// Values of all slots for eight columns: slot[i * kBatch + column].
class Columns {
 public:
  explicit Columns(const Tape& tape)
      : tape_(tape), kernels_(forward_kernels()), slots_(tape.slots().size()) {
    for (std::size_t s = 0; s < slots_.size(); ++s) slots_[s].resize(kBatch * tape.slots()[s].size);
    for (const Op& op : tape.ops())
      two_pieces_.push_back(op.kind == OpKind::kPointwise &&
                            has_two_pieces(op, tape.slots()[op.output].size));
  }

  double* input() { return slots_.front().data(); }
  const double* output() const { return slots_.back().data(); }
  const double* slot(int s) const { return slots_[static_cast<std::size_t>(s)].data(); }
  bool two_pieces(const Op& op) const {
    return two_pieces_[static_cast<std::size_t>(op.output) - 1];
  }
  std::vector<std::uint8_t>& masks(std::size_t n) {
    masks_.resize(n);
    return masks_;
  }
  double* slot(int s) { return slots_[static_cast<std::size_t>(s)].data(); }

  // bias[column] scales the biases: 1 for points, 1 only in the offset column of affine maps.
  void linear(const Op& op, const double* bias) {
    double* out = slot(op.output);
    const std::size_t n = tape_.slots()[op.output].size;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t c = 0; c < kBatch; ++c) out[i * kBatch + c] = op.bias[i] * bias[c];
    for (std::size_t k = 0; k < op.inputs.size(); ++k) {
      const double* in = slot(op.inputs[k]);
      const std::size_t n_in = tape_.slots()[op.inputs[k]].size;
      if (op.kind == OpKind::kDense) {
        kernels_.dense(out, op.dense.weight.data(), padded(op.dense.n_out), n_in, op.dense.n_out,
                       in);
        continue;
      }
      for (std::size_t j = 0; j < n_in; ++j) add(op, k, j, in + j * kBatch, out);
    }
  }

 private:
  void add(const Op& op, std::size_t input, std::size_t j, const double* in, double* out) const {
    if (op.kind == OpKind::kConv) {
      const Conv& c = op.conv;
      const std::size_t group_in = c.channels / c.groups, group_out = c.filters / c.groups;
      const auto channel = static_cast<std::size_t>(c.channel_of[j]);
      const auto position = static_cast<std::size_t>(c.position_of[j]);
      const std::size_t group = channel / group_in;
      const auto offsets = static_cast<std::size_t>(c.kernel[0] * c.kernel[1] * c.kernel[2]);
      const double* weight = c.weight.data() + channel * offsets * group_out;
      const auto end = static_cast<std::size_t>(c.reader_start[position + 1]);
      for (auto k = static_cast<std::size_t>(c.reader_start[position]); k < end; ++k) {
        const std::size_t at =
            static_cast<std::size_t>(c.reader_position[k]) * c.filters + group * group_out;
        kernels_.dense(out + at * kBatch,
                       weight + static_cast<std::size_t>(c.reader_offset[k]) * group_out, 0, 1,
                       group_out, in);
      }
    } else {
      const auto& map = op.sparse.inputs[input];
      for (std::int32_t t = map.by_input_start[j]; t < map.by_input_start[j + 1]; ++t) {
        const auto& term = map.by_input[static_cast<std::size_t>(t)];
        const double factor = term.coefficient / term.divisor;
        kernels_.dense(out + static_cast<std::size_t>(term.index) * kBatch, &factor, 0, 1, 1, in);
      }
    }
  }

  const Tape& tape_;
  const ForwardKernels& kernels_;
  std::vector<std::vector<double>> slots_;
  std::vector<bool> two_pieces_;  // of every operation
  std::vector<std::uint8_t> masks_;
};

void set_bits(std::uint64_t* words, std::size_t first, std::size_t count, std::uint64_t value) {
  for (std::size_t b = 0; b < count; ++b)
    if ((value >> b) & 1) words[(first + b) >> 6] |= std::uint64_t{1} << ((first + b) & 63);
}

std::uint64_t get_bits(const std::uint64_t* words, std::size_t first, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t b = 0; b < count; ++b)
    value |= ((words[(first + b) >> 6] >> ((first + b) & 63)) & 1) << b;
  return value;
}

// An 8 x 8 matrix of bits, row i in byte i, transposed (Warren, Hacker's Delight, 7-3).
std::uint64_t transposed(std::uint64_t x) {
  std::uint64_t t = (x ^ (x >> 7)) & 0x00AA00AA00AA00AA;
  x ^= t ^ (t << 7);
  t = (x ^ (x >> 14)) & 0x0000CCCC0000CCCC;
  x ^= t ^ (t << 14);
  t = (x ^ (x >> 28)) & 0x00000000F0F0F0F0;
  return x ^ t ^ (t << 28);
}

// Bit c of above[i] becomes bit first + i of the pattern of sample c.
void put_masks(const std::vector<std::uint8_t>& above, std::size_t first, std::size_t live,
               std::size_t words, std::uint64_t* patterns) {
  const std::size_t n = above.size();
  for (std::size_t i = 0; i < n; i += 8) {
    std::uint64_t square = 0;
    for (std::size_t k = 0; k < 8 && i + k < n; ++k)
      square |= static_cast<std::uint64_t>(above[i + k]) << (8 * k);
    square = transposed(square);
    const std::size_t word = (first + i) >> 6, shift = (first + i) & 63;
    for (std::size_t c = 0; c < live; ++c) {
      const std::uint64_t byte = (square >> (8 * c)) & 0xFF;
      patterns[c * words + word] |= byte << shift;
      if (shift > 56 && (byte >> (64 - shift)) != 0)
        patterns[c * words + word + 1] |= byte >> (64 - shift);
    }
  }
}

// One breakpoint for all units, their bits in their order: nearly every activation layer.
bool has_two_pieces(const Op& op, std::size_t n) {
  const Pointwise& p = op.pointwise;
  if (p.tables.size() != 1 || p.tables[0].breakpoints.size() != 1 || n == 0) return false;
  const auto first = op.pattern_bit[static_cast<std::size_t>(p.cut_start[0])];
  for (std::size_t i = 1; i < n; ++i)
    if (op.pattern_bit[static_cast<std::size_t>(p.cut_start[i])] !=
        first + static_cast<std::int32_t>(i))
      return false;
  return true;
}

void pointwise_values(const Tape& tape, const Op& op, Columns& columns, std::size_t live,
                      std::uint64_t* patterns) {
  const Pointwise& p = op.pointwise;
  if (columns.two_pieces(op)) {
    const PieceTable& t = p.tables[0];
    std::vector<std::uint8_t>& above = columns.masks(tape.slots()[op.output].size);
    forward_kernels().two_pieces(columns.slot(op.output), columns.slot(op.inputs[0]), above.size(),
                                 t.breakpoints[0], t.slopes.data(), t.intercepts.data(),
                                 above.data());
    if (patterns != nullptr)
      put_masks(above,
                static_cast<std::size_t>(op.pattern_bit[static_cast<std::size_t>(p.cut_start[0])]),
                live, tape.pattern_words(), patterns);
    return;
  }
  const double* in = columns.slot(op.inputs[0]);
  double* out = columns.slot(op.output);
  const std::size_t n = tape.slots()[op.output].size, words = tape.pattern_words();
  for (std::size_t i = 0; i < n; ++i) {
    const PieceTable& t = p.tables[static_cast<std::size_t>(p.table_of[i])];
    for (std::size_t c = 0; c < kBatch; ++c) {
      const double z = in[i * kBatch + c];
      std::size_t piece = 0;
      while (piece < t.breakpoints.size() && z > t.breakpoints[piece]) ++piece;
      // Slope 0 must give the constant even where z overflowed.
      out[i * kBatch + c] =
          t.slopes[piece] == 0.0 ? t.intercepts[piece] : t.slopes[piece] * z + t.intercepts[piece];
      if (patterns != nullptr && c < live)
        for (std::size_t k = 0; k < piece; ++k)
          set_bits(patterns + c * words,
                   static_cast<std::size_t>(
                       op.pattern_bit[static_cast<std::size_t>(p.cut_start[i]) + k]),
                   1, 1);
    }
  }
}

void max_values(const Tape& tape, const Op& op, Columns& columns, std::size_t live,
                std::uint64_t* patterns) {
  const double* in = columns.slot(op.inputs[0]);
  double* out = columns.slot(op.output);
  const std::size_t n = tape.slots()[op.output].size, words = tape.pattern_words();
  for (std::size_t w = 0; w < n; ++w)
    for (std::size_t c = 0; c < kBatch; ++c) {
      auto best = static_cast<std::size_t>(op.max.start[w]);
      double top = in[static_cast<std::size_t>(op.max.entries[best]) * kBatch + c];
      for (std::size_t k = best + 1; k < static_cast<std::size_t>(op.max.start[w + 1]); ++k) {
        const double z = in[static_cast<std::size_t>(op.max.entries[k]) * kBatch + c];
        if (z > top) {
          top = z;
          best = k;
        }
      }
      out[w * kBatch + c] = top;
      if (patterns != nullptr && c < live)
        set_bits(patterns + c * words, static_cast<std::size_t>(op.pattern_bit[w]),
                 static_cast<std::size_t>(op.max.bits),
                 static_cast<std::uint64_t>(op.max.positions[best]));
    }
}

// The pieces that a pattern names, applied to the columns of an affine map.
void split_columns(const Tape& tape, const Op& op, Columns& columns, const std::uint64_t* pattern,
                   const double* bias) {
  const double* in = columns.slot(op.inputs[0]);
  double* out = columns.slot(op.output);
  const std::size_t n = tape.slots()[op.output].size;
  for (std::size_t i = 0; i < n; ++i) {
    if (op.kind == OpKind::kMax) {
      const auto position = get_bits(pattern, static_cast<std::size_t>(op.pattern_bit[i]),
                                     static_cast<std::size_t>(op.max.bits));
      auto k = static_cast<std::size_t>(op.max.start[i]);
      const auto end = static_cast<std::size_t>(op.max.start[i + 1]);
      while (k < end && static_cast<std::uint64_t>(op.max.positions[k]) != position) ++k;
      if (k == end)
        throw std::invalid_argument("the pattern names a window entry that does not exist");
      std::copy_n(in + static_cast<std::size_t>(op.max.entries[k]) * kBatch, kBatch,
                  out + i * kBatch);
      continue;
    }
    const Pointwise& p = op.pointwise;
    const PieceTable& t = p.tables[static_cast<std::size_t>(p.table_of[i])];
    std::size_t piece = 0;
    for (std::int32_t q = p.cut_start[i]; q < p.cut_start[i + 1]; ++q)
      piece += get_bits(pattern,
                        static_cast<std::size_t>(op.pattern_bit[static_cast<std::size_t>(q)]), 1);
    for (std::size_t c = 0; c < kBatch; ++c)
      out[i * kBatch + c] = t.slopes[piece] * in[i * kBatch + c] + t.intercepts[piece] * bias[c];
  }
}

}  // namespace

void forward(const Tape& tape, std::span<const double> points, std::size_t n,
             std::span<double> values, std::span<std::uint64_t> patterns) {
  const std::size_t n_in = tape.n_in(), n_out = tape.n_out(), words = tape.pattern_words();
  if (points.size() != n * n_in || (!values.empty() && values.size() != n * n_out) ||
      (!patterns.empty() && patterns.size() != n * words))
    throw std::invalid_argument("forward: an array has another size than the tape needs");
  std::fill(patterns.begin(), patterns.end(), 0);
  Columns columns(tape);
  double ones[kBatch];
  std::fill(ones, ones + kBatch, 1.0);
  const auto& order = tape.slots().front().external_of;
  const auto& out_order = tape.slots().back().external_of;
  for (std::size_t first = 0; first < n; first += kBatch) {
    const std::size_t live = std::min(kBatch, n - first);
    for (std::size_t j = 0; j < n_in; ++j)
      for (std::size_t c = 0; c < kBatch; ++c)
        columns.input()[j * kBatch + c] =
            c < live ? points[(first + c) * n_in + static_cast<std::size_t>(order[j])] : 0.0;
    std::uint64_t* bits = patterns.empty() ? nullptr : patterns.data() + first * words;
    for (const Op& op : tape.ops()) {
      if (op.kind == OpKind::kPointwise)
        pointwise_values(tape, op, columns, live, bits);
      else if (op.kind == OpKind::kMax)
        max_values(tape, op, columns, live, bits);
      else
        columns.linear(op, ones);
    }
    if (!values.empty())
      for (std::size_t i = 0; i < n_out; ++i)
        for (std::size_t c = 0; c < live; ++c)
          values[(first + c) * n_out + static_cast<std::size_t>(out_order[i])] =
              columns.output()[i * kBatch + c];
  }
}

void affine_maps(const Tape& tape, std::span<const std::uint64_t> patterns, std::size_t n_patterns,
                 std::span<const double> matrix, std::size_t n_columns, std::span<double> out) {
  const std::size_t n_in = tape.n_in(), n_out = tape.n_out(), words = tape.pattern_words();
  if (patterns.size() != n_patterns * words || matrix.size() != n_columns * n_in ||
      out.size() != n_patterns * n_out * n_columns || n_columns == 0)
    throw std::invalid_argument("affine_maps: an array has another size than the tape needs");
  Columns columns(tape);
  const auto& order = tape.slots().front().external_of;
  const auto& out_order = tape.slots().back().external_of;
  for (std::size_t p = 0; p < n_patterns; ++p)
    for (std::size_t first = 0; first < n_columns; first += kBatch) {
      const std::size_t live = std::min(kBatch, n_columns - first);
      double bias[kBatch] = {};
      if (first + live == n_columns) bias[live - 1] = 1.0;
      for (std::size_t j = 0; j < n_in; ++j)
        for (std::size_t c = 0; c < kBatch; ++c)
          columns.input()[j * kBatch + c] =
              c < live ? matrix[(first + c) * n_in + static_cast<std::size_t>(order[j])] : 0.0;
      for (const Op& op : tape.ops()) {
        if (op.is_split())
          split_columns(tape, op, columns, patterns.data() + p * words, bias);
        else
          columns.linear(op, bias);
      }
      for (std::size_t i = 0; i < n_out; ++i)
        for (std::size_t c = 0; c < live; ++c)
          out[(p * n_out + static_cast<std::size_t>(out_order[i])) * n_columns + first + c] =
              columns.output()[i * kBatch + c];
    }
}

}  // namespace linear_regions
