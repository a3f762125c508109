// SPDX-License-Identifier: MIT
// FlatStore: the flats of one codimension, each once, with their weights added up.
//
// A flat of codimension k in affine r - 1 dimensions is the map that gives its k pivot coordinates
// as affine functions of the s = r - 1 - k free ones: k rows of s + 1 entries (constant last), by
// ascending pivot. That form is unique, and its hash names one of the store's shards.
//
// Flats come in outboxes, whose order is that of the search; one shard is filled by one thread at a
// time, outbox after outbox. So nothing is locked, and the numbers of flats (shard by shard, in the
// order in which they came) do not depend on threads. A store is larger than the caches, and nearly
// all of the time goes into waiting for it: look-ups are begun some flats ahead.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "arrangement/fields.hpp"

namespace linear_regions {

template <class T>
class FlatStore {
  struct Entry {
    Wide128 weight;
    std::uint64_t pivots;
    std::uint32_t least;
    std::uint32_t hash;
  };

 public:
  static constexpr std::size_t kShards = 64;

  struct Flat {
    const T* map;
    std::uint64_t pivots;  // bit c: coordinate c is a pivot
    std::uint32_t least;   // m(X)
    Wide128 weight;
  };

  // Flats on their way to a store. Once all are there they are sorted by shard.
  class Outbox {
   public:
    void add(const T* map, std::size_t stride, std::uint64_t pivots, std::uint32_t least,
             Wide128 weight) {
      std::uint64_t h = pivots * 0x9e3779b97f4a7c15u;
      for (std::size_t i = 0; i < stride; ++i) h = (h ^ map[i]) * 0xff51afd7ed558ccdu ^ (h >> 29);
      h ^= h >> 32;
      h *= 0xc4ceb9fe1a85ec53u;
      flats_.push_back({weight, pivots, least, static_cast<std::uint32_t>(h >> 20)});
      shard_.push_back(static_cast<std::uint8_t>(h >> 58));
      map_.insert(map_.end(), map, map + stride);
    }
    void close() {
      start_.fill(0);
      for (const std::uint8_t s : shard_) ++start_[s + 1u];
      std::partial_sum(start_.begin(), start_.end(), start_.begin());
      std::array<std::uint32_t, kShards + 1> next = start_;
      order_.resize(flats_.size());
      for (std::size_t i = 0; i < flats_.size(); ++i)
        order_[next[shard_[i]]++] = static_cast<std::uint32_t>(i);
    }
    void clear() {
      flats_.clear();
      shard_.clear();
      map_.clear();
    }

   private:
    friend class FlatStore;
    std::vector<Entry> flats_;
    std::vector<T> map_;
    std::vector<std::uint8_t> shard_;
    std::vector<std::uint32_t> order_;  // numbers of flats, by shard
    std::array<std::uint32_t, kShards + 1> start_{};
  };

  explicit FlatStore(std::size_t stride) : stride_(stride) {}

  // Takes in what the outbox holds for one shard; returns how many of them were there before.
  std::uint64_t take(const Outbox& box, std::size_t number) {
    return shards_[number].take(box, box.start_[number], box.start_[number + 1], stride_);
  }
  std::size_t size() const {
    std::size_t total = 0;
    for (const auto& shard : shards_) total += shard.flats.size();
    return total;
  }
  std::size_t bytes() const {
    return size() * (stride_ * sizeof(T) + sizeof(Entry) + 2 * sizeof(std::uint64_t));
  }
  void clear() {
    for (auto& shard : shards_) shard.clear();
  }
  // Gives every flat its number; valid until more are taken in.
  void number() {
    std::size_t total = 0;
    for (std::size_t s = 0; s < kShards; ++s) {
      start_[s] = total;
      total += shards_[s].flats.size();
    }
  }
  Flat at(std::size_t index) const {
    const auto s = static_cast<std::size_t>(std::upper_bound(start_.begin(), start_.end(), index) -
                                            start_.begin() - 1);
    const std::size_t i = index - start_[s];
    const Entry& entry = shards_[s].flats[i];
    return {shards_[s].map.data() + i * stride_, entry.pivots, entry.least, entry.weight};
  }

 private:
  // Neighbours are filled by different threads.
  struct alignas(64) Shard {
    static constexpr std::uint64_t kEmpty = std::numeric_limits<std::uint64_t>::max();
    static constexpr std::size_t kSlotAhead = 16, kFlatAhead = 8;

    std::vector<Entry> flats;
    std::vector<T> map;
    std::vector<std::uint64_t> slot;  // hash, number: 32 bits each

    std::uint64_t take(const Outbox& box, std::size_t first, std::size_t last, std::size_t stride) {
      const std::size_t n = last - first;
      if (n == 0) return 0;
      const auto number = [&](std::size_t i) { return std::size_t{box.order_[first + i]}; };
      const auto hash = [&](std::size_t i) { return box.flats_[number(i)].hash; };
      if (flats.size() + n >= std::numeric_limits<std::uint32_t>::max())
        throw std::overflow_error("too many flats of one codimension");
      while (2 * (flats.size() + n) > slot.size()) grow();
      std::uint64_t known = 0;
      for (std::size_t i = 0; i < std::min(n, kSlotAhead); ++i) look_at_slot(hash(i));
      for (std::size_t i = 0; i < std::min(n, kFlatAhead); ++i) look_at_flat(hash(i), stride);
      for (std::size_t i = 0; i < n; ++i) {
        if (i + kSlotAhead < n) look_at_slot(hash(i + kSlotAhead));
        if (i + kFlatAhead < n) look_at_flat(hash(i + kFlatAhead), stride);
        const std::size_t at = number(i);
        known += !add(box.flats_[at], box.map_.data() + at * stride, stride);
      }
      return known;
    }

    void look_at_slot(std::uint32_t hash) const {
      __builtin_prefetch(slot.data() + (hash & (slot.size() - 1)));
    }
    void look_at_flat(std::uint32_t hash, std::size_t stride) const {
      const std::uint64_t at = slot[hash & (slot.size() - 1)];
      if (at == kEmpty) return;
      const std::size_t i = at & 0xffffffffu;
      __builtin_prefetch(flats.data() + i, 1);
      __builtin_prefetch(map.data() + i * stride);
    }

    bool add(const Entry& flat, const T* entries, std::size_t stride) {
      std::size_t at = flat.hash & (slot.size() - 1);
      for (; slot[at] != kEmpty; at = (at + 1) & (slot.size() - 1)) {
        if (slot[at] >> 32 != flat.hash) continue;
        const std::size_t i = slot[at] & 0xffffffffu;
        Entry& old = flats[i];
        if (old.pivots != flat.pivots ||
            !std::equal(entries, entries + stride, map.data() + i * stride))
          continue;
        if (old.least != flat.least) throw std::logic_error("a flat has two least hyperplanes");
        if (__builtin_add_overflow(old.weight, flat.weight, &old.weight))
          throw std::overflow_error("a Whitney number exceeds 128 bits");
        return false;
      }
      slot[at] = std::uint64_t{flat.hash} << 32 | flats.size();
      flats.push_back(flat);
      map.insert(map.end(), entries, entries + stride);
      return true;
    }
    void grow() {
      const std::vector<std::uint64_t> before = std::move(slot);
      slot.assign(std::max<std::size_t>(64, before.size() * 2), kEmpty);
      for (const std::uint64_t entry : before) {
        if (entry == kEmpty) continue;
        std::size_t at = (entry >> 32) & (slot.size() - 1);
        while (slot[at] != kEmpty) at = (at + 1) & (slot.size() - 1);
        slot[at] = entry;
      }
    }
    void clear() {
      flats.clear();
      map.clear();
      std::fill(slot.begin(), slot.end(), kEmpty);
    }
  };

  std::size_t stride_;
  std::array<Shard, kShards> shards_;
  std::array<std::size_t, kShards> start_{};
};

}  // namespace linear_regions
