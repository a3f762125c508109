// SPDX-License-Identifier: MIT
//
// Levels. After s rows were chosen, level s holds the residual of every row that may still come:
// the row minus a combination of the chosen ones that clears s columns, without these columns.
// Choosing row a with pivot entry a_c turns a residual r into a_c r - r_c a, up to a unit of the
// field (Montgomery's reduction divides by 2^64), and drops column c. So no inverses are needed,
// and a row is independent of the chosen ones exactly if its residual is not zero. The bias is
// carried along and takes no pivot.
//
// Cost of a chosen row: (rows that may still come) x (columns left). Half of all sets in a
// depth-first listing have nothing left to come.
#include <algorithm>
#include <bit>
#include <stdexcept>
#include <utility>
#include <vector>

#include "linear_regions/one_layer.hpp"
#include "linear_regions/save_points.hpp"

namespace linear_regions {
namespace {

__extension__ typedef unsigned __int128 Wide;

class Listing {
 public:
  Listing(const FilterDraw& draw, std::uint64_t max_nodes, RunControl& control,
          const FilterTableSaving& saving)
      : draw_(draw),
        p_(draw.prime),
        n_(draw.n_slots),
        windows_(draw.n_windows),
        filters_(draw.n_filters),
        stride_(draw.n_slots + 1),
        max_nodes_(max_nodes),
        control_(control),
        saving_(saving),
        points_(saving.save ? saving.every : 0.0) {
    std::uint64_t inverse = p_;  // Newton: of p modulo 2^64, negated below
    for (int i = 0; i < 6; ++i) inverse *= 2 - p_ * inverse;
    negative_inverse_ = ~inverse + 1;
    levels_.assign(draw.rank + 1, {});
    for (auto& level : levels_) level.assign(draw.rows.size(), 0);
    levels_[0] = draw.rows;
    negative_.assign(stride_, 0);
    table_.assign((std::size_t{filters_} + 1) * (draw.rank + 1), 0);
    binomials_.assign(windows_ + 1, std::vector<std::uint64_t>(windows_ + 1, 0));
    for (std::uint32_t j = 0; j <= windows_; ++j) {
      binomials_[j][0] = 1;
      for (std::uint32_t i = 1; i <= j; ++i)
        binomials_[j][i] = binomials_[j - 1][i - 1] + (i < j ? binomials_[j - 1][i] : 0);
    }
  }

  FilterTable run() {
    table_[0] = 1;
    if (saving_.from != nullptr) begin_from(*saving_.from);
    for (; first_ < draw_.firsts.size() && go_on(true); ++first_) {
      if (points_.due()) save();
      start(draw_.firsts[first_], draw_.orbits[first_]);
      if (result_.end != TableEnd::kDone) break;
    }
    result_.nodes = nodes_;
    FilterTableState found = state();
    result_.high = std::move(found.high);
    result_.low = std::move(found.low);
    return result_;
  }

 private:
  static constexpr std::uint32_t kFirstSet = ~0u;  // begins every way

  std::uint64_t* row(std::size_t level, std::size_t filter, std::size_t window) {
    return &levels_[level][(filter * windows_ + window) * stride_];
  }

  // ---- states ----

  void begin_from(const FilterTableState& from) {
    if (from.high.size() != table_.size() || from.low.size() != table_.size() ||
        from.first > draw_.firsts.size())
      throw std::invalid_argument("the state is that of another count");
    first_ = from.first;
    resumed_ = from.way;
    for (std::size_t i = 0; i < table_.size(); ++i)
      table_[i] = static_cast<Wide>(from.high[i]) << 64 | from.low[i];
    nodes_ = from.nodes;
    next_poll_ = nodes_ + 0x10000;
  }

  FilterTableState state() const {
    FilterTableState out;
    out.first = first_;
    out.way = resumes() ? resumed_ : way_;  // of a run that stops on its way back, too
    out.nodes = nodes_;
    for (const Wide value : table_) {
      out.high.push_back(static_cast<std::uint64_t>(value >> 64));
      out.low.push_back(static_cast<std::uint64_t>(value));
    }
    return out;
  }

  void save() {
    points_.save([this] { saving_.save(state()); });
  }

  // The next row of the way that a state names; none where all were taken.
  bool resumes() const { return taken_ < resumed_.size(); }

  // Between two sets: nothing is half done here.
  bool go_on(bool poll) {
    if (poll) {
      control_.report(0, 0.0, true);
      if (control_.stopped() && result_.end == TableEnd::kDone) {
        result_.end = TableEnd::kStopped;
        result_.status = control_.status();
        if (points_.wanted()) save();
      }
      if (nodes_ > max_nodes_ && result_.end == TableEnd::kDone) result_.end = TableEnd::kTooLong;
    }
    return result_.end == TableEnd::kDone;
  }

  std::uint64_t reduce(Wide value) const {  // below 2^124
    const std::uint64_t m = static_cast<std::uint64_t>(value) * negative_inverse_;
    const auto r = static_cast<std::uint64_t>((value + static_cast<Wide>(m) * p_) >> 64);
    return r - (r >= p_ ? p_ : 0);
  }

  void add_to_table(std::size_t m, std::size_t s, Wide ways) {
    Wide& entry = table_[m * (draw_.rank + 1) + s];
    entry += ways;
    if (entry < ways) result_.end = TableEnd::kTooLarge;
  }

  // Last column with an entry that is not zero, or n_ where the residual vanishes.
  std::uint32_t pivot(const std::uint64_t* r, std::size_t size) {
    ++nodes_;
    for (std::uint32_t c = static_cast<std::uint32_t>(n_ - size); c-- > 0;)
      if (r[c] != 0) return c;
    if (draw_.check_bias && r[n_] == 0) result_.end = TableEnd::kCentral;
    return n_;
  }

  void note_pivot_row(const std::uint64_t* a, std::size_t size) {
    for (std::size_t c = 0; c < n_ - size; ++c) negative_[c] = a[c] == 0 ? 0 : p_ - a[c];
    negative_[n_] = a[n_] == 0 ? 0 : p_ - a[n_];
  }

  // to = a_c from - from_c a without column c; `a` was noted. The last column takes its place.
  void eliminate(const std::uint64_t* from, std::uint64_t* to, std::uint64_t a_c, std::uint32_t c,
                 std::size_t size) const {
    const std::size_t last = n_ - size - 1;
    const std::uint64_t from_c = from[c];
    if (from_c == 0) {
      std::copy(from, from + last, to);
      if (c != last) to[c] = from[last];
      to[n_] = from[n_];
      return;
    }
    const auto entry = [&](std::size_t k) {
      return reduce(static_cast<Wide>(a_c) * from[k] + static_cast<Wide>(from_c) * negative_[k]);
    };
    for (std::size_t k = 0; k < last; ++k) to[k] = entry(k);
    if (c != last) to[c] = entry(last);
    to[n_] = entry(n_);
  }

  // Level size + 1 after the row of (filter, window): the windows `below` of its filter, and the
  // filters after it as far as the rank allows.
  void choose(std::size_t size, std::size_t filter, std::size_t window, std::uint32_t c,
              std::size_t below, std::uint32_t others) {
    const std::uint64_t* a = row(size, filter, window);
    const std::uint64_t a_c = a[c];
    note_pivot_row(a, size);
    for (std::size_t w = 0; w < below; ++w)
      eliminate(row(size, filter, w), row(size + 1, filter, w), a_c, c, size);
    for (std::size_t w = 0; w < windows_; ++w)
      if (others >> w & 1) eliminate(row(size, filter, w), row(size + 1, filter, w), a_c, c, size);
    const std::size_t last = std::min<std::size_t>(filters_, filter + 1 + draw_.rank - size);
    for (std::size_t f = filter + 1; f < last; ++f)
      for (std::size_t w = 0; w < windows_; ++w)
        eliminate(row(size, f, w), row(size + 1, f, w), a_c, c, size);
  }

  // All tuples whose first set is `mask`, once for each of its orbit.
  void start(std::uint32_t mask, std::uint64_t orbit) {
    const bool again = resumes();
    std::size_t size = 0;
    for (std::uint32_t rest = mask; rest != 0; rest &= rest - 1) {
      const auto window = static_cast<std::size_t>(std::countr_zero(rest));
      const std::uint32_t c = pivot(row(size, 0, window), size);
      if (again) --nodes_;  // it was counted before
      if (c == n_ || size == draw_.rank) return;
      choose(size, 0, window, c, 0, rest & (rest - 1));
      ++size;
    }
    if (!again) {
      add_to_table(1, size, orbit);
    } else if (resumed_[taken_++] != kFirstSet) {
      throw std::invalid_argument("the state is that of another count");
    }
    way_.push_back(kFirstSet);
    next_filter(1, windows_ == 32 ? ~0u : (1u << windows_) - 1, 0, orbit, size);
    if (resumes()) throw std::invalid_argument("the state is that of another count");
    if (result_.end == TableEnd::kDone) way_.pop_back();
  }

  void next_filter(std::size_t m, std::uint32_t limit, std::uint32_t repeats, Wide weight,
                   std::size_t size) {
    if (m < filters_) extend(m, 0, windows_, limit, repeats, weight, size);
  }

  // Adds windows under `below` to the set `mask` of filter number m (from 0); sets must not exceed
  // `limit`, the set before, which occurs `repeats` times (0: there is none yet).
  void extend(std::size_t m, std::uint32_t mask, std::size_t below, std::uint32_t limit,
              std::uint32_t repeats, Wide weight, std::size_t size) {
    if (weight >> 90 != 0) {  // products with filters and binomials must fit
      result_.end = TableEnd::kTooLarge;
      return;
    }
    if (!resumes() && nodes_ >= next_poll_) {
      next_poll_ = nodes_ + 0x10000;
      if (!go_on(true)) return;
      if (points_.due()) save();
    }
    const bool is_free = (limit >> below) > (mask >> below);
    const bool last_filter = m + 1 == filters_;
    if (!resumes() && mask != 0 && last_filter && is_free && below >= 2 &&
        size + below <= draw_.rank && all_independent(m, below, size)) {
      for (std::size_t i = 1; i <= below; ++i)
        add_to_table(m + 1, size + i, weight * m * binomials_[below][i]);
      return;
    }
    for (std::size_t window = below; window-- > 0;) {
      const bool again = resumes();
      std::uint32_t others = 0;  // 1: the windows below were listed
      if (again) {
        const std::uint32_t wanted = resumed_[taken_];
        if (wanted >> 1 != 32 * m + window) {
          if (window == 0) throw std::invalid_argument("the state is that of another count");
          continue;
        }
        others = wanted & 1;
        ++taken_;
      }
      const std::uint32_t grown = mask | 1u << window;
      if (grown > limit) continue;
      const std::uint32_t c = pivot(row(size, m, window), size);
      if (again) --nodes_;
      if (!go_on(false)) return;
      if (c == n_) continue;
      if (size == draw_.rank) continue;  // cannot be: the rank is an upper bound
      const std::uint32_t run = grown == limit && repeats != 0 ? repeats + 1 : 1;
      const Wide ways = weight * m / run;
      if (!again) add_to_table(m + 1, size + 1, ways);
      if (last_filter && window == 0) continue;  // nothing is left to come
      if (size + 1 == draw_.rank && !draw_.check_bias) continue;
      choose(size, m, window, c, window, 0);
      way_.push_back(static_cast<std::uint32_t>(64 * m + 2 * window + others));
      // At full rank, too: the rows that may still come must not pass through the common point.
      if (others == 0) extend(m, grown, window, limit, repeats, weight, size + 1);
      if (result_.end != TableEnd::kDone) return;
      way_.back() |= 1;
      next_filter(m + 1, grown, run, ways, size + 1);
      if (result_.end != TableEnd::kDone) return;
      way_.pop_back();
    }
  }

  // Whether the first `count` windows of a filter are independent of the chosen rows and of each
  // other. Works on level size + 1 and above, which hold nothing yet.
  bool all_independent(std::size_t m, std::size_t count, std::size_t size) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t* a = row(size + i, m, i);
      ++nodes_;
      std::size_t c = n_ - size - i;
      while (c > 0 && a[c - 1] == 0) --c;
      if (c == 0) return false;
      if (i + 1 == count) break;
      --c;
      note_pivot_row(a, size + i);
      for (std::size_t w = i + 1; w < count; ++w)
        eliminate(row(size + i, m, w), row(size + i + 1, m, w), a[c], static_cast<std::uint32_t>(c),
                  size + i);
    }
    return true;
  }

  const FilterDraw& draw_;
  std::uint64_t p_, negative_inverse_ = 0;
  std::uint32_t n_, windows_, filters_;
  std::size_t stride_;
  std::uint64_t nodes_ = 0, next_poll_ = 0x10000, max_nodes_;
  RunControl& control_;
  const FilterTableSaving& saving_;
  SavePoints points_;
  std::size_t first_ = 0, taken_ = 0;
  std::vector<std::uint32_t> way_, resumed_;  // see FilterTableState
  std::vector<std::vector<std::uint64_t>> levels_, binomials_;
  std::vector<std::uint64_t> negative_;  // the pivot row, negated
  std::vector<Wide> table_;
  FilterTable result_;
};

void check(const FilterDraw& draw) {
  const std::size_t n_rows = std::size_t{draw.n_filters} * draw.n_windows;
  if (n_rows == 0 || draw.n_windows > 31 || draw.rank > draw.n_slots || draw.rank > n_rows ||
      draw.rows.size() != n_rows * (draw.n_slots + 1) || draw.firsts.size() != draw.orbits.size())
    throw std::invalid_argument("a draw must have 1 to 31 windows, all its rows, a possible rank");
  if (draw.prime >> 60 != 1 || draw.prime % 2 == 0)
    throw std::invalid_argument("the modulus must be odd, between 2^60 and 2^61");
  for (const std::uint64_t entry : draw.rows)
    if (entry >= draw.prime) throw std::invalid_argument("entries must be reduced");
  for (const std::uint32_t mask : draw.firsts)
    if (mask == 0 || mask >> draw.n_windows != 0)
      throw std::invalid_argument("a first set must be a set of windows, not empty");
}

}  // namespace

FilterTable count_filter_tuples(const FilterDraw& draw, std::uint64_t max_nodes,
                                RunControl& control, const FilterTableSaving& saving) {
  check(draw);
  control.start();
  FilterTable table = Listing(draw, max_nodes, control, saving).run();
  table.seconds = control.seconds();
  return table;
}

}  // namespace linear_regions
