// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <stdexcept>

#include "linear_regions/one_layer.hpp"
#include "one_layer/residue_kernels.hpp"
#include "one_layer/state_map.hpp"
#include "one_layer/sweep.hpp"

namespace linear_regions {
namespace {

__extension__ typedef unsigned __int128 Wide;

using one_layer::StateMap;
using one_layer::Step;
using one_layer::Sweep;

constexpr std::uint64_t kFusedLimit = std::uint64_t{1} << 50;

// Products by constants modulo primes. Either in integers (Shoup): with quotient = floor(weight
// 2^64 / p), one high and two low products give a remainder below 2 p. Or in doubles, several
// lanes at a time (residue_kernels.hpp); residues are then doubles, too.
class Weights {
 public:
  explicit Weights(const std::vector<std::uint64_t>& primes)
      : n_(primes.size()),
        lanes_((n_ + 3) / 4 * 4),
        fused_(std::all_of(primes.begin(), primes.end(),
                           [](std::uint64_t p) { return p < kFusedLimit; })
                   ? one_layer::add_products()
                   : nullptr),
        primes_(primes) {
    primes_.resize(lanes_, 2);  // lanes of padding stay zero
    prime_.assign(primes_.begin(), primes_.end());
  }

  std::size_t lanes() const { return lanes_; }

  void push_row(const std::vector<std::uint64_t>& row) {
    for (std::size_t i = 0; i < lanes_; ++i) {
      const std::uint64_t w = i < n_ ? row[i] : 0;
      if (fused_ != nullptr) {
        weight_.push_back(static_cast<double>(w));
        ratio_.push_back(static_cast<double>(w) / prime_[i]);
        continue;
      }
      whole_.push_back(w);
      quotient_.push_back(static_cast<std::uint64_t>((static_cast<Wide>(w) << 64) / primes_[i]));
    }
  }

  void set_one(std::uint64_t* counts) const {
    for (std::size_t i = 0; i < n_; ++i) {
      if (fused_ != nullptr)
        doubles(counts)[i] = 1;
      else
        counts[i] = 1;
    }
  }

  std::vector<std::uint64_t> residues(const std::uint64_t* counts) const {
    std::vector<std::uint64_t> out(n_);
    for (std::size_t i = 0; i < n_; ++i)
      out[i] = fused_ != nullptr ? static_cast<std::uint64_t>(doubles(counts)[i]) : counts[i];
    return out;
  }

  // to += from * weights of the row
  void add(std::uint64_t* to, const std::uint64_t* from, std::size_t row) const {
    if (fused_ != nullptr) {
      fused_(doubles(to), doubles(from), &weight_[row * lanes_], &ratio_[row * lanes_],
             prime_.data(), lanes_);
      return;
    }
    const std::uint64_t *w = &whole_[row * lanes_], *q = &quotient_[row * lanes_];
    for (std::size_t i = 0; i < n_; ++i) {
      const std::uint64_t p = primes_[i];
      const auto high = static_cast<std::uint64_t>((static_cast<Wide>(from[i]) * q[i]) >> 64);
      std::uint64_t x = from[i] * w[i] - high * p;
      x -= x >= p ? p : 0;
      x += to[i];
      to[i] = x - (x >= p ? p : 0);
    }
  }

 private:
  // The store holds bytes; all of a run reads them as one of the two.
  static double* doubles(std::uint64_t* counts) { return reinterpret_cast<double*>(counts); }
  static const double* doubles(const std::uint64_t* counts) {
    return reinterpret_cast<const double*>(counts);
  }

  std::size_t n_, lanes_;
  one_layer::AddProducts fused_;
  std::vector<std::uint64_t> primes_, whole_, quotient_;  // [row * lanes + lane]
  std::vector<double> prime_, weight_, ratio_;
};

void check(const Lanes& lanes) {
  const std::size_t n = lanes.primes.size();
  if (n == 0 || lanes.weights.empty() || lanes.weights.size() % n != 0)
    throw std::invalid_argument(
        "weights must have one row per number of neurons, one lane per prime");
  for (std::size_t i = 0; i < lanes.weights.size(); ++i) {
    const std::uint64_t p = lanes.primes[i % n];
    if (p < 2 || p >> 62 != 0 || lanes.weights[i] >= p)
      throw std::invalid_argument("a modulus must be below 2^62 and weights below it");
  }
}

template <class Cell>
class Frontier {
 public:
  Frontier(Sweep& sweep, const Lanes& lanes, std::uint64_t max_bytes, std::uint64_t max_insertions,
           RunControl& control)
      : sweep_(sweep),
        n_t_(lanes.weights.size() / lanes.primes.size()),
        single_(lanes.primes),
        prefix_(lanes.primes),
        max_bytes_(max_bytes),
        max_insertions_(max_insertions),
        control_(control) {
    const std::size_t n = lanes.primes.size();
    std::vector<std::uint64_t> row(n), sum(n, 0);
    for (std::size_t t = 0; t < n_t_; ++t) {
      for (std::size_t i = 0; i < n; ++i) {
        row[i] = lanes.weights[t * n + i];
        sum[i] = (sum[i] + row[i]) % lanes.primes[i];
      }
      single_.push_row(row);
      prefix_.push_row(sum);
    }
  }

  FrontierResult run() {
    now_.emplace(sizeof(Cell), single_.lanes());
    std::vector<unsigned char> zero(now_->key_bytes(), 0);
    const std::size_t first =
        now_->find_or_insert(zero.data(), StateMap::hash(zero.data(), zero.size()));
    single_.set_one(now_->counts(first));
    for (std::size_t m = 0; m < sweep_.n_steps(); ++m) {
      const std::optional<Step> step = sweep_.step(m);
      if (!step) result_.end = FrontierEnd::kTooManySets;
      if (!step || !expand(*step)) return result_;
      now_.swap(next_);
      next_.reset();
    }
    // Nothing is left to see: a single state.
    result_.residues = single_.residues(now_->counts(0));
    return result_;
  }

 private:
  static constexpr std::size_t kBatch = 64;
  struct Pending {
    std::uint64_t hash;
    const std::uint64_t* from;
    const Weights* weights;
    std::size_t row;
  };

  bool expand(const Step& step) {
    const std::size_t sets = step.with.size();
    next_.emplace(sets * sizeof(Cell), single_.lanes());
    cells_ = next_->key_bytes() / sizeof(Cell);
    result_.vector_bytes = std::max<std::uint64_t>(result_.vector_bytes, sets * sizeof(Cell));
    batch_.assign(kBatch * cells_, 0);
    // Images of the state at hand and of its mirrors: x without, y with the window.
    x_.assign((1 + step.mirrors.size()) * cells_, 0);
    y_ = x_;
    scratch_.assign(cells_, 0);
    pending_.clear();
    for (std::size_t state = 0; state < now_->size(); ++state) {
      if (state % 1024 == 0 && !go_on()) return false;
      expand_state(step, reinterpret_cast<const Cell*>(now_->key(state)), now_->counts(state));
    }
    flush();
    result_.states += now_->size();
    result_.max_states = std::max<std::uint64_t>(result_.max_states, next_->size());
    result_.bytes = std::max(result_.bytes, now_->bytes() + next_->bytes());
    control_.report(0, 1.0 / static_cast<double>(sweep_.n_steps()), true);
    return go_on();
  }

  bool go_on() {
    control_.report(0, 0.0, true);
    if (control_.stopped()) {
      result_.end = FrontierEnd::kStopped;
      result_.status = control_.status();
    } else if (now_->bytes() + next_->bytes() > max_bytes_) {
      result_.end = FrontierEnd::kOutOfMemory;
    } else if (result_.insertions > max_insertions_) {
      result_.end = FrontierEnd::kTooLong;
    }
    return result_.end == FrontierEnd::kDone;
  }

  void expand_state(const Step& step, const Cell* g, const std::uint64_t* counts) {
    const std::size_t sets = step.with.size();
    unsigned gap = std::numeric_limits<Cell>::max();
    for (std::size_t u = 0; u < sets; ++u) {
      const unsigned x = g[step.without[u].index] + step.without[u].added;
      const unsigned y = g[step.with[u].index] + step.with[u].added;
      x_[u] = static_cast<Cell>(x);
      y_[u] = static_cast<Cell>(y);
      gap = std::min(gap, y - x);
    }
    for (std::size_t i = 0; i < step.mirrors.size(); ++i) {
      Cell *x = &x_[(i + 1) * cells_], *y = &y_[(i + 1) * cells_];
      for (std::size_t u = 0; u < sets; ++u) {
        x[u] = x_[step.mirrors[i][u]];
        y[u] = y_[step.mirrors[i][u]];
      }
    }
    // The window takes at most y(empty set) neurons; up to `gap` of them bind nothing.
    const std::size_t most = std::min<std::size_t>(n_t_ - 1, y_[0]);
    const std::size_t unfelt = std::min<std::size_t>(most, gap);
    push(step, 0, counts, &prefix_, unfelt);
    for (std::size_t t = unfelt + 1; t <= most; ++t) push(step, t, counts, &single_, t);
    result_.insertions += 1 + most - unfelt;
  }

  // Queues the state min(x, y - t) or its smallest mirror image.
  void push(const Step& step, std::size_t t, const std::uint64_t* counts, const Weights* weights,
            std::size_t row) {
    if (pending_.size() == kBatch) flush();
    Cell* key = &batch_[pending_.size() * cells_];
    combine(key, 0, t);
    for (std::size_t i = 1; i <= step.mirrors.size(); ++i) {
      combine(scratch_.data(), i, t);
      if (std::memcmp(scratch_.data(), key, cells_ * sizeof(Cell)) < 0)
        std::memcpy(key, scratch_.data(), cells_ * sizeof(Cell));
    }
    const std::uint64_t hash =
        StateMap::hash(reinterpret_cast<const unsigned char*>(key), cells_ * sizeof(Cell));
    next_->prefetch_slot(hash);
    pending_.push_back({hash, counts, weights, row});
  }

  void combine(Cell* key, std::size_t image, std::size_t t) const {
    const Cell *x = &x_[image * cells_], *y = &y_[image * cells_];
    const Cell taken = static_cast<Cell>(t);
    if (t == 0) {  // no neuron, or as many as bind nothing
      std::memcpy(key, x, cells_ * sizeof(Cell));
      return;
    }
    // The padding has y = 0, where the difference wraps around: x = 0 is smaller.
    for (std::size_t u = 0; u < cells_; ++u) {
      const Cell with = static_cast<Cell>(y[u] - taken);
      key[u] = x[u] < with ? x[u] : with;
    }
  }

  void flush() {
    for (const Pending& p : pending_) next_->prefetch_row(p.hash);
    for (std::size_t i = 0; i < pending_.size(); ++i) {
      const Pending& p = pending_[i];
      const std::size_t row = next_->find_or_insert(
          reinterpret_cast<const unsigned char*>(&batch_[i * cells_]), p.hash);
      p.weights->add(next_->counts(row), p.from, p.row);
    }
    pending_.clear();
  }

  Sweep& sweep_;
  std::size_t n_t_;
  Weights single_, prefix_;  // of t neurons, and of at most t
  std::uint64_t max_bytes_, max_insertions_;
  RunControl& control_;
  std::optional<StateMap> now_, next_;
  std::size_t cells_ = 0;  // of a key, padding included
  std::vector<Cell> x_, y_, scratch_, batch_;
  std::vector<Pending> pending_;
  FrontierResult result_;
};

}  // namespace

FrontierResult count_frontier(const WindowLayer& layer, const Lanes& lanes, std::uint64_t max_bytes,
                              std::uint64_t max_insertions, RunControl& control) {
  check(lanes);
  control.start();
  Sweep sweep(layer);
  const std::uint64_t largest = sweep.largest_value();
  FrontierResult result;
  if (largest <= std::numeric_limits<std::uint8_t>::max()) {
    result = Frontier<std::uint8_t>(sweep, lanes, max_bytes, max_insertions, control).run();
  } else if (largest <= std::numeric_limits<std::uint16_t>::max()) {
    result = Frontier<std::uint16_t>(sweep, lanes, max_bytes, max_insertions, control).run();
  } else {
    result.end = FrontierEnd::kTooManySets;
  }
  result.seconds = control.seconds();
  return result;
}

}  // namespace linear_regions
