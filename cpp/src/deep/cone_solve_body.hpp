// SPDX-License-Identifier: MIT
// The kernel that solves a ray from its hyperplanes, over the vector type V of eight doubles.
//
// Gauss and Jordan on (A | 1), with the largest free column of every row as its pivot. With B the
// right half, r the residuals and column k the one that is left over, A delta = r for the true ray
// with the same x_k, so |delta| <= |B| (|r| + doubt) / (1 - q), where q >= |1 - B A| + |B| e in the
// maximum norm.
//
// Columns are vectors, one lane per row, so that sums run from column to column, none across lanes.
// Lanes beyond the rows stay zero.

inline double size_of(double x) {
  return __builtin_fabs(x);
}

// Number of rows, and the vectors and lanes of a column; D is the number of rows, or 0.
template <int D>
struct SolverSize {
  static constexpr std::size_t d = D, c = (D + 7) / 8, lead = 8 * c;
  explicit SolverSize(std::size_t /*rows*/) {}
};
template <>
struct SolverSize<0> {
  const std::size_t d, c, lead;
  explicit SolverSize(std::size_t rows) : d(rows), c((rows + 7) / 8), lead(8 * c) {}
};

template <int D>
struct RaySolver : SolverSize<D> {
  using SolverSize<D>::d, SolverSize<D>::lead;
  double *a, *t, *residual, *doubt, *solved, *lane, *values;
  std::int32_t *pivot, *open;  // the column of each row; those without one
  std::size_t n_open = 0;
  double left_over = 1.0;  // x_k

  RaySolver(std::size_t rows, double* work, std::int32_t* place)
      : SolverSize<D>(rows),
        a(work),
        t(a + (d + 1) * lead),
        residual(t + (2 * d + 1) * lead),
        doubt(residual + lead),
        solved(doubt + lead),
        lane(solved + lead),
        values(lane + 2 * lead),
        pivot(place),
        open(place + d) {}

  double* right(std::size_t i) const { return t + (d + 1 + i) * lead; }

  bool load(const double* const* rows) {
    const V zero = V::zero();
    for (std::size_t i = 0; i < lead; i += 8) zero.store(lane + i), zero.store(lane + lead + i);
    lane[lead] = 1.0;
    for (std::size_t i = 0; i < (d + 1) * lead; i += 8) zero.store(a + i);
    for (std::size_t i = 0; i < lead; i += 8) zero.store(doubt + i);
    const double unit = static_cast<double>(d + 4) * 0x1p-53;
    for (std::size_t i = 0; i < d; ++i) {
      const double* row = rows[i];
      if (!(row[d + 1] + row[d + 2] < 1e300)) return false;
      for (std::size_t j = 0; j <= d; ++j) a[j * lead + i] = t[j * lead + i] = row[j];
      doubt[i] = row[d + 1] + 1.1 * unit * row[d + 2];
    }
    // The lanes beyond the rows.
    for (std::size_t j = 0; j <= d; ++j)
      for (std::size_t i = d; i < lead; ++i) t[j * lead + i] = 0.0;
    return true;
  }

  // Takes row s off all others in the columns that are still of use: the open ones and, of the
  // right half, those that are not yet a column of the identity.
  bool eliminate() {
    const V one = V::broadcast(1.0);
    for (std::size_t s = 0; s < d; ++s) {
      std::size_t best = 0;
      double most = 0.0;
      for (std::size_t i = 0; i < n_open; ++i) {
        values[i] = t[static_cast<std::size_t>(open[i]) * lead + s];
        const double size = size_of(values[i]);
        best = size > most ? i : best;
        most = size > most ? size : most;
      }
      if (!(most > 0 && most < 1e300)) return false;
      const V inverse = V::broadcast(1.0 / values[best]);
      pivot[s] = open[best];
      open[best] = open[--n_open];
      values[best] = values[n_open];
      for (std::size_t i = 0; i < s; ++i) values[n_open + i] = right(i)[s];
      for (std::size_t i = 0; i < lead; i += 8) {
        const V at = V::load(lane + lead - s + i), others = one - at;  // one in lane s; elsewhere
        const V own = fma(at, inverse, others);
        const V factor = V::load(t + static_cast<std::size_t>(pivot[s]) * lead + i) *
                         (V::zero() - others * inverse);
        const auto step = [&](double* column, double value) {
          fma(factor, V::broadcast(value), V::load(column) * own).store(column);
        };
        for (std::size_t j = 0; j < n_open; ++j)
          step(t + static_cast<std::size_t>(open[j]) * lead + i, values[j]);
        for (std::size_t j = 0; j < s; ++j) step(right(j) + i, values[n_open + j]);
        fma(at, inverse, factor).store(right(s) + i);
      }
    }
    return true;
  }

  void find_residuals(std::size_t k) {
    for (std::size_t i = 0; i < lead; i += 8) {
      V sum = V::load(a + k * lead + i) * V::broadcast(left_over);
      for (std::size_t s = 0; s < d; ++s)
        sum = fma(V::load(column_of(s) + i), V::broadcast(solved[s]), sum);
      sum.store(residual + i);
    }
  }
  const double* column_of(std::size_t s) const {
    return a + static_cast<std::size_t>(pivot[s]) * lead;
  }

  // The null vector, refined once, with largest entry 1: the last one where it is among the
  // largest. What the scaling rounds, the residuals see.
  bool place_point(std::size_t k) {
    for (std::size_t i = 0; i < lead; i += 8)
      (V::zero() - V::load(t + k * lead + i)).store(solved + i);
    find_residuals(k);
    for (std::size_t i = 0; i < lead; i += 8) {
      V sum = V::zero();
      for (std::size_t j = 0; j < d; ++j)
        sum = fma(V::load(right(j) + i), V::broadcast(residual[j]), sum);
      (V::load(solved + i) - sum).store(solved + i);
    }
    double most = 1.0, last = k == d ? 1.0 : 0.0;
    bool moderate = true;
    for (std::size_t s = 0; s < d; ++s) {
      const double size = size_of(solved[s]);
      moderate = moderate && size < 1e300;
      most = size > most ? size : most;
      last = pivot[s] == static_cast<std::int32_t>(d) ? size : last;
    }
    if (!moderate) return false;
    const double by = most <= last * (1 + 1e-9) ? last : most;
    const V scale = V::broadcast(by), top = V::broadcast(1.0), bottom = V::broadcast(-1.0);
    for (std::size_t i = 0; i < lead; i += 8)
      max(bottom, min(top, V::load(solved + i) / scale)).store(solved + i);
    left_over = by > 1 ? 1.0 / by : 1.0;
    find_residuals(k);
    return true;
  }

  bool bound(double* error) {
    double worst = 0.0, q = 0.0;
    for (std::size_t i = 0; i < lead; i += 8)
      (abs(V::load(residual + i)) + V::load(doubt + i)).store(residual + i);
    for (std::size_t i = 0; i < lead; i += 8) {
      V near = V::zero(), far = V::zero(), off = V::zero();
      for (std::size_t j = 0; j < d; ++j) {
        const V b = abs(V::load(right(j) + i));
        near = fma(b, V::broadcast(doubt[j]), near);
        far = fma(b, V::broadcast(residual[j]), far);
      }
      for (std::size_t s = 0; s < d; ++s) {
        const double* column = column_of(s);
        V sum = V::zero() - V::load(lane + lead - s + i);
        for (std::size_t j = 0; j < d; ++j)
          sum = fma(V::load(right(j) + i), V::broadcast(column[j]), sum);
        off = off + abs(sum);
      }
      off = fma(near, V::broadcast(1.1 * static_cast<double>(d)), off);  // once per column
      if (greater(V::broadcast(0.5), off) != 0xFF || greater(V::broadcast(1e300), far) != 0xFF)
        return false;  // NaN too
      double each[16];
      off.store(each);
      far.store(each + 8);
      for (std::size_t j = 0; j < 8; ++j) {
        q = each[j] > q ? each[j] : q;
        worst = each[8 + j] > worst ? each[8 + j] : worst;
      }
    }
    *error = 1.0001 * worst / (1 - q);
    return true;
  }

  bool run(const double* const* rows, std::int32_t fixed, double* x, double* error) {
    if (!load(rows)) return false;
    for (std::int32_t j = 0; j <= static_cast<std::int32_t>(d); ++j)
      if (j != fixed) open[n_open++] = j;
    if (!eliminate()) return false;
    const auto k = static_cast<std::size_t>(fixed >= 0 ? fixed : open[0]);
    if (!place_point(k)) return false;
    x[k] = left_over;
    for (std::size_t s = 0; s < d; ++s) x[pivot[s]] = solved[s];
    return bound(error);
  }
};

inline bool solve_ray(const double* const* rows, std::size_t d, std::int32_t fixed, double* work,
                      std::int32_t* place, double* x, double* error) {
  return with_width(d + 1, [&]<int W>() {
    return RaySolver<(W > 0 ? W - 1 : 0)>(d, work, place).run(rows, fixed, x, error);
  });
}
