// SPDX-License-Identifier: MIT
// Memory of tables that grow. New memory is zero, and growing does not touch what is there: on
// Linux the pages of an array of 2 MiB or more move to their new addresses as they are, and are
// huge ones where the system grants them, since a table that is read at random otherwise misses the
// translation cache of addresses at nearly every access.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

namespace linear_regions {

// `memory` of old_bytes (null where that is 0), made larger, with zeros behind; throws
// std::bad_alloc and leaves it as it is. Release it with its size.
void* grow_pages(void* memory, std::size_t old_bytes, std::size_t new_bytes);
void release_pages(void* memory, std::size_t bytes) noexcept;

// An array in such memory: `size()` elements, zero until written, of plain types only.
template <typename T>
class PageArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  PageArray() = default;
  explicit PageArray(std::size_t n) { grow(n); }
  PageArray(PageArray&& other) noexcept { swap(other); }
  PageArray& operator=(PageArray&& other) noexcept {
    swap(other);
    return *this;
  }
  ~PageArray() {
    if (size_ > 0) release_pages(data_, size_ * sizeof(T));
  }

  // Never smaller.
  void grow(std::size_t n) {
    if (n <= size_) return;
    if (n > SIZE_MAX / 2 / sizeof(T)) throw std::bad_alloc();
    data_ = static_cast<T*>(grow_pages(data_, size_ * sizeof(T), n * sizeof(T)));
    size_ = n;
  }
  void swap(PageArray& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] T* data() noexcept { return data_; }
  [[nodiscard]] const T* data() const noexcept { return data_; }
  T& operator[](std::size_t i) noexcept { return data_[i]; }
  const T& operator[](std::size_t i) const noexcept { return data_[i]; }
  [[nodiscard]] const T* begin() const noexcept { return data_; }
  [[nodiscard]] const T* end() const noexcept { return data_ + size_; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace linear_regions
