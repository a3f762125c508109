// SPDX-License-Identifier: MIT
#include "linear_regions/part.hpp"

#include <algorithm>
#include <stdexcept>

namespace linear_regions {

void check_part(const Part& part) {
  for (std::size_t i = 0; i + 1 < part.size(); ++i) {
    const TreePath &a = part[i].path, &b = part[i + 1].path;
    const bool begins = a.size() <= b.size() && std::equal(a.begin(), a.end(), b.begin());
    if (begins || !(a < b))
      throw std::invalid_argument("the paths of a part must be in order, none inside another");
  }
}

void sort_part(Part& part) {
  std::sort(part.begin(), part.end(),
            [](const SubTree& a, const SubTree& b) { return a.path < b.path; });
}

}  // namespace linear_regions
