// SPDX-License-Identifier: MIT
// Team: workers that share one depth-first search. A worker without work says so; a busy one then
// gives away the node of its stack that comes last in the order. Sub-trees are disjoint, so counts
// add up, and sorting what they found by path restores the serial order.
//
// A path lists, from the root task on, which gift of its giver a task was: a task comes after what
// its giver keeps and before what the giver gave earlier, so gift number j has the label ~j.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <iterator>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "linear_regions/part.hpp"
#include "linear_regions/run_control.hpp"
#include "thread_start.hpp"

namespace linear_regions {

template <typename Node>
class Team {
 public:
  struct Task {
    TreePath path;
    Node node;
  };
  // One worker's life: called on its own thread with `caller` true on the calling one; takes tasks
  // with next() and ends them with done() until next() says no.
  using Life = std::function<void(Team&, bool caller)>;

  explicit Team(RunControl& control) : control_(control) {}

  // Returns when all work is done or the run was stopped; throws what a worker threw.
  void run(Node&& root, const Life& life) {
    std::deque<Task> tasks;
    tasks.push_back({{}, std::move(root)});
    run(std::move(tasks), life);
  }
  void run(std::deque<Task>&& tasks, const Life& life) {
    life_ = life;
    tasks_ = std::move(tasks);
    pending_ = static_cast<int>(tasks_.size());
    live(true);
    for (auto& t : threads_) t.join();
    if (error_) std::rethrow_exception(error_);
  }
  // Tasks that nobody took because the run was stopped.
  bool dropped() const { return !left_.empty(); }
  std::deque<Task>& left() { return left_; }

  bool next(Task& task, bool caller) {
    std::unique_lock lock(mutex_);
    ++idle_;
    update_hunger();
    while (pending_ > 0 && !error_) {
      if (control_.halted() && !tasks_.empty()) {
        pending_ -= static_cast<int>(tasks_.size());
        std::move(tasks_.begin(), tasks_.end(), std::back_inserter(left_));
        tasks_.clear();
        wake_.notify_all();
        continue;
      }
      if (!tasks_.empty()) {
        task = std::move(tasks_.front());
        tasks_.pop_front();
        --idle_;
        update_hunger();
        return true;
      }
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

  // `finish` runs under the team's lock.
  template <typename Finish>
  void done(Finish&& finish) {
    const std::lock_guard lock(mutex_);
    finish();
    if (--pending_ == 0) wake_.notify_all();
  }

  // What a worker leaves behind when its life ends, under the team's lock.
  template <typename Finish>
  void finish(Finish&& leave) {
    const std::lock_guard lock(mutex_);
    leave();
  }

  void give(Task&& task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    ++pending_;
    update_hunger();
    wake_.notify_one();
  }

  std::atomic<int>& hungry() { return hungry_; }

  // The caller starts alone: a short run is over before a thread has started. Called by it now and
  // then; the others join once the run turns out to be longer, one after half a millisecond and
  // twice as many as before after each further half: starting them, some 20 us each, never takes
  // more than a few per cent of the run.
  void maybe_start_others() {
    constexpr double kStep = 0.0005;
    if (all_started_) return;
    const double steps = std::min(control_.seconds() / kStep, 30.0);
    const unsigned others = (1u << static_cast<unsigned>(steps)) - 1;
    try {
      while (threads_.size() < std::min(others, control_.threads - 1))
        start_thread(threads_, [this] { live(false); });
      all_started_ = threads_.size() + 1 >= control_.threads;
    } catch (const std::system_error&) {
      all_started_ = true;  // the system has no more threads to give: go on with those that started
    }
  }

 private:
  void live(bool caller) {
    try {
      life_(*this, caller);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      control_.stop(Status::kCancelled);
      wake_.notify_all();
    }
  }

  void update_hunger() {
    hungry_.store(std::max(0, idle_ - static_cast<int>(tasks_.size())), std::memory_order_relaxed);
  }

  RunControl& control_;
  Life life_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_, left_;
  std::vector<std::thread> threads_;
  std::exception_ptr error_;
  std::atomic<int> hungry_{0};
  int pending_ = 0, idle_ = 0;
  bool all_started_ = false;
};

}  // namespace linear_regions
