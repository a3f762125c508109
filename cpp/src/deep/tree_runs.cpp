// SPDX-License-Identifier: MIT
// Runs of the tree: counting, listing, streaming; one thread or several.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "deep/tree.hpp"
#include "float_environment.hpp"
#include "team.hpp"

namespace linear_regions {
namespace {

class BlockSink : public TreeSink {
 public:
  BlockSink(TreeBlock& block, const TreeRoot& root) : block_(block), root_(root) { prepare(); }

  void prepare() {
    block_.words = root_.tape.pattern_words();
    block_.dim = root_.place.dim;
  }

  // The exact stage may stop the run in here: the columns are extended only when all is known.
  void region(Tree& tree, const std::vector<std::uint64_t>& pattern) override {
    const std::size_t d = block_.dim;
    point_.assign(d, 0.0);
    std::vector<std::string> fractions;
    if (!find(tree)) {
      const bool certified = root_.arithmetic == Arithmetic::kCertified;
      bool found = false;
      if (certified) {
        std::shared_ptr<const arrangement::ExactPoint> exact = tree.exact_middle();
        if (exact == nullptr) throw std::logic_error("a region has no interior point");
        TreePoint p = domain_point(root_, *exact);
        found = tree.inside(p.nearest.data());
        if (found)
          point_ = p.nearest;
        else
          fractions = std::move(p.fractions);
      }
      if (!found) point_.assign(d, std::numeric_limits<double>::quiet_NaN());
    }
    block_.patterns.insert(block_.patterns.end(), pattern.begin(), pattern.end());
    block_.points.insert(block_.points.end(), point_.begin(), point_.end());
    if (!fractions.empty()) block_.exact_points.emplace_back(block_.n, std::move(fractions));
    ++block_.n;
  }

 private:
  bool find(Tree& tree) {
    if (tree.witness().exact == nullptr && take(tree, tree.witness().x)) return true;
    std::vector<double> x;
    return tree.middle(x) && take(tree, x);
  }
  bool take(Tree& tree, const std::vector<double>& x) {
    const std::size_t d = block_.dim;
    for (std::size_t j = 0; j < d; ++j)
      point_[j] = root_.center[j] + std::ldexp(x[j] / x[d], root_.exponent[j]);
    return tree.inside(point_.data());
  }

  TreeBlock& block_;
  const TreeRoot& root_;
  std::vector<double> point_;
};

// Hands over a block whenever it is full.
class StreamSink : public TreeSink {
 public:
  StreamSink(const TreeRoot& root, std::size_t size, RunControl& control,
             const std::function<bool(TreeBlock&&)>& out)
      : inner_(block_, root), size_(size), control_(control), out_(out) {}

  void region(Tree& tree, const std::vector<std::uint64_t>& pattern) override {
    inner_.region(tree, pattern);
    if (block_.n >= size_) flush();
  }
  void flush() {
    if (block_.n == 0 || !wanted_) return;
    wanted_ = out_(std::move(block_));
    if (!wanted_) control_.stop(Status::kCancelled);
    block_ = TreeBlock{};
    inner_.prepare();
  }

 private:
  bool wanted_ = true;  // a reader that said no is not asked again
  TreeBlock block_;
  BlockSink inner_;
  std::size_t size_;
  RunControl& control_;
  const std::function<bool(TreeBlock&&)>& out_;
};

class Run {
 public:
  Run(const TreeRoot& root, RunControl& control) : root_(root), control_(control) {}

  TreeResult on_team(bool store) {
    Team<TreeTask> team(control_);
    team.run(TreeTask{}, [&](Team<TreeTask>& t, bool caller) { live(t, caller, store); });
    unfinished_ = unfinished_ || team.dropped();
    TreeResult out;
    out.regions = std::min(regions_, control_.limit);
    // A run that was stopped when nothing was left to do is complete.
    const bool cut = unfinished_ || regions_ > control_.limit;
    out.status = cut ? control_.status() : Status::kComplete;
    out.work = work_;
    out.seconds = control_.seconds();
    return out;
  }

  // Blocks in path order: what a giver keeps comes before what it gave.
  std::map<TaskPath, TreeBlock>& blocks() { return blocks_; }

 private:
  void live(Team<TreeTask>& team, bool caller, bool store) {
    const DefaultFloatingPoint environment;
    Tree tree(root_, control_, caller);
    Team<TreeTask>::Task task;
    while (team.next(task, caller)) {
      TreeBlock block;
      BlockSink sink(block, root_);
      Tree::Hooks hooks;
      std::uint32_t gifts = 0;
      if (store) hooks.sink = &sink;
      if (control_.threads > 1) {
        hooks.hungry = &team.hungry();
        hooks.give = [&](TreeTask&& given) {
          TaskPath path = task.path;
          path.push_back(~gifts++);
          team.give({std::move(path), std::move(given)});
        };
        if (caller) hooks.tick = [&] { team.maybe_start_others(); };
      }
      tree.run(std::move(task.node), hooks);
      team.done([&] {
        if (store) blocks_.emplace(task.path, std::move(block));
      });
    }
    team.finish([&] {
      regions_ += tree.regions();
      unfinished_ = unfinished_ || tree.unfinished();
      work_ += tree.work();
    });
  }

  const TreeRoot& root_;
  RunControl& control_;
  std::map<TaskPath, TreeBlock> blocks_;
  TreeWork work_;
  std::uint64_t regions_ = 0;
  bool unfinished_ = false;
};

}  // namespace

TreeWork& TreeWork::operator+=(const TreeWork& o) {
  layer_cells += o.layer_cells;
  questions += o.questions;
  points_reused += o.points_reused;
  circuits_reused += o.circuits_reused;
  lps += o.lps;
  steps += o.steps;
  exact_signs += o.exact_signs;
  exact_lps += o.exact_lps;
  exact_rows += o.exact_rows;
  stolen += o.stolen;
  return *this;
}

void TreeBlock::append(TreeBlock&& o) {
  words = o.words;
  dim = o.dim;
  patterns.insert(patterns.end(), o.patterns.begin(), o.patterns.end());
  points.insert(points.end(), o.points.begin(), o.points.end());
  for (auto& [at, text] : o.exact_points) exact_points.emplace_back(n + at, std::move(text));
  n += o.n;
}

TreeResult count_tree(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                      RunControl& control) {
  const DefaultFloatingPoint environment;
  control.start();
  const TreeRoot root(tape, domain, arithmetic);
  return Run(root, control).on_team(false);
}

TreeResult list_tree(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                     RunControl& control, TreeBlock& out) {
  const DefaultFloatingPoint environment;
  if (control.limit != RunControl::kNoLimit) control.threads = 1;  // exactly the first regions
  control.start();
  const TreeRoot root(tape, domain, arithmetic);
  Run run(root, control);
  const TreeResult result = run.on_team(true);
  for (auto& [path, block] : run.blocks()) out.append(std::move(block));
  out.words = tape.pattern_words();
  out.dim = domain.dim;
  return result;
}

TreeResult stream_tree(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                       RunControl& control, std::size_t block,
                       const std::function<bool(TreeBlock&&)>& sink) {
  const DefaultFloatingPoint environment;
  control.threads = 1;
  control.start();
  const TreeRoot root(tape, domain, arithmetic);
  Tree tree(root, control, true);
  StreamSink stream(root, std::max<std::size_t>(1, block), control, sink);
  Tree::Hooks hooks;
  hooks.sink = &stream;
  tree.run({}, hooks);
  stream.flush();
  const Status status = tree.unfinished() ? control.status() : Status::kComplete;
  return {tree.regions(), status, tree.work(), control.seconds()};
}

}  // namespace linear_regions
