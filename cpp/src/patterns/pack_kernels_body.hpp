// SPDX-License-Identifier: MIT
// Packing one value at a time: the generic kernels, and the rest of a row behind its last whole
// vector. Included inside the unnamed namespace of one source per instruction set.

template <typename Real>
inline bool pack_rest(const Real* row, std::size_t first, std::size_t n, Real threshold,
                      std::uint64_t* words) {
  bool nan = false;
  for (std::size_t i = first; i < n; ++i) {
    if (i % 64 == 0) words[i / 64] = 0;
    words[i / 64] |= static_cast<std::uint64_t>(row[i] > threshold) << (i % 64);
    nan |= row[i] != row[i];
  }
  return nan;
}

inline bool pack_half_rest(const std::uint16_t* row, std::size_t first, std::size_t n,
                           std::int16_t threshold_key, std::int16_t infinity,
                           std::uint64_t* words) {
  bool nan = false;
  for (std::size_t i = first; i < n; ++i) {
    if (i % 64 == 0) words[i / 64] = 0;
    const int size = row[i] & 0x7FFF;
    const int key = (row[i] & 0x8000) != 0 ? -size : size;
    words[i / 64] |= static_cast<std::uint64_t>(key > threshold_key) << (i % 64);
    nan |= size > infinity;
  }
  return nan;
}

inline void pack_bool_rest(const std::uint8_t* row, std::size_t first, std::size_t n,
                           std::uint64_t* words) {
  for (std::size_t i = first; i < n; ++i) {
    if (i % 64 == 0) words[i / 64] = 0;
    words[i / 64] |= static_cast<std::uint64_t>(row[i] != 0) << (i % 64);
  }
}
