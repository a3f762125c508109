// SPDX-License-Identifier: MIT
// What every thread of the core does before anything else.
#pragma once

#include <exception>

namespace linear_regions {

// What the C++ runtime keeps for a thread, so that it can throw, is allocated when the thread first
// needs it, and the process is aborted where there is no memory for it. That would be the end of a
// thread whose first exception says that memory has run out; so it is needed at once.
inline void prepare_to_throw() {
  [[maybe_unused]] const volatile int in_flight = std::uncaught_exceptions();
}

}  // namespace linear_regions
