// SPDX-License-Identifier: MIT
// Bodies of the kernels over a vector type V of eight doubles. Included by one source file per
// instruction set, inside an unnamed namespace. It must not instantiate anything of the standard
// library: such code would be compiled with this file's instruction set and might be the copy
// that the linker keeps for everybody.
//
// V offers: load, broadcast, zero, +, *, fma(a, b, c) = a * b + c, abs, min, max, store, and
// greater(a, b) -> bits.

inline void classify(const Rows& rows, std::size_t n, const Probe* probes, std::size_t n_probes,
                     double magnitude, double slack, std::uint64_t* some_positive,
                     std::uint64_t* some_negative, std::uint64_t* all_positive,
                     std::uint64_t* all_negative) {
  const V m = V::broadcast(magnitude), k = V::broadcast(slack), zero = V::zero();
  for (std::size_t i = 0; i < n; i += 8) {
    const V gx = V::load(rows.gx + i), gy = V::load(rows.gy + i), c = V::load(rows.c + i);
    const V e = V::load(rows.e + i);
    const V norm = abs(gx) + abs(gy) + abs(c);
    const V threshold = fma(e, m, norm * k);
    V low = fma(gx, V::broadcast(probes[0].x),
                fma(gy, V::broadcast(probes[0].y), c * V::broadcast(probes[0].w)));
    V high = low;
    for (std::size_t v = 1; v < n_probes; ++v) {
      const V value = fma(gx, V::broadcast(probes[v].x),
                          fma(gy, V::broadcast(probes[v].y), c * V::broadcast(probes[v].w)));
      low = min(low, value);
      high = max(high, value);
    }
    // An overflow hides how large a value is, and cancels no more: no sign, as from a NaN.
    const unsigned finite = greater(V::broadcast(kLargest), (norm + e) * m);
    const V minus = zero - threshold;
    const unsigned nothing = greater(V::broadcast(4.9406564584124654e-324), norm + e);
    const unsigned shift = static_cast<unsigned>(i & 63);
    const std::size_t word = i >> 6;
    if (shift == 0) {
      some_positive[word] = some_negative[word] = all_positive[word] = all_negative[word] = 0;
    }
    some_positive[word] |= static_cast<std::uint64_t>(finite & greater(high, threshold)) << shift;
    some_negative[word] |= static_cast<std::uint64_t>(finite & greater(minus, low)) << shift;
    all_positive[word] |= static_cast<std::uint64_t>(finite & greater(low, threshold)) << shift;
    all_negative[word] |= static_cast<std::uint64_t>((finite & greater(minus, high)) | nothing)
                          << shift;
  }
}

inline void signs_at(const Rows& rows, std::size_t n, const Probe& probe, double magnitude,
                     double slack, const std::uint64_t* wanted, std::uint64_t* positive,
                     std::uint64_t* negative) {
  const V m = V::broadcast(magnitude), k = V::broadcast(slack), zero = V::zero();
  const V x = V::broadcast(probe.x), y = V::broadcast(probe.y), w = V::broadcast(probe.w);
  for (std::size_t i = 0; i < n; i += 8) {
    const unsigned shift = static_cast<unsigned>(i & 63);
    const std::size_t word = i >> 6;
    if (shift == 0) positive[word] = negative[word] = 0;
    if (((wanted[word] >> shift) & 0xFF) == 0) continue;
    const V gx = V::load(rows.gx + i), gy = V::load(rows.gy + i), c = V::load(rows.c + i);
    const V norm = abs(gx) + abs(gy) + abs(c);
    const V e = V::load(rows.e + i), threshold = fma(e, m, norm * k);
    const V value = fma(gx, x, fma(gy, y, c * w));
    const unsigned finite = greater(V::broadcast(kLargest), (norm + e) * m);
    positive[word] |= static_cast<std::uint64_t>(finite & greater(value, threshold)) << shift;
    negative[word] |= static_cast<std::uint64_t>(finite & greater(zero - threshold, value))
                      << shift;
  }
}

inline void add_row(double* gx, double* gy, double* c, double* e, const double* weight,
                    std::size_t n, const double* row) {
  const V rx = V::broadcast(row[0]), ry = V::broadcast(row[1]), rc = V::broadcast(row[2]);
  const V re = V::broadcast(row[3]);
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const V w = V::load(weight + i);
    fma(w, rx, V::load(gx + i)).store(gx + i);
    fma(w, ry, V::load(gy + i)).store(gy + i);
    fma(w, rc, V::load(c + i)).store(c + i);
    fma(abs(w), re, V::load(e + i)).store(e + i);
  }
  for (; i < n; ++i) {  // at most seven: the run of one convolution position may be short
    const double w = weight[i];
    gx[i] += w * row[0];
    gy[i] += w * row[1];
    c[i] += w * row[2];
    e[i] += (w < 0 ? -w : w) * row[3];
  }
}

// B vectors of outputs stay in registers while the active inputs stream past. With kErrors the
// fourth column grows by |weight| * error; without, the caller bounds it in another way.
template <int B, bool kErrors>
inline void add_rows_block(double* const* out, std::size_t i, const double* weight,
                           std::size_t lead, const std::int32_t* active, std::size_t n_active,
                           const double* rows) {
  V ax[B], ay[B], ac[B], ae[B];
  for (int b = 0; b < B; ++b) {
    ax[b] = V::load(out[0] + i + 8 * b);
    ay[b] = V::load(out[1] + i + 8 * b);
    ac[b] = V::load(out[2] + i + 8 * b);
    if (kErrors) ae[b] = V::load(out[3] + i + 8 * b);
  }
  for (std::size_t k = 0; k < n_active; ++k) {
    const double* column = weight + static_cast<std::size_t>(active[k]) * lead + i;
    const V rx = V::broadcast(rows[4 * k]), ry = V::broadcast(rows[4 * k + 1]);
    const V rc = V::broadcast(rows[4 * k + 2]), re = V::broadcast(rows[4 * k + 3]);
    for (int b = 0; b < B; ++b) {
      const V w = V::load(column + 8 * b);
      ax[b] = fma(w, rx, ax[b]);
      ay[b] = fma(w, ry, ay[b]);
      ac[b] = fma(w, rc, ac[b]);
      if (kErrors) ae[b] = fma(abs(w), re, ae[b]);
    }
  }
  for (int b = 0; b < B; ++b) {
    ax[b].store(out[0] + i + 8 * b);
    ay[b].store(out[1] + i + 8 * b);
    ac[b].store(out[2] + i + 8 * b);
    if (kErrors) ae[b].store(out[3] + i + 8 * b);
  }
}

// The outputs fall into blocks of nearly equal size: a last block of one vector would wait for
// its own sums.
template <bool kErrors>
inline void add_rows_with(double* const* out, const double* weight, std::size_t lead,
                          const std::int32_t* active, std::size_t n_active, const double* rows) {
  const std::size_t vectors = lead / 8;
  std::size_t blocks = (vectors + kBlock - 1) / kBlock;
  for (std::size_t v = 0; v < vectors; --blocks) {
    const std::size_t take = (vectors - v + blocks - 1) / blocks, i = 8 * v;
    if (kBlock >= 5 && take == 5)
      add_rows_block<5, kErrors>(out, i, weight, lead, active, n_active, rows);
    else if (kBlock >= 4 && take == 4)
      add_rows_block<4, kErrors>(out, i, weight, lead, active, n_active, rows);
    else if (kBlock >= 3 && take == 3)
      add_rows_block<3, kErrors>(out, i, weight, lead, active, n_active, rows);
    else if (kBlock >= 2 && take == 2)
      add_rows_block<2, kErrors>(out, i, weight, lead, active, n_active, rows);
    else
      add_rows_block<1, kErrors>(out, i, weight, lead, active, n_active, rows);
    v += take;
  }
}

// A tile of inputs at a time: its weights then come from the first-level cache for all blocks of
// outputs but the first.
inline void add_rows(double* const* out, const double* weight, std::size_t lead,
                     const std::int32_t* active, std::size_t n_active, const double* rows,
                     bool errors) {
  if (lead == 0) return;               // a layer of width zero
  constexpr std::size_t kTile = 3072;  // doubles: 24 kB of the usual 32 kB
  const std::size_t tile = lead >= kTile ? 1 : kTile / lead;
  for (std::size_t k = 0; k < n_active; k += tile) {
    const std::size_t n = n_active - k < tile ? n_active - k : tile;
    if (errors)
      add_rows_with<true>(out, weight, lead, active + k, n, rows + 4 * k);
    else
      add_rows_with<false>(out, weight, lead, active + k, n, rows + 4 * k);
  }
}

// One step of the dot product Dot2 for eight outputs: the product and the sum are split without
// error, what they leave goes to the low part.
inline void add_double_double(double* high, double* low, V w, double row_high, double row_low) {
  const V factor = V::broadcast(row_high), old = V::load(high), p = w * factor;
  const V rest = fma(w, V::broadcast(row_low), product_rest(w, factor, p));
  const V s = old + p, t = s - old;
  const V left = (old - (s - t)) + (p - t);
  s.store(high);
  (V::load(low) + (left + rest)).store(low);
}

// kWidth is the width where it is known, so that the columns are unrolled, else zero.
template <std::size_t kWidth>
inline void add_double_double_at(double* out, std::size_t lead, std::size_t width, V w,
                                 const double* row) {
  if (kWidth != 0) width = kWidth;
  for (std::size_t k = 0; k < width; ++k) {
    double* high = out + k * lead;
    add_double_double(high, high + width * lead, w, row[k], row[width + k]);
  }
  double* e = out + 2 * width * lead;
  fma(abs(w), V::broadcast(row[2 * width]), V::load(e)).store(e);
}

// A short run takes a whole vector, too: zero weights change nothing.
template <std::size_t kWidth>
inline void add_row_double_double_of(double* out, std::size_t lead, std::size_t width,
                                     const double* weight, std::size_t n, const double* row) {
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8)
    add_double_double_at<kWidth>(out + i, lead, width, V::load(weight + i), row);
  if (i == n) return;
  double rest[8] = {};
  for (std::size_t j = i; j < n; ++j) rest[j - i] = weight[j];
  add_double_double_at<kWidth>(out + i, lead, width, V::load(rest), row);
}

inline void add_row_double_double(double* out, std::size_t lead, std::size_t width,
                                  const double* weight, std::size_t n, const double* row) {
  if (width == 3)
    add_row_double_double_of<3>(out, lead, width, weight, n, row);
  else
    add_row_double_double_of<0>(out, lead, width, weight, n, row);
}
