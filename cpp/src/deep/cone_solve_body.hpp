// SPDX-License-Identifier: MIT
// The kernel that solves a ray from its hyperplanes, over the vector type V of eight doubles.
//
// Gauss and Jordan on (A | 1), with the largest free column of every row as its pivot. With B the
// right half, r the residuals and column k the one that is left over, A delta = r for the true ray
// with the same x_k, so |delta| <= |B| (|r| + doubt) / (1 - q), where q >= |1 - B A| + |B| e in the
// maximum norm.
//
// Columns are vectors, one lane per row, so that all sums run from column to column and none across
// lanes. C is the number of vectors of a column, or 0. Lanes beyond the rows stay zero.

inline double size_of(double x) {
  return __builtin_fabs(x);
}

template <int C>
struct RaySolver {
  const std::size_t d, c, lead;
  double *a, *t, *residual, *doubt, *solved, *lane;
  std::int32_t *pivot, *used;  // column of a row; one more than the row of a column
  double left_over = 1.0;      // x_k

  RaySolver(std::size_t dim, double* work, std::int32_t* place)
      : d(dim),
        c(C > 0 ? static_cast<std::size_t>(C) : (dim + 7) / 8),
        lead(8 * c),
        a(work),
        t(a + (dim + 1) * lead),
        residual(t + (2 * dim + 1) * lead),
        doubt(residual + lead),
        solved(doubt + lead),
        lane(solved + lead),
        pivot(place),
        used(place + dim) {}

  double* right(std::size_t i) const { return t + (d + 1 + i) * lead; }
  // One in lane s, else zero.
  V one_at(std::size_t s, std::size_t chunk) const { return V::load(lane + lead - s + 8 * chunk); }

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
    // The lanes beyond the rows; t is not read as vectors before row 0 was.
    for (std::size_t j = 0; j <= d; ++j)
      for (std::size_t i = d; i < lead; ++i) t[j * lead + i] = 0.0;
    return true;
  }

  // Takes row s off all others in the columns that are still of use: the free ones and, of the
  // right half, those that are not yet a column of the identity.
  bool eliminate() {
    for (std::size_t s = 0; s < d; ++s) {
      std::size_t best = 0;
      double most = 0.0;
      for (std::size_t j = 0; j <= d; ++j) {
        const double size = used[j] != 0 ? 0.0 : size_of(t[j * lead + s]);
        best = size > most ? j : best;
        most = size > most ? size : most;
      }
      if (!(most > 0 && most < 1e300)) return false;
      used[best] = static_cast<std::int32_t>(s) + 1;
      pivot[s] = static_cast<std::int32_t>(best);
      const V inverse = V::broadcast(1.0 / t[best * lead + s]), one = V::broadcast(1.0);
      const auto step = [&](double* column, std::size_t chunk, V value) {
        const V at = one_at(s, chunk), others = one - at;
        const V factor = V::load(t + best * lead + 8 * chunk) * (others * inverse);
        const V own = fma(at, inverse, others);
        fma(V::zero() - factor, value, V::load(column + 8 * chunk) * own).store(column + 8 * chunk);
      };
      for (std::size_t j = 0; j <= d; ++j)
        if (used[j] == 0) {
          const V value = V::broadcast(t[j * lead + s]);
          for (std::size_t chunk = 0; chunk < c; ++chunk) step(t + j * lead, chunk, value);
        }
      for (std::size_t i = 0; i < s; ++i) {
        const V value = V::broadcast(right(i)[s]);
        for (std::size_t chunk = 0; chunk < c; ++chunk) step(right(i), chunk, value);
      }
      for (std::size_t chunk = 0; chunk < c; ++chunk) {
        const V at = one_at(s, chunk), others = one - at;
        (at * inverse - V::load(t + best * lead + 8 * chunk) * (others * inverse))
            .store(right(s) + 8 * chunk);
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
    for (std::size_t chunk = 0; chunk < lead; chunk += 8) {
      V sum = V::load(solved + chunk);
      for (std::size_t i = 0; i < d; ++i)
        sum = sum - V::load(right(i) + chunk) * V::broadcast(residual[i]);
      sum.store(solved + chunk);
    }
    double most = 1.0;
    for (std::size_t s = 0; s < d; ++s) {
      const double size = size_of(solved[s]);
      if (!(size < 1e300)) return false;
      most = size > most ? size : most;
    }
    const double last = k == d ? 1.0 : size_of(solved[used[d] - 1]);
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
    for (std::size_t chunk = 0; chunk < c; ++chunk) {
      V near = V::zero(), far = V::zero(), off = V::zero();
      for (std::size_t i = 0; i < d; ++i) {
        const V b = abs(V::load(right(i) + 8 * chunk));
        near = fma(b, V::broadcast(doubt[i]), near);
        far = fma(b, V::broadcast(residual[i]), far);
      }
      for (std::size_t s = 0; s < d; ++s) {
        const double* column = column_of(s);
        V sum = V::zero() - one_at(s, chunk);
        for (std::size_t i = 0; i < d; ++i)
          sum = fma(V::load(right(i) + 8 * chunk), V::broadcast(column[i]), sum);
        off = off + abs(sum);
      }
      off = fma(near, V::broadcast(1.1 * static_cast<double>(d)), off);  // once per column
      if (greater(V::broadcast(0.5), off) != 0xFF || greater(V::broadcast(1e300), far) != 0xFF)
        return false;  // NaN too
      double each[16];
      off.store(each);
      far.store(each + 8);
      for (std::size_t i = 0; i < 8; ++i) {
        q = each[i] > q ? each[i] : q;
        worst = each[8 + i] > worst ? each[8 + i] : worst;
      }
    }
    *error = 1.0001 * worst / (1 - q);
    return true;
  }

  bool run(const double* const* rows, std::int32_t fixed, double* x, double* error) {
    if (!load(rows)) return false;
    for (std::size_t j = 0; j <= d; ++j) used[j] = 0;
    if (fixed >= 0) used[fixed] = -1;
    if (!eliminate()) return false;
    std::size_t k = fixed >= 0 ? static_cast<std::size_t>(fixed) : 0;
    while (fixed < 0 && used[k] != 0) ++k;
    if (!place_point(k)) return false;
    x[k] = left_over;
    for (std::size_t s = 0; s < d; ++s) x[pivot[s]] = solved[s];
    return bound(error);
  }
};

inline bool solve_ray(const double* const* rows, std::size_t d, std::int32_t fixed, double* work,
                      std::int32_t* place, double* x, double* error) {
  if (d <= 8) return RaySolver<1>(d, work, place).run(rows, fixed, x, error);
  return RaySolver<0>(d, work, place).run(rows, fixed, x, error);
}
