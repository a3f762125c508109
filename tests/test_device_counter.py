# SPDX-License-Identifier: MIT
"""A PatternCounter that is fed arrays of a GPU, on kernels that run on the processor."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import linear_regions as lr
from helpers import packed
from host_device import host_device  # noqa: F401  (a fixture)
from linear_regions._device import launch


class OnGpu(np.ndarray):
    """An array that says that it lies on a GPU."""

    number = 0

    def __dlpack_device__(self):
        return (2, self.number)


def on_gpu(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).view(OnGpu)


OPTIONS = [
    {},
    {"counts": True, "per_layer": True, "breakpoints": [[-0.5, 0.5], 0.0]},
    {"sketch": "hash", "per_layer": True},
    {"sketch": "hash", "hash_bits": 128, "counts": True},
    {"sketch": "hll", "precision": 6, "counts": True, "per_layer": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_it_makes_no_difference_where_a_batch_lies(options, dtype, host_device):  # noqa: F811
    generator = np.random.default_rng(1)
    here, there = lr.PatternCounter(**options), lr.PatternCounter(**options)
    for batch in range(4):
        layers = [generator.normal(size=(6000, 5, 7)), generator.normal(size=(6000, 30))]
        layers = [np.round(layer, 0 if batch % 2 else 1).astype(dtype) for layer in layers]
        here.update(layers)
        there.update(layers if batch == 2 else [on_gpu(layer) for layer in layers])
        if batch == 1:
            assert there.count() == here.count()
    assert there.samples == 24000
    assert there.to_bytes() == here.to_bytes()
    if options.get("per_layer"):
        assert there.layer_counts() == here.layer_counts()
    assert there.copy().merge(here).count() == here.count()


def test_signs_and_packed_patterns_may_lie_on_a_gpu(host_device):  # noqa: F811
    generator = np.random.default_rng(2)
    signs = generator.normal(size=(500, 70)) > 0
    words = packed(signs)
    counters = [lr.PatternCounter(counts=True, layer_bits=[70]) for _ in range(4)]
    counters[0].update(signs)
    counters[1].update(on_gpu(signs))
    counters[2].update_packed(on_gpu(words))
    counters[3].update_packed(on_gpu(words.view(np.int64)))
    assert len({counter.to_bytes() for counter in counters}) == 1
    with pytest.raises(lr.InvalidInput, match="behind the last of 70"):
        counters[2].update_packed(on_gpu(~words))
    with pytest.raises(lr.InvalidInput, match="have 2 words, got 1"):
        counters[2].update_packed(on_gpu(words[:, :1]))
    with pytest.raises(TypeError, match="uint64"):
        counters[2].update_packed(on_gpu(signs))
    assert counters[2].samples == 500


def test_what_is_wrong_on_a_gpu_is_refused_and_not_counted(host_device):  # noqa: F811
    counter = lr.PatternCounter()
    values = np.ones((3, 4))
    counter.update(on_gpu(values))
    bad = values.copy()
    bad[1, 2] = np.nan
    with pytest.raises(lr.InvalidInput, match="the batch has NaN"):
        counter.update(on_gpu(bad))
    with pytest.raises(lr.InvalidInput, match="layer 1 has NaN"):
        lr.PatternCounter().update([on_gpu(values), on_gpu(bad)])
    with pytest.raises(lr.InvalidInput, match="same number of rows"):
        lr.PatternCounter().update([on_gpu(values), on_gpu(values[:2])])
    with pytest.raises(lr.InvalidInput, match="must have shape"):
        counter.update(on_gpu(values[0]))
    with pytest.raises(TypeError, match="float64, float32"):
        counter.update(on_gpu(values.astype(np.int32)))
    with pytest.raises(lr.InvalidInput, match="patterns of"):
        counter.update(on_gpu(values[:, :2]))
    with pytest.raises(lr.DeviceError, match="different devices"):
        counter.update([on_gpu(values), values])
    with pytest.raises(lr.InvalidInput, match="bools are signs"):
        lr.PatternCounter(breakpoints=1.0).update(on_gpu(values > 0))
    assert (counter.samples, counter.count()) == (3, 1)


def test_an_array_of_a_gpu_without_cupy_is_a_device_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(launch, "_opened", {})
    with pytest.raises(lr.DeviceError, match=r"CuPy.*not installed.*cuda12"):
        lr.PatternCounter().update(on_gpu(np.ones((2, 2))))
