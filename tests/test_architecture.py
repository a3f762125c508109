# SPDX-License-Identifier: MIT
"""Architectures: shapes, sizes, canonical forms."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from linear_regions.architecture import (
    AffineSpec,
    Architecture,
    ConvSpec,
    PointwiseSpec,
    ScaleSpec,
)
from linear_regions.errors import InvalidInput
from linear_regions.layers import (
    Add,
    Affine,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Maxout,
    MaxPool,
    Pad,
    Permute,
    Pointwise,
    Reshape,
    Scale,
    hard_tanh,
    relu,
)
from linear_regions.network import Network

LENET = Architecture.cnn(
    (1, 28, 28), [ConvSpec(6, 5), MaxPool(2), ConvSpec(16, 5), MaxPool(2)], dense=[120, 84, 10]
)


def test_mlp_has_an_activation_between_layers_and_none_after_the_last():
    arch = Architecture.mlp([2, 16, 8, 1])
    kinds = [type(layer).__name__ for layer in arch.layers]
    assert kinds == ["AffineSpec", "PointwiseSpec", "AffineSpec", "PointwiseSpec", "AffineSpec"]
    assert arch.n_units == 24
    assert arch.n_parameters == 2 * 16 + 16 + 16 * 8 + 8 + 8 + 1
    assert (arch.input_shape, arch.input_size, arch.output_shape) == ((2,), 2, (1,))


def test_one_layer_cnn_ends_in_its_activation():
    arch = Architecture.cnn((1, 3), [ConvSpec(2, 2)], activation="hard_tanh")
    assert arch.shapes == ((1, 3), (2, 2), (2, 2))
    assert arch.layers[-1] == hard_tanh().spec == PointwiseSpec(2, flat=2)
    assert arch.n_units == 4


def test_lenet_has_the_sizes_that_everybody_counts():
    assert LENET.shapes[6] == (16, 4, 4)
    assert LENET.n_parameters == 156 + 2416 + 30840 + 10164 + 850
    assert LENET.n_units == 6 * 24 * 24 + 6 * 12 * 12 + 16 * 8 * 8 + 16 * 4 * 4 + 120 + 84


def test_sizes_are_spread_so_that_equal_tapes_are_equal():
    short = Architecture.cnn((1, 8, 8), [ConvSpec(2, 3, padding=1), MaxPool(2)], dense=[3])
    long = Architecture(
        (1, 8, 8),
        [
            ConvSpec(2, (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
            relu(input=1),
            MaxPool((2, 2), (2, 2), 0, 1),
            Flatten(),
            AffineSpec(3),
        ],
    )
    assert short == long
    assert hash(short) == hash(long)
    assert short != Architecture.cnn((1, 8, 8), [ConvSpec(2, 3), MaxPool(2)], dense=[3])


def test_layers_with_weights_are_replaced_by_their_specs():
    arch = Architecture(
        (2, 4),
        [
            Conv(np.ones((3, 2, 2))),
            Scale([1.0, 2.0, 3.0]),
            Pointwise([0.0], [0.0, 1.0]),
            AvgPool(3),
            Flatten(),
            Affine(np.ones((2, 3))),
        ],
    )
    kinds = (ConvSpec, ScaleSpec, PointwiseSpec, AvgPool, Flatten, AffineSpec)
    assert tuple(type(layer) for layer in arch.layers) == kinds
    assert arch.n_parameters == (3 * 2 * 2 + 3) + 6 + 8


def test_canonical_forms_of_wiring_layers():
    arch = Architecture(
        (2, 3),
        [
            Reshape((-1,)),
            Reshape((2, 3)),
            Pad(1),
            Permute((1, 0)),
            Concat(4),
            Add(5),
            Maxout(2, input=6),
        ],
    )
    assert arch.layers[0] == Reshape(6)
    assert arch.layers[2] == Pad(((1, 1),))
    assert arch.layers[6] == Maxout(2)
    assert arch.shapes[3:] == ((2, 5), (5, 2), (10, 2), (10, 2), (5, 2))
    assert arch.input_shapes(4) == ((5, 2), (5, 2))


def test_errors_number_the_layer():
    with pytest.raises(InvalidInput, match=r"layer 1: Conv: .*\(channels, n\)"):
        Architecture(4, [AffineSpec(3), ConvSpec(2, 3)])
    with pytest.raises(InvalidInput, match="layer 0: Add: reads slot 1, but only slots 0 to 0"):
        Architecture(4, [Add(1)])
    with pytest.raises(InvalidInput, match=r"put Flatten\(\) before it"):
        Architecture((1, 4), [AffineSpec(3)])
    with pytest.raises(InvalidInput, match="groups=2 must divide the channels"):
        Architecture((3, 4), [ConvSpec(2, 2, groups=2)])
    with pytest.raises(InvalidInput, match="does not fit an axis of 1.*channels first"):
        Architecture((28, 28, 1), [ConvSpec(2, 5)])
    with pytest.raises(TypeError, match="layer 0 must be a layer"):
        Architecture(4, [3])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Architecture.mlp([3]),
        lambda: Architecture.mlp([3, 0, 1]),
        lambda: Architecture.mlp([3, 1], activation="gelu"),
        lambda: Architecture((), []),
        lambda: Architecture((0,), []),
        lambda: ConvSpec(3, 2, groups=2),
        lambda: PointwiseSpec(1, flat=3),
        lambda: AffineSpec(-1),
    ],
)
def test_impossible_architectures_are_refused(make):
    with pytest.raises(InvalidInput):
        make()


def test_activation_may_be_a_layer_or_a_spec():
    by_name = Architecture.mlp([2, 3, 1], activation="relu")
    assert by_name == Architecture.mlp([2, 3, 1], activation=relu())
    assert by_name == Architecture.mlp([2, 3, 1], activation=PointwiseSpec(1, 1, True))
    with pytest.raises(TypeError, match="name or a layer"):
        Architecture.mlp([2, 3, 1], activation=max)


def test_affine_activation_has_no_units():
    assert Architecture.mlp([2, 3, 1], activation=PointwiseSpec(0)).n_units == 0


def test_pickle_and_summary():
    twin = pickle.loads(pickle.dumps(LENET))
    assert twin == LENET
    assert twin.shapes == LENET.shapes
    lines = LENET.summary().splitlines()
    assert len(lines) == len(LENET.layers) + 3
    assert lines[-1].split() == ["total", str(LENET.n_parameters), str(LENET.n_units)]
    assert repr(LENET).startswith("Architecture((1, 28, 28) -> (10,), 12 layers,")


@pytest.mark.parametrize("kind", [Architecture, Network])
def test_one_layer_without_a_list_is_named(kind):
    with pytest.raises(TypeError, match=r"layers must be a list of layers, got Pointwise"):
        kind(2, relu())
