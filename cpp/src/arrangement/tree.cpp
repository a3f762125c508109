// SPDX-License-Identifier: MIT
#include "arrangement/tree.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace linear_regions::arrangement {
namespace {

// A step from a witness is taken if every cut keeps this share of its norm on the other side; the
// witnesses of programs have at least a quarter.
constexpr double kKept = 0.1;
constexpr std::uint64_t kChainsPerReport = 64;
// Rounding an exact witness times these tries that many directions near it.
constexpr unsigned kFactors[] = {1, 3, 5, 7, 9, 11, 13, 15};

}  // namespace

class Tree::View : public Chamber {
 public:
  explicit View(Tree& tree) : tree_(tree) {}
  const Word* positive() const override { return tree_.now_.positive.data(); }
  const double* witness() override { return tree_.now_.x.data(); }
  std::shared_ptr<const ExactPoint> exact_centre() override {
    return tree_.exact_centre(tree_.now_);
  }

 private:
  Tree& tree_;
};

Tree::Tree(const Reduction& reduction, RunControl& control, Arithmetic arithmetic, bool caller)
    : reduction_(reduction),
      rows_(reduction.rows),
      arithmetic_(arithmetic),
      control_(control),
      caller_(caller),
      lp_(rows_),
      exact_(rows_.dim, reduction),
      circuits_(rows_.n),
      across_(rows_.padded) {
  exact_.watch([this] {
    control_.report(0, 0, caller_);
    return in_point_ || !control_.stopped();
  });
}

SignTreeWork Tree::work() const {
  SignTreeWork work = work_;
  work.lps = lp_.effort().solves;
  work.steps = lp_.effort().steps;
  return work;
}

Frame Tree::root() {
  if (reduction_.contradictory) throw std::invalid_argument("the domain has no interior point");
  Frame& root = now_;
  root = Frame{};
  root.known.assign(std::max<std::size_t>(1, word_count(rows_.n)), 0);
  root.positive = root.known;
  root.weight.assign(rows_.padded, 0.0);
  root.x.assign(rows_.stride, 0.0);
  root.values.assign(rows_.padded, 0.0);
  root.state.reset(rows_);
  root.own = true;
  for (const SignedRow& r : reduction_.forced) know(r.row, r.sign, true);
  if (reduction_.central && rows_.n > 0) know(0, 1, true);
  if (rows_.n == 0) return std::move(now_);
  child_ = root;
  const SmallLp::Answer answer = lp_.solve(child_.state, root.weight.data());
  bool found = answer == SmallLp::Answer::kInterior &&
               accept_witness(child_, child_.state.x.data(), lp_.values());
  child_.own = found;
  if (!found && arithmetic_ == Arithmetic::kCertified) {
    child_.state.reset(rows_);
    found = solve_exactly(-1);
  }
  if (!found) throw std::invalid_argument("the domain has no interior point");
  return std::move(child_);
}

void Tree::run(Frame&& start, const Hooks& hooks) {
  bottom_ = top_ = 0;
  now_ = std::move(start);
  for (;;) {
    if (control_.halted() || (hooks.enough && hooks.enough())) {
      leave();
      break;
    }
    const std::size_t top = top_;
    try {
      chain(hooks);
    } catch (const ExactLp::Stopped&) {
      undo_chain(top);
      leave();
      break;
    }
    if (bottom_ == top_) break;
    std::swap(now_, stack_[--top_]);
    if (bottom_ == top_) bottom_ = top_ = 0;
    if (hooks.hungry != nullptr && hooks.hungry->load(std::memory_order_relaxed) > 0 &&
        top_ > bottom_) {
      hooks.give(std::move(stack_[bottom_++]));
      ++work_.stolen;
    }
    if (work_.chains % kChainsPerReport == 0 || control_.limit != RunControl::kNoLimit) {
      report();
      if (hooks.tick) hooks.tick();
    }
  }
  report();
}

// The frame at hand and the stack become the rest.
void Tree::leave() {
  rest_.push_back(std::move(now_));
  while (top_ > bottom_) rest_.push_back(std::move(stack_[--top_]));
  now_ = Frame{};
}

// The frame of a chain that was broken off is as it was before.
void Tree::undo_chain(std::size_t top) {
  while (top_ > top) {
    --top_;
    now_.share *= 2;
  }
  for (const std::int32_t row : order_) {
    const auto at = static_cast<std::size_t>(row);
    clear_sign(now_.known.data(), at);
    clear_sign(now_.positive.data(), at);
    now_.weight[at] = 0;
  }
}

void Tree::name(const Frame& frame, Word* row) const {
  const std::size_t words = word_count(rows_.n);
  std::fill_n(row, 2 + 2 * words, 0);
  for (std::size_t i = 0; i < rows_.n; ++i) {
    if (frame.weight[i] == 0) continue;
    set_sign(row + 2, i);
    assign_sign(row + 2 + words, i, frame.weight[i] > 0);
  }
}

Frame Tree::find(const Word* row, double share) {
  const std::size_t words = word_count(rows_.n);
  const Word *cuts = row + 2, *positive = cuts + words;
  const auto arrived = [&] {
    for (std::size_t i = 0; i < rows_.n; ++i)
      if ((now_.weight[i] != 0) != get_sign(cuts, i)) return false;
    return true;
  };
  now_ = root();
  for (std::size_t i = 0; i < rows_.n; ++i)
    if (now_.weight[i] != 0 &&
        (!get_sign(cuts, i) || (now_.weight[i] > 0) != get_sign(positive, i)))
      throw ForeignChamberPart();
  while (!arrived())
    if (!follow(cuts, positive)) throw ForeignChamberPart();
  now_.share = share;
  return std::move(now_);
}

// A chain up to where it leaves for the sub-tree with these cuts.
bool Tree::follow(const Word* cuts, const Word* positive) {
  is_resolved_ = now_.own;
  cut_here_.clear();
  order_rows();
  bottom_ = top_ = 0;
  for (const std::int32_t row : order_) {
    const auto at = static_cast<std::size_t>(row);
    const int wanted = !get_sign(cuts, at) ? 0 : get_sign(positive, at) ? 1 : -1;
    const int near = near_sign(row);
    const int far = near == 0 ? wanted : -near;
    const bool is_cut = far != 0 && far_side(row, far);
    if (is_cut && far == wanted) {
      push(row, far);
      std::swap(now_, stack_[--top_]);
      return true;
    }
    if (near == 0) return false;
    know(row, near, is_cut);
    if (is_cut) cut_here_.push_back(row);
  }
  return false;
}

void Tree::report() {
  control_.report(chambers_ - reported_, done_, caller_);
  reported_ = chambers_;
  done_ = 0;
}

void Tree::chain(const Hooks& hooks) {
  ++work_.chains;
  is_resolved_ = now_.own;
  cut_here_.clear();
  order_rows();
  for (const std::int32_t row : order_)
    if (!take(row)) return;
  done_ += now_.share;
  ++chambers_;
  View view(*this);
  if (hooks.sink != nullptr) hooks.sink->chamber(view, false);
  // Without rows a central arrangement is its own mirror image.
  if (!reduction_.central || rows_.n == 0) return;
  ++chambers_;
  if (hooks.sink != nullptr) hooks.sink->chamber(view, true);
}

// Rows without a known sign, farthest from the witness first: those are seldom cut.
void Tree::order_rows() {
  order_.clear();
  const std::size_t words = word_count(rows_.n);
  for (std::size_t w = 0; w < words; ++w) {
    Word left = ~now_.known[w];
    if (w + 1 == words) left &= tail_mask(rows_.n);
    for (; left != 0; left &= left - 1)
      order_.push_back(static_cast<std::int32_t>(w * kWordBits) + std::countr_zero(left));
  }
  const auto distance = [this](std::int32_t i) {
    const auto at = static_cast<std::size_t>(i);
    return std::abs(now_.values[at]) * rows_.inverse_norm[at];
  };
  std::sort(order_.begin(), order_.end(), [&](std::int32_t a, std::int32_t b) {
    const double x = distance(a), y = distance(b);
    return x != y ? x > y : a < b;
  });
}

// Settle the row on the current cone; false if the witness lies on it, so that both sides were put
// on the stack and the chain ends.
bool Tree::take(std::int32_t row) {
  const int near = near_sign(row);
  if (near == 0) {
    bool both = true;
    for (const int sign : {-1, 1}) {
      if (far_side(row, sign)) {
        push(row, sign);
      } else {
        both = false;
      }
    }
    if (!both && arithmetic_ == Arithmetic::kCertified)
      throw std::logic_error("a hyperplane through a witness does not cut its cone");
    return false;
  }
  if (far_side(row, -near)) {
    push(row, -near);
    know(row, near, true);
    cut_here_.push_back(row);
  } else {
    know(row, near, false);
  }
  return true;
}

int Tree::near_sign(std::int32_t row) {
  const auto at = static_cast<std::size_t>(row);
  if (now_.exact == nullptr) {
    const double value = now_.values[at];
    if (std::abs(value) > rows_.bound[at] * lp_.size_of(now_.x.data())) return value > 0 ? 1 : -1;
    if (arithmetic_ == Arithmetic::kFloat) return 0;
  }
  ++work_.exact_signs;
  return now_.exact != nullptr ? exact_.sign_at(at, *now_.exact)
                               : exact_.sign_at(at, now_.x.data());
}

void Tree::know(std::int32_t row, int sign, bool cut) {
  const auto at = static_cast<std::size_t>(row);
  set_sign(now_.known.data(), at);
  assign_sign(now_.positive.data(), at, sign > 0);
  if (cut) now_.weight[at] = sign * rows_.inverse_norm[at];
}

// Put the far cone, whose witness is in child_, on the stack.
void Tree::push(std::int32_t row, int sign) {
  const auto at = static_cast<std::size_t>(row);
  if (top_ == stack_.size()) stack_.emplace_back();
  std::swap(stack_[top_], child_);
  Frame& far = stack_[top_++];
  far.known = now_.known;
  far.positive = now_.positive;
  far.weight = now_.weight;
  set_sign(far.known.data(), at);
  assign_sign(far.positive.data(), at, sign > 0);
  far.weight[at] = sign * rows_.inverse_norm[at];
  far.share = now_.share = now_.share / 2;
}

// Has the cone a point where the row has this sign? Leaves it, with a proof, in child_.
bool Tree::far_side(std::int32_t row, int sign) {
  const auto at = static_cast<std::size_t>(row);
  if (circuits_.forbids(at, sign, now_.known.data(), now_.positive.data())) {
    ++work_.circuits_reused;
    return false;
  }
  child_.exact = nullptr;
  if (now_.exact == nullptr && step_across(row, sign)) {
    ++work_.steps_across;
    return true;
  }
  now_.weight[at] = sign * rows_.inverse_norm[at];
  const bool found = solve_far(row);
  now_.weight[at] = 0;
  return found;
}

// From the witness x along the row's normal: y = x + t s v, where every cut stays positive.
bool Tree::step_across(std::int32_t row, int sign) {
  const auto at = static_cast<std::size_t>(row);
  const double norm = rows_.norm[at];
  const double least = (kKept - sign * now_.values[at] / norm) / norm;  // of t
  lp_.evaluate(rows_.row(at), across_.data());
  double most = std::max(2 * least, least + 1 / norm);
  for (std::size_t i = 0; i < rows_.n; ++i) {
    const double slope = -sign * now_.weight[i] * across_[i];
    if (slope > 0) most = std::min(most, (now_.weight[i] * now_.values[i] - kKept) / slope);
  }
  if (!(most > least)) return false;
  const double t = sign * (least + most) / 2;
  across_x_.assign(now_.x.begin(), now_.x.end());
  for (std::size_t k = 0; k < rows_.dim; ++k) across_x_[k] += t * rows_.row(at)[k];
  lp_.evaluate(across_x_.data(), across_.data());
  now_.weight[at] = sign / norm;
  const bool proved = accept_witness(child_, across_x_.data(), across_.data());
  now_.weight[at] = 0;
  if (!proved) return false;
  child_.state = now_.state;
  child_.own = false;
  return true;
}

// The witness, if it is proved to satisfy the cuts in now_.weight.
bool Tree::accept_witness(Frame& child, const double* x, const double* values) {
  if (arithmetic_ == Arithmetic::kCertified &&
      !lp_.holds(now_.weight.data(), values, lp_.size_of(x)))
    return false;
  child.x.assign(x, x + rows_.stride);
  child.values.assign(values, values + rows_.padded);
  return true;
}

// The state that programs of this chain start from: optimal for the cuts at the chain's start. A
// function of the frame, not of the questions asked.
const LpState& Tree::base_state() {
  if (now_.own) return now_.state;
  if (!is_resolved_) {
    is_resolved_ = true;
    resolved_ = now_.state;
    without_ = now_.weight;
    for (const std::int32_t row : cut_here_) without_[static_cast<std::size_t>(row)] = 0;
    without_[static_cast<std::size_t>(asked_)] = 0;
    if (lp_.solve(resolved_, without_.data()) != SmallLp::Answer::kInterior) resolved_ = now_.state;
  }
  return resolved_;
}

bool Tree::solve_far(std::int32_t row) {
  asked_ = row;
  child_.state = base_state();
  const SmallLp::Answer answer = lp_.solve(child_.state, now_.weight.data(), row);
  const bool certified = arithmetic_ == Arithmetic::kCertified;
  if (answer == SmallLp::Answer::kInterior &&
      accept_witness(child_, child_.state.x.data(), lp_.values())) {
    child_.own = true;
    return true;
  }
  if (!certified) {
    if (answer == SmallLp::Answer::kEmpty) circuits_.add(lp_.support());
    return false;
  }
  if (answer == SmallLp::Answer::kEmpty) {
    if (lp_.proves_empty(child_.state)) {
      circuits_.add(lp_.support());
      return false;
    }
    ++work_.exact_lps;
    const ExactLp::Outcome outcome = exact_.solve(lp_.support());
    if (outcome.interior == nullptr) {
      circuits_.add(outcome.support);
      return false;
    }
  }
  return solve_exactly(row);
}

// All cuts in now_.weight, exactly; the row and those of the last state go first. A point goes to
// child_, as doubles if some near it are proved to lie inside.
bool Tree::solve_exactly(std::int32_t row) {
  std::vector<SignedRow> cone;
  std::vector<bool> taken(rows_.n, false);
  const auto put = [&](std::size_t i) {
    if (now_.weight[i] == 0 || taken[i]) return;
    taken[i] = true;
    cone.push_back({static_cast<std::int32_t>(i), now_.weight[i] < 0 ? -1 : 1});
  };
  if (row >= 0) put(static_cast<std::size_t>(row));
  for (std::size_t j = 0; j < child_.state.active; ++j)
    put(static_cast<std::size_t>(child_.state.rows[j].row));
  for (std::size_t i = 0; i < rows_.n; ++i) put(i);
  ++work_.exact_lps;
  const ExactLp::Outcome outcome = exact_.solve(cone);
  if (outcome.interior == nullptr) {
    circuits_.add(outcome.support);
    return false;
  }
  child_.state = row >= 0 ? base_state() : now_.state;
  child_.own = false;
  child_.x.assign(rows_.stride, 0.0);
  child_.values.assign(rows_.padded, 0.0);
  for (const unsigned factor : kFactors) {
    ExactLp::round(*outcome.interior, factor, child_.x.data());
    lp_.evaluate(child_.x.data(), child_.values.data());
    if (lp_.holds(now_.weight.data(), child_.values.data(), lp_.size_of(child_.x.data())))
      return true;
  }
  ++work_.exact_witnesses;
  child_.exact = outcome.interior;
  return true;
}

std::shared_ptr<const ExactPoint> Tree::exact_centre(const Frame& frame) {
  std::vector<SignedRow> cone;
  for (std::size_t i = 0; i < rows_.n; ++i)
    if (frame.weight[i] != 0)
      cone.push_back({static_cast<std::int32_t>(i), frame.weight[i] < 0 ? -1 : 1});
  ++work_.exact_lps;
  in_point_ = true;  // the chamber was counted: its point is not broken off
  std::shared_ptr<const ExactPoint> centre = exact_.solve(cone).interior;
  in_point_ = false;
  return centre;
}

}  // namespace linear_regions::arrangement
