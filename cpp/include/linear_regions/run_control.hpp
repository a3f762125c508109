// SPDX-License-Identifier: MIT
// RunControl: how a long call is watched and stopped.
//
// The calling thread polls a callback about every 25 ms (signals, cancel flag, progress); all
// threads read one flag. Limits end a run early; what was found until then stays valid.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

namespace linear_regions {

enum class Status : std::uint8_t { kComplete, kLimit, kTimeLimit, kCancelled, kPaused };

class RunControl {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

  unsigned threads = 1;
  std::uint64_t limit = kNoLimit;    // stop once that many regions were found
  std::optional<double> time_limit;  // seconds
  // After so many seconds, or so many regions, the run ends between two nodes. Unlike a stop this
  // breaks nothing off, however long a node takes, so every paused run gets ahead.
  std::optional<double> pause_after;
  std::uint64_t pause_at = kNoLimit;
  // Called on the calling thread only, with (regions found, fraction done); false cancels.
  std::function<bool(std::uint64_t, double)> poll;

  void start() {
    begin_ = last_poll_ = Clock::now();
    if (time_limit) deadline_ = after(*time_limit);
    if (pause_after) pause_deadline_ = after(*pause_after);
  }

  // Goes on after a pause, until the next one.
  void go_on(double pause_seconds) {
    pause_after = pause_seconds;
    pause_deadline_ = Clock::now() + (after(pause_seconds) - begin_);
    paused_.store(false, std::memory_order_relaxed);
  }

  // The run is repeated from its beginning, by one thread: what it had found does not count.
  void begin_anew() {
    found_ = 0;
    done_ = 0.0;
    paused_ = false;
    if (status_ != Status::kLimit) return;
    status_ = Status::kComplete;
    stopped_ = false;
  }

  bool stopped() const { return stopped_.load(std::memory_order_relaxed); }
  // Between two nodes: is no other one to be begun?
  bool halted() const { return stopped() || paused_.load(std::memory_order_relaxed); }
  void stop(Status why) {
    bool expected = false;
    if (stopped_.compare_exchange_strong(expected, true)) status_.store(why);
  }
  Status status() const { return !stopped() && halted() ? Status::kPaused : status_.load(); }
  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

  // Workers report every few dozen cells; `caller` is true on the calling thread.
  void report(std::uint64_t regions, double fraction, bool caller) {
    const std::uint64_t total = found_.fetch_add(regions, std::memory_order_relaxed) + regions;
    if (fraction > 0) add_done(fraction);
    if (total >= limit) stop(Status::kLimit);
    if (time_limit && Clock::now() >= deadline_) stop(Status::kTimeLimit);
    if (total >= pause_at || (pause_after && Clock::now() >= pause_deadline_))
      paused_.store(true, std::memory_order_relaxed);
    if (caller && poll) poll_if_due();
  }
  void poll_if_due() {
    const auto now = Clock::now();
    if (!poll || now - last_poll_ < std::chrono::milliseconds(25)) return;
    last_poll_ = now;
    if (!poll(found_.load(), done_.load())) stop(Status::kCancelled);
  }
  std::uint64_t found() const { return found_.load(); }

 private:
  Clock::time_point after(double seconds) const {
    const double bounded = seconds < 1e9 ? seconds : 1e9;
    return begin_ +
           std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(bounded));
  }
  void add_done(double fraction) {
    double now = done_.load(std::memory_order_relaxed);
    while (!done_.compare_exchange_weak(now, now + fraction)) {
    }
  }

  std::atomic<bool> stopped_{false}, paused_{false};
  std::atomic<Status> status_{Status::kComplete};
  std::atomic<std::uint64_t> found_{0};
  std::atomic<double> done_{0.0};
  Clock::time_point begin_{}, last_poll_{}, deadline_{}, pause_deadline_{};
};

}  // namespace linear_regions
