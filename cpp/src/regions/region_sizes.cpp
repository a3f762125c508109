// SPDX-License-Identifier: MIT
// A face of dimension k is the union of the pyramids from one of its vertices over those of its own
// facets that do not contain it, so its size is the sum of height * base / k. The bases are faces
// again: every one is measured once and kept by its set of vertices, with an orthonormal basis of
// its directions for the heights over it. The basis is that of the simplex of vertices with the
// largest product of heights: others may be so flat that rounding decides about their directions.
//
// Reference: B. Bueeler, A. Enge, K. Fukuda, "Exact volume computation for polytopes: a practical
// study", 2000 (Cohen and Hickey's scheme with reuse of faces).
#include "linear_regions/region_sizes.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "linear_regions/hash.hpp"

namespace linear_regions {
namespace {

using Word = std::uint64_t;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void check(const CornerColumns& c) {
  const auto rises = [](std::span<const std::int64_t> start, std::size_t end) {
    return !start.empty() && start.front() == 0 && start.back() == static_cast<std::int64_t>(end) &&
           std::is_sorted(start.begin(), start.end());
  };
  bool right = c.dim > 0 && c.vertices.size() % (c.dim + 1) == 0 &&
               c.vertex_start.size() == c.facet_start.size() && !c.corner_start.empty() &&
               rises(c.vertex_start, c.vertices.size() / (c.dim + 1)) &&
               rises(c.facet_start, c.corner_start.size() - 1) &&
               rises(c.corner_start, c.corners.size());
  for (std::size_t r = 0; right && r + 1 < c.facet_start.size(); ++r) {
    const std::int64_t first = c.corner_start[static_cast<std::size_t>(c.facet_start[r])],
                       last = c.corner_start[static_cast<std::size_t>(c.facet_start[r + 1])];
    for (std::int64_t i = first; i < last; ++i)
      right = right && c.corners[static_cast<std::size_t>(i)] >= c.vertex_start[r] &&
              c.corners[static_cast<std::size_t>(i)] < c.vertex_start[r + 1];
  }
  if (!right) throw std::invalid_argument("the columns of corners do not fit together");
}

// The faces of one region. Sets of vertices are rows of `words_` words.
class Faces {
 public:
  explicit Faces(const CornerColumns& columns) : c_(columns), d_(columns.dim) {}

  void begin(std::size_t region) {
    first_ = c_.vertex_start[region];
    const std::int64_t end = c_.vertex_start[region + 1];
    words_ = static_cast<std::size_t>(end - first_ + 63) / 64;
    facets_ = static_cast<std::size_t>(c_.facet_start[region + 1] - c_.facet_start[region]);
    sets_.assign(facets_ * words_, 0);
    for (std::size_t i = 0; i < facets_; ++i) {
      const auto f = static_cast<std::size_t>(c_.facet_start[region]) + i;
      for (std::int64_t k = c_.corner_start[f]; k < c_.corner_start[f + 1]; ++k) {
        const std::int64_t v = c_.corners[static_cast<std::size_t>(k)] - first_;
        sets_[i * words_ + static_cast<std::size_t>(v >> 6)] |= Word{1} << (v & 63);
      }
    }
    keys_.clear();
    dims_.clear();
    sizes_.clear();
    spreads_.clear();
    bases_.clear();
    slots_.assign(64, -1);
    whole_.assign(words_, ~Word{0});
    if (const auto rest = (end - first_) & 63; rest != 0) whole_.back() = (Word{1} << rest) - 1;
  }

  double whole() { return sizes_[measure(whole_.data(), d_)]; }
  double facet(std::size_t i) {
    const std::vector<Word> set(row(i), row(i) + words_);
    return sizes_[measure(set.data(), d_ - 1)];
  }

 private:
  const Word* row(std::size_t i) const { return sets_.data() + i * words_; }
  const double* point(std::size_t v) const {
    return c_.vertices.data() + (static_cast<std::size_t>(first_) + v) * (d_ + 1);
  }
  std::size_t lowest(const Word* set) const {
    std::size_t w = 0;
    while (w + 1 < words_ && set[w] == 0) ++w;
    return 64 * w + static_cast<std::size_t>(std::countr_zero(set[w]));
  }
  bool holds(const Word* set, std::size_t v) const { return ((set[v >> 6] >> (v & 63)) & 1) != 0; }
  std::size_t members(const Word* set) const {
    std::size_t n = 0;
    for (std::size_t w = 0; w < words_; ++w) n += static_cast<std::size_t>(std::popcount(set[w]));
    return n;
  }
  bool within(const Word* a, const Word* b) const {
    for (std::size_t w = 0; w < words_; ++w)
      if ((a[w] & ~b[w]) != 0) return false;
    return true;
  }

  // Appends the facets of a face of dimension k: its largest common parts with other facets.
  std::vector<Word> facets_of(const Word* face, std::size_t k) const {
    std::vector<Word> parts;
    for (std::size_t i = 0; i < facets_; ++i) {
      const std::size_t at = parts.size();
      for (std::size_t w = 0; w < words_; ++w) parts.push_back(face[w] & row(i)[w]);
      const Word* part = parts.data() + at;
      // A facet of it has dimension k - 1, hence k vertices or more.
      if (members(part) < k || within(face, part)) parts.resize(at);
    }
    std::vector<Word> largest;
    const std::size_t n = parts.size() / words_;
    for (std::size_t i = 0; i < n; ++i) {
      const Word* part = parts.data() + i * words_;
      bool inner = false;
      for (std::size_t j = 0; j < n && !inner; ++j) {
        const Word* other = parts.data() + j * words_;
        inner = j != i && within(part, other) && (!within(other, part) || j < i);
      }
      if (!inner) largest.insert(largest.end(), part, part + words_);
    }
    return largest;
  }

  // The number of a face in sizes_ and bases_.
  std::size_t measure(const Word* face, std::size_t k) {
    if (const std::int64_t known = find(face, k); known >= 0)
      return static_cast<std::size_t>(known);
    std::vector<double> basis(k * d_, 0.0), step(d_);
    double size = k == 0 ? 1.0 : 0.0, spread = k == 0 ? 0.0 : -kInfinity;
    bool chosen = false;
    if (k > 0) {
      const std::size_t apex = lowest(face);
      const std::vector<Word> parts = facets_of(face, k);
      for (std::size_t i = 0; i < parts.size(); i += words_) {
        const Word* part = parts.data() + i;
        if (holds(part, apex)) continue;
        const std::size_t base = measure(part, k - 1);
        const double height = rise(apex, lowest(part), bases_[base], step);
        size += height * sizes_[base] / static_cast<double>(k);
        const double own = std::log2(height) + spreads_[base];
        if (chosen && !(own > spread)) continue;
        chosen = true;
        spread = own;
        std::copy(bases_[base].begin(), bases_[base].end(), basis.begin());
        for (std::size_t j = 0; j < d_; ++j)
          basis[(k - 1) * d_ + j] = height > 0.0 ? step[j] / height : 0.0;
      }
    }
    return keep(face, k, size, spread, std::move(basis));
  }

  // The distance of a vertex from the affine hull of a face, and the vector of that length.
  double rise(std::size_t apex, std::size_t foot, const std::vector<double>& basis,
              std::vector<double>& step) const {
    for (std::size_t j = 0; j < d_; ++j) step[j] = point(apex)[j] - point(foot)[j];
    for (int pass = 0; pass < 2; ++pass)  // the second pass removes what the first one rounded
      for (std::size_t at = 0; at < basis.size(); at += d_) {
        double along = 0.0;
        for (std::size_t j = 0; j < d_; ++j) along += basis[at + j] * step[j];
        for (std::size_t j = 0; j < d_; ++j) step[j] -= along * basis[at + j];
      }
    double square = 0.0, largest = 0.0;
    for (double x : step) largest = std::max(largest, std::fabs(x));
    if (largest == 0.0) return 0.0;
    for (double x : step) square += (x / largest) * (x / largest);
    return largest * std::sqrt(square);
  }

  // In columns that are no polytope's, the same vertices may be met as faces of several dimensions,
  // whose bases have several lengths.
  std::int64_t find(const Word* face, std::size_t k) const {
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = hash_words(face, words_) & mask; slots_[at] >= 0; at = (at + 1) & mask)
      if (const auto i = static_cast<std::size_t>(slots_[at]);
          dims_[i] == k && std::equal(face, face + words_, keys_.data() + i * words_))
        return slots_[at];
    return -1;
  }

  std::size_t keep(const Word* face, std::size_t k, double size, double spread,
                   std::vector<double>&& basis) {
    const std::size_t number = sizes_.size();
    keys_.insert(keys_.end(), face, face + words_);
    dims_.push_back(k);
    sizes_.push_back(size);
    spreads_.push_back(spread);
    bases_.push_back(std::move(basis));
    if (2 * sizes_.size() > slots_.size()) {
      slots_.assign(2 * slots_.size(), -1);
      for (std::size_t i = 0; i < number; ++i) enter(i);
    }
    enter(number);
    return number;
  }

  void enter(std::size_t number) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash_words(keys_.data() + number * words_, words_) & mask;
    while (slots_[at] >= 0) at = (at + 1) & mask;
    slots_[at] = static_cast<std::int64_t>(number);
  }

  const CornerColumns& c_;
  const std::size_t d_;
  std::int64_t first_ = 0;
  std::size_t words_ = 0, facets_ = 0;
  std::vector<Word> sets_, whole_, keys_;
  std::vector<std::size_t> dims_;
  std::vector<double> sizes_, spreads_;  // spreads: logarithms of products of heights
  std::vector<std::vector<double>> bases_;
  std::vector<std::int64_t> slots_;
};

}  // namespace

std::vector<double> region_sizes(const CornerColumns& columns,
                                 const std::function<bool()>& keep_going) {
  check(columns);
  const std::size_t n = columns.vertex_start.size() - 1, width = columns.dim + 1;
  std::vector<double> sizes(n, kInfinity);
  Faces faces(columns);
  for (std::size_t r = 0; r < n; ++r) {
    if (!keep_going()) return {};
    bool bounded = true;
    for (std::int64_t v = columns.vertex_start[r]; v < columns.vertex_start[r + 1]; ++v)
      bounded =
          bounded && columns.vertices[static_cast<std::size_t>(v) * width + columns.dim] != 0.0;
    if (!bounded || columns.vertex_start[r] == columns.vertex_start[r + 1]) continue;
    faces.begin(r);
    sizes[r] = faces.whole();
  }
  return sizes;
}

std::vector<double> facet_sizes(const CornerColumns& columns, std::span<const std::int64_t> facets,
                                const std::function<bool()>& keep_going) {
  check(columns);
  const std::size_t width = columns.dim + 1;
  std::vector<double> sizes;
  Faces faces(columns);
  std::size_t current = columns.facet_start.size();
  for (const std::int64_t f : facets) {
    if (!keep_going()) return {};
    if (f < 0 || f >= columns.facet_start.back())
      throw std::invalid_argument("there is no facet of that number");
    const auto begin = columns.corner_start[static_cast<std::size_t>(f)],
               end = columns.corner_start[static_cast<std::size_t>(f) + 1];
    bool bounded = begin < end;
    for (std::int64_t i = begin; i < end; ++i) {
      const auto v = static_cast<std::size_t>(columns.corners[static_cast<std::size_t>(i)]);
      bounded = bounded && columns.vertices[v * width + columns.dim] != 0.0;
    }
    sizes.push_back(kInfinity);
    if (!bounded) continue;
    const auto owner = std::upper_bound(columns.facet_start.begin(), columns.facet_start.end(), f);
    const auto region = static_cast<std::size_t>(owner - columns.facet_start.begin()) - 1;
    if (region != current) faces.begin(current = region);
    sizes.back() = faces.facet(static_cast<std::size_t>(f - columns.facet_start[region]));
  }
  return sizes;
}

}  // namespace linear_regions
