// SPDX-License-Identifier: MIT
#include "linear_regions/hyperplanes.hpp"

#include <algorithm>
#include <cmath>

#include "bindings.hpp"

namespace linear_regions::bindings {
namespace {

// Signed hexadecimal, as Python's format(value, "x") writes it.
bool is_hexadecimal(const std::string& text) {
  const std::size_t start = !text.empty() && text[0] == '-' ? 1 : 0;
  return text.size() > start && std::all_of(text.begin() + start, text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Hyperplanes make_hyperplanes(const Array<double>& value,
                             std::optional<std::vector<std::string>> exact) {
  if (value.ndim() != 2 || value.shape(1) < 1)
    throw std::invalid_argument("hyperplanes need rows (n, d + 1)");
  Hyperplanes out;
  out.n = static_cast<std::size_t>(value.shape(0));
  out.d = static_cast<std::size_t>(value.shape(1)) - 1;
  out.value.assign(value.data(), value.data() + value.size());
  if (!std::all_of(out.value.begin(), out.value.end(), [](double v) { return std::isfinite(v); }))
    throw std::invalid_argument("hyperplanes must be finite");
  if (exact) {
    if (exact->size() != out.value.size() ||
        !std::all_of(exact->begin(), exact->end(), is_hexadecimal))
      throw std::invalid_argument("exact rows need n * (d + 1) signed hexadecimal integers");
    out.exact = std::move(*exact);
  }
  return out;
}

}  // namespace

void bind_hyperplanes(py::module_& m) {
  py::class_<Hyperplanes>(m, "Hyperplanes", "Rows (a, b) of hyperplanes a . x + b = 0.")
      .def(py::init(&make_hyperplanes), py::arg("value"), py::arg("exact") = py::none(), Exactly())
      .def_readonly("n", &Hyperplanes::n)
      .def_readonly("d", &Hyperplanes::d);
}

}  // namespace linear_regions::bindings
