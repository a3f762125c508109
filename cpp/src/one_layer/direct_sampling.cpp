// SPDX-License-Identifier: MIT
// Direct sampling: a trial draws a random set of neurons and asks whether it is Hall-independent.
//
// The size s has the law C(N, s) k^s / U and the set is uniform of that size, so a trial succeeds
// with probability R / U. The set enters only through the numbers of neurons per window, which are
// drawn one window after the other, when they are needed: given what was drawn, the next neuron is
// chosen with probability (still to choose) / (still there).
//
//   Side::kEntries  An entry whose windows are all drawn can be matched once and for all. Of the
//                   slots, exactly n_slots - s may stay uncovered; the first one more ends the
//                   trial. With the corners of the image first, hopeless trials end at once.
//   Side::kWindows  Each neuron is matched when it is drawn; the first failure ends the trial.
//
// Both are exact: an element that no augmenting path covers when its turn comes is in no matching
// that covers the elements before it (matroid greedy).
#include <atomic>
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
using one_layer::RandomStream;

void check_permutation(const std::vector<std::uint32_t>& order, std::size_t n) {
  std::vector<bool> seen(n, false);
  for (const std::uint32_t i : order) {
    if (i >= n || seen[i]) throw std::invalid_argument("the order is no permutation");
    seen[i] = true;
  }
  if (order.size() != n) throw std::invalid_argument("the order is no permutation");
}

class Trial {
 public:
  Trial(const WindowGraph& graph, const DirectPlan& plan)
      : graph_(graph),
        plan_(plan),
        search_(graph),
        owner_(graph.n_slots(), one_layer::kNone),
        used_(graph.n_entries(), 0),
        unused_(graph.n_windows(), 0),
        sealed_(graph.n_windows(), 0),
        drawn_(graph.n_windows(), 0) {}

  // False where the trial failed or, which the caller has to ask for, was stopped.
  bool run(RandomStream& random, const one_layer::WorkSource& source) {
    reset();
    const std::uint64_t u = random.next();
    std::size_t i = 0;
    while (i < plan_.thresholds.size() && u >= plan_.thresholds[i]) ++i;
    if (i == plan_.thresholds.size()) return false;
    to_choose_ = plan_.sizes[i];
    there_ = graph_.n_neurons();
    return plan_.side == Side::kEntries ? cover_entries(random, source)
                                        : place_windows(random, source);
  }

  // After a success: the neurons of every window.
  std::vector<Index> neurons_per_window() const {
    std::vector<Index> counts(graph_.n_windows(), 0);
    for (Index entry = 0; entry < graph_.n_entries(); ++entry)
      for (Index i = 0; i < used_[entry]; ++i) ++counts[owner_[entry * graph_.channels + i]];
    return counts;
  }

  std::uint64_t revealed() const { return n_revealed_; }
  std::uint64_t searched() const { return search_.visited(); }

 private:
  one_layer::MatchingView view() { return {owner_.data(), used_.data(), sealed_.data()}; }

  // Only what the last trial touched.
  void reset() {
    for (const Index window : windows_) {
      drawn_[window] = sealed_[window] = 0;
      unused_[window] = 0;
      if (plan_.side == Side::kWindows)
        for (const Index entry : graph_.entries_of(window)) used_[entry] = 0;
    }
    if (plan_.side == Side::kEntries)
      for (std::size_t i = 0; i < n_covered_; ++i) used_[plan_.order[i]] = 0;
    windows_.clear();
    n_covered_ = 0;
  }

  Index draw(Index window, RandomStream& random) {
    drawn_[window] = 1;
    windows_.push_back(window);
    ++n_revealed_;
    Index chosen = 0;
    if (to_choose_ == there_) {
      chosen = graph_.filters;
      to_choose_ -= chosen;
      there_ -= chosen;
      return chosen;
    }
    for (Index i = 0; i < graph_.filters && to_choose_ > 0; ++i) {
      const bool take = random.below(there_ - i) < to_choose_;
      chosen += take;
      to_choose_ -= take;
    }
    there_ -= graph_.filters;
    return chosen;
  }

  // A trial of a large layer takes a second: it asks at every entry whether to go on.
  bool cover_entries(RandomStream& random, const one_layer::WorkSource& source) {
    std::uint64_t spare = graph_.n_slots() - to_choose_;
    for (const Index entry : plan_.order) {
      if (!source.go_on()) return false;
      ++n_covered_;
      for (const Index window : graph_.windows_of(entry))
        if (!drawn_[window]) unused_[window] = draw(window, random);
      for (Index i = 0; i < graph_.channels; ++i) {
        if (search_.cover(view(), entry, unused_.data())) continue;
        // The other slots of the entry fail as well.
        const std::uint64_t failed = graph_.channels - i;
        if (failed > spare) return false;
        spare -= failed;
        break;
      }
    }
    return true;
  }

  bool place_windows(RandomStream& random, const one_layer::WorkSource& source) {
    for (const Index window : plan_.order) {
      if (!source.go_on()) return false;
      for (Index i = draw(window, random); i > 0; --i)
        if (!search_.place(view(), window)) return false;
    }
    return true;
  }

  const WindowGraph& graph_;
  const DirectPlan& plan_;
  one_layer::PathSearch search_;
  std::vector<Index> owner_, used_, unused_;
  std::vector<std::uint8_t> sealed_, drawn_;
  std::vector<Index> windows_;  // drawn in this trial
  std::size_t n_covered_ = 0;   // entries of the order that this trial came to
  std::uint64_t to_choose_ = 0, there_ = 0, n_revealed_ = 0;
};

struct Chunk {
  std::uint64_t successes = 0, ranks_tested = 0, ranks_full = 0;
};

}  // namespace

DirectResult run_direct(const WindowGraph& graph, const DirectPlan& plan, RunControl& control) {
  if (plan.sizes.size() != plan.thresholds.size() || plan.sizes.empty() || plan.chunk_size == 0)
    throw std::invalid_argument("a direct plan needs sizes, as many thresholds, and chunks");
  for (const std::uint64_t size : plan.sizes)
    if (size > graph.n_slots() || size > graph.n_neurons())
      throw std::invalid_argument("a size exceeds the number of slots or of neurons");
  const bool entries = plan.side == Side::kEntries;
  check_permutation(plan.order, entries ? graph.n_entries() : graph.n_windows());
  if (plan.ranks_per_chunk > 0) one_layer::check_places(graph, plan.places);

  // Covering an entry by the neuron that runs out first needs few searches later.
  const WindowGraph ordered = entries ? graph.with_windows_by_last_entry(plan.order) : graph;
  DirectResult result;
  std::mutex mutex;
  std::vector<Chunk> chunks(plan.n_chunks);
  const std::uint64_t complete =
      one_layer::share_work(plan.n_chunks, control, [&](const one_layer::WorkSource& source) {
        Trial trial(ordered, plan);
        std::uint64_t number = 0;
        while (source.next(number)) {
          Chunk chunk;
          const std::uint64_t first = plan.first_trial + number * plan.chunk_size;
          for (std::uint64_t i = 0; i < plan.chunk_size && source.go_on(); ++i) {
            RandomStream random(plan.key, first + i);
            if (!trial.run(random, source)) continue;
            ++chunk.successes;
            if (chunk.ranks_tested == plan.ranks_per_chunk) continue;
            ++chunk.ranks_tested;
            chunk.ranks_full += one_layer::shared_rows_independent(
                ordered, plan.places, trial.neurons_per_window(), random, source);
          }
          chunks[number] = chunk;
          source.finish(number, chunk.successes);
        }
        const std::lock_guard lock(mutex);
        result.revealed += trial.revealed();
        result.searched += trial.searched();
      });
  for (std::uint64_t i = 0; i < complete; ++i) {
    result.successes.push_back(chunks[i].successes);
    result.ranks_tested.push_back(chunks[i].ranks_tested);
    result.ranks_full.push_back(chunks[i].ranks_full);
  }
  result.status = control.status();
  result.seconds = control.seconds();
  return result;
}

}  // namespace linear_regions
