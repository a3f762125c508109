# SPDX-License-Identifier: MIT
"""Bounds against exact counts: none is on the wrong side, and lower ones are reached."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import strategies
from draws import domain
from linear_regions import reference
from linear_regions._bounds import bounds
from linear_regions._bounds.one_layer import formula, formula_above, shared_lower
from linear_regions._one_layer import one_layer_maximum
from linear_regions._one_layer.bracket import bracket
from linear_regions._one_layer.windows import one_layer
from linear_regions._sample import patterns
from linear_regions.architecture import Architecture, ConvSpec, PointwiseSpec
from linear_regions.domain import Box, Slice, Space
from linear_regions.errors import InvalidInput
from linear_regions.layers import (
    Affine,
    Conv,
    Flatten,
    MaxPool,
    absolute,
    hard_tanh,
    leaky_relu,
    relu,
)
from linear_regions.network import Network

cnn, mlp = Architecture.cnn, Architecture.mlp
RELU = PointwiseSpec(1, flat=1, at_zero=True)

THEOREM_2 = "Xiong 2020, Theorem 2"
LOWER_5, UPPER_5 = "Xiong 2020, Theorem 5 (lower)", "Xiong 2020, Theorem 5 (upper)"


# ---- soundness: no upper bound lies below an exact count ----


def check_upper(net, domain):
    exact = reference.count(net, domain)
    for result in (bounds(net, domain), bounds(net.architecture, domain)):
        for bound in result:
            if bound.is_upper and bound.of != "average":
                assert exact <= bound.value, (bound, exact)
    return exact


@pytest.mark.parametrize("family", strategies.FAMILIES)
@pytest.mark.parametrize("style", ["generic", "whole"])
@pytest.mark.parametrize("dimension", [1, 2])
def test_no_upper_bound_is_below_the_count(family, style, dimension):
    net = strategies.network(family, style, 11)
    check_upper(net, domain(net, dimension, style, 11))


@settings(max_examples=25)
@given(strategies.cases(dimensions=(1,)))
def test_no_upper_bound_is_below_the_count_on_a_line(case):
    check_upper(*case)


def test_upper_bounds_of_pooling_layers_in_the_plane():
    for seed in range(2):
        rng = np.random.default_rng(seed)
        net = Network(
            (1, 4, 4),
            [
                Conv(rng.normal(size=(2, 1, 2, 2)), rng.normal(size=2)),
                relu(),
                MaxPool(2, 1),
                Flatten(),
                Affine(rng.normal(size=(3, 8)), rng.normal(size=3)),
                relu(),
            ],
        )
        plane = Slice(rng.normal(size=16), rng.normal(size=(2, 16)), domain=Box(-1.0, 1.0))
        assert check_upper(net, plane) > 10


# ---- lower bounds: networks that are as good as they promise ----


def test_a_folding_network_reaches_more_than_the_lower_bound_of_one_layer():
    # Input 3, kernels 1 and 2 with two filters each: a folding first layer built by hand.
    # relu(4x) and relu(8x - 4) combine to |..| folds of (0, 1): 214 regions, above the bound 120.
    result = bounds(cnn((1, 3), [ConvSpec(2, 1), ConvSpec(2, 2)]))
    assert result[LOWER_5].value == 120
    assert result.upper.value >= 214


def test_a_folding_convolution_reaches_theorem_5():
    # Kernel 1: relu(2x) - relu(4x - 2) folds (0, 1) twice, in both coordinates; the last layer's
    # two lines cross inside the unit square.
    fold = Conv(np.array([[[2.0]], [[4.0]]]), [0.0, -2.0])
    last = np.array([[[1.0, 0.5], [-1.0, -0.5]], [[0.5, -1.0], [-0.5, 1.0]]])
    net = Network((1, 2), [fold, relu(), Conv(last, [-0.75, 0.25]), relu()])
    result = bounds(net.architecture)
    assert result[LOWER_5].value == 16
    assert 16 <= reference.count(net, Space()) <= result.upper.value


def test_a_network_of_absolute_values_reaches_arora():
    # |x| + |y| on four quadrants, then relu(h) and relu(2h - 1).
    ends = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    second = Affine(np.array([[1.0] * 4, [2.0] * 4]), [0.0, -1.0])
    net = Network(2, [Affine(ends), relu(), second, relu()])
    value = bounds(net.architecture)["Arora 2018"].value
    assert value == reference.count(net, Space()) == 8


def test_a_tent_map_reaches_its_number():
    # k layers of 2 units: 2^k pieces on [0, 1] (Telgarsky); the lower bounds promise as many.
    depth = 4
    layers = []
    n = 1
    for _ in range(depth):
        weight = np.array([[1.0], [1.0]]) if n == 1 else np.array([[2.0, -4.0], [2.0, -4.0]])
        layers += [Affine(weight, [0.0, -0.5]), relu()]
        n = 2
    net = Network(1, layers)
    found = reference.count(net, Box(0.0, 1.0))
    assert found >= 2**depth
    assert bounds(net.architecture)["Montufar 2014"].value == 2 ** (depth - 1) * 3


@pytest.mark.parametrize("seed", range(3))
def test_lower_bound_of_a_convolution_is_reached_by_a_generic_draw(seed):
    # Generic = maximum for one layer: the exact number of chambers of a draw is the lower bound.
    rng = np.random.default_rng(seed)
    for shape, filters, kernel, value in [((1, 3), 2, 2, 15), ((1, 4), 2, 2, 55)]:
        weight = rng.integers(-999, 1000, size=(filters, 1, kernel))
        offset = rng.integers(-999, 1000, size=filters)
        rows, constants = [], []
        for f in range(filters):
            for start in range(shape[1] - kernel + 1):
                row = [Fraction(0)] * shape[1]
                for j in range(kernel):
                    row[start + j] = Fraction(int(weight[f, 0, j]))
                rows.append(row)
                constants.append(Fraction(int(offset[f])))
        assert len(reference.chambers(rows, constants)) == value
        result = bounds(cnn(shape, [ConvSpec(filters, kernel)]))
        assert result["first layer, shared filters"].value == value


@given(
    st.integers(1, 4),
    st.integers(1, 4),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.integers(0, 1),
    st.integers(1, 2),
    st.integers(1, 2),
)
def test_one_layer_bracket_holds_the_maximum(height, width, kernel, padding, channels, filters):
    spec = ConvSpec(filters, kernel, padding=padding)
    try:
        layer = one_layer((channels, height, width), spec)
    except InvalidInput:
        return
    below, above = bracket(layer, 1, "shared")
    number = formula((channels, height, width), spec, 1)
    assert number is None or number <= formula_above((channels, height, width), spec, 1)
    if layer.n_neurons <= 16 and max(p.n_positions for p, _ in layer.parts) <= 6:
        truth = int(one_layer_maximum((channels, height, width), spec, rng=0))
        assert below <= truth <= above
        assert below <= shared_lower((channels, height, width), spec, 1)[0] <= truth
        result = bounds(cnn((channels, height, width), [spec]))
        assert result.lower.value <= truth <= result.upper.value


def test_one_layer_out_of_reach_has_the_bracket_as_bounds():
    for shape, spec in (((1, 28, 28), ConvSpec(6, 5)), ((3, 32, 32), ConvSpec(64, 3, padding=1))):
        below, above = bracket(one_layer(shape, spec), 1, "shared")
        result = bounds(cnn(shape, [spec]))
        assert (result.lower.value, result.upper.value) == (below, above)
        deep = bounds(cnn(shape, [spec, ConvSpec(8, 3)]))
        assert below <= deep.lower.value < deep.upper.value


@pytest.mark.parametrize("seed", range(12))
def test_no_upper_bound_is_below_the_patterns_of_samples(seed):
    # In more dimensions than the reference takes: patterns that points meet.
    rng = np.random.default_rng(seed)
    shape = [(1, 5), (2, 5), (1, 4, 4)][seed % 3]
    kernel = (2,) * (len(shape) - 1)
    padding = int(rng.integers(2))
    first = Conv(rng.normal(size=(2, shape[0], *kernel)), rng.normal(size=2), padding=padding)
    activation = [relu(), leaky_relu(), hard_tanh(), absolute()][rng.integers(4)]
    second = Conv(rng.normal(size=(1, 2, *kernel)), rng.normal(size=1))
    middle = [MaxPool(2, 1)] if seed % 2 else []
    net = Network(shape, [first, activation, *middle, second, relu()])
    points = np.concatenate(
        [rng.normal(size=(10_000, net.input_size)) * size for size in (0.3, 1.0, 3.0, 10.0)]
    )
    seen = len(np.unique(patterns(net, points), axis=0))
    for bound in bounds(net):
        if bound.is_upper and bound.of != "average":
            assert seen <= bound.value, bound
