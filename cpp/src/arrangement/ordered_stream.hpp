// SPDX-License-Identifier: MIT
// OrderedStream: several workers on one depth-first search, whose chambers are handed over in its
// serial order.
//
// The search is a list, in the order, of sub-trees and of blocks of chambers. A worker takes the
// first sub-tree that nobody has, searches it for so many chambers at most, and puts in its place
// the block that it found and the sub-trees that are left. The calling thread works, too, and hands
// over what stands at the head of the list.
//
// Memory: no worker begins another sub-tree than the one at the head while more than kAhead
// chambers per thread wait. So they never are more than (kAhead + kMost) per thread, whatever the
// tree is like and however slow the reader is.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <list>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "arrangement/block_sinks.hpp"
#include "linear_regions/float_environment.hpp"
#include "thread_start.hpp"

namespace linear_regions::arrangement {

template <typename Engine>
class OrderedStream {
 public:
  using Node = typename Engine::Node;
  using Make = std::function<std::unique_ptr<Engine>(bool caller)>;

  OrderedStream(const Reduction& reduction, RunControl& control, bool points, BlockCutter& cutter,
                Make make)
      : reduction_(reduction),
        control_(control),
        points_(points),
        cutter_(cutter),
        make_(std::move(make)) {
    engines_.push_back(make_(true));
  }

  Engine& callers() { return *engines_.front(); }
  void append(Node&& node) { items_.push_back({State::kWaiting, std::move(node), {}}); }

  // Returns true if all was handed over; throws what a worker threw.
  bool run() {
    live(callers(), true);
    for (std::thread& thread : threads_) thread.join();
    if (error_) std::rethrow_exception(error_);
    return items_.empty() && !cutter_.dropped();
  }

  template <typename Visit>
  void each(const Visit& visit) const {
    for (const auto& engine : engines_) visit(*engine);
  }

 private:
  enum class State : std::uint8_t { kWaiting, kTaken, kFound };
  struct Item {
    State state;
    Node node;           // while it waits
    ChamberBlock block;  // once it is found
  };
  using At = typename std::list<Item>::iterator;

  // Chambers of one search: the very first one is short, so that the others have something to do.
  // With a hungry worker about, a few are enough.
  static constexpr std::size_t kFirst = 1 << 12, kMost = 1 << 16, kLeast = 1 << 11;
  static constexpr std::size_t kAhead = 1 << 17;
  static constexpr double kSerialSeconds = 0.002;  // a run may be over before a thread has started

  void live(Engine& engine, bool caller) {
    const DefaultFloatingPoint environment;
    try {
      std::unique_lock lock(mutex_);
      while (!items_.empty() && !error_ && !control_.halted()) {
        if (caller && hand_over(lock)) continue;
        const At item = next();
        if (item == items_.end()) {
          wait(lock, caller);
        } else {
          search(engine, item, lock);
          if (caller) start_others();
        }
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      control_.stop(Status::kCancelled);
    }
    wake_.notify_all();
  }

  // The sub-tree to take, if there is one and it may be begun.
  At next() {
    At item = items_.begin();
    while (item != items_.end() && item->state != State::kWaiting) ++item;
    none_waits_ = item == items_.end();
    return item == items_.begin() || ahead_ < kAhead * control_.threads ? item : items_.end();
  }

  void wait(std::unique_lock<std::mutex>& lock, bool caller) {
    const int hungry = none_waits_ ? 1 : 0;
    hungry_ += hungry;
    wake_.wait_for(lock, std::chrono::milliseconds(20));
    hungry_ -= hungry;
    if (!caller) return;
    lock.unlock();
    control_.poll_if_due();
    lock.lock();
  }

  // Of the calling thread: gives the block at the head to the reader; false if there is none.
  bool hand_over(std::unique_lock<std::mutex>& lock) {
    if (items_.front().state != State::kFound) return false;
    const ChamberBlock block = std::move(items_.front().block);
    items_.pop_front();
    ahead_ -= block.n;
    wake_.notify_all();
    const bool last = items_.empty();
    lock.unlock();
    if (!cutter_.add(block)) {
      control_.stop(Status::kCancelled);
    } else if (cutter_.full() && (!last || cutter_.dropped())) {
      control_.stop(Status::kLimit);
    }
    control_.poll_if_due();
    lock.lock();
    return true;
  }

  void search(Engine& engine, At item, std::unique_lock<std::mutex>& lock) {
    item->state = State::kTaken;
    Node node = std::move(item->node);
    ChamberBlock block;
    BlockSink sink(block, reduction_, points_);
    const std::size_t most = started_ || control_.threads == 1 ? kMost : kFirst;
    typename Engine::Hooks hooks;
    hooks.sink = &sink;
    hooks.enough = [&] {
      return block.n >= most || (block.n >= kLeast && hungry_.load(std::memory_order_relaxed) > 0);
    };
    for (;;) {
      lock.unlock();
      engine.run(std::move(node), hooks);
      std::vector<Node> rest = engine.take_rest();
      lock.lock();
      const At after = std::next(item);
      for (Node& left : rest) items_.insert(after, {State::kWaiting, std::move(left), {}});
      if (!rest.empty() || block.n >= most || control_.halted()) break;
      // The sub-tree that follows goes into the same block.
      if (after == items_.end() || after->state != State::kWaiting) break;
      node = std::move(after->node);
      items_.erase(after);
    }
    ahead_ += block.n;
    item->block = std::move(block);
    item->state = State::kFound;
    wake_.notify_all();
  }

  void start_others() {
    if (started_ || control_.threads == 1 || control_.seconds() < kSerialSeconds) return;
    started_ = true;
    try {
      for (unsigned i = 1; i < control_.threads; ++i) {
        engines_.push_back(make_(false));
        Engine& engine = *engines_.back();
        start_thread(threads_, [this, &engine] { live(engine, false); });
      }
    } catch (const std::system_error&) {
      // The system has no more threads to give: go on with those that started.
    }
  }

  const Reduction& reduction_;
  RunControl& control_;
  const bool points_;
  BlockCutter& cutter_;
  const Make make_;
  std::vector<std::unique_ptr<Engine>> engines_;  // the caller's is the first
  std::vector<std::thread> threads_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::list<Item> items_;
  std::size_t ahead_ = 0;  // chambers in items_
  bool none_waits_ = false, started_ = false;
  std::atomic<int> hungry_{0};  // workers for whom no sub-tree waits
  std::exception_ptr error_;
};

}  // namespace linear_regions::arrangement
