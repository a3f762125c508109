// SPDX-License-Identifier: MIT
// The three calls of an engine that searches the regions of a network: count, list and stream.
//
// An engine names its types Domain, Result and Block, its functions count, list and stream, and how
// its work and its blocks become Python objects.
#pragma once

#include <string>

#include "run.hpp"

namespace linear_regions::bindings {

inline py::dict work_of(const Work& work) {
  py::dict out;
  out["cells"] = work.cells;
  out["layer_cells"] = work.layer_cells;
  out["exact_signs"] = work.exact_signs;
  out["exact_rows"] = work.exact_rows;
  out["stolen"] = work.stolen;
  return out;
}

template <typename Engine>
class Search {
  using Domain = typename Engine::Domain;
  using Result = typename Engine::Result;
  using Block = typename Engine::Block;

 public:
  static void bind(py::module_& m, const std::string& name) {
    m.def(("count_" + name).c_str(), &count, py::arg("tape"), py::arg("domain"),
          py::arg("certified"), py::arg("threads"), py::arg("limit"), py::arg("time_limit"),
          py::arg("poll"));
    m.def(("list_" + name).c_str(), &list, py::arg("tape"), py::arg("domain"), py::arg("certified"),
          py::arg("threads"), py::arg("limit"), py::arg("time_limit"), py::arg("poll"));
    m.def(("stream_" + name).c_str(), &stream, py::arg("tape"), py::arg("domain"),
          py::arg("certified"), py::arg("block"), py::arg("limit"), py::arg("time_limit"),
          py::arg("poll"), py::arg("sink"));
  }

 private:
  static py::dict report(const Result& result, const Poll& poll) {
    py::dict out = ending(result, poll, Engine::work(result.work));
    out["regions"] = result.regions;
    return out;
  }

  static py::dict count(const Tape& tape, const Domain& domain, bool certified, unsigned threads,
                        std::optional<std::uint64_t> limit, std::optional<double> time_limit,
                        py::object callback) {
    Poll poll(std::move(callback));
    RunControl control;
    prepare(control, poll, threads, limit, time_limit);
    Result result;
    {
      // Tape and domain are immutable; the callback takes the GIL back by itself.
      const py::gil_scoped_release release;
      result = Engine::count(tape, domain, arithmetic_of(certified), control);
    }
    return report(result, poll);
  }

  static py::dict list(const Tape& tape, const Domain& domain, bool certified, unsigned threads,
                       std::optional<std::uint64_t> limit, std::optional<double> time_limit,
                       py::object callback) {
    Poll poll(std::move(callback));
    RunControl control;
    prepare(control, poll, threads, limit, time_limit);
    Result result;
    Block block;
    {
      const py::gil_scoped_release release;  // as above
      result = Engine::list(tape, domain, arithmetic_of(certified), control, block);
    }
    py::dict out = report(result, poll);
    out["columns"] = Engine::columns(std::move(block));
    return out;
  }

  static py::dict stream(const Tape& tape, const Domain& domain, bool certified, std::size_t block,
                         std::optional<std::uint64_t> limit, std::optional<double> time_limit,
                         py::object callback, const py::object& sink) {
    Poll poll(std::move(callback));
    RunControl control;
    prepare(control, poll, 1, limit, time_limit);
    Delivery<Block, decltype(&Engine::columns)> delivery(sink, &Engine::columns);
    Result result;
    {
      const py::gil_scoped_release release;  // as above; the delivery takes the GIL for itself
      result = Engine::stream(tape, domain, arithmetic_of(certified), control, block,
                              [&](Block&& columns) { return delivery(std::move(columns)); });
    }
    delivery.rethrow();
    return report(result, poll);
  }
};

}  // namespace linear_regions::bindings
