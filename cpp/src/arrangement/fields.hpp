// SPDX-License-Identifier: MIT
// Prime fields for the flat recursion: SmallField for p < 2^13 (table of inverses, sums of products
// reduced once), LargeField for odd p < 2^62 (Montgomery form). Equal numbers have equal bits in
// both, so comparing entries compares numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace linear_regions {

__extension__ typedef unsigned __int128 Wide128;

class SmallField {
 public:
  using T = std::uint16_t;
  using Sum = std::uint32_t;  // up to 64 products of entries
  static constexpr std::uint64_t kLimit = std::uint64_t{1} << 13;

  explicit SmallField(std::uint64_t p)
      : p_(static_cast<std::uint32_t>(p)), magic_(~std::uint64_t{0} / p + 1), inverse_(p) {
    if (p > 1) inverse_[1] = 1;
    // i * (p / i) + p mod i = p, hence 1 / i = -(p / i) / (p mod i).
    for (std::uint32_t i = 2; i < p_; ++i)
      inverse_[i] = static_cast<T>((p_ - p_ / i) * inverse_[p_ % i] % p_);
  }
  T from(std::uint64_t value) const { return static_cast<T>(value % p_); }
  // Remainder by two multiplications (Lemire, Kaser, Kurz 2019).
  T reduce(Sum value) const {
    return static_cast<T>((static_cast<Wide128>(magic_ * value) * p_) >> 64);
  }
  void add_product(Sum& sum, T a, T b) const { sum += static_cast<Sum>(a) * b; }
  T mul(T a, T b) const { return reduce(static_cast<Sum>(a) * b); }
  T sub(T a, T b) const { return static_cast<T>(a >= b ? a - b : a + p_ - b); }
  T neg(T a) const { return static_cast<T>(a == 0 ? 0 : p_ - a); }
  T inv(T a) const { return inverse_[a]; }
  std::uint32_t size() const { return p_; }

 private:
  std::uint32_t p_;
  std::uint64_t magic_;
  std::vector<T> inverse_;
};

class LargeField {
 public:
  using T = std::uint64_t;
  using Sum = std::uint64_t;

  explicit LargeField(std::uint64_t p) : p_(p), minus_inverse_(1) {
    // Newton's iteration doubles the correct bits of 1 / p modulo 2^64.
    for (int i = 0; i < 6; ++i) minus_inverse_ *= 2 - p * minus_inverse_;
    minus_inverse_ = ~minus_inverse_ + 1;
    const auto one = static_cast<T>((static_cast<Wide128>(1) << 64) % p);
    square_ = static_cast<T>(static_cast<Wide128>(one) * one % p);
    one_ = one;
  }
  T from(std::uint64_t value) const { return mul(value % p_, square_); }
  T reduce(Sum value) const { return value; }
  void add_product(Sum& sum, T a, T b) const {
    sum += mul(a, b);
    if (sum >= p_) sum -= p_;
  }
  T mul(T a, T b) const {
    const Wide128 t = static_cast<Wide128>(a) * b;
    const std::uint64_t m = static_cast<std::uint64_t>(t) * minus_inverse_;
    const auto q = static_cast<std::uint64_t>((t + static_cast<Wide128>(m) * p_) >> 64);
    return q >= p_ ? q - p_ : q;
  }
  T sub(T a, T b) const { return a >= b ? a - b : a + p_ - b; }
  T neg(T a) const { return a == 0 ? 0 : p_ - a; }
  T inv(T a) const {
    T result = one_;
    for (std::uint64_t e = p_ - 2; e != 0; e >>= 1, a = mul(a, a))
      if (e & 1) result = mul(result, a);
    return result;
  }
  T one() const { return one_; }

 private:
  std::uint64_t p_, minus_inverse_;
  T square_ = 0, one_ = 0;
};

}  // namespace linear_regions
