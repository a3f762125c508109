// SPDX-License-Identifier: MIT
// SavePoints: when the state of a long run is worth keeping.
//
// A run that can be continued hands its state to a function every few seconds, between two nodes
// and on the calling thread; less often where that takes more than a two hundredth of the time. The
// state says what was found and what is left, so a run that begins from it repeats only what came
// after it.
#pragma once

#include <algorithm>
#include <chrono>
#include <utility>

namespace linear_regions {

class SavePoints {
 public:
  using Clock = std::chrono::steady_clock;

  // Zero seconds: never. Less than a microsecond: at every opportunity, whatever that costs.
  explicit SavePoints(double every) : every_(every), next_(in(every)) {}

  bool wanted() const { return every_ > 0; }
  bool due() const { return wanted() && Clock::now() >= next_; }
  // Seconds from one state to the next.
  double interval() const { return every_ < 1e-6 ? every_ : std::max(every_, cost_ * kTimes); }

  // `hand_over` brings a state to where it is kept.
  template <typename HandOver>
  void save(HandOver&& hand_over) {
    const auto begin = Clock::now();
    std::forward<HandOver>(hand_over)();
    cost_ = std::chrono::duration<double>(Clock::now() - begin).count();
    next_ = in(interval());
  }

 private:
  static constexpr double kTimes = 200;

  static Clock::time_point in(double seconds) {
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(
                              std::chrono::duration<double>(std::min(seconds, 1e9)));
  }

  double every_, cost_ = 0;
  Clock::time_point next_;
};

}  // namespace linear_regions
