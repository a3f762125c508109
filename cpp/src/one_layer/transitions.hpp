// SPDX-License-Identifier: MIT
//
// What one window does to the states of a frontier count, without the counts: a sparse matrix.
//
//   count of target j = sum over its terms of (count of term.from) * (row term.row of the weights)
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace linear_regions::one_layer {

struct Term {
  std::uint32_t from;
  std::uint32_t row;
};

struct Transitions {
  std::vector<std::uint32_t> begin;  // by target; one more at the end
  std::vector<Term> terms;           // by target

  std::size_t n_targets() const { return begin.size() - 1; }
  std::uint64_t bytes() const {
    return begin.size() * sizeof(std::uint32_t) + terms.size() * sizeof(Term);
  }

  // Sorts terms by their targets.
  static Transitions sorted(const std::vector<Term>& terms, const std::vector<std::uint32_t>& to,
                            std::size_t n_targets) {
    Transitions out;
    out.begin.assign(n_targets + 1, 0);
    for (const std::uint32_t target : to) ++out.begin[target];
    std::uint32_t end = 0;
    for (std::uint32_t& at : out.begin) at = end += at;
    out.terms.resize(terms.size());
    for (std::size_t i = terms.size(); i-- > 0;) out.terms[--out.begin[to[i]]] = terms[i];
    return out;
  }
};

}  // namespace linear_regions::one_layer
