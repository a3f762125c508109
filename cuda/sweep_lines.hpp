// SPDX-License-Identifier: MIT
//
// The lowest-vertex sweep by teams: each takes some lines of a level, one after the other in
// lexicographic order, and writes the sign vectors of their vertices to the places of their ranks.
//
// A line is a prefix, level - 1 hyperplanes; its vertices are where a later hyperplane meets it.
// The eliminations of all but the last hyperplane of the prefix are kept for the lines that share
// them. The lanes of a team are the rows: 32 signs by a vote. Vertices with a sign left open
// are named in a list, and the caller computes them exactly.
#pragma once

#include "atomics.hpp"
#include "sweep_rows.hpp"

namespace linear_regions {

inline constexpr Size kBinomialColumns = kMaxLevel + 1;  // C(n, k) at [n * columns + k]
inline constexpr Size kStage = 32;                       // vertices between two writes
inline constexpr unsigned kKnown = 1U << 31;

struct SweepTask {
  const double* start;    // the rows of the level: columns, beta, error, beta_error
  const Word* binomials;  // up to n
  Size n, level;
  Size first, last;  // ranks, counted within the level
  Size first_line, n_lines, lines_per_team;
  Word* out;   // sign vectors from rank `first` on; null: nothing is stored
  Size words;  // of a row of `out`, at least those of n signs
  Word* open;  // ranks
  Size open_capacity;
  Word* open_count;  // counts on beyond the capacity

  LR_DEVICE Size choose(Size a, Size b) const {
    return b > a ? 0 : binomials[a * kBinomialColumns + b];
  }
};

// Doubles of one team's memory.
LR_DEVICE inline constexpr Size sweep_doubles(Size n, Size level, Size words) {
  // Rows of the level and the line; t, threshold; pivot; up, roles; staged words; prefix.
  return (n + 1) * (level + 8) + 2 * n + 2 * kMaxLevel + n + kStage * words + kMaxLevel;
}

class LineSweeper {
 public:
  LR_DEVICE LineSweeper(const Team& team, const SweepTask& task, double* memory)
      : team_(team), task_(task) {
    const Size stride = task.n + 1;
    const auto take = [&](Size n) {
      double* at = memory;
      memory += n;
      return at;
    };
    rows_.stride = stride;
    rows_.columns = take(task.level * stride);
    rows_.beta = take(stride);
    rows_.error = take(stride);
    rows_.beta_error = take(stride);
    rows_.nu_error = take(stride);
    alpha_ = take(stride);
    beta_ = take(stride);
    error_ = take(stride);
    beta_error_ = take(stride);
    t_ = take(task.n);
    threshold_ = take(task.n);
    pivot_ = take(2 * kMaxLevel);
    up_ = reinterpret_cast<unsigned*>(take(task.n));
    role_ = up_ + task.n;
    stage_ = reinterpret_cast<Word*>(take(kStage * task.words));
    prefix_ = reinterpret_cast<Word*>(take(kMaxLevel));
  }

  LR_DEVICE void run(Size piece) {
    const Size begin = piece * task_.lines_per_team;
    Size left = task_.n_lines - begin;
    if (left > task_.lines_per_team) left = task_.lines_per_team;
    Size base = unrank(task_.first_line + begin);
    bool stale = true;
    for (; left > 0; --left) {
      if (stale) blind_ = !eliminate_prefix();
      const Size start = task_.level > 1 ? prefix_[task_.level - 2] + 1 : 0;
      const Size from = task_.first > base ? task_.first - base : 0;
      Size to = task_.n - start;
      if (task_.last < base + to) to = task_.last > base ? task_.last - base : 0;
      if (from < to) line(base, start, start + from, start + to);
      base += task_.n - start;
      if (left > 1) stale = advance();
    }
  }

 private:
  // The prefix of a line; returns the rank of its first vertex.
  LR_DEVICE Size unrank(Size line) {
    Size base = 0, depth = 0;
    const Size length = task_.level - 1;
    for (Size p = 0; depth < length; ++p) {
      const Size lines = task_.choose(task_.n - 2 - p, length - depth - 1);
      if (line >= lines) {
        line -= lines;
        base += task_.choose(task_.n - p - 1, task_.level - depth - 1);
        continue;
      }
      team_.each(1, [&](Size) { prefix_[depth] = p; });
      ++depth;
    }
    return base;
  }

  // The next prefix; returns whether more than its last hyperplane has changed.
  LR_DEVICE bool advance() {
    const Size length = task_.level - 1;
    Size at = length - 1;
    while (prefix_[at] == task_.n - 1 - (length - at)) --at;  // n - 1 itself would end no line
    const Size value = prefix_[at] + 1;
    team_.each(length - at, [&](Size i) { prefix_[at + i] = value + i; });
    return at + 1 < length;
  }

  // All rows after the eliminations of the prefix but its last; false where one of the pivots is
  // not certain.
  LR_DEVICE bool eliminate_prefix() {
    const Size stride = rows_.stride, level = task_.level;
    team_.each((level + 3) * stride, [&](Size i) { rows_.columns[i] = task_.start[i]; });
    team_.each(stride, [&](Size i) { rows_.nu_error[i] = 0; });
    for (Size c = 0; c < level; ++c) active_[c] = static_cast<unsigned char>(c);
    for (Size depth = 0; depth + 2 < level; ++depth) {
      SweepPivot pivot;
      if (!read_pivot(depth, pivot)) return false;
      eliminate(depth, pivot);
      drop_column(depth, pivot.column);
    }
    return true;
  }

  // active_: columns that are left, then those of the pivots from the last one backwards.
  LR_DEVICE void drop_column(Size depth, Size column) {
    const unsigned char gone = active_[column];
    const Size n_active = task_.level - depth;
    for (Size c = column; c + 1 < n_active; ++c) active_[c] = active_[c + 1];
    active_[n_active - 1] = gone;
  }
  LR_DEVICE Size nu_column(Size m) const { return active_[task_.level - 1 - m]; }

  LR_DEVICE bool read_pivot(Size depth, SweepPivot& pivot) {
    pivot.row = prefix_[depth];
    pivot.n_active = task_.level - depth;
    pivot.n_nu = depth;
    double* active = pivot_;
    double* nu = pivot_ + kMaxLevel;
    team_.each(task_.level, [&](Size c) {
      if (c < pivot.n_active)
        active[c] = rows_.entry(active_[c], pivot.row);
      else
        nu[task_.level - 1 - c] = rows_.entry(active_[c], pivot.row);
    });
    for (Size c = 0; c < pivot.n_active; ++c)
      if (size_of(active[c]) > size_of(pivot.value)) {
        pivot.value = active[c];
        pivot.column = c;
      }
    for (Size m = 0; m < depth; ++m) pivot.nu_size = larger(pivot.nu_size, size_of(nu[m]));
    pivot.active = active;
    pivot.nu = nu;
    pivot.error = rows_.error[pivot.row];
    pivot.beta = rows_.beta[pivot.row];
    pivot.beta_error = rows_.beta_error[pivot.row];
    pivot.nu_error = rows_.nu_error[pivot.row];
    return pivot.finish();
  }

  LR_DEVICE void eliminate(Size depth, const SweepPivot& p) {
    const SweepRows& rows = rows_;
    const Size own = active_[p.column];
    team_.each(rows.stride, [&](Size i) {
      const SweepStep step(p, rows.entry(own, i), rows.error[i]);
      double largest = 0;
      for (Size c = 0; c < p.n_active; ++c) {
        if (c == p.column) continue;
        double& x = rows.entry(active_[c], i);
        x -= step.f * p.active[c];
        largest = larger(largest, size_of(x));
      }
      const double beta = rows.beta[i] - step.f * p.beta;
      rows.beta_error[i] = step.beta_error(p, beta, rows.beta_error[i]);
      rows.beta[i] = beta;
      rows.error[i] = step.error(p, largest);
      largest = 0;
      for (Size m = 0; m < depth; ++m) {
        double& x = rows.entry(nu_column(m), i);
        x -= step.f * p.nu[m];
        largest = larger(largest, size_of(x));
      }
      rows.entry(own, i) = step.f;
      rows.nu_error[i] = step.nu_error(p, largest, rows.nu_error[i]);
      if (i != p.row) return;
      // The pivot's own row is known to vanish.
      for (Size c = 0; c < p.n_active; ++c)
        if (c != p.column) rows.entry(active_[c], i) = 0;
      rows.beta[i] = rows.error[i] = rows.beta_error[i] = 0;
    });
  }

  LR_DEVICE void line(Size base, Size start, Size from, Size to) {
    const Size depth = task_.level - 2;  // of the last pivot, where there is one
    SweepPivot pivot;
    if (!blind_ && (task_.level < 2 || read_pivot(depth, pivot))) {
      task_.level < 2 ? copy_line() : last_elimination(pivot);
      vertices(pivot, from, to);
      cells(base, start, from, to);
      return;
    }
    for (Size j = from; j < to; ++j) leave_open(base + j - start);
  }

  LR_DEVICE void copy_line() {
    team_.each(rows_.stride, [&](Size i) {
      alpha_[i] = rows_.entry(0, i);
      beta_[i] = rows_.beta[i];
      error_[i] = rows_.error[i];
      beta_error_[i] = rows_.beta_error[i];
    });
  }

  // As `eliminate`, but into the line's own arrays, and multipliers are left to `vertices`.
  LR_DEVICE void last_elimination(const SweepPivot& p) {
    const Size own = active_[p.column], other = 1 - p.column;
    team_.each(rows_.stride, [&](Size i) {
      const SweepStep step(p, rows_.entry(own, i), rows_.error[i]);
      const double alpha = rows_.entry(active_[other], i) - step.f * p.active[other];
      const double beta = rows_.beta[i] - step.f * p.beta;
      const bool self = i == p.row;
      alpha_[i] = self ? 0 : alpha;
      beta_[i] = self ? 0 : beta;
      error_[i] = self ? 0 : step.error(p, size_of(alpha));
      beta_error_[i] = self ? 0 : step.beta_error(p, beta, rows_.beta_error[i]);
    });
  }

  // Multiplier m of row i after the last elimination, and the bound of all of them.
  LR_DEVICE double nu_after(const SweepPivot& p, double f, Size m, Size i) const {
    return m < p.n_nu ? rows_.entry(nu_column(m), i) - f * p.nu[m] : f;
  }
  LR_DEVICE double nu_error_after(const SweepPivot& p, const SweepStep& step, Size i) const {
    double largest = 0;
    for (Size m = 0; m < p.n_nu; ++m) largest = larger(largest, size_of(nu_after(p, step.f, m, i)));
    return step.nu_error(p, largest, rows_.nu_error[i]);
  }
  LR_DEVICE SweepStep step_of(const SweepPivot& p, Size i) const {
    const Size column = task_.level < 2 ? 0 : active_[p.column];
    return SweepStep(p, rows_.entry(column, i), rows_.error[i]);
  }

  LR_DEVICE void vertices(const SweepPivot& p, Size from, Size to) {
    const Size n = task_.n, n_pivots = task_.level - 1;
    SweepLine line;
    line.gamma = alpha_[n];
    line.gamma_error = error_[n];
    line.alpha_size = team_.largest(n, [&](Size i) { return size_of(alpha_[i]); });
    line.alpha_error = team_.largest(n, [&](Size i) { return error_[i]; });
    line.beta_size = team_.largest(n, [&](Size i) { return size_of(beta_[i]); });
    line.beta_error = team_.largest(n, [&](Size i) { return beta_error_[i]; });
    const SweepStep functional = step_of(p, n);
    line.kappa_error = n_pivots > 0 ? nu_error_after(p, functional, n) : 0;
    team_.each(to - from, [&](Size at) {
      const Size j = from + at;
      SweepVertex vertex(line, alpha_[j], error_[j], beta_[j], beta_error_[j]);
      unsigned up = vertex.lambda > 0 ? 1U << n_pivots : 0;
      if (n_pivots > 0) {
        const SweepStep step = step_of(p, j);
        const double nu_error = nu_error_after(p, step, j);
        for (Size m = 0; m < n_pivots; ++m) {
          const double kappa = nu_after(p, functional.f, m, n);
          if (vertex.pivot_is_up(line, kappa, nu_after(p, step.f, m, j), nu_error)) up |= 1U << m;
        }
      }
      t_[j] = vertex.t;
      threshold_[j] = vertex.threshold;
      up_[j] = vertex.known ? up | kKnown : up;
    });
    // Which rows have a sign of their own, and which bit of `up` it is; `level` for the others.
    team_.each(n, [&](Size i) {
      Size role = task_.level;
      for (Size m = 0; m < n_pivots; ++m)
        if (prefix_[m] == i) role = m;
      role_[i] = static_cast<unsigned>(role);
    });
  }

  LR_DEVICE void cells(Size base, Size start, Size from, Size to) {
    for (Size first = from; first < to; first += kStage) {
      const Size count = to - first < kStage ? to - first : kStage;
      for (Size i = 0; i < count; ++i)
        if (!cell(first + i, stage_ + i * task_.words)) leave_open(base + first + i - start);
      const Size place = base + first - start - task_.first;
      if (task_.out != nullptr)
        team_.each(count * task_.words,
                   [&](Size i) { task_.out[place * task_.words + i] = stage_[i]; });
      else
        team_.each(0, [](Size) {});  // the stage is written again
    }
  }

  // The signs of all rows at the vertex of row j; returns whether all are certain.
  LR_DEVICE bool cell(Size j, Word* words) const {
    const double t = t_[j], threshold = threshold_[j];
    const unsigned up = up_[j];
    unsigned doubts = 0;
    const auto half = [&](Size first) {
      unsigned positive, doubt;
      team_.vote(
          [&](Size lane, bool& is_positive, bool& is_doubtful) {
            const Size k = first + lane;
            if (k >= task_.n) return;
            const Size role = k == j ? task_.level - 1 : role_[k];
            const double value = t * alpha_[k] + beta_[k];
            const bool own = role < task_.level;
            is_positive = own ? ((up >> role) & 1U) != 0 : value > 0;
            is_doubtful = !own && !(size_of(value) > threshold);
          },
          positive, doubt);
      doubts |= doubt;
      return positive;
    };
    for (Size w = 0; w < task_.words; ++w) {
      const unsigned low = half(w * kWordBits), high = half(w * kWordBits + 32);
      if (team_.leads()) words[w] = join_halves(low, high);
    }
    return doubts == 0 && (up & kKnown) != 0;
  }

  LR_DEVICE void leave_open(Size rank) const {
    if (!team_.leads()) return;
    const Word at = atomic_add(task_.open_count, 1);
    if (at < task_.open_capacity) task_.open[at] = rank;
  }

  const Team& team_;
  const SweepTask& task_;
  SweepRows rows_;
  double *alpha_, *beta_, *error_, *beta_error_, *t_, *threshold_, *pivot_;
  unsigned *up_, *role_;
  Word *stage_, *prefix_;
  unsigned char active_[kMaxLevel];
  bool blind_ = false;
};

}  // namespace linear_regions
