// SPDX-License-Identifier: MIT
#include "linear_regions/tape.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <stdexcept>

namespace linear_regions {
namespace {

std::vector<std::int32_t> identity(std::size_t n) {
  std::vector<std::int32_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  return order;
}

std::vector<std::int32_t> inverse(const std::vector<std::int32_t>& order) {
  std::vector<std::int32_t> result(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    result[static_cast<std::size_t>(order[i])] = static_cast<std::int32_t>(i);
  return result;
}

void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

std::size_t to_size(std::int64_t value) {
  return static_cast<std::size_t>(value);
}

// `fewest`: entries of a window; an average of padding alone is zero, a maximum of it is none.
void check_windows(std::span<const std::int64_t> start, std::span<const std::int64_t> entries,
                   std::size_t n_in, std::int64_t fewest) {
  require(!start.empty() && start.front() == 0 && to_size(start.back()) == entries.size(),
          "window starts do not match the window entries");
  for (std::size_t i = 1; i < start.size(); ++i)
    require(start[i] - start[i - 1] >= fewest, "a window has no entry inside the input");
  for (std::int64_t entry : entries)
    require(entry >= 0 && to_size(entry) < n_in, "a window entry lies outside the input");
}

}  // namespace

Tape::Tape(std::size_t n_in) {
  Slot slot;
  slot.size = n_in;
  slot.external_of = identity(n_in);
  slots_.push_back(std::move(slot));
}

void Tape::check_slot(int slot) const {
  require(slot >= 0 && to_size(slot) < slots_.size(), "operation reads a slot that does not exist");
}

void Tape::note_magnitude(std::span<const double> values) {
  for (double value : values) {
    const double size = std::fabs(value);
    // By its bits: a thread that takes subnormal numbers for zero must not.
    const bool zero = std::bit_cast<std::uint64_t>(size) == 0;
    if (!zero && !(size >= 0x1p-200 && size <= 0x1p200)) moderate_ = false;
  }
}

Op& Tape::append(OpKind kind, std::vector<int> inputs, std::size_t size) {
  for (int slot : inputs) check_slot(slot);
  require(size < (std::size_t{1} << 30), "a layer has more than 2^30 outputs");
  Op op{};
  op.kind = kind;
  op.inputs = std::move(inputs);
  op.output = static_cast<int>(slots_.size());
  op.bias.assign(padded(size), 0.0);
  Slot slot;
  slot.size = size;
  slot.producer = static_cast<int>(ops_.size());
  slot.external_of = identity(size);
  slots_.push_back(std::move(slot));
  ops_.push_back(std::move(op));
  return ops_.back();
}

int Tape::dense(int input, std::span<const double> weight, std::span<const double> bias) {
  check_slot(input);
  const std::size_t n_in = slots_[input].size, n_out = bias.size(), lead = padded(n_out);
  require(weight.size() == n_in * n_out, "dense weight does not match its input and bias");
  Op& op = append(OpKind::kDense, {input}, n_out);
  op.dense.n_in = n_in;
  op.dense.n_out = n_out;
  op.dense.weight.assign(n_in * lead, 0.0);
  const auto& external = slots_[input].external_of;
  for (std::size_t j = 0; j < n_in; ++j) {
    const std::size_t column = to_size(external[j]);
    for (std::size_t i = 0; i < n_out; ++i)
      op.dense.weight[j * lead + i] = weight[i * n_in + column];
  }
  std::copy(bias.begin(), bias.end(), op.bias.begin());
  if (std::find(weight.begin(), weight.end(), 0.0) == weight.end()) {
    op.dense.row_norm.assign(lead, 0.0);
    for (std::size_t i = 0; i < n_out; ++i) {
      double squares = 0.0;
      for (std::size_t j = 0; j < n_in; ++j) squares += weight[i * n_in + j] * weight[i * n_in + j];
      op.dense.row_norm[i] = std::sqrt(squares) * 1.0000001;
    }
  }
  op.fan_in = static_cast<double>(n_in);
  note_magnitude(weight);
  note_magnitude(bias);
  return op.output;
}

int Tape::conv(int input, const ConvGeometry& g, std::span<const double> weight,
               std::span<const double> bias) {
  check_slot(input);
  const auto volume = [](const std::array<std::int64_t, 3>& s) {
    return to_size(s[0] * s[1] * s[2]);
  };
  const std::size_t positions_in = volume(g.in_shape), positions_out = volume(g.out_shape);
  const std::size_t offsets = volume(g.kernel);
  require(g.groups > 0 && g.channels % g.groups == 0 && g.filters % g.groups == 0,
          "convolution groups do not divide channels and filters");
  const std::size_t group_in = g.channels / g.groups, group_out = g.filters / g.groups;
  require(slots_[input].size == g.channels * positions_in, "convolution input has another size");
  require(weight.size() == g.filters * group_in * offsets && bias.size() == g.filters,
          "convolution weight or bias has another size");

  Op& op = append(OpKind::kConv, {input}, g.filters * positions_out);
  Conv& conv = op.conv;
  conv.in_shape = g.in_shape;
  conv.out_shape = g.out_shape;
  conv.kernel = g.kernel;
  conv.stride = g.stride;
  conv.before = g.before;
  conv.dilation = g.dilation;
  conv.channels = g.channels;
  conv.filters = g.filters;
  conv.groups = g.groups;
  conv.weight.resize(weight.size());
  for (std::size_t f = 0; f < g.filters; ++f)
    for (std::size_t c = 0; c < group_in; ++c)
      for (std::size_t k = 0; k < offsets; ++k)
        conv.weight[((f / group_out * group_in + c) * offsets + k) * group_out + f % group_out] =
            weight[(f * group_in + c) * offsets + k];

  // Which outputs read an input position, and with which kernel offset.
  std::vector<std::vector<std::pair<std::int32_t, std::int32_t>>> readers(positions_in);
  for (std::size_t out = 0; out < positions_out; ++out) {
    const std::int64_t o[3] = {static_cast<std::int64_t>(out) / (g.out_shape[1] * g.out_shape[2]),
                               static_cast<std::int64_t>(out) / g.out_shape[2] % g.out_shape[1],
                               static_cast<std::int64_t>(out) % g.out_shape[2]};
    for (std::size_t k = 0; k < offsets; ++k) {
      const std::int64_t e[3] = {static_cast<std::int64_t>(k) / (g.kernel[1] * g.kernel[2]),
                                 static_cast<std::int64_t>(k) / g.kernel[2] % g.kernel[1],
                                 static_cast<std::int64_t>(k) % g.kernel[2]};
      std::int64_t position = 0;
      bool inside = true;
      for (int axis = 0; axis < 3; ++axis) {
        const std::int64_t x =
            o[axis] * g.stride[axis] - g.before[axis] + e[axis] * g.dilation[axis];
        inside = inside && x >= 0 && x < g.in_shape[axis];
        position = position * g.in_shape[axis] + x;
      }
      if (inside)
        readers[to_size(position)].emplace_back(static_cast<std::int32_t>(k),
                                                static_cast<std::int32_t>(out));
    }
  }
  conv.reader_start.assign(1, 0);
  for (const auto& list : readers) {
    for (const auto& [offset, position] : list) {
      conv.reader_offset.push_back(offset);
      conv.reader_position.push_back(position);
    }
    conv.reader_start.push_back(static_cast<std::int32_t>(conv.reader_offset.size()));
  }
  const auto& external = slots_[input].external_of;
  conv.channel_of.resize(external.size());
  conv.position_of.resize(external.size());
  conv.input_at.resize(external.size());
  for (std::size_t j = 0; j < external.size(); ++j) {
    const std::size_t channel = to_size(external[j]) / positions_in;
    const std::size_t position = to_size(external[j]) % positions_in;
    conv.channel_of[j] = static_cast<std::int32_t>(channel);
    conv.position_of[j] = static_cast<std::int32_t>(position);
    conv.input_at[position * g.channels + channel] = static_cast<std::int32_t>(j);
  }
  auto& order = slots_[op.output].external_of;
  for (std::size_t p = 0; p < positions_out; ++p)
    for (std::size_t f = 0; f < g.filters; ++f) {
      order[p * g.filters + f] = static_cast<std::int32_t>(f * positions_out + p);
      op.bias[p * g.filters + f] = bias[f];
    }
  op.fan_in = static_cast<double>(group_in * offsets);
  note_magnitude(weight);
  note_magnitude(bias);
  return op.output;
}

// Fills by_output from by_input (already filled) of every input, and the fan-in.
void Tape::build_sparse_index(Op& op) {
  const std::size_t n_out = slots_[op.output].size;
  std::vector<std::int32_t> terms(n_out, 0);
  for (auto& input : op.sparse.inputs) {
    const std::size_t n_in = input.by_input_start.size() - 1;
    std::vector<std::int32_t> count(n_out + 1, 0);
    for (const auto& term : input.by_input) {
      ++count[to_size(term.index) + 1];
      ++terms[to_size(term.index)];
    }
    std::partial_sum(count.begin(), count.end(), count.begin());
    input.by_output_start = count;
    input.by_output.resize(input.by_input.size());
    for (std::size_t j = 0; j < n_in; ++j)
      for (std::int32_t k = input.by_input_start[j]; k < input.by_input_start[j + 1]; ++k) {
        Sparse::Term term = input.by_input[to_size(k)];
        const std::size_t out = to_size(term.index);
        term.index = static_cast<std::int32_t>(j);
        input.by_output[to_size(count[out]++)] = term;
      }
  }
  op.fan_in = n_out == 0 ? 0 : static_cast<double>(*std::max_element(terms.begin(), terms.end()));
}

int Tape::scale(int input, std::span<const double> weight, std::span<const double> bias) {
  check_slot(input);
  const std::size_t n = slots_[input].size;
  require(weight.size() == n && bias.size() == n, "scale needs one weight and bias per entry");
  Op& op = append(OpKind::kSparse, {input}, n);
  slots_[op.output].external_of = slots_[input].external_of;
  Sparse::Input map;
  map.by_input_start = identity(n + 1);
  for (std::size_t j = 0; j < n; ++j) {
    const std::size_t e = to_size(slots_[input].external_of[j]);
    map.by_input.push_back({static_cast<std::int32_t>(j), 1, weight[e]});
    op.bias[j] = bias[e];
  }
  op.sparse.inputs.push_back(std::move(map));
  build_sparse_index(op);
  note_magnitude(weight);
  note_magnitude(bias);
  return op.output;
}

int Tape::average(int input, std::span<const std::int64_t> start,
                  std::span<const std::int64_t> entries, std::span<const std::int64_t> divisors) {
  check_slot(input);
  require(start.size() == divisors.size() + 1, "average pooling needs one divisor per window");
  check_windows(start, entries, slots_[input].size, 0);
  Op& op = append(OpKind::kSparse, {input}, divisors.size());
  const auto at = inverse(slots_[input].external_of);
  std::vector<std::vector<Sparse::Term>> terms(at.size());
  for (std::size_t w = 0; w < divisors.size(); ++w) {
    require(divisors[w] > 0 && divisors[w] < (std::int64_t{1} << 31),
            "bad average pooling divisor");
    for (std::int64_t k = start[w]; k < start[w + 1]; ++k)
      terms[to_size(at[to_size(entries[to_size(k)])])].push_back(
          {static_cast<std::int32_t>(w), static_cast<std::int32_t>(divisors[w]), 1.0});
  }
  Sparse::Input map;
  map.by_input_start.push_back(0);
  for (const auto& list : terms) {
    map.by_input.insert(map.by_input.end(), list.begin(), list.end());
    map.by_input_start.push_back(static_cast<std::int32_t>(map.by_input.size()));
  }
  op.sparse.inputs.push_back(std::move(map));
  build_sparse_index(op);
  return op.output;
}

int Tape::gather(int input, std::span<const std::int64_t> index, double fill) {
  check_slot(input);
  Op& op = append(OpKind::kSparse, {input}, index.size());
  const auto at = inverse(slots_[input].external_of);
  std::vector<std::vector<Sparse::Term>> terms(at.size());
  for (std::size_t i = 0; i < index.size(); ++i) {
    if (index[i] < 0) {
      op.bias[i] = fill;
      continue;
    }
    require(to_size(index[i]) < at.size(), "an index lies outside the input");
    terms[to_size(at[to_size(index[i])])].push_back({static_cast<std::int32_t>(i), 1, 1.0});
  }
  Sparse::Input map;
  map.by_input_start.push_back(0);
  for (const auto& list : terms) {
    map.by_input.insert(map.by_input.end(), list.begin(), list.end());
    map.by_input_start.push_back(static_cast<std::int32_t>(map.by_input.size()));
  }
  op.sparse.inputs.push_back(std::move(map));
  build_sparse_index(op);
  note_magnitude(std::span<const double>(&fill, 1));
  return op.output;
}

int Tape::add(std::span<const int> inputs) {
  require(!inputs.empty(), "a sum needs at least one slot");
  for (int slot : inputs) check_slot(slot);
  const std::size_t n = slots_[inputs[0]].size;
  Op& op = append(OpKind::kSparse, {inputs.begin(), inputs.end()}, n);
  slots_[op.output].external_of = slots_[inputs[0]].external_of;
  const auto at = inverse(slots_[op.output].external_of);
  for (int slot : inputs) {
    require(slots_[slot].size == n, "a sum needs slots of equal size");
    Sparse::Input map;
    map.by_input_start = identity(n + 1);
    for (std::size_t j = 0; j < n; ++j)
      map.by_input.push_back({at[to_size(slots_[slot].external_of[j])], 1, 1.0});
    op.sparse.inputs.push_back(std::move(map));
  }
  build_sparse_index(op);
  return op.output;
}

int Tape::concat(std::span<const int> inputs) {
  require(!inputs.empty(), "a concatenation needs at least one slot");
  std::size_t n = 0;
  for (int slot : inputs) {
    check_slot(slot);
    n += slots_[slot].size;
  }
  Op& op = append(OpKind::kSparse, {inputs.begin(), inputs.end()}, n);
  std::size_t first = 0;
  for (int slot : inputs) {
    Sparse::Input map;
    const std::size_t size = slots_[slot].size;
    map.by_input_start = identity(size + 1);
    for (std::size_t j = 0; j < size; ++j)
      map.by_input.push_back(
          {static_cast<std::int32_t>(first + to_size(slots_[slot].external_of[j])), 1, 1.0});
    first += size;
    op.sparse.inputs.push_back(std::move(map));
  }
  build_sparse_index(op);
  return op.output;
}

int Tape::pointwise(int input, std::vector<PieceTable> tables,
                    std::span<const std::int64_t> table_of) {
  check_slot(input);
  const std::size_t n = slots_[input].size;
  require(table_of.size() == n && !tables.empty(), "a pointwise layer needs a function per entry");
  Op& op = append(OpKind::kPointwise, {input}, n);
  slots_[op.output].external_of = slots_[input].external_of;
  Pointwise& p = op.pointwise;
  p.is_relu = p.one_cut_at_zero = p.zero_then_positive = true;
  for (PieceTable& table : tables) {
    const auto& b = table.breakpoints;
    const auto& s = table.slopes;
    require(s.size() == b.size() + 1, "a function with k breakpoints has k + 1 slopes");
    // Zero lies on piece `home`; continuity gives the other intercepts one breakpoint at a time.
    const std::size_t home = to_size(std::lower_bound(b.begin(), b.end(), 0.0) - b.begin());
    table.intercepts.assign(s.size(), table.value_at_zero);
    table.intercept_errors.assign(s.size(), 0.0);
    const auto step = [&](std::size_t from, std::size_t to, double at) {
      const double jump = (s[from] - s[to]) * at;
      table.intercepts[to] = table.intercepts[from] + jump;
      table.intercept_errors[to] =
          at == 0.0 ? table.intercept_errors[from]
                    : table.intercept_errors[from] +
                          0x1p-51 * (std::fabs(jump) + std::fabs(table.intercepts[from]) +
                                     (std::fabs(s[from]) + std::fabs(s[to])) * std::fabs(at));
    };
    for (std::size_t k = home; k < b.size(); ++k) step(k, k + 1, b[k]);
    for (std::size_t k = home; k > 0; --k) step(k, k - 1, b[k - 1]);
    const bool at_zero = b.size() == 1 && b[0] == 0.0;
    p.is_relu = p.is_relu && at_zero && s[0] == 0.0 && s[1] == 1.0 && table.value_at_zero == 0.0;
    p.one_cut_at_zero = p.one_cut_at_zero && at_zero;
    bool positive = s[0] == 0.0 && table.intercepts[0] == 0.0 && table.intercept_errors[0] == 0.0;
    for (std::size_t k = 1; k < s.size(); ++k) positive = positive && s[k] >= 0.0;
    positive = positive && s.size() > 1 && s[1] > 0.0;
    p.zero_then_positive = p.zero_then_positive && positive;
    note_magnitude(b);
    note_magnitude(s);
    note_magnitude(std::span<const double>(&table.value_at_zero, 1));
  }
  p.tables = std::move(tables);
  p.cut_start.assign(1, 0);
  for (std::size_t j = 0; j < n; ++j) {
    const std::int64_t t = table_of[to_size(slots_[input].external_of[j])];
    require(t >= 0 && to_size(t) < p.tables.size(), "a function number is out of range");
    p.table_of.push_back(static_cast<std::int32_t>(t));
    const std::size_t cuts = p.tables[to_size(t)].breakpoints.size();
    for (std::size_t k = 0; k < cuts; ++k) {
      p.unit_of_cut.push_back(static_cast<std::int32_t>(j));
      p.breakpoint_of_cut.push_back(static_cast<std::int32_t>(k));
    }
    p.cut_start.push_back(static_cast<std::int32_t>(p.unit_of_cut.size()));
  }
  op.split = static_cast<int>(splits_.size());
  splits_.push_back(static_cast<int>(ops_.size()) - 1);
  return op.output;
}

int Tape::max(int input, std::span<const std::int64_t> start, std::span<const std::int64_t> entries,
              std::span<const std::int64_t> positions, int bits) {
  check_slot(input);
  require(start.size() >= 1 && positions.size() == entries.size() && bits >= 0 && bits < 31,
          "a pooling layer has inconsistent windows");
  check_windows(start, entries, slots_[input].size, 1);
  Op& op = append(OpKind::kMax, {input}, start.size() - 1);
  const auto at = inverse(slots_[input].external_of);
  for (std::int64_t s : start) op.max.start.push_back(static_cast<std::int32_t>(s));
  for (std::int64_t e : entries) op.max.entries.push_back(at[to_size(e)]);
  for (std::int64_t p : positions) op.max.positions.push_back(static_cast<std::int32_t>(p));
  op.max.bits = bits;
  const int producer = slots_[input].producer;
  op.max.inputs_nonnegative = producer >= 0 && ops_[producer].kind == OpKind::kPointwise &&
                              ops_[producer].pointwise.zero_then_positive;
  op.split = static_cast<int>(splits_.size());
  splits_.push_back(static_cast<int>(ops_.size()) - 1);
  return op.output;
}

void Tape::finish() {
  const std::size_t n_slots = slots_.size();
  stages_.assign(splits_.size() + 1, {});
  consumers_.assign(n_slots, {});
  offset_.assign(n_slots, npos);
  std::vector<double> terms(n_slots, 1.0);
  for (Op& op : ops_) {
    Slot& out = slots_[op.output];
    if (op.is_split()) {
      out.stage = op.split + 1;
      continue;
    }
    out.stage = 0;
    for (int slot : op.inputs) out.stage = std::max(out.stage, slots_[slot].stage);
    // Terms that may be added into one output, one at a time, along the whole stage.
    double most = 1.0;
    for (int slot : op.inputs)
      if (slots_[slot].stage == out.stage) most = std::max(most, terms[slot]);
    op.fan_in = op.fan_in * most + 1.0;
    terms[op.output] = op.fan_in;
  }
  std::vector<char> useful(ops_.size(), 0), stored(n_slots, 0);
  for (std::size_t i = ops_.size(); i-- > 0;) {
    const Op& op = ops_[i];
    if (!op.is_split() && !useful[i]) continue;
    useful[i] = 1;
    for (std::size_t k = 0; k < op.inputs.size(); ++k) {
      const int slot = op.inputs[k];
      if (slots_[slot].producer >= 0) useful[slots_[slot].producer] = 1;
      if (op.is_split() || slots_[slot].stage != slots_[op.output].stage)
        stored[slot] = 1;
      else
        consumers_[slot].emplace_back(static_cast<int>(i), static_cast<int>(k));
    }
  }
  for (std::size_t i = 0; i < ops_.size(); ++i)
    if (useful[i] && !ops_[i].is_split())
      stages_[slots_[ops_[i].output].stage].ops.push_back(static_cast<int>(i));
  for (std::size_t s = 0; s < n_slots; ++s)
    if (stored[s]) {
      Stage& stage = stages_[slots_[s].stage];
      stage.stored.push_back(static_cast<int>(s));
      offset_[s] = stage.block;
      stage.block += 4 * padded(slots_[s].size);
    }
  for (int index : splits_) {
    Op& op = ops_[index];
    const std::size_t n = slots_[op.output].size;
    std::vector<std::int32_t> first(n);
    const auto at = inverse(slots_[op.output].external_of);
    for (std::size_t e = 0; e < n; ++e) {
      const std::size_t j = to_size(at[e]);
      first[j] = static_cast<std::int32_t>(pattern_bits_);
      pattern_bits_ += op.kind == OpKind::kMax
                           ? to_size(op.max.bits)
                           : to_size(op.pointwise.cut_start[j + 1] - op.pointwise.cut_start[j]);
    }
    if (op.kind == OpKind::kMax) {
      op.pattern_bit = first;
    } else {
      for (std::size_t q = 0; q < op.pointwise.unit_of_cut.size(); ++q)
        op.pattern_bit.push_back(first[to_size(op.pointwise.unit_of_cut[q])] +
                                 op.pointwise.breakpoint_of_cut[q]);
    }
  }
}

}  // namespace linear_regions
