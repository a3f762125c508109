// SPDX-License-Identifier: MIT
#include "forward/packed_tape.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>

namespace linear_regions {
namespace {

// Rounded to nearest.
template <typename Real>
Real rounded(double value) {
  const Real result = static_cast<Real>(value);
  if (!std::isfinite(result))
    throw std::invalid_argument(
        "a weight, bias, slope or breakpoint is beyond the range of floats");
  return result;
}

// The greatest Real that is at most b: z > b exactly if z > that, for every z of the type.
template <typename Real>
Real rounded_down(double b) {
  const Real near = rounded<Real>(b);
  if (static_cast<double>(near) <= b) return near;
  return std::nextafter(near, -std::numeric_limits<Real>::infinity());
}

std::uint32_t narrow(std::size_t n) {
  if (n > std::numeric_limits<std::uint32_t>::max())
    throw std::invalid_argument("a layer has more than 2^32 weights of one output");
  return static_cast<std::uint32_t>(n);
}

// Outputs in panels of nearly equal width: a last panel of one would wait for its own sums.
void cut_panels(std::size_t n_out, std::size_t n_rows, std::size_t most, std::size_t weight,
                std::vector<Panel>& panels) {
  const std::size_t count = (n_out + most - 1) / most;
  for (std::size_t p = 0, first = 0; p < count; ++p) {
    const std::size_t width = (n_out - first + count - p - 1) / (count - p);
    panels.push_back({first, width, weight});
    first += width;
    weight += width * n_rows;
  }
}

}  // namespace

template <typename Real>
PackedTape<Real>::PackedTape(const Tape& tape) : kernels_(forward_kernels<Real>()) {
  for (const Op& op : tape.ops()) {
    PackedOp<Real>& packed = ops_.emplace_back();
    const std::size_t n = tape.slots()[static_cast<std::size_t>(op.output)].size;
    packed.bias.reserve(n);
    for (std::size_t i = 0; i < n; ++i) packed.bias.push_back(rounded<Real>(op.bias[i]));
    if (op.kind == OpKind::kDense) pack_dense(op, packed);
    if (op.kind == OpKind::kConv) pack_conv(op, packed);
    if (op.kind == OpKind::kSparse) pack_sparse(op, packed);
    if (op.is_split()) {
      pack_split(op, packed);
      last_split_ = ops_.size();
    }
  }
  place_slots(tape);
}

template <typename Real>
void PackedTape<Real>::pack_dense(const Op& op, PackedOp<Real>& packed) const {
  const std::size_t n_in = op.dense.n_in, n_out = op.dense.n_out, lead = padded(n_out);
  cut_panels(n_out, n_in, kernels_.panel, 0, packed.panels);
  packed.weight.resize(n_in * n_out);
  for (const Panel& panel : packed.panels) {
    Real* to = packed.weight.data() + panel.weight;
    for (std::size_t j = 0; j < n_in; ++j)
      for (std::size_t b = 0; b < panel.width; ++b)
        *to++ = rounded<Real>(op.dense.weight[j * lead + panel.first + b]);
  }
}

template <typename Real>
void PackedTape<Real>::pack_conv(const Op& op, PackedOp<Real>& packed) const {
  const Conv& c = op.conv;
  const std::size_t group_in = c.channels / c.groups, group_out = c.filters / c.groups;
  const auto offsets = static_cast<std::size_t>(c.kernel[0] * c.kernel[1] * c.kernel[2]);
  const std::size_t n_rows = offsets * group_in;
  bool channels_last = true;
  for (std::size_t k = 0; k < c.input_at.size() && channels_last; ++k)
    channels_last = k % group_in == 0 || c.input_at[k] == c.input_at[k - 1] + 1;
  packed.weight.resize(n_rows * c.filters);
  for (std::size_t g = 0; g < c.groups; ++g) {
    const std::size_t begin = packed.panels.size();
    cut_panels(group_out, n_rows, kernels_.panel, g * n_rows * group_out, packed.panels);
    for (std::size_t p = begin; p < packed.panels.size(); ++p) {
      const Panel& panel = packed.panels[p];
      for (std::size_t channel = 0; channel < group_in; ++channel)
        for (std::size_t o = 0; o < offsets; ++o) {
          const std::size_t row = channels_last ? o * group_in + channel : channel * offsets + o;
          const double* from =
              c.weight.data() + ((g * group_in + channel) * offsets + o) * group_out + panel.first;
          for (std::size_t b = 0; b < panel.width; ++b)
            packed.weight[panel.weight + row * panel.width + b] = rounded<Real>(from[b]);
        }
    }
  }
  pack_runs(op, channels_last, packed);
}

template <typename Real>
void PackedTape<Real>::pack_runs(const Op& op, bool channels_last, PackedOp<Real>& packed) const {
  const Conv& c = op.conv;
  const std::size_t group_in = c.channels / c.groups;
  const auto offsets = static_cast<std::size_t>(c.kernel[0] * c.kernel[1] * c.kernel[2]);
  const std::size_t positions = c.filters == 0 ? 0 : packed.bias.size() / c.filters;
  // (input position, kernel offset) of every output position.
  std::vector<std::vector<std::pair<std::uint32_t, std::uint32_t>>> seen(positions);
  for (std::size_t p = 0; p + 1 < c.reader_start.size(); ++p)
    for (std::int32_t k = c.reader_start[p]; k < c.reader_start[p + 1]; ++k)
      seen[static_cast<std::size_t>(c.reader_position[static_cast<std::size_t>(k)])].emplace_back(
          p, c.reader_offset[static_cast<std::size_t>(k)]);
  std::vector<Run> parts;
  packed.run_start.push_back(0);
  for (const auto& sources : seen)
    for (std::size_t g = 0; g < c.groups; ++g) {
      parts.clear();
      for (const auto& [p, o] : sources) {
        const std::int32_t* at = c.input_at.data() + p * c.channels + g * group_in;
        if (channels_last) {
          parts.push_back({static_cast<std::uint32_t>(at[0]), narrow(o * group_in),
                           static_cast<std::uint32_t>(group_in)});
          continue;
        }
        for (std::size_t channel = 0; channel < group_in; ++channel)
          parts.push_back(
              {static_cast<std::uint32_t>(at[channel]), narrow(channel * offsets + o), 1});
      }
      std::sort(parts.begin(), parts.end(), [](const Run& a, const Run& b) { return a.in < b.in; });
      const std::size_t begin = packed.runs.size();
      for (const Run& part : parts) {
        if (packed.runs.size() > begin) {
          Run& last = packed.runs.back();
          if (last.in + last.n == part.in && last.weight + last.n == part.weight) {
            last.n += part.n;
            continue;
          }
        }
        packed.runs.push_back(part);
      }
      packed.run_start.push_back(narrow(packed.runs.size()));
    }
}

template <typename Real>
void PackedTape<Real>::pack_sparse(const Op& op, PackedOp<Real>& packed) const {
  for (const Sparse::Input& input : op.sparse.inputs) {
    auto& to = packed.sparse.emplace_back();
    to.start.assign(input.by_output_start.begin(), input.by_output_start.end());
    to.terms.reserve(input.by_output.size());
    for (const Sparse::Term& term : input.by_output)
      to.terms.push_back(
          {static_cast<std::uint32_t>(term.index), rounded<Real>(term.coefficient / term.divisor)});
  }
}

template <typename Real>
void PackedTape<Real>::pack_split(const Op& op, PackedOp<Real>& packed) const {
  for (const PieceTable& table : op.pointwise.tables) {
    auto& to = packed.tables.emplace_back();
    for (const double b : table.breakpoints) to.breakpoints.push_back(rounded_down<Real>(b));
    for (const double s : table.slopes) to.slopes.push_back(rounded<Real>(s));
    for (const double c : table.intercepts) to.intercepts.push_back(rounded<Real>(c));
  }
  const auto each = op.kind == OpKind::kMax ? static_cast<std::size_t>(op.max.bits) : 1;
  packed.bits = op.pattern_bit.size() * each;
  if (packed.bits == 0) return;
  packed.first_bit =
      static_cast<std::size_t>(*std::min_element(op.pattern_bit.begin(), op.pattern_bit.end()));
  bool in_order = true;
  for (std::size_t q = 0; q < op.pattern_bit.size(); ++q) {
    packed.bit.push_back(op.pattern_bit[q] - static_cast<std::int32_t>(packed.first_bit));
    in_order = in_order && packed.bit[q] == static_cast<std::int32_t>(q * each);
  }
  if (in_order && each == 1) packed.bit.clear();
}

// First fit among the rows that no later operation reads. An activation takes the place of its
// input where that is read for the last time.
template <typename Real>
void PackedTape<Real>::place_slots(const Tape& tape) {
  const auto& ops = tape.ops();
  std::vector<std::size_t> last_read(tape.slots().size(), 0);
  for (std::size_t i = 0; i < ops.size(); ++i)
    for (const int slot : ops[i].inputs) last_read[static_cast<std::size_t>(slot)] = i;
  last_read.back() = ops.size();
  std::map<std::size_t, std::size_t> taken;  // first row -> end
  const auto place = [&](std::size_t size) {
    std::size_t first = 0;
    for (const auto& [begin, end] : taken) {
      if (begin >= first + size) break;
      first = std::max(first, end);
    }
    if (size > 0) taken.emplace(first, first + size);
    rows_ = std::max(rows_, first + size);
    return first;
  };
  row_.push_back(place(tape.slots()[0].size));
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const std::size_t size = tape.slots()[static_cast<std::size_t>(ops[i].output)].size;
    const auto source = static_cast<std::size_t>(ops[i].inputs[0]);
    if (ops[i].kind == OpKind::kPointwise && last_read[source] == i)
      row_.push_back(row_[source]);
    else
      row_.push_back(place(size));
    for (const int slot : ops[i].inputs) {
      const auto s = static_cast<std::size_t>(slot);
      const std::size_t there = row_[s];
      if (last_read[s] == i && tape.slots()[s].size > 0 && there != row_.back()) taken.erase(there);
    }
    // A value that nobody reads leaves at once.
    const auto out = static_cast<std::size_t>(ops[i].output);
    if (last_read[out] <= i && size > 0 && out + 1 < tape.slots().size()) taken.erase(row_.back());
  }
}

template class PackedTape<double>;
template class PackedTape<float>;

}  // namespace linear_regions
