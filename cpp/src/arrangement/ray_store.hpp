// SPDX-License-Identifier: MIT
// RayStore: every ray that one worker has met, with the signs of all rows on it.
//
// A *line* through the origin carries two opposite rays, 2 * line and 2 * line + 1. It is known by
// the rows that vanish on a face that it was cut out of, and the row that cut it: the intersection
// of both is the line. In degenerate arrangements few lines serve very many cones, and nearly every
// ray that a cone needs is a look-up.
//
// Two ways of computing one: where the rows are integers so small that Hadamard's inequality keeps
// all products below 2^53, in doubles, which are then exact; else in integers of any size
// (ExactRays). Masks have W words.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

#include "arrangement/exact_rays.hpp"
#include "arrangement/reduction.hpp"

namespace linear_regions::arrangement {

template <std::size_t W>
using Mask = std::array<Word, W>;

template <std::size_t W>
bool any(const Mask<W>& m) {
  Word all = 0;
  for (const Word w : m) all |= w;
  return all != 0;
}

template <std::size_t W>
bool overlap(const Mask<W>& a, const Mask<W>& b) {
  Word all = 0;
  for (std::size_t w = 0; w < W; ++w) all |= a[w] & b[w];
  return all != 0;
}

// True if doubles hold all rays and all rows' values there exactly: no entry of a ray exceeds the
// product M of the dim - 1 largest norms (Hadamard), and a combination of two rays is at most
// 2 L M^2, where L is the largest 1-norm of a row.
inline bool doubles_hold_rays(const ConeRows& rows) {
  if (!rows.integral) return false;
  std::vector<double> norms(rows.norm.begin(), rows.norm.begin() + static_cast<long>(rows.n));
  std::sort(norms.rbegin(), norms.rend());
  double minor = 1.0001, sum = 0;
  for (std::size_t k = 0; k + 1 < rows.dim && k < norms.size(); ++k) minor *= norms[k];
  for (std::size_t i = 0; i < rows.n; ++i) {
    double size = 0;
    for (std::size_t k = 0; k < rows.dim; ++k) size += std::abs(rows.row(i)[k]);
    sum = std::max(sum, size);
  }
  return 2 * sum * minor * minor < 0x1p62 && sum * minor < 0x1p52;
}

template <std::size_t W>
class RayStore {
 public:
  using Id = std::uint32_t;
  struct Line {
    Mask<W> positive{}, negative{};
    Mask<W> face{};         // with `cut` the key
    std::int32_t cut = -1;  // -1: not to be looked up
  };
  struct Effort {
    std::uint64_t made = 0, reused = 0, exact = 0;
  };

  explicit RayStore(const Reduction& reduction)
      : rows_(reduction.rows),
        small_(doubles_hold_rays(rows_)),
        exact_(reduction),
        combined_(rows_.dim),
        values_(rows_.padded) {
    resize_table(std::size_t{1} << 12);
  }

  ExactRays& exact() { return exact_; }
  bool small() const { return small_; }
  const Effort& effort() const { return effort_; }
  std::size_t size() const { return lines_.size(); }
  const Line& line(Id id) const { return lines_[id >> 1]; }
  const Mask<W>& positive(Id id) const { return id & 1 ? line(id).negative : line(id).positive; }
  const Mask<W>& negative(Id id) const { return id & 1 ? line(id).positive : line(id).negative; }
  // The line's even ray in doubles, as near as they come.
  const double* point(Id id) const { return x_.data() + (id >> 1) * rows_.dim; }
  RayPoint exact_point(Id id) const { return small_ ? nullptr : points_[id >> 1]; }

  // A ray without a key.
  Id add(const RayPoint& point) {
    for (double& v : combined_) v = 0;
    small_ ? ExactRays::integers(*point, combined_.data())
           : ExactRays::nearest(*point, combined_.data());
    return push(small_ ? nullptr : point, {}, -1);
  }
  // A ray from another store.
  Id adopt(const Line& line, const double* x, RayPoint point) {
    if (line.cut >= 0) {
      const Word* slot = find(line.face, line.cut);
      if (*slot != kFree) {
        const auto id = static_cast<Id>(*slot * 2);
        return lines_[*slot].positive == line.positive ? id : id + 1;
      }
    }
    lines_.push_back(line);
    x_.insert(x_.end(), x, x + rows_.dim);
    points_.push_back(std::move(point));
    enter(lines_.size() - 1);
    return static_cast<Id>(2 * (lines_.size() - 1));
  }

  // Where the row, positive on p and negative on q, cuts the edge from p to q. `face`: rows that
  // vanish on both; `above` and `below`: rows with these signs, or zero, at all of the cone, not
  // all of them zero at p and q.
  Id meet(Id p, Id q, const Mask<W>& face, std::int32_t row, const Mask<W>& above,
          const Mask<W>& below) {
    const Word known = *find(face, row);
    Id id = 0;
    if (known != kFree) {
      ++effort_.reused;
      id = static_cast<Id>(known * 2);
    } else {
      id = combine(p, q, face, row);
    }
    const Line& line = lines_[id >> 1];
    return overlap(line.positive, below) || overlap(line.negative, above) ? id + 1 : id;
  }

  // Forgets all lines but those of the given rays, whose numbers change.
  void keep(std::vector<Id*>& used) {
    std::vector<Word> to(lines_.size(), kFree);
    for (const Id* id : used) to[*id >> 1] = 0;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (to[i] == kFree) continue;
      to[i] = kept;
      lines_[kept] = lines_[i];
      std::copy_n(x_.begin() + static_cast<long>(i * rows_.dim), rows_.dim,
                  x_.begin() + static_cast<long>(kept * rows_.dim));
      points_[kept++] = std::move(points_[i]);
    }
    lines_.resize(kept);
    x_.resize(kept * rows_.dim);
    points_.resize(kept);
    for (Id* id : used) *id = static_cast<Id>(to[*id >> 1] * 2 + (*id & 1));
    resize_table(table_.size());
  }

 private:
  static constexpr Word kFree = ~Word{0};

  Id combine(Id p, Id q, const Mask<W>& face, std::int32_t row) {
    const auto at = static_cast<std::size_t>(row);
    if (!small_) {
      RayPoint point =
          exact_.meet(*points_[p >> 1], p & 1 ? -1 : 1, *points_[q >> 1], q & 1 ? -1 : 1, at);
      ExactRays::nearest(*point, combined_.data());
      return push(std::move(point), face, row);
    }
    const double *a = point(p), *b = point(q), *v = rows_.row(at);
    double at_p = 0, at_q = 0;
    for (std::size_t k = 0; k < rows_.dim; ++k) {
      at_p += v[k] * a[k];
      at_q += v[k] * b[k];
    }
    const auto of_p = static_cast<std::int64_t>(std::abs(at_q)) * (p & 1 ? -1 : 1);
    const auto of_q = static_cast<std::int64_t>(std::abs(at_p)) * (q & 1 ? -1 : 1);
    std::int64_t common = 0;
    std::array<std::int64_t, kMostColumns> sum{};
    for (std::size_t k = 0; k < rows_.dim; ++k) {
      sum[k] = of_p * static_cast<std::int64_t>(a[k]) + of_q * static_cast<std::int64_t>(b[k]);
      common = std::gcd(common, sum[k]);
    }
    for (std::size_t k = 0; k < rows_.dim; ++k) combined_[k] = static_cast<double>(sum[k] / common);
    return push(nullptr, face, row);
  }

  // The ray in combined_ (and in `point`).
  Id push(RayPoint point, const Mask<W>& face, std::int32_t cut) {
    ++effort_.made;
    Line line;
    line.face = face;
    line.cut = cut;
    if (small_) {
      std::fill(values_.begin(), values_.end(), 0.0);
      for (std::size_t k = 0; k < rows_.dim; ++k) {
        const double* column = rows_.by_column.data() + k * rows_.padded;
        for (std::size_t i = 0; i < rows_.padded; ++i) values_[i] += combined_[k] * column[i];
      }
      for (std::size_t i = 0; i < rows_.n; ++i) {
        line.positive[i / kWordBits] |= Word{values_[i] > 0} << (i % kWordBits);
        line.negative[i / kWordBits] |= Word{values_[i] < 0} << (i % kWordBits);
      }
    } else {
      ++effort_.exact;
      exact_.signs(*point, line.positive.data(), line.negative.data());
    }
    lines_.push_back(line);
    x_.insert(x_.end(), combined_.begin(), combined_.end());
    points_.push_back(std::move(point));
    enter(lines_.size() - 1);
    return static_cast<Id>(2 * (lines_.size() - 1));
  }

  // ---- the table: open addressing, at most half full ----
  static std::size_t hash(const Mask<W>& face, std::int32_t cut) {
    Word h = static_cast<Word>(cut) * 0x9E3779B97F4A7C15u;
    for (const Word w : face) {
      h = (h ^ w) * 0xD6E8FEB86659FD93u;
      h ^= h >> 32;
    }
    return static_cast<std::size_t>(h ^ (h >> 29));
  }
  const Word* find(const Mask<W>& face, std::int32_t cut) const {
    std::size_t slot = hash(face, cut) & (table_.size() - 1);
    for (; table_[slot] != kFree; slot = (slot + 1) & (table_.size() - 1)) {
      const Line& line = lines_[table_[slot]];
      if (line.cut == cut && line.face == face) break;
    }
    return &table_[slot];
  }
  void enter(std::size_t line) {
    if (2 * lines_.size() > table_.size()) {
      resize_table(2 * table_.size());
    } else if (lines_[line].cut >= 0) {
      table_[static_cast<std::size_t>(find(lines_[line].face, lines_[line].cut) - table_.data())] =
          line;
    }
  }
  void resize_table(std::size_t size) {
    table_.assign(size, kFree);
    for (std::size_t i = 0; i < lines_.size(); ++i)
      if (lines_[i].cut >= 0)
        table_[static_cast<std::size_t>(find(lines_[i].face, lines_[i].cut) - table_.data())] = i;
  }

 public:
  static constexpr std::size_t kMostColumns = 64;

 private:
  const ConeRows& rows_;
  const bool small_;
  ExactRays exact_;
  std::vector<Line> lines_;
  std::vector<double> x_;
  std::vector<RayPoint> points_;
  std::vector<Word> table_;
  std::vector<double> combined_, values_;
  Effort effort_;
};

}  // namespace linear_regions::arrangement
