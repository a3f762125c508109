// SPDX-License-Identifier: MIT
//
// What sampling needs beside patterns: random points, and the registers of a HyperLogLog sketch.
#include "atomics.hpp"
#include "linear_regions/sketch_register.hpp"
#include "random_points.hpp"

namespace lr = linear_regions;
using lr::Size;
using lr::Word;

// Points first .. first + n_points - 1; low, high: (n_free,), the sides of the free coordinates;
// column_of: (n_free,); points: (n_points, n_columns), of which the free columns are written.
LR_KERNEL lr_uniform_points(Word key_low, Word key_high, Size first, Size n_points, Size n_free,
                            const double* low, const double* high, const Word* column_of,
                            Size n_columns, double* points) {
  const Size blocks = (n_free + 3) / 4;
  lr::for_each_item(n_points * blocks, [&](Size i) {
    const Size point = i / blocks, block = i % blocks;
    const lr::PhiloxBlock random = lr::philox((first + point) * blocks + block, key_low, key_high);
    for (Size k = 0; k < 4 && 4 * block + k < n_free; ++k) {
      const Size c = 4 * block + k;
      points[point * n_columns + column_of[c]] =
          lr::between(low[c], high[c], lr::unit_number(random.word[k]));
    }
  });
}

// hashes: (n,); registers: (2^precision,).
LR_KERNEL lr_raise_registers(const Word* hashes, Size n, Size precision, unsigned* registers) {
  lr::for_each_item(n, [&](Size i) {
    const unsigned p = static_cast<unsigned>(precision);
    lr::atomic_raise(registers + lr::register_of(hashes[i], p), lr::rank_of(hashes[i], p));
  });
}
