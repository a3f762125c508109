// SPDX-License-Identifier: MIT
#include "bindings.hpp"
#include "linear_regions/region_maps.hpp"
#include "linear_regions/region_sizes.hpp"

namespace linear_regions::bindings {
namespace {

py::array mates(const Array<std::uint64_t>& patterns, const Array<std::int64_t>& facet_start,
                const Array<std::int32_t>& labels) {
  if (patterns.ndim() != 2 || labels.ndim() != 2 || labels.shape(1) != 3)
    throw std::invalid_argument("mates of facets need patterns (n, words) and labels (facets, 3)");
  const auto facets = labels.shape(0);
  RegionColumns regions;
  regions.patterns = view(patterns);
  regions.n = static_cast<std::size_t>(patterns.shape(0));
  regions.words = static_cast<std::size_t>(patterns.shape(1));
  regions.facet_start = view(facet_start);
  static_assert(sizeof(FacetLabel) == 3 * sizeof(std::int32_t));
  regions.labels = {reinterpret_cast<const FacetLabel*>(labels.data()),
                    static_cast<std::size_t>(facets)};
  std::vector<std::int64_t> found;
  hearing_signals([&](const auto& keep_going) { found = facet_mates(regions, keep_going); });
  return adopt(std::move(found), {facets});
}

void check(const Tape& tape, const DomainFrame& frame) {
  if (frame.columns[0].size() != tape.n_in())
    throw std::invalid_argument("the domain has another input size than the network");
}

py::dict classes(const Tape& tape, const DomainFrame& frame, const Array<std::uint64_t>& patterns,
                 py::object callback) {
  check(tape, frame);
  if (patterns.ndim() != 2) throw std::invalid_argument("packed patterns have shape (n, words)");
  Poll poll(std::move(callback));
  const auto n = static_cast<std::size_t>(patterns.shape(0));
  MapClasses found;
  {
    const py::gil_scoped_release release;  // arrays and tape are held by this frame
    Watch watch(poll, n, 1.0);
    found = map_classes(tape, frame, view(patterns), n, [&watch] { return watch(); });
  }
  py::dict out;
  out["of"] = adopt(std::move(found.of), {static_cast<py::ssize_t>(n)});
  out["n"] = found.n;
  out["exact_maps"] = found.exact_maps;
  out["complete"] = found.complete;
  out["interrupted"] = poll.interrupted();
  return out;
}

std::vector<std::string> exact_rows(const Tape& tape, const DomainFrame& frame,
                                    const Array<std::uint64_t>& pattern,
                                    const Array<std::int32_t>& labels) {
  check(tape, frame);
  if (labels.ndim() != 2 || labels.shape(1) != 3)
    throw std::invalid_argument("labels of facets have shape (facets, 3)");
  return exact_facet_rows(tape, frame, view(pattern),
                          {reinterpret_cast<const FacetLabel*>(labels.data()),
                           static_cast<std::size_t>(labels.shape(0))});
}

std::span<const FacetLabel> labels_in(const Array<std::int32_t>& labels) {
  if (labels.ndim() != 2 || labels.shape(1) != 3)
    throw std::invalid_argument("labels of facets have shape (facets, 3)");
  return {reinterpret_cast<const FacetLabel*>(labels.data()),
          static_cast<std::size_t>(labels.shape(0))};
}

py::tuple bounded_rows(const Tape& tape, const DomainFrame& frame,
                       const Array<std::uint64_t>& patterns, const Array<std::int64_t>& facet_start,
                       const Array<std::int32_t>& labels) {
  check(tape, frame);
  const auto facets = static_cast<py::ssize_t>(labels_in(labels).size());
  FacetRows found;
  {
    const py::gil_scoped_release release;  // as above
    found = facet_rows(tape, frame, view(patterns), view(facet_start), labels_in(labels));
  }
  const auto width = static_cast<py::ssize_t>(frame.columns.size());
  return py::make_tuple(adopt(std::move(found.rows), {facets, width}),
                        adopt(std::move(found.errors), {facets}));
}

py::dict region_of_point(const Tape& tape, const DomainFrame& frame, const DomainFrame& point,
                         const Array<std::uint64_t>& guess, py::object callback) {
  check(tape, frame);
  check(tape, point);
  Poll poll(std::move(callback));
  Watch watch(poll);
  Located found;
  {
    const py::gil_scoped_release release;  // as above
    found = locate(tape, frame, point, view(guess), [&watch] { return watch(); });
  }
  watch.rethrow();
  py::dict out;
  const auto words = static_cast<py::ssize_t>(found.pattern.size());
  out["pattern"] = adopt(std::move(found.pattern), {words});
  out["on"] = adopt_labels(std::move(found.on));
  out["exact"] = found.exact;
  return out;
}

CornerColumns corner_columns(const Array<double>& vertices, const Array<std::int64_t>& vertex_start,
                             const Array<std::int64_t>& facet_start,
                             const Array<std::int64_t>& corner_start,
                             const Array<std::int64_t>& corners) {
  if (vertices.ndim() != 2 || vertices.shape(1) < 2)
    throw std::invalid_argument("homogeneous vertices have shape (vertices, d + 1), d >= 1");
  return {view(vertices),     static_cast<std::size_t>(vertices.shape(1)) - 1,
          view(vertex_start), view(facet_start),
          view(corner_start), view(corners)};
}

// `facets` None: the sizes of all regions.
py::array sizes(const Array<double>& vertices, const Array<std::int64_t>& vertex_start,
                const Array<std::int64_t>& facet_start, const Array<std::int64_t>& corner_start,
                const Array<std::int64_t>& corners, const py::object& facets) {
  const CornerColumns columns =
      corner_columns(vertices, vertex_start, facet_start, corner_start, corners);
  const bool whole = facets.is_none();
  const auto chosen =
      whole ? Array<std::int64_t>(py::ssize_t{0}) : facets.cast<Array<std::int64_t>>();
  std::vector<double> found;
  hearing_signals([&](const auto& keep_going) {
    found =
        whole ? region_sizes(columns, keep_going) : facet_sizes(columns, view(chosen), keep_going);
  });
  const auto n = static_cast<py::ssize_t>(found.size());
  return adopt(std::move(found), {n});
}

py::array graph_components(std::size_t n, const Array<std::int64_t>& i,
                           const Array<std::int64_t>& j) {
  if (i.size() != j.size()) throw std::invalid_argument("edges have two ends");
  for (const auto& ends : {view(i), view(j)})
    for (std::int64_t end : ends)
      if (end < 0 || static_cast<std::size_t>(end) >= n)
        throw std::invalid_argument("an edge ends at no node");
  std::vector<std::int64_t> found;
  {
    const py::gil_scoped_release release;  // as above
    found = components(n, view(i), view(j));
  }
  return adopt(std::move(found), {static_cast<py::ssize_t>(n)});
}

}  // namespace

void bind_regions(py::module_& m) {
  m.def("facet_mates", &mates, py::arg("patterns"), py::arg("facet_start"), py::arg("labels"),
        Exactly());
  m.def("map_classes", &classes, py::arg("tape"), py::arg("domain"), py::arg("patterns"),
        py::arg("poll"), Exactly());
  m.def("exact_facet_rows", &exact_rows, py::arg("tape"), py::arg("domain"), py::arg("pattern"),
        py::arg("labels"), Exactly());
  m.def(
      "cell_labels",
      [](const Tape& tape, const Array<std::uint64_t>& pattern) {
        return adopt_labels(cell_labels(tape, view(pattern)));
      },
      py::arg("tape"), py::arg("pattern"), Exactly());
  m.def("facet_rows", &bounded_rows, py::arg("tape"), py::arg("domain"), py::arg("patterns"),
        py::arg("facet_start"), py::arg("labels"), Exactly());
  m.def("locate", &region_of_point, py::arg("tape"), py::arg("domain"), py::arg("point"),
        py::arg("guess"), py::arg("poll"), Exactly());
  m.def(
      "essential_rows",
      [](const Tape& tape, const DomainFrame& frame) {
        check(tape, frame);
        return essential_rows(tape, frame);
      },
      py::arg("tape"), py::arg("domain"), Exactly());
  m.def("sizes", &sizes, py::arg("vertices"), py::arg("vertex_start"), py::arg("facet_start"),
        py::arg("corner_start"), py::arg("corners"), py::arg("facets"), Exactly());
  m.def("components", &graph_components, py::arg("n"), py::arg("i"), py::arg("j"), Exactly());
}

}  // namespace linear_regions::bindings
