// SPDX-License-Identifier: MIT
// Engine: depth-first search over the activation regions of a tape on a planar domain.
//
// A *layer cell* is a polygon on which all earlier splits are decided; it knows the rows of the
// split's inputs. A *node* is a polygon inside a layer cell on which some of the units that cut the
// cell are decided (fixed), the others still mixed. Expanding a node splits it by one mixed unit;
// a node without mixed units leaves the layer: its stage is complete and the next layer cell is
// entered, or a region is reported after the last split.
//
// Order: positive side first, winners in window order; the path from the root is a sequence of
// child numbers, which is all that another thread needs to continue from a node (it replays it).
//
// Memory: one arena in stack order; it grows with the depth, not with the number of regions.
#pragma once

#include <cstdint>
#include <vector>

#include "arena.hpp"
#include "depth_first.hpp"
#include "double_double_maps.hpp"
#include "exact_planar.hpp"
#include "linear_regions/planar.hpp"
#include "polygon.hpp"
#include "reduced.hpp"
#include "row_maps.hpp"

namespace linear_regions {

// What all threads share and nobody changes after the start.
struct PlanarRoot {
  PlanarRoot(const Tape& tape, const PlanarDomain& domain, Arithmetic arithmetic);

  const Tape& tape;
  const PlanarDomain& domain;
  Arithmetic arithmetic;
  int scale_x = 0, scale_y = 0;  // engine coordinate * 2^scale = domain coordinate
  std::vector<EdgeLine> lines;   // the domain's edges, in engine coordinates
  std::vector<Vertex> vertices;
  LineVector first_block;  // stage 0
  bool tame = true;        // false: nothing is certain in doubles
  bool flat = false;       // nothing depends on the second coordinate
  // Per split: products of weights and rows, roughly, in the stages after the next one.
  std::vector<double> later;
  enum class Looking : std::uint8_t { kNever, kWherePaid, kAlways, kReduce };
  Looking looking = Looking::kWherePaid;
  bool always_sharp = false;
};

class RegionSink;

struct PlanarLayerCell {
  int split;
  int last;  // the last split that cuts anything on this cell
  // The latest look ahead (look_ahead.cpp): the extent of its polygon, the units of split `last`
  // that it left open; listing: the pattern bits of the splits after `last`, where there are any.
  double seen;
  std::int32_t open;
  const std::uint64_t* settled;
  // Later splits by their live units alone (reduced.hpp), nullptr: by all. A cell of such a split
  // has only the rows of `live`.
  const Reduced* reduced;
  const ReducedSplit* live;
  std::size_t stride;      // between the columns of the rows
  const double* rows;      // map of the split's input slot
  std::uint64_t* pattern;  // bits of the splits before this one
  double* base;            // base block of the next stage (nullptr: not needed)
  // Pointwise: all cuts of the layer as rows; `on`: cuts positive on the whole cell.
  const double* cut_rows;
  std::size_t cut_stride;
  std::uint64_t* on;
  // The m cutting units of the cell: cuts (pointwise, with their rows) or windows (max).
  std::int32_t m, words;
  std::int32_t* member;
  double* member_rows;
  std::int32_t* winner;  // max: winner entry of windows fixed on the whole cell, else -1
};

struct PlanarNode : SearchNode {
  const PlanarLayerCell* cell = nullptr;
  Polygon polygon;
  std::uint64_t* signs = nullptr;  // pointwise: per vertex `words` positive, `words` negative
  std::uint64_t* mixed = nullptr;  // members that still cut
  std::uint64_t* on = nullptr;     // pointwise: members that are fixed and positive
  std::int32_t* choice = nullptr;  // max: winner entry per member, -1 while mixed
  double* block = nullptr;         // next stage: base and the additions so far
};

// When to look ahead (look_ahead.cpp).
inline constexpr std::int32_t kManyOpen = 1 << 30;  // not known
inline constexpr double kFewOpen = 0.5, kShrunk = 0.25;
inline constexpr double kCheap = 2500;  // products; less is not worth sparing

// Sign words of the members of a cell at the two ends of a chord: positive, then negative.
struct ChordSigns {
  std::uint64_t *out, *in;
};

class Engine : public DepthFirst<Engine, PlanarNode, RegionSink> {
 public:
  Engine(const PlanarRoot& root, RunControl& control, bool caller);

  Work work() const;

  // What a sink may ask about the region that is being reported.
  const PlanarRoot& root() const { return root_; }
  const std::vector<EdgeLine>& lines() const { return lines_; }
  ExactStage& exact() { return exact_; }
  const Path& path() const { return path_; }

 private:
  friend DepthFirst;
  using LayerCell = PlanarLayerCell;

  // engine.cpp; the first four for the search
  void restart();
  bool open(Node& root);
  void expand(std::int32_t index);
  void rewind(const Node& node);
  void leave_layer(std::int32_t index);
  void report(const Polygon& polygon, const std::uint64_t* pattern);
  int exact_sign(const Line& line, const Vertex& vertex);
  static bool last(const LayerCell& cell) { return cell.split == cell.last; }
  Node child_of(std::int32_t parent) const;
  double* own_block(Node& node, const double* parent_block);
  void add_fixed(Node& node, const double* parent_block, std::int32_t unit, const Row4& row);
  void add_column(const Reduced& reduced, int split, std::int32_t unit, const Row4& row,
                  double* map);
  int skip_settled(const Node& node, std::uint64_t* pattern);

  // split_pointwise.cpp
  bool enter_pointwise(Node& node, LayerCell& cell);
  void classify_cuts(const Node& node, LayerCell& cell);
  void base_pointwise(LayerCell& cell);
  void base_reduced(LayerCell& cell);
  void name_live(LayerCell& cell);
  Row4 unit_row(const LayerCell& cell, std::int32_t unit) const;
  void open_fixed_units(const LayerCell& cell, const Pointwise& pointwise, std::size_t n);
  void gather_members(Node& node, LayerCell& cell);
  void gather_rows(Node& node, LayerCell& cell);
  void vertex_signs(const LayerCell& cell, const Vertex& vertex, const std::uint64_t* wanted,
                    std::uint64_t* signs);
  void expand_pointwise(std::int32_t index);
  std::uint64_t decide_members(Node& child, const Node& parent, const Chord& chord, bool positive,
                               const std::uint64_t* wanted, const ChordSigns& ends);
  void place_child(Node& child, const Node& parent, const Chord& chord, bool positive,
                   std::uint64_t left, const ChordSigns& ends);
  bool worth_narrowing(const LayerCell& cell, std::uint64_t left) const;
  void narrow(Node& child, std::uint64_t left);
  void fix_members(Node& child, const Node& parent);
  void push_fixed_unit(Node& child, const Node& parent, std::int32_t member);
  void leave_pointwise(const Node& node, std::uint64_t* pattern);
  static void write_cuts(const Op& op, const std::uint64_t* on, std::uint64_t* pattern);
  std::uint64_t count_leaf(std::uint64_t mixed_members) const { return mixed_members + 1; }

  // split_max.cpp
  bool enter_max(Node& node, LayerCell& cell);
  void expand_max(std::int32_t index);
  void leave_max(const Node& node, std::uint64_t* pattern);
  int compare_at(const LayerCell& cell, std::int32_t a, std::int32_t b, const Vertex& vertex);
  struct Comparison {
    bool more = false, less = false;  // somewhere strictly
  };
  Comparison compare(const LayerCell& cell, std::int32_t a, std::int32_t b, const Extent& extent);
  std::int32_t find_winner(const LayerCell& cell, std::int32_t window, const Extent& extent);
  bool clip_to_winner(const LayerCell& cell, std::int32_t window, std::int32_t entry,
                      Polygon& polygon);
  static void write_winners(const Op& op, const std::int32_t* winner, std::uint64_t* pattern);

  // look_ahead.cpp
  bool worth_looking(const Node& node) const;
  void look_ahead(Node& node);
  bool push_relaxed(const Node& node, const Extent& extent, double* block);
  std::int32_t survey(int split, const Extent& extent, bool rows);
  std::int32_t survey_pointwise(int split, const Extent& extent, bool needed);
  std::int32_t survey_max(int split, const Extent& extent);
  const std::uint64_t* settle(const LayerCell& cell, int last);
  double* look_block(int stage);

  // reduce.cpp
  bool reducible(const Node& node) const;
  void reduce(Node& node);
  void list_live(const Node& node, Reduced& reduced);
  template <typename See>
  void follow_settled(int from, int last, bool homogeneous, const See& see);
  void bound_sizes(const Node& node, const Reduced& reduced, int split, const double* map);
  void impulses(const Reduced& reduced, int split, std::size_t begin, std::size_t count,
                double* map);

  void enter(Node& node, int split, std::uint64_t* pattern, const LayerCell* from);
  void sharpen(LayerCell& cell);

  const PlanarRoot& root_;
  const Tape& tape_;
  const Kernels& kernels_;

  Arena arena_;
  RowMaps maps_;
  Path path_;
  DoubleDoubleMaps sharp_;
  ExactStage exact_;
  std::vector<EdgeLine> lines_;
  std::vector<double*> blocks_;
  RowList opening_;
  std::vector<Probe> probes_;
  std::vector<std::int8_t> vertex_sign_;
  std::vector<std::int32_t> source_;
  std::vector<char> lost_;
  std::vector<std::uint64_t> masks_;
  std::uint64_t next_cell_ = 1;

  // Scratch of looks ahead: maps per stage; what is settled, what is live per split.
  struct Look {
    std::vector<double*> blocks;
    std::vector<LineVector> map;
    std::vector<std::vector<std::uint64_t>> on;
    std::vector<std::vector<std::int32_t>> winner, live;
    std::vector<std::vector<double>> sizes;
    RowList opening;
  } look_;
};

// Receives the regions of one task in depth-first order.
class RegionSink {
 public:
  virtual ~RegionSink() = default;
  virtual void region(Engine& engine, const Polygon& polygon, const std::uint64_t* pattern) = 0;
};

}  // namespace linear_regions
