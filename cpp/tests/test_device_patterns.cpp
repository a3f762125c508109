// SPDX-License-Identifier: MIT
// The device's pattern kernels, run on the host: packing, hashing, the set of distinct rows.
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <thread>
#include <vector>

#include "check.hpp"
#include "golden.hpp"
#include "linear_regions/sign_set.hpp"
#include "pattern_kernels.cu"

using namespace linear_regions;

namespace {

using Words = std::vector<Word>;

// Runs a kernel as `threads` blocks would, at the same time.
template <class F>
void launch(unsigned threads, F kernel) {
  std::vector<std::thread> team;
  for (unsigned i = 0; i < threads; ++i)
    team.emplace_back([&kernel, i, threads] {
      host_share = {i, threads, i % 2 == 1};
      kernel();
    });
  for (auto& thread : team) thread.join();
}

template <class Number, class Real>
std::vector<Number> numbers_of(const std::vector<Real>& values) {
  std::vector<Number> out(values.size());
  for (Size i = 0; i < out.size(); ++i) out[i] = std::bit_cast<Number>(values[i]);
  return out;
}

TEST(golden_hashes_come_out_of_the_kernels) {
  for (const auto& c : golden::read_cases(LINEAR_REGIONS_TEST_DATA "/sign_hash.json")) {
    const Size n = c.signs.size();
    std::vector<float> values(n);
    for (Size i = 0; i < n; ++i) values[i] = c.signs[i] ? 0.5F : -0.5F;
    const std::vector<Single> numbers = numbers_of<Single>(values);
    const Single zero{0};
    Words words(word_count(n)), hash(2);
    unsigned char nan = 0;
    lr_pack_f32(numbers.data(), n, 1, n, n, 1, &zero, 0, words.size(), words.data(), &nan);
    CHECK_EQUAL(int{nan}, 0);
    CHECK(words == Words(c.words.begin(), c.words.end()));
    lr_hash_rows(words.data(), 1, words.size(), hash.data());
    CHECK_EQUAL(hash[0], c.hash_low);
    lr_hash_rows_128(words.data(), 1, words.size(), hash.data());
    CHECK_EQUAL(hash[0], c.hash_low);
    CHECK_EQUAL(hash[1], c.hash_high);
  }
}

// ---- packing ----

struct Layer {
  Size units, per_channel, breaks;
};

// Packs all layers of random rows behind each other, by the kernel for doubles or that for floats.
void check_layers(const std::vector<Layer>& layers, Size n_rows, unsigned seed, bool doubles) {
  std::mt19937_64 generator(seed);
  std::uniform_int_distribution<int> entry(-3, 3);
  Size n_bits = 0, first_bit = 0;
  for (const Layer& layer : layers) n_bits += layer.units * layer.breaks;
  const Size n_words = word_count(n_bits);
  Words words(n_rows * n_words, ~Word{0}), expected(n_rows * n_words, 0);
  std::vector<unsigned char> doubtful(n_rows, 0), expected_doubt(n_rows, 0);
  host_share.backwards = seed % 2 == 1;
  for (const Layer& layer : layers) {
    const Size stride = layer.units + 3;
    std::vector<float> values(n_rows * stride), thresholds;
    for (float& v : values) v = static_cast<float>(entry(generator)) / 2;
    values[0] = std::numeric_limits<float>::quiet_NaN();
    for (Size i = 0; i < layer.units / layer.per_channel * layer.breaks; ++i)
      thresholds.push_back(static_cast<float>(entry(generator)) / 2);
    unsigned char nan = 0;
    if (doubles) {
      const std::vector<double> v(values.begin(), values.end()), m(layer.units, 0.25);
      const std::vector<double> b(thresholds.begin(), thresholds.end());
      lr_pack_margins(numbers_of<Double>(v).data(), stride, n_rows, layer.units, layer.per_channel,
                      layer.breaks, numbers_of<Double>(b).data(), first_bit, n_words, words.data(),
                      m.data(), doubtful.data());
    } else {
      lr_pack_f32(numbers_of<Single>(values).data(), stride, n_rows, layer.units, layer.per_channel,
                  layer.breaks, numbers_of<Single>(thresholds).data(), first_bit, n_words,
                  words.data(), &nan);
      CHECK_EQUAL(int{nan}, 1);
    }
    for (Size r = 0; r < n_rows; ++r)
      for (Size u = 0; u < layer.units; ++u)
        for (Size j = 0; j < layer.breaks; ++j) {
          const float z = values[r * stride + u];
          const float b = thresholds[u / layer.per_channel * layer.breaks + j];
          if (z > b) set_sign(expected.data() + r * n_words, first_bit + u * layer.breaks + j);
          if (doubles && !(std::fabs(z - b) > 0.25F)) expected_doubt[r] = 1;
        }
    first_bit += layer.units * layer.breaks;
  }
  host_share.backwards = false;
  CHECK(words == expected);
  CHECK(doubtful == expected_doubt);
}

TEST(layers_of_every_size_are_packed_behind_each_other) {
  for (const bool doubles : {false, true})
    for (const Size n : {1, 31, 32, 33, 63, 64, 65, 128, 192, 200}) {
      check_layers({{n, n, 1}}, 5, 1, doubles);
      check_layers({{n, n, 1}}, 5, 2, doubles);
      check_layers({{7, 7, 1}, {n, 1, 1}, {n, n, 3}, {2, 2, 1}}, 4, 3, doubles);
      check_layers({{n, n, 2}, {2 * n, n, 1}}, 3, 4, doubles);
    }
}

TEST(a_layer_without_units_packs_nothing) {
  const Single zero{0};
  unsigned char nan = 0;
  Word word = 5;
  lr_pack_f32(&zero, 0, 1, 0, 1, 1, &zero, 0, 1, &word, &nan);
  CHECK_EQUAL(word, Word{5});
}

// The value of a half-precision number.
float half_value(unsigned bits) {
  const int exponent = static_cast<int>((bits >> 10) & 31U);
  const auto fraction = static_cast<float>(bits & 1023U);
  float size =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
  if (exponent == 31)
    size = fraction > 0 ? std::numeric_limits<float>::quiet_NaN()
                        : std::numeric_limits<float>::infinity();
  return bits >> 15 ? -size : size;
}

TEST(numbers_are_compared_as_ieee_says_down_to_the_smallest) {
  for (unsigned value = 0; value < 65536; ++value)
    for (const unsigned bound : {0x0000U, 0x8000U, 0x0001U, 0x8001U, 0x3c00U, 0xbc00U, 0x7bffU,
                                 0xfbffU, 0x7c00U, 0xfc00U}) {
      const Half v{static_cast<unsigned short>(value)}, b{static_cast<unsigned short>(bound)};
      if (v.above(b) != (half_value(value) > half_value(bound))) CHECK_EQUAL(value, bound);
      CHECK(v.is_nan() == std::isnan(half_value(value)));
    }
  std::mt19937 generator(3);
  for (int trial = 0; trial < 100000; ++trial) {
    // Small numbers as often as large ones.
    const auto random = static_cast<unsigned>(generator());
    const unsigned value = random & (trial % 2 != 0 ? 0x80000003U : ~0U);
    const unsigned bound = trial % 3 != 0 ? (random >> 3) & 0x80000003U : 0x7f7fffffU;
    const auto v = std::bit_cast<float>(value), b = std::bit_cast<float>(bound);
    CHECK(Single{value}.above(Single{bound}) == (v > b));
    CHECK(Single{value}.is_nan() == std::isnan(v));
    // bfloat16 is the upper half of a float.
    const unsigned upper = value & 0xffff0000U, other = bound & 0xffff0000U;
    const Brain x{static_cast<unsigned short>(upper >> 16)};
    const Brain y{static_cast<unsigned short>(other >> 16)};
    CHECK(x.above(y) == (std::bit_cast<float>(upper) > std::bit_cast<float>(other)));
  }
}

TEST(bits_of_one_layer_become_rows_of_their_own) {
  std::mt19937_64 generator(6);
  const Size n_rows = 3, n_words = 4;
  Words words(n_rows * n_words);
  for (Word& w : words) w = generator();
  for (const Size first : {0, 1, 63, 64, 100})
    for (const Size n : {1, 31, 63, 64, 65, 128, 156}) {
      Words out(n_rows * word_count(n), 7), expected(out.size(), 0);
      for (Size r = 0; r < n_rows; ++r)
        for (Size i = 0; i < n; ++i)
          assign_sign(expected.data() + r * word_count(n), i,
                      get_sign(words.data() + r * n_words, first + i));
      lr_extract_bits(words.data(), n_rows, n_words, first, n, out.data());
      CHECK(out == expected);
    }
}

TEST(codes_of_windows_lie_behind_each_other) {
  std::mt19937_64 generator(5);
  for (const Size bits : {1, 2, 3, 5}) {
    const Size n_rows = 3, windows = 41, first_bit = 37,
               n_words = word_count(first_bit + windows * bits);
    std::vector<unsigned> codes(n_rows * windows);
    for (unsigned& c : codes) c = static_cast<unsigned>(generator() % (1U << bits));
    Words words(n_rows * n_words, 0), expected(n_rows * n_words, 0);
    for (Size r = 0; r < n_rows; ++r) words[r * n_words] = expected[r * n_words] = Word{1} << 36;
    lr_pack_codes(codes.data(), n_rows, windows, bits, first_bit, n_words, words.data());
    for (Size r = 0; r < n_rows; ++r)
      for (Size b = 0; b < windows * bits; ++b)
        if ((codes[r * windows + b / bits] >> (b % bits)) & 1U)
          set_sign(expected.data() + r * n_words, first_bit + b);
    CHECK(words == expected);
  }
}

// ---- the set ----

// The steps of one batch, as the caller runs them.
class DeviceSet {
 public:
  DeviceSet(Size width, unsigned threads) : width_(width), threads_(threads), slots_(2, 0) {}

  void insert(const Words& batch, Size n) {
    reserve(counts_.size() + n);
    Words slot_of(n), is_new(n), before(n), number(n);
    const Size stored = counts_.size(), mask = slots_.size() - 1;
    launch(threads_, [&] {
      lr_set_claim(batch.data(), n, width_, store_.data(), stored, slots_.data(), mask,
                   slot_of.data());
    });
    launch(threads_, [&] { lr_set_mark(slots_.data(), slot_of.data(), n, stored, is_new.data()); });
    Word sum = 0;
    for (Size i = 0; i < n; ++i) before[i] = sum += is_new[i];
    store_.resize((stored + sum) * width_);
    counts_.resize(stored + sum, 0);
    launch(threads_, [&] {
      lr_set_settle(batch.data(), n, width_, is_new.data(), before.data(), slot_of.data(),
                    slots_.data(), store_.data(), stored);
    });
    launch(threads_, [&] {
      lr_set_count(slots_.data(), slot_of.data(), nullptr, n, counts_.data(), number.data());
    });
    for (Size i = 0; i < n; ++i)
      CHECK(equal_words(batch.data() + i * width_, store_.data() + number[i] * width_, width_));
  }

  const Words& rows() const { return store_; }
  const Words& counts() const { return counts_; }

 private:
  void reserve(Size n) {
    Size wanted = slots_.size();
    while (wanted < 2 * n) wanted *= 2;
    if (wanted == slots_.size()) return;
    slots_.assign(wanted, 0);
    launch(threads_, [&] {
      lr_set_rebuild(store_.data(), counts_.size(), width_, slots_.data(), wanted - 1);
    });
  }

  Size width_;
  unsigned threads_;
  Words store_, counts_, slots_;
};

TEST(the_set_keeps_the_rows_and_the_order_of_sign_set_for_any_threads) {
  std::mt19937_64 generator(9);
  for (const Size width : {0, 1, 2, 3, 5})
    for (const unsigned threads : {1U, 4U}) {
      SignSet expected(width);
      DeviceSet set(width, threads);
      for (int batch = 0; batch < 6; ++batch) {
        const Size n = batch == 2 ? 0 : 300 + 200 * static_cast<Size>(batch);
        Words words(n * width);
        // Few different words: many equal rows, also inside one batch.
        for (Word& w : words) w = generator() % (width < 2 ? 150 : 6);
        expected.insert_rows(words, n);
        set.insert(words, n);
      }
      CHECK(std::equal(set.rows().begin(), set.rows().end(), expected.rows().begin(),
                       expected.rows().end()));
      CHECK(std::equal(set.counts().begin(), set.counts().end(), expected.counts().begin(),
                       expected.counts().end()));
    }
}

}  // namespace

TEST_MAIN()
