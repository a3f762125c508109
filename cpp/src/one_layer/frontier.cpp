// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>

#include "linear_regions/float_environment.hpp"
#include "linear_regions/one_layer.hpp"
#include "linear_regions/save_points.hpp"
#include "one_layer/lane_weights.hpp"
#include "one_layer/recording.hpp"
#include "one_layer/state_kernels.hpp"
#include "one_layer/state_map.hpp"
#include "one_layer/sweep.hpp"

namespace linear_regions {
namespace {

using one_layer::BlockPool;
using one_layer::LaneWeights;
using one_layer::ReadTable;
using one_layer::Recording;
using one_layer::StateKernels;
using one_layer::StateMap;
using one_layer::Step;
using one_layer::Sweep;
using one_layer::Term;
using one_layer::Transitions;

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

// Two passes while the same steps come back (recording.hpp), one pass after that: states with their
// counts beside them.
template <class Cell>
class Frontier {
 public:
  Frontier(Sweep& sweep, const Lanes& lanes, std::uint64_t max_bytes, std::uint64_t max_insertions,
           RunControl& control, const FrontierSaving& saving)
      : sweep_(sweep),
        n_t_(lanes.weights.size() / lanes.primes.size()),
        weights_(lanes.primes),
        max_bytes_(max_bytes),
        max_insertions_(max_insertions),
        control_(control),
        saving_(saving),
        points_(saving.save ? saving.every : 0.0) {
    // Rows t: of t neurons. Rows n_t + t: of at most t.
    const std::size_t n = lanes.primes.size();
    for (std::size_t t = 0; t < n_t_; ++t)
      weights_.push_row({&lanes.weights[t * n], &lanes.weights[t * n] + n});
    std::vector<std::uint64_t> sum(n, 0);
    for (std::size_t t = 0; t < n_t_; ++t) {
      for (std::size_t i = 0; i < n; ++i)
        sum[i] = (sum[i] + lanes.weights[t * n + i]) % lanes.primes[i];
      weights_.push_row(sum);
    }
  }

  FrontierResult run() {
    std::size_t begun = 0;
    if (saving_.from != nullptr && saving_.from->step > 0) {
      begun = saving_.from->step;
      if (!begin_from(*saving_.from)) return result_;
    } else {
      StateMap start(sizeof(Cell), 0, pool_);
      enter_zero(start);
      recording_.emplace(std::move(start));
    }
    for (std::size_t m = begun; m < sweep_.n_steps(); ++m) {
      const std::optional<Step> step = sweep_.step(m);
      if (!step) result_.end = FrontierEnd::kTooManySets;
      if (!step || !(recording_ ? record(*step) : expand(*step))) return result_;
      if (recording_ && !recording_->worthwhile() && !play()) return result_;
      if (!recording_ && m + 1 < sweep_.n_steps()) save_if_due(m + 1);
    }
    // Nothing is left to see: a single state.
    if (recording_ && !play()) return result_;
    result_.residues = weights_.residues(now_->counts(0));
    return result_;
  }

 private:
  static constexpr std::size_t kBatch = 64;
  static constexpr std::size_t kLanesAtOnce = 8;
  // Of the work of a step that is recorded, the part that lies in its counts.
  static constexpr double kPlayed = 0.8;
  struct Pending {
    std::uint32_t hash;
    Term term;
  };

  static void enter_zero(StateMap& map) {
    const std::vector<unsigned char> zero(map.key_bytes(), 0);
    map.find_or_insert(zero.data(), 0);
  }

  // ---- states ----

  // Takes up a run before a step; the tables of the steps before it are made again.
  bool begin_from(const FrontierState& from) {
    const std::size_t lanes = weights_.lanes();
    std::size_t sets = 0;
    for (std::size_t m = 0; m < from.step; ++m) {
      if (m + 1 >= sweep_.n_steps()) throw_foreign();
      const std::optional<Step> step = sweep_.step(m);
      if (!step) result_.end = FrontierEnd::kTooManySets;
      if (!step || !go_on(0)) return false;
      sets = step->with.size();
    }
    StateMap states(sets * sizeof(Cell), lanes, pool_);
    const std::size_t bytes = states.key_bytes();
    if (from.states == 0 || from.lanes != lanes || from.keys.size() / bytes != from.states ||
        from.keys.size() % bytes != 0 || from.counts.size() != from.states * lanes)
      throw_foreign();
    for (std::size_t row = 0; row < from.states; ++row) {
      states.append(&from.keys[row * bytes]);
      if (!weights_.set_residues(states.counts(row), 0, lanes, &from.counts[row * lanes]))
        throw_foreign();
    }
    now_.emplace(std::move(states));
    result_.insertions = from.insertions;
    result_.states = from.expanded;
    result_.max_states = from.max_states;
    result_.vector_bytes = from.vector_bytes;
    result_.bytes = from.bytes;
    control_.report(0, static_cast<double>(from.step) / static_cast<double>(sweep_.n_steps()),
                    true);
    return true;
  }

  [[noreturn]] static void throw_foreign() {
    throw std::invalid_argument("the state is that of another count");
  }

  void save_if_due(std::size_t step) {
    if (!points_.due() || now_->bytes() > saving_.most_bytes) return;
    points_.save([&] {
      FrontierState state;
      state.step = step;
      state.states = now_->size();
      state.lanes = weights_.lanes();
      state.keys.resize(now_->size() * now_->key_bytes());
      state.counts.resize(now_->size() * state.lanes);
      for (std::size_t row = 0; row < now_->size(); ++row) {
        std::copy_n(now_->key(row), now_->key_bytes(), &state.keys[row * now_->key_bytes()]);
        weights_.copy_residues(&state.counts[row * state.lanes], now_->counts(row), state.lanes);
      }
      state.insertions = result_.insertions;
      state.expanded = result_.states;
      state.max_states = result_.max_states;
      state.vector_bytes = result_.vector_bytes;
      state.bytes = result_.bytes;
      saving_.save(state);
    });
  }

  // The first `done` lanes of a second pass.
  void save_lanes(StateMap& counted, std::size_t done) {
    if (!points_.due() || counted.bytes() > saving_.most_bytes) return;
    points_.save([&] {
      FrontierState state;
      state.states = counted.size();
      state.lanes = done;
      state.counts.resize(counted.size() * done);
      for (std::size_t row = 0; row < counted.size(); ++row)
        weights_.copy_residues(&state.counts[row * done], counted.counts(row), done);
      saving_.save(state);
    });
  }

  // Returns how many lanes are known; the first pass was made again and must give as many states.
  std::size_t known_lanes(StateMap& counted) const {
    if (saving_.from == nullptr || saving_.from->lanes == 0) return 0;
    const FrontierState& from = *saving_.from;
    if (from.states != counted.size() || from.lanes > weights_.lanes() ||
        (from.lanes % kLanesAtOnce != 0 && from.lanes != weights_.lanes()) ||
        from.counts.size() != from.states * from.lanes)
      throw_foreign();
    for (std::size_t row = 0; row < counted.size(); ++row)
      if (!weights_.set_residues(counted.counts(row), 0, from.lanes,
                                 &from.counts[row * from.lanes]))
        throw_foreign();
    return from.lanes;
  }

  // ---- two passes ----

  bool record(const Step& step) {
    const std::size_t number = recording_->number_of(step);
    const std::uint64_t states = recording_->states().size();
    if (const Transitions* known = recording_->replay(number)) {
      result_.insertions += known->terms.size();
    } else {
      StateMap found(step.with.size() * sizeof(Cell), 0, pool_);
      from_ = &recording_->states();
      into_ = &found;
      terms_.clear();
      targets_.clear();
      if (!expand_states(step)) return false;
      recording_->record(number, std::move(found), terms_, targets_);
    }
    return finish_step(states, recording_->states().size(), recording_->bytes(), 1.0 - kPlayed);
  }

  // Brings the counts to where the recording ends, and goes on in one pass.
  bool play() {
    StateMap& states = recording_->states();
    const std::size_t lanes = weights_.lanes(), cells = states.key_bytes();
    StateMap counted(cells, lanes, pool_);
    for (std::size_t row = 0; row < states.size(); ++row) counted.append(states.key(row));
    const double steps = static_cast<double>(recording_->n_steps());
    const double part = kPlayed * steps / static_cast<double>(sweep_.n_steps());
    for (std::size_t first = known_lanes(counted); first < lanes; first += kLanesAtOnce) {
      const std::size_t n = std::min(kLanesAtOnce, lanes - first);
      one_layer::LaneCounts counts(n);
      const auto go_on = [&] { return this->go_on(0); };
      if (!recording_->play(weights_, first, n, counts, go_on)) return false;
      for (std::size_t row = 0; row < states.size(); ++row)
        std::copy_n(counts.lanes(row), n, counted.counts(row) + first);
      control_.report(0, part * static_cast<double>(n) / static_cast<double>(lanes), true);
      save_lanes(counted, first + n);
    }
    now_.emplace(std::move(counted));
    recording_.reset();
    return true;
  }

  // ---- one pass ----

  bool expand(const Step& step) {
    StateMap found(step.with.size() * sizeof(Cell), weights_.lanes(), pool_);
    from_ = &*now_;
    into_ = &found;
    if (!expand_states(step)) return false;
    const std::uint64_t before = now_->size(), bytes = now_->bytes() + found.bytes();
    *now_ = std::move(found);
    return finish_step(before, now_->size(), bytes, 1.0);
  }

  bool finish_step(std::uint64_t before, std::uint64_t after, std::uint64_t bytes, double part) {
    result_.states += before;
    result_.max_states = std::max(result_.max_states, after);
    result_.bytes = std::max(result_.bytes, bytes);
    control_.report(0, part / static_cast<double>(sweep_.n_steps()), true);
    return go_on(bytes);
  }

  // ---- states of both ----

  bool expand_states(const Step& step) {
    const std::size_t sets = step.with.size(), one = one_layer::kStateBytes / sizeof(Cell);
    cells_ = (sets + one - 1) / one * one;
    result_.vector_bytes = std::max<std::uint64_t>(result_.vector_bytes, sets * sizeof(Cell));
    fill(without_, step.without);
    fill(with_, step.with);
    batch_.assign(kBatch * cells_, 0);
    // Images of the state at hand and of its mirrors: x without, y with the window.
    x_.assign((1 + step.mirrors.size()) * cells_, 0);
    y_ = x_;
    scratch_.assign(cells_, 0);
    pending_.clear();
    for (std::size_t state = 0; state < from_->size(); ++state) {
      if (state % 1024 == 0 && !go_on(from_->bytes() + into_->bytes() + recorded_bytes()))
        return false;
      expand_state(step, state);
    }
    flush();
    return true;
  }

  void fill(ReadTable<Cell>& table, const std::vector<one_layer::Read>& reads) const {
    table.index.clear();
    table.added.assign(cells_, 0);
    for (std::size_t u = 0; u < reads.size(); ++u) {
      table.index.push_back(static_cast<std::uint16_t>(reads[u].index));
      table.added[u] = static_cast<Cell>(reads[u].added);
    }
  }

  std::uint64_t recorded_bytes() const {
    return (recording_ ? recording_->bytes() : 0) + terms_.capacity() * sizeof(Term) +
           targets_.capacity() * sizeof(std::uint32_t);
  }

  bool go_on(std::uint64_t bytes) {
    control_.report(0, 0.0, true);
    if (control_.stopped()) {
      result_.end = FrontierEnd::kStopped;
      result_.status = control_.status();
    } else if (bytes > max_bytes_) {
      result_.end = FrontierEnd::kOutOfMemory;
    } else if (result_.insertions > max_insertions_) {
      result_.end = FrontierEnd::kTooLong;
    }
    return result_.end == FrontierEnd::kDone;
  }

  void expand_state(const Step& step, std::size_t state) {
    const std::size_t sets = step.with.size();
    const Cell* g = reinterpret_cast<const Cell*>(from_->key(state));
    kernels_.read(x_.data(), g, without_);
    kernels_.read(y_.data(), g, with_);
    const unsigned gap = kernels_.gap(x_.data(), y_.data(), sets);
    for (std::size_t i = 0; i < step.mirrors.size(); ++i) {
      Cell *x = &x_[(i + 1) * cells_], *y = &y_[(i + 1) * cells_];
      for (std::size_t u = 0; u < sets; ++u) {
        x[u] = x_[step.mirrors[i][u]];
        y[u] = y_[step.mirrors[i][u]];
      }
    }
    // The window takes at most y(empty set) neurons; up to `gap` of them bind nothing, so that all
    // of these lead to the same state.
    const std::size_t most = std::min<std::size_t>(n_t_ - 1, y_[0]);
    const std::size_t unfelt = std::min<std::size_t>(most, gap);
    push(step, 0, {static_cast<std::uint32_t>(state), static_cast<std::uint32_t>(n_t_ + unfelt)});
    for (std::size_t t = unfelt + 1; t <= most; ++t)
      push(step, t, {static_cast<std::uint32_t>(state), static_cast<std::uint32_t>(t)});
    result_.insertions += 1 + most - unfelt;
  }

  // Queues the state min(x, y - t) or its smallest mirror image.
  void push(const Step& step, std::size_t t, Term term) {
    if (pending_.size() == kBatch) flush();
    Cell* key = &batch_[pending_.size() * cells_];
    const auto taken = static_cast<unsigned>(t);
    std::uint32_t hash = kernels_.take(key, x_.data(), y_.data(), taken, cells_);
    for (std::size_t i = 1; i <= step.mirrors.size(); ++i) {
      const std::uint32_t other =
          kernels_.take(scratch_.data(), &x_[i * cells_], &y_[i * cells_], taken, cells_);
      if (std::memcmp(scratch_.data(), key, cells_ * sizeof(Cell)) >= 0) continue;
      std::memcpy(key, scratch_.data(), cells_ * sizeof(Cell));
      hash = other;
    }
    into_->prefetch_slot(hash);
    pending_.push_back({hash, term});
  }

  void flush() {
    for (const Pending& p : pending_) into_->prefetch_row(p.hash);
    for (std::size_t i = 0; i < pending_.size(); ++i) {
      const Pending& p = pending_[i];
      const std::size_t row = into_->find_or_insert(
          reinterpret_cast<const unsigned char*>(&batch_[i * cells_]), p.hash);
      if (recording_) {
        terms_.push_back(p.term);
        targets_.push_back(static_cast<std::uint32_t>(row));
      } else {
        weights_.add(into_->counts(row), from_->counts(p.term.from), p.term.row);
      }
    }
    pending_.clear();
  }

  Sweep& sweep_;
  const StateKernels<Cell>& kernels_ = one_layer::state_kernels<Cell>();
  std::size_t n_t_;
  LaneWeights weights_;
  std::uint64_t max_bytes_, max_insertions_;
  RunControl& control_;
  const FrontierSaving& saving_;
  SavePoints points_;
  BlockPool pool_;  // outlives the maps
  std::optional<Recording> recording_;
  std::optional<StateMap> now_;
  StateMap *from_ = nullptr, *into_ = nullptr;
  ReadTable<Cell> without_, with_;
  std::size_t cells_ = 0;  // of a vector, padding included
  std::vector<Cell> x_, y_, scratch_, batch_;
  std::vector<Pending> pending_;
  std::vector<Term> terms_;             // of the step that is recorded
  std::vector<std::uint32_t> targets_;  // of each of them
  FrontierResult result_;
};

}  // namespace

FrontierResult count_frontier(const WindowLayer& layer, const Lanes& lanes, std::uint64_t max_bytes,
                              std::uint64_t max_insertions, RunControl& control,
                              const FrontierSaving& saving) {
  check(lanes);
  const DefaultFloatingPoint environment;  // residues in doubles round to nearest
  control.start();
  Sweep sweep(layer);
  const std::uint64_t largest = sweep.largest_value();
  FrontierResult result;
  if (largest <= std::numeric_limits<std::uint8_t>::max()) {
    result = Frontier<std::uint8_t>(sweep, lanes, max_bytes, max_insertions, control, saving).run();
  } else if (largest <= std::numeric_limits<std::uint16_t>::max()) {
    result =
        Frontier<std::uint16_t>(sweep, lanes, max_bytes, max_insertions, control, saving).run();
  } else {
    result.end = FrontierEnd::kTooManySets;
  }
  result.seconds = control.seconds();
  return result;
}

}  // namespace linear_regions
