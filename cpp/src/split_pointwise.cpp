// SPDX-License-Identifier: MIT
// Layers of pointwise activations. A cut is a unit's pre-activation minus one of its breakpoints;
// the members of a layer cell are the cuts that are strictly positive somewhere on the cell and
// strictly negative somewhere. A cut that is zero on the whole cell is off and cuts nothing.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "engine.hpp"

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

// Cells with fewer members are not narrowed, and split by their first member.
constexpr std::int32_t kWide = 64;

// The bits of `from` at the places of `which`, side by side.
void pick_bits(const std::uint64_t* from, const std::uint64_t* which, std::size_t words,
               std::uint64_t* to) {
  std::uint64_t word = 0;
  int filled = 0;
  for (std::size_t w = 0; w < words; ++w)
    for (std::uint64_t rest = which[w]; rest != 0; rest &= rest - 1) {
      word |= ((from[w] >> std::countr_zero(rest)) & 1) << filled;
      if (++filled == 64) {
        *to++ = word;
        word = 0;
        filled = 0;
      }
    }
  if (filled > 0) *to = word;
}

// The member that splits a node. Any will do; of many, one drawn by the node's name: in order,
// units with parallel rows that are sorted would split off one cell at a time and take quadratic
// time, where draws take n log n in expectation, as in quicksort.
std::int32_t pivot(const std::uint64_t* mixed, std::size_t words, std::uint64_t name) {
  std::uint64_t before = 0;
  if (words > 1) {
    std::uint64_t n = 0;
    for (std::size_t w = 0; w < words; ++w)
      n += static_cast<std::uint64_t>(std::popcount(mixed[w]));
    if (n >= static_cast<std::uint64_t>(kWide)) before = name % n;
  }
  std::int32_t w = 0;
  for (std::uint64_t n; before >= (n = static_cast<std::uint64_t>(std::popcount(mixed[w]))); ++w)
    before -= n;
  std::uint64_t rest = mixed[w];
  for (; before > 0; --before) rest &= rest - 1;
  return 64 * w + std::countr_zero(rest);
}

}  // namespace

bool Engine::enter_pointwise(Node& node, LayerCell& cell) {
  classify_cuts(node, cell);
  if (counting() && last(cell) && cell.m <= 1) {
    regions_ += count_leaf(static_cast<std::uint64_t>(cell.m));
    return false;
  }
  if (!last(cell)) base_pointwise(cell);
  node.block = cell.base;
  gather_members(node, cell);
  node.cell = &cell;
  if (cell.m == 0 || !worth_looking(node)) return true;
  look_ahead(node);
  if (!(counting() && last(*node.cell) && cell.m <= 1)) return true;
  regions_ += count_leaf(static_cast<std::uint64_t>(cell.m));
  return false;
}

// Fills cell.cut_rows, cell.on and the member list.
void Engine::classify_cuts(const Node& node, LayerCell& cell) {
  const Op& op = tape_.split(cell.split);
  const Pointwise& p = op.pointwise;
  const std::size_t n = tape_.slots()[op.output].size;
  const std::size_t cuts =
      cell.live != nullptr ? static_cast<std::size_t>(cell.live->count) : p.unit_of_cut.size();
  const std::size_t lead = padded(cuts);
  if (p.one_cut_at_zero) {
    cell.cut_rows = cell.rows;
    cell.cut_stride = cell.stride;
  } else {
    auto* rows = arena_.make<double>(4 * lead);
    std::fill(rows, rows + 4 * lead, 0.0);
    for (std::size_t q = 0; q < cuts; ++q) {
      Row4 row = row_at(cell.rows, n, p.unit_of_cut[q]);
      const double at = p.tables[static_cast<std::size_t>(p.table_of[p.unit_of_cut[q]])]
                            .breakpoints[static_cast<std::size_t>(p.breakpoint_of_cut[q])];
      if (at != 0.0) {
        row.v[2] -= at;
        row.v[3] += 2 * kUlp * std::fabs(row.v[2]);
      }
      set_row(rows, cuts, static_cast<std::int32_t>(q), row);
    }
    cell.cut_rows = rows;
    cell.cut_stride = lead;
  }
  const std::size_t words = words_for(lead);
  masks_.resize(4 * words);
  std::uint64_t *sp = masks_.data(), *sn = sp + words, *ap = sn + words, *an = ap + words;
  probes_.clear();
  for (std::int32_t v = 0; v < node.polygon.n; ++v)
    probes_.push_back(node.polygon.vertices[v].probe());
  const std::size_t stride = cell.cut_stride;
  kernels_.classify({cell.cut_rows, cell.cut_rows + stride, cell.cut_rows + 2 * stride,
                     cell.cut_rows + 3 * stride},
                    lead, probes_.data(), probes_.size(), node.polygon.magnitude(),
                    node.polygon.slack(), sp, sn, ap, an);

  cell.on = arena_.make<std::uint64_t>(std::max<std::size_t>(1, words));
  std::size_t members = 0;
  for (std::size_t w = 0; w < words; ++w) {
    const std::size_t rest = cuts - 64 * w;
    const std::uint64_t valid = rest >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << rest) - 1;
    std::uint64_t cutting = sp[w] & sn[w] & valid, on = ap[w] & valid;
    std::uint64_t open = valid & ~(cutting | ap[w] | an[w]);
    for (; open != 0; open &= open - 1) {
      const auto q = static_cast<std::int32_t>(64 * w) + std::countr_zero(open);
      bool more = bit(sp, q), less = bit(sn, q);
      const Line line{Line::Kind::kCut, cell.split, cell.live != nullptr ? cell.live->unit[q] : q,
                      0};
      for (std::int32_t v = 0; v < node.polygon.n && !(more && less); ++v) {
        const Vertex& vertex = node.polygon.vertices[v];
        // The kernel that decides later, in vertex_signs: another order of rounding might leave
        // open what was certain here, and a member without strict signs has no chord.
        double eight[4][kLanes];
        for (std::size_t k = 0; k < 4; ++k)
          std::copy_n(cell.cut_rows + k * stride + static_cast<std::size_t>(q) / kLanes * kLanes,
                      kLanes, eight[k]);
        const std::uint64_t all = (std::uint64_t{1} << kLanes) - 1;
        std::uint64_t above = 0, below = 0;
        kernels_.signs_at({eight[0], eight[1], eight[2], eight[3]}, kLanes, vertex.probe(),
                          vertex.magnitude(), vertex.slack(), &all, &above, &below);
        const auto lane = static_cast<std::int32_t>(static_cast<std::size_t>(q) % kLanes);
        int sign = bit(&above, lane) - bit(&below, lane);
        if (sign == 0) sign = exact_sign(line, vertex);
        more = more || sign > 0;
        less = less || sign < 0;
      }
      if (more && less)
        cutting |= std::uint64_t{1} << (q & 63);
      else if (more)
        on |= std::uint64_t{1} << (q & 63);
    }
    cell.on[w] = on;
    sp[w] = cutting;
    members += static_cast<std::size_t>(std::popcount(cutting));
  }
  cell.m = static_cast<std::int32_t>(members);
  cell.words = static_cast<std::int32_t>(words_for(members));
  cell.member = arena_.make<std::int32_t>(members);
  std::int32_t* next = cell.member;
  for (std::size_t w = 0; w < words; ++w)
    for (std::uint64_t rest = sp[w]; rest != 0; rest &= rest - 1)
      *next++ = static_cast<std::int32_t>(64 * w) + std::countr_zero(rest);
  if (cell.live != nullptr) name_live(cell);
}

// From numbers of live units to their cuts, which for them are the units; the others are settled.
void Engine::name_live(LayerCell& cell) {
  const std::size_t words = words_for(padded(tape_.split(cell.split).pointwise.unit_of_cut.size()));
  const std::uint64_t* found = cell.on;
  cell.on = arena_.make<std::uint64_t>(words);
  std::copy_n(cell.live->on, words, cell.on);
  for (std::int32_t i = 0; i < cell.live->count; ++i)
    if (bit(found, i)) set_bit(cell.on, cell.live->unit[i]);
  for (std::int32_t i = 0; i < cell.m; ++i) cell.member[i] = cell.live->unit[cell.member[i]];
}

Row4 Engine::unit_row(const LayerCell& cell, std::int32_t unit) const {
  const std::int32_t at = cell.live != nullptr ? cell.live->position(unit) : unit;
  return row_in(cell.rows, cell.stride, static_cast<std::size_t>(at));
}

// The combined map with the columns of the live units that are on in the whole cell.
void Engine::base_reduced(LayerCell& cell) {
  const Reduced& reduced = *cell.reduced;
  const std::size_t size = 4 * reduced.lead;
  cell.base = arena_.make<double>(size);
  std::copy_n(blocks_[static_cast<std::size_t>(cell.split)], size, cell.base);
  for (std::int32_t i = 0; i < cell.live->count; ++i)
    if (bit(cell.on, cell.live->unit[i]))
      add_column(reduced, cell.split, cell.live->unit[i],
                 row_in(cell.rows, cell.stride, static_cast<std::size_t>(i)), cell.base);
}

// The next stage from the units whose piece is fixed on the whole cell.
void Engine::base_pointwise(LayerCell& cell) {
  if (cell.reduced != nullptr) {
    base_reduced(cell);
    return;
  }
  const Op& op = tape_.split(cell.split);
  const Pointwise& p = op.pointwise;
  const std::size_t n = tape_.slots()[op.output].size;
  opening_.clear();
  if (p.is_relu) {
    const std::size_t words = words_for(n);  // members are not in `on`
    for (std::size_t w = 0; w < words; ++w)
      for (std::uint64_t rest = cell.on[w]; rest != 0; rest &= rest - 1) {
        const auto unit = static_cast<std::int32_t>(64 * w) + std::countr_zero(rest);
        opening_.add(unit, row_at(cell.rows, n, unit));
      }
  } else {
    open_fixed_units(cell, p, n);
  }
  const int stage = cell.split + 1;
  cell.base = arena_.make<double>(tape_.stages()[static_cast<std::size_t>(stage)].block);
  maps_.base(stage, opening_, blocks_, cell.base);
}

void Engine::open_fixed_units(const LayerCell& cell, const Pointwise& p, std::size_t n) {
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
    const Row4 row = piece_row(row_at(cell.rows, n, unit), table, piece);
    if (!row.zero()) opening_.add(unit, row);
  }
}

void Engine::gather_members(Node& node, LayerCell& cell) {
  gather_rows(node, cell);
  const auto words = static_cast<std::size_t>(cell.words);
  node.signs = arena_.make<std::uint64_t>(2 * words * static_cast<std::size_t>(node.polygon.n));
  for (std::int32_t v = 0; v < node.polygon.n; ++v)
    vertex_signs(cell, node.polygon.vertices[v], node.mixed,
                 node.signs + 2 * words * static_cast<std::size_t>(v));
}

// The rows of the cell's members side by side; on the node, all of them are mixed.
void Engine::gather_rows(Node& node, LayerCell& cell) {
  const auto m = static_cast<std::size_t>(cell.m), words = static_cast<std::size_t>(cell.words);
  const std::size_t lead = padded(m);
  cell.member_rows = arena_.make<double>(4 * lead);
  for (std::size_t i = 0; i < m; ++i) {
    const std::int32_t cut = cell.member[i];
    const std::int32_t at = cell.live != nullptr ? cell.live->position(cut) : cut;
    const Row4 row = row_in(cell.cut_rows, cell.cut_stride, static_cast<std::size_t>(at));
    for (std::size_t k = 0; k < 4; ++k) cell.member_rows[k * lead + i] = row.v[k];
  }
  for (std::size_t k = 0; k < 4; ++k) {
    std::fill(cell.member_rows + k * lead + m, cell.member_rows + (k + 1) * lead, 0.0);
  }
  node.mixed = arena_.make<std::uint64_t>(words);
  node.on = arena_.make<std::uint64_t>(words);
  for (std::size_t w = 0; w < words; ++w) {
    node.mixed[w] = m - 64 * w >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << (m - 64 * w)) - 1;
    node.on[w] = 0;
  }
}

// Sign words of the wanted members at a vertex: decided once, stored for good.
void Engine::vertex_signs(const LayerCell& cell, const Vertex& vertex, const std::uint64_t* wanted,
                          std::uint64_t* signs) {
  const auto words = static_cast<std::size_t>(cell.words);
  std::uint64_t *positive = signs, *negative = signs + words;
  const std::size_t lead = padded(static_cast<std::size_t>(cell.m));
  kernels_.signs_at(rows_of(cell.member_rows, static_cast<std::size_t>(cell.m)), lead,
                    vertex.probe(), vertex.magnitude(), vertex.slack(), wanted, positive, negative);
  for (std::size_t w = 0; w < words; ++w)
    for (std::uint64_t open = wanted[w] & ~(positive[w] | negative[w]); open != 0;
         open &= open - 1) {
      const auto i = static_cast<std::int32_t>(64 * w) + std::countr_zero(open);
      const int sign = exact_sign({Line::Kind::kCut, cell.split, cell.member[i], 0}, vertex);
      if (sign > 0) set_bit(positive, i);
      if (sign < 0) set_bit(negative, i);
    }
}

void Engine::expand_pointwise(std::int32_t index) {
  const Node& parent = stack_[static_cast<std::size_t>(index)];
  const LayerCell& cell = *parent.cell;
  const auto words = static_cast<std::size_t>(cell.words);
  const auto n = static_cast<std::size_t>(parent.polygon.n);
  const std::int32_t u = pivot(parent.mixed, words, parent.name);
  decide(cell.split, cell.member[u]);

  vertex_sign_.resize(n);
  for (std::size_t v = 0; v < n; ++v) {
    const std::uint64_t* signs = parent.signs + 2 * words * v;
    vertex_sign_[v] = static_cast<std::int8_t>(bit(signs, u) - bit(signs + words, u));
  }
  const Row4 row = row_at(cell.member_rows, static_cast<std::size_t>(cell.m), u);
  lines_.push_back({{Line::Kind::kCut, cell.split, cell.member[u], 0},
                    row.v[0],
                    row.v[1],
                    row.v[2],
                    row.v[3],
                    false});
  const Chord chord = find_chord(parent.polygon, vertex_sign_.data(),
                                 static_cast<std::int32_t>(lines_.size()) - 1, lines_);
  // Signs at the two chord points, for the members that are still mixed on the parent.
  auto* memory = arena_.make<std::uint64_t>(5 * words);
  const ChordSigns ends{memory, memory + 2 * words};
  std::uint64_t* wanted = memory + 4 * words;
  std::memcpy(wanted, parent.mixed, words * sizeof(std::uint64_t));
  wanted[u >> 6] &= ~(std::uint64_t{1} << (u & 63));
  const auto end_signs = [&](std::int32_t existing, const Vertex& vertex, std::uint64_t* signs) {
    if (existing >= 0)
      std::memcpy(signs, parent.signs + 2 * words * static_cast<std::size_t>(existing),
                  2 * words * sizeof(std::uint64_t));
    else
      vertex_signs(cell, vertex, wanted, signs);
  };
  end_signs(chord.out_vertex, chord.out, ends.out);
  end_signs(chord.in_vertex, chord.in, ends.in);

  const bool leaf = counting() && last(cell);
  for (const bool positive : {true, false}) {
    Node& child = children_.emplace_back(child_of(index));  // nodes are large
    child.child = positive ? 0 : 1;
    const std::uint64_t left = decide_members(child, parent, chord, positive, wanted, ends);
    if (positive) set_bit(child.on, u);
    bool over = leaf && left <= 1;
    if (!over) {
      if (!last(cell)) fix_members(child, parent);
      place_child(child, parent, chord, positive, left, ends);
      if (left > 0 && worth_looking(child)) {
        look_ahead(child);
        over = counting() && last(*child.cell) && left <= 1;
      }
    }
    if (!over) continue;
    regions_ += count_leaf(left);
    children_.pop_back();
  }
}

// Which of the wanted members still cut the child, and which are on; returns how many cut it.
std::uint64_t Engine::decide_members(Node& child, const Node& parent, const Chord& chord,
                                     bool positive, const std::uint64_t* wanted,
                                     const ChordSigns& ends) {
  const auto words = static_cast<std::size_t>(child.cell->words);
  child.mixed = arena_.make<std::uint64_t>(2 * words);
  child.on = child.mixed + words;
  std::uint64_t left = 0;
  const std::int32_t first = positive ? chord.first_positive : chord.first_negative;
  const std::int32_t kept =
      positive ? chord.positives(parent.polygon.n) : chord.negatives(parent.polygon.n);
  for (std::size_t w = 0; w < words; ++w) {
    std::uint64_t more = ends.out[w] | ends.in[w], less = ends.out[words + w] | ends.in[words + w];
    std::int32_t v = first;
    for (std::int32_t k = 0; k < kept; ++k) {
      const std::uint64_t* signs = parent.signs + 2 * words * static_cast<std::size_t>(v);
      more |= signs[w];
      less |= signs[words + w];
      v = v + 1 == parent.polygon.n ? 0 : v + 1;
    }
    child.mixed[w] = wanted[w] & more & less;
    // Fixed now and positive; a member without strict signs would be zero on the cell: off.
    child.on[w] = parent.on[w] | (wanted[w] & ~child.mixed[w] & more);
    left += static_cast<std::uint64_t>(std::popcount(child.mixed[w]));
  }
  return left;
}

// The polygon of a child and the signs at its vertices.
void Engine::place_child(Node& child, const Node& parent, const Chord& chord, bool positive,
                         std::uint64_t left, const ChordSigns& ends) {
  const std::int32_t kept =
      positive ? chord.positives(parent.polygon.n) : chord.negatives(parent.polygon.n);
  source_.resize(static_cast<std::size_t>(kept) + 2);
  child.polygon = cut_side(parent.polygon, chord, positive, arena_, source_.data());
  if (left == 0) return;
  const LayerCell& cell = *parent.cell;
  const auto words = static_cast<std::size_t>(cell.words);
  const bool narrows = worth_narrowing(cell, left);
  const std::uint64_t* mixed = child.mixed;  // of the wide cell
  if (narrows) narrow(child, left);
  const auto own = static_cast<std::size_t>(child.cell->words);
  child.signs = arena_.make<std::uint64_t>(2 * own * source_.size());
  for (std::size_t v = 0; v < source_.size(); ++v) {
    const std::uint64_t* from =
        source_[v] == -1   ? ends.out
        : source_[v] == -2 ? ends.in
                           : parent.signs + 2 * words * static_cast<std::size_t>(source_[v]);
    std::uint64_t* to = child.signs + 2 * own * v;
    if (narrows) {
      pick_bits(from, mixed, words, to);
      pick_bits(from + words, mixed, words, to + own);
    } else {
      std::memcpy(to, from, 2 * words * sizeof(std::uint64_t));
    }
  }
}

// Few members of many still cut: words and rows of the others would only be passed over. A copy of
// `on` is paid for by the sub-tree; counting the last split needs none.
bool Engine::worth_narrowing(const LayerCell& cell, std::uint64_t left) const {
  const std::size_t cuts = tape_.split(cell.split).pointwise.unit_of_cut.size();
  const bool copies = !(counting() && last(cell));
  return cell.m >= kWide && 4 * left <= static_cast<std::uint64_t>(cell.m) &&
         !(copies && left < cuts / 1024);
}

// Gives the child a layer cell of its own: the same cell, but members that are fixed on the child
// are fixed on all of it.
void Engine::narrow(Node& child, std::uint64_t left) {
  const LayerCell& wide = *child.cell;
  auto* cell = arena_.make<LayerCell>(1);
  *cell = wide;
  if (!(counting() && last(wide))) {
    const std::size_t words =
        words_for(padded(tape_.split(wide.split).pointwise.unit_of_cut.size()));
    cell->on = arena_.make<std::uint64_t>(words);
    std::memcpy(cell->on, wide.on, words * sizeof(std::uint64_t));
    for (std::int32_t w = 0; w < wide.words; ++w)
      for (std::uint64_t rest = child.on[w]; rest != 0; rest &= rest - 1)
        set_bit(cell->on, wide.member[64 * w + std::countr_zero(rest)]);
  }
  cell->m = static_cast<std::int32_t>(left);
  cell->words = static_cast<std::int32_t>(words_for(left));
  cell->member = arena_.make<std::int32_t>(left);
  std::int32_t* next = cell->member;
  for (std::int32_t w = 0; w < wide.words; ++w)
    for (std::uint64_t rest = child.mixed[w]; rest != 0; rest &= rest - 1)
      *next++ = wide.member[64 * w + std::countr_zero(rest)];
  child.cell = cell;
  gather_rows(child, *cell);
}

// Adds the rows of the units that became fixed between parent and child to the child's block.
void Engine::fix_members(Node& child, const Node& parent) {
  const auto words = static_cast<std::size_t>(child.cell->words);
  for (std::size_t w = 0; w < words; ++w)
    for (std::uint64_t fixed = parent.mixed[w] & ~child.mixed[w]; fixed != 0; fixed &= fixed - 1)
      push_fixed_unit(child, parent, static_cast<std::int32_t>(64 * w) + std::countr_zero(fixed));
}

void Engine::push_fixed_unit(Node& child, const Node& parent, std::int32_t member) {
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
  if (table.slopes[piece] == 0.0 && table.intercepts[piece] == 0.0 &&
      table.intercept_errors[piece] == 0.0)
    return;
  const Row4 row = piece_row(unit_row(cell, unit), table, piece);
  if (!row.zero()) add_fixed(child, parent.block, unit, row);
}

void Engine::leave_pointwise(const Node& node, std::uint64_t* pattern) {
  const LayerCell& cell = *node.cell;
  const Op& op = tape_.split(cell.split);
  path_.cuts[static_cast<std::size_t>(cell.split)] = {cell.on, node.on, cell.member, cell.m};
  if (pattern == nullptr) return;
  write_cuts(op, cell.on, pattern);
  for (std::int32_t w = 0; w < cell.words; ++w)
    for (std::uint64_t rest = node.on[w]; rest != 0; rest &= rest - 1)
      set_bit(
          pattern,
          op.pattern_bit[static_cast<std::size_t>(cell.member[64 * w + std::countr_zero(rest)])]);
}

void Engine::write_cuts(const Op& op, const std::uint64_t* on, std::uint64_t* pattern) {
  const std::size_t words = words_for(op.pointwise.unit_of_cut.size());
  for (std::size_t w = 0; w < words; ++w)
    for (std::uint64_t rest = on[w]; rest != 0; rest &= rest - 1)
      set_bit(pattern, op.pattern_bit[64 * w + static_cast<std::size_t>(std::countr_zero(rest))]);
}

}  // namespace linear_regions
