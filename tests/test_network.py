# SPDX-License-Identifier: MIT
"""Networks: construction, values, layout of patterns, evaluation of points."""

from __future__ import annotations

import pickle
import timeit

import numpy as np
import pytest

import linear_regions as lr
from linear_regions.architecture import AffineSpec, Architecture
from linear_regions.errors import InvalidInput
from linear_regions.layers import (
    Add,
    Affine,
    AvgPool,
    Conv,
    Flatten,
    Maxout,
    MaxPool,
    Pointwise,
    Scale,
    absolute,
    relu,
)
from linear_regions.network import Network


def small(seed=0, notes=()):
    rng = np.random.default_rng(seed)
    return Network(
        (1, 6, 6),
        [
            Conv(rng.normal(size=(2, 1, 3, 3)), rng.normal(size=2), padding=1),
            Pointwise([[0.0, 1.0], [0.0, 1.0]], [[0, 1, 0], [0, 1, 1]]),
            MaxPool(2),
            Scale([1.0, -2.0]),
            AvgPool(3),
            Flatten(),
            Affine(rng.normal(size=(4, 2))),
            relu(),
            Add(7),
            Maxout(2),
        ],
        notes,
    )


def test_shapes_sizes_and_layout():
    net = small()
    assert net.shapes[1:4] == ((2, 6, 6), (2, 6, 6), (2, 3, 3))
    assert net.output_shape == (2,)
    assert net.input_size == 36
    assert net.n_units == 72 + 18 + 4 + 2
    # Channel 0 has two breakpoints and channel 1 one, as its last two slopes are equal.
    assert net.pattern_layout == ((1, 0, 108), (2, 108, 36), (7, 144, 4), (9, 148, 2))
    assert net.pattern_bits == 150
    assert net.n_parameters == 20 + 4 + 12
    assert net.architecture.shapes == net.shapes
    assert net.architecture.n_units == net.n_units
    assert net.architecture.n_parameters == net.n_parameters
    assert net.input_shapes(8) == ((4,), (4,))


def test_architecture_of_a_network_equals_the_one_from_widths():
    rng = np.random.default_rng(0)
    net = Network([2], [Affine(rng.normal(size=(5, 2))), relu(), Affine(rng.normal(size=(1, 5)))])
    assert net.architecture == Architecture.mlp([2, 5, 1])


def test_network_without_activation_is_a_network():
    net = Network(2, [Affine([[1.0, 2.0]])])
    assert net.pattern_bits == net.n_units == 0
    assert net.pattern_layout == ()
    assert Network(3, []).output_shape == (3,)


def test_equality_is_by_value_and_notes_do_not_count():
    net = small()
    assert net == small(notes=["batch norm folded"])
    assert hash(net) == hash(small(notes=["batch norm folded"]))
    assert net != small(seed=1)
    assert hash(net) != hash(small(seed=1))
    assert net != "a network"
    assert len({net, small(), small(1)}) == 2


def test_pickle_drops_caches_and_keeps_everything_else():
    net = small(notes=["a note"])
    hash(net)
    _ = net.pattern_layout
    object.__setattr__(net, "_program", lambda: "cannot be pickled")
    twin = pickle.loads(pickle.dumps(net))
    assert twin == net
    assert twin.notes == ("a note",)
    assert twin.shapes == net.shapes
    assert twin._program is None
    assert not twin.layers[0].weight.flags.writeable


def test_networks_are_immutable():
    net = small()
    with pytest.raises(AttributeError, match="immutable"):
        net.layers = ()


def test_errors_number_the_layer():
    with pytest.raises(InvalidInput, match=r"layer 2: Affine: weight of shape \(1, 3\)"):
        Network(2, [Affine(np.ones((4, 2))), relu(), Affine(np.ones((1, 3)))])
    with pytest.raises(TypeError, match=r"layer 0: .* has no weights"):
        Network(2, [AffineSpec(3)])
    with pytest.raises(TypeError, match="layer 0 must be a layer"):
        Network(2, [np.ones((2, 2))])
    with pytest.raises(TypeError, match="iterable of strings"):
        Network(2, [], notes="note")


@pytest.mark.parametrize(
    ("shape", "rows", "single"),
    [
        ((1, 6, 6), 1, True),
        ((5, 1, 6, 6), 5, False),
        ((5, 36), 5, False),
        ((0, 36), 0, False),
    ],
)
def test_points_come_in_three_shapes(shape, rows, single):
    points, one = small().as_points(np.zeros(shape))
    assert points.shape == (rows, 36)
    assert one is single
    assert points.flags.c_contiguous


def test_points_of_a_flat_input():
    net = Network(3, [Affine(np.ones((2, 3)))])
    assert net.as_points([1, 2, 3])[1] is True
    assert net.as_points([[1, 2, 3]])[1] is False
    strided = np.zeros((4, 6))[:, ::2]
    assert net.as_points(strided)[0].flags.c_contiguous


@pytest.mark.parametrize("shape", [(36,), (6, 6), (5, 35), (2, 2, 1, 6, 6)])
def test_other_shapes_of_points_are_refused(shape):
    with pytest.raises(InvalidInput, match=r"\(batch, 36\)"):
        small().as_points(np.zeros(shape))


def test_call_evaluates_in_the_core():
    pytest.importorskip("linear_regions._core", reason="needs the compiled core")
    net = Network(2, [Affine([[1.0, -1.0], [2.0, 0.0]], [0.0, 1.0]), absolute(), Maxout(2)])
    x = np.array([[1.0, 3.0], [-4.0, 0.5]])
    np.testing.assert_array_equal(net(x), [[3.0], [7.0]])
    np.testing.assert_array_equal(net(x[1]), [7.0])


def test_small_network_is_constructed_in_microseconds():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) for shape in ((8, 2), (8, 8), (1, 8))]

    def make():
        a, b, c = weights
        return Network(2, [Affine(a), relu(), Affine(b), relu(), Affine(c)])

    make()
    # About 25 microseconds; the generous limit only guards against something of another order.
    assert min(timeit.repeat(make, number=200, repeat=5)) / 200 < 250e-6


def test_subclass_of_a_layer_is_named_where_values_are_needed():
    class Mine(lr.Affine):
        pass

    net = lr.Network(2, [Mine(np.eye(2)), lr.relu()])
    for call in (lambda: net([1.0, 2.0]), lambda: lr.count(net, lr.Box(-1, 1))):
        with pytest.raises(TypeError, match="layer 0: Mine is no layer of this package"):
            call()
