// SPDX-License-Identifier: MIT
#include "deep/tree.hpp"
#include "linear_regions/sign_vector.hpp"
#include "row_maps.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>

namespace linear_regions {
namespace {

constexpr unsigned kNodesPerTick = 16;

}  // namespace

Tree::Tree(const TreeRoot& root, RunControl& control, bool caller)
    : root_(root),
      tape_(root.tape),
      width_(root.place.dim + 2),
      control_(control),
      caller_(caller),
      maps_(root.tape, root.place.dim),
      sharp_(root.tape, path_, root.place.dim + 1,
             [&root] { return input_columns(root.place, {}); }),
      exact_(root.tape, root.place, path_),
      rows_(root.place.dim + 1, root.most_rows),
      weight_(rows_.padded, 0.0),
      lp_(rows_, arrangement::lp_kernels()),
      source_(*this),
      exact_lp_(root.place.dim + 1, source_),
      refutations_(root),
      opening_(width_),
      block_row_(width_),
      block_out_(width_),
      values_(rows_.padded),
      across_(rows_.padded) {
  const std::size_t stages = tape_.stages().size();
  path_.cuts.resize(stages);
  path_.winner.resize(stages);
  path_.cell.resize(stages);
  layers_.resize(stages);
  known_.resize(stages);
  member_rows_.resize(stages);
  winners_.resize(stages);
  base_.resize(stages);
  block_.resize(stages);
  blocks_.resize(stages);
  pattern_.resize(tape_.pattern_words());
  const auto keep_going = [this] {
    control_.report(0, 0, caller_);
    return !control_.stopped();
  };
  exact_.watch(keep_going);
  sharp_.watch(keep_going);
  exact_lp_.watch(keep_going);
}

TreeWork Tree::work() const {
  TreeWork w = work_;
  w.lps = lp_.effort().solves;
  w.steps = lp_.effort().steps;
  w.exact_rows = exact_.rows_computed();
  return w;
}

void Tree::run(TreeTask&& task, const Hooks& hooks) {
  hooks_ = &hooks;
  stack_.clear();
  bottom_ = 0;
  trail_ = task.path;
  name_ = task.name;
  share_ = task.share;
  part_ = std::move(task.part);
  below_ = {0, static_cast<std::uint32_t>(part_.size())};
  if (part_.size() == 1 && part_.front().path == trail_) below_ = {};
  if (!below_.some() && hooks.begin) hooks.begin(trail_);
  inside_ = true;
  try {
    if (control_.halted()) throw Stopped{};
    if (task.layers.empty())
      start(std::move(task));
    else
      restore(std::move(task));
    for (;;) {
      visit();
      inside_ = false;
      done_ += share_;
      if (stack_.size() == bottom_) break;
      tick();
      if (stack_.size() == bottom_) break;
      Frame frame = std::move(stack_.back());
      stack_.pop_back();
      resume(std::move(frame));
    }
  } catch (const Stopped&) {
    leave_all();  // what was found before stands
  } catch (const arrangement::ExactLp::Stopped&) {
    leave_all();
  }
  control_.report(regions_ - reported_, done_, caller_);
  reported_ = regions_;
  done_ = 0;
}

void Tree::tick() {
  if (++ticks_ < kNodesPerTick && control_.limit == RunControl::kNoLimit) return;
  ticks_ = 0;
  control_.report(regions_ - reported_, done_, caller_);
  reported_ = regions_;
  done_ = 0;
  if (control_.halted()) throw Stopped{};
  if (hooks_->tick) hooks_->tick();
  if (hooks_->hungry != nullptr && hooks_->hungry->load(std::memory_order_relaxed) > 0) give_away();
}

// Signals and limits by the clock: a single way down takes seconds in a layer of 100,000 units.
void Tree::look() {
  if ((++looks_ & 15) != 0) return;  // some ten microseconds of linear programs
  const auto now = RunControl::Clock::now();
  if (now < next_look_) return;
  next_look_ = now + std::chrono::milliseconds(10);
  control_.report(0, 0, caller_);
}

// The domain's rows and a witness of it.
void Tree::start(TreeTask&& task) {
  truncate(0);
  share_ = task.share;
  for (std::size_t i = 0; i < root_.place.n_sides(); ++i)
    push_row(root_.sides.data() + i * width_,
             {Line::Kind::kDomain, -1, static_cast<std::int32_t>(i), 0}, -1, 1);
  std::vector<double> infinity(width_, 0.0);
  infinity[width_ - 2] = 1.0;
  push_row(infinity.data(), {Line::Kind::kInfinity, -1, 0, 0}, -1, 1);
  // Blocks are only read once their stage is complete.
  blocks_[0] = const_cast<double*>(root_.first_block.data());
  split_ = 0;
  if (!task.layers.empty()) return;
  state_.reset(rows_);
  if (!solve(static_cast<std::int32_t>(rows_.n) - 1))
    throw std::logic_error("the domain has no interior point");
  now_ = found_;
  std::swap(state_, found_state_);
  fresh_ = found_fresh_;
  if (!tape_.splits().empty()) enter();
}

// Takes the decision of member k of the split's layer cell, and pushes its rows.
void Tree::apply_choice(int split, std::int32_t choice) {
  TreeLayer& layer = layers_[static_cast<std::size_t>(split)];
  const std::size_t k = layer.k;
  clear_from(layer.bounds, k);
  put_bit(layer.bounds, k, true);
  if (pointwise(split)) {
    put_bit(layer.member_on, k, choice > 0);
    if (refutations_.usable()) refutations_.know(split, layer.member[k], choice > 0);
    push_member(split, k, choice);
  } else {
    layer.choice[k] = choice;
    push_winner(layer.member[k], choice, static_cast<std::int32_t>(k));
  }
  layer.k = k + 1;
}

// Before the current node moves on to one of its other children.
void Tree::push_frame(std::int32_t choice, std::size_t rows, Candidate& side, std::uint32_t child,
                      const Below& below) {
  if (spare_.empty()) spare_.emplace_back();
  Frame& frame = stack_.emplace_back(std::move(spare_.back()));
  spare_.pop_back();
  frame.split = split_;
  frame.choice = choice;
  frame.k = layers_[static_cast<std::size_t>(split_)].k;
  frame.rows = rows;
  std::swap(frame.witness, side.witness);
  std::swap(frame.state, side.state);
  frame.fresh = side.fresh;
  frame.share = share_;
  frame.depth = trail_.size();
  frame.child = child;
  frame.below = below;
}

void Tree::resume(Frame&& frame) {
  trail_.resize(frame.depth);
  share_ = frame.share;
  inside_ = true;
  descend_to(frame.child, frame.below);
  truncate(frame.rows);
  split_ = frame.split;
  std::swap(now_, frame.witness);
  std::swap(state_, frame.state);
  fresh_ = frame.fresh;
  TreeLayer& layer = layers_[static_cast<std::size_t>(split_)];
  if (refutations_.usable())
    for (std::size_t k = frame.k; k < layer.k; ++k) refutations_.forget(split_, layer.member[k]);
  layer.k = frame.k;
  apply_choice(split_, frame.choice);
  spare_.push_back(std::move(frame));
}

// From the current node down to a leaf, the first side of every decision first.
void Tree::descend() {
  if (tape_.splits().empty()) {
    report_region();
    return;
  }
  for (;;) {
    TreeLayer& layer = layers_[static_cast<std::size_t>(split_)];
    // A layer cell of the last split with few members needs no search to be counted.
    if (counting() && last(split_) && layer.k == 0 && layer.m <= 1 && pointwise(split_)) {
      regions_ += layer.m + 1;
      return;
    }
    while (layer.k < layer.m) {
      look();
      if (control_.stopped()) throw Stopped{};
      if (share_ <= hooks_->cut && !below_.some()) {
        leave_node();
        return;
      }
      if (!(pointwise(split_) ? decide_cut() : decide_window())) return;
    }
    if (last(split_)) {
      report_region();
      return;
    }
    compute_block(split_);
    ++split_;
    enter();
  }
}

// Begins the layer cell of split_ on the current cell.
void Tree::enter() {
  ++work_.layer_cells;
  const auto s = static_cast<std::size_t>(split_);
  layers_[s].clear();
  known_[s].clear();
  if (control_.stopped()) throw Stopped{};
  begin_cell(split_);
  if (refutations_.usable()) refutations_.enter(split_);
  if (pointwise(split_))
    enter_pointwise();
  else
    enter_max();
  if (last(split_)) return;
  if (pointwise(split_))
    base_pointwise(split_);
  else
    base_max(split_);
  base_[s + 1].resize(maps_.block_size(split_ + 1));
  maps_.base(split_ + 1, opening_, blocks_, base_[s + 1].data());
}

// Where error bounds have grown with the depth of the network, its rows anew in twice the
// precision.
void Tree::begin_cell(int split) {
  const auto s = static_cast<std::size_t>(split);
  path_.cell[s] = next_cell_++;
  const int input = tape_.split(split).inputs[0];
  const std::size_t n = tape_.slots()[input].size;
  if (split == 0 || !root_.tame) return;  // the first rows are shared, and as good as they get
  if (root_.always_sharp ||
      blunt(maps_.stored(input, blocks_), padded(n), n, width_ - 1, kBluntForCones))
    sharp_.fill(split, blocks_[s]);
}

// The next stage on a cell on which all units of the split are decided: the base of the layer cell
// and the rows of the members. Only additions, so the bound of a sum of products holds.
void Tree::compute_block(int split) {
  const auto s = static_cast<std::size_t>(split);
  const TreeLayer& layer = layers_[s];
  const Op& op = tape_.split(split);
  block_[s + 1] = base_[s + 1];
  double* block = block_[s + 1].data();
  const double* map = maps_.stored(op.inputs[0], blocks_);
  std::vector<double>&row = block_row_, &out = block_out_;
  if (pointwise(split)) {
    const Pointwise& p = op.pointwise;
    const std::size_t n = tape_.slots()[op.output].size;
    path_.cuts[s] = {layer.on.data(), layer.member_on.data(), layer.member.data(),
                     static_cast<std::int32_t>(layer.m)};
    for (std::size_t k = 0; k < layer.m;) {
      const std::int32_t unit = p.unit_of_cut[layer.member[k]];
      std::size_t piece = 0;
      for (std::int32_t q = p.cut_start[unit]; q < p.cut_start[unit + 1]; ++q)
        piece += get_sign(layer.on.data(), static_cast<std::size_t>(q));
      for (; k < layer.m && p.unit_of_cut[layer.member[k]] == unit; ++k)
        piece += get_sign(layer.member_on.data(), k);
      maps_.row_at(map, n, unit, row.data());
      const PieceTable& table = p.tables[static_cast<std::size_t>(p.table_of[unit])];
      if (maps_.piece_row(row.data(), table, piece, out.data()))
        maps_.push(op.output, unit, out.data(), block);
    }
  } else {
    const std::size_t n = tape_.slots()[op.inputs[0]].size;
    winners_[s] = layer.winner;
    for (std::size_t k = 0; k < layer.m; ++k)
      winners_[s][static_cast<std::size_t>(layer.member[k])] = layer.choice[k];
    path_.winner[s] = winners_[s].data();
    for (std::size_t k = 0; k < layer.m; ++k) {
      const auto entry = static_cast<std::size_t>(layer.choice[k]);
      if (maps_.row_at(map, n, op.max.entries[entry], row.data()))
        maps_.push(op.output, layer.member[k], row.data(), block);
    }
  }
  blocks_[s + 1] = block;
}

void Tree::report_region() {
  if (!counting()) {
    fill_pattern();
    hooks_->sink->region(*this, pattern_);
  }
  ++regions_;
}

void Tree::fill_pattern() {
  std::fill(pattern_.begin(), pattern_.end(), 0);
  for (std::size_t s = 0; s < tape_.splits().size(); ++s) {
    const Op& op = tape_.split(static_cast<int>(s));
    const TreeLayer& layer = layers_[s];
    if (op.kind == OpKind::kPointwise) {
      for (std::size_t w = 0; w < layer.on.size(); ++w)
        for (std::uint64_t rest = layer.on[w]; rest != 0; rest &= rest - 1)
          put_bit(pattern_,
                  static_cast<std::size_t>(
                      op.pattern_bit[64 * w + static_cast<std::size_t>(std::countr_zero(rest))]),
                  true);
      for (std::size_t k = 0; k < layer.m; ++k)
        if (get_sign(layer.member_on.data(), k))
          put_bit(
              pattern_,
              static_cast<std::size_t>(op.pattern_bit[static_cast<std::size_t>(layer.member[k])]),
              true);
      continue;
    }
    std::vector<std::int32_t> winner = layer.winner;
    for (std::size_t k = 0; k < layer.m; ++k)
      winner[static_cast<std::size_t>(layer.member[k])] = layer.choice[k];
    for (std::size_t w = 0; w < winner.size(); ++w) {
      const auto position =
          static_cast<std::uint64_t>(op.max.positions[static_cast<std::size_t>(winner[w])]);
      for (std::int32_t b = 0; b < op.max.bits; ++b)
        if ((position >> b) & 1)
          put_bit(pattern_, static_cast<std::size_t>(op.pattern_bit[w] + b), true);
    }
  }
}

// The point in engine coordinates; where moving it rounds, the error enters the bound.
bool Tree::inside(const double* t) {
  const std::size_t d = width_ - 2;
  std::vector<double> x(rows_.stride, 0.0), error(d, 0.0);
  for (std::size_t j = 0; j < d; ++j) {
    const double difference = t[j] - root_.center[j];
    // Error-free: t - center = difference + rest.
    const double part = difference - t[j];
    const double rest = (t[j] - (difference - part)) - (root_.center[j] + part);
    x[j] = std::ldexp(difference, -root_.exponent[j]);
    if (std::fabs(x[j]) < 0x1p-900 && difference != 0.0) return false;
    error[j] = std::fabs(std::ldexp(rest, -root_.exponent[j])) * 1.0001;
    if (!std::isfinite(x[j]) || !std::isfinite(error[j])) return false;
  }
  x[d] = 1.0;
  lp_.evaluate(x.data(), values_.data());
  const double size = lp_.size_of(x.data());
  for (std::size_t i = 0; i < rows_.n; ++i) {
    if (weight_[i] == 0) continue;
    double moved = 0;
    for (std::size_t j = 0; j < d; ++j)
      if (error[j] != 0.0) moved += std::fabs(rows_.row(i)[j]) * error[j];
    const double value = weight_[i] < 0 ? -values_[i] : values_[i];
    if (!(value > rows_.bound[i] * size * 1.0001 + moved * 1.0001)) return false;
  }
  return true;
}

bool Tree::middle(std::vector<double>& x) {
  arrangement::LpState state;
  state.reset(rows_);
  if (lp_.solve(state, weight_.data()) != arrangement::SmallLp::Answer::kInterior) return false;
  x = state.x;
  return true;
}

std::shared_ptr<const arrangement::ExactPoint> Tree::exact_middle() {
  ++work_.exact_lps;
  return exact_lp_.solve(cone()).interior;
}

// All rows with a weight.
std::vector<arrangement::SignedRow> Tree::cone() const {
  std::vector<arrangement::SignedRow> cone;
  for (std::size_t i = 0; i < rows_.n; ++i)
    if (weight_[i] != 0) cone.push_back({static_cast<std::int32_t>(i), weight_[i] < 0 ? -1 : 1});
  return cone;
}

// With x_0 <= 0 for the row at infinity, x_0 > 0, the closed cone of a bounded cell is 0 alone.
// That of an unbounded one holds its directions; where they have an inside, a point with x_0 < 0 is
// found, else (slabs: rows of one gradient) integers decide.
bool Tree::bounded() {
  if (std::isfinite(root_.largest_reach)) return true;
  const std::size_t infinity = root_.place.n_sides();
  set_sign(infinity, -1);
  arrangement::LpState state;
  state.reset(rows_);
  const auto answer = lp_.solve(state, weight_.data(), static_cast<std::int32_t>(infinity));
  const bool inside =
      answer == arrangement::SmallLp::Answer::kInterior && accept(state.x.data(), lp_.values());
  const bool proved =
      inside || (answer == arrangement::SmallLp::Answer::kEmpty && lp_.proves_only_zero(state));
  std::vector<arrangement::SignedRow> half;
  if (!proved) half = cone();
  set_sign(infinity, 1);
  if (proved) return !inside;
  ++work_.exact_lps;
  return exact_lp_.only_zero(half);
}

}  // namespace linear_regions
