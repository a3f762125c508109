// SPDX-License-Identifier: MIT
// Layers of pointwise activations. A cut is a unit's pre-activation minus one of its breakpoints; a
// cut that is zero on a whole cell is off and cuts nothing.
#include <algorithm>
#include <bit>
#include <cmath>

#include "deep/tree.hpp"
#include "linear_regions/sign_vector.hpp"
#include "polygon.hpp"

namespace linear_regions {
namespace {

constexpr std::size_t kPointsAtEntry = 8;
constexpr std::uint32_t kSides[] = {0, 1};  // positive, negative

}  // namespace

void Tree::cut_row(int split, std::int32_t cut, double* row) const {
  const Op& op = tape_.split(split);
  const Pointwise& p = op.pointwise;
  const std::int32_t unit = p.unit_of_cut[cut];
  maps_.row_at(maps_.stored(op.inputs[0], blocks_), tape_.slots()[op.output].size, unit, row);
  const double at = p.tables[static_cast<std::size_t>(p.table_of[unit])]
                        .breakpoints[static_cast<std::size_t>(p.breakpoint_of_cut[cut])];
  if (at == 0.0) return;
  row[width_ - 2] -= at;
  row[width_ - 1] += 2 * kUlp * std::fabs(row[width_ - 2]);
}

// Sign of the row where its size over the whole domain leaves no doubt, else 0. A row that is
// exactly zero counts as negative.
int Tree::fixed_sign(const double* row) const {
  const std::size_t d = width_ - 2;
  double radius = row[d + 1], norm = std::fabs(row[d]);
  for (std::size_t k = 0; k < d; ++k) {
    if (row[k] == 0.0) continue;
    const double size = std::fabs(row[k]) * root_.reach[k];
    radius += size;
    norm += size;
  }
  if (norm == 0.0 && radius == 0.0) return -1;
  if (row[d + 1] != 0.0) radius += row[d + 1] * root_.largest_reach;
  radius = radius * 1.0000001 + static_cast<double>(width_ + 4) * kUlp * norm + 0x1p-900;
  if (row[d] > radius) return 1;
  if (row[d] < -radius) return -1;
  return 0;
}

void Tree::know_fixed(std::int32_t cut, bool positive) {
  if (refutations_.usable()) refutations_.know(split_, cut, positive);
}

// Finds the members; found points are known for all of them afterwards.
void Tree::enter_pointwise() {
  const auto s = static_cast<std::size_t>(split_);
  TreeLayer& layer = layers_[s];
  const std::size_t cuts = tape_.split(split_).pointwise.unit_of_cut.size();
  layer.on.assign((cuts + 63) / 64, 0);
  std::vector<std::vector<double>> points;
  cut_row_.resize(width_);
  std::vector<double>& row = cut_row_;
  const std::size_t n = rows_.n;
  const double size = lp_.size_of(now_.x.data());
  for (std::size_t q = 0; q < cuts; ++q) {
    const auto cut = static_cast<std::int32_t>(q);
    cut_row(split_, cut, row.data());
    if (const int sign = fixed_sign(row.data()); sign != 0) {
      put_bit(layer.on, q, sign > 0);
      know_fixed(cut, sign > 0);
      continue;
    }
    int near = now_.exact == nullptr ? sign_at(row.data(), now_.x.data(), size) : 0;
    if (near != 0 && impossible(cut, -1, -near)) {
      put_bit(layer.on, q, near > 0);
      know_fixed(cut, near > 0);
      continue;
    }
    const Line line{Line::Kind::kCut, split_, cut, 0};
    const std::size_t r = push_row(row.data(), line, -1, 0);
    if (near == 0) near = sign_at_witness(r);
    bool member = false;
    if (near == 0 && root_.arithmetic == Arithmetic::kCertified) {
      member = !exact_.zero(line);  // a hyperplane through an inner point cuts
    } else if (near != 0) {
      const std::size_t first = points.size() > kPointsAtEntry ? points.size() - kPointsAtEntry : 0;
      for (std::size_t i = first; i < points.size() && !member; ++i)
        member =
            -near * value_at(r, points[i].data()) > rows_.bound[r] * lp_.size_of(points[i].data());
      if (!member && search(r, -near)) {
        member = true;
        if (found_.exact == nullptr) points.push_back(found_.x);
      }
      if (!member) {
        put_bit(layer.on, q, near > 0);
        know_fixed(cut, near > 0);
      }
    }
    if (near == 0 && !member) know_fixed(cut, false);
    if (member) layer.member.push_back(cut);
    truncate(n);
  }
  layer.m = layer.member.size();
  const std::size_t words = (layer.m + 63) / 64;
  layer.member_on.assign(words, 0);
  layer.bounds.assign(words, 0);
  gather_member_rows(split_);
  for (const auto& x : points) note_point(x);
}

void Tree::gather_member_rows(int split) {
  const auto s = static_cast<std::size_t>(split);
  const TreeLayer& layer = layers_[s];
  member_rows_[s].resize(layer.m * width_);
  for (std::size_t i = 0; i < layer.m; ++i)
    cut_row(split, layer.member[i], member_rows_[s].data() + i * width_);
}

// The next stage from the units whose piece is fixed on the whole layer cell.
void Tree::base_pointwise(int split) {
  const auto s = static_cast<std::size_t>(split);
  const TreeLayer& layer = layers_[s];
  const Op& op = tape_.split(split);
  const Pointwise& p = op.pointwise;
  const std::size_t n = tape_.slots()[op.output].size;
  const double* map = maps_.stored(op.inputs[0], blocks_);
  std::vector<double> row(width_), piece_row(width_);
  opening_.clear();
  std::size_t next = 0;  // members are in ascending order of cuts
  for (std::size_t j = 0; j < n; ++j) {
    std::size_t piece = 0;
    bool fixed = true;
    for (std::int32_t q = p.cut_start[j]; q < p.cut_start[j + 1]; ++q) {
      if (next < layer.m && layer.member[next] == q) {
        fixed = false;
        ++next;
      }
      piece += get_sign(layer.on.data(), static_cast<std::size_t>(q));
    }
    if (!fixed) continue;
    const auto unit = static_cast<std::int32_t>(j);
    maps_.row_at(map, n, unit, row.data());
    const PieceTable& table = p.tables[static_cast<std::size_t>(p.table_of[j])];
    if (maps_.piece_row(row.data(), table, piece, piece_row.data()))
      std::copy(piece_row.begin(), piece_row.end(), opening_.add(unit));
  }
}

void Tree::push_member(int split, std::size_t k, int sign) {
  const auto s = static_cast<std::size_t>(split);
  push_row(member_rows_[s].data() + k * width_, {Line::Kind::kCut, split, layers_[s].member[k], 0},
           static_cast<std::int32_t>(k), sign);
}

// Moves the answer of the last question; buffers go back, so that nothing is allocated.
void Tree::take_found(Candidate& side) {
  std::swap(side.witness, found_);
  std::swap(side.state, found_state_);
  side.fresh = found_fresh_;
}

// Decides member k; false where the cell was counted on the spot.
bool Tree::decide_cut() {
  TreeLayer& layer = layers_[static_cast<std::size_t>(split_)];
  const std::size_t k = layer.k, r = rows_.n;
  const bool leaf = counting() && last(split_) && k + 1 == layer.m;
  const std::int32_t cut = layer.member[k], number = static_cast<std::int32_t>(k);
  int near = 0;
  if (now_.exact == nullptr)
    near = sign_at(member_rows_[static_cast<std::size_t>(split_)].data() + k * width_,
                   now_.x.data(), lp_.size_of(now_.x.data()));
  const bool known = near != 0 && impossible(cut, number, -near);
  if (!known) push_member(split_, k, 0);
  if (near == 0) near = sign_at_witness(r);
  bool both = false;
  Candidate& other = other_;
  if (near != 0) {
    both = !known && search(r, -near);
    if (both && !leaf) {
      take_found(other);
      fresh_ = false;  // the new row is not among the state's
      if (near < 0) {  // the positive side comes first
        std::swap(now_, other.witness);
        std::swap(state_, other.state);
        std::swap(fresh_, other.fresh);
      }
    }
  } else if (exists(r, 1)) {
    // The hyperplane passes through the witness: an open cell has points on both sides.
    Candidate positive{found_, found_state_, found_fresh_};
    both = exists(r, -1);
    if (both && !leaf) {
      take_found(other);
      now_ = std::move(positive.witness);
      state_ = std::move(positive.state);
      fresh_ = positive.fresh;
    }
  }
  if (leaf) {
    regions_ += both ? 2 : 1;
    truncate(r);
    return false;
  }
  bool positive = near > 0;
  if (both) {
    branch(kSides, layer.member[k]);
    const Below first = below(0), second = below(1);
    positive = first.wanted;
    if (!positive) {
      std::swap(now_, other.witness);
      std::swap(state_, other.state);
      fresh_ = other.fresh;
    } else if (second.wanted) {
      push_frame(-1, r, other, 1, second);
    }
    descend_to(positive ? 0 : 1, positive ? first : second);
    set_sign(r, positive ? 1 : -1);
  } else {
    truncate(r);
  }
  put_bit(layer.bounds, k, both);
  put_bit(layer.member_on, k, positive);
  if (refutations_.usable()) refutations_.know(split_, layer.member[k], positive);
  layer.k = k + 1;
  return true;
}

}  // namespace linear_regions
