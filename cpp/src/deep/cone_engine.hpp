// SPDX-License-Identifier: MIT
// ConeEngine: depth-first search over the activation regions of a tape on a domain of any
// dimension, with cells as cones (cone.hpp).
//
// The search is that of engine.hpp: a *layer cell* is a cone on which all earlier splits are
// decided, a *node* a cone inside it on which some of the cutting units are. When regions are only
// counted, the last pointwise layer is not split but counted by sections (cone_count.cpp).
//
// W is the number of 64-bit words of a ray's mask. A cell with more facets than they hold throws
// FacetOverflow; the run is then repeated with wider masks, which changes nothing else.
#pragma once

#include <cstdint>
#include <exception>
#include <span>
#include <vector>

#include "arena.hpp"
#include "deep/cone.hpp"
#include "deep/cone_kernels.hpp"
#include "deep/cone_nodes.hpp"
#include "deep/look_ahead.hpp"
#include "deep/maps.hpp"
#include "deep/path_errors.hpp"
#include "depth_first.hpp"
#include "double_double_maps.hpp"
#include "exact_signs.hpp"
#include "linear_regions/cones.hpp"
#include "linear_regions/run_control.hpp"

namespace linear_regions {

struct FacetOverflow : std::exception {
  const char* what() const noexcept override { return "a cell has more facets than a mask holds"; }
};

template <int W>
class ConeSink;

template <int W>
class ConeEngine : public DepthFirst<ConeEngine<W>, ConeNode<W>, ConeSink<W>> {
  using Search = DepthFirst<ConeEngine<W>, ConeNode<W>, ConeSink<W>>;

 public:
  using typename Search::Hooks;
  using typename Search::Node;
  static constexpr bool kKeepsWay = true;

  // `by_parts`: paths of its parts mean the same whatever W is, for a part that was cut with narrow
  // masks may need wide ones. All rays of a node are then made at once only where narrow masks do.
  ConeEngine(const ConeRoot& root, RunControl& control, bool caller, bool by_parts = false);

  Work work() const;

  // What a sink may ask about the region that is being reported.
  struct Region {
    const Cone<W>& cone;
    const std::int32_t* table;  // bit -> 2 * line + side
    std::int32_t n_bits;
    const std::uint64_t* pattern;
  };
  const ConeRoot& root() const { return root_; }
  const std::vector<PathLine>& lines() const { return lines_; }
  ExactSigns& exact() { return exact_; }
  const Path& path() const { return path_; }
  // A copy of the ray, as precise as doubles are.
  const Ray& listed_ray(const Ray& ray, const Mask<W>& mask, const Region& region);
  // The place of such a ray: the point, or the direction with largest entry 1.
  void write_spot(const Ray& ray, double* spot) const;
  // Points the exact stage at a ray of the region.
  ExactSigns::Ray exact_ray(const Mask<W>& mask, const Region& region);

 private:
  friend DepthFirst<ConeEngine<W>, ConeNode<W>, ConeSink<W>>;
  using LayerCell = ConeLayerCell;

  // Hyperplanes that determine a ray, beside the facets of its mask: the table that explains the
  // mask, the new facet or the sections that it lies on, the anchors.
  struct Through {
    const std::int32_t* table = nullptr;
    std::int32_t n_bits = 0;
    const std::int32_t* lines = nullptr;  // numbers of path lines
    std::int32_t n_lines = 0;
    const std::int32_t* axes = nullptr;
    std::int32_t n_axes = 0;
    std::int32_t direction = -1;  // the axis along which a line is positive
  };

  using Search::caller_;
  using Search::children_;
  using Search::control_;
  using Search::counting;
  using Search::decide;
  using Search::done_weight_;
  using Search::hooks_;
  using Search::push_children;
  using Search::regions_;
  using Search::stack_;
  using Search::tick;
  using Search::work_;

  // cone_engine.cpp; the first four for the search
  void restart();
  bool open(Node& root);
  void expand(std::int32_t index);
  void rewind(const Node& node);
  void forget(const Node& node);
  void leave_layer(std::int32_t index);
  void report(const Node& node, const std::uint64_t* pattern);
  bool last_split(int split) const {
    return split + 1 == static_cast<int>(root_.tape.splits().size());
  }
  std::size_t words_of(const Node& node) const {  // of the signs that its rays carry
    return node.cell != nullptr && node.cell->member_rows != nullptr
               ? static_cast<std::size_t>(node.cell->words)
               : 0;
  }
  Node child_of(std::int32_t parent) const;
  double* own_block(Node& node, const double* parent_block);
  void enter(Node& node, int split, std::uint64_t* pattern);
  void find_rows(LayerCell& cell);

  // cone_cells.cpp: cones and how they are cut
  void start_cone(Node& node);
  void keep_side(Node& node, std::int32_t side);
  void compact(Node& node);
  std::int32_t new_bit(Node& node);
  Ray* new_ray(std::size_t words);
  Ray* copy_ray(const Ray& ray, std::size_t words);
  std::int32_t push_line(const Line& line, const double* row);
  void work_off(std::size_t steps);
  void find_edges(const Mask<W>* mask, std::int32_t n, std::int32_t k, bool simple);
  std::size_t find_pairs(const Mask<W>* mask, std::size_t first, std::size_t rows, std::int32_t k);
  void add_edges(const Mask<W>* mask, std::int32_t n, std::int32_t k, bool simple,
                 std::size_t first, std::size_t found);
  void sort_rays(const std::int8_t* signs, std::int32_t n);
  // Rays where the path line `line` meets the edges of the cone; signs are in positive_ and the
  // like. Fills edges_, fresh_, fresh_mask_.
  void cut_edges(const Node& node, std::int32_t line, std::size_t words);
  Cone<W> side_of_cut(const Node& node, bool positive, std::int32_t bit);
  void split_lines(const Node& node, std::int32_t line, std::int32_t which, std::size_t words);
  Cone<W> side_of_lines(const Node& node, bool positive, std::int32_t bit, std::int32_t which,
                        int sign);
  int sign_of_line(const Node& node, std::int32_t line, std::int32_t which);
  void check_simple(Cone<W>& cone) const;

  // cone_rays.cpp: numbers and signs of rays
  // Where regions are counted and every sign is proved, rays and rows may wait for a sign that they
  // leave open: what they are shows nowhere.
  bool coarse() const { return counting() && root_.arithmetic == Arithmetic::kCertified; }
  // Error of the ray and rounding of d + 1 products and sums; the factor covers the part of the row
  // error that meets the error of the ray.
  double slack_of(const Ray& ray) const {
    return ray.error <= kTrusted
               ? 1.0001 * (ray.error + 1.1 * kRoundoff * static_cast<double>(dim_ + 4))
               : INFINITY;
  }
  double value_at(const double* row, const Ray& ray) const;
  Ray* mix_rays(const Ray& p, const Ray& q, const double* row, const Mask<W>& common,
                const Through& through, std::size_t words);
  void gather_through(const Mask<W>& mask, const Through& through);
  void improve(Ray& ray, const Mask<W>& mask, const Through& through);
  bool keep_independent_rows();
  bool solve(double* x, double* error, bool guess);
  void aim(const Mask<W>& mask, const Through& through);
  void place_exactly(Ray& ray, const Mask<W>& mask, const Through& through);
  // Sign of a row where the error bounds leave no doubt, else 0.
  int float_sign(const double* row, const Ray& ray) const;
  bool exactly_zero(const double* row, const Ray& ray) const;
  // Sign of a line with this row (d + 1 coefficients, e, N) at a ray: float, else exact.
  int sign_at(const Line& line, const double* row, Ray& ray, const Mask<W>& mask,
              const Through& through);
  int exact_sign(const Line& line, const Mask<W>& mask, const Through& through);

  struct Sides {
    bool more = false, less = false;  // somewhere strictly
  };

  // cone_pointwise.cpp
  bool enter_pointwise(Node& node, LayerCell& cell);
  void classify_cuts(Node& node, LayerCell& cell);
  Sides sides_of_cut(const LayerCell& cell, std::int32_t cut, Node& node, const Through& through);
  void make_cut_rows(LayerCell& cell);
  int sign_of_cut(const LayerCell& cell, std::int32_t cut, Ray& ray, const Mask<W>& mask,
                  const Through& through);
  int vanishing_sign(const LayerCell& cell, std::int32_t cut, const Ray& ray) const;
  void cut_row(const LayerCell& cell, std::int32_t cut, double* row);
  double cut_error(const LayerCell& cell, std::int32_t cut, double error, double norm);
  bool tighten(const LayerCell& cell, const std::uint64_t* open);
  bool zero_cut(const LayerCell& cell, std::int32_t cut, const double* row);
  void base_pointwise(LayerCell& cell);
  void open_fixed_units(const LayerCell& cell, const Pointwise& pointwise, std::size_t n);
  void bound_members(LayerCell& cell);
  void gather_members(Node& node, LayerCell& cell);
  void ray_signs(const LayerCell& cell, Ray& ray, const Mask<W>& mask, const Through& through,
                 const std::uint64_t* wanted);
  void first_look(const LayerCell& cell, Ray* const* rays, std::size_t n,
                  const std::uint64_t* wanted);
  bool all_signed(const LayerCell& cell, Ray& ray, const std::uint64_t* wanted) const;
  bool cuts_line(const LayerCell& cell, std::int32_t cut, const Node& node);
  int line_sign(const LayerCell& cell, std::int32_t cut, const Cone<W>& cone,
                const std::int32_t* table, std::int32_t n_bits, std::int32_t j);
  void line_signs(const LayerCell& cell, const Cone<W>& cone, const std::int32_t* table,
                  std::int32_t n_bits, const std::uint64_t* wanted);
  void sign_fresh_rays(const Node& parent, std::int32_t line, const std::uint64_t* wanted);
  void sign_moved_rays(const Node& parent, std::int32_t line, const std::uint64_t* wanted);
  void sign_end(Node& child, const Node& parent, std::int32_t which, const std::uint64_t* wanted,
                std::int32_t u, bool positive);
  std::int32_t choose_member(const Node& node, std::int32_t& which) const;
  void expand_pointwise(std::int32_t index);
  void finish_child(Node& child, const Node& parent, const std::uint64_t* wanted, std::int32_t u,
                    bool positive);
  void fix_members(Node& child, const Node& parent);
  void push_fixed_unit(Node& child, const Node& parent, std::int32_t member);
  void leave_pointwise(const Node& node, std::uint64_t* pattern);
  // Do all outputs of the node's layer vanish on the ray, and with them all inputs of the next
  // stage?
  bool vanishes_beyond(const Node& node, const Ray& ray) const {
    return !ray.alive && members_vanish(node, ray);  // most rays are alive
  }
  bool members_vanish(const Node& node, const Ray& ray) const;

  // cone_vertices.cpp
  struct Section {
    std::int32_t k = 0;
    bool simple = true;
    std::size_t first_new = 0;  // rays before it are rays of the section above
    std::vector<Ray*> ray;
    std::vector<Mask<W>> mask;  // facets of the whole cell
    std::vector<std::int32_t> cutting;
  };
  bool find_vertices(Node& node);
  std::size_t cut_sections(const Node& node, std::size_t depth,
                           const std::vector<std::int32_t>& units);
  bool cutting_units(const Section& section, std::size_t words, std::span<const std::int32_t> units,
                     std::vector<std::int32_t>& cutting) const;
  void make_corners(const Node& node, std::size_t depth);
  void keep_vertices(Node& node);
  void split_list(std::int32_t index, const Node& parent);
  template <int N>
  void halve_list(const Node& parent, std::int32_t u, Node* sides);
  void collect_cone(Node& node);

  // cone_listing.cpp: all cells of a node of the last layer at once
  struct Listing {
    int words = 0;                 // of a set of rays
    bool faces = false;            // are rays listed, too?
    std::vector<double> spot;      // per ray: the point, or the direction; stride_ numbers each
    std::uint64_t placed[8] = {};  // with faces: rays whose spots are final
    std::vector<std::uint64_t> on_bit;  // with faces, per facet bit: the rays on it
    std::vector<std::int32_t> facets;   // of a cell
    std::vector<Mask<W>> mask;
    std::uint64_t far[8] = {};                  // rays at infinity
    std::vector<std::int32_t> member;           // units that cut the node
    std::vector<std::uint64_t> above, below;    // per unit: the rays strictly on its sides
    std::vector<std::int32_t> unit_bit;         // of the pattern, per unit
    std::vector<std::uint64_t> pattern, found;  // of the node, of a cell
    std::vector<const double*> row;             // per facet bit; none at infinity
    std::vector<int> side;                      // per facet bit, where the unit is decided
    std::vector<std::int32_t> open;             // per facet bit: the unit by number, else -1
    std::vector<double> point;                  // of a cell, then the direction
  };
  bool lists_at_once(const Node& node) const;
  void list_at_once(const Node& node);
  void prepare_listing(const Node& node);
  template <int N>
  void list_cells(const Node& node, const std::uint64_t* in, std::uint64_t open, std::uint64_t on);
  template <int N>
  void list_cell(const Node& node, const std::uint64_t* in, std::uint64_t on);
  template <int N>
  void list_slowly(const Node& node, const std::uint64_t* in, std::uint64_t on);
  bool proved_inside(std::uint64_t on, const double* point) const;
  template <int N>
  void place_spots(const Node& node, const std::uint64_t* in, std::uint64_t on);
  void set_sides(const Node& node, std::uint64_t on);
  int side_of_bit(std::int32_t bit, std::uint64_t on) const {
    const std::int32_t unit = listing_.open[static_cast<std::size_t>(bit)];
    if (unit < 0) return listing_.side[static_cast<std::size_t>(bit)];
    return (on >> unit & 1) != 0 ? 1 : -1;
  }
  template <int N>
  void find_facets(const Node& node, const std::uint64_t* in, const Mask<W>& seen);

  // cone_leaves.cpp
  bool leads_to_count(const LayerCell& cell) const;
  bool ends_here(LayerCell& cell, const Node& node);
  void count_leaf(Node& leaf, const Node& parent);
  template <typename Open>
  void count_rays(Node& leaf, const Open& open);
  void open_leaf(Node& leaf, LayerCell& last);
  void look_beyond(Node& leaf, LayerCell& last);
  void look_again(Node& leaf, LayerCell& last, std::int32_t ray, std::uint64_t wanted);
  void make_last_rows(const VertexSet<W>& set, LayerCell& last);
  const double* rows_beyond(const VertexSet<W>& set, const LayerCell& last);
  void fill_values();
  void open_units(const LayerCell& cell, const Node& node, const std::vector<std::int32_t>& cuts,
                  std::size_t rays);

  // cone_few.cpp
  struct FewCell;
  template <int N>
  struct Few;
  bool count_few(const Node& node);
  template <int N>
  void count_few_words(const Node& node);
  template <int N>
  void split_few(Few<N>& few, const typename Few<N>::Rays& rays, FewCell& cell);
  template <int N>
  void leaf_few(Few<N>& few, const typename Few<N>::Rays& rays, FewCell& cell);
  double* block_of(FewCell& cell, Node& child, Node& above);

  // cone_count.cpp
  struct Level {
    std::int32_t n = 0, k = 0;
    bool simple = true;
    LineVector value;  // n rows of lead_ values
    std::vector<std::uint64_t> positive, negative;
    std::vector<Mask<W>> mask;
    std::vector<double> slack;
    // The signs unit by unit: `words` words of positive rays, then as many of negative ones.
    std::size_t words = 0;
    std::vector<std::uint64_t> columns;
    // Where find_sizes was asked: four runs per unit, see ConeKernels::sizes.
    LineVector sizes;
    double share[64] = {};  // largest bound of a size over the size, per unit

    const std::uint64_t* column(std::int32_t unit) const {
      return columns.data() + 2 * words * static_cast<std::size_t>(unit);
    }
    void fill_columns(std::uint64_t units, const ConeKernels& kernels);
    std::int32_t smaller_side(std::int32_t unit) const;  // rays there
    struct Strict {
      std::uint64_t more = 0, less = 0;  // units that are positive (negative) at some ray
    };
    Strict strict() const;

    void make_room(std::size_t rays, std::size_t lead) {
      const std::size_t room = padded(rays);  // kernels take eight at a time
      if (value.size() < room * lead) value.resize(2 * room * lead);
      if (mask.size() >= room) return;
      positive.resize(2 * room);
      negative.resize(2 * room);
      slack.resize(2 * room);
      mask.resize(2 * room);
    }
  };
  std::uint64_t count_cone(const LayerCell& cell, const Node& node,
                           const std::vector<std::int32_t>& cuts);
  struct UnitGraph {
    std::uint64_t meets[64], same[64];  // of the units asked for
  };
  std::uint64_t count_sections(std::int32_t depth, std::uint64_t units,
                               const UnitGraph* known = nullptr);
  bool pairs_on_section(const Level& level, std::int32_t u, std::uint64_t met,
                        const UnitGraph& graph, std::uint64_t& pairs) const;
  std::uint64_t count_level(const UnitGraph* known);
  std::uint64_t count_list(const Node& leaf, const LayerCell& last, std::uint64_t cutting,
                           const UnitGraph* known);
  std::uint64_t count_by_rays(const VertexSet<W>& set, const std::int32_t* list, std::int32_t n,
                              std::uint64_t cutting, UnitGraph& graph, bool& complete) const;
  enum class Meeting { kInside, kOutside, kOpen };
  struct Steepness {
    double low, high;
  };
  void find_meetings(std::int32_t depth, std::uint64_t units, UnitGraph& graph);
  unsigned hidden_quadrants(const Level& level, std::int32_t u, std::int32_t v) const;
  void find_sizes(Level& level, std::uint64_t units);
  Meeting meeting_beyond(const Level& level, std::int32_t u, std::int32_t v, unsigned hidden) const;
  Steepness steepest(const Level& level, std::int32_t u, std::int32_t v, const std::uint64_t* us,
                     const std::uint64_t* vs) const;
  bool all_signs(const Level& level, std::int32_t u, std::uint64_t others) const;
  void meet_exactly(std::int32_t depth, std::int32_t u, std::int32_t v, UnitGraph& graph);
  void make_section(std::int32_t depth, std::int32_t unit, std::uint64_t earlier);
  void resolve(Level& level, std::int32_t ray, std::uint64_t wanted);
  std::uint64_t distinct_crossings(Level& level, std::uint64_t units);
  std::uint64_t exactly_distinct(const Level& level, std::uint64_t units);
  bool resolve_values(Level& level, std::int32_t ray);
  double unit_error(std::int32_t unit) const {
    return unit_columns_[width_ * lead_ + static_cast<std::size_t>(unit)];
  }
  double unit_norm(std::int32_t unit) const {
    return unit_columns_[(width_ + 1) * lead_ + static_cast<std::size_t>(unit)];
  }

  // cone_max.cpp
  bool enter_max(Node& node, LayerCell& cell);
  void expand_max(std::int32_t index);
  void leave_max(const Node& node, std::uint64_t* pattern);
  int compare_at(const LayerCell& cell, std::int32_t a, std::int32_t b, Ray& ray,
                 const Mask<W>& mask, const Through& through);
  bool pair_row(const LayerCell& cell, std::int32_t a, std::int32_t b, double* row) const;
  bool entry_zero(const LayerCell& cell, std::int32_t a) const;
  Sides compare(const LayerCell& cell, std::int32_t a, std::int32_t b, const Node& node);
  std::int32_t find_winner(const LayerCell& cell, std::int32_t window, const Node& node);
  bool clip_to_winner(const LayerCell& cell, std::int32_t window, std::int32_t entry, Node& node);
  int pair_line_sign(const LayerCell& cell, std::int32_t a, std::int32_t b, const Node& node,
                     std::int32_t j);

  const ConeRoot& root_;
  const Tape& tape_;
  const ConeKernels& kernels_;
  const std::size_t dim_, width_, stride_;  // d, d + 1, and d + 1 padded
  const bool by_parts_;

  Arena arena_;
  DeepMaps maps_;
  LookAhead look_ahead_;
  Path path_;
  PathErrors path_errors_;
  DoubleDoubleMaps sharp_;
  ExactSigns exact_;
  std::vector<PathLine> lines_;
  std::vector<double*> blocks_;
  DeepRows opening_;
  // Scratch, used up before anything else runs.
  LineVector beyond_rows_;
  std::vector<std::uint64_t> masks_, seen_;
  std::vector<const double*> probes_;
  std::vector<std::int8_t> sign_;
  std::vector<std::int32_t> positive_, negative_, zero_;
  std::vector<Edge> edges_;
  std::vector<std::uint64_t> positive_mask_, negative_mask_;
  std::vector<std::int32_t> pair_first_, pair_second_;
  std::vector<Ray*> fresh_;
  std::vector<Mask<W>> fresh_mask_;
  std::vector<Ray*> fresh_line_;
  std::vector<std::int32_t> fresh_anchor_;
  std::vector<const double*> through_rows_;
  std::vector<Line> through_lines_;
  std::vector<double> matrix_, row_, other_row_, cut_row_;
  LineVector solve_work_;
  std::vector<std::int32_t> line_axes_;
  bool line_cut_ =
      false;  // the layer cell that was entered last has a cut that is not zero on a line
  std::vector<std::int32_t> solve_place_;
  std::vector<char> lost_;
  std::vector<std::int32_t> own_;
  // All rays of a node.
  static constexpr std::uint64_t kLongWork = 4096;  // new rays between two looks at the run control
  static constexpr std::size_t kPairsAStep = 64;    // that take as long as a new ray
  static constexpr std::size_t kPairsAtOnce = 1 << 16;
  std::vector<Section> sections_;
  std::vector<Ray*> vertices_;
  std::vector<Mask<W>> vertex_masks_;
  std::vector<std::int32_t> vertex_members_, vertex_way_;
  std::vector<std::uint64_t> vertex_wanted_, vertex_open_, half_signs_;
  std::vector<double*> few_blocks_;  // by depth, in the arena
  // A look at the last layer.
  std::vector<std::int32_t> look_rays_;
  std::vector<const double*> look_at_;
  std::vector<double> look_slack_;
  std::vector<std::uint64_t> look_signs_;
  std::vector<float*> look_sizes_;
  std::size_t most_vertices_ = 0;
  std::int32_t first_vertex_line_ = 0;
  Listing listing_;
  // Counting by sections.
  std::vector<Level> levels_;
  std::vector<const Ray*> level_rays_;  // of the first level
  bool values_filled_ = false;          // of the first level
  std::size_t lead_ = 0;
  LineVector unit_rows_, unit_columns_;  // of the units that are counted: by row and by column
  std::vector<std::int32_t> list_cuts_, section_;
  std::vector<double> section_at_;  // of the edges
  const LayerCell* counted_ = nullptr;
  Through count_through_;
  std::int32_t first_unit_line_ = 0;
  double count_length_ = 2.0;
  std::uint64_t since_tick_ = 0;

  std::uint64_t next_cell_ = 1;
};

// Receives the regions of one task in depth-first order.
template <int W>
class ConeSink {
 public:
  virtual ~ConeSink() = default;
  // With vertices, which are to be as precise as doubles are.
  bool lists_rays = true;
  // Does it take regions that are listed at once? Between begin() and end(), by region() and
  // listed(); drop() where the run was stopped in between.
  bool at_once = true;
  virtual void begin() {}
  virtual void listed(ConeEngine<W>& /*engine*/, const ConeListed& /*cell*/) {}
  virtual void end() {}
  virtual void drop() {}
  virtual void region(ConeEngine<W>& engine, const typename ConeEngine<W>::Region& region) = 0;
};

}  // namespace linear_regions
