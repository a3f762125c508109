# SPDX-License-Identifier: MIT
"""Values and patterns of points: the compiled core, the reference and PyTorch agree."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import strategies
from helpers import point_patterns, unpack
from linear_regions import layers
from linear_regions._forward import forward_pass
from linear_regions.network import Network
from linear_regions.reference import forward, pattern

CASES = list(product(strategies.FAMILIES, strategies.STYLES, range(2)))


def points_of(net: Network, style: str, n: int, seed: int) -> np.ndarray:
    """Draw points; those of the whole-number styles hit breakpoints and ties exactly."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, net.input_size))
    return points if style == "generic" else np.round(points * 2) / 2


@pytest.mark.parametrize(("family", "style", "seed"), CASES)
def test_core_equals_the_reference(family: str, style: str, seed: int) -> None:
    net = strategies.network(family, style, seed)
    points = points_of(net, style, 4, seed)
    exact = np.array([[float(v) for v in forward(net, x)] for x in points.tolist()])
    got = net(points).reshape(4, -1)
    np.testing.assert_allclose(got, exact, rtol=1e-12, atol=1e-12 * (1 + abs(exact).max()))
    if style in ("whole", "zero_bias", "degenerate") and family != "average":
        # Small whole numbers and halves: every sum is exact in float64 (but 0.01 is no dyadic).
        same = unpack(point_patterns(net, points), net.pattern_bits)
        expected = [pattern(net, x) for x in points.tolist()]
        if not _has_slope(net, 0.01):
            assert same == expected


def _has_slope(net: Network, slope: float) -> bool:
    return any(
        isinstance(layer, layers.Pointwise) and (layer.slopes == slope).any()
        for layer in net.layers
    )


@given(strategies.networks())
def test_core_patterns_equal_the_reference(net: Network) -> None:
    # With 64ths every sum of whole numbers is exact, and so are ties, also those of functions that
    # are equal but summed in another order. Averages and slopes of 0.01 are rounded.
    points = np.round(64 * np.random.default_rng(0).normal(size=(3, net.input_size))) / 64
    found = unpack(point_patterns(net, points), net.pattern_bits)
    expected = [pattern(net, x) for x in points.tolist()]
    rounds = any(isinstance(layer, layers.AvgPool) for layer in net.layers)
    doubtful: set[int] = set()
    if rounds or _has_slope(net, 0.01):
        doubtful.update(forward_pass(net).doubtful_patterns(points)[1][:, 0].tolist())
    assert [p for i, p in enumerate(found) if i not in doubtful] == [
        p for i, p in enumerate(expected) if i not in doubtful
    ]


@pytest.mark.parametrize("batch", [0, 1, 7, 65])
def test_every_point_of_a_batch_is_evaluated(batch: int) -> None:
    net = strategies.network("conv_relu", "generic", 0)
    points = np.random.default_rng(0).normal(size=(batch, *net.input_shape))
    out = net(points)
    assert out.shape == (batch, *net.output_shape)
    assert point_patterns(net, points).shape == (batch, -(-net.pattern_bits // 64))
    for row, x in zip(out, points, strict=True):
        np.testing.assert_array_equal(row, net(x))


@pytest.mark.parametrize(("family", "style", "seed"), CASES)
def test_reference_equals_torch(family: str, style: str, seed: int) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    net = strategies.network(family, style, seed)
    points = points_of(net, style, 3, seed)
    exact = np.array([[float(v) for v in forward(net, x)] for x in points.tolist()])
    with torch.no_grad():
        got = run_torch(torch, net, points)
    np.testing.assert_allclose(got, exact, rtol=1e-12, atol=1e-12 * (1 + abs(exact).max()))


def run_torch(torch: Any, net: Network, points: np.ndarray) -> np.ndarray:
    """Evaluate a network with PyTorch's own operators."""
    slots = [torch.from_numpy(points.reshape(len(points), *net.input_shape))]
    for index, layer in enumerate(net.layers):
        slots.append(_torch_layer(torch, layer, [slots[i] for i in layer.inputs(index)]))
    result: np.ndarray = slots[-1].reshape(len(points), -1).numpy()
    return result


def _torch_layer(torch: Any, layer: layers.Layer, given: list[Any]) -> Any:
    functional = torch.nn.functional
    x = given[0]
    axes = x.dim() - 2
    match layer:
        case layers.Affine():
            return functional.linear(x, *_tensors(torch, layer.weight, layer.bias))
        case layers.Conv():
            conv = getattr(functional, f"conv{axes}d")
            weight, bias = _tensors(torch, layer.weight, layer.bias)
            padded = functional.pad(x, _torch_pads(layer.padding, axes))
            return conv(padded, weight, bias, layer.stride, 0, layer.dilation, layer.groups)
        case layers.Scale():
            weight, bias = _tensors(torch, layer.weight, layer.bias)
            shape = (1, -1, *[1] * axes)
            return x * weight.reshape(shape) + bias.reshape(shape)
        case layers.Pointwise():
            return _torch_pointwise(torch, layer, x)
        case layers.MaxPool():
            return _torch_max_pool(functional, layer, x)
        case layers.AvgPool():
            return getattr(functional, f"avg_pool{axes}d")(
                x,
                layer.kernel_size,
                layer.stride,
                layer.padding,
                layer.ceil_mode,
                layer.count_include_pad,
            )
        case layers.Maxout():
            return x.unflatten(1, (-1, layer.rank)).amax(dim=2)
        case layers.Flatten():
            return x.flatten(1)
        case layers.Reshape():
            return x.reshape(len(x), *layer.shape)
        case layers.Permute():
            return x.permute(0, *(axis + 1 for axis in layer.order))
        case layers.Pad():
            return functional.pad(x, _torch_pads(layer.padding, axes), value=layer.value)
        case layers.Add():
            return given[0] + given[1]
        case layers.Concat():
            return torch.cat(given, dim=1)
    raise AssertionError(layer)


def _tensors(torch: Any, *arrays: np.ndarray) -> list[Any]:
    return [torch.from_numpy(array.copy()) for array in arrays]


def _torch_pads(padding: Any, axes: int) -> list[int]:
    """Return PyTorch's flat list: (before, after) of the last axis first."""
    pairs = [padding] * axes if isinstance(padding, int) else list(padding)
    pairs = [(p, p) if isinstance(p, int) else p for p in pairs]
    return [side for pair in reversed(pairs) for side in pair]


def _torch_max_pool(functional: Any, layer: layers.MaxPool, x: Any) -> Any:
    axes = x.dim() - 2
    padding = layer.padding
    if not isinstance(padding, int) and not isinstance(padding[0], int):
        # PyTorch knows no (before, after); without ceil_mode padding by -inf is the same.
        assert not layer.ceil_mode
        x, padding = functional.pad(x, _torch_pads(padding, axes), value=-np.inf), 0
    pool = getattr(functional, f"max_pool{axes}d")
    return pool(x, layer.kernel_size, layer.stride, padding, layer.dilation, layer.ceil_mode)


def _torch_pointwise(torch: Any, layer: layers.Pointwise, x: Any) -> Any:
    """Sum of hinges: f(x) = f(0) + integral of the slope from 0 to x, with PyTorch's clamp."""
    out = torch.empty_like(x)
    for channel in range(x.shape[1]):
        row = channel if len(layer.breakpoints) > 1 else 0
        z = x[:, channel]
        value = torch.full_like(z, float(layer.value_at_zero[row]))
        edges = [-np.inf, *layer.breakpoints[row].tolist(), np.inf]
        for slope, low, high in zip(layer.slopes[row].tolist(), edges, edges[1:], strict=False):
            zero = torch.zeros_like(z)
            value = value + slope * (z.clamp(low, high) - zero.clamp(low, high))
        out[:, channel] = value
    return out
