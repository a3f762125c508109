# SPDX-License-Identifier: MIT
"""Networks from lists of (W, b)."""

from __future__ import annotations

import numpy as np
import pytest

from linear_regions.errors import InvalidInput
from linear_regions.importers import load
from linear_regions.layers import Affine, Flatten, Maxout, Pointwise, hard_tanh, leaky_relu, relu
from linear_regions.network import Network

PAIRS = [
    (np.array([[1.0, -2.0], [0.5, 3.0], [0.0, 1.0]]), np.array([0.1, 0.2, -1.0])),
    (np.array([[1.0, 1.0, -1.0]]), np.array([0.5])),
]


def test_activation_stands_between_the_layers_and_not_after_the_last():
    expected = Network(2, [Affine(*PAIRS[0]), relu(), Affine(*PAIRS[1])])
    assert load(PAIRS) == expected
    assert load(tuple(PAIRS)) == expected
    x = np.array([[0.3, -0.7], [2.0, 1.0]])
    (w, b), (v, c) = PAIRS
    np.testing.assert_allclose(load(PAIRS)(x), np.maximum(x @ w.T + b, 0) @ v.T + c)


def test_plain_lists_and_missing_biases_are_read():
    assert load([([[1, -2]], None)]) == Network(2, [Affine([[1.0, -2.0]])])
    assert load([[[[1, -2]], [3]]]) == Network(2, [Affine([[1.0, -2.0]], [3.0])])


@pytest.mark.parametrize(
    ("given", "layer"),
    [
        ("relu", relu()),
        ("leaky_relu", leaky_relu()),
        ("hard_tanh", hard_tanh()),
        (leaky_relu(0.25), leaky_relu(0.25)),
        (Pointwise([1.0], [0.0, 2.0]), Pointwise([1.0], [0.0, 2.0])),
    ],
)
def test_activation_is_a_name_or_a_layer(given, layer):
    assert load(PAIRS, activation=given).layers[1] == layer


def test_maxout_may_stand_between():
    pairs = [(np.ones((4, 2)), np.arange(4.0)), (np.ones((1, 2)), None)]
    assert load(pairs, activation=Maxout(2)).shapes == ((2,), (4,), (2,), (1,))


def test_image_input_is_flattened():
    net = load(PAIRS, input_shape=(1, 2, 1))
    assert net.input_shape == (1, 2, 1)
    assert isinstance(net.layers[0], Flatten)


def test_single_precision_and_torch_tensors_convert_exactly():
    single = [(w.astype(np.float32), b.astype(np.float32)) for w, b in PAIRS]
    net = load(single)
    np.testing.assert_array_equal(net.layers[0].bias, single[0][1].astype(np.float64))
    torch = pytest.importorskip("torch")
    tensors = [(torch.nn.Parameter(torch.tensor(w)), torch.tensor(b)) for w, b in single]
    assert load(tensors) == net


def test_wrong_types_are_type_errors():
    for wrong in ([1.0], ["ab"], [np.ones((2, 2))], [(np.ones((2, 2)),)], [([["a"]], None)]):
        with pytest.raises(TypeError):
            load(wrong)
    with pytest.raises(TypeError, match="activation"):
        load(PAIRS, activation=3)


def test_wrong_values_are_invalid_input():
    with pytest.raises(InvalidInput, match="at least one"):
        load([])
    with pytest.raises(InvalidInput, match="W of layer 0 must have shape"):
        load([(np.ones(3), None)])
    with pytest.raises(InvalidInput, match="bias must have shape"):
        load([(np.ones((2, 3)), np.ones(3))])
    with pytest.raises(InvalidInput, match=r"expects an input \(4,\)"):
        load([(np.ones((2, 3)), None), (np.ones((1, 4)), None)])
    with pytest.raises(InvalidInput, match="unknown activation 'tanh'"):
        load(PAIRS, activation="tanh")
    with pytest.raises(InvalidInput, match="takes 2 inputs"):
        load(PAIRS, input_shape=(3, 1))
    with pytest.raises(InvalidInput, match="finite"):
        load([(np.array([[np.nan]]), None)])
