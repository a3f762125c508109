// SPDX-License-Identifier: MIT
#include "one_layer/work_sharing.hpp"
#include "thread_start.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

namespace linear_regions::one_layer {

std::uint64_t share_work(std::uint64_t n_pieces, RunControl& control,
                         const std::function<void(const WorkSource&)>& work) {
  control.start();
  std::atomic<std::uint64_t> next{0};
  std::vector<std::atomic<std::uint8_t>> done(n_pieces);
  std::mutex mutex;
  std::exception_ptr error;
  std::atomic<unsigned> running{0};
  const auto guarded = [&](bool caller) {
    try {
      work(WorkSource(next, done, control, caller));
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
      control.stop(Status::kCancelled);
    }
  };
  std::vector<std::thread> threads;
  const auto wanted = std::min<std::uint64_t>(std::max(control.threads, 1u), n_pieces);
  for (std::uint64_t i = 1; i < wanted; ++i) {
    ++running;
    try {
      start_thread(threads, [&] {
        guarded(false);
        --running;
      });
    } catch (const std::system_error&) {
      --running;  // the system has no more threads to give: go on with those that started
      break;
    }
  }
  guarded(true);
  // The calling thread goes on polling while the others finish.
  while (running.load() > 0) {
    control.report(0, 0.0, true);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  for (std::thread& thread : threads) thread.join();
  if (error) std::rethrow_exception(error);
  std::uint64_t complete = 0;
  while (complete < n_pieces && done[complete].load(std::memory_order_acquire)) ++complete;
  return complete;
}

}  // namespace linear_regions::one_layer
