// SPDX-License-Identifier: MIT
// Arena: memory in stack order. A depth-first search allocates as it descends and gives back
// everything above a mark when it returns; nothing is destroyed one by one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

namespace linear_regions {

class Arena {
 public:
  struct Mark {
    std::size_t chunk = 0, used = 0;
  };

  template <typename T>
  T* make(std::size_t n) {
    static_assert(std::is_trivially_destructible_v<T>);
    return static_cast<T*>(raw(n * sizeof(T)));
  }

  Mark mark() const { return {chunk_, used_}; }
  void release(Mark m) {
    chunk_ = m.chunk;
    used_ = m.used;
  }

 private:
  struct Chunk {
    std::unique_ptr<std::byte[]> data;
    std::byte* start = nullptr;  // aligned
    std::size_t size = 0;
  };

  void* raw(std::size_t bytes) {
    bytes = (bytes + 63) / 64 * 64;
    while (chunk_ < chunks_.size() && used_ + bytes > chunks_[chunk_].size) {
      ++chunk_;
      used_ = 0;
    }
    if (chunk_ == chunks_.size()) {
      Chunk c;
      c.size = bytes > kChunk ? bytes : kChunk;
      c.data = std::make_unique_for_overwrite<std::byte[]>(c.size + 64);
      const auto address = reinterpret_cast<std::uintptr_t>(c.data.get());
      c.start = c.data.get() + (64 - address % 64) % 64;
      chunks_.push_back(std::move(c));
      used_ = 0;
    }
    void* result = chunks_[chunk_].start + used_;
    used_ += bytes;
    return result;
  }

  // Pages that are not touched cost nothing. From the size of freed chunks the allocator of glibc
  // concludes how much free memory it keeps (twice as much): with small ones, a count that needs
  // some of them asks the system for the same pages in every call.
  static constexpr std::size_t kChunk = std::size_t{1} << 21;
  std::vector<Chunk> chunks_;
  std::size_t chunk_ = 0, used_ = 0;
};

}  // namespace linear_regions
