// SPDX-License-Identifier: MIT
#include "linear_regions/page_allocator.hpp"

#include <cstring>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace linear_regions {
namespace {

constexpr std::align_val_t kLine{64};  // of a cache

#if defined(__linux__)
constexpr std::size_t kHuge = std::size_t{1} << 21;  // of x86-64, and of ARM with pages of 4 KiB

std::size_t whole_pages(std::size_t bytes) {
  return (bytes + kHuge - 1) & ~(kHuge - 1);
}

bool is_mapped(std::size_t bytes) {
  return bytes >= kHuge;
}

// Zeros at a multiple of kHuge: only so do huge pages fit, and move as one.
void* mapped(std::size_t bytes) {
  void* all =
      mmap(nullptr, bytes + kHuge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED) throw std::bad_alloc();
  auto* begin = static_cast<char*>(all);
  const std::size_t before = (kHuge - reinterpret_cast<std::uintptr_t>(begin) % kHuge) % kHuge;
  if (before > 0) munmap(begin, before);
  if (before < kHuge) munmap(begin + before + bytes, kHuge - before);
  begin += before;
  madvise(begin, bytes, MADV_HUGEPAGE);  // advice: where it is not taken, pages are small
  return begin;
}

void* moved(void* memory, std::size_t old_bytes, std::size_t new_bytes) {
  void* to = mapped(new_bytes);
  if (mremap(memory, old_bytes, old_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED)
    return to;
  munmap(to, new_bytes);
  throw std::bad_alloc();
}
#endif

}  // namespace

void* grow_pages(void* memory, std::size_t old_bytes, std::size_t new_bytes) {
#if defined(__linux__)
  if (is_mapped(new_bytes)) {
    if (is_mapped(old_bytes)) {
      if (whole_pages(old_bytes) == whole_pages(new_bytes)) return memory;
      return moved(memory, whole_pages(old_bytes), whole_pages(new_bytes));
    }
    void* to = mapped(whole_pages(new_bytes));
    if (old_bytes > 0) std::memcpy(to, memory, old_bytes);
    if (old_bytes > 0) ::operator delete(memory, kLine);
    return to;
  }
#endif
  auto* larger = static_cast<char*>(::operator new(new_bytes, kLine));
  if (old_bytes > 0) std::memcpy(larger, memory, old_bytes);
  std::memset(larger + old_bytes, 0, new_bytes - old_bytes);
  if (old_bytes > 0) ::operator delete(memory, kLine);
  return larger;
}

void release_pages(void* memory, [[maybe_unused]] std::size_t bytes) noexcept {
#if defined(__linux__)
  if (is_mapped(bytes)) {
    munmap(memory, whole_pages(bytes));
    return;
  }
#endif
  ::operator delete(memory, kLine);
}

}  // namespace linear_regions
