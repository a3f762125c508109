// SPDX-License-Identifier: MIT
#include "regions/map_scan.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace linear_regions {
namespace {

constexpr double kRoundoff = 0x1p-53, kTiny = 0x1p-600;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kNoScale = std::numeric_limits<int>::min() / 4, kAnyScale = 1 << 28;

// The exponent of the lowest set bit; zero is a multiple of everything.
int lowest_exponent(double value) {
  if (value == 0.0) return kAnyScale;
  int exponent = 0;
  const auto mantissa = static_cast<std::int64_t>(std::ldexp(std::frexp(value, &exponent), 53));
  return exponent - 53 + std::countr_zero(static_cast<std::uint64_t>(mantissa));
}

template <typename Values>
int lowest_exponent_of(const Values& values) {
  int least = kAnyScale;
  for (double value : values) least = std::min(least, lowest_exponent(value));
  return least;
}

bool moderate(double value) {
  const double size = std::fabs(value);
  return size == 0.0 || (size >= 0x1p-200 && size <= 0x1p200);
}

}  // namespace

MapScan::MapScan(const Tape& tape, const DomainFrame& domain)
    : tape_(tape),
      order_(tape),
      width_(domain.columns.size()),
      usable_(tape.moderate()),
      lead_of_output_(padded(tape.slots().back().size)),
      map_(tape.slots().size()),
      scale_(tape.slots().size(), kNoScale),
      limit_(tape.slots().size(), 0.0),
      row_(width_) {
  std::size_t longest = 0;
  for (std::size_t s = 0; s < map_.size(); ++s) {
    const std::size_t lead = padded(tape.slots()[s].size);
    map_[s].assign((width_ + 1) * lead, 0.0);
    longest = std::max(longest, lead);
  }
  errors_.resize(longest);
  norms_.resize(longest);
  load_input(domain);
  for (const Op& op : tape.ops()) find_scale(op);
  for (std::size_t s = 0; s < limit_.size(); ++s)
    if (scale_[s] > -900 && scale_[s] < 900) limit_[s] = std::ldexp(1.0, 52 + scale_[s]);
}

void MapScan::load_input(const DomainFrame& domain) {
  const Slot& slot = tape_.slots().front();
  const std::size_t lead = padded(slot.size);
  const bool rounded = !domain.exact_columns.empty();
  int least = kAnyScale;
  for (std::size_t j = 0; j < slot.size; ++j) {
    double size = 0.0;
    for (std::size_t k = 0; k < width_; ++k) {
      const double value = domain.columns[k][static_cast<std::size_t>(slot.external_of[j])];
      usable_ = usable_ && moderate(value);
      least = std::min(least, lowest_exponent(value));
      size = std::max(size, std::fabs(value));
      map_[0][k * lead + j] = value;
    }
    map_[0][width_ * lead + j] = rounded ? 2 * kRoundoff * size + kTiny : 0.0;
  }
  scale_[0] = rounded ? kNoScale : least;
}

void MapScan::find_scale(const Op& op) {
  int least = lowest_exponent_of(op.bias);
  const auto with = [&](int scale, int factor) {
    if (scale == kNoScale) {
      least = kNoScale;
    } else if (least != kNoScale && scale != kAnyScale && factor != kAnyScale) {
      least = std::min(least, scale + factor);
    }
  };
  const int in = scale_[static_cast<std::size_t>(op.inputs[0])];
  switch (op.kind) {
    case OpKind::kDense:
      with(in, lowest_exponent_of(op.dense.weight));
      break;
    case OpKind::kConv:
      with(in, lowest_exponent_of(op.conv.weight));
      break;
    case OpKind::kSparse:
      for (std::size_t k = 0; k < op.inputs.size(); ++k)
        for (const auto& term : op.sparse.inputs[k].by_input) {
          const bool exact = std::has_single_bit(static_cast<std::uint32_t>(term.divisor));
          const int scale = scale_[static_cast<std::size_t>(op.inputs[k])];
          with(exact ? scale : kNoScale, lowest_exponent(term.coefficient / term.divisor));
        }
      break;
    case OpKind::kPointwise:
      for (const auto& table : op.pointwise.tables) {
        const bool exact = std::all_of(table.intercept_errors.begin(), table.intercept_errors.end(),
                                       [](double error) { return error == 0.0; });
        with(exact ? in : kNoScale, lowest_exponent_of(table.slopes));
        if (least != kNoScale) least = std::min(least, lowest_exponent_of(table.intercepts));
      }
      break;
    case OpKind::kMax:
      with(in, 0);
      break;
  }
  scale_[static_cast<std::size_t>(op.output)] = least;
}

void MapScan::move_to(const std::uint64_t* pattern) {
  const auto& ops = tape_.ops();
  std::size_t from = 0;
  if (started_) {
    const int split = order_.first_difference(pattern_.data(), pattern);
    if (split == static_cast<int>(tape_.splits().size())) return;
    from = static_cast<std::size_t>(tape_.splits()[static_cast<std::size_t>(split)]);
  }
  started_ = true;
  pattern_.assign(pattern, pattern + tape_.pattern_words());
  for (std::size_t i = from; i < ops.size(); ++i) run(ops[i], pattern);
}

void MapScan::run(const Op& op, const std::uint64_t* pattern) {
  if (op.kind == OpKind::kPointwise)
    pointwise(op, pattern);
  else if (op.kind == OpKind::kMax)
    max(op, pattern);
  else
    linear(op);
}

void MapScan::linear(const Op& op) {
  double* out = map_[static_cast<std::size_t>(op.output)].data();
  const std::size_t n = tape_.slots()[op.output].size, lead = padded(n);
  std::fill(out, out + width_ * lead, 0.0);
  std::copy_n(op.bias.begin(), n, out + (width_ - 1) * lead);
  std::fill_n(errors_.begin(), lead, 0.0);
  std::fill_n(norms_.begin(), lead, 0.0);
  for (std::size_t i = 0; i < n; ++i) norms_[i] = std::fabs(op.bias[i]);
  for (std::size_t k = 0; k < op.inputs.size(); ++k) {
    const auto slot = static_cast<std::size_t>(op.inputs[k]);
    const std::size_t n_in = tape_.slots()[slot].size, from = padded(n_in);
    const double* in = map_[slot].data();
    for (std::size_t j = 0; j < n_in; ++j) {
      used_.clear();
      row_norm_ = 0.0;
      row_error_ = in[width_ * from + j];
      for (std::size_t c = 0; c < width_; ++c) {
        row_[c] = in[c * from + j];
        row_norm_ = std::max(row_norm_, std::fabs(row_[c]));
        if (row_[c] != 0.0) used_.push_back(c);
      }
      if (!used_.empty() || row_error_ != 0.0) add_entry(op, k, j, out);
    }
  }
  settle(op, out);
}

// Adds entry j of an input to all outputs that read it.
void MapScan::add_entry(const Op& op, std::size_t input, std::size_t j, double* out) {
  const std::size_t lead = padded(tape_.slots()[op.output].size);
  if (op.kind == OpKind::kDense) {
    axpy(out, op.dense.weight.data() + j * padded(op.dense.n_out), op.dense.n_out, lead);
  } else if (op.kind == OpKind::kConv) {
    const Conv& c = op.conv;
    const std::size_t group_in = c.channels / c.groups, group_out = c.filters / c.groups;
    const auto channel = static_cast<std::size_t>(c.channel_of[j]);
    const auto position = static_cast<std::size_t>(c.position_of[j]);
    const auto offsets = static_cast<std::size_t>(c.kernel[0] * c.kernel[1] * c.kernel[2]);
    const double* weight = c.weight.data() + channel * offsets * group_out;
    const auto end = static_cast<std::size_t>(c.reader_start[position + 1]);
    for (auto k = static_cast<std::size_t>(c.reader_start[position]); k < end; ++k) {
      const std::size_t at = static_cast<std::size_t>(c.reader_position[k]) * c.filters +
                             channel / group_in * group_out;
      const double* w = weight + static_cast<std::size_t>(c.reader_offset[k]) * group_out;
      for (std::size_t column : used_)
        for (std::size_t i = 0; i < group_out; ++i)
          out[column * lead + at + i] += w[i] * row_[column];
      for (std::size_t i = 0; i < group_out; ++i) {
        errors_[at + i] += std::fabs(w[i]) * row_error_;
        norms_[at + i] += std::fabs(w[i]) * row_norm_;
      }
    }
  } else {
    const auto& map = op.sparse.inputs[input];
    for (std::int32_t t = map.by_input_start[j]; t < map.by_input_start[j + 1]; ++t) {
      const auto& term = map.by_input[static_cast<std::size_t>(t)];
      const double factor = term.coefficient / term.divisor;
      const auto i = static_cast<std::size_t>(term.index);
      for (std::size_t column : used_) out[column * lead + i] += factor * row_[column];
      errors_[i] += std::fabs(factor) * row_error_;
      norms_[i] += std::fabs(factor) * row_norm_;
    }
  }
}

void MapScan::axpy(double* out, const double* weight, std::size_t n, std::size_t lead) {
  for (std::size_t column : used_) {
    double* to = out + column * lead;
    const double value = row_[column];
    for (std::size_t i = 0; i < n; ++i) to[i] += weight[i] * value;
  }
  const double error = row_error_, norm = row_norm_;
  double *errors = errors_.data(), *norms = norms_.data();
  if (error != 0.0)
    for (std::size_t i = 0; i < n; ++i) errors[i] += std::fabs(weight[i]) * error;
  for (std::size_t i = 0; i < n; ++i) norms[i] += std::fabs(weight[i]) * norm;
}

void MapScan::settle(const Op& op, double* out) {
  const std::size_t n = tape_.slots()[op.output].size, lead = padded(n);
  const double limit = limit_[static_cast<std::size_t>(op.output)];
  const double gamma = 1.02 * kRoundoff * (op.fan_in + 8);
  for (std::size_t i = 0; i < n; ++i) {
    double& error = out[width_ * lead + i];
    if (errors_[i] == 0.0 && norms_[i] <= limit) {
      error = 0.0;
      continue;
    }
    error = (errors_[i] + gamma * norms_[i]) * 1.000001 + kTiny;
    if (!(error < 1e300)) error = kInfinity;
  }
}

void MapScan::pointwise(const Op& op, const std::uint64_t* pattern) {
  const std::size_t n = tape_.slots()[op.output].size, lead = padded(n);
  const double* in = map_[static_cast<std::size_t>(op.inputs[0])].data();
  double* out = map_[static_cast<std::size_t>(op.output)].data();
  const double limit = limit_[static_cast<std::size_t>(op.output)];
  for (std::size_t i = 0; i < n; ++i) {
    const PieceTable& t = op.pointwise.tables[static_cast<std::size_t>(op.pointwise.table_of[i])];
    const std::size_t piece = piece_of(op, static_cast<std::int32_t>(i), pattern);
    const double slope = t.slopes[piece], intercept = t.intercepts[piece];
    const double doubt = t.intercept_errors[piece], before = in[width_ * lead + i];
    double norm = 0.0;
    for (std::size_t c = 0; c < width_; ++c) {
      const double value = in[c * lead + i];
      norm = std::max(norm, std::fabs(value));
      out[c * lead + i] = slope == 0.0 ? 0.0 : slope * value;
    }
    out[(width_ - 1) * lead + i] += intercept;
    double& error = out[width_ * lead + i];
    const double size = std::fabs(slope), sum = size * norm + std::fabs(intercept);
    if (slope == 0.0)
      error = doubt;  // a constant: no product, no sum
    else if (slope == 1.0 && intercept == 0.0 && doubt == 0.0)
      error = before;
    else if (before == 0.0 && doubt == 0.0 && sum <= limit)
      error = 0.0;
    else
      error = (size * before + 4 * kRoundoff * sum + doubt) * 1.000001 + kTiny;
    if (!(error < 1e300)) error = kInfinity;
  }
}

void MapScan::max(const Op& op, const std::uint64_t* pattern) {
  const std::size_t n = tape_.slots()[op.output].size, lead = padded(n);
  const auto slot = static_cast<std::size_t>(op.inputs[0]);
  const std::size_t from = padded(tape_.slots()[slot].size);
  const double* in = map_[slot].data();
  double* out = map_[static_cast<std::size_t>(op.output)].data();
  for (std::size_t i = 0; i < n; ++i) {
    const std::int32_t winner = winner_of(op, static_cast<std::int32_t>(i), pattern);
    const auto j = static_cast<std::size_t>(op.max.entries[static_cast<std::size_t>(winner)]);
    for (std::size_t c = 0; c <= width_; ++c) out[c * lead + i] = in[c * from + j];
  }
}

void relevant_bits(const Tape& tape, const std::uint64_t* pattern, std::uint64_t* mask) {
  std::fill(mask, mask + tape.pattern_words(), 0);
  const auto keep = [&](std::int32_t first, std::int32_t count) {
    for (std::int32_t b = first; b < first + count; ++b)
      mask[b >> 6] |= std::uint64_t{1} << (b & 63);
  };
  std::vector<std::vector<char>> seen(tape.slots().size());
  for (std::size_t s = 0; s < seen.size(); ++s) seen[s].assign(tape.slots()[s].size, 0);
  std::fill(seen.back().begin(), seen.back().end(), 1);
  for (std::size_t index = tape.ops().size(); index-- > 0;) {
    const Op& op = tape.ops()[index];
    const auto& out = seen[static_cast<std::size_t>(op.output)];
    auto& in = seen[static_cast<std::size_t>(op.inputs[0])];
    if (op.kind == OpKind::kDense) {
      const std::size_t lead = padded(op.dense.n_out);
      for (std::size_t j = 0; j < in.size(); ++j)
        for (std::size_t i = 0; i < out.size() && !in[j]; ++i)
          in[j] = out[i] && op.dense.weight[j * lead + i] != 0.0;
    } else if (op.kind == OpKind::kConv) {
      const Conv& c = op.conv;  // zeros in kernels are not looked for
      const std::size_t group_in = c.channels / c.groups, group_out = c.filters / c.groups;
      for (std::size_t j = 0; j < in.size(); ++j) {
        const auto position = static_cast<std::size_t>(c.position_of[j]);
        const std::size_t group = static_cast<std::size_t>(c.channel_of[j]) / group_in;
        for (auto k = c.reader_start[position]; k < c.reader_start[position + 1] && !in[j]; ++k) {
          const std::size_t at =
              static_cast<std::size_t>(c.reader_position[static_cast<std::size_t>(k)]) * c.filters +
              group * group_out;
          for (std::size_t i = 0; i < group_out; ++i) in[j] = in[j] || out[at + i];
        }
      }
    } else if (op.kind == OpKind::kSparse) {
      for (std::size_t k = 0; k < op.inputs.size(); ++k) {
        auto& from = seen[static_cast<std::size_t>(op.inputs[k])];
        const auto& map = op.sparse.inputs[k];
        for (std::size_t j = 0; j < from.size(); ++j)
          for (auto t = map.by_input_start[j]; t < map.by_input_start[j + 1]; ++t) {
            const auto& term = map.by_input[static_cast<std::size_t>(t)];
            if (term.coefficient != 0.0 && out[static_cast<std::size_t>(term.index)]) from[j] = 1;
          }
      }
    } else if (op.kind == OpKind::kPointwise) {
      const Pointwise& p = op.pointwise;
      for (std::size_t i = 0; i < out.size(); ++i) {
        if (!out[i]) continue;
        for (auto q = p.cut_start[i]; q < p.cut_start[i + 1]; ++q)
          keep(op.pattern_bit[static_cast<std::size_t>(q)], 1);
        const std::size_t piece = piece_of(op, static_cast<std::int32_t>(i), pattern);
        if (p.tables[static_cast<std::size_t>(p.table_of[i])].slopes[piece] != 0.0) in[i] = 1;
      }
    } else {
      for (std::size_t i = 0; i < out.size(); ++i) {
        if (!out[i]) continue;
        keep(op.pattern_bit[i], op.max.bits);
        const std::int32_t winner = winner_of(op, static_cast<std::int32_t>(i), pattern);
        in[static_cast<std::size_t>(op.max.entries[static_cast<std::size_t>(winner)])] = 1;
      }
    }
  }
}

}  // namespace linear_regions
