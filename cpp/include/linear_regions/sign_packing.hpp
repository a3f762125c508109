// SPDX-License-Identifier: MIT
// From the pre-activations of layers, as somebody else's arrays, to packed patterns.
//
// Rows are samples. A layer of n units with k breakpoints takes n k bits, k for each unit in
// increasing order of the breakpoints, behind the bits of the layers before it: the layout of
// activation patterns (docs/design/sign-format.md). Comparisons are exact: a breakpoint is rounded
// down to the element type, which changes no comparison with a number of that type.
//
// Cost: one pass over the values; the vector kernels need neighbouring units of a row to be
// neighbours in memory, other rows are gathered first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "linear_regions/sign_vector.hpp"

namespace linear_regions {

enum class Element : std::uint8_t { kFloat64, kFloat32, kFloat16, kBfloat16, kBool };

struct LayerView {
  const void* data = nullptr;
  Element element = Element::kFloat32;
  std::size_t units = 0;
  std::ptrdiff_t row_stride = 0, unit_stride = 0;  // in bytes, of any sign
  std::vector<double> breakpoints;                 // increasing; of bools exactly {0}
};

[[nodiscard]] std::size_t bits_of(std::span<const LayerView> layers);
[[nodiscard]] std::size_t element_bytes(Element element);

// Patterns of n rows, word_count(bits_of(layers)) words each. Returns the number of the first
// layer that has a NaN, or -1; with a NaN the patterns are not complete.
[[nodiscard]] int pack_layers(std::span<const LayerView> layers, std::size_t n,
                              std::span<Word> out);

// Copy `bits` bits of each of n rows of `width` words, from bit `first` on, into rows of
// word_count(bits) words.
void extract_bits(const Word* rows, std::size_t n, std::size_t width, std::size_t first,
                  std::size_t bits, Word* out);

// True if a bit behind the last sign of some row is set.
[[nodiscard]] bool has_loose_bits(const Word* rows, std::size_t n, std::size_t width,
                                  std::size_t bits);

}  // namespace linear_regions
