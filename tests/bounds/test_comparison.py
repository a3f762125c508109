# SPDX-License-Identifier: MIT
"""Regions per parameter, averages over random weights, orders and asymptotics."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest

import linear_regions as lr
from linear_regions._expected import student_quantile

cnn, mlp = lr.Architecture.cnn, lr.Architecture.mlp


# ---- comparison ----


def test_one_convolution_against_a_dense_layer():
    # n = 8, k = 3, 4 filters: 24 units, 16 parameters, 64 % of the regions with 7 % of them.
    conv = cnn((1, 8), [lr.ConvSpec(4, 3)])
    dense = lr.fully_connected_twin(conv)
    table = lr.compare_per_parameter(conv, dense, names=("conv", "dense"))
    assert (table["conv"].parameters, table["conv"].units) == (16, 24)
    assert (table["dense"].parameters, table["dense"].units) == (216, 24)
    assert table["conv"].lower.value == table["conv"].upper.value == 817_969
    assert table["dense"].lower.value == table["dense"].upper.value == 1_271_626
    assert table["conv"].per_parameter[0] == Fraction(817_969, 16)
    assert table.verdict().startswith("conv has more")
    assert table.verdict("dense", "conv").startswith("conv has more")
    assert len(table) == 2
    assert [row.name for row in table] == ["conv", "dense"]
    with pytest.raises(KeyError):
        table["other"]


def test_depth_wins_per_parameter():
    deep = mlp([2, 16, 16, 16, 16, 1])
    shallow = lr.shallow_twin(deep)
    assert 0 <= deep.n_parameters - shallow.n_parameters < 4
    assert lr.compare_per_parameter(deep, shallow).verdict() == (
        "A has more regions per parameter than B: proved by the bounds"
    )
    convs = cnn((1, 8), [lr.ConvSpec(9, 1)] * 4 + [lr.ConvSpec(9, 3)])
    flat = lr.shallow_twin(convs)
    assert flat.n_parameters <= convs.n_parameters
    assert lr.compare_per_parameter(convs, flat).verdict().startswith("A has more")
    close = lr.compare_per_parameter(mlp([2, 5, 5, 1]), mlp([2, 5, 6, 1]))
    assert "do not decide" in close.verdict()


def test_twins_match_units_or_parameters():
    conv = cnn((1, 10), [lr.ConvSpec(4, 3), lr.ConvSpec(3, 2)], dense=[5, 2])
    same = lr.fully_connected_twin(conv)
    assert same.n_units == conv.n_units
    assert same.output_shape == conv.output_shape
    small = lr.fully_connected_twin(conv, match="parameters")
    assert small.n_parameters <= conv.n_parameters
    shallow = lr.shallow_twin(conv, match="units")
    assert conv.n_units - 8 < shallow.n_units <= conv.n_units
    with pytest.raises(lr.InvalidInput, match="match"):
        lr.shallow_twin(conv, match="depth")
    with pytest.raises(lr.InvalidInput, match="pointwise"):
        lr.fully_connected_twin(cnn((1, 8), [lr.ConvSpec(2, 3), lr.MaxPool(2)]))
    with pytest.raises(lr.InvalidInput, match="no activation"):
        lr.shallow_twin(lr.Architecture(2, [lr.AffineSpec(3)]))
    with pytest.raises(lr.InvalidInput, match="smallest"):
        lr.fully_connected_twin(cnn((1, 50), [lr.ConvSpec(1, 2)]), match="parameters")


def test_comparison_is_data_and_a_picture():
    table = lr.compare_per_parameter(mlp([2, 8, 8, 1]), mlp([2, 16, 1]))
    data = table.to_dict()["rows"]
    assert data[0]["lower"] == str(table[0].lower.value)
    assert data[0]["upper_bound"] == table[0].upper.name
    pytest.importorskip("matplotlib")
    ax = table.plot()
    assert ax.get_ylabel() == "regions per parameter"
    assert [text.get_text() for text in ax.get_xticklabels()] == ["A", "B"]
    assert table.plot(ax, per_parameter=False) is ax


def test_comparison_checks_its_arguments():
    with pytest.raises(lr.InvalidInput, match="two or more"):
        lr.compare_per_parameter(mlp([2, 3, 1]))
    with pytest.raises(lr.InvalidInput, match="names"):
        lr.compare_per_parameter(mlp([2, 3, 1]), mlp([2, 4, 1]), names=["a", "a"])
    with pytest.raises(TypeError, match="Architectures"):
        lr.compare_per_parameter(mlp([2, 3, 1]), [2, 3, 1])
    with pytest.raises(IndexError, match="no architecture 2: there are 2"):
        lr.compare_per_parameter(mlp([2, 3, 1]), mlp([2, 4, 1])).verdict(0, 2)


# ---- average over random weights ----


def test_one_layer_has_the_maximum_on_average():
    found = lr.expected(mlp([2, 7, 1]), trials=5, rng=3)
    assert set(found.counts) == {1 + 7 + 21}
    assert found.interval == (29.0, 29.0)
    assert found.deviation == 0.0


def test_expectation_is_repeatable_and_an_estimate():
    arch = mlp([2, 6, 6, 1])
    first = lr.expected(arch, lr.Box(-1, 1), trials=6, rng=1)
    again = lr.expected(arch, lr.Box(-1, 1), trials=6, rng=1, threads=1)
    assert first == again
    assert lr.expected(arch, lr.Box(-1, 1), trials=3, rng=1).counts == first.counts[:3]
    assert first.to_dict()["kind"] == "estimate"
    assert all(1 <= value <= lr.bounds(arch).upper.value for value in first.counts)
    assert np.isclose(first.mean, np.mean(first.counts))
    assert np.isclose(first.deviation, np.std(first.counts, ddof=1))
    half = student_quantile(0.95, 5) * first.deviation / 6**0.5
    assert np.allclose(first.interval, (first.mean - half, first.mean + half))


def test_expectation_of_convolutions_pooling_and_other_activations():
    arch = cnn((1, 4, 4), [lr.ConvSpec(2, 2), lr.MaxPool(2, 1)], dense=[3, 2])
    plane = lr.Slice(np.zeros(16), np.eye(16)[:2], domain=lr.Box(-1, 1))
    assert lr.expected(arch, plane, trials=2, rng=0).trials == 2
    with pytest.raises(lr.Unsupported, match="pass a Network"):
        lr.expected(mlp([2, 3, 1], "hard_tanh"), lr.Box(0, 1))
    net = lr.Network(2, [lr.Affine(np.zeros((3, 2))), lr.hard_tanh()])
    # Three units with two breakpoints: 1 + 6 + 3 * 4 regions.
    assert set(lr.expected(net, trials=3, rng=0).counts) == {19}


def test_expectation_takes_a_law():
    def ones(rng, architecture):
        return lr.Network(1, [lr.Affine(np.ones((2, 1)), rng.normal(size=2)), lr.relu()])

    arch = lr.Architecture(1, [lr.AffineSpec(2), lr.relu()])
    found = lr.expected(arch, init=ones, trials=2, rng=0)
    assert (found.init, set(found.counts)) == ("ones", {3})
    with pytest.raises(lr.InvalidInput, match="init must return"):
        lr.expected(mlp([3, 2, 1]), init=ones)
    with pytest.raises(TypeError, match="Network"):
        lr.expected(arch, init=lambda rng, architecture: None)


def test_expectation_checks_its_arguments():
    arch = mlp([2, 3, 1])
    for wrong in ({"trials": 0}, {"confidence": 1.0}, {"init": "glorot"}, {"bias_std": -1.0}):
        with pytest.raises(lr.InvalidInput):
            lr.expected(arch, **wrong)
    with pytest.raises(TypeError):
        lr.expected([2, 3, 1])


def test_expectation_stops_in_time():
    found = lr.expected(mlp([2, 60, 60, 60, 1]), trials=10_000, rng=0, time_limit=0.2)
    assert found.status == "time_limit"
    assert found.trials < 10_000


@pytest.mark.parametrize(
    ("confidence", "degrees", "value"),
    [(0.95, 1, 12.7062), (0.95, 2, 4.3027), (0.95, 10, 2.2281), (0.99, 5, 4.0321)],
)
def test_quantiles_of_student(confidence, degrees, value):
    assert abs(student_quantile(confidence, degrees) - value) < 1e-4


# ---- averages by theorem ----


def test_average_bounds_of_the_literature():
    constants = {"gradient_constant": 1 / 32, "bias_constant": 1}
    found = lr.average_bounds(mlp([2, 20, 1]), lr.Box(0, 1), **constants)
    assert found["Hanin-Rolnick 2019"].value == 200
    assert lr.average_bounds(mlp([2, 6, 1]), lr.Box(0, 1), **constants)[0].value == 18
    assert lr.average_bounds(mlp([2, 6, 1]), lr.Box(0, 3), **constants)[0].value == 9 * 18
    maxout = lr.Architecture(2, [lr.AffineSpec(40), lr.Maxout(2)])
    assert lr.average_bounds(maxout, lr.Box(0, 1), **constants)[0].value == 800
    # Not confirmed: never the best rigorous bound.
    assert found.upper is None
    assert not found[0].rigorous
    assert "not confirmed" in repr(found[0])


def test_average_bounds_need_untied_weights_and_a_cube():
    constants = {"gradient_constant": 1.0, "bias_constant": 1.0}
    conv = lr.average_bounds(cnn((1, 4), [lr.ConvSpec(2, 2)]), lr.Box(0, 1), **constants)
    assert len(conv) == 0
    assert all("ties the weights" in item.reason for item in conv.not_applicable)
    with pytest.raises(lr.InvalidInput, match="cube"):
        lr.average_bounds(mlp([2, 3, 1]), lr.Box([0, 0], [1, 2]), **constants)
    with pytest.raises(lr.InvalidInput, match="bias_constant"):
        lr.average_bounds(mlp([2, 3, 1]), lr.Box(0, 1), gradient_constant=1, bias_constant=0)
    with pytest.raises(TypeError, match="Box"):
        lr.average_bounds(mlp([2, 3, 1]), lr.Space(), **constants)


# ---- orders ----


def test_orders_are_no_numbers():
    found = lr.bounds(mlp([2, 10, 10, 1]))
    orders = {order.name: order for order in found.orders}
    assert orders["Raghu 2017"].order == "O(10^(2 * 2))"
    assert orders["Raghu 2017"].value is None
    assert orders["Hanin-Rolnick 2019"].of == "average"
    assert "Raghu 2017" not in found
    with pytest.raises(KeyError, match="order"):
        found["Raghu 2017"]
    assert found.to_dict()["orders"][0]["value"] is None
    assert lr.bounds(mlp([2, 5, 1], "hard_tanh")).orders[0].order == "O((2 * 5)^(2 * 1))"
    conv = lr.bounds(cnn((1, 3, 3), [lr.ConvSpec(2, 2)]))
    assert [order.order for order in conv.orders] == ["Theta(d^9)"]


@pytest.mark.parametrize(
    ("shape", "kernel", "padding", "order", "constant", "dense"),
    [
        ((1, 3), 2, 0, 3, Fraction(1), Fraction(4, 3)),
        ((1, 4), 2, 0, 4, Fraction(7, 4), Fraction(27, 8)),
        ((1, 5), 3, 0, 5, Fraction(17, 12), Fraction(81, 40)),
        ((1, 3), 3, 1, 3, Fraction(25, 6), Fraction(9, 2)),
        ((1, 3, 3), 2, 0, 9, Fraction(29, 72), Fraction(2048, 2835)),
    ],
)
def test_asymptotics(shape, kernel, padding, order, constant, dense):
    spec = lr.ConvSpec(1, kernel, padding=padding)
    found = lr.one_layer_asymptotics(shape, spec)
    assert (found.order, found.constant, found.fully_connected) == (order, constant, dense)
    twice = lr.one_layer_asymptotics(shape, spec, breakpoints=2)
    assert twice.constant == 2**order * constant
    if len(shape) == 2:
        d = 3000
        value = int(lr.one_layer_maximum(shape, lr.ConvSpec(d, kernel, padding=padding)))
        assert abs(Fraction(value, d**order) / constant - 1) < Fraction(1, 100)


def test_asymptotics_of_groups_and_unseen_inputs():
    # Two groups of d / 2 filters on two channels each, kernel 1: blocks multiply.
    found = lr.one_layer_asymptotics((2, 1), lr.ConvSpec(2, 1, groups=2))
    assert (found.order, found.constant) == (2, Fraction(1, 4))
    # Stride 2, kernel 1: every second input is seen.
    assert lr.one_layer_asymptotics((1, 4), lr.ConvSpec(1, 1, stride=2)).order == 2
    with pytest.raises(lr.Unsupported, match="order is 3072"):
        lr.one_layer_asymptotics((3, 32, 32), lr.ConvSpec(64, 3))
    with pytest.raises(TypeError, match="ConvSpec"):
        lr.one_layer_asymptotics((3, 32), lr.relu())


# ---- every network has an upper bound, quickly ----


def tall(n, size):
    layers = [lr.ConvSpec(64, 7, stride=2, padding=3), lr.relu(), lr.MaxPool(3, 2, padding=1)]
    for _ in range(n):
        start = len(layers)
        layers += [lr.ConvSpec(64, 3, padding=1), lr.ScaleSpec(), lr.relu()]
        layers += [lr.ConvSpec(64, 3, padding=1), lr.ScaleSpec(), lr.Add(start), lr.relu()]
    layers += [lr.AvgPool(7), lr.Flatten(), lr.AffineSpec(10)]
    return lr.Architecture((3, size, size), layers)


@pytest.mark.parametrize(
    "arch",
    [
        mlp([784, *[4096] * 100, 10]),
        mlp([3000, *[3000] * 100, 10]),
        mlp([50, *[100] * 100, 10]),
        tall(16, 224),
        cnn((3, 224, 224), [lr.ConvSpec(64, 7, stride=2), lr.ConvSpec(64, 3), lr.ConvSpec(64, 3)]),
        cnn((3, 64, 64), [lr.ConvSpec(32, 3, padding=1), lr.MaxPool(2)] * 4, dense=[512, 10]),
    ],
    ids=["wide", "square", "deep", "residual", "plain", "pooled"],
)
def test_large_networks_are_bounded_in_seconds(arch):
    started = time.process_time()
    found = lr.bounds(arch)
    assert time.process_time() - started < 20
    assert 1 < found.lower.value < found.upper.value <= found["trivial"].value


def test_asymptotics_of_large_layers_can_be_shown():
    found = lr.one_layer_asymptotics((1, 2000), lr.ConvSpec(8, 5))
    assert repr(found).startswith("Asymptotics(order=2000, constant=")
    assert len(repr(found)) < 200
