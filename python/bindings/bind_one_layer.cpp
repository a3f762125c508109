// SPDX-License-Identifier: MIT
#include "linear_regions/one_layer.hpp"

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

py::dict frontier(std::uint32_t n_inputs, std::uint32_t channels, Lists windows, Lists symmetries,
                  const Array<std::uint64_t>& primes, const Array<std::uint64_t>& weights,
                  std::uint64_t max_bytes, std::uint64_t max_insertions,
                  std::optional<double> time_limit, py::object callback) {
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
    result = count_frontier(layer, lanes, max_bytes, max_insertions, control);
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

py::dict filter_tuples(const Array<std::uint64_t>& rows, std::uint64_t prime, std::uint32_t rank,
                       std::vector<std::uint32_t> firsts, std::vector<std::uint64_t> orbits,
                       bool check_bias, std::uint64_t max_nodes, std::optional<double> time_limit,
                       py::object callback) {
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
    table = count_filter_tuples(draw, max_nodes, control);
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
        py::arg("max_insertions"), py::arg("time_limit"), py::arg("poll"));
  m.def("count_filter_tuples", &filter_tuples, py::arg("rows"), py::arg("prime"), py::arg("rank"),
        py::arg("firsts"), py::arg("orbits"), py::arg("check_bias"), py::arg("max_nodes"),
        py::arg("time_limit"), py::arg("poll"));
}

}  // namespace linear_regions::bindings
