// SPDX-License-Identifier: MIT
// Cells of a layer whose rays are all known and few (cone_vertices.cpp), where the next layer is
// the last and is counted: the whole sub-tree on the spot.
//
// Rays are bits. With the rays on which unit u is strictly positive, and those on which it is
// strictly negative, as one set each, the part where u >= 0 is the cell without the latter, and
// v cuts it if and only if both sets of v meet it. A split takes a handful of operations per unit,
// whatever the number of rays. Maps are made for the cells that need one, and for those above them,
// and no others.
//
// Most cells need none. Which units of the last layer cut a cell is in their signs at its rays.
// That two of them meet inside is seen where rays show all four combinations of signs; where they
// do not, the sizes of the values decide (find_meetings, cone_count.cpp). A ray's values are the
// same in all cells that have it, so they come from the cell that looked first. Where no three
// units meet pairwise, and no two meet on a third that meets both, there are as many regions as
// 1 + units + pairs that meet; where rays show all eight combinations of three units, they meet on
// one another. What that leaves open takes a map and sections.
//
// A quotient of two clear sizes is known up to (1 + kUnclear)^2 or so, a product of two up to
// 5 kUnclear: products that are not within kClose of one are decided.
#include <bit>
#include <cstring>
#include <utility>

#include "deep/cone_engine.hpp"
#include "linear_regions/sign_vector.hpp"

namespace linear_regions {
namespace {

constexpr float kClose = 2.5e-3F;
static_assert(kClose > 20 * kUnclear);
constexpr int kFewUnits = 16;

std::uint64_t bit_of(std::int32_t i) {
  return std::uint64_t{1} << i;
}

bool at_most_one(std::uint64_t x) {
  return (x & (x - 1)) == 0;
}

// Units of the last layer that cut a cell, with their rays there, by number in the cell's list.
struct CutRays {
  int m = 0;
  std::int32_t cut[kFewUnits];
  std::uint64_t more[kFewUnits], less[kFewUnits], clear[kFewUnits];
};

// Quadrants of two units that no ray shows; bit 2 [u < 0] + [v < 0].
unsigned hidden_at_rays(const CutRays& cuts, int u, int v) {
  const std::uint64_t up = cuts.more[u], un = cuts.less[u], vp = cuts.more[v], vn = cuts.less[v];
  const std::uint64_t some = up | un | vp | vn;
  return ((some & ~(un | vn)) == 0 ? 1U : 0U) | ((some & ~(un | vp)) == 0 ? 2U : 0U) |
         ((some & ~(up | vn)) == 0 ? 4U : 0U) | ((some & ~(up | vp)) == 0 ? 8U : 0U);
}

// Do rays show all eight combinations of signs of three units?
bool show_all_signs(const CutRays& cuts, int u, int v, int w) {
  const std::uint64_t a = cuts.more[u], b = cuts.less[u];
  const std::uint64_t pp = cuts.more[v] & cuts.more[w], pn = cuts.more[v] & cuts.less[w];
  const std::uint64_t np = cuts.less[v] & cuts.more[w], nn = cuts.less[v] & cuts.less[w];
  return (a & pp) != 0 && (a & pn) != 0 && (a & np) != 0 && (a & nn) != 0 && (b & pp) != 0 &&
         (b & pn) != 0 && (b & np) != 0 && (b & nn) != 0;
}

// Regions under units of which `meets` says who meets whom; 0 where that is not enough to tell.
std::uint64_t count_by_graph(const CutRays& cuts, const std::uint32_t* meets) {
  std::uint64_t result = 1;
  for (int u = 0; u < cuts.m; ++u) {
    const std::uint32_t met = meets[u] & ((1U << u) - 1);
    std::uint64_t pairs = 0;  // of earlier units that meet each other on this one
    std::uint32_t on_section[kFewUnits];
    for (std::uint32_t vs = met; vs != 0; vs &= vs - 1) {
      const int v = std::countr_zero(vs);
      on_section[v] = 0;
      for (std::uint32_t ws = meets[v] & met & ((1U << v) - 1); ws != 0; ws &= ws - 1) {
        const int w = std::countr_zero(ws);
        if (!show_all_signs(cuts, u, v, w)) return 0;
        if ((on_section[v] & on_section[w]) != 0) return 0;  // three pairwise on the section
        on_section[v] |= 1U << w;
        ++pairs;
      }
    }
    result += 1 + static_cast<std::uint64_t>(std::popcount(met)) + pairs;
  }
  return result;
}

// The largest a / b among the rays.
float steepest(const float* const* sizes, std::uint64_t rays, std::int32_t a, std::int32_t b) {
  float most = 0;
  for (; rays != 0; rays &= rays - 1) {
    const float* size = sizes[std::countr_zero(rays)];
    const float x = size[a] / size[b];
    most = x > most ? x : most;
  }
  return most;
}

enum class Met { kInside, kOutside, kOpen };

// Do two units meet inside, where no ray is in the `hidden` quadrants?
Met meet_beyond(const CutRays& cuts, int u, int v, unsigned hidden, const float* const* sizes) {
  const std::uint64_t clear = cuts.clear[u] & cuts.clear[v];
  const std::uint64_t us[2] = {cuts.more[u], cuts.less[u]}, vs[2] = {cuts.more[v], cuts.less[v]};
  for (unsigned q = 0; q < 4; ++q) {
    if (((hidden >> q) & 1) == 0) continue;
    const std::size_t u_less = q >> 1, v_less = q & 1;
    const std::uint64_t a = us[u_less] & vs[1 - v_less], b = vs[v_less] & us[1 - u_less];
    if (((a | b) & ~clear) != 0) return Met::kOpen;
    // Sizes from 1e-30 to 1e30 may have quotients beyond floats. With both below this, a product
    // near one is of two that are rounded as usual.
    constexpr float kMost = 1e37F;
    const float x = steepest(sizes, a, cuts.cut[u], cuts.cut[v]);
    const float y = steepest(sizes, b, cuts.cut[v], cuts.cut[u]);
    if (!(x < kMost && y < kMost)) return Met::kOpen;
    const float product = x * y;
    if (product < 1 - kClose) return Met::kOutside;
    if (!(product > 1 + kClose)) return Met::kOpen;
  }
  return Met::kInside;
}

}  // namespace

// Regions of a cell with these rays under the cutting units of the last layer, from what is known
// at the rays; 0 where that is not enough. The graph is complete where only sections are missing.
template <int W>
std::uint64_t ConeEngine<W>::count_by_rays(const VertexSet<W>& set, const std::int32_t* list,
                                           std::int32_t n, std::uint64_t cutting, UnitGraph& graph,
                                           bool& complete) const {
  if (n > 64) return 0;
  CutRays cuts;
  for (std::uint64_t rest = cutting; rest != 0; rest &= rest - 1) {
    if (cuts.m == kFewUnits) return 0;
    cuts.cut[cuts.m++] = std::countr_zero(rest);
  }
  const float* sizes[64];
  for (int k = 0; k < cuts.m; ++k) cuts.more[k] = cuts.less[k] = cuts.clear[k] = 0;
  for (std::int32_t i = 0; i < n; ++i) {
    const auto r = static_cast<std::size_t>(list[i]);
    const auto at = set.beyond[r];
    sizes[i] = set.sizes_at(r);
    for (int k = 0; k < cuts.m; ++k) {
      const std::int32_t u = cuts.cut[k];
      cuts.more[k] |= ((at.positive >> u) & 1) << i;
      cuts.less[k] |= ((at.negative >> u) & 1) << i;
      cuts.clear[k] |= ((at.clear >> u) & 1) << i;
    }
  }
  std::uint32_t meets[kFewUnits] = {};
  for (int u = 1; u < cuts.m; ++u)
    for (int v = 0; v < u; ++v) {
      const unsigned hidden = hidden_at_rays(cuts, u, v);
      const Met met = hidden == 0 ? Met::kInside : meet_beyond(cuts, u, v, hidden, sizes);
      if (met == Met::kOpen) return 0;
      if (met == Met::kInside) meets[u] |= 1U << v, meets[v] |= 1U << u;
    }
  const std::uint64_t result = count_by_graph(cuts, meets);
  complete = true;
  for (int u = 0; u < cuts.m && result == 0; ++u) graph.meets[u] = meets[u], graph.same[u] = 0;
  return result;
}

// Counts the regions of a cell whose units are all decided; `open` makes its map and
// says what to release afterwards.
template <int W>
template <typename Open>
void ConeEngine<W>::count_rays(Node& leaf, const Open& open) {
  ++work_.cells;
  ++work_.layer_cells;
  const VertexSet<W>& set = *leaf.vertices;
  const auto look = [&](std::uint64_t& more, std::uint64_t& less) {
    std::uint64_t unknown = 0;
    more = less = 0;
    for (std::int32_t i = 0; i < leaf.n_list; ++i) {
      const auto& at = set.beyond[leaf.list[i]];
      unknown |= at.positive & at.negative;
      more |= at.positive;
      less |= at.negative;
    }
    return unknown == 0;
  };
  std::uint64_t more, less;
  const bool known = look(more, less);
  if (known && at_most_one(more & less)) {
    regions_ += (more & less) != 0 ? 2 : 1;
    return;
  }
  LayerCell last{};
  Arena::Mark mark;
  if (!known) {
    mark = open(last);
    look_beyond(leaf, last);
    look(more, less);
  }
  const std::uint64_t cutting = more & less;
  UnitGraph graph;
  bool complete = false;
  std::uint64_t found = at_most_one(cutting) ? (cutting != 0 ? 2 : 1)
                        : leaf.cone.k >= 4
                            ? count_by_rays(set, leaf.list, leaf.n_list, cutting, graph, complete)
                            : 0;
  const bool sections = found == 0;
  if (sections) {
    if (known) mark = open(last);
    found = count_list(leaf, last, cutting, complete ? &graph : nullptr);
  }
  regions_ += found;
  if (sections || !known) arena_.release(mark);
}

template <int W>
void ConeEngine<W>::count_leaf(Node& leaf, const Node& parent) {
  count_rays(leaf, [&](LayerCell& last) {
    const Arena::Mark mark = arena_.mark();
    fix_members(leaf, parent);
    open_leaf(leaf, last);
    return mark;
  });
}

// A cell on the way down. Its block is made when a cell asks for it.
template <int W>
struct ConeEngine<W>::FewCell {
  std::uint64_t mixed, on;
  FewCell* above;
  double* block;
  std::size_t depth;
};

template <int W>
template <int N>
struct ConeEngine<W>::Few {
  struct Rays {
    std::uint64_t w[N];
    Rays without(const Rays& o) const {
      Rays left;
      for (int i = 0; i < N; ++i) left.w[i] = w[i] & ~o.w[i];
      return left;
    }
    bool meets(const Rays& o) const {
      std::uint64_t both = 0;
      for (int i = 0; i < N; ++i) both |= w[i] & o.w[i];
      return both != 0;
    }
  };
  const std::int32_t* number;  // of the rays, in the set
  Rays more[64], less[64];     // of the units that cut
  Node leaf, child, above;     // scratch
};

// Counts all regions of the node, unless it has many rays.
template <int W>
bool ConeEngine<W>::count_few(const Node& node) {
  if (node.vertices->beyond == nullptr || node.cell->words != 1 || node.n_list > 256) return false;
  if (node.n_list <= 64)
    count_few_words<1>(node);
  else
    count_few_words<4>(node);
  return true;
}

template <int W>
template <int N>
void ConeEngine<W>::count_few_words(const Node& node) {
  Few<N> few;
  few.number = node.list;
  few.leaf = node;
  few.child.cell = few.above.cell = node.cell;
  for (std::uint64_t rest = node.mixed[0]; rest != 0; rest &= rest - 1)
    few.more[std::countr_zero(rest)] = few.less[std::countr_zero(rest)] = {};
  typename Few<N>::Rays all{};
  for (std::int32_t i = 0; i < node.n_list; ++i) {
    const std::uint64_t bit = bit_of(i & 63);
    const std::uint64_t* signs = node.list_signs + 2 * i;
    all.w[i >> 6] |= bit;
    for (std::uint64_t rest = signs[0] & node.mixed[0]; rest != 0; rest &= rest - 1)
      few.more[std::countr_zero(rest)].w[i >> 6] |= bit;
    for (std::uint64_t rest = signs[1] & node.mixed[0]; rest != 0; rest &= rest - 1)
      few.less[std::countr_zero(rest)].w[i >> 6] |= bit;
  }
  few_blocks_.clear();
  const Arena::Mark mark = arena_.mark();
  FewCell top{node.mixed[0], node.on[0], nullptr, node.block, 0};
  split_few(few, all, top);
  arena_.release(mark);
}

template <int W>
template <int N>
void ConeEngine<W>::split_few(Few<N>& few, const typename Few<N>::Rays& rays, FewCell& cell) {
  const std::int32_t u = std::countr_zero(cell.mixed);
  const std::uint64_t wanted = cell.mixed & (cell.mixed - 1);
  for (const bool positive : {true, false}) {
    const auto part = rays.without(positive ? few.less[u] : few.more[u]);
    FewCell child{0, cell.on, &cell, nullptr, cell.depth + 1};
    for (std::uint64_t rest = wanted; rest != 0; rest &= rest - 1) {
      const std::int32_t v = std::countr_zero(rest);
      if (!part.meets(few.more[v])) continue;
      (part.meets(few.less[v]) ? child.mixed : child.on) |= bit_of(v);
    }
    if (positive) child.on |= bit_of(u);
    if (child.mixed == 0) {
      leaf_few(few, part, child);
    } else {
      ++work_.cells;
      split_few(few, part, child);
    }
  }
}

template <int W>
template <int N>
void ConeEngine<W>::leaf_few(Few<N>& few, const typename Few<N>::Rays& rays, FewCell& cell) {
  std::int32_t list[64 * N];
  std::int32_t n = 0;
  for (int w = 0; w < N; ++w)
    for (std::uint64_t rest = rays.w[w]; rest != 0; rest &= rest - 1)
      list[n++] = few.number[64 * w + std::countr_zero(rest)];
  Node& leaf = few.leaf;
  leaf.list = list;
  leaf.n_list = n;
  leaf.on = &cell.on;
  leaf.mixed = &cell.mixed;
  count_rays(leaf, [&](LayerCell& last) {
    leaf.block = block_of(cell, few.child, few.above);  // kept for the cells beside this one
    const Arena::Mark mark = arena_.mark();
    open_leaf(leaf, last);
    return mark;
  });
}

// The block of a cell, made from that of the cell above.
template <int W>
double* ConeEngine<W>::block_of(FewCell& cell, Node& child, Node& above) {
  if (cell.block != nullptr) return cell.block;
  double* from = block_of(*cell.above, child, above);
  const std::uint64_t fixed = cell.above->mixed & ~cell.mixed;
  if (tape_.split(child.cell->split).pointwise.is_relu && (fixed & cell.on) == 0)
    return cell.block = from;
  const std::size_t size = maps_.block_size(child.cell->split + 1);
  if (few_blocks_.size() <= cell.depth) few_blocks_.resize(cell.depth + 1, nullptr);
  double*& own = few_blocks_[cell.depth];
  if (own == nullptr) own = arena_.make<double>(size);
  std::memcpy(own, from, size * sizeof(double));
  child.on = &cell.on;
  child.mixed = &cell.mixed;
  child.block = cell.block = own;
  above.on = &cell.above->on;
  above.mixed = &cell.above->mixed;
  above.block = from;
  fix_members(child, above);
  return cell.block;
}

#define LINEAR_REGIONS_CONES(W) template class ConeEngine<W>;
#include "deep/cone_widths.hpp"

}  // namespace linear_regions
