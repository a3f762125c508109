// SPDX-License-Identifier: MIT
#include "arrangement/sweeper.hpp"
#include "linear_regions/sign_vector.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace linear_regions::sweeping {
namespace {

constexpr double kUlp = 0x1p-53, kTiny = 0x1p-900;

[[noreturn]] void not_simple(const char* what, const std::vector<std::uint32_t>& rows,
                             bool coordinates) {
  std::string text = "hyperplanes";
  for (std::size_t i = 0; i < rows.size(); ++i)
    text += (i == 0 ? " " : ", ") + std::to_string(rows[i]);
  throw NotSimple(text + " " + what, coordinates);
}

}  // namespace

Binomials::Binomials(std::size_t n, std::size_t k) : columns_(k + 1), table_((n + 1) * (k + 1)) {
  for (std::size_t i = 0; i <= n; ++i)
    for (std::size_t j = 0; j <= k && j <= i; ++j) {
      if (j == 0 || j == i) {
        table_[i * columns_ + j] = 1;
        continue;
      }
      const std::uint64_t a = table_[(i - 1) * columns_ + j - 1];
      const std::uint64_t b = table_[(i - 1) * columns_ + j];
      table_[i * columns_ + j] = a > kTooMany - b ? kTooMany : a + b;
    }
}

Sweeper::Sweeper(const Hyperplanes& hyperplanes, const Binomials& binomials, Arithmetic arithmetic)
    : input_(hyperplanes),
      binomials_(binomials),
      kernels_(kernels()),
      certified_(arithmetic == Arithmetic::kCertified),
      n_(hyperplanes.n),
      d_(hyperplanes.d),
      words_((n_ + 63) / 64),
      functional_(padded(n_)),
      lanes_(padded(n_) + kLanes),
      wide_((lanes_ + 31) / 32 * 32),
      minors_(hyperplanes) {
  vertex_memory_.resize(2 * lanes_);
  one_.resize(2 * wide_ + kLanes, 0.0);
  one_[wide_] = kHuge;
  known_.resize(words_ + 1);
  up_.resize((d_ + 1) * (words_ + 1));
  own_.resize(n_ * words_);
  cells_.resize(n_ * words_);
  open_.resize(n_ + 1);
  exempt_.resize(words_);
  vertices_ = {vertex_memory_.data(), vertex_memory_.data() + lanes_, up_.data(), known_.data()};
}

// The block of depth t of a level with k columns: k - t active columns, the offset, three error
// columns and t multipliers.
void Sweeper::load(std::size_t level) {
  level_ = level;
  depths_.assign(level, {});
  std::size_t arrays = 0;
  for (std::size_t t = 0; t < level; ++t) arrays += level + 4;
  memory_.assign(arrays * wide_, 0.0);
  double* next = memory_.data();
  const auto take = [&] {
    next += wide_;
    return next - wide_;
  };
  for (std::size_t t = 0; t < level; ++t) {
    Depth& depth = depths_[t];
    for (std::size_t c = 0; c < level - t; ++c) depth.active.push_back(take());
    for (std::size_t m = 0; m < t; ++m) depth.nu.push_back(take());
    Block& b = depth.block;
    b = {depth.active.data(), depth.active.size(), take(), take(), take(), take(),
         depth.nu.data(),     depth.nu.size()};
    std::fill(b.beta + lanes_, b.beta + wide_, kHuge);
  }
  const Block& start = depths_[0].block;
  start.active[level - 1][functional_] = 1.0;
  for (std::size_t i = 0; i < n_; ++i) {
    const double* row = input_.row(i);
    double most = 0;
    for (std::size_t c = 0; c < level; ++c) most = std::max(most, std::fabs(row[c]));
    // A power of two: exact, but for entries that underflow, which kTiny covers.
    const int scale = most > 0 ? -std::ilogb(most) : 0;
    for (std::size_t c = 0; c < level; ++c) start.active[c][i] = std::ldexp(row[c], scale);
    start.beta[i] = std::ldexp(level == d_ ? row[d_] : -row[level], scale);
    const double doubt = input_.exact.empty() ? 0.0 : 2 * kUlp;
    start.error[i] = 2 * doubt + kTiny;
    start.beta_error[i] = doubt * std::fabs(start.beta[i]) + kTiny;
  }
}

std::uint64_t Sweeper::run(std::size_t level, std::uint64_t first, std::uint64_t last,
                           std::uint64_t* out, std::size_t stride,
                           const std::function<bool(std::uint64_t)>& go_on) {
  // A line of level 1 writes into the first block.
  if (level == 1 || (level > 0 && (depths_.empty() || level_ != level))) load(level);
  level_ = level;
  first_ = first;
  last_ = last;
  done_ = 0;
  out_ = out;
  stride_ = stride;
  go_on_ = &go_on;
  stopped_ = false;
  prefix_.clear();
  if (level == 0) {
    std::vector<std::uint64_t> words(words_, 0);
    level_zero(words.data());
    if (out != nullptr) std::copy(words.begin(), words.end(), out);
    done_ = 1;
  } else {
    descend(0, 0, 0, false);
  }
  return done_;
}

// Prefixes in lexicographic order; `base` is the rank of the first chamber below.
void Sweeper::descend(std::size_t depth, std::size_t start, std::uint64_t base, bool blind) {
  const std::size_t left = level_ - depth;
  if (left == 1) {
    line(depth, start, base, blind);
    return;
  }
  for (std::size_t p = start; p + left <= n_ && base < last_ && !stopped_; ++p) {
    const std::uint64_t below = binomials_(n_ - p - 1, left - 1);
    if (base + below > first_) {
      const bool sure = !blind && eliminate(depth, p);
      prefix_.push_back(static_cast<std::uint32_t>(p));
      descend(depth + 1, p + 1, base, !sure);
      prefix_.pop_back();
    }
    base += below;
  }
}

// False when no entry of the row is certainly not zero: below, floating point decides nothing.
bool Sweeper::eliminate(std::size_t depth, std::size_t row) {
  const Block& in = depths_[depth].block;
  Pivot pivot;
  pivot.lane = row;
  for (std::size_t c = 0; c < in.n_active; ++c)
    if (std::fabs(in.active[c][row]) > std::fabs(pivot.value)) {
      pivot.value = in.active[c][row];
      pivot.column = c;
    }
  pivot.error = in.error[row];
  if (!(std::fabs(pivot.value) > 2 * pivot.error)) return false;
  pivot.beta = in.beta[row];
  pivot.beta_error = in.beta_error[row];
  pivot.nu_error = in.nu_error[row];
  for (std::size_t m = 0; m < in.n_nu; ++m)
    pivot.nu_size = std::max(pivot.nu_size, std::fabs(in.nu[m][row]));
  kernels_.eliminate(in, depths_[depth + 1].block, pivot, lanes_, row + 1);
  return true;
}

void Sweeper::line(std::size_t depth, std::size_t start, std::uint64_t base, bool blind) {
  if (start >= n_) return;
  const std::uint64_t from = first_ > base ? first_ - base : 0;
  const std::uint64_t to = std::min<std::uint64_t>(n_ - start, last_ - base);
  if (from >= to) return;
  ++lines_;
  store_line(depths_[depth], start + from, start + to, blind);
  done_ += to - from;
  stopped_ = !(*go_on_)(done_);
}

void Sweeper::store_line(const Depth& here, std::size_t first, std::size_t last, bool blind) {
  const std::size_t count = last - first;
  std::uint64_t* out = out_ != nullptr ? out_ + done_ * stride_ : cells_.data();
  const std::size_t stride = out_ != nullptr ? stride_ : words_;
  std::fill(exempt_.begin(), exempt_.end(), 0);
  if (n_ % 64 != 0) exempt_.back() = ~std::uint64_t{0} << (n_ % 64);
  for (const std::uint32_t p : prefix_) set_sign(exempt_.data(), p);
  if (blind && !certified_) {  // an estimate anyway
    for (std::size_t j = first; j < last; ++j)
      std::fill_n(out + (j - first) * stride, words_, std::uint64_t{0});
    return;
  }
  if (blind) {
    for (std::size_t j = first; j < last; ++j) exact_chamber(j, out + (j - first) * stride);
    return;
  }
  Line rows{here.active[0], here.block.beta, padded(n_)};
  kernels_.vertices(here.block, rows, functional_, first, vertices_);
  const std::size_t mask_words = (rows.lanes + 63) / 64;
  std::fill_n(own_.data(), count * words_, std::uint64_t{0});
  for (std::size_t m = 0; m <= prefix_.size(); ++m) {
    const std::uint64_t* up = up_.data() + m * mask_words;
    for (std::size_t j = first; j < last; ++j) {
      const std::size_t at = m < prefix_.size() ? prefix_[m] : j;
      own_[(j - first) * words_ + (at >> 6)] |= static_cast<std::uint64_t>(get_sign(up, j))
                                                << (at & 63);
    }
  }
  if (!certified_) std::fill_n(vertices_.threshold, lanes_, 0.0);
  exempt_lanes(here);
  rows.lanes = wide_;
  const std::size_t n_open =
      kernels_.cells(rows, first, last, vertices_.t, vertices_.threshold, own_.data(),
                     exempt_.data(), one_.data() + wide_, words_, out, stride, open_.data());
  if (!certified_) return;
  for (std::size_t i = 0; i < n_open; ++i)
    known_[open_[i] >> 6] &= ~(std::uint64_t{1} << (open_[i] & 63));
  for (std::size_t j = first; j < last; ++j)
    if (!get_sign(known_.data(), j)) exact_chamber(j, out + (j - first) * stride);
}

// Rows without a sign of their own get one that is always certain.
void Sweeper::exempt_lanes(const Depth& here) {
  double *alpha = here.active[0], *beta = here.block.beta;
  for (const std::uint32_t p : prefix_) beta[p] = kHuge;
  for (std::size_t i = n_; i < lanes_; ++i) beta[i] = kHuge;
  alpha[functional_] = 0.0;
}

int Sweeper::exact_sign(bool offset) {
  ++exact_signs_;
  return minors_.sign(chosen_, level_, offset);
}

// All signs of the chamber whose lowest vertex lies on the prefix and on `row`, by Cramer's rule.
void Sweeper::exact_chamber(std::size_t row, std::uint64_t* words) {
  ++exact_chambers_;
  const bool lower = level_ < d_;
  chosen_ = prefix_;
  chosen_.push_back(static_cast<std::uint32_t>(row));
  const int base = exact_sign(false);
  if (base == 0) not_simple("have dependent normals", chosen_, lower);
  std::fill_n(words, words_, std::uint64_t{0});
  for (std::size_t i = 0; i < level_; ++i) {
    const std::uint32_t self = chosen_[i];
    chosen_[i] = static_cast<std::uint32_t>(n_);
    const int sign = exact_sign(false) * base;
    chosen_[i] = self;
    if (sign == 0) not_simple("meet in a line on which the functional is constant", chosen_, true);
    if (sign > 0) set_sign(words, self);
  }
  std::size_t next = 0;
  for (std::size_t k = 0; k < n_; ++k) {
    if (next < level_ && chosen_[next] == k) {
      ++next;
      continue;
    }
    chosen_.push_back(static_cast<std::uint32_t>(k));
    const int sign = exact_sign(true) * base;
    if (sign == 0) not_simple("meet in a common point", chosen_, lower);
    if (sign > 0) set_sign(words, k);
    chosen_.pop_back();
  }
}

void Sweeper::level_zero(std::uint64_t* words) {
  for (std::size_t k = 0; k < n_; ++k) {
    chosen_.assign(1, static_cast<std::uint32_t>(k));
    const int sign = exact_sign(true);
    if (sign == 0) not_simple("has no definite sign", chosen_, d_ > 0);
    if (sign > 0) set_sign(words, k);
  }
}

}  // namespace linear_regions::sweeping
