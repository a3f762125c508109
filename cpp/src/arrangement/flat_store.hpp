// SPDX-License-Identifier: MIT
// FlatStore: the flats of one codimension, each once, with their weights added up.
//
// A flat of codimension k in affine r - 1 dimensions is the map that gives its k pivot coordinates
// as affine functions of the s = r - 1 - k free ones: k rows of s + 1 entries (constant last), by
// ascending pivot. That form is unique. Shards let several threads add at a time.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
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

  // True where the flat is new.
  bool add(const T* map, std::uint64_t pivots, std::uint32_t least, Wide128 weight) {
    std::uint64_t h = pivots * 0x9e3779b97f4a7c15u;
    for (std::size_t i = 0; i < stride_; ++i) h = (h ^ map[i]) * 0xff51afd7ed558ccdu ^ (h >> 29);
    h ^= h >> 32;
    h *= 0xc4ceb9fe1a85ec53u;
    Shard& shard = shards_[h >> 58];
    const std::lock_guard<std::mutex> lock(shard.mutex);
    return shard.add(map, stride_, pivots, least, weight, static_cast<std::uint32_t>(h >> 20));
  }
  std::size_t size() const {
    std::size_t total = 0;
    for (const auto& shard : shards_) total += shard.weight.size();
    return total;
  }
  std::size_t bytes() const { return size() * (stride_ * sizeof(T) + sizeof(Wide128) + 24); }
  void clear() {
    for (auto& shard : shards_) shard.clear();
  }
  // Flats in one numbering; valid until the next add. `lasting`: the same one for the same flats,
  // whichever thread added which first.
  void number(bool lasting) {
    std::size_t total = 0;
    for (std::size_t s = 0; s < kShards; ++s) {
      start_[s] = total;
      total += shards_[s].weight.size();
      lasting ? shards_[s].sort(stride_) : shards_[s].order.clear();
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

  struct Shard {
    std::mutex mutex;
    std::vector<T> map;
    std::vector<std::uint64_t> pivots;
    std::vector<std::uint32_t> least, slot, hash;
    std::vector<Wide128> weight;
    std::vector<std::uint32_t> order;  // by hash, then by map; empty: as they came

    bool add(const T* entries, std::size_t stride, std::uint64_t pivot_bits, std::uint32_t m,
             Wide128 w, std::uint32_t h) {
      if (2 * (weight.size() + 1) > slot.size()) grow();
      std::size_t at = h & (slot.size() - 1);
      for (; slot[at] != kEmpty; at = (at + 1) & (slot.size() - 1)) {
        const std::size_t i = slot[at];
        if (hash[i] != h || pivots[i] != pivot_bits ||
            !std::equal(entries, entries + stride, map.data() + i * stride))
          continue;
        if (least[i] != m) throw std::logic_error("a flat has two least hyperplanes");
        if (__builtin_add_overflow(weight[i], w, &weight[i]))
          throw std::overflow_error("a Whitney number exceeds 128 bits");
        return false;
      }
      if (weight.size() >= kEmpty) throw std::overflow_error("too many flats for one shard");
      slot[at] = static_cast<std::uint32_t>(weight.size());
      map.insert(map.end(), entries, entries + stride);
      pivots.push_back(pivot_bits);
      least.push_back(m);
      weight.push_back(w);
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
    void sort(std::size_t stride) {
      std::vector<std::uint64_t> keyed(hash.size());
      for (std::size_t i = 0; i < hash.size(); ++i) keyed[i] = std::uint64_t{hash[i]} << 32 | i;
      std::sort(keyed.begin(), keyed.end());
      order.resize(keyed.size());
      for (std::size_t i = 0; i < keyed.size(); ++i)
        order[i] = static_cast<std::uint32_t>(keyed[i]);
      const auto before = [&](std::uint32_t a, std::uint32_t b) {
        if (pivots[a] != pivots[b]) return pivots[a] < pivots[b];
        const auto first = map.begin() + static_cast<std::ptrdiff_t>(a * stride);
        const auto second = map.begin() + static_cast<std::ptrdiff_t>(b * stride);
        const auto n = static_cast<std::ptrdiff_t>(stride);
        return std::lexicographical_compare(first, first + n, second, second + n);
      };
      for (std::size_t i = 0; i < order.size();) {
        std::size_t j = i + 1;
        while (j < order.size() && hash[order[j]] == hash[order[i]]) ++j;
        if (j > i + 1)
          std::sort(order.begin() + static_cast<std::ptrdiff_t>(i),
                    order.begin() + static_cast<std::ptrdiff_t>(j), before);
        i = j;
      }
    }
    void clear() {
      order.clear();
      map.clear();
      pivots.clear();
      least.clear();
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
