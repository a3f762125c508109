# SPDX-License-Identifier: MIT
"""Sizes, strides and paddings: what convolution, pooling and padding layers share.

Notation: an axis has L entries and `before` + `after` entries of padding; a window has k entries
that are `dilation` apart, so it spans s = dilation (k - 1) + 1 places; windows start `stride`
apart. Shapes are channels first, (channels, *spatial).
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Sequence
from math import prod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .errors import InvalidInput

Shape: TypeAlias = tuple[int, ...]
Pair: TypeAlias = tuple[int, int]
Sizes: TypeAlias = int | tuple[int, ...]
Pads: TypeAlias = int | tuple[int, ...] | tuple[Pair, ...]
IntArray: TypeAlias = npt.NDArray[np.int64]


def integer(where: str, value: object, minimum: int) -> int:
    """Return `value` as an int that is at least `minimum`; a bool or a float is a wrong type."""
    if type(value) is not int:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{where} must be an int, got {value!r}")
        try:
            value = operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            raise TypeError(f"{where} must be an int, got {value!r}") from None
    if value < minimum:
        raise InvalidInput(f"{where} must be at least {minimum}, got {value}")
    return value


def shape_of(where: str, value: object, minimum: int = 1) -> Shape:
    """Return `value` (an int or a sequence of ints) as a shape."""
    if type(value) is tuple and all(type(v) is int and v >= minimum for v in value):
        return value
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{where} must be an int or a tuple of ints, got {value!r}")
    if isinstance(value, Iterable):
        return tuple(integer(where, v, minimum) for v in value)
    return (integer(where, value, minimum),)


def sizes(where: str, value: object, minimum: int) -> Sizes:
    """Return `value` as one int, or as a tuple of ints with one per spatial axis."""
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return shape_of(where, value, minimum)
    return integer(where, value, minimum)


def pads(where: str, value: object) -> Pads:
    """Return `value` as one int, one int per axis, or one pair (before, after) per axis."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        return integer(where, value, 0)
    items = list(value)
    if any(isinstance(item, Iterable) for item in items):
        return tuple(_pair(where, item) for item in items)
    return tuple(integer(where, item, 0) for item in items)


def _pair(where: str, value: object) -> Pair:
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        both = tuple(integer(where, v, 0) for v in value)
        if len(both) == 2:
            return both
    raise InvalidInput(f"{where} must have (before, after) for every axis, got {value!r} for one")


def spread(where: str, value: Sizes, n_axes: int) -> Shape:
    """Return one int per axis: a single int is spread, a tuple must have the right length."""
    if isinstance(value, int):
        return (value,) * n_axes
    if len(value) != n_axes:
        raise InvalidInput(f"{where} must be an int or {n_axes} ints (spatial axes), got {value}")
    return value


def spread_pads(where: str, value: Pads, n_axes: int) -> tuple[Pair, ...]:
    """Return one pair (before, after) per axis."""
    if isinstance(value, int):
        return ((value, value),) * n_axes
    if len(value) != n_axes:
        hint = ""
        if n_axes == 1 and len(value) == 2 and isinstance(value[0], int):
            hint = f"; for (before, after) on the only axis write ({value},)"
        raise InvalidInput(
            f"{where} must be an int, or one int or one pair (before, after) for each of "
            f"{n_axes} spatial axes, got {value}{hint}"
        )
    return tuple((v, v) if isinstance(v, int) else v for v in value)


def output_length(
    where: str, length: int, kernel: int, stride: int, padding: Pair, dilation: int, ceil_mode: bool
) -> int:
    """Return the number of windows along one axis.

    With `ceil_mode` a last, incomplete window counts too, but only if it starts inside the input
    or its left padding: PyTorch's rule, without which the window could see right padding only.
    """
    before, after = padding
    room = length + before + after - (dilation * (kernel - 1) + 1)
    if ceil_mode:
        n = -(-room // stride) + 1
        if (n - 1) * stride >= length + before:
            n -= 1
    else:
        n = room // stride + 1
    if n < 1 or (room < 0 and not ceil_mode):
        raise InvalidInput(
            f"{where}: a window of {dilation * (kernel - 1) + 1} places does not fit an axis of "
            f"{length} entries with padding {padding} (shapes are channels first)"
        )
    return n


def generator(rng: object) -> np.random.Generator:
    """Return a random generator from what `numpy.random.default_rng` takes.

    Raises
    ------
    TypeError
        If it is nothing of that kind.
    InvalidInput
        If it is a negative seed.
    """
    try:
        return np.random.default_rng(rng)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        kind = InvalidInput if isinstance(error, ValueError) else TypeError
        raise kind(
            "rng must be None, an integer that is not negative, a SeedSequence, BitGenerator or "
            f"Generator, got {rng!r}"
        ) from None


def axis_table(
    length: int, n: int, kernel: int, stride: int, padding: Pair, dilation: int
) -> IntArray:
    """Return, shape (n, kernel), the entry seen by each place of each window; -1 is padding."""
    starts = np.arange(n, dtype=np.int64)[:, None] * stride - padding[0]
    table = starts + np.arange(kernel, dtype=np.int64) * dilation
    table[(table < 0) | (table >= length)] = -1
    return table


def gather_windows(
    input_shape: Shape, tables: Sequence[IntArray]
) -> tuple[IntArray, IntArray, IntArray]:
    """Return the windows of a pooling layer in compressed rows.

    Parameters
    ----------
    input_shape : tuple of int
        (channels, *spatial).
    tables : sequence of int arrays
        One `axis_table` per spatial axis.

    Returns
    -------
    starts : int64 array, shape (n_windows + 1,)
    entries : int64 array, shape (total,)
        Flat, row-major indexes into the input; padding is left out.
    positions : int64 array, shape (total,)
        Row-major index of each entry within its full kernel window.
    """
    n_axes = len(tables)
    flat = np.zeros((1,) * (2 * n_axes), dtype=np.int64)
    valid = np.ones((1,) * (2 * n_axes), dtype=np.bool_)
    for axis, table in enumerate(tables):
        shape = [1] * (2 * n_axes)
        shape[axis], shape[n_axes + axis] = table.shape
        flat = flat * input_shape[1 + axis] + table.reshape(shape)
        valid = valid & (table >= 0).reshape(shape)
    n_windows = prod(table.shape[0] for table in tables)
    n_places = prod(table.shape[1] for table in tables)
    valid = np.broadcast_to(valid, flat.shape).reshape(n_windows, n_places)
    flat = flat.reshape(n_windows, n_places)
    one_channel = flat[valid]
    channels = np.arange(input_shape[0], dtype=np.int64)[:, None] * prod(input_shape[1:])
    places = np.broadcast_to(np.arange(n_places, dtype=np.int64), flat.shape)[valid]
    counts = np.tile(valid.sum(axis=1), input_shape[0])
    starts = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts, (channels + one_channel).reshape(-1), np.tile(places, input_shape[0])


def axis_window_sizes(
    length: int, n: int, kernel: int, stride: int, padding: Pair, dilation: int
) -> Counter[int]:
    """Return how many windows along one axis see how many entries; only ends are looked at."""
    before = padding[0]
    # Windows first to last - 1 lie inside the input with all of their places.
    first = min(n, -(-before // stride))
    last = (length - 1 - dilation * (kernel - 1) + before) // stride + 1
    last = min(n, max(first, last))
    sizes = Counter({kernel: last - first} if last > first else {})
    for ends in (range(first), range(last, n)):
        starts = np.arange(ends.start, ends.stop, dtype=np.int64) * stride - before
        low = np.maximum(0, -(starts // dilation))
        high = np.minimum(kernel, -((starts - length) // dilation))
        found, times = np.unique(np.maximum(high - low, 0), return_counts=True)
        sizes.update(dict(zip(found.tolist(), times.tolist(), strict=True)))
    return sizes


def average_divisors(
    input_shape: Shape,
    counts: Sequence[int],
    kernel: Shape,
    stride: Shape,
    padding: Sequence[Pair],
    include_pad: bool,
) -> IntArray:
    """Return the divisor of every average-pooling window, row-major, channels first.

    With `include_pad` a window is as large as its part inside input *and* padding: a last window
    of `ceil_mode` that sticks out beyond the padding is not divided by its full size.
    """
    total = np.ones(1, dtype=np.int64)
    for axis, n in enumerate(counts):
        length = input_shape[1 + axis]
        before, after = padding[axis]
        start = np.arange(n, dtype=np.int64) * stride[axis] - before
        end = np.minimum(start + kernel[axis], length + after)
        if not include_pad:
            start, end = np.maximum(start, 0), np.minimum(end, length)
        total = np.multiply.outer(total, np.maximum(end - start, 0)).reshape(-1)
    return np.tile(total, input_shape[0])
