# SPDX-License-Identifier: MIT
"""The cone engine at the ends of the range of doubles, and where masks are too narrow."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import linear_regions as lr

CUBE = lr.Box([-1.0] * 3, [1.0] * 3)


def agreed(net: lr.Network, domain: lr.Domain) -> int:
    """Return the count, after cones, the tree and both lists have agreed."""
    found = {m: int(lr.count(net, domain, method=m)) for m in ("cones", "tree")}
    for faces in (True, False):
        found[f"faces={faces}"] = len(lr.regions(net, domain, method="cones", faces=faces))
    assert len(set(found.values())) == 1, found
    return found["tree"]


@pytest.mark.parametrize("power", [0, 40, 66, 70, 90, 200])
def test_scales_of_the_units_of_a_last_layer_change_no_count(power: int) -> None:
    # Quotients of two units' values leave the range of single precision from 2^64 on.
    scales = np.where(np.arange(6) % 2, 2.0**power, 2.0**-power)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        first, last = rng.normal(size=(4, 4)), rng.normal(size=(6, 5))
        counts = set()
        for scale in (np.ones(6), scales):
            rows = last * scale[:, None]
            layers = [lr.Affine(first[:, :3], first[:, 3]), lr.relu()]
            layers += [lr.Affine(rows[:, :4], rows[:, 4]), lr.relu()]
            counts.add(agreed(lr.Network(3, layers), CUBE))
        assert len(counts) == 1, seed


@pytest.mark.parametrize("power", [0, 129, 171, 172, 175])
def test_scales_that_grow_from_layer_to_layer_change_no_count(power: int) -> None:
    # Quotients leave the range of doubles, too: 2^(6 * 171) and more.
    scale = np.repeat([2.0**power, 2.0**-power], 4)[:, None]
    for seed in range(6):
        rng = np.random.default_rng(seed)
        first, bias = rng.normal(size=(8, 3)) * scale, rng.normal(size=8) * scale[:, 0]
        layers: list[lr.Layer] = [lr.Affine(first, bias), lr.relu()]
        for _ in range(2):
            weight = np.zeros((8, 8))
            weight[:4, :4], weight[4:, 4:] = rng.normal(size=(4, 4)), rng.normal(size=(4, 4))
            layers += [lr.Affine(weight * scale), lr.relu()]
        net = lr.Network(3, layers)
        expected = int(lr.count(net, CUBE, method="tree"))
        assert int(lr.count(net, CUBE, method="cones")) == expected, seed


@pytest.mark.parametrize(("power", "growth"), [(0, 0), (-170, 190), (-175, 100), (-180, 190)])
def test_errors_of_tiny_rows_do_not_underflow(power: int, growth: int) -> None:
    # The last units are zero: sums of equal numbers minus one multiple, all of which is rounded.
    n, up, small = 1000, 2.0**growth, 2.0**power
    for seed in range(3):
        rng = np.random.default_rng(seed)
        second = rng.uniform(0.5, 1, (2, 2))
        third = np.repeat(rng.uniform(0.1, 1, (6, 2)), n + 1, axis=0)
        sums = [np.outer(rng.choice([-1.0, 1.0], 8), np.r_[np.ones(n), -n]) for _ in range(6)]
        layers: list[lr.Layer] = []
        for weight, bias in [
            (small * np.eye(2), [small * 1.5] * 2),
            (small * second, None),
            (small * third, None),
            (up * np.concatenate(sums, axis=1), None),
        ]:
            layers += [lr.Affine(weight, bias), lr.relu()]
        net = lr.Network(2, layers)
        square = lr.Box([-1.0] * 2, [1.0] * 2)
        assert int(lr.count(net, square, method="cones")) == 1, seed


def test_rays_at_infinity_that_are_opposite_up_to_rounding() -> None:
    least = 2.0**-60
    layers = [
        lr.Affine([[1, 0], [0, 1], [0, least]], np.zeros(3)),
        lr.Affine([[1.0, 1, 1], [1, 1, -1]], [1.0, -2]),
        lr.relu(),
        lr.Concat(0),
        lr.Affine([[0.0, 0, 1, -1], [1, 2, 1, 1]], [2.0, 1]),
        lr.relu(),
        lr.Affine([[-2.0, 1], [0, -2]], [2.0, 1]),
        lr.relu(),
    ]
    assert agreed(lr.Network(2, layers), lr.Space(2)) == 19


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("bias", [(0.0, 1.0), (1.0, 1.0), (1.0, -1.0)])
def test_a_wedge_that_is_a_half_plane_up_to_rounding(
    sign: float, bias: tuple[float, float]
) -> None:
    sides = sign * np.array([[-1.0, -1, -1], [-1, -1, 1]])
    wedge = lr.Polytope(sides, [0.0, 0], A_eq=[[0.0, 2.0**-60, -1]], b_eq=[0.0])
    layers = [lr.Affine([[1.0, -1, 0], [1, 1, 0]], bias), lr.relu()]
    layers += [lr.Affine([[1.0, 2], [1, -1], [-2, 1]], [-1.0, 1, 1]), lr.relu()]
    net = lr.Network(3, layers)
    assert agreed(net, wedge) == int(lr.count(net, wedge, method="polygons"))


@pytest.mark.parametrize("half", [1.0, 2.0**-10, 2.0**-30, 2.0**-49, 2.0**-160])
@pytest.mark.parametrize("d", [3, 4])
def test_a_small_box_far_from_zero_has_the_regions_of_the_large_one_around_zero(
    half: float, d: int
) -> None:
    # All numbers are whole numbers times powers of two, so moving and scaling is exact.
    for seed in range(4):
        rng = np.random.default_rng([seed, d])
        middle = rng.integers(-3, 4, size=d).astype(float)
        weights = [rng.integers(-3, 4, size=shape).astype(float) for shape in ((5, d), (6, 5))]
        biases = [rng.integers(-3, 4, size=n).astype(float) for n in (5, 6)]
        if half < 2.0**-60:  # doubles hold either bias, but not both
            middle[:], biases[0][:] = middle * half * 2.0**20, half * biases[0]
            biases[0] -= weights[0] @ middle
        else:
            biases[0] = half * biases[0] - weights[0] @ middle
        small = [lr.Affine(weights[0], biases[0]), lr.relu()]
        small += [lr.Affine(weights[1], half * biases[1]), lr.relu()]
        here = [lr.Affine(weights[0], (biases[0] + weights[0] @ middle) / half), lr.relu()]
        here += [lr.Affine(weights[1], biases[1]), lr.relu()]
        expected = agreed(lr.Network(d, here), lr.Box([-1.0] * d, [1.0] * d))
        assert agreed(lr.Network(d, small), lr.Box(middle - half, middle + half)) == expected


def far_boxes(rng: np.random.Generator, d: int) -> lr.Box:
    """Return a box whose sides are far from zero by very different factors, on either side."""
    middle = rng.choice([-1.0, 1.0], d) * 10 ** rng.uniform(-3, 2, d)
    half = np.abs(middle) * 10 ** rng.uniform(-12, 0.5, d)
    return lr.Box(middle - half, middle + half)


@pytest.mark.parametrize("d", [3, 5])
def test_boxes_far_from_zero_have_the_regions_that_the_tree_finds(d: int) -> None:
    rng = np.random.default_rng(d)
    for _ in range(12):
        box = far_boxes(rng, d)
        at = rng.uniform(box.low, box.high, (6, d))  # units cut the box here
        weight = rng.normal(size=(6, d)) / (box.high - box.low)
        first = lr.Affine(weight, -np.sum(weight * at, axis=1))
        layers = [first, lr.relu(), lr.Affine(rng.normal(size=(5, 6)), rng.normal(size=5))]
        net = lr.Network(d, [*layers, lr.relu(), lr.Affine(rng.normal(size=(4, 5))), lr.relu()])
        assert agreed(net, box) > 1
        around = lr.Polytope(np.r_[np.eye(d), -np.eye(d)], np.r_[box.high, -box.low])
        assert int(lr.count(net, around, method="cones")) == agreed(net, box)
        directions = rng.integers(1, 4, size=(d, d)) + 3 * np.eye(d)  # origins that are rounded
        inside = lr.Slice(0.1 * np.ones(d), directions, box)
        agreed(net, inside)


def prism(sides: int, cuts: int) -> tuple[lr.Network, lr.Polytope]:
    """Return a prism, and a network whose second layer cuts off what is beyond its first one."""
    turn = 2 * np.pi * (np.arange(sides) + 0.25) / sides
    around = np.c_[np.round(1000 * np.cos(turn)), np.round(1000 * np.sin(turn)), 0 * turn]
    normals = np.r_[around, [[0.0, 0, -1], [0, 0, 1]]]
    domain = lr.Polytope(normals, np.r_[np.full(sides, 1000.0), 1, 1])
    turn = 2 * np.pi * (np.arange(cuts) + 0.5) / cuts
    rows = np.c_[np.round(8 * np.cos(turn)), np.round(8 * np.sin(turn)), 8 + 0 * turn]
    below, bias = rows * [1, 1, -1], np.full(cuts, -13.0)
    first = lr.Affine(np.r_[np.eye(3), rows], np.r_[3.0, 3, 3, bias])
    last = lr.Affine(np.c_[below, np.zeros((cuts, cuts))], bias - 3 * below.sum(axis=1))
    return lr.Network(3, [first, lr.relu(), last, lr.relu()]), domain


@pytest.mark.parametrize(("sides", "cuts"), [(58, 5), (56, 8)])
def test_parts_of_a_search_mean_the_same_where_facets_become_too_many(
    sides: int, cuts: int, tmp_path: Path
) -> None:
    net, domain = prism(sides, cuts)
    expected = int(lr.count(net, domain, method="tree"))
    assert int(lr.count(net, domain, method="cones")) == expected
    with ThreadPoolExecutor(2) as executor:
        assert int(lr.count(net, domain, method="cones", executor=executor)) == expected
    for n in (2, 3, 8):
        files = [tmp_path / f"{i} of {n}" for i in range(1, n + 1)]
        for i, file in enumerate(files, start=1):
            lr.count_shard(net, domain, shard=(i, n), out=file, method="cones")
        assert int(lr.merge_counts(files)) == expected
    options = {"method": "cones", "checkpoint": tmp_path / "state", "threads": 1}
    for limit in range(3, expected + 4, 3):
        found = lr.count(net, domain, limit=limit, **options)
    assert int(found) == expected
