# SPDX-License-Identifier: MIT
"""The reference on hand-made cases, theorems, and against itself."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import helpers
import oracles
import strategies
from linear_regions.domain import Box, Polytope, Segment, Slice, Space
from linear_regions.errors import DegenerateInput, Unsupported
from linear_regions.layers import (
    Add,
    Affine,
    Conv,
    Maxout,
    MaxPool,
    Pointwise,
    relu,
)
from linear_regions.network import Network
from linear_regions.reference import (
    count,
    forward,
    pattern,
    regions,
    segment_patterns,
    slice_patterns,
)
from linear_regions.reference.domains import frame
from linear_regions.reference.rational import evaluate


def one_layer(weight: object, bias: object) -> Network:
    weight = np.asarray(weight, dtype=float)
    return Network(weight.shape[1], [Affine(weight, bias), relu()])


# --- one point -----------------------------------------------------------------------------------


def test_a_unit_at_its_breakpoint_is_on_the_lower_piece() -> None:
    net = Network(1, [Pointwise([-1.0, 1.0], [0.0, 1.0, 0.0])])
    points = [-1.5, -1.0, -0.5, 1.0, 1.5]
    assert [pattern(net, [x]) for x in points] == [(0, 0), (0, 0), (1, 0), (1, 0), (1, 1)]
    assert [forward(net, [x])[0] for x in points] == [-1, -1, Fraction(-1, 2), 1, 1]


def test_equal_slopes_next_to_each_other_are_one_piece() -> None:
    net = Network(1, [Pointwise([-1.0, 0.0, 1.0], [2.0, 2.0, 0.0, 0.0])])
    assert [pattern(net, [x]) for x in (-2, 0, 2)] == [(0,), (0,), (1,)]
    assert [forward(net, [x])[0] for x in (-2, 0, 2)] == [-4, 0, 0]


def test_value_at_zero_fixes_a_function_without_a_breakpoint_at_zero() -> None:
    net = Network(1, [Pointwise([1.0, 2.0], [1.0, 0.0, -2.0], 5.0)])
    assert [forward(net, [x])[0] for x in (-1, 0, 1, 2, 3)] == [4, 5, 6, 6, 4]


def test_the_lowest_of_equal_entries_wins_and_padding_never_does() -> None:
    net = Network((1, 2, 2), [MaxPool(2, stride=1, padding=1)])
    assert net.pattern_bits == 9 * 2
    bits = pattern(net, [-3.0, -1.0, -1.0, -2.0])
    # Middle window, all four entries: the two -1 tie at positions 1 and 2; bit 0 counts 1.
    assert bits[8:10] == (1, 0)
    # First window: three positions of padding, the input's first entry at position 3.
    assert bits[:2] == (1, 1)
    assert forward(net, [-3.0, -1.0, -1.0, -2.0])[0] == -3


def test_forward_is_exact() -> None:
    net = Network(2, [Affine([[0.1, 0.2]], [0.3])])
    assert forward(net, [1, Fraction(1, 3)]) == [Fraction(0.1) + Fraction(0.2) / 3 + Fraction(0.3)]


def test_a_point_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 2 input values, got 3"):
        forward(one_layer([[1, 1]], [0]), [1, 2, 3])


# --- theorems ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 5, 9])
@pytest.mark.parametrize("d", [1, 2])
def test_generic_layer_in_the_whole_space(n: int, d: int, rng: np.random.Generator) -> None:
    net = one_layer(rng.normal(size=(n, d)), rng.normal(size=n))
    assert count(net) == oracles.general_position(n, d)


@pytest.mark.parametrize("n", [1, 2, 6])
def test_lines_through_the_origin(n: int, rng: np.random.Generator) -> None:
    net = one_layer(rng.normal(size=(n, 2)), np.zeros(n))
    assert count(net) == oracles.central_general_position(n, 2)


@pytest.mark.parametrize("n", [1, 3, 7])
def test_bounded_regions_of_generic_lines(n: int, rng: np.random.Generator) -> None:
    net = one_layer(rng.normal(size=(n, 2)), rng.normal(size=n))
    found = sum(helpers.bounded(region.cell) for region in regions(net))
    assert found == oracles.bounded_general_position(n, 2)


def test_parallel_families_of_lines(rng: np.random.Generator) -> None:
    sizes = [1, 2, 4]
    weight = np.vstack([np.tile(rng.normal(size=2), (size, 1)) for size in sizes])
    net = one_layer(weight, rng.normal(size=sum(sizes)))
    assert count(net) == oracles.parallel_families(sizes)


@pytest.mark.parametrize(("n", "k"), [(1, 1), (3, 2), (4, 3)])
def test_generic_units_with_several_breakpoints(n: int, k: int, rng: np.random.Generator) -> None:
    bend = Pointwise(np.arange(k) - 0.75, np.arange(k + 1))
    for d in (1, 2):
        net = Network(d, [Affine(rng.normal(size=(n, d)), rng.normal(size=n)), bend])
        assert count(net) == oracles.general_position_pieces(n, k, d)


@pytest.mark.parametrize(("n", "rank"), [(1, 2), (2, 3), (3, 4)])
def test_maxout_reaches_its_maximum_on_the_line(n: int, rank: int) -> None:
    # Tangents of a parabola are its upper envelope; units are shifted against each other.
    places = np.arange(n * rank, dtype=float).reshape(n, rank) + np.arange(n)[:, None] / 8
    weight, bias = 2 * places.reshape(-1, 1), -(places**2).reshape(-1)
    net = Network(1, [Affine(weight, bias), Maxout(rank)])
    assert count(net) == oracles.maxout_general_position(n, rank)


@pytest.mark.parametrize("depth", [1, 2, 4, 6])
def test_sawtooth_of_iterated_tent_maps(depth: int) -> None:
    tent = [Affine([[1.0], [1.0]], [0.0, -0.5]), relu(), Affine([[2.0, -4.0]])]
    net = Network(1, tent * depth)
    assert count(net, Box(0.0, 1.0)) == oracles.sawtooth(depth)
    assert count(net, Box(0.0, 1.0), what="linear") == oracles.sawtooth(depth)


def test_networks_side_by_side_multiply(rng: np.random.Generator) -> None:
    one, two = rng.normal(size=(4, 1)), rng.normal(size=(3, 1))
    both = np.zeros((7, 2))
    both[:4, :1], both[4:, 1:] = one, two
    assert count(one_layer(both, rng.normal(size=7))) == 5 * 4


# --- ties ----------------------------------------------------------------------------------------


def test_pooling_over_relu_does_not_count_a_tie_at_zero_twice() -> None:
    pooled = Network((1, 2), [relu(), MaxPool(2)])
    # off/off once (both entries are the zero map), the two mixed, and on/on with two winners.
    assert {p for p, _ in slice_patterns(pooled)} == {
        (0, 0, 0),
        (1, 0, 0),
        (0, 1, 1),
        (1, 1, 0),
        (1, 1, 1),
    }


def test_a_unit_that_vanishes_on_a_cell_is_off_there() -> None:
    # relu(x) - relu(-x) - x is identically zero, though it is made of parts that are not.
    layers = [Affine([[1.0], [-1.0]]), relu(), Affine([[-1.0, 1.0]]), Add(0), relu()]
    net = Network(1, layers)
    assert segment_patterns(net, Space()) == [(0, 1, 0), (1, 0, 0)]


def test_three_lines_through_one_point() -> None:
    net = one_layer([[1, 0], [0, 1], [1, 1]], [0, 0, 0])
    assert count(net) == 6
    assert count(net, Box(-1.0, 1.0)) == 6


def test_repeated_opposite_and_touching_units_cut_nothing() -> None:
    # The box [0, 1]^2: the second unit repeats, the third is opposite, the others only touch.
    net = one_layer([[1, -1], [2, -2], [-1, 1], [1, 1], [-1, 0]], [0, 0, 0, 0, 0])
    assert {p for p, _ in slice_patterns(net, Box(0.0, 1.0))} == {(1, 1, 0, 1, 0), (0, 0, 1, 1, 0)}


def test_equal_maps_in_a_window_win_at_the_lowest_position() -> None:
    net = Network(1, [Affine([[0.0], [1.0], [1.0], [0.0]]), Maxout(4)])
    assert segment_patterns(net, Space()) == [(0, 0), (1, 0)]


# --- linear regions and affine pieces ------------------------------------------------------------


def test_linear_regions_join_across_facets_only() -> None:
    zero = Network(2, [Affine(np.eye(2)), relu(), Affine([[0.0, 0.0]])])
    assert [count(zero, what=what) for what in ("activation", "linear", "affine")] == [4, 1, 1]
    # min(relu(x), relu(y)) = relu(x) - relu(relu(x) - relu(y)) is zero on three quadrants, which
    # are connected. Together with its mirror image, min(relu(-x), relu(-y)), it is zero on the
    # two mixed quadrants, which touch in a point only: one affine piece, two linear regions.
    parts = Affine([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    pairs = Affine([[1.0, -1.0, 0.0, 0.0], [1, 0, 0, 0], [0.0, 0.0, 1.0, -1.0], [0, 0, 1, 0]])
    one = Network(2, [parts, relu(), pairs, relu(), Affine([[-1.0, 1.0, 0.0, 0.0]])])
    both = Network(2, [parts, relu(), pairs, relu(), Affine([[-1.0, 1.0, -1.0, 1.0]])])
    assert [count(one, what=what) for what in ("linear", "affine")] == [3, 3]
    assert [count(both, what=what) for what in ("linear", "affine")] == [6, 5]
    assert count(both, Box(-1.0, 1.0), what="linear") == 6


def test_hat_is_zero_on_both_sides() -> None:
    units = Affine([[1.0], [1.0], [1.0]], [1.0, 0.0, -1.0])
    hat = Network(1, [units, relu(), Affine([[1.0, -2.0, 1.0]])])
    assert [count(hat, what=w) for w in ("activation", "linear", "affine")] == [4, 4, 3]
    with pytest.raises(ValueError, match="what must be"):
        count(hat, what="pieces")


# --- domains -------------------------------------------------------------------------------------


def test_regions_far_away_belong_to_the_plane() -> None:
    # The two lines cross at x = 2^40; a box that stops before sees three regions.
    net = one_layer([[1.0, 2.0**-40], [1.0, -(2.0**-40)]], [0.0, -1.0])
    assert count(net) == 4
    assert count(net, Box(-(2.0**30), 2.0**30)) == 3


def test_whole_plane_is_cut_by_lines_in_every_direction() -> None:
    angles = [[1, 0], [1, 1], [0, 1], [-1, 1], [-1, 0], [2, 1], [1, 2]]
    assert count(one_layer(angles, [0] * 7)) == 12  # the fifth repeats the first


def test_a_fixed_side_of_a_box_is_no_coordinate() -> None:
    net = one_layer([[1, 1, 1], [1, -1, 0]], [-1, 0])
    box = Box([-1.0, 0.5, -1.0], [1.0, 0.5, 1.0])
    assert frame(net, box).dimension == 2
    assert len(slice_patterns(net, box)) == 4
    point = Box([1.0, 0.0, 0.5], [1.0, 0.0, 0.5])
    assert [region.pattern for region in regions(net, point)] == [(1, 1)]


def test_implied_equations_of_a_polytope_lower_its_dimension() -> None:
    net = one_layer([[1, 0], [0, 1]], [0, 0])
    diagonal = Polytope([[1, -1], [-1, 1], [1, 0], [-1, 0]], [0, 0, 1, 1])
    assert segment_patterns(net, diagonal) == [(0, 0), (1, 1)]
    # The same line by an equation, unbounded.
    line = Polytope(np.zeros((0, 2)), [], [[1.0, -1.0]], [0.0])
    assert segment_patterns(net, line) == [(0, 0), (1, 1)]
    # Relative interior: on the border of the first unit's half-space that unit is off.
    border = Polytope([[1, 0], [-1, 0], [0, 1], [0, -1]], [0, 0, 1, 1])
    assert segment_patterns(net, border) == [(0, 0), (0, 1)]


@pytest.mark.parametrize(
    "domain",
    [
        Polytope([[1.0, 0.0], [-1.0, 0.0]], [-1.0, 0.0]),
        Polytope([[0.0, 0.0]], [-1.0]),
        Polytope([[1.0, 0.0]], [-1.0], [[1.0, 0.0], [1.0, 0.0]], [0.0, 1.0]),
        Slice([0.0, 0.0], [[1.0, 0.0]], within=Box([0.0, 1.0], [1.0, 2.0])),
    ],
)
def test_an_empty_domain_is_an_error(domain: object) -> None:
    with pytest.raises(DegenerateInput, match="empty domain"):
        regions(one_layer([[1, 0]], [0]), domain)


def test_three_dimensions_need_programs() -> None:
    net = one_layer(np.eye(3), [0, 0, 0])
    with pytest.raises(Unsupported, match="dimension 2 at most"):
        regions(net)
    assert len(regions(net, geometry="programs")) == 8


def test_dimension_of_the_domain_is_checked() -> None:
    net = one_layer([[1, 0]], [0])
    with pytest.raises(ValueError, match="expected a domain of dimension 1, got dimension 2"):
        segment_patterns(net, Box(0.0, 1.0))


def test_segments_are_in_order_also_on_a_whole_line() -> None:
    net = one_layer([[1], [1], [1]], [1, 0, -1])
    expected = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 1)]
    assert segment_patterns(net, Space()) == expected
    assert segment_patterns(net, Segment([2.0], [-2.0])) == expected[::-1]


def test_a_segment_is_composed_exactly() -> None:
    # fl(b - a) would be 1e16 - 1, and the unit x - y - 1e16 would seem to change its sign.
    net = one_layer([[1.0, -1.0]], [0.0])
    a, b = [1.0, 1.0], [1e16 + 2.0, 1e16]
    assert segment_patterns(net, Segment(a, b)) == [(1,)]


# --- random networks -----------------------------------------------------------------------------


@given(strategies.cases(), st.lists(st.integers(1, 9), min_size=64, max_size=64))
def test_points_of_a_region_evaluate_to_its_pattern_and_map(
    case: tuple[Network, object], weights: list[int]
) -> None:
    net, domain = case
    where = frame(net, domain)
    for region in regions(net, domain)[:10]:
        t = helpers.inner_point(region.cell, weights)
        x = helpers.embed(where, t)
        assert pattern(net, x) == region.pattern
        assert forward(net, x) == [evaluate(row, t) for row in region.output]


@given(strategies.cases())
def test_regions_fill_the_domain_and_have_different_patterns(
    case: tuple[Network, object],
) -> None:
    net, domain = case
    found = regions(net, domain)
    patterns = [region.pattern for region in found]
    assert len(set(patterns)) == len(patterns)
    assert {len(p) for p in patterns} == {net.pattern_bits}
    whole = frame(net, domain).cell
    if helpers.bounded(whole):
        sizes = [helpers.size(region.cell.vertices) for region in found]
        assert min(sizes) > 0
        assert sum(sizes) == helpers.size(whole.vertices)


SMALL = ("mlp", "bent", "echo", "maxout", "residual", "conv_volume", "wiring")


@settings(max_examples=40)
@given(strategies.cases(SMALL))
def test_corners_and_linear_programs_agree(case: tuple[Network, object]) -> None:
    net, domain = case
    if net.n_units > 16:
        net = Network(net.input_shape, net.layers[:2])
    by_corners = {(r.pattern, r.output) for r in regions(net, domain)}
    by_programs = {(r.pattern, r.output) for r in regions(net, domain, geometry="programs")}
    assert by_corners == by_programs


@given(strategies.cases())
def test_random_points_meet_only_listed_patterns(case: tuple[Network, object]) -> None:
    net, domain = case
    where = frame(net, domain)
    listed = {region.pattern for region in regions(net, domain)}
    rng = np.random.default_rng(0)
    corners = [helpers.place(v) for v in where.cell.vertices]
    for _ in range(8):
        # Weights with a large prime denominator: such a point lies on no cut, almost surely.
        weights = [Fraction(int(w), 1_000_003) for w in rng.integers(1, 10**6, len(corners))]
        point = helpers.inner_point(where.cell, weights)
        assert pattern(net, helpers.embed(where, point)) in listed


def test_convolution_equals_its_matrix() -> None:
    rng = np.random.default_rng(1)
    kernel = rng.integers(-2, 3, size=(1, 1, 2)).astype(float)
    one = Network((1, 4), [Conv(kernel, [1.0], stride=2, padding=1)])
    a, b = kernel[0, 0]
    matrix = [[b, 0, 0, 0], [0, a, b, 0], [0, 0, 0, a]]
    two = Network(4, [Affine(matrix, [1.0] * 3)])
    x = [1, Fraction(1, 3), -2, 5]
    assert forward(one, x) == forward(two, x)
