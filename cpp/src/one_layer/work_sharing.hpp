// SPDX-License-Identifier: MIT
// Numbered pieces of work for several threads, done in order of their numbers.
//
// A piece is claimed by one thread and either finished or, where the run is stopped, given up.
// What counts as done is the longest prefix of finished pieces, so that a stopped run reports the
// same pieces whichever thread was faster.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "linear_regions/run_control.hpp"

namespace linear_regions::one_layer {

class WorkSource {
 public:
  WorkSource(std::atomic<std::uint64_t>& next, std::vector<std::atomic<std::uint8_t>>& done,
             RunControl& control, bool caller)
      : next_(next), done_(done), control_(control), caller_(caller) {}

  // Claim a piece; false where there is none left or the run is stopped.
  bool next(std::uint64_t& number) const {
    control_.report(0, 0.0, caller_);
    if (control_.stopped()) return false;
    number = next_.fetch_add(1, std::memory_order_relaxed);
    return number < done_.size();
  }

  // To be asked within a piece, every few microseconds to milliseconds. The calling thread looks at
  // signals and limits by the clock: how long it is from question to question differs by layers.
  bool go_on() const {
    if (caller_ && RunControl::Clock::now() >= next_look_) {
      control_.report(0, 0.0, true);
      next_look_ = RunControl::Clock::now() + std::chrono::milliseconds(5);
    }
    return !control_.stopped();
  }

  // A piece during which the run was stopped may be incomplete: it does not count.
  void finish(std::uint64_t number, std::uint64_t found) const {
    if (control_.stopped()) return;
    done_[number].store(1, std::memory_order_release);
    control_.report(found, 1.0 / static_cast<double>(done_.size()), caller_);
  }

 private:
  std::atomic<std::uint64_t>& next_;
  std::vector<std::atomic<std::uint8_t>>& done_;
  RunControl& control_;
  bool caller_;
  mutable RunControl::Clock::time_point next_look_{};
};

// Run `work` on control.threads threads, the calling one among them, until the pieces are used up
// or the run is stopped; return the length of the finished prefix. An exception of a worker stops
// all and is thrown again here.
std::uint64_t share_work(std::uint64_t n_pieces, RunControl& control,
                         const std::function<void(const WorkSource&)>& work);

}  // namespace linear_regions::one_layer
