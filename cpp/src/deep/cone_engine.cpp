// SPDX-License-Identifier: MIT
#include "deep/cone_engine.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "row_maps.hpp"

namespace linear_regions {

template <int W>
ConeEngine<W>::ConeEngine(const ConeRoot& root, RunControl& control, bool caller, bool by_parts)
    : Search(control, caller),
      root_(root),
      tape_(root.tape),
      kernels_(cone_kernels()),
      dim_(root.dim),
      width_(root.dim + 1),
      stride_(root.stride),
      by_parts_(by_parts),
      maps_(root.tape, root.dim),
      look_ahead_(root.tape, maps_),
      path_errors_(root.tape, maps_),
      sharp_(root.tape, path_, width_, [&root] { return input_columns(root.domain, root.scale); }),
      exact_(root.tape, root.with_axes, path_),
      opening_(root.dim + 2) {
  const std::size_t stages = tape_.stages().size();
  path_.cuts.resize(stages);
  path_.winner.resize(stages);
  path_.cell.resize(stages);
  blocks_.resize(stages);
  row_.resize(stride_ + 8);
  other_row_.resize(stride_ + 8);
  cut_row_.resize(stride_ + 8);
  solve_work_.resize(solve_room(dim_));
  solve_place_.resize(2 * dim_ + 1);
  const auto keep_going = [this] {
    control_.report(0, 0, caller_);
    return !control_.stopped();
  };
  exact_.watch(keep_going);
  sharp_.watch(keep_going);
}

template <int W>
Work ConeEngine<W>::work() const {
  Work w = work_;
  w.exact_rows = exact_.rows_computed();
  return w;
}

// Begins a layer cell on node.cone. The node becomes its root, unless the cell needs no search
// (counting the last split), in which case node.cell stays null.
template <int W>
void ConeEngine<W>::enter(Node& node, int split, std::uint64_t* pattern) {
  ++work_.layer_cells;
  const Op& op = tape_.split(split);
  auto* cell = arena_.make<LayerCell>(1);
  *cell = {};
  cell->split = split;
  cell->pattern = pattern;
  find_rows(*cell);
  node.cell = nullptr;
  const bool search =
      op.kind == OpKind::kPointwise ? enter_pointwise(node, *cell) : enter_max(node, *cell);
  node.cell = search ? cell : nullptr;
}

// The map of a cell that is entered; anew in twice the precision where error bounds have grown with
// the depth of the network. Not where path errors serve: they take rows for what doubles made of
// the rows of the layer before.
template <int W>
void ConeEngine<W>::find_rows(LayerCell& cell) {
  const auto split = static_cast<std::size_t>(cell.split);
  const int input = tape_.split(cell.split).inputs[0];
  const std::size_t n = tape_.slots()[input].size;
  path_.cell[split] = next_cell_++;
  cell.rows = maps_.stored(input, blocks_);
  if (!root_.tame ||
      (!root_.always_sharp && (path_errors_.serves(cell.split) ||
                               !blunt(cell.rows, padded(n), n, width_, kBluntForCones))))
    return;
  blocks_[split] = arena_.make<double>(maps_.block_size(cell.split));
  sharp_.fill(cell.split, blocks_[split]);
  cell.rows = maps_.stored(input, blocks_);
}

template <int W>
typename ConeEngine<W>::Node ConeEngine<W>::child_of(std::int32_t parent) const {
  const Node& p = stack_[static_cast<std::size_t>(parent)];
  Node node;
  node.cell = p.cell;
  node.block = p.block;
  node.parent = parent;
  return node;
}

// A child that adds rows gets its own copy of the block; one that adds none shares its parent's.
template <int W>
double* ConeEngine<W>::own_block(Node& node, const double* parent_block) {
  if (node.block == parent_block) {
    const std::size_t size = maps_.block_size(node.cell->split + 1);
    node.block = arena_.make<double>(size);
    std::memcpy(node.block, parent_block, size * sizeof(double));
  }
  return node.block;
}

template <int W>
void ConeEngine<W>::report(const Node& node, const std::uint64_t* pattern) {
  if (!counting()) hooks_->sink->region(*this, {node.cone, node.table, node.n_bits, pattern});
  ++regions_;
}

// All units of the node's layer are decided: record the decisions and go to the next layer.
template <int W>
void ConeEngine<W>::leave_layer(std::int32_t index) {
  Node node = stack_[static_cast<std::size_t>(index)];  // the stack may move below
  if (node.vertices != nullptr) collect_cone(node);
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
  if (last_split(cell.split)) {
    report(node, pattern);
    done_weight_ += node.weight;
    return;
  }
  blocks_[static_cast<std::size_t>(cell.split) + 1] = node.block;
  Node next;
  next.cone = node.cone;
  next.table = node.table;
  next.n_bits = node.n_bits;
  next.parent = index;
  // A layer that is counted changes no ray, unless for the better.
  const bool shared = counting() && last_split(cell.split + 1) &&
                      tape_.split(cell.split + 1).kind == OpKind::kPointwise;
  const auto pass_on = [&](Ray** rays, std::int32_t n) {
    auto** copies = arena_.make<Ray*>(static_cast<std::size_t>(n));
    for (std::int32_t i = 0; i < n; ++i) {
      const bool vanishing = vanishes_beyond(node, *rays[i]);
      if (shared && !vanishing && !rays[i]->vanishing) {
        copies[i] = rays[i];
        continue;
      }
      copies[i] = copy_ray(*rays[i], 1);  // most cells need a word of signs each
      copies[i]->vanishing = vanishing;
      copies[i]->alive = false;
    }
    return copies;
  };
  next.cone.ray = pass_on(node.cone.ray, node.cone.n);
  next.cone.line = pass_on(node.cone.line, node.cone.n_lines);
  compact(next);
  enter(next, cell.split + 1, pattern);
  if (next.cell != nullptr)
    children_.push_back(next);
  else
    done_weight_ += node.weight;
  push_children(index);
}

template <int W>
void ConeEngine<W>::expand(std::int32_t index) {
  Node& node = stack_[static_cast<std::size_t>(index)];
  node.expanded = true;
  node.mark = arena_.mark();
  node.lines_mark = lines_.size();
  for (std::int32_t i = 0; i < node.n_own; ++i) node.table[node.own_first + i] = node.own[i];
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

template <int W>
void ConeEngine<W>::restart() {
  arena_.release({});
}

template <int W>
void ConeEngine<W>::rewind(const Node& node) {
  arena_.release(node.mark);
  lines_.resize(node.lines_mark);
}

template <int W>
void ConeEngine<W>::forget(const Node& node) {
  arena_.release(node.made_set ? node.mark_before : node.mark);
  lines_.resize(node.made_set ? node.lines_before : node.lines_mark);
}

template <int W>
bool ConeEngine<W>::open(Node& node) {
  start_cone(node);
  const std::size_t words = tape_.pattern_words();
  auto* pattern = arena_.make<std::uint64_t>(words);
  std::fill(pattern, pattern + words, 0);
  if (tape_.splits().empty()) {
    report(node, pattern);
    return false;
  }
  // Blocks are only read once their stage is complete.
  blocks_[0] = const_cast<double*>(root_.first_block.data());
  compact(node);
  enter(node, 0, pattern);
  return node.cell != nullptr;
}

#define LINEAR_REGIONS_CONES(W) template class ConeEngine<W>;
#include "deep/cone_widths.hpp"

}  // namespace linear_regions
