// SPDX-License-Identifier: MIT
// The calls of an engine that searches the regions of a network: count, list and stream; search,
// cut and probe for parts of such a search (linear_regions/part.hpp).
//
// An engine names its types Domain, Result and Block, its functions, whether its lists have faces
// unless told otherwise, and how its work and its blocks become Python objects.
#pragma once

#include <algorithm>
#include <string>

#include "part.hpp"
#include "run.hpp"

namespace linear_regions::bindings {

inline py::dict work_of(const Work& work) {
  py::dict out;
  out["cells"] = work.cells;
  out["layer_cells"] = work.layer_cells;
  out["exact_signs"] = work.exact_signs;
  out["exact_rows"] = work.exact_rows;
  out["stolen"] = work.stolen;
  return out;
}

template <typename Engine>
class Search {
  using Domain = typename Engine::Domain;
  using Result = typename Engine::Result;
  using Block = typename Engine::Block;

 public:
  static void bind(py::module_& m, const std::string& name) {
    m.def(("count_" + name).c_str(), &count, py::arg("tape"), py::arg("domain"),
          py::arg("certified"), py::arg("threads"), py::arg("limit"), py::arg("time_limit"),
          py::arg("poll"), Exactly());
    m.def(("list_" + name).c_str(), &list, py::arg("tape"), py::arg("domain"), py::arg("certified"),
          py::arg("threads"), py::arg("limit"), py::arg("time_limit"), py::arg("poll"),
          py::arg("faces") = Engine::kFaces, Exactly());
    m.def(("stream_" + name).c_str(), &stream, py::arg("tape"), py::arg("domain"),
          py::arg("certified"), py::arg("block"), py::arg("limit"), py::arg("time_limit"),
          py::arg("poll"), py::arg("sink"), py::arg("faces") = Engine::kFaces, Exactly());
    m.def(("search_" + name).c_str(), &search, py::arg("tape"), py::arg("domain"),
          py::arg("certified"), py::arg("part"), py::arg("list"), py::arg("faces"), py::arg("wide"),
          py::arg("threads"), py::arg("limit"), py::arg("time_limit"), py::arg("pause_after"),
          py::arg("pause_at"), py::arg("poll"), Exactly());
    m.def(("cut_" + name).c_str(), &cut, py::arg("tape"), py::arg("domain"), py::arg("certified"),
          py::arg("part"), py::arg("list"), py::arg("faces"), py::arg("wide"), py::arg("share"),
          py::arg("poll"), Exactly());
    m.def(("probe_" + name).c_str(), &probe, py::arg("tape"), py::arg("domain"),
          py::arg("certified"), py::arg("seed"), py::arg("ways"), py::arg("time_limit"),
          py::arg("poll"), Exactly());
  }

 private:
  static py::dict report(const Result& result, const Poll& poll) {
    py::dict out = ending(result, poll, Engine::work(result.work));
    out["regions"] = result.regions;
    return out;
  }

  // Patterns of a few regions, for those who cannot wait until all blocks are joined.
  static py::array first_patterns(const std::vector<Block>& blocks) {
    constexpr std::size_t kFew = 4096;
    const std::size_t width = blocks.front().words;
    std::vector<std::uint64_t> words;
    std::size_t n = 0;
    for (const Block& block : blocks) {
      const std::size_t more = std::min<std::size_t>(block.n, kFew - n);
      const auto* begin = block.patterns.data();
      words.insert(words.end(), begin, begin + more * width);
      n += more;
      if (n == kFew) break;
    }
    return adopt(std::move(words), {static_cast<py::ssize_t>(n), static_cast<py::ssize_t>(width)});
  }

  static py::dict count(const Tape& tape, const Domain& domain, bool certified, unsigned threads,
                        std::optional<std::uint64_t> limit, std::optional<double> time_limit,
                        py::object callback) {
    Poll poll(std::move(callback));
    RunControl control;
    prepare(control, poll, threads, limit, time_limit);
    Result result;
    {
      // Tape and domain are immutable; the callback takes the GIL back by itself.
      const py::gil_scoped_release release;
      result = Engine::count(tape, domain, arithmetic_of(certified), control);
    }
    return report(result, poll);
  }

  static py::dict list(const Tape& tape, const Domain& domain, bool certified, unsigned threads,
                       std::optional<std::uint64_t> limit, std::optional<double> time_limit,
                       py::object callback, bool faces) {
    Poll poll(std::move(callback));
    RunControl control;
    prepare(control, poll, threads, limit, time_limit);
    Result result;
    std::vector<Block> blocks;
    {
      const py::gil_scoped_release release;  // as above
      result = Engine::list(tape, domain, arithmetic_of(certified), control, blocks, faces);
    }
    py::dict out = report(result, poll);
    if (!blocks.empty()) out["first_patterns"] = first_patterns(blocks);
    out["columns"] = when_asked(std::move(blocks), [](std::vector<Block>&& found) {
      Block whole;
      {
        const py::gil_scoped_release release;
        whole = joined(std::move(found));
      }
      return Engine::columns(std::move(whole));
    });
    return out;
  }

  static py::dict stream(const Tape& tape, const Domain& domain, bool certified, std::size_t block,
                         std::optional<std::uint64_t> limit, std::optional<double> time_limit,
                         py::object callback, const py::object& sink, bool faces) {
    Poll poll(std::move(callback));
    RunControl control;
    prepare(control, poll, 1, limit, time_limit);
    Delivery<Block, decltype(&Engine::columns)> delivery(sink, &Engine::columns);
    Result result;
    {
      const py::gil_scoped_release release;  // as above; the delivery takes the GIL for itself
      result = Engine::stream(
          tape, domain, arithmetic_of(certified), control, block,
          [&](Block&& columns) { return delivery(std::move(columns)); }, faces);
    }
    delivery.rethrow();
    return report(result, poll);
  }

  static py::dict search(const Tape& tape, const Domain& domain, bool certified,
                         const PartArrays& arrays, bool list, bool faces, bool wide,
                         unsigned threads, std::optional<std::uint64_t> limit,
                         std::optional<double> time_limit, std::optional<double> pause_after,
                         std::optional<std::uint64_t> pause_at, py::object callback) {
    const Part part = part_from(arrays);
    PartOptions options;
    options.list = list;
    options.faces = faces;
    options.wide = wide;
    Poll poll(std::move(callback));
    RunControl control;
    prepare(control, poll, threads, limit, time_limit);
    control.pause_after = pause_after;
    if (pause_at) control.pause_at = *pause_at;
    Result result;
    PartOutcome<Block> outcome;
    {
      const py::gil_scoped_release release;  // as above
      result =
          Engine::search(tape, domain, arithmetic_of(certified), control, part, options, outcome);
    }
    py::dict out = report(result, poll);
    out["rest"] = arrays_of(outcome.rest);
    out["wide"] = outcome.wide;
    out["setup_seconds"] = outcome.setup_seconds;
    py::list blocks;
    for (auto& [path, block] : outcome.blocks) {
      const auto n = static_cast<py::ssize_t>(path.size());
      blocks.append(py::make_tuple(adopt(std::move(path), {n}), Engine::columns(std::move(block))));
    }
    out["blocks"] = blocks;
    return out;
  }

  static py::dict cut(const Tape& tape, const Domain& domain, bool certified,
                      const PartArrays& arrays, bool list, bool faces, bool wide, double share,
                      py::object callback) {
    if (!(share > 0)) throw std::invalid_argument("a share must be above 0");
    const Part part = part_from(arrays);
    PartOptions options{list, wide, share, faces};
    Poll poll(std::move(callback));
    RunControl control;
    prepare(control, poll, 1, std::nullopt, std::nullopt);
    Part cut;
    {
      const py::gil_scoped_release release;  // as above
      cut = Engine::cut(tape, domain, arithmetic_of(certified), control, part, options);
    }
    py::dict out;
    out["part"] = arrays_of(cut);
    out["stopped"] = control.stopped();
    out["interrupted"] = poll.interrupted();
    return out;
  }

  static py::dict probe(const Tape& tape, const Domain& domain, bool certified, std::uint64_t seed,
                        std::size_t ways, std::optional<double> time_limit, py::object callback) {
    Poll poll(std::move(callback));
    RunControl control;
    prepare(control, poll, 1, std::nullopt, time_limit);
    std::vector<RandomWay> probes;
    {
      const py::gil_scoped_release release;  // as above
      probes = Engine::probe(tape, domain, arithmetic_of(certified), control, seed, ways);
    }
    const auto n = static_cast<py::ssize_t>(probes.size());
    std::vector<double> regions, cells, seconds;
    for (const RandomWay& p : probes) {
      regions.push_back(p.regions);
      cells.push_back(p.cells);
      seconds.push_back(p.seconds);
    }
    py::dict out;
    out["regions"] = adopt(std::move(regions), {n});
    out["cells"] = adopt(std::move(cells), {n});
    out["seconds"] = adopt(std::move(seconds), {n});
    out["interrupted"] = poll.interrupted();
    return out;
  }
};

}  // namespace linear_regions::bindings
