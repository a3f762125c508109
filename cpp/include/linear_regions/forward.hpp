// SPDX-License-Identifier: MIT
// Evaluating a tape on batches of points, eight at a time, in double precision.
#pragma once

#include <cstdint>
#include <span>

#include "linear_regions/tape.hpp"

namespace linear_regions {

// points: n * n_in, row-major, external order. Either output may be empty: values n * n_out,
// patterns n * pattern_words (bits as in the sign format; a value on a breakpoint is on the lower
// piece, the lowest of equal entries wins a window).
void forward(const Tape& tape, std::span<const double> points, std::size_t n,
             std::span<double> values, std::span<std::uint64_t> patterns);

// Composite affine map of the network's output for each pattern: columns is (n_columns, n_in), the
// linear columns and last the offset column; out is (n_patterns, n_out, n_columns). Rounded to
// double.
void affine_maps(const Tape& tape, std::span<const std::uint64_t> patterns, std::size_t n_patterns,
                 std::span<const double> columns, std::size_t n_columns, std::span<double> out);

}  // namespace linear_regions
