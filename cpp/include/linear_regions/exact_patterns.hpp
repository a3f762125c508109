// SPDX-License-Identifier: MIT
// Patterns of points in exact arithmetic, from those of a forward pass and its doubts.
//
// A pass in doubles proves most bits. A point with doubts is decided exactly (pattern_at). Where
// all its doubtful values turn out to stay on their breakpoints on the whole cell (units that are
// identically zero, equal entries of a window), so do they for every other point with the same
// proved bits and the same doubts, split by split; that answer is remembered.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "linear_regions/domain_frame.hpp"
#include "linear_regions/forward.hpp"
#include "linear_regions/tape.hpp"

namespace linear_regions {

class ExactPatterns {
 public:
  // Points lie in `domain`; without one nothing is remembered.
  ExactPatterns(std::shared_ptr<const Tape> tape, std::optional<DomainFrame> domain);

  // Corrects the patterns (n * pattern_words) of the points (n * n_in) that `doubts` name. Returns
  // how many points were decided exactly, not from memory; stops early, with less than it should,
  // when keep_going says so: nothing of the batch is to be used then. Any thread may call.
  struct Settled {
    std::uint64_t points = 0;
    bool stopped = false;
  };
  Settled settle(std::span<const double> points, std::span<std::uint64_t> patterns,
                 std::span<const Doubts::Doubt> doubts, const std::function<bool()>& keep_going);

 private:
  std::string key_of(const std::uint64_t* pattern, std::span<const Doubts::Doubt> doubts) const;
  bool recall(const std::string& key, std::uint64_t* pattern);
  void remember(std::string key, const std::vector<std::uint64_t>& pattern);

  std::shared_ptr<const Tape> tape_;
  std::optional<DomainFrame> domain_;
  std::vector<std::int32_t> window_bits_;  // of a window with this first bit; 1 elsewhere
  std::mutex mutex_;
  std::unordered_map<std::string, std::vector<std::uint64_t>> known_;
  std::size_t bytes_ = 0;  // of what is known
};

}  // namespace linear_regions
