// SPDX-License-Identifier: MIT
#include <algorithm>
#include <stdexcept>

#include "linear_regions/hash.hpp"
#include "linear_regions/region_table.hpp"

namespace linear_regions {
namespace {

constexpr std::size_t kLook = 4096;  // regions between two looks at keep_going

// The number of a region by its pattern: open addressing at most half full.
class PatternIndex {
 public:
  explicit PatternIndex(const RegionColumns& regions) : regions_(regions) {
    std::size_t size = 16;
    while (size < 2 * regions.n) size *= 2;
    mask_ = size - 1;
    slots_.assign(size, -1);
  }

  void add(std::size_t r) {
    std::size_t at = home(row(r));
    while (slots_[at] >= 0) at = (at + 1) & mask_;
    slots_[at] = static_cast<std::int64_t>(r);
  }

  const std::uint64_t* row(std::size_t r) const {
    return regions_.patterns.data() + r * regions_.words;
  }

  std::int64_t find(const std::uint64_t* pattern) const {
    for (std::size_t at = home(pattern); slots_[at] >= 0; at = (at + 1) & mask_)
      if (std::equal(pattern, pattern + regions_.words, row(static_cast<std::size_t>(slots_[at]))))
        return slots_[at];
    return -1;
  }

 private:
  std::size_t home(const std::uint64_t* pattern) const {
    return hash_words(pattern, regions_.words) & mask_;
  }

  const RegionColumns& regions_;
  std::vector<std::int64_t> slots_;
  std::size_t mask_ = 0;
};

void check(const RegionColumns& regions) {
  const auto facets = static_cast<std::int64_t>(regions.labels.size());
  bool right = regions.patterns.size() == regions.n * regions.words &&
               regions.facet_start.size() == regions.n + 1 && regions.facet_start.front() == 0 &&
               regions.facet_start.back() == facets;
  for (std::size_t r = 0; right && r < regions.n; ++r)
    right = regions.facet_start[r] <= regions.facet_start[r + 1];
  const auto bits = static_cast<std::int64_t>(64 * regions.words);
  for (const FacetLabel& label : regions.labels)
    right = right && label.bit < bits && (label.from < 0) == (label.to < 0);
  if (!right) throw std::invalid_argument("the columns of a table of regions do not fit together");
}

// XOR `flip` into the pattern, the lowest bit at `bit`; a window's code may cross two words.
void apply(std::uint64_t* pattern, std::size_t words, std::int32_t bit, std::uint64_t flip) {
  const auto word = static_cast<std::size_t>(bit >> 6);
  const int shift = bit & 63;
  pattern[word] ^= flip << shift;
  if (shift != 0 && word + 1 < words) pattern[word + 1] ^= flip >> (64 - shift);
}

// Whether a facet is looked up from this side: half of the work, and the other half is its mirror.
bool first_side(const FacetLabel& label, const std::uint64_t* pattern) {
  if (label.from >= 0) return label.from < label.to;
  return ((pattern[label.bit >> 6] >> (label.bit & 63)) & 1) != 0;
}

bool mirrored(const FacetLabel& a, const FacetLabel& b) {
  return a.bit == b.bit && a.from == b.to && a.to == b.from;
}

}  // namespace

std::vector<std::int64_t> facet_mates(const RegionColumns& regions,
                                      const std::function<bool()>& keep_going) {
  check(regions);
  const auto stopped = [&](std::size_t r) { return r % kLook == 0 && keep_going && !keep_going(); };
  PatternIndex index(regions);
  for (std::size_t r = 0; r < regions.n; ++r) {
    if (stopped(r)) return {};
    index.add(r);
  }
  std::vector<std::int64_t> mates(regions.labels.size(), -1);
  std::vector<std::uint64_t> other(regions.words);
  for (std::size_t r = 0; r < regions.n; ++r) {
    if (stopped(r)) return {};
    const std::uint64_t* pattern = index.row(r);
    for (auto f = regions.facet_start[r]; f < regions.facet_start[r + 1]; ++f) {
      const FacetLabel& label = regions.labels[static_cast<std::size_t>(f)];
      if (label.bit < 0 || !first_side(label, pattern)) continue;
      std::copy_n(pattern, regions.words, other.begin());
      apply(other.data(), regions.words, label.bit, label.flip());
      const std::int64_t found = index.find(other.data());
      if (found < 0) continue;
      const auto q = static_cast<std::size_t>(found);
      for (auto g = regions.facet_start[q]; g < regions.facet_start[q + 1]; ++g)
        if (mirrored(label, regions.labels[static_cast<std::size_t>(g)])) {
          mates[static_cast<std::size_t>(f)] = g;
          mates[static_cast<std::size_t>(g)] = f;
        }
    }
  }
  return mates;
}

}  // namespace linear_regions
