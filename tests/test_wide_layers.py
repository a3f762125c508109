# SPDX-License-Identifier: MIT
"""Layers of which many units cut one cell: lists equal the reference, and the time is no square."""

from __future__ import annotations

from fractions import Fraction
from math import nextafter

import numpy as np
import pytest

import helpers
import linear_regions as lr
from linear_regions import reference

SEGMENT = lr.Segment([-1.0], [1.0])
SQUARE = lr.Box(-1.0, 1.0)


def steps(start: float, n: int) -> list[float]:
    """Return neighbouring doubles."""
    found = [start]
    while len(found) < n:
        found.append(nextafter(found[-1], 2.0))
    return found


def breakpoints(kind: str, n: int) -> np.ndarray:
    """Return where the units of a layer bend, in an order that is bad for splitting in order."""
    rng = np.random.default_rng(5)
    if kind == "sorted":
        return np.linspace(-1.25, 1.25, n)
    if kind == "few":
        return np.sort(rng.integers(-9, 10, n) / 8)
    if kind == "neighbours":
        return np.array(steps(0.375, n))
    if kind == "one":
        return np.full(n, 0.375)
    ends = [*steps(nextafter(-1.0, -2.0), 3), *steps(nextafter(1.0, 0.0), 3), 0.0, 0.5]
    return rng.choice(ends, n)


def first_layer(kind: str, n: int) -> lr.Affine:
    """Return units x -> w (x - t); products are exact, so that equal t stay equal."""
    at = breakpoints(kind, n)
    weight = np.random.default_rng(6).choice([1.0, -1.0, 2.0, 0.5, -4.0], n)
    return lr.Affine(weight[:, None], -weight * at)


KINDS = ["sorted", "few", "neighbours", "one", "ends"]


def compare(net: lr.Network, domain: lr.Domain) -> int:
    """Compare list, count and count on two threads with the reference; return the number."""
    expected = [region.pattern for region in reference.regions(net, domain)]
    found = lr.regions(net, domain)
    listed = helpers.unpack(found.patterns, net.pattern_bits)
    assert len(set(listed)) == len(listed) == len(expected)
    assert set(listed) == set(expected)
    for threads in (1, 2):
        assert lr.count(net, domain, threads=threads).value == len(expected)
    return len(expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", [lr.relu, lr.hard_tanh])
def test_one_wide_layer_on_a_segment(kind, activation):
    layer = first_layer(kind, 150)
    compare(lr.Network(1, [layer, activation()]), SEGMENT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", [lr.relu, lr.hard_tanh])
def test_wide_layers_in_a_row_on_a_segment(kind, activation):
    rng = np.random.default_rng(7)
    layers = [
        first_layer(kind, 90),
        activation(),
        lr.Affine(rng.integers(-1, 2, (3, 90)).astype(float), rng.integers(-2, 3, 3) / 4),
        activation(),
        lr.Affine(rng.integers(-2, 3, (80, 3)).astype(float), rng.integers(-2, 3, 80) / 2),
        activation(),
        lr.Affine(rng.integers(-1, 2, (2, 80)).astype(float)),
        lr.leaky_relu(0.5),
    ]
    compare(lr.Network(1, layers), SEGMENT)


@pytest.mark.parametrize("activation", [lr.relu, lr.hard_tanh])
def test_wide_layers_in_the_plane(activation):
    # Few directions and offsets: lines coincide, run through the corners, meet in threes.
    rng = np.random.default_rng(8)
    layers = [
        lr.Affine(rng.integers(-1, 2, (90, 2)).astype(float), rng.integers(-2, 3, 90) / 2),
        activation(),
        lr.Affine(rng.integers(-1, 2, (3, 90)).astype(float), rng.integers(-2, 3, 3) / 4),
        lr.relu(),
    ]
    assert compare(lr.Network(2, layers), SQUARE) > 50


@pytest.mark.parametrize("kind", KINDS)
def test_thousands_of_units_have_a_region_between_distinct_breakpoints(kind):
    layer = first_layer(kind, 20_000)
    distinct = {
        -Fraction(b) / Fraction(w) for (w,), b in zip(layer.weight, layer.bias, strict=True)
    }
    inside = sum(-1 < t < 1 for t in distinct)
    found = lr.count(lr.Network(1, [layer, lr.relu()]), SEGMENT, threads=1)
    assert (found.value, found.status) == (inside + 1, "complete")
    assert found.work["cells"] <= 20_000


def test_a_count_of_a_wide_layer_is_made_of_parts(tmp_path):
    net = lr.Network(1, [first_layer("sorted", 5000), lr.relu()])
    whole = lr.count(net, SEGMENT)
    paths = [tmp_path / str(i) for i in (1, 2, 3)]
    for i, path in enumerate(paths, 1):
        lr.count_shard(net, SEGMENT, shard=(i, 3), out=path)
    assert lr.merge_counts(paths).value == whole.value
