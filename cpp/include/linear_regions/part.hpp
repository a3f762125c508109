// SPDX-License-Identifier: MIT
// Parts of a search: sub-trees named by the ways to them. A path means the same to every thread,
// process and machine that searches the same network in the same domain by the same engine, so
// parts are what threads, checkpoints, executors and shards hand to each other.
#pragma once

#include <cstdint>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

namespace linear_regions {

// Child numbers from the root: the side of a cut, 0 where it is positive, or the position of the
// winner in its window; 0 where a layer is left. They do not depend on which children there are, so
// that a path is the same cell wherever the search goes on, whatever another processor settles
// before it splits. A path is smaller than its extensions: sorting by path gives the
// order of the depth-first search.
using TreePath = std::vector<std::uint32_t>;

struct SubTree {
  TreePath path;
  double weight = 1.0;  // share of the whole search: one over the children, at every node above
  // What was decided along the way, as a hash. Some decisions follow rounded numbers: where another
  // build of this code would decide otherwise, the way leads to another name, and the part is
  // refused.
  std::uint64_t name = 0;
};

// The name of a child: the decision taken at its parent, its own number.
inline std::uint64_t name_of_child(std::uint64_t parent, std::uint64_t decision,
                                   std::uint64_t child) {
  std::uint64_t h = parent;
  for (const std::uint64_t value : {decision, child}) {
    h = (h ^ value) * 0x9e3779b97f4a7c15u;  // golden ratio, as in splitmix64
    h ^= h >> 29;
    h = (h + 1) * 0xbf58476d1ce4e5b9u;
    h ^= h >> 32;
  }
  return h;
}

// Thrown where a part's way leads elsewhere than where it was made.
struct ForeignPart : std::runtime_error {
  ForeignPart()
      : std::runtime_error(
            "a part of a search was made by another version or build of this code, "
            "which decides otherwise on the way") {}
};

// Sub-trees in the order of the search, none inside another. No sub-tree: nothing to do.
using Part = std::vector<SubTree>;

inline Part whole_search() {
  return {SubTree{}};
}

// Throws std::invalid_argument unless the paths are in order and none begins with another.
void check_part(const Part& part);
void sort_part(Part& part);

// What a part of a search gives back. Blocks are keyed by the path of a sub-tree of which they hold
// the first regions; sorting the blocks of all parts by path restores the order of one whole run.
template <typename Block>
struct PartOutcome {
  Part rest;  // what is still to be searched
  std::vector<std::pair<TreePath, Block>> blocks;
  bool wide = false;         // some cell has more facets than the narrow masks hold
  double setup_seconds = 0;  // of all threads, spent on the ways to the sub-trees
};

struct PartOptions {
  bool list = false;  // with regions; paths of a listing are not those of a count
  bool wide = false;  // begin with wide masks
  // Above zero: search nothing, but cut the part into sub-trees of about this weight.
  double cut = 0;
  // Of a listing: with vertices and facets, too. The paths of the two are not the same either.
  bool faces = true;
};

// Knuth 1975: one way down the tree, a child drawn at every node. Every number is divided by the
// chance of getting there, so its mean over many ways is the sum over the whole tree.
struct RandomWay {
  explicit RandomWay(std::uint64_t seed) : random(seed) {}

  std::mt19937_64 random;
  double regions = 0, cells = 0, seconds = 0;
};

}  // namespace linear_regions
