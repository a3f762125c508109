// SPDX-License-Identifier: MIT
#include <algorithm>
#include <mutex>
#include <stdexcept>

#include "patterns/hash_table.hpp"
#include "patterns/store.hpp"

namespace linear_regions {
namespace {

constexpr std::size_t kAhead = 24;  // loads that are under way at once

template <bool kWide, bool kCounted>
class HashStore final : public PatternStore {
 public:
  explicit HashStore(std::size_t width) : width_(width), shards_(kShards) {}

  void insert(const Word* rows, std::size_t n) override {
    Word low[kRowBlock], high[kWide ? kRowBlock : 1];
    const std::size_t rotation = first_shard();
    for (std::size_t first = 0; first < n; first += kRowBlock) {
      const std::size_t count = n - first < kRowBlock ? n - first : kRowBlock;
      for (std::size_t i = 0; i < count; ++i) {
        const Word* row = rows + (first + i) * width_;
        if constexpr (kWide) {
          const Hash128 hash = hash_words_128(row, width_);
          low[i] = hash.low;
          high[i] = hash.high;
        } else {
          low[i] = hash_words(row, width_);
        }
      }
      enter(low, high, nullptr, count, rotation);
    }
  }

  void absorb(const TallyContents& other) override {
    constexpr std::size_t kWords = kWide ? 2 : 1;
    const std::size_t n = other.times.size();
    Word low[kRowBlock], high[kWide ? kRowBlock : 1];
    for (std::size_t first = 0; first < n; first += kRowBlock) {
      const std::size_t count = n - first < kRowBlock ? n - first : kRowBlock;
      for (std::size_t i = 0; i < count; ++i) {
        low[i] = other.keys[(first + i) * kWords];
        if constexpr (kWide) high[i] = other.keys[(first + i) * kWords + 1];
      }
      enter(low, high, other.times.data() + first, count, 0);
    }
  }

  void contents(TallyContents& out) const override {
    for (const Shard& shard : shards_)
      shard.table.each([&](Word low, Word high, Word times) {
        out.keys.push_back(low);
        if (kWide) out.keys.push_back(high);
        out.times.push_back(times);
      });
  }

  void times(std::vector<std::uint64_t>& out) const override {
    for (const Shard& shard : shards_)
      shard.table.each([&](Word, Word, Word times) { out.push_back(times); });
  }

  double distinct() const override {
    std::size_t total = 0;
    for (const Shard& shard : shards_) total += shard.table.size();
    return static_cast<double>(total);
  }

  std::size_t memory_bytes() const override {
    std::size_t total = 0;
    for (const Shard& shard : shards_) total += sizeof(Shard) + shard.table.memory_bytes();
    return total;
  }

 private:
  struct Shard {
    std::mutex mutex;
    HashTable<kWide, kCounted> table;
  };

  void enter(const Word* low, const Word* high, const std::uint64_t* times, std::size_t n,
             std::size_t rotation) {
    ShardOrder by_shard;
    by_shard.sort(low, n);
    for (std::size_t k = 0; k < kShards; ++k) {
      const std::size_t s = (k + rotation) & (kShards - 1);
      const std::uint16_t* order = by_shard.order;
      const std::size_t end = by_shard.start[s + 1];
      if (by_shard.start[s] == end) continue;
      const std::lock_guard lock(shards_[s].mutex);
      HashTable<kWide, kCounted>& table = shards_[s].table;
      const std::size_t begin = by_shard.start[s], first = std::min(begin + kAhead, end);
      table.make_room(end - begin);
      for (std::size_t j = begin; j < first; ++j) table.prefetch(low[order[j]]);
      for (std::size_t j = begin; j < end; ++j) {
        if (j + kAhead < end) table.prefetch(low[order[j + kAhead]]);
        table.insert(low[order[j]], kWide ? high[order[j]] : 0,
                     times == nullptr ? 1 : times[order[j]]);
      }
    }
  }

  std::size_t width_;
  std::vector<Shard> shards_;
};

}  // namespace

std::unique_ptr<PatternStore> make_hash_store(std::size_t width, bool wide, bool counted) {
  if (wide && counted) return std::make_unique<HashStore<true, true>>(width);
  if (wide) return std::make_unique<HashStore<true, false>>(width);
  if (counted) return std::make_unique<HashStore<false, true>>(width);
  return std::make_unique<HashStore<false, false>>(width);
}

}  // namespace linear_regions
