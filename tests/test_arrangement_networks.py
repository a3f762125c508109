# SPDX-License-Identifier: MIT
"""Regions of networks with one hidden layer are the chambers of its arrangement."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

import linear_regions as lr


def one_layer(weight, bias):
    return lr.Network(
        (weight.shape[1],),
        [
            lr.Affine(weight, bias),
            lr.relu(),
            lr.Affine(np.ones((1, len(weight))), np.zeros(1)),
        ],
    )


def degenerate_layer():
    weight = np.array([[1, 0, 0], [2, 0, 0], [-1, 0, 0], [0, 1, 1], [0, 1, -1], [1, 1, 0], [0] * 3])
    return one_layer(weight.astype(float), np.array([0, 0, 1, 0, 0, -0.5, 1.0]))


def random_layer():
    rng = np.random.default_rng(8)
    return one_layer(rng.normal(size=(7, 3)), rng.normal(size=7))


PLACES = [
    lr.Space(),
    lr.Box(-1.0, 1.0),
    lr.Polytope([[1.0, 1.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]], [1.0, 0.5, 0.5]),
    lr.Slice([0.1, 0.2, 0.3], [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]),
    lr.Segment([-2.0, 1.0, 0.5], [2.0, -1.5, -0.25]),
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: type(place).__name__)
@pytest.mark.parametrize("net", [random_layer(), degenerate_layer()], ids=["random", "degenerate"])
def test_regions_of_one_layer_are_the_chambers_of_its_arrangement(net, place):
    planes = net.first_layer_arrangement()
    expected = int(lr.count(net, place, method="tree"))
    result = lr.count(net, place, method="arrangement")
    assert (int(result), result.kind, result.what) == (expected, "exact", "activation")
    listed = {tuple(row) for row in lr.regions(net, place).patterns.tolist()}
    for method in ("rays", "tree"):
        # A unit without weights has no hyperplane; its bit is the sign of its bias in both.
        chambers = planes.sign_vectors(place, method=method)
        assert {tuple(row) for row in chambers.tolist()} == listed
        assert len(chambers) == expected


@pytest.mark.parametrize(
    "straight",
    [
        lr.leaky_relu(1.0),
        lr.Maxout(1),
        lr.Pointwise([[0.0]] * 3, [[1.0, 1.0], [2.0, 2.0], [0.0, 0.0]], [1.0, 2.0, 3.0]),
    ],
    ids=["slope one", "windows of one entry", "per channel"],
)
def test_an_activation_that_never_bends_is_no_layer_of_units(straight):
    layers = random_layer().layers
    net = lr.Network(3, [straight, *layers[:1], lr.relu()])
    expected = int(lr.count(net, method="cones"))
    assert int(lr.count(net)) == int(net.first_layer_arrangement().count()) == expected


@pytest.mark.parametrize(("dim", "units"), [(784, 40), (21, 22), (25, 28)])
def test_one_layer_is_counted_in_many_dimensions(dim: int, units: int) -> None:
    rng = np.random.default_rng(0)
    layers = [
        lr.Affine(rng.normal(size=(units, dim)), rng.normal(size=units)),
        lr.relu(),
        lr.Affine(rng.normal(size=(3, units)), rng.normal(size=3)),
    ]
    net = lr.Network(dim, layers)
    found = lr.count(net)
    assert found.value == sum(comb(units, k) for k in range(min(dim, units) + 1))
    assert (found.kind, found.method, found.error_probability) == ("exact", "arrangement", 0.0)
    with pytest.raises(lr.Unsupported, match="more than 20 dimensions"):
        lr.count(net, lr.Box(-1, 1))
    two = lr.Network(dim, [*layers, lr.relu(), lr.Affine(rng.normal(size=(1, 3)), [0.0])])
    with pytest.raises(lr.Unsupported, match="more than 20 dimensions"):
        lr.count(two)
