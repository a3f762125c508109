// SPDX-License-Identifier: MIT
// The forward pass in plain C++: any processor; and the choice among the sets.
#include <cmath>
#include <cstring>

#include "forward/forward_kernels.hpp"
#include "kernels.hpp"

namespace linear_regions {
namespace {

template <typename T>
struct Plain {
  using Real = T;
  using Register = T;
  using Mask = unsigned;
  static constexpr int kPanel = 4;
  static constexpr std::size_t kLanes = kGroup<T>, kParts = kLanes;
  static T all(T x) { return x; }
  static T part(const T* p) { return *p; }
  static void put(T* p, T x) { *p = x; }
  static T add_product(T a, T b, T c) { return std::fma(a, b, c); }
  T v[kLanes];

  static Plain load(const T* p) {
    Plain r;
    for (std::size_t s = 0; s < kLanes; ++s) r.v[s] = p[s];
    return r;
  }
  static Plain broadcast(T x) {
    Plain r;
    for (std::size_t s = 0; s < kLanes; ++s) r.v[s] = x;
    return r;
  }
  void store(T* p) const {
    for (std::size_t s = 0; s < kLanes; ++s) p[s] = v[s];
  }
  friend Plain operator*(const Plain& a, const Plain& b) {
    Plain r;
    for (std::size_t s = 0; s < kLanes; ++s) r.v[s] = a.v[s] * b.v[s];
    return r;
  }
  friend Plain operator+(const Plain& a, const Plain& b) {
    Plain r;
    for (std::size_t s = 0; s < kLanes; ++s) r.v[s] = a.v[s] + b.v[s];
    return r;
  }
  friend Plain fma(const Plain& a, const Plain& b, const Plain& c) {
    Plain r;
    for (std::size_t s = 0; s < kLanes; ++s) r.v[s] = std::fma(a.v[s], b.v[s], c.v[s]);
    return r;
  }
  friend Mask greater(const Plain& a, const Plain& b) {
    Mask mask = 0;
    for (std::size_t s = 0; s < kLanes; ++s) mask |= static_cast<Mask>(a.v[s] > b.v[s]) << s;
    return mask;
  }
  friend Plain select(Mask mask, const Plain& a, const Plain& b) {
    Plain r;
    for (std::size_t s = 0; s < kLanes; ++s) r.v[s] = (mask >> s) & 1 ? a.v[s] : b.v[s];
    return r;
  }
  friend bool finite(const Plain& a) {
    bool all = true;
    for (std::size_t s = 0; s < kLanes; ++s) all = all && std::isfinite(a.v[s]);
    return all;
  }
};

std::uint16_t bits(unsigned mask) {
  return static_cast<std::uint16_t>(mask);
}

#include "forward/kernels_body.hpp"

}  // namespace

const ForwardKernels<double> kGenericForward64 = forward_kernels_of<Plain<double>>();
const ForwardKernels<float> kGenericForward32 = forward_kernels_of<Plain<float>>();

template <>
const ForwardKernels<double>& forward_kernels<double>() {
#if defined(__x86_64__) || defined(_M_X64)
  if (std::strcmp(kernels().name, "avx512") == 0) return kAvx512Forward64;
  if (std::strcmp(kernels().name, "avx2") == 0) return kAvx2Forward64;
#endif
  return kGenericForward64;
}

template <>
const ForwardKernels<float>& forward_kernels<float>() {
#if defined(__x86_64__) || defined(_M_X64)
  if (std::strcmp(kernels().name, "avx512") == 0) return kAvx512Forward32;
  if (std::strcmp(kernels().name, "avx2") == 0) return kAvx2Forward32;
#endif
  return kGenericForward32;
}

}  // namespace linear_regions
