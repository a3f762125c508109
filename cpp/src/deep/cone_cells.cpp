// SPDX-License-Identifier: MIT
// Cones: where they start, and how a hyperplane cuts them.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "deep/cone_engine.hpp"

namespace linear_regions {

template <int W>
std::int32_t ConeEngine<W>::push_line(const Line& line, const double* row) {
  auto* copy = arena_.make<double>(width_ + 2);
  std::copy_n(row, width_ + 2, copy);
  lines_.push_back({line, copy});
  return static_cast<std::int32_t>(lines_.size()) - 1;
}

template <int W>
void ConeEngine<W>::check_simple(Cone<W>& cone) const {
  cone.simple = true;
  for (std::int32_t i = 0; i < cone.n && cone.simple; ++i)
    cone.simple = cone.mask[i].count() == cone.k - 1;
}

// The half-space x_0 >= 0, one ray and d lines, cut by the sides of the domain.
template <int W>
void ConeEngine<W>::start_cone(Node& node) {
  constexpr std::int32_t kBits = 64 * W;
  node.table = arena_.make<std::int32_t>(kBits);
  lines_.clear();
  std::vector<double> row(width_ + 2, 0.0);
  row[dim_] = row[dim_ + 2] = 1.0;
  push_line({Line::Kind::kInfinity, -1, 0, 0}, row.data());
  node.table[0] = 0;
  node.n_bits = 1;
  Cone<W>& cone = node.cone;
  cone.n = 1;
  cone.n_lines = static_cast<std::int32_t>(dim_);
  cone.k = 1;
  cone.simple = true;
  cone.used = Mask<W>::none();
  cone.used.set(0);
  cone.ray = arena_.make<Ray*>(1);
  cone.mask = arena_.make<Mask<W>>(1);
  cone.mask[0] = Mask<W>::none();
  cone.line = arena_.make<Ray*>(dim_);
  cone.anchor = arena_.make<std::int32_t>(dim_);
  for (std::size_t i = 0; i <= dim_; ++i) {
    Ray* ray = new_ray(0);
    std::fill_n(ray->x(), stride_, 0.0);
    ray->x()[i] = 1.0;
    ray->error = 0.0;
    ray->refreshed = true;
    if (i == dim_) {
      cone.ray[0] = ray;
    } else {
      cone.line[i] = ray;
      cone.anchor[i] = static_cast<std::int32_t>(i);
    }
  }
  const std::size_t sides = root_.domain.n_sides();
  for (std::size_t i = 0; i < sides; ++i) {
    const std::int32_t line =
        push_line({Line::Kind::kDomain, -1, static_cast<std::int32_t>(i), 0}, root_.side(i));
    keep_side(node, line);
  }
}

// The part of the node's cone on the positive side of a side of the domain.
template <int W>
void ConeEngine<W>::keep_side(Node& node, std::int32_t line) {
  const PathLine side = lines_[static_cast<std::size_t>(line)];
  Cone<W>& cone = node.cone;
  const Through all{node.table, node.n_bits, nullptr, 0, cone.anchor, cone.n_lines};
  std::int32_t which = -1;
  double most = -1.0;
  for (std::int32_t i = 0; i < cone.n_lines; ++i) {
    Through through = all;
    std::vector<std::int32_t> others;
    for (std::int32_t j = 0; j < cone.n_lines; ++j)
      if (j != i) others.push_back(cone.anchor[j]);
    through.axes = others.data();
    through.n_axes = static_cast<std::int32_t>(others.size());
    through.direction = cone.anchor[i];
    if (sign_at(side.line, side.row, *cone.line[i], cone.used, through) == 0) continue;
    const double size = std::fabs(value_at(side.row, *cone.line[i]));
    if (size > most) most = size, which = i;
  }
  if (which >= 0) {
    const int sign = sign_of_line(node, line, which);
    const std::int32_t bit = new_bit(node);
    node.table[bit] = 2 * line;
    split_lines(node, line, which, 0);
    cone = side_of_lines(node, true, bit, which, sign);
    return;
  }
  sign_.resize(static_cast<std::size_t>(cone.n));
  bool negative = false, positive = false;
  for (std::int32_t i = 0; i < cone.n; ++i) {
    const int s = sign_at(side.line, side.row, *cone.ray[i], cone.mask[i], all);
    sign_[static_cast<std::size_t>(i)] = static_cast<std::int8_t>(s);
    negative = negative || s < 0;
    positive = positive || s > 0;
  }
  if (!negative) return;  // redundant
  if (!positive) throw std::invalid_argument("the domain has no interior point");
  sort_rays(sign_.data(), cone.n);
  const std::int32_t bit = new_bit(node);
  node.table[bit] = 2 * line;
  cut_edges(node, line, 0);
  cone = side_of_cut(node, true, bit);
}

template <int W>
int ConeEngine<W>::sign_of_line(const Node& node, std::int32_t line, std::int32_t which) {
  const PathLine& l = lines_[static_cast<std::size_t>(line)];
  std::vector<std::int32_t> others;
  for (std::int32_t j = 0; j < node.cone.n_lines; ++j)
    if (j != which) others.push_back(node.cone.anchor[j]);
  const Through through{node.table,
                        node.n_bits,
                        nullptr,
                        0,
                        others.data(),
                        static_cast<std::int32_t>(others.size()),
                        node.cone.anchor[which]};
  return sign_at(l.line, l.row, *node.cone.line[which], node.cone.used, through);
}

// A free bit for a new facet; the caller writes its entry of the table before it looks for rays on
// it. May renumber the facets, so masks are read after it. Facets that no ray knows any more give
// theirs back when it gets tight.
template <int W>
std::int32_t ConeEngine<W>::new_bit(Node& node) {
  if (node.n_bits == 64 * W) compact(node);
  if (node.n_bits == 64 * W) throw FacetOverflow{};
  return node.n_bits++;
}

// Renumbers the facets that occur and drops the others, in a table of the node's own.
template <int W>
void ConeEngine<W>::compact(Node& node) {
  Cone<W>& cone = node.cone;
  if (cone.n_lines > 0) return;  // a facet may then contain lines alone
  Mask<W> used = Mask<W>::none();
  for (std::int32_t i = 0; i < cone.n; ++i) used = used | cone.mask[i];
  const int count = used.count();
  if (count == node.n_bits) return;
  std::int32_t place[64 * W];
  auto* table = arena_.make<std::int32_t>(64 * W);
  std::int32_t next = 0;
  for (std::int32_t bit = 0; bit < node.n_bits; ++bit)
    if (used.has(bit)) {
      table[next] = node.table[bit];
      place[bit] = next++;
    }
  auto* masks = arena_.make<Mask<W>>(static_cast<std::size_t>(cone.n));
  for (std::int32_t i = 0; i < cone.n; ++i) {
    masks[i] = Mask<W>::none();
    for (int w = 0; w < W; ++w)
      for (std::uint64_t rest = cone.mask[i].w[w]; rest != 0; rest &= rest - 1)
        masks[i].set(place[64 * w + std::countr_zero(rest)]);
  }
  cone.mask = masks;
  node.table = table;
  node.n_bits = next;
  node.own_first = next;
  node.n_own = 0;
  cone.used = Mask<W>::none();
}

template <int W>
void ConeEngine<W>::sort_rays(const std::int8_t* signs, std::int32_t n) {
  // Without branches: nobody can predict the signs.
  const auto room = static_cast<std::size_t>(n);
  for (auto* kind : {&positive_, &negative_, &zero_})
    if (kind->size() < room) kind->resize(room);
  std::size_t n_positive = 0, n_negative = 0, n_zero = 0;
  for (std::int32_t i = 0; i < n; ++i) {
    positive_[n_positive] = negative_[n_negative] = zero_[n_zero] = i;
    n_positive += static_cast<std::size_t>(signs[i] > 0);
    n_negative += static_cast<std::size_t>(signs[i] < 0);
    n_zero += static_cast<std::size_t>(signs[i] == 0);
  }
  positive_.resize(n_positive);
  negative_.resize(n_negative);
  zero_.resize(n_zero);
}

// A look at the run control now and then, where single steps of the search take long.
template <int W>
void ConeEngine<W>::work_off(std::size_t steps) {
  since_tick_ += steps;
  if (since_tick_ <= kLongWork) return;
  since_tick_ = 0;
  tick();
  if (control_.stopped()) throw Stopped{};
}

// All edges between the rays positive_ and negative_: the pairs that share k - 2 facets, where it
// matters without a third ray on all of these. Some rows of pairs at a time: cells of many
// dimensions have 10^9 pairs, and few of them are edges.
template <int W>
void ConeEngine<W>::find_edges(const Mask<W>* mask, std::int32_t n, std::int32_t k, bool simple) {
  const std::size_t np = positive_.size(), nq = negative_.size();
  edges_.clear();
  if constexpr (W == 1) {
    negative_mask_.resize(nq);
    for (std::size_t j = 0; j < nq; ++j) negative_mask_[j] = mask[negative_[j]].w[0];
  }
  const std::size_t rows = std::max<std::size_t>(1, kPairsAtOnce / std::max<std::size_t>(1, nq));
  for (std::size_t first = 0; first < np; first += rows) {
    const std::size_t found = find_pairs(mask, first, std::min(rows, np - first), k);
    add_edges(mask, n, k, simple, first, found);
    if (np > rows) work_off(rows * nq / kPairsAStep);
  }
}

// The pairs of so many rays of positive_, from `first` on, in pair_first_ and pair_second_.
template <int W>
std::size_t ConeEngine<W>::find_pairs(const Mask<W>* mask, std::size_t first, std::size_t rows,
                                      std::int32_t k) {
  const std::size_t nq = negative_.size();
  if (pair_first_.size() < rows * nq + 8) {
    pair_first_.resize(2 * rows * nq + 64);
    pair_second_.resize(2 * rows * nq + 64);
  }
  if constexpr (W == 1) {
    positive_mask_.resize(rows);
    for (std::size_t i = 0; i < rows; ++i) positive_mask_[i] = mask[positive_[first + i]].w[0];
    return kernels_.pairs(positive_mask_.data(), rows, negative_mask_.data(), nq, k - 2,
                          pair_first_.data(), pair_second_.data());
  } else {
    std::size_t found = 0;
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < nq; ++j) {
        pair_first_[found] = static_cast<std::int32_t>(i);
        pair_second_[found] = static_cast<std::int32_t>(j);
        found += static_cast<std::size_t>(
            (mask[positive_[first + i]] & mask[negative_[j]]).count() >= k - 2);
      }
    return found;
  }
}

template <int W>
void ConeEngine<W>::add_edges(const Mask<W>* mask, std::int32_t n, std::int32_t k, bool simple,
                              std::size_t first, std::size_t found) {
  if (simple) {
    const std::size_t before = edges_.size();
    edges_.resize(before + found);
    for (std::size_t e = 0; e < found; ++e)
      edges_[before + e] = {positive_[first + static_cast<std::size_t>(pair_first_[e])],
                            negative_[static_cast<std::size_t>(pair_second_[e])]};
    return;
  }
  std::size_t looked_at = 0;
  for (std::size_t e = 0; e < found; ++e) {
    const std::int32_t p = positive_[first + static_cast<std::size_t>(pair_first_[e])];
    const std::int32_t q = negative_[static_cast<std::size_t>(pair_second_[e])];
    bool adjacent = true;
    if (mask[p].count() != k - 1 && mask[q].count() != k - 1) {
      const Mask<W> common = mask[p] & mask[q];
      std::int32_t r = 0;
      for (; r < n && adjacent; ++r) adjacent = r == p || r == q || !common.within(mask[r]);
      looked_at += static_cast<std::size_t>(r);
    }
    if (adjacent) edges_.push_back({p, q});
    if (looked_at > kPairsAtOnce) {
      work_off(looked_at / kPairsAStep);
      looked_at = 0;
    }
  }
}

template <int W>
void ConeEngine<W>::cut_edges(const Node& node, std::int32_t line, std::size_t words) {
  const Cone<W>& cone = node.cone;
  find_edges(cone.mask, cone.n, cone.k, cone.simple);
  fresh_.clear();
  fresh_mask_.clear();
  const Through through{node.table, node.n_bits, &line, 1, cone.anchor, cone.n_lines};
  const double* row = lines_[static_cast<std::size_t>(line)].row;
  for (const Edge& edge : edges_) {
    const Mask<W> common = cone.mask[edge.positive] & cone.mask[edge.negative];
    fresh_.push_back(
        mix_rays(*cone.ray[edge.positive], *cone.ray[edge.negative], row, common, through, words));
    fresh_mask_.push_back(common);
    work_off(1);
  }
}

template <int W>
Cone<W> ConeEngine<W>::side_of_cut(const Node& node, bool positive, std::int32_t bit) {
  const Cone<W>& from = node.cone;
  const auto& kept = positive ? positive_ : negative_;
  Cone<W> cone;
  const std::size_t n = kept.size() + zero_.size() + fresh_.size();
  cone.n = static_cast<std::int32_t>(n);
  cone.k = from.k;
  cone.n_lines = from.n_lines;
  cone.line = from.line;
  cone.anchor = from.anchor;
  cone.used = from.used;
  cone.used.set(bit);
  cone.ray = arena_.make<Ray*>(n);
  cone.mask = arena_.make<Mask<W>>(n);
  std::size_t at = 0;
  for (const std::int32_t i : kept) {
    cone.ray[at] = from.ray[i];
    cone.mask[at++] = from.mask[i];
  }
  for (const std::int32_t i : zero_) {
    cone.ray[at] = from.ray[i];
    cone.mask[at] = from.mask[i];
    cone.mask[at++].set(bit);
  }
  for (std::size_t i = 0; i < fresh_.size(); ++i) {
    cone.ray[at] = fresh_[i];
    cone.mask[at] = fresh_mask_[i];
    cone.mask[at++].set(bit);
  }
  cone.simple = from.simple && zero_.empty();
  if (!cone.simple) check_simple(cone);
  return cone;
}

// A hyperplane that is not zero on line number `which` cuts the cone whatever its rays are: they
// all move along the line onto the hyperplane, as do the other lines, and the line becomes a ray of
// either child, with its own direction. Fills fresh_, fresh_mask_, fresh_line_, fresh_anchor_.
template <int W>
void ConeEngine<W>::split_lines(const Node& node, std::int32_t line, std::int32_t which,
                                std::size_t words) {
  const Cone<W>& cone = node.cone;
  const double* row = lines_[static_cast<std::size_t>(line)].row;
  const Ray& along = *cone.line[which];
  const double va = value_at(row, along);
  const double da = 1.0001 * row[width_] + row[width_ + 1] * slack_of(along);
  fresh_.clear();
  fresh_mask_.clear();
  fresh_line_.clear();
  fresh_anchor_.clear();
  for (std::int32_t j = 0; j < cone.n_lines; ++j)
    if (j != which) fresh_anchor_.push_back(cone.anchor[j]);
  const auto moved = [&](const Ray& ray, const Mask<W>& mask, const Through& through) {
    Ray* r = new_ray(words);
    const double v = value_at(row, ray), c = va != 0 ? -v / va : 0.0;
    const double dv = 1.0001 * row[width_] + row[width_ + 1] * slack_of(ray);
    const double room = std::fabs(va) - da;
    const double size = kernels_.mix_point(ray.x(), along.x(), 1.0, c, stride_, r->x());
    double error = exactly_zero(row, ray)
                       ? 0.0  // it stays where it is
                       : ray.error + std::fabs(c) * along.error +
                             (dv + std::fabs(c) * da) / room * (1 + along.error) +
                             8 * kRoundoff * (1 + std::fabs(c));
    const bool scales = size > 0x1p-500 && size < 0x1p500;
    const int by =
        scales ? -std::ilogb(size) - (size == std::ldexp(1.0, std::ilogb(size)) ? 0 : 1) : 0;
    for (std::size_t k = 0; k < stride_; ++k) r->x()[k] = std::ldexp(r->x()[k], by);
    error = std::ldexp(error, by);
    r->error = scales && room > 0 && error < 1e300 ? 1.0001 * error : INFINITY;
    r->base = std::max(ray.base, along.base);
    r->alive = ray.alive;
    if (ray.x()[dim_] > 0 && !(r->x()[dim_] > 0x1p-900)) r->x()[dim_] = 0x1p-900;
    if (!(r->error < 1e-14)) improve(*r, mask, through);
    return r;
  };
  Through through{
      node.table, node.n_bits,          &line,
      1,          fresh_anchor_.data(), static_cast<std::int32_t>(fresh_anchor_.size())};
  for (std::int32_t i = 0; i < cone.n; ++i) {
    fresh_.push_back(moved(*cone.ray[i], cone.mask[i], through));
    fresh_mask_.push_back(cone.mask[i]);
  }
  for (std::int32_t j = 0; j < cone.n_lines; ++j) {
    if (j == which) continue;
    std::vector<std::int32_t> others;
    for (const std::int32_t axis : fresh_anchor_)
      if (axis != cone.anchor[j]) others.push_back(axis);
    Through own = through;
    own.axes = others.data();
    own.n_axes = static_cast<std::int32_t>(others.size());
    own.direction = cone.anchor[j];
    fresh_line_.push_back(moved(*cone.line[j], cone.used, own));
  }
}

// `sign` is that of the hyperplane on the line as it is stored.
template <int W>
Cone<W> ConeEngine<W>::side_of_lines(const Node& node, bool positive, std::int32_t bit,
                                     std::int32_t which, int sign) {
  const Cone<W>& from = node.cone;
  Cone<W> cone;
  const std::size_t n = fresh_.size() + 1;
  cone.n = static_cast<std::int32_t>(n);
  cone.k = from.k + 1;
  cone.n_lines = from.n_lines - 1;
  cone.used = from.used;
  cone.ray = arena_.make<Ray*>(n);
  cone.mask = arena_.make<Mask<W>>(n);
  for (std::size_t i = 0; i + 1 < n; ++i) {
    cone.ray[i] = fresh_[i];
    cone.mask[i] = fresh_mask_[i];
    cone.mask[i].set(bit);
  }
  Ray* end = copy_ray(*from.line[which], words_of(node));
  end->alive = false;
  if ((sign > 0) != positive)
    for (std::size_t k = 0; k < stride_; ++k) end->x()[k] = -end->x()[k];
  end->x()[dim_] = 0.0;
  cone.ray[n - 1] = end;
  cone.mask[n - 1] = from.used;
  cone.used.set(bit);
  cone.line = arena_.make<Ray*>(fresh_line_.size());
  cone.anchor = arena_.make<std::int32_t>(fresh_line_.size());
  std::copy(fresh_line_.begin(), fresh_line_.end(), cone.line);
  std::copy(fresh_anchor_.begin(), fresh_anchor_.end(), cone.anchor);
  check_simple(cone);
  return cone;
}

#define LINEAR_REGIONS_CONES(W) template class ConeEngine<W>;
#include "deep/cone_widths.hpp"

}  // namespace linear_regions
