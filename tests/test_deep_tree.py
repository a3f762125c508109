# SPDX-License-Identifier: MIT
"""The method "tree": any dimension, any layer, certified, against everything else that counts."""

from __future__ import annotations

import threading
from fractions import Fraction
from itertools import pairwise
from math import comb
from typing import Any

import numpy as np
import pytest

import helpers
import linear_regions as lr
import strategies
from draws import STYLES, domain
from linear_regions import _core, reference
from linear_regions._frame import domain_frame
from linear_regions._lower import frame_of, program


def listed(net: lr.Network, where: lr.domain.Domain, threads: int = 1) -> dict[str, Any]:
    frame = frame_of(domain_frame(where, net.input_shape))
    answer = _core.list_tree(program(net), frame, True, threads, None, None, None)
    assert answer["status"] == "complete"
    columns = answer["columns"]()
    assert answer["regions"] == len(columns["patterns"])
    return columns


def patterns_of(net: lr.Network, where: lr.domain.Domain) -> set[tuple[int, ...]]:
    """Return the listed patterns; all are different, and the interior points have them."""
    columns = listed(net, where)
    patterns = helpers.unpack(columns["patterns"], net.pattern_bits)
    assert len(set(patterns)) == len(patterns)
    exact = {index: [fraction(text) for text in texts] for index, texts in columns["exact_points"]}
    frame = domain_frame(where, net.input_shape)
    few = list(range(len(patterns)))[:: max(1, len(patterns) // 12)]
    for index in {*few, *exact}:
        t = exact.get(index) or [Fraction(v) for v in columns["points"][index].tolist()]
        assert reference.pattern(net, embed(frame, t)) == patterns[index]
    return set(patterns)


def fraction(text: str) -> Fraction:
    numerator, denominator = text.split("/")
    return Fraction(int(numerator, 16), int(denominator, 16))


def embed(frame: Any, t: list[Fraction]) -> list[Fraction]:
    if frame.exact_columns is None:
        columns = [[Fraction(v) for v in column] for column in frame.columns.tolist()]
    else:
        numerators, common = frame.exact_columns
        columns = [[Fraction(v, common) for v in column] for column in numerators]
    return [
        sum((c * v for c, v in zip(entry, [*t, Fraction(1)], strict=True)), Fraction(0))
        for entry in zip(*columns, strict=True)
    ]


def mlp(widths: list[int], seed: int, whole: bool = False) -> lr.Network:
    rng = np.random.default_rng(seed)
    layers: list[Any] = []
    for n_in, n_out in pairwise(widths):
        if whole:
            weight = rng.integers(-2, 3, (n_out, n_in)).astype(float)
            bias = rng.integers(-1, 2, n_out).astype(float)
        else:
            weight = rng.normal(size=(n_out, n_in)) * np.sqrt(2 / n_in)
            bias = rng.normal(size=n_out)
        layers += [lr.Affine(weight, bias), lr.relu()]
    return lr.Network(widths[0], layers)


def place(n: int, kind: int) -> lr.domain.Domain:
    simplex = lr.Polytope(np.vstack([-np.eye(n), np.ones((1, n))]), [1.0] * (n + 1))
    orthant = lr.Box(np.full(n, -1.0), np.full(n, np.inf))
    return [lr.Box(-1.0, 1.0), lr.Space(n), simplex, orthant][kind]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("family", sorted(strategies.FAMILIES))
def test_patterns_are_those_of_the_polygons_in_the_plane(family, style):
    for seed, dimension in ((0, 1), (1, 2)):
        net = strategies.network(family, style, seed)
        where = domain(net, dimension, style, seed) or lr.Space(net.input_size)
        table = lr.regions(net, where, threads=1)
        expected = set(helpers.unpack(table.patterns, net.pattern_bits))
        assert patterns_of(net, where) == expected
        assert int(lr.count(net, where, method="tree", threads=1)) == len(expected)


@pytest.mark.parametrize("kind", range(4), ids=["box", "space", "simplex", "orthant"])
@pytest.mark.parametrize("widths", [[3, 4, 3], [4, 4, 3], [5, 4, 2], [3, 3, 3, 3]], ids=str)
def test_degenerate_networks_have_the_patterns_of_the_reference(widths, kind):
    for seed in range(2):
        net = mlp(widths, seed, whole=True)
        where = place(widths[0], kind)
        expected = {region.pattern for region in reference.regions(net, where, geometry="programs")}
        assert patterns_of(net, where) == expected
        assert int(lr.count(net, where, method="tree")) == len(expected)


@pytest.mark.parametrize(("d", "n"), [(3, 9), (6, 10), (10, 11), (12, 11), (15, 10), (20, 9)])
def test_one_generic_layer_has_the_number_of_zaslavsky(d, n):
    rng = np.random.default_rng([d, n])
    net = lr.Network(d, [lr.Affine(rng.normal(size=(n, d)), rng.normal(size=n)), lr.relu()])
    number = lr.count(net, method="tree")
    assert number.kind == "exact"
    assert int(number) == sum(comb(n, i) for i in range(d + 1))


def test_wide_layers_agree_with_the_polygons():
    net = mlp([2, 70, 10], 3)
    assert int(lr.count(net, lr.Box(-1, 1), method="tree")) == int(lr.count(net, lr.Box(-1, 1)))


def test_slices_that_no_double_can_write_are_counted_exactly():
    net = mlp([5, 6, 6], 1)
    third = np.array([[1, 1, 1, 1, 1], [1, -2, 3, -1, 0.5]]) / 3
    where = lr.Polytope(np.vstack([np.eye(5), -np.eye(5)]), [1.0] * 10, third, [0.1, 0.2])
    frame = domain_frame(where, 5)
    assert frame.dim == 3
    expected = {region.pattern for region in reference.regions(net, where, geometry="programs")}
    assert patterns_of(net, where) == expected


def test_order_does_not_depend_on_the_threads():
    net = mlp([4, 12, 8], 5)
    one = listed(net, lr.Box(-1.0, 1.0))
    for threads in (2, 3):
        many = listed(net, lr.Box(-1.0, 1.0), threads)
        np.testing.assert_array_equal(one["patterns"], many["patterns"])


def test_limit_and_cancel_give_lower_bounds():
    net = mlp([6, 14, 10], 7)
    number = lr.count(net, lr.Box(-1, 1), method="tree", limit=10)
    assert (number.kind, number.status, number.value) == ("lower", "limit", 10)
    cancel = threading.Event()
    cancel.set()
    number = lr.count(net, lr.Box(-1, 1), method="tree", cancel=cancel)
    assert (number.value, number.status) == (0, "cancelled")
    number = lr.count(net, lr.Box(-1, 1), method="tree", time_limit=0.0)
    assert number.status == "time_limit"


def test_floating_point_gives_an_estimate():
    net = mlp([3, 6, 4], 2)
    certified = lr.count(net, lr.Box(-1, 1), method="tree")
    guess = lr.count(net, lr.Box(-1, 1), method="tree", arithmetic="float")
    assert guess.kind == "estimate"
    assert guess.value == certified.value


def test_numbers_of_any_size_are_counted_exactly():
    net = mlp([3, 4, 3], 4)
    for scale in (2.0**-300, 2.0**300):
        layers = [
            lr.Affine(layer.weight * scale, layer.bias * scale) if i == 0 else layer
            for i, layer in enumerate(net.layers)
        ]
        # The second layer's bias scales along, so that the regions stay the same.
        second = layers[2]
        assert isinstance(second, lr.Affine)
        layers[2] = lr.Affine(second.weight, second.bias * scale)
        other = lr.Network(3, layers)
        number = lr.count(other, lr.Box(-1, 1), method="tree")
        assert int(number) == int(lr.count(net, lr.Box(-1, 1), method="tree"))


def test_domain_of_dimension_zero_has_one_region():
    net = mlp([3, 4, 3], 4)
    point = lr.Box([0.5, 0.25, 1.0], [0.5, 0.25, 1.0])
    assert int(lr.count(net, point, method="tree")) == 1
    assert patterns_of(net, point) == {reference.pattern(net, [0.5, 0.25, 1.0])}


@pytest.mark.parametrize(
    ("widths", "method"),
    [
        ([12, 8, 8, 1], "cones"),
        ([20, 22, 2, 1], "cones"),
        ([12, 24, 4, 1], "tree"),
        ([16, 16, 16, 1], "tree"),
        ([20, 8, 16, 4, 1], "cones"),
        ([20, 20, 4, 4, 1], "tree"),
        ([6, 400, 4, 1], "cones"),
        ([2, 8, 8, 1], "polygons"),
    ],
)
def test_auto_takes_cones_in_the_whole_space_where_the_first_layers_chambers_have_few_rays(
    widths: list[int], method: str
) -> None:
    net = strategies.mlp_of(widths, np.random.default_rng(0))
    assert lr.count(net, limit=1).method == method


@pytest.mark.parametrize(
    ("widths", "method"),
    [
        ([6, 12, 3, 1], "cones"),
        ([7, 12, 9, 1], "tree"),
        ([7, 12, 10, 1], "cones"),
        ([8, 16, 8, 1], "tree"),
        ([8, 8, 24, 1], "cones"),
        ([9, 16, 1], "cones"),
        ([10, 12, 1], "tree"),
        ([10, 16, 1], "cones"),
        ([9, 200, 47, 8, 1], "tree"),
        ([9, 200, 48, 8, 1], "cones"),
        ([13, 64, 64, 1], "tree"),
    ],
)
def test_auto_takes_the_tree_in_boxes_where_the_last_layer_is_too_narrow_for_their_many_corners(
    widths: list[int], method: str
) -> None:
    d = widths[0]
    net = strategies.mlp_of(widths, np.random.default_rng(0))
    boxes = [
        lr.Box(-1.0, 1.0),
        lr.Slice(np.zeros(d), np.eye(d), lr.Box(0.0, 1.0)),
        lr.Box(np.zeros(d), np.arange(d) + 1.0),
    ]
    for box in boxes:
        assert lr.count(net, box, limit=1).method == method
    # Lists, and boxes with fewer dimensions than inputs, have the rules of their own.
    assert lr.count(net, lr.Box(np.zeros(d), np.arange(d) < 6), limit=1).method == "cones"
    if 3 <= d <= 8:
        assert lr.regions(net, boxes[0], limit=1).count.method == "cones"


def test_auto_takes_the_tree_for_max_windows_however_many_units_there_are() -> None:
    rng = np.random.default_rng(0)
    layers = [lr.Affine(rng.normal(size=(300, 9))), lr.relu(), lr.Affine(rng.normal(size=(8, 300)))]
    for last, method in ((lr.relu(), "cones"), (lr.Maxout(2), "tree")):
        net = lr.Network(9, [*layers, last])
        assert lr.count(net, lr.Box(-0.1, 0.1), limit=1).method == method


def test_boxes_of_seven_to_nine_dimensions_agree_between_tree_and_cones() -> None:
    for seed, widths in enumerate(([7, 8, 6, 1], [8, 6, 5, 4, 1], [8, 7, 20, 1], [9, 5, 5, 1])):
        net = strategies.mlp_of(widths, np.random.default_rng(seed))
        counts = {m: int(lr.count(net, lr.Box(-1, 1), method=m)) for m in ("auto", "tree", "cones")}
        assert len(set(counts.values())) == 1, (widths, counts)


def test_degenerate_later_layers_in_twelve_dimensions_agree() -> None:
    # Programs settle most of these cells in integers; cones do not need to.
    net = strategies.mlp_of([12, 5, 5, 1], np.random.default_rng(1))
    assert lr.count(net).value == lr.count(net, method="tree").value
