// SPDX-License-Identifier: MIT
// Tree: depth-first search over the activation regions of a tape on a domain of any dimension, by
// witness points and small linear programs.
//
// A cell is an open polyhedron, the rows of the path with their signs, together with a *witness*: a
// point that is proved to lie inside. Homogeneous coordinates x = (s, 1) times a positive number
// make it an open cone. A *layer cell* is a cell on which all earlier splits are decided. On
// entering it, every unit of the split is either fixed on the whole cell or a *member*: a unit with
// points on both sides. Members are decided in ascending order, the positive side first, so that
// the order of the regions depends on nothing but the network and the domain.
//
// A question "has this cell a point on that side of the row?" is answered by, in this order,
//   a dependence of rows that was found before in the same layer cell (no),
//   a point that was found before in the same layer cell (yes),
//   a linear program in doubles, whose answer is then proved: a point by evaluation with error
//   bounds (yes), multipliers by summing the rows up and bounding the sum over the domain (no),
//   a linear program in integers on the exact rows.
//
// What a frame of the stack shares with later ones never changes below it: rows, decisions of
// earlier members and layer cells lie in stack order.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "arrangement/cone_rows.hpp"
#include "arrangement/exact_lp.hpp"
#include "arrangement/small_lp.hpp"
#include "deep/maps.hpp"
#include "deep/tree_refutations.hpp"
#include "double_double_maps.hpp"
#include "exact_signs.hpp"
#include "linear_regions/deep_tree.hpp"
#include "linear_regions/part.hpp"
#include "linear_regions/sign_vector.hpp"

namespace linear_regions {

// Words of bits of a layer cell.
inline void put_bit(std::vector<std::uint64_t>& words, std::size_t i, bool value) {
  assign_sign(words.data(), i, value);
}
inline void clear_from(std::vector<std::uint64_t>& words, std::size_t k) {
  for (std::size_t w = k >> 6; w < words.size(); ++w)
    words[w] &= w == k >> 6 ? (std::uint64_t{1} << (k & 63)) - 1 : 0;
}

// What all threads share and nobody changes after the start.
struct TreeRoot {
  TreeRoot(const Tape& tape, const DomainFrame& domain, Arithmetic arithmetic);

  const Tape& tape;
  Arithmetic arithmetic;
  bool tame = true;            // all numbers of ordinary size; else every decision is exact
  bool always_sharp = false;   // for tests: see DoubleDoubleMaps
  std::vector<double> center;  // t_j = center_j + 2^exponent_j s_j
  std::vector<int> exponent;
  DomainFrame place;          // in the coordinates s
  std::vector<double> reach;  // |s_j| <= reach_j in the domain; infinite where nothing is known
  double largest_reach = 1;   // of 1 and all of them
  std::vector<double> sides;  // rows of the domain, d + 2 doubles each
  LineVector first_block;     // stage 0
  std::size_t most_rows = 0;  // on any path
};

struct TreeWitness {
  std::vector<double> x;  // homogeneous; the nearest doubles where `exact` is set
  std::shared_ptr<const arrangement::ExactPoint> exact;
};

// The layer cell of one split on the path.
struct TreeLayer {
  std::size_t k = 0, m = 0;              // members 0 to k - 1 are decided
  std::vector<std::int32_t> member;      // cuts (pointwise) or windows (max)
  std::vector<std::uint64_t> on;         // pointwise: cuts that are positive on the whole cell
  std::vector<std::uint64_t> member_on;  // pointwise: members that are positive
  std::vector<std::uint64_t> bounds;     // members whose decision cuts the cell: they are rows
  std::vector<std::int32_t> winner;      // max: winner entry of every window; -1 for members
  std::vector<std::int32_t> choice;      // max: winner entry of every decided member

  void clear() {
    k = m = 0;
    member.clear();
    on.clear();
    member_on.clear();
    bounds.clear();
    winner.clear();
    choice.clear();
  }
};

// A sub-tree: a decision of member layers.back().k that is still to be taken.
struct TreeTask {
  std::vector<TreeLayer> layers;
  std::int32_t choice = 0;  // pointwise: the sign; max: the entry; layers.empty(): the root
  TreeWitness witness;
  arrangement::LpState state;
  double share = 1.0;  // of the whole search, by halving
  TreePath path;
  std::uint64_t name = 0;
  Part part;  // what of the sub-tree is to be searched; empty: all of it

  const TreePath& first_path() const { return part.empty() ? path : part.front().path; }
};

class TreeSink;

class Tree {
 public:
  using Task = TreeTask;

  Tree(const TreeRoot& root, RunControl& control, bool caller);

  struct Hooks {
    TreeSink* sink = nullptr;  // none: regions are only counted
    const std::atomic<int>* hungry = nullptr;
    std::function<void(TreeTask&&)> give;
    std::function<void()> tick;
    std::function<void(const TreePath&)> begin;  // a sub-tree of the part begins
    double cut = 0;                              // see PartOptions
    RandomWay* probe = nullptr;
  };
  void run(TreeTask&& task, const Hooks& hooks);

  std::uint64_t regions() const { return regions_; }
  bool unfinished() const { return !rest_.empty(); }
  Part& rest() { return rest_; }
  double setup_seconds() const { return setup_seconds_; }
  TreeWork work() const;

  // What a sink may ask about the region that is being reported.
  const TreeRoot& root() const { return root_; }
  const TreeWitness& witness() const { return now_; }
  // Is the point, in domain coordinates, proved to lie inside?
  bool inside(const double* t);
  // A point in the middle, as far as doubles know; false where it is not proved.
  bool middle(std::vector<double>& x);
  std::shared_ptr<const arrangement::ExactPoint> exact_middle();
  bool bounded();

 private:
  // The sub-trees of the part below a node: numbers first to last - 1; none where the whole node is
  // to be searched. An entry is the root of one of them.
  struct Below {
    std::uint32_t first = 0, last = 0;
    bool wanted = true, entry = false;
    std::uint64_t name = 0;  // of the child
    bool some() const { return first != last; }
  };
  struct Frame {
    int split = 0;
    std::int32_t choice = 0;
    std::size_t k = 0, rows = 0;
    TreeWitness witness;
    arrangement::LpState state;
    bool fresh = false;
    double share = 0;
    std::size_t depth = 0;  // branchings above
    std::uint32_t child = 0;
    Below below;
  };
  struct Candidate {  // one side of a decision
    TreeWitness witness;
    arrangement::LpState state;
    bool fresh = false;
  };
  struct PathRow {
    Line line;
    int shift = 0;             // the row is the unit's times two to this power
    std::int32_t member = -1;  // of its split; -1 for the domain
    bool asked = false;        // the exact program knows it
  };
  // Points and dependences found in the layer cell of a split, as signs of its members.
  struct Known {
    struct Signs {
      std::vector<std::uint64_t> first, second;  // positive and negative, or members and signs
      std::vector<double> x;
    };
    // The first `used` entries of each list; the others keep their memory. Where a list is full,
    // its oldest entry makes room.
    struct List {
      std::vector<Signs> entries;
      std::size_t used = 0, next = 0;
      Signs& take(std::size_t most) {
        if (used < most) {
          if (used == entries.size()) entries.emplace_back();
          return entries[used++];
        }
        Signs& oldest = entries[next];
        next = (next + 1) % most;
        return oldest;
      }
      std::span<const Signs> all() const { return {entries.data(), used}; }
      void clear() { used = next = 0; }
    };
    List points, circuits;
    void clear() {
      points.clear();
      circuits.clear();
    }
  };
  // The exact rows of the path, for the exact program.
  class Source : public arrangement::ExactRowSource {
   public:
    explicit Source(Tree& tree) : tree_(tree) {}
    std::vector<std::string> exact_row(std::size_t i) const override;

   private:
    Tree& tree_;
  };

  // tree.cpp
  void start(TreeTask&& task);
  void restore(TreeTask&& task);
  void descend();
  void resume(Frame&& frame);
  void enter();
  void compute_block(int split);
  void begin_cell(int split);
  void report_region();
  void give_away();
  void tick();
  void look();
  void visit();
  void branch(std::span<const std::uint32_t> children, std::int32_t member);
  Below below(std::uint32_t child) const;
  void descend_to(std::uint32_t child, const Below& below);
  Part part_of(const Frame& frame) const;
  void leave_node();
  void leave_all();
  bool counting() const { return hooks_->sink == nullptr; }
  bool last(int split) const { return split + 1 == static_cast<int>(root_.tape.splits().size()); }
  bool pointwise(int split) const { return root_.tape.split(split).kind == OpKind::kPointwise; }
  void fill_pattern();
  void know_layer(int split);
  void apply_choice(int split, std::int32_t choice);
  void push_frame(std::int32_t choice, std::size_t rows, Candidate& side, std::uint32_t child,
                  const Below& below);

  // tree_pointwise.cpp
  void cut_row(int split, std::int32_t cut, double* row) const;
  void enter_pointwise();
  void know_fixed(std::int32_t cut, bool positive);
  int fixed_sign(const double* row) const;
  void base_pointwise(int split);
  bool decide_cut();
  void take_found(Candidate& side);
  void gather_member_rows(int split);
  void push_member(int split, std::size_t k, int sign);

  // tree_max.cpp
  void enter_max();
  void base_max(int split);
  bool decide_window();
  using Winners = std::vector<std::pair<std::int32_t, Candidate>>;
  std::size_t branch_windows(std::int32_t window, Winners& winners, std::size_t rows);
  enum class Chance : std::uint8_t { kNone, kSome, kAll };
  Chance can_win(std::int32_t window, std::int32_t entry, Candidate* side);
  bool push_winner(std::int32_t window, std::int32_t entry, std::int32_t member);
  bool pair_row(std::int32_t a, std::int32_t b, double* row) const;

  // tree_lp.cpp
  std::size_t push_row(const double* row, const Line& line, std::int32_t member, int sign);
  void truncate(std::size_t rows);
  void set_sign(std::size_t row, int sign);
  double value_at(std::size_t row, const double* x) const;
  int sign_at_witness(std::size_t row);
  int sign_at(const double* row, const double* x, double size) const;
  bool exists(std::size_t row, int sign);
  bool impossible(std::int32_t cut, std::int32_t member, int sign);
  bool search(std::size_t row, int sign);
  bool known_impossible(std::size_t member, int sign);
  bool known_point(std::size_t member, int sign);
  bool solve(std::int32_t first);
  bool step_across(std::size_t row, int sign);
  bool accept(const double* x, const double* values);
  bool proves_empty();
  bool refutes();
  void add_units_below();
  bool solve_exactly(std::int32_t first);
  std::vector<arrangement::SignedRow> cone() const;
  void note_point(const std::vector<double>& x);
  void note_circuit(std::span<const arrangement::SignedRow> support);
  void refresh();

  const TreeRoot& root_;
  const Tape& tape_;
  const std::size_t width_;  // d + 2
  RunControl& control_;
  const bool caller_;
  const Hooks* hooks_ = nullptr;

  DeepMaps maps_;
  Path path_;
  DoubleDoubleMaps sharp_;
  ExactSigns exact_;
  arrangement::ConeRows rows_;
  std::vector<PathRow> path_rows_;
  std::vector<double> weight_;
  arrangement::SmallLp lp_;
  Source source_;
  arrangement::ExactLp exact_lp_;
  Refutations refutations_;
  std::vector<RefutedSign> refuted_, slack_;
  std::vector<double> target_, along_, residual_, below_row_;  // of refutes()

  std::vector<TreeLayer> layers_;                   // per split
  std::vector<Known> known_;                        // per split
  std::vector<std::vector<double>> member_rows_;    // per split
  std::vector<std::vector<std::int32_t>> winners_;  // per split: what path_.winner points to
  std::vector<LineVector> base_, block_;            // per stage
  std::vector<double*> blocks_;
  int split_ = 0;
  std::vector<Frame> stack_, spare_;  // spare frames keep their memory
  std::size_t bottom_ = 0;

  // The current node: its path and what of it is to be searched. A *branching* is a decision that
  // leaves more than one child.
  TreePath trail_;
  std::uint64_t name_ = 0, decision_ = 0;
  Part part_;
  Below below_;
  bool inside_ = false;  // the current node is not finished
  std::uint32_t drawn_ = 0;
  double since_ = 0;  // a probe's last branching, in seconds
  double setup_seconds_ = 0;
  Part rest_;

  TreeWitness now_;
  arrangement::LpState state_;  // optimal for its own rows, which are rows of the path
  bool fresh_ = false;          // solved for all rows of the path
  double share_ = 1;
  // The answer of the last question: witness and state of the far side.
  TreeWitness found_;
  arrangement::LpState found_state_;
  bool found_fresh_ = false;
  Candidate other_;

  DeepRows opening_;
  std::vector<double> block_row_, block_out_, cut_row_, piece_row_;
  std::vector<double> row_, values_, across_, pattern_values_;
  std::vector<std::uint64_t> pattern_;
  std::uint64_t next_cell_ = 1;
  std::uint64_t regions_ = 0, reported_ = 0;
  double done_ = 0;
  unsigned ticks_ = 0;
  unsigned looks_ = 0;
  RunControl::Clock::time_point next_look_{};
  TreeWork work_;
};

// Receives the regions of one task in depth-first order.
class TreeSink {
 public:
  virtual ~TreeSink() = default;
  virtual void region(Tree& tree, const std::vector<std::uint64_t>& pattern) = 0;
};

// The coordinates t of a point in integers, exactly and rounded (deep/exact_points.cpp).
struct TreePoint {
  std::vector<std::string> fractions;
  std::vector<double> nearest;
};
TreePoint domain_point(const TreeRoot& root, const arrangement::ExactPoint& point);

}  // namespace linear_regions
