// SPDX-License-Identifier: MIT
#include "linear_regions/cones.hpp"

#include "run.hpp"

namespace linear_regions::bindings {
namespace {

py::dict report(const ConeResult& result, const Poll& poll) {
  py::dict work;
  work["cells"] = result.work.cells;
  work["layer_cells"] = result.work.layer_cells;
  work["exact_signs"] = result.work.exact_signs;
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

py::dict columns_of(ConeBlock&& block) {
  const auto n = static_cast<py::ssize_t>(block.n), dim = static_cast<py::ssize_t>(block.dim);
  const auto size = [](const auto& column) { return static_cast<py::ssize_t>(column.size()); };
  py::dict out;
  out["patterns"] = adopt(std::move(block.patterns), {n, static_cast<py::ssize_t>(block.words)});
  const py::ssize_t vertices = size(block.vertices) / (dim + 1), facets = size(block.labels) / 3;
  const py::ssize_t corners = size(block.corners);
  out["vertices"] = adopt(std::move(block.vertices), {vertices, dim + 1});
  out["vertex_counts"] = adopt(std::move(block.vertex_counts), {n});
  out["rows"] = adopt(std::move(block.rows), {facets, dim + 1});
  out["labels"] = adopt(std::move(block.labels), {facets, 3});
  out["facet_counts"] = adopt(std::move(block.facet_counts), {n});
  out["corners"] = adopt(std::move(block.corners), {corners});
  out["corner_counts"] = adopt(std::move(block.corner_counts), {facets});
  out["points"] = adopt(std::move(block.points), {n, dim});
  out["bounded"] = adopt(std::move(block.bounded), {n});
  py::list exact;
  for (const auto& p : block.exact_points) exact.append(py::make_tuple(p.region, p.coordinates));
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
  ConeResult result;
  {
    // Tape and domain are immutable; the callback takes the GIL back by itself.
    const py::gil_scoped_release release;
    result = count_cones(tape, domain, arithmetic_of(certified), control);
  }
  return report(result, poll);
}

py::dict list(const Tape& tape, const DomainFrame& domain, bool certified, unsigned threads,
              std::optional<std::uint64_t> limit, std::optional<double> time_limit,
              py::object callback) {
  Poll poll(std::move(callback));
  RunControl control;
  prepare(control, poll, threads, limit, time_limit);
  ConeResult result;
  ConeBlock block;
  {
    const py::gil_scoped_release release;  // as above
    result = list_cones(tape, domain, arithmetic_of(certified), control, block);
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
  const auto deliver = [&](ConeBlock&& columns) {
    const py::gil_scoped_acquire gil;
    try {
      return sink(columns_of(std::move(columns))).cast<bool>();
    } catch (py::error_already_set& raised) {
      error = std::make_shared<py::error_already_set>(raised);
      return false;
    }
  };
  ConeResult result;
  {
    const py::gil_scoped_release release;  // as above; `deliver` takes the GIL for itself
    result = stream_cones(tape, domain, arithmetic_of(certified), control, block, deliver);
  }
  if (error) throw py::error_already_set(*error);
  return report(result, poll);
}

}  // namespace

void bind_cones(py::module_& m) {
  m.def("count_cones", &count, py::arg("tape"), py::arg("domain"), py::arg("certified"),
        py::arg("threads"), py::arg("limit"), py::arg("time_limit"), py::arg("poll"));
  m.def("list_cones", &list, py::arg("tape"), py::arg("domain"), py::arg("certified"),
        py::arg("threads"), py::arg("limit"), py::arg("time_limit"), py::arg("poll"));
  m.def("stream_cones", &stream, py::arg("tape"), py::arg("domain"), py::arg("certified"),
        py::arg("block"), py::arg("limit"), py::arg("time_limit"), py::arg("poll"),
        py::arg("sink"));
}

}  // namespace linear_regions::bindings
