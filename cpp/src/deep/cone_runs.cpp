// SPDX-License-Identifier: MIT
// Runs of the cone engine: one thread or several, as in planar.cpp; again with wider masks where a
// cell has too many facets.
#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "deep/cone_emit.hpp"
#include "deep/cone_engine.hpp"
#include "float_environment.hpp"
#include "linear_regions/cones.hpp"

namespace linear_regions {
namespace {

using TaskPath = std::vector<std::uint32_t>;

// A short run finishes before a thread has started.
constexpr double kSerialSeconds = 0.002;

template <int W>
class ConeTeam {
 public:
  ConeTeam(const ConeRoot& root, RunControl& control, bool store, std::size_t dim)
      : root_(root), control_(control), store_(store), dim_(dim) {}

  ConeResult run() {
    tasks_.push_back({});
    pending_ = 1;
    work_loop(true);
    for (auto& t : threads_) t.join();
    if (error_) std::rethrow_exception(error_);
    ConeResult result;
    result.regions = std::min(regions_, control_.limit);
    // A run that was stopped when nothing was left to do is complete.
    const bool cut = unfinished_ || regions_ > control_.limit;
    result.status = cut ? control_.status() : Status::kComplete;
    result.work = work_;
    result.seconds = control_.seconds();
    return result;
  }

  // Blocks in path order; a path is smaller than its extensions, and a sub-tree that was given
  // away comes after everything that its owner kept.
  std::map<TaskPath, ConeBlock>& blocks() { return blocks_; }

 private:
  void work_loop(bool caller) {
    const DefaultFloatingPoint environment;
    try {
      ConeEngine<W> engine(root_, control_, caller);
      for (;;) {
        Task task;
        if (!next(task, caller)) break;
        ConeBlock block;
        ConeBlockSink<W> sink(block, root_.tape.pattern_words(), dim_);
        typename ConeEngine<W>::Hooks hooks;
        if (store_) hooks.sink = &sink;
        hooks.failed = &failed_;
        if (control_.threads > 1) {
          hooks.hungry = &hungry_;
          hooks.give = [&](Task&& t) { give(std::move(t)); };
          if (caller) hooks.tick = [&] { maybe_start_helpers(); };
        }
        engine.run(task, hooks);
        const std::lock_guard lock(mutex_);
        if (store_) blocks_.emplace(task.path, std::move(block));
        if (--pending_ == 0) wake_.notify_all();
      }
      const std::lock_guard lock(mutex_);
      regions_ += engine.regions();
      unfinished_ = unfinished_ || engine.unfinished();
      work_ += engine.work();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      failed_.store(true);
      pending_ = 0;
      wake_.notify_all();
    }
  }

  // The caller starts alone; the others join once the run turns out not to be short.
  void maybe_start_helpers() {
    if (started_ || control_.seconds() < kSerialSeconds) return;
    started_ = true;
    try {
      for (unsigned i = 1; i < control_.threads; ++i)
        threads_.emplace_back([this] { work_loop(false); });
    } catch (const std::system_error&) {
      // The system has no more threads to give: go on with those that started.
    }
  }

  void give(Task&& task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    ++pending_;
    update_hunger();
    wake_.notify_one();
  }

  void update_hunger() { hungry_.store(std::max(0, idle_ - static_cast<int>(tasks_.size()))); }

  bool next(Task& task, bool caller) {
    std::unique_lock lock(mutex_);
    ++idle_;
    update_hunger();
    for (;;) {
      if (pending_ <= 0 || error_) break;
      if (control_.stopped()) {
        pending_ -= static_cast<int>(tasks_.size());
        unfinished_ = unfinished_ || !tasks_.empty();
        tasks_.clear();
        if (pending_ == 0) wake_.notify_all();
      }
      if (!tasks_.empty()) {
        task = std::move(tasks_.front());
        tasks_.pop_front();
        --idle_;
        update_hunger();
        return true;
      }
      if (pending_ <= 0) break;
      wake_.wait_for(lock, std::chrono::milliseconds(20));
      if (caller) {
        lock.unlock();
        control_.poll_if_due();
        lock.lock();
      }
    }
    --idle_;
    return false;
  }

  const ConeRoot& root_;
  RunControl& control_;
  const bool store_;
  const std::size_t dim_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;
  std::vector<std::thread> threads_;
  std::map<TaskPath, ConeBlock> blocks_;
  std::exception_ptr error_;
  std::atomic<int> hungry_{0};
  std::atomic<bool> failed_{false};
  int pending_ = 0, idle_ = 0;
  bool started_ = false, unfinished_ = false;
  std::uint64_t regions_ = 0;
  Work work_;
};

// Runs body<W>() with the narrowest masks that do.
template <typename Body>
ConeResult with_masks(RunControl& control, const Body& body) {
  try {
    return body.template operator()<1>();
  } catch (const FacetOverflow&) {
    control.report(std::uint64_t{0} - control.found(), 0, false);  // begin anew: unsigned, exact
  }
  try {
    return body.template operator()<16>();
  } catch (const FacetOverflow&) {
    throw std::length_error("a cell has more than 1024 facets");
  }
}

template <int W>
class ConeStream : public ConeSink<W> {
 public:
  ConeStream(std::size_t words, std::size_t dim, std::size_t size, RunControl& control,
             const std::function<bool(ConeBlock&&)>& out, std::uint64_t& delivered)
      : size_(size),
        control_(control),
        out_(out),
        delivered_(delivered),
        skip_(delivered),
        inner_(block_, words, dim),
        words_(words),
        dim_(dim) {}
  void region(ConeEngine<W>& engine, const typename ConeEngine<W>::Region& region) override {
    if (skip_ > 0) {  // delivered before the masks became too narrow; the order is the same
      --skip_;
      return;
    }
    inner_.region(engine, region);
    if (block_.n >= size_) flush();
  }
  void flush() {
    if (block_.n == 0 || !wanted_) return;
    delivered_ += block_.n;
    wanted_ = out_(std::move(block_));
    if (!wanted_) control_.stop(Status::kCancelled);
    block_ = ConeBlock{};
    block_.words = words_;
    block_.dim = dim_;
  }

 private:
  bool wanted_ = true;  // a reader that said no is not asked again
  std::size_t size_;
  RunControl& control_;
  const std::function<bool(ConeBlock&&)>& out_;
  std::uint64_t& delivered_;
  std::uint64_t skip_;
  ConeBlock block_;
  ConeBlockSink<W> inner_;
  std::size_t words_, dim_;
};

}  // namespace

ConeResult count_cones(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                       RunControl& control) {
  const DefaultFloatingPoint environment;
  const ConeRoot root(tape, domain, arithmetic);
  control.start();
  return with_masks(control,
                    [&]<int W>() { return ConeTeam<W>(root, control, false, domain.dim).run(); });
}

ConeResult list_cones(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                      RunControl& control, ConeBlock& out) {
  const DefaultFloatingPoint environment;
  const ConeRoot root(tape, domain, arithmetic);
  if (control.limit != RunControl::kNoLimit) control.threads = 1;  // exactly the first regions
  control.start();
  const ConeResult result = with_masks(control, [&]<int W>() {
    ConeTeam<W> team(root, control, true, domain.dim);
    const ConeResult found = team.run();
    for (auto& [path, block] : team.blocks()) out.append(std::move(block));
    return found;
  });
  out.words = tape.pattern_words();
  out.dim = domain.dim;
  return result;
}

ConeResult stream_cones(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                        RunControl& control, std::size_t block,
                        const std::function<bool(ConeBlock&&)>& sink) {
  const DefaultFloatingPoint environment;
  const ConeRoot root(tape, domain, arithmetic);
  control.threads = 1;
  control.start();
  std::uint64_t delivered = 0;
  return with_masks(control, [&]<int W>() {
    ConeEngine<W> engine(root, control, true);
    ConeStream<W> stream(tape.pattern_words(), domain.dim, std::max<std::size_t>(1, block), control,
                         sink, delivered);
    typename ConeEngine<W>::Hooks hooks;
    hooks.sink = &stream;
    engine.run({}, hooks);
    stream.flush();
    const Status status = engine.unfinished() ? control.status() : Status::kComplete;
    return ConeResult{engine.regions(), status, engine.work(), control.seconds()};
  });
}

}  // namespace linear_regions
