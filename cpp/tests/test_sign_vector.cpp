// SPDX-License-Identifier: MIT
#include "linear_regions/sign_vector.hpp"

#include <limits>
#include <string>
#include <vector>

#include "check.hpp"
#include "golden.hpp"

namespace lr = linear_regions;

TEST(packing_gives_the_golden_words) {
  for (const golden::Case& expected :
       golden::read_cases(LINEAR_REGIONS_TEST_DATA "/sign_hash.json")) {
    std::vector<double> values;
    values.reserve(expected.signs.size());
    for (const bool sign : expected.signs) values.push_back(sign ? 0.5 : -0.5);
    std::vector<lr::Word> words(lr::word_count(values.size()));
    lr::pack_signs(values.data(), values.size(), words.data());
    CHECK(words == expected.words);
  }
}

TEST(setting_signs_one_by_one_gives_the_golden_words) {
  for (const golden::Case& expected :
       golden::read_cases(LINEAR_REGIONS_TEST_DATA "/sign_hash.json")) {
    const std::size_t n = expected.signs.size();
    std::vector<lr::Word> words(lr::word_count(n), 0);
    lr::Size positive = 0;
    for (std::size_t i = 0; i < n; ++i) {
      lr::assign_sign(words.data(), i, expected.signs[i]);
      positive += expected.signs[i] ? 1 : 0;
    }
    CHECK(words == expected.words);
    CHECK_EQUAL(lr::count_positive(words.data(), words.size()), positive);
    for (std::size_t i = 0; i < n; ++i) {
      CHECK_EQUAL(lr::get_sign(words.data(), i), bool{expected.signs[i]});
    }
  }
}

TEST(bits_behind_the_last_sign_are_zero) {
  for (std::size_t n = 1; n < 200; ++n) {
    const std::vector<float> values(n, 1.0F);
    std::vector<lr::Word> words(lr::word_count(n), 0xdeadbeef);
    lr::pack_signs(values.data(), n, words.data());
    CHECK_EQUAL(words.back(), lr::tail_mask(n));
    CHECK_EQUAL(lr::count_positive(words.data(), words.size()), n);
  }
}

TEST(a_tie_and_nan_belong_to_the_lower_piece) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kTiny = std::numeric_limits<double>::denorm_min();
  const std::vector<double> values = {0.0,    -0.0, kTiny,
                                      -kTiny, kNan, std::numeric_limits<double>::infinity()};
  CHECK_EQUAL(lr::pack_word(values.data(), values.size()), lr::Word{0b100100});
  CHECK(!lr::is_above(2.0, 2.0));
}

TEST(clearing_a_sign_leaves_the_others) {
  std::vector<lr::Word> words(3, ~lr::Word{0});
  lr::clear_sign(words.data(), 64);
  CHECK_EQUAL(lr::count_positive(words.data(), 3), 191U);
  CHECK(!lr::get_sign(words.data(), 64));
  lr::set_sign(words.data(), 64);
  CHECK_EQUAL(lr::count_positive(words.data(), 3), 192U);
}

TEST(order_is_by_words_from_the_first) {
  const std::vector<lr::Word> a = {1, 9, 9};
  const std::vector<lr::Word> b = {2, 0, 0};
  CHECK(lr::compare_words(a.data(), b.data(), 3) < 0);
  CHECK(lr::compare_words(b.data(), a.data(), 3) > 0);
  CHECK_EQUAL(lr::compare_words(a.data(), a.data(), 3), 0);
  CHECK_EQUAL(lr::compare_words(a.data(), b.data(), 0), 0);
  CHECK(lr::compare_words(a.data() + 1, b.data() + 1, 2) > 0);
  CHECK(lr::equal_words(a.data() + 1, a.data() + 1, 2));
  CHECK(!lr::equal_words(a.data(), b.data(), 3));
}

TEST_MAIN()
