// SPDX-License-Identifier: MIT
#include "linear_regions/sign_tree.hpp"

#include "bindings.hpp"
#include "run.hpp"

namespace linear_regions::bindings {
namespace {

SignTreeOptions options_of(bool certified, bool points, const std::string& engine) {
  SignTreeOptions options;
  if (engine == "rays") options.engine = TreeEngine::kRays;
  if (engine == "tree") options.engine = TreeEngine::kWitnesses;
  options.arithmetic = arithmetic_of(certified);
  options.points = points;
  return options;
}

const char* name_of(TreeEngine engine) {
  return engine == TreeEngine::kRays ? "rays" : "tree";
}

py::dict work_of(const SignTreeWork& w, TreeEngine engine) {
  py::dict work;
  if (engine == TreeEngine::kRays) {
    work["cones"] = w.cones;
    work["splits"] = w.splits;
    work["rays"] = w.rays;
    work["rays_reused"] = w.rays_reused;
    work["exact_rays"] = w.exact_rays;
  } else {
    work["chains"] = w.chains;
    work["lps"] = w.lps;
    work["steps"] = w.steps;
    work["circuits_reused"] = w.circuits_reused;
    work["steps_across"] = w.steps_across;
    work["exact_signs"] = w.exact_signs;
    work["exact_witnesses"] = w.exact_witnesses;
  }
  work["exact_lps"] = w.exact_lps;
  work["stolen"] = w.stolen;
  return work;
}

py::dict report(const SignTreeResult& result, const Poll& poll) {
  py::dict out = ending(result, poll, work_of(result.work, result.engine));
  out["chambers"] = result.chambers;
  out["method"] = name_of(result.engine);
  return out;
}

// A NumPy array that owns the column: no copy.
template <typename T>
py::array adopt(Column<T>&& values, std::vector<py::ssize_t> shape) {
  auto* owner = new Column<T>(std::move(values));
  py::capsule free(owner, [](void* p) { delete static_cast<Column<T>*>(p); });
  return py::array_t<T>(std::move(shape), owner->data(), free);
}
using bindings::adopt;

py::dict columns_of(ChamberBlock&& block, std::size_t d, bool points) {
  const auto n = static_cast<py::ssize_t>(block.n);
  py::dict out;
  out["method"] = name_of(block.engine);
  out["signs"] = adopt(std::move(block.signs), {n, static_cast<py::ssize_t>(block.words)});
  if (!points) return out;
  out["points"] = adopt(std::move(block.points), {n, static_cast<py::ssize_t>(d)});
  py::list exact;
  for (const auto& [at, text] : block.exact_points) exact.append(py::make_tuple(at, text));
  out["exact_points"] = exact;
  return out;
}

// Sub-trees as Python keeps them: rows (k, 2 + 2 words) and shares (k).
using PartArrays = std::tuple<Array<std::uint64_t>, Array<double>>;

// A callable of one dict, and where a search begins.
class Saving {
 public:
  Saving(double every, const py::object& save, const std::optional<PartArrays>& start,
         std::size_t d, bool points) {
    save_by(saving_, every, save,
            [d, points](SignTreeState&& state) { return dict_of(std::move(state), d, points); });
    if (!start) return;
    const auto& [rows, shares] = *start;
    if (rows.ndim() != 2 || rows.shape(0) != shares.size() || rows.shape(1) % 2 != 0 ||
        rows.shape(1) < 2)
      throw ForeignChamberPart();
    part_.words = static_cast<std::size_t>(rows.shape(1)) / 2 - 1;
    part_.rows.assign(rows.data(), rows.data() + rows.size());
    part_.shares.assign(shares.data(), shares.data() + shares.size());
    saving_.from = &part_;
  }
  Saving(const Saving&) = delete;
  Saving& operator=(const Saving&) = delete;

  const SignTreeSaving& get() const { return saving_; }

 private:
  static py::dict dict_of(SignTreeState&& state, std::size_t d, bool points) {
    py::dict out;
    out["method"] = name_of(state.engine);
    out["chambers"] = state.chambers;
    out["work"] = work_of(state.work, state.engine);
    const auto n = static_cast<py::ssize_t>(state.rest.size());
    const auto stride = static_cast<py::ssize_t>(state.rest.stride());
    out["rest"] = py::make_tuple(adopt(std::move(state.rest.rows), {n, stride}),
                                 adopt(std::move(state.rest.shares), {n}));
    out["origin"] = state.origin;
    out["found_origin"] = state.found_origin;
    out["place"] = state.place;
    py::list found;
    for (ChamberBlock& block : state.found) found.append(columns_of(std::move(block), d, points));
    out["found"] = found;
    return out;
  }

  SignTreeSaving saving_;
  ChamberPart part_;
};

py::dict count(const Hyperplanes& planes, const Hyperplanes& sides, bool certified,
               unsigned threads, std::optional<std::uint64_t> limit,
               std::optional<double> time_limit, py::object callback, const std::string& engine,
               double every, const py::object& save, const std::optional<PartArrays>& start) {
  const ConvexDomain domain{sides};
  const SignTreeOptions options = options_of(certified, false, engine);
  const Saving saving(every, save, start, planes.d, false);
  Poll poll(std::move(callback));
  RunControl control;
  prepare(control, poll, threads, limit, time_limit);
  SignTreeResult result;
  {
    // The frame holds all input, which is immutable; the callback takes the GIL back by itself.
    const py::gil_scoped_release release;
    result = sign_tree_count(planes, domain, options, control, saving.get());
  }
  return report(result, poll);
}

py::dict list(const Hyperplanes& planes, const Hyperplanes& sides, bool certified, bool points,
              unsigned threads, std::optional<std::uint64_t> limit,
              std::optional<double> time_limit, py::object callback, const std::string& engine,
              double every, const py::object& save, const std::optional<PartArrays>& start) {
  const ConvexDomain domain{sides};
  const SignTreeOptions options = options_of(certified, points, engine);
  const Saving saving(every, save, start, planes.d, points);
  Poll poll(std::move(callback));
  RunControl control;
  prepare(control, poll, threads, limit, time_limit);
  SignTreeResult result;
  std::vector<ChamberBlock> blocks;
  {
    const py::gil_scoped_release release;  // as above
    result = sign_tree_list(planes, domain, options, control, blocks, saving.get());
  }
  py::dict out = report(result, poll);
  out["columns"] = when_asked(std::move(blocks), [threads, points, d = planes.d](auto&& found) {
    ChamberBlock whole;
    {
      const py::gil_scoped_release release;
      whole = joined(std::move(found), std::max(1u, threads));
    }
    return columns_of(std::move(whole), d, points);
  });
  return out;
}

py::dict stream(const Hyperplanes& planes, const Hyperplanes& sides, bool certified, bool points,
                unsigned threads, std::size_t block, std::optional<std::uint64_t> limit,
                std::optional<double> time_limit, py::object callback, const py::object& sink,
                const std::string& engine, double every, const py::object& save,
                const std::optional<PartArrays>& start) {
  const ConvexDomain domain{sides};
  const SignTreeOptions options = options_of(certified, points, engine);
  const Saving saving(every, save, start, planes.d, points);
  Poll poll(std::move(callback));
  RunControl control;
  prepare(control, poll, threads, limit, time_limit);
  const auto columns = [&](ChamberBlock&& chambers) {
    return columns_of(std::move(chambers), planes.d, points);
  };
  Delivery<ChamberBlock, decltype(columns)> delivery(sink, columns);
  SignTreeSaving handed_over = saving.get();
  if (handed_over.save)
    handed_over.save = [&](SignTreeState&& state) {
      // It would count a block that the sink did not take.
      if (!delivery.failed()) saving.get().save(std::move(state));
    };
  SignTreeResult result;
  {
    const py::gil_scoped_release release;  // as above; the delivery takes the GIL for itself
    result = sign_tree_stream(
        planes, domain, options, control, block,
        [&](ChamberBlock&& chambers) { return delivery(std::move(chambers)); }, handed_over);
  }
  delivery.rethrow();
  return report(result, poll);
}

}  // namespace

void bind_sign_tree(py::module_& m) {
  py::register_exception<ForeignChamberPart>(m, "ForeignChamberPart", PyExc_RuntimeError);
  m.def("sign_tree_count", &count, py::arg("planes"), py::arg("sides"), py::arg("certified"),
        py::arg("threads"), py::arg("limit"), py::arg("time_limit"), py::arg("poll"),
        py::arg("engine") = "auto", py::arg("every") = 0.0, py::arg("save") = py::none(),
        py::arg("start") = py::none(), Exactly());
  m.def("sign_tree_list", &list, py::arg("planes"), py::arg("sides"), py::arg("certified"),
        py::arg("points"), py::arg("threads"), py::arg("limit"), py::arg("time_limit"),
        py::arg("poll"), py::arg("engine") = "auto", py::arg("every") = 0.0,
        py::arg("save") = py::none(), py::arg("start") = py::none(), Exactly());
  m.def("sign_tree_stream", &stream, py::arg("planes"), py::arg("sides"), py::arg("certified"),
        py::arg("points"), py::arg("threads"), py::arg("block"), py::arg("limit"),
        py::arg("time_limit"), py::arg("poll"), py::arg("sink"), py::arg("engine") = "auto",
        py::arg("every") = 0.0, py::arg("save") = py::none(), py::arg("start") = py::none(),
        Exactly());
}

}  // namespace linear_regions::bindings
