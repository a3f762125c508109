// SPDX-License-Identifier: MIT
#pragma once

#include <cfenv>

namespace linear_regions {

// The error bounds assume rounding to nearest and gradual underflow; other libraries of the process
// may have changed either for this thread.
class DefaultFloatingPoint {
 public:
  DefaultFloatingPoint() {
    std::fegetenv(&saved_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~DefaultFloatingPoint() { std::fesetenv(&saved_); }
  DefaultFloatingPoint(const DefaultFloatingPoint&) = delete;
  DefaultFloatingPoint& operator=(const DefaultFloatingPoint&) = delete;

 private:
  std::fenv_t saved_{};
};

}  // namespace linear_regions
