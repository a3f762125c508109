// SPDX-License-Identifier: MIT
// FlatStore: the flats of one codimension, each once, with their weights added up.
//
// A flat of codimension k in affine r - 1 dimensions is the map that gives its k pivot coordinates
// as affine functions of the s = r - 1 - k free ones: k rows of s + 1 entries (constant last), by
// ascending pivot. That form is unique. Shards let several threads add at a time.
//
// Numbers. A flat is added by the flats of the level above that it is a restriction of, at several
// places of the search; its *origin* is the first of these places, however many threads search and
// whichever comes first. Flats are numbered shard by shard, by their origins. With one thread that
// is the order in which they came, so neighbours stay neighbours in memory and nothing is sorted.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "arrangement/fields.hpp"

namespace linear_regions {

template <class T>
class FlatStore {
 public:
  struct Flat {
    const T* map;
    std::uint64_t pivots;  // bit c: coordinate c is a pivot
    std::uint32_t least;   // m(X)
    Wide128 weight;
  };

  explicit FlatStore(std::size_t stride) : stride_(stride) {}

  // `place`: where in the search, a number of its own for every call of add since `clear`. True
  // where the flat is new.
  bool add(const T* map, std::uint64_t pivots, std::uint32_t least, Wide128 weight,
           std::uint64_t place) {
    std::uint64_t h = pivots * 0x9e3779b97f4a7c15u;
    for (std::size_t i = 0; i < stride_; ++i) h = (h ^ map[i]) * 0xff51afd7ed558ccdu ^ (h >> 29);
    h ^= h >> 32;
    h *= 0xc4ceb9fe1a85ec53u;
    Shard& shard = shards_[h >> 58];
    const std::lock_guard<std::mutex> lock(shard.mutex);
    return shard.add(map, stride_, {pivots, least, weight, place},
                     static_cast<std::uint32_t>(h >> 20));
  }
  std::size_t size() const {
    std::size_t total = 0;
    for (const auto& shard : shards_) total += shard.weight.size();
    return total;
  }
  std::size_t bytes() const { return size() * (stride_ * sizeof(T) + sizeof(Wide128) + 32); }
  void clear() {
    for (auto& shard : shards_) shard.clear();
  }
  // Gives every flat its number; valid until the next add.
  void number() {
    std::size_t total = 0;
    for (std::size_t s = 0; s < kShards; ++s) {
      start_[s] = total;
      total += shards_[s].weight.size();
      shards_[s].sort();
    }
  }
  Flat at(std::size_t index) const {
    const auto s = static_cast<std::size_t>(std::upper_bound(start_.begin(), start_.end(), index) -
                                            start_.begin() - 1);
    const Shard& shard = shards_[s];
    std::size_t i = index - start_[s];
    if (!shard.order.empty()) i = shard.order[i];
    return {shard.map.data() + i * stride_, shard.pivots[i], shard.least[i], shard.weight[i]};
  }

 private:
  static constexpr std::size_t kShards = 64;
  static constexpr std::uint32_t kEmpty = std::numeric_limits<std::uint32_t>::max();

  struct New {
    std::uint64_t pivots;
    std::uint32_t least;
    Wide128 weight;
    std::uint64_t place;
  };

  struct Shard {
    std::mutex mutex;
    std::vector<T> map;
    std::vector<std::uint64_t> pivots, origin;
    std::vector<std::uint32_t> least, slot, hash;
    std::vector<Wide128> weight;
    std::vector<std::uint32_t> order;  // by origin; empty: as they came

    bool add(const T* entries, std::size_t stride, const New& flat, std::uint32_t h) {
      if (2 * (weight.size() + 1) > slot.size()) grow();
      std::size_t at = h & (slot.size() - 1);
      for (; slot[at] != kEmpty; at = (at + 1) & (slot.size() - 1)) {
        const std::size_t i = slot[at];
        if (hash[i] != h || pivots[i] != flat.pivots ||
            !std::equal(entries, entries + stride, map.data() + i * stride))
          continue;
        if (least[i] != flat.least) throw std::logic_error("a flat has two least hyperplanes");
        if (__builtin_add_overflow(weight[i], flat.weight, &weight[i]))
          throw std::overflow_error("a Whitney number exceeds 128 bits");
        origin[i] = std::min(origin[i], flat.place);
        return false;
      }
      if (weight.size() >= kEmpty) throw std::overflow_error("too many flats for one shard");
      slot[at] = static_cast<std::uint32_t>(weight.size());
      map.insert(map.end(), entries, entries + stride);
      pivots.push_back(flat.pivots);
      least.push_back(flat.least);
      weight.push_back(flat.weight);
      origin.push_back(flat.place);
      hash.push_back(h);
      return true;
    }
    void grow() {
      const std::size_t size = std::max<std::size_t>(64, slot.size() * 2);
      slot.assign(size, kEmpty);
      for (std::size_t i = 0; i < hash.size(); ++i) {
        std::size_t at = hash[i] & (size - 1);
        while (slot[at] != kEmpty) at = (at + 1) & (size - 1);
        slot[at] = static_cast<std::uint32_t>(i);
      }
    }
    void sort() {
      order.clear();
      if (std::is_sorted(origin.begin(), origin.end())) return;
      order.resize(origin.size());
      std::iota(order.begin(), order.end(), 0u);
      std::sort(order.begin(), order.end(),
                [this](std::uint32_t a, std::uint32_t b) { return origin[a] < origin[b]; });
    }
    void clear() {
      order.clear();
      map.clear();
      pivots.clear();
      least.clear();
      origin.clear();
      hash.clear();
      weight.clear();
      std::fill(slot.begin(), slot.end(), kEmpty);
    }
  };

  std::size_t stride_;
  std::array<Shard, kShards> shards_;
  std::array<std::size_t, kShards> start_{};
};

}  // namespace linear_regions
