// SPDX-License-Identifier: MIT
#include "linear_regions/tape.hpp"

#include "bindings.hpp"
#include "linear_regions/exact_patterns.hpp"
#include "linear_regions/forward.hpp"

namespace linear_regions::bindings {
namespace {

using Triple = std::array<std::int64_t, 3>;
using TableArgument = std::tuple<std::vector<double>, std::vector<double>, double>;

int add_pointwise(Tape& tape, int input, const std::vector<TableArgument>& tables,
                  const Array<std::int64_t>& table_of) {
  std::vector<PieceTable> list;
  for (const auto& [breakpoints, slopes, value] : tables) {
    PieceTable table;
    table.breakpoints = breakpoints;
    table.slopes = slopes;
    table.value_at_zero = value;
    list.push_back(std::move(table));
  }
  return tape.pointwise(input, std::move(list), view(table_of));
}

template <typename Real, typename Point>
py::array evaluate(const ForwardPass<Real>& pass, const Array<Point>& points) {
  const auto n = static_cast<std::size_t>(points.shape(0));
  std::vector<Real> values(n * pass.tape().n_out());
  if (!values.empty())
    hearing_signals(
        [&](const auto& keep_going) { pass.run(view(points), n, values, {}, keep_going); });
  return adopt(std::move(values),
               {static_cast<py::ssize_t>(n), static_cast<py::ssize_t>(pass.tape().n_out())});
}

template <typename Real, typename Point>
py::tuple evaluate_patterns(const ForwardPass<Real>& pass, const Array<Point>& points) {
  const auto n = static_cast<std::size_t>(points.shape(0));
  std::vector<std::uint64_t> words(n * pass.tape().pattern_words());
  bool finite = true;
  hearing_signals(
      [&](const auto& keep_going) { finite = pass.run(view(points), n, {}, words, keep_going); });
  return py::make_tuple(
      adopt(std::move(words),
            {static_cast<py::ssize_t>(n), static_cast<py::ssize_t>(pass.tape().pattern_words())}),
      finite);
}

template <typename Real>
py::array maps_of_patterns(const ForwardPass<Real>& pass, const Array<std::uint64_t>& patterns,
                           const Array<Real>& columns) {
  const auto n = static_cast<std::size_t>(patterns.shape(0));
  const auto k = static_cast<std::size_t>(columns.shape(0));
  std::vector<Real> maps(n * pass.tape().n_out() * k);
  hearing_signals([&](const auto& keep_going) {
    pass.affine_maps(view(patterns), n, view(columns), k, maps, keep_going);
  });
  return adopt(std::move(maps),
               {static_cast<py::ssize_t>(n), static_cast<py::ssize_t>(pass.tape().n_out()),
                static_cast<py::ssize_t>(k)});
}

// Patterns, whether all values were finite, doubts (row, bit, place), and the loosest bound.
py::tuple doubtful_patterns(const ForwardPass<double>& pass, const Array<double>& points) {
  const auto n = static_cast<std::size_t>(points.shape(0));
  std::vector<std::uint64_t> words(n * pass.tape().pattern_words());
  Doubts doubts;
  bool finite = true;
  hearing_signals([&](const auto& keep_going) {
    finite = pass.run(view(points), n, words, doubts, keep_going);
  });
  std::vector<std::int32_t> labels;
  for (const auto& doubt : doubts.list)
    labels.insert(labels.end(), {doubt.row, doubt.bit, doubt.place});
  const auto n_doubts = static_cast<py::ssize_t>(doubts.list.size());
  return py::make_tuple(
      adopt(std::move(words),
            {static_cast<py::ssize_t>(n), static_cast<py::ssize_t>(pass.tape().pattern_words())}),
      finite, adopt(std::move(labels), {n_doubts, py::ssize_t{3}}), doubts.loosest);
}

// The points that were decided exactly; patterns are corrected in place.
std::uint64_t settle_doubts(ExactPatterns& exact, const Array<double>& points,
                            py::array_t<std::uint64_t>& patterns,
                            const Array<std::int32_t>& doubts) {
  static_assert(sizeof(Doubts::Doubt) == 3 * sizeof(std::int32_t));
  Poll poll(py::none{});
  ExactPatterns::Settled settled;
  const std::span<std::uint64_t> words(patterns.mutable_data(),
                                       static_cast<std::size_t>(patterns.size()));
  {
    const py::gil_scoped_release release;  // as above; no other thread knows this array of patterns
    settled = exact.settle(view(points), words,
                           {reinterpret_cast<const Doubts::Doubt*>(doubts.data()),
                            static_cast<std::size_t>(doubts.shape(0))},
                           [&] { return poll(0, 0.0); });
  }
  if (poll.interrupted()) {
    PyErr_SetNone(PyExc_KeyboardInterrupt);
    throw py::error_already_set();
  }
  return settled.points;
}

template <typename Real>
py::class_<ForwardPass<Real>> bind_pass(py::module_& m, const char* name, const char* doc) {
  using Pass = ForwardPass<Real>;
  return py::class_<Pass>(m, name, doc)
      .def(py::init([](std::shared_ptr<Tape> tape) {
             const py::gil_scoped_release release;  // the tape is immutable after finish()
             return std::make_unique<Pass>(std::move(tape));
           }),
           py::arg("tape"), Exactly())
      .def("values", &evaluate<Real, double>, py::arg("points").noconvert(), Exactly())
      .def("values", &evaluate<Real, float>, py::arg("points").noconvert(), Exactly())
      .def("patterns", &evaluate_patterns<Real, double>, py::arg("points").noconvert(), Exactly())
      .def("patterns", &evaluate_patterns<Real, float>, py::arg("points").noconvert(), Exactly())
      .def("affine_maps", &maps_of_patterns<Real>, py::arg("patterns"), py::arg("columns"),
           Exactly());
}

}  // namespace

void bind_tape(py::module_& m) {
  py::class_<Tape, std::shared_ptr<Tape>>(m, "Tape", "A network as the core sees it.")
      .def(py::init<std::size_t>(), py::arg("n_in"), Exactly())
      .def(
          "dense",
          [](Tape& t, int input, const Array<double>& weight, const Array<double>& bias) {
            return t.dense(input, view(weight), view(bias));
          },
          py::arg("input"), py::arg("weight"), py::arg("bias"), Exactly())
      .def(
          "conv",
          [](Tape& t, int input, const Triple& in_shape, const Triple& out_shape,
             const Triple& kernel, const Triple& stride, const Triple& before,
             const Triple& dilation, std::size_t channels, std::size_t filters, std::size_t groups,
             const Array<double>& weight, const Array<double>& bias) {
            const ConvGeometry g{in_shape, out_shape, kernel,  stride, before,
                                 dilation, channels,  filters, groups};
            return t.conv(input, g, view(weight), view(bias));
          },
          py::arg("input"), py::arg("in_shape"), py::arg("out_shape"), py::arg("kernel"),
          py::arg("stride"), py::arg("before"), py::arg("dilation"), py::arg("channels"),
          py::arg("filters"), py::arg("groups"), py::arg("weight"), py::arg("bias"), Exactly())
      .def(
          "scale",
          [](Tape& t, int input, const Array<double>& weight, const Array<double>& bias) {
            return t.scale(input, view(weight), view(bias));
          },
          py::arg("input"), py::arg("weight"), py::arg("bias"), Exactly())
      .def(
          "average",
          [](Tape& t, int input, const Array<std::int64_t>& start,
             const Array<std::int64_t>& entries, const Array<std::int64_t>& divisors) {
            return t.average(input, view(start), view(entries), view(divisors));
          },
          py::arg("input"), py::arg("start"), py::arg("entries"), py::arg("divisors"), Exactly())
      .def(
          "gather",
          [](Tape& t, int input, const Array<std::int64_t>& index, double fill) {
            return t.gather(input, view(index), fill);
          },
          py::arg("input"), py::arg("index"), py::arg("fill"), Exactly())
      .def(
          "add", [](Tape& t, const std::vector<int>& inputs) { return t.add(inputs); },
          py::arg("inputs"), Exactly())
      .def(
          "concat", [](Tape& t, const std::vector<int>& inputs) { return t.concat(inputs); },
          py::arg("inputs"), Exactly())
      .def("pointwise", &add_pointwise, py::arg("input"), py::arg("tables"), py::arg("table_of"),
           Exactly())
      .def(
          "max",
          [](Tape& t, int input, const Array<std::int64_t>& start,
             const Array<std::int64_t>& entries, const Array<std::int64_t>& positions,
             int bits) { return t.max(input, view(start), view(entries), view(positions), bits); },
          py::arg("input"), py::arg("start"), py::arg("entries"), py::arg("positions"),
          py::arg("bits"), Exactly())
      .def("finish", &Tape::finish)
      .def_property_readonly("n_in", &Tape::n_in)
      .def_property_readonly("n_out", &Tape::n_out)
      .def_property_readonly("pattern_bits", &Tape::pattern_bits)
      .def_property_readonly("pattern_words", &Tape::pattern_words);
  bind_pass<double>(m, "ForwardPass64", "Values and patterns of points, in doubles.")
      .def("doubtful_patterns", &doubtful_patterns, py::arg("points").noconvert(), Exactly())
      .def_property_readonly("work", &ForwardPass<double>::work);
  bind_pass<float>(m, "ForwardPass32", "Values and patterns of points, in floats.");
  py::class_<ExactPatterns>(m, "ExactPatterns", "Decides what a pass leaves open.")
      .def(py::init<std::shared_ptr<const Tape>, std::optional<DomainFrame>>(), py::arg("tape"),
           py::arg("domain"), Exactly())
      .def("settle", &settle_doubts, py::arg("points"), py::arg("patterns").noconvert(),
           py::arg("doubts"), Exactly());
}

}  // namespace linear_regions::bindings
