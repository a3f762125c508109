// SPDX-License-Identifier: MIT
#include "bindings.hpp"
#include "linear_regions/deep_tree.hpp"
#include "linear_regions/interval.hpp"
#include "run.hpp"

namespace linear_regions::bindings {
namespace {

py::dict report(const TreeResult& result, const Poll& poll) {
  py::dict work;
  work["layer_cells"] = result.work.layer_cells;
  work["questions"] = result.work.questions;
  work["points_reused"] = result.work.points_reused;
  work["circuits_reused"] = result.work.circuits_reused;
  work["lps"] = result.work.lps;
  work["steps"] = result.work.steps;
  work["exact_signs"] = result.work.exact_signs;
  work["exact_lps"] = result.work.exact_lps;
  work["exact_rows"] = result.work.exact_rows;
  work["stolen"] = result.work.stolen;
  py::dict out;
  out["regions"] = result.regions;
  out["status"] = name_of(result.status);
  out["seconds"] = result.seconds;
  out["work"] = work;
  out["interrupted"] = poll.interrupted();
  return out;
}

py::dict columns_of(TreeBlock&& block) {
  const auto n = static_cast<py::ssize_t>(block.n);
  py::dict out;
  out["patterns"] = adopt(std::move(block.patterns), {n, static_cast<py::ssize_t>(block.words)});
  out["points"] = adopt(std::move(block.points), {n, static_cast<py::ssize_t>(block.dim)});
  py::list exact;
  for (const auto& [region, fractions] : block.exact_points)
    exact.append(py::make_tuple(region, fractions));
  out["exact_points"] = exact;
  return out;
}

Arithmetic arithmetic_of(bool certified) {
  return certified ? Arithmetic::kCertified : Arithmetic::kFloat;
}

py::dict count(const Tape& tape, const DomainFrame& domain, bool certified, unsigned threads,
               std::optional<std::uint64_t> limit, std::optional<double> time_limit,
               py::object callback) {
  Poll poll(std::move(callback));
  RunControl control;
  prepare(control, poll, threads, limit, time_limit);
  TreeResult result;
  {
    // Tape and domain are immutable; the callback takes the GIL back by itself.
    const py::gil_scoped_release release;
    result = count_tree(tape, domain, arithmetic_of(certified), control);
  }
  return report(result, poll);
}

py::dict list(const Tape& tape, const DomainFrame& domain, bool certified, unsigned threads,
              std::optional<std::uint64_t> limit, std::optional<double> time_limit,
              py::object callback) {
  Poll poll(std::move(callback));
  RunControl control;
  prepare(control, poll, threads, limit, time_limit);
  TreeResult result;
  TreeBlock block;
  {
    const py::gil_scoped_release release;  // as above
    result = list_tree(tape, domain, arithmetic_of(certified), control, block);
  }
  py::dict out = report(result, poll);
  out["columns"] = columns_of(std::move(block));
  return out;
}

py::dict stream(const Tape& tape, const DomainFrame& domain, bool certified, std::size_t block,
                std::optional<std::uint64_t> limit, std::optional<double> time_limit,
                py::object callback, const py::object& sink) {
  Poll poll(std::move(callback));
  RunControl control;
  prepare(control, poll, 1, limit, time_limit);
  std::shared_ptr<py::error_already_set> error;
  const auto deliver = [&](TreeBlock&& columns) {
    const py::gil_scoped_acquire gil;
    try {
      return sink(columns_of(std::move(columns))).cast<bool>();
    } catch (py::error_already_set& raised) {
      error = std::make_shared<py::error_already_set>(raised);
      return false;
    }
  };
  TreeResult result;
  {
    const py::gil_scoped_release release;  // as above; `deliver` takes the GIL for itself
    result = stream_tree(tape, domain, arithmetic_of(certified), control, block, deliver);
  }
  if (error) throw py::error_already_set(*error);
  return report(result, poll);
}

py::list unstable(const Tape& tape, const Array<double>& low, const Array<double>& high) {
  std::vector<std::vector<std::uint8_t>> found;
  {
    const py::gil_scoped_release release;  // the tape is immutable, the arrays are the caller's
    found = unstable_units(tape, view(low), view(high));
  }
  py::list out;
  for (auto& units : found) {
    const auto n = static_cast<py::ssize_t>(units.size());
    out.append(adopt(std::move(units), {n}));
  }
  return out;
}

}  // namespace

void bind_deep_tree(py::module_& m) {
  m.def("count_tree", &count, py::arg("tape"), py::arg("domain"), py::arg("certified"),
        py::arg("threads"), py::arg("limit"), py::arg("time_limit"), py::arg("poll"));
  m.def("list_tree", &list, py::arg("tape"), py::arg("domain"), py::arg("certified"),
        py::arg("threads"), py::arg("limit"), py::arg("time_limit"), py::arg("poll"));
  m.def("stream_tree", &stream, py::arg("tape"), py::arg("domain"), py::arg("certified"),
        py::arg("block"), py::arg("limit"), py::arg("time_limit"), py::arg("poll"),
        py::arg("sink"));
  m.def("unstable_units", &unstable, py::arg("tape"), py::arg("low"), py::arg("high"));
}

}  // namespace linear_regions::bindings
