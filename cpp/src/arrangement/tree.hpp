// SPDX-License-Identifier: MIT
// Tree: one worker of the sign tree.
//
// A *chain* belongs to one witness: a point strictly inside a cone on which some rows have known
// signs. It goes through the other rows, the one with the largest |value| at the witness first. The
// side that the witness is on exists. The far side is asked for: no (a circuit proves it) makes the
// row's sign known; yes (a witness over there proves it) puts the far cone on the stack, with its
// own witness, and the chain keeps the near one. With all rows known the cone is a chamber.
// So there is one chain per chamber, and each question is either a chamber or an infeasibility.
//
// Invariants:
//  * weight[] holds the *cuts* of the cone alone: rows with a known sign that was a choice. The
//    other known signs follow from these.
//  * Whatever decides a "no" (a known circuit or a new program), nothing else of the frame changes,
//    so the tree does not depend on what a worker has seen before: not on threads, not on luck.
//  * The stack's lowest frame comes last in the depth-first order: it is what is given away.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "arrangement/chamber_sink.hpp"
#include "arrangement/circuits.hpp"
#include "arrangement/exact_lp.hpp"
#include "arrangement/reduction.hpp"
#include "arrangement/small_lp.hpp"
#include "linear_regions/sign_tree.hpp"

namespace linear_regions::arrangement {

// A cone with a witness.
struct Frame {
  std::vector<Word> known, positive;  // rows with a known sign; those that are positive
  std::vector<double> weight;         // sign / norm of the cuts, 0 for other rows
  LpState state;                      // optimal for some of the cuts
  std::vector<double> x, values;      // the witness, and all rows' values there
  bool own = false;                   // x is state.x: the state knows all cuts
  double share = 1;                   // of the whole search, halved at each cut: for progress
  // Where no double lies inside, the witness; x is the point near it.
  std::shared_ptr<const ExactPoint> exact;
};

class Tree {
 public:
  static constexpr TreeEngine kEngine = TreeEngine::kWitnesses;
  static constexpr std::size_t words_of(std::size_t rows) { return word_count(rows); }
  using Node = Frame;
  struct Hooks {
    ChamberSink* sink = nullptr;
    std::atomic<int>* hungry = nullptr;  // threads without work
    std::function<void(Frame&&)> give;   // takes the frame that comes last
    std::function<void()> tick;          // called now and then
    std::function<bool()> enough;        // asked between two chains: yes leaves the others
  };

  Tree(const Reduction& reduction, RunControl& control, Arithmetic arithmetic, bool caller);

  // The cone of the forced signs, and of one positive row in a central arrangement. Throws
  // std::invalid_argument if it is empty.
  Frame root();
  void run(Frame&& start, const Hooks& hooks);
  // What a run that was stopped or paused left, in the order of the search.
  std::vector<Frame> take_rest() { return std::exchange(rest_, {}); }

  // Sub-trees by their cuts and the signs of these. `find` takes the way from the root to the one
  // with these cuts; throws ForeignChamberPart if there is none.
  void name(const Frame& frame, Word* row) const;
  Frame find(const Word* row, double share);

  std::uint64_t chambers() const { return chambers_; }
  SignTreeWork work() const;

 private:
  class View;
  std::shared_ptr<const ExactPoint> exact_centre(const Frame& frame);
  void chain(const Hooks& hooks);
  void leave();
  void undo_chain(std::size_t top);
  bool follow(const Word* cuts, const Word* positive);
  void order_rows();
  bool take(std::int32_t row);
  int near_sign(std::int32_t row);
  bool far_side(std::int32_t row, int sign);
  bool step_across(std::int32_t row, int sign);
  bool solve_far(std::int32_t row);
  bool solve_exactly(std::int32_t row);
  void push(std::int32_t row, int sign);
  void know(std::int32_t row, int sign, bool cut);
  const LpState& base_state();
  bool accept_witness(Frame& child, const double* x, const double* values);
  void report();

  const Reduction& reduction_;
  const ConeRows& rows_;
  const Arithmetic arithmetic_;
  RunControl& control_;
  const bool caller_;
  SmallLp lp_;
  ExactLp exact_;
  CircuitStore circuits_;
  std::vector<Frame> stack_;  // frames 0 .. top_ - 1 are in use, the others keep their memory
  std::size_t bottom_ = 0, top_ = 0;
  Frame now_, child_;
  LpState resolved_;
  bool is_resolved_ = false, in_point_ = false;
  std::vector<std::int32_t> order_, cut_here_;
  std::int32_t asked_ = -1;
  std::vector<double> across_, across_x_, without_;
  SignTreeWork work_;
  std::uint64_t chambers_ = 0, reported_ = 0;
  double done_ = 0;
  std::vector<Frame> rest_;
};

}  // namespace linear_regions::arrangement
