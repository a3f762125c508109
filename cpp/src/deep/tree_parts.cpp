// SPDX-License-Identifier: MIT
// Sub-trees: what of the tree is searched, what a stop leaves, and what goes to another thread.
#include <algorithm>

#include "deep/tree.hpp"
#include "linear_regions/sign_vector.hpp"

namespace linear_regions {

// From the current node to a leaf.
void Tree::visit() {
  const std::uint64_t before = regions_;
  since_ = below_.some() || hooks_->probe != nullptr ? control_.seconds() : 0;
  descend();
  if (below_.some()) throw ForeignPart();
  if (hooks_->cut > 0 && regions_ != before) {
    regions_ = before;
    leave_node();
  }
  if (hooks_->probe == nullptr) return;
  hooks_->probe->regions += static_cast<double>(regions_ - before) / share_;
  hooks_->probe->cells += 1 / share_;
  hooks_->probe->seconds += (control_.seconds() - since_) / share_;
}

// Before the children of a branching, by their numbers, are looked at.
void Tree::branch(std::span<const std::uint32_t> children, std::int32_t member) {
  decision_ = static_cast<std::uint64_t>(split_) << 32 | static_cast<std::uint32_t>(member);
  if (hooks_->probe != nullptr) {
    const double now = control_.seconds();
    hooks_->probe->cells += 1 / share_;
    hooks_->probe->seconds += (now - since_) / share_;
    since_ = now;
    drawn_ = children[hooks_->probe->random() % children.size()];
  }
  share_ /= static_cast<double>(children.size());
}

// What is to be searched below a child of the current node.
Tree::Below Tree::below(std::uint32_t child) const {
  const std::uint64_t name = name_of_child(name_, decision_, child);
  if (!below_.some()) return {0, 0, hooks_->probe == nullptr || child == drawn_, false, name};
  const std::size_t depth = trail_.size();
  Below found = below_;
  while (found.first != found.last && part_[found.first].path[depth] < child) ++found.first;
  found.last = found.first;
  while (found.last != below_.last && part_[found.last].path[depth] == child) ++found.last;
  found.wanted = found.some();
  found.entry = found.wanted && part_[found.first].path.size() == depth + 1;
  found.name = name;
  if (found.entry && part_[found.first].name != name) throw ForeignPart();
  if (found.entry) found.last = found.first;
  return found;
}

void Tree::descend_to(std::uint32_t child, const Below& below) {
  if (!below.wanted) throw ForeignPart();
  trail_.push_back(child);
  name_ = below.name;
  below_ = below;
  if (!below.entry) return;
  setup_seconds_ += control_.seconds() - since_;
  if (hooks_->begin) hooks_->begin(trail_);
}

Part Tree::part_of(const Frame& frame) const {
  if (frame.below.some())
    return {part_.begin() + frame.below.first, part_.begin() + frame.below.last};
  SubTree tree{{trail_.begin(), trail_.begin() + static_cast<std::ptrdiff_t>(frame.depth)},
               frame.share,
               frame.below.name};
  tree.path.push_back(frame.child);
  return {std::move(tree)};
}

void Tree::leave_node() {
  if (below_.some())
    rest_.insert(rest_.end(), part_.begin() + below_.first, part_.begin() + below_.last);
  else
    rest_.push_back({trail_, share_, name_});
}

// A stopped run: the current node and all that wait on the stack.
void Tree::leave_all() {
  if (inside_) leave_node();
  for (std::size_t i = stack_.size(); i-- > bottom_;) {
    const Part part = part_of(stack_[i]);
    rest_.insert(rest_.end(), part.begin(), part.end());
  }
}

// Cuts off the node of the stack that comes last in the order.
void Tree::give_away() {
  if (stack_.size() < bottom_ + 2) return;
  Frame frame = std::move(stack_[bottom_++]);
  TreeTask task;
  for (int s = 0; s <= frame.split; ++s)
    task.layers.push_back(layers_[static_cast<std::size_t>(s)]);
  task.layers.back().k = frame.k;
  clear_from(task.layers.back().bounds, frame.k);
  task.choice = frame.choice;
  task.witness = std::move(frame.witness);
  task.state = std::move(frame.state);
  task.share = frame.share;
  Part part = part_of(frame);
  task.path.assign(trail_.begin(), trail_.begin() + static_cast<std::ptrdiff_t>(frame.depth));
  task.path.push_back(frame.child);
  task.name = frame.below.name;
  if (frame.below.some()) task.part = std::move(part);
  ++work_.stolen;
  hooks_->give(std::move(task));
}

// Takes the decisions of another tree over; what they need is computed as it was there.
void Tree::restore(TreeTask&& task) {
  TreeTask above;
  above.layers = task.layers;
  above.share = task.share;
  start(std::move(above));
  const int end = static_cast<int>(task.layers.size()) - 1;
  for (split_ = 0; split_ <= end; ++split_) {
    const auto s = static_cast<std::size_t>(split_);
    layers_[s] = std::move(task.layers[s]);
    know_layer(split_);
    const TreeLayer& layer = layers_[s];
    begin_cell(split_);
    known_[s].clear();
    if (pointwise(split_)) gather_member_rows(split_);
    for (std::size_t k = 0; k < layer.k; ++k) {
      if (!get_sign(layer.bounds.data(), k)) continue;
      if (pointwise(split_))
        push_member(split_, k, get_sign(layer.member_on.data(), k) ? 1 : -1);
      else
        push_winner(layer.member[k], layer.choice[k], static_cast<std::int32_t>(k));
    }
    if (!last(split_)) {
      if (pointwise(split_))
        base_pointwise(split_);
      else
        base_max(split_);
      base_[s + 1].resize(maps_.block_size(split_ + 1));
      maps_.base(split_ + 1, opening_, blocks_, base_[s + 1].data());
    }
    if (split_ < end) compute_block(split_);
  }
  split_ = end;
  now_ = std::move(task.witness);
  state_ = std::move(task.state);
  fresh_ = false;
  apply_choice(split_, task.choice);
}

// Tells the refutations what a layer taken over knows.
void Tree::know_layer(int split) {
  if (!refutations_.usable()) return;
  const TreeLayer& layer = layers_[static_cast<std::size_t>(split)];
  refutations_.enter(split);
  const std::size_t n = tape_.slots()[tape_.split(split).output].size;
  for (std::size_t j = 0; j < n; ++j)
    refutations_.know(split, static_cast<std::int32_t>(j), get_sign(layer.on.data(), j));
  for (std::size_t k = 0; k < layer.m; ++k) {
    refutations_.forget(split, layer.member[k]);
    if (k < layer.k) refutations_.know(split, layer.member[k], get_sign(layer.member_on.data(), k));
  }
}

}  // namespace linear_regions
