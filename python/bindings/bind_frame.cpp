// SPDX-License-Identifier: MIT
#include "bindings.hpp"
#include "linear_regions/domain_frame.hpp"

namespace linear_regions::bindings {
namespace {

DomainFrame make_frame(const Array<double>& columns, const Array<double>& sides,
                       std::vector<std::string> exact_columns, std::string exact_denominator,
                       std::vector<std::string> exact_sides) {
  if (columns.ndim() != 2 || columns.shape(0) < 1 || sides.ndim() != 2 ||
      sides.shape(1) != columns.shape(0))
    throw std::invalid_argument("a domain needs columns (d + 1, n) and sides (k, d + 1)");
  const auto n = static_cast<std::size_t>(columns.shape(1)),
             width = static_cast<std::size_t>(columns.shape(0));
  if ((!exact_columns.empty() && exact_columns.size() != width * n) ||
      (!exact_sides.empty() && exact_sides.size() != static_cast<std::size_t>(sides.size())))
    throw std::invalid_argument("exact columns or sides have another size than the rounded ones");
  DomainFrame frame;
  frame.dim = width - 1;
  frame.columns.clear();
  for (std::size_t j = 0; j < width; ++j)
    frame.columns.emplace_back(columns.data() + j * n, columns.data() + (j + 1) * n);
  frame.sides.assign(sides.data(), sides.data() + sides.size());
  frame.exact_columns = std::move(exact_columns);
  frame.exact_denominator = std::move(exact_denominator);
  frame.exact_sides = std::move(exact_sides);
  return frame;
}

}  // namespace

void bind_frame(py::module_& m) {
  py::class_<DomainFrame>(m, "DomainFrame", "A convex set of any dimension.")
      .def(py::init(&make_frame), py::arg("columns"), py::arg("sides"),
           py::arg("exact_columns") = std::vector<std::string>{},
           py::arg("exact_denominator") = "1", py::arg("exact_sides") = std::vector<std::string>{},
           Exactly())
      .def_property_readonly("dim", [](const DomainFrame& frame) { return frame.dim; });
}

}  // namespace linear_regions::bindings
