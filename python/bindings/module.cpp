// SPDX-License-Identifier: MIT
#include "bindings.hpp"
#include "linear_regions/build.hpp"

namespace py = pybind11;

// No GIL is needed: Python objects are touched by the calling thread alone, arrays that are handed
// in are read and never kept, and what can be changed after it was made has a lock of its own.
PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  m.doc() = "Compiled core of linear_regions; private.";
  m.attr("__version__") = LINEAR_REGIONS_VERSION;
  m.def(
      "build_info",
      [] {
        py::dict info;
        info["version"] = LINEAR_REGIONS_VERSION;
#if defined(__VERSION__)
        info["compiler"] = __VERSION__;
#else
        info["compiler"] = "unknown";
#endif
        info["simd"] = linear_regions::simd_name();
        return info;
      },
      "How the core was built and which instruction set it uses here.");
  linear_regions::bindings::bind_floating_point(m);
  linear_regions::bindings::bind_flat_count(m);
  linear_regions::bindings::bind_hyperplanes(m);
  linear_regions::bindings::bind_deep_tree(m);
  linear_regions::bindings::bind_frame(m);
  linear_regions::bindings::bind_cones(m);
  linear_regions::bindings::bind_counter(m);
  linear_regions::bindings::bind_tape(m);
  linear_regions::bindings::bind_planar(m);
  linear_regions::bindings::bind_regions(m);
  linear_regions::bindings::bind_patterns(m);
  linear_regions::bindings::bind_segments(m);
  linear_regions::bindings::bind_sign_tree(m);
  linear_regions::bindings::bind_sweep(m);
  linear_regions::bindings::bind_one_layer_estimate(m);
  linear_regions::bindings::bind_one_layer(m);
}
