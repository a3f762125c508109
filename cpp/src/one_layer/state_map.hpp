// SPDX-License-Identifier: MIT
//
// The states of one step of a frontier count: a hash map from byte vectors to residues.
//
// Rows lie in blocks of memory that never move: `key_bytes` of key, padded to a multiple of 8, then
// one 64-bit residue per lane. The table holds, per row, its number and 32 bits of its hash, which
// also say where to look; equal keys are found by comparing all bytes. A lookup costs two or three
// cache misses, so that callers announce keys some time before they need them (`prefetch_slot`,
// `prefetch_row`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace linear_regions::one_layer {

// Blocks of memory that the maps of one count hand on to each other: fresh pages cost more than
// the rows that are written to them.
class BlockPool {
 public:
  static constexpr std::size_t kBlockBytes = std::size_t{1} << 21;  // a large page
  struct Free {
    void operator()(unsigned char* memory) const { std::free(memory); }
  };
  using Block = std::unique_ptr<unsigned char[], Free>;

  // At least `bytes` of memory, not cleared. `large`: all of it will be used, so that large pages
  // are worth their clearing.
  Block take(std::size_t bytes, bool large) {
    if (bytes <= kBlockBytes && !spare_.empty()) {
      Block block = std::move(spare_.back());
      spare_.pop_back();
      return block;
    }
    const std::size_t whole = (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
    Block block(static_cast<unsigned char*>(std::aligned_alloc(kBlockBytes, whole)));
    if (block == nullptr) throw std::bad_alloc();
#if defined(__linux__)
    if (large) madvise(block.get(), whole, MADV_HUGEPAGE);  // advice only
#else
    static_cast<void>(large);
#endif
    return block;
  }
  void give_back(Block block, std::size_t bytes) {
    if (bytes <= kBlockBytes) spare_.push_back(std::move(block));
  }

 private:
  std::vector<Block> spare_;
};

class StateMap {
 public:
  StateMap(std::size_t key_bytes, std::size_t lanes, BlockPool& pool)
      : pool_(&pool),
        key_bytes_((key_bytes + 7) / 8 * 8),
        row_bytes_(key_bytes_ + 8 * lanes),
        slots_(kFirstSlots, Slot{0, kEmpty}) {
    // A power of two rows in a block: a number is split by shifts.
    while (shift_ > 0 && (row_bytes_ << shift_) > BlockPool::kBlockBytes) --shift_;
  }
  StateMap(StateMap&&) = default;
  StateMap& operator=(StateMap&& other) noexcept {
    release();
    pool_ = other.pool_;
    key_bytes_ = other.key_bytes_;
    row_bytes_ = other.row_bytes_;
    shift_ = other.shift_;
    size_ = other.size_;
    slots_ = std::move(other.slots_);
    blocks_ = std::move(other.blocks_);
    other.blocks_.clear();
    return *this;
  }
  ~StateMap() { release(); }

  std::size_t size() const { return size_; }
  std::size_t key_bytes() const { return key_bytes_; }
  std::uint64_t bytes() const {
    return std::uint64_t{size_} * row_bytes_ + slots_.size() * sizeof(Slot);
  }

  unsigned char* key(std::size_t row) {
    return blocks_[row >> shift_].get() + (row & ((std::size_t{1} << shift_) - 1)) * row_bytes_;
  }
  std::uint64_t* counts(std::size_t row) {
    return reinterpret_cast<std::uint64_t*>(key(row) + key_bytes_);
  }

  void prefetch_slot(std::uint32_t hash) const { __builtin_prefetch(&slots_[hash & mask()]); }
  // The row that probably has this key, if any.
  void prefetch_row(std::uint32_t hash) {
    std::size_t i = hash & mask();
    for (;; i = (i + 1) & mask()) {
      if (slots_[i].row == kEmpty) return;
      if (slots_[i].hash == hash) break;
    }
    const unsigned char* row = key(slots_[i].row);
    for (std::size_t offset = 0; offset < row_bytes_; offset += 64)
      __builtin_prefetch(row + offset);
  }

  // Adds a row with this key (padding included) as the next one; it can be found by its number
  // only.
  void append(const unsigned char* wanted) { std::memcpy(new_row(), wanted, key_bytes_); }

  // By row, the row of the same key in another map; empty where the keys of the two differ.
  std::vector<std::uint32_t> numbers_in(StateMap& other) {
    std::vector<std::uint32_t> numbers(size_);
    if (other.size_ != size_ || other.key_bytes_ != key_bytes_) return {};
    for (const Slot& slot : slots_) {
      if (slot.row == kEmpty) continue;
      const std::size_t i = other.slot_of(key(slot.row), slot.hash);
      if (other.slots_[i].row == kEmpty) return {};
      numbers[slot.row] = other.slots_[i].row;
    }
    return numbers;
  }

  // The row of a key; a new one has zero residues.
  std::size_t find_or_insert(const unsigned char* wanted, std::uint32_t hash) {
    const std::size_t i = slot_of(wanted, hash);
    if (slots_[i].row != kEmpty) return slots_[i].row;
    const std::size_t row = size_;
    std::memcpy(new_row(), wanted, key_bytes_);
    slots_[i] = {hash, static_cast<std::uint32_t>(row)};
    if (2 * size_ > slots_.size()) grow();
    return row;
  }

 private:
  struct Slot {
    std::uint32_t hash;
    std::uint32_t row;
  };
  static constexpr std::uint32_t kEmpty = ~0u;
  static constexpr std::size_t kFirstSlots = 256;

  std::size_t mask() const { return slots_.size() - 1; }

  std::size_t slot_of(const unsigned char* wanted, std::uint32_t hash) {
    std::size_t i = hash & mask();
    while (slots_[i].row != kEmpty &&
           (slots_[i].hash != hash || std::memcmp(key(slots_[i].row), wanted, key_bytes_) != 0))
      i = (i + 1) & mask();
    return i;
  }

  unsigned char* new_row() {
    const std::size_t row = size_++;
    if (row >> shift_ == blocks_.size())
      blocks_.push_back(pool_->take(row_bytes_ << shift_, !blocks_.empty()));
    unsigned char* at = key(row);
    std::memset(at + key_bytes_, 0, row_bytes_ - key_bytes_);
    return at;
  }

  void grow() {
    std::vector<Slot> old(slots_.size() * 4, Slot{0, kEmpty});
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.row == kEmpty) continue;
      std::size_t i = slot.hash & mask();
      while (slots_[i].row != kEmpty) i = (i + 1) & mask();
      slots_[i] = slot;
    }
  }

  void release() {
    for (BlockPool::Block& block : blocks_)
      if (block != nullptr) pool_->give_back(std::move(block), row_bytes_ << shift_);
    blocks_.clear();
  }

  BlockPool* pool_;
  std::size_t key_bytes_, row_bytes_;
  unsigned shift_ = 14;
  std::size_t size_ = 0;
  std::vector<Slot> slots_;
  std::vector<BlockPool::Block> blocks_;
};

}  // namespace linear_regions::one_layer
