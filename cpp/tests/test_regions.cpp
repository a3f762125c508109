// SPDX-License-Identifier: MIT
// Questions about listed regions: mates of facets, rows, classes of maps, the region of a point,
// sizes, components. The sanitizers run this.
#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <set>
#include <string>

#include "check.hpp"
#include "linear_regions/cones.hpp"
#include "linear_regions/region_maps.hpp"
#include "linear_regions/region_sizes.hpp"
#include "linear_regions/region_table.hpp"
#include "networks.hpp"

namespace {

using namespace linear_regions;
using samples::cube;
using samples::space;

bool go() {
  return true;
}

ConeBlock list(const Tape& tape, const DomainFrame& domain) {
  RunControl control;
  std::vector<ConeBlock> blocks;
  CHECK(list_cones(tape, domain, Arithmetic::kCertified, control, blocks).status ==
        Status::kComplete);
  return joined(std::move(blocks));
}

// Counts as they stand in a block, summed to where each region or facet begins.
template <class Counts>
std::vector<std::int64_t> starts(const Counts& counts) {
  std::vector<std::int64_t> out(1, 0);
  for (const auto count : counts) out.push_back(out.back() + static_cast<std::int64_t>(count));
  return out;
}

std::vector<FacetLabel> labels_of(const ConeBlock& block) {
  std::vector<FacetLabel> out;
  for (std::size_t i = 0; i < block.labels.size(); i += 3)
    out.push_back({block.labels[i], block.labels[i + 1], block.labels[i + 2]});
  return out;
}

std::span<const std::uint64_t> pattern(const ConeBlock& block, std::size_t r) {
  return std::span(block.patterns).subspan(r * block.words, block.words);
}

// Two layers of two inputs or more and a linear output.
Tape with_output(const std::vector<std::size_t>& widths, unsigned seed, int scale) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int> whole(-scale, scale);
  Tape tape(widths[0]);
  int slot = 0;
  for (std::size_t i = 1; i < widths.size(); ++i) {
    std::vector<double> weight(widths[i] * widths[i - 1]), bias(widths[i]);
    for (double& w : weight) w = whole(random);
    for (double& b : bias) b = whole(random);
    slot = tape.dense(slot, weight, bias);
    if (i + 1 < widths.size()) slot = samples::pointwise(tape, slot, widths[i], samples::relu());
  }
  tape.finish();
  return tape;
}

// --- mates
// ----------------------------------------------------------------------------------------

TEST(mates_are_symmetric_and_part_patterns_by_their_label) {
  for (const std::size_t d : {3, 4, 5}) {
    const ConeBlock block = list(samples::mlp({d, 6, 4}, 1), cube(d, 1.0));
    const auto facet_start = starts(block.facet_counts);
    const auto labels = labels_of(block);
    const auto mates = facet_mates({block.patterns, block.n, block.words, facet_start, labels});
    CHECK_EQUAL(mates.size(), labels.size());
    std::size_t inner = 0;
    for (std::size_t r = 0; r < block.n; ++r)
      for (auto f = facet_start[r]; f < facet_start[r + 1]; ++f) {
        const FacetLabel& label = labels[static_cast<std::size_t>(f)];
        const std::int64_t mate = mates[static_cast<std::size_t>(f)];
        CHECK_EQUAL(mate >= 0, label.bit >= 0);  // generic: one unit changes across a facet
        if (mate < 0) continue;
        ++inner;
        CHECK_EQUAL(mates[static_cast<std::size_t>(mate)], f);
        const auto owner = std::upper_bound(facet_start.begin(), facet_start.end(), mate);
        const auto q = static_cast<std::size_t>(owner - facet_start.begin()) - 1;
        const auto mine = pattern(block, r), other = pattern(block, q);
        for (std::size_t w = 0; w < block.words; ++w) {
          const std::uint64_t bit =
              static_cast<std::size_t>(label.bit) / 64 == w ? label.flip() << (label.bit & 63) : 0;
          CHECK_EQUAL(mine[w] ^ other[w], bit);
        }
      }
    CHECK(inner > 0 && inner % 2 == 0);
  }
}

TEST(a_code_across_two_words_finds_its_mate) {
  // Two regions of 70 bits that differ in the window code at bits 62 to 65: 5 here, 10 there.
  const std::vector<std::uint64_t> patterns = {std::uint64_t{5} << 62, 5 >> 2,
                                               std::uint64_t{10} << 62, 10 >> 2};
  const std::vector<std::int64_t> start = {0, 2, 3};
  const std::vector<FacetLabel> labels = {{-1, -1, -1}, {62, 5, 10}, {62, 10, 5}};
  const auto mates = facet_mates({patterns, 2, 2, start, labels});
  CHECK((mates == std::vector<std::int64_t>{-1, 2, 1}));
}

TEST(mates_are_left_out_where_the_work_is_stopped) {
  const std::vector<std::uint64_t> patterns = {0, 1};
  const std::vector<FacetLabel> labels = {{0, -1, -1}, {0, -1, -1}};
  const std::vector<std::int64_t> start = {0, 1, 2};
  CHECK(facet_mates({patterns, 2, 1, start, labels}, [] { return false; }).empty());
  int asked = 0;  // once for the index, then for the facets
  CHECK(facet_mates({patterns, 2, 1, start, labels}, [&] { return ++asked < 2; }).empty());
  CHECK_EQUAL(asked, 2);
}

TEST(columns_that_do_not_fit_together_are_refused) {
  const std::vector<std::uint64_t> patterns = {0, 1};
  const std::vector<FacetLabel> labels = {{0, -1, -1}, {0, -1, -1}};
  const std::vector<std::int64_t> good = {0, 1, 2}, falling = {0, 2, 1}, late = {1, 1, 2};
  CHECK_EQUAL(facet_mates({patterns, 2, 1, good, labels})[0], 1);
  for (const auto& start : {falling, late})
    CHECK_THROWS(facet_mates({patterns, 2, 1, start, labels}), std::invalid_argument);
  CHECK_THROWS(facet_mates({patterns, 3, 1, good, labels}), std::invalid_argument);
  const std::vector<FacetLabel> beyond = {{64, -1, -1}, {0, -1, -1}},
                                half = {{0, 1, -1}, {0, -1, -1}};
  for (const auto& wrong : {beyond, half})
    CHECK_THROWS(facet_mates({patterns, 2, 1, good, wrong}), std::invalid_argument);
  CHECK(facet_mates({{}, 0, 1, std::vector<std::int64_t>{0}, {}}).empty());
}

// --- rows and labels
// ------------------------------------------------------------------------------

TEST(facet_rows_lie_within_their_errors_of_the_listed_rows) {
  const Tape tape = samples::mlp({3, 8, 6}, 2);
  const DomainFrame domain = space(3);  // no sides: all facets are those of units
  const ConeBlock block = list(tape, domain);
  const auto facet_start = starts(block.facet_counts);
  const auto labels = labels_of(block);
  const FacetRows found = facet_rows(tape, domain, block.patterns, facet_start, labels);
  CHECK_EQUAL(found.rows.size(), 4 * labels.size());
  for (std::size_t r = 0; r < block.n; ++r)
    for (auto f = facet_start[r]; f < facet_start[r + 1]; ++f) {
      const auto at = static_cast<std::size_t>(f);
      CHECK(found.errors[at] >= 0.0 && found.errors[at] < 1e-10);
      double value = found.rows[4 * at + 3];
      for (std::size_t k = 0; k < 3; ++k) value += found.rows[4 * at + k] * block.points[3 * r + k];
      CHECK(value > 0.0);  // the interior point is inside
    }
}

TEST(cell_labels_name_every_facet) {
  const Tape tape = samples::mlp({4, 6, 5}, 3, 2);
  const ConeBlock block = list(tape, space(4));
  const auto facet_start = starts(block.facet_counts);
  const auto labels = labels_of(block);
  for (std::size_t r = 0; r < block.n; ++r) {
    std::set<std::int32_t> bits;
    for (const FacetLabel& label : cell_labels(tape, pattern(block, r))) bits.insert(label.bit);
    for (auto f = facet_start[r]; f < facet_start[r + 1]; ++f)
      CHECK(bits.contains(labels[static_cast<std::size_t>(f)].bit));
  }
  CHECK_THROWS(cell_labels(tape, std::vector<std::uint64_t>(3, 0)), std::invalid_argument);
}

TEST(exact_rows_are_the_integers_of_the_units) {
  Tape tape(3);
  const int slot =
      tape.dense(0, std::vector<double>{1, 2, 0, 0, 0.5, -1}, std::vector<double>{-3, 1});
  samples::pointwise(tape, slot, 2, samples::relu());
  tape.finish();
  const std::vector<std::uint64_t> on = {3};
  const std::vector<FacetLabel> labels = {{0, -1, -1}, {1, -1, -1}};
  const auto rows = exact_facet_rows(tape, space(3), on, labels);
  const auto number = [&](std::size_t i) { return std::stol(rows[i], nullptr, 16); };
  CHECK_EQUAL(rows.size(), std::size_t{8});
  for (std::size_t i = 0; i < 2; ++i) {
    const double scale = i == 0 ? static_cast<double>(number(0)) : static_cast<double>(number(7));
    const double expected[2][4] = {{1, 2, 0, -3}, {0, 0.5, -1, 1}};
    for (std::size_t k = 0; k < 4; ++k)
      CHECK_EQUAL(static_cast<double>(number(4 * i + k)), scale * expected[i][k]);
  }
}

// --- maps
// -----------------------------------------------------------------------------------------

// The map of a ReLU network of these layers at a pattern, by the definition, in exact small
// numbers.
TEST(classes_of_maps_are_those_of_exact_products) {
  const std::size_t d = 3, hidden = 6;
  for (unsigned seed = 0; seed < 6; ++seed) {
    std::mt19937_64 random(seed);
    std::uniform_int_distribution<int> whole(-1, 1);
    std::vector<double> first(hidden * d), bias(hidden), second(hidden);
    for (auto* values : {&first, &bias, &second})
      for (double& x : *values) x = whole(random);
    Tape tape(d);
    int slot = samples::pointwise(tape, tape.dense(0, first, bias), hidden, samples::relu());
    tape.dense(slot, second, std::vector<double>{0.0});
    tape.finish();
    const ConeBlock block = list(tape, cube(d, 1.0));
    const MapClasses found = map_classes(tape, cube(d, 1.0), block.patterns, block.n, go);
    CHECK(found.complete);
    std::map<std::vector<int>, std::int64_t> expected;
    for (std::size_t r = 0; r < block.n; ++r) {
      std::vector<int> map(d + 1, 0);
      for (std::size_t u = 0; u < hidden; ++u) {
        if (((block.patterns[r] >> u) & 1) == 0) continue;
        for (std::size_t k = 0; k < d; ++k)
          map[k] += static_cast<int>(second[u] * first[u * d + k]);
        map[d] += static_cast<int>(second[u] * bias[u]);
      }
      const auto number = static_cast<std::int64_t>(expected.size());
      CHECK_EQUAL(found.of[r], expected.emplace(map, number).first->second);
    }
    CHECK_EQUAL(found.n, static_cast<std::int64_t>(expected.size()));
  }
}

TEST(classes_of_maps_stop_when_they_are_told_to) {
  const Tape tape = with_output({3, 20, 12, 1}, 1, 3);
  const ConeBlock block = list(tape, cube(3, 1.0));
  CHECK(!map_classes(tape, cube(3, 1.0), block.patterns, block.n, [] { return false; }).complete);
}

// --- the region of a point
// ------------------------------------------------------------------------

DomainFrame at(const double* point, std::size_t d) {
  DomainFrame frame;
  frame.columns = {std::vector<double>(point, point + d)};
  return frame;
}

TEST(interior_points_are_located_in_their_regions_from_any_guess) {
  for (const int scale : {0, 2}) {
    const Tape tape = samples::mlp({3, 6, 5}, 4, scale);
    const DomainFrame domain = cube(3, 1.0);
    const ConeBlock block = list(tape, domain);
    for (std::size_t r = 0; r < block.n; r += 3) {
      if (!std::isfinite(block.points[3 * r])) continue;
      const DomainFrame point = at(block.points.data() + 3 * r, 3);
      for (std::size_t guess : {r, std::size_t{0}, block.n - 1}) {
        const Located found = locate(tape, domain, point, pattern(block, guess), go);
        CHECK(found.on.empty() && !found.stopped);
        CHECK(std::ranges::equal(found.pattern, pattern(block, r)));
      }
    }
  }
}

TEST(a_point_on_a_facet_names_the_units_that_change) {
  Tape tape(3);
  const int slot =
      tape.dense(0, std::vector<double>{1, 0, 0, 0, 1, 0, 0, 0, 1}, std::vector<double>{0, 0, -1});
  samples::pointwise(tape, slot, 3, samples::relu());
  tape.finish();
  const double corner[3] = {0.0, 0.0, 0.5};
  const Located found =
      locate(tape, cube(3, 1.0), at(corner, 3), std::vector<std::uint64_t>{7}, go);
  std::set<std::int32_t> bits;
  for (const FacetLabel& label : found.on) bits.insert(label.bit);
  CHECK((bits == std::set<std::int32_t>{0, 1}));
}

// --- lines, components
// ----------------------------------------------------------------------------

TEST(essential_rows_span_what_the_first_layer_reads) {
  const Tape tape = samples::mlp({5, 2, 3}, 5);
  CHECK_EQUAL(essential_rows(tape, space(5)).size(), std::size_t{2 * 5});
  CHECK_EQUAL(essential_rows(tape, cube(5, 1.0)).size(), std::size_t{5 * 5});
}

TEST(components_are_numbered_by_first_occurrence) {
  const std::vector<std::int64_t> i = {5, 1, 3}, j = {1, 4, 2};
  CHECK((components(6, i, j) == std::vector<std::int64_t>{0, 1, 2, 2, 1, 1}));
  CHECK(components(0, {}, {}).empty());
}

// --- sizes
// ----------------------------------------------------------------------------------------

struct Corners {
  std::vector<std::int64_t> vertex_start, facet_start, corner_start, corners;
  CornerColumns view(const ConeBlock& block) const {
    return {block.vertices, block.dim, vertex_start, facet_start, corner_start, corners};
  }
};

Corners corners_of(const ConeBlock& block) {
  Corners c{
      starts(block.vertex_counts), starts(block.facet_counts), starts(block.corner_counts), {}};
  for (std::size_t r = 0; r < block.n; ++r)
    for (auto k = c.corner_start[static_cast<std::size_t>(c.facet_start[r])];
         k < c.corner_start[static_cast<std::size_t>(c.facet_start[r + 1])]; ++k)
      c.corners.push_back(c.vertex_start[r] + block.corners[static_cast<std::size_t>(k)]);
  return c;
}

TEST(volumes_of_regions_add_up_to_that_of_the_cube) {
  for (const std::size_t d : {3, 4, 5, 6})
    for (const int scale : {0, 2}) {
      const ConeBlock block = list(samples::mlp({d, 5, 3}, 1, scale), cube(d, 1.0));
      const Corners c = corners_of(block);
      double total = 0.0;
      for (const double size : region_sizes(c.view(block), go)) {
        CHECK(size > 0.0);
        total += size;
      }
      const double whole = std::pow(2.0, static_cast<double>(d));
      CHECK(std::fabs(total / whole - 1.0) < 1e-9);
    }
}

TEST(a_cube_of_nine_dimensions_and_its_facets_have_their_sizes) {
  Tape tape(9);
  std::vector<double> weight(9, 0.0);
  weight[0] = 1.0;
  samples::pointwise(tape, tape.dense(0, weight, std::vector<double>{9.0}), 1, samples::relu());
  tape.finish();
  const ConeBlock block = list(tape, cube(9, 0.5));
  const Corners c = corners_of(block);
  CHECK(std::fabs(region_sizes(c.view(block), go).at(0) - 1.0) < 1e-9);
  const std::vector<std::int64_t> facets = {17, 0, 4};
  for (const double size : facet_sizes(c.view(block), facets, go))
    CHECK(std::fabs(size - 1.0) < 1e-9);
}

TEST(sizes_are_infinite_where_there_are_directions_and_stop_when_they_are_told_to) {
  const ConeBlock block = list(samples::mlp({3, 3}, 1), space(3));
  const Corners c = corners_of(block);
  const auto sizes = region_sizes(c.view(block), go);
  CHECK_EQUAL(sizes.size(), std::size_t{8});
  for (const double size : sizes) CHECK(std::isinf(size));
  CHECK(std::isinf(facet_sizes(c.view(block), std::vector<std::int64_t>{0}, go).at(0)));
  CHECK(region_sizes(c.view(block), [] { return false; }).empty());
  CHECK_THROWS(facet_sizes(c.view(block), std::vector<std::int64_t>{1000}, go),
               std::invalid_argument);
  Corners wrong = c;
  wrong.corners.back() = 1 << 20;
  CHECK_THROWS(region_sizes(wrong.view(block), go), std::invalid_argument);
  wrong = c;
  wrong.corner_start.pop_back();
  CHECK_THROWS(region_sizes(wrong.view(block), go), std::invalid_argument);
}

}  // namespace

TEST_MAIN()
