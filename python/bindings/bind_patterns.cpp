// SPDX-License-Identifier: MIT
#include "bindings.hpp"
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

}  // namespace

void bind_patterns(py::module_& m) {
  m.def("distinct_rows", &distinct_rows, py::arg("words"));
}

}  // namespace linear_regions::bindings
