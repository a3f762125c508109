# SPDX-License-Identifier: MIT
"""Sampling with device="cuda", on kernels that run on the processor."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest

import linear_regions as lr
import strategies
from host_device import HostDevice, host_device  # noqa: F401  (a fixture)
from linear_regions import _core
from linear_regions._device import launch
from linear_regions._device.forward import DeviceForward
from linear_regions._forward import forward_pass
from linear_regions._sample_device import DeviceSample
from linear_regions._sample_points import point_maker
from linear_regions.layers import Affine, Pointwise, relu


def forward_of(net: lr.Network, **options: object) -> DeviceForward:
    return DeviceForward(HostDevice(), net, forward_pass(net).patterns, **options)


# ---- the forward pass ----


@pytest.mark.parametrize("family", sorted(strategies.FAMILIES))
@pytest.mark.parametrize("style", strategies.STYLES)
def test_patterns_are_those_of_the_processor(family, style):
    generator = np.random.default_rng(1)
    for seed in range(4):
        net = strategies.network(family, style, seed)
        points = generator.normal(size=(60, net.input_size))
        points[30:] = generator.integers(-2, 3, (30, net.input_size))  # many on breakpoints
        forward = forward_of(net)
        assert np.array_equal(forward.patterns(points), forward_pass(net).patterns(points))


def test_only_points_near_a_breakpoint_are_computed_again():
    generator = np.random.default_rng(2)
    net = strategies.mlp_of([8, 32, 32, 1], generator)
    points = generator.normal(size=(5000, 8))
    forward = forward_of(net)
    assert np.array_equal(forward.patterns(points), forward_pass(net).patterns(points))
    assert forward.recomputed < 5
    forward.patterns(np.zeros((7, 8)) + points[:1])
    assert forward.recomputed < 5


def test_values_that_overflow_are_computed_again():
    weight = np.full((4, 2), 1e200)
    net = lr.Network(2, [Affine(weight), relu(), Affine(np.full((3, 4), 1e200)), relu()])
    points = np.array([[1.0, 1.0], [-1.0, 1.0], [1e-300, 0.0], [-1.0, -1.0]])
    forward = DeviceForward(HostDevice(), net, forward_pass(net).guess)
    assert np.array_equal(forward.patterns(points), forward_pass(net).guess(points))
    assert forward.recomputed == 4
    with pytest.raises(OverflowError, match="range of float64"):
        forward_of(net).patterns(points)


def test_a_sum_in_another_order_cannot_change_a_sign():
    # Sums that cancel to nothing but rounding: in another order they have another sign.
    generator = np.random.default_rng(3)
    half = generator.normal(size=(40, 50))
    weight = np.concatenate([half, -half[:, ::-1]], axis=1)
    net = lr.Network(100, [Affine(weight, np.zeros(40)), relu(), Affine(weight[:, :40]), relu()])
    side = generator.normal(size=(100, 50))
    points = np.concatenate([side, side[:, ::-1]], axis=1)
    forward = forward_of(net)
    assert np.array_equal(forward.patterns(points), forward_pass(net).patterns(points))
    assert forward.recomputed == 100


def test_single_precision_leaves_points_alone():
    generator = np.random.default_rng(4)
    net = strategies.mlp_of([3, 16, 1], generator)
    points = generator.normal(size=(500, 3))
    forward = forward_of(net, dtype=np.float32, exact_signs=True)
    found = forward.patterns(points)
    assert forward.recomputed == 0
    assert (found != forward_pass(net).patterns(points)).mean() < 0.01


def test_channels_with_different_breakpoints_keep_their_bits():
    layer = Pointwise([[-1.0, 0.0], [0.5, 1.0]], [[0.0, 1.0, 2.0], [1.0, 1.0, -1.0]])
    net = lr.Network(2, [Affine([[1.0, 0.5], [0.25, 1.0]]), layer, Affine([[1.0, -1.0]]), relu()])
    assert net.pattern_bits == 4
    points = np.random.default_rng(5).normal(size=(300, 2)) * 2
    assert np.array_equal(forward_of(net).patterns(points), forward_pass(net).patterns(points))


def test_device_sees_as_many_distinct_patterns():
    net = strategies.mlp_of([4, 20, 20, 1], np.random.default_rng(6))
    points = np.random.default_rng(7).normal(size=(3000, 4))
    found = forward_of(net).patterns(points)
    assert (
        _core.distinct_rows(found)[0] == _core.distinct_rows(forward_pass(net).patterns(points))[0]
    )


# ---- points ----


@pytest.mark.parametrize("n", [1, 3, 4, 5, 9])
def test_points_of_a_box_are_those_of_the_processor(n, host_device):  # noqa: F811
    net = lr.Network(n, [Affine(np.ones((1, n))), relu()])
    low = np.linspace(-3.0, 0.1, n)
    high = low + np.array([0.0 if i == 1 else 10.0 ** (i - 4) for i in range(n)])
    box = lr.Box(low, high)
    for key in (0, 5, 2**127 + 2**64 + 3):
        place = box.resolve((n,))
        there = DeviceSample(net, "cuda", True).box_maker(place, key)
        here = point_maker(net, box, "uniform", key)
        for start, stop in ((0, 50), (7, 8), (1000, 1003)):
            assert np.array_equal(there(start, stop), here(start, stop))


CASES = {
    "box": {"domain": lr.Box(-1.0, 1.0), "n": 3000},
    "flat box": {"domain": lr.Box([-1.0, 0.5, -1.0], [1.0, 0.5, 1.0]), "n": 500},
    "ball": {"domain": lr.Ball([0.0, 0.0, 0.0], 1.0), "n": 500},
    "normal": {"distribution": "normal", "n": 500},
    "points": {"points": np.random.default_rng(8).integers(-2, 3, (400, 3))},
}


@pytest.mark.parametrize("name", CASES)
def test_sample_on_a_device_is_that_of_the_processor(name, host_device, monkeypatch):  # noqa: F811
    monkeypatch.setattr("linear_regions._device.forward._NUMBERS", 1 << 12)
    net = strategies.mlp_of([3, 12, 12, 1], np.random.default_rng(9))
    here = lr.sample(net, rng=3, arithmetic="float", **CASES[name])
    there = lr.sample(net, rng=3, device="cuda", **CASES[name])
    assert there.device == "cuda"
    assert dataclasses.replace(there, device="cpu") == here
    used = host_device.launches.get("lr_uniform_points", 0)
    assert (used > 0) == ("box" in name)


def test_sample_without_exact_signs_says_so(host_device):  # noqa: F811
    net = strategies.mlp_of([2, 8, 1], np.random.default_rng(10))
    found = lr.sample(net, lr.Box(-1, 1), 500, device="cuda", exact_signs=False, rng=1)
    assert not found.exact_signs
    assert abs(found.distinct - lr.sample(net, lr.Box(-1, 1), 500, rng=1).distinct) <= 2


def test_a_network_without_activation_has_one_pattern(host_device):  # noqa: F811
    net = lr.Network(2, [Affine([[1.0, 2.0]])])
    assert lr.sample(net, lr.Box(-1, 1), 50, device="cuda").distinct == 1


def test_sample_without_cupy_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(launch, "_opened", {})
    net = lr.Network(2, [Affine([[1.0, 2.0]]), relu()])
    with pytest.raises(lr.DeviceError, match=r"CuPy.*not installed.*cuda12.*cuda13"):
        lr.sample(net, lr.Box(-1, 1), 10, device="cuda")
    with pytest.raises(lr.InvalidInput, match='device must be "cpu"'):
        lr.sample(net, lr.Box(-1, 1), 10, device="tpu")
