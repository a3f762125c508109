# SPDX-License-Identifier: MIT
"""Sampling with device="cuda", on kernels that run on the processor."""

from __future__ import annotations

import numpy as np
import pytest

import linear_regions as lr
import strategies
from host_device import HostDevice, host_device  # noqa: F401  (a fixture)
from linear_regions import _core
from linear_regions._device.forward import DeviceForward
from linear_regions._lower import program
from linear_regions.layers import Affine, Pointwise, relu


def forward_of(net: lr.Network, **options: object) -> DeviceForward:
    return DeviceForward(HostDevice(), net, program(net).patterns, **options)


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
        assert np.array_equal(forward.patterns(points), program(net).patterns(points))


def test_only_points_near_a_breakpoint_are_computed_again():
    generator = np.random.default_rng(2)
    net = strategies.mlp_of([8, 32, 32, 1], generator)
    points = generator.normal(size=(5000, 8))
    forward = forward_of(net)
    assert np.array_equal(forward.patterns(points), program(net).patterns(points))
    assert forward.recomputed < 5
    forward.patterns(np.zeros((7, 8)) + points[:1])
    assert forward.recomputed < 5


def test_values_that_overflow_are_computed_again():
    weight = np.full((4, 2), 1e200)
    net = lr.Network(2, [Affine(weight), relu(), Affine(np.full((3, 4), 1e200)), relu()])
    points = np.array([[1.0, 1.0], [-1.0, 1.0], [1e-300, 0.0], [-1.0, -1.0]])
    forward = forward_of(net)
    assert np.array_equal(forward.patterns(points), program(net).patterns(points))
    assert forward.recomputed == 4


def test_a_sum_in_another_order_cannot_change_a_sign():
    # Sums that cancel to nothing but rounding: in another order they have another sign.
    generator = np.random.default_rng(3)
    half = generator.normal(size=(40, 50))
    weight = np.concatenate([half, -half[:, ::-1]], axis=1)
    net = lr.Network(100, [Affine(weight, np.zeros(40)), relu(), Affine(weight[:, :40]), relu()])
    side = generator.normal(size=(100, 50))
    points = np.concatenate([side, side[:, ::-1]], axis=1)
    forward = forward_of(net)
    assert np.array_equal(forward.patterns(points), program(net).patterns(points))
    assert forward.recomputed == 100


def test_single_precision_leaves_points_alone():
    generator = np.random.default_rng(4)
    net = strategies.mlp_of([3, 16, 1], generator)
    points = generator.normal(size=(500, 3))
    forward = forward_of(net, dtype=np.float32, exact_signs=True)
    found = forward.patterns(points)
    assert forward.recomputed == 0
    assert (found != program(net).patterns(points)).mean() < 0.01


def test_channels_with_different_breakpoints_keep_their_bits():
    layer = Pointwise([[-1.0, 0.0], [0.5, 1.0]], [[0.0, 1.0, 2.0], [1.0, 1.0, -1.0]])
    net = lr.Network(2, [Affine([[1.0, 0.5], [0.25, 1.0]]), layer, Affine([[1.0, -1.0]]), relu()])
    assert net.pattern_bits == 4
    points = np.random.default_rng(5).normal(size=(300, 2)) * 2
    assert np.array_equal(forward_of(net).patterns(points), program(net).patterns(points))


def test_device_sees_as_many_distinct_patterns():
    net = strategies.mlp_of([4, 20, 20, 1], np.random.default_rng(6))
    points = np.random.default_rng(7).normal(size=(3000, 4))
    found = forward_of(net).patterns(points)
    assert _core.distinct_rows(found)[0] == _core.distinct_rows(program(net).patterns(points))[0]
