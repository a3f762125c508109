// SPDX-License-Identifier: MIT
#include "linear_regions/flat_count.hpp"

#include "bindings.hpp"
#include "run.hpp"

namespace linear_regions::bindings {
namespace {

py::dict run_flat_count(const Array<std::uint64_t>& rows, std::uint64_t p, unsigned threads,
                        std::optional<double> time_limit, py::object callback,
                        std::size_t store_bytes) {
  if (rows.ndim() != 2) throw std::invalid_argument("rows must be (n, r)");
  Poll poll(std::move(callback));
  RunControl control;
  prepare(control, poll, threads, std::nullopt, time_limit);
  FlatCountResult result;
  {
    // `rows` is held by this frame; the callback takes the GIL back by itself.
    const py::gil_scoped_release release;
    result = count_flats(view(rows), static_cast<std::size_t>(rows.shape(0)),
                         static_cast<std::size_t>(rows.shape(1)), p, control, store_bytes);
  }
  py::list whitney;
  for (const auto& b : result.whitney) whitney.append(py::make_tuple(b.high, b.low));
  py::dict out;
  out["whitney"] = whitney;
  out["uniform"] = result.uniform;
  out["flats"] = result.flats;
  out["merged"] = result.merged;
  out["status"] = name_of(result.status);
  out["seconds"] = result.seconds;
  out["interrupted"] = poll.interrupted();
  return out;
}

}  // namespace

void bind_flat_count(py::module_& m) {
  m.def("count_flats", &run_flat_count, py::arg("rows"), py::arg("p"), py::arg("threads"),
        py::arg("time_limit"), py::arg("poll"), py::arg("store_bytes") = std::size_t{1} << 28);
}

}  // namespace linear_regions::bindings
