// SPDX-License-Identifier: MIT
//
// The states of one step of a frontier count: a hash map from byte vectors to residues.
//
// Rows lie in blocks of memory that never move: `key_bytes` of key, padded to a multiple of 8, then
// one 64-bit residue per lane. The table holds, per row, its number and 32 bits of its hash; equal
// keys are found by comparing all bytes. A lookup costs two or three cache misses, so that callers
// announce keys some time before they need them (`prefetch_slot`, `prefetch_row`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace linear_regions::one_layer {

class StateMap {
 public:
  StateMap(std::size_t key_bytes, std::size_t lanes)
      : key_bytes_((key_bytes + 7) / 8 * 8),
        row_bytes_(key_bytes_ + 8 * lanes),
        slots_(kFirstSlots, Slot{0, kEmpty}) {
    // About a megabyte a block, and a power of two rows: a number is split by shifts.
    while (shift_ > 0 && (row_bytes_ << shift_) > (std::size_t{1} << 20)) --shift_;
  }

  std::size_t size() const { return size_; }
  std::size_t key_bytes() const { return key_bytes_; }
  std::uint64_t bytes() const {
    return std::uint64_t{blocks_.size()} * (row_bytes_ << shift_) + slots_.size() * sizeof(Slot);
  }

  unsigned char* key(std::size_t row) {
    return blocks_[row >> shift_].get() + (row & ((std::size_t{1} << shift_) - 1)) * row_bytes_;
  }
  std::uint64_t* counts(std::size_t row) {
    return reinterpret_cast<std::uint64_t*>(key(row) + key_bytes_);
  }

  // The hash must not be computed twice: `hash` is of the padded key.
  static std::uint64_t hash(const unsigned char* key, std::size_t padded_bytes) {
    std::uint64_t a = 0x9e3779b97f4a7c15, b = 0x243f6a8885a308d3;
    std::size_t i = 0;
    for (; i + 16 <= padded_bytes; i += 16) {
      std::uint64_t x, y;
      std::memcpy(&x, key + i, 8);
      std::memcpy(&y, key + i + 8, 8);
      a = (a ^ x) * 0xbf58476d1ce4e5b9;
      b = (b ^ y) * 0x94d049bb133111eb;
      a ^= a >> 29;
      b ^= b >> 31;
    }
    if (i < padded_bytes) {
      std::uint64_t x;
      std::memcpy(&x, key + i, 8);
      a = (a ^ x) * 0xbf58476d1ce4e5b9;
    }
    a = (a ^ (b + (a >> 32))) * 0xbf58476d1ce4e5b9;
    return a ^ (a >> 32);
  }

  void prefetch_slot(std::uint64_t hash) const { __builtin_prefetch(&slots_[hash & mask()]); }
  // The row that probably has this key, if any.
  void prefetch_row(std::uint64_t hash) {
    std::size_t i = hash & mask();
    for (;; i = (i + 1) & mask()) {
      if (slots_[i].row == kEmpty) return;
      if (slots_[i].tag == tag_of(hash)) break;
    }
    const unsigned char* row = key(slots_[i].row);
    for (std::size_t offset = 0; offset < row_bytes_; offset += 64)
      __builtin_prefetch(row + offset);
  }

  // The row of a key; a new one has zero residues.
  std::size_t find_or_insert(const unsigned char* wanted, std::uint64_t hash) {
    std::size_t i = hash & mask();
    for (;; i = (i + 1) & mask()) {
      if (slots_[i].row == kEmpty) break;
      if (slots_[i].tag == tag_of(hash) && std::memcmp(key(slots_[i].row), wanted, key_bytes_) == 0)
        return slots_[i].row;
    }
    const std::size_t row = size_++;
    if (row >> shift_ == blocks_.size())
      blocks_.push_back(std::make_unique<unsigned char[]>(row_bytes_ << shift_));
    std::memcpy(key(row), wanted, key_bytes_);
    slots_[i] = {tag_of(hash), static_cast<std::uint32_t>(row)};
    if (2 * size_ > slots_.size()) grow();
    return row;
  }

 private:
  struct Slot {
    std::uint32_t tag;
    std::uint32_t row;
  };
  static constexpr std::uint32_t kEmpty = ~0u;
  static constexpr std::size_t kFirstSlots = 256;

  std::size_t mask() const { return slots_.size() - 1; }
  static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

  void grow() {
    std::vector<Slot> old(slots_.size() * 4, Slot{0, kEmpty});
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.row == kEmpty) continue;
      std::size_t i = hash(key(slot.row), key_bytes_) & mask();
      while (slots_[i].row != kEmpty) i = (i + 1) & mask();
      slots_[i] = slot;
    }
  }

  std::size_t key_bytes_, row_bytes_;
  unsigned shift_ = 12;
  std::size_t size_ = 0;
  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<unsigned char[]>> blocks_;
};

}  // namespace linear_regions::one_layer
