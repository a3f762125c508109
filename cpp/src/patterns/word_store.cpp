// SPDX-License-Identifier: MIT
#include <mutex>
#include <optional>

#include "linear_regions/sign_set.hpp"
#include "patterns/store.hpp"

namespace linear_regions {
namespace {

class WordStore final : public PatternStore {
 public:
  explicit WordStore(std::size_t width) : width_(width), shards_(kShards) {}

  void insert(const Word* rows, std::size_t n) override { enter(rows, nullptr, n, first_shard()); }

  void absorb(const TallyContents& other) override {
    enter(other.keys.data(), other.times.data(), other.times.size(), 0);
  }

  void contents(TallyContents& out) const override {
    for (const Shard& shard : shards_) {
      if (!shard.set) continue;
      out.keys.insert(out.keys.end(), shard.set->rows().begin(), shard.set->rows().end());
      out.times.insert(out.times.end(), shard.set->counts().begin(), shard.set->counts().end());
    }
  }

  void times(std::vector<std::uint64_t>& out) const override {
    for (const Shard& shard : shards_)
      if (shard.set) out.insert(out.end(), shard.set->counts().begin(), shard.set->counts().end());
  }

  double distinct() const override {
    std::size_t total = 0;
    for (const Shard& shard : shards_) total += shard.set ? shard.set->size() : 0;
    return static_cast<double>(total);
  }

  std::size_t memory_bytes() const override {
    std::size_t total = kShards * sizeof(Shard);
    for (const Shard& shard : shards_) total += shard.set ? shard.set->memory_bytes() : 0;
    return total;
  }

 private:
  struct Shard {
    std::mutex mutex;
    std::optional<SignSet> set;  // made at its first row
  };

  void enter(const Word* rows, const std::uint64_t* times, std::size_t n, std::size_t rotation) {
    Word hashes[kRowBlock];
    ShardOrder by_shard;
    for (std::size_t first = 0; first < n; first += kRowBlock) {
      const std::size_t count = n - first < kRowBlock ? n - first : kRowBlock;
      const Word* block = rows + first * width_;
      for (std::size_t i = 0; i < count; ++i) hashes[i] = hash_words(block + i * width_, width_);
      by_shard.sort(hashes, count);
      for (std::size_t k = 0; k < kShards; ++k) {
        const std::size_t s = (k + rotation) & (kShards - 1);
        const std::size_t begin = by_shard.start[s], end = by_shard.start[s + 1];
        if (begin == end) continue;
        const std::lock_guard lock(shards_[s].mutex);
        std::optional<SignSet>& set = shards_[s].set;
        if (!set) set.emplace(width_);
        set->insert_chosen(block, hashes, times == nullptr ? nullptr : times + first,
                           {by_shard.order + begin, end - begin});
      }
    }
  }

  std::size_t width_;
  std::vector<Shard> shards_;
};

}  // namespace

std::unique_ptr<PatternStore> make_word_store(std::size_t width) {
  return std::make_unique<WordStore>(width);
}

}  // namespace linear_regions
