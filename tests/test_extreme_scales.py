# SPDX-License-Identifier: MIT
"""Numbers at the ends of the range of doubles, and beyond: scales change no region."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import linear_regions as lr

CUBE = lr.Box([-1.0] * 3, [1.0] * 3)
Table = list[list[Fraction]]


# ---- networks with one weight so small or large that no row is known in doubles ----


def cancelling_net(seed: int, extra: float) -> lr.Network:
    """Return a sparse network with rows that all but cancel, and one unit that cuts nothing.

    `extra` is that unit's only weight beside a bias of 2 |extra| + 1. No other unit reads it.
    """
    rng = np.random.default_rng(seed)
    a, (p, q) = rng.normal(size=(3, 4)), rng.uniform(0.5, 1.5, (2, 4))
    sums = [a[i % 3] * p[i] + a[(i + 1) % 3] * q[i] for i in range(4)]
    first = np.vstack([a, *sums, [extra, 0.0, 0.0, 2 * abs(extra) + 1]])
    second = np.zeros((6, 8))
    for i in range(4):
        second[i, [i % 3, (i + 1) % 3]] = p[i], q[i]
        second[i, 3 + i] = -1.0
    second[4, [0, 2]], second[5, [1, 3]] = rng.normal(size=2), rng.normal(size=2)
    layers = [lr.Affine(first[:, :3], first[:, 3]), lr.relu(), lr.Affine(second), lr.relu()]
    return lr.Network(3, layers)


@pytest.mark.parametrize("extra", [2.0**-201, 2.0**201, 2.0**-1074, -(2.0**1000)])
def test_a_weight_of_extreme_size_that_cuts_nothing_changes_no_count(extra: float) -> None:
    for seed in (0, 10, 11, 26):
        expected = int(lr.count(cancelling_net(seed, 0.0), CUBE, method="tree"))
        net = cancelling_net(seed, extra)
        found = {m: int(lr.count(net, CUBE, method=m)) for m in ("cones", "tree")}
        listed = len(lr.regions(net, CUBE, method="tree", faces=False))
        assert {*found.values(), listed} == {expected}, (seed, found, listed)


# ---- regions whose corners lie beyond the range of doubles ----


@pytest.mark.parametrize("method", ["polygons", "cones"])
@pytest.mark.parametrize("seed", range(6))
def test_corners_beyond_the_range_of_doubles_are_infinite_and_no_trouble(method, seed) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(4, 2)) * 2.0**-100
    weight[1] = weight[0] * [1.0, 1 + 2.0**-50]
    bias = rng.normal(size=4) * 2.0**900
    net = lr.Network(2, [lr.Affine(weight, bias), lr.relu(), lr.Affine(rng.normal(size=(2, 4)))])
    table = lr.regions(net, method=method)
    near = np.isfinite(table.vertices).all(axis=1)
    assert not near.all()
    assert not np.isnan(table.vertices).any()
    assert len(table.volumes) == len(table) == int(lr.count(net, method="tree"))
    for region in table:
        assert len(region.facets) >= 1
        again = lr.region_at(net, region.interior_fraction())
        assert again.pattern.tolist() == region.pattern.tolist()
        assert len(again.vertices) == len(region.vertices)
    assert not lr.decision_boundary(net).total_size <= 0  # NaN where it is not known


def test_areas_are_those_of_doubles_whose_differences_are_none() -> None:
    net = lr.Network(2, [lr.Affine([[1.0, 0.0]]), lr.relu()])
    box = lr.Box([-1.5e308, 0.0], [1.5e308, 2.0**-1000])
    assert lr.regions(net, box).volumes.tolist() == [1.5e308 * 2.0**-1000] * 2
    whole = lr.Network(2, [lr.Affine([[1.0, 0.0]], [1.6e308]), lr.relu()])
    assert lr.regions(whole, box).volumes.tolist() == [2 * (1.5e308 * 2.0**-1000)]


# ---- arrangements whose rows and columns are multiplied by powers of two ----


def drawn(rng: np.random.Generator, n: int, d: int) -> list[list[int]]:
    """Return rows (a, b) of one of several kinds, with up to 110 bits."""
    shape = (n, d + 1)
    kind = rng.integers(5)
    table = rng.integers(-2, 3, shape).astype(object)
    if kind == 1:
        table = rng.integers(-(2**50), 2**50, shape).astype(object)
    elif kind == 2:
        table = table * 2**40 + rng.integers(-1, 2, shape)
    elif kind == 3:
        table[:, -1] = 0
    elif kind == 4:
        table = rng.integers(-(2**50), 2**50, shape).astype(object) * 2**60
        table[-1] = table[0] // 4 + table[n // 2] // 4
        table += rng.integers(-5, 6, shape)
    return [[int(v) for v in row] for row in table]


def arrangement(table: list[list[int]], rows: Any, columns: Any) -> lr.Arrangement:
    """Multiply rows and columns (the offsets are one) by powers of two."""
    two = Fraction(2)
    scaled = [
        [v * two ** (int(r) + int(c)) for v, c in zip(row, columns, strict=True)]
        for row, r in zip(table, rows, strict=True)
    ]
    try:  # in doubles where they hold all of it
        rounded = [[float(v) for v in row] for row in scaled]
        if [[Fraction(v) for v in row] for row in rounded] == scaled:
            return lr.Arrangement([r[:-1] for r in rounded], [r[-1] for r in rounded])
    except OverflowError:
        pass
    return lr.Arrangement([r[:-1] for r in scaled], [r[-1] for r in scaled])


def answers(planes: lr.Arrangement) -> dict[str, object]:
    """Return all that scales cannot change."""
    out: dict[str, object] = {"flats": planes.whitney_numbers(), "inner": planes.bounded_count()}
    for method in ("recursion", "rays", "tree", "sweep"):
        try:
            out[method] = int(planes.count(method=method))
            if method != "recursion":
                signs = planes.sign_vectors(method=method)
                out[f"signs by {method}"] = sorted(map(tuple, signs.tolist()))
        except lr.DegenerateInput:
            out[method] = "degenerate"
    return out


@pytest.mark.parametrize("size", [5, 300, 530, 1020, 1070, 2000])
def test_scales_of_rows_and_columns_change_nothing(size: int) -> None:
    for seed in range(12):
        rng = np.random.default_rng([size, seed])
        d, n = int(rng.integers(1, 5)), int(rng.integers(1, 8))
        table = drawn(rng, n, d)
        rows, columns = rng.integers(-size, size + 1, n), rng.integers(-size, size + 1, d + 1)
        which = seed % 4
        if which == 0:
            rows[:] = 0
        elif which == 1:
            columns[:] = 0
        elif which == 2:
            columns[:-1] = rows[:] = 0
        expected = answers(arrangement(table, [0] * n, [0] * (d + 1)))
        assert answers(arrangement(table, rows, columns)) == expected, seed
        counts = {v for v in expected.values() if isinstance(v, int)} - {expected["inner"]}
        assert len(counts | {len(v) for k, v in expected.items() if k.startswith("signs")}) == 1


@pytest.mark.parametrize("power", [1060, 1110, 1115, 1120, 1124, 1200])
def test_the_sweep_knows_how_few_bits_the_smallest_doubles_have(power: int) -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        d = int(rng.integers(2, 5))
        n = d + 5
        rough, fine = rng.integers(-99, 100, (n, d + 1)), rng.integers(-(2**40), 2**40, (n, d + 1))
        table = (rough.astype(object) * 2**60 + fine).tolist()
        signs = []
        for by in (0, power):
            planes = arrangement(table, [0] * n, [0] * d + [by])
            signs.append(sorted(map(tuple, planes.sign_vectors(method="sweep").tolist())))
        assert signs[0] == signs[1], seed
