// SPDX-License-Identifier: MIT
// Sweeper: the recursion of the lowest-vertex sweep, for one thread.
//
// A line is what a prefix of k - 1 hyperplanes leaves. It costs one elimination step of all rows
// and, for the about n / k later rows that meet it in a vertex, two divisions and a few operations
// per own sign; a vertex then costs one pass over the rows, which is shared by two of them.
// The steps above a line are shared by the lines below. Memory: O(n d^2) doubles.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "arrangement/exact_minors.hpp"
#include "arrangement/sweep_kernels.hpp"
#include "linear_regions/sweep.hpp"
#include "linear_regions/tape.hpp"

namespace linear_regions::sweeping {

// C(n, k) for all n, k in question; saturates.
class Binomials {
 public:
  Binomials(std::size_t n, std::size_t k);
  std::uint64_t operator()(std::size_t n, std::size_t k) const {
    return k > n ? 0 : table_[n * columns_ + k];
  }
  static constexpr std::uint64_t kTooMany = ~std::uint64_t{0};

 private:
  std::size_t columns_;
  std::vector<std::uint64_t> table_;
};

class Sweeper {
 public:
  Sweeper(const Hyperplanes& hyperplanes, const Binomials& binomials, Arithmetic arithmetic);

  // Computes the ranks [first, last) of a level, counted within it. `out` receives the first of
  // them (nullptr: nothing is stored). `go_on` is asked every thousand chambers, and more often
  // where there are exact signs, with the chambers done; returns the number of chambers done, which
  // is less than asked only when it said no.
  std::uint64_t run(std::size_t level, std::uint64_t first, std::uint64_t last, std::uint64_t* out,
                    std::size_t stride, const std::function<bool(std::uint64_t)>& go_on);

  std::uint64_t lines() const { return lines_; }
  std::uint64_t exact_signs() const { return exact_signs_; }
  std::uint64_t exact_chambers() const { return exact_chambers_; }

 private:
  struct Depth {
    Block block;
    std::vector<double*> active, nu;
  };

  void load(std::size_t level);
  void load_rows(const Block& start);
  void descend(std::size_t depth, std::size_t start, std::uint64_t base, bool blind);
  bool choose_pivot(const Block& in, std::size_t row, Pivot& pivot) const;
  void line(const Pivot* pivot, std::size_t start, std::uint64_t base);
  void store_line(const Pivot* pivot, std::size_t first, std::size_t last);
  void exact_chamber(std::size_t row, std::uint64_t* words, bool own_known);
  void level_zero(std::uint64_t* words);
  int exact_sign(bool offset);

  const Hyperplanes& input_;
  const Binomials& binomials_;
  const Kernels& kernels_;
  const bool certified_;
  const std::size_t n_, d_, words_;
  const std::size_t lanes_, wide_;  // of rows and functional; of whole groups of 32
  ExactMinors minors_;

  std::size_t level_ = 0;
  LineVector memory_, line_memory_, one_;
  std::vector<Depth> depths_;
  Line line_;
  std::vector<std::uint64_t> known_, own_, cells_;
  std::vector<std::uint32_t> open_, prefix_, chosen_;

  std::uint64_t first_ = 0, last_ = 0, done_ = 0, look_ = 0;
  std::uint64_t* out_ = nullptr;
  std::size_t stride_ = 0;
  const std::function<bool(std::uint64_t)>* go_on_ = nullptr;
  bool stopped_ = false;
  std::uint64_t lines_ = 0, exact_signs_ = 0, exact_chambers_ = 0;
};

}  // namespace linear_regions::sweeping
