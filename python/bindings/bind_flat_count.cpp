// SPDX-License-Identifier: MIT
#include "linear_regions/flat_count.hpp"

#include "bindings.hpp"
#include "run.hpp"

namespace linear_regions::bindings {
namespace {

// levels (k, 2), whitney (r, 2), counters (3): see FlatCountState.
using StateArrays = std::tuple<Array<std::uint64_t>, Array<std::uint64_t>, Array<std::uint64_t>>;

py::tuple arrays_of(const FlatCountState& state) {
  std::vector<std::uint64_t> levels, whitney;
  for (const auto& [since, first] : state.levels) {
    levels.push_back(since);
    levels.push_back(first);
  }
  for (const auto& b : state.whitney) {
    whitney.push_back(b.high);
    whitney.push_back(b.low);
  }
  std::vector<std::uint64_t> counters{state.flats, state.merged, state.coincidences};
  const auto k = static_cast<py::ssize_t>(state.levels.size());
  const auto r = static_cast<py::ssize_t>(state.whitney.size());
  return py::make_tuple(adopt(std::move(levels), {k, 2}), adopt(std::move(whitney), {r, 2}),
                        adopt(std::move(counters), {3}));
}

FlatCountState state_from(const StateArrays& arrays) {
  const auto& [levels, whitney, counters] = arrays;
  if (levels.ndim() != 2 || levels.shape(1) != 2 || whitney.ndim() != 2 || whitney.shape(1) != 2 ||
      counters.size() != 3)
    throw std::invalid_argument("the state is that of another count");
  FlatCountState state;
  for (py::ssize_t i = 0; i < levels.shape(0); ++i)
    state.levels.push_back({levels.at(i, 0), levels.at(i, 1)});
  for (py::ssize_t i = 0; i < whitney.shape(0); ++i)
    state.whitney.push_back({whitney.at(i, 0), whitney.at(i, 1)});
  state.flats = counters.at(0);
  state.merged = counters.at(1);
  state.coincidences = counters.at(2);
  return state;
}

py::dict run_flat_count(const Array<std::uint64_t>& rows, std::uint64_t p, unsigned threads,
                        std::optional<double> time_limit, py::object callback,
                        std::size_t store_bytes, double every, const py::object& save,
                        const std::optional<StateArrays>& start) {
  if (rows.ndim() != 2) throw std::invalid_argument("rows must be (n, r)");
  FlatCountState from;
  FlatCountSaving saving;
  save_by(saving, every, save, [](const FlatCountState& state) { return arrays_of(state); });
  if (start) {
    from = state_from(*start);
    saving.from = &from;
  }
  Poll poll(std::move(callback));
  RunControl control;
  prepare(control, poll, threads, std::nullopt, time_limit);
  FlatCountResult result;
  {
    // `rows` is held by this frame; the callback takes the GIL back by itself.
    const py::gil_scoped_release release;
    result = count_flats(view(rows), static_cast<std::size_t>(rows.shape(0)),
                         static_cast<std::size_t>(rows.shape(1)), p, control, store_bytes, saving);
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
        py::arg("time_limit"), py::arg("poll"), py::arg("store_bytes") = std::size_t{1} << 28,
        py::arg("every") = 0.0, py::arg("save") = py::none(), py::arg("start") = py::none());
}

}  // namespace linear_regions::bindings
