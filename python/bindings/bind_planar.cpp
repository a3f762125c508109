// SPDX-License-Identifier: MIT
#include "linear_regions/planar.hpp"

#include "bindings.hpp"
#include "run.hpp"

namespace linear_regions::bindings {
namespace {

PlanarDomain make_domain(const Array<double>& columns, const Array<double>& edges,
                         const Array<bool>& at_infinity, std::vector<std::string> exact_columns,
                         std::string exact_denominator, std::vector<std::string> exact_edges) {
  if (columns.ndim() != 2 || columns.shape(0) != 3 || edges.ndim() != 2 || edges.shape(1) != 3 ||
      at_infinity.size() != edges.shape(0))
    throw std::invalid_argument("a planar domain needs columns (3, n) and edges (k, 3)");
  const auto n = static_cast<std::size_t>(columns.shape(1)),
             k = static_cast<std::size_t>(edges.shape(0));
  if ((!exact_columns.empty() && exact_columns.size() != 3 * n) ||
      (!exact_edges.empty() && exact_edges.size() != 3 * k))
    throw std::invalid_argument("exact columns or edges have another size than the rounded ones");
  PlanarDomain domain;
  const double* c = columns.data();
  domain.direction1.assign(c, c + n);
  domain.direction2.assign(c + n, c + 2 * n);
  domain.origin.assign(c + 2 * n, c + 3 * n);
  for (std::size_t i = 0; i < k; ++i)
    domain.edges.push_back({edges.data()[3 * i], edges.data()[3 * i + 1], edges.data()[3 * i + 2],
                            at_infinity.data()[i]});
  domain.exact_columns = std::move(exact_columns);
  domain.exact_denominator = std::move(exact_denominator);
  domain.exact_edges = std::move(exact_edges);
  return domain;
}

py::dict report(const PlanarResult& result, const Poll& poll) {
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

py::dict columns_of(RegionBlock&& block) {
  const auto n = static_cast<py::ssize_t>(block.n);
  const auto total = static_cast<py::ssize_t>(block.vertices.size() / 3);
  py::dict out;
  out["patterns"] = adopt(std::move(block.patterns), {n, static_cast<py::ssize_t>(block.words)});
  out["vertices"] = adopt(std::move(block.vertices), {total, 3});
  out["labels"] = adopt_labels(std::move(block.labels));
  out["rows"] = adopt(std::move(block.rows), {total, 3});
  out["vertex_counts"] = adopt(std::move(block.vertex_counts), {n});
  out["points"] = adopt(std::move(block.points), {n, 2});
  out["bounded"] = adopt(std::move(block.bounded), {n});
  py::list exact;
  for (const auto& p : block.exact_points) exact.append(py::make_tuple(p.region, p.x, p.y));
  out["exact_points"] = exact;
  return out;
}

Arithmetic arithmetic_of(bool certified) {
  return certified ? Arithmetic::kCertified : Arithmetic::kFloat;
}

py::dict count(const Tape& tape, const PlanarDomain& domain, bool certified, unsigned threads,
               std::optional<std::uint64_t> limit, std::optional<double> time_limit,
               py::object callback) {
  Poll poll(std::move(callback));
  RunControl control;
  prepare(control, poll, threads, limit, time_limit);
  PlanarResult result;
  {
    // Tape and domain are immutable; the callback takes the GIL back by itself.
    const py::gil_scoped_release release;
    result = count_planar(tape, domain, arithmetic_of(certified), control);
  }
  return report(result, poll);
}

py::dict list(const Tape& tape, const PlanarDomain& domain, bool certified, unsigned threads,
              std::optional<std::uint64_t> limit, std::optional<double> time_limit,
              py::object callback) {
  Poll poll(std::move(callback));
  RunControl control;
  prepare(control, poll, threads, limit, time_limit);
  PlanarResult result;
  RegionBlock block;
  {
    const py::gil_scoped_release release;  // as above
    result = list_planar(tape, domain, arithmetic_of(certified), control, block);
  }
  py::dict out = report(result, poll);
  out["columns"] = columns_of(std::move(block));
  return out;
}

py::dict stream(const Tape& tape, const PlanarDomain& domain, bool certified, std::size_t block,
                std::optional<std::uint64_t> limit, std::optional<double> time_limit,
                py::object callback, const py::object& sink) {
  Poll poll(std::move(callback));
  RunControl control;
  prepare(control, poll, 1, limit, time_limit);
  std::shared_ptr<py::error_already_set> error;
  const auto deliver = [&](RegionBlock&& columns) {
    const py::gil_scoped_acquire gil;
    try {
      return sink(columns_of(std::move(columns))).cast<bool>();
    } catch (py::error_already_set& raised) {
      error = std::make_shared<py::error_already_set>(raised);
      return false;
    }
  };
  PlanarResult result;
  {
    const py::gil_scoped_release release;  // as above; `deliver` takes the GIL for itself
    result = stream_planar(tape, domain, arithmetic_of(certified), control, block, deliver);
  }
  if (error) throw py::error_already_set(*error);
  return report(result, poll);
}

}  // namespace

void bind_planar(py::module_& m) {
  py::class_<PlanarDomain>(m, "PlanarDomain", "A convex set of dimension at most two.")
      .def(py::init(&make_domain), py::arg("columns"), py::arg("edges"), py::arg("at_infinity"),
           py::arg("exact_columns") = std::vector<std::string>{},
           py::arg("exact_denominator") = "1", py::arg("exact_edges") = std::vector<std::string>{});
  m.def("count_planar", &count, py::arg("tape"), py::arg("domain"), py::arg("certified"),
        py::arg("threads"), py::arg("limit"), py::arg("time_limit"), py::arg("poll"));
  m.def("list_planar", &list, py::arg("tape"), py::arg("domain"), py::arg("certified"),
        py::arg("threads"), py::arg("limit"), py::arg("time_limit"), py::arg("poll"));
  m.def("stream_planar", &stream, py::arg("tape"), py::arg("domain"), py::arg("certified"),
        py::arg("block"), py::arg("limit"), py::arg("time_limit"), py::arg("poll"),
        py::arg("sink"));
}

}  // namespace linear_regions::bindings
