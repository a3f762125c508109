# SPDX-License-Identifier: MIT
"""Facets of regions and the dual graph, against rational geometry."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given

import helpers
import linear_regions as lr
import strategies
from linear_regions import reference
from linear_regions._exact_facets import match_exactly

CASES = list(product(strategies.FAMILIES, strategies.STYLES, (1, 2)))


def drawn(family: str, style: str, dimension: int, seed: int) -> tuple[lr.Network, object]:
    net = strategies.network(family, style, seed)
    return net, strategies.domain(net, dimension, style, seed)


def compare(net: lr.Network, domain: object) -> None:
    """Compare the dual graph with rational geometry, as a set of pairs of patterns."""
    table = lr.regions(net, domain)
    bits = helpers.unpack(table.patterns, net.pattern_bits)
    i, j, facet = table.adjacency()
    assert (i < j).all()
    assert np.array_equal(table.facet_regions[facet], i)
    found = [frozenset((bits[a], bits[b])) for a, b in zip(i, j, strict=True)]
    assert len(set(found)) == len(found), "a pair of neighbours occurs twice"
    mates = table.facet_mates
    inner = mates >= 0
    assert np.array_equal(inner, table.facet_bits >= 0), "a facet inside the domain has no mate"
    assert np.array_equal(mates[mates[inner]], np.flatnonzero(inner)), "mates are not symmetric"
    if len(table) <= 200:  # facets as sets of rational corners
        one, other = match_exactly(
            net, table.domain, table.columns, np.flatnonzero(inner), method=table.count.method
        )
        assert np.array_equal(mates[one], other)
        assert 2 * len(one) == inner.sum()
    if len(table) <= 30:  # every pair of cells
        exact = reference.regions(net, domain)
        expected = {
            frozenset((exact[a].pattern, exact[b].pattern)) for a, b in reference.neighbours(exact)
        }
        assert set(found) == expected


@pytest.mark.parametrize(("family", "style", "dimension"), CASES)
def test_neighbours_equal_the_reference(family: str, style: str, dimension: int) -> None:
    compare(*drawn(family, style, dimension, 0))


@pytest.mark.parametrize("seed", [326, 478, 784])
def test_cones_in_a_plane_have_the_neighbours_of_polygons(seed: int) -> None:
    # Windows and units tie on lines that end on sides of the domain, which the methods number
    # differently.
    rng = np.random.default_rng(seed)
    layers = [
        lr.Affine(rng.integers(-2, 3, (4, 2)), rng.integers(-1, 2, 4)),
        lr.Maxout(2),
        lr.Affine(rng.integers(-1, 2, (4, 2))),
        lr.Maxout(2),
    ]
    net = lr.Network(2, layers)
    domain = lr.Polytope([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [1.0, 1.0, 1.0])
    place = lr.Box(-2.0, 2.0) if seed % 3 else domain
    one, other = (lr.regions(net, place, method=m).sorted() for m in ("cones", "polygons"))
    assert np.array_equal(one.patterns, other.patterns)
    for a, b in zip(one.adjacency()[:2], other.adjacency()[:2], strict=True):
        assert np.array_equal(a, b)


@given(strategies.cases())
def test_neighbours_of_random_networks(case: tuple[lr.Network, object]) -> None:
    compare(*case)


def test_parallel_lines_that_end_at_infinity_are_told_apart():
    net = lr.Network(2, [lr.Affine([[-1.0, 0.0], [2.0, 0.0]], [-2.0, -1.0]), lr.relu()])
    compare(net, None)


@given(strategies.rough_cases())
def test_neighbours_where_numbers_have_every_size(case: tuple[lr.Network, object]) -> None:
    compare(*case)
