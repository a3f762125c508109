// SPDX-License-Identifier: MIT
// The forward pass in plain C++: any processor; and the choice among the sets.
#include <cmath>
#include <cstring>

#include "forward/forward_kernels.hpp"
#include "kernels.hpp"

namespace linear_regions {
namespace {

constexpr std::size_t kSamples = 8;

void dense(double* out, const double* weight, std::size_t lead, std::size_t n_in, std::size_t n_out,
           const double* in) {
  for (std::size_t j = 0; j < n_in; ++j)
    for (std::size_t i = 0; i < n_out; ++i) {
      const double w = weight[j * lead + i];
      for (std::size_t s = 0; s < kSamples; ++s)
        out[i * kSamples + s] = std::fma(w, in[j * kSamples + s], out[i * kSamples + s]);
    }
}

void two_pieces(double* out, const double* in, std::size_t n, double breakpoint,
                const double* slopes, const double* intercepts, std::uint8_t* above) {
  for (std::size_t i = 0; i < n; ++i) {
    unsigned mask = 0;
    for (std::size_t s = 0; s < kSamples; ++s) {
      const double z = in[i * kSamples + s];
      const std::size_t piece = z > breakpoint ? 1 : 0;
      // Slope 0 must give the constant even where z overflowed.
      out[i * kSamples + s] =
          slopes[piece] == 0.0 ? intercepts[piece] : slopes[piece] * z + intercepts[piece];
      mask |= static_cast<unsigned>(piece) << s;
    }
    above[i] = static_cast<std::uint8_t>(mask);
  }
}

}  // namespace

const ForwardKernels kGenericForwardKernels = {dense, two_pieces};

const ForwardKernels& forward_kernels() {
#if defined(__x86_64__) || defined(_M_X64)
  // Eight samples fill no wider registers, so AVX-512 would gain nothing.
  if (std::strcmp(kernels().name, "generic") != 0) return kAvx2ForwardKernels;
#endif
  return kGenericForwardKernels;
}

}  // namespace linear_regions
