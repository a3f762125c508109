// SPDX-License-Identifier: MIT
// What the bindings of all long calls share: options into a RunControl, its status into a word.
#pragma once

#include <cstdint>
#include <optional>

#include "bindings.hpp"

namespace linear_regions::bindings {

inline RunControl& prepare(RunControl& control, Poll& poll, unsigned threads,
                           std::optional<std::uint64_t> limit, std::optional<double> time_limit) {
  control.threads = threads == 0 ? 1 : threads;
  if (limit) control.limit = *limit;
  control.time_limit = time_limit;
  control.poll = [&poll](std::uint64_t found, double fraction) { return poll(found, fraction); };
  // A run that was cancelled before it began finds nothing, however short it would have been.
  if (poll.has_callback() && !poll(0, 0.0)) control.stop(Status::kCancelled);
  return control;
}

inline const char* name_of(Status status) {
  switch (status) {
    case Status::kComplete:
      return "complete";
    case Status::kLimit:
      return "limit";
    case Status::kTimeLimit:
      return "time_limit";
    case Status::kCancelled:
      return "cancelled";
  }
  return "cancelled";
}

}  // namespace linear_regions::bindings
