// SPDX-License-Identifier: MIT
// DepthFirst: the search that the engines of networks share. Its stack holds the nodes between the
// root and the current one together with their waiting siblings, the next one on top.
//
// A run searches a part (part.hpp). The way to its sub-trees is searched anew: nodes above them are
// *guided*, expanded like all others, but only children that lead to a sub-tree of the part are
// kept. A stack of sub-trees thus costs one expansion per node above them, not one way per
// sub-tree.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "arena.hpp"
#include "linear_regions/part.hpp"
#include "linear_regions/planar.hpp"
#include "linear_regions/run_control.hpp"
#include "path.hpp"

namespace linear_regions {

// The sub-trees of a part that lie below a node: numbers first to last - 1.
struct Guide {
  std::uint32_t first = 0, last = 0, depth = 0;  // of the node: edges from the root
  bool active() const { return first != last; }
};

struct SearchNode {
  Arena::Mark mark;
  std::size_t lines_mark = 0;
  std::int32_t parent = -1;
  std::uint32_t child = 0;
  Guide guide;
  bool expanded = false, given = false;
  bool entry = false;  // root of a sub-tree of the part
  double weight = 0;
  std::uint64_t name = 0;
};

// The engine says how the root looks (open: false where the search is over at once), expands a node
// (children_, in the order of their numbers, go through push_children), and forgets what an
// expanded node made (rewind).
template <typename Engine, typename NodeType, typename Sink>
class DepthFirst {
 public:
  using Node = NodeType;
  using Task = Part;
  struct Hooks {
    Sink* sink = nullptr;  // none: regions are only counted
    const std::atomic<int>* hungry = nullptr;
    std::function<void(Part&&)> give;
    std::function<void()> tick;                  // called now and then
    const std::atomic<bool>* failed = nullptr;   // another thread gave up
    std::function<void(const TreePath&)> begin;  // a sub-tree of the part begins
    double cut = 0;                              // see PartOptions
    RandomWay* probe = nullptr;
  };

  // Works the part off. When `hungry` says so, sub-trees are cut off and handed to `give`. Regions
  // found are added to regions(), what a stopped run left to rest().
  void run(const Part& part, const Hooks& hooks) {
    hooks_ = &hooks;
    part_ = &part;
    expanding_ = -1;
    ahead_ = false;
    bool opened = false;
    try {
      if (control_.halted()) throw Stopped{};
      if (!resume()) {
        stack_.clear();
        engine().restart();
        open();
      }
      opened = true;
      search();
    } catch (const Stopped&) {
      forget_expansion();  // what was found before stands
    }
    if (opened)
      for (std::size_t i = stack_.size(); i-- > 0;) {
        const Node& node = stack_[i];
        if (!node.expanded && !node.given) leave(node, static_cast<std::int32_t>(i));
      }
    else
      rest_.insert(rest_.end(), part.begin(), part.end());
    report_progress();
  }

  std::uint64_t regions() const { return regions_; }
  bool unfinished() const { return !rest_.empty(); }
  Part& rest() { return rest_; }
  // Spent on the ways to the sub-trees of parts.
  double setup_seconds() const { return setup_seconds_; }

 protected:
  DepthFirst(RunControl& control, bool caller) : control_(control), caller_(caller) {}

  bool counting() const { return hooks_->sink == nullptr; }

  void push_children(std::int32_t parent) {
    const Node& above = stack_[static_cast<std::size_t>(parent)];
    const std::uint32_t depth = above.guide.depth + 1;
    const std::uint64_t name = above.name;
    const double weight =
        above.weight / static_cast<double>(std::max<std::size_t>(1, children_.size()));
    for (std::size_t i = children_.size(); i-- > 0;) {
      stack_.push_back(children_[i]);  // `above` moves
      Node& child = stack_.back();     // written here: a copy waits for what was just written
      child.weight = weight;
      child.name = name_of_child(name, decision_, child.child);
      child.guide = {0, 0, depth};
    }
  }

  // What an expansion decides: the unit or window, or that the layer is left.
  void decide(int split, std::int32_t member) {
    decision_ = static_cast<std::uint64_t>(split) << 32 | static_cast<std::uint32_t>(member);
  }

  // An expanded node is left for good; rewind() instead prepares it to be expanded again.
  void forget(const Node& node) { engine().rewind(node); }

  // A look at the run control; also called by expansions that take long.
  void tick() {
    report_progress();
    // Nodes of wide networks take long: keep the looks a few milliseconds apart.
    const double now = control_.seconds(), passed = now - last_tick_;
    last_tick_ = now;
    if (passed > 5e-3) tick_interval_ = std::max(1u, tick_interval_ / 2);
    if (passed < 1e-3) tick_interval_ = std::min(kMostTicks, tick_interval_ * 2);
    if (hooks_->tick) hooks_->tick();
    if (hooks_->failed != nullptr && hooks_->failed->load(std::memory_order_relaxed))
      throw Stopped{};
  }

  RunControl& control_;
  const bool caller_;
  const Hooks* hooks_ = nullptr;
  std::vector<Node> stack_, children_;
  std::uint64_t regions_ = 0;
  double done_weight_ = 0;
  Work work_;

 private:
  static constexpr unsigned kMostTicks = 64;  // nodes between two looks, at most

  Engine& engine() { return static_cast<Engine&>(*this); }

  void report_progress() {
    control_.report(regions_ - reported_, done_weight_, caller_);
    reported_ = regions_;
    done_weight_ = 0;
  }

  // Engines whose nodes can be expanded again, alike, keep the way to the last sub-tree.
  static constexpr bool keeps_way() {
    return requires { requires Engine::kKeepsWay; };
  }

  // Is the node part of the way to the only sub-tree of the part?
  bool on_way(const Node& node) const {
    if (part_->size() != 1 || hooks_->cut > 0 || hooks_->probe != nullptr) return false;
    return node.guide.active() || stack_.size() == 1;
  }

  // Goes back to where the way to the part's sub-tree leaves that to the last one.
  bool resume() {
    if (!std::exchange(way_kept_, false)) return false;
    if (part_->size() != 1 || part_->front().path.empty()) return false;
    const TreePath& path = part_->front().path;
    std::size_t depth = 0;  // of the deepest node above both
    while (depth + 1 < std::min(stack_.size(), path.size()) &&
           stack_[depth + 1].child == path[depth])
      ++depth;
    while (stack_.size() > depth + 1) {
      engine().forget(stack_.back());
      stack_.pop_back();
    }
    engine().rewind(stack_.back());
    stack_.back().expanded = false;
    for (std::size_t i = 0; i <= depth; ++i)
      stack_[i].guide = {0, 1, static_cast<std::uint32_t>(i)};
    return true;
  }

  void open() {
    const bool whole = part_->size() == 1 && part_->front().path.empty();
    if (whole && hooks_->begin) hooks_->begin({});
    const std::uint64_t before = regions_;
    Node root;
    root.weight = whole ? part_->front().weight : 1.0;
    if (engine().open(root)) {
      if (!whole) root.guide = {0, static_cast<std::uint32_t>(part_->size()), 0};
      if (!part_->empty()) stack_.push_back(root);
    } else if (!whole && !part_->empty()) {
      throw ForeignPart();
    } else if (hooks_->cut > 0) {
      regions_ = before;
      rest_.push_back({});
    } else if (hooks_->probe != nullptr) {
      hooks_->probe->regions += static_cast<double>(regions_ - before);
    }
  }

  void search() {
    const bool exact_limit = control_.limit != RunControl::kNoLimit;
    while (!stack_.empty()) {
      Node& top = stack_.back();
      if (top.expanded || top.given) {
        if constexpr (keeps_way())
          if (top.expanded && on_way(top)) {
            way_kept_ = true;
            return;
          }
        if (top.expanded) engine().forget(top);
        stack_.pop_back();
        continue;
      }
      // The way to a sub-tree may be deep, and its nodes wide.
      if (++ticks_ >= tick_interval_ || (exact_limit && regions_ != reported_) ||
          top.guide.active()) {
        ticks_ = 0;
        tick();
        if (hooks_->hungry != nullptr && hooks_->hungry->load(std::memory_order_relaxed) > 0)
          give_away();
        // A run that pauses has got ahead, however short it was.
        if (control_.stopped() || (ahead_ && control_.halted())) break;
        if (stack_.back().given) continue;
      } else if constexpr (keeps_way()) {  // nodes are large: nobody waits for the next look
        if (hooks_->hungry != nullptr && hooks_->hungry->load(std::memory_order_relaxed) > 0)
          give_away();
      }
      visit(static_cast<std::int32_t>(stack_.size()) - 1);
    }
  }

  void visit(std::int32_t index) {
    Node& node = stack_[static_cast<std::size_t>(index)];
    if (node.entry && hooks_->begin) hooks_->begin(path_of(index));
    if (node.guide.active()) {
      guide(index);
    } else if (hooks_->cut > 0) {
      if (node.weight <= hooks_->cut) {
        leave(node, index);
        node.given = true;
      } else if (expand(index); regions_ != before_) {
        // Some of its regions were counted on the spot: they belong to the node.
        regions_ = before_;
        stack_.resize(static_cast<std::size_t>(index) + 1);
        leave(stack_.back(), index);
      }
    } else if (hooks_->probe != nullptr) {
      draw(index);
    } else {
      expand(index);
      ahead_ = true;
    }
  }

  void expand(std::int32_t index) {
    expanding_ = index;
    before_ = regions_;
    engine().expand(index);
    expanding_ = -1;
  }

  // A node whose expansion was broken off is as it was before.
  void forget_expansion() {
    if (expanding_ < 0) return;
    regions_ = before_;
    stack_.resize(static_cast<std::size_t>(expanding_) + 1);
    stack_.back().expanded = false;
  }

  // Expands a node above sub-trees of the part. What was counted on the spot belongs to others.
  void guide(std::int32_t index) {
    const Guide above = stack_[static_cast<std::size_t>(index)].guide;
    const double done = done_weight_, start = control_.seconds();
    expand(index);
    setup_seconds_ += control_.seconds() - start;
    regions_ = before_;
    done_weight_ = done;
    const auto begin = part_->begin();
    std::size_t kept = static_cast<std::size_t>(index) + 1;
    std::uint32_t reached = 0;
    for (std::size_t i = kept; i < stack_.size(); ++i) {
      Node child = stack_[i];
      const auto less = [&](const SubTree& t, std::uint32_t c) { return t.path[above.depth] < c; };
      const auto more = [&](std::uint32_t c, const SubTree& t) { return c < t.path[above.depth]; };
      const auto first =
          std::lower_bound(begin + above.first, begin + above.last, child.child, less);
      const auto last = std::upper_bound(first, begin + above.last, child.child, more);
      if (first == last) continue;
      reached += static_cast<std::uint32_t>(last - first);
      child.entry = first->path.size() == above.depth + 1;
      if (child.entry && child.name != first->name) throw ForeignPart();
      if (!child.entry) {
        child.guide.first = static_cast<std::uint32_t>(first - begin);
        child.guide.last = static_cast<std::uint32_t>(last - begin);
      }
      stack_[kept++] = child;
    }
    stack_.resize(kept);
    if (reached != above.last - above.first) throw ForeignPart();
  }

  void draw(std::int32_t index) {
    RandomWay& probe = *hooks_->probe;
    const double weight = stack_[static_cast<std::size_t>(index)].weight;
    const double start = control_.seconds();
    expand(index);
    probe.seconds += (control_.seconds() - start) / weight;
    probe.regions += static_cast<double>(regions_ - before_) / weight;
    probe.cells += 1 / weight;
    const std::size_t first = static_cast<std::size_t>(index) + 1, n = stack_.size() - first;
    if (n < 2) return;
    stack_[first] = Node(stack_[first + probe.random() % n]);
    stack_.resize(first + 1);
  }

  TreePath path_of(std::int32_t index) const {
    TreePath path;
    for (std::int32_t i = index; i > 0; i = stack_[static_cast<std::size_t>(i)].parent)
      path.push_back(stack_[static_cast<std::size_t>(i)].child);
    std::reverse(path.begin(), path.end());
    return path;
  }

  void leave(const Node& node, std::int32_t index) {
    Part part = part_of(node, index);
    rest_.insert(rest_.end(), part.begin(), part.end());
  }

  Part part_of(const Node& node, std::int32_t index) const {
    if (node.guide.active())
      return {part_->begin() + node.guide.first, part_->begin() + node.guide.last};
    return {SubTree{path_of(index), node.weight, node.name}};
  }

  // Hands the shallowest waiting node, the largest sub-tree by expectation, to another thread. It
  // comes after all others in the order.
  void give_away() {
    for (std::size_t i = 0; i + 1 < stack_.size(); ++i) {
      Node& node = stack_[i];
      if (node.expanded || node.given) continue;
      node.given = true;
      ++work_.stolen;
      hooks_->give(part_of(node, static_cast<std::int32_t>(i)));
      return;
    }
  }

  const Part* part_ = nullptr;
  std::uint64_t decision_ = 0;
  Part rest_;
  std::int32_t expanding_ = -1;  // index of the node whose expansion is under way
  std::uint64_t before_ = 0;     // regions before that
  std::uint64_t reported_ = 0;
  double setup_seconds_ = 0;
  bool way_kept_ = false;  // the stack is the way to the last sub-tree
  bool ahead_ = false;     // a node of the part was expanded
  unsigned ticks_ = 0, tick_interval_ = 1;
  double last_tick_ = 0;
};

}  // namespace linear_regions
