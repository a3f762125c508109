// SPDX-License-Identifier: MIT
//
// The set of distinct rows of words, filled by many threads; the same rows in the same order as
// SignSet (linear_regions/sign_set.hpp).
//
// Slots are those of SignSet: 0 when free, otherwise the row's number plus one in the low 40 bits
// and 24 bits of its hash above. A batch is inserted in steps, each a kernel:
//
//   claim    Row r of the batch has the number n_stored + r for the time being. It takes the first
//            free slot of its probe sequence, or finds a slot with equal words, which may lie in
//            the store or in the batch. Of equal rows of the batch the lowest number stays: it
//            lowers the slot, and a tag belongs to its slot for good.
//   mark     The rows whose number stands in their slot are new.
//   settle   After a prefix sum over the marks, new rows are appended to the store in the order of
//            the batch, and their slots take the final numbers.
//   count    Every row adds one at the number of its slot.
//
// So numbers and order do not depend on the order of threads. The caller keeps the table at most
// half full, counting every row of a batch as new: a probe sequence always ends, and nothing can
// overflow. A set of hashes is a set of rows of one or two words.
#pragma once

#include "atomics.hpp"
#include "linear_regions/hash.hpp"

namespace linear_regions {

inline constexpr Word kRowNumber = (Word{1} << 40) - 1;  // the low bits of a slot

struct RowStore {
  const Word* store;  // n_stored rows
  Size n_stored;
  const Word* batch;  // rows with the numbers from n_stored on
  Size width;

  LR_DEVICE const Word* row(Size number) const {
    return number < n_stored ? store + number * width : batch + (number - n_stored) * width;
  }
};

// Returns the slot of row r of the batch.
LR_DEVICE inline Size claim_slot(const RowStore& rows, Size r, Word* slots, Size mask) {
  const Word* row = rows.batch + r * rows.width;
  const Word hash = hash_words(row, rows.width), tag = hash & ~kRowNumber;
  const Word mine = tag | (rows.n_stored + r + 1);
  for (Size at = hash & mask;; at = (at + 1) & mask) {
    Word seen = atomic_load(slots + at);
    if (seen == 0) {
      seen = atomic_exchange_if(slots + at, 0, mine);
      if (seen == 0) return at;
    }
    if ((seen & ~kRowNumber) == tag &&
        equal_words(row, rows.row((seen & kRowNumber) - 1), rows.width)) {
      if (seen > mine) atomic_lower(slots + at, mine);
      return at;
    }
  }
}

// Enters row number `r` of the store, which is in no slot yet, into an empty or growing table.
LR_DEVICE inline void enter_stored(const Word* store, Size r, Size width, Word* slots, Size mask) {
  const Word hash = hash_words(store + r * width, width);
  const Word mine = (hash & ~kRowNumber) | (r + 1);
  for (Size at = hash & mask;; at = (at + 1) & mask)
    if (atomic_load(slots + at) == 0 && atomic_exchange_if(slots + at, 0, mine) == 0) return;
}

}  // namespace linear_regions
