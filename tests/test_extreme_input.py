# SPDX-License-Identifier: MIT
"""Extreme networks: a million units, none, and weights at the ends of double precision."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

import linear_regions as lr
from linear_regions import reference

SQUARE = lr.Box(-1.0, 1.0)
TINY, SMALL, LARGE = 5e-324, 1e-300, 1e300
SCALES = [TINY, 2.2250738585072014e-308, SMALL, LARGE, 1.5e308]


@pytest.mark.parametrize("layers", [[], [lr.Affine([[1.0, 2.0]])]])
def test_a_network_without_units_has_one_pattern_and_one_bound(layers):
    net = lr.Network(2, layers)
    assert lr.sample(net, SQUARE, 20, rng=0).distinct == 1
    assert lr.bounds(net, SQUARE).upper.value == 1


@pytest.mark.parametrize("method", ["polygons", "cones", "tree"])
@pytest.mark.parametrize("layers", [[], [lr.Affine([[1.0, 2.0]])]])
def test_a_network_without_units_has_one_region(method, layers):
    found = lr.count(lr.Network(2, layers), SQUARE, method=method)
    assert (found.value, found.status) == (1, "complete")


def scaled_net(scale):
    rng = np.random.default_rng(7)
    first = rng.integers(-3, 4, (4, 2)) * min(scale, LARGE)
    second = rng.integers(-3, 4, (2, 4)).astype(float)
    layers = [
        lr.Affine(first, rng.integers(-1, 2, 4) * min(scale, LARGE)),
        lr.relu(),
        lr.Affine(second, [scale, -scale]),
        lr.relu(),
    ]
    return lr.Network(2, layers)


@pytest.mark.parametrize("method", ["polygons", "cones", "tree"])
@pytest.mark.parametrize("scale", SCALES)
def test_extreme_weights_are_counted_as_the_rationals_they_are(method, scale):
    net = scaled_net(scale)
    found = lr.count(net, SQUARE, method=method)
    assert found.value == reference.count(net, SQUARE)


@pytest.mark.parametrize("scale", SCALES)
def test_extreme_weights_are_sampled_and_bounded_soundly(scale):
    lies_between_sample_and_bounds(scaled_net(scale), SQUARE)


def lies_between_sample_and_bounds(net, domain):
    """Check that patterns of points are patterns of regions, and that bounds hold."""
    table = lr.regions(net, domain)
    known = {row.tobytes() for row in table.patterns}
    found = lr.sample(net, domain, 500, keep_patterns=True, arithmetic="certified", rng=0)
    # A point may lie on a facet: what is on no facet is in a region.
    inside = [row for row in found.patterns if row.tobytes() in known]
    assert 1 <= len(inside) <= int(table.count)
    bounds = lr.bounds(net, domain)
    assert bounds.upper.value >= int(table.count)
    if bounds.lower is not None:
        assert bounds.lower.value <= int(table.count)
    return found.patterns, known


@pytest.mark.parametrize("method", ["polygons", "cones", "tree"])
def test_mixed_magnitudes_in_one_network_are_counted_exactly(method):
    weight = [[LARGE, SMALL], [SMALL, LARGE], [TINY, TINY], [1.0, -1.0], [LARGE, -LARGE]]
    net = lr.Network(2, [lr.Affine(weight, [0.0, SMALL, -TINY, 0.0, TINY]), lr.relu()])
    found = lr.count(net, SQUARE, method=method)
    assert found.value == reference.count(net, SQUARE)


def through_vertices():
    """Return lines that go through the corners of the square or through one point inside it."""
    weight = [[1.0, 1.0], [1.0, -1.0], [1.0, 0.0], [0.0, 1.0], [2.0, 1.0], [1.0, 1.0], [1.0, 0.0]]
    return lr.Network(2, [lr.Affine(weight, [0.0, 0.0, 0.0, 0.0, 0.0, 2.0, -1.0]), lr.relu()])


@pytest.mark.parametrize("method", ["polygons", "cones", "tree"])
def test_biases_exactly_on_a_vertex_add_no_region(method):
    net = through_vertices()
    found = lr.count(net, SQUARE, method=method)
    assert found.value == reference.count(net, SQUARE) == 10


def test_biases_exactly_on_a_vertex_are_sampled_and_bounded_soundly():
    patterns, known = lies_between_sample_and_bounds(through_vertices(), SQUARE)
    assert {row.tobytes() for row in patterns} <= known
    at_vertex = lr.patterns(through_vertices(), [[0.0, 0.0], [1.0, -1.0], [-1.0, -1.0]])
    # On a hyperplane belongs to the lower side.
    assert at_vertex[:, 0].tolist() == [0b0100000, 0b0110110, 0b0000000]


def test_extreme_hyperplanes_are_counted_as_the_rationals_they_are():
    normals = [[LARGE, TINY], [TINY, LARGE], [SMALL, SMALL], [1.0, 1.0]]
    planes = lr.Arrangement(normals, [TINY, LARGE, -SMALL, 1.0])
    # Of four lines, the last two are parallel and 0, 1, 3 meet in (0, -1): 11 - 1 - 1 chambers.
    for method in ("recursion", "rays", "tree"):
        assert planes.count(method=method).value == 9, method
    with pytest.raises(lr.DegenerateInput, match="0, 1, 3"):
        planes.count(method="sweep")


@cache
def million_units():
    n = 1_000_000
    rng = np.random.default_rng(0)
    return lr.Network(2, [lr.Affine(rng.normal(size=(n, 2)), rng.normal(size=n)), lr.relu()])


def test_bounds_of_a_million_units_are_exact():
    n = 1_000_000
    bounds = lr.bounds(lr.Architecture.mlp([2, n, 1]))
    assert bounds.upper.value == 1 + n + math.comb(n, 2)


def test_a_million_units_on_a_segment_are_counted():
    n = 1_000_000
    net = lr.Network(1, [lr.Affine(np.ones((n, 1)), -np.arange(n) / n), lr.relu()])
    found = lr.count(net, lr.Segment([-1.0], [2.0]))
    # The breakpoints 0, 1/n, ... are different doubles inside the segment.
    assert (found.value, found.status) == (n + 1, "complete")


@pytest.mark.parametrize("method", ["polygons", "cones", "tree"])
def test_a_million_units_in_the_plane_stop_at_the_time_limit(method):
    n = 1_000_000
    found = lr.count(million_units(), SQUARE, method=method, time_limit=0.3)
    assert (found.kind, found.status) == ("lower", "time_limit")
    assert 0 <= found.value <= 1 + n + math.comb(n, 2)


def test_a_million_units_are_sampled():
    net = million_units()
    points = np.array([[0.25, -0.5], [0.75, 0.125]])
    first = net.layers[0]
    signs = points @ np.asarray(first.weight).T + np.asarray(first.bias) > 0
    found = lr.sample(net, points=points, arithmetic="certified", keep_patterns=True)
    bits = np.unpackbits(found.patterns.view(np.uint8), axis=1, bitorder="little")
    # Of so many values none is within rounding of zero.
    rows = {row.tobytes() for row in bits[:, : signs.shape[1]].astype(bool)}
    assert rows == {row.tobytes() for row in signs}


def test_no_generator_names_the_argument():
    with pytest.raises(TypeError, match="rng must be"):
        lr.one_layer_maximum((1, 4, 4), lr.ConvSpec(1, 2), rng="x")
    net = lr.Network(1, [lr.Affine([[1.0]]), lr.relu()])
    with pytest.raises(TypeError, match="rng must be"):
        lr.sample(net, lr.Box(-1.0, 1.0), n=4, rng="x")
    with pytest.raises(TypeError, match="rng must be"):
        lr.expected(lr.Architecture.mlp([1, 2, 1]), lr.Box(-1.0, 1.0), trials=2, rng="x")
    with pytest.raises(lr.InvalidInput, match="rng must be"):
        lr.sample(net, lr.Box(-1.0, 1.0), n=4, rng=-1)
