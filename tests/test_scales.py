# SPDX-License-Identifier: MIT
"""Numbers near the ends of the range of doubles: powers of two change no pattern."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import linear_regions as lr
import strategies
from linear_regions import reference
from scales import rescaled

METHODS = ("polygons", "cones", "tree")
# Most of a slot's power, most of a layer's: within what doubles bound well, and beyond.
RANGES = [(300, 199), (1000, 199), (1020, 250), (1020, 1000)]


def patterns(net: lr.Network, domain: lr.Domain, method: str) -> set[bytes]:
    table = lr.regions(net, domain, method=method, faces=False)
    return {row.tobytes() for row in table.patterns}


def compare(net: lr.Network, domain: lr.Domain, new: lr.Network, dimension: int) -> None:
    """Compare counts and sets of patterns of two networks that must have the same regions."""
    methods = METHODS if dimension <= 2 else METHODS[1:]
    expected = patterns(net, domain, methods[0])
    for method in methods:
        assert int(lr.count(new, domain, method=method)) == len(expected), method
        if method != "tree":  # which lists in bounded domains alone
            assert patterns(new, domain, method) == expected, method


def wedge(power: int) -> lr.Network:
    """Return two lines that meet 2^40 from the origin, and layers that only scale them."""
    layers: list[lr.Layer] = [lr.Affine([[1.0, -1.0], [1 + 2.0**-40, -1.0]], [0.0, -1.0])]
    for gain in np.diff(np.linspace(0, power, 7).astype(int)):
        layers += [lr.relu(), lr.Affine(np.eye(2) * 2.0**gain)]
    return lr.Network(2, [*layers, lr.relu()])


@pytest.mark.parametrize("power", [0, 980, 985, 989, 992, 996, 1020])
def test_a_far_vertex_of_large_rows_lies_on_no_wrong_side(power: int) -> None:
    net = wedge(power)
    assert reference.count(net, lr.Space(2)) == 4
    for method in METHODS:
        assert int(lr.count(net, lr.Space(2), method=method)) == 4, method


@pytest.mark.parametrize("family", strategies.FAMILIES)
def test_scales_of_layers_change_no_region_of_any_kind(family: str) -> None:
    for seed, style in enumerate(strategies.STYLES):
        most = RANGES[(seed + len(family)) % len(RANGES)]
        net = strategies.network(family, style, seed)
        domain = strategies.domain(net, 1 + seed % 2, style, seed)
        domain = lr.Box(-1.0, 1.0) if domain is None else domain
        compare(net, domain, rescaled(net, np.random.default_rng(seed), *most), 1 + seed % 2)


@pytest.mark.parametrize(("dimension", "most"), list(product((1, 2, 3, 4), RANGES)))
def test_scales_of_layers_change_no_region_in_any_dimension(
    dimension: int, most: tuple[int, int]
) -> None:
    # Deep and narrow, so that sums of large terms cancel; whole numbers meet in many places.
    for seed, half in product(range(2), (1000.0, np.inf)):
        rng = np.random.default_rng([seed, dimension])
        style = strategies.STYLES[1 - seed]
        layers: list[lr.Layer] = []
        width = dimension
        for _ in range(4 if dimension < 3 else 3):
            layers += [strategies.affine(rng, 4, width, style)]
            layers += [[lr.relu(), lr.leaky_relu(0.25), lr.Maxout(2)][rng.integers(3)]]
            width = 2 if isinstance(layers[-1], lr.Maxout) else 4
        net = lr.Network(dimension, layers)
        domain = lr.Box([-half] * dimension, [half] * dimension)
        compare(net, domain, rescaled(net, rng, *most), dimension)
