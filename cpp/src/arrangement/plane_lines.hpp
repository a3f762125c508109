// SPDX-License-Identifier: MIT
// PlaneLines: distinct lines a x + b y + c = 0 of the affine plane over a prime field, and
// sum over their points of (lines through the point - 1).
//
// A line is x + b y + c = 0 (steep) or y + c = 0 (level). For steep lines i, j the point has
// y = (c_i - c_j) / (b_j - b_i), and y = -c_j on a level line j; level lines do not meet. So the
// sum is, over steep lines i, the number of distinct y on the lines before i.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "arrangement/fields.hpp"

namespace linear_regions {

// A set of numbers below a power of two times its load; emptied by a new stamp.
class StampSet {
 public:
  void start(std::size_t elements) {
    std::size_t size = 16;
    while (size < 2 * elements) size *= 2;
    if (size > key_.size()) {
      key_.assign(size, 0);
      other_.assign(size, 0);
      stamp_.assign(size, 0);
      now_ = 0;
    }
    mask_ = size - 1;
    ++now_;
  }
  // True where (a, b) is new.
  bool add(std::uint64_t a, std::uint64_t b) {
    std::uint64_t h = (a ^ (b * 0x9e3779b97f4a7c15u)) * 0xff51afd7ed558ccdu;
    h ^= h >> 32;
    for (std::size_t at = h & mask_;; at = (at + 1) & mask_) {
      if (stamp_[at] != now_) {
        stamp_[at] = now_;
        key_[at] = a;
        other_[at] = b;
        return true;
      }
      if (key_[at] == a && other_[at] == b) return false;
    }
  }

 private:
  std::vector<std::uint64_t> key_, other_, stamp_;
  std::uint64_t now_ = 0;
  std::size_t mask_ = 0;
};

template <class Field>
class PlaneLines {
 public:
  using T = typename Field::T;
  explicit PlaneLines(const Field& field) : field_(field) {}

  void start(std::size_t rows) {
    slope_.clear();
    constant_.clear();
    level_.clear();
    seen_.start(rows);
  }
  // The row a x + b y + c; rows without a and b are no lines of the plane.
  void add(T a, T b, T c) {
    if (a != 0) {
      const T f = field_.inv(a), slope = field_.mul(b, f), constant = field_.mul(c, f);
      if (!seen_.add(slope, constant)) return;
      slope_.push_back(slope);
      constant_.push_back(constant);
    } else if (b != 0) {
      const T constant = field_.mul(c, field_.inv(b));
      if (seen_.add(~std::uint64_t{0}, constant)) level_.push_back(field_.neg(constant));
    }
  }
  std::size_t lines() const { return slope_.size() + level_.size(); }
  std::uint64_t points();

 private:
  const Field& field_;
  std::vector<T> slope_, constant_, level_;
  StampSet seen_, values_;
  std::vector<std::uint32_t> stamp_;  // SmallField: by value, and one more for "parallel"
  std::uint32_t now_ = 0;
  std::vector<T> difference_, prefix_;
};

template <>
inline std::uint64_t PlaneLines<SmallField>::points() {
  const std::uint32_t p = field_.size();
  if (stamp_.size() != p + 1 || now_ > ~std::uint32_t{0} - slope_.size() - 1) {
    stamp_.assign(p + 1, 0);
    now_ = 0;
  }
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < slope_.size(); ++i) {
    ++now_;
    stamp_[p] = now_;
    for (const T y : level_) stamp_[y] = now_;
    total += level_.size();
    const T b = slope_[i], c = constant_[i];
    for (std::size_t j = 0; j < i; ++j) {
      const T db = field_.sub(slope_[j], b);
      const std::uint32_t y = db == 0 ? p : field_.mul(field_.sub(c, constant_[j]), field_.inv(db));
      total += stamp_[y] != now_;
      stamp_[y] = now_;
    }
  }
  return total;
}

template <>
inline std::uint64_t PlaneLines<LargeField>::points() {
  std::uint64_t total = 0;
  const std::size_t lines = slope_.size();
  // One inversion for as many pairs as a buffer holds: prefix products, then backwards.
  for (std::size_t first = 0; first < lines;) {
    difference_.clear();
    prefix_.clear();
    T product = field_.one();
    std::size_t last = first;
    for (; last < lines && (last == first || difference_.size() + last < 2048); ++last)
      for (std::size_t j = 0; j < last; ++j) {
        const T d = field_.sub(slope_[j], slope_[last]);
        difference_.push_back(d);
        prefix_.push_back(product);
        if (d != 0) product = field_.mul(product, d);
      }
    T inverse = field_.inv(product);
    for (std::size_t k = difference_.size(); k-- > 0;) {
      const T d = difference_[k];
      if (d == 0) continue;
      prefix_[k] = field_.mul(prefix_[k], inverse);
      inverse = field_.mul(inverse, d);
    }
    std::size_t k = 0;
    for (std::size_t i = first; i < last; ++i) {
      values_.start(level_.size() + i);
      for (const T y : level_) total += values_.add(y, 0);
      for (std::size_t j = 0; j < i; ++j, ++k) {
        if (difference_[k] == 0) continue;
        const T y = field_.mul(field_.sub(constant_[i], constant_[j]), prefix_[k]);
        total += values_.add(y, 0);
      }
    }
    first = last;
  }
  return total;
}

}  // namespace linear_regions
