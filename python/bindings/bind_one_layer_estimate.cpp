// SPDX-License-Identifier: MIT
#include "bindings.hpp"
#include "linear_regions/one_layer_estimate.hpp"
#include "linear_regions/window_graph.hpp"
#include "run.hpp"

namespace linear_regions::bindings {
namespace {

WindowGraph make_graph(const Array<std::int64_t>& window_start, const Array<std::int64_t>& entries,
                       std::size_t n_entries, std::size_t channels, std::size_t filters) {
  return {view(window_start), view(entries), n_entries, channels, filters};
}

template <typename T>
std::vector<T> to_vector(const Array<T>& array) {
  return {array.data(), array.data() + array.size()};
}

py::dict direct(const WindowGraph& graph, const Array<std::uint64_t>& sizes,
                const Array<std::uint64_t>& thresholds, const Array<std::uint32_t>& order,
                bool by_entries, StreamKey key, std::uint64_t first_trial, std::uint64_t n_chunks,
                std::uint64_t chunk_size, std::uint64_t ranks_per_chunk,
                const Array<std::uint32_t>& places, unsigned threads,
                std::optional<double> time_limit, py::object callback) {
  DirectPlan plan;
  plan.sizes = to_vector(sizes);
  plan.thresholds = to_vector(thresholds);
  plan.order = to_vector(order);
  plan.side = by_entries ? Side::kEntries : Side::kWindows;
  plan.key = key;
  plan.first_trial = first_trial;
  plan.n_chunks = n_chunks;
  plan.chunk_size = chunk_size;
  plan.ranks_per_chunk = ranks_per_chunk;
  plan.places = to_vector(places);
  Poll poll(std::move(callback));
  RunControl control;
  prepare(control, poll, threads, std::nullopt, time_limit);
  DirectResult result;
  {
    // The graph is immutable and the plan is a copy; the callback takes the GIL back by itself.
    const py::gil_scoped_release release;
    result = run_direct(graph, plan, control);
  }
  py::dict out;
  out["successes"] = result.successes;
  out["ranks_tested"] = result.ranks_tested;
  out["ranks_full"] = result.ranks_full;
  out["revealed"] = result.revealed;
  out["searched"] = result.searched;
  out["status"] = name_of(result.status);
  out["seconds"] = result.seconds;
  out["interrupted"] = poll.interrupted();
  return out;
}

py::dict particles(const WindowGraph& graph, const Array<std::uint64_t>& thresholds,
                   double log_penalty, StreamKey key, std::uint64_t first_batch,
                   std::uint64_t n_batches, std::uint64_t n_particles,
                   std::uint64_t ranks_per_batch, const Array<std::uint32_t>& places,
                   unsigned threads, std::optional<double> time_limit, py::object callback) {
  ParticlePlan plan;
  plan.thresholds = to_vector(thresholds);
  plan.log_penalty = log_penalty;
  plan.key = key;
  plan.first_batch = first_batch;
  plan.n_batches = n_batches;
  plan.particles = n_particles;
  plan.ranks_per_batch = ranks_per_batch;
  plan.places = to_vector(places);
  Poll poll(std::move(callback));
  RunControl control;
  prepare(control, poll, threads, std::nullopt, time_limit);
  ParticleResult result;
  {
    const py::gil_scoped_release release;  // as above
    result = run_particles(graph, plan, control);
  }
  py::dict out;
  out["log_estimates"] = result.log_estimates;
  out["ranks_tested"] = result.ranks_tested;
  out["ranks_full"] = result.ranks_full;
  out["copied"] = result.copied;
  out["searched"] = result.searched;
  out["status"] = name_of(result.status);
  out["seconds"] = result.seconds;
  out["interrupted"] = poll.interrupted();
  return out;
}

}  // namespace

void bind_one_layer_estimate(py::module_& m) {
  py::class_<WindowGraph>(m, "WindowGraph", "Which input entries the windows of a layer see.")
      .def(py::init(&make_graph), py::arg("window_start"), py::arg("entries"), py::arg("n_entries"),
           py::arg("channels"), py::arg("filters"), Exactly())
      .def_property_readonly("n_windows", &WindowGraph::n_windows)
      .def_property_readonly("n_slots", &WindowGraph::n_slots)
      .def_property_readonly("n_neurons", &WindowGraph::n_neurons);
  m.def("direct_trials", &direct, py::arg("graph"), py::arg("sizes"), py::arg("thresholds"),
        py::arg("order"), py::arg("by_entries"), py::arg("key"), py::arg("first_trial"),
        py::arg("n_chunks"), py::arg("chunk_size"), py::arg("ranks_per_chunk"), py::arg("places"),
        py::arg("threads"), py::arg("time_limit"), py::arg("poll"), Exactly());
  m.def("particle_batches", &particles, py::arg("graph"), py::arg("thresholds"),
        py::arg("log_penalty"), py::arg("key"), py::arg("first_batch"), py::arg("n_batches"),
        py::arg("n_particles"), py::arg("ranks_per_batch"), py::arg("places"), py::arg("threads"),
        py::arg("time_limit"), py::arg("poll"), Exactly());
}

}  // namespace linear_regions::bindings
