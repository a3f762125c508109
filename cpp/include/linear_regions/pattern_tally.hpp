// SPDX-License-Identifier: MIT
// PatternTally: how many distinct packed patterns a stream had, and how often each.
//
// What is kept of a pattern:
//   kWords     all its words; the count is exact
//   kHash64    a hash of 64 or 128 bits; two patterns with one hash count as one
//   kHash128
//   kHll       a HyperLogLog of 64-bit hashes, and a sample of them (below): constant memory
//
// The sample of kHll (Wegman's adaptive sampling; Flajolet, Computing 43, 1990) holds the hashes
// whose `level` lowest bits are zero, with their exact number of occurrences; the level is the
// least for which there are at most kSampleSize. It is a function of the set alone, so it merges,
// too. While the level is 0 the sample is everything, and the count is that of a set of hashes;
// afterwards it scales up by 2^level to tell how many patterns were met once, twice, ...
//
// Thread-safe: any number of threads may insert at once. Sets are cut into shards by bits of the
// hash, each with its own lock; a block of rows is sorted by shard, so a lock is taken for some
// dozen rows at a time, whose loads overlap. Reading waits until all insertions have ended.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <span>
#include <utility>
#include <vector>

#include "linear_regions/sign_vector.hpp"

namespace linear_regions {

enum class Sketch : std::uint8_t { kWords, kHash64, kHash128, kHll };

inline constexpr std::size_t kSampleSize = std::size_t{1} << 14;

// Everything that a tally holds: what files store and merging moves. Sorted by key.
struct TallyContents {
  std::uint64_t rows = 0;            // inserted in all
  std::vector<Word> keys;            // key_words(...) words each
  std::vector<std::uint64_t> times;  // one per key; 1 where they are not counted
  std::vector<std::uint8_t> registers;
  unsigned level = 0;
};

class PatternStore;

class PatternTally {
 public:
  // Patterns of `width` words. `counted` keeps the times of each (kWords always has them).
  PatternTally(std::size_t width, Sketch sketch, bool counted, unsigned precision);
  ~PatternTally();

  // n rows of `width` words, one behind the other.
  void insert(std::span<const Word> rows, std::size_t n);

  [[nodiscard]] std::uint64_t rows() const;
  // Exact, or up to collisions of hashes; estimated where `exact_count` is false.
  [[nodiscard]] double distinct() const;
  [[nodiscard]] bool exact_count() const;
  [[nodiscard]] double hll_estimate() const;  // of kHll

  // (times, number of patterns that were met so often), in increasing order; of kHll beyond level
  // 0 an estimate from the sample, a multiple of 2^level.
  [[nodiscard]] std::vector<std::pair<std::uint64_t, std::uint64_t>> frequencies() const;

  [[nodiscard]] TallyContents contents() const;
  // The union with what another tally of the same width, sketch and precision held. Throws
  // std::invalid_argument where that is none.
  void absorb(const TallyContents& other);

  [[nodiscard]] std::size_t width() const noexcept { return width_; }
  [[nodiscard]] Sketch sketch() const noexcept { return sketch_; }
  [[nodiscard]] std::size_t key_words() const noexcept;
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  std::size_t width_;
  Sketch sketch_;
  mutable std::shared_mutex gate_;  // shared by insertions, exclusive for reading
  std::atomic<std::uint64_t> rows_{0};
  std::unique_ptr<PatternStore> store_;
};

}  // namespace linear_regions
