// SPDX-License-Identifier: MIT
//
// Sign vectors of simple arrangements, see sweep_lines.hpp.
#include "sweep_lines.hpp"

namespace lr = linear_regions;
using lr::Size;
using lr::Word;

// start: (level + 3, n + 1); binomials: (n + 1, 9); out: (last - first, words) or null; open:
// (open_capacity,); open_count: (1,), zero; workspace: `doubles` for each team, or null with as
// much shared memory. doubles >= sweep_doubles(n, level, words).
LR_KERNEL lr_sweep_lines(const double* start, const Word* binomials, Size n, Size level, Size first,
                         Size last, Size first_line, Size n_lines, Size lines_per_team, Word* out,
                         Size words, Word* open, Size open_capacity, Word* open_count,
                         double* workspace, Size doubles) {
  const lr::SweepTask task{start,   binomials,      n,   level, first, last,          first_line,
                           n_lines, lines_per_team, out, words, open,  open_capacity, open_count};
  const Size pieces = (n_lines + lines_per_team - 1) / lines_per_team;
  lr::for_each_team(pieces, workspace, doubles,
                    [&](const lr::Team& team, Size piece, double* memory) {
                      lr::LineSweeper(team, task, memory).run(piece);
                    });
}
