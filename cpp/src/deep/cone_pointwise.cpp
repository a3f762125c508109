// SPDX-License-Identifier: MIT
// Layers of pointwise activations on cones; see split_pointwise.cpp for the rules, which are the
// same. New here: a cut that is not zero on a line of the cone is cutting; and where all inputs of
// the stage vanish on a ray, the signs there follow from the biases alone.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "deep/cone_engine.hpp"
#include "linear_regions/sign_vector.hpp"

namespace linear_regions {
namespace {

constexpr double kLoose = 0x1p-40;   // errors above this share of a row are worth a closer look,
constexpr double kCoarse = 0x1p-28;  // at once where rays are coarse; in between when it matters

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
  if (ends_here(cell, node)) {
    regions_ += count_cone(cell, node, {cell.member, cell.member + cell.m});
    return false;
  }
  node.block = cell.base;
  gather_members(node, cell);
  return true;
}

// Row of a cut with the columns e and N.
template <int W>
void ConeEngine<W>::cut_row(const LayerCell& cell, std::int32_t cut, double* row) {
  const std::size_t cuts = tape_.split(cell.split).pointwise.unit_of_cut.size();
  maps_.row_at(cell.cut_rows, cuts, cut, row);
  row[width_ + 1] = maps_.norm(row);
  row[width_] = cut_error(cell, cut, row[width_], row[width_ + 1]);
}

// A closer bound of a cut's error where it is large: a pass backwards through the layers.
template <int W>
double ConeEngine<W>::cut_error(const LayerCell& cell, std::int32_t cut, double error,
                                double norm) {
  if (!(error > kLoose * norm) || !tape_.split(cell.split).pointwise.one_cut_at_zero ||
      root_.always_sharp)
    return error;
  return path_errors_.row_error(cell.split, cut, error, path_, blocks_);
}

// The same for open members that were not looked at yet; false where there are none.
template <int W>
bool ConeEngine<W>::tighten(const LayerCell& cell, const std::uint64_t* open) {
  if (cell.loose == nullptr) return false;
  const std::size_t lead = padded(static_cast<std::size_t>(cell.m));
  bool any = false;
  for (std::int32_t w = 0; w < cell.words; ++w) {
    for (std::uint64_t rest = open[w] & cell.loose[w]; rest != 0; rest &= rest - 1) {
      const auto i = static_cast<std::size_t>(64 * w + std::countr_zero(rest));
      double* e = cell.member_rows + width_ * lead + i;
      const double closer =
          usable_error(1.0001 * cut_error(cell, cell.member[i], *e, e[lead]), e[lead]);
      any = any || closer < *e;
      *e = std::min(*e, closer);
    }
    cell.loose[w] &= ~open[w];
  }
  return any;
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

// Signs of a cut at all rays of a cell that has just been entered, in sign_, until both have been
// seen. The rays are the cell's own, so that solving one anew helps all cuts after this one.
template <int W>
typename ConeEngine<W>::Sides ConeEngine<W>::sides_of_cut(const LayerCell& cell, std::int32_t cut,
                                                          Node& node, const Through& through) {
  const Cone<W>& cone = node.cone;
  double* row = cut_row_.data();
  cut_row(cell, cut, row);
  Sides seen;
  for (std::int32_t i = 0; i < cone.n && !(seen.more && seen.less); ++i) {
    Ray& ray = *cone.ray[i];
    int s = vanishing_sign(cell, cut, ray);
    if (s == 2) {
      s = float_sign(row, ray);
      if (s == 0) {
        improve(ray, cone.mask[i], through);
        s = sign_at({Line::Kind::kCut, cell.split, cut, 0}, row, ray, cone.mask[i], through);
      }
    }
    sign_[static_cast<std::size_t>(i)] = static_cast<std::int8_t>(s);
    seen.more = seen.more || s > 0;
    seen.less = seen.less || s < 0;
  }
  return seen;
}

// Fills cell.cut_rows, cell.on, the member list, line_cut_, and which rays are alive.
template <int W>
void ConeEngine<W>::classify_cuts(Node& node, LayerCell& cell) {
  make_cut_rows(cell);
  const Op& op = tape_.split(cell.split);
  const std::size_t cuts = op.pointwise.unit_of_cut.size(), lead = padded(cuts);
  const std::size_t words = word_count(lead);
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
  const Through through{node.table, node.n_bits, nullptr, 0, cone.anchor, cone.n_lines};
  if (!probes_.empty() && lead > 0)
    kernels_.classify({cell.cut_rows, lead, width_}, probes_.data(), probes_.size(), slack, sp, sn,
                      ap, an);

  cell.on = arena_.make<std::uint64_t>(std::max<std::size_t>(1, words));
  line_cut_ = false;
  std::size_t members = 0;
  bool all_alive = false;
  seen_.assign(static_cast<std::size_t>(cone.n), 0);  // alive
  sign_.resize(static_cast<std::size_t>(cone.n));
  for (std::size_t w = 0; w < words; ++w) {
    const std::uint64_t valid = 64 * w < cuts ? first_bits(cuts - 64 * w) : 0;
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
      cut_row(cell, q, cut_row_.data());
      if (zero_cut(cell, q, cut_row_.data())) continue;  // off
      const Sides sides = sides_of_cut(cell, q, node, through);
      if (sides.more && sides.less) {
        cutting |= std::uint64_t{1} << (q & 63);
      } else if (sides.more) {
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
  if (!last_split(cell.split)) {  // of interest beyond this layer only
    for (std::int32_t i = 0; i < cone.n; ++i) {
      // Where inputs vanish and nobody knows the constants, the ray was classified like any other.
      const bool probed = vanishing_sign(cell, 0, *cone.ray[i]) == 2;
      cone.ray[i]->alive =
          !op.pointwise.is_relu || (all_alive && probed) || seen_[static_cast<std::size_t>(i)] != 0;
    }
    for (std::int32_t i = 0; i < cone.n_lines; ++i) cone.line[i]->alive = !op.pointwise.is_relu;
  }
  cell.m = static_cast<std::int32_t>(members);
  cell.words = static_cast<std::int32_t>(word_count(members));
  cell.member = arena_.make<std::int32_t>(members);
  std::int32_t* next = cell.member;
  for (std::size_t w = 0; w < words; ++w)
    for (std::uint64_t rest = sp[w]; rest != 0; rest &= rest - 1)
      *next++ = static_cast<std::int32_t>(64 * w) + std::countr_zero(rest);
}

// Is the row identically zero? Then no ray needs to be asked. Only one that is not certain of any
// coefficient can be.
template <int W>
bool ConeEngine<W>::zero_cut(const LayerCell& cell, std::int32_t cut, const double* row) {
  if (root_.arithmetic == Arithmetic::kFloat || row[width_ + 1] > 1.0001 * row[width_])
    return false;
  ++work_.exact_signs;
  return exact_.zero({Line::Kind::kCut, cell.split, cut, 0});
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
    const std::size_t words = word_count(n);  // members are not in `on`
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
      piece += get_sign(cell.on, q);
    }
    if (!fixed) continue;
    const PieceTable& table = p.tables[static_cast<std::size_t>(p.table_of[j])];
    const auto unit = static_cast<std::int32_t>(j);
    maps_.row_at(cell.rows, n, unit, row_.data());
    if (!maps_.piece_row(row_.data(), table, piece, opening_.add(unit))) opening_.drop_last();
  }
}

// Final errors of the members' rows, unless they may wait.
template <int W>
void ConeEngine<W>::bound_members(LayerCell& cell) {
  const std::size_t lead = padded(static_cast<std::size_t>(cell.m));
  double *e = cell.member_rows + width_ * lead, *norm = e + lead;
  if (coarse()) {
    cell.loose = arena_.make<std::uint64_t>(static_cast<std::size_t>(cell.words) + 1);
    std::fill_n(cell.loose, cell.words, 0);
  }
  for (std::int32_t i = 0; i < cell.m; ++i) {
    if (coarse() && e[i] > kLoose * norm[i] && e[i] <= kCoarse * norm[i])
      set_sign(cell.loose, i);
    else
      e[i] = cut_error(cell, cell.member[i], e[i], norm[i]);
    e[i] = usable_error(1.0001 * e[i], norm[i]);
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
    if (k < width_)
      for (std::size_t i = 0; i < m; ++i) norm[i] += std::fabs(to[i]);
  }
  bound_members(cell);
  node.mixed = arena_.make<std::uint64_t>(2 * words);
  node.on = node.mixed + words;
  for (std::size_t w = 0; w < words; ++w) {
    node.mixed[w] = first_bits(m - 64 * w);
    node.on[w] = 0;
  }
  // Rays of this layer carry the members' signs.
  if (m == 0) return;
  Cone<W>& cone = node.cone;
  const auto n = static_cast<std::size_t>(cone.n);
  auto** rays = arena_.make<Ray*>(n);
  // Copies that leave_layer made for this layer have room for a word.
  const bool room = words == 1 && cell.split > 0 && !(counting() && last_split(cell.split));
  const Through through{node.table, node.n_bits, nullptr, 0, cone.anchor, cone.n_lines};
  look_slack_.resize(n);
  look_at_.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    rays[i] = room ? cone.ray[i] : copy_ray(*cone.ray[i], words);
    look_at_[i] = rays[i]->x();
    look_slack_[i] = slack_of(*rays[i]);
  }
  first_look(cell, rays, n, node.mixed);
  for (std::size_t i = 0; i < n; ++i)
    if (!all_signed(cell, *rays[i], node.mixed))
      ray_signs(cell, *rays[i], cone.mask[i], through, node.mixed);
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
    const auto [more, less, along] = strict_signs(cone, w, words, stride_);
    const std::uint64_t kept = node.mixed[w] & ((more & less) | along);
    node.on[w] = node.mixed[w] & ~kept & more;
    node.mixed[w] = kept;
  }
}

// The wanted members' signs at rays whose coordinates are look_at_ and whose slacks look_slack_, as
// far as doubles tell, all at once; nothing where members take more than a word.
template <int W>
void ConeEngine<W>::first_look(const LayerCell& cell, Ray* const* rays, std::size_t n,
                               const std::uint64_t* wanted) {
  if (cell.words != 1) return;
  look_signs_.resize(3 * n);
  std::uint64_t *positive = look_signs_.data(), *negative = positive + n;
  kernels_.look({cell.member_rows, padded(static_cast<std::size_t>(cell.m)), width_},
                look_at_.data(), look_slack_.data(), n, positive, negative, negative + n, nullptr);
  for (std::size_t i = 0; i < n; ++i) {
    std::uint64_t* signs = signs_of(*rays[i], stride_);
    signs[0] = positive[i] & wanted[0];
    signs[1] = negative[i] & wanted[0];
  }
}

// Was the first look enough?
template <int W>
bool ConeEngine<W>::all_signed(const LayerCell& cell, Ray& ray, const std::uint64_t* wanted) const {
  if (cell.words != 1 || ray.vanishing) return false;
  const std::uint64_t* signs = signs_of(ray, stride_);
  return (signs[0] | signs[1]) == wanted[0];
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
    const Columns rows{cell.member_rows, lead, width_};
    kernels_.evaluate(rows, ray.x(), slack_of(ray), nullptr, positive, negative);
    vertex_open_.resize(words);
    const auto find_open = [&] {
      std::uint64_t some = 0;
      for (std::size_t w = 0; w < words; ++w)
        some |= vertex_open_[w] = wanted[w] & ~(positive[w] | negative[w]);
      return some;
    };
    std::uint64_t open = find_open();
    if (open != 0 && tighten(cell, vertex_open_.data())) {
      kernels_.evaluate(rows, ray.x(), slack_of(ray), nullptr, positive, negative);
      open = find_open();
    }
    // The first look at the ray, whoever comes here: it stays the same for all.
    if (open != 0 && !ray.refreshed) {
      improve(ray, mask, through);
      kernels_.evaluate(rows, ray.x(), slack_of(ray), nullptr, positive, negative);
    }
  }
  bool aimed = false;
  for (std::size_t w = 0; w < words; ++w) {
    positive[w] &= wanted[w];
    negative[w] &= wanted[w];
    for (std::uint64_t open = wanted[w] & ~(positive[w] | negative[w]); open != 0;
         open &= open - 1) {
      const auto i = static_cast<std::int32_t>(64 * w) + std::countr_zero(open);
      int sign = vanishing_sign(cell, cell.member[i], ray);
      if (sign == 2 && root_.arithmetic == Arithmetic::kFloat) sign = 0;
      if (sign == 2) {  // the ray is as good as it gets: exactly, and aimed at once for all
        if (!aimed) aim(mask, through);
        aimed = true;
        ++work_.exact_signs;
        sign = exact_.sign({Line::Kind::kCut, cell.split, cell.member[i], 0});
      }
      if (sign > 0) set_sign(positive, i);
      if (sign < 0) set_sign(negative, i);
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
        if (sign > 0) set_sign(positive, i);
        if (sign < 0) set_sign(negative, i);
      }
  }
}

#define LINEAR_REGIONS_CONES(W) template class ConeEngine<W>;
#include "deep/cone_widths.hpp"

}  // namespace linear_regions
