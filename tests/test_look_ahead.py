# SPDX-License-Identifier: MIT
"""Looking ahead changes no region: lists are those of the engine that never looks.

LINEAR_REGIONS_LOOK_AHEAD=always looks from every node, however little there is to gain; =reduce
also reduces the later layers at once to the units that are left open; =never leaves every cell to
itself.
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

CASES = list(product(strategies.FAMILIES, strategies.STYLES, (1, 2)))
SEEDS = range(3, 6)


@pytest.fixture
def looking(monkeypatch):
    """Return a function that says how the engine looks ahead."""
    return lambda how: monkeypatch.setenv("LINEAR_REGIONS_LOOK_AHEAD", how)


def listed(net: lr.Network, domain: object) -> list[tuple[int, ...]]:
    return helpers.unpack(lr.regions(net, domain).patterns, net.pattern_bits)


def compare(net: lr.Network, domain: object, looking) -> int:
    """Compare what is found with and without looking ahead; return the number of regions."""
    looking("never")
    expected = listed(net, domain)
    for how in ("always", "reduce"):
        looking(how)
        found = listed(net, domain)
        assert len(set(found)) == len(found) == len(expected)
        assert set(found) == set(expected)
        for threads in (1, 2):
            assert int(lr.count(net, domain, threads=threads)) == len(expected)
    return len(expected)


@pytest.mark.parametrize(("family", "style", "dimension"), CASES)
def test_every_kind_of_network_and_domain(family, style, dimension, looking):
    for seed in SEEDS:
        net = strategies.network(family, style, seed)
        compare(net, strategies.domain(net, dimension, style, seed), looking)


def test_lists_equal_the_reference(looking):
    for family, style, dimension in CASES[2::13]:
        net = strategies.network(family, style, seed=11)
        domain = strategies.domain(net, dimension, style, 11)
        expected = {region.pattern for region in reference.regions(net, domain)}
        for how in ("always", "reduce"):
            looking(how)
            assert set(listed(net, domain)) == expected


@given(case=strategies.rough_cases())
def test_numbers_of_every_size(case):
    net, domain = case
    with pytest.MonkeyPatch.context() as patch:
        compare(net, domain, lambda how: patch.setenv("LINEAR_REGIONS_LOOK_AHEAD", how))


def deep(rng: np.random.Generator, widths: list[int], activation) -> lr.Network:
    layers: list[object] = []
    for n_in, n_out in pairwise(widths):
        weight = rng.normal(0.0, np.sqrt(2 / n_in), (n_out, n_in))
        weight[rng.random(weight.shape) < 0.2] = 0.0
        layers += [lr.Affine(weight, rng.normal(0.0, 0.5, n_out)), activation()]
    return lr.Network(widths[0], layers[:-1])


@pytest.mark.parametrize(
    "activation", [lr.relu, lr.hard_tanh, lambda: lr.leaky_relu(0.25), lr.absolute]
)
def test_wide_networks(activation, looking):
    rng = np.random.default_rng(31)
    net = deep(rng, [3, 20, 40, 40, 12, 1], activation)
    plane = lr.Slice(rng.normal(size=3), rng.normal(size=(2, 3)), lr.Box(-0.3, 0.3))
    assert compare(net, plane, looking) > 50
    if activation is lr.relu:
        assert compare(net, lr.Slice(np.zeros(3), np.eye(3)[:2]), looking) > 500
    assert compare(net, lr.Segment(rng.normal(size=3), rng.normal(size=3)), looking) > 10


def test_duplicates_and_units_that_are_zero(looking):
    """Units that agree, oppose each other or vanish: what is not strictly signed stays open."""
    rng = np.random.default_rng(32)
    for _ in range(20):
        widths = [2, 6, 8, 6, 4]
        layers: list[object] = []
        for n_in, n_out in pairwise(widths):
            weight = rng.integers(-2, 3, (n_out, n_in)).astype(float)
            bias = rng.integers(-1, 2, n_out).astype(float)
            weight[1], bias[1] = weight[0], bias[0]
            weight[2], bias[2] = -weight[0], -bias[0]
            weight[3], bias[3] = 0.0, 0.0
            layers += [lr.Affine(weight, bias), lr.relu()]
        compare(lr.Network(2, layers), lr.Box(-2.0, 2.0), looking)


def test_sub_trees_end_before_layers_that_cut_nothing(looking):
    net = deep(np.random.default_rng(33), [2, 16, 24, 12, 1], lr.relu)
    entered = {}
    for how in ("never", "always"):
        looking(how)
        entered[how] = lr.count(net, lr.Box(-1.0, 1.0)).work["layer_cells"]
    assert entered["always"] < entered["never"]
