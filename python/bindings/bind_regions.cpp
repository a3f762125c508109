// SPDX-License-Identifier: MIT
#include "bindings.hpp"

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
  {
    const py::gil_scoped_release release;  // the arrays are held by this frame
    found = facet_mates(regions);
  }
  return adopt(std::move(found), {facets});
}

}  // namespace

void bind_regions(py::module_& m) {
  m.def("facet_mates", &mates, py::arg("patterns"), py::arg("facet_start"), py::arg("labels"));
}

}  // namespace linear_regions::bindings
