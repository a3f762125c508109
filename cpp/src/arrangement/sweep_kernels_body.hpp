// SPDX-License-Identifier: MIT
// Bodies of the sweep's kernels over a vector type V of eight doubles. Included by one source file
// per instruction set, inside an unnamed namespace; see kernels_body.hpp for what that forbids.
//
// Error of one elimination step, row k by pivot p with f = a_k / a_p: the entry of the pivot's
// column is known up to error_k and error_p, so f is off by at most
//   df = (error_k + |f| error_p) / (|a_p| - error_p) + 3 u |f|,
// and the entry x_k - f x_p by error_k + |f| error_p + df (|x_p| + error_p) plus its own rounding,
// fused or not: u (|result| + 2 |f x_p|). Two factors absorb the rounding of the bounds themselves:
// kUnit > u, and kInflate.

constexpr double kUnit = 1.2e-16, kInflate = 1.0000001, kTinyError = 0x1p-900;

inline void eliminate(const Block& in, const Block& out, const Pivot& pivot, std::size_t lanes,
                      std::size_t from) {
  const double size = pivot.value < 0 ? -pivot.value : pivot.value;
  const V unit = V::broadcast(kUnit), inflate = V::broadcast(kInflate);
  const V tiny = V::broadcast(kTinyError);
  const V p_error = V::broadcast(pivot.error), inverse = V::broadcast(1.0 / pivot.value);
  const V relative = V::broadcast(kInflate / (size - pivot.error));
  const V reach = V::broadcast(size + pivot.error), two_size = V::broadcast(2 * size);
  const double b = pivot.beta < 0 ? -pivot.beta : pivot.beta;
  const V p_beta = V::broadcast(pivot.beta), p_beta_error = V::broadcast(pivot.beta_error);
  const V b_reach = V::broadcast(b + pivot.beta_error), two_b = V::broadcast(2 * b);
  const V nu_error = V::broadcast(pivot.nu_error), two_nu = V::broadcast(2 * pivot.nu_size);
  const V nu_reach = V::broadcast(pivot.nu_size + pivot.nu_error);
  const V three = V::broadcast(3 * kUnit);
  from = from / 8 * 8;
  for (std::size_t i = 0; i < lanes; i += 8) {
    const V f = V::load(in.active[pivot.column] + i) * inverse, size_f = abs(f);
    const V error = V::load(in.error + i);
    const V joint = fma(size_f, p_error, error);
    const V df = fma(joint, relative, three * size_f);
    V largest = V::zero();
    std::size_t to = 0;
    for (std::size_t c = 0; c < in.n_active; ++c) {
      if (c == pivot.column) continue;
      const V x = V::load(in.active[c] + i) - f * V::broadcast(in.active[c][pivot.lane]);
      largest = max(largest, abs(x));
      x.store(out.active[to++] + i);
    }
    const V rounding = unit * fma(size_f, two_size, largest);
    ((fma(df, reach, joint + rounding) + tiny) * inflate).store(out.error + i);
    const V beta = V::load(in.beta + i) - f * p_beta;
    beta.store(out.beta + i);
    const V b_joint = fma(size_f, p_beta_error, V::load(in.beta_error + i));
    const V b_rounding = unit * fma(size_f, two_b, abs(beta));
    ((fma(df, b_reach, b_joint + b_rounding) + tiny) * inflate).store(out.beta_error + i);
    if (i < from) continue;
    largest = V::zero();
    for (std::size_t m = 0; m < in.n_nu; ++m) {
      const V x = V::load(in.nu[m] + i) - f * V::broadcast(in.nu[m][pivot.lane]);
      largest = max(largest, abs(x));
      x.store(out.nu[m] + i);
    }
    f.store(out.nu[in.n_nu] + i);
    const V joint_nu = fma(size_f, nu_error, V::load(in.nu_error + i));
    const V rounding_nu = unit * fma(size_f, two_nu, largest);
    (max(df, fma(df, nu_reach, joint_nu + rounding_nu)) * inflate + tiny).store(out.nu_error + i);
  }
  // The pivot's own lane is known to vanish.
  for (std::size_t c = 0; c < out.n_active; ++c) out.active[c][pivot.lane] = 0.0;
  out.beta[pivot.lane] = out.error[pivot.lane] = out.beta_error[pivot.lane] = 0.0;
}

inline double largest_of(const double* values, std::size_t n) {
  V most = V::zero();
  for (std::size_t i = 0; i < n; i += 8) most = max(most, abs(V::load(values + i)));
  double lane[8], result = 0;
  most.store(lane);
  for (int i = 0; i < 8; ++i) result = lane[i] > result ? lane[i] : result;
  return result;
}

inline void vertices(const Block& block, const Line& line, std::size_t functional, std::size_t from,
                     const Vertices& out) {
  const double gamma = block.active[0][functional], gamma_error = block.error[functional];
  const double kappa_error = block.nu_error[functional];
  const V inflate = V::broadcast(kInflate), zero = V::zero();
  const V g = V::broadcast(gamma), g_error = V::broadcast(gamma_error);
  const V k_error = V::broadcast(kappa_error);
  const double alpha_size = largest_of(line.alpha, line.lanes);
  const double alpha_error = largest_of(block.error, line.lanes);
  const V a_size = V::broadcast(alpha_size), a_error = V::broadcast(alpha_error);
  const V b_size = V::broadcast(largest_of(line.beta, line.lanes));
  const V b_error = V::broadcast(largest_of(block.beta_error, line.lanes));
  const V a_reach = V::broadcast(alpha_size + alpha_error);
  const V three = V::broadcast(3 * kUnit), two = V::broadcast(2.0);
  const V tiny = V::broadcast(kTinyError);
  const std::size_t words = (line.lanes + 63) / 64;
  for (std::size_t i = from / 8 * 8; i < line.lanes; i += 8) {
    const V alpha = V::load(line.alpha + i), error = V::load(block.error + i);
    const V inverse = V::broadcast(1.0) / alpha;
    // 1 / (|alpha| - error) where alpha is known within a factor of two, else negative or NaN.
    const V gap = abs(alpha) - error;
    const V relative = inflate / gap;
    const unsigned sure = greater(abs(alpha), two * error);
    const V t = zero - V::load(line.beta + i) * inverse;
    const V size_t_ = abs(t);
    const V dt = fma(fma(size_t_, error, V::load(block.beta_error + i)), relative, three * size_t_);
    const V spread = fma(size_t_, a_error, b_error) + dt * a_reach;
    const V rounding = three * fma(size_t_, a_size, b_size);
    t.store(out.t + i);
    ((spread + rounding) * inflate + tiny).store(out.threshold + i);
    const V lambda = g * inverse, size_l = abs(lambda);
    const V dl = fma(fma(size_l, error, g_error), relative, three * size_l);
    unsigned known = sure & greater(size_l, dl * inflate + tiny);
    const std::size_t word = i >> 6;
    const unsigned shift = static_cast<unsigned>(i & 63);
    const auto put = [&](std::uint64_t* row, unsigned bits) {
      row[word] = (row[word] & ~(std::uint64_t{0xFF} << shift)) |
                  (static_cast<std::uint64_t>(bits) << shift);
    };
    put(out.up + block.n_nu * words, greater(lambda, zero));
    const V nu_error = V::load(block.nu_error + i);
    for (std::size_t m = 0; m < block.n_nu; ++m) {
      const V nu = V::load(block.nu[m] + i), kappa = V::broadcast(block.nu[m][functional]);
      const V product = lambda * nu, value = kappa - product;
      const V doubt = fma(size_l, nu_error, k_error) + dl * (abs(nu) + nu_error) +
                      three * (abs(kappa) + abs(product));
      known &= greater(abs(value), doubt * inflate + tiny);
      put(out.up + m * words, greater(value, zero));
    }
    put(out.known, known);
    // An uncertain crossing decides nothing.
    for (unsigned lane = 0; lane < 8; ++lane)
      if (!((sure >> lane) & 1)) out.threshold[i + lane] = __builtin_inf();
  }
}

// The signs of the rows at one vertex after the other. A word takes its bits from the sign bits of
// the values, once the smallest size has shown that all of them are certain; rows without a sign
// (pivots, padding) carry a huge offset, and so does, through a table of one huge number among
// zeros, the vertex' own row.
template <int G>  // groups of four vectors
inline std::uint64_t signs_of(const Line& line, std::size_t from, V at, const double* self,
                              V& least) {
  std::uint64_t negative = 0;
  for (int g = 0; g < G; ++g) {
    V value[4];
    for (int b = 0; b < 4; ++b) {
      const std::size_t i =
          from + 32 * static_cast<std::size_t>(g) + 8 * static_cast<std::size_t>(b);
      value[b] = fma(at, V::load(line.alpha + i), V::load(line.beta + i));
      least = min(least, max(abs(value[b]), V::load(self + i)));
    }
    negative |= static_cast<std::uint64_t>(sign_bits(value[0], value[1], value[2], value[3]))
                << (32 * g);
  }
  return ~negative;
}

inline std::size_t cells(const Line& line, std::size_t first, std::size_t last, const double* t,
                         const double* threshold, const std::uint64_t* own,
                         const std::uint64_t* exempt, const double* one, std::size_t words,
                         std::uint64_t* out, std::size_t stride, std::uint32_t* open) {
  std::size_t n_open = 0;
  for (std::size_t j = first; j < last; ++j, out += stride, own += words) {
    const V at = V::broadcast(t[j]);
    V least = V::broadcast(kHuge);
    const double* self = one - j;
    for (std::size_t w = 0; w < words; ++w) {
      const bool half = line.lanes - 64 * w <= 32;
      const std::uint64_t positive = half ? signs_of<1>(line, 64 * w, at, self, least)
                                          : signs_of<2>(line, 64 * w, at, self, least);
      out[w] = (positive & ~exempt[w]) | own[w];
    }
    // The own bit of row j is set by `own` alone.
    const std::uint64_t bit = std::uint64_t{1} << (j & 63);
    out[j >> 6] = (out[j >> 6] & ~bit) | (own[j >> 6] & bit);
    open[n_open] = static_cast<std::uint32_t>(j);
    n_open += greater(least, V::broadcast(threshold[j])) != 0xFF;
  }
  return n_open;
}
