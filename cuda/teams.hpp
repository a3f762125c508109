// SPDX-License-Identifier: MIT
//
// How the work of a kernel is spread, on the device and, for tests, on the host.
//
//   item    one independent piece of work, done by one thread
//   team    32 threads that do one piece of work together: a warp
//
// A kernel is a function marked LR_KERNEL whose body is one for_each_item or one for_each_team. It
// runs with any grid, in a stride over its work; a block is a multiple of 32 threads. The same
// text, compiled as plain C++, is an ordinary function that does the same work item after item, and
// a team is then 32 lanes taken one after the other. So everything but this file and atomics.hpp is
// tested without a device. On the host, several threads may share a kernel's work as blocks do:
// each sets its own host_share.
#pragma once

#include "linear_regions/sign_vector.hpp"

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define LR_KERNEL extern "C" __global__ void
#define LR_DEVICE __device__
#else
#define LR_KERNEL extern "C" __attribute__((visibility("default"))) void
#define LR_DEVICE
#endif

namespace linear_regions {

inline constexpr Size kTeamLanes = 32;

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)

// Every member must be called by all lanes together. Variables outside of the functions that are
// handed over must be the same in all lanes.
class Team {
 public:
  __device__ bool leads() const { return lane() == 0; }

  // f(i) for i in [0, n). What was written before is seen in f, what f writes is seen afterwards.
  template <class F>
  __device__ void each(Size n, F f) const {
    __syncwarp();
    for (Size i = lane(); i < n; i += kTeamLanes) f(i);
    __syncwarp();
  }

  // Bit i of `first` and `second`: what f(i, a, b) wrote into a and b.
  template <class F>
  __device__ void vote(F f, unsigned& first, unsigned& second) const {
    bool a = false, b = false;
    f(lane(), a, b);
    first = __ballot_sync(0xffffffffU, a);
    second = __ballot_sync(0xffffffffU, b);
  }

  // The largest of 0 and f(i), i in [0, n).
  template <class F>
  __device__ double largest(Size n, F f) const {
    double most = 0;
    for (Size i = lane(); i < n; i += kTeamLanes) {
      const double value = f(i);
      most = value > most ? value : most;
    }
    for (unsigned step = kTeamLanes / 2; step > 0; step /= 2) {
      const double other = __shfl_xor_sync(0xffffffffU, most, step);
      most = other > most ? other : most;
    }
    return most;
  }

 private:
  __device__ static Size lane() { return threadIdx.x % kTeamLanes; }
};

template <class F>
__device__ void for_each_item(Size n, F f) {
  const Size total = Size{gridDim.x} * blockDim.x;
  for (Size i = Size{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += total) f(i);
}

// f(team, i, memory): `memory` is the team's own piece of the workspace, or of the block's shared
// memory where there is no workspace.
template <class F>
__device__ void for_each_team(Size n, double* workspace, Size doubles, F f) {
  extern __shared__ double shared_memory[];
  const Size in_block = blockDim.x / kTeamLanes, number = threadIdx.x / kTeamLanes;
  const Size first = blockIdx.x * in_block + number;
  double* memory =
      workspace != nullptr ? workspace + first * doubles : shared_memory + number * doubles;
  for (Size i = first; i < n; i += gridDim.x * in_block) f(Team{}, i, memory);
}

#else

struct HostShare {
  Size number = 0, total = 1;  // the calling thread's number, and how many threads share the work
  bool backwards = false;      // take lanes and items in the opposite order: nothing may change
};
inline thread_local HostShare host_share;

class Team {
 public:
  bool leads() const { return true; }

  template <class F>
  void each(Size n, F f) const {
    for (Size i = 0; i < n; ++i) f(host_share.backwards ? n - 1 - i : i);
  }

  template <class F>
  void vote(F f, unsigned& first, unsigned& second) const {
    first = second = 0;
    each(kTeamLanes, [&](Size i) {
      bool a = false, b = false;
      f(i, a, b);
      first |= unsigned{a} << i;
      second |= unsigned{b} << i;
    });
  }

  template <class F>
  double largest(Size n, F f) const {
    double most = 0;
    each(n, [&](Size i) {
      const double value = f(i);
      most = value > most ? value : most;
    });
    return most;
  }
};

template <class F>
void for_each_item(Size n, F f) {
  const HostShare share = host_share;
  const Size own = n > share.number ? (n - share.number - 1) / share.total + 1 : 0;
  for (Size k = 0; k < own; ++k)
    f(share.number + (share.backwards ? own - 1 - k : k) * share.total);
}

template <class F>
void for_each_team(Size n, double* workspace, Size doubles, F f) {
  double* memory = workspace != nullptr ? workspace + host_share.number * doubles : nullptr;
  for_each_item(n, [&](Size i) { f(Team{}, i, memory); });
}

#endif

}  // namespace linear_regions
