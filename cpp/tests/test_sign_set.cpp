// SPDX-License-Identifier: MIT
#include "linear_regions/sign_set.hpp"

#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

#include "check.hpp"

namespace lr = linear_regions;
using Row = std::vector<lr::Word>;

namespace {

// Rows of small random numbers, so that many are equal.
std::vector<lr::Word> random_rows(std::size_t n, std::size_t width, lr::Word values) {
  std::vector<lr::Word> rows(n * width);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = lr::mix(i * lr::kHashStep + 7) % values;
  return rows;
}

}  // namespace

TEST(counts_agree_with_an_ordered_map) {
  for (const std::size_t width : {1, 2, 5, 17}) {
    const std::size_t n = 5000;
    const std::vector<lr::Word> rows = random_rows(n, width, width == 1 ? 3000 : 5);
    std::map<Row, std::uint64_t> expected;
    std::vector<Row> order;
    for (std::size_t i = 0; i < n; ++i) {
      Row row(rows.begin() + static_cast<std::ptrdiff_t>(i * width),
              rows.begin() + static_cast<std::ptrdiff_t>((i + 1) * width));
      if (++expected[row] == 1) order.push_back(std::move(row));
    }
    lr::SignSet set(width);
    CHECK_EQUAL(set.insert_rows(rows, n), order.size());
    CHECK_EQUAL(set.size(), order.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      CHECK(Row(set.row(i).begin(), set.row(i).end()) == order[i]);
      CHECK_EQUAL(set.counts()[i], expected[order[i]]);
      CHECK(set.contains(order[i]));
    }
    CHECK_EQUAL(set.insert_rows(rows, n), 0U);
    CHECK_EQUAL(set.rows().size(), order.size() * width);
  }
}

TEST(one_by_one_and_by_blocks_give_the_same_set) {
  const std::size_t n = 1000;
  const std::vector<lr::Word> rows = random_rows(n, 2, 20);
  lr::SignSet blocks(2);
  blocks.insert_rows(rows, n);
  lr::SignSet single(2);
  single.reserve(3 * n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto [index, inserted] = single.insert(std::span(rows).subspan(2 * i, 2));
    CHECK(index < single.size());
    CHECK(inserted == (single.counts()[index] == 1));
  }
  CHECK(Row(single.rows().begin(), single.rows().end()) ==
        Row(blocks.rows().begin(), blocks.rows().end()));
}

// Rows whose hashes share the table position and the tag, found by search, stay apart: the words
// decide. With 16 slots the low 4 bits are the position and the top 24 bits are the tag.
TEST(equal_hashes_do_not_merge_rows) {
  std::map<lr::Word, lr::Word> seen;
  std::vector<std::pair<lr::Word, lr::Word>> twins;
  for (lr::Word word = 0; twins.size() < 3; ++word) {
    const lr::Word hash = lr::hash_words(&word, 1);
    const lr::Word key = (hash >> 40 << 40) | (hash & 15);
    const auto [at, is_new] = seen.emplace(key, word);
    if (!is_new) twins.emplace_back(at->second, word);
  }
  for (const auto& [first, second] : twins) {
    lr::SignSet set(1);
    set.insert(std::span(&first, 1));
    CHECK(!set.contains(std::span(&second, 1)));
    CHECK(set.insert(std::span(&second, 1)).inserted);
    CHECK(!set.insert(std::span(&first, 1), 4).inserted);
    CHECK_EQUAL(set.size(), 2U);
    CHECK_EQUAL(set.counts()[0], 5U);
  }
}

TEST(rows_without_words_are_all_equal) {
  lr::SignSet set(0);
  CHECK_EQUAL(set.insert_rows({}, 3), 1U);
  CHECK_EQUAL(set.counts()[0], 3U);
  CHECK(set.row(0).empty());
}

TEST(an_empty_set_has_no_rows) {
  lr::SignSet set(2);
  const Row row = {0, 0};
  CHECK_EQUAL(set.insert_rows({}, 0), 0U);
  CHECK_EQUAL(set.size(), 0U);
  CHECK(!set.contains(row));
}

TEST(a_row_of_another_width_is_refused) {
  lr::SignSet set(2);
  const Row row = {1, 2, 3};
  CHECK_THROWS(set.insert(row), std::invalid_argument);
  CHECK_THROWS(set.contains(row), std::invalid_argument);
  CHECK_THROWS(set.insert_rows(row, 2), std::invalid_argument);
  CHECK_EQUAL(set.size(), 0U);
}

TEST_MAIN()
