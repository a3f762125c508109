// SPDX-License-Identifier: MIT
// Bodies of the cone kernels over the vector type V of eight doubles (see kernels_body.hpp).
// W is the number of coefficients of a row where it is small enough to unroll, else 0.

template <typename Body>
inline auto with_width(std::size_t width, const Body& body) {
  switch (width) {
    case 4:
      return body.template operator()<4>();
    case 5:
      return body.template operator()<5>();
    case 6:
      return body.template operator()<6>();
    case 7:
      return body.template operator()<7>();
    default:
      return body.template operator()<0>();
  }
}

template <int W>
inline V row_value(const double* data, std::size_t lead, std::size_t width, const double* x) {
  const std::size_t n = W > 0 ? static_cast<std::size_t>(W) : width;
  V sum = V::load(data) * V::broadcast(x[0]);
  for (std::size_t k = 1; k < n; ++k) sum = fma(V::load(data + k * lead), V::broadcast(x[k]), sum);
  return sum;
}

template <int W>
inline V norm_of(const double* data, std::size_t lead, std::size_t width) {
  const std::size_t n = W > 0 ? static_cast<std::size_t>(W) : width;
  V sum = abs(V::load(data));
  for (std::size_t k = 1; k < n; ++k) sum = sum + abs(V::load(data + k * lead));
  return sum;
}

// The box around rays: its centre, and half its widths. Rays of more than four coordinates are
// padded to eight.
template <int W>
inline void box_of_rays(const double* const* rays, std::size_t n, double* centre, double* half) {
  double low[8], high[8];
  if constexpr (W > 4) {
    V least = V::load(rays[0]), most = least;
    for (std::size_t v = 1; v < n; ++v) {
      const V x = V::load(rays[v]);
      least = min(least, x);
      most = max(most, x);
    }
    least.store(low);
    most.store(high);
  } else {
    for (int k = 0; k < W; ++k) low[k] = high[k] = rays[0][k];
    for (std::size_t v = 1; v < n; ++v)
      for (int k = 0; k < W; ++k) {
        const double x = rays[v][k];
        low[k] = x < low[k] ? x : low[k];
        high[k] = x > high[k] ? x : high[k];
      }
  }
  for (int k = 0; k < W; ++k) {
    centre[k] = 0.5 * (low[k] + high[k]);
    half[k] = 0.5 * (high[k] - low[k]);
  }
}

// Is every one of eight rows beyond its threshold on one side of the whole box, or zero? Then
// `middle` has the signs. All that is rounded here is below 2 (W + 4) 2^-53 of the norm.
template <int W>
inline bool one_sign_in_box(const double* data, std::size_t lead, const double* centre,
                            const double* half, V norm, V e, V threshold, V& middle) {
  middle = V::load(data) * V::broadcast(centre[0]);
  V reach = abs(V::load(data)) * V::broadcast(half[0]);
  for (int k = 1; k < W; ++k) {
    const V g = V::load(data + static_cast<std::size_t>(k) * lead);
    middle = fma(g, V::broadcast(centre[k]), middle);
    reach = fma(abs(g), V::broadcast(half[k]), reach);
  }
  const V room = fma(norm, V::broadcast(static_cast<double>(W + 4) * 0x1p-50), threshold);
  return (greater(abs(middle), reach + room) |
          greater(V::broadcast(4.9406564584124654e-324), norm + e)) == 0xFF;
}

template <int W>
inline void classify_rays(const Columns& rows, const double* const* rays, std::size_t n_rays,
                          double slack, std::uint64_t* some_positive, std::uint64_t* some_negative,
                          std::uint64_t* all_positive, std::uint64_t* all_negative) {
  const V k = V::broadcast(slack), zero = V::zero();
  const bool box = W > 0 && n_rays >= 6;  // most rows of deep layers have one sign on all of it
  double centre[W > 0 ? W : 1], half[W > 0 ? W : 1];
  if constexpr (W > 0)
    if (box) box_of_rays<W>(rays, n_rays, centre, half);
  for (std::size_t i = 0; i < rows.lead; i += 8) {
    const double* data = rows.data + i;
    const V norm = norm_of<W>(data, rows.lead, rows.width);
    const V e = V::load(data + rows.width * rows.lead);
    const V threshold = fma(norm, k, e * V::broadcast(1.0001));
    V low, high;
    bool decided = false;
    if constexpr (W > 0)
      decided = box && one_sign_in_box<W>(data, rows.lead, centre, half, norm, e, threshold, low);
    if (decided) {
      high = low;
    } else if (W > 0 && W <= 5) {
      V g[W > 0 ? W : 1];
      for (int c = 0; c < W; ++c) g[c] = V::load(data + static_cast<std::size_t>(c) * rows.lead);
      low = V::broadcast(1.7976931348623157e308);
      high = zero - low;
      for (std::size_t v = 0; v < n_rays; ++v) {
        V value = g[0] * V::broadcast(rays[v][0]);
        for (int c = 1; c < W; ++c) value = fma(g[c], V::broadcast(rays[v][c]), value);
        low = min(low, value);
        high = max(high, value);
      }
    } else {
      low = row_value<W>(data, rows.lead, rows.width, rays[0]);
      high = low;
      for (std::size_t v = 1; v < n_rays; ++v) {
        const V value = row_value<W>(data, rows.lead, rows.width, rays[v]);
        low = min(low, value);
        high = max(high, value);
      }
    }
    const V minus = zero - threshold;
    const unsigned nothing = greater(V::broadcast(4.9406564584124654e-324), norm + e);
    const unsigned finite = greater(V::broadcast(1e300), norm + e);
    const unsigned shift = static_cast<unsigned>(i & 63);
    const std::size_t word = i >> 6;
    if (shift == 0)
      some_positive[word] = some_negative[word] = all_positive[word] = all_negative[word] = 0;
    some_positive[word] |= static_cast<std::uint64_t>(finite & greater(high, threshold)) << shift;
    some_negative[word] |= static_cast<std::uint64_t>(finite & greater(minus, low)) << shift;
    all_positive[word] |= static_cast<std::uint64_t>(finite & greater(low, threshold)) << shift;
    all_negative[word] |= static_cast<std::uint64_t>((finite & greater(minus, high)) | nothing)
                          << shift;
  }
}

inline void classify_cones(const Columns& rows, const double* const* rays, std::size_t n_rays,
                           double slack, std::uint64_t* some_positive, std::uint64_t* some_negative,
                           std::uint64_t* all_positive, std::uint64_t* all_negative) {
  with_width(rows.width, [&]<int W>() {
    classify_rays<W>(rows, rays, n_rays, slack, some_positive, some_negative, all_positive,
                     all_negative);
  });
}

template <int W>
inline void evaluate_rows(const Columns& rows, const double* ray, double slack, double* values,
                          std::uint64_t* positive, std::uint64_t* negative) {
  const V k = V::broadcast(slack), zero = V::zero();
  for (std::size_t i = 0; i < rows.lead; i += 8) {
    const double* data = rows.data + i;
    const unsigned shift = static_cast<unsigned>(i & 63);
    const std::size_t word = i >> 6;
    if (shift == 0) positive[word] = negative[word] = 0;
    const V value = row_value<W>(data, rows.lead, rows.width, ray);
    const V e = V::load(data + rows.width * rows.lead);
    const V norm = V::load(data + (rows.width + 1) * rows.lead);
    const V threshold = fma(norm, k, e);
    if (values != nullptr) value.store(values + i);
    const unsigned certain = greater(abs(value), threshold), minus = greater(zero, value);
    positive[word] |= static_cast<std::uint64_t>(certain & ~minus) << shift;
    negative[word] |= static_cast<std::uint64_t>(certain & minus) << shift;
  }
}

inline void evaluate_cones(const Columns& rows, const double* ray, double slack, double* values,
                           std::uint64_t* positive, std::uint64_t* negative) {
  with_width(rows.width,
             [&]<int W>() { evaluate_rows<W>(rows, ray, slack, values, positive, negative); });
}

template <int W>
inline std::uint64_t look_rows(const Columns& rows, const double* const* rays, const double* slack,
                               std::size_t n, std::uint64_t* positive, std::uint64_t* negative,
                               std::uint64_t* clear, float* const* sizes) {
  const V zero = V::zero(), least = V::broadcast(1e-30), above = V::broadcast(2 / kUnclear);
  std::uint64_t nothing = 0;
  for (std::size_t r = 0; r < n; ++r) positive[r] = negative[r] = clear[r] = 0;
  for (std::size_t i = 0; i < rows.lead; i += 8) {
    const double* data = rows.data + i;
    const V norm = norm_of<W>(data, rows.lead, rows.width);
    const V e = V::load(data + rows.width * rows.lead) * V::broadcast(1.0001);
    const unsigned finite = greater(V::broadcast(1e300), norm + e);
    const unsigned small = greater(V::broadcast(1e30), norm + e);
    nothing |= static_cast<std::uint64_t>(greater(V::broadcast(4.9406564584124654e-324), norm + e))
               << i;
    V g[W > 0 ? W : 1];
    for (int c = 0; c < W; ++c) g[c] = V::load(data + static_cast<std::size_t>(c) * rows.lead);
    for (std::size_t r = 0; r < n; ++r) {
      V value;
      if constexpr (W > 0) {
        value = g[0] * V::broadcast(rays[r][0]);
        for (int c = 1; c < W; ++c) value = fma(g[c], V::broadcast(rays[r][c]), value);
      } else {
        value = row_value<W>(data, rows.lead, rows.width, rays[r]);
      }
      const V threshold = fma(norm, V::broadcast(slack[r]), e), size = abs(value);
      if (sizes != nullptr) size.store_rounded(sizes[r] + i);
      const unsigned certain = finite & greater(size, threshold), minus = greater(zero, value);
      positive[r] |= static_cast<std::uint64_t>(certain & ~minus) << i;
      negative[r] |= static_cast<std::uint64_t>(certain & minus) << i;
      clear[r] |=
          static_cast<std::uint64_t>(small & certain & greater(size, max(threshold * above, least)))
          << i;
    }
  }
  return nothing;
}

inline std::uint64_t look_cones(const Columns& rows, const double* const* rays, const double* slack,
                                std::size_t n, std::uint64_t* positive, std::uint64_t* negative,
                                std::uint64_t* clear, float* const* sizes) {
  return with_width(rows.width, [&]<int W>() {
    return look_rows<W>(rows, rays, slack, n, positive, negative, clear, sizes);
  });
}

inline bool mix_edges(const double* value, std::size_t lead, const std::int32_t* ends,
                      std::size_t n, const double* t, const double* e, const double* norm,
                      const double* slack, std::uint64_t wanted, double* out,
                      std::uint64_t* positive, std::uint64_t* negative) {
  const V zero = V::zero(), most = V::broadcast(1e300);
  std::uint64_t open = 0;
  for (std::size_t j = 0; j < n; ++j) {
    const double* p = value + static_cast<std::size_t>(ends[2 * j]) * lead;
    const double* q = value + static_cast<std::size_t>(ends[2 * j + 1]) * lead;
    const V va = V::broadcast(1 - t[j]), vb = V::broadcast(t[j]), k = V::broadcast(slack[j]);
    std::uint64_t more = 0, less = 0;
    for (std::size_t i = 0; i < lead; i += 8) {
      const V x = fma(V::load(p + i), va, V::load(q + i) * vb);
      const V threshold = fma(V::load(norm + i), k, V::load(e + i));
      x.store(out + j * lead + i);
      const unsigned finite = greater(most, threshold);
      more |= static_cast<std::uint64_t>(finite & greater(x, threshold)) << i;
      less |= static_cast<std::uint64_t>(finite & greater(zero - threshold, x)) << i;
    }
    positive[j] = more & wanted;
    negative[j] = less & wanted;
    open |= wanted & ~(more | less);
  }
  return open == 0;
}

inline double mix_coordinates(const double* p, const double* q, double a, double b, std::size_t n,
                              double* out) {
  double most = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    const double x = a * p[i] + b * q[i];
    const double size = __builtin_fabs(x);
    out[i] = x;
    most = size > most ? size : most;
  }
  return most;
}

template <int W>
inline MixedRay mix_row(const double* p, const double* q, const double* row, std::size_t width,
                        std::size_t padded, double* out) {
  const std::size_t n = W > 0 ? static_cast<std::size_t>(W) : width;
  const std::size_t room = W > 0 ? static_cast<std::size_t>((W + 3) / 4 * 4) : padded;
  double vp = row[0] * p[0], vq = row[0] * q[0], length = 0.0;
  for (std::size_t k = 1; k < n; ++k) vp += row[k] * p[k], vq += row[k] * q[k];
  for (std::size_t k = 0; k < n; ++k) {
    const double apart = __builtin_fabs(p[k] - q[k]);
    length = apart > length ? apart : length;
  }
  vp = vp < 0 ? 0.0 : vp;  // NaN stays
  vq = vq > 0 ? 0.0 : vq;
  const double total = vp - vq, t = total > 0 && total < __builtin_inf() ? vp / total : 0.5;
  return {vp, vq, t, length, mix_coordinates(p, q, 1 - t, t, room, out)};
}

inline MixedRay mix_edge(const double* p, const double* q, const double* row, std::size_t width,
                         std::size_t padded, double* out) {
  return with_width(width, [&]<int W>() { return mix_row<W>(p, q, row, width, padded, out); });
}

inline void add_columns(double* out, std::size_t lead, std::size_t columns, const double* weight,
                        std::size_t n, const double* row) {
  for (std::size_t k = 0; k < columns; ++k) {
    double* to = out + k * lead;
    const bool error = k + 1 == columns;
    const V r = V::broadcast(row[k]);
    std::size_t i = 0;
    for (; i + 8 <= n; i += 8) {
      const V w = V::load(weight + i);
      fma(error ? abs(w) : w, r, V::load(to + i)).store(to + i);
    }
    for (; i < n; ++i) {  // at most seven: the run of one convolution position may be short
      const double w = weight[i];
      to[i] += (error && w < 0 ? -w : w) * row[k];
    }
  }
}

// G columns of eight outputs stay in registers while the active inputs stream past.
template <int G, bool kErrorLast>
inline void add_group(double* out, const double* start, std::size_t lead, const double* weight,
                      const std::int32_t* active, std::size_t n_active, const double* rows,
                      std::size_t stride) {
  V sum[G];
  for (int g = 0; g < G; ++g) sum[g] = V::load(start + static_cast<std::size_t>(g) * lead);
  for (std::size_t j = 0; j < n_active; ++j) {
    const V w = V::load(weight + static_cast<std::size_t>(active[j]) * lead);
    const double* row = rows + j * stride;
    for (int g = 0; g < G; ++g)
      sum[g] = fma(kErrorLast && g + 1 == G ? abs(w) : w, V::broadcast(row[g]), sum[g]);
  }
  for (int g = 0; g < G; ++g) sum[g].store(out + static_cast<std::size_t>(g) * lead);
}

template <bool kErrorLast>
inline void add_group_of(std::size_t size, double* out, const double* start, std::size_t lead,
                         const double* weight, const std::int32_t* active, std::size_t n_active,
                         const double* rows, std::size_t stride) {
  const auto add = [&]<int G>() {
    add_group<G, kErrorLast>(out, start, lead, weight, active, n_active, rows, stride);
  };
  switch (size) {
    case 1:
      return add.template operator()<1>();
    case 2:
      return add.template operator()<2>();
    case 3:
      return add.template operator()<3>();
    case 4:
      return add.template operator()<4>();
    default:
      return add.template operator()<5>();
  }
}

inline void add_row_block(double* out, const double* start, std::size_t lead, std::size_t columns,
                          const double* weight, const std::int32_t* active, std::size_t n_active,
                          const double* rows, bool errors) {
  const std::size_t used = errors ? columns : columns - 1;
  for (std::size_t i = 0; i < lead; i += 8)
    for (std::size_t k = 0; k < used;) {
      const std::size_t left = used - k, take = left <= 5 ? left : left < 10 ? (left + 1) / 2 : 5;
      const bool last = errors && k + take == used;
      double* to = out + k * lead + i;
      const double* from = start + k * lead + i;
      if (last)
        add_group_of<true>(take, to, from, lead, weight + i, active, n_active, rows + k, columns);
      else
        add_group_of<false>(take, to, from, lead, weight + i, active, n_active, rows + k, columns);
      k += take;
    }
}

// G vectors of outputs stay in registers while the active weights stream past.
template <int G>
inline void pull_group(const double* weight, std::size_t lead, const std::int32_t* active,
                       std::size_t n_active, const double* slope, const double* mask,
                       const double* own, double* out, V* sums) {
  V sum[G];
  for (int g = 0; g < G; ++g) sum[g] = V::zero();
  for (std::size_t a = 0; a < n_active; ++a) {
    const auto i = static_cast<std::size_t>(active[a]);
    const V by = V::broadcast(slope[i]);
    for (int g = 0; g < G; ++g) sum[g] = fma(V::load(weight + i * lead + 8 * g), by, sum[g]);
  }
  for (int g = 0; g < G; ++g) {
    const V at = sum[g] * V::load(mask + 8 * g), size = abs(at);
    at.store(out + 8 * g);
    sums[0] = fma(size, V::load(own + 8 * g), sums[0]);
    sums[1] = fma(at, at, sums[1]);
    sums[2] = sums[2] + size;
  }
}

inline double sum_of(const V& x) {
  double each[8];
  x.store(each);
  return ((each[0] + each[1]) + (each[2] + each[3])) + ((each[4] + each[5]) + (each[6] + each[7]));
}

inline PulledSums pull_slopes(const double* weight, std::size_t lead, const std::int32_t* active,
                              std::size_t n_active, const double* slope, const double* mask,
                              const double* own, double* out) {
  V sums[3] = {V::zero(), V::zero(), V::zero()};
  std::size_t j = 0;
  for (; j + 32 <= lead; j += 32)
    pull_group<4>(weight + j, lead, active, n_active, slope, mask + j, own + j, out + j, sums);
  if (j + 16 <= lead) {
    pull_group<2>(weight + j, lead, active, n_active, slope, mask + j, own + j, out + j, sums);
    j += 16;
  }
  if (j < lead)
    pull_group<1>(weight + j, lead, active, n_active, slope, mask + j, own + j, out + j, sums);
  return {sum_of(sums[0]), sum_of(sums[1]), sum_of(sums[2])};
}
