// SPDX-License-Identifier: MIT
#include "linear_regions/segments.hpp"

#include <atomic>
#include <cmath>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include "engine.hpp"
#include "linear_regions/float_environment.hpp"
#include "thread_start.hpp"

namespace linear_regions {
namespace {

// The segment from a to b as a planar domain: t (b - a) + a for 0 <= t <= 1, and a dummy
// coordinate. With d = b - a rounded, the error-free difference (Dekker; Knuth) gives b - a = d +
// rest.
void place_segment(const double* a, const double* b, std::size_t n, PlanarDomain& domain) {
  domain.rest1.resize(n);
  bool rounded = false;
  for (std::size_t j = 0; j < n; ++j) {
    const double d = b[j] - a[j], part = d - b[j];
    const double rest = (b[j] - (d - part)) - (a[j] + part);
    if (!std::isfinite(d) || !std::isfinite(rest))
      throw std::invalid_argument("the difference of the ends of a segment overflows");
    domain.direction1[j] = d;
    domain.rest1[j] = rest;
    domain.origin[j] = a[j];
    rounded = rounded || rest != 0;
  }
  if (!rounded) domain.rest1.clear();
}

class Segments {
 public:
  Segments(const Tape& tape, std::span<const double> a, std::span<const double> b,
           Arithmetic arithmetic, RunControl& control, std::span<std::int64_t> counts)
      : tape_(tape), a_(a), b_(b), arithmetic_(arithmetic), control_(control), counts_(counts) {}

  SegmentsResult run() {
    control_.start();
    std::vector<std::thread> threads;
    live(true, &threads);
    for (auto& thread : threads) thread.join();
    if (error_) std::rethrow_exception(error_);
    SegmentsResult result;
    result.status = unfinished_ ? control_.status() : Status::kComplete;
    result.work = work_;
    result.seconds = control_.seconds();
    return result;
  }

 private:
  void live(bool caller, std::vector<std::thread>* others) {
    try {
      work(caller, others);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      control_.stop(Status::kCancelled);
    }
    if (caller && others != nullptr) wait();
  }

  void work(bool caller, std::vector<std::thread>* others) {
    const DefaultFloatingPoint environment;
    const std::size_t n = tape_.n_in(), m = counts_.size();
    PlanarDomain domain;
    domain.direction1.resize(n);
    domain.direction2.assign(n, 0.0);
    domain.origin.resize(n);
    domain.edges = {{0, 1, 1, false}, {-1, 0, 1, false}, {0, -1, 1, false}, {1, 0, 0, false}};
    Work done;
    bool cut = false;
    const Engine::Hooks hooks;
    for (std::size_t i; (i = next_.fetch_add(1)) < m;) {
      counts_[i] = -1;
      if (control_.stopped()) {
        cut = true;
        continue;  // the rest is marked, too
      }
      place_segment(a_.data() + i * n, b_.data() + i * n, n, domain);
      const PlanarRoot root(tape_, domain, arithmetic_);
      Engine engine(root, control_, caller);
      engine.run({SubTree{{}, 1.0 / static_cast<double>(m)}}, hooks);
      done += engine.work();
      if (engine.unfinished())
        cut = true;
      else
        counts_[i] = static_cast<std::int64_t>(engine.regions());
      if (others != nullptr) start_others(*others, m - i);
    }
    const std::lock_guard lock(mutex_);
    work_ += done;
    unfinished_ = unfinished_ || cut;
  }

  // A short run is over before a thread has started.
  void start_others(std::vector<std::thread>& others, std::size_t left) {
    constexpr double kSerialSeconds = 0.002;
    if (!others.empty() || control_.threads < 2 || left < 2 || control_.seconds() < kSerialSeconds)
      return;
    try {
      for (unsigned i = 1; i < control_.threads && i < left; ++i) {
        ++running_;
        start_thread(others, [this] {
          live(false, nullptr);
          --running_;
        });
      }
    } catch (const std::system_error&) {
      --running_;  // the system has no more threads to give: go on with those that started
    }
  }

  // The caller goes on polling while others end their last segments.
  void wait() {
    while (running_.load() > 0) {
      control_.poll_if_due();
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }

  const Tape& tape_;
  std::span<const double> a_, b_;
  const Arithmetic arithmetic_;
  RunControl& control_;
  std::span<std::int64_t> counts_;
  std::atomic<std::size_t> next_{0};
  std::atomic<int> running_{0};
  std::mutex mutex_;
  std::exception_ptr error_;
  Work work_;
  bool unfinished_ = false;
};

}  // namespace

SegmentsResult count_segments(const Tape& tape, std::span<const double> a,
                              std::span<const double> b, Arithmetic arithmetic, RunControl& control,
                              std::span<std::int64_t> counts) {
  if (a.size() != counts.size() * tape.n_in() || b.size() != a.size())
    throw std::invalid_argument("the ends of the segments have another size than the network");
  return Segments(tape, a, b, arithmetic, control, counts).run();
}

}  // namespace linear_regions
