// SPDX-License-Identifier: MIT
// Bodies of the kernels over a type V of one group of samples. Included by one source file per
// instruction set, inside an unnamed namespace; it must not instantiate anything of the standard
// library, whose copy the linker might keep for everybody.
//
// V offers: kParts registers of type Register, all(x), part(pointer), put(pointer, register),
// add_product(a, b, c) = a * b + c in one rounding; for the whole group Real, load, broadcast,
// store, fma(a, b, c), *, +, greater(a, b) -> V::Mask, select(mask, a, b), bits(mask), finite(a),
// and kPanel, the outputs of a block: as many as registers hold sums.

// The sums are arrays of registers, unrolled before the optimizer looks at them: GCC keeps a copy
// in memory otherwise, and the kernel takes three times as long.
template <typename V, int B>
inline void block_of(typename V::Real* out, const typename V::Real* bias,
                     const typename V::Real* weight, const Run* runs, std::size_t n_runs,
                     const typename V::Real* in) {
  constexpr std::size_t kLanes = kGroup<typename V::Real>, kEach = kLanes / V::kParts;
  using Register = typename V::Register;
  Register sum[B][V::kParts];
#pragma GCC unroll 16
  for (std::size_t b = 0; b < B; ++b)
#pragma GCC unroll 16
    for (std::size_t p = 0; p < V::kParts; ++p)
      sum[b][p] = bias != nullptr ? V::all(bias[b]) : V::part(out + b * kLanes + p * kEach);
  for (std::size_t r = 0; r < n_runs; ++r) {
    const typename V::Real* x = in + runs[r].in * kLanes;
    const typename V::Real* w = weight + static_cast<std::size_t>(runs[r].weight) * B;
    for (std::size_t j = runs[r].n; j > 0; --j, x += kLanes, w += B) {
      Register value[V::kParts];
#pragma GCC unroll 16
      for (std::size_t p = 0; p < V::kParts; ++p) value[p] = V::part(x + p * kEach);
#pragma GCC unroll 16
      for (std::size_t b = 0; b < B; ++b) {
        const Register factor = V::all(w[b]);
#pragma GCC unroll 16
        for (std::size_t p = 0; p < V::kParts; ++p)
          sum[b][p] = V::add_product(factor, value[p], sum[b][p]);
      }
    }
  }
#pragma GCC unroll 16
  for (std::size_t b = 0; b < B; ++b)
#pragma GCC unroll 16
    for (std::size_t p = 0; p < V::kParts; ++p) V::put(out + b * kLanes + p * kEach, sum[b][p]);
}

template <typename V, int B = V::kPanel>
inline void block(typename V::Real* out, const typename V::Real* bias,
                  const typename V::Real* weight, std::size_t width, const Run* runs,
                  std::size_t n_runs, const typename V::Real* in) {
  if (width == B) {
    block_of<V, B>(out, bias, weight, runs, n_runs, in);
  } else if constexpr (B > 1) {
    block<V, B - 1>(out, bias, weight, width, runs, n_runs, in);
  }
}

template <typename V>
void combine(typename V::Real* out, const typename V::Real* bias, const typename V::Real* in,
             const std::uint32_t* start, const Term<typename V::Real>* terms, std::size_t n) {
  constexpr std::size_t kLanes = kGroup<typename V::Real>;
  for (std::size_t i = 0; i < n; ++i, out += kLanes) {
    V sum = bias != nullptr ? V::broadcast(bias[i]) : V::load(out);
    for (std::uint32_t t = start[i]; t < start[i + 1]; ++t)
      sum = fma(V::broadcast(terms[t].factor), V::load(in + terms[t].index * kLanes), sum);
    sum.store(out);
  }
}

template <typename V>
struct Piece {
  bool constant;
  V slope, intercept;
  Piece(typename V::Real s, typename V::Real c)
      : constant(s == 0), slope(V::broadcast(s)), intercept(V::broadcast(c)) {}
  // Slope 0 must give the constant even where z overflowed.
  V operator()(V z) const { return constant ? intercept : slope * z + intercept; }
};

template <typename V>
bool pieces(typename V::Real* out, const typename V::Real* in, std::size_t n, std::size_t k,
            const typename V::Real* breakpoints, const typename V::Real* slopes,
            const typename V::Real* intercepts, std::uint16_t* above) {
  constexpr std::size_t kLanes = kGroup<typename V::Real>;
  const Piece<V> lowest(slopes[0], intercepts[0]);
  V spoiled = V::broadcast(0);
  if (k == 1) {  // nearly every layer
    const Piece<V> upper(slopes[1], intercepts[1]);
    const V limit = V::broadcast(breakpoints[0]);
    for (std::size_t i = 0; i < n; ++i, in += kLanes, out += kLanes) {
      const V z = V::load(in);
      spoiled = fma(z, V::broadcast(0), spoiled);
      const auto over = greater(z, limit);
      select(over, upper(z), lowest(z)).store(out);
      above[i] = bits(over);
    }
    return finite(spoiled);
  }
  for (std::size_t i = 0; i < n; ++i, in += kLanes, out += kLanes) {
    const V z = V::load(in);
    spoiled = fma(z, V::broadcast(0), spoiled);
    V value = lowest(z);
    for (std::size_t j = 0; j < k; ++j) {
      const auto over = greater(z, V::broadcast(breakpoints[j]));
      value = select(over, Piece<V>(slopes[j + 1], intercepts[j + 1])(z), value);
      above[i * k + j] = bits(over);
    }
    value.store(out);
  }
  return finite(spoiled);
}

template <typename V>
bool window(typename V::Real* out, std::uint32_t* winner, const typename V::Real* in,
            const std::int32_t* entries, std::size_t n) {
  constexpr std::size_t kLanes = kGroup<typename V::Real>;
  V top = V::load(in + static_cast<std::size_t>(entries[0]) * kLanes);
  V spoiled = fma(top, V::broadcast(0), V::broadcast(0));
  for (std::size_t s = 0; s < kLanes; ++s) winner[s] = 0;
  for (std::size_t k = 1; k < n; ++k) {
    const V z = V::load(in + static_cast<std::size_t>(entries[k]) * kLanes);
    spoiled = fma(z, V::broadcast(0), spoiled);
    const auto over = greater(z, top);
    top = select(over, z, top);
    for (unsigned set = bits(over); set != 0; set &= set - 1)
      winner[__builtin_ctz(set)] = static_cast<std::uint32_t>(k);
  }
  top.store(out);
  return finite(spoiled);
}

template <typename V>
V size_of(V x) {
  return select(greater(x, V::broadcast(0)), x, x * V::broadcast(-1));
}

template <typename V>
void reach(const typename V::Real* in, std::size_t n, typename V::Real breakpoint,
           typename V::Real* largest, typename V::Real* nearest) {
  constexpr std::size_t kLanes = kGroup<typename V::Real>;
  const V back = V::broadcast(-breakpoint);
  V most = V::broadcast(0);
  V least = V::broadcast(static_cast<typename V::Real>(__builtin_inf()));
  for (std::size_t i = 0; i < n; ++i, in += kLanes) {
    const V z = V::load(in), size = size_of(z), away = size_of(z + back);
    most = select(greater(size, most), size, most);
    least = select(greater(least, away), away, least);
  }
  most.store(largest);
  least.store(nearest);
}

template <typename V>
void two_largest(const typename V::Real* in, const std::int32_t* entries, std::size_t n,
                 typename V::Real* top, typename V::Real* next) {
  constexpr std::size_t kLanes = kGroup<typename V::Real>;
  V first = V::load(in + static_cast<std::size_t>(entries[0]) * kLanes);
  V second = V::broadcast(-static_cast<typename V::Real>(__builtin_inf()));
  for (std::size_t k = 1; k < n; ++k) {
    const V z = V::load(in + static_cast<std::size_t>(entries[k]) * kLanes);
    const auto over = greater(z, first);
    const V low = select(over, first, z);
    second = select(greater(low, second), low, second);
    first = select(over, z, first);
  }
  first.store(top);
  second.store(next);
}

template <typename V, typename Point>
bool from_points(typename V::Real* out, const Point* points, std::size_t stride, std::size_t n_in) {
  constexpr std::size_t kLanes = kGroup<typename V::Real>;
  constexpr std::size_t kTile = 16;  // a cache line or two of each point at a time
  V spoiled = V::broadcast(0);
  for (std::size_t first = 0; first < n_in; first += kTile) {
    const std::size_t end = n_in - first < kTile ? n_in : first + kTile;
    for (std::size_t s = 0; s < kLanes; ++s)
      for (std::size_t j = first; j < end; ++j)
        out[j * kLanes + s] = static_cast<typename V::Real>(points[s * stride + j]);
    for (std::size_t j = first; j < end; ++j)
      spoiled = fma(V::load(out + j * kLanes), V::broadcast(0), spoiled);
  }
  return finite(spoiled);
}

template <typename V>
constexpr ForwardKernels<typename V::Real> forward_kernels_of() {
  return {static_cast<std::size_t>(V::kPanel),
          block<V>,
          combine<V>,
          pieces<V>,
          window<V>,
          reach<V>,
          two_largest<V>,
          from_points<V, double>,
          from_points<V, float>};
}
