// SPDX-License-Identifier: MIT
//
// The tables of a frontier count: for every window, how the sets U after it read the function g
// before it.
//
//   family   the distinct unions of traces of future windows on the entries seen so far; number 0
//            is the empty set
//   step     for a set U' of the next family, with W the window of the step and `seen` the entries
//            seen before it,
//              without W:  g[without.index] + without.added,  U' cut with seen,  c |U' minus seen|
//              with W:     g[with.index] + with.added, the same for U' u W
//
// Both cuts are unions of traces of windows that are future before the step, so they are in its
// family. Cost: (sets) x (future windows that touch what was seen) set unions per step.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "linear_regions/one_layer.hpp"

namespace linear_regions::one_layer {

struct Read {
  std::uint32_t index;
  std::uint32_t added;
  bool operator==(const Read&) const = default;
};

struct Step {
  std::vector<Read> without, with;  // one per set of the next family
  // Mirror images of the next family under which the future looks the same: permutations of its
  // numbers.
  std::vector<std::vector<std::uint32_t>> mirrors;
  bool operator==(const Step&) const = default;
};

class Sweep {
 public:
  static constexpr std::size_t kMaxSets = 1u << 14;

  explicit Sweep(const WindowLayer& layer);

  std::size_t n_steps() const { return layer_.windows.size(); }
  // The largest value that g can take, sets and windows together.
  std::uint64_t largest_value() const;
  // Steps must be asked for in order, from 0. Nothing where a family has more than kMaxSets sets.
  std::optional<Step> step(std::size_t m);
  std::size_t family_size() const { return family_.sets.size(); }

 private:
  using Words = std::vector<std::uint64_t>;
  struct WordsHash {
    std::size_t operator()(const Words& words) const;
  };
  struct Family {
    std::vector<std::uint32_t> entries;  // of the frontier, by local number
    std::vector<Words> sets;             // over local numbers
    std::unordered_map<Words, std::uint32_t, WordsHash> number;
  };

  bool build_family(std::size_t m, Family& family);  // the sets before window m
  Read read(const Family& next, const Words& set, const std::vector<std::uint32_t>* window);
  std::vector<std::vector<std::uint32_t>> mirrors(std::size_t m, const Family& family) const;

  const WindowLayer& layer_;
  std::vector<std::size_t> first_seen_, last_seen_;  // by entry: first and last window
  std::vector<std::size_t> first_touched_;           // by window: first step after which it is cut
  std::vector<std::vector<char>> kept_;  // by symmetry: whether it keeps the first m windows
  std::vector<std::uint32_t> local_;     // entry to local number in the family at hand
  Family family_;
};

}  // namespace linear_regions::one_layer
