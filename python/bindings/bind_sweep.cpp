// SPDX-License-Identifier: MIT
#include "linear_regions/sweep.hpp"

#include "bindings.hpp"
#include "run.hpp"

namespace linear_regions::bindings {
namespace {

// A NumPy array of the caller's, to be written in place.
using Output = py::array_t<std::uint64_t, py::array::c_style>;

py::dict run_sweep(const Hyperplanes& hyperplanes, std::uint64_t first, std::uint64_t last,
                   std::optional<Output> out, bool certified, unsigned threads,
                   std::optional<double> time_limit, py::object callback) {
  Poll poll(std::move(callback));
  RunControl control;
  prepare(control, poll, threads, std::nullopt, time_limit);
  std::uint64_t* words = nullptr;
  std::size_t stride = 0;
  if (out) {
    if (out->ndim() != 2 || first > last ||
        static_cast<std::uint64_t>(out->shape(0)) < last - first ||
        static_cast<std::size_t>(out->shape(1)) < (hyperplanes.n + 63) / 64)
      throw std::invalid_argument("out must be (chambers, words)");
    words = out->mutable_data();
    stride = static_cast<std::size_t>(out->shape(1));
  }
  SweepResult result;
  py::dict report;
  try {
    // The hyperplanes are immutable, and nobody else has seen `out` yet.
    const py::gil_scoped_release release;
    result = sweep(hyperplanes, first, last, arithmetic_of(certified), control, words, stride);
  } catch (const NotSimple& found) {
    report["not_simple"] = found.what();
    report["coordinates"] = found.coordinates();
    return report;
  }
  py::dict work;
  work["lines"] = result.lines;
  work["exact_signs"] = result.exact_signs;
  work["exact_chambers"] = result.exact_chambers;
  report = ending(result, poll, std::move(work));
  report["chambers"] = result.chambers;
  return report;
}

}  // namespace

void bind_sweep(py::module_& m) {
  m.def("sweep_size", &sweep_size, py::arg("n"), py::arg("d"), Exactly());
  m.def("sweep", &run_sweep, py::arg("hyperplanes"), py::arg("first"), py::arg("last"),
        py::arg("out"), py::arg("certified"), py::arg("threads"), py::arg("time_limit"),
        py::arg("poll"), Exactly());
}

}  // namespace linear_regions::bindings
