// SPDX-License-Identifier: MIT
// ReplayTeam: a team (team.hpp) whose tasks are paths that the receiver replays, for the engines of
// networks. A path is a sequence of child numbers from the root; a path is smaller than its
// extensions, and a sub-tree that was given away comes after everything that its owner kept, so
// sorting by path restores the serial order.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <utility>

#include "float_environment.hpp"
#include "linear_regions/planar.hpp"
#include "task.hpp"
#include "team.hpp"

namespace linear_regions {

// Search names Engine, Block and Result; makes an engine and a sink that fills a block; and names
// an exception Restart, upon which the whole team ends and run() throws it, with the control as it
// was.
template <typename Search>
class ReplayTeam {
  using Engine = typename Search::Engine;
  using Block = typename Search::Block;
  using Result = typename Search::Result;
  using Crew = Team<double>;  // beside its path a task has its share of the search

 public:
  ReplayTeam(const Search& search, RunControl& control, bool store)
      : search_(search), control_(control), store_(store) {}

  Result run() {
    Crew crew(control_);
    crew.run(1.0, [this](Crew& c, bool caller) { live(c, caller); });
    if (restart_.load()) throw typename Search::Restart();
    Result result;
    result.regions = std::min(regions_, control_.limit);
    // A run that was stopped when nothing was left to do is complete.
    const bool cut = unfinished_ || crew.dropped() || regions_ > control_.limit;
    result.status = cut ? control_.status() : Status::kComplete;
    result.work = work_;
    result.seconds = control_.seconds();
    return result;
  }

  std::map<TaskPath, Block>& blocks() { return blocks_; }

 private:
  void live(Crew& crew, bool caller) {
    const DefaultFloatingPoint environment;
    Engine engine = search_.engine(control_, caller);
    Crew::Task task;
    while (crew.next(task, caller)) {
      Block block;
      if (!restart_.load()) work(crew, engine, task, caller, block);
      crew.done([&] {
        if (store_) blocks_.emplace(task.path, std::move(block));
      });
    }
    crew.finish([&] {
      regions_ += engine.regions();
      unfinished_ = unfinished_ || engine.unfinished();
      work_ += engine.work();
    });
  }

  void work(Crew& crew, Engine& engine, const Crew::Task& task, bool caller, Block& block) {
    auto sink = search_.sink(block);
    typename Engine::Hooks hooks;
    if (store_) hooks.sink = &sink;
    search_.watch(hooks, restart_);
    if (control_.threads > 1) {
      hooks.hungry = &crew.hungry();
      hooks.give = [&](Task&& t) { crew.give({std::move(t.path), t.weight}); };
      if (caller) hooks.tick = [&] { crew.maybe_start_others(); };
    }
    try {
      engine.run({task.path, task.node}, hooks);
    } catch (const typename Search::Restart&) {
      restart_.store(true);
    }
  }

  const Search& search_;
  RunControl& control_;
  const bool store_;
  std::map<TaskPath, Block> blocks_;
  std::atomic<bool> restart_{false};
  bool unfinished_ = false;
  std::uint64_t regions_ = 0;
  Work work_;
};

}  // namespace linear_regions
