// SPDX-License-Identifier: MIT
#pragma once

#include <cfenv>

namespace linear_regions {

// Whether this thread rounds to nearest and computes with subnormal numbers: what it does says so,
// on every processor. Takes some hundredths of a microsecond.
inline bool default_floating_point() {
  const volatile double one = 1.0, small = 0x1p-60, least = 0x1p-1074, normal = 0x1p-1022;
  return one + small == 1.0 && one - small == 1.0 && least > 0.0 && normal / 2 > 0.0;
}

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
