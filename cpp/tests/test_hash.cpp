// SPDX-License-Identifier: MIT
#include "linear_regions/hash.hpp"

#include <set>
#include <vector>

#include "check.hpp"
#include "golden.hpp"

namespace lr = linear_regions;

TEST(hashes_are_the_golden_ones) {
  for (const golden::Case& expected :
       golden::read_cases(LINEAR_REGIONS_TEST_DATA "/sign_hash.json")) {
    const lr::Word* words = expected.words.data();
    const std::size_t n_words = expected.words.size();
    const lr::Hash128 hash = lr::hash_words_128(words, n_words);
    CHECK_EQUAL(lr::hash_words(words, n_words), expected.hash_low);
    CHECK_EQUAL(hash.low, expected.hash_low);
    CHECK_EQUAL(hash.high, expected.hash_high);
  }
}

TEST(the_hash_is_a_compile_time_constant) {
  constexpr lr::Word kWords[] = {1, 2};
  constexpr lr::Word kHash = lr::hash_words(kWords, 2);
  static_assert(kHash != lr::hash_words(kWords, 1));
  CHECK_EQUAL(lr::hash_words_128(kWords, 2).low, kHash);
}

TEST(zero_words_of_different_numbers_hash_differently) {
  const std::vector<lr::Word> zeros(100, 0);
  std::set<lr::Word> hashes;
  for (std::size_t n = 0; n <= zeros.size(); ++n) hashes.insert(lr::hash_words(zeros.data(), n));
  CHECK_EQUAL(hashes.size(), zeros.size() + 1);
}

// Each input bit should flip each output bit half of the time: 64 * 128 trials of a fair coin have
// a mean of 32 flips with a standard deviation of 4, and the average over all of them is far
// closer.
TEST(one_flipped_sign_flips_half_of_the_hash) {
  std::vector<lr::Word> words = {0x0123456789abcdef, 0};
  const lr::Word before = lr::hash_words(words.data(), 2);
  lr::Size flips = 0;
  for (std::size_t i = 0; i < 128; ++i) {
    words[i / 64] ^= lr::sign_bit(i);
    const lr::Size changed = lr::popcount(before ^ lr::hash_words(words.data(), 2));
    words[i / 64] ^= lr::sign_bit(i);
    CHECK(changed > 8 && changed < 56);
    flips += changed;
  }
  CHECK(flips > 128 * 30 && flips < 128 * 34);
}

TEST_MAIN()
