// SPDX-License-Identifier: MIT
// Cones: known numbers, ties, many rays, facets and cutting units, threads, stopping. The
// sanitizers run this.
#include "linear_regions/cones.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>

#include "../src/deep/cone_kernels.hpp"
#include "check.hpp"
#include "linear_regions/deep_tree.hpp"
#include "networks.hpp"

namespace {

using namespace linear_regions;
using samples::cube;
using samples::space;

void add_side(DomainFrame& frame, const std::vector<double>& row) {
  frame.sides.insert(frame.sides.end(), row.begin(), row.end());
}

// Between `n` planes that touch a cylinder and two that close it: n corners above and below.
DomainFrame prism(std::size_t n) {
  DomainFrame frame = space(3);
  for (std::size_t i = 0; i < n; ++i) {
    const double angle = 6.283185307179586 * static_cast<double>(i) / static_cast<double>(n);
    add_side(frame, {std::cos(angle), std::sin(angle), 0.0, 1.0});
  }
  add_side(frame, {0, 0, 1, 1});
  add_side(frame, {0, 0, -1, 1});
  return frame;
}

DomainFrame polygon(std::size_t n) {
  DomainFrame frame = space(2);
  for (std::size_t i = 0; i < n; ++i) {
    const double angle = 6.283185307179586 * static_cast<double>(i) / static_cast<double>(n);
    add_side(frame, {std::cos(angle), std::sin(angle), 1.0});
  }
  return frame;
}

std::uint64_t count(const Tape& tape, const DomainFrame& domain, unsigned threads = 1) {
  RunControl control;
  control.threads = threads;
  const ConeResult result = count_cones(tape, domain, Arithmetic::kCertified, control);
  CHECK(result.status == Status::kComplete);
  return result.regions;
}

std::uint64_t by_tree(const Tape& tape, const DomainFrame& domain) {
  RunControl control;
  return count_tree(tape, domain, Arithmetic::kCertified, control).regions;
}

ConeBlock list(const Tape& tape, const DomainFrame& domain, RunControl& control,
               bool faces = true) {
  std::vector<ConeBlock> blocks;
  list_cones(tape, domain, Arithmetic::kCertified, control, blocks, faces);
  return joined(std::move(blocks));
}
ConeBlock list(const Tape& tape, const DomainFrame& domain, unsigned threads = 1) {
  RunControl control;
  control.threads = threads;
  return list(tape, domain, control);
}

std::size_t different(const ConeBlock& block) {
  std::set<std::vector<std::uint64_t>> set;
  for (std::size_t i = 0; i < block.n; ++i)
    set.emplace(block.patterns.begin() + static_cast<std::ptrdiff_t>(i * block.words),
                block.patterns.begin() + static_cast<std::ptrdiff_t>((i + 1) * block.words));
  return set.size();
}

// One ReLU unit x_i - x_j per pair.
Tape braid(std::size_t d) {
  Tape tape(d);
  std::vector<double> weight;
  std::size_t n = 0;
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < i; ++j, ++n)
      for (std::size_t k = 0; k < d; ++k) weight.push_back((k == i ? 1.0 : 0.0) - (k == j ? 1 : 0));
  const int slot = tape.dense(0, weight, std::vector<double>(n, 0.0));
  samples::pointwise(tape, slot, n, samples::relu());
  tape.finish();
  return tape;
}

TEST(hyperplanes_in_general_position_give_zaslavskys_number) {
  CHECK_EQUAL(count(samples::mlp({3, 12}, 1), space(3)), 1u + 12 + 66 + 220);
  CHECK_EQUAL(count(samples::mlp({5, 7}, 1), space(5)), 1u + 7 + 21 + 35 + 35 + 21);
  CHECK_EQUAL(count(samples::mlp({9, 4}, 1), space(9)), 16u);  // five lines are left
  // More cutting units than a word of signs holds.
  CHECK_EQUAL(count(samples::mlp({3, 67}, 1), space(3)), 1u + 67 + 2211 + 47905);
}

TEST(ties_are_counted_as_the_tree_counts_them) {
  CHECK_EQUAL(count(braid(4), space(4)), 24u);
  CHECK_EQUAL(count(braid(4), cube(4, 1.0)), 24u);
  for (unsigned seed = 0; seed < 4; ++seed)
    for (const DomainFrame& domain : {space(3), cube(3, 1.0)}) {
      const Tape tape = samples::mlp({3, 4, 3}, seed, 1);
      const std::uint64_t expected = by_tree(tape, domain);
      CHECK_EQUAL(count(tape, domain), expected);
      if (domain.n_sides() > 0) CHECK_EQUAL(different(list(tape, domain)), expected);
    }
}

TEST(deep_cells_of_more_than_64_rays_are_counted_right) {
  for (unsigned seed = 0; seed < 2; ++seed) {
    const Tape tape = samples::mlp({7, 3, 3}, seed);  // a cube of seven dimensions: 128 corners
    CHECK_EQUAL(count(tape, cube(7, 1.0)), by_tree(tape, cube(7, 1.0)));
  }
}

// Layers that cut one cell with more units than a word of signs holds are split by single units
// until few enough are left: the last layer, which is then counted, and one before it.
TEST(more_than_64_cutting_units_of_any_layer_are_counted_as_the_tree_counts_them) {
  const Tape last = samples::mlp({2, 2, 130}, 1);
  for (const DomainFrame& domain : {space(2), cube(2, 1.0)}) {
    const std::uint64_t expected = by_tree(last, domain);
    CHECK_EQUAL(count(last, domain), expected);
    CHECK_EQUAL(count(last, domain, 2), expected);
  }
  const Tape middle = samples::mlp({2, 2, 130, 1}, 1);
  CHECK_EQUAL(count(middle, cube(2, 1.0)), by_tree(middle, cube(2, 1.0)));
  // A polygon of 80 sides needs wide masks, which let all units be cut at once.
  const Tape narrow = samples::mlp({2, 2, 110, 1}, 0);
  CHECK_EQUAL(count(narrow, polygon(80)), by_tree(narrow, polygon(80)));
  const Tape tied = samples::mlp({3, 2, 70}, 1, 1);  // small integers: hyperplanes coincide
  CHECK_EQUAL(count(tied, cube(3, 1.0)), by_tree(tied, cube(3, 1.0)));
  const Tape solid = samples::mlp({3, 2, 68}, 1);
  const ConeBlock block = list(solid, cube(3, 1.0));
  CHECK_EQUAL(different(block), block.n);
  CHECK_EQUAL(count(solid, cube(3, 1.0)), block.n);
}

TEST(more_facets_than_a_mask_holds_take_wider_masks) {
  const Tape tape = samples::mlp({3, 4, 3}, 2);
  const DomainFrame domain = prism(80);
  const ConeBlock block = list(tape, domain);
  CHECK_EQUAL(different(block), block.n);
  CHECK_EQUAL(count(tape, domain), block.n);
  CHECK_EQUAL(by_tree(tape, domain), block.n);
}

TEST(max_windows_are_counted_as_the_tree_counts_them) {
  for (unsigned seed = 0; seed < 3; ++seed) {
    std::mt19937_64 random(seed);
    std::uniform_int_distribution<int> whole(-2, 2);
    std::vector<double> weight(18), bias(6);
    for (double& w : weight) w = whole(random);
    for (double& b : bias) b = whole(random);
    Tape tape(3);
    const int slot = tape.dense(0, weight, bias);
    const std::vector<std::int64_t> start = {0, 3, 6}, entries = {0, 1, 2, 3, 4, 5},
                                    positions = {0, 1, 2, 0, 1, 2};
    tape.max(slot, start, entries, positions, 2);
    tape.finish();
    for (const DomainFrame& domain : {space(3), cube(3, 1.0)})
      CHECK_EQUAL(count(tape, domain), by_tree(tape, domain));
  }
}

TEST(threads_change_neither_regions_nor_their_order) {
  const Tape tape = samples::mlp({3, 14, 12}, 5);
  const ConeBlock one = list(tape, cube(3, 2.0)), two = list(tape, cube(3, 2.0), 2);
  CHECK(one.patterns == two.patterns);
  CHECK(one.vertices == two.vertices);
  CHECK(one.points == two.points);
  CHECK_EQUAL(count(tape, cube(3, 2.0), 2), one.n);
}

TEST(lists_without_faces_have_the_same_regions_however_they_are_made) {
  const Tape deep = samples::mlp({3, 9, 7}, 2), ties = samples::mlp({3, 5, 4}, 1, 1);
  const Tape wide = samples::mlp({2, 66}, 1);  // more units than a word holds
  for (const Tape* tape : {&deep, &ties, &wide})
    for (const DomainFrame& domain : {space(tape->n_in()), cube(tape->n_in(), 1.0)}) {
      const ConeBlock full = list(*tape, domain);
      ConeBlock streamed;
      RunControl control, threads, limited, streaming;
      threads.threads = 2;
      limited.limit = full.n / 2;  // node by node
      const ConeBlock whole = list(*tape, domain, control, false);
      const ConeBlock two = list(*tape, domain, threads, false);
      const ConeBlock first = list(*tape, domain, limited, false);
      const auto take = [&](ConeBlock&& block) {
        streamed.append(std::move(block));
        return true;
      };
      stream_cones(*tape, domain, Arithmetic::kCertified, streaming, 5, take, false);
      CHECK(whole.vertices.empty() && whole.corners.empty() && whole.rows.empty());
      CHECK(whole.patterns == full.patterns);
      CHECK(whole.bounded == full.bounded);
      CHECK(two.patterns == full.patterns);
      CHECK(two.points == whole.points);
      CHECK(streamed.patterns == full.patterns);
      CHECK(streamed.points == whole.points);
      CHECK_EQUAL(first.n, full.n / 2);
      CHECK(std::equal(first.points.begin(), first.points.end(), whole.points.begin()));
    }
}

TEST(lists_with_faces_are_the_same_node_by_node_and_all_at_once) {
  const Tape deep = samples::mlp({3, 9, 7}, 2), ties = samples::mlp({3, 5, 4}, 1, 1);
  const Tape wide = samples::mlp({2, 66}, 1);  // more units than a word holds
  for (const Tape* tape : {&deep, &ties, &wide})
    for (const DomainFrame& domain : {space(tape->n_in()), cube(tape->n_in(), 1.0)}) {
      const ConeBlock once = list(*tape, domain);
      ConeBlock streamed;
      RunControl limited, streaming;
      limited.limit = once.n + 1;
      ConeBlock slow = list(*tape, domain, limited);
      const auto take = [&](ConeBlock&& block) {
        streamed.append(std::move(block));
        return true;
      };
      stream_cones(*tape, domain, Arithmetic::kCertified, streaming, 5, take);
      for (const ConeBlock* other : {&slow, &streamed}) {
        CHECK(other->patterns == once.patterns && other->points == once.points);
        CHECK(other->bounded == once.bounded && other->vertices == once.vertices);
        CHECK(other->vertex_counts == once.vertex_counts && other->rows == once.rows);
        CHECK(other->labels == once.labels && other->facet_counts == once.facet_counts);
        CHECK(other->corners == once.corners && other->corner_counts == once.corner_counts);
        CHECK_EQUAL(other->exact_points.size(), once.exact_points.size());
      }
    }
}

TEST(long_columns_keep_their_numbers_however_they_grow_and_shrink) {
  LongColumn<std::int64_t> column;
  const auto right = [](const LongColumn<std::int64_t>& c, std::size_t n) {
    bool same = c.size() == n;
    for (std::size_t i = 0; i < c.size(); ++i) same = same && c[i] == static_cast<std::int64_t>(i);
    return same;
  };
  const std::size_t n = 3 * kLongRoom / sizeof(std::int64_t);  // beyond the first long block
  for (std::size_t i = 0; i < n; ++i) column.push_back(static_cast<std::int64_t>(i));
  CHECK(right(column, n));
  const LongColumn<std::int64_t> copy = column;
  LongColumn<std::int64_t> moved = std::move(column);
  CHECK(copy == moved && right(moved, n));
  for (const std::size_t left : {n / 2, kLongBlock / sizeof(std::int64_t), std::size_t{7}}) {
    moved.shrink(left);
    moved.give_back_room();
    CHECK(right(moved, left));
  }
  moved.append(copy.begin() + 7, copy.end());
  CHECK(moved == copy);
  moved.shrink(0);
  moved.give_back_room();
  CHECK(moved.empty());
  moved.push_back(0);
  CHECK(right(moved, 1));
}

TEST(a_stopped_run_says_so) {
  const Tape tape = samples::mlp({4, 30, 20}, 5);
  RunControl limited;
  limited.limit = 20;
  const ConeResult few = count_cones(tape, cube(4, 1.0), Arithmetic::kCertified, limited);
  CHECK(few.status == Status::kLimit);
  for (unsigned threads : {1u, 2u}) {
    RunControl timed;
    timed.threads = threads;
    timed.time_limit = 0.01;
    CHECK(count_cones(tape, space(4), Arithmetic::kCertified, timed).status == Status::kTimeLimit);
  }
  std::size_t blocks = 0;
  RunControl streaming;
  stream_cones(tape, cube(4, 1.0), Arithmetic::kCertified, streaming, 7, [&](ConeBlock&& block) {
    CHECK_EQUAL(block.n, 7u);
    return ++blocks < 3;
  });
  CHECK_EQUAL(blocks, 3u);
}

// Where one thread meets a cell for wide masks just after the others have reached the limit.
TEST(a_run_that_begins_anew_has_its_limit_still_before_it) {
  RunControl control;
  control.limit = 5;
  control.report(7, 0.5, false);
  CHECK(control.status() == Status::kLimit);
  control.begin_anew();
  CHECK(!control.halted());
  CHECK_EQUAL(control.found(), 0u);
  control.report(5, 0.0, false);
  CHECK(control.status() == Status::kLimit);
  RunControl cancelled;
  cancelled.stop(Status::kCancelled);
  cancelled.begin_anew();
  CHECK(cancelled.status() == Status::kCancelled && cancelled.stopped());
}

TEST(kernels_find_the_same_pairs_as_the_plain_ones) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    const std::size_t n = random() % 12, m = random() % 29;
    std::vector<std::uint64_t> p(n), q(m);
    for (auto& x : p) x = random() & random();
    for (auto& x : q) x = random() & random();
    if (n > 0 && m > 2) q[1] = p[0] & (p[0] - 1), q[2] = p[0];
    for (int need : {0, 1, 3, 6, 9, static_cast<int>(n > 0 ? std::popcount(p[0]) : 2) - 1}) {
      std::vector<std::int32_t> a(n * m + 8), b(n * m + 8), c(n * m + 8), e(n * m + 8);
      const std::size_t found =
          cone_kernels().pairs(p.data(), n, q.data(), m, need, a.data(), b.data());
      CHECK_EQUAL(found,
                  kGenericConeKernels.pairs(p.data(), n, q.data(), m, need, c.data(), e.data()));
      a.resize(found), b.resize(found), c.resize(found), e.resize(found);
      CHECK(a == c);
      CHECK(b == e);
    }
  }
}

TEST(kernels_find_the_same_signs_and_sizes_as_the_plain_ones) {
  std::mt19937_64 random(6);
  std::normal_distribution<double> normal;
  for (int round = 0; round < 100; ++round) {
    const std::size_t n = 3 + random() % 150, run = (n + 7) / 8 * 8, lead = 8 + random() % 8 * 8;
    const std::size_t words = (n + 63) / 64, m = 1 + random() % lead;
    std::vector<double> value(run * lead), slack(run);
    std::vector<std::uint64_t> positive(run), negative(run);
    for (double& v : value) v = normal(random);
    for (double& v : slack) v = std::fabs(normal(random)) * 1e-9;
    for (std::size_t r = 0; r < n; ++r)
      for (std::size_t u = 0; u < m; ++u) {
        if (random() % 8 == 0) continue;  // zero, whatever the value
        (value[r * lead + u] > 0 ? positive : negative)[r] |= std::uint64_t{1} << u;
      }
    const std::uint64_t units = random() & (m == 64 ? ~std::uint64_t{0} : (1ull << m) - 1);
    std::vector<std::uint64_t> a(128 * words), b(128 * words);
    cone_kernels().sign_columns(positive.data(), negative.data(), run, units, a.data(), words);
    kGenericConeKernels.sign_columns(positive.data(), negative.data(), run, units, b.data(), words);
    CHECK(a == b);
    std::vector<double> all;  // sizes of the first units
    for (std::size_t u = 0; u < std::min<std::size_t>(2, m); ++u) {
      std::vector<double> p(4 * run), q(4 * run);
      const auto sizes = [&](const ConeKernels& set, std::vector<double>& out) {
        return set.sizes(value.data() + u, lead, n, positive.data(), negative.data(),
                         static_cast<int>(u), {1e-12, 3.0}, slack.data(), out.data());
      };
      const double share = sizes(kGenericConeKernels, p);
      CHECK(std::fabs(sizes(cone_kernels(), q) - share) <= 1e-12 * share);
      CHECK(p == q);
      double expected = 0.0;
      for (std::size_t r = 0; r < n; ++r) {
        const bool more = ((positive[r] >> u) & 1) != 0, less = ((negative[r] >> u) & 1) != 0;
        const double size = std::fabs(value[r * lead + u]);
        CHECK_EQUAL(p[r], more ? size : 0.0);
        CHECK_EQUAL(p[run + r], less ? size : 0.0);
        CHECK_EQUAL(p[2 * run + r], less ? 1 / size : 0.0);
        CHECK_EQUAL(p[3 * run + r], more ? 1 / size : 0.0);
        if (more || less) expected = std::max(expected, (1e-12 + 3 * slack[r]) / size);
      }
      CHECK(std::fabs(expected - share) <= 1e-12 * share);
      all.insert(all.end(), p.begin(), p.end());
    }
    if (m < 2) continue;
    const double* u = all.data();
    const double* v = u + 4 * run;
    const double x = cone_kernels().reach(u, v + 2 * run, v, u + 2 * run, run);
    CHECK_EQUAL(x, kGenericConeKernels.reach(u, v + 2 * run, v, u + 2 * run, run));
    double first = 0.0, second = 0.0;  // both positive: seen from the two quadrants beside it
    for (std::size_t r = 0; r < n; ++r) {
      const double a0 = value[r * lead], a1 = value[r * lead + 1];
      if ((positive[r] & 1) != 0 && (negative[r] & 2) != 0) first = std::max(first, -a0 / a1);
      if ((positive[r] & 2) != 0 && (negative[r] & 1) != 0) second = std::max(second, -a1 / a0);
    }
    CHECK(std::fabs(x - first * second) <= 1e-12 * x);
  }
}

// Points on edges, of values of at most 64 units.
TEST(kernels_mix_edges_as_the_plain_ones) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  for (int round = 0; round < 50; ++round) {
    const std::size_t rays = 2 + random() % 20, n = 1 + random() % 30, lead = 8 + random() % 8 * 8;
    std::vector<double> value(rays * lead), e(lead), norm(lead), t(n), slack(n);
    std::vector<std::int32_t> ends(2 * n);
    for (double& v : value) v = normal(random);
    for (double& v : e) v = std::fabs(normal(random)) * 0.01;
    for (double& v : norm) v = std::fabs(normal(random));
    for (double& v : t) v = static_cast<double>(random() % 100) / 100;
    for (double& v : slack) v = random() % 4 == 0 ? 1e301 : 0.01;
    for (auto& end : ends) end = static_cast<std::int32_t>(random() % rays);
    const std::uint64_t wanted = random();
    std::vector<double> a(n * lead), b(n * lead);
    std::vector<std::uint64_t> p(n), q(n);
    const bool all =
        cone_kernels().mix_edges(value.data(), lead, ends.data(), n, t.data(), e.data(),
                                 norm.data(), slack.data(), wanted, a.data(), p.data(), q.data());
    std::vector<std::uint64_t> more(n), less(n);
    CHECK_EQUAL(kGenericConeKernels.mix_edges(value.data(), lead, ends.data(), n, t.data(),
                                              e.data(), norm.data(), slack.data(), wanted, b.data(),
                                              more.data(), less.data()),
                all);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t u = 0; u < lead; ++u) {
        const double x = (1 - t[i]) * value[static_cast<std::size_t>(ends[2 * i]) * lead + u] +
                         t[i] * value[static_cast<std::size_t>(ends[2 * i + 1]) * lead + u];
        CHECK(std::fabs(a[i * lead + u] - x) <= 1e-14);
        CHECK(std::fabs(b[i * lead + u] - x) <= 1e-14);
        const double bound = e[u] + norm[u] * slack[i];
        const bool known = bound < 1e300 && (wanted >> u & 1) != 0 && std::fabs(x) > bound;
        if (std::fabs(std::fabs(x) - bound) < 1e-12) continue;
        CHECK_EQUAL(p[i] >> u & 1, known && x > 0 ? 1u : 0u);
        CHECK_EQUAL(q[i] >> u & 1, known && x < 0 ? 1u : 0u);
        CHECK_EQUAL(more[i] >> u & 1, p[i] >> u & 1);
        CHECK_EQUAL(less[i] >> u & 1, q[i] >> u & 1);
      }
  }
}

// Rows through a known point of small integers: its distance must be within the bound.
TEST(kernels_solve_rays_within_their_bounds) {
  std::mt19937_64 random(4);
  std::uniform_int_distribution<int> whole(-9, 9);
  std::size_t solved = 0;
  for (int round = 0; round < 300; ++round) {
    const std::size_t d = 1 + random() % 12, width = d + 1;
    std::vector<double> x(width), rows(d * (width + 2));
    for (double& v : x) v = whole(random);
    x[random() % width] = 11.0;  // the largest
    std::vector<const double*> pointers;
    for (std::size_t i = 0; i < d; ++i) {
      double* row = rows.data() + i * (width + 2);
      // Two entries make up for the others: row . x = 0 in integers.
      const std::size_t k =
          static_cast<std::size_t>(std::find(x.begin(), x.end(), 11.0) - x.begin());
      double sum = 0.0;
      for (std::size_t j = 0; j < width; ++j)
        if (j != k) row[j] = 11.0 * whole(random), sum += row[j] * x[j];
      row[k] = -sum / 11.0;
      for (std::size_t j = 0; j < width; ++j) row[width + 1] += std::fabs(row[j]);
      pointers.push_back(row);
    }
    for (const ConeKernels* set : {&cone_kernels(), &kGenericConeKernels}) {
      std::vector<double> work(solve_room(d)), out(width);
      std::vector<std::int32_t> place(2 * d + 1);
      double error = 0.0;
      if (!set->solve(pointers.data(), d, -1, work.data(), place.data(), out.data(), &error))
        continue;
      ++solved;
      CHECK(error < 1e-6);
      double scale = 0.0;  // of the true ray, where the two come closest
      for (std::size_t j = 0; j < width; ++j) scale += out[j] * x[j];
      double length = 0.0;
      for (double v : x) length += v * v;
      scale /= length;
      for (std::size_t j = 0; j < width; ++j)
        CHECK(std::fabs(out[j] - scale * x[j]) <= 2 * error + 1e-15);
    }
  }
  CHECK(solved > 300);
}

}  // namespace

TEST_MAIN()
