// SPDX-License-Identifier: MIT
//
// Patterns of batches: packing, hashing, distinct rows. Rows are contiguous; shapes are written
// beside the arguments. Compiled by NVRTC at first use, by nvcc as a check, and as plain C++ by the
// tests. Sizes are 64-bit throughout.
#include "packing.hpp"
#include "row_set.hpp"

namespace lr = linear_regions;
using lr::Size;
using lr::Word;

// values: (n_rows, row_stride) of which n_units are read; thresholds: (n_units / per_channel,
// n_breaks); words: (n_rows, n_words); nan: (1,).
LR_KERNEL lr_pack_f16(const lr::Half* values, Size row_stride, Size n_rows, Size n_units,
                      Size per_channel, Size n_breaks, const lr::Half* thresholds, Size first_bit,
                      Size n_words, Word* words, unsigned char* nan) {
  lr::pack_numbers<lr::Half>(
      {values, row_stride, n_rows, n_units, per_channel, n_breaks, thresholds, first_bit, n_words},
      words, nan);
}

LR_KERNEL lr_pack_bf16(const lr::Brain* values, Size row_stride, Size n_rows, Size n_units,
                       Size per_channel, Size n_breaks, const lr::Brain* thresholds, Size first_bit,
                       Size n_words, Word* words, unsigned char* nan) {
  lr::pack_numbers<lr::Brain>(
      {values, row_stride, n_rows, n_units, per_channel, n_breaks, thresholds, first_bit, n_words},
      words, nan);
}

LR_KERNEL lr_pack_f32(const lr::Single* values, Size row_stride, Size n_rows, Size n_units,
                      Size per_channel, Size n_breaks, const lr::Single* thresholds, Size first_bit,
                      Size n_words, Word* words, unsigned char* nan) {
  lr::pack_numbers<lr::Single>(
      {values, row_stride, n_rows, n_units, per_channel, n_breaks, thresholds, first_bit, n_words},
      words, nan);
}

LR_KERNEL lr_pack_f64(const lr::Double* values, Size row_stride, Size n_rows, Size n_units,
                      Size per_channel, Size n_breaks, const lr::Double* thresholds, Size first_bit,
                      Size n_words, Word* words, unsigned char* nan) {
  lr::pack_numbers<lr::Double>(
      {values, row_stride, n_rows, n_units, per_channel, n_breaks, thresholds, first_bit, n_words},
      words, nan);
}

// margin: (n_units,); doubtful: (n_rows,).
LR_KERNEL lr_pack_margins(const lr::Double* values, Size row_stride, Size n_rows, Size n_units,
                          Size per_channel, Size n_breaks, const lr::Double* thresholds,
                          Size first_bit, Size n_words, Word* words, const double* margin,
                          unsigned char* doubtful) {
  lr::pack_with_margins(
      {values, row_stride, n_rows, n_units, per_channel, n_breaks, thresholds, first_bit, n_words},
      words, margin, doubtful);
}

// words: (n_rows, n_words); out: (n_rows, word_count(n_bits)).
LR_KERNEL lr_extract_bits(const Word* words, Size n_rows, Size n_words, Size first, Size n_bits,
                          Word* out) {
  const Size n_out = lr::word_count(n_bits);
  lr::for_each_item(n_rows * n_out, [&](Size i) {
    out[i] = lr::extracted_word(words + i / n_out * n_words, n_words, first, n_bits, i % n_out);
  });
}

// codes: (n_rows, n_windows), below 2^bits.
LR_KERNEL lr_pack_codes(const unsigned* codes, Size n_rows, Size n_windows, Size bits,
                        Size first_bit, Size n_words, Word* words) {
  lr::pack_codes(codes, n_rows, n_windows, bits, first_bit, n_words, words);
}

// words: (n_rows, n_words); hashes: (n_rows,).
LR_KERNEL lr_hash_rows(const Word* words, Size n_rows, Size n_words, Word* hashes) {
  lr::for_each_item(
      n_rows, [&](Size row) { hashes[row] = lr::hash_words(words + row * n_words, n_words); });
}

// hashes: (n_rows, 2), the low lane first.
LR_KERNEL lr_hash_rows_128(const Word* words, Size n_rows, Size n_words, Word* hashes) {
  lr::for_each_item(n_rows, [&](Size row) {
    const lr::Hash128 hash = lr::hash_words_128(words + row * n_words, n_words);
    hashes[2 * row] = hash.low;
    hashes[2 * row + 1] = hash.high;
  });
}

// ---- the set of rows, see row_set.hpp ----

// batch: (n_rows, width); store: (n_stored, width); slots: (mask + 1,); slot_of: (n_rows,).
LR_KERNEL lr_set_claim(const Word* batch, Size n_rows, Size width, const Word* store, Size n_stored,
                       Word* slots, Size mask, Word* slot_of) {
  const lr::RowStore rows{store, n_stored, batch, width};
  lr::for_each_item(n_rows, [&](Size r) { slot_of[r] = lr::claim_slot(rows, r, slots, mask); });
}

// is_new: (n_rows,), 0 or 1.
LR_KERNEL lr_set_mark(const Word* slots, const Word* slot_of, Size n_rows, Size n_stored,
                      Word* is_new) {
  lr::for_each_item(n_rows, [&](Size r) {
    is_new[r] = (slots[slot_of[r]] & lr::kRowNumber) == n_stored + r + 1 ? 1 : 0;
  });
}

// new_before: (n_rows,), the new rows up to and with row r.
LR_KERNEL lr_set_settle(const Word* batch, Size n_rows, Size width, const Word* is_new,
                        const Word* new_before, const Word* slot_of, Word* slots, Word* store,
                        Size n_stored) {
  lr::for_each_item(n_rows, [&](Size r) {
    if (is_new[r] == 0) return;
    const Size number = n_stored + new_before[r] - 1;
    for (Size w = 0; w < width; ++w) store[number * width + w] = batch[r * width + w];
    slots[slot_of[r]] = (slots[slot_of[r]] & ~lr::kRowNumber) | (number + 1);
  });
}

// counts: one for each stored row; number_of: (n_rows,) or null.
LR_KERNEL lr_set_count(const Word* slots, const Word* slot_of, const Word* times, Size n_rows,
                       Word* counts, Word* number_of) {
  lr::for_each_item(n_rows, [&](Size r) {
    const Size number = (slots[slot_of[r]] & lr::kRowNumber) - 1;
    lr::atomic_add(counts + number, times != nullptr ? times[r] : 1);
    if (number_of != nullptr) number_of[r] = number;
  });
}

// slots: all free.
LR_KERNEL lr_set_rebuild(const Word* store, Size n_stored, Size width, Word* slots, Size mask) {
  lr::for_each_item(n_stored, [&](Size r) { lr::enter_stored(store, r, width, slots, mask); });
}
