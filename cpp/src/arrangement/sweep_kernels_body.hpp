// SPDX-License-Identifier: MIT
// Bodies of the sweep's kernels over a vector type V of eight doubles. Included by one source file
// per instruction set, inside an unnamed namespace; see kernels_body.hpp for what that forbids.
//
// Errors. Let u = kUnit, c = doubt / u, s, sb, sn the three sizes of row k, index p the pivot row,
// a its entry in the pivot's column, known up to e = c u s_p < |a| / 2, and f = x_k / a. Then f is
// off by at most df = c u (s_k + |f| s_p) / (|a| - e) + 3 u |f|. With R = (|a| + e) / (|a| - e) and
//   s'  = s + |f| s_p
//   sb' = sb + |f| sb_p + s' (|b_p| + c u sb_p) / (2 |a|)
//   sn' = sn + |f| (sn_p + 1) + s' (nu_p + c u sn_p + 1) / (2 |a|), nu_p the largest |nu| of the
//   pivot c'  = (1 + R) c + 7
// the sizes still bound the absolute values, and c' u times them the errors. For an entry
// x' = x_k - f x_p, where |x_p| <= |a| since the pivot is the largest entry of its row:
//   error <= c u (s + |f| s_p) + df (|x_p| + e) + u (|x'| + 2 |f x_p|)
//         <= c u s' + R c u s' + 3 u |f| (|a| + e) + 3 u s'  <=  u s' ((1 + R) c + 6 + 3 c u),
// fused or not. For an offset the second term is df (|b_p| + c u sb_p), of which the last summand
// of sb' is the part with c, divided by 1 + R = 2 |a| / (|a| - e); c <= c' / 2 covers the others.
// The same for multipliers, among them the new one, f itself, whose error is df. Roundings of the
// sizes themselves go into kInflate; so does what underflow takes, as no s is below 1 and no sb
// below 2^-900.
//
// Sizes never fall, and a step from a size that is infinite or NaN gives another. So a look at
// them on the line tells whether any number before was not finite.

constexpr double kFinite = 0x1p900;  // thresholds below it come from finite numbers

inline void eliminate(const Block& in, const Block& out, const Pivot& pivot, std::size_t lanes,
                      std::size_t from) {
  const V minus_inverse = V::broadcast(0.0 - pivot.inverse), p_beta = V::broadcast(pivot.beta);
  const V p_size = V::broadcast(pivot.size), p_beta_size = V::broadcast(pivot.beta_size);
  const V p_nu_size = V::broadcast(pivot.nu_size + 1.0);
  const V beta_share = V::broadcast(pivot.beta_share), nu_share = V::broadcast(pivot.nu_share);
  from = from / 8 * 8;
  for (std::size_t i = 0; i < lanes; i += 8) {
    const V minus_f = V::load(in.active[pivot.column] + i) * minus_inverse, size_f = abs(minus_f);
    std::size_t to = 0;
    for (std::size_t c = 0; c < in.n_active; ++c) {
      if (c == pivot.column) continue;
      const V x = V::load(in.active[c] + i);
      fma(minus_f, V::broadcast(in.active[c][pivot.lane]), x).store(out.active[to++] + i);
    }
    fma(minus_f, p_beta, V::load(in.beta + i)).store(out.beta + i);
    const V size = fma(size_f, p_size, V::load(in.size + i));
    size.store(out.size + i);
    fma(beta_share, size, fma(size_f, p_beta_size, V::load(in.beta_size + i)))
        .store(out.beta_size + i);
    if (i < from) continue;
    for (std::size_t m = 0; m < in.n_nu; ++m) {
      const V x = V::load(in.nu[m] + i);
      fma(minus_f, V::broadcast(in.nu[m][pivot.lane]), x).store(out.nu[m] + i);
    }
    minus_f.store(out.nu[in.n_nu] + i);
    fma(nu_share, size, fma(size_f, p_nu_size, V::load(in.nu_size + i))).store(out.nu_size + i);
  }
  // The pivot's own lane is known to vanish.
  for (std::size_t c = 0; c < out.n_active; ++c) out.active[c][pivot.lane] = 0.0;
  out.beta[pivot.lane] = -kHuge;
  out.size[pivot.lane] = out.beta_size[pivot.lane] = 0.0;
}

inline double largest_lane(V x) {
  double lane[8], result = 0;
  x.store(lane);
  for (int i = 0; i < 8; ++i) result = lane[i] > result ? lane[i] : result;
  return result;
}

// What all vertices of a line share.
struct Shared {
  double gamma = 0, gamma_size = 0;           // the functional
  double minus_f = 0, kappa_size = 0;         // its multiplier by the last pivot, nu_size
  double kappa = 0;                           // the largest of its multipliers
  double alpha = 0, size = 0, beta_size = 0;  // the largest of all lanes
  bool finite = false;
};

inline Shared last_step(const Block& in, const Pivot& pivot, const LineTask& task,
                        const Line& out) {
  const double* const entry = in.active[pivot.column];
  const double* const other = in.active[1 - pivot.column];
  const V minus_inverse = V::broadcast(0.0 - pivot.inverse), p_beta = V::broadcast(pivot.beta);
  const V p_other = V::broadcast(other[pivot.lane]), p_size = V::broadcast(pivot.size);
  const V p_beta_size = V::broadcast(pivot.beta_size);
  const V beta_share = V::broadcast(pivot.beta_share), limit = V::broadcast(kFinite);
  V most = V::zero(), most_size = V::zero(), most_beta = V::zero();
  unsigned finite = 0xFF;
  for (std::size_t i = 0; i < task.lanes; i += 8) {
    const V minus_f = V::load(entry + i) * minus_inverse, size_f = abs(minus_f);
    const V alpha = fma(minus_f, p_other, V::load(other + i));
    const V size = fma(size_f, p_size, V::load(in.size + i));
    const V beta_size = fma(beta_share, size, fma(size_f, p_beta_size, V::load(in.beta_size + i)));
    alpha.store(out.alpha + i);
    fma(minus_f, p_beta, V::load(in.beta + i)).store(out.beta + i);
    size.store(out.size + i);
    beta_size.store(out.beta_size + i);
    most = max(most, abs(alpha));
    most_size = max(most_size, size);
    most_beta = max(most_beta, beta_size);
    finite &= greater(limit, beta_size);  // it contains the other size
  }
  const std::size_t functional = task.n;
  Shared shared;
  shared.gamma = out.alpha[functional];
  shared.gamma_size = out.size[functional];
  shared.minus_f = (0.0 - pivot.inverse) * entry[functional];
  const double size_f = shared.minus_f < 0 ? -shared.minus_f : shared.minus_f;
  shared.kappa_size =
      in.nu_size[functional] + size_f * (pivot.nu_size + 1.0) + pivot.nu_share * shared.gamma_size;
  shared.kappa = size_f;
  for (std::size_t m = 0; m < in.n_nu; ++m) {
    const double kappa = in.nu[m][functional] + shared.minus_f * in.nu[m][pivot.lane];
    const double size = kappa < 0 ? -kappa : kappa;
    shared.kappa = size > shared.kappa ? size : shared.kappa;
  }
  shared.alpha = largest_lane(most);
  shared.size = largest_lane(most_size);
  shared.beta_size = largest_lane(most_beta);
  shared.finite = finite == 0xFF;
  out.alpha[pivot.lane] = out.alpha[functional] = 0.0;
  out.beta[pivot.lane] = out.beta[functional] = -kHuge;
  return shared;
}

// For the rows j from task.from (rounded down to whole vectors) on: where they meet the line, up
// to which size a sign there is in doubt, and the signs of the rows of the vertex: of
// lambda = gamma / alpha_j for row j, of kappa_m - lambda nu_m for pivot m.
inline void vertices(const Block& in, const Pivot& pivot, const LineTask& task,
                     const Shared& shared, const Line& out) {
  const double doubt = pivot.doubt, wide = (doubt + 3 * kUnit) * kInflate;
  const V inflate = V::broadcast(kInflate), zero = V::zero(), tiny = V::broadcast(kTinyError);
  const V three = V::broadcast(3 * kUnit), two = V::broadcast(2.0), one = V::broadcast(1.0);
  const V relative_doubt = V::broadcast(doubt), any = V::broadcast(wide);
  const V limit = V::broadcast(kFinite), minus_inverse = V::broadcast(0.0 - pivot.inverse);
  const V size_all = V::broadcast(shared.size), beta_all = V::broadcast(shared.beta_size);
  const V reach = V::broadcast(shared.alpha + doubt * shared.size);
  const V minus_gamma = V::broadcast(0.0 - shared.gamma);
  const V gamma_error = V::broadcast(doubt * shared.gamma_size);
  const V kappa_error = V::broadcast(doubt * shared.kappa_size);
  const V kappa_all = V::broadcast(shared.kappa);
  const V p_nu_size = V::broadcast(pivot.nu_size + 1.0), nu_share = V::broadcast(pivot.nu_share);
  const double* const entry = in.active[pivot.column];
  const std::size_t words = (task.n + 63) / 64;
  const bool finite = shared.finite;
  for (std::size_t i = task.from / 8 * 8; i < task.n; i += 8) {
    const V alpha = V::load(out.alpha + i), size = V::load(out.size + i);
    const V error = relative_doubt * size, inverse = one / alpha, size_i = abs(inverse);
    // 1 / (|alpha| - error), where alpha is known within a factor of two.
    const V relative = fma(two * error * size_i, size_i, size_i) * inflate;
    unsigned known = greater(abs(alpha), two * error);
    const V t = zero - V::load(out.beta + i) * inverse, size_t_ = abs(t);
    const V beta_error = relative_doubt * V::load(out.beta_size + i);
    const V dt = fma(fma(size_t_, error, beta_error), relative, three * size_t_);
    const V threshold = fma(dt * reach + any * fma(size_t_, size_all, beta_all), inflate, tiny);
    t.store(out.t + i);
    threshold.store(out.threshold + i);
    const V minus_lambda = minus_gamma * inverse, size_l = abs(minus_lambda);
    const V dl = fma(fma(size_l, error, gamma_error), relative, three * size_l);
    known &= greater(size_l, fma(dl, inflate, tiny)) & greater(limit, threshold);
    const V minus_f = V::load(entry + i) * minus_inverse;
    const V nu_size = fma(nu_share, size, fma(abs(minus_f), p_nu_size, V::load(in.nu_size + i)));
    V least = V::broadcast(kHuge), most = V::zero();
    std::size_t m = 0;
    for (std::size_t w = 0; w < words; ++w) {
      W own = w == i >> 6 ? signs_from(minus_lambda, static_cast<unsigned>(i & 63)) : W::zero();
      for (; m < task.n_prefix && task.prefix[m] >> 6 == w; ++m) {
        V nu = minus_f, value = V::broadcast(shared.minus_f);
        if (m < in.n_nu) {
          const double of_pivot = in.nu[m][pivot.lane];
          nu = fma(minus_f, V::broadcast(of_pivot), V::load(in.nu[m] + i));
          value = V::broadcast(in.nu[m][task.n] + shared.minus_f * of_pivot);
        }
        value = fma(minus_lambda, nu, value);  // negative where the sign is positive
        least = min(least, abs(value));
        most = max(most, abs(nu));
        own = own | sign_at(value, task.prefix[m] & 63);
      }
      own.store(out.own + w * out.own_stride + i);
    }
    const V nu_error = relative_doubt * nu_size;
    const V own_doubt = fma(dl, most + nu_error, fma(size_l, nu_error, kappa_error)) +
                        three * fma(size_l, most, kappa_all);
    const V own_threshold = fma(own_doubt, inflate, tiny);
    known &= greater(least, own_threshold) & greater(limit, own_threshold);
    std::uint64_t& word = out.known[i >> 6];
    const unsigned shift = static_cast<unsigned>(i & 63);
    word = (word & ~(std::uint64_t{0xFF} << shift)) |
           (static_cast<std::uint64_t>(finite ? known : 0U) << shift);
  }
}

inline void line(const Block& in, const Pivot& pivot, const LineTask& task, const Line& out) {
  const Shared shared = last_step(in, pivot, task, out);
  vertices(in, pivot, task, shared, out);
}

// The signs of 32 rows at N vertices. Rows without a sign carry a huge negative offset; so does,
// through a table of one huge number among zeros, the vertex' own row.
template <int N, bool kSelf>
inline void signs_of(const Line& line, std::size_t from, const V* at, const double* const* self,
                     Least* least, std::uint32_t* positive) {
  High part[N][4];
  for (std::size_t b = 0; b < 4; ++b) {
    const V alpha = V::load(line.alpha + from + 8 * b), beta = V::load(line.beta + from + 8 * b);
    for (int v = 0; v < N; ++v) {
      V value = fma(at[v], alpha, beta);
      if (kSelf) value = value + V::load(self[v] + from + 8 * b);
      part[v][b] = high(value);
      least[v].meet(part[v][b]);
    }
  }
  for (int v = 0; v < N; ++v)
    positive[v] = ~sign_bits(part[v][0], part[v][1], part[v][2], part[v][3]);
}

// The vertices j .. j + N - 1; bit v of the result: vertex v has signs left open.
template <int N>
inline unsigned cells_of(const Line& line, std::size_t n, std::size_t j, const double* one,
                         std::uint64_t* out, std::size_t stride) {
  V at[N];
  Least least[N];
  const double* self[N];
  for (std::size_t v = 0; v < N; ++v) {
    at[v] = V::broadcast(line.t[j + v]);
    self[v] = one - (j + v);
  }
  const std::size_t groups = (n + 31) / 32;
  const std::uint64_t* own = line.own + j;
  for (std::size_t g = 0; g < groups; g += 2, own += line.own_stride) {
    std::uint32_t low[N], top[N] = {};
    const auto half = [&](std::size_t group, std::uint32_t* bits) {
      if (group == j / 32 || group == (j + N - 1) / 32)
        signs_of<N, true>(line, 32 * group, at, self, least, bits);
      else
        signs_of<N, false>(line, 32 * group, at, self, least, bits);
    };
    half(g, low);
    if (g + 1 < groups) half(g + 1, top);
    for (std::size_t v = 0; v < N; ++v)
      out[v * stride + g / 2] = (low[v] | static_cast<std::uint64_t>(top[v]) << 32) | own[v];
  }
  unsigned open = 0;
  for (unsigned v = 0; v < N; ++v)
    open |= static_cast<unsigned>(!least[v].beyond(line.threshold[j + v])) << v;
  return open;
}

inline std::size_t cells(const Line& line, std::size_t n, std::size_t first, std::size_t last,
                         const double* one, std::uint64_t* out, std::size_t stride,
                         std::uint32_t* open) {
  std::size_t n_open = 0, j = first;
  const auto keep = [&](unsigned bits, std::size_t count) {
    for (std::size_t v = 0; bits != 0 && v < count; ++v)
      if ((bits >> v) & 1) open[n_open++] = static_cast<std::uint32_t>(j + v);
  };
  for (; j + 2 <= last; j += 2, out += 2 * stride)
    keep(cells_of<2>(line, n, j, one, out, stride), 2);
  if (j < last) keep(cells_of<1>(line, n, j, one, out, stride), 1);
  return n_open;
}
