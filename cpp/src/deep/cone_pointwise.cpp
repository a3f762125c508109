// SPDX-License-Identifier: MIT
// Layers of pointwise activations on cones; see split_pointwise.cpp for the rules, which are the
// same. New here: a cut that is not zero on a line of the cone is cutting; and where all inputs of
// the stage vanish on a ray, the signs there follow from the biases alone.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "deep/cone_engine.hpp"

namespace linear_regions {
namespace {

bool bit(const std::uint64_t* words, std::int32_t i) {
  return (words[i >> 6] >> (i & 63)) & 1;
}
void set_bit(std::uint64_t* words, std::int32_t i) {
  words[i >> 6] |= std::uint64_t{1} << (i & 63);
}
std::size_t words_for(std::size_t n) {
  return (n + 63) / 64;
}
std::uint64_t valid_bits(std::size_t n, std::size_t word) {
  const std::size_t rest = n - 64 * word;
  return rest >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << rest) - 1;
}

template <typename R>
std::uint64_t* signs_of(R& ray, std::size_t stride) {
  return const_cast<std::uint64_t*>(reinterpret_cast<const std::uint64_t*>(ray.x() + stride));
}

}  // namespace

template <int W>
bool ConeEngine<W>::enter_pointwise(Node& node, LayerCell& cell) {
  classify_cuts(node, cell);
  if (counting() && last_split(cell.split)) {
    if (cell.m <= 1) {
      regions_ += static_cast<std::uint64_t>(cell.m) + 1;
      return false;
    }
    if (cell.m <= 64 && !line_cut_) {
      regions_ += count_cone(cell, node, {cell.member, cell.member + cell.m});
      return false;
    }
  }
  if (!last_split(cell.split)) base_pointwise(cell);
  node.block = cell.base;
  gather_members(node, cell);
  return true;
}

// Row of a cut with the columns e and N.
template <int W>
void ConeEngine<W>::cut_row(const LayerCell& cell, std::int32_t cut, double* row) const {
  const std::size_t cuts = tape_.split(cell.split).pointwise.unit_of_cut.size();
  maps_.row_at(cell.cut_rows, cuts, cut, row);
  row[width_ + 1] = maps_.norm(row);
}

template <int W>
void ConeEngine<W>::make_cut_rows(LayerCell& cell) {
  const Op& op = tape_.split(cell.split);
  const Pointwise& p = op.pointwise;
  if (p.one_cut_at_zero) {
    cell.cut_rows = cell.rows;
    return;
  }
  const std::size_t n = tape_.slots()[op.output].size, cuts = p.unit_of_cut.size();
  const std::size_t lead = padded(cuts);
  auto* rows = arena_.make<double>((width_ + 1) * lead);
  std::fill(rows, rows + (width_ + 1) * lead, 0.0);
  for (std::size_t q = 0; q < cuts; ++q) {
    maps_.row_at(cell.rows, n, p.unit_of_cut[q], row_.data());
    const double at = p.tables[static_cast<std::size_t>(p.table_of[p.unit_of_cut[q]])]
                          .breakpoints[static_cast<std::size_t>(p.breakpoint_of_cut[q])];
    if (at != 0.0) {
      row_[dim_] -= at;
      row_[width_] += 2 * kRoundoff * std::fabs(row_[dim_]);
    }
    for (std::size_t k = 0; k <= width_; ++k) rows[k * lead + q] = row_[k];
  }
  cell.cut_rows = rows;
}

// Sign of a cut at a ray on which all inputs of the stage vanish; 2 where that is not known.
template <int W>
int ConeEngine<W>::vanishing_sign(const LayerCell& cell, std::int32_t cut, const Ray& ray) const {
  if (!ray.vanishing) return 2;
  const Op& op = tape_.split(cell.split);
  if (ray.x()[dim_] == 0.0) return 0;
  if (!op.pointwise.one_cut_at_zero || !root_.constant_known[static_cast<std::size_t>(cell.split)])
    return 2;
  const double constant =
      root_.constants[static_cast<std::size_t>(cell.split)][static_cast<std::size_t>(cut)];
  return constant > 0 ? 1 : constant < 0 ? -1 : 0;
}

template <int W>
int ConeEngine<W>::sign_of_cut(const LayerCell& cell, std::int32_t cut, Ray& ray,
                               const Mask<W>& mask, const Through& through) {
  const int known = vanishing_sign(cell, cut, ray);
  if (known != 2) return known;
  double* row = cut_row_.data();
  cut_row(cell, cut, row);
  return sign_at({Line::Kind::kCut, cell.split, cut, 0}, row, ray, mask, through);
}

// Fills cell.cut_rows, cell.on, the member list, line_cut_, and which rays are alive.
template <int W>
void ConeEngine<W>::classify_cuts(Node& node, LayerCell& cell) {
  make_cut_rows(cell);
  const Op& op = tape_.split(cell.split);
  const std::size_t cuts = op.pointwise.unit_of_cut.size(), lead = padded(cuts);
  const std::size_t words = words_for(lead);
  const Cone<W>& cone = node.cone;
  masks_.assign(4 * words, 0);
  std::uint64_t *sp = masks_.data(), *sn = sp + words, *ap = sn + words, *an = ap + words;
  probes_.clear();
  double slack = 0.0;
  bool constants = false;  // some ray sees the biases alone
  for (std::int32_t i = 0; i < cone.n; ++i) {
    if (cone.ray[i]->vanishing && vanishing_sign(cell, 0, *cone.ray[i]) != 2) {
      constants = constants || cone.ray[i]->x()[dim_] != 0.0;
      continue;  // at infinity: zero, which decides nothing
    }
    probes_.push_back(cone.ray[i]->x());
    slack = std::max(slack, slack_of(*cone.ray[i]));
  }
  if (!probes_.empty() && lead > 0)
    kernels_.classify({cell.cut_rows, lead, width_}, probes_.data(), probes_.size(), slack, sp, sn,
                      ap, an);

  const Through through{node.table, node.n_bits, nullptr, 0, cone.anchor, cone.n_lines};
  cell.on = arena_.make<std::uint64_t>(std::max<std::size_t>(1, words));
  line_cut_ = false;
  std::size_t members = 0;
  bool all_alive = false;
  seen_.assign(static_cast<std::size_t>(cone.n), 0);  // alive
  sign_.resize(static_cast<std::size_t>(cone.n));
  for (std::size_t w = 0; w < words; ++w) {
    const std::uint64_t valid = 64 * w < cuts ? valid_bits(cuts, w) : 0;
    std::uint64_t cutting = sp[w] & sn[w] & valid, on = 0;
    std::uint64_t open = valid & ~cutting;
    if (cone.n_lines == 0 && !constants) {
      on = ap[w] & valid & ~cutting;
      all_alive = all_alive || on != 0;
      open &= ~(ap[w] | an[w]);
    }
    for (; open != 0; open &= open - 1) {
      const auto q = static_cast<std::int32_t>(64 * w) + std::countr_zero(open);
      if (cone.n_lines > 0 && cuts_line(cell, q, node)) {
        cutting |= std::uint64_t{1} << (q & 63);
        line_cut_ = true;
        continue;
      }
      bool more = false, less = false;
      for (std::int32_t i = 0; i < cone.n && !(more && less); ++i) {
        const int s = sign_of_cut(cell, q, *cone.ray[i], cone.mask[i], through);
        sign_[static_cast<std::size_t>(i)] = static_cast<std::int8_t>(s);
        more = more || s > 0;
        less = less || s < 0;
      }
      if (more && less) {
        cutting |= std::uint64_t{1} << (q & 63);
      } else if (more) {
        on |= std::uint64_t{1} << (q & 63);
        for (std::int32_t i = 0; i < cone.n; ++i)
          if (sign_[static_cast<std::size_t>(i)] != 0) seen_[static_cast<std::size_t>(i)] = 1;
      }
    }
    if (cone.n_lines > 0)  // cutting on the rays already, and perhaps on the lines
      for (std::uint64_t rest = cutting; rest != 0 && !line_cut_; rest &= rest - 1)
        line_cut_ =
            cuts_line(cell, static_cast<std::int32_t>(64 * w) + std::countr_zero(rest), node);
    cell.on[w] = on;
    sp[w] = cutting;
    members += static_cast<std::size_t>(std::popcount(cutting));
  }
  for (std::int32_t i = 0; i < cone.n; ++i)
    cone.ray[i]->alive = !op.pointwise.is_relu || (all_alive && !cone.ray[i]->vanishing) ||
                         seen_[static_cast<std::size_t>(i)] != 0;
  for (std::int32_t i = 0; i < cone.n_lines; ++i) cone.line[i]->alive = !op.pointwise.is_relu;
  cell.m = static_cast<std::int32_t>(members);
  cell.words = static_cast<std::int32_t>(words_for(members));
  cell.member = arena_.make<std::int32_t>(members);
  std::int32_t* next = cell.member;
  for (std::size_t w = 0; w < words; ++w)
    for (std::uint64_t rest = sp[w]; rest != 0; rest &= rest - 1)
      *next++ = static_cast<std::int32_t>(64 * w) + std::countr_zero(rest);
}

// Is the cut not zero on some line of the cone?
template <int W>
bool ConeEngine<W>::cuts_line(const LayerCell& cell, std::int32_t cut, const Node& node) {
  for (std::int32_t j = 0; j < node.cone.n_lines; ++j)
    if (line_sign(cell, cut, node.cone, node.table, node.n_bits, j) != 0) return true;
  return false;
}

template <int W>
int ConeEngine<W>::line_sign(const LayerCell& cell, std::int32_t cut, const Cone<W>& cone,
                             const std::int32_t* table, std::int32_t n_bits, std::int32_t j) {
  line_axes_.clear();
  for (std::int32_t i = 0; i < cone.n_lines; ++i)
    if (i != j) line_axes_.push_back(cone.anchor[i]);
  const Through through{table,
                        n_bits,
                        nullptr,
                        0,
                        line_axes_.data(),
                        static_cast<std::int32_t>(line_axes_.size()),
                        cone.anchor[j]};
  return sign_of_cut(cell, cut, *cone.line[j], cone.used, through);
}

// The next stage from the units whose piece is fixed on the whole cell.
template <int W>
void ConeEngine<W>::base_pointwise(LayerCell& cell) {
  const Op& op = tape_.split(cell.split);
  const Pointwise& p = op.pointwise;
  const std::size_t n = tape_.slots()[op.output].size;
  opening_.clear();
  if (p.is_relu) {
    const std::size_t words = words_for(n);  // members are not in `on`
    for (std::size_t w = 0; w < words; ++w)
      for (std::uint64_t rest = cell.on[w]; rest != 0; rest &= rest - 1) {
        const auto unit = static_cast<std::int32_t>(64 * w) + std::countr_zero(rest);
        maps_.row_at(cell.rows, n, unit, opening_.add(unit));
      }
  } else {
    open_fixed_units(cell, p, n);
  }
  const int stage = cell.split + 1;
  cell.base = arena_.make<double>(maps_.block_size(stage));
  maps_.base(stage, opening_, blocks_, cell.base);
}

template <int W>
void ConeEngine<W>::open_fixed_units(const LayerCell& cell, const Pointwise& p, std::size_t n) {
  std::int32_t next = 0;  // members are in ascending order of cuts
  for (std::size_t j = 0; j < n; ++j) {
    std::size_t piece = 0;
    bool fixed = true;
    for (std::int32_t q = p.cut_start[j]; q < p.cut_start[j + 1]; ++q) {
      if (next < cell.m && cell.member[next] == q) {
        fixed = false;
        ++next;
      }
      piece += bit(cell.on, q);
    }
    if (!fixed) continue;
    const PieceTable& table = p.tables[static_cast<std::size_t>(p.table_of[j])];
    const auto unit = static_cast<std::int32_t>(j);
    maps_.row_at(cell.rows, n, unit, row_.data());
    if (!maps_.piece_row(row_.data(), table, piece, opening_.add(unit))) opening_.drop_last();
  }
}

template <int W>
void ConeEngine<W>::gather_members(Node& node, LayerCell& cell) {
  const std::size_t cuts = tape_.split(cell.split).pointwise.unit_of_cut.size();
  const auto m = static_cast<std::size_t>(cell.m), words = static_cast<std::size_t>(cell.words);
  const std::size_t from = padded(cuts), lead = padded(m);
  cell.member_rows = arena_.make<double>((width_ + 2) * lead);
  double* norm = cell.member_rows + (width_ + 1) * lead;
  std::fill(norm, norm + lead, 0.0);
  for (std::size_t k = 0; k <= width_; ++k) {
    double* to = cell.member_rows + k * lead;
    for (std::size_t i = 0; i < m; ++i)
      to[i] = cell.cut_rows[k * from + static_cast<std::size_t>(cell.member[i])];
    std::fill(to + m, to + lead, 0.0);
    for (std::size_t i = 0; i < m; ++i)
      if (k < width_)
        norm[i] += std::fabs(to[i]);
      else
        to[i] *= 1.0001;
  }
  node.mixed = arena_.make<std::uint64_t>(2 * words);
  node.on = node.mixed + words;
  for (std::size_t w = 0; w < words; ++w) {
    node.mixed[w] = valid_bits(m, w);
    node.on[w] = 0;
  }
  // Rays of this layer carry the members' signs.
  Cone<W>& cone = node.cone;
  auto** rays = arena_.make<Ray*>(static_cast<std::size_t>(cone.n));
  const Through through{node.table, node.n_bits, nullptr, 0, cone.anchor, cone.n_lines};
  for (std::int32_t i = 0; i < cone.n; ++i) {
    rays[i] = copy_ray(*cone.ray[i], words);
    ray_signs(cell, *rays[i], cone.mask[i], through, node.mixed);
  }
  cone.ray = rays;
  if (cone.n_lines > 0) {
    auto** lines = arena_.make<Ray*>(static_cast<std::size_t>(cone.n_lines));
    for (std::int32_t j = 0; j < cone.n_lines; ++j) lines[j] = copy_ray(*cone.line[j], words);
    cone.line = lines;
    line_signs(cell, cone, node.table, node.n_bits, node.mixed);
  }
  if (root_.arithmetic == Arithmetic::kCertified) return;
  // Without proofs a cut may lose its strict signs between two looks at it.
  for (std::size_t w = 0; w < words; ++w) {
    std::uint64_t more = 0, less = 0, along = 0;
    for (std::int32_t i = 0; i < cone.n; ++i) {
      const std::uint64_t* signs = signs_of(*cone.ray[i], stride_);
      more |= signs[w];
      less |= signs[words + w];
    }
    for (std::int32_t j = 0; j < cone.n_lines; ++j) {
      const std::uint64_t* signs = signs_of(*cone.line[j], stride_);
      along |= signs[w] | signs[words + w];
    }
    const std::uint64_t kept = node.mixed[w] & ((more & less) | along);
    node.on[w] = node.mixed[w] & ~kept & more;
    node.mixed[w] = kept;
  }
}

// Sign words of the wanted members at a ray: decided once, stored for good.
template <int W>
void ConeEngine<W>::ray_signs(const LayerCell& cell, Ray& ray, const Mask<W>& mask,
                              const Through& through, const std::uint64_t* wanted) {
  const auto words = static_cast<std::size_t>(cell.words);
  std::uint64_t *positive = signs_of(ray, stride_), *negative = positive + words;
  const std::size_t lead = padded(static_cast<std::size_t>(cell.m));
  if (ray.vanishing && vanishing_sign(cell, 0, ray) != 2) {
    for (std::size_t w = 0; w < words; ++w) positive[w] = negative[w] = 0;
  } else {
    kernels_.evaluate({cell.member_rows, lead, width_}, ray.x(), slack_of(ray), nullptr, positive,
                      negative);
  }
  for (std::size_t w = 0; w < words; ++w) {
    positive[w] &= wanted[w];
    negative[w] &= wanted[w];
    for (std::uint64_t open = wanted[w] & ~(positive[w] | negative[w]); open != 0;
         open &= open - 1) {
      const auto i = static_cast<std::int32_t>(64 * w) + std::countr_zero(open);
      const int sign = sign_of_cut(cell, cell.member[i], ray, mask, through);
      if (sign > 0) set_bit(positive, i);
      if (sign < 0) set_bit(negative, i);
    }
  }
}

// The same for the lines of a cone.
template <int W>
void ConeEngine<W>::line_signs(const LayerCell& cell, const Cone<W>& cone,
                               const std::int32_t* table, std::int32_t n_bits,
                               const std::uint64_t* wanted) {
  const auto words = static_cast<std::size_t>(cell.words);
  for (std::int32_t j = 0; j < cone.n_lines; ++j) {
    std::uint64_t *positive = signs_of(*cone.line[j], stride_), *negative = positive + words;
    std::fill(positive, positive + 2 * words, 0);
    for (std::size_t w = 0; w < words; ++w)
      for (std::uint64_t rest = wanted[w]; rest != 0; rest &= rest - 1) {
        const auto i = static_cast<std::int32_t>(64 * w) + std::countr_zero(rest);
        const int sign = line_sign(cell, cell.member[i], cone, table, n_bits, j);
        if (sign > 0) set_bit(positive, i);
        if (sign < 0) set_bit(negative, i);
      }
  }
}

// The member to split by: one that a line crosses, as long as there is any; `which` is that line.
template <int W>
std::int32_t ConeEngine<W>::choose_member(const Node& node, std::int32_t& which) const {
  const LayerCell& cell = *node.cell;
  const auto words = static_cast<std::size_t>(cell.words);
  which = -1;
  double most = -1.0;
  std::int32_t chosen = -1;
  for (std::int32_t j = 0; j < node.cone.n_lines; ++j) {
    const std::uint64_t* signs = signs_of(*node.cone.line[j], stride_);
    for (std::size_t w = 0; w < words; ++w)
      for (std::uint64_t rest = node.mixed[w] & (signs[w] | signs[words + w]); rest != 0;
           rest &= rest - 1) {
        const auto i = static_cast<std::int32_t>(64 * w) + std::countr_zero(rest);
        double value = 0.0, norm = 0.0;
        const std::size_t lead = padded(static_cast<std::size_t>(cell.m));
        for (std::size_t k = 0; k < width_; ++k) {
          const double g = cell.member_rows[k * lead + static_cast<std::size_t>(i)];
          value += g * node.cone.line[j]->x()[k];
          norm += std::fabs(g);
        }
        const double size = std::fabs(value) / norm;
        if (chosen < 0 || size > most) most = size, which = j, chosen = i;
      }
  }
  if (chosen >= 0) return chosen;
  std::int32_t u = 0;
  while (node.mixed[u >> 6] == 0) u += 64;
  return u + std::countr_zero(node.mixed[u >> 6]);
}

template <int W>
void ConeEngine<W>::expand_pointwise(std::int32_t index) {
  Node parent = stack_[static_cast<std::size_t>(index)];
  const LayerCell& cell = *parent.cell;
  const auto words = static_cast<std::size_t>(cell.words);
  std::int32_t which = -1;
  const std::int32_t u = choose_member(parent, which);
  const std::size_t lead = padded(static_cast<std::size_t>(cell.m));
  for (std::size_t k = 0; k < width_ + 2; ++k)
    row_[k] = cell.member_rows[k * lead + static_cast<std::size_t>(u)];
  const std::int32_t line =
      push_line({Line::Kind::kCut, cell.split, cell.member[u], 0}, row_.data());
  const std::int32_t bit_of_cut = new_bit(parent);
  parent.table[bit_of_cut] = 2 * line;
  auto* wanted = arena_.make<std::uint64_t>(words);
  std::memcpy(wanted, parent.mixed, words * sizeof(std::uint64_t));
  wanted[u >> 6] &= ~(std::uint64_t{1} << (u & 63));

  int along = 0;
  if (which >= 0) {
    const std::uint64_t* signs = signs_of(*parent.cone.line[which], stride_);
    along = bit(signs, u) ? 1 : -1;
    split_lines(parent, line, which, words);
    sign_moved_rays(parent, line, wanted);
  } else {
    sign_.resize(static_cast<std::size_t>(parent.cone.n));
    for (std::int32_t i = 0; i < parent.cone.n; ++i) {
      const std::uint64_t* signs = signs_of(*parent.cone.ray[i], stride_);
      sign_[static_cast<std::size_t>(i)] =
          static_cast<std::int8_t>(bit(signs, u) - bit(signs + words, u));
    }
    sort_rays(sign_.data(), parent.cone.n);
    cut_edges(parent, line, words);
    sign_fresh_rays(parent, line, wanted);
  }
  for (const bool positive : {true, false}) {
    Node child = child_of(index);
    child.table = parent.table;
    child.n_bits = parent.n_bits;
    child.own_first = bit_of_cut;
    child.n_own = 1;
    child.own = arena_.make<std::int32_t>(1);
    child.own[0] = 2 * line + (positive ? 0 : 1);
    child.table[bit_of_cut] = child.own[0];
    child.cone = which >= 0 ? side_of_lines(parent, positive, bit_of_cut, which, along)
                            : side_of_cut(parent, positive, bit_of_cut);
    if (which >= 0) sign_end(child, parent, which, wanted, u, positive);
    finish_child(child, parent, wanted, u, positive);
  }
}

// Signs at the rays on the new hyperplane; members that were fixed before vanish there exactly
// where they vanish on both ends of the edge.
template <int W>
void ConeEngine<W>::sign_fresh_rays(const Node& parent, std::int32_t line,
                                    const std::uint64_t* wanted) {
  const LayerCell& cell = *parent.cell;
  const auto words = static_cast<std::size_t>(cell.words);
  const Through through{parent.table,       parent.n_bits,      &line, 1,
                        parent.cone.anchor, parent.cone.n_lines};
  for (std::size_t r = 0; r < fresh_.size(); ++r) {
    ray_signs(cell, *fresh_[r], fresh_mask_[r], through, wanted);
    std::uint64_t* signs = signs_of(*fresh_[r], stride_);
    const std::uint64_t* p = signs_of(*parent.cone.ray[edges_[r].positive], stride_);
    const std::uint64_t* q = signs_of(*parent.cone.ray[edges_[r].negative], stride_);
    for (std::size_t w = 0; w < 2 * words; ++w)
      signs[w] |= (p[w] | q[w]) & ~parent.mixed[w < words ? w : w - words];
  }
}

// The same after the rays were moved along a line, on which the fixed members vanish.
template <int W>
void ConeEngine<W>::sign_moved_rays(const Node& parent, std::int32_t line,
                                    const std::uint64_t* wanted) {
  const LayerCell& cell = *parent.cell;
  const auto words = static_cast<std::size_t>(cell.words);
  const Through through{parent.table,
                        parent.n_bits,
                        &line,
                        1,
                        fresh_anchor_.data(),
                        static_cast<std::int32_t>(fresh_anchor_.size())};
  for (std::size_t r = 0; r < fresh_.size(); ++r) {
    ray_signs(cell, *fresh_[r], fresh_mask_[r], through, wanted);
    std::uint64_t* signs = signs_of(*fresh_[r], stride_);
    const std::uint64_t* old = signs_of(*parent.cone.ray[r], stride_);
    for (std::size_t w = 0; w < 2 * words; ++w)
      signs[w] |= old[w] & ~parent.mixed[w < words ? w : w - words];
  }
}

// Signs at the ray that a line became, and at the lines that are left.
template <int W>
void ConeEngine<W>::sign_end(Node& child, const Node& parent, std::int32_t which,
                             const std::uint64_t* wanted, std::int32_t u, bool positive) {
  const LayerCell& cell = *parent.cell;
  const auto words = static_cast<std::size_t>(cell.words);
  Ray& end = *child.cone.ray[child.cone.n - 1];
  const std::uint64_t* old = signs_of(*parent.cone.line[which], stride_);
  std::uint64_t* signs = signs_of(end, stride_);
  // The child's first look at the line: the same direction, or the opposite one.
  bool same = true;
  for (std::size_t k = 0; k < width_; ++k)
    same = same && end.x()[k] == parent.cone.line[which]->x()[k];
  for (std::size_t w = 0; w < words; ++w) {
    signs[w] = old[same ? w : words + w] & wanted[w];
    signs[words + w] = old[same ? words + w : w] & wanted[w];
  }
  set_bit(positive ? signs : signs + words, u);
  line_signs(cell, child.cone, child.table, child.n_bits, wanted);
}

// What is still mixed on the child, what became fixed; counts it where nothing else is asked.
template <int W>
void ConeEngine<W>::finish_child(Node& child, const Node& parent, const std::uint64_t* wanted,
                                 std::int32_t u, bool positive) {
  const LayerCell& cell = *child.cell;
  const auto words = static_cast<std::size_t>(cell.words);
  const Cone<W>& cone = child.cone;
  child.mixed = arena_.make<std::uint64_t>(2 * words);
  child.on = child.mixed + words;
  std::uint64_t left = 0;
  bool on_line = false;
  for (std::size_t w = 0; w < words; ++w) {
    std::uint64_t more = 0, less = 0, along = 0;
    for (std::int32_t i = 0; i < cone.n; ++i) {
      const std::uint64_t* signs = signs_of(*cone.ray[i], stride_);
      more |= signs[w];
      less |= signs[words + w];
    }
    for (std::int32_t j = 0; j < cone.n_lines; ++j) {
      const std::uint64_t* signs = signs_of(*cone.line[j], stride_);
      along |= signs[w] | signs[words + w];
    }
    child.mixed[w] = wanted[w] & ((more & less) | along);
    on_line = on_line || (wanted[w] & along) != 0;
    // Fixed now and positive; a member without strict signs is zero on the cell: off.
    child.on[w] = parent.on[w] | (wanted[w] & ~child.mixed[w] & more);
    left += static_cast<std::uint64_t>(std::popcount(child.mixed[w]));
  }
  if (positive) set_bit(child.on, u);
  if (counting() && last_split(cell.split)) {
    if (left <= 1) {
      regions_ += left + 1;
      return;
    }
    if (left <= 64 && !on_line) {
      std::vector<std::int32_t> cuts;
      for (std::size_t w = 0; w < words; ++w)
        for (std::uint64_t rest = child.mixed[w]; rest != 0; rest &= rest - 1)
          cuts.push_back(cell.member[64 * w + static_cast<std::size_t>(std::countr_zero(rest))]);
      regions_ += count_cone(cell, child, cuts);
      return;
    }
  }
  if (!last_split(cell.split)) fix_members(child, parent);
  children_.push_back(child);
}

// Adds the rows of the units that became fixed between parent and child to the child's block.
template <int W>
void ConeEngine<W>::fix_members(Node& child, const Node& parent) {
  const auto words = static_cast<std::size_t>(child.cell->words);
  for (std::size_t w = 0; w < words; ++w)
    for (std::uint64_t fixed = parent.mixed[w] & ~child.mixed[w]; fixed != 0; fixed &= fixed - 1)
      push_fixed_unit(child, parent, static_cast<std::int32_t>(64 * w) + std::countr_zero(fixed));
}

template <int W>
void ConeEngine<W>::push_fixed_unit(Node& child, const Node& parent, std::int32_t member) {
  const LayerCell& cell = *child.cell;
  const Op& op = tape_.split(cell.split);
  const Pointwise& p = op.pointwise;
  if (p.is_relu && !bit(child.on, member)) return;
  const std::int32_t unit = p.unit_of_cut[cell.member[member]];
  std::size_t piece = 0;
  if (p.one_cut_at_zero) {
    piece = bit(child.on, member);
  } else {
    // Members of one unit are neighbours. Its row is due when the last of them is fixed.
    std::int32_t first = member, last = member;
    while (first > 0 && p.unit_of_cut[cell.member[first - 1]] == unit) --first;
    while (last + 1 < cell.m && p.unit_of_cut[cell.member[last + 1]] == unit) ++last;
    for (std::int32_t i = first; i <= last; ++i) {
      if (bit(child.mixed, i)) return;
      if (i > member && bit(parent.mixed, i)) return;  // fixed in the same step: left to that one
      piece += bit(child.on, i);
    }
    for (std::int32_t q = p.cut_start[unit]; q < p.cut_start[unit + 1]; ++q)
      piece += bit(cell.on, q);
  }
  const PieceTable& table = p.tables[static_cast<std::size_t>(p.table_of[unit])];
  const std::size_t n = tape_.slots()[op.output].size;
  maps_.row_at(cell.rows, n, unit, row_.data());
  if (maps_.piece_row(row_.data(), table, piece, other_row_.data()))
    maps_.push(op.output, unit, other_row_.data(), own_block(child, parent.block));
}

template <int W>
void ConeEngine<W>::leave_pointwise(const Node& node, std::uint64_t* pattern) {
  const LayerCell& cell = *node.cell;
  const Op& op = tape_.split(cell.split);
  path_.cuts[static_cast<std::size_t>(cell.split)] = {cell.on, node.on, cell.member, cell.m};
  if (pattern == nullptr) return;
  const std::size_t words = words_for(op.pointwise.unit_of_cut.size());
  for (std::size_t w = 0; w < words; ++w)
    for (std::uint64_t rest = cell.on[w]; rest != 0; rest &= rest - 1)
      set_bit(pattern, op.pattern_bit[64 * w + static_cast<std::size_t>(std::countr_zero(rest))]);
  for (std::int32_t w = 0; w < cell.words; ++w)
    for (std::uint64_t rest = node.on[w]; rest != 0; rest &= rest - 1)
      set_bit(
          pattern,
          op.pattern_bit[static_cast<std::size_t>(cell.member[64 * w + std::countr_zero(rest)])]);
}

// Do all outputs of the node's layer vanish on the ray, and with them all inputs of the next stage?
template <int W>
bool ConeEngine<W>::vanishes_beyond(const Node& node, const Ray& ray) const {
  const LayerCell& cell = *node.cell;
  const Op& op = tape_.split(cell.split);
  if (op.kind != OpKind::kPointwise || !op.pointwise.is_relu || ray.alive) return false;
  if (last_split(cell.split) || !root_.chain[static_cast<std::size_t>(cell.split) + 1])
    return false;
  const std::uint64_t* signs = signs_of(ray, stride_);
  for (std::int32_t w = 0; w < cell.words; ++w)
    if ((signs[w] & node.on[w]) != 0) return false;
  return true;
}

#define LINEAR_REGIONS_CONES(W) template class ConeEngine<W>;
#include "deep/cone_widths.hpp"

}  // namespace linear_regions
