// SPDX-License-Identifier: MIT
// Many small questions at once: regions on segments, distances between patterns.
#include "linear_regions/segments.hpp"

#include "bindings.hpp"
#include "linear_regions/pattern_distances.hpp"
#include "run.hpp"
#include "search.hpp"

namespace linear_regions::bindings {
namespace {

py::dict segment_counts(const Tape& tape, const Array<double>& a, const Array<double>& b,
                        bool certified, unsigned threads, std::optional<double> time_limit,
                        py::object callback) {
  if (a.ndim() != 2 || b.ndim() != 2 || a.shape(0) != b.shape(0))
    throw std::invalid_argument("the ends of m segments have shape (m, n)");
  const py::ssize_t m = a.shape(0);
  Poll poll(std::move(callback));
  RunControl control;
  prepare(control, poll, threads, std::nullopt, time_limit);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(m), -1);
  SegmentsResult result;
  {
    // The tape is immutable, the arrays are held by this frame; the callback takes the GIL back.
    const py::gil_scoped_release release;
    result = count_segments(tape, view(a), view(b), arithmetic_of(certified), control, counts);
  }
  py::dict out = ending(result, poll, work_of(result.work));
  out["counts"] = adopt(std::move(counts), {m});
  return out;
}

py::array distances_of_patterns(const Array<std::uint64_t>& words) {
  if (words.ndim() != 2) throw std::invalid_argument("packed patterns have shape (n, words)");
  const py::ssize_t n = words.shape(0);
  std::vector<std::int64_t> distances(static_cast<std::size_t>(n * n));
  Poll poll(py::none{});
  Watch watch(poll);
  {
    const py::gil_scoped_release release;  // the array is held by this frame
    pattern_distances(view(words), static_cast<std::size_t>(n),
                      static_cast<std::size_t>(words.shape(1)), distances,
                      [&watch] { return watch(); });
  }
  watch.rethrow();
  return adopt(std::move(distances), {n, n});
}

}  // namespace

void bind_segments(py::module_& m) {
  m.def("count_segments", &segment_counts, py::arg("tape"), py::arg("a"), py::arg("b"),
        py::arg("certified"), py::arg("threads"), py::arg("time_limit"), py::arg("poll"),
        Exactly());
  m.def("pattern_distances", &distances_of_patterns, py::arg("words"), Exactly());
}

}  // namespace linear_regions::bindings
