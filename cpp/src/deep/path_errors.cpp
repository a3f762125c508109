// SPDX-License-Identifier: MIT
#include "deep/path_errors.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "linear_regions/sign_vector.hpp"
#include "polygon.hpp"

namespace linear_regions {
namespace {

constexpr double kTiny = 0x1p-600;      // covers underflow: parameters are at least 2^-200
constexpr double kRounded = 1.0000001;  // of a few dozen positive terms

// A bound of a Euclidean norm: from the sum of squares, or that of sizes where squares underflow.
double norm_bound(double squares, double sizes) {
  return (squares > 0x1p-900 ? std::sqrt(squares) : sizes) * kRounded + kTiny;
}

class Norm {
 public:
  void add(double size) {
    squares_ += size * size;
    sizes_ += size;
  }
  double bound() const { return norm_bound(squares_, sizes_); }

 private:
  double squares_ = 0.0, sizes_ = 0.0;
};

}  // namespace

PathErrors::PathErrors(const Tape& tape, const DeepMaps& maps)
    : tape_(tape), maps_(maps), kernels_(cone_kernels()) {
  if (!tape.moderate()) return;
  for (int s = 0; s < static_cast<int>(tape.splits().size()); ++s) {
    if (s == 0) {
      weights_.emplace_back();
      continue;
    }
    const Op& before = tape.split(s - 1);
    const Stage& stage = tape.stages()[static_cast<std::size_t>(s)];
    if (before.kind != OpKind::kPointwise || !before.pointwise.is_relu ||
        !before.pointwise.one_cut_at_zero || stage.ops.size() != 1)
      break;
    const Op& op = tape.ops()[stage.ops[0]];
    if (op.kind != OpKind::kDense || op.inputs.size() != 1 || op.inputs[0] != before.output ||
        op.output != tape.split(s).inputs[0])
      break;
    add_weights(op);
  }
  layers_.resize(weights_.size());
}

void PathErrors::add_weights(const Op& op) {
  Weights w;
  w.op = &op;
  const std::size_t lead = padded(op.dense.n_out);
  w.gamma = 1.01 * kUlp * (op.fan_in + 4);
  w.back = 1.01 * kUlp * static_cast<double>(lead + 4);
  w.norm.assign(lead, 0.0);
  for (std::size_t j = 0; j < op.dense.n_in; ++j)
    for (std::size_t i = 0; i < lead; ++i) {
      const double x = op.dense.weight[j * lead + i];
      w.norm[i] += x * x;
    }
  double squares = 0.0;
  for (double& x : w.norm) {
    squares += x;
    x = std::sqrt(x) * kRounded + kTiny;
  }
  w.frobenius = std::sqrt(squares) * kRounded + kTiny;
  weights_.push_back(std::move(w));
}

void PathErrors::order_by_output(Weights& w) {
  const std::size_t n = w.op->dense.n_in, from = padded(w.op->dense.n_out), to = padded(n);
  w.by_output.assign(w.op->dense.n_out * to, 0.0);
  for (std::size_t i = 0; i < w.op->dense.n_out; ++i)
    for (std::size_t j = 0; j < n; ++j) w.by_output[i * to + j] = w.op->dense.weight[j * from + i];
}

// The Euclidean norm of a layer's roundings, once these are there.
void PathErrors::close(Layer& layer, std::size_t n) {
  Norm norm;
  for (std::size_t i = 0; i < n; ++i) norm.add(layer.own[i]);
  layer.length = norm.bound();
}

// What the rows of a split's input round off when they are made from those of the split before.
void PathErrors::find_roundings(int split, const std::vector<double*>& blocks) {
  Layer& layer = layers_[static_cast<std::size_t>(split)];
  const Weights& w = weights_[static_cast<std::size_t>(split)];
  const Op& before = tape_.split(split - 1);
  const std::size_t lead = padded(tape_.slots()[before.inputs[0]].size);
  const double* map = maps_.stored(before.inputs[0], blocks);
  Norm roundings;
  for (const std::int32_t j : layer.active) {
    double norm = 0.0;
    for (std::size_t k = 0; k + 1 < maps_.columns(); ++k)
      norm += std::fabs(map[k * lead + static_cast<std::size_t>(j)]);
    roundings.add(w.gamma * norm * kRounded + kTiny);
  }
  const double size = roundings.bound();
  layer.room.resize(w.norm.size());
  for (std::size_t i = 0; i < w.norm.size(); ++i)
    layer.room[i] = w.norm[i] * size + w.gamma * std::fabs(w.op->bias[i]) * kRounded + kTiny;
  layer.own = layer.room.data();
  close(layer, w.norm.size());
}

void PathErrors::enter(int split, const Path& path, const std::vector<double*>& blocks) {
  Layer& layer = layers_[static_cast<std::size_t>(split)];
  const std::uint64_t owner = path.cell[static_cast<std::size_t>(split)];
  if (layer.owner == owner) return;
  layer.owner = owner;
  if (split == 0) {
    const int slot = tape_.split(0).inputs[0];
    const std::size_t lead = padded(tape_.slots()[slot].size);
    layer.own = maps_.stored(slot, blocks) + (maps_.columns() - 1) * lead;
    close(layer, lead);
    return;
  }
  const CutsOn& on = path.cuts[static_cast<std::size_t>(split) - 1];
  const std::size_t n = tape_.slots()[tape_.split(split - 1).output].size;
  layer.active.clear();
  for (std::size_t w = 0; w < word_count(n); ++w)
    for (std::uint64_t rest = on.on[w]; rest != 0; rest &= rest - 1)
      layer.active.push_back(static_cast<std::int32_t>(64 * w) + std::countr_zero(rest));
  for (std::int32_t i = 0; i < on.m; ++i)
    if (get_sign(on.member_on, i)) layer.active.push_back(on.member[i]);
  layer.mask.assign(padded(n), 0.0);
  for (const std::int32_t j : layer.active) layer.mask[static_cast<std::size_t>(j)] = 1.0;
  Weights& w = weights_[static_cast<std::size_t>(split)];
  if (w.by_output.empty()) order_by_output(w);
  find_roundings(split, blocks);
}

double PathErrors::row_error(int split, std::int32_t unit, double known, const Path& path,
                             const std::vector<double*>& blocks) {
  if (split < 1 || !serves(split)) return known;
  for (int s = split; s >= 0; --s) enter(s, path, blocks);
  double total = layers_[static_cast<std::size_t>(split)].own[unit];
  // The derivative by the units of the layer above: one at the unit itself, to begin with.
  slopes_.resize(std::max(slopes_.size(), static_cast<std::size_t>(unit) + 1));
  slopes_[static_cast<std::size_t>(unit)] = 1.0;
  const std::int32_t* active = &unit;
  std::size_t n_active = 1;
  double doubt = 0.0, length = 0.0;  // doubt: Euclidean, of the slopes
  for (int s = split; s > 0; --s) {
    const Layer &layer = layers_[static_cast<std::size_t>(s)],
                &below = layers_[static_cast<std::size_t>(s) - 1];
    const Weights& w = weights_[static_cast<std::size_t>(s)];
    const std::size_t lead = padded(w.op->dense.n_in);
    // The unit's own weights are as they are.
    if (s < split) doubt = (doubt + w.back * length) * w.frobenius + kTiny;
    next_.resize(std::max(next_.size(), lead));
    const PulledSums sums =
        kernels_.pull(w.by_output.data(), lead, active, n_active, slopes_.data(), layer.mask.data(),
                      below.own, next_.data());
    total += sums.weighted + doubt * below.length;
    length = norm_bound(sums.squares, sums.sizes);
    active = layer.active.data();
    n_active = layer.active.size();
    std::swap(slopes_, next_);
  }
  total = total * kRounded * kRounded + kTiny;
  return total < known ? total : known;  // NaN: nothing better
}

}  // namespace linear_regions
