// SPDX-License-Identifier: MIT
// Crew: threads that go through one phase of work after the other with the calling thread.
//
// The caller begins every phase alone and calls the others when it turns out to be long; no thread
// is started before the run has taken as long as a thread takes to start, many times over.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <system_error>
#include <thread>
#include <vector>

#include "linear_regions/run_control.hpp"
#include "thread_start.hpp"

namespace linear_regions {

class Crew {
 public:
  // What a worker does in a phase: takes pieces of it until none is left. Must not throw.
  using Loop = std::function<void(std::size_t worker)>;

  Crew(const RunControl& control, std::size_t size) : control_(control), size_(size) {}
  ~Crew() {
    closing_ = true;
    phase_.fetch_add(1, std::memory_order_release);
    phase_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // Whether a run that has taken so long is worth other threads.
  bool worthwhile() const { return size_ > 1 && control_.seconds() >= kSerialSeconds; }

  // Returns when all workers have ended the loop. The caller is worker 0.
  void run(const Loop& loop) {
    loop_ = &loop;
    called_ = false;
    begin_ = Clock::now();
    loop(0);
    if (!called_) return;
    for (std::size_t busy = busy_.load(std::memory_order_acquire); busy != 0;
         busy = busy_.load(std::memory_order_acquire))
      busy_.wait(busy, std::memory_order_acquire);
  }

  // For the caller, between two pieces.
  void call_if_long() {
    if (called_ || Clock::now() - begin_ < kAlone || !worthwhile()) return;
    called_ = true;
    if (threads_.empty()) start();
    busy_.store(threads_.size(), std::memory_order_relaxed);
    phase_.fetch_add(1, std::memory_order_release);
    phase_.notify_all();
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr double kSerialSeconds = 0.002;
  static constexpr std::chrono::microseconds kAlone{50};
  static constexpr int kSpins = 2000;  // some ten microseconds: the next phase is often near

  void start() {
    const std::uint64_t seen = phase_.load(std::memory_order_relaxed);
    try {
      for (std::size_t worker = 1; worker < size_; ++worker)
        start_thread(threads_, [this, worker, seen] { live(worker, seen); });
    } catch (const std::system_error&) {
      // The system has no more threads to give: go on with those that started.
    }
  }

  void live(std::size_t worker, std::uint64_t seen) {
    for (;;) {
      for (int i = 0; i < kSpins && phase_.load(std::memory_order_relaxed) == seen; ++i) pause();
      phase_.wait(seen, std::memory_order_acquire);
      seen = phase_.load(std::memory_order_acquire);
      if (closing_) return;
      (*loop_)(worker);
      if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_one();
    }
  }

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  const RunControl& control_;
  const std::size_t size_;
  std::vector<std::thread> threads_;
  const Loop* loop_ = nullptr;
  Clock::time_point begin_{};
  bool called_ = false, closing_ = false;
  std::atomic<std::uint64_t> phase_{0};
  std::atomic<std::size_t> busy_{0};
};

}  // namespace linear_regions
