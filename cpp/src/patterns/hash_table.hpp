// SPDX-License-Identifier: MIT
// A set of 64-bit or 128-bit hashes, with or without the number of times each was met.
//
// Buckets of eight slots (four where a slot has two words), at most three quarters of them full.
// The bucket of a hash is given by its lowest bits; where it is full, the next one that has room
// takes the hash. A slot is free where the low hash is 0; hashes whose low word is 0 (one of 2^64)
// live in a list beside the buckets. All slots of a bucket are compared without a branch: most
// hashes that come in are new or old in no order that a processor could learn.
//
// Doubling moves the hashes of bucket i to the buckets i and i + n, in place; those that lie behind
// their bucket are taken out before and put back afterwards. So the table is read once in order,
// and only the new half is new memory.
//
// Cost: expected O(1) a hash; 8 bytes a slot and 8 more each for wide and for counted. One thread
// at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "linear_regions/hash.hpp"
#include "linear_regions/page_allocator.hpp"

namespace linear_regions {

template <bool kWide, bool kCounted>
class HashTable {
 public:
  std::size_t size() const { return filled_ + zeros_.size(); }
  std::size_t memory_bytes() const {
    return buckets_.size() * sizeof(Bucket) + zeros_.size() * sizeof(Entry);
  }

  // Room for n more hashes: none of the next n insertions moves the table.
  void make_room(std::size_t n) {
    while (4 * (filled_ + n) > 3 * kSlots * buckets_.size()) enlarge();
  }

  void prefetch(Word low) const {
    const Bucket* bucket = &buckets_[low & (buckets_.size() - 1)];
    __builtin_prefetch(bucket->low, 1);
    if constexpr (kWide && kCounted) __builtin_prefetch(bucket->high, 1);
  }

  // Needs room (make_room).
  void insert(Word low, [[maybe_unused]] Word high, [[maybe_unused]] Word times) {
    if (low == 0) {
      add_zero(high, times);
      return;
    }
    const std::size_t mask = buckets_.size() - 1;
    for (std::size_t at = low & mask;; at = (at + 1) & mask) {
      Bucket& bucket = buckets_[at];
      unsigned same = 0, free = 0;
      for (unsigned s = 0; s < kSlots; ++s) {
        same |= static_cast<unsigned>(bucket.low[s] == low) << s;
        free |= static_cast<unsigned>(bucket.low[s] == 0) << s;
      }
      if constexpr (kWide)
        for (unsigned left = same; left != 0; left &= left - 1) {
          const auto s = static_cast<unsigned>(__builtin_ctz(left));
          if (bucket.high[s] != high) same &= ~(1u << s);
        }
      if (same != 0) {
        if constexpr (kCounted) bucket.times[__builtin_ctz(same)] += times;
        return;
      }
      if (free != 0) {
        put(bucket, static_cast<unsigned>(__builtin_ctz(free)), {low, high, times});
        ++filled_;
        return;
      }
    }
  }

  // Calls visit(low, high, times); times is 1 where they are not counted.
  template <typename Visit>
  void each(const Visit& visit) const {
    for (const Bucket& bucket : buckets_)
      for (unsigned s = 0; s < kSlots; ++s) {
        if (bucket.low[s] == 0) continue;
        const Entry entry = get(bucket, s);
        visit(entry.low, entry.high, entry.times);
      }
    for (const Entry& entry : zeros_) visit(Word{0}, entry.high, entry.times);
  }

  // Keeps the hashes for which keep(low) holds.
  template <typename Keep>
  void filter(const Keep& keep) {
    PageArray<Bucket> old(buckets_.size());
    old.swap(buckets_);
    filled_ = 0;
    for (const Bucket& bucket : old)
      for (unsigned s = 0; s < kSlots; ++s)
        if (bucket.low[s] != 0 && keep(bucket.low[s])) {
          const Entry entry = get(bucket, s);
          insert(entry.low, entry.high, entry.times);
        }
    if (!keep(0)) zeros_.clear();
  }

 private:
  static constexpr unsigned kSlots = kWide != kCounted ? 4 : 8;  // cache lines: 1, or 3 of both

  struct Entry {
    Word low, high, times;
  };
  struct alignas(64) Narrow {
    Word low[kSlots];
  };
  struct alignas(64) High {
    Word low[kSlots], high[kSlots];
  };
  struct alignas(64) Times {
    Word low[kSlots], times[kSlots];
  };
  struct alignas(64) Both {
    Word low[kSlots], high[kSlots], times[kSlots];
  };
  using Bucket = std::conditional_t<kWide, std::conditional_t<kCounted, Both, High>,
                                    std::conditional_t<kCounted, Times, Narrow>>;

  static Entry get(const Bucket& bucket, unsigned s) {
    Entry entry = {bucket.low[s], 0, 1};
    if constexpr (kWide) entry.high = bucket.high[s];
    if constexpr (kCounted) entry.times = bucket.times[s];
    return entry;
  }
  static void put(Bucket& bucket, unsigned s, const Entry& entry) {
    bucket.low[s] = entry.low;
    if constexpr (kWide) bucket.high[s] = entry.high;
    if constexpr (kCounted) bucket.times[s] = entry.times;
  }

  void enlarge() {
    const std::size_t n = buckets_.size();
    if (n == 0) {
      buckets_.grow(kFirst);
      return;
    }
    std::vector<Entry> displaced;
    for (std::size_t i = 0; i < n; ++i)
      for (unsigned s = 0; s < kSlots; ++s)
        if (buckets_[i].low[s] != 0 && (buckets_[i].low[s] & (n - 1)) != i)
          displaced.push_back(get(buckets_[i], s));
    buckets_.grow(2 * n);  // nothing has changed so far: it may throw
    filled_ -= displaced.size();
    for (std::size_t i = 0; i < n; ++i) split(buckets_[i], buckets_[i + n], i, n);
    for (const Entry& entry : displaced) insert(entry.low, entry.high, entry.times);
  }

  // The hashes of old bucket i that go on living there, or n behind; the others are dropped.
  static void split(Bucket& here, Bucket& there, std::size_t i, std::size_t n) {
    const Bucket old = here;
    here = Bucket{};
    unsigned left = 0, right = 0;
    for (unsigned s = 0; s < kSlots; ++s) {
      const Word low = old.low[s];
      if (low == 0 || (low & (n - 1)) != i) continue;
      if ((low & n) == 0)
        put(here, left++, get(old, s));
      else
        put(there, right++, get(old, s));
    }
  }

  void add_zero(Word high, Word times) {
    for (Entry& entry : zeros_)
      if (!kWide || entry.high == high) {
        if constexpr (kCounted) entry.times += times;
        return;
      }
    zeros_.push_back({0, kWide ? high : 0, kCounted ? times : 1});
  }

  static constexpr std::size_t kFirst = 2;  // buckets of the first table

  PageArray<Bucket> buckets_;
  std::vector<Entry> zeros_;
  std::size_t filled_ = 0;
};

}  // namespace linear_regions
