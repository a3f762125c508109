// SPDX-License-Identifier: MIT
// What the binding files share: array checks, ownership of returned buffers, the poll callback.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <chrono>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "linear_regions/float_environment.hpp"
#include "linear_regions/region_table.hpp"
#include "linear_regions/run_control.hpp"

namespace linear_regions::bindings {

namespace py = pybind11;

// For every function that computes with doubles, whatever the caller's thread does with them. The
// poll callback and sinks run in it, too.
using Exactly = py::call_guard<DefaultFloatingPoint>;

template <typename T>
using Array = py::array_t<T, py::array::c_style | py::array::forcecast>;

template <typename T>
std::span<const T> view(const Array<T>& array) {
  return {array.data(), static_cast<std::size_t>(array.size())};
}

// A NumPy array that owns the vector's memory: no copy.
template <typename T>
py::array adopt(std::vector<T>&& values, std::vector<py::ssize_t> shape) {
  auto* owner = new std::vector<T>(std::move(values));
  py::capsule free(owner, [](void* p) { delete static_cast<std::vector<T>*>(p); });
  return py::array_t<T>(std::move(shape), owner->data(), free);
}

// The labels of facets as an int32 array of shape (facets, 3): no copy.
inline py::array adopt_labels(std::vector<FacetLabel>&& labels) {
  static_assert(sizeof(FacetLabel) == 3 * sizeof(std::int32_t));
  const auto n = static_cast<py::ssize_t>(labels.size());
  auto* owner = new std::vector<FacetLabel>(std::move(labels));
  py::capsule free(owner, [](void* p) { delete static_cast<std::vector<FacetLabel>*>(p); });
  return py::array_t<std::int32_t>({n, py::ssize_t{3}},
                                   reinterpret_cast<const std::int32_t*>(owner->data()), free);
}

// Lets Python see signals, cancellation and progress while the core runs without the GIL.
// An exception that a handler or the callback raises stops the run and is kept for later.
class Poll {
 public:
  explicit Poll(py::object callback) : callback_(std::move(callback)) {}

  bool operator()(std::uint64_t found, double fraction) {
    const py::gil_scoped_acquire gil;
    try {
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      return callback_.is_none() || callback_(found, fraction).cast<bool>();
    } catch (py::error_already_set& error) {
      error_ = std::make_shared<py::error_already_set>(error);
      return false;
    }
  }

  bool has_callback() const { return !callback_.is_none(); }

  // True when Ctrl-C stopped the run; any other exception goes on to the caller.
  bool interrupted() const {
    if (!error_) return false;
    if (error_->matches(PyExc_KeyboardInterrupt)) return true;
    throw py::error_already_set(*error_);
  }

 private:
  py::object callback_;
  std::shared_ptr<py::error_already_set> error_;
};

// Asks `poll` every 20 ms at most; for loops that are told whether to go on.
class Watch {
 public:
  explicit Watch(Poll& poll, std::uint64_t found = 0, double fraction = 0.0)
      : poll_(poll), found_(found), fraction_(fraction) {}

  bool operator()() {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(20)) return true;
    last_ = now;
    stopped_ = !poll_(found_, fraction_);
    return !stopped_;
  }
  // Raises KeyboardInterrupt where Ctrl-C stopped the loop, or what a handler raised.
  void rethrow() const {
    if (!stopped_ || !poll_.interrupted()) return;
    PyErr_SetNone(PyExc_KeyboardInterrupt);
    throw py::error_already_set();
  }

 private:
  Poll& poll_;
  std::uint64_t found_;
  double fraction_;
  bool stopped_ = false;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// Calls work(keep_going) without the GIL, and raises KeyboardInterrupt where Ctrl-C ended it.
template <typename Work>
void hearing_signals(Work&& work) {
  Poll poll(py::none{});
  Watch watch(poll);
  {
    const py::gil_scoped_release release;  // the caller's frame holds what the work reads
    work([&watch] { return watch(); });
  }
  watch.rethrow();
}

void bind_floating_point(py::module_& m);
void bind_flat_count(py::module_& m);
void bind_hyperplanes(py::module_& m);
void bind_deep_tree(py::module_& m);
void bind_frame(py::module_& m);
void bind_cones(py::module_& m);
void bind_counter(py::module_& m);
void bind_tape(py::module_& m);
void bind_planar(py::module_& m);
void bind_segments(py::module_& m);
void bind_sign_tree(py::module_& m);
void bind_sweep(py::module_& m);
void bind_regions(py::module_& m);
void bind_patterns(py::module_& m);
void bind_one_layer_estimate(py::module_& m);
void bind_one_layer(py::module_& m);

}  // namespace linear_regions::bindings
