// SPDX-License-Identifier: MIT
// RayTree: chambers by splitting cones that are known by their rays; one worker.
//
// A *cone* is the set of a sign vector of some rows, closed, given by its extreme rays and by the
// masks of the rows positive and negative on each. A row *cuts* it if it is positive on one ray and
// negative on another; every other row has one sign inside. So the rows that cut are the words
// (OR of positive) & (OR of negative), a cone without any is a chamber, and its sign vector is the
// OR of positive. To split by a row, new rays appear on the edges that it cuts: two rays span an
// edge if no third one lies on all known rows that both lie on (Fukuda and Prodon, Double
// description method revisited, 1996, Proposition 7). The last row that cuts needs no split.
//
// dim independent rows start the search: their 2^dim simplicial cones, without those that forced
// signs exclude. Nothing here rounds; rays are exact (RayStore).
//
// Cost: a pass over the rays of a cone per split. That is unbeatable where cones have few rays, in
// degenerate arrangements and in low dimensions, and hopeless where they have hundreds:
// `worthwhile` measures it on the first cones of the search.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "arrangement/chamber_sink.hpp"
#include "arrangement/ray_store.hpp"
#include "linear_regions/run_control.hpp"
#include "linear_regions/sign_tree.hpp"

namespace linear_regions::arrangement {

template <std::size_t W>
class RayTree {
 public:
  static constexpr TreeEngine kEngine = TreeEngine::kRays;
  static constexpr std::size_t words_of(std::size_t) { return W; }
  using Line = typename RayStore<W>::Line;
  // A part of the search: one cone, or a range of the simplicial cones.
  struct Node {
    std::uint64_t first = 0, last = 0;
    double share = 1;
    std::vector<Line> lines;
    std::vector<double> x;
    std::vector<RayPoint> points;
    std::vector<bool> odd;
  };
  struct Hooks {
    ChamberSink* sink = nullptr;
    std::atomic<int>* hungry = nullptr;  // threads without work
    std::function<void(Node&&)> give;    // takes the part that comes last
    std::function<void()> tick;          // called now and then
    std::function<bool()> enough;        // asked between two cones: yes leaves the others
  };

  // The arithmetic is exact whatever is asked for.
  RayTree(const Reduction& reduction, RunControl& control, Arithmetic, bool caller);
  ~RayTree();

  // Throws std::invalid_argument if sides contradict each other.
  Node root();
  void run(Node&& start, const Hooks& hooks);
  // What a run that was stopped or paused left, in the order of the search.
  std::vector<Node> take_rest() { return std::exchange(rest_, {}); }

  // Sub-trees by the rows with a sign inside the cone and these signs, or by the range of
  // simplicial cones. `find` splits a simplicial cone until it is the wanted one; throws
  // ForeignChamberPart if there is none.
  void name(const Node& node, Word* row) const;
  Node find(const Word* row, double share);
  // Steps per cone of the first cones are few enough.
  bool worthwhile();

  std::uint64_t chambers() const { return chambers_; }
  SignTreeWork work() const;

 private:
  class View;
  using Id = typename RayStore<W>::Id;
  struct Ray {
    Mask<W> positive, negative;
    Id id;
  };
  struct Cone {
    std::size_t first, last;  // in rays_
    double share;
  };
  // Signs of the rows in a cone: known where nothing cuts.
  struct Signs {
    Mask<W> positive{}, negative{}, cut{}, known{};
    bool outside = false;     // a row has the other sign than it must
    std::int32_t split = -1;  // the row to split by, if any
    int kept = 0, cuts = 0;   // of its parts, the one that may be; rows that cut
  };

  Signs signs_of(const Cone& cone) const;
  void load(Node&& node);
  void leave();
  bool next_cone();
  void visit(const Hooks& hooks);
  void split(const Cone& cone, const Mask<W>& known, std::int32_t row, int kept);
  void new_rays(const Cone& cone, const Mask<W>& known, std::int32_t row);
  bool is_edge(std::size_t rays, const Mask<W>& face);
  void emit(const Hooks& hooks, const Cone& cone, const Mask<W>& positive, std::int32_t row,
            int sign);
  void give(const Hooks& hooks);
  Node packed(const Cone& cone) const;
  void look_around(const Hooks& hooks);
  void report();

  const Reduction& reduction_;
  const ConeRows& rows_;
  RunControl& control_;
  const bool caller_;
  RayStore<W> store_;
  std::unique_ptr<ExactLp> exact_;  // made when a point needs it

  Mask<W> all_{}, forced_positive_{}, forced_negative_{};
  std::vector<std::int32_t> basis_;
  std::vector<Id> corners_;  // positive for the rows of the basis
  std::uint64_t free_ = 0;   // the rows of the basis without a forced sign, as bits
  std::uint64_t fixed_ = 0;  // the signs of the others
  std::uint64_t first_ = 0, last_ = 0;
  double cone_share_ = 1;

  std::vector<Ray> rays_, scratch_, met_;
  std::vector<Cone> stack_;
  std::size_t bottom_ = 0;
  std::vector<std::uint32_t> above_, below_;

  SignTreeWork work_;
  std::uint64_t steps_ = 0, since_report_ = 0, chambers_ = 0, reported_ = 0;
  double done_ = 0;
  std::vector<Node> rest_;
};

}  // namespace linear_regions::arrangement
