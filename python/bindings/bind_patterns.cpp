// SPDX-License-Identifier: MIT
#include "bindings.hpp"
#include "linear_regions/hit_and_run.hpp"
#include "linear_regions/sign_set.hpp"

namespace linear_regions::bindings {
namespace {

// Number of distinct rows and how often each occurs, in the order of first occurrence.
py::tuple distinct_rows(const Array<std::uint64_t>& words) {
  if (words.ndim() != 2) throw std::invalid_argument("packed patterns have shape (n, words)");
  const auto n = static_cast<std::size_t>(words.shape(0));
  SignSet set(static_cast<std::size_t>(words.shape(1)));
  std::vector<std::int64_t> counts;
  {
    const py::gil_scoped_release release;  // the array is held by this frame
    set.insert_rows(view(words), n);
    counts.assign(set.counts().begin(), set.counts().end());
  }
  const auto distinct = static_cast<py::ssize_t>(counts.size());
  return py::make_tuple(distinct, adopt(std::move(counts), {distinct}));
}

// One point for each row of random words.
py::array walk(const Array<double>& sides, const Array<double>& start,
               const Array<std::uint64_t>& words) {
  if (sides.ndim() != 2 || start.ndim() != 1 || words.ndim() != 2 ||
      sides.shape(1) != start.shape(0) + 1)
    throw std::invalid_argument("hit-and-run takes sides (m, d + 1), a start (d,), words (n, k)");
  const auto d = static_cast<std::size_t>(start.shape(0));
  const auto n = static_cast<std::size_t>(words.shape(0));
  std::vector<double> points(n * d);
  {
    const py::gil_scoped_release release;  // the arrays are held by this frame
    hit_and_run(view(sides), d, view(start), view(words), n,
                static_cast<std::size_t>(words.shape(1)), points);
  }
  return adopt(std::move(points), {words.shape(0), start.shape(0)});
}

}  // namespace

void bind_patterns(py::module_& m) {
  m.def("distinct_rows", &distinct_rows, py::arg("words"), Exactly());
  m.def("hit_and_run", &walk, py::arg("sides"), py::arg("start"), py::arg("words"), Exactly());
}

}  // namespace linear_regions::bindings
