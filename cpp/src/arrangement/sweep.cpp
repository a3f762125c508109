// SPDX-License-Identifier: MIT
// Runs of the sweep: ranks are cut into chunks, threads take the next chunk. Every chunk's place in
// the output is known beforehand, so nothing is joined or sorted.
#include "linear_regions/sweep.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "arrangement/sweeper.hpp"
#include "linear_regions/float_environment.hpp"
#include "thread_start.hpp"

namespace linear_regions {
namespace {

using sweeping::Binomials;
using sweeping::Sweeper;

// Chambers of a chunk: some milliseconds at most, and towards the end ever fewer, so that threads
// end together. To find its place costs a chunk as much as a hundred chambers, and a thread takes
// as long to start as thousands of them.
constexpr std::uint64_t kMostChunk = std::uint64_t{1} << 16, kLeastChunk = std::uint64_t{1} << 10;
constexpr std::uint64_t kPerThread = std::uint64_t{1} << 13;

struct Level {
  std::size_t level = 0;
  std::uint64_t first = 0, size = 0;  // ranks
};

std::vector<Level> levels_of(std::size_t n, std::size_t d, const Binomials& binomials) {
  std::vector<Level> levels;
  std::uint64_t next = 0;
  for (std::size_t k = std::min(n, d) + 1; k-- > 0;) {
    const std::uint64_t size = binomials(n, k);
    if (size > Binomials::kTooMany - 1 - next)
      throw std::overflow_error("the arrangement has more than 2^64 chambers");
    levels.push_back({k, next, size});
    next += size;
  }
  return levels;
}

class SweepRun {
 public:
  SweepRun(const Hyperplanes& hyperplanes, std::uint64_t first, std::uint64_t last,
           Arithmetic arithmetic, RunControl& control, std::uint64_t* out, std::size_t stride)
      : hyperplanes_(hyperplanes),
        binomials_(hyperplanes.n, std::min(hyperplanes.n, hyperplanes.d)),
        levels_(levels_of(hyperplanes.n, hyperplanes.d, binomials_)),
        first_(first),
        last_(last),
        arithmetic_(arithmetic),
        control_(control),
        out_(out),
        stride_(stride),
        next_(first) {
    if (first > last || last > levels_.back().first + levels_.back().size)
      throw std::invalid_argument("the range of ranks is not within the arrangement");
  }

  SweepResult run() {
    control_.start();
    reached_ = last_;
    const std::uint64_t worthwhile = (last_ - first_) / kPerThread;
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < control_.threads && i < worthwhile; ++i) {
      try {
        start_thread(threads, [this] { work(false); });
      } catch (const std::system_error&) {
        break;  // the system has no more threads to give: go on with those that started
      }
    }
    work(true);
    for (auto& thread : threads) thread.join();
    if (error_) std::rethrow_exception(error_);
    result_.chambers = std::min(reached_, next_.load()) - first_;
    result_.status = result_.chambers < last_ - first_ ? control_.status() : Status::kComplete;
    result_.seconds = control_.seconds();
    return result_;
  }

 private:
  void work(bool caller) {
    const DefaultFloatingPoint environment;
    try {
      Sweeper sweeper(hyperplanes_, binomials_, arithmetic_);
      while (!control_.stopped()) {
        const auto [begin, end] = take();
        if (begin == end) break;
        const std::uint64_t reached = chunk(sweeper, begin, end, caller);
        if (reached < end) {
          const std::lock_guard lock(mutex_);
          reached_ = std::min(reached_, reached);
        }
      }
      const std::lock_guard lock(mutex_);
      result_.lines += sweeper.lines();
      result_.exact_signs += sweeper.exact_signs();
      result_.exact_chambers += sweeper.exact_chambers();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      control_.stop(Status::kCancelled);
    }
  }

  // The ranks of the next chunk; none are left: an empty range.
  std::pair<std::uint64_t, std::uint64_t> take() {
    const std::uint64_t shares = 4 * std::uint64_t{control_.threads};
    std::uint64_t begin = next_.load(), end = 0;
    do {
      end = begin +
            std::min(last_ - begin, std::clamp((last_ - begin) / shares, kLeastChunk, kMostChunk));
    } while (!next_.compare_exchange_weak(begin, end));
    return {begin, end};
  }

  // Returns the rank up to which all chambers from `begin` on are done.
  std::uint64_t chunk(Sweeper& sweeper, std::uint64_t begin, std::uint64_t end, bool caller) {
    const double share = 1.0 / static_cast<double>(last_ - first_);
    for (const Level& level : levels_) {
      const std::uint64_t from = std::max(begin, level.first);
      const std::uint64_t to = std::min(end, level.first + level.size);
      if (from >= to) continue;
      std::uint64_t* out = out_ != nullptr ? out_ + (from - first_) * stride_ : nullptr;
      const auto go_on = [&](std::uint64_t) {
        control_.report(0, 0, caller);
        return !control_.stopped();
      };
      const std::uint64_t done =
          sweeper.run(level.level, from - level.first, to - level.first, out, stride_, go_on);
      control_.report(done, static_cast<double>(done) * share, caller);
      if (done < to - from) return from + done;
    }
    return end;
  }

  const Hyperplanes& hyperplanes_;
  const Binomials binomials_;
  const std::vector<Level> levels_;
  const std::uint64_t first_, last_;
  const Arithmetic arithmetic_;
  RunControl& control_;
  std::uint64_t* const out_;
  const std::size_t stride_;
  std::atomic<std::uint64_t> next_;
  std::uint64_t reached_ = 0;
  std::mutex mutex_;
  std::exception_ptr error_;
  SweepResult result_;
};

}  // namespace

std::uint64_t sweep_size(std::size_t n, std::size_t d) {
  const auto levels = levels_of(n, d, Binomials(n, std::min(n, d)));
  return levels.back().first + levels.back().size;
}

SweepResult sweep(const Hyperplanes& hyperplanes, std::uint64_t first, std::uint64_t last,
                  Arithmetic arithmetic, RunControl& control, std::uint64_t* out,
                  std::size_t stride) {
  return SweepRun(hyperplanes, first, last, arithmetic, control, out, stride).run();
}

}  // namespace linear_regions
