// SPDX-License-Identifier: MIT
//
// A frontier count without its counts: which states each window leads to.
//
// Along a strip the same window meets the same states again and again. Steps (tables of reads) and
// sets of states are numbered; what a step does to a set is found out once. The counts follow in a
// second pass, a few lanes at a time, so that the counts of two sets stay in the cache. Nothing is
// assumed about the layer: transitions are a function of the tables and the states, and both are
// compared in full.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "one_layer/lane_weights.hpp"
#include "one_layer/state_map.hpp"
#include "one_layer/sweep.hpp"
#include "one_layer/transitions.hpp"

namespace linear_regions::one_layer {

// Counts of states, 4 or 8 lanes each, in whole cache lines.
class LaneCounts {
 public:
  explicit LaneCounts(std::size_t lanes) : lanes_(lanes) {}
  void resize(std::size_t n) { lines_.resize((n * lanes_ + 7) / 8); }
  std::uint64_t* lanes(std::size_t state) {
    return reinterpret_cast<std::uint64_t*>(lines_.data()) + state * lanes_;
  }

 private:
  struct alignas(64) Line {
    std::uint64_t word[8];
  };
  std::size_t lanes_;
  std::vector<Line> lines_;
};

class Recording {
 public:
  // Recording pays where steps come back: so many terms it may be ahead of those that did.
  static constexpr std::uint64_t kMostTerms = std::uint64_t{1} << 22;

  explicit Recording(StateMap start) { keep(std::move(start)); }

  bool worthwhile() const { return recorded_ <= kMostTerms + replayed_; }
  std::uint64_t bytes() const { return bytes_; }
  std::size_t n_steps() const { return played_.size(); }
  StateMap& states() { return *sets_[now_]; }

  // The number of a step with these tables; equal tables have equal numbers.
  std::size_t number_of(const Step& step);

  // Goes on by a step whose transitions from the states at hand are known, and returns them;
  // nullptr where they are not.
  const Transitions* replay(std::size_t step);

  // Goes on by a step to the states `found`; term i leads to target to[i].
  void record(std::size_t step, StateMap found, const std::vector<Term>& terms,
              std::vector<std::uint32_t> to);

  // The counts of the states at hand in `lanes` lanes from `first` on, where the start has count 1.
  // `go_on` is asked after each step; false where it said no.
  template <class GoOn>
  bool play(const LaneWeights& weights, std::size_t first, std::size_t lanes, LaneCounts& counts,
            const GoOn& go_on) const {
    counts.resize(1);
    weights.set_one(counts.lanes(0), first, lanes);
    LaneCounts next(lanes);
    for (const Recorded* step : played_) {
      next.resize(step->transitions.n_targets());
      weights.apply(next.lanes(0), counts.lanes(0), step->transitions, first, lanes);
      std::swap(counts, next);
      if (!go_on()) return false;
    }
    return true;
  }

 private:
  struct Recorded {
    Transitions transitions;
    std::size_t next;  // number of the set that it leads to
  };

  std::size_t keep(StateMap states);
  // The set that this step led to the last time, if its states are those of `found`; targets are
  // then renumbered.
  std::optional<std::size_t> known(std::size_t step, StateMap& found,
                                   std::vector<std::uint32_t>& to) const;

  std::vector<Step> kinds_;
  std::vector<std::unique_ptr<StateMap>> sets_;
  std::map<std::pair<std::size_t, std::size_t>, Recorded> steps_;  // by (set, step)
  std::map<std::size_t, std::size_t> last_set_;                    // by step
  std::vector<const Recorded*> played_;
  std::size_t now_ = 0;
  std::uint64_t recorded_ = 0, replayed_ = 0, bytes_ = 0;
};

}  // namespace linear_regions::one_layer
