// SPDX-License-Identifier: MIT
#include "linear_regions/hit_and_run.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace linear_regions {
namespace {

constexpr std::size_t kRefresh = 64;  // steps after which slacks are computed anew

class Walk {
 public:
  Walk(std::span<const double> sides, std::size_t d, std::span<const double> start)
      : d_(d), m_(sides.size() / (d + 1)), start_(start), sides_(sides), columns_(m_ * d) {
    for (std::size_t r = 0; r < m_; ++r)
      for (std::size_t j = 0; j < d; ++j) columns_[j * m_ + r] = sides[r * (d + 1) + j];
    slack_.resize(m_);
    at_start_.resize(m_);
    refresh(start.data(), at_start_);
    for (const double s : at_start_)
      if (!(s > 0)) throw std::invalid_argument("hit-and-run: the start is not inside");
  }

  void operator()(std::span<const std::uint64_t> words, double* y) {
    std::copy(start_.begin(), start_.end(), y);
    slack_ = at_start_;
    for (std::size_t k = 0; k < words.size(); ++k) {
      if (k != 0 && k % kRefresh == 0) refresh(y, slack_);
      step(words[k], y);
    }
  }

 private:
  void refresh(const double* y, std::vector<double>& slack) const {
    for (std::size_t r = 0; r < m_; ++r) slack[r] = sides_[r * (d_ + 1) + d_];
    for (std::size_t j = 0; j < d_; ++j) {
      const double* a = columns_.data() + j * m_;
      for (std::size_t r = 0; r < m_; ++r) slack[r] += a[r] * y[j];
    }
  }

  void step(std::uint64_t word, double* y) {
    const auto j = static_cast<std::size_t>(((word >> 32) * d_) >> 32);
    const double u = (static_cast<double>(word & 0xffffffffU) + 0.5) * 0x1p-32;
    const double* a = columns_.data() + j * m_;
    double low = -std::numeric_limits<double>::infinity(), high = -low;
    for (std::size_t r = 0; r < m_; ++r) {
      if (a[r] == 0) continue;
      // Rounding may leave a slack below zero by an ulp: such a side stops the walk where it is.
      const double end = -std::max(slack_[r], 0.0) / a[r];
      if (a[r] > 0)
        low = std::max(low, end);
      else
        high = std::min(high, end);
    }
    const double move = low + u * (high - low);
    if (!std::isfinite(move)) throw std::invalid_argument("hit-and-run: an unbounded chord");
    y[j] += move;
    for (std::size_t r = 0; r < m_; ++r) slack_[r] += a[r] * move;
  }

  std::size_t d_, m_;
  std::span<const double> start_, sides_;
  std::vector<double> columns_;  // [coordinate][side]
  std::vector<double> slack_, at_start_;
};

}  // namespace

void hit_and_run(std::span<const double> sides, std::size_t d, std::span<const double> start,
                 std::span<const std::uint64_t> words, std::size_t n, std::size_t n_steps,
                 std::span<double> out) {
  if (d == 0 || sides.size() % (d + 1) != 0 || start.size() != d || words.size() != n * n_steps ||
      out.size() != n * d)
    throw std::invalid_argument("hit-and-run: an array has the wrong size");
  Walk walk(sides, d, start);
  for (std::size_t i = 0; i < n; ++i) walk(words.subspan(i * n_steps, n_steps), out.data() + i * d);
}

}  // namespace linear_regions
