// SPDX-License-Identifier: MIT
#include "linear_regions/sign_packing.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "patterns/pack_kernels.hpp"

namespace linear_regions {
namespace {

// ---- half precision: 16 bits with a number of exponent bits ----

double half_value(unsigned size, unsigned exponent_bits) {
  const unsigned fraction_bits = 15 - exponent_bits;
  const auto exponent = static_cast<int>(size >> fraction_bits);
  const double fraction = static_cast<double>(size & ((1U << fraction_bits) - 1));
  const int bias = (1 << (exponent_bits - 1)) - 1, shift = static_cast<int>(fraction_bits);
  if (exponent == 0) return std::ldexp(fraction, 1 - bias - shift);
  if (exponent == (1 << exponent_bits) - 1) return std::numeric_limits<double>::infinity();
  return std::ldexp(fraction + (1 << fraction_bits), exponent - bias - shift);
}

// The greatest key (see pack_kernels.hpp) whose number is at most the threshold.
std::int16_t half_key(double threshold, unsigned exponent_bits, int infinity) {
  int low = -infinity, high = infinity;  // the number of -infinity is at most anything
  while (low < high) {
    const int middle = low + (high - low + 1) / 2;
    const double size = half_value(static_cast<unsigned>(std::abs(middle)), exponent_bits);
    if ((middle < 0 ? -size : size) <= threshold)
      low = middle;
    else
      high = middle - 1;
  }
  return static_cast<std::int16_t>(low);
}

float float_below(double threshold) {
  const auto nearest = static_cast<float>(threshold);
  if (static_cast<double>(nearest) <= threshold) return nearest;
  return std::nextafter(nearest, -std::numeric_limits<float>::infinity());
}

constexpr int kFloat16Infinity = 0x7C00, kBfloat16Infinity = 0x7F80;
constexpr unsigned kFloat16Exponent = 5, kBfloat16Exponent = 8;

// ---- one row of one layer against one breakpoint ----

class RowPacker {
 public:
  RowPacker(const LayerView& layer, double breakpoint)
      : kernels_(pack_kernels()), element_(layer.element), n_(layer.units), double_(breakpoint) {
    if (element_ == Element::kFloat32) float_ = float_below(breakpoint);
    if (element_ == Element::kFloat16)
      key_ = half_key(breakpoint, kFloat16Exponent, kFloat16Infinity);
    if (element_ == Element::kBfloat16)
      key_ = half_key(breakpoint, kBfloat16Exponent, kBfloat16Infinity);
  }

  bool operator()(const void* row, Word* words) const {
    switch (element_) {
      case Element::kFloat64:
        return kernels_.pack_f64(static_cast<const double*>(row), n_, double_, words);
      case Element::kFloat32:
        return kernels_.pack_f32(static_cast<const float*>(row), n_, float_, words);
      case Element::kFloat16:
        return kernels_.pack_half(static_cast<const std::uint16_t*>(row), n_, key_,
                                  kFloat16Infinity, words);
      case Element::kBfloat16:
        return kernels_.pack_half(static_cast<const std::uint16_t*>(row), n_, key_,
                                  kBfloat16Infinity, words);
      case Element::kBool:
        kernels_.pack_bool(static_cast<const std::uint8_t*>(row), n_, words);
        return false;
    }
    return false;
  }

 private:
  const PackKernels& kernels_;
  Element element_;
  std::size_t n_;
  double double_;
  float float_ = 0.0F;
  std::int16_t key_ = 0;
};

template <typename T>
void gather(const std::byte* row, std::ptrdiff_t stride, std::size_t n, void* out) {
  auto* to = static_cast<std::byte*>(out);
  for (std::size_t i = 0; i < n; ++i, row += stride)
    std::memcpy(to + i * sizeof(T), row, sizeof(T));
}

void gather(std::size_t bytes, const std::byte* row, std::ptrdiff_t stride, std::size_t n,
            void* out) {
  if (bytes == 8)
    gather<std::uint64_t>(row, stride, n, out);
  else if (bytes == 4)
    gather<std::uint32_t>(row, stride, n, out);
  else if (bytes == 2)
    gather<std::uint16_t>(row, stride, n, out);
  else
    gather<std::uint8_t>(row, stride, n, out);
}

// ---- bits at any place ----

// Puts the first `bits` bits of `words` at bit `first` of a row that is clear there.
void put_bits(Word* row, std::size_t first, const Word* words, std::size_t bits) {
  Word* to = row + first / kWordBits;
  const unsigned shift = first % kWordBits;
  const std::size_t n = word_count(bits);
  if (shift == 0) {
    for (std::size_t w = 0; w < n; ++w) to[w] |= words[w];
    return;
  }
  const std::size_t last = (first + bits - 1) / kWordBits - first / kWordBits;
  for (std::size_t w = 0; w < n; ++w) {
    to[w] |= words[w] << shift;
    if (w + 1 <= last) to[w + 1] |= words[w] >> (kWordBits - shift);
  }
}

// Bit i k + j of the row is bit i of plane j.
void put_planes(Word* row, std::size_t first, const std::vector<std::vector<Word>>& planes,
                std::size_t units) {
  for (std::size_t i = 0; i < units; ++i)
    for (const std::vector<Word>& plane : planes)
      assign_sign(row, first++, get_sign(plane.data(), i));
}

bool pack_layer(const LayerView& layer, std::size_t n, std::size_t first, std::size_t width,
                Word* out) {
  const std::size_t bytes = element_bytes(layer.element);
  std::vector<RowPacker> packers;
  for (const double breakpoint : layer.breakpoints) packers.emplace_back(layer, breakpoint);
  const bool direct = first % kWordBits == 0 && packers.size() == 1;
  const bool strided = layer.unit_stride != static_cast<std::ptrdiff_t>(bytes) && layer.units > 1;
  std::vector<Word> copy(strided ? word_count(8 * bytes * layer.units) : 0);
  std::vector<std::vector<Word>> planes(packers.size(), std::vector<Word>(word_count(layer.units)));
  bool nan = false;
  const auto* row = static_cast<const std::byte*>(layer.data);
  for (std::size_t r = 0; r < n; ++r, row += layer.row_stride, out += width) {
    const void* values = row;
    if (strided) {
      gather(bytes, row, layer.unit_stride, layer.units, copy.data());
      values = copy.data();
    }
    if (direct) {
      nan |= packers[0](values, out + first / kWordBits);
      continue;
    }
    for (std::size_t k = 0; k < packers.size(); ++k) nan |= packers[k](values, planes[k].data());
    if (packers.size() == 1)
      put_bits(out, first, planes[0].data(), layer.units);
    else
      put_planes(out, first, planes, layer.units);
  }
  return nan;
}

void check(const LayerView& layer) {
  if (layer.breakpoints.empty()) throw std::invalid_argument("a layer has no breakpoint");
  for (std::size_t k = 0; k < layer.breakpoints.size(); ++k)
    if (!std::isfinite(layer.breakpoints[k]) ||
        (k > 0 && !(layer.breakpoints[k] > layer.breakpoints[k - 1])))
      throw std::invalid_argument("breakpoints must be finite and increase");
  if (layer.element == Element::kBool &&
      (layer.breakpoints.size() != 1 || layer.breakpoints[0] != 0.0))
    throw std::invalid_argument("bools are signs: they have the breakpoint 0");
}

}  // namespace

std::size_t element_bytes(Element element) {
  switch (element) {
    case Element::kFloat64:
      return 8;
    case Element::kFloat32:
      return 4;
    case Element::kFloat16:
    case Element::kBfloat16:
      return 2;
    case Element::kBool:
      return 1;
  }
  return 1;
}

std::size_t bits_of(std::span<const LayerView> layers) {
  std::size_t bits = 0;
  for (const LayerView& layer : layers) bits += layer.units * layer.breakpoints.size();
  return bits;
}

int pack_layers(std::span<const LayerView> layers, std::size_t n, std::span<Word> out) {
  const std::size_t width = word_count(bits_of(layers));
  if (out.size() != n * width) throw std::invalid_argument("the patterns have another size");
  for (const LayerView& layer : layers) check(layer);
  std::fill(out.begin(), out.end(), 0);
  // A block of rows at a time: its words stay in the cache while the layers add theirs.
  constexpr std::size_t kRows = 512;
  for (std::size_t row = 0; row < n; row += kRows) {
    const std::size_t count = n - row < kRows ? n - row : kRows;
    std::size_t first = 0;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      LayerView part = layers[i];
      if (part.units == 0) continue;
      part.data = static_cast<const std::byte*>(part.data) +
                  static_cast<std::ptrdiff_t>(row) * part.row_stride;
      if (pack_layer(part, count, first, width, out.data() + row * width))
        return static_cast<int>(i);
      first += part.units * part.breakpoints.size();
    }
  }
  return -1;
}

void extract_bits(const Word* rows, std::size_t n, std::size_t width, std::size_t first,
                  std::size_t bits, Word* out) {
  const std::size_t n_words = word_count(bits);
  const std::size_t start = first / kWordBits;
  const unsigned shift = first % kWordBits;
  for (std::size_t r = 0; r < n; ++r, rows += width, out += n_words) {
    for (std::size_t w = 0; w < n_words; ++w) {
      out[w] = rows[start + w] >> shift;
      if (shift != 0 && start + w + 1 < width) out[w] |= rows[start + w + 1] << (kWordBits - shift);
    }
    if (n_words > 0) out[n_words - 1] &= tail_mask(bits);
  }
}

bool has_loose_bits(const Word* rows, std::size_t n, std::size_t width, std::size_t bits) {
  if (width == 0 || bits % kWordBits == 0) return false;
  Word loose = 0;
  for (std::size_t r = 0; r < n; ++r) loose |= rows[r * width + width - 1];
  return (loose & ~tail_mask(bits)) != 0;
}

}  // namespace linear_regions
