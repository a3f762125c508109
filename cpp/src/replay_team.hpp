// SPDX-License-Identifier: MIT
// ReplayTeam: a team (team.hpp) whose tasks are parts of a search, for the engines of networks. A
// sub-tree that was given away comes after everything that its owner kept, so sorting by path
// restores the serial order.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "linear_regions/float_environment.hpp"
#include "linear_regions/part.hpp"
#include "linear_regions/planar.hpp"
#include "team.hpp"

namespace linear_regions {

// What stands for a part among the tasks of a team.
template <typename Job>
Job job_of(Part part) {
  if constexpr (std::is_same_v<Job, Part>) {
    return part;
  } else {
    Job job;
    job.part = std::move(part);
    return job;
  }
}
inline const TreePath& first_path(const Part& part) {
  return part.front().path;
}
template <typename Job>
const TreePath& first_path(const Job& job) {
  return job.first_path();
}
inline Part part_of(Part& part) {
  return std::move(part);
}
template <typename Job>
Part part_of(Job& job) {
  if (!job.part.empty()) return std::move(job.part);
  return {SubTree{job.path, job.share, job.name}};
}

// Search names Engine, Block and Result; makes an engine and a sink that fills a block; and names
// an exception Restart, upon which the whole team ends and run() throws it, with the control as it
// was.
template <typename Search>
class ReplayTeam {
  using Engine = typename Search::Engine;
  using Block = typename Search::Block;
  using Result = typename Search::Result;
  using Job = typename Engine::Task;  // parts that the receiver replays, or more
  using Crew = Team<Job>;

 public:
  ReplayTeam(const Search& search, RunControl& control, bool store)
      : search_(search), control_(control), store_(store) {}

  // All regions that were found, also those beyond the limit: the rest does not have them.
  Result run_part(const Part& part) {
    if (!part.empty()) {
      Crew crew(control_);
      crew.run(job_of<Job>(part), [this](Crew& c, bool caller) { live(c, caller); });
      if (restart_.load()) throw typename Search::Restart();
      for (auto& task : crew.left()) take(rest_, part_of(task.node));
    }
    sort_part(rest_);
    std::sort(blocks_.begin(), blocks_.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    Result result;
    result.regions = regions_;
    // A run that was stopped when nothing was left to do is complete.
    result.status = rest_.empty() ? Status::kComplete : control_.status();
    result.work = work_;
    result.seconds = control_.seconds();
    return result;
  }

  Result run() {
    Result result = run_part(whole_search());
    if (result.regions > control_.limit) {
      result.regions = control_.limit;
      result.status = control_.status();
    }
    return result;
  }

  // What was listed, in order, after `none`: a block of no regions.
  std::vector<Block> take_blocks(Block none) {
    std::vector<Block> blocks;
    blocks.reserve(blocks_.size() + 1);
    blocks.push_back(std::move(none));
    for (auto& [path, block] : blocks_) blocks.push_back(std::move(block));
    blocks_.clear();
    return blocks;
  }
  PartOutcome<Block> outcome() {
    return {std::move(rest_), std::move(blocks_), false, setup_seconds_};
  }

 private:
  using Blocks = std::deque<std::pair<TreePath, Block>>;

  static void take(Part& to, Part&& from) {
    std::move(from.begin(), from.end(), std::back_inserter(to));
  }

  void live(Crew& crew, bool caller) {
    const DefaultFloatingPoint environment;
    Engine engine = search_.engine(control_, caller);
    typename Crew::Task task;
    while (crew.next(task, caller)) {
      Blocks blocks;
      if (!restart_.load()) work(crew, engine, task, caller, blocks);
      crew.done([&] {
        for (auto& keyed : blocks)
          if (keyed.second.n > 0) blocks_.push_back(std::move(keyed));
      });
    }
    crew.finish([&] {
      regions_ += engine.regions();
      take(rest_, std::move(engine.rest()));
      setup_seconds_ += engine.setup_seconds();
      work_ += engine.work();
    });
  }

  void work(Crew& crew, Engine& engine, typename Crew::Task& task, bool caller, Blocks& blocks) {
    using Sink = decltype(search_.sink(blocks.back().second));
    std::optional<Sink> sink;
    typename Engine::Hooks hooks;
    if (store_) {
      hooks.begin = [&](const TreePath& path) {
        sink.emplace(search_.sink(blocks.emplace_back(path, Block{}).second));
        hooks.sink = &*sink;
      };
      hooks.begin({});  // of what lies above the part nothing is kept
    }
    if constexpr (requires { hooks.failed; }) hooks.failed = &restart_;
    if (control_.threads > 1) {
      hooks.hungry = &crew.hungry();
      hooks.give = [&](Job&& job) {
        TreePath path = first_path(job);
        crew.give({std::move(path), std::move(job)});
      };
      if (caller) hooks.tick = [&] { crew.maybe_start_others(); };
    }
    try {
      engine.run(std::move(task.node), hooks);
    } catch (const typename Search::Restart&) {
      restart_.store(true);
    }
  }

  const Search& search_;
  RunControl& control_;
  const bool store_;
  std::vector<std::pair<TreePath, Block>> blocks_;
  Part rest_;
  std::atomic<bool> restart_{false};
  std::uint64_t regions_ = 0;
  double setup_seconds_ = 0;
  decltype(Result::work) work_;
};

// Cuts a part into sub-trees of at most about that weight; what was counted on the way belongs to
// them.
template <typename Search>
Part cut_part(const Search& search, const Part& part, const PartOptions& options,
              RunControl& control) {
  typename Search::Engine engine = search.engine(control, true);
  typename Search::Block unused;
  auto sink = search.sink(unused);
  typename Search::Engine::Hooks hooks;
  if (options.list) hooks.sink = &sink;
  hooks.cut = options.cut;
  engine.run(job_of<typename Search::Engine::Task>(part), hooks);
  sort_part(engine.rest());
  return std::move(engine.rest());
}

// Random ways down, for an estimate of the whole; a way that was stopped is left out.
template <typename Search>
std::vector<RandomWay> probe_search(const Search& search, RunControl& control, std::uint64_t seed,
                                    std::size_t ways) {
  typename Search::Engine engine = search.engine(control, true);
  std::vector<RandomWay> probes;
  for (std::size_t i = 0; i < ways; ++i) {
    RandomWay probe(seed + i);
    typename Search::Engine::Hooks hooks;
    hooks.probe = &probe;
    engine.run(job_of<typename Search::Engine::Task>(whole_search()), hooks);
    if (control.stopped()) break;
    probes.push_back(probe);
  }
  return probes;
}

}  // namespace linear_regions
