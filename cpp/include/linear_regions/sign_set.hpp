// SPDX-License-Identifier: MIT
//
// A set of packed sign vectors of one width, with the number of times each was inserted.
//
// Open addressing with linear probing over a power-of-two table that is at most half full. A slot
// is 0 when free; otherwise it holds the row's number plus one in its low 40 bits and 24 bits of
// the row's hash above them. The tag only saves visits to rows: two rows are equal when all their
// words are. Rows are kept in the order of their first insertion, which is the order that callers
// see.
//
// Cost: expected O(width) a row; memory 8 * (width + 1) bytes a distinct row and 16 to 32 bytes of
// table. One thread at a time may write; any number may read while nobody writes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "linear_regions/hash.hpp"
#include "linear_regions/page_allocator.hpp"
#include "linear_regions/sign_vector.hpp"

namespace linear_regions {

class SignSet {
 public:
  struct Insertion {
    std::size_t index;  // number of the row among the distinct rows
    bool inserted;      // false when the row was there already
  };

  // A set of rows of `width` words; width 0 is allowed, and then all rows are equal.
  explicit SignSet(std::size_t width) : width_(width), slots_(kMinSlots) { reserve(kMinSlots / 2); }

  // Prepare for n distinct rows in all.
  void reserve(std::size_t n) {
    words_.grow(n * width_);
    counts_.grow(n);
    std::size_t wanted = slots_.size();
    while (wanted < 2 * n) wanted *= 2;
    if (wanted != slots_.size()) rebuild(wanted);
  }

  // Insert one row, `times` times.
  Insertion insert(std::span<const Word> row, std::uint64_t times = 1) {
    if (row.size() != width_) throw std::invalid_argument("a row has the wrong number of words");
    make_room();
    return insert_hashed(row.data(), hash_words(row.data(), width_), times);
  }

  // Insert n rows that lie one behind the other; returns how many of them were new.
  std::size_t insert_rows(std::span<const Word> rows, std::size_t n) {
    if (rows.size() != n * width_) throw std::invalid_argument("rows have the wrong size");
    const std::size_t before = size();
    std::uint64_t hashes[kBlock];
    for (std::size_t first = 0; first < n; first += kBlock) {
      const std::size_t count = n - first < kBlock ? n - first : kBlock;
      // Hashing a block ahead lets the loads of its slots overlap: they miss the cache in big sets.
      for (std::size_t i = 0; i < count; ++i) {
        hashes[i] = hash_words(rows.data() + (first + i) * width_, width_);
        __builtin_prefetch(&slots_[hashes[i] & (slots_.size() - 1)]);
      }
      for (std::size_t i = 0; i < count; ++i) {
        make_room();
        insert_hashed(rows.data() + (first + i) * width_, hashes[i], 1);
      }
    }
    return size() - before;
  }

  // Insert the rows of a block whose numbers are in `order`. `hashes` holds hash_words of every row
  // of the block; `times` too, or is null for once each.
  void insert_chosen(const Word* block, const Word* hashes, const std::uint64_t* times,
                     std::span<const std::uint16_t> order) {
    // The load of a slot is under way long before that of the row it points at, and that before
    // the work.
    const std::size_t n = order.size();
    for (std::size_t k = 0; k < n + 2 * kAhead; ++k) {
      if (k < n) __builtin_prefetch(&slots_[hashes[order[k]] & (slots_.size() - 1)]);
      if (k >= kAhead && k - kAhead < n) {
        const std::uint64_t slot = slots_[hashes[order[k - kAhead]] & (slots_.size() - 1)];
        if (slot != 0) __builtin_prefetch(words_.data() + ((slot & kIndexMask) - 1) * width_);
      }
      if (k < 2 * kAhead) continue;
      const std::uint16_t i = order[k - 2 * kAhead];
      make_room();
      insert_hashed(block + i * width_, hashes[i], times == nullptr ? 1 : times[i]);
    }
  }

  [[nodiscard]] bool contains(std::span<const Word> row) const {
    if (row.size() != width_) throw std::invalid_argument("a row has the wrong number of words");
    const std::uint64_t hash = hash_words(row.data(), width_);
    return slots_[find_slot(row.data(), hash)] != 0;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t width() const noexcept { return width_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return sizeof(Word) * (words_.size() + counts_.size() + slots_.size());
  }

  // Distinct row i, in the order of first insertion; valid until the next insertion.
  [[nodiscard]] std::span<const Word> row(std::size_t i) const noexcept {
    return {words_.data() + i * width_, width_};
  }

  // All distinct rows one behind the other, and how often each was inserted.
  [[nodiscard]] std::span<const Word> rows() const noexcept {
    return {words_.data(), size_ * width_};
  }
  [[nodiscard]] std::span<const std::uint64_t> counts() const noexcept {
    return {counts_.data(), size_};
  }

 private:
  static constexpr std::size_t kMinSlots = 16;
  static constexpr std::size_t kBlock = 32;
  static constexpr std::size_t kAhead = 16;
  static constexpr unsigned kIndexBits = 40;
  static constexpr std::uint64_t kIndexMask = (std::uint64_t{1} << kIndexBits) - 1;

  // Room for one more row everywhere, before anything changes: what follows cannot throw.
  void make_room() {
    if (size() == kIndexMask - 1) throw std::length_error("a sign set holds 2^40 - 2 rows at most");
    if (size_ == counts_.size()) reserve(std::max(2 * size_, kMinSlots));
  }

  // The slot that holds the row, or the free slot where it belongs.
  [[nodiscard]] std::size_t find_slot(const Word* row, std::uint64_t hash) const noexcept {
    const std::size_t mask = slots_.size() - 1;
    const std::uint64_t tag = hash & ~kIndexMask;
    for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
      const std::uint64_t slot = slots_[at];
      if (slot == 0) return at;
      if ((slot & ~kIndexMask) == tag) {
        const std::size_t index = (slot & kIndexMask) - 1;
        if (equal_words(row, words_.data() + index * width_, width_)) return at;
      }
    }
  }

  Insertion insert_hashed(const Word* row, std::uint64_t hash, std::uint64_t times) {
    const std::size_t at = find_slot(row, hash);
    if (slots_[at] != 0) {
      const std::size_t index = (slots_[at] & kIndexMask) - 1;
      counts_[index] += times;
      return {index, false};
    }
    const std::size_t index = size();
    std::copy_n(row, width_, words_.data() + index * width_);
    counts_[index] = times;
    ++size_;
    slots_[at] = (hash & ~kIndexMask) | (index + 1);
    return {index, true};
  }

  // Hashes are not stored: doubling visits each row once, which costs less than eight bytes a row.
  void rebuild(std::size_t n_slots) {
    const std::size_t before = slots_.size();
    slots_.grow(n_slots);
    std::fill_n(slots_.data(), before, std::uint64_t{0});
    std::uint64_t hashes[kBlock];
    for (std::size_t first = 0; first < size_; first += kBlock) {
      const std::size_t count = std::min(kBlock, size_ - first);
      for (std::size_t i = 0; i < count; ++i) {
        hashes[i] = hash_words(words_.data() + (first + i) * width_, width_);
        __builtin_prefetch(&slots_[hashes[i] & (n_slots - 1)], 1);
      }
      for (std::size_t i = 0; i < count; ++i) {
        std::size_t at = hashes[i] & (n_slots - 1);
        while (slots_[at] != 0) at = (at + 1) & (n_slots - 1);
        slots_[at] = (hashes[i] & ~kIndexMask) | (first + i + 1);
      }
    }
  }

  std::size_t width_;
  PageArray<Word> words_;            // rows in the order of their numbers, then room
  PageArray<std::uint64_t> counts_;  // as many as there is room for
  PageArray<std::uint64_t> slots_;
  std::size_t size_ = 0;
};

}  // namespace linear_regions
