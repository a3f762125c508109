# SPDX-License-Identifier: MIT
"""Constructed networks reach the lower bounds: counted exactly."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linear_regions import constructions
from linear_regions._bounds import bounds
from linear_regions._bounds.folding import Layer, dense_folding
from linear_regions._count import count
from linear_regions.architecture import Architecture, ConvSpec
from linear_regions.domain import Box
from linear_regions.errors import InvalidInput, Unsupported
from linear_regions.layers import AvgPool, MaxPool, relu


def check(net, *names):
    """Return the exact count, not below these lower bounds of its architecture nor above any."""
    try:
        exact = int(count(net))
    except Unsupported as error:
        pytest.skip(str(error))
    result = bounds(net.architecture)
    for name in names:
        assert result[name].value <= exact, (name, exact)
    for bound in result:
        if bound.is_upper and bound.rigorous and bound.of != "average":
            assert exact <= bound.value, (bound, exact)
    return exact


# Inputs, widths, value of the bound "folding", regions of the construction.
DENSE = [
    (1, (3, 3), 16, 16),
    (1, (5, 4, 3), 120, 120),
    (1, (1, 2), 3, 4),
    (2, (4, 4), 44, 57),
    (2, (6, 6), 352, 352),
    (2, (5, 7), 232, 248),
    (2, (3, 6), 44, 58),
    (2, (7, 2, 5), 320, 368),
    (2, (6, 6, 6), 5632, 5632),
    (2, (8, 8, 8), 23125, 23125),
]


@pytest.mark.parametrize("case", DENSE, ids=str)
def test_folding_networks_reach_their_bounds(case):
    size, widths, promised, reached = case
    net = constructions.folding_mlp(size, widths)
    result = bounds(net.architecture)
    names = [n for n in ("Pascanu 2013", "Montufar 2014", "Serra 2018 (lower)") if n in result]
    assert check(net, "folding", *names) == reached
    assert result["folding"].value == promised


def test_folding_networks_in_more_dimensions():
    for size, widths in [(3, (6, 4)), (3, (9, 5)), (4, (8, 5))]:
        check(constructions.folding_mlp(size, widths), "folding", "Montufar 2014")


@settings(max_examples=12)
@given(st.integers(1, 2), st.lists(st.integers(1, 5), min_size=2, max_size=3))
def test_folding_networks_of_any_widths(size, widths):
    # The bound takes the best prefix of the layers, the construction all of them.
    value, _ = dense_folding(size, tuple(map(Layer, widths[:-1])), (widths[-1], 1))
    assert check(constructions.folding_mlp(size, widths)) >= value


MAXOUT = [
    (1, (1, 1), 3, 6),
    (2, (2, 2), 3, 36),
    (2, (4, 4), 3, 825),
    (1, (3, 2, 2), 4, 392),
    (2, (5, 3), 2, 84),
    (1, (2, 3, 4), 5, 1530),
]


@pytest.mark.parametrize("case", MAXOUT, ids=str)
def test_folding_maxout_networks_reach_their_bound(case):
    size, units, rank, promised = case
    net = constructions.folding_maxout(size, units, rank)
    assert check(net, "folding") == bounds(net.architecture)["folding"].value == promised


CONVS = [
    # Theorem 5 of Xiong et al.: 16 = 2**2 * 4 (kernels 1 and 2, two filters each, input 2).
    ((1, 2), [ConvSpec(2, 1), ConvSpec(2, 2)], 16, True),
    ((2, 1), [ConvSpec(4, 1), ConvSpec(3, 1)], 28, True),
    ((1, 2), [ConvSpec(3, 1), ConvSpec(3, 1), ConvSpec(2, 2)], 1024, True),
    # Padding: every position copies the entry below its centre.
    ((1, 2), [ConvSpec(4, 3, padding=1), ConvSpec(3, 2)], 175, False),
    ((1, 2), [ConvSpec(4, 3, padding=1), ConvSpec(3, 2, padding=1)], 175, False),
    ((2, 1), [ConvSpec(7, 3, padding=1), ConvSpec(3, 1)], 140, False),
    # Pooling: 2 * (1 + 2 + 3) choices of a winner and pieces, then five intervals; 4 * 4 boxes.
    ((1, 2), [ConvSpec(3, 1), MaxPool(2), ConvSpec(4, 1)], 60, False),
    ((1, 2), [ConvSpec(3, 1), AvgPool(2), ConvSpec(4, 1)], 80, False),
    ((1, 2), [ConvSpec(2, 1), MaxPool(2), ConvSpec(3, 1), ConvSpec(2, 1)], 72, False),
    ((1, 2), [ConvSpec(3, 1), MaxPool(1), ConvSpec(2, 2)], 36, False),
]


@pytest.mark.parametrize("case", CONVS, ids=str)
def test_folding_convolutions_reach_their_bounds(case):
    shape, convs, promised, plain = case
    net = constructions.folding_cnn(shape, convs)
    names = ["Xiong 2020, Theorem 5 (lower)"] if plain else []
    check(net, "folding", *names)
    assert bounds(net.architecture)["folding"].value == promised


def test_folding_convolutions_in_more_dimensions():
    for shape, convs in [
        ((1, 3), [ConvSpec(2, 1), ConvSpec(2, 2)]),
        ((1, 4), [ConvSpec(2, 2), ConvSpec(3, 2)]),
    ]:
        check(constructions.folding_cnn(shape, convs), "Xiong 2020, Theorem 5 (lower)", "folding")


@pytest.mark.parametrize("depth", [1, 2, 6])
def test_tent_maps_reach_two_to_the_depth(depth):
    net = constructions.tent_network(depth)
    assert int(count(net, Box(0.0, 1.0))) == 2**depth
    assert bounds(net.architecture)["Telgarsky 2015 (tent maps)"].value == 2**depth
    check(net, "Telgarsky 2015 (tent maps)")


@pytest.mark.parametrize("case", [(1, 1, (2, 3)), (2, 3, (3,)), (2, 4, (4, 4)), (2, 3, (4, 5))])
def test_zonotopes_reach_arora(case):
    check(constructions.zonotope_network(*case), "Arora 2018")


def test_constructions_refuse_what_they_cannot_do():
    with pytest.raises(InvalidInput, match="at least one hidden layer"):
        constructions.folding_mlp(2, [])
    with pytest.raises(InvalidInput, match="rank"):
        constructions.folding_maxout(2, [2, 2], 1)
    with pytest.raises(InvalidInput, match="float64"):
        constructions.folding_mlp(9, [9, 40])
    with pytest.raises(TypeError, match="ConvSpec"):
        constructions.folding_cnn((1, 4), [relu(), ConvSpec(2, 2)])
    with pytest.raises(InvalidInput, match="two or more"):
        constructions.folding_cnn((1, 4), [ConvSpec(2, 2)])
    with pytest.raises(InvalidInput, match="groups"):
        constructions.folding_cnn((2, 4), [ConvSpec(2, 2, groups=2), ConvSpec(2, 2)])
    with pytest.raises(InvalidInput, match="channels"):
        constructions.folding_cnn((1, 4), [ConvSpec(2, 2), ConvSpec(2, 2)], channels=2)
    with pytest.raises(InvalidInput, match="kernel place"):
        constructions.folding_cnn((1, 4), [ConvSpec(2, 2, padding=2), ConvSpec(2, 2)])


def test_published_number_of_deep_maxout_is_too_large_for_one_input():
    # Two layers of one unit of rank 3: at most 3 + 2 * 2 = 7 regions, where k^(L-1) k^n_0 says 9.
    import numpy as np

    from linear_regions.architecture import AffineSpec
    from linear_regions.layers import Affine, Maxout
    from linear_regions.network import Network

    rng = np.random.default_rng(0)
    most = 0
    for _ in range(300):
        layers = []
        for scale in (1.0, 3.0):
            weight, bias = rng.normal(size=(3, 1)), scale * rng.normal(size=3)
            layers += [Affine(weight, bias), Maxout(3)]
        most = max(most, int(count(Network(1, layers))))
    assert most == 7
    result = bounds(Architecture(1, [AffineSpec(3), Maxout(3), AffineSpec(3), Maxout(3)]))
    assert result.lower.value == 6
    assert result["Montufar 2014 (maxout)"].value == 3
    missing = {item.name: item.reason for item in result.not_applicable}
    assert "false for one input" in missing["Montufar 2014 (maxout, deep)"]
