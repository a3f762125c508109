// SPDX-License-Identifier: MIT
// The kernel that solves a ray from its hyperplanes, over the vector type V of eight doubles.
//
// Gauss and Jordan on (A | 1), with the largest free column of every row as its pivot. With B the
// right half, r the residuals and column k the one that is left over, A delta = r for the true ray
// with the same x_k, so |delta| <= |B| (|r| + doubt) / (1 - q), where q >= |1 - B A| + |B| e in the
// maximum norm. CA and CB are the numbers of vectors of a row of A and of B, or 0.

inline double size_of(double x) {
  return x < 0 ? -x : x;
}

template <int CA, int CB>
struct RaySolver {
  const std::size_t d, ca, cb, a_stride, stride;
  double *a, *t, *point, *scratch, *residual, *doubt;
  std::int32_t *pivot, *used;

  RaySolver(std::size_t dim, double* work, std::int32_t* place)
      : d(dim),
        ca(CA > 0 ? static_cast<std::size_t>(CA) : (dim + 8) / 8),
        cb(CB > 0 ? static_cast<std::size_t>(CB) : (dim + 7) / 8),
        a_stride(8 * ca),
        stride(8 * (ca + cb)),
        a(work),
        t(a + dim * a_stride),
        point(t + dim * stride),
        scratch(point + a_stride),
        residual(scratch + a_stride),
        doubt(residual + 8 * cb),
        pivot(place),
        used(place + dim) {}

  bool load(const double* const* rows) {
    const V zero = V::zero();
    const double unit = static_cast<double>(d + 4) * 0x1p-53;
    for (std::size_t i = 0; i < d; ++i) {
      const double* row = rows[i];
      if (!(row[d + 1] + row[d + 2] < 1e300)) return false;
      double *to = t + i * stride, *copy = a + i * a_stride;
      for (std::size_t c = 0; c < ca + cb; ++c) zero.store(to + 8 * c);
      for (std::size_t j = 0; j <= d; ++j) to[j] = row[j];
      for (std::size_t c = 0; c < ca; ++c) V::load(to + 8 * c).store(copy + 8 * c);
      to[a_stride + i] = 1.0;
      doubt[i] = row[d + 1] + 1.1 * unit * row[d + 2];
    }
    return true;
  }

  bool eliminate() {
    const std::size_t chunks = ca + cb;
    for (std::size_t s = 0; s < d; ++s) {
      double* row = t + s * stride;
      std::size_t best = 0;
      double most = 0.0;
      for (std::size_t j = 0; j <= d; ++j)
        if (used[j] == 0 && size_of(row[j]) > most) most = size_of(row[j]), best = j;
      if (!(most > 0 && most < 1e300)) return false;
      used[best] = 1;
      pivot[s] = static_cast<std::int32_t>(best);
      const V scale = V::broadcast(1.0 / row[best]), zero = V::zero();
      for (std::size_t c = 0; c < chunks; ++c) (V::load(row + 8 * c) * scale).store(row + 8 * c);
      for (std::size_t i = 0; i < d; ++i) {
        double* other = t + i * stride;
        if (i == s || other[best] == 0.0) continue;
        const V factor = zero - V::broadcast(other[best]);
        for (std::size_t c = 0; c < chunks; ++c)
          fma(factor, V::load(row + 8 * c), V::load(other + 8 * c)).store(other + 8 * c);
      }
    }
    return true;
  }

  void find_residuals() {
    for (std::size_t i = 0; i < d; ++i) {
      const double* row = a + i * a_stride;
      double sum = row[0] * point[0];
      for (std::size_t j = 1; j <= d; ++j) sum += row[j] * point[j];
      residual[i] = sum;
    }
  }

  // The null vector, refined once, with largest entry 1: the last one where it is among the
  // largest. What the scaling rounds, the residuals see.
  bool place_point(std::size_t k) {
    point[k] = 1.0;
    for (std::size_t s = 0; s < d; ++s) point[pivot[s]] = -t[s * stride + k];
    find_residuals();
    double most = 1.0;
    for (std::size_t s = 0; s < d; ++s) {
      const double* b = t + s * stride + a_stride;
      double sum = 0.0;
      for (std::size_t i = 0; i < d; ++i) sum += b[i] * residual[i];
      point[pivot[s]] -= sum;
      most = size_of(point[pivot[s]]) > most ? size_of(point[pivot[s]]) : most;
    }
    if (!(most < 1e300)) return false;
    const double last = size_of(point[d]), by = most <= last * (1 + 1e-9) ? last : most;
    for (std::size_t j = 0; j <= d; ++j) {
      const double x = point[j] / by;
      point[j] = x > 1 ? 1 : x < -1 ? -1 : x;
    }
    find_residuals();
    return true;
  }

  bool bound(std::size_t k, double* error) {
    double worst = 0.0, q = 0.0;
    for (std::size_t i = 0; i < d; ++i) residual[i] = size_of(residual[i]) + doubt[i];
    for (std::size_t s = 0; s < d; ++s) {
      const double* b = t + s * stride + a_stride;
      double near = 0.0, far = 0.0;
      for (std::size_t i = 0; i < d; ++i) {
        near += size_of(b[i]) * doubt[i];
        far += size_of(b[i]) * residual[i];
      }
      for (std::size_t c = 0; c < ca; ++c) {
        V sum = V::load(a + 8 * c) * V::broadcast(b[0]);
        for (std::size_t i = 1; i < d; ++i)
          sum = fma(V::load(a + i * a_stride + 8 * c), V::broadcast(b[i]), sum);
        sum.store(scratch + 8 * c);
      }
      scratch[pivot[s]] -= 1.0;
      scratch[k] = 0.0;
      double off = 1.1 * static_cast<double>(d) * near;  // once per column
      for (std::size_t j = 0; j <= d; ++j) off += size_of(scratch[j]);
      if (!(off < 0.5 && far < 1e300)) return false;  // NaN too
      q = off > q ? off : q;
      worst = far > worst ? far : worst;
    }
    *error = 1.0001 * worst / (1 - q);
    return true;
  }

  bool run(const double* const* rows, std::int32_t fixed, double* x, double* error) {
    if (!load(rows)) return false;
    for (std::size_t j = 0; j <= d; ++j) used[j] = 0;
    if (fixed >= 0) used[fixed] = 1;
    if (!eliminate()) return false;
    std::size_t k = fixed >= 0 ? static_cast<std::size_t>(fixed) : 0;
    while (fixed < 0 && used[k] != 0) ++k;
    if (!place_point(k)) return false;
    for (std::size_t j = 0; j <= d; ++j) x[j] = point[j];
    return bound(k, error);
  }
};

inline bool solve_ray(const double* const* rows, std::size_t d, std::int32_t fixed, double* work,
                      std::int32_t* place, double* x, double* error) {
  if (d < 8) return RaySolver<1, 1>(d, work, place).run(rows, fixed, x, error);
  if (d == 8) return RaySolver<2, 1>(d, work, place).run(rows, fixed, x, error);
  return RaySolver<0, 0>(d, work, place).run(rows, fixed, x, error);
}
