// SPDX-License-Identifier: MIT
// Runs of the sign tree: counting, listing, streaming; one thread or several.
#include "linear_regions/sign_tree.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "arrangement/block_sinks.hpp"
#include "arrangement/ordered_stream.hpp"
#include "arrangement/ray_tree.hpp"
#include "arrangement/tree.hpp"
#include "linear_regions/float_environment.hpp"
#include "linear_regions/save_points.hpp"
#include "team.hpp"
#include "thread_start.hpp"

namespace linear_regions {
namespace {

using arrangement::BlockCutter;
using arrangement::BlockSink;
using arrangement::OrderedStream;
using arrangement::RayTree;
using arrangement::Reduction;
using arrangement::StreamSink;
using arrangement::Tree;

// The engines of a team, kept from one pause to the next with what they have learnt.
template <typename Engine>
class Engines {
 public:
  using Make = std::function<std::unique_ptr<Engine>(bool caller)>;

  explicit Engines(Make make) : make_(std::move(make)), callers_(make_(true)) {}

  Engine& callers() { return *callers_; }
  Engine& take() {
    const std::lock_guard lock(mutex_);
    if (taken_ == others_.size()) others_.push_back(make_(false));
    return *others_[taken_++];
  }
  void give_back_all() { taken_ = 0; }

  template <typename Visit>
  void each(const Visit& visit) const {
    visit(*callers_);
    for (const auto& engine : others_) visit(*engine);
  }

 private:
  Make make_;
  std::unique_ptr<Engine> callers_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Engine>> others_;
  std::size_t taken_ = 0;
};

class Run {
 public:
  Run(const Hyperplanes& planes, const ConvexDomain& domain, const SignTreeOptions& options,
      RunControl& control, const SignTreeSaving& saving)
      : options_(options),
        control_(control),
        saving_(saving),
        points_(saving.save ? saving.every : 0.0) {
    if (points_.wanted()) control_.pause_after = points_.interval();
    control_.start();
    reduction_.emplace(planes, domain);
  }

  SignTreeResult on_team(bool store) {
    return with_engine([&](auto engine) { team<typename decltype(engine)::type>(store); });
  }

  // In order, to a reader on the calling thread. States are written by one thread.
  SignTreeResult to_reader(std::size_t block, const std::function<bool(ChamberBlock&&)>& out) {
    return with_engine([&](auto engine) {
      using Engine = typename decltype(engine)::type;
      control_.threads == 1 || points_.wanted() ? alone<Engine>(block, out)
                                                : together<Engine>(block, out);
    });
  }

  // The blocks of a team, in order, one at least.
  std::vector<ChamberBlock> take_blocks() {
    std::vector<ChamberBlock> blocks(1);
    blocks[0].words = word_count(reduction_->n);
    for (auto& [path, block] : blocks_)
      if (block.n > 0) blocks.push_back(std::move(block));
    blocks_.clear();
    return blocks;
  }

 private:
  template <typename Engine>
  using Rest = std::map<TreePath, typename Engine::Node>;

  // The sub-trees to begin with, by number.
  template <typename Engine>
  Rest<Engine> first_nodes(Engine& engine) const {
    Rest<Engine> nodes;
    if (saving_.from == nullptr) {
      nodes.emplace(TreePath{0}, engine.root());
      return nodes;
    }
    const ChamberPart& part = *saving_.from;
    if (part.words != Engine::words_of(reduction_->rows.n) ||
        part.rows.size() != part.size() * part.stride())
      throw ForeignChamberPart();
    for (std::size_t i = 0; i < part.size(); ++i)
      nodes.emplace(TreePath{static_cast<std::uint32_t>(i)},
                    engine.find(part.rows.data() + i * part.stride(), part.shares[i]));
    return nodes;
  }

  template <typename Engine>
  void team(bool store) {
    Engines<Engine> engines([this](bool caller) {
      return std::make_unique<Engine>(*reduction_, control_, options_.arithmetic, caller);
    });
    try {
      Rest<Engine> rest = first_nodes(engines.callers());
      for (;;) {
        run_team(engines, rest, store);
        if (points_.wanted() && (!rest.empty() || store))
          points_.save([&] { saving_.save(state<Engine>(engines, rest)); });
        if (rest.empty() || control_.stopped()) break;
        number_anew(rest);
        control_.go_on(points_.interval());
      }
      unfinished_ = !rest.empty();
    } catch (const arrangement::ExactLp::Stopped&) {  // on the way to the first chamber
      unfinished_ = true;
    }
    engines.each([&](const Engine& engine) { add(engine); });
  }

  // Works the sub-trees off; what a stop or a pause leaves of them takes their place.
  template <typename Engine>
  void run_team(Engines<Engine>& engines, Rest<Engine>& rest, bool store) {
    using Node = typename Engine::Node;
    std::deque<typename Team<Node>::Task> tasks;
    for (auto& [path, node] : rest) tasks.push_back({path, std::move(node)});
    rest.clear();
    Team<Node> team(control_);
    team.run(std::move(tasks), [&](auto& t, bool caller) {
      live<Engine>(t, caller, caller ? engines.callers() : engines.take(), rest, store);
    });
    for (auto& task : team.left()) rest.emplace(std::move(task.path), std::move(task.node));
    engines.give_back_all();
  }

  template <typename Node>
  static void number_anew(std::map<TreePath, Node>& rest) {
    std::map<TreePath, Node> numbered;
    std::uint32_t number = 0;
    for (auto& [path, node] : rest) numbered.emplace(TreePath{number++}, std::move(node));
    rest = std::move(numbered);
  }

  template <typename Engine>
  SignTreeState state(const Engines<Engine>& engines, const Rest<Engine>& rest) {
    SignTreeState out;
    out.engine = Engine::kEngine;
    engines.each([&](const Engine& engine) {
      out.chambers += engine.chambers();
      out.work += engine.work();
    });
    name_rest(engines, rest, out);
    std::size_t place = 0;
    auto next = rest.begin();
    for (auto& [path, block] : blocks_) {
      for (; next != rest.end() && next->first < path; ++next) ++place;
      if (block.n == 0) continue;
      out.found_origin.push_back(path.front());
      out.place.push_back(place);
      out.found.push_back(std::move(block));
    }
    blocks_.clear();
    return out;
  }

  template <typename Engine>
  void name_rest(const Engine& engine, const Rest<Engine>& rest, SignTreeState& out) const {
    ChamberPart& part = out.rest;
    part.words = Engine::words_of(reduction_->rows.n);
    part.rows.resize(rest.size() * part.stride());
    for (const auto& [path, node] : rest) {
      engine.name(node, part.rows.data() + part.size() * part.stride());
      part.shares.push_back(node.share);
      out.origin.push_back(path.front());
    }
  }
  template <typename Engine>
  void name_rest(const Engines<Engine>& engines, const Rest<Engine>& rest,
                 SignTreeState& out) const {
    bool named = false;
    engines.each([&](const Engine& engine) {
      if (!std::exchange(named, true)) name_rest(engine, rest, out);
    });
  }

  template <typename Engine>
  void live(Team<typename Engine::Node>& team, bool caller, Engine& tree, Rest<Engine>& rest,
            bool store) {
    using Node = typename Engine::Node;
    const DefaultFloatingPoint environment;
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
      std::vector<Node> left = tree.take_rest();
      team.done([&] {
        if (store) blocks_.emplace(task.path, std::move(block));
        task.path.push_back(0);  // before all gifts
        for (Node& node : left) {
          rest.emplace(task.path, std::move(node));
          ++task.path.back();
        }
      });
    }
  }

  // Hands blocks over on the way. A state says that all chambers before it were handed over.
  template <typename Engine>
  void alone(std::size_t block, const std::function<bool(ChamberBlock&&)>& out) {
    StreamSink sink(*reduction_, Engine::kEngine, options_.points, block, control_, out);
    Engine tree(*reduction_, control_, options_.arithmetic, true);
    typename Engine::Hooks hooks;
    hooks.sink = &sink;
    try {
      Rest<Engine> rest = first_nodes(tree);
      while (!rest.empty()) {
        number_anew(rest);
        typename Engine::Node node = std::move(rest.begin()->second);
        rest.erase(rest.begin());
        tree.run(std::move(node), hooks);
        std::uint32_t number = 0;
        for (auto& left : tree.take_rest()) rest.emplace(TreePath{0, number++}, std::move(left));
        if (rest.empty() || !control_.halted()) continue;
        sink.flush();
        if (points_.wanted() && sink.delivered_all()) {
          SignTreeState state;
          state.engine = Engine::kEngine;
          state.chambers = tree.chambers();
          state.work = tree.work();
          name_rest(tree, rest, state);
          points_.save([&] { saving_.save(std::move(state)); });
        }
        if (control_.stopped()) break;
        control_.go_on(points_.interval());
      }
      unfinished_ = !rest.empty();
    } catch (const arrangement::ExactLp::Stopped&) {
      unfinished_ = true;
    }
    sink.flush();
    unfinished_ = unfinished_ || sink.dropped() || sink.refused();
    chambers_ = sink.delivered();
    work_ += tree.work();
  }

  template <typename Engine>
  void together(std::size_t block, const std::function<bool(ChamberBlock&&)>& out) {
    // What counts is what was handed over, not what was found.
    const std::uint64_t limit = std::exchange(control_.limit, RunControl::kNoLimit);
    BlockCutter cutter(Engine::kEngine, word_count(reduction_->n), block, limit, out);
    OrderedStream<Engine> stream(*reduction_, control_, options_.points, cutter, [&](bool caller) {
      return std::make_unique<Engine>(*reduction_, control_, options_.arithmetic, caller);
    });
    try {
      for (auto& [path, node] : first_nodes(stream.callers())) stream.append(std::move(node));
      unfinished_ = !stream.run();
    } catch (const arrangement::ExactLp::Stopped&) {  // on the way to the first chamber
      unfinished_ = true;
    }
    control_.limit = limit;
    cutter.flush();
    if (cutter.refused()) {
      control_.stop(Status::kCancelled);
      unfinished_ = true;
    }
    chambers_ = cutter.delivered();
    stream.each([&](const Engine& engine) { work_ += engine.work(); });
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
    if (chambers_ == 0 && !unfinished_ && saving_.from == nullptr)
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
  const SignTreeSaving& saving_;
  SavePoints points_;
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

// Every thread copies an equal share of the chambers.
ChamberBlock joined(std::vector<ChamberBlock>&& blocks, unsigned most_threads) {
  if (blocks.size() <= 2 && (blocks.size() == 1 || blocks[0].n == 0))
    return std::move(blocks.back());
  ChamberBlock all;
  all.words = blocks.at(0).words;
  std::vector<std::size_t> firsts;  // numbers of their first chambers
  std::size_t d = 0;
  for (ChamberBlock& block : blocks) {
    for (auto& [at, text] : block.exact_points)
      all.exact_points.emplace_back(all.n + at, std::move(text));
    firsts.push_back(all.n);
    all.n += block.n;
    if (block.n > 0) d = block.points.size() / block.n;
  }
  all.signs.resize(all.n * all.words);
  all.points.resize(all.n * d);
  const auto copy = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const ChamberBlock& block = blocks[i];
      const std::size_t first = firsts[i];
      const std::size_t begin = std::max(from, first), end = std::min(to, first + block.n);
      if (begin >= end) continue;
      const auto column = [&](const auto& source, auto& target, std::size_t each) {
        std::copy_n(source.begin() + static_cast<std::ptrdiff_t>((begin - first) * each),
                    (end - begin) * each,
                    target.begin() + static_cast<std::ptrdiff_t>(begin * each));
      };
      column(block.signs, all.signs, all.words);
      column(block.points, all.points, d);
    }
  };
  constexpr std::size_t kPerThread = std::size_t{1} << 15;
  const std::size_t shares = std::clamp<std::size_t>(all.n / kPerThread, 1, most_threads);
  std::vector<std::thread> threads;
  std::size_t done = all.n / shares;  // the caller's own share comes first
  for (std::size_t i = 1; i < shares; ++i) {
    const std::size_t to = all.n * (i + 1) / shares;
    try {
      start_thread(threads, [&copy, done, to] { copy(done, to); });
    } catch (const std::system_error&) {
      break;  // the system has no more threads to give
    }
    done = to;
  }
  copy(0, all.n / shares);
  copy(done, all.n);
  for (std::thread& thread : threads) thread.join();
  blocks.clear();
  return all;
}

SignTreeResult sign_tree_count(const Hyperplanes& planes, const ConvexDomain& domain,
                               const SignTreeOptions& options, RunControl& control,
                               const SignTreeSaving& saving) {
  const DefaultFloatingPoint environment;
  return Run(planes, domain, options, control, saving).on_team(false);
}

SignTreeResult sign_tree_list(const Hyperplanes& planes, const ConvexDomain& domain,
                              const SignTreeOptions& options, RunControl& control,
                              std::vector<ChamberBlock>& out, const SignTreeSaving& saving) {
  const DefaultFloatingPoint environment;
  out.assign(1, {});
  out[0].words = word_count(planes.n);
  if (saving.save) {
    if (control.limit != RunControl::kNoLimit) control.threads = 1;
    return Run(planes, domain, options, control, saving).on_team(true);
  }
  if (control.limit != RunControl::kNoLimit)
    return Run(planes, domain, options, control, saving)
        .to_reader(std::size_t{1} << 20, [&](ChamberBlock&& block) {
          out.push_back(std::move(block));
          return true;
        });
  Run run(planes, domain, options, control, saving);
  const SignTreeResult result = run.on_team(true);
  out = run.take_blocks();
  return result;
}

SignTreeResult sign_tree_stream(const Hyperplanes& planes, const ConvexDomain& domain,
                                const SignTreeOptions& options, RunControl& control,
                                std::size_t block, const std::function<bool(ChamberBlock&&)>& sink,
                                const SignTreeSaving& saving) {
  const DefaultFloatingPoint environment;
  return Run(planes, domain, options, control, saving)
      .to_reader(std::max<std::size_t>(1, block), sink);
}

}  // namespace linear_regions
