# SPDX-License-Identifier: MIT
"""Rows in twice the precision change no region, and make deep networks countable.

LINEAR_REGIONS_SHARPEN=always computes the rows of every layer cell so, however little they need it.
"""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given

import helpers
import linear_regions as lr
import strategies
from linear_regions import reference

CASES = list(product(strategies.FAMILIES, strategies.STYLES, (1, 2, 3)))


def listed(net: lr.Network, domain: object) -> list[tuple[int, ...]]:
    return helpers.unpack(lr.regions(net, domain).patterns, net.pattern_bits)


def compare(net: lr.Network, domain: object, patch: pytest.MonkeyPatch, tree: bool = False) -> None:
    patch.delenv("LINEAR_REGIONS_SHARPEN", raising=False)
    expected = listed(net, domain)
    patch.setenv("LINEAR_REGIONS_SHARPEN", "always")
    found = listed(net, domain)
    assert len(set(found)) == len(found) == len(expected)
    assert set(found) == set(expected)
    for threads in (1, 2):
        assert int(lr.count(net, domain, threads=threads)) == len(expected)
        if tree:
            assert int(lr.count(net, domain, method="tree", threads=threads)) == len(expected)


@pytest.mark.parametrize(("family", "style", "dimension"), CASES)
def test_every_kind_of_network_and_domain(family, style, dimension, monkeypatch):
    for seed in (21, 22)[: 4 - dimension]:  # three dimensions take longer
        net = strategies.network(family, style, seed)
        domain = strategies.domain(net, dimension, style, seed)
        compare(net, domain, monkeypatch, tree=dimension == 3)


@given(case=strategies.rough_cases())
def test_numbers_of_every_size(case):
    net, domain = case
    with pytest.MonkeyPatch.context() as patch:
        compare(net, domain, patch)


def deep(widths: list[int], seed: int, bias: float = 0.3, activation=lr.relu) -> lr.Network:
    rng = np.random.default_rng(seed)
    layers: list[object] = []
    for n_in, n_out in pairwise(widths):
        weight = rng.normal(size=(n_out, n_in)) * np.sqrt(2 / n_in)
        layers += [lr.Affine(weight, rng.normal(size=n_out) * bias), activation()]
    return lr.Network(widths[0], layers[:-1])


@pytest.mark.parametrize("depth", [16, 28])
@pytest.mark.parametrize("seed", range(3))
def test_deep_networks_have_the_patterns_of_the_reference(depth, seed, monkeypatch):
    net = deep([2, *[5] * depth, 1], seed, 0.5)
    domain = lr.Box(-0.25, 0.25)
    expected = {region.pattern for region in reference.regions(net, domain)}
    for how in ("", "always"):
        monkeypatch.setenv("LINEAR_REGIONS_SHARPEN", how)
        found = listed(net, domain)
        assert len(found) == len(set(found))
        assert set(found) == expected


def test_slices_keep_what_rounding_took_from_their_columns(monkeypatch):
    """Directions that are rounded differences: without their rests every deep sign is exact."""
    rng = np.random.default_rng(3)
    net = deep([5, *[12] * 20, 1], 3)
    a, b, c = rng.normal(size=(3, 5))
    for domain in (lr.Segment(a, b), lr.Slice.through([a, b, c])):
        compare(net, domain, monkeypatch)


@pytest.mark.parametrize(("width", "depth"), [(16, 30), (32, 20)])
def test_few_signs_of_deep_networks_are_exact(width, depth):
    net = deep([2, *[width] * depth, 1], 0)
    result = lr.count(net, lr.Box(-0.25, 0.25), threads=1)
    assert (result.kind, result.arithmetic) == ("exact", "certified")
    assert result.work["exact_signs"] < 0.01 * result.value


def convolutions(depth: int, links: bool) -> tuple[lr.Network, np.ndarray]:
    """Return a network of many convolutions, plain or with averages and residual links."""
    rng = np.random.default_rng(3)
    layers: list[object] = []
    for i in range(depth):
        n_in = 6 if i else 1
        weight = rng.normal(0.0, np.sqrt(2 / (9 * n_in)), (6, n_in, 3, 3))
        layers += [lr.Conv(weight, rng.normal(0.0, 0.1, 6), padding=1), lr.relu()]
        if links and i == 2:
            layers.append(lr.AvgPool(3, stride=1, padding=1))
        if links and i % 2 == 0 and i:
            layers.append(lr.Add(len(layers) - 4))
    layers += [lr.AvgPool(6), lr.Flatten(), lr.Affine(rng.normal(size=(2, 6)))]
    return lr.Network((1, 6, 6), layers), rng.random((5, 36))


@pytest.mark.parametrize(("depth", "links"), [(17, False), (20, True)])
@pytest.mark.parametrize("dimension", [3, 4])
def test_few_signs_of_deep_convolutions_are_exact(depth, links, dimension):
    net, points = convolutions(depth, links)
    domain = lr.Slice.through(points[: dimension + 1])
    for method in ("cones", "tree"):
        count = lr.count(net, domain, method=method, threads=1, limit=50)
        assert count.value == 50
        assert count.work["exact_signs"] < 5


@pytest.mark.parametrize(("depth", "links"), [(9, False), (12, True)])
def test_cones_of_deep_convolutions_are_those_of_the_tree(depth, links, monkeypatch):
    net, points = convolutions(depth, links)
    domain = lr.Slice(points[0], 0.02 * (points[1:4] - points[0]), lr.Box(0.0, 1.0))
    monkeypatch.delenv("LINEAR_REGIONS_SHARPEN", raising=False)
    expected = int(lr.count(net, domain, method="tree"))
    assert int(lr.count(net, domain, method="cones")) == expected > 20
    compare(net, domain, monkeypatch, tree=True)


def test_pooling_and_residual_links_are_followed(monkeypatch):
    """Averages over nine entries divide by a number that is no power of two."""
    rng = np.random.default_rng(8)
    layers: list[object] = [
        lr.Conv(rng.normal(size=(3, 1, 3, 3)) * 0.5, rng.normal(size=3) * 0.2, padding=1),
        lr.leaky_relu(0.1),
        lr.AvgPool(3, stride=1, padding=1),
    ]
    for _ in range(3):
        layers += [
            lr.Conv(rng.normal(size=(3, 3, 3, 3)) * 0.35, rng.normal(size=3) * 0.2, padding=1),
            lr.relu(),
            lr.AvgPool(3, stride=1, padding=1),
        ]
    layers += [lr.MaxPool(2), lr.Flatten(), lr.Affine(rng.normal(size=(2, 27)), rng.normal(size=2))]
    net = lr.Network((1, 6, 6), layers)
    points = rng.normal(size=(3, 1, 6, 6))
    compare(net, lr.Slice.through(0.1 * points), monkeypatch)
