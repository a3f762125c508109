// SPDX-License-Identifier: MIT
//
// The one macro that hides CUDA's keywords: a function marked LR_HD is compiled for the host and,
// by nvcc or NVRTC, for the device too. Nothing else belongs here.
#pragma once

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define LR_HD __host__ __device__
#else
#define LR_HD
#endif
