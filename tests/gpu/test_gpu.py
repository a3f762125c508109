# SPDX-License-Identifier: MIT
"""On a GPU everything is what it is on the processor, bit for bit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import linear_regions as lr
import strategies
from host_device import HostDevice
from linear_regions import _core
from linear_regions._device.forward import DeviceForward
from linear_regions._device.kernels import KERNELS
from linear_regions._device.rows import RowSet, extract_bits, hashes, pack_codes, pack_layer
from linear_regions._device.tally import DeviceTally
from linear_regions._forward import forward_pass


def test_every_kernel_compiles(gpu):
    for name in KERNELS:
        gpu._function(name)


@pytest.mark.parametrize("element", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("units", [1, 31, 32, 33, 63, 64, 65, 128, 192, 1000])
def test_layers_are_packed_as_on_the_host(gpu, element, units):
    generator = np.random.default_rng(units)
    stored = np.uint16 if element == "bfloat16" else np.dtype(element)
    if element == "bfloat16":
        values = generator.integers(0, 2**16, (300, units)).astype(np.uint16)
    else:
        # The smallest numbers too: a compiler that flushes them to zero must not matter.
        smallest = np.finfo(element).smallest_subnormal
        values = (generator.integers(-3, 4, (300, units)) * smallest).astype(stored)
        values[150:] = generator.normal(size=(150, units)).astype(stored)
        values[0, 0] = np.nan
    cuts = np.array([[-0.5, 0.0, 0.75]])
    found = []
    for device in (HostDevice(), gpu):
        words = device.xp.zeros((300, (3 * units + 17) // 64 + 1), dtype=np.uint64)
        nan = device.xp.zeros(1, dtype=np.uint8)
        there = device.xp.asarray(values)
        bit = pack_layer(device, there, cuts, words, 5, element=element, nan=nan)
        codes = device.xp.asarray(np.arange(900, dtype=np.uint32).reshape(300, 3) % 16)
        pack_codes(device, codes, 4, words, bit)
        parts = [words, nan, hashes(device, words), hashes(device, words, lanes=2)]
        parts.append(extract_bits(device, words, 5, 3 * units))
        found.append([device.host(part) for part in parts])
    for here, there in zip(*found, strict=True):
        assert np.array_equal(here, there)


@pytest.mark.parametrize("width", [0, 1, 3])
def test_set_keeps_the_order_of_first_insertion(gpu, width):
    generator = np.random.default_rng(width)
    rows = generator.integers(0, 40 if width > 1 else 20_000, (300_000, width)).astype(np.uint64)
    found = RowSet(gpu, width)
    for part in np.array_split(rows, 7):
        found.insert(gpu.xp.asarray(part))
    distinct, counts = _core.distinct_rows(rows)
    assert found.size == distinct
    assert np.array_equal(gpu.host(found.counts).astype(np.int64), counts)
    _, first = np.unique(rows, axis=0, return_index=True)
    assert np.array_equal(gpu.host(found.rows), rows[np.sort(first)])


@pytest.mark.parametrize("sketch", range(4))
def test_tallies_are_those_of_the_host(gpu, sketch):
    generator = np.random.default_rng(sketch)
    rows = generator.integers(0, 3000, (200_000, 2)).astype(np.uint64)
    found = []
    for device in (HostDevice(), gpu):
        tally = DeviceTally(device, 2, sketch, True, 12, 1 << 14)
        for part in np.array_split(rows, 3):
            tally.insert(device.xp.asarray(part))
        found.append(tally.contents())
    for name, here in found[0].items():
        assert np.array_equal(here, found[1][name]), name


@pytest.mark.parametrize("family", sorted(strategies.FAMILIES))
def test_patterns_are_those_of_the_processor(gpu, family):
    generator = np.random.default_rng(1)
    for style in strategies.STYLES:
        net = strategies.network(family, style, 0)
        points = generator.normal(size=(2000, net.input_size))
        points[1000:] = generator.integers(-2, 3, (1000, net.input_size))
        forward = DeviceForward(gpu, net, forward_pass(net).patterns)
        found = gpu.host(forward.patterns(gpu.xp.asarray(points)))
        assert np.array_equal(found, forward_pass(net).patterns(points))


@pytest.mark.parametrize(
    "options",
    [
        {"domain": lr.Box(-1.0, 1.0), "n": 100_000},
        {"domain": lr.Ball(np.zeros(5), 1.0), "n": 10_000},
        {"distribution": "normal", "n": 10_000},
    ],
)
def test_samples_are_those_of_the_processor(gpu, options):
    net = strategies.mlp_of([5, 32, 32, 1], np.random.default_rng(2))
    here = lr.sample(net, rng=3, arithmetic="float", **options)
    there = lr.sample(net, rng=3, device="cuda", **options)
    assert dataclasses.replace(there, device="cpu") == here


@pytest.mark.parametrize(
    ("n", "d"),
    [(1, 1), (40, 2), (256, 2), (65, 3), (33, 4), (24, 5), (16, 6), (13, 7), (12, 8), (200, 2)],
)
@pytest.mark.parametrize("central", [False, True])
def test_sign_vectors_are_those_of_the_processor(gpu, n, d, central):
    generator = np.random.default_rng(n + d)
    offsets = np.zeros(n) if central else generator.normal(size=n)
    planes = lr.Arrangement(generator.normal(size=(n, d)), offsets)
    expected = planes.sign_vectors(method="sweep")
    assert np.array_equal(gpu.host(planes.sign_vectors(device="cuda")), expected)
    limit = len(expected) // 3 + 1
    assert np.array_equal(
        gpu.host(planes.sign_vectors(device="cuda", limit=limit)), expected[:limit]
    )
    assert int(planes.count(device="cuda")) == len(expected)


def test_the_first_of_very_many_sign_vectors_are_those_of_the_processor(gpu):
    generator = np.random.default_rng(5)
    planes = lr.Arrangement(generator.normal(size=(200, 7)), generator.normal(size=200))
    expected = planes.sign_vectors(method="sweep", limit=50_000)
    assert np.array_equal(gpu.host(planes.sign_vectors(device="cuda", limit=50_000)), expected)


def test_what_rounding_leaves_open_goes_back_to_the_processor(gpu):
    point, rows, offsets = (2**80, 3**50), [], []
    for i in range(1, 30):
        normal = (i, 2 * i * i + 1)
        rows.append(normal)
        offsets.append(-normal[0] * point[0] - normal[1] * point[1] + i**3)
    planes = lr.Arrangement(rows, offsets)
    count = planes.count(device="cuda", verify=True)
    assert count.work["exact_chambers"] > 0
    assert np.array_equal(gpu.host(planes.sign_vectors(device="cuda")), planes.sign_vectors())
    with pytest.raises(lr.errors.DegenerateInput):
        lr.Arrangement([[1, 0], [0, 1], [1, 1]], [0, 0, 0]).count(device="cuda")
