// SPDX-License-Identifier: MIT
// RandomStream: xoshiro256++ (Blackman and Vigna 2021), one stream per (key, index).
//
// The 256 bits of state are hashes of key and index, so streams of different indices are unrelated
// and any of them can be started at once: that is what makes results independent of threads.
#pragma once

#include <bit>
#include <cstdint>

#include "linear_regions/hash.hpp"
#include "linear_regions/one_layer_estimate.hpp"

namespace linear_regions::one_layer {

// Products of 64-bit numbers; the extension keyword silences -Wpedantic.
__extension__ using Wide = unsigned __int128;

class RandomStream {
 public:
  RandomStream(const StreamKey& key, std::uint64_t index) {
    std::uint64_t state = mix(key[0] ^ kHashSeedLow);
    state = hash_step(hash_step(state, key[1]), index);
    for (auto& word : state_) word = state = hash_step(state, kHashSeedHigh);
    state_[0] |= 1;  // never all zero
  }

  std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // Uniform below n, up to n / 2^64.
  std::uint64_t below(std::uint64_t n) {
    return static_cast<std::uint64_t>((Wide{next()} * n) >> 64);
  }

  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  std::uint64_t state_[4];
};

}  // namespace linear_regions::one_layer
