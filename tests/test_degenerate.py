# SPDX-License-Identifier: MIT
"""Ties, coincidences and limits: ordinary input with one right answer."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import linear_regions as lr
import oracles
import strategies
from helpers import unpack
from linear_regions import reference


def one_layer(weight: object, bias: object) -> lr.Network:
    weight = np.asarray(weight, dtype=float)
    return lr.Network(weight.shape[1], [lr.Affine(weight, bias), lr.relu()])


def patterns(net: lr.Network, domain: object = None) -> set[tuple[int, ...]]:
    """Return the patterns; they must equal the reference's and be counted as many."""
    found = lr.regions(net, domain)
    listed = unpack(found.patterns, net.pattern_bits)
    assert len(set(listed)) == len(listed) == int(lr.count(net, domain))
    assert set(listed) == {region.pattern for region in reference.regions(net, domain)}
    return set(listed)


# --- hyperplanes that coincide -------------------------------------------------------------------


def test_repeated_units_cut_once() -> None:
    net = one_layer([[1, 2], [1, 2], [2, 4], [0.5, 1.0]], [1, 1, 2, 0.5])
    assert patterns(net) == {(0, 0, 0, 0), (1, 1, 1, 1)}


def test_opposite_units_cut_once() -> None:
    assert patterns(one_layer([[1, 2], [-1, -2]], [1, -1])) == {(0, 1), (1, 0)}


def test_parallel_units_make_strips() -> None:
    net = one_layer([[1, 0]] * 5, [0, 1, 2, 3, 4])
    assert len(patterns(net)) == 6
    assert len(patterns(net, lr.Box(-2.5, 10.0))) == 4


def test_almost_parallel_units_do_cross() -> None:
    nearly = np.nextafter(1.0, 2.0)
    # They cross 2^52 away from the origin, or not at all when the slopes are equal.
    assert len(patterns(one_layer([[1, 1.0], [1, nearly]], [0, 1]))) == 4
    assert len(patterns(one_layer([[1, 1.0], [1, 1.0]], [0, 1]))) == 3
    assert len(patterns(one_layer([[1, 1.0], [1, nearly]], [0, 1]), lr.Box(-1e15, 1e15))) == 3


@pytest.mark.parametrize("n", [2, 3, 7, 20])
def test_concurrent_lines(n: int) -> None:
    angles = np.arange(1, n + 1)
    net = one_layer(np.column_stack([angles, np.ones(n)]), -angles - 1.0)  # all through (1, 1)
    assert len(patterns(net)) == oracles.central_general_position(n, 2)


def test_lines_that_miss_a_common_point_by_one_bit() -> None:
    lines = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    third = 1.0 / 3.0
    assert len(patterns(one_layer(lines, [-third, -third, -2 * third]))) == 6
    off = np.nextafter(2 * third, 1.0)
    assert len(patterns(one_layer(lines, [-third, -third, -off]))) == 7


def test_zero_rows_are_constant() -> None:
    net = one_layer([[0, 0], [0, 0], [0, 0], [1, 0]], [1, -1, 0, 0])
    assert patterns(net) == {(1, 0, 0, 0), (1, 0, 0, 1)}


def test_negative_zero_is_zero() -> None:
    net = one_layer([[1.0, -0.0], [-0.0, -0.0]], [-0.0, -0.0])
    assert patterns(net, lr.Box(-0.0, 1.0)) == {(1, 0)}


# --- cuts through corners and sides of the domain ------------------------------------------------


def test_cuts_along_the_border_of_the_domain_cut_nothing() -> None:
    net = one_layer([[1, 0], [-1, 0], [0, 1], [1, 1], [1, -1]], [0, 1, -1, 0, -1])
    assert patterns(net, lr.Box(0.0, 1.0)) == {(1, 1, 0, 1, 0)}


def test_diagonals_through_corners() -> None:
    net = one_layer([[1, 1], [1, -1]], [0, 0])
    assert len(patterns(net, lr.Box(-1.0, 1.0))) == 4
    assert len(patterns(net, lr.Box(0.0, 1.0))) == 2


def test_cut_through_a_vertex_of_earlier_cuts() -> None:
    first = lr.Affine([[1.0, 0.0], [0.0, 1.0]])
    second = lr.Affine([[1.0, 1.0], [1.0, -1.0]])  # on the quadrant: through its corner only
    net = lr.Network(2, [first, lr.relu(), second, lr.relu()])
    # On the third quadrant both units of the second layer are zero: off.
    assert patterns(net) == {
        (0, 0, 0, 0),
        (1, 0, 1, 1),
        (0, 1, 1, 0),
        (1, 1, 1, 0),
        (1, 1, 1, 1),
    }


# --- layers that die -----------------------------------------------------------------------------


def test_units_that_vanish_on_cells_are_off() -> None:
    # relu(x) - relu(-x) - x = 0 identically; then a unit on top of nothing.
    layers = [lr.Affine([[1.0], [-1.0]]), lr.relu(), lr.Affine([[1.0, -1.0]])]
    layers += [lr.Add(0), lr.Affine([[1.0]]), lr.relu()]
    plain = lr.Network(1, layers)
    assert patterns(plain) == {(0, 1, 0), (1, 0, 1)}
    layers[2] = lr.Affine([[-1.0, 1.0]])
    assert patterns(lr.Network(1, layers)) == {(0, 1, 0), (1, 0, 0)}


def test_a_dead_layer_leaves_later_layers_constant() -> None:
    dead = lr.Affine([[-1.0, -1.0]], [-1.0])
    last = lr.Affine([[3.0], [3.0], [0.0]], [0.0, 1.0, -1.0])
    net = lr.Network(2, [lr.Affine(np.eye(2)), lr.relu(), dead, lr.relu(), last, lr.relu()])
    assert {p[2:] for p in patterns(net)} == {(0, 0, 1, 0)}
    assert len(patterns(net)) == 4


def test_no_biases_at_all() -> None:
    rng = np.random.default_rng(0)
    layers: list[lr.layers.Layer] = []
    for n_in, n_out in pairwise([2, 6, 6, 6]):
        layers += [lr.Affine(rng.integers(-2, 3, size=(n_out, n_in)).astype(float)), lr.relu()]
    net = lr.Network(2, layers)
    # All cuts are rays from the origin, so no domain around it sees less than the plane does.
    cones = patterns(net)
    assert patterns(net, lr.Box(-1e-3, 1e3)) == cones


def test_min_max_lattice_takes_the_same_pieces_again_and_again() -> None:
    # max of mins of six lines, computed by pairs: min(a, b) = b - relu(b - a) and so on. Later
    # layers compare pieces that are equal on whole cells.
    rng = np.random.default_rng(3)
    lines = lr.Affine(rng.integers(-3, 4, size=(8, 2)).astype(float), rng.integers(-2, 3, size=8))
    layers: list[lr.layers.Layer] = [lines]
    for n in (8, 4, 2):
        # Carry x = relu(x) - relu(-x) beside the differences, as lattice networks do.
        differences = np.zeros((n // 2, n))
        for i in range(n // 2):
            differences[i, 2 * i : 2 * i + 2] = 1.0, -1.0
        keep = np.eye(n)[1::2]
        layers += [lr.Affine(np.vstack([differences, keep, -keep])), lr.relu()]
        sign = -1.0 if n == 4 else 1.0
        half = np.eye(n // 2)
        layers.append(lr.Affine(np.hstack([sign * half, half, -half])))
    net = lr.Network(2, layers)
    assert len(patterns(net, lr.Box(-2.0, 2.0))) > 8
    patterns(net)


# --- pooling and maxout --------------------------------------------------------------------------


def test_pooling_over_relu_is_one_piece_where_all_are_off() -> None:
    net = lr.Network((1, 2), [lr.relu(), lr.MaxPool(2)])
    assert len(patterns(net)) == 5
    overlapping = lr.Network((1, 3), [lr.relu(), lr.MaxPool(2, stride=1)])
    plane = lr.Slice([0.0, 0.0, 0.0], [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    patterns(overlapping, plane)


def test_constant_images_tie_in_every_window() -> None:
    kernel = np.ones((1, 1, 2, 2))
    net = lr.Network(
        (1, 4, 4),
        [lr.Conv(kernel, [-1.0]), lr.MaxPool(2, stride=1), lr.relu(), lr.Flatten()],
    )
    bright = lr.Slice(np.zeros((4, 4)).ravel(), np.ones((1, 16)))
    assert patterns(net, bright) == {(0, 0) * 4 + (0,) * 4, (0, 0) * 4 + (1,) * 4}


def test_padding_never_wins() -> None:
    net = lr.Network((1, 2), [lr.MaxPool(2, stride=2, padding=1)])
    # Each window holds one entry beside padding, however negative it is.
    assert patterns(net) == {(1, 0)}
    padded = lr.Network((1, 2), [lr.Pad(1), lr.MaxPool(2, stride=2)])
    assert len(patterns(padded)) == 4  # zeros of a Pad layer are entries and do win


@pytest.mark.parametrize("method", ["cones", "tree", "arrangement"])
def test_an_average_of_padding_alone_is_zero(method: str) -> None:
    net = lr.Network((1, 3), [lr.AvgPool(1, padding=1), lr.relu()])
    assert int(lr.count(net, lr.Box(-1.0, 1.0), method=method)) == 8
    assert lr.sample(net, lr.Box(-1.0, 1.0), 1000, rng=0).distinct == 8


def test_equal_entries_win_at_the_lowest_position() -> None:
    net = lr.Network(1, [lr.Affine([[0.0], [1.0], [1.0], [0.0], [2.0]]), lr.Maxout(5)])
    assert patterns(net) == {(0, 0, 0), (0, 0, 1)}


def test_windows_of_one_entry_have_no_bits() -> None:
    net = lr.Network(2, [lr.Maxout(1), lr.relu()])
    assert net.pattern_bits == 2
    assert len(patterns(net)) == 4


# --- shapes and sizes ----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 63, 64, 65, 127, 128, 129])
def test_word_borders(n: int) -> None:
    net = one_layer(np.ones((n, 1)), -np.arange(n, dtype=float))
    assert patterns(net) == {(1,) * i + (0,) * (n - i) for i in range(n + 1)}


@pytest.mark.parametrize("n", [9, 65, 130])
def test_polygons_with_many_corners(n: int) -> None:
    # Tangents of a circle (rational points of it, rounded): the inner region has n sides.
    angles = 2 * np.pi * np.arange(n) / n
    net = one_layer(np.column_stack([np.cos(angles), np.sin(angles)]), -np.ones(n))
    found = lr.regions(net)
    inner = [i for i, p in enumerate(unpack(found.patterns, n)) if not any(p)]
    assert len(inner) == 1
    assert len(found[inner[0]].vertices) == n
    assert found.bounded[inner[0]]
    if n < 50:
        assert len(patterns(net)) == len(found)


def test_a_network_without_activation_is_one_region() -> None:
    net = lr.Network(2, [lr.Affine([[1.0, 2.0]])])
    assert patterns(net) == {()}
    assert lr.regions(net).patterns.shape == (1, 0)


def test_layers_of_width_zero() -> None:
    net = lr.Network(2, [lr.Affine(np.zeros((0, 2))), lr.relu(), lr.Affine(np.zeros((1, 0)), [1])])
    assert patterns(net) == {()}


def test_a_domain_that_is_one_point() -> None:
    net = one_layer([[1, 0], [0, 1], [1, -1]], [0, 0, 0])
    point = lr.Box([1.0, 1.0], [1.0, 1.0])
    assert patterns(net, point) == {(1, 1, 0)}
    assert lr.regions(net, point).interior_points.shape == (1, 0)


@pytest.mark.parametrize("family", strategies.FAMILIES)
def test_a_point_has_the_pattern_of_the_point(family: str) -> None:
    for seed in range(3):
        net = strategies.network(family, "degenerate", seed)
        at = np.random.default_rng(seed).integers(-2, 3, size=net.input_size).astype(float)
        assert patterns(net, lr.Box(at, at)) == {reference.pattern(net, at.tolist())}


def test_fixed_inputs_are_no_dimension() -> None:
    net = one_layer([[1, 0, 0], [0, 1, 1]], [0, 0])
    box = lr.Box([0.0, -1.0, 0.5], [0.0, 1.0, 0.5])
    assert patterns(net, box) == {(0, 0), (0, 1)}


def test_implied_equalities_are_no_dimension() -> None:
    net = one_layer([[1, 0, 1], [0, 1, 0]], [0, 0])
    # 0 <= x + y <= 0 leaves the plane x = -y.
    thin = lr.Polytope([[1, 1, 0], [-1, -1, 0], [0, 0, 1], [0, 0, -1]], [0, 0, 1, 1])
    assert len(patterns(net, thin)) == 4


def test_unbounded_domains() -> None:
    net = one_layer([[1, 0], [0, 1], [1, 1], [1, -1]], [0, 0, -3, 0])
    sizes = [
        len(patterns(net, domain))
        for domain in (
            None,
            lr.Box([0.0, -np.inf], [np.inf, np.inf]),
            lr.Box([0.0, 0.0], [np.inf, 1.0]),
            lr.Polytope([[-1.0, 0.0], [1.0, -1.0]], [0.0, 0.0]),
        )
    ]
    assert sizes == [10, 6, 3, 2]


# --- numbers -------------------------------------------------------------------------------------


def test_regions_too_far_for_any_box_are_counted() -> None:
    net = one_layer([[1.0, 2.0**-60], [1.0, -(2.0**-60)]], [0.0, -1.0])
    assert len(patterns(net)) == 4
    assert len(patterns(net, lr.Box(-1e17, 1e17))) == 3


def test_regions_between_neighbouring_doubles_count() -> None:
    # 1 < x < 1 + 2^-52 holds no double, and is a region all the same.
    net = one_layer([[1.0], [1.0]], [-1.0, -np.nextafter(1.0, 2.0)])
    assert patterns(net, lr.Box(0.0, 2.0)) == {(0, 0), (1, 0), (1, 1)}
    found = lr.regions(net, lr.Box(0.0, 2.0))
    index = unpack(found.patterns, 2).index((1, 0))
    assert not found.interior_proved[index]
    assert np.isnan(found.interior_points[index]).all()
    (x,) = found[index].interior_fraction()
    assert 1 < x < 1 + Fraction(1, 2**52)
    others = [i for i in range(3) if i != index]
    assert found.interior_proved[others].all()


def test_products_beyond_double_precision() -> None:
    # (2^53 + 1) needs 54 bits; the second layer sees it as a sum of two exact doubles.
    layers = [lr.Affine([[2.0**53], [1.0]]), lr.relu(), lr.Affine([[1.0, 1.0]], [-(2.0**53)])]
    net = lr.Network(1, [*layers, lr.relu()])
    below = float(np.nextafter(1.0, 0.0))
    assert patterns(net, lr.Box(below, 1.0)) == {(1, 1, 0), (1, 1, 1)}


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200, 1e300])
def test_scale_of_the_weights_does_not_matter(scale: float) -> None:
    rng = np.random.default_rng(5)
    weight, bias = rng.integers(-3, 4, size=(6, 2)), rng.integers(-3, 4, size=6)
    assert patterns(one_layer(weight * scale, bias * scale)) == patterns(one_layer(weight, bias))


@pytest.mark.parametrize(
    "domain",
    [
        lr.Slice([1e16], [[1.0]]),
        lr.Slice([1e16], [[1.0]], lr.Box(-8.0, 8.0)),
        lr.Polytope([[1.0]], [2e16]),
    ],
)
def test_maps_far_from_the_origin_keep_their_slope(domain: lr.domain.Domain) -> None:
    net = lr.Network(1, [lr.Affine([[1.0]], [-1e16]), lr.relu()])
    found = lr.regions(net, domain)
    assert sorted(found.affine_maps()[:, 0, 0].tolist()) == [0.0, 1.0]


@pytest.mark.parametrize("far", [1e4, 1e8, 1e12, 1e16, 1e20, 1e100])
def test_a_far_corner_does_not_blur_a_near_one(far: float) -> None:
    third = 1.0 / 3.0
    line = lr.regions(one_layer([[1.0], [1.0]], [far, third]))
    ends = sorted(end for region in line for end in region.vertices.ravel().tolist())
    np.testing.assert_allclose(ends, [-far, -far, -third, -third], rtol=1e-12)
    # The near cut leans a little, so that its corners have to be computed.
    near = one_layer([[1.0, 0.0], [-1.0, 0.5]], [far, -third])
    plane = lr.regions(near, lr.Box([-2 * far, -1.0], [2 * far, 1.0]))
    corners = {tuple(corner) for region in plane for corner in region.vertices.tolist()}
    xs = sorted(x for x, y in corners if y > 0)
    np.testing.assert_allclose(xs, [-2 * far, -far, 0.5 - third, 2 * far], rtol=1e-12)


@pytest.mark.parametrize("depth", [3, 8, 12])
def test_iterated_tent_maps(depth: int) -> None:
    tent = [lr.Affine([[1.0], [1.0]], [0.0, -0.5]), lr.relu(), lr.Affine([[2.0, -4.0]])]
    net = lr.Network(1, tent * depth)
    assert int(lr.count(net, lr.Box(0.0, 1.0))) == oracles.sawtooth(depth)


def test_iterated_tent_maps_beyond_double_precision() -> None:
    # Sixty foldings: the cuts within (0, 2^-50) lie at multiples of 2^-60.
    tent = [lr.Affine([[1.0], [1.0]], [0.0, -0.5]), lr.relu(), lr.Affine([[2.0, -4.0]])]
    net = lr.Network(1, tent * 60)
    assert int(lr.count(net, lr.Box(0.0, 2.0**-50))) == 2**10


def test_average_pooling_divides_exactly() -> None:
    # The mean of three equal pixels is the pixel, though a third is no double.
    layers = [lr.AvgPool(3), lr.Flatten(), lr.Affine([[1.0]], [-0.1]), lr.relu()]
    net = lr.Network((1, 3), layers)
    ray = lr.Slice([0.0, 0.0, 0.0], [[1.0, 1.0, 1.0]])
    found = reference.regions(net, ray)
    ends = {v.point[0] for r in found for v in r.cell.vertices if v.bounded}
    assert ends == {Fraction(0.1)}
    at_the_cut = lr.Slice([0.0, 0.0, 0.0], [[1.0, 1.0, 1.0]], lr.Box(0.1, 1.0))
    assert patterns(net, at_the_cut) == {(1,)}


# --- domains that make no sense ------------------------------------------------------------------


@pytest.mark.parametrize(
    "domain",
    [
        lr.Polytope([[1.0, 0.0], [-1.0, 0.0]], [-1.0, 0.0]),
        lr.Slice([0.0, 0.0], [[1.0, 0.0]], within=lr.Box([0.0, 1.0], [1.0, 2.0])),
    ],
)
def test_an_empty_domain_is_an_error_everywhere(domain: object) -> None:
    net = one_layer([[1, 0]], [0])
    for call in (lr.count, lr.regions, reference.regions):
        with pytest.raises(lr.errors.DegenerateInput, match="empty domain"):
            call(net, domain)


def test_many_dimensions_say_what_to_do() -> None:
    net = one_layer(np.eye(30), np.zeros(30))
    with pytest.raises(lr.errors.Unsupported, match="Slice"):
        lr.count(net, lr.Box(-1, 1))
    assert lr.count(net).value == 2**30  # one layer, without sides
