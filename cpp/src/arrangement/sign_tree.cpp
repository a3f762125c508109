// SPDX-License-Identifier: MIT
// Runs of the sign tree: counting, listing, streaming; one thread or several.
#include "linear_regions/sign_tree.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <type_traits>

#include "arrangement/ray_tree.hpp"
#include "arrangement/tree.hpp"
#include "float_environment.hpp"
#include "team.hpp"

namespace linear_regions {
namespace {

using arrangement::Chamber;
using arrangement::ChamberSink;
using arrangement::RayTree;
using arrangement::Reduction;
using arrangement::Tree;

class BlockSink : public ChamberSink {
 public:
  BlockSink(ChamberBlock& block, const Reduction& reduction, bool points)
      : block_(block), reduction_(reduction), points_(points), point_(reduction.d) {
    block_.words = word_count(reduction.n);
  }

  void chamber(Chamber& chamber, bool opposite) override {
    const std::size_t at = block_.signs.size();
    block_.signs.resize(at + block_.words);
    reduction_.translate(chamber.positive(), opposite, block_.signs.data() + at);
    if (points_) add_point(chamber, opposite, block_.signs.data() + at);
    ++block_.n;
  }

 private:
  // The witness, then a point well inside; where neither rounds to a double inside, the latter
  // exactly.
  void add_point(Chamber& chamber, bool opposite, const Word* signs) {
    if (!try_point(chamber.witness(), opposite, signs)) {
      const std::shared_ptr<const arrangement::ExactPoint> centre = chamber.exact_centre();
      std::vector<double> y(reduction_.rows.stride);
      arrangement::ExactLp::round(*centre, 1, y.data());
      if (!try_point(y.data(), opposite, signs)) {
        block_.exact_points.emplace_back(block_.n,
                                         reduction_.exact_affine_point(*centre, opposite));
        std::fill(point_.begin(), point_.end(), std::numeric_limits<double>::quiet_NaN());
      }
    }
    block_.points.insert(block_.points.end(), point_.begin(), point_.end());
  }

  // Points of central arrangements may have to go far from the common point.
  bool try_point(const double* y, bool opposite, const Word* signs) {
    for (const double stretch : {1.0, 0x1p10, 0x1p30, 0x1p60}) {
      reduction_.affine_point(y, opposite, stretch, point_.data());
      if (reduction_.has_signs(point_.data(), signs)) return true;
      if (!reduction_.central) break;
    }
    return false;
  }

  ChamberBlock& block_;
  const Reduction& reduction_;
  bool points_;
  std::vector<double> point_;
};

// Hands over a block whenever it is full.
class StreamSink : public ChamberSink {
 public:
  StreamSink(const Reduction& reduction, TreeEngine engine, bool points, std::size_t size,
             RunControl& control, const std::function<bool(ChamberBlock&&)>& out)
      : inner_(block_, reduction, points),
        words_(word_count(reduction.n)),
        engine_(engine),
        size_(size),
        control_(control),
        out_(out) {
    block_.engine = engine;
  }

  void chamber(Chamber& chamber, bool opposite) override {
    if (delivered_ + block_.n >= control_.limit) return;  // the second one of a pair
    inner_.chamber(chamber, opposite);
    if (block_.n >= size_) flush();
  }
  void flush() {
    if (block_.n == 0 || !wanted_) return;
    delivered_ += block_.n;
    wanted_ = out_(std::move(block_));
    if (!wanted_) control_.stop(Status::kCancelled);
    block_ = ChamberBlock{};
    block_.words = words_;
    block_.engine = engine_;
  }

 private:
  bool wanted_ = true;  // a reader that said no is not asked again
  ChamberBlock block_;
  BlockSink inner_;
  std::size_t words_;
  TreeEngine engine_;
  std::size_t size_;
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
    return with_engine([&](auto engine) { team<typename decltype(engine)::type>(store); });
  }

  SignTreeResult on_this_thread(std::size_t block, const std::function<bool(ChamberBlock&&)>& out) {
    return with_engine([&](auto engine) {
      using Engine = typename decltype(engine)::type;
      StreamSink sink(*reduction_, Engine::kEngine, options_.points, block, control_, out);
      try {
        Engine tree(*reduction_, control_, options_.arithmetic, true);
        typename Engine::Hooks hooks;
        hooks.sink = &sink;
        tree.run(tree.root(), hooks);
        add(tree);
      } catch (const arrangement::ExactLp::Stopped&) {
        unfinished_ = true;
      }
      sink.flush();
    });
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
  template <typename Engine>
  void team(bool store) {
    Team<typename Engine::Node> team(control_);
    try {
      auto root = Engine(*reduction_, control_, options_.arithmetic, true).root();
      team.run(std::move(root), [&](auto& t, bool caller) { live<Engine>(t, caller, store); });
    } catch (const arrangement::ExactLp::Stopped&) {
      unfinished_ = true;
    }
    unfinished_ = unfinished_ || team.dropped();
  }

  template <typename Engine>
  void live(Team<typename Engine::Node>& team, bool caller, bool store) {
    using Node = typename Engine::Node;
    const DefaultFloatingPoint environment;
    Engine tree(*reduction_, control_, options_.arithmetic, caller);
    typename Team<Node>::Task task;
    while (team.next(task, caller)) {
      ChamberBlock block;
      BlockSink sink(block, *reduction_, options_.points);
      typename Engine::Hooks hooks;
      std::uint32_t gifts = 0;
      if (store) hooks.sink = &sink;
      if (control_.threads > 1) {
        hooks.hungry = &team.hungry();
        hooks.give = [&](Node&& node) {
          TreePath path = task.path;
          path.push_back(~gifts++);
          team.give({std::move(path), std::move(node)});
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

  // Calls back with the type of the engine that suits the input.
  template <typename Visit>
  SignTreeResult with_engine(Visit&& visit) {
    const std::size_t rows = reduction_->rows.n, columns = reduction_->rows.dim;
    const bool can = rows <= kMostRows && columns <= kMostColumns &&
                     options_.arithmetic == Arithmetic::kCertified;
    if (!can && rows > 0 && options_.engine == TreeEngine::kRays)
      throw std::domain_error(
          "method 'rays' takes certified arithmetic, up to 256 distinct hyperplanes (sides of the "
          "domain included) and at most 29 dimensions; use method='tree'");
    if (!can || rows == 0 || options_.engine == TreeEngine::kWitnesses || !with_rays(visit)) {
      visit(std::type_identity<Tree>{});
      return result(TreeEngine::kWitnesses);
    }
    if (chambers_ == 0 && !unfinished_)
      throw std::invalid_argument("the domain has no interior point");
    return result(TreeEngine::kRays);
  }
  template <typename Visit>
  bool with_rays(Visit& visit) {
    const std::size_t words = word_count(reduction_->rows.n);
    if (words <= 1) return try_rays<1>(visit);
    if (words <= 2) return try_rays<2>(visit);
    return try_rays<4>(visit);
  }
  // False if a trial says that the other engine is faster.
  template <std::size_t W, typename Visit>
  bool try_rays(Visit& visit) {
    if (options_.engine == TreeEngine::kAuto) {
      RunControl trial;
      if (!RayTree<W>(*reduction_, trial, options_.arithmetic, false).worthwhile()) return false;
    }
    visit(std::type_identity<RayTree<W>>{});
    return true;
  }

  template <typename Engine>
  void add(const Engine& tree) {
    chambers_ += tree.chambers();
    unfinished_ = unfinished_ || tree.unfinished();
    work_ += tree.work();
  }

  SignTreeResult result(TreeEngine engine) const {
    SignTreeResult out;
    out.engine = engine;
    out.chambers = std::min(chambers_, control_.limit);
    out.status = unfinished_ || chambers_ > control_.limit ? control_.status() : Status::kComplete;
    out.work = work_;
    out.seconds = control_.seconds();
    return out;
  }

  static constexpr std::size_t kMostRows = 256, kMostColumns = 30;

  const SignTreeOptions options_;
  RunControl& control_;
  std::optional<Reduction> reduction_;
  std::map<TreePath, ChamberBlock> blocks_;
  SignTreeWork work_;
  std::uint64_t chambers_ = 0;
  bool unfinished_ = false;
};

}  // namespace

SignTreeWork& SignTreeWork::operator+=(const SignTreeWork& o) {
  cones += o.cones;
  splits += o.splits;
  rays += o.rays;
  rays_reused += o.rays_reused;
  exact_rays += o.exact_rays;
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
