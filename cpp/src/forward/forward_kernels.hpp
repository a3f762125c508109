// SPDX-License-Identifier: MIT
// The inner loops of the forward pass on eight samples at a time, values at [i * 8 + sample].
//
// Sums run over the inputs in order, from the bias on, one fused multiplication and addition for
// each weight: blocks of outputs stay in registers, but every sum has the same roundings as one by
// one. All sets of kernels therefore give the same values and patterns, bit for bit; a processor
// without such an instruction pays for it with a call of the C library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace linear_regions {

struct ForwardKernels {
  // out[i] += sum over j of weight[j * lead + i] * in[j], for n_out outputs.
  void (*dense)(double* out, const double* weight, std::size_t lead, std::size_t n_in,
                std::size_t n_out, const double* in);

  // One breakpoint, the same for n units: the piece above it where in > breakpoint, else the lower
  // one; a slope of 0 gives the intercept. Bit s of above[i] is the piece of sample s.
  void (*two_pieces)(double* out, const double* in, std::size_t n, double breakpoint,
                     const double* slopes, const double* intercepts, std::uint8_t* above);
};

const ForwardKernels& forward_kernels();  // the best set that this processor runs

extern const ForwardKernels kGenericForwardKernels;
#if defined(__x86_64__) || defined(_M_X64)
extern const ForwardKernels kAvx2ForwardKernels;
#endif

}  // namespace linear_regions
