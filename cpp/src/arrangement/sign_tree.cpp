// SPDX-License-Identifier: MIT
// Runs of the sign tree: counting, listing, streaming; one thread or several.
#include "linear_regions/sign_tree.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include "arrangement/tree.hpp"
#include "float_environment.hpp"
#include "team.hpp"

namespace linear_regions {
namespace {

using arrangement::ChamberSink;
using arrangement::Frame;
using arrangement::Reduction;
using arrangement::Tree;

class BlockSink : public ChamberSink {
 public:
  BlockSink(ChamberBlock& block, const Reduction& reduction, bool points)
      : block_(block), points_(points), point_(reduction.d) {
    block_.words = word_count(reduction.n);
  }

  void chamber(Tree& tree, const Frame& frame, bool opposite) override {
    const std::size_t at = block_.signs.size();
    block_.signs.resize(at + block_.words);
    tree.reduction().translate(frame.positive.data(), opposite, block_.signs.data() + at);
    if (points_) add_point(tree, frame, opposite, block_.signs.data() + at);
    ++block_.n;
  }

 private:
  // The witness, then a point well inside; where neither rounds to a double inside, the witness
  // exactly.
  void add_point(Tree& tree, const Frame& frame, bool opposite, const Word* signs) {
    const Reduction& reduction = tree.reduction();
    std::shared_ptr<const arrangement::ExactPoint> centre = frame.exact;
    bool proved = try_point(reduction, frame.x.data(), opposite, signs);
    if (!proved && reduction.rows.n > 0) {
      centre = tree.exact_centre(frame);
      std::vector<double> y(reduction.rows.stride);
      arrangement::ExactLp::round(*centre, 1, y.data());
      proved = try_point(reduction, y.data(), opposite, signs);
    }
    if (!proved) {
      if (centre == nullptr)
        centre = arrangement::ExactLp::point(frame.x.data(), reduction.rows.dim);
      block_.exact_points.emplace_back(block_.n, reduction.exact_affine_point(*centre, opposite));
      std::fill(point_.begin(), point_.end(), std::numeric_limits<double>::quiet_NaN());
    }
    block_.points.insert(block_.points.end(), point_.begin(), point_.end());
  }

  // Points of central arrangements may have to go far from the common point.
  bool try_point(const Reduction& reduction, const double* y, bool opposite, const Word* signs) {
    for (const double stretch : {1.0, 0x1p10, 0x1p30, 0x1p60}) {
      reduction.affine_point(y, opposite, stretch, point_.data());
      if (reduction.has_signs(point_.data(), signs)) return true;
      if (!reduction.central) break;
    }
    return false;
  }

  ChamberBlock& block_;
  bool points_;
  std::vector<double> point_;
};

// Hands over a block whenever it is full.
class StreamSink : public ChamberSink {
 public:
  StreamSink(const Reduction& reduction, bool points, std::size_t size, RunControl& control,
             const std::function<bool(ChamberBlock&&)>& out)
      : inner_(block_, reduction, points),
        words_(word_count(reduction.n)),
        size_(size),
        control_(control),
        out_(out) {}

  void chamber(Tree& tree, const Frame& frame, bool opposite) override {
    if (delivered_ + block_.n >= control_.limit) return;  // the second one of a pair
    inner_.chamber(tree, frame, opposite);
    if (block_.n >= size_) flush();
  }
  void flush() {
    if (block_.n == 0 || !wanted_) return;
    delivered_ += block_.n;
    wanted_ = out_(std::move(block_));
    if (!wanted_) control_.stop(Status::kCancelled);
    block_ = ChamberBlock{};
    block_.words = words_;
  }

 private:
  bool wanted_ = true;  // a reader that said no is not asked again
  ChamberBlock block_;
  BlockSink inner_;
  std::size_t words_, size_;
  RunControl& control_;
  const std::function<bool(ChamberBlock&&)>& out_;
  std::uint64_t delivered_ = 0;
};

class Run {
 public:
  Run(const Hyperplanes& planes, const ConvexDomain& domain, const SignTreeOptions& options,
      RunControl& control)
      : options_(options), control_(control) {
    control_.start();
    reduction_.emplace(planes, domain);
  }

  SignTreeResult on_team(bool store) {
    Team<Frame> team(control_);
    try {
      Frame root = Tree(*reduction_, options_.arithmetic, control_, true).root();
      team.run(std::move(root), [&](Team<Frame>& t, bool caller) { live(t, caller, store); });
    } catch (const arrangement::ExactLp::Stopped&) {
      unfinished_ = true;
    }
    unfinished_ = unfinished_ || team.dropped();
    return result();
  }

  SignTreeResult on_this_thread(std::size_t block, const std::function<bool(ChamberBlock&&)>& out) {
    StreamSink sink(*reduction_, options_.points, block, control_, out);
    try {
      Tree tree(*reduction_, options_.arithmetic, control_, true);
      Tree::Hooks hooks;
      hooks.sink = &sink;
      tree.run(tree.root(), hooks);
      add(tree);
    } catch (const arrangement::ExactLp::Stopped&) {
      unfinished_ = true;
    }
    sink.flush();
    return result();
  }

  ChamberBlock gather() {
    ChamberBlock all;
    all.words = word_count(reduction_->n);
    if (blocks_.size() == 1) return std::move(blocks_.begin()->second);
    std::size_t chambers = 0;
    for (const auto& [path, block] : blocks_) chambers += block.n;
    all.signs.reserve(chambers * all.words);
    for (auto& [path, block] : blocks_) all.append(std::move(block));
    return all;
  }

 private:
  void live(Team<Frame>& team, bool caller, bool store) {
    const DefaultFloatingPoint environment;
    Tree tree(*reduction_, options_.arithmetic, control_, caller);
    Team<Frame>::Task task;
    while (team.next(task, caller)) {
      ChamberBlock block;
      BlockSink sink(block, *reduction_, options_.points);
      Tree::Hooks hooks;
      std::uint32_t gifts = 0;
      if (store) hooks.sink = &sink;
      if (control_.threads > 1) {
        hooks.hungry = &team.hungry();
        hooks.give = [&](Frame&& frame) {
          TaskPath path = task.path;
          path.push_back(~gifts++);
          team.give({std::move(path), std::move(frame)});
        };
        if (caller) hooks.tick = [&] { team.maybe_start_others(); };
      }
      tree.run(std::move(task.node), hooks);
      team.done([&] {
        if (store) blocks_.emplace(task.path, std::move(block));
      });
    }
    team.finish([&] { add(tree); });
  }

  void add(const Tree& tree) {
    chambers_ += tree.chambers();
    unfinished_ = unfinished_ || tree.unfinished();
    work_ += tree.work();
  }

  SignTreeResult result() const {
    SignTreeResult out;
    out.chambers = std::min(chambers_, control_.limit);
    out.status = unfinished_ || chambers_ > control_.limit ? control_.status() : Status::kComplete;
    out.work = work_;
    out.seconds = control_.seconds();
    return out;
  }

  const SignTreeOptions options_;
  RunControl& control_;
  std::optional<Reduction> reduction_;
  std::map<TaskPath, ChamberBlock> blocks_;
  SignTreeWork work_;
  std::uint64_t chambers_ = 0;
  bool unfinished_ = false;
};

}  // namespace

SignTreeWork& SignTreeWork::operator+=(const SignTreeWork& o) {
  chains += o.chains;
  lps += o.lps;
  steps += o.steps;
  circuits_reused += o.circuits_reused;
  steps_across += o.steps_across;
  exact_signs += o.exact_signs;
  exact_lps += o.exact_lps;
  exact_witnesses += o.exact_witnesses;
  stolen += o.stolen;
  return *this;
}

void ChamberBlock::append(ChamberBlock&& other) {
  for (auto& [at, text] : other.exact_points) exact_points.emplace_back(n + at, std::move(text));
  n += other.n;
  words = other.words;
  signs.insert(signs.end(), other.signs.begin(), other.signs.end());
  points.insert(points.end(), other.points.begin(), other.points.end());
  other = ChamberBlock{};
}

SignTreeResult sign_tree_count(const Hyperplanes& planes, const ConvexDomain& domain,
                               const SignTreeOptions& options, RunControl& control) {
  const DefaultFloatingPoint environment;
  return Run(planes, domain, options, control).on_team(false);
}

SignTreeResult sign_tree_list(const Hyperplanes& planes, const ConvexDomain& domain,
                              const SignTreeOptions& options, RunControl& control,
                              ChamberBlock& out) {
  const DefaultFloatingPoint environment;
  if (control.limit != RunControl::kNoLimit) {
    out.words = word_count(planes.n);
    return Run(planes, domain, options, control)
        .on_this_thread(std::size_t{1} << 20, [&](ChamberBlock&& block) {
          out.append(std::move(block));
          return true;
        });
  }
  Run run(planes, domain, options, control);
  const SignTreeResult result = run.on_team(true);
  out = run.gather();
  return result;
}

SignTreeResult sign_tree_stream(const Hyperplanes& planes, const ConvexDomain& domain,
                                const SignTreeOptions& options, RunControl& control,
                                std::size_t block,
                                const std::function<bool(ChamberBlock&&)>& sink) {
  const DefaultFloatingPoint environment;
  return Run(planes, domain, options, control)
      .on_this_thread(std::max<std::size_t>(1, block), sink);
}

}  // namespace linear_regions
