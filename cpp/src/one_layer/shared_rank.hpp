// SPDX-License-Identifier: MIT
// Whether the rows of random neurons are independent for a generic draw of shared filters.
#pragma once

#include <cstdint>
#include <vector>

#include "linear_regions/window_graph.hpp"
#include "one_layer/random_stream.hpp"
#include "one_layer/work_sharing.hpp"

namespace linear_regions::one_layer {

// Throws std::invalid_argument where there is not one kernel place per pair (window, entry).
void check_places(const WindowGraph& graph, const std::vector<std::uint32_t>& places);

// Choose neurons[w] of the filters at every window w, uniformly, draw all filters modulo the prime
// 2^61 - 1 and tell whether the chosen rows are independent modulo it.
//
// "True" is a proof of independence for generic weights. "False" is wrong with probability at most
// (number of rows) / (2^61 - 1) (Schwartz-Zippel). Cost: rows x (bandwidth of the layer)^2
// multiplications, where the bandwidth is that of the windows in their order: seconds for large
// layers, so `source` is asked at every row, and a run that was stopped gives "false", unheard.
bool shared_rows_independent(const WindowGraph& graph, const std::vector<std::uint32_t>& places,
                             const std::vector<WindowGraph::Index>& neurons, RandomStream& random,
                             const WorkSource& source);

}  // namespace linear_regions::one_layer
