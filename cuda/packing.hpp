// SPDX-License-Identifier: MIT
//
// Bits of one layer into packed patterns, 32 by a vote.
//
// A layer's bits are neighbours in the pattern: bits first_bit .. first_bit + n_bits - 1, so they
// may start in the middle of a word. A word is written by one team; it keeps the bits before
// first_bit, which belong to layers packed earlier, and clears those behind the layer.
#pragma once

#include "atomics.hpp"

namespace linear_regions {

// Numbers below double precision come as their bits, and are compared as such: sign and size become
// a signed integer, in which both zeros are 0. The comparison of the processor itself would do, but
// CuPy compiles with -ftz=true, and then it takes the smallest numbers of single precision for
// zero.
template <class Bits, int kInfinity>
struct Narrow {
  Bits bits;

  LR_DEVICE bool is_nan() const { return size() > kInfinity; }
  LR_DEVICE bool above(Narrow threshold) const { return !is_nan() && place() > threshold.place(); }

 private:
  static constexpr int kSign = 8 * static_cast<int>(sizeof(Bits)) - 1;
  LR_DEVICE int size() const { return static_cast<int>(bits & ((1U << kSign) - 1)); }
  LR_DEVICE int place() const { return (bits >> kSign) != 0 ? -size() : size(); }
};
using Half = Narrow<unsigned short, 0x7c00>;
using Brain = Narrow<unsigned short, 0x7f80>;  // bfloat16
using Single = Narrow<unsigned, 0x7f800000>;

struct Double {
  double value;

  LR_DEVICE bool is_nan() const { return !(value == value); }
  LR_DEVICE bool above(Double threshold) const { return is_above(value, threshold.value); }
};

// Number of words that a layer touches, and the first of them.
struct WordRange {
  Size first, count;
};

LR_DEVICE inline WordRange words_of_bits(Size first_bit, Size n_bits) {
  const Size first = first_bit / kWordBits;
  return {first, n_bits == 0 ? 0 : (first_bit + n_bits - 1) / kWordBits - first + 1};
}

// The 32 bits of a word from `shift` (0 or 32) on: f(bit of the layer, positive, doubtful).
template <class F>
LR_DEVICE unsigned vote_half(const Team& team, Size word, Size shift, Size first_bit, Size n_bits,
                             F f, unsigned& doubtful) {
  unsigned positive;
  team.vote(
      [&](Size lane, bool& above, bool& doubt) {
        const Size at = word * kWordBits + shift + lane;
        if (at >= first_bit && at - first_bit < n_bits) f(at - first_bit, above, doubt);
      },
      positive, doubtful);
  return positive;
}

// Packs word number `at` of all the words of the layer, row by row. Returns whether a bit was
// doubtful.
template <class F>
LR_DEVICE bool pack_layer_word(const Team& team, Size word, Size first_bit, Size n_bits, F f,
                               Word* words) {
  unsigned doubt_low, doubt_high;
  const unsigned low = vote_half(team, word, 0, first_bit, n_bits, f, doubt_low);
  const unsigned high = vote_half(team, word, 32, first_bit, n_bits, f, doubt_high);
  if (team.leads()) {
    Word kept = 0;
    if (first_bit > word * kWordBits)
      kept = words[word] & ((Word{1} << (first_bit - word * kWordBits)) - 1);
    words[word] = kept | join_halves(low, high);
  }
  return (doubt_low | doubt_high) != 0;
}

// What is packed of a layer of units: bit u * n_breaks + j is value[u] > threshold[c][j], with c =
// u / per_channel.
template <class Number>
struct UnitLayer {
  const Number* values;  // (n_rows, row_stride)
  Size row_stride, n_rows, n_units, per_channel, n_breaks;
  const Number* thresholds;
  Size first_bit, n_words;
};

// `doubt` says of a value and its threshold whether the row is doubtful.
template <class Number, class Doubt>
LR_DEVICE void pack_units(const UnitLayer<Number>& layer, Word* words, unsigned char* doubtful,
                          Size doubt_stride, Doubt doubt) {
  const Size n_bits = layer.n_units * layer.n_breaks;
  const WordRange range = words_of_bits(layer.first_bit, n_bits);
  const auto pack = [&](const Team& team, Size at, double*) {
    const Size row = at / range.count, word = range.first + at % range.count;
    const Number* values = layer.values + row * layer.row_stride;
    const auto bit = [&](Size b, bool& above, bool& is_doubtful) {
      // Most layers have one breakpoint, and a division takes longer than everything else here.
      const Size unit = layer.n_breaks == 1 ? b : b / layer.n_breaks;
      const Size channel = layer.per_channel == layer.n_units ? 0 : unit / layer.per_channel;
      const Number threshold =
          layer.thresholds[channel * layer.n_breaks + (b - unit * layer.n_breaks)];
      above = values[unit].above(threshold);
      is_doubtful = doubt(unit, values[unit], threshold);
    };
    if (pack_layer_word(team, word, layer.first_bit, n_bits, bit, words + row * layer.n_words) &&
        team.leads())
      set_flag(doubtful + row * doubt_stride);
  };
  for_each_team(layer.n_rows * range.count, nullptr, 0, pack);
}

// Sets the one byte `nan` where a value is not a number.
template <class Number>
LR_DEVICE void pack_numbers(const UnitLayer<Number>& layer, Word* words, unsigned char* nan) {
  pack_units(layer, words, nan, 0, [](Size, Number value, Number) { return value.is_nan(); });
}

// Sets the byte of a row where a value is no further than its margin from a threshold, or is NaN.
LR_DEVICE inline void pack_with_margins(const UnitLayer<Double>& layer, Word* words,
                                        const double* margin, unsigned char* doubtful) {
  pack_units(layer, words, doubtful, 1, [&](Size unit, Double value, Double threshold) {
    const double distance =
        value.above(threshold) ? value.value - threshold.value : threshold.value - value.value;
    return !(distance > margin[unit]);
  });
}

// Word w of the row that bits first .. first + n_bits - 1 of a row make.
LR_DEVICE inline Word extracted_word(const Word* row, Size n_words, Size first, Size n_bits,
                                     Size w) {
  const Size at = first + w * kWordBits, place = at / kWordBits, shift = at % kWordBits;
  Word value = row[place] >> shift;
  if (shift != 0 && place + 1 < n_words) value |= row[place + 1] << (kWordBits - shift);
  return w + 1 == word_count(n_bits) ? value & tail_mask(n_bits) : value;
}

// A layer of windows: bits w * bits .. of window w are the code of its winner.
LR_DEVICE inline void pack_codes(const unsigned* codes, Size n_rows, Size n_windows, Size bits,
                                 Size first_bit, Size n_words, Word* words) {
  const Size n_bits = n_windows * bits;
  const WordRange range = words_of_bits(first_bit, n_bits);
  for_each_team(n_rows * range.count, nullptr, 0, [&](const Team& team, Size at, double*) {
    const Size row = at / range.count, word = range.first + at % range.count;
    const auto bit = [&](Size b, bool& above, bool&) {
      above = ((codes[row * n_windows + b / bits] >> (b % bits)) & 1U) != 0;
    };
    pack_layer_word(team, word, first_bit, n_bits, bit, words + row * n_words);
  });
}

}  // namespace linear_regions
