// SPDX-License-Identifier: MIT
#include "linear_regions/flat_count.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "arrangement/crew.hpp"
#include "arrangement/fields.hpp"
#include "arrangement/flat_store.hpp"
#include "arrangement/plane_lines.hpp"
#include "linear_regions/save_points.hpp"
#include "thread_start.hpp"

namespace linear_regions {
namespace {

void add_product(Wide128& sum, Wide128 weight, std::uint64_t factor) {
  Wide128 product = 0;
  if (__builtin_mul_overflow(weight, static_cast<Wide128>(factor), &product) ||
      __builtin_add_overflow(sum, product, &sum))
    throw std::overflow_error("a Whitney number exceeds 128 bits");
}

template <class Field>
class FlatCounter {
 public:
  using T = typename Field::T;
  using Store = FlatStore<T>;
  using Flat = typename Store::Flat;
  using Outbox = typename Store::Outbox;

  FlatCounter(std::span<const std::uint64_t> rows, std::size_t n, std::size_t r, std::uint64_t p,
              RunControl& control, std::size_t store_bytes, const FlatCountSaving& saving)
      : field_(p),
        n_(n),
        r_(r),
        control_(control),
        store_bytes_(store_bytes),
        saving_(saving),
        points_(saving.save ? saving.every : 0.0),
        columns_(n * r),
        base_(r, 0),
        crew_(control, std::max(1u, control.threads)) {
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t c = 0; c < r; ++c) columns_[c * n + i] = field_.from(rows[i * r + c]);
    for (std::size_t k = 0; k < r; ++k) levels_.push_back(std::make_unique<Store>(k * (r - k)));
    for (unsigned t = 0; t < std::max(1u, control.threads); ++t)
      workers_.push_back(std::make_unique<Worker>(field_, r));
    if (saving.from != nullptr) begin_from(*saving.from);
  }

  // A stop is not kept waiting for the memory of what it has made useless, either.
  ~FlatCounter() {
    if (!control_.stopped()) return;
    std::vector<std::thread> threads;
    try {
      start_thread(threads, [levels = std::move(levels_)] {});
      threads.front().detach();
    } catch (const std::system_error&) {
      // The system has no more threads to give: it takes as long as it takes.
    }
  }

  FlatCountResult run() {
    control_.start();
    bool complete = r_ <= 1;
    if (!complete) {
      boxes_.resize(1);
      boxes_[0].add(nullptr, 0, 0, static_cast<std::uint32_t>(n_), 1);
      boxes_[0].close();
      take_in(*levels_[0], 1);
      complete = level(0, 1.0) && !left_out_;
    }
    if (!complete && points_.wanted() && !rebuilding_) saving_.save(state());
    FlatCountState found = state();
    FlatCountResult result;
    result.whitney = std::move(found.whitney);
    result.whitney[0] = {0, 1};
    result.flats = found.flats;
    result.merged = found.merged;
    result.uniform = complete && found.coincidences == 0 && found.merged == 0;
    result.status = complete ? Status::kComplete : control_.status();
    result.seconds = control_.seconds();
    return result;
  }

 private:
  struct Worker {
    PlaneLines<Field> plane;
    std::vector<Wide128> whitney;
    std::uint64_t flats = 0, merged = 0, coincidences = 0;
    std::vector<T> restricted, normal, map;
    std::vector<std::uint32_t> slot;

    Worker(const Field& field, std::size_t r) : plane(field), whitney(r, 0) {}
  };

  // ---- states ----

  void begin_from(const FlatCountState& from) {
    if (from.whitney.size() != r_ || from.levels.empty() || from.levels.size() >= r_)
      throw std::invalid_argument("the state is that of another count");
    resumed_ = from.levels;
    for (std::size_t k = 0; k < r_; ++k)
      base_[k] = Wide128{from.whitney[k].high} << 64 | from.whitney[k].low;
    base_flats_ = from.flats;
    base_merged_ = from.merged;
    base_coincidences_ = from.coincidences;
  }

  FlatCountState state() const {
    FlatCountState out;
    out.levels = at_;
    out.flats = base_flats_;
    out.merged = base_merged_;
    out.coincidences = base_coincidences_;
    std::vector<Wide128> total = base_;
    for (const auto& w : workers_) {
      for (std::size_t k = 0; k < r_; ++k) add_product(total[k], w->whitney[k], 1);
      out.coincidences += w->coincidences;
      out.flats += w->flats;
      out.merged += w->merged;
    }
    for (const Wide128 b : total)
      out.whitney.push_back({static_cast<std::uint64_t>(b >> 64), static_cast<std::uint64_t>(b)});
    return out;
  }

  void save_if_due() {
    if (points_.due()) points_.save([this] { saving_.save(state()); });
  }

  // Makes the flats that come from [since, first) of level k again; they were counted before.
  void rebuild(std::size_t k, std::size_t since, std::size_t first) {
    rebuilding_ = true;
    std::size_t reached = since;
    while (reached < first && !control_.stopped())
      reached = restrict_all(k, reached, batch_end(k, reached, first));
    for (const auto& w : workers_) {
      std::fill(w->whitney.begin(), w->whitney.end(), Wide128{0});
      w->flats = w->merged = w->coincidences = 0;
    }
    if (reached == first) rebuilding_ = false;
  }

  // ---- the recursion ----

  // Works off levels_[k]; `share` is its part of the whole run, for the progress only. False where
  // the run was stopped before the end; at_ says how far it came.
  bool level(std::size_t k, double share) {
    Store& store = *levels_[k];
    store.number();
    const std::size_t size = store.size();
    const std::size_t s = r_ - 1 - k;
    std::size_t since = 0, first = 0;
    const bool again = k < resumed_.size();
    const bool deepest = k + 1 >= resumed_.size();
    if (again) {
      since = resumed_[k][0];
      first = resumed_[k][1];
      if (since > first || first > size || (s <= 2 && !deepest))
        throw std::invalid_argument("the state is that of another count");
      if (size > 0)
        control_.report(0, share * static_cast<double>(since) / static_cast<double>(size), true);
    }
    if (deepest) resumed_.clear();
    at_.resize(k + 1);
    at_[k] = {since, first};
    if (s <= 2) {
      while (first < size && !control_.stopped()) {
        const double left = static_cast<double>(size - first) / static_cast<double>(size);
        first = parallel(
            first, size, share * left,
            [&](Worker& w, std::size_t i) {
              const Flat flat = store.at(i);
              s == 2 ? plane(w, flat, k) : line(w, flat, k);
            },
            kPlanes, points_.wanted());
        at_[k] = {0, first};
        save_if_due();
      }
      return first == size;
    }
    Store& next = *levels_[k + 1];
    const auto below = [&] {
      if (!level(k + 1, share * static_cast<double>(first - since) / static_cast<double>(size)))
        return false;
      since = first;
      at_.resize(k + 1);
      at_[k] = {since, first};
      next.clear();
      return true;
    };
    if (again) {
      rebuild(k, since, first);
      if (rebuilding_ || (!deepest && !below())) return false;
    }
    while ((first < size || since < first) && !control_.stopped()) {
      first = restrict_all(k, first, batch_end(k, first, size));
      at_[k] = {since, first};
      if (first < size && control_.stopped()) return false;
      save_if_due();
      if ((first == size || next.bytes() > store_bytes_) && !below()) return false;
    }
    return first == size && since == first;
  }

  // Adds the restrictions of flats [first, last) of level k to the next level. Returns how far it
  // came: `last`, unless the run is stopped.
  std::size_t restrict_all(std::size_t k, std::size_t first, std::size_t last) {
    const Store& store = *levels_[k];
    Store& next = *levels_[k + 1];
    if (!crew_.worthwhile())
      last = std::min(last, first + kFlats);  // one box, which stays in caches
    if (boxes_.size() * kFlats < last - first) boxes_.resize((last - first + kFlats - 1) / kFlats);
    const std::size_t reached = parallel(
        first, last, 0.0,
        [&](Worker& w, std::size_t i) {
          Outbox& box = boxes_[(i - first) / kFlats];
          if ((i - first) % kFlats == 0) box.clear();
          expand(w, store.at(i), k, box);
          if ((i + 1 - first) % kFlats == 0 || i + 1 == last) box.close();
        },
        kFlats, false);
    take_in(next, (reached - first + kFlats - 1) / kFlats);
    return reached;
  }

  // Whatever stops the run, what was counted goes into the store; where nothing will go on from
  // there, a stop is not kept waiting for it.
  void take_in(Store& store, std::size_t boxes) {
    std::atomic<std::size_t> next{0};
    share_out([&](std::size_t t) {
      for (std::size_t s = next.fetch_add(1); s < Store::kShards; s = next.fetch_add(1)) {
        if (control_.stopped() && !saving_.save) {
          left_out_ = true;
          return;
        }
        for (std::size_t b = 0; b < boxes; ++b) workers_[t]->merged += store.take(boxes_[b], s);
        if (t == 0) crew_.call_if_long();
      }
    });
  }

  // Calls work(worker, i) for first <= i < last, `chunk` of them at a time. Returns the number up
  // to which all is done: `last`, unless the run is stopped or, where it may pause, a state is due.
  template <class Work>
  std::size_t parallel(std::size_t first, std::size_t last, double share, const Work& work,
                       std::size_t chunk, bool may_pause) {
    std::atomic<std::size_t> next{first};
    std::atomic<bool> pause{false};
    const double each = last > first ? share / static_cast<double>(last - first) : 0.0;
    share_out([&](std::size_t t) {
      // What was begun is finished, so that what is done has no gaps.
      while (!control_.stopped() && !pause.load(std::memory_order_relaxed)) {
        const std::size_t begin = next.fetch_add(chunk);
        if (begin >= last) return;
        const std::size_t end = std::min(last, begin + chunk);
        for (std::size_t i = begin; i < end; ++i) work(*workers_[t], i);
        control_.report(0, each * static_cast<double>(end - begin), t == 0);
        if (may_pause && t == 0 && points_.due()) pause = true;
        if (t == 0) crew_.call_if_long();
      }
    });
    return std::min(next.load(), last);
  }

  // Every worker does the same, to share what there is to do; throws what one of them threw.
  void share_out(const std::function<void(std::size_t)>& work) {
    std::exception_ptr error;
    std::mutex error_mutex;
    crew_.run([&](std::size_t t) {
      try {
        work(t);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(error_mutex);
        if (!error) error = std::current_exception();
        control_.stop(Status::kCancelled);
      }
    });
    if (error) std::rethrow_exception(error);
  }

  // Where to end restricting the flats from `first` on and to take in what comes out, which is not
  // broken off: hundredths of a second later. A flat has as many restrictions as hyperplanes left.
  std::size_t batch_end(std::size_t k, std::size_t first, std::size_t last) const {
    const std::size_t most = kRestrictions * workers_.size();
    std::size_t end = first, found = 0;
    while (end < last && found < most) {
      const std::size_t next = std::min(last, end + kFlats);
      for (; end < next; ++end) found += levels_[k]->at(end).least;
    }
    return end;
  }

  // Restricts hyperplanes 1, ..., m - 1 to the flat: out[t * m + j] is the coefficient of
  // hyperplane j at the t-th free coordinate, its constant for t = s. Returns the free coordinates.
  std::size_t restrict_rows(Worker& w, const Flat& flat, std::size_t k,
                            std::size_t* free_at) const {
    const std::size_t m = flat.least, s = r_ - 1 - k;
    std::size_t pivot_at[64], n_free = 0, n_pivots = 0;
    for (std::size_t c = 1; c < r_; ++c) {
      if ((flat.pivots >> c) & 1) {
        pivot_at[n_pivots++] = c;
      } else {
        free_at[n_free++] = c;
      }
    }
    free_at[s] = 0;
    w.restricted.resize((s + 1) * m);
    for (std::size_t t = 0; t <= s; ++t) {
      const T* own = columns_.data() + free_at[t] * n_;
      T* out = w.restricted.data() + t * m;
      // Four rows at a time stay in registers whatever the number of pivots.
      std::size_t j = 0;
      for (; j + 4 <= m; j += 4) {
        typename Field::Sum sum[4] = {own[j], own[j + 1], own[j + 2], own[j + 3]};
        for (std::size_t i = 0; i < k; ++i) {
          const T f = flat.map[i * (s + 1) + t];
          if (f == 0) continue;
          const T* column = columns_.data() + pivot_at[i] * n_ + j;
          for (std::size_t l = 0; l < 4; ++l) field_.add_product(sum[l], column[l], f);
        }
        for (std::size_t l = 0; l < 4; ++l) out[j + l] = field_.reduce(sum[l]);
      }
      for (; j < m; ++j) {
        typename Field::Sum sum = own[j];
        for (std::size_t i = 0; i < k; ++i)
          field_.add_product(sum, columns_[pivot_at[i] * n_ + j], flat.map[i * (s + 1) + t]);
        out[j] = field_.reduce(sum);
      }
    }
    return m;
  }

  void line(Worker& w, const Flat& flat, std::size_t k) {
    std::size_t free_at[64];
    const std::size_t m = restrict_rows(w, flat, k, free_at);
    const T *a = w.restricted.data(), *b = a + m;
    w.plane.start(m);
    for (std::size_t j = 1; j < m; ++j) w.plane.add(a[j], 0, b[j]);
    add_product(w.whitney[k + 1], flat.weight, w.plane.lines());
    w.flats += 1 + w.plane.lines();
    w.coincidences += m - 1 - w.plane.lines();
  }

  void plane(Worker& w, const Flat& flat, std::size_t k) {
    std::size_t free_at[64];
    const std::size_t m = restrict_rows(w, flat, k, free_at);
    const T *a = w.restricted.data(), *b = a + m, *c = b + m;
    w.plane.start(m);
    for (std::size_t j = 1; j < m; ++j) w.plane.add(a[j], b[j], c[j]);
    const std::uint64_t lines = w.plane.lines(), points = w.plane.points();
    add_product(w.whitney[k + 1], flat.weight, lines);
    add_product(w.whitney[k + 2], flat.weight, points);
    w.flats += 1 + lines + points;
    w.coincidences += (m - 1 - lines) + (lines * (lines - 1) / 2 - points);
  }

  // The restrictions of a flat; rows parallel to it meet it nowhere.
  void expand(Worker& w, const Flat& flat, std::size_t k, Outbox& box) const {
    std::size_t free_at[64];
    const std::size_t m = restrict_rows(w, flat, k, free_at), s = r_ - 1 - k;
    // Classes of equal restrictions: rows scaled to 1 at the first coefficient, in a hash table.
    std::size_t size = 16;
    while (size < 2 * m) size *= 2;
    w.slot.assign(size, 0);
    w.normal.resize((s + 1) * m);
    std::uint64_t classes = 0;
    ++w.flats;
    for (std::size_t j = 1; j < m; ++j) {
      std::size_t lead = 0;
      while (lead < s && w.restricted[lead * m + j] == 0) ++lead;
      if (lead == s) continue;
      const T f = field_.inv(w.restricted[lead * m + j]);
      T* row = w.normal.data() + j * (s + 1);
      std::uint64_t h = 0;
      for (std::size_t t = 0; t <= s; ++t) {
        row[t] = t < lead ? T{0} : field_.mul(w.restricted[t * m + j], f);
        h = (h ^ row[t]) * 0xff51afd7ed558ccdu;
        h ^= h >> 31;
      }
      bool known = false;
      std::size_t at = h & (size - 1);
      for (; w.slot[at] != 0 && !known; at = (at + 1) & (size - 1))
        known = std::equal(row, row + s + 1, w.normal.data() + w.slot[at] * (s + 1));
      if (known) continue;
      w.slot[at] = static_cast<std::uint32_t>(j);
      ++classes;
      add_child(w, flat, k, row, lead, free_at[lead], static_cast<std::uint32_t>(j), box);
    }
    add_product(w.whitney[k + 1], flat.weight, classes);
    w.coincidences += m - 1 - classes;
  }

  // The child's map: free coordinate `lead` becomes a pivot, - (the rest of the row).
  void add_child(Worker& w, const Flat& flat, std::size_t k, const T* row, std::size_t lead,
                 std::size_t coordinate, std::uint32_t least, Outbox& box) const {
    const std::size_t s = r_ - 1 - k;
    const std::size_t before = static_cast<std::size_t>(
        __builtin_popcountll(flat.pivots & ((std::uint64_t{1} << coordinate) - 1)));
    w.map.resize((k + 1) * s);
    T* out = w.map.data();
    for (std::size_t i = 0; i <= k; ++i) {
      if (i == before) {
        for (std::size_t t = 0; t <= s; ++t)
          if (t != lead) *out++ = field_.neg(row[t]);
        continue;
      }
      const T* old = flat.map + (i - (i > before ? 1 : 0)) * (s + 1);
      const T f = old[lead];
      for (std::size_t t = 0; t <= s; ++t)
        if (t != lead) *out++ = f == 0 ? old[t] : field_.sub(old[t], field_.mul(f, row[t]));
    }
    box.add(w.map.data(), (k + 1) * s, flat.pivots | (std::uint64_t{1} << coordinate), least,
            flat.weight);
  }

  // Flats or planes that a worker takes at a time.
  static constexpr std::size_t kFlats = 64, kPlanes = 32;
  static constexpr std::size_t kRestrictions = 1 << 17;  // per worker and batch

  Field field_;
  std::size_t n_, r_;
  RunControl& control_;
  std::size_t store_bytes_;
  const FlatCountSaving& saving_;
  SavePoints points_;
  std::vector<std::array<std::uint64_t, 2>> at_;  // see FlatCountState
  std::vector<std::array<std::uint64_t, 2>> resumed_;
  bool rebuilding_ = false;            // what was counted before is not yet there again
  std::atomic<bool> left_out_{false};  // flats that a stop kept out of their store
  std::vector<T> columns_;             // columns_[c * n + i]: entry c of row i
  std::vector<std::unique_ptr<Store>> levels_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Outbox> boxes_;
  std::vector<Wide128> base_;  // of the runs before
  std::uint64_t base_flats_ = 0, base_merged_ = 0, base_coincidences_ = 0;
  Crew crew_;  // ends before what its threads work on
};

}  // namespace

FlatCountResult count_flats(std::span<const std::uint64_t> rows, std::size_t n, std::size_t r,
                            std::uint64_t p, RunControl& control, std::size_t store_bytes,
                            const FlatCountSaving& saving) {
  if (r == 0 || r > 64 || n == 0 || n >= (std::size_t{1} << 31) || rows.size() != n * r)
    throw std::invalid_argument("count_flats: rows must be (n, r), n >= 1, 1 <= r <= 64");
  if (p < 3 || p % 2 == 0 || p >= (std::uint64_t{1} << 62))
    throw std::invalid_argument("count_flats: p must be an odd prime below 2^62");
  for (std::size_t c = 0; c < r; ++c)
    if (rows[c] != (c == 0 ? 1u : 0u))
      throw std::invalid_argument("count_flats: row 0 must be (1, 0, ..., 0)");
  if (p < SmallField::kLimit)
    return FlatCounter<SmallField>(rows, n, r, p, control, store_bytes, saving).run();
  return FlatCounter<LargeField>(rows, n, r, p, control, store_bytes, saving).run();
}

}  // namespace linear_regions
