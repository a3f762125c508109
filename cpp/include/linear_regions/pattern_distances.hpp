// SPDX-License-Identifier: MIT
// Hamming distances between packed sign vectors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "linear_regions/sign_vector.hpp"

namespace linear_regions {

// distances[i * n + j]: the number of signs in which rows i and j differ, for n rows of `width`
// words that lie one behind the other. Symmetric, zero on the diagonal. Cost: n^2 width / 2 words.
// `keep_going` is asked every million words or less; where it says no the distances are worthless.
void pattern_distances(
    std::span<const Word> rows, std::size_t n, std::size_t width, std::span<std::int64_t> distances,
    const std::function<bool()>& keep_going = [] { return true; });

}  // namespace linear_regions
