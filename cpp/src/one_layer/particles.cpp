// SPDX-License-Identifier: MIT
// Particles: a batch reveals the layer window by window and counts what survives.
//
// With p = probability of a neuron, lambda = p / ((1 - p) k) <= 1 and n slots,
//
//   R = lambda^-n (1 - p)^-N  E[ lambda^(uncovered slots) ; the set is Hall-independent ]
//
// for a set that has each neuron independently with probability p. A particle draws the windows in
// order and keeps a matching of what was drawn. It dies where a neuron cannot be matched. An entry
// is closed when its last window is drawn; a slot of it that no rearrangement covers then stays
// uncovered for ever and costs the factor lambda. Uneven weights are resampled (systematically).
// The product of the mean weights is an unbiased estimate of the expectation, for any number of
// particles (Del Moral 2004, Theorem 7.4.2): no mixing of a chain is assumed.
#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <stdexcept>

#include "linear_regions/one_layer_estimate.hpp"
#include "one_layer/matching.hpp"
#include "one_layer/random_stream.hpp"
#include "one_layer/shared_rank.hpp"
#include "one_layer/work_sharing.hpp"

namespace linear_regions {
namespace {

using one_layer::Index;
using one_layer::kNone;
using one_layer::MatchingView;
using one_layer::RandomStream;

class Batch {
 public:
  Batch(const WindowGraph& graph, const ParticlePlan& plan)
      : graph_(graph),
        plan_(plan),
        search_(graph),
        n_(plan.particles),
        owner_(n_ * graph.n_slots(), kNone),
        used_(n_ * graph.n_entries()),
        sealed_(n_ * graph.n_windows()),
        weight_(n_),
        close_time_(graph.n_entries(), 0),
        closing_(graph.n_windows()),
        penalty_(std::exp(plan.log_penalty)) {
    for (Index entry = 0; entry < graph.n_entries(); ++entry) {
      close_time_[entry] = graph.windows_of(entry).back();  // in ascending order
      closing_[close_time_[entry]].push_back(entry);
    }
  }

  // Returns the logarithm of the estimate; false in `go_on` stops the run.
  double run(RandomStream& random, const one_layer::WorkSource& source) {
    std::fill(used_.begin(), used_.end(), 0);
    std::fill(sealed_.begin(), sealed_.end(), 0);
    std::fill(weight_.begin(), weight_.end(), 1.0);
    double log_estimate = 0;
    for (Index window = 0; window < graph_.n_windows(); ++window) {
      double sum = 0, squares = 0;
      for (std::size_t i = 0; i < n_; ++i) {
        if (weight_[i] == 0) continue;
        if (!source.go_on()) return 0;  // the batch does not count
        advance(i, window, random);
        sum += weight_[i];
        squares += weight_[i] * weight_[i];
      }
      if (sum == 0) return -std::numeric_limits<double>::infinity();
      if (sum * sum >= 0.5 * static_cast<double>(n_) * squares && squares > kTiny) continue;
      log_estimate += std::log(sum / static_cast<double>(n_));
      resample(sum, random);
    }
    double sum = 0;
    for (const double weight : weight_) sum += weight;
    return log_estimate + std::log(sum / static_cast<double>(n_));
  }

  // Neurons per window of a particle drawn by weight.
  std::vector<Index> pick(RandomStream& random) const {
    double total = 0;
    for (const double weight : weight_) total += weight;
    double left = random.uniform() * total;
    std::size_t chosen = n_;
    for (std::size_t i = 0; i < n_ && (chosen == n_ || left >= 0); ++i) {
      if (weight_[i] == 0) continue;
      chosen = i;
      left -= weight_[i];
    }
    std::vector<Index> counts(graph_.n_windows(), 0);
    const Index* const owner = owner_.data() + chosen * graph_.n_slots();
    const Index* const used = used_.data() + chosen * graph_.n_entries();
    for (Index entry = 0; entry < graph_.n_entries(); ++entry)
      for (Index i = 0; i < used[entry]; ++i)
        if (owner[entry * graph_.channels + i] != kNone)
          ++counts[owner[entry * graph_.channels + i]];
    return counts;
  }

  std::uint64_t copied() const { return n_copied_; }
  std::uint64_t searched() const { return search_.visited(); }

 private:
  static constexpr double kTiny = 1e-200;  // weights are scaled up before they underflow

  MatchingView view(std::size_t i) {
    return {owner_.data() + i * graph_.n_slots(), used_.data() + i * graph_.n_entries(),
            sealed_.data() + i * graph_.n_windows()};
  }

  // Draw the neurons of a window, match them, and settle the entries that it closes.
  void advance(std::size_t i, Index window, RandomStream& random) {
    const MatchingView m = view(i);
    const auto& thresholds = plan_.thresholds;
    auto neurons = static_cast<std::size_t>(
        std::upper_bound(thresholds.begin(), thresholds.end(), random.next()) - thresholds.begin());
    for (; neurons > 0; --neurons) {
      if (search_.place(m, window)) continue;
      weight_[i] = 0;
      return;
    }
    if (plan_.log_penalty == 0) return;
    for (const Index entry : closing_[window])
      while (m.used[entry] < graph_.channels) {
        if (search_.settle(m, entry, close_time_.data(), window)) continue;
        // The other free slots of the entry cannot be covered either.
        for (Index& slot = m.used[entry]; slot < graph_.channels; ++slot) {
          m.owner[entry * graph_.channels + slot] = kNone;
          weight_[i] *= penalty_;
        }
      }
  }

  // Systematic resampling: particle i gets weight * n / sum copies, rounded up or down.
  void resample(double sum, RandomStream& random) {
    const double step = sum / static_cast<double>(n_);
    double next = random.uniform() * step, reached = 0;
    std::size_t drawn = 0;
    vacant_.clear();
    extra_.clear();
    for (std::size_t i = 0; i < n_; ++i) {
      reached += weight_[i];
      std::size_t copies = 0;
      // Rounding of the sums must not lose the last particle, nor revive a dead one.
      while (weight_[i] > 0 && drawn < n_ && next < reached) {
        ++copies;
        ++drawn;
        next += step;
      }
      if (copies == 0) vacant_.push_back(i);
      for (; copies > 1; --copies) extra_.push_back(i);
    }
    while (extra_.size() < vacant_.size()) {
      // At most one, by rounding.
      const auto alive =
          std::find_if(weight_.rbegin(), weight_.rend(), [](double weight) { return weight > 0; });
      extra_.push_back(static_cast<std::size_t>(weight_.rend() - alive) - 1);
    }
    for (std::size_t j = 0; j < vacant_.size(); ++j) copy(extra_[j], vacant_[j]);
    std::fill(weight_.begin(), weight_.end(), 1.0);
  }

  void copy(std::size_t from, std::size_t to) {
    ++n_copied_;
    const auto rows = [&](auto& values, std::size_t width) {
      std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(from * width), width,
                  values.begin() + static_cast<std::ptrdiff_t>(to * width));
    };
    rows(owner_, graph_.n_slots());
    rows(used_, graph_.n_entries());
    rows(sealed_, graph_.n_windows());
  }

  const WindowGraph& graph_;
  const ParticlePlan& plan_;
  one_layer::PathSearch search_;
  std::size_t n_;
  std::vector<Index> owner_, used_;  // per particle
  std::vector<std::uint8_t> sealed_;
  std::vector<double> weight_;
  std::vector<Index> close_time_;
  std::vector<std::vector<Index>> closing_;
  double penalty_;
  std::vector<std::size_t> vacant_, extra_;
  std::uint64_t n_copied_ = 0;
};

}  // namespace

ParticleResult run_particles(const WindowGraph& graph, const ParticlePlan& plan,
                             RunControl& control) {
  if (plan.particles == 0 || !(plan.log_penalty <= 0) || plan.thresholds.size() > graph.filters ||
      !std::is_sorted(plan.thresholds.begin(), plan.thresholds.end()))
    throw std::invalid_argument(
        "a particle plan needs particles, a penalty of at most 1 and ascending thresholds");
  if (plan.ranks_per_batch > 0) one_layer::check_places(graph, plan.places);

  ParticleResult result;
  std::mutex mutex;
  struct Outcome {
    double log_estimate = 0;
    std::uint64_t tested = 0, full = 0;
  };
  std::vector<Outcome> outcomes(plan.n_batches);
  const std::uint64_t complete =
      one_layer::share_work(plan.n_batches, control, [&](const one_layer::WorkSource& source) {
        Batch batch(graph, plan);
        std::uint64_t number = 0;
        while (source.next(number)) {
          RandomStream random(plan.key, plan.first_batch + number);
          Outcome& outcome = outcomes[number];
          outcome.log_estimate = batch.run(random, source);
          const bool alive = std::isfinite(outcome.log_estimate);
          while (alive && outcome.tested < plan.ranks_per_batch && source.go_on()) {
            ++outcome.tested;
            outcome.full += one_layer::shared_rows_independent(graph, plan.places,
                                                               batch.pick(random), random, source);
          }
          source.finish(number, 1);
        }
        const std::lock_guard lock(mutex);
        result.copied += batch.copied();
        result.searched += batch.searched();
      });
  for (std::uint64_t i = 0; i < complete; ++i) {
    result.log_estimates.push_back(outcomes[i].log_estimate);
    result.ranks_tested.push_back(outcomes[i].tested);
    result.ranks_full.push_back(outcomes[i].full);
  }
  result.status = control.status();
  result.seconds = control.seconds();
  return result;
}

}  // namespace linear_regions
