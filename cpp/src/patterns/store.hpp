// SPDX-License-Identifier: MIT
// PatternStore: what a PatternTally keeps, one class for each sketch. Insertions may run at once;
// everything else is called alone.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <thread>

#include "linear_regions/hash.hpp"
#include "linear_regions/pattern_tally.hpp"

namespace linear_regions {

class PatternStore {
 public:
  virtual ~PatternStore() = default;
  virtual void insert(const Word* rows, std::size_t n) = 0;
  virtual void absorb(const TallyContents& other) = 0;
  virtual void contents(TallyContents& out) const = 0;            // in any order
  virtual void times(std::vector<std::uint64_t>& out) const = 0;  // in any order
  virtual double distinct() const = 0;
  virtual bool exact_count() const { return true; }
  virtual double hll_estimate() const { return 0.0; }
  virtual std::uint64_t scale() const { return 1; }  // patterns for each one that is kept
  virtual std::size_t memory_bytes() const = 0;
};

std::unique_ptr<PatternStore> make_word_store(std::size_t width);
std::unique_ptr<PatternStore> make_hash_store(std::size_t width, bool wide, bool counted);
std::unique_ptr<PatternStore> make_sketch_store(std::size_t width, unsigned precision);

// ---- shards ----

// The shard is given by bits that neither the place in a table (from below) nor the tag of a
// SignSet (the 24 highest) uses before 2^34 patterns are in one shard.
inline constexpr unsigned kShardBits = 6, kShardShift = 34;
inline constexpr std::size_t kShards = std::size_t{1} << kShardBits;
inline constexpr std::size_t kRowBlock = 8192;

inline std::size_t shard_of(Word low) {
  return (low >> kShardShift) & (kShards - 1);
}

// The rows of a block by shard: rows order[start[s] .. start[s + 1]) belong to shard s.
struct ShardOrder {
  std::uint16_t order[kRowBlock];
  std::uint16_t start[kShards + 1];

  void sort(const Word* low, std::size_t n) {
    std::uint16_t number[kShards] = {};
    for (std::size_t i = 0; i < n; ++i) ++number[shard_of(low[i])];
    start[0] = 0;
    for (std::size_t s = 0; s < kShards; ++s)
      start[s + 1] = static_cast<std::uint16_t>(start[s] + number[s]);
    std::uint16_t next[kShards];
    for (std::size_t s = 0; s < kShards; ++s) next[s] = start[s];
    for (std::size_t i = 0; i < n; ++i)
      order[next[shard_of(low[i])]++] = static_cast<std::uint16_t>(i);
  }
};

// Threads begin with different shards, so that they do not follow each other from lock to lock.
inline std::size_t first_shard() {
  return mix(std::hash<std::thread::id>{}(std::this_thread::get_id())) & (kShards - 1);
}

}  // namespace linear_regions
