// SPDX-License-Identifier: MIT
#include "linear_regions/one_layer.hpp"

#include <cstring>

#include "bindings.hpp"
#include "run.hpp"

namespace linear_regions::bindings {
namespace {

using Lists = std::vector<std::vector<std::uint32_t>>;

const char* end_name(FrontierEnd end) {
  switch (end) {
    case FrontierEnd::kDone:
      return "done";
    case FrontierEnd::kStopped:
      return "stopped";
    case FrontierEnd::kTooManySets:
      return "too_many_sets";
    case FrontierEnd::kTooLong:
      return "too_long";
    case FrontierEnd::kOutOfMemory:
      return "out_of_memory";
  }
  return "stopped";
}

// scalars (8): see FrontierState, in its order, `keys` and `counts` left out; keys; counts.
using FrontierArrays = std::tuple<Array<std::uint64_t>, Array<std::uint64_t>, Array<std::uint64_t>>;

// Keys are padded to whole words, which are taken as they are.
py::tuple arrays_of(const FrontierState& s) {
  std::vector<std::uint64_t> scalars{s.step,     s.states,     s.lanes,        s.insertions,
                                     s.expanded, s.max_states, s.vector_bytes, s.bytes};
  std::vector<std::uint64_t> keys(s.keys.size() / 8), counts = s.counts;
  std::memcpy(keys.data(), s.keys.data(), keys.size() * 8);
  const auto n = static_cast<py::ssize_t>(scalars.size());
  const auto k = static_cast<py::ssize_t>(keys.size());
  const auto c = static_cast<py::ssize_t>(counts.size());
  return py::make_tuple(adopt(std::move(scalars), {n}), adopt(std::move(keys), {k}),
                        adopt(std::move(counts), {c}));
}

FrontierState state_from(const FrontierArrays& arrays) {
  const auto& [scalars, keys, counts] = arrays;
  if (scalars.size() != 8) throw std::invalid_argument("the state is that of another count");
  const std::uint64_t* v = scalars.data();
  FrontierState s;
  s.step = v[0];
  s.states = v[1];
  s.lanes = v[2];
  s.insertions = v[3];
  s.expanded = v[4];
  s.max_states = v[5];
  s.vector_bytes = v[6];
  s.bytes = v[7];
  s.keys.resize(static_cast<std::size_t>(keys.size()) * 8);
  if (!s.keys.empty()) std::memcpy(s.keys.data(), keys.data(), s.keys.size());
  s.counts.assign(counts.data(), counts.data() + counts.size());
  return s;
}

py::dict frontier(std::uint32_t n_inputs, std::uint32_t channels, Lists windows, Lists symmetries,
                  const Array<std::uint64_t>& primes, const Array<std::uint64_t>& weights,
                  std::uint64_t max_bytes, std::uint64_t max_insertions,
                  std::optional<double> time_limit, py::object callback, double every,
                  const py::object& save, const std::optional<FrontierArrays>& start) {
  FrontierState from;
  FrontierSaving saving;
  save_by(saving, every, save, [](const FrontierState& state) { return arrays_of(state); });
  if (start) {
    from = state_from(*start);
    saving.from = &from;
  }
  const WindowLayer layer{n_inputs, channels, std::move(windows), std::move(symmetries)};
  const auto p = view(primes), w = view(weights);
  const Lanes lanes{{p.begin(), p.end()}, {w.begin(), w.end()}};
  Poll poll(std::move(callback));
  RunControl control;
  prepare(control, poll, 1, std::nullopt, time_limit);
  FrontierResult result;
  {
    // Everything that is read was copied; the callback takes the GIL back by itself.
    const py::gil_scoped_release release;
    result = count_frontier(layer, lanes, max_bytes, max_insertions, control, saving);
  }
  py::dict work;
  work["insertions"] = result.insertions;
  work["states"] = result.states;
  work["max_states"] = result.max_states;
  work["vector_bytes"] = result.vector_bytes;
  work["bytes"] = result.bytes;
  py::dict out;
  out["end"] = end_name(result.end);
  out["status"] = name_of(result.status);
  out["interrupted"] = poll.interrupted();
  out["residues"] = result.residues;
  out["seconds"] = result.seconds;
  out["work"] = work;
  return out;
}

const char* end_name(TableEnd end) {
  switch (end) {
    case TableEnd::kDone:
      return "done";
    case TableEnd::kStopped:
      return "stopped";
    case TableEnd::kTooLong:
      return "too_long";
    case TableEnd::kTooLarge:
      return "too_large";
    case TableEnd::kCentral:
      return "central";
  }
  return "stopped";
}

// counters (2): first set, nodes; way; high; low: see FilterTableState.
using TableArrays = std::tuple<Array<std::uint64_t>, Array<std::uint32_t>, Array<std::uint64_t>,
                               Array<std::uint64_t>>;

py::tuple arrays_of(const FilterTableState& state) {
  std::vector<std::uint64_t> counters{state.first, state.nodes}, high = state.high, low = state.low;
  std::vector<std::uint32_t> way = state.way;
  const auto w = static_cast<py::ssize_t>(way.size());
  const auto n = static_cast<py::ssize_t>(high.size());
  return py::make_tuple(adopt(std::move(counters), {2}), adopt(std::move(way), {w}),
                        adopt(std::move(high), {n}), adopt(std::move(low), {n}));
}

FilterTableState state_from(const TableArrays& arrays) {
  const auto& [counters, way, high, low] = arrays;
  if (counters.size() != 2) throw std::invalid_argument("the state is that of another count");
  FilterTableState state;
  state.first = counters.data()[0];
  state.nodes = counters.data()[1];
  state.way.assign(way.data(), way.data() + way.size());
  state.high.assign(high.data(), high.data() + high.size());
  state.low.assign(low.data(), low.data() + low.size());
  return state;
}

py::dict filter_tuples(const Array<std::uint64_t>& rows, std::uint64_t prime, std::uint32_t rank,
                       std::vector<std::uint32_t> firsts, std::vector<std::uint64_t> orbits,
                       bool check_bias, std::uint64_t max_nodes, std::optional<double> time_limit,
                       py::object callback, double every, const py::object& save,
                       const std::optional<TableArrays>& start) {
  FilterTableState from;
  FilterTableSaving saving;
  save_by(saving, every, save, [](const FilterTableState& state) { return arrays_of(state); });
  if (start) {
    from = state_from(*start);
    saving.from = &from;
  }
  if (rows.ndim() != 3 || rows.shape(2) < 2)
    throw std::invalid_argument("rows must have the shape (filters, windows, slots + 1)");
  FilterDraw draw;
  draw.n_filters = static_cast<std::uint32_t>(rows.shape(0));
  draw.n_windows = static_cast<std::uint32_t>(rows.shape(1));
  draw.n_slots = static_cast<std::uint32_t>(rows.shape(2) - 1);
  draw.rank = rank;
  draw.prime = prime;
  draw.rows.assign(rows.data(), rows.data() + rows.size());
  draw.firsts = std::move(firsts);
  draw.orbits = std::move(orbits);
  draw.check_bias = check_bias;
  Poll poll(std::move(callback));
  RunControl control;
  prepare(control, poll, 1, std::nullopt, time_limit);
  FilterTable table;
  {
    // Everything that is read was copied; the callback takes the GIL back by itself.
    const py::gil_scoped_release release;
    table = count_filter_tuples(draw, max_nodes, control, saving);
  }
  py::dict out;
  out["end"] = end_name(table.end);
  out["status"] = name_of(table.status);
  out["interrupted"] = poll.interrupted();
  out["high"] = table.high;
  out["low"] = table.low;
  out["nodes"] = table.nodes;
  out["seconds"] = table.seconds;
  return out;
}

}  // namespace

void bind_one_layer(py::module_& m) {
  m.def("count_frontier", &frontier, py::arg("n_inputs"), py::arg("channels"), py::arg("windows"),
        py::arg("symmetries"), py::arg("primes"), py::arg("weights"), py::arg("max_bytes"),
        py::arg("max_insertions"), py::arg("time_limit"), py::arg("poll"), py::arg("every") = 0.0,
        py::arg("save") = py::none(), py::arg("start") = py::none(), Exactly());
  m.def("count_filter_tuples", &filter_tuples, py::arg("rows"), py::arg("prime"), py::arg("rank"),
        py::arg("firsts"), py::arg("orbits"), py::arg("check_bias"), py::arg("max_nodes"),
        py::arg("time_limit"), py::arg("poll"), py::arg("every") = 0.0,
        py::arg("save") = py::none(), py::arg("start") = py::none(), Exactly());
}

}  // namespace linear_regions::bindings
