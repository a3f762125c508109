// SPDX-License-Identifier: MIT
#include <algorithm>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "forward/doubt_scan.hpp"
#include "forward/packed_tape.hpp"
#include "forward/pattern_masks.hpp"
#include "linear_regions/forward.hpp"

namespace linear_regions {
namespace {

// A block of inputs of a group takes 16 KiB of the first cache, its block of weights 256 KiB of the
// second, and the values of all groups of a tile not much more than that holds.
constexpr std::size_t kInputBlock = 256, kWeightBlock = std::size_t{1} << 18;
constexpr std::size_t kTileBytes = std::size_t{1} << 21, kMostGroups = 16;

bool load_points(const ForwardKernels<double>& k, double* out, const double* p, std::size_t n) {
  return k.from_double(out, p, n, n);
}
bool load_points(const ForwardKernels<double>& k, double* out, const float* p, std::size_t n) {
  return k.from_float(out, p, n, n);
}
bool load_points(const ForwardKernels<float>& k, float* out, const double* p, std::size_t n) {
  return k.from_double(out, p, n, n);
}
bool load_points(const ForwardKernels<float>& k, float* out, const float* p, std::size_t n) {
  return k.from_float(out, p, n, n);
}

// Asks whether to go on, after every few milliseconds of work.
class Pace {
 public:
  explicit Pace(const KeepGoing& keep_going) : keep_going_(keep_going) {}

  // `work` multiplications, or steps that take as long, were done; true: the rest is left out.
  bool stopped(std::size_t work) {
    done_ += work;
    if (done_ < kLook || !keep_going_) return stopped_;
    done_ = 0;
    stopped_ = stopped_ || !keep_going_();
    return stopped_;
  }

 private:
  static constexpr std::size_t kLook = std::size_t{1} << 22;
  const KeepGoing& keep_going_;
  std::size_t done_ = 0;
  bool stopped_ = false;
};

// The values of a tile of up to kMostGroups groups of points, and the operations on them.
template <typename Real>
class Tile {
 public:
  static constexpr std::size_t kLanes = kGroup<Real>;

  Tile(const Tape& tape, const PackedTape<Real>& packed, std::size_t n_points, Pace& pace)
      : tape_(tape), packed_(packed), kernels_(packed.kernels()), pace_(pace) {
    const std::size_t bytes = std::max(packed.rows(), std::size_t{1}) * kLanes * sizeof(Real);
    groups_ = std::min({kMostGroups, std::max(kTileBytes / bytes, std::size_t{1}),
                        std::max((n_points + kLanes - 1) / kLanes, std::size_t{1})});
    values_.resize(groups_ * packed.rows() * kLanes);
  }

  std::size_t samples() const { return groups_ * kLanes; }
  const ForwardKernels<Real>& kernels() const { return kernels_; }
  std::size_t used() const { return used_; }
  std::size_t live() const { return live_; }
  Real* slot(int s, std::size_t group) {
    return values_.data() + (group * packed_.rows() + packed_.row(s)) * kLanes;
  }
  std::size_t size(int s) const { return tape_.slots()[static_cast<std::size_t>(s)].size; }

  // Points to the input slot, whose order is the caller's; the last one fills up its group. False
  // where one is not finite.
  template <typename Point>
  bool load(const Point* points, std::size_t live) {
    const std::size_t n_in = tape_.n_in();
    bool finite = true;
    live_ = live;
    used_ = (live + kLanes - 1) / kLanes;
    for (std::size_t g = 0; g < used_; ++g) {
      const std::size_t some = std::min(kLanes, live - g * kLanes);
      const Point* from = points + g * kLanes * n_in;
      if (some < kLanes) {
        rest_.clear();
        for (std::size_t s = 0; s < kLanes; ++s) {
          const Point* point = from + std::min(s, some - 1) * n_in;
          rest_.insert(rest_.end(), point, point + n_in);  // doubles hold either type exactly
        }
        finite = load_points(kernels_, slot(0, g), rest_.data(), n_in) && finite;
      } else {
        finite = load_points(kernels_, slot(0, g), from, n_in) && finite;
      }
      if (pace_.stopped(n_in * kLanes)) break;
    }
    return finite;
  }

  // `factors` scales the biases of every column: of an affine map only the offset column has one.
  void linear(std::size_t index, const Real* factors) {
    const Op& op = tape_.ops()[index];
    const PackedOp<Real>& packed = packed_.op(index);
    if (factors != nullptr)
      for (std::size_t i = 0; i < packed.bias.size(); ++i)
        for (std::size_t c = 0; c < kLanes; ++c)
          slot(op.output, 0)[i * kLanes + c] = packed.bias[i] * factors[c];
    const Real* bias = factors == nullptr ? packed.bias.data() : nullptr;
    if (op.kind == OpKind::kDense)
      dense(op, packed, bias);
    else if (op.kind == OpKind::kConv)
      conv(op, packed, bias);
    else
      for (std::size_t g = 0; g < used_; ++g)
        for (std::size_t k = 0; k < op.inputs.size(); ++k) {
          kernels_.combine(slot(op.output, g), k == 0 ? bias : nullptr, slot(op.inputs[k], g),
                           packed.sparse[k].start.data(), packed.sparse[k].terms.data(),
                           packed.bias.size());
          if (pace_.stopped(packed.sparse[k].terms.size() * kLanes)) return;
        }
  }

  // False where a value that decides a bit is not finite.
  bool split(std::size_t index, std::uint64_t* patterns) {
    const Op& op = tape_.ops()[index];
    const PackedOp<Real>& packed = packed_.op(index);
    bool finite = true;
    for (std::size_t g = 0; g < used_; ++g) {
      const bool fine = op.kind == OpKind::kMax ? windows(op, packed, g) : pointwise(op, packed, g);
      finite = finite && fine;
      if (pace_.stopped(size(op.inputs[0]) * kLanes)) return finite;
      if (patterns == nullptr || packed.bits == 0) continue;
      const std::uint16_t* masks = above_.data();
      if (op.kind == OpKind::kPointwise && !packed.bit.empty()) {
        masks_.resize(packed.bits);
        for (std::size_t q = 0; q < packed.bit.size(); ++q)
          masks_[static_cast<std::size_t>(packed.bit[q])] = above_[q];
        masks = masks_.data();
      }
      const std::size_t words = tape_.pattern_words();
      put_masks(masks, packed.bits, packed.first_bit, std::min(kLanes, live_ - g * kLanes), words,
                patterns + g * kLanes * words);
    }
    return finite;
  }

  // The columns of affine maps, in one group, and the pieces that a pattern names.
  void load_columns(const Real* columns, std::size_t live) {
    used_ = 1;
    live_ = live;
    const std::size_t n_in = tape_.n_in();
    for (std::size_t j = 0; j < n_in; ++j)
      for (std::size_t c = 0; c < kLanes; ++c)
        slot(0, 0)[j * kLanes + c] = c < live ? columns[c * n_in + j] : Real{0};
  }
  void chosen_pieces(std::size_t index, const std::uint64_t* pattern, const Real* factors);

 private:
  void dense(const Op& op, const PackedOp<Real>& packed, const Real* bias) {
    const std::size_t n_in = op.dense.n_in, n_out = op.dense.n_out;
    const std::size_t block = std::min(n_in, kInputBlock);
    const std::size_t outputs =
        block == 0 ? n_out : std::max(kWeightBlock / (block * sizeof(Real)), kernels_.panel);
    for (std::size_t first = 0; first == 0 || first < n_in; first += kInputBlock) {
      const Run run = {0, 0, static_cast<std::uint32_t>(std::min(kInputBlock, n_in - first))};
      for (std::size_t p = 0; p < packed.panels.size();) {
        std::size_t stop = p, taken = 0;
        while (stop < packed.panels.size() && taken < outputs) taken += packed.panels[stop++].width;
        for (std::size_t g = 0; g < used_; ++g) {
          const Real* in = slot(op.inputs[0], g) + first * kLanes;
          Real* out = slot(op.output, g);
          for (std::size_t k = p; k < stop; ++k) {
            const Panel& panel = packed.panels[k];
            kernels_.block(out + panel.first * kLanes,
                           first == 0 && bias != nullptr ? bias + panel.first : nullptr,
                           packed.weight.data() + panel.weight + first * panel.width, panel.width,
                           &run, 1, in);
          }
          if (pace_.stopped(taken * run.n * kLanes)) return;
        }
        p = stop;
      }
    }
  }

  // All filters at one position while their weights fit the cache, else all positions for a panel.
  void conv(const Op& op, const PackedOp<Real>& packed, const Real* bias) {
    const Conv& c = op.conv;
    const std::size_t positions = c.filters == 0 ? 0 : packed.bias.size() / c.filters;
    const std::size_t per_group = packed.panels.size() / c.groups;
    const bool small = packed.weight.size() * sizeof(Real) <= kWeightBlock;
    const std::size_t step = small ? std::max(per_group, std::size_t{1}) : 1;
    for (std::size_t p = 0; p < per_group; p += step)
      for (std::size_t g = 0; g < used_; ++g)
        for (std::size_t q = 0; q < positions; ++q)
          if (!position(op, packed, bias, g, q, p, std::min(p + step, per_group))) return;
  }

  // False where the pass ends.
  bool position(const Op& op, const PackedOp<Real>& packed, const Real* bias, std::size_t group,
                std::size_t q, std::size_t begin, std::size_t end) {
    const Conv& c = op.conv;
    const std::size_t per_group = packed.panels.size() / c.groups, width = c.filters / c.groups;
    const Real* in = slot(op.inputs[0], group);
    for (std::size_t h = 0; h < c.groups; ++h) {
      const std::size_t at = q * c.groups + h;
      const Run* runs = packed.runs.data() + packed.run_start[at];
      const std::size_t n_runs = packed.run_start[at + 1] - packed.run_start[at];
      for (std::size_t k = begin; k < end; ++k) {
        const Panel& panel = packed.panels[h * per_group + k];
        const std::size_t output = q * c.filters + h * width + panel.first;
        kernels_.block(slot(op.output, group) + output * kLanes,
                       bias == nullptr ? nullptr : bias + output,
                       packed.weight.data() + panel.weight, panel.width, runs, n_runs, in);
      }
    }
    return !pace_.stopped(packed.weight.size() * (end - begin) / per_group * kLanes);
  }

  // Units in a row with the same function go through the kernel together.
  bool pointwise(const Op& op, const PackedOp<Real>& packed, std::size_t group) {
    const Pointwise& p = op.pointwise;
    const std::size_t n = size(op.output);
    above_.resize(p.unit_of_cut.size());
    bool finite = true;
    for (std::size_t i = 0; i < n;) {
      std::size_t stop = i + 1;
      if (packed.tables.size() == 1) stop = n;
      while (stop < n && p.table_of[stop] == p.table_of[i]) ++stop;
      const auto& table = packed.tables[static_cast<std::size_t>(p.table_of[i])];
      const bool fine = kernels_.pieces(
          slot(op.output, group) + i * kLanes, slot(op.inputs[0], group) + i * kLanes, stop - i,
          table.breakpoints.size(), table.breakpoints.data(), table.slopes.data(),
          table.intercepts.data(), above_.data() + p.cut_start[i]);
      finite = finite && (fine || table.breakpoints.empty());
      i = stop;
    }
    return finite;
  }

  bool windows(const Op& op, const PackedOp<Real>& packed, std::size_t group) {
    const std::size_t n = size(op.output), bits = static_cast<std::size_t>(op.max.bits);
    above_.assign(packed.bits, 0);
    std::uint32_t winner[kLanes];
    bool finite = true;
    for (std::size_t w = 0; w < n; ++w) {
      const auto start = static_cast<std::size_t>(op.max.start[w]);
      const std::size_t entries = static_cast<std::size_t>(op.max.start[w + 1]) - start;
      const bool fine =
          kernels_.window(slot(op.output, group) + w * kLanes, winner, slot(op.inputs[0], group),
                          op.max.entries.data() + start, entries);
      finite = finite && (fine || entries == 1);
      for (std::size_t b = 0; b < bits; ++b) {
        unsigned mask = 0;
        for (std::size_t s = 0; s < kLanes; ++s)
          mask |= ((static_cast<unsigned>(op.max.positions[start + winner[s]]) >> b) & 1) << s;
        above_[static_cast<std::size_t>(packed.bit[w]) + b] = static_cast<std::uint16_t>(mask);
      }
    }
    return finite;
  }

  const Tape& tape_;
  const PackedTape<Real>& packed_;
  const ForwardKernels<Real>& kernels_;
  Pace& pace_;
  std::size_t groups_ = 1, used_ = 0, live_ = 0;
  std::vector<Real, LineAllocator<Real>> values_;
  std::vector<double> rest_;
  std::vector<std::uint16_t> above_, masks_;
};

template <typename Real>
void Tile<Real>::chosen_pieces(std::size_t index, const std::uint64_t* pattern,
                               const Real* factors) {
  const Op& op = tape_.ops()[index];
  const PackedOp<Real>& packed = packed_.op(index);
  const Real* in = slot(op.inputs[0], 0);
  Real* out = slot(op.output, 0);
  for (std::size_t i = 0; i < size(op.output); ++i) {
    if (op.kind == OpKind::kMax) {
      const auto position = get_bits(pattern, static_cast<std::size_t>(op.pattern_bit[i]),
                                     static_cast<std::size_t>(op.max.bits));
      auto k = static_cast<std::size_t>(op.max.start[i]);
      const auto end = static_cast<std::size_t>(op.max.start[i + 1]);
      while (k < end && static_cast<std::uint64_t>(op.max.positions[k]) != position) ++k;
      if (k == end)
        throw std::invalid_argument("the pattern names a window entry that does not exist");
      std::copy_n(in + static_cast<std::size_t>(op.max.entries[k]) * kLanes, kLanes,
                  out + i * kLanes);
      continue;
    }
    const Pointwise& p = op.pointwise;
    const auto& table = packed.tables[static_cast<std::size_t>(p.table_of[i])];
    std::size_t piece = 0;
    for (std::int32_t q = p.cut_start[i]; q < p.cut_start[i + 1]; ++q)
      piece += get_bits(pattern,
                        static_cast<std::size_t>(op.pattern_bit[static_cast<std::size_t>(q)]), 1);
    for (std::size_t c = 0; c < kLanes; ++c)
      out[i * kLanes + c] =
          table.slopes[piece] * in[i * kLanes + c] + table.intercepts[piece] * factors[c];
  }
}

// `scan` sees the values of every group of points before and after every operation.
template <typename Real, typename Point, typename Scan>
bool run_tiles(const Tape& tape, const PackedTape<Real>& packed, std::span<const Point> points,
               std::size_t n, std::span<Real> values, std::span<std::uint64_t> patterns,
               Scan&& scan, const KeepGoing& keep_going) {
  const std::size_t n_in = tape.n_in(), n_out = tape.n_out(), words = tape.pattern_words();
  if (points.size() != n * n_in || (!values.empty() && values.size() != n * n_out) ||
      (!patterns.empty() && patterns.size() != n * words))
    throw std::invalid_argument("forward: an array has another size than the tape needs");
  std::fill(patterns.begin(), patterns.end(), 0);
  Pace pace(keep_going);
  Tile<Real> tile(tape, packed, n, pace);
  const auto& out_order = tape.slots().back().external_of;
  const std::size_t n_ops = values.empty() ? packed.last_split() : tape.ops().size();
  bool finite = true;
  for (std::size_t first = 0; first < n; first += tile.samples()) {
    const std::size_t live = std::min(tile.samples(), n - first);
    finite = tile.load(points.data() + first * n_in, live) && finite;
    scan.start(tile, first);
    std::uint64_t* bits = patterns.empty() ? nullptr : patterns.data() + first * words;
    for (std::size_t i = 0; i < n_ops; ++i) {
      if (tape.ops()[i].is_split()) {
        scan.split(tile, i);
        finite = tile.split(i, bits) && finite;
      } else {
        tile.linear(i, nullptr);
      }
      if (pace.stopped(0)) return finite;
      scan.bound(tile, i);
    }
    if (values.empty()) continue;
    const int last = static_cast<int>(tape.slots().size()) - 1;
    for (std::size_t s = 0; s < live; ++s) {
      const Real* from = tile.slot(last, s / tile.kLanes) + s % tile.kLanes;
      Real* to = values.data() + (first + s) * n_out;
      for (std::size_t i = 0; i < n_out; ++i)
        to[static_cast<std::size_t>(out_order[i])] = from[i * tile.kLanes];
    }
  }
  return finite;
}

struct NoScan {
  template <typename Real>
  void start(Tile<Real>&, std::size_t) {}
  template <typename Real>
  void split(Tile<Real>&, std::size_t) {}
  template <typename Real>
  void bound(Tile<Real>&, std::size_t) {}
};

}  // namespace

template <typename Real>
ForwardPass<Real>::ForwardPass(std::shared_ptr<const Tape> tape)
    : tape_(std::move(tape)),
      packed_(std::make_unique<PackedTape<Real>>(*tape_)),
      bounds_(std::is_same_v<Real, double> ? std::make_unique<ErrorBounds>(*tape_) : nullptr) {}

template <typename Real>
ForwardPass<Real>::~ForwardPass() = default;

template <typename Real>
bool ForwardPass<Real>::run(std::span<const double> points, std::size_t n, std::span<Real> values,
                            std::span<std::uint64_t> patterns, const KeepGoing& keep_going) const {
  return run_tiles(*tape_, *packed_, points, n, values, patterns, NoScan{}, keep_going);
}

template <typename Real>
bool ForwardPass<Real>::run(std::span<const float> points, std::size_t n, std::span<Real> values,
                            std::span<std::uint64_t> patterns, const KeepGoing& keep_going) const {
  return run_tiles(*tape_, *packed_, points, n, values, patterns, NoScan{}, keep_going);
}

template <typename Real>
bool ForwardPass<Real>::run(std::span<const double> points, std::size_t n,
                            std::span<std::uint64_t> patterns, Doubts& doubts,
                            const KeepGoing& keep_going) const {
  if constexpr (std::is_same_v<Real, double>) {
    const bool finite = run_tiles(*tape_, *packed_, points, n, std::span<double>{}, patterns,
                                  DoubtScan(*tape_, *bounds_, doubts), keep_going);
    std::stable_sort(doubts.list.begin(), doubts.list.end(),
                     [](const auto& a, const auto& b) { return a.row < b.row; });
    return finite;
  } else {
    throw std::logic_error("bounds are those of a pass in doubles");
  }
}

template <typename Real>
double ForwardPass<Real>::work() const {
  if (bounds_ == nullptr) throw std::logic_error("the work is counted in doubles");
  return bounds_->work();
}

template <typename Real>
void ForwardPass<Real>::affine_maps(std::span<const std::uint64_t> patterns, std::size_t n_patterns,
                                    std::span<const Real> matrix, std::size_t n_columns,
                                    std::span<Real> out, const KeepGoing& keep_going) const {
  constexpr std::size_t kColumns = kGroup<Real>;
  const std::size_t n_in = tape_->n_in(), n_out = tape_->n_out(), words = tape_->pattern_words();
  if (patterns.size() != n_patterns * words || matrix.size() != n_columns * n_in ||
      out.size() != n_patterns * n_out * n_columns || n_columns == 0)
    throw std::invalid_argument("affine_maps: an array has another size than the tape needs");
  Pace pace(keep_going);
  Tile<Real> tile(*tape_, *packed_, 1, pace);
  const auto& out_order = tape_->slots().back().external_of;
  const int last = static_cast<int>(tape_->slots().size()) - 1;
  for (std::size_t p = 0; p < n_patterns; ++p)
    for (std::size_t first = 0; first < n_columns; first += kColumns) {
      const std::size_t live = std::min(kColumns, n_columns - first);
      Real factors[kColumns] = {};
      if (first + live == n_columns) factors[live - 1] = 1;
      tile.load_columns(matrix.data() + first * n_in, live);
      for (std::size_t i = 0; i < tape_->ops().size(); ++i) {
        if (tape_->ops()[i].is_split())
          tile.chosen_pieces(i, patterns.data() + p * words, factors);
        else
          tile.linear(i, factors);
        if (pace.stopped(kColumns)) return;
      }
      const Real* columns = tile.slot(last, 0);
      for (std::size_t i = 0; i < n_out; ++i)
        for (std::size_t c = 0; c < live; ++c)
          out[(p * n_out + static_cast<std::size_t>(out_order[i])) * n_columns + first + c] =
              columns[i * kColumns + c];
    }
}

template class ForwardPass<double>;
template class ForwardPass<float>;

}  // namespace linear_regions
