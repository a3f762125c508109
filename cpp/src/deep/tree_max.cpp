// SPDX-License-Identifier: MIT
// Max pooling and maxout. A window splits its cell by winner: for every entry the part on which it
// is at least as large as all others. Entries with the same map on the cell are one piece, named
// by the lowest of them; where the entries cannot be negative (pooling after ReLU), an entry that
// is zero loses to every other one without arithmetic.
#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>
#include <vector>

#include "deep/tree.hpp"
#include "polygon.hpp"

namespace linear_regions {

// The row of entry a minus entry b (input indices); false where it is exactly zero in doubles.
bool Tree::pair_row(std::int32_t a, std::int32_t b, double* row) const {
  const Op& op = tape_.split(split_);
  const std::size_t n = tape_.slots()[op.inputs[0]].size, d = width_ - 2;
  const double* map = maps_.stored(op.inputs[0], blocks_);
  std::vector<double> second(width_);
  maps_.row_at(map, n, a, row);
  maps_.row_at(map, n, b, second.data());
  const double sizes = maps_.norm(row) + maps_.norm(second.data());
  bool any = false;
  for (std::size_t k = 0; k <= d; ++k) {
    row[k] -= second[k];
    any = any || row[k] != 0.0;
  }
  row[d + 1] += second[d + 1];
  any = any || row[d + 1] != 0.0;
  if (any) row[d + 1] += 2 * kUlp * sizes;
  return any;
}

// Pushes the rows "entry wins the window", as far as they are not known; false where it wins
// nowhere, or another entry with the same map comes first.
bool Tree::push_winner(std::int32_t window, std::int32_t entry, std::int32_t member) {
  const Op& op = tape_.split(split_);
  const Max& max = op.max;
  const std::size_t n = tape_.slots()[op.inputs[0]].size;
  const double* map = maps_.stored(op.inputs[0], blocks_);
  std::vector<double> row(width_), scratch(width_);
  const std::int32_t a = max.entries[entry];
  const bool a_zero = max.inputs_nonnegative && !maps_.row_at(map, n, a, scratch.data());
  for (std::int32_t k = max.start[window]; k < max.start[window + 1]; ++k) {
    if (k == entry) continue;
    const std::int32_t b = max.entries[k];
    if (max.inputs_nonnegative) {
      const bool b_zero = !maps_.row_at(map, n, b, scratch.data());
      if (a_zero && !b_zero) return false;  // an active unit is positive inside
      if (!a_zero && b_zero) continue;
    }
    const Line line{Line::Kind::kPair, split_, a, b};
    bool same = !pair_row(a, b, row.data());
    if (!same) {
      const int sign = fixed_sign(row.data());
      if (sign > 0) continue;
      if (sign < 0) return false;
      // Only a row within its own error can be zero in truth.
      same = root_.arithmetic == Arithmetic::kCertified &&
             !(maps_.norm(row.data()) > row[width_ - 1]) && exact_.zero(line);
    }
    if (same) {
      if (k < entry) return false;
      continue;
    }
    push_row(row.data(), line, member, 1);
  }
  return true;
}

// Does the entry win somewhere (in the cell), or everywhere? With a witness where it is asked for.
Tree::Chance Tree::can_win(std::int32_t window, std::int32_t entry, Candidate* side) {
  const std::size_t n = rows_.n;
  Chance chance = Chance::kNone;
  if (push_winner(window, entry, -1)) {
    if (rows_.n == n) return Chance::kAll;  // also the witness is any
    bool here = now_.exact == nullptr || root_.arithmetic == Arithmetic::kCertified;
    for (std::size_t r = n; r < rows_.n && here; ++r) here = sign_at_witness(r) > 0;
    if (here) {
      chance = Chance::kSome;
      if (side != nullptr) *side = {now_, state_, false};
    } else {
      ++work_.questions;
      if (solve(static_cast<std::int32_t>(n))) {
        chance = Chance::kSome;
        if (side != nullptr) *side = {found_, found_state_, found_fresh_};
      }
    }
  }
  truncate(n);
  return chance;
}

void Tree::enter_max() {
  const auto s = static_cast<std::size_t>(split_);
  TreeLayer& layer = layers_[s];
  const Op& op = tape_.split(split_);
  const auto windows = static_cast<std::int32_t>(tape_.slots()[op.output].size);
  layer.winner.assign(static_cast<std::size_t>(windows), -1);
  refresh();
  for (std::int32_t w = 0; w < windows; ++w) {
    std::int32_t winner = -1;
    int winners = 0;
    for (std::int32_t k = op.max.start[w]; k < op.max.start[w + 1] && winners < 2; ++k) {
      const Chance chance = can_win(w, k, nullptr);
      if (chance == Chance::kNone) continue;
      winner = k;
      ++winners;
      if (chance == Chance::kAll) break;
    }
    if (winners == 1)
      layer.winner[static_cast<std::size_t>(w)] = winner;
    else
      layer.member.push_back(w);
  }
  layer.m = layer.member.size();
  layer.choice.assign(layer.m, -1);
  layer.bounds.assign((layer.m + 63) / 64, 0);
}

void Tree::base_max(int split) {
  const TreeLayer& layer = layers_[static_cast<std::size_t>(split)];
  const Op& op = tape_.split(split);
  const std::size_t n = tape_.slots()[op.inputs[0]].size;
  const double* map = maps_.stored(op.inputs[0], blocks_);
  std::vector<double> row(width_);
  opening_.clear();
  for (std::size_t w = 0; w < layer.winner.size(); ++w) {
    if (layer.winner[w] < 0) continue;
    if (maps_.row_at(map, n, op.max.entries[static_cast<std::size_t>(layer.winner[w])], row.data()))
      std::copy(row.begin(), row.end(), opening_.add(static_cast<std::int32_t>(w)));
  }
}

// Goes on to the first winner that is wanted and puts the others on the stack; its number.
std::size_t Tree::branch_windows(std::int32_t window, Winners& winners, std::size_t rows) {
  const std::int32_t first = tape_.split(split_).max.start[window];
  std::vector<std::uint32_t> number;
  for (const auto& winner : winners)
    number.push_back(static_cast<std::uint32_t>(winner.first - first));
  branch(number, window);
  std::size_t here = 0;
  while (here + 1 < winners.size() && !below(number[here]).wanted) ++here;
  for (std::size_t i = winners.size(); i-- > here + 1;)
    if (const Below next = below(number[i]); next.wanted)
      push_frame(winners[i].first, rows, winners[i].second, number[i], next);
  descend_to(number[here], below(number[here]));
  return here;
}

// Decides window k; false where the cell was counted on the spot.
bool Tree::decide_window() {
  const auto s = static_cast<std::size_t>(split_);
  TreeLayer& layer = layers_[s];
  const Max& max = tape_.split(split_).max;
  const std::size_t k = layer.k, rows = rows_.n;
  const std::int32_t window = layer.member[k];
  const bool leaf = counting() && last(split_) && k + 1 == layer.m;
  Winners winners;
  refresh();
  for (std::int32_t entry = max.start[window]; entry < max.start[window + 1]; ++entry) {
    Candidate side;
    const Chance chance = can_win(window, entry, leaf ? nullptr : &side);
    if (chance == Chance::kNone) continue;
    if (chance == Chance::kAll) {
      winners.clear();
      winners.emplace_back(entry, Candidate{});
      break;
    }
    winners.emplace_back(entry, std::move(side));
  }
  if (winners.empty() && root_.arithmetic == Arithmetic::kFloat)
    winners.emplace_back(max.start[window], Candidate{});
  if (winners.empty()) throw std::logic_error("a window has no winner");
  if (leaf) {
    regions_ += winners.size();
    return false;
  }
  const std::size_t here = winners.size() > 1 ? branch_windows(window, winners, rows) : 0;
  const std::uint64_t one = std::uint64_t{1} << (k & 63);
  layer.bounds[k >> 6] &= ~one;
  if (winners.size() > 1) {
    layer.bounds[k >> 6] |= one;
    now_ = std::move(winners[here].second.witness);
    state_ = std::move(winners[here].second.state);
    fresh_ = winners[here].second.fresh;
    push_winner(window, winners[here].first, static_cast<std::int32_t>(k));
  }
  layer.choice[k] = winners[here].first;
  layer.k = k + 1;
  return true;
}

}  // namespace linear_regions
