// SPDX-License-Identifier: MIT
// Counting the last layer by sections: no chamber is ever built.
//
// Theorem (Zaslavsky 1975, by deletion and restriction; here in the interior of a convex cone C):
// for hyperplanes h_1, ..., h_m that cut C,
//   r(C; h_1..h_m) = 1 + sum over i of r(C and h_i; those of h_1..h_(i-1) that cut C and h_i),
// where i contributes nothing if an earlier h_j coincides with h_i inside C. Every section is a
// cone of one dimension less. Two rays are a segment, with one region more than distinct crossing
// points.
//
// A section needs no coordinates: its rays keep only the values of the m rows, interpolated, with
// the error bound of mixed_error. Where that leaves a sign open, the ray is solved from its
// hyperplanes, and after that exact arithmetic decides.
//
// Two units that meet no third one together need no section (find_meetings).
//
// Cost: rays times pairs of units; new rays, O(m) each, and (rays / 2)^2 mask tests per section.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "deep/cone_engine.hpp"
#include "linear_regions/sign_vector.hpp"

namespace linear_regions {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::uint64_t bit_of(std::int32_t i) {
  return std::uint64_t{1} << i;
}

}  // namespace

template <int W>
typename ConeEngine<W>::Level::Strict ConeEngine<W>::Level::strict() const {
  Strict found;
  for (std::size_t r = 0; r < static_cast<std::size_t>(n); ++r) {
    found.more |= positive[r];
    found.less |= negative[r];
  }
  return found;
}

template <int W>
void ConeEngine<W>::Level::fill_columns(std::uint64_t units, const ConeKernels& kernels) {
  const auto rays = static_cast<std::size_t>(n);
  words = (rays + 63) / 64;
  columns.resize(std::max(columns.size(), 2 * words * 64));
  for (std::size_t r = rays; r < padded(rays); ++r) positive[r] = negative[r] = 0;
  kernels.sign_columns(positive.data(), negative.data(), padded(rays), units, columns.data(),
                       words);
}

template <int W>
std::int32_t ConeEngine<W>::Level::smaller_side(std::int32_t unit) const {
  std::int32_t p = 0, q = 0;
  for (std::size_t w = 0; w < words; ++w) {
    p += std::popcount(column(unit)[w]);
    q += std::popcount(column(unit)[words + w]);
  }
  return std::min(p, q);
}

// Which of the units each unit meets inside the level's cone, and with which it is the same
// hyperplane there.
//
// The cone's image under two units is the hull of the rays' images in a plane. They meet inside
// where that hull reaches all four quadrants. Rays show most of these at once. A quadrant without a
// ray, U > 0 and V > 0 after a change of signs, is reached by a ray with U > 0 > V and one with
// U < 0 < V together, where their U / |V| and V / |U| have a product above 1. Where bounds leave
// that open the section by the one decides about the other.
template <int W>
void ConeEngine<W>::find_meetings(std::int32_t depth, std::uint64_t units, UnitGraph& graph) {
  for (std::uint64_t rest = units; rest != 0; rest &= rest - 1)
    graph.meets[std::countr_zero(rest)] = graph.same[std::countr_zero(rest)] = 0;
  Level& level = levels_[static_cast<std::size_t>(depth)];
  std::uint64_t sized = 0;
  for (std::uint64_t us = units; us != 0; us &= us - 1) {
    const std::int32_t u = std::countr_zero(us);
    for (std::uint64_t vs = us & (us - 1); vs != 0; vs &= vs - 1) {
      const std::int32_t v = std::countr_zero(vs);
      const unsigned hidden = hidden_quadrants(level, u, v);
      Meeting meeting = Meeting::kInside;
      if (hidden != 0) {
        if (depth == 0) fill_values();
        const std::uint64_t both = bit_of(u) | bit_of(v);
        if ((sized & both) != both) find_sizes(level, both & ~sized);
        sized |= both;
        meeting = meeting_beyond(level, u, v, hidden);
      }
      switch (meeting) {
        case Meeting::kInside:
          graph.meets[u] |= bit_of(v);
          graph.meets[v] |= bit_of(u);
          break;
        case Meeting::kOutside:
          break;
        case Meeting::kOpen:
          meet_exactly(depth, u, v, graph);
      }
    }
  }
}

// Quadrants of two units that no ray shows; bit 2 [u < 0] + [v < 0]. A ray on the border of two
// quadrants shows both of them: all units cut the cone.
template <int W>
unsigned ConeEngine<W>::hidden_quadrants(const Level& level, std::int32_t u, std::int32_t v) const {
  const std::size_t words = level.words;
  const std::uint64_t *up = level.column(u), *un = up + words;
  const std::uint64_t *vp = level.column(v), *vn = vp + words;
  std::uint64_t quadrant[4] = {};
  for (std::size_t w = 0; w < words; ++w) {
    const std::uint64_t some = up[w] | un[w] | vp[w] | vn[w];
    quadrant[0] |= some & ~(un[w] | vn[w]);
    quadrant[1] |= some & ~(un[w] | vp[w]);
    quadrant[2] |= some & ~(up[w] | vn[w]);
    quadrant[3] |= some & ~(up[w] | vp[w]);
  }
  unsigned hidden = 0;
  for (unsigned q = 0; q < 4; ++q) hidden |= (quadrant[q] == 0 ? 1u : 0u) << q;
  return hidden;
}

// The sizes of these units' values and their inverses, by sign, and how well they are known.
template <int W>
void ConeEngine<W>::find_sizes(Level& level, std::uint64_t units) {
  const auto n = static_cast<std::size_t>(level.n);
  const std::size_t run = padded(n);
  if (level.sizes.size() < 4 * run * lead_) level.sizes.resize(4 * run * lead_);
  for (; units != 0; units &= units - 1) {
    const std::int32_t u = std::countr_zero(units);
    level.share[u] = kernels_.sizes(level.value.data() + u, lead_, n, level.positive.data(),
                                    level.negative.data(), u, {unit_error(u), unit_norm(u)},
                                    level.slack.data(), level.sizes.data() + 4 * run * u);
  }
}

// Do the units meet inside, where no ray is in the `hidden` quadrants?
//
// Let sizes of u and v be known up to shares a and b of themselves, a + b < 0.1. Then quotients of
// theirs are known up to (1 + a)(1 + b) / ((1 - a)(1 - b)) < 1 + 3 (a + b) in all, for the factor
// belongs to the product of one quotient with one the other way round. The fourth part covers what
// is rounded here. Where that is not enough, bounds are taken ray by ray.
template <int W>
typename ConeEngine<W>::Meeting ConeEngine<W>::meeting_beyond(const Level& level, std::int32_t u,
                                                              std::int32_t v,
                                                              unsigned hidden) const {
  const std::size_t words = level.words, run = padded(static_cast<std::size_t>(level.n));
  const double* us = level.sizes.data() + 4 * run * static_cast<std::size_t>(u);
  const double* vs = level.sizes.data() + 4 * run * static_cast<std::size_t>(v);
  const double doubt = 4 * (level.share[u] + level.share[v]);
  for (unsigned q = 0; q < 4; ++q) {
    if (((hidden >> q) & 1) == 0) continue;
    const std::size_t u_less = q >> 1 & 1, v_less = q & 1;
    if (doubt < 0.4) {
      const double product = kernels_.reach(us + run * u_less, vs + run * (2 + v_less),
                                            vs + run * v_less, us + run * (2 + u_less), run);
      if (product * (1 + doubt) < 1 - 1e-12) return Meeting::kOutside;
      if (product * (1 - doubt) > 1 + 1e-12 && product < 1e300) continue;
    }
    const std::uint64_t *up = level.column(u), *vp = level.column(v);
    const Steepness x = steepest(level, u, v, up + words * u_less, vp + words * (1 - v_less));
    const Steepness y = steepest(level, v, u, vp + words * v_less, up + words * (1 - u_less));
    if (x.high * y.high < 1 - 1e-12) return Meeting::kOutside;
    // A lower bound that overflows is none; with both below this, a product above one is of two
    // that are rounded as usual.
    const bool known = x.low < 1e300 && y.low < 1e300;
    if (!(known && x.low * y.low > 1 + 1e-12)) return Meeting::kOpen;  // NaN too
  }
  return Meeting::kInside;
}

// Bounds of the largest size of unit u over that of unit v among the rays of both sets.
template <int W>
typename ConeEngine<W>::Steepness ConeEngine<W>::steepest(const Level& level, std::int32_t u,
                                                          std::int32_t v, const std::uint64_t* us,
                                                          const std::uint64_t* vs) const {
  const double eu = unit_error(u), nu = unit_norm(u), ev = unit_error(v), nv = unit_norm(v);
  Steepness most{0.0, 0.0};
  for (std::size_t w = 0; w < level.words; ++w)
    for (std::uint64_t rest = us[w] & vs[w]; rest != 0; rest &= rest - 1) {
      const std::size_t r = 64 * w + static_cast<std::size_t>(std::countr_zero(rest));
      const double* value = level.value.data() + r * lead_;
      const double a = std::fabs(value[u]), b = std::fabs(value[v]);
      const double da = eu + nu * level.slack[r], db = ev + nv * level.slack[r];
      const double quotient = (a + da) / (b - db);
      const double high = b > db && quotient < kInfinity ? quotient : kInfinity;  // NaN too
      if (!(high <= most.high)) most = {a > da ? (a - da) / (b + db) : 0.0, high};
    }
  return most;
}

template <int W>
void ConeEngine<W>::meet_exactly(std::int32_t depth, std::int32_t u, std::int32_t v,
                                 UnitGraph& graph) {
  section_.push_back(first_unit_line_ + u);
  make_section(depth, u, bit_of(v));
  section_.pop_back();
  const Level& section = levels_[static_cast<std::size_t>(depth) + 1];
  const auto [more, less] = section.strict();
  if ((more & less) != 0) {
    graph.meets[u] |= bit_of(v);
    graph.meets[v] |= bit_of(u);
  } else if ((more | less) == 0) {
    graph.same[u] |= bit_of(v);
    graph.same[v] |= bit_of(u);
  }
}

// Do unit u and the two of `others` take all eight combinations of signs at rays? Then the three
// hyperplanes meet inside.
template <int W>
bool ConeEngine<W>::all_signs(const Level& level, std::int32_t u, std::uint64_t others) const {
  const std::uint64_t *a = level.column(u), *b = level.column(std::countr_zero(others)),
                      *c = level.column(std::countr_zero(others & (others - 1)));
  unsigned seen = 0;
  for (unsigned s = 0; s < 8; ++s) {
    const std::uint64_t *as = a + (s & 1) * level.words, *bs = b + (s >> 1 & 1) * level.words,
                        *cs = c + (s >> 2) * level.words;
    std::uint64_t some = 0;
    for (std::size_t w = 0; w < level.words; ++w) some |= as[w] & bs[w] & cs[w];
    if (some != 0) ++seen;
  }
  return seen == 8;
}

// How many pairs of the units that meet unit u meet each other on it; false where rays do not tell,
// or three of them do so pairwise: there is more to count on the section then.
template <int W>
bool ConeEngine<W>::pairs_on_section(const Level& level, std::int32_t u, std::uint64_t met,
                                     const UnitGraph& graph, std::uint64_t& pairs) const {
  std::uint64_t on_section[64];  // earlier units that meet this one there
  for (std::uint64_t vs = met; vs != 0; vs &= vs - 1) {
    const std::int32_t v = std::countr_zero(vs);
    on_section[v] = 0;
    for (std::uint64_t ws = graph.meets[v] & met & (bit_of(v) - 1); ws != 0; ws &= ws - 1) {
      const std::int32_t w = std::countr_zero(ws);
      if ((on_section[v] & on_section[w]) != 0) return false;
      if (!all_signs(level, u, bit_of(v) | bit_of(w))) return false;
      on_section[v] |= bit_of(w);
      ++pairs;
    }
  }
  return true;
}

template <int W>
std::uint64_t ConeEngine<W>::count_sections(std::int32_t depth, std::uint64_t units,
                                            const UnitGraph* known) {
  Level& level = levels_[static_cast<std::size_t>(depth)];
  if (level.k == 2) {
    if (depth == 0) fill_values();
    return 1 + distinct_crossings(level, units);
  }
  level.fill_columns(units, kernels_);
  UnitGraph found;
  if (known == nullptr) find_meetings(depth, units, found);
  const UnitGraph& graph = known != nullptr ? *known : found;
  // Large cuts first: their sections have few earlier units.
  std::int32_t order[64] = {}, size[64] = {}, m = 0;
  for (std::uint64_t rest = units; rest != 0; rest &= rest - 1) {
    const std::int32_t u = std::countr_zero(rest);
    const std::int32_t cut = level.smaller_side(u);
    std::int32_t at = m++;
    for (; at > 0 && size[at - 1] < cut; --at) {
      order[at] = order[at - 1];
      size[at] = size[at - 1];
    }
    order[at] = u;
    size[at] = cut;
  }
  std::uint64_t result = 1, earlier = 0;
  for (std::int32_t i = 0; i < m; ++i) {
    const std::int32_t u = order[i];
    if ((graph.same[u] & earlier) != 0) continue;  // the same hyperplane came before
    const std::uint64_t met = graph.meets[u] & earlier;
    std::uint64_t pairs = 0;
    if (pairs_on_section(level, u, met, graph, pairs)) {
      result += 1 + static_cast<std::uint64_t>(std::popcount(met)) + pairs;
    } else {
      section_.push_back(first_unit_line_ + u);
      make_section(depth, u, met);
      const auto [more, less] = levels_[static_cast<std::size_t>(depth) + 1].strict();
      result += count_sections(depth + 1, more & less & met);
      section_.pop_back();
    }
    earlier |= bit_of(u);
  }
  return result;
}

// The section of level `depth` by a unit, with the signs of the earlier ones, as level depth + 1.
template <int W>
void ConeEngine<W>::make_section(std::int32_t depth, std::int32_t unit, std::uint64_t earlier) {
  Level& level = levels_[static_cast<std::size_t>(depth)];
  Level& section = levels_[static_cast<std::size_t>(depth) + 1];
  if (depth == 0) fill_values();
  positive_.clear();
  negative_.clear();
  zero_.clear();
  const std::uint64_t *more = level.column(unit), *less = more + level.words;
  for (std::size_t w = 0; w < level.words; ++w) {
    const std::uint64_t all = first_bits(static_cast<std::size_t>(level.n) - 64 * w);
    const auto add = [w](std::vector<std::int32_t>& to, std::uint64_t rays) {
      for (; rays != 0; rays &= rays - 1)
        to.push_back(static_cast<std::int32_t>(64 * w) + std::countr_zero(rays));
    };
    add(positive_, more[w]);
    add(negative_, less[w]);
    add(zero_, all & ~(more[w] | less[w]));
  }
  find_edges(level.mask.data(), level.n, level.k, level.simple);
  const std::size_t n = zero_.size() + edges_.size();
  section.n = static_cast<std::int32_t>(n);
  section.k = level.k - 1;
  section.make_room(n, lead_);
  std::size_t at = 0;
  for (const std::int32_t i : zero_) {
    const auto r = static_cast<std::size_t>(i);
    std::copy_n(level.value.data() + r * lead_, lead_, section.value.data() + at * lead_);
    section.positive[at] = level.positive[r] & earlier;
    section.negative[at] = level.negative[r] & earlier;
    section.slack[at] = level.slack[r];
    section.mask[at] = level.mask[r];
    ++at;
  }
  section.simple = level.simple && zero_.empty();
  const double e = unit_error(unit), norm = unit_norm(unit);
  const double* norms = unit_columns_.data() + (width_ + 1) * lead_;
  const double* errors = unit_columns_.data() + width_ * lead_;
  const std::size_t first = at;
  section_at_.resize(edges_.size());
  for (std::size_t i = 0; i < edges_.size(); ++i, ++at) {
    const auto p = static_cast<std::size_t>(edges_[i].positive),
               q = static_cast<std::size_t>(edges_[i].negative);
    const double vp = std::max(level.value[p * lead_ + static_cast<std::size_t>(unit)], 0.0),
                 vq = std::min(level.value[q * lead_ + static_cast<std::size_t>(unit)], 0.0),
                 total = vp - vq;
    const double t = total > 0 && total < kInfinity ? vp / total : 0.5;
    section_at_[i] = t;
    section.slack[at] =
        mixed_error(t, level.slack[p], level.slack[q], vp, vq, e + norm * level.slack[p],
                    e + norm * level.slack[q], count_length_);
    section.mask[at] = level.mask[p] & level.mask[q];
  }
  const bool all_known = kernels_.mix_edges(
      level.value.data(), lead_, edges_.empty() ? nullptr : &edges_[0].positive, edges_.size(),
      section_at_.data(), errors, norms, section.slack.data() + first, earlier,
      section.value.data() + first * lead_, section.positive.data() + first,
      section.negative.data() + first);
  for (std::size_t i = first; i < n && !all_known; ++i) {
    const std::uint64_t open = earlier & ~(section.positive[i] | section.negative[i]);
    if (open != 0) resolve(section, static_cast<std::int32_t>(i), open);
  }
  if (!section.simple) {
    section.simple = true;
    for (std::size_t i = 0; i < n && section.simple; ++i)
      section.simple = section.mask[i].count() == section.k - 1;
  }
  work_off(n + 1);
}

// Values of the units at a ray of a section, from its own hyperplanes.
template <int W>
bool ConeEngine<W>::resolve_values(Level& level, std::int32_t ray) {
  const auto r = static_cast<std::size_t>(ray);
  Through through = count_through_;
  through.lines = section_.data();
  through.n_lines = static_cast<std::int32_t>(section_.size());
  const Mask<W>& mask = level.mask[r];
  gather_through(mask, through);
  auto* x = row_.data();
  std::fill(row_.begin(), row_.end(), 0.0);
  double error = kInfinity;
  if (!solve(x, &error, false) || !(error < 1e-5)) return false;
  int side = 0;
  if (!(std::fabs(x[dim_]) <= error)) side = x[dim_] > 0 ? 1 : -1;
  for (std::int32_t bit = 0; bit < through.n_bits && side == 0; ++bit) {
    if (mask.has(bit)) continue;
    const std::int32_t entry = through.table[bit];
    const double* row = lines_[static_cast<std::size_t>(entry >> 1)].row;
    double value = 0.0;
    for (std::size_t k = 0; k < width_; ++k) value += row[k] * x[k];
    const double bound = 1.0001 * row[width_] +
                         row[width_ + 1] * (error + 2 * kRoundoff * static_cast<double>(dim_ + 4));
    if (std::fabs(value) > bound) side = (value > 0) == ((entry & 1) == 0) ? 1 : -1;
  }
  if (side == 0) return false;
  if (side < 0)
    for (std::size_t k = 0; k < width_; ++k) x[k] = -x[k];
  if (x[dim_] < 0) x[dim_] = 0;
  level.slack[r] = 1.0001 * (error + 1.1 * kRoundoff * static_cast<double>(dim_ + 4));
  std::fill(row_.begin() + static_cast<std::ptrdiff_t>(width_), row_.end(), 0.0);
  kernels_.evaluate({unit_columns_.data(), lead_, width_}, x, level.slack[r],
                    level.value.data() + r * lead_, &level.positive[r], &level.negative[r]);
  return true;
}

template <int W>
void ConeEngine<W>::resolve(Level& level, std::int32_t ray, std::uint64_t wanted) {
  const auto r = static_cast<std::size_t>(ray);
  const std::uint64_t p = level.positive[r], q = level.negative[r];
  const std::uint64_t all = wanted | p | q;
  if (resolve_values(level, ray)) {
    // What was decided stays; both looks are proved.
    level.positive[r] = p | (level.positive[r] & wanted);
    level.negative[r] = q | (level.negative[r] & wanted);
  }
  std::uint64_t open = all & ~(level.positive[r] | level.negative[r]);
  if (open == 0 || root_.arithmetic == Arithmetic::kFloat) return;
  Through through = count_through_;
  through.lines = section_.data();
  through.n_lines = static_cast<std::int32_t>(section_.size());
  aim(level.mask[r], through);
  for (; open != 0; open &= open - 1) {
    const int u = std::countr_zero(open);
    ++work_.exact_signs;
    const int sign = exact_.sign(lines_[static_cast<std::size_t>(first_unit_line_ + u)].line);
    if (sign > 0) level.positive[r] |= bit_of(u);
    if (sign < 0) level.negative[r] |= bit_of(u);
  }
}

// Distinct points at which the units cross the segment between the two rays of the level.
template <int W>
std::uint64_t ConeEngine<W>::distinct_crossings(Level& level, std::uint64_t units) {
  struct Crossing {
    double at, low, high;
    std::int32_t unit;
  };
  Crossing found[64];
  for (int attempt = 0;; ++attempt) {
    std::int32_t c = 0;
    for (std::uint64_t rest = units; rest != 0; rest &= rest - 1) {
      const std::int32_t u = std::countr_zero(rest);
      const double vp = std::fabs(level.value[static_cast<std::size_t>(u)]);
      const double vq = std::fabs(level.value[lead_ + static_cast<std::size_t>(u)]);
      const double e = unit_error(u), norm = unit_norm(u);
      const double dp = e + norm * level.slack[0], dq = e + norm * level.slack[1];
      const double total = vp + vq, t = vp / total, room = total - dp - dq;
      double doubt = ((1 - t) * dp + t * dq) / room + 4 * kRoundoff;
      if (!(room > 0 && doubt < 1)) doubt = 1;  // NaN too
      const double middle = t >= 0 && t <= 1 ? t : 0.5;
      std::int32_t at = c++;
      for (; at > 0 && found[at - 1].at > middle; --at) found[at] = found[at - 1];
      found[at] = {middle, middle - doubt, middle + doubt, u};
    }
    bool apart = true;
    double reach = -kInfinity;
    for (std::int32_t i = 0; i < c; ++i) {
      apart = apart && found[i].low > reach;
      reach = std::max(reach, found[i].high);
    }
    if (apart) return static_cast<std::uint64_t>(c);
    if (attempt == 0) {
      const std::uint64_t signs[4] = {level.positive[0], level.negative[0], level.positive[1],
                                      level.negative[1]};
      bool better = resolve_values(level, 0);
      better = resolve_values(level, 1) || better;
      level.positive[0] = signs[0], level.negative[0] = signs[1];
      level.positive[1] = signs[2], level.negative[1] = signs[3];
      if (better) continue;
    }
    return exactly_distinct(level, units);
  }
}

template <int W>
std::uint64_t ConeEngine<W>::exactly_distinct(const Level& level, std::uint64_t units) {
  if (root_.arithmetic == Arithmetic::kFloat)
    return static_cast<std::uint64_t>(std::popcount(units));
  const Mask<W> common = level.mask[0] & level.mask[1];
  Through through = count_through_;
  std::uint64_t left = units, groups = 0;
  while (left != 0) {
    const std::int32_t u = std::countr_zero(left);
    left &= left - 1;
    ++groups;
    section_.push_back(first_unit_line_ + u);
    through.lines = section_.data();
    through.n_lines = static_cast<std::int32_t>(section_.size());
    aim(common, through);
    section_.pop_back();
    for (std::uint64_t rest = left; rest != 0; rest &= rest - 1) {
      const std::int32_t v = std::countr_zero(rest);
      ++work_.exact_signs;
      if (exact_.sign(lines_[static_cast<std::size_t>(first_unit_line_ + v)].line) == 0)
        left &= ~bit_of(v);
    }
  }
  return groups;
}

#define LINEAR_REGIONS_CONES(W) template class ConeEngine<W>;
#include "deep/cone_widths.hpp"

}  // namespace linear_regions
