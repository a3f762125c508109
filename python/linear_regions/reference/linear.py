# SPDX-License-Identifier: MIT
"""Layers that are affine maps, written out entry by entry.

Every such layer becomes a list of `Combination`: output j is the sum of coefficient times input i
over its terms, plus a constant. Tensors are flat in row-major order, channels first. Nothing is
shared with the layer classes but their parameters: geometry and weights are read again here, so
that a mistake there cannot hide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

from .. import layers
from .rational import Number, exact, ratio

__all__ = ["Combination", "Window", "combinations", "flat_index", "windows"]

Shape = tuple[int, ...]


class Combination(NamedTuple):
    """Sum of coefficient * input[index] over `terms`, plus `constant`."""

    terms: tuple[tuple[int, Number], ...]
    constant: Number


class Window(NamedTuple):
    """One output position of a sliding window, seen from its input.

    Attributes
    ----------
    entries : tuple of (int, tuple of int)
        Position within the full kernel window (row-major) and spatial input index, for those
        window positions that lie inside the input. The rest is padding.
    padded_size : int
        Number of window positions that lie inside the input or its padding.
    """

    entries: tuple[tuple[int, tuple[int, ...]], ...]
    padded_size: int


def combinations(layer: layers.Layer, shape: Shape) -> list[Combination]:
    """Write an affine layer with one input as one combination per output entry.

    Parameters
    ----------
    layer : Affine, Conv, Scale, AvgPool, Pad, Flatten, Reshape or Permute
        The layer.
    shape : tuple of int
        Shape of its input.

    Returns
    -------
    list of Combination
        In row-major order of the output.

    Raises
    ------
    TypeError
        If the layer is not one of those.
    """
    match layer:
        case layers.Affine():
            return _affine(layer)
        case layers.Conv():
            return _conv(layer, shape)
        case layers.Scale():
            return _scale(layer, shape)
        case layers.AvgPool():
            return _average_pool(layer, shape)
        case layers.Pad():
            return _pad(layer, shape)
        case layers.Flatten() | layers.Reshape():
            return [Combination(((i, 1),), 0) for i in range(prod(shape))]
        case layers.Permute():
            return _permute(layer, shape)
    raise TypeError(f"expected an affine layer with one input, got {type(layer).__name__}")


def flat_index(index: Sequence[int], shape: Shape) -> int:
    """Return the row-major position of a multi-index."""
    position = 0
    for i, size in zip(index, shape, strict=True):
        position = position * size + i
    return position


def _indexes(shape: Shape) -> Iterator[tuple[int, ...]]:
    return product(*(range(size) for size in shape))


def _combination(terms: Sequence[tuple[int, Any]], constant: Any) -> Combination:
    converted = ((i, exact(weight)) for i, weight in terms)
    return Combination(tuple(term for term in converted if term[1] != 0), exact(constant))


def _affine(layer: layers.Affine) -> list[Combination]:
    return [
        _combination(list(enumerate(weights)), bias)
        for weights, bias in zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
    ]


def _scale(layer: layers.Scale, shape: Shape) -> list[Combination]:
    weight, bias = layer.weight.tolist(), layer.bias.tolist()
    return [
        _combination([(flat_index(index, shape), weight[index[0]])], bias[index[0]])
        for index in _indexes(shape)
    ]


def _conv(layer: layers.Conv, shape: Shape) -> list[Combination]:
    filters, channels_per_group = layer.weight.shape[:2]
    kernel = layer.weight.shape[2:]
    weight = layer.weight.reshape(filters, channels_per_group, prod(kernel)).tolist()
    bias = layer.bias.tolist()
    filters_per_group = filters // layer.groups
    places = windows(
        shape[1:], kernel, layer.stride, layer.padding, layer.dilation, ceil_mode=False
    )
    result = []
    for f in range(filters):
        first_channel = f // filters_per_group * channels_per_group
        for place in places:
            terms = [
                (flat_index((first_channel + c, *where), shape), weight[f][c][position])
                for c in range(channels_per_group)
                for position, where in place.entries
            ]
            result.append(_combination(terms, bias[f]))
    return result


def _average_pool(layer: layers.AvgPool, shape: Shape) -> list[Combination]:
    places = windows(
        shape[1:],
        layer.kernel_size,
        layer.kernel_size if layer.stride is None else layer.stride,
        layer.padding,
        1,
        ceil_mode=layer.ceil_mode,
    )
    result = []
    for channel in range(shape[0]):
        for place in places:
            size = place.padded_size if layer.count_include_pad else len(place.entries)
            factor = ratio(1, size)
            terms = [(flat_index((channel, *where), shape), factor) for _, where in place.entries]
            result.append(Combination(tuple(terms), 0))
    return result


def _pad(layer: layers.Pad, shape: Shape) -> list[Combination]:
    sides = _pairs(layer.padding, len(shape) - 1)
    padded = (shape[0], *(b + n + a for n, (b, a) in zip(shape[1:], sides, strict=True)))
    result = []
    for index in _indexes(padded):
        inner = (index[0], *(i - b for i, (b, _) in zip(index[1:], sides, strict=True)))
        if all(0 <= i < n for i, n in zip(inner, shape, strict=True)):
            result.append(Combination(((flat_index(inner, shape), 1),), 0))
        else:
            result.append(Combination((), exact(layer.value)))
    return result


def _permute(layer: layers.Permute, shape: Shape) -> list[Combination]:
    # Axis a of the output is axis order[a] of the input.
    result = []
    for index in _indexes(tuple(shape[axis] for axis in layer.order)):
        source = [0] * len(shape)
        for axis, i in zip(layer.order, index, strict=True):
            source[axis] = i
        result.append(Combination(((flat_index(source, shape), 1),), 0))
    return result


def windows(
    sizes: Shape, kernel: Any, stride: Any, padding: Any, dilation: Any, *, ceil_mode: bool
) -> list[Window]:
    """List the windows of a convolution or pooling layer, row-major over output positions.

    Parameters
    ----------
    sizes : tuple of int
        Spatial sizes of the input.
    kernel, stride, dilation : int or tuple of int
        One number, or one per axis.
    padding : int, tuple of int or tuple of (int, int)
        One number, one per axis, or (before, after) per axis.
    ceil_mode : bool
        Round the number of windows up instead of down; a window must still start inside the
        input or the padding before it (PyTorch's rule).

    Returns
    -------
    list of Window
        One per output position.
    """
    axes = len(sizes)
    per_axis = zip(
        sizes,
        _spread(kernel, axes),
        _spread(stride, axes),
        _pairs(padding, axes),
        _spread(dilation, axes),
        strict=True,
    )
    # Along one axis: for each window, the input index of each kernel position (None = outside
    # of the input), and how many positions lie in input or padding.
    lines: list[list[tuple[list[int | None], int]]] = []
    for size, width, step, (before, after), spread in per_axis:
        span = spread * (width - 1) + 1
        slack = before + size + after - span
        count = (-(-slack // step) if ceil_mode else slack // step) + 1
        if ceil_mode and (count - 1) * step >= size + before:
            count -= 1
        line: list[tuple[list[int | None], int]] = []
        for output in range(count):
            start = output * step - before
            places = [start + j * spread for j in range(width)]
            inside = [place if 0 <= place < size else None for place in places]
            line.append((inside, sum(place < size + after for place in places)))
        lines.append(line)

    result = []
    for choice in product(*lines):
        entries = tuple(
            (position, tuple(i for i in index if i is not None))
            for position, index in enumerate(product(*(inside for inside, _ in choice)))
            if None not in index
        )
        result.append(Window(entries, prod(padded for _, padded in choice)))
    return result


def _spread(value: Any, axes: int) -> tuple[int, ...]:
    return (int(value),) * axes if isinstance(value, int) else tuple(int(v) for v in value)


def _pairs(value: Any, axes: int) -> list[tuple[int, int]]:
    values = [value] * axes if isinstance(value, int) else list(value)
    return [(int(v), int(v)) if isinstance(v, int) else (int(v[0]), int(v[1])) for v in values]
