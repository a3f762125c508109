// SPDX-License-Identifier: MIT
// How the threads of the core are started.
#pragma once

#include <exception>
#include <thread>
#include <utility>
#include <vector>

namespace linear_regions {

// Adds a thread that calls work(); std::system_error where the system has no more threads to give.
//
// What the C++ runtime keeps for a thread, so that it can throw, is allocated when the thread first
// needs it, and the process is aborted where there is no memory for it. That would be the end of a
// thread whose first exception says that memory has run out; so it is needed at once.
template <typename Work>
void start_thread(std::vector<std::thread>& threads, Work work) {
  threads.emplace_back([work = std::move(work)]() mutable {
    [[maybe_unused]] const volatile int in_flight = std::uncaught_exceptions();
    work();
  });
}

}  // namespace linear_regions
