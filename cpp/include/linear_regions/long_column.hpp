// SPDX-License-Identifier: MIT
// LongColumn: numbers of one kind that are added at the end, up to some thousand millions.
//
// What a list of regions costs is largely memory: pages that the system hands out and clears, one
// by one. Here a long column grows without being copied, in large pages where the system has them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace linear_regions {

// Blocks of this many bytes and more are taken from the system, and are best asked for with room:
// pages that are not touched cost nothing.
inline constexpr std::size_t kLongBlock = std::size_t{1} << 19, kLongRoom = std::size_t{1} << 23;

// A block of memory of `from` bytes (none: nullptr) as one of `to` bytes with the same beginning;
// frees it where `to` is zero. Throws std::bad_alloc, and then the block is as before.
void* resize_block(void* block, std::size_t from, std::size_t to);

template <typename T>
class LongColumn {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  LongColumn() = default;
  LongColumn(const LongColumn& other) { append(other.begin(), other.end()); }
  LongColumn(LongColumn&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        room_(std::exchange(other.room_, 0)) {}
  LongColumn& operator=(LongColumn other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(room_, other.room_);
    return *this;
  }
  ~LongColumn() {
    if (data_ != nullptr) resize_block(data_, room_ * sizeof(T), 0);
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  friend bool operator==(const LongColumn& a, const LongColumn& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

  // The first of n more, whose values are left open.
  T* grow(std::size_t n) {
    if (n > room_ - size_) {
      const std::size_t room = std::max(size_ + n, 2 * size_ + kFirst);
      make_room(room * sizeof(T) < kLongBlock ? room : std::max(room, kLongRoom / sizeof(T)));
    }
    size_ += n;
    return end() - n;
  }
  void push_back(T value) { *grow(1) = value; }
  void append(const T* first, const T* last) {
    const auto n = static_cast<std::size_t>(last - first);
    std::copy_n(first, n, grow(n));
  }
  void shrink(std::size_t n) { size_ = n; }  // n <= size()
  void give_back_room() { make_room(size_); }

 private:
  static constexpr std::size_t kFirst = 64;

  void make_room(std::size_t n) {
    data_ = static_cast<T*>(resize_block(data_, room_ * sizeof(T), n * sizeof(T)));
    room_ = n;
  }

  T* data_ = nullptr;
  std::size_t size_ = 0, room_ = 0;
};

}  // namespace linear_regions
