// SPDX-License-Identifier: MIT
#include "linear_regions/planar.hpp"

#include "bindings.hpp"
#include "search.hpp"

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

py::dict columns_of(RegionBlock&& block) {
  const auto n = static_cast<py::ssize_t>(block.n);
  py::dict out;
  out["patterns"] = adopt(std::move(block.patterns), {n, static_cast<py::ssize_t>(block.words)});
  out["points"] = adopt(std::move(block.points), {n, 2});
  out["bounded"] = adopt(std::move(block.bounded), {n});
  py::list exact;
  for (const auto& p : block.exact_points) exact.append(py::make_tuple(p.region, p.x, p.y));
  out["exact_points"] = exact;
  if (!block.faces) return out;
  const auto total = static_cast<py::ssize_t>(block.vertices.size() / 3);
  out["vertices"] = adopt(std::move(block.vertices), {total, 3});
  out["labels"] = adopt_labels(std::move(block.labels));
  out["rows"] = adopt(std::move(block.rows), {total, 3});
  out["vertex_counts"] = adopt(std::move(block.vertex_counts), {n});
  return out;
}

struct Planar {
  using Domain = PlanarDomain;
  using Result = PlanarResult;
  using Block = RegionBlock;
  static constexpr bool kFaces = true;
  static constexpr auto count = &count_planar;
  static constexpr auto list = &list_planar;
  static constexpr auto stream = &stream_planar;
  static constexpr auto search = &search_planar;
  static constexpr auto cut = &cut_planar;
  static constexpr auto probe = &probe_planar;
  static py::dict work(const decltype(Result::work)& work) { return work_of(work); }
  static py::dict columns(Block&& block) { return columns_of(std::move(block)); }
};

}  // namespace

void bind_planar(py::module_& m) {
  py::register_exception<ForeignPart>(m, "ForeignPart", PyExc_RuntimeError);
  py::class_<PlanarDomain>(m, "PlanarDomain", "A convex set of dimension at most two.")
      .def(py::init(&make_domain), py::arg("columns"), py::arg("edges"), py::arg("at_infinity"),
           py::arg("exact_columns") = std::vector<std::string>{},
           py::arg("exact_denominator") = "1", py::arg("exact_edges") = std::vector<std::string>{},
           Exactly());
  Search<Planar>::bind(m, "planar");
}

}  // namespace linear_regions::bindings
