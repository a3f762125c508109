// SPDX-License-Identifier: MIT
#include "engine.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace linear_regions {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool moderate(double value) {
  const double size = std::fabs(value);
  return size == 0.0 || (size >= 0x1p-200 && size <= 0x1p200);
}

// Products of a linear operation when half of its inputs are zero.
double products(const Op& op) {
  if (op.kind == OpKind::kDense)
    return 0.5 * static_cast<double>(op.dense.n_in) * static_cast<double>(op.dense.n_out);
  if (op.kind == OpKind::kConv) {
    const Conv& conv = op.conv;
    return 0.5 * static_cast<double>(conv.reader_position.size()) *
           static_cast<double>(conv.channels * (conv.filters / conv.groups));
  }
  double terms = 0;
  for (const auto& input : op.sparse.inputs) terms += static_cast<double>(input.by_input.size());
  return 0.5 * terms;
}

}  // namespace

Work& Work::operator+=(const Work& o) {
  cells += o.cells;
  layer_cells += o.layer_cells;
  exact_signs += o.exact_signs;
  exact_rows += o.exact_rows;
  stolen += o.stolen;
  return *this;
}

PlanarRoot::PlanarRoot(const Tape& t, const PlanarDomain& d, Arithmetic how)
    : tape(t), domain(d), arithmetic(how) {
  const std::size_t n = t.n_in();
  if (!d.rest1.empty() && d.rest1.size() != n)
    throw std::invalid_argument("the rest of a direction has another size than the direction");
  if (d.direction1.size() != n || d.direction2.size() != n || d.origin.size() != n)
    throw std::invalid_argument("the domain has another input size than the network");
  if (d.edges.size() < 3) throw std::invalid_argument("a planar domain needs at least three edges");
  tame = t.moderate();
  for (const auto& edge : d.edges) {
    tame =
        tame && moderate(edge.a1) && moderate(edge.a2) && (edge.at_infinity || moderate(edge.a3));
    EdgeLine line;
    line.line.first = static_cast<std::int32_t>(lines.size());
    line.gx = edge.a1;
    line.gy = edge.a2;
    line.c = edge.at_infinity ? 0.0 : edge.a3;
    line.at_infinity = edge.at_infinity;
    const double size = std::fabs(line.gx) + std::fabs(line.gy) + std::fabs(line.c);
    line.e = edge.at_infinity || d.exact_edges.empty() ? 0.0 : 2 * kUlp * size;
    lines.push_back(line);
  }
  const std::size_t k = lines.size();
  const auto place = [&] {
    vertices.clear();
    for (std::size_t i = 0; i < k; ++i) {
      const std::size_t before = (i + k - 1) % k;
      vertices.push_back(intersection(lines[before], lines[i], static_cast<std::int32_t>(before),
                                      static_cast<std::int32_t>(i)));
    }
  };
  place();
  // Powers of two bring bounded domains into [-1, 1]; the scaling itself is exact.
  const bool bounded =
      std::none_of(lines.begin(), lines.end(), [](const auto& l) { return l.at_infinity; });
  if (bounded) {
    double x = 0, y = 0;
    for (const auto& v : vertices) {
      x = std::max(x, std::fabs(v.x));
      y = std::max(y, std::fabs(v.y));
    }
    const auto exponent = [&](double size) {
      if (!(size > 0x1p-200 && size < 0x1p200)) tame = false;
      return size > 0x1p-200 && size < 0x1p200 ? std::ilogb(size) + 1 : 0;
    };
    scale_x = exponent(x);
    scale_y = exponent(y);
    for (auto& line : lines) {
      line.gx = std::ldexp(line.gx, scale_x);
      line.gy = std::ldexp(line.gy, scale_y);
      const double size = std::fabs(line.gx) + std::fabs(line.gy) + std::fabs(line.c);
      if (line.e > 0) line.e = 2 * kUlp * size;
    }
    place();
  }
  for (double value : d.origin) tame = tame && moderate(value);
  RowList opening;
  for (std::size_t j = 0; j < n; ++j) {
    tame = tame && moderate(d.direction1[j]) && moderate(d.direction2[j]);
    Row4 row{{std::ldexp(d.direction1[j], scale_x), std::ldexp(d.direction2[j], scale_y),
              d.origin[j], 0}};
    if (!d.exact_columns.empty()) row.v[3] = 2 * kUlp * row.norm() + 0x1p-600;
    if (!d.rest1.empty() && d.rest1[j] != 0)
      row.v[3] += std::fabs(std::ldexp(d.rest1[j], scale_x)) + 0x1p-600;
    // Scaling may underflow to a row of zeros, which would mean "exactly zero".
    if (!row.zero() || d.direction1[j] != 0 || d.direction2[j] != 0)
      opening.add(static_cast<std::int32_t>(j), row);
  }
  const auto zero = [](double value) { return value == 0.0; };
  flat = std::all_of(d.direction2.begin(), d.direction2.end(), zero);
  if (!tame) {  // nothing is certain in doubles: every decision goes to the exact stage
    for (auto& line : lines) line.e = kInfinity;
    for (std::size_t i = 0; i < opening.size(); ++i) opening.row(i).v[3] = kInfinity;
    for (auto& v : vertices) v.error = kInfinity;
  }
  // LINEAR_REGIONS_LOOK_AHEAD=never|always|reduce, for tests and bug reports.
  if (const char* wish = std::getenv("LINEAR_REGIONS_LOOK_AHEAD"); wish != nullptr) {
    if (std::strcmp(wish, "never") == 0) looking = Looking::kNever;
    if (std::strcmp(wish, "always") == 0) looking = Looking::kAlways;
    if (std::strcmp(wish, "reduce") == 0) looking = Looking::kReduce;
  }
  always_sharp = sharpen_always();
  later.resize(t.splits().size());
  for (std::size_t s = later.size(); s-- > 1;) {
    later[s - 1] = later[s];
    if (s + 1 < later.size())
      for (int index : t.stages()[s + 1].ops) later[s - 1] += products(t.ops()[index]);
  }
  first_block.resize(t.stages()[0].block);
  RowMaps maps(t);
  maps.base(0, opening, {first_block.data()}, first_block.data());
}

Engine::Engine(const PlanarRoot& root, RunControl& control, bool caller)
    : DepthFirst(control, caller),
      root_(root),
      tape_(root.tape),
      kernels_(kernels()),
      maps_(root.tape),
      sharp_(root.tape, path_, 3,
             [&root] { return input_columns(root.domain, root.scale_x, root.scale_y); }),
      exact_(root.tape, root.domain, path_) {
  const std::size_t stages = tape_.stages().size();
  path_.cuts.resize(stages);
  path_.winner.resize(stages);
  path_.cell.resize(stages);
  blocks_.resize(stages);
  look_.map.resize(stages);
  look_.on.resize(stages);
  look_.winner.resize(stages);
  look_.live.resize(stages);
  look_.sizes.resize(stages);
  const auto keep_going = [this] {
    control_.report(0, 0, caller_);
    return !control_.stopped();
  };
  exact_.watch(keep_going);
  sharp_.watch(keep_going);
}

Work Engine::work() const {
  Work w = work_;
  w.exact_rows = exact_.rows_computed();
  return w;
}

int Engine::exact_sign(const Line& line, const Vertex& v) {
  if (root_.arithmetic == Arithmetic::kFloat) return 0;
  ++work_.exact_signs;
  return exact_.sign(line, lines_[static_cast<std::size_t>(v.a)].line,
                     lines_[static_cast<std::size_t>(v.b)].line);
}

// Begins a layer cell on node.polygon. The node becomes its root, unless the cell needs no search
// (counting the last split), in which case node.cell stays null. `from`: the cell that was left.
void Engine::enter(Node& node, int split, std::uint64_t* pattern, const LayerCell* from) {
  ++work_.layer_cells;
  const Op& op = tape_.split(split);
  auto* cell = arena_.make<LayerCell>(1);
  *cell = {};
  cell->split = split;
  cell->last = from ? from->last : static_cast<int>(tape_.splits().size()) - 1;
  cell->seen = from ? from->seen : kInfinity;
  cell->open = from ? from->open : kManyOpen;
  cell->settled = from ? from->settled : nullptr;
  cell->pattern = pattern;
  cell->reduced = from ? from->reduced : nullptr;
  if (cell->reduced != nullptr) {
    cell->live = &cell->reduced->split(split);
    cell->stride = cell->reduced->lead;
    cell->rows = blocks_[static_cast<std::size_t>(split)] + cell->live->offset;
  } else {
    cell->stride = padded(tape_.slots()[op.inputs[0]].size);
    cell->rows = maps_.stored(op.inputs[0], blocks_);
  }
  path_.cell[static_cast<std::size_t>(split)] = next_cell_++;
  if (cell->reduced == nullptr && root_.tame &&
      (root_.always_sharp ||
       blunt(cell->rows, cell->stride, tape_.slots()[op.inputs[0]].size, 3, kBluntForPolygons)))
    sharpen(*cell);
  const bool search =
      op.kind == OpKind::kPointwise ? enter_pointwise(node, *cell) : enter_max(node, *cell);
  if (!search) node.cell = nullptr;
}

// New rows for a cell whose error bounds have grown with the depth of the network.
void Engine::sharpen(LayerCell& cell) {
  const auto split = static_cast<std::size_t>(cell.split);
  double* block = arena_.make<double>(tape_.stages()[split].block);
  sharp_.fill(cell.split, block);
  blocks_[split] = block;
  cell.rows = maps_.stored(tape_.split(cell.split).inputs[0], blocks_);
}

Engine::Node Engine::child_of(std::int32_t parent) const {
  const Node& p = stack_[static_cast<std::size_t>(parent)];
  Node node;
  node.cell = p.cell;
  node.block = p.block;
  node.parent = parent;
  return node;
}

// A child that adds rows gets its own copy of the block; one that adds none shares its parent's.
double* Engine::own_block(Node& node, const double* parent_block) {
  if (node.block == parent_block) {
    const std::size_t size =
        node.cell->reduced != nullptr
            ? 4 * node.cell->reduced->lead
            : tape_.stages()[static_cast<std::size_t>(node.cell->split) + 1].block;
    node.block = arena_.make<double>(size);
    std::memcpy(node.block, parent_block, size * sizeof(double));
  }
  return node.block;
}

// Adds the row of an output of the node's layer that became fixed.
void Engine::add_fixed(Node& node, const double* parent_block, std::int32_t unit, const Row4& row) {
  double* block = own_block(node, parent_block);
  const LayerCell& cell = *node.cell;
  if (cell.reduced != nullptr)
    add_column(*cell.reduced, cell.split, unit, row, block);
  else
    maps_.push(tape_.split(cell.split).output, unit, row, block);
}

void Engine::add_column(const Reduced& reduced, int split, std::int32_t unit, const Row4& row,
                        double* map) {
  if (row.zero()) return;
  const std::size_t lead = reduced.lead;
  const ReducedSplit& source = reduced.split(split);
  Row4 entered = row;
  entered.v[3] = (row.v[3] + reduced.gamma * row.norm()) * 1.0000001 + 0x1p-600;
  kernels_.add_row(map, map + lead, map + 2 * lead, map + 3 * lead,
                   source.column + static_cast<std::size_t>(source.position(unit)) * lead, lead,
                   entered.v);
}

// Records the decisions of the settled splits after the node's layer; returns the next other one.
int Engine::skip_settled(const Node& node, std::uint64_t* pattern) {
  const LayerCell& cell = *node.cell;
  int split = cell.split + 1;
  for (; cell.reduced != nullptr && cell.reduced->split(split).count == 0; ++split) {
    const ReducedSplit& settled = cell.reduced->split(split);
    const auto at = static_cast<std::size_t>(split);
    const Op& op = tape_.split(split);
    path_.cell[at] = next_cell_++;
    path_.cuts[at] = {settled.on, nullptr, nullptr, 0};
    path_.winner[at] = settled.winner;
    if (pattern == nullptr) continue;
    if (op.kind == OpKind::kPointwise)
      write_cuts(op, settled.on, pattern);
    else
      write_winners(op, settled.winner, pattern);
  }
  return split;
}

void Engine::report(const Polygon& polygon, const std::uint64_t* pattern) {
  if (!counting()) hooks_->sink->region(*this, polygon, pattern);
  ++regions_;
}

// All units of the node's layer are decided: record the decisions and go to the next layer.
void Engine::leave_layer(std::int32_t index) {
  const Node& node = stack_[static_cast<std::size_t>(index)];  // until children are pushed
  const LayerCell& cell = *node.cell;
  const Op& op = tape_.split(cell.split);
  std::uint64_t* pattern = nullptr;
  if (!counting()) {
    const std::size_t words = tape_.pattern_words();
    pattern = arena_.make<std::uint64_t>(words);
    std::memcpy(pattern, cell.pattern, words * sizeof(std::uint64_t));
  }
  if (op.kind == OpKind::kPointwise)
    leave_pointwise(node, pattern);
  else
    leave_max(node, pattern);
  children_.clear();
  decide(cell.split, -1);
  if (last(cell)) {
    if (pattern != nullptr && cell.settled != nullptr)
      for (std::size_t w = 0; w < tape_.pattern_words(); ++w) pattern[w] |= cell.settled[w];
    report(node.polygon, pattern);
    done_weight_ += node.weight;
    return;
  }
  const int following = skip_settled(node, pattern);
  blocks_[static_cast<std::size_t>(following)] = node.block;
  Node next;
  next.polygon = node.polygon;
  next.parent = index;
  enter(next, following, pattern, &cell);
  if (next.cell != nullptr)
    children_.push_back(next);
  else
    done_weight_ += node.weight;
  push_children(index);
}

void Engine::expand(std::int32_t index) {
  Node& node = stack_[static_cast<std::size_t>(index)];
  node.expanded = true;
  node.mark = arena_.mark();
  node.lines_mark = lines_.size();
  ++work_.cells;
  bool mixed = false;
  for (std::int32_t w = 0; w < node.cell->words; ++w) mixed = mixed || node.mixed[w] != 0;
  if (!mixed) {
    leave_layer(index);
    return;
  }
  const double weight = node.weight;
  children_.clear();
  if (tape_.split(node.cell->split).kind == OpKind::kPointwise)
    expand_pointwise(index);
  else
    expand_max(index);
  if (children_.empty()) done_weight_ += weight;  // counted on the spot
  push_children(index);
}

void Engine::restart() {
  arena_.release({});
  lines_ = root_.lines;
}

void Engine::rewind(const Node& node) {
  arena_.release(node.mark);
  lines_.resize(node.lines_mark);
}

bool Engine::open(Node& node) {
  node.polygon.n = static_cast<std::int32_t>(root_.vertices.size());
  const auto n = static_cast<std::size_t>(node.polygon.n);
  node.polygon.vertices = arena_.make<Vertex>(n);
  node.polygon.edges = arena_.make<std::int32_t>(n);
  for (std::size_t i = 0; i < n; ++i) {
    node.polygon.vertices[i] = root_.vertices[i];
    node.polygon.edges[i] = 2 * static_cast<std::int32_t>(i);
  }
  const std::size_t words = tape_.pattern_words();
  auto* pattern = arena_.make<std::uint64_t>(words);
  std::fill(pattern, pattern + words, 0);
  if (tape_.splits().empty()) {
    report(node.polygon, pattern);
    return false;
  }
  // Blocks are only read once their stage is complete.
  blocks_[0] = const_cast<double*>(root_.first_block.data());
  enter(node, 0, pattern, nullptr);
  return node.cell != nullptr;
}

}  // namespace linear_regions
