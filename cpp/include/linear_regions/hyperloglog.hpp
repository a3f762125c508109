// SPDX-License-Identifier: MIT
// HyperLogLog: how many distinct hashes a stream had, in constant memory.
//
//   p          precision, m = 2^p registers
//   q          64 - p, bits of a hash behind the register's number
//   register   1 + the greatest number of leading zeros among those q bits, over its hashes;
//              0 where it had none; at most q + 1
//
// The hash is taken as random. The relative standard error is 1.04 / sqrt(m); for fewer distinct
// hashes than registers it is smaller. Registers are a maximum over a set, so merging, repeating
// and reordering change nothing. The estimate is Ertl's corrected raw estimator (New cardinality
// estimation algorithms for HyperLogLog sketches, arXiv 1702.01284, algorithm 6): no tables, and
// no seam between small and large numbers.
//
// Any number of threads may add at once.
#pragma once

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "linear_regions/hash.hpp"
#include "linear_regions/sketch_register.hpp"

namespace linear_regions {

inline constexpr unsigned kMinPrecision = 4;
inline constexpr unsigned kMaxPrecision = 18;

class HyperLogLog {
 public:
  explicit HyperLogLog(unsigned precision)
      : precision_(checked(precision)), registers_(std::size_t{1} << precision) {}

  void add(Word hash) noexcept {
    raise(registers_[register_of(hash, precision_)], rank_of(hash, precision_));
  }

  // Registers of another sketch of the same precision.
  void merge(std::span<const std::uint8_t> other) {
    if (other.size() != registers_.size()) throw std::invalid_argument("another precision");
    for (const std::uint8_t value : other)
      if (value > 65 - precision_) throw std::invalid_argument("a register is out of range");
    for (std::size_t i = 0; i < other.size(); ++i) raise(registers_[i], other[i]);
  }

  [[nodiscard]] std::vector<std::uint8_t> registers() const {
    std::vector<std::uint8_t> out(registers_.size());
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = registers_[i].load(std::memory_order_relaxed);
    return out;
  }

  [[nodiscard]] unsigned precision() const noexcept { return precision_; }

  [[nodiscard]] double estimate() const {
    const unsigned q = 64 - precision_;
    std::vector<double> number(q + 2, 0.0);  // of registers with each value
    for (const std::uint8_t value : registers()) number[value] += 1.0;
    const auto m = static_cast<double>(registers_.size());
    double z = m * tau(1.0 - number[q + 1] / m);
    for (unsigned k = q; k >= 1; --k) z = 0.5 * (z + number[k]);
    z += m * sigma(number[0] / m);
    constexpr double kAlpha = 0.7213475204444817;  // 1 / (2 ln 2)
    return kAlpha * m * m / z;
  }

 private:
  static unsigned checked(unsigned precision) {
    if (precision < kMinPrecision || precision > kMaxPrecision)
      throw std::invalid_argument("the precision of a sketch is 4 to 18");
    return precision;
  }

  static void raise(std::atomic<std::uint8_t>& target, std::uint8_t value) noexcept {
    std::uint8_t now = target.load(std::memory_order_relaxed);
    while (now < value && !target.compare_exchange_weak(now, value, std::memory_order_relaxed)) {
    }
  }

  // sigma(x) = x + sum over k >= 1 of x^(2^k) 2^(k-1); infinite at 1, where all registers are 0.
  static double sigma(double x) {
    if (x == 1.0) return INFINITY;
    double y = 1.0, z = x;
    for (double before = -1.0; z != before;) {
      before = z;
      x *= x;
      z += x * y;
      y += y;
    }
    return z;
  }

  // tau(x) = (1 - x - sum over k >= 1 of (1 - x^(2^-k))^2 2^-k) / 3.
  static double tau(double x) {
    if (x == 0.0 || x == 1.0) return 0.0;
    double y = 1.0, z = 1.0 - x;
    for (double before = -1.0; z != before;) {
      before = z;
      x = std::sqrt(x);
      y *= 0.5;
      z -= (1.0 - x) * (1.0 - x) * y;
    }
    return z / 3.0;
  }

  unsigned precision_;
  std::vector<std::atomic<std::uint8_t>> registers_;
};

}  // namespace linear_regions
