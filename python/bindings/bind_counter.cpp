// SPDX-License-Identifier: MIT
// Packing pre-activations of any layout, and the counters of distinct patterns.
#include <cstring>

#include "bindings.hpp"
#include "linear_regions/pattern_tally.hpp"
#include "linear_regions/sign_packing.hpp"

namespace linear_regions::bindings {
namespace {

using LayerArgument = std::tuple<py::array, int, std::vector<double>>;

// Patterns of the rows of two-dimensional arrays, read where they lie, and the number of the first
// layer that has a NaN, or -1.
py::tuple pack(const std::vector<LayerArgument>& arrays) {
  std::vector<LayerView> layers;
  std::size_t n = 0;
  for (const auto& [array, element, breakpoints] : arrays) {
    if (array.ndim() != 2 || element < 0 || element > static_cast<int>(Element::kBool))
      throw std::invalid_argument("a layer is a two-dimensional array of a known element type");
    LayerView layer;
    layer.data = array.data();
    layer.element = static_cast<Element>(element);
    layer.units = static_cast<std::size_t>(array.shape(1));
    layer.row_stride = array.strides(0);
    layer.unit_stride = array.strides(1);
    layer.breakpoints = breakpoints;
    if (static_cast<std::size_t>(array.itemsize()) != element_bytes(layer.element))
      throw std::invalid_argument("a layer has elements of another size");
    const auto rows = static_cast<std::size_t>(array.shape(0));
    if (!layers.empty() && rows != n) throw std::invalid_argument("layers have different rows");
    n = rows;
    layers.push_back(std::move(layer));
  }
  const std::size_t width = word_count(bits_of(layers));
  std::vector<Word> words(n * width);
  int nan = -1;
  {
    const py::gil_scoped_release release;  // the arrays are held by the caller's list
    nan = pack_layers(layers, n, words);
  }
  return py::make_tuple(
      adopt(std::move(words), {static_cast<py::ssize_t>(n), static_cast<py::ssize_t>(width)}), nan);
}

const Array<Word>& rows_of(const Array<Word>& words) {
  if (words.ndim() != 2) throw std::invalid_argument("packed patterns have shape (n, words)");
  return words;
}

py::array part(const Array<Word>& words, std::size_t first, std::size_t bits) {
  const auto n = static_cast<std::size_t>(rows_of(words).shape(0));
  const auto width = static_cast<std::size_t>(words.shape(1));
  if (bits > kWordBits * width || first > kWordBits * width - bits)
    throw std::invalid_argument("the bits lie outside the words");
  std::vector<Word> out(n * word_count(bits));
  {
    const py::gil_scoped_release release;  // as above
    extract_bits(words.data(), n, width, first, bits, out.data());
  }
  return adopt(std::move(out),
               {static_cast<py::ssize_t>(n), static_cast<py::ssize_t>(word_count(bits))});
}

bool loose(const Array<Word>& words, std::size_t bits) {
  const py::gil_scoped_release release;  // as above
  return has_loose_bits(words.data(), static_cast<std::size_t>(rows_of(words).shape(0)),
                        static_cast<std::size_t>(words.shape(1)), bits);
}

void insert(PatternTally& tally, const Array<Word>& words) {
  const auto n = static_cast<std::size_t>(rows_of(words).shape(0));
  if (static_cast<std::size_t>(words.shape(1)) != tally.width())
    throw std::invalid_argument("rows have the wrong number of words");
  const py::gil_scoped_release release;  // the tally is thread-safe
  tally.insert(view(words), n);
}

py::tuple frequencies(const PatternTally& tally) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> found;
  {
    const py::gil_scoped_release release;  // as above
    found = tally.frequencies();
  }
  std::vector<std::int64_t> times, number;
  for (const auto& [t, k] : found) {
    times.push_back(static_cast<std::int64_t>(t));
    number.push_back(static_cast<std::int64_t>(k));
  }
  const auto size = static_cast<py::ssize_t>(times.size());
  return py::make_tuple(adopt(std::move(times), {size}), adopt(std::move(number), {size}));
}

py::dict contents(const PatternTally& tally) {
  TallyContents found;
  {
    const py::gil_scoped_release release;  // as above
    found = tally.contents();
  }
  const auto n = static_cast<py::ssize_t>(found.times.size());
  const auto words = static_cast<py::ssize_t>(tally.key_words());
  const auto registers = static_cast<py::ssize_t>(found.registers.size());
  py::dict out;
  out["rows"] = found.rows;
  out["keys"] = adopt(std::move(found.keys), {n, words});
  out["times"] = adopt(std::move(found.times), {n});
  out["registers"] = adopt(std::move(found.registers), {registers});
  out["level"] = found.level;
  return out;
}

void absorb(PatternTally& tally, std::uint64_t rows, const Array<Word>& keys,
            const Array<std::uint64_t>& times, const Array<std::uint8_t>& registers,
            unsigned level) {
  const py::gil_scoped_release release;  // as above
  TallyContents other;
  other.rows = rows;
  other.keys.assign(keys.data(), keys.data() + keys.size());
  other.times.assign(times.data(), times.data() + times.size());
  other.registers.assign(registers.data(), registers.data() + registers.size());
  other.level = level;
  tally.absorb(other);
}

template <typename Result>
auto unlocked(Result (PatternTally::*ask)() const) {
  return [ask](const PatternTally& tally) {
    const py::gil_scoped_release release;  // it may wait for insertions to end
    return (tally.*ask)();
  };
}

}  // namespace

void bind_counter(py::module_& m) {
  m.def("pack_layers", &pack, py::arg("layers"), Exactly());
  m.def("extract_bits", &part, py::arg("words"), py::arg("first"), py::arg("bits"));
  m.def("has_loose_bits", &loose, py::arg("words"), py::arg("bits"));
  m.attr("sample_size") = kSampleSize;
  py::class_<PatternTally>(m, "PatternTally", "Distinct packed patterns of one width.")
      .def(py::init([](std::size_t width, int sketch, bool counted, unsigned precision) {
             if (sketch < 0 || sketch > static_cast<int>(Sketch::kHll))
               throw std::invalid_argument("an unknown sketch");
             return std::make_unique<PatternTally>(width, static_cast<Sketch>(sketch), counted,
                                                   precision);
           }),
           py::arg("width"), py::arg("sketch"), py::arg("counted"), py::arg("precision"))
      .def("insert", &insert, py::arg("words"))
      .def("frequencies", &frequencies)
      .def("contents", &contents)
      .def("absorb", &absorb, py::arg("rows"), py::arg("keys"), py::arg("times"),
           py::arg("registers"), py::arg("level"))
      .def_property_readonly("rows", &PatternTally::rows)
      .def("distinct", unlocked(&PatternTally::distinct))
      .def("exact_count", unlocked(&PatternTally::exact_count))
      .def("hll_estimate", unlocked(&PatternTally::hll_estimate))
      .def("memory_bytes", unlocked(&PatternTally::memory_bytes));
}

}  // namespace linear_regions::bindings
