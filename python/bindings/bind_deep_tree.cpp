// SPDX-License-Identifier: MIT
#include "bindings.hpp"
#include "linear_regions/deep_tree.hpp"
#include "linear_regions/interval.hpp"
#include "search.hpp"

namespace linear_regions::bindings {
namespace {

py::dict work_of(const TreeWork& work) {
  py::dict out;
  out["layer_cells"] = work.layer_cells;
  out["questions"] = work.questions;
  out["points_reused"] = work.points_reused;
  out["circuits_reused"] = work.circuits_reused;
  out["lps"] = work.lps;
  out["steps"] = work.steps;
  out["exact_signs"] = work.exact_signs;
  out["exact_lps"] = work.exact_lps;
  out["exact_rows"] = work.exact_rows;
  out["stolen"] = work.stolen;
  return out;
}

py::dict columns_of(TreeBlock&& block) {
  const auto n = static_cast<py::ssize_t>(block.n);
  py::dict out;
  out["patterns"] = adopt(std::move(block.patterns), {n, static_cast<py::ssize_t>(block.words)});
  out["points"] = adopt(std::move(block.points), {n, static_cast<py::ssize_t>(block.dim)});
  out["bounded"] = adopt(std::move(block.bounded), {n});
  py::list exact;
  for (const auto& [region, fractions] : block.exact_points)
    exact.append(py::make_tuple(region, fractions));
  out["exact_points"] = exact;
  return out;
}

// A tree knows its cells by inequalities and points, not by their faces.
void refuse_faces(bool faces) {
  if (faces) throw std::invalid_argument("a tree lists regions without faces only");
}

TreeResult list(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                RunControl& control, std::vector<TreeBlock>& out, bool faces) {
  refuse_faces(faces);
  return list_tree(tape, domain, arithmetic, control, out);
}

TreeResult stream(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic,
                  RunControl& control, std::size_t block,
                  const std::function<bool(TreeBlock&&)>& sink, bool faces) {
  refuse_faces(faces);
  return stream_tree(tape, domain, arithmetic, control, block, sink);
}

struct Trees {
  using Domain = DomainFrame;
  using Result = TreeResult;
  using Block = TreeBlock;
  static constexpr bool kFaces = false;
  static constexpr auto count = &count_tree;
  static constexpr auto list = &linear_regions::bindings::list;
  static constexpr auto stream = &linear_regions::bindings::stream;
  static constexpr auto search = &search_tree;
  static constexpr auto cut = &cut_tree;
  static constexpr auto probe = &probe_tree;
  static py::dict work(const decltype(Result::work)& work) { return work_of(work); }
  static py::dict columns(Block&& block) { return columns_of(std::move(block)); }
};

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
  Search<Trees>::bind(m, "tree");
  m.def("unstable_units", &unstable, py::arg("tape"), py::arg("low"), py::arg("high"), Exactly());
}

}  // namespace linear_regions::bindings
