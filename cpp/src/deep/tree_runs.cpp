// SPDX-License-Identifier: MIT
// Runs of the tree: counting, listing, streaming; one thread or several.
#include <algorithm>
#include <cmath>
#include <limits>

#include "deep/tree.hpp"
#include "linear_regions/float_environment.hpp"
#include "replay_team.hpp"

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
    const bool bounded = tree.bounded();
    block_.patterns.insert(block_.patterns.end(), pattern.begin(), pattern.end());
    block_.points.insert(block_.points.end(), point_.begin(), point_.end());
    block_.bounded.push_back(bounded);
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

struct TreeSearch {
  using Engine = Tree;
  using Block = TreeBlock;
  using Result = TreeResult;
  struct Restart {};  // never

  const TreeRoot& root;

  Tree engine(RunControl& control, bool caller) const { return {root, control, caller}; }
  BlockSink sink(TreeBlock& block) const { return {block, root}; }
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

void TreeBlock::append(TreeBlock&& other) {
  if (n == 0) {
    *this = std::move(other);
    return;
  }
  TreeBlock o = std::move(other);  // given back at the end: blocks are not kept beside the whole
  words = o.words;
  dim = o.dim;
  patterns.insert(patterns.end(), o.patterns.begin(), o.patterns.end());
  points.insert(points.end(), o.points.begin(), o.points.end());
  bounded.insert(bounded.end(), o.bounded.begin(), o.bounded.end());
  for (auto& [at, text] : o.exact_points) exact_points.emplace_back(n + at, std::move(text));
  n += o.n;
}

TreeResult count_tree(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                      RunControl& control) {
  const DefaultFloatingPoint environment;
  control.start();
  const TreeRoot root(tape, domain, arithmetic);
  const TreeSearch search{root};
  return ReplayTeam(search, control, false).run();
}

TreeResult list_tree(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                     RunControl& control, std::vector<TreeBlock>& out) {
  const DefaultFloatingPoint environment;
  if (control.limit != RunControl::kNoLimit) control.threads = 1;  // exactly the first regions
  control.start();
  const TreeRoot root(tape, domain, arithmetic);
  const TreeSearch search{root};
  ReplayTeam team(search, control, true);
  const TreeResult result = team.run();
  TreeBlock none;
  none.words = tape.pattern_words();
  none.dim = domain.dim;
  out = team.take_blocks(std::move(none));
  return result;
}

TreeResult search_tree(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                       RunControl& control, const Part& part, const PartOptions& options,
                       PartOutcome<TreeBlock>& out) {
  const DefaultFloatingPoint environment;
  check_part(part);
  control.start();
  const TreeRoot root(tape, domain, arithmetic);
  const TreeSearch search{root};
  ReplayTeam team(search, control, options.list);
  const TreeResult result = team.run_part(part);
  out = team.outcome();
  return result;
}

Part cut_tree(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
              RunControl& control, const Part& part, const PartOptions& options) {
  const DefaultFloatingPoint environment;
  check_part(part);
  control.start();
  const TreeRoot root(tape, domain, arithmetic);
  const TreeSearch search{root};
  return cut_part(search, part, options, control);
}

std::vector<RandomWay> probe_tree(const Tape& tape, const DomainFrame& domain,
                                  Arithmetic arithmetic, RunControl& control, std::uint64_t seed,
                                  std::size_t ways) {
  const DefaultFloatingPoint environment;
  control.start();
  const TreeRoot root(tape, domain, arithmetic);
  const TreeSearch search{root};
  return probe_search(search, control, seed, ways);
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
