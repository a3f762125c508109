// SPDX-License-Identifier: MIT
// What the bindings of all long calls share: options into a RunControl, its status into a word.
#pragma once

#include <cstdint>
#include <optional>

#include "bindings.hpp"
#include "linear_regions/planar.hpp"

namespace linear_regions::bindings {

inline RunControl& prepare(RunControl& control, Poll& poll, unsigned threads,
                           std::optional<std::uint64_t> limit, std::optional<double> time_limit) {
  control.threads = threads == 0 ? 1 : threads;
  if (limit) control.limit = *limit;
  control.time_limit = time_limit;
  control.poll = [&poll](std::uint64_t found, double fraction) { return poll(found, fraction); };
  // A run that was cancelled before it began finds nothing, however short it would have been.
  if (poll.has_callback() && !poll(0, 0.0)) control.stop(Status::kCancelled);
  return control;
}

inline const char* name_of(Status status) {
  switch (status) {
    case Status::kComplete:
      return "complete";
    case Status::kLimit:
      return "limit";
    case Status::kTimeLimit:
      return "time_limit";
    case Status::kCancelled:
      return "cancelled";
    case Status::kPaused:
      return "paused";
  }
  return "cancelled";
}

inline Arithmetic arithmetic_of(bool certified) {
  return certified ? Arithmetic::kCertified : Arithmetic::kFloat;
}

// How a run ended; the caller adds what it found.
template <typename Result>
py::dict ending(const Result& result, const Poll& poll, py::dict work) {
  py::dict out;
  out["status"] = name_of(result.status);
  out["seconds"] = result.seconds;
  out["work"] = std::move(work);
  out["interrupted"] = poll.interrupted();
  return out;
}

// A Python callable that makes columns of what a list found, once: joining the blocks of a long
// list takes longer than a run that is stopped may take to end.
template <typename Blocks, typename Columns>
py::cpp_function when_asked(Blocks&& blocks, Columns columns) {
  auto held = std::make_shared<std::optional<Blocks>>(std::move(blocks));
  return [held, columns = std::move(columns)]() -> py::dict {
    if (!held->has_value()) throw std::logic_error("these columns were handed out before");
    std::optional<Blocks> taken;
    taken.swap(*held);  // no other thread gets them while this one joins them
    return columns(std::move(*taken));
  };
}

// Gives the states of a run to a Python callable, as `columns` makes them; none: keeps none.
template <typename Saving, typename Columns>
void save_by(Saving& saving, double every, const py::object& save, Columns columns) {
  if (save.is_none()) return;
  saving.every = every;
  saving.save = [&save, columns](auto&& state) {
    const py::gil_scoped_acquire gil;
    save(columns(std::forward<decltype(state)>(state)));
  };
}

// Hands blocks of a stream to a Python callable, which returns False to stop. What it raises stops
// the stream, too, and is raised again by `rethrow`.
template <typename Block, typename Columns>
class Delivery {
 public:
  Delivery(const py::object& sink, Columns columns) : sink_(sink), columns_(std::move(columns)) {}

  bool operator()(Block&& block) {
    const py::gil_scoped_acquire gil;
    try {
      return sink_(columns_(std::move(block))).template cast<bool>();
    } catch (py::error_already_set& raised) {
      error_ = std::make_shared<py::error_already_set>(raised);
      return false;
    }
  }
  bool failed() const { return error_ != nullptr; }
  void rethrow() const {
    if (error_) throw py::error_already_set(*error_);
  }

 private:
  const py::object& sink_;
  Columns columns_;
  std::shared_ptr<py::error_already_set> error_;
};

}  // namespace linear_regions::bindings
