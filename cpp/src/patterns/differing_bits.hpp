// SPDX-License-Identifier: MIT
// Number of bits in which two runs of words differ, with and without a processor's own instruction.
#pragma once

#include <cstddef>
#include <cstdint>

namespace linear_regions {

using DifferingBits = std::int64_t (*)(const std::uint64_t* a, const std::uint64_t* b,
                                       std::size_t width);

std::int64_t differing_bits_generic(const std::uint64_t* a, const std::uint64_t* b,
                                    std::size_t width);
#if defined(__x86_64__) || defined(_M_X64)
std::int64_t differing_bits_popcnt(const std::uint64_t* a, const std::uint64_t* b,
                                   std::size_t width);
#endif

DifferingBits differing_bits();  // the best that this processor runs

}  // namespace linear_regions
