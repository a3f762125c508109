// SPDX-License-Identifier: MIT
#include "arrangement/ray_tree.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace linear_regions::arrangement {
namespace {

constexpr std::uint64_t kConesPerReport = 256;
// Lines in a store; beyond it those that no cone on the stack has are forgotten.
constexpr std::size_t kMostLines = std::size_t{1} << 17;
// The trial: so many cones or steps, and no more steps per cone. A ray that has to be made counts
// as so many steps.
constexpr std::uint64_t kTrialCones = 2000, kTrialSteps = 4'000'000, kStepsPerCone = 700;
constexpr std::uint64_t kSmallRay = 100, kExactRay = 8000;

template <std::size_t W>
std::int32_t lowest(const Mask<W>& m) {
  std::size_t w = 0;
  while (m[w] == 0) ++w;
  return static_cast<std::int32_t>(w * kWordBits) + std::countr_zero(m[w]);
}

template <std::size_t W>
int popcount(const Mask<W>& m) {
  int bits = 0;
  for (const Word w : m) bits += std::popcount(w);
  return bits;
}

}  // namespace

// A chamber: the cone, or the part of it where `row` has a sign.
template <std::size_t W>
class RayTree<W>::View : public Chamber {
 public:
  View(RayTree& tree, const Cone& cone, const Mask<W>& positive, std::int32_t row, int sign)
      : tree_(tree), cone_(cone), positive_(positive), row_(row), sign_(sign) {}

  const Word* positive() const override { return positive_.data(); }

  // The sum of the cone's rays; and so much of those on the right side of the row that it gets
  // there.
  const double* witness() override {
    const std::size_t dim = tree_.rows_.dim;
    x_.assign(tree_.rows_.stride, 0.0);
    std::vector<double> side(dim, 0.0);
    for (std::size_t i = cone_.first; i < cone_.last; ++i) {
      const Ray& ray = tree_.rays_[i];
      const double* p = tree_.store_.point(ray.id);
      double largest = 0;
      for (std::size_t k = 0; k < dim; ++k) largest = std::max(largest, std::abs(p[k]));
      const double factor = (ray.id & 1 ? -1 : 1) / largest;
      const bool on_side =
          row_ >= 0 && get_sign(sign_ > 0 ? ray.positive.data() : ray.negative.data(),
                                static_cast<std::size_t>(row_));
      for (std::size_t k = 0; k < dim; ++k) {
        x_[k] += factor * p[k];
        if (on_side) side[k] += factor * p[k];
      }
    }
    if (row_ < 0) return x_.data();
    const double* v = tree_.rows_.row(static_cast<std::size_t>(row_));
    double here = 0, there = 0;
    for (std::size_t k = 0; k < dim; ++k) {
      here += v[k] * x_[k];
      there += v[k] * side[k];
    }
    const double factor = 1 + std::abs(here / there);
    for (std::size_t k = 0; k < dim; ++k) x_[k] += factor * side[k];
    return x_.data();
  }

  std::shared_ptr<const ExactPoint> exact_centre() override {
    if (tree_.exact_ == nullptr)
      tree_.exact_ = std::make_unique<ExactLp>(tree_.rows_.dim, tree_.reduction_);
    std::vector<SignedRow> cone;
    for (std::size_t i = 0; i < tree_.rows_.n; ++i)
      cone.push_back({static_cast<std::int32_t>(i), get_sign(positive_.data(), i) ? 1 : -1});
    ++tree_.work_.exact_lps;
    return tree_.exact_->solve(cone).interior;
  }

 private:
  RayTree& tree_;
  const Cone cone_;
  const Mask<W> positive_;
  const std::int32_t row_;
  const int sign_;
  std::vector<double> x_;
};

template <std::size_t W>
RayTree<W>::RayTree(const Reduction& reduction, RunControl& control, Arithmetic, bool caller)
    : reduction_(reduction),
      rows_(reduction.rows),
      control_(control),
      caller_(caller),
      store_(reduction) {
  for (std::size_t i = 0; i < rows_.n; ++i) set_sign(all_.data(), i);
  std::vector<SignedRow> forced = reduction.forced;
  if (reduction.central) forced.push_back({0, 1});
  for (const SignedRow& r : forced)
    set_sign(r.sign > 0 ? forced_positive_.data() : forced_negative_.data(),
             static_cast<std::size_t>(r.row));
  basis_ = store_.exact().basis();
  for (const RayPoint& p : store_.exact().corners(basis_)) corners_.push_back(store_.add(p));
  for (std::size_t j = 0; j < basis_.size(); ++j) {
    const auto row = static_cast<std::size_t>(basis_[j]);
    if (get_sign(forced_negative_.data(), row)) {
      fixed_ |= std::uint64_t{1} << j;
    } else if (!get_sign(forced_positive_.data(), row)) {
      free_ |= std::uint64_t{1} << j;
    }
  }
}

template <std::size_t W>
RayTree<W>::~RayTree() = default;

template <std::size_t W>
SignTreeWork RayTree<W>::work() const {
  SignTreeWork work = work_;
  work.rays = store_.effort().made;
  work.rays_reused = store_.effort().reused;
  work.exact_rays = store_.effort().exact;
  return work;
}

template <std::size_t W>
typename RayTree<W>::Node RayTree<W>::root() {
  if (reduction_.contradictory) throw std::invalid_argument("the domain has no interior point");
  Node node;
  node.last = std::uint64_t{1} << std::popcount(free_);
  return node;
}

template <std::size_t W>
void RayTree<W>::load(Node&& node) {
  stack_.clear();
  rays_.clear();
  bottom_ = 0;
  first_ = node.first;
  last_ = node.last;
  if (first_ < last_) cone_share_ = node.share / static_cast<double>(last_ - first_);
  if (node.lines.empty()) return;
  for (std::size_t i = 0; i < node.lines.size(); ++i) {
    Id id = store_.adopt(node.lines[i], node.x.data() + i * rows_.dim, std::move(node.points[i]));
    if (node.odd[i]) id ^= 1;
    rays_.push_back({store_.positive(id), store_.negative(id), id});
  }
  stack_.push_back({0, rays_.size(), node.share});
}

// The next of the simplicial cones; false if there is none.
template <std::size_t W>
bool RayTree<W>::next_cone() {
  if (first_ == last_) return false;
  stack_.clear();
  rays_.clear();
  bottom_ = 0;
  std::uint64_t bits = first_++;
  for (std::size_t j = 0; j < corners_.size(); ++j) {
    Id id = corners_[j] | (fixed_ >> j & 1);
    if (free_ >> j & 1) {
      id |= bits & 1;
      bits >>= 1;
    }
    rays_.push_back({store_.positive(id), store_.negative(id), id});
  }
  stack_.push_back({0, rays_.size(), cone_share_});
  return true;
}

template <std::size_t W>
void RayTree<W>::run(Node&& start, const Hooks& hooks) {
  load(std::move(start));
  for (;;) {
    if (stack_.size() == bottom_ && first_ == last_) break;
    if (control_.halted() || (hooks.enough && hooks.enough())) {
      leave();
      break;
    }
    if (stack_.size() == bottom_) next_cone();
    visit(hooks);
    look_around(hooks);
  }
  report();
}

// The stack becomes the rest, then the simplicial cones that are left.
template <std::size_t W>
void RayTree<W>::leave() {
  for (std::size_t i = stack_.size(); i-- > bottom_;) rest_.push_back(packed(stack_[i]));
  if (first_ < last_) {
    Node node;
    node.first = first_;
    node.last = last_;
    node.share = cone_share_ * static_cast<double>(last_ - first_);
    rest_.push_back(std::move(node));
  }
  stack_.clear();
  rays_.clear();
  bottom_ = 0;
  first_ = last_ = 0;
}

template <std::size_t W>
void RayTree<W>::name(const Node& node, Word* row) const {
  std::fill_n(row, 2 + 2 * W, Word{0});
  row[0] = node.first;
  row[1] = node.last;
  if (node.lines.empty()) return;
  for (std::size_t w = 0; w < W; ++w) {
    Word positive = 0, negative = 0;
    for (std::size_t i = 0; i < node.lines.size(); ++i) {
      const Line& line = node.lines[i];
      positive |= node.odd[i] ? line.negative[w] : line.positive[w];
      negative |= node.odd[i] ? line.positive[w] : line.negative[w];
    }
    row[2 + w] = all_[w] & ~(positive & negative);
    row[2 + W + w] = positive & ~negative;
  }
}

template <std::size_t W>
typename RayTree<W>::Node RayTree<W>::find(const Word* row, double share) {
  Node node;
  node.share = share;
  const std::uint64_t cones = std::uint64_t{1} << std::popcount(free_);
  if (row[0] < row[1] && row[1] <= cones) {
    node.first = row[0];
    node.last = row[1];
    return node;
  }
  const Word *known = row + 2, *positive = known + W;
  // The simplicial cone on whose side of every row of the basis it is.
  std::uint64_t number = 0;
  std::size_t bit = 0;
  for (std::size_t j = 0; j < basis_.size(); ++j) {
    const auto at = static_cast<std::size_t>(basis_[j]);
    if (!get_sign(known, at)) throw ForeignChamberPart();
    if (free_ >> j & 1) number |= std::uint64_t{!get_sign(positive, at)} << bit++;
  }
  load({.first = number,
        .last = number + 1,
        .share = share,
        .lines = {},
        .x = {},
        .points = {},
        .odd = {}});
  next_cone();
  for (;;) {
    const Cone cone = stack_.back();
    const Signs s = signs_of(cone);
    if (s.outside) throw ForeignChamberPart();
    if (s.split < 0 || !get_sign(known, static_cast<std::size_t>(s.split))) {
      for (std::size_t w = 0; w < W; ++w)
        if (s.known[w] != known[w] || (s.positive[w] & ~s.negative[w]) != positive[w])
          throw ForeignChamberPart();
      break;
    }
    stack_.pop_back();
    split(cone, s.known, s.split, get_sign(positive, static_cast<std::size_t>(s.split)) ? 1 : -1);
  }
  node = packed(stack_.back());
  node.share = share;
  stack_.clear();
  rays_.clear();
  return node;
}

template <std::size_t W>
bool RayTree<W>::worthwhile() {
  load(root());
  std::uint64_t cones = 0;
  const auto steps = [&] {
    return steps_ + store_.effort().made * (store_.small() ? kSmallRay : kExactRay);
  };
  for (; cones < kTrialCones && steps() < kTrialSteps; ++cones) {
    if (stack_.size() == bottom_ && !next_cone()) return true;  // that was all
    visit({});
  }
  return steps() <= kStepsPerCone * cones;
}

template <std::size_t W>
void RayTree<W>::look_around(const Hooks& hooks) {
  if (hooks.hungry != nullptr && hooks.hungry->load(std::memory_order_relaxed) > 0) give(hooks);
  if (++since_report_ < kConesPerReport && control_.limit == RunControl::kNoLimit) return;
  since_report_ = 0;
  report();
  if (hooks.tick) hooks.tick();
  if (store_.size() < kMostLines) return;
  std::vector<Id*> used;
  for (Id& id : corners_) used.push_back(&id);
  if (bottom_ < stack_.size())
    for (std::size_t i = stack_[bottom_].first; i < rays_.size(); ++i) used.push_back(&rays_[i].id);
  store_.keep(used);
}

template <std::size_t W>
void RayTree<W>::report() {
  control_.report(chambers_ - reported_, done_, caller_);
  reported_ = chambers_;
  done_ = 0;
}

// What comes last in the order: half of the simplicial cones that are left, or the lowest cone.
template <std::size_t W>
void RayTree<W>::give(const Hooks& hooks) {
  Node node;
  if (first_ < last_) {
    node.first = first_ + (last_ - first_) / 2;
    node.last = last_;
    node.share = cone_share_ * static_cast<double>(node.last - node.first);
    last_ = node.first;
  } else if (stack_.size() - bottom_ > 1) {
    node = packed(stack_[bottom_++]);
  } else {
    return;
  }
  hooks.give(std::move(node));
  ++work_.stolen;
}

template <std::size_t W>
typename RayTree<W>::Node RayTree<W>::packed(const Cone& cone) const {
  Node node;
  node.share = cone.share;
  for (std::size_t i = cone.first; i < cone.last; ++i) {
    const Id id = rays_[i].id;
    node.lines.push_back(store_.line(id));
    node.x.insert(node.x.end(), store_.point(id), store_.point(id) + rows_.dim);
    node.points.push_back(store_.exact_point(id));
    node.odd.push_back(id & 1);
  }
  return node;
}

template <std::size_t W>
typename RayTree<W>::Signs RayTree<W>::signs_of(const Cone& cone) const {
  Signs s;
  Mask<W> forced{};
  for (std::size_t i = cone.first; i < cone.last; ++i)
    for (std::size_t w = 0; w < W; ++w) {
      s.positive[w] |= rays_[i].positive[w];
      s.negative[w] |= rays_[i].negative[w];
    }
  Word outside = 0;
  for (std::size_t w = 0; w < W; ++w) {
    outside |= (forced_positive_[w] & ~s.positive[w]) | (forced_negative_[w] & ~s.negative[w]);
    s.cut[w] = s.positive[w] & s.negative[w];
    s.known[w] = all_[w] & ~s.cut[w];
    forced[w] = s.cut[w] & (forced_positive_[w] | forced_negative_[w]);
  }
  s.outside = outside != 0;
  s.cuts = popcount<W>(s.cut);
  if (any<W>(forced)) {
    s.split = lowest<W>(forced);
    s.kept = get_sign(forced_positive_.data(), static_cast<std::size_t>(s.split)) ? 1 : -1;
  } else if (s.cuts > 0) {
    s.split = lowest<W>(s.cut);
  }
  return s;
}

template <std::size_t W>
void RayTree<W>::visit(const Hooks& hooks) {
  const Cone cone = stack_.back();
  stack_.pop_back();
  ++work_.cones;
  Signs s = signs_of(cone);
  steps_ += cone.last - cone.first;
  if (s.outside) {
    done_ += cone.share;
    rays_.resize(cone.first);
    return;
  }
  if (s.kept != 0 || s.cuts > 1) return split(cone, s.known, s.split, s.kept);
  emit(hooks, cone, s.positive, s.split, s.cuts);
  if (s.cuts == 1) {
    clear_sign(s.positive.data(), static_cast<std::size_t>(s.split));
    emit(hooks, cone, s.positive, s.split, -1);
  }
  done_ += cone.share;
  rays_.resize(cone.first);
}

template <std::size_t W>
void RayTree<W>::emit(const Hooks& hooks, const Cone& cone, const Mask<W>& positive,
                      std::int32_t row, int sign) {
  chambers_ += reduction_.central ? 2 : 1;
  if (hooks.sink == nullptr) return;
  View view(*this, cone, positive, row, sign);
  hooks.sink->chamber(view, false);
  if (reduction_.central) hooks.sink->chamber(view, true);
}

// Replaces the top cone by its parts: the positive one comes first. `kept`: only that part.
template <std::size_t W>
void RayTree<W>::split(const Cone& cone, const Mask<W>& known, std::int32_t row, int kept) {
  ++work_.splits;
  const auto at = static_cast<std::size_t>(row);
  scratch_.assign(rays_.begin() + static_cast<long>(cone.first),
                  rays_.begin() + static_cast<long>(cone.last));
  rays_.resize(cone.first);
  new_rays(cone, known, row);
  const double share = kept == 0 ? cone.share / 2 : cone.share;
  for (const int sign : {-1, 1}) {
    if (kept == -sign) continue;
    const std::size_t first = rays_.size();
    for (const Ray& ray : scratch_)
      if (!get_sign(sign > 0 ? ray.negative.data() : ray.positive.data(), at)) rays_.push_back(ray);
    rays_.insert(rays_.end(), met_.begin(), met_.end());
    stack_.push_back({first, rays_.size(), share});
  }
}

// Where the row cuts edges of the cone in scratch_.
template <std::size_t W>
void RayTree<W>::new_rays(const Cone& cone, const Mask<W>& known, std::int32_t row) {
  const auto at = static_cast<std::size_t>(row);
  const std::size_t rays = cone.last - cone.first;
  met_.clear();
  above_.clear();
  below_.clear();
  for (std::size_t i = 0; i < rays; ++i) {
    if (get_sign(scratch_[i].positive.data(), at)) above_.push_back(static_cast<std::uint32_t>(i));
    if (get_sign(scratch_[i].negative.data(), at)) below_.push_back(static_cast<std::uint32_t>(i));
  }
  steps_ += above_.size() * below_.size();
  for (const std::uint32_t i : above_) {
    const Ray& p = scratch_[i];
    for (const std::uint32_t j : below_) {
      const Ray& q = scratch_[j];
      Mask<W> face{}, tight{}, plus{}, minus{};
      for (std::size_t w = 0; w < W; ++w) {
        plus[w] = p.positive[w] | q.positive[w];
        minus[w] = p.negative[w] | q.negative[w];
        face[w] = all_[w] & ~(plus[w] | minus[w]);
        tight[w] = face[w] & known[w];
        plus[w] &= known[w];
        minus[w] &= known[w];
      }
      if (rays > rows_.dim && !is_edge(rays, tight)) continue;
      const Id id = store_.meet(p.id, q.id, face, row, plus, minus);
      met_.push_back({store_.positive(id), store_.negative(id), id});
    }
  }
}

// No third ray lies on all of these rows.
template <std::size_t W>
bool RayTree<W>::is_edge(std::size_t rays, const Mask<W>& face) {
  if (static_cast<std::size_t>(popcount<W>(face)) + 2 < rows_.dim) return false;
  steps_ += rays;
  int on = 0;
  for (std::size_t i = 0; i < rays; ++i) {
    Word off = 0;
    for (std::size_t w = 0; w < W; ++w)
      off |= face[w] & (scratch_[i].positive[w] | scratch_[i].negative[w]);
    on += off == 0;
    if (on > 2) return false;
  }
  return true;
}

template class RayTree<1>;
template class RayTree<2>;
template class RayTree<4>;

}  // namespace linear_regions::arrangement
