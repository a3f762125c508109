// SPDX-License-Identifier: MIT
#include "linear_regions/cones.hpp"

#include "search.hpp"

namespace linear_regions::bindings {
namespace {

template <typename T>
py::array adopt(LongColumn<T>&& values, std::vector<py::ssize_t> shape) {
  values.give_back_room();
  auto* owner = new LongColumn<T>(std::move(values));
  py::capsule free(owner, [](void* p) { delete static_cast<LongColumn<T>*>(p); });
  return py::array_t<T>(std::move(shape), owner->data(), free);
}

py::dict columns_of(ConeBlock&& block) {
  const auto n = static_cast<py::ssize_t>(block.n), dim = static_cast<py::ssize_t>(block.dim);
  const auto size = [](const auto& column) { return static_cast<py::ssize_t>(column.size()); };
  py::dict out;
  out["patterns"] = adopt(std::move(block.patterns), {n, static_cast<py::ssize_t>(block.words)});
  out["points"] = adopt(std::move(block.points), {n, dim});
  out["bounded"] = adopt(std::move(block.bounded), {n});
  py::list exact;
  for (const auto& p : block.exact_points) exact.append(py::make_tuple(p.region, p.coordinates));
  out["exact_points"] = exact;
  if (!block.faces) return out;
  const py::ssize_t vertices = size(block.vertices) / (dim + 1), facets = size(block.labels) / 3;
  const py::ssize_t corners = size(block.corners);
  out["vertices"] = adopt(std::move(block.vertices), {vertices, dim + 1});
  out["vertex_counts"] = adopt(std::move(block.vertex_counts), {n});
  out["rows"] = adopt(std::move(block.rows), {facets, dim + 1});
  out["labels"] = adopt(std::move(block.labels), {facets, 3});
  out["facet_counts"] = adopt(std::move(block.facet_counts), {n});
  out["corners"] = adopt(std::move(block.corners), {corners});
  out["corner_counts"] = adopt(std::move(block.corner_counts), {facets});
  return out;
}

struct Cones {
  using Domain = DomainFrame;
  using Result = ConeResult;
  using Block = ConeBlock;
  static constexpr bool kFaces = true;
  static constexpr auto count = &count_cones;
  static constexpr auto list = &list_cones;
  static constexpr auto stream = &stream_cones;
  static constexpr auto search = &search_cones;
  static constexpr auto cut = &cut_cones;
  static constexpr auto probe = &probe_cones;
  static py::dict work(const decltype(Result::work)& work) { return work_of(work); }
  static py::dict columns(Block&& block) { return columns_of(std::move(block)); }
};

}  // namespace

void bind_cones(py::module_& m) {
  Search<Cones>::bind(m, "cones");
}

}  // namespace linear_regions::bindings
