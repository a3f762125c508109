// SPDX-License-Identifier: MIT
// Facts about the build, for bug reports.
#pragma once

namespace linear_regions {

// Instruction set of the inner loops on this processor: "generic", "avx2" or "avx512".
const char* simd_name();

}  // namespace linear_regions
