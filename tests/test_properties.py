# SPDX-License-Identifier: MIT
"""What must hold for the regions of every network, whatever their number."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import linear_regions as lr
import strategies
from helpers import unpack
from linear_regions.layers import Affine, Conv, Layer, MaxPool, Pointwise

PLAIN = ("mlp", "bent")
Change = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


def number(net: lr.Network, domain: object = None) -> int:
    return int(lr.count(net, domain))


def patterns(net: lr.Network, domain: object = None) -> set[tuple[int, ...]]:
    return set(unpack(lr.regions(net, domain).patterns, net.pattern_bits))


def volumes(net: lr.Network, domain: object) -> dict[tuple[int, ...], float]:
    found = lr.regions(net, domain)
    listed = unpack(found.patterns, net.pattern_bits)
    return dict(zip(listed, found.volumes.tolist(), strict=True))


@st.composite
def plain_cases(draw: st.DrawFn) -> tuple[lr.Network, object, np.random.Generator]:
    """Draw affine layers with one relu() each, a domain, and a generator for the change."""
    style, seed = draw(st.sampled_from(strategies.STYLES)), draw(strategies.seeds)
    rng = np.random.default_rng(seed)
    widths = [int(rng.integers(1, 3)), *rng.integers(2, 8, size=rng.integers(1, 4)).tolist(), 1]
    layers: list[Layer] = []
    for n_in, n_out in pairwise(widths):
        layers += [strategies.affine(rng, n_out, n_in, style), lr.relu()]
    net = lr.Network(widths[0], layers[:-1])
    return net, strategies.domain(net, draw(st.integers(1, 2)), style, seed), rng


def with_hidden_layer(net: lr.Network, position: int, change: Change) -> lr.Network:
    """Change the rows and bias of an affine layer, and the columns of the next one, together."""
    layers = list(net.layers)
    first, second = layers[position], layers[position + 2]
    assert isinstance(first, Affine)
    assert isinstance(second, Affine)
    rows, bias, columns = change(first.weight, first.bias, second.weight)
    layers[position], layers[position + 2] = Affine(rows, bias), Affine(columns, second.bias)
    return lr.Network(net.input_shape, layers)


# --- changes of the network ----------------------------------------------------------------------


@given(plain_cases())
def test_count_does_not_change_when_units_are_permuted(
    case: tuple[lr.Network, object, np.random.Generator],
) -> None:
    net, domain, rng = case
    for position in range(0, len(net.layers) - 1, 2):
        order = rng.permutation(net.shapes[position + 1][0])
        other = with_hidden_layer(
            net, position, lambda w, b, v, order=order: (w[order], b[order], v[:, order])
        )
        assert number(other, domain) == number(net, domain)


@given(plain_cases())
def test_patterns_do_not_change_when_units_are_scaled(
    case: tuple[lr.Network, object, np.random.Generator],
) -> None:
    net, domain, rng = case
    # Powers of two, so that the scaled network is the same function exactly.
    factors = 2.0 ** rng.integers(-30, 30, size=net.shapes[1][0])
    other = with_hidden_layer(
        net, 0, lambda w, b, v: (w * factors[:, None], b * factors, v / factors)
    )
    assert patterns(other, domain) == patterns(net, domain)


@given(plain_cases(), st.sampled_from(["dead", "copy", "opposite", "constant"]))
def test_count_does_not_change_with_a_redundant_unit(
    case: tuple[lr.Network, object, np.random.Generator], kind: str
) -> None:
    net, domain, _ = case

    def add(
        w: np.ndarray, b: np.ndarray, v: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        row, offset = {
            "dead": (0 * w[:1], [-1.0]),
            "constant": (0 * w[:1], [1.0]),
            "copy": (w[:1], b[:1]),
            "opposite": (-w[:1], -b[:1]),
        }[kind]
        # The new unit feeds nothing: its outgoing weights are zero.
        return np.vstack([w, row]), np.hstack([b, offset]), np.hstack([v, 0 * v[:, :1]])

    other = with_hidden_layer(net, len(net.layers) - 3, add)
    assert number(other, domain) == number(net, domain)


@given(plain_cases())
def test_splitting_a_unit_into_equal_halves_changes_nothing(
    case: tuple[lr.Network, object, np.random.Generator],
) -> None:
    net, domain, _ = case

    def halve(
        w: np.ndarray, b: np.ndarray, v: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        twice = np.hstack([v, v[:, :1]])
        twice[:, [0, -1]] /= 2
        return np.vstack([w, w[:1]]), np.hstack([b, b[:1]]), twice

    assert number(with_hidden_layer(net, 0, halve), domain) == number(net, domain)


@given(plain_cases())
def test_leaky_relu_of_slope_zero_is_relu(
    case: tuple[lr.Network, object, np.random.Generator],
) -> None:
    net, domain, _ = case
    layers = [lr.leaky_relu(0.0) if isinstance(a, Pointwise) else a for a in net.layers]
    assert patterns(lr.Network(net.input_shape, layers), domain) == patterns(net, domain)


@given(strategies.cases())
def test_an_activation_at_the_end_only_adds_regions(case: tuple[lr.Network, object]) -> None:
    net, domain = case
    assert number(lr.Network(net.input_shape, [*net.layers, lr.relu()]), domain) >= number(
        net, domain
    )


@given(strategies.cases())
def test_the_first_layers_alone_have_no_more_regions(case: tuple[lr.Network, object]) -> None:
    net, domain = case
    counts = [
        number(lr.Network(net.input_shape, net.layers[:k]), domain)
        for k in range(1, len(net.layers) + 1)
    ]
    assert all(a <= b for a, b in pairwise(counts))


def test_networks_side_by_side_multiply() -> None:
    rng = np.random.default_rng(0)
    nets = [strategies.mlp_of([1, 5, 4, 1], rng), strategies.mlp_of([1, 6, 3, 1], rng)]
    both: list[Layer] = []
    for one, other in zip(nets[0].layers, nets[1].layers, strict=True):
        if not isinstance(one, Affine) or not isinstance(other, Affine):
            both.append(lr.relu())
            continue
        (a, b), (c, d) = one.weight.shape, other.weight.shape
        weight = np.zeros((a + c, b + d))
        weight[:a, :b], weight[a:, b:] = one.weight, other.weight
        both.append(Affine(weight, np.hstack([one.bias, other.bias])))
    assert number(lr.Network(2, both)) == number(nets[0]) * number(nets[1])
    square = lr.Box(-1.0, 1.0)
    assert number(lr.Network(2, both), square) == number(nets[0], square) * number(nets[1], square)


# --- changes of the domain -----------------------------------------------------------------------


@given(plain_cases(), st.integers(-3, 3), st.integers(-3, 3))
def test_count_does_not_change_under_an_invertible_change_of_input(
    case: tuple[lr.Network, object, np.random.Generator], shear: int, shift: int
) -> None:
    net, _, rng = case
    n = net.input_size
    # Integer matrices of determinant +-1 on whole numbers; the inverse is as exact.
    matrix = np.eye(n)
    if n == 2:
        matrix = matrix @ [[1, shear], [0, 1]] @ [[1, 0], [-shear, 1]]
    first = net.layers[0]
    assert isinstance(first, Affine)
    assume((first.weight * 4 == np.round(first.weight * 4)).all())
    offset = np.full(n, float(shift))
    changed = Affine(first.weight @ matrix, first.bias + first.weight @ offset)
    other = lr.Network(n, [changed, *net.layers[1:]])
    assert patterns(other) == patterns(net)
    # On a box of the new coordinates the old network sees the image of that box.
    low = rng.integers(-3, 1, size=n).astype(float)
    box = lr.Box(low, low + rng.integers(1, 4, size=n))
    image = lr.Slice(offset, matrix.T, box)
    assert patterns(other, box) == patterns(net, image)


@given(strategies.cases(dimensions=(1,)))
def test_a_part_of_a_line_has_no_more_regions(case: tuple[lr.Network, object]) -> None:
    net, _ = case
    rng = np.random.default_rng(net.n_parameters)
    origin = rng.integers(-2, 3, size=net.input_size).astype(float)
    direction = np.ones((1, net.input_size))
    whole = patterns(net, lr.Slice(origin, direction))
    ray = patterns(net, lr.Slice(origin, direction, lr.Box(0.0, np.inf)))
    part = patterns(net, lr.Slice(origin, direction, lr.Box(0.0, 1.0)))
    assert part <= ray <= whole


@given(plain_cases())
def test_a_convex_part_of_the_domain_has_no_more_regions(
    case: tuple[lr.Network, object, np.random.Generator],
) -> None:
    net, _, _ = case
    n = net.input_size
    whole = patterns(net)
    large, small = patterns(net, lr.Box(-2.0, 2.0)), patterns(net, lr.Box(-1.0, 0.5))
    simplex = lr.Polytope(np.vstack([-np.eye(n), np.ones((1, n))]), np.ones(n + 1))
    assert small <= large <= whole
    assert patterns(net, simplex) <= large


@given(plain_cases(), st.integers(-4, 4))
def test_regions_of_two_halves_are_the_regions_of_the_whole(
    case: tuple[lr.Network, object, np.random.Generator], cut: int
) -> None:
    net, _, _ = case
    n = net.input_size
    at = cut / 4.0
    middle_low, middle_high = np.full(n, -2.0), np.full(n, 2.0)
    middle_high[0] = middle_low[0] = at
    left = lr.Box(np.full(n, -2.0), middle_high)
    right = lr.Box(middle_low, np.full(n, 2.0))
    halves = [patterns(net, left), patterns(net, right)]
    whole = patterns(net, lr.Box(-2.0, 2.0))
    assert halves[0] | halves[1] == whole
    sizes: dict[tuple[int, ...], float] = {}
    for part in (left, right):
        for bits, size in volumes(net, part).items():
            sizes[bits] = sizes.get(bits, 0.0) + size
    expected = volumes(net, lr.Box(-2.0, 2.0))
    assert sizes.keys() == expected.keys()
    for bits, size in expected.items():
        assert sizes[bits] == pytest.approx(size, rel=1e-6, abs=1e-9)
    # What both halves see, they share across their border, for regions are convex.
    border = patterns(net, lr.Box(middle_low, middle_high))
    assert halves[0] & halves[1] <= border


@given(strategies.cases(dimensions=(2,)))
def test_lengths_and_areas_add_up(case: tuple[lr.Network, object]) -> None:
    net, domain = case
    found = lr.regions(net, domain)
    empty = lr.regions(lr.Network(net.input_shape, []), domain)
    assert len(empty) == 1
    if found.bounded.all():
        np.testing.assert_allclose(found.volumes.sum(), empty.volumes[0], rtol=1e-9)
        assert (found.volumes > 0).all()
    else:
        assert not empty.bounded[0]


def test_a_slice_of_the_plane_by_itself_is_the_plane() -> None:
    net = strategies.mlp_of([2, 8, 8, 1], np.random.default_rng(1))
    assert patterns(net, lr.Slice([0.0, 0.0], np.eye(2))) == patterns(net)
    assert patterns(net, lr.Slice([0.5, -3.0], [[2.0, 1.0], [-1.0, 4.0]])) == patterns(net)


# --- convolutions --------------------------------------------------------------------------------


def as_matrix(net: lr.Network, layer: Conv, shape: tuple[int, ...]) -> Affine:
    """Return the matrix of a convolution, from its values at the unit vectors."""
    n = int(np.prod(shape))
    alone = lr.Network(shape, [layer])
    bias = alone(np.zeros((1, n))).reshape(-1)
    weight = alone(np.eye(n)).reshape(n, -1) - bias
    return Affine(weight.T, bias)


@pytest.mark.parametrize("seed", range(4))
def test_a_convolution_has_the_regions_of_its_matrix(seed: int) -> None:
    # Whole numbers: then the matrix is exact. Max pooling stays behind a reshape.
    net = strategies.network("relu_maxpool", "whole", seed)
    domain = strategies.domain(net, 2, "whole", seed)
    first = net.layers[0]
    assert isinstance(first, Conv)
    matrix = as_matrix(net, first, net.input_shape)
    layers = [lr.Flatten(), matrix, lr.Reshape(net.shapes[1]), *net.layers[1:]]
    assert patterns(lr.Network(net.input_shape, layers), domain) == patterns(net, domain)


def test_disjoint_windows_see_independent_inputs() -> None:
    # Two pooling windows over separate inputs: numbers of regions multiply.
    one = lr.Network((1, 2), [MaxPool(2)])
    assert number(one) == 2
    plane = lr.Slice([0.0] * 4, [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    assert number(lr.Network((1, 4), [MaxPool(2)]), plane) == 4
