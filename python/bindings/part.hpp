// SPDX-License-Identifier: MIT
// Parts of a search as Python sees them: a tuple of four arrays, the lengths of the paths, all
// child numbers one path after the other, the weights, and the names.
#pragma once

#include <algorithm>
#include <vector>

#include "bindings.hpp"
#include "linear_regions/part.hpp"

namespace linear_regions::bindings {

using PartArrays =
    std::tuple<Array<std::uint32_t>, Array<std::uint32_t>, Array<double>, Array<std::uint64_t>>;

inline Part part_from(const PartArrays& arrays) {
  const auto& [lengths, children, weights, names] = arrays;
  if (lengths.ndim() != 1 || children.ndim() != 1 || weights.ndim() != 1 || names.ndim() != 1 ||
      lengths.size() != weights.size() || lengths.size() != names.size())
    throw std::invalid_argument("a part needs as many lengths as weights and names");
  Part part(static_cast<std::size_t>(lengths.size()));
  const std::uint32_t* next = children.data();
  std::size_t left = static_cast<std::size_t>(children.size());
  for (std::size_t i = 0; i < part.size(); ++i) {
    const std::size_t n = lengths.data()[i];
    if (n > left) throw std::invalid_argument("a part's paths are longer than its child numbers");
    part[i].path.assign(next, next + n);
    part[i].weight = weights.data()[i];
    part[i].name = names.data()[i];
    next += n;
    left -= n;
  }
  if (left != 0) throw std::invalid_argument("a part has more child numbers than its paths");
  check_part(part);
  return part;
}

inline py::tuple arrays_of(const Part& part) {
  std::vector<std::uint32_t> lengths, children;
  std::vector<double> weights;
  std::vector<std::uint64_t> names;
  for (const SubTree& tree : part) {
    lengths.push_back(static_cast<std::uint32_t>(tree.path.size()));
    children.insert(children.end(), tree.path.begin(), tree.path.end());
    weights.push_back(tree.weight);
    names.push_back(tree.name);
  }
  const auto n = static_cast<py::ssize_t>(part.size());
  const auto total = static_cast<py::ssize_t>(children.size());
  return py::make_tuple(adopt(std::move(lengths), {n}), adopt(std::move(children), {total}),
                        adopt(std::move(weights), {n}), adopt(std::move(names), {n}));
}

}  // namespace linear_regions::bindings
