// SPDX-License-Identifier: MIT
#include "linear_regions/pattern_tally.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>
#include <stdexcept>

#include "patterns/store.hpp"

namespace linear_regions {
namespace {

std::unique_ptr<PatternStore> make_store(std::size_t width, Sketch sketch, bool counted,
                                         unsigned precision) {
  switch (sketch) {
    case Sketch::kWords:
      return make_word_store(width);
    case Sketch::kHash64:
      return make_hash_store(width, false, counted);
    case Sketch::kHash128:
      return make_hash_store(width, true, counted);
    case Sketch::kHll:
      return make_sketch_store(width, precision);
  }
  throw std::invalid_argument("an unknown sketch");
}

// Keys in the order of their words, the times along with them.
void sort_by_key(TallyContents& contents, std::size_t words) {
  const std::size_t n = contents.times.size();
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  const Word* keys = contents.keys.data();
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return compare_words(keys + a * words, keys + b * words, words) < 0;
  });
  TallyContents sorted;
  sorted.keys.reserve(contents.keys.size());
  sorted.times.reserve(n);
  for (const std::size_t i : order) {
    sorted.keys.insert(sorted.keys.end(), keys + i * words, keys + (i + 1) * words);
    sorted.times.push_back(contents.times[i]);
  }
  contents.keys.swap(sorted.keys);
  contents.times.swap(sorted.times);
}

}  // namespace

PatternTally::PatternTally(std::size_t width, Sketch sketch, bool counted, unsigned precision)
    : width_(width), sketch_(sketch), store_(make_store(width, sketch, counted, precision)) {}

PatternTally::~PatternTally() = default;

void PatternTally::insert(std::span<const Word> rows, std::size_t n) {
  if (rows.size() != n * width_) throw std::invalid_argument("rows have the wrong size");
  const std::shared_lock lock(gate_);
  store_->insert(rows.data(), n);
  rows_.fetch_add(n, std::memory_order_relaxed);
}

std::uint64_t PatternTally::rows() const {
  return rows_.load(std::memory_order_relaxed);
}

double PatternTally::distinct() const {
  const std::unique_lock lock(gate_);
  return store_->distinct();
}

bool PatternTally::exact_count() const {
  const std::unique_lock lock(gate_);
  return store_->exact_count();
}

double PatternTally::hll_estimate() const {
  const std::unique_lock lock(gate_);
  return store_->hll_estimate();
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> PatternTally::frequencies() const {
  std::vector<std::uint64_t> times;
  std::uint64_t scale = 1;
  {
    const std::unique_lock lock(gate_);
    store_->times(times);
    scale = store_->scale();
  }
  // Most times are small: those are counted in an array, the others sorted.
  constexpr std::size_t kSmall = 4096;
  std::vector<std::uint64_t> number(kSmall, 0);
  std::map<std::uint64_t, std::uint64_t> others;
  for (const std::uint64_t t : times) {
    if (t < kSmall)
      ++number[t];
    else
      ++others[t];
  }
  std::vector<std::pair<std::uint64_t, std::uint64_t>> out;
  for (std::size_t t = 0; t < kSmall; ++t)
    if (number[t] != 0) out.emplace_back(t, number[t] * scale);
  for (const auto& [t, n] : others) out.emplace_back(t, n * scale);
  return out;
}

TallyContents PatternTally::contents() const {
  TallyContents out;
  {
    const std::unique_lock lock(gate_);
    store_->contents(out);
    out.rows = rows_.load(std::memory_order_relaxed);
  }
  sort_by_key(out, key_words());
  return out;
}

void PatternTally::absorb(const TallyContents& other) {
  if (other.keys.size() != other.times.size() * key_words())
    throw std::invalid_argument("keys and times do not fit");
  const std::shared_lock lock(gate_);
  store_->absorb(other);
  rows_.fetch_add(other.rows, std::memory_order_relaxed);
}

std::size_t PatternTally::key_words() const noexcept {
  if (sketch_ == Sketch::kWords) return width_;
  return sketch_ == Sketch::kHash128 ? 2 : 1;
}

std::size_t PatternTally::memory_bytes() const {
  const std::unique_lock lock(gate_);
  return sizeof(*this) + store_->memory_bytes();
}

}  // namespace linear_regions
