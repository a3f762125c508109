// SPDX-License-Identifier: MIT
// Runs: one thread or several. Threads that have nothing to do say so; a busy one then hands over
// the shallowest waiting node of its stack as a path, and the receiver replays it. The sub-trees
// are disjoint, so counts add up, and sorting the tasks by path restores the serial order.
#include "linear_regions/planar.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

#include "emit.hpp"
#include "engine.hpp"
#include "float_environment.hpp"

namespace linear_regions {
namespace {

using TaskPath = std::vector<std::uint32_t>;

// A short run finishes before a thread has started.
constexpr double kSerialSeconds = 0.002;

class Team {
 public:
  Team(const PlanarRoot& root, RunControl& control, bool store)
      : root_(root), control_(control), store_(store) {}

  PlanarResult run() {
    control_.start();
    tasks_.push_back({});
    pending_ = 1;
    work_loop(true);
    for (auto& t : threads_) t.join();
    if (error_) std::rethrow_exception(error_);
    PlanarResult result;
    result.regions = std::min(regions_, control_.limit);
    // A run that was stopped when nothing was left to do is complete.
    const bool cut = unfinished_ || regions_ > control_.limit;
    result.status = cut ? control_.status() : Status::kComplete;
    result.work = work_;
    result.seconds = control_.seconds();
    return result;
  }

  // Blocks in path order; a path is smaller than its extensions, and a sub-tree that was given
  // away comes after everything that its owner kept.
  std::map<TaskPath, RegionBlock>& blocks() { return blocks_; }

 private:
  void work_loop(bool caller) {
    const DefaultFloatingPoint environment;
    try {
      Engine engine(root_, control_, caller);
      for (;;) {
        Task task;
        if (!next(task, caller)) break;
        RegionBlock block;
        BlockSink sink(block, root_.tape.pattern_words());
        Engine::Hooks hooks;
        if (store_) hooks.sink = &sink;
        if (control_.threads > 1) {
          hooks.hungry = &hungry_;
          hooks.give = [&](Task&& t) { give(std::move(t)); };
          if (caller) hooks.tick = [&] { maybe_start_helpers(); };
        }
        engine.run(task, hooks);
        const std::lock_guard lock(mutex_);
        if (store_) blocks_.emplace(task.path, std::move(block));
        if (--pending_ == 0) wake_.notify_all();
      }
      const std::lock_guard lock(mutex_);
      regions_ += engine.regions();
      unfinished_ = unfinished_ || engine.unfinished();
      work_ += engine.work();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      control_.stop(Status::kCancelled);
      pending_ = 0;
      wake_.notify_all();
    }
  }

  // The caller starts alone; the others join once the run turns out not to be short.
  void maybe_start_helpers() {
    if (started_ || control_.seconds() < kSerialSeconds) return;
    started_ = true;
    try {
      for (unsigned i = 1; i < control_.threads; ++i)
        threads_.emplace_back([this] { work_loop(false); });
    } catch (const std::system_error&) {
      // The system has no more threads to give: go on with those that started.
    }
  }

  void give(Task&& task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    ++pending_;
    update_hunger();
    wake_.notify_one();
  }

  void update_hunger() { hungry_.store(std::max(0, idle_ - static_cast<int>(tasks_.size()))); }

  bool next(Task& task, bool caller) {
    std::unique_lock lock(mutex_);
    ++idle_;
    update_hunger();
    for (;;) {
      if (pending_ == 0 || error_) break;
      if (control_.stopped()) {
        pending_ -= static_cast<int>(tasks_.size());
        unfinished_ = unfinished_ || !tasks_.empty();
        tasks_.clear();
        if (pending_ == 0) wake_.notify_all();
      }
      if (!tasks_.empty()) {
        task = std::move(tasks_.front());
        tasks_.pop_front();
        --idle_;
        update_hunger();
        return true;
      }
      if (pending_ == 0) break;
      wake_.wait_for(lock, std::chrono::milliseconds(20));
      if (caller) {
        lock.unlock();
        control_.poll_if_due();
        lock.lock();
      }
    }
    --idle_;
    return false;
  }

  const PlanarRoot& root_;
  RunControl& control_;
  const bool store_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;
  std::vector<std::thread> threads_;
  std::map<TaskPath, RegionBlock> blocks_;
  std::exception_ptr error_;
  std::atomic<int> hungry_{0};
  int pending_ = 0, idle_ = 0;
  bool started_ = false, unfinished_ = false;
  std::uint64_t regions_ = 0;
  Work work_;
};

}  // namespace

PlanarResult count_planar(const Tape& tape, const PlanarDomain& domain, Arithmetic arithmetic,
                          RunControl& control) {
  const DefaultFloatingPoint environment;
  const PlanarRoot root(tape, domain, arithmetic);
  return Team(root, control, false).run();
}

PlanarResult list_planar(const Tape& tape, const PlanarDomain& domain, Arithmetic arithmetic,
                         RunControl& control, RegionBlock& out) {
  const DefaultFloatingPoint environment;
  const PlanarRoot root(tape, domain, arithmetic);
  if (control.limit != RunControl::kNoLimit) control.threads = 1;  // exactly the first regions
  Team team(root, control, true);
  PlanarResult result = team.run();
  for (auto& [path, block] : team.blocks()) out.append(std::move(block));
  out.words = tape.pattern_words();
  return result;
}

PlanarResult stream_planar(const Tape& tape, const PlanarDomain& domain, Arithmetic arithmetic,
                           RunControl& control, std::size_t block,
                           const std::function<bool(RegionBlock&&)>& sink) {
  class Stream : public RegionSink {
   public:
    Stream(std::size_t words, std::size_t size, RunControl& control,
           const std::function<bool(RegionBlock&&)>& out)
        : size_(size), control_(control), out_(out), inner_(block_, words), words_(words) {}
    void region(Engine& engine, const Polygon& polygon, const std::uint64_t* pattern) override {
      inner_.region(engine, polygon, pattern);
      if (block_.n >= size_) flush();
    }
    void flush() {
      if (block_.n == 0 || !wanted_) return;
      wanted_ = out_(std::move(block_));
      if (!wanted_) control_.stop(Status::kCancelled);
      block_ = RegionBlock{};
      block_.words = words_;
    }

   private:
    bool wanted_ = true;  // a reader that said no is not asked again
    std::size_t size_;
    RunControl& control_;
    const std::function<bool(RegionBlock&&)>& out_;
    RegionBlock block_;
    BlockSink inner_;
    std::size_t words_;
  };
  const DefaultFloatingPoint environment;
  const PlanarRoot root(tape, domain, arithmetic);
  control.threads = 1;
  control.start();
  Engine engine(root, control, true);
  Stream stream(tape.pattern_words(), std::max<std::size_t>(1, block), control, sink);
  Engine::Hooks hooks;
  hooks.sink = &stream;
  engine.run({}, hooks);
  stream.flush();
  const Status status = engine.unfinished() ? control.status() : Status::kComplete;
  return {engine.regions(), status, engine.work(), control.seconds()};
}

}  // namespace linear_regions
