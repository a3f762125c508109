// SPDX-License-Identifier: MIT
// Cells of the layer that is counted: what their units are like at the rays, and the level at which
// the sections begin (cone_count.cpp).
//
// Values of units are continuous functions on the domain. So where all rays of all cells are known
// (cone_vertices.cpp) the signs of the last layer at a ray are found once, in the first cell that
// has the ray, and hold in all others: up to 2^d of them. A cell that at most one unit cuts needs
// no more than a pass over these signs: neither its cone nor its map is made.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "deep/cone_engine.hpp"
#include "linear_regions/sign_vector.hpp"

namespace linear_regions {
namespace {

constexpr double kLooseCounted = 0x1p-32;  // errors above this share of a row are worth a look

}  // namespace

// Are the cells of this layer's cells counted on the spot?
template <int W>
bool ConeEngine<W>::leads_to_count(const LayerCell& cell) const {
  if (!counting() || root_.arithmetic != Arithmetic::kCertified) return false;
  if (last_split(cell.split) || !last_split(cell.split + 1)) return false;
  const Op& op = tape_.split(cell.split + 1);
  return op.kind == OpKind::kPointwise && op.pointwise.unit_of_cut.size() <= 64;
}

// In the layer before the last: finds out which units of the last may cut the cell. Is it none?
// Then its own units are the last to be counted.
template <int W>
bool ConeEngine<W>::ends_here(LayerCell& cell, const Node& node) {
  cell.beyond = ~std::uint64_t{0};
  if (!counting() || last_split(cell.split) || !last_split(cell.split + 1)) return false;
  if (cell.m == 0 || cell.m > 64 || node.cone.n_lines > 0 || !look_ahead_.possible(cell.split))
    return false;
  probes_.clear();
  double slack = 0.0;
  for (std::int32_t i = 0; i < node.cone.n; ++i) {
    probes_.push_back(node.cone.ray[i]->x());
    slack = std::max(slack, slack_of(*node.cone.ray[i]));
  }
  const auto open =
      look_ahead_.open(cell.split, cell.rows, {cell.member, static_cast<std::size_t>(cell.m)},
                       cell.base, blocks_, probes_, slack);
  if (open.empty()) return false;
  cell.beyond = open[0];
  return std::all_of(open.begin(), open.end(), [](std::uint64_t word) { return word == 0; });
}

// Goes to the last layer without leaving the node above.
template <int W>
void ConeEngine<W>::open_leaf(Node& leaf, LayerCell& last) {
  const VertexSet<W>& set = *leaf.vertices;
  leave_pointwise(leaf, nullptr);
  for (std::int32_t i = 0; i < set.n_members; ++i)
    leaf.table[set.first_bit + i] =
        2 * (set.first_line + i) + (get_sign(leaf.on, set.member[i]) ? 0 : 1);
  last.split = leaf.cell->split + 1;
  const auto split = static_cast<std::size_t>(last.split);
  blocks_[split] = leaf.block;
  find_rows(last);
  make_cut_rows(last);
}

// The rows of the set's units of the last layer, without norms.
template <int W>
const double* ConeEngine<W>::rows_beyond(const VertexSet<W>& set, const LayerCell& last) {
  const std::size_t cuts = tape_.split(last.split).pointwise.unit_of_cut.size();
  const auto n = static_cast<std::size_t>(set.n_cuts);
  if (n == cuts) return last.cut_rows;
  beyond_rows_.resize((width_ + 1) * set.lead);
  for (std::size_t k = 0; k <= width_; ++k) {
    const double* from = last.cut_rows + k * padded(cuts);
    double* to = beyond_rows_.data() + k * set.lead;
    for (std::size_t i = 0; i < n; ++i) to[i] = from[set.cut[i]];
    std::fill(to + n, to + set.lead, 0.0);
  }
  return beyond_rows_.data();
}

// Signs of the last layer at the rays that no cell has looked at.
template <int W>
void ConeEngine<W>::look_beyond(Node& leaf, LayerCell& last) {
  const VertexSet<W>& set = *leaf.vertices;
  look_rays_.clear();
  look_at_.clear();
  look_slack_.clear();
  look_sizes_.clear();
  for (std::int32_t i = 0; i < leaf.n_list; ++i) {
    const std::int32_t r = leaf.list[i];
    if (set.beyond[r].known()) continue;
    look_rays_.push_back(r);
    look_at_.push_back(set.ray[r]->x());
    look_slack_.push_back(slack_of(*set.ray[r]));
    look_sizes_.push_back(set.sizes_at(static_cast<std::size_t>(r)));
  }
  const std::size_t n = look_rays_.size();
  look_signs_.resize(3 * n);
  std::uint64_t *positive = look_signs_.data(), *negative = positive + n, *clear = negative + n;
  const std::uint64_t nothing =
      kernels_.look({rows_beyond(set, last), set.lead, width_}, look_at_.data(), look_slack_.data(),
                    n, positive, negative, clear, look_sizes_.data());
  const std::uint64_t wanted = first_bits(static_cast<std::size_t>(set.n_cuts)) & ~nothing;
  for (std::size_t i = 0; i < n; ++i) {
    const std::int32_t r = look_rays_[i];
    set.beyond[r] = {positive[i] & wanted, negative[i] & wanted, clear[i]};
    if ((wanted & ~(positive[i] | negative[i])) != 0 || vanishes_beyond(leaf, *set.ray[r]))
      look_again(leaf, last, r, wanted);
  }
}

// The same as rows of members.
template <int W>
void ConeEngine<W>::make_last_rows(const VertexSet<W>& set, LayerCell& last) {
  const auto cuts = static_cast<std::size_t>(set.n_cuts);
  const std::size_t lead = set.lead;
  last.m = static_cast<std::int32_t>(cuts);
  last.words = 1;
  last.loose = arena_.make<std::uint64_t>(1);
  last.loose[0] = ~std::uint64_t{0};
  last.on = arena_.make<std::uint64_t>(1);  // those that are not zero
  last.on[0] = 0;
  last.member = set.cut;
  last.member_rows = arena_.make<double>((width_ + 2) * lead);
  std::memcpy(last.member_rows, rows_beyond(set, last), (width_ + 1) * lead * sizeof(double));
  double *e = last.member_rows + width_ * lead, *norm = e + lead;
  std::fill(norm, norm + lead, 0.0);
  for (std::size_t k = 0; k < width_; ++k)
    for (std::size_t i = 0; i < lead; ++i) norm[i] += std::fabs(last.member_rows[k * lead + i]);
  for (std::size_t i = 0; i < cuts; ++i) {
    e[i] *= 1.0001;
    bool zero = norm[i] + e[i] == 0.0;
    if (!zero && !(norm[i] > e[i])) {
      cut_row(last, last.member[i], cut_row_.data());
      zero = zero_cut(last, last.member[i], cut_row_.data());
    }
    if (!zero) last.on[0] |= std::uint64_t{1} << i;
    e[i] = usable_error(e[i], norm[i]);
  }
}

// The signs at one ray where doubles leave some open, or all inputs vanish.
template <int W>
void ConeEngine<W>::look_again(Node& leaf, LayerCell& last, std::int32_t r, std::uint64_t wanted) {
  const VertexSet<W>& set = *leaf.vertices;
  if (last.member_rows == nullptr) make_last_rows(set, last);
  wanted &= last.on[0];
  const Through through{leaf.table, leaf.n_bits};
  const Arena::Mark mark = arena_.mark();
  Ray* ray = copy_ray(*set.ray[r], 1);
  ray->vanishing = vanishes_beyond(leaf, *set.ray[r]);
  ray_signs(last, *ray, set.mask[r], through, &wanted);
  set.beyond[r] = {signs_of(*ray, stride_)[0], signs_of(*ray, stride_)[1],
                   ray->vanishing ? 0 : set.beyond[r].clear};
  arena_.release(mark);
}

// Makes the cuts the units that are counted, and the first level ready for so many rays.
template <int W>
void ConeEngine<W>::open_units(const LayerCell& cell, const Node& node,
                               const std::vector<std::int32_t>& cuts, std::size_t rays) {
  const std::size_t m = cuts.size();
  const std::size_t all = tape_.split(cell.split).pointwise.unit_of_cut.size(), from = padded(all);
  lead_ = padded(m);
  counted_ = &cell;
  unit_columns_.assign((width_ + 2) * lead_, 0.0);
  unit_rows_.resize(m * (width_ + 2));
  for (std::size_t i = 0; i < m; ++i) {
    double norm = 0.0;
    for (std::size_t k = 0; k < width_; ++k) {
      const double g = cell.cut_rows[k * from + static_cast<std::size_t>(cuts[i])];
      unit_columns_[k * lead_ + i] = unit_rows_[i * (width_ + 2) + k] = g;
      norm += std::fabs(g);
    }
    double e = cell.cut_rows[width_ * from + static_cast<std::size_t>(cuts[i])];
    if (e > kLooseCounted * norm) e = cut_error(cell, cuts[i], e, norm);
    e = usable_error(1.0001 * e, norm);
    unit_columns_[width_ * lead_ + i] = unit_rows_[i * (width_ + 2) + width_] = e;
    unit_columns_[(width_ + 1) * lead_ + i] = unit_rows_[i * (width_ + 2) + width_ + 1] = norm;
  }
  // The units' rows become path lines for as long as the count takes.
  first_unit_line_ = static_cast<std::int32_t>(lines_.size());
  for (std::size_t i = 0; i < m; ++i)
    lines_.push_back(
        {{Line::Kind::kCut, cell.split, cuts[i], 0}, unit_rows_.data() + i * (width_ + 2)});
  section_.clear();
  count_through_ = {node.table, node.n_bits, nullptr, 0, node.cone.anchor, node.cone.n_lines};
  levels_.resize(std::max(levels_.size(), dim_ + 2));
  Level& level = levels_[0];
  level.n = static_cast<std::int32_t>(rays);
  level.k = node.cone.k;
  level.make_room(rays, lead_);
}

// Regions of the first level, whose rays are level_rays_, under the units; `known`: which meet.
template <int W>
std::uint64_t ConeEngine<W>::count_level(const UnitGraph* known) {
  values_filled_ = false;
  const auto [more, less] = levels_[0].strict();  // all of them, unless signs are not proved
  const std::uint64_t result = count_sections(0, more & less, known);
  lines_.resize(static_cast<std::size_t>(first_unit_line_));
  return result;
}

// Values of the units at the rays of the first level. Signs alone often answer, so they are late.
template <int W>
void ConeEngine<W>::fill_values() {
  if (values_filled_) return;
  values_filled_ = true;
  Level& level = levels_[0];
  const auto n = static_cast<std::size_t>(level.n);
  const Columns units{unit_columns_.data(), lead_, width_};
  bool flat = true;
  for (std::size_t i = 0; i < n; ++i) {
    const Ray& ray = *level_rays_[i];
    std::uint64_t positive = 0, negative = 0;  // proved already
    level.slack[i] = slack_of(ray);
    kernels_.evaluate(units, ray.x(), level.slack[i], level.value.data() + i * lead_, &positive,
                      &negative);
    flat = flat && ray.x()[dim_] == 1.0;
  }
  // A bound of the distance of two rays; in a plane x_0 = 1 it is the size of the cell.
  count_length_ = 2.0;
  if (!flat) return;
  double most = 0.0;
  for (std::size_t k = 0; k < dim_; ++k) {
    double low = 1.0, high = -1.0;
    for (std::size_t i = 0; i < n; ++i) {
      low = std::min(low, level_rays_[i]->x()[k]);
      high = std::max(high, level_rays_[i]->x()[k]);
    }
    most = std::max(most, high - low);
  }
  count_length_ = 1.0001 * most;
}

// Regions of a cell whose rays have the signs of the last layer, under the units that cut it.
template <int W>
std::uint64_t ConeEngine<W>::count_list(const Node& leaf, const LayerCell& last,
                                        std::uint64_t cutting, const UnitGraph* known) {
  const VertexSet<W>& set = *leaf.vertices;
  std::vector<std::int32_t>& cuts = list_cuts_;
  cuts.clear();
  int bit[64];
  for (std::uint64_t rest = cutting; rest != 0; rest &= rest - 1) {
    bit[cuts.size()] = std::countr_zero(rest);
    cuts.push_back(set.cut[bit[cuts.size()]]);
  }
  const auto n = static_cast<std::size_t>(leaf.n_list);
  open_units(last, leaf, cuts, n);
  Level& level = levels_[0];
  level.simple = true;  // until a ray says otherwise
  level_rays_.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    const std::int32_t r = leaf.list[i];
    const auto at = set.beyond[r];
    level_rays_[i] = set.ray[r];
    // Its coordinates are needed later, if at all.
    __builtin_prefetch(set.ray[r]);
    __builtin_prefetch(reinterpret_cast<const char*>(set.ray[r]) + 64);
    level.mask[i] = set.mask[r];
    if (!set.simple && level.simple) level.simple = level.mask[i].count() == level.k - 1;
    std::uint64_t positive = 0, negative = 0;
    for (std::size_t u = 0; u < cuts.size(); ++u) {
      positive |= ((at.positive >> bit[u]) & 1) << u;
      negative |= ((at.negative >> bit[u]) & 1) << u;
    }
    level.positive[i] = positive;
    level.negative[i] = negative;
  }
  return count_level(known);
}

// Regions of the node's cone under these cuts (at most 64, all of them strictly on both sides, none
// of which sees a line of the cone).
template <int W>
std::uint64_t ConeEngine<W>::count_cone(const LayerCell& cell, const Node& node,
                                        const std::vector<std::int32_t>& cuts) {
  const Cone<W>& cone = node.cone;
  const auto n = static_cast<std::size_t>(cone.n);
  const std::size_t m = cuts.size();
  open_units(cell, node, cuts, n);
  Level& level = levels_[0];
  level.simple = cone.simple;
  std::copy_n(cone.mask, n, level.mask.begin());
  level_rays_.assign(cone.ray, cone.ray + n);
  const std::uint64_t every = first_bits(m);
  for (std::size_t i = 0; i < n; ++i) {
    Ray& ray = *cone.ray[i];
    level.slack[i] = slack_of(ray);
    kernels_.evaluate({unit_columns_.data(), lead_, width_}, ray.x(), level.slack[i],
                      level.value.data() + i * lead_, &level.positive[i], &level.negative[i]);
    if (ray.vanishing && vanishing_sign(cell, 0, ray) != 2)
      level.positive[i] = level.negative[i] = 0;
    for (std::uint64_t open = every & ~(level.positive[i] | level.negative[i]); open != 0;
         open &= open - 1) {
      const int u = std::countr_zero(open);
      const int sign =
          sign_of_cut(cell, cuts[static_cast<std::size_t>(u)], ray, cone.mask[i], count_through_);
      if (sign > 0) level.positive[i] |= std::uint64_t{1} << u;
      if (sign < 0) level.negative[i] |= std::uint64_t{1} << u;
    }
  }
  return count_level(nullptr);
}

#define LINEAR_REGIONS_CONES(W) template class ConeEngine<W>;
#include "deep/cone_widths.hpp"

}  // namespace linear_regions
