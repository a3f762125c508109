// SPDX-License-Identifier: MIT
// Task: a sub-tree of a depth-first search, named by the way to it. It means the same to every
// thread, which replays it.
#pragma once

#include <cstdint>
#include <vector>

namespace linear_regions {

struct Task {
  std::vector<std::uint32_t> path;  // child numbers from the root
  double weight = 1.0;              // share of the whole search, by halving
};

}  // namespace linear_regions
