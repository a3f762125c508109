// SPDX-License-Identifier: MIT
#include "arrangement/sweeper.hpp"
#include "linear_regions/sign_vector.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace linear_regions::sweeping {
namespace {

constexpr std::uint64_t kLook = 1024;  // chambers between two looks at the control

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
      lanes_(padded(n_ + 1)),
      wide_((lanes_ + 31) / 32 * 32),
      minors_(hyperplanes) {
  line_memory_.resize(6 * wide_, 0.0);
  one_.resize(2 * wide_ + kLanes, 0.0);
  one_[wide_] = -kHuge;
  known_.resize(words_ + 1);
  own_.resize(words_ * wide_);
  cells_.resize(n_ * words_);
  open_.resize(n_ + 1);
  double* next = line_memory_.data();
  for (double** array :
       {&line_.alpha, &line_.beta, &line_.size, &line_.beta_size, &line_.t, &line_.threshold}) {
    *array = next;
    next += wide_;
  }
  std::fill(line_.beta, line_.beta + wide_, -kHuge);
  line_.own = own_.data();
  line_.own_stride = wide_;
  line_.known = known_.data();
}

// The block of depth t of a level with k columns: k - t active columns, the offset, three sizes
// and t multipliers. A line is never stored as a block; a level with one column gets a second one,
// of zeros, which its line is the rest of.
void Sweeper::load(std::size_t level) {
  level_ = level;
  const std::size_t columns = std::max<std::size_t>(level, 2), blocks = columns - 1;
  depths_.assign(blocks, {});
  memory_.assign(blocks * (columns + 4) * lanes_, 0.0);
  double* next = memory_.data();
  const auto take = [&] {
    next += lanes_;
    return next - lanes_;
  };
  for (std::size_t t = 0; t < blocks; ++t) {
    Depth& depth = depths_[t];
    for (std::size_t c = 0; c < columns - t; ++c) depth.active.push_back(take());
    for (std::size_t m = 0; m < t; ++m) depth.nu.push_back(take());
    Block& b = depth.block;
    b = {depth.active.data(), depth.active.size(), take(), take(), take(), take(),
         depth.nu.data(),     depth.nu.size(),     0};
  }
  load_rows(depths_[0].block);
  // An entry is exact but where it underflows, or where it stands for digits that are given beside.
  depths_[0].block.doubt = input_.exact.empty() ? kUnit : 3 * kUnit;
}

void Sweeper::load_rows(const Block& start) {
  std::fill(start.beta, start.beta + lanes_, -kHuge);
  for (std::size_t i = 0; i <= n_; ++i) {
    const bool functional = i == n_;
    const double* row = functional ? nullptr : input_.row(i);
    double most = 0;
    for (std::size_t c = 0; !functional && c < level_; ++c)
      most = std::max(most, std::fabs(row[c]));
    // A power of two, hence exact.
    const int scale = most > 0 ? -std::ilogb(most) : 0;
    for (std::size_t c = 0; c < level_; ++c)
      start.active[c][i] = functional ? (c + 1 == level_ ? 1.0 : 0.0) : std::ldexp(row[c], scale);
    const double offset = functional ? 0.0 : level_ == d_ ? row[d_] : -row[level_];
    start.beta[i] = std::ldexp(offset, scale);
    // Where entries stand for digits beside, those below 2^-1022 are off by up to 2^-1075, which is
    // below kUnit times this.
    const double blurred = input_.exact.empty() ? 0.0 : std::ldexp(1.0, scale - 1021);
    start.size[i] = std::max({1.0, std::ldexp(most, scale), blurred});
    start.beta_size[i] = std::max({std::fabs(start.beta[i]), kTinyError, blurred});
  }
}

std::uint64_t Sweeper::run(std::size_t level, std::uint64_t first, std::uint64_t last,
                           std::uint64_t* out, std::size_t stride,
                           const std::function<bool(std::uint64_t)>& go_on) {
  if (level > 0 && (depths_.empty() || level_ != level)) load(level);
  level_ = level;
  first_ = first;
  last_ = last;
  done_ = 0;
  look_ = 64 * exact_signs_ + kLook;
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
  } else if (level == 1) {
    Pivot none;
    none.lane = n_;
    none.column = 1;
    none.inverse = 1.0;
    none.doubt = depths_[0].block.doubt;
    line(&none, 0, 0);
  } else {
    descend(0, 0, 0, false);
  }
  return done_;
}

// Prefixes in lexicographic order; `base` is the rank of the first chamber below. Below a pivot
// that is not certain, floating point decides nothing: blind.
void Sweeper::descend(std::size_t depth, std::size_t start, std::uint64_t base, bool blind) {
  const std::size_t left = level_ - depth;
  const Block& in = depths_[depth].block;
  Pivot pivot;
  for (std::size_t p = start; p + left <= n_ && base < last_ && !stopped_; ++p) {
    const std::uint64_t below = binomials_(n_ - p - 1, left - 1);
    if (base + below > first_) {
      const bool sure = !blind && choose_pivot(in, p, pivot);
      prefix_.push_back(static_cast<std::uint32_t>(p));
      if (left == 2) {
        line(sure ? &pivot : nullptr, p + 1, base);
      } else {
        if (sure) {
          Block& next = depths_[depth + 1].block;
          next.doubt = pivot.doubt;
          kernels_.eliminate(in, next, pivot, lanes_, p + 1);
        }
        descend(depth + 1, p + 1, base, !sure);
      }
      prefix_.pop_back();
    }
    base += below;
  }
}

// False when no entry of the row is certainly not zero. The shares and the doubt are those that
// sweep_kernels_body.hpp derives.
bool Sweeper::choose_pivot(const Block& in, std::size_t row, Pivot& pivot) const {
  double value = 0;
  pivot.lane = row;
  pivot.column = 0;
  for (std::size_t c = 0; c < in.n_active; ++c)
    if (std::fabs(in.active[c][row]) > std::fabs(value)) {
      value = in.active[c][row];
      pivot.column = c;
    }
  const double most = std::fabs(value), doubt = in.doubt;
  pivot.size = in.size[row];
  const double error = doubt * pivot.size * kInflate;
  if (!(most > 2 * error)) return false;
  pivot.inverse = 1.0 / value;
  pivot.beta = in.beta[row];
  pivot.beta_size = in.beta_size[row];
  pivot.nu_size = in.nu_size[row];
  double nu = 0;
  for (std::size_t m = 0; m < in.n_nu; ++m) nu = std::max(nu, std::fabs(in.nu[m][row]));
  const double half = 0.5 / most * kInflate;
  pivot.beta_share = (std::fabs(pivot.beta) + doubt * pivot.beta_size) * half;
  pivot.nu_share = (nu + doubt * pivot.nu_size + 1) * half;
  pivot.doubt = ((1 + (most + error) / (most - error)) * doubt + 7 * kUnit) * kInflate;
  return true;
}

// The chambers of one line, whose prefix is complete; no pivot: nothing is known of it.
void Sweeper::line(const Pivot* pivot, std::size_t start, std::uint64_t base) {
  if (start >= n_) return;
  const std::uint64_t from = first_ > base ? first_ - base : 0;
  const std::uint64_t to = std::min<std::uint64_t>(n_ - start, last_ - base);
  if (from >= to) return;
  ++lines_;
  store_line(pivot, start + from, start + to);
  done_ += to - from;
  // Exact signs take microseconds each: look more often where there are many.
  const std::uint64_t now = done_ + 64 * exact_signs_;
  if (now < look_) return;
  look_ = now + kLook;
  stopped_ = !(*go_on_)(done_);
}

void Sweeper::store_line(const Pivot* pivot, std::size_t first, std::size_t last) {
  std::uint64_t* out = out_ != nullptr ? out_ + done_ * stride_ : cells_.data();
  const std::size_t stride = out_ != nullptr ? stride_ : words_;
  const auto row = [&](std::size_t j) { return out + (j - first) * stride; };
  if (pivot == nullptr) {
    for (std::size_t j = first; j < last; ++j)
      if (certified_)
        exact_chamber(j, row(j), false);
      else
        std::fill_n(row(j), words_, std::uint64_t{0});  // an estimate anyway
    return;
  }
  const LineTask task{n_, lanes_, first, prefix_.data(), prefix_.size()};
  kernels_.line(depths_[std::max<std::size_t>(level_, 2) - 2].block, *pivot, task, line_);
  const std::size_t n_open =
      kernels_.cells(line_, n_, first, last, one_.data() + wide_, out, stride, open_.data());
  if (!certified_) return;
  for (std::size_t i = 0; i < n_open; ++i)
    if (get_sign(known_.data(), open_[i])) exact_chamber(open_[i], row(open_[i]), true);
  for (std::size_t j = first; j < last; ++j) {
    const std::uint64_t unknown = ~known_[j / kWordBits] >> (j % kWordBits);
    if (unknown == 0) {
      j |= kWordBits - 1;  // none up to the end of the word
    } else if ((unknown & 1) != 0) {
      exact_chamber(j, row(j), false);
    }
  }
}

int Sweeper::exact_sign(bool offset) {
  ++exact_signs_;
  return minors_.sign(chosen_, level_, offset);
}

// Signs of the chamber whose lowest vertex lies on the prefix and on `row`, by Cramer's rule: all
// of them; or, where the signs of the vertex' own rows are known, those that the line leaves open.
void Sweeper::exact_chamber(std::size_t row, std::uint64_t* words, bool own_known) {
  ++exact_chambers_;
  const bool lower = level_ < d_;
  chosen_ = prefix_;
  chosen_.push_back(static_cast<std::uint32_t>(row));
  const int base = exact_sign(false);
  if (base == 0) not_simple("have dependent normals", chosen_, lower);
  if (!own_known) std::fill_n(words, words_, std::uint64_t{0});
  for (std::size_t i = 0; i < level_ && !own_known; ++i) {
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
    double value = 0;
    if (own_known) value = line_.t[row] * line_.alpha[k] + line_.beta[k];
    if (!own_known || !(std::fabs(value) > line_.threshold[row])) {
      chosen_.push_back(static_cast<std::uint32_t>(k));
      value = exact_sign(true) * base;
      if (value == 0) not_simple("meet in a common point", chosen_, lower);
      chosen_.pop_back();
    }
    value > 0 ? set_sign(words, k) : clear_sign(words, k);
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
