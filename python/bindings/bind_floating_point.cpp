// SPDX-License-Identifier: MIT
#include <optional>

#include "bindings.hpp"

namespace linear_regions::bindings {
namespace {

struct Scope {
  std::optional<DefaultFloatingPoint> environment;
};

}  // namespace

void bind_floating_point(py::module_& m) {
  m.def("default_floating_point", &default_floating_point);
  py::class_<Scope>(m, "DefaultFloatingPoint",
                    "Rounding to nearest and gradual underflow, a while.")
      .def(py::init<>())
      .def("__enter__", [](Scope& scope) { scope.environment.emplace(); })
      .def("__exit__", [](Scope& scope, const py::args&) { scope.environment.reset(); });
}

}  // namespace linear_regions::bindings
