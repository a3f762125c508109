// SPDX-License-Identifier: MIT
#include "linear_regions/long_column.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace linear_regions {
namespace {

#ifdef __linux__
// The system moves blocks by changing page tables.
void* long_block(void* block, std::size_t from, std::size_t to) {
  void* got = block == nullptr
                  ? mmap(nullptr, to, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                  : mremap(block, from, to, MREMAP_MAYMOVE);
  if (got == MAP_FAILED) throw std::bad_alloc();
  (void)madvise(got, to, MADV_HUGEPAGE);  // a wish: nothing depends on it
  return got;
}

void* mixed_block(void* block, std::size_t from, std::size_t to) {
  if (from >= kLongBlock && to >= kLongBlock) return long_block(block, from, to);
  // From the one kind to the other.
  void* got = to >= kLongBlock ? long_block(nullptr, 0, to) : std::malloc(to);
  if (got == nullptr) throw std::bad_alloc();
  if (block != nullptr) {
    std::memcpy(got, block, from < to ? from : to);
    if (from >= kLongBlock)
      munmap(block, from);
    else
      std::free(block);
  }
  return got;
}
#endif

}  // namespace

void* resize_block(void* block, std::size_t from, std::size_t to) {
  if (to > PTRDIFF_MAX) throw std::bad_alloc();
#ifdef __linux__
  if (from >= kLongBlock && to == 0) {
    munmap(block, from);
    return nullptr;
  }
  if (from >= kLongBlock || to >= kLongBlock) return mixed_block(block, from, to);
#endif
  if (to == 0) {
    std::free(block);
    return nullptr;
  }
  void* got = std::realloc(block, to);
  if (got == nullptr) throw std::bad_alloc();
  return got;
}

}  // namespace linear_regions
