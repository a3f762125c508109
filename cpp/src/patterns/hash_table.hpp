// SPDX-License-Identifier: MIT
// A set of 64-bit or 128-bit hashes, with or without the number of times each was met.
//
// Open addressing with linear probing over a power-of-two table that is at most five eighths full.
// A slot is an array of words: the low hash, which is 0 where the slot is free, then the high one
// of 128 bits, then the times. Hashes whose low word is 0 (one of 2^64) live in a list beside it.
// The place of a hash is given by its lowest bits, so doubling the table reads the old slots in
// order and writes two runs in order.
//
// Cost: expected O(1) a hash; 8 bytes a slot and 8 more each for wide and for counted. One thread
// at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "linear_regions/hash.hpp"

namespace linear_regions {

template <bool kWide, bool kCounted>
class HashTable {
 public:
  static constexpr std::size_t kSlotWords = 1 + (kWide ? 1 : 0) + (kCounted ? 1 : 0);
  using Slot = std::array<Word, kSlotWords>;

  std::size_t size() const { return filled_ + zeros_.size(); }
  std::size_t memory_bytes() const { return (slots_.capacity() + zeros_.size()) * sizeof(Slot); }

  // Room for n more hashes: none of the next n insertions moves the table.
  void make_room(std::size_t n) {
    std::size_t wanted = slots_.empty() ? kMinSlots : slots_.size();
    while (8 * (filled_ + n) > 5 * wanted) wanted *= 2;
    if (wanted != slots_.size()) rebuild(wanted);
  }

  void prefetch(Word low) const { __builtin_prefetch(&slots_[low & (slots_.size() - 1)], 1); }

  // Needs room (make_room).
  void insert(Word low, [[maybe_unused]] Word high, [[maybe_unused]] Word times) {
    if (low == 0) {
      add_zero(high, times);
      return;
    }
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = low & mask;; at = (at + 1) & mask) {
      Slot& slot = slots_[at];
      if (slot[0] == 0) {
        slot[0] = low;
        if constexpr (kWide) slot[1] = high;
        if constexpr (kCounted) slot[kSlotWords - 1] = times;
        ++filled_;
        return;
      }
      if (slot[0] == low && (!kWide || slot[kHigh] == high)) {
        if constexpr (kCounted) slot[kSlotWords - 1] += times;
        return;
      }
    }
  }

  // Calls visit(low, high, times); times is 1 where they are not counted.
  template <typename Visit>
  void each(const Visit& visit) const {
    for (const Slot& slot : slots_)
      if (slot[0] != 0) visit(slot[0], kWide ? slot[kHigh] : 0, times_of(slot));
    for (const Slot& slot : zeros_) visit(Word{0}, kWide ? slot[kHigh] : 0, times_of(slot));
  }

  // Keeps the hashes for which keep(low) holds.
  template <typename Keep>
  void filter(const Keep& keep) {
    std::vector<Slot> old;
    old.swap(slots_);
    slots_.assign(old.size(), Slot{});
    filled_ = 0;
    for (const Slot& slot : old)
      if (slot[0] != 0 && keep(slot[0])) place(slot);
    if (!keep(0)) zeros_.clear();
  }

 private:
  static constexpr std::size_t kMinSlots = 16;
  static constexpr std::size_t kHigh = kWide ? 1 : 0;

  static Word times_of(const Slot& slot) {
    if constexpr (kCounted) return slot[kSlotWords - 1];
    return 1;
  }

  void place(const Slot& slot) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = slot[0] & mask;
    while (slots_[at][0] != 0) at = (at + 1) & mask;
    slots_[at] = slot;
    ++filled_;
  }

  void rebuild(std::size_t n_slots) {
    std::vector<Slot> slots(n_slots, Slot{});
    slots.swap(slots_);
    filled_ = 0;
    for (const Slot& slot : slots)
      if (slot[0] != 0) place(slot);
  }

  void add_zero(Word high, Word times) {
    for (Slot& slot : zeros_)
      if (!kWide || slot[kHigh] == high) {
        if constexpr (kCounted) slot[kSlotWords - 1] += times;
        return;
      }
    Slot slot{};
    if constexpr (kWide) slot[1] = high;
    if constexpr (kCounted) slot[kSlotWords - 1] = times;
    zeros_.push_back(slot);
  }

  std::vector<Slot> slots_;
  std::vector<Slot> zeros_;
  std::size_t filled_ = 0;
};

}  // namespace linear_regions
