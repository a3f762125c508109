// SPDX-License-Identifier: MIT
#include <bit>
#include <mutex>
#include <stdexcept>

#include "linear_regions/hyperloglog.hpp"
#include "patterns/hash_table.hpp"
#include "patterns/store.hpp"

namespace linear_regions {
namespace {

bool in_sample(Word hash, unsigned level) {
  return (hash & ((Word{1} << level) - 1)) == 0;
}

// The table places keys by their lowest bits, which are all zero in a sample of high level: there,
// keys are hashes with their halves exchanged.
Word turned(Word hash) {
  return std::rotl(hash, 32);
}

class SketchStore final : public PatternStore {
 public:
  SketchStore(std::size_t width, unsigned precision) : width_(width), registers_(precision) {}

  void insert(const Word* rows, std::size_t n) override {
    Word chosen[kRowBlock];
    for (std::size_t first = 0; first < n; first += kRowBlock) {
      const std::size_t count = n - first < kRowBlock ? n - first : kRowBlock;
      // The level only rises: what an old one lets through is sieved again under the lock.
      const Word mask = (Word{1} << level_.load(std::memory_order_relaxed)) - 1;
      std::size_t taken = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const Word hash = hash_words(rows + (first + i) * width_, width_);
        registers_.add(hash);
        chosen[taken] = hash;
        taken += (hash & mask) == 0 ? 1 : 0;
      }
      if (taken == 0) continue;
      const std::lock_guard lock(mutex_);
      keep_all(chosen, nullptr, taken);
    }
  }

  void absorb(const TallyContents& other) override {
    if (other.level > 63) throw std::invalid_argument("the level of a sample is at most 63");
    for (const Word hash : other.keys)
      if (!in_sample(hash, other.level)) throw std::invalid_argument("a hash is above its level");
    registers_.merge(other.registers);
    const std::lock_guard lock(mutex_);
    if (other.level > level_.load()) rise(other.level);
    keep_all(other.keys.data(), other.times.data(), other.keys.size());
  }

  void contents(TallyContents& out) const override {
    out.registers = registers_.registers();
    out.level = level_.load();
    sample_.each([&](Word key, Word, Word times) {
      out.keys.push_back(turned(key));
      out.times.push_back(times);
    });
  }

  void times(std::vector<std::uint64_t>& out) const override {
    sample_.each([&](Word, Word, Word times) { out.push_back(times); });
  }

  double distinct() const override {
    return exact_count() ? static_cast<double>(sample_.size()) : registers_.estimate();
  }
  bool exact_count() const override { return level_.load() == 0; }
  double hll_estimate() const override { return registers_.estimate(); }
  std::uint64_t scale() const override { return std::uint64_t{1} << level_.load(); }

  std::size_t memory_bytes() const override {
    return (std::size_t{1} << registers_.precision()) + sample_.memory_bytes();
  }

 private:
  // Hashes of any level; `times` may be null for once each.
  void keep_all(const Word* hashes, const Word* times, std::size_t n) {
    constexpr std::size_t kBurst = 32;  // loads that are under way at once
    for (std::size_t first = 0; first < n; first += kBurst) {
      const std::size_t stop = n - first < kBurst ? n : first + kBurst;
      sample_.make_room(stop - first);
      const unsigned level = level_.load(std::memory_order_relaxed);
      for (std::size_t i = first; i < stop; ++i) sample_.prefetch(turned(hashes[i]));
      for (std::size_t i = first; i < stop; ++i)
        if (in_sample(hashes[i], level))
          sample_.insert(turned(hashes[i]), 0, times == nullptr ? 1 : times[i]);
      // A few hashes too many do no harm until here: a higher level drops them with all times.
      while (sample_.size() > kSampleSize) rise(level_.load() + 1);
    }
  }

  void rise(unsigned level) {
    level_.store(level);
    sample_.filter([level](Word key) { return in_sample(turned(key), level); });
  }

  std::size_t width_;
  HyperLogLog registers_;
  std::atomic<unsigned> level_{0};
  std::mutex mutex_;
  HashTable<false, true> sample_;
};

}  // namespace

std::unique_ptr<PatternStore> make_sketch_store(std::size_t width, unsigned precision) {
  return std::make_unique<SketchStore>(width, precision);
}

}  // namespace linear_regions
