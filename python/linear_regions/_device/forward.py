# SPDX-License-Identifier: MIT
"""Activation patterns of points, computed on a device; the signs are those of the processor.

Products of matrices are those of the array module (cuBLAS), which adds in an order of its own. So
every value comes with a bound of its distance from the processor's value, and a point that has a
value within the bound of a breakpoint is computed once more on the processor.

Notation: u = 2^-53; gamma(k) = k u / (1 - k u), the relative error of a sum of k products in any
order, fused or not (Higham, Accuracy and stability of numerical algorithms, 2002, section 3.1);
`error` bounds |device - processor| for every entry of a slot. For z = W x + b of both sides,

    error(z_i) <= sum_j |w_ij| error(x) + 2 gamma(k + 2) (sum_j |w_ij| (X + error(x)) + |b_i|)

where X is the largest |x| of the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from .._geometry import Shape
from ..layers import (
    Add,
    Affine,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Layer,
    Maxout,
    MaxPool,
    Pad,
    Permute,
    Pointwise,
    Reshape,
    Scale,
)
from ..network import Network
from .launch import Device
from .rows import pack_codes, pack_layer

__all__ = ["DeviceForward"]

FloatArray = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]
_U = 2.0**-53
_INFLATE = 1.000001  # the roundings of the bounds themselves
_NUMBERS = 1 << 25  # of the largest intermediate array: 256 MiB of doubles


@dataclass
class _Slot:
    """Values, shape (batch, n), and the bound of their distance, () or (n,)."""

    values: Any
    error: FloatArray | np.float64


@dataclass
class _Batch:
    """Where the bits of a batch go."""

    words: Any
    doubtful: Any
    bit: int = 0


_Step = Callable[[list[_Slot], _Batch], _Slot]


class DeviceForward:
    """A network on a device.

    Parameters
    ----------
    device : Device
    net : Network
    on_processor : callable
        Gives the packed patterns of points, shape (batch, n).
    dtype : {float64, float32}
        Of the forward pass.
    exact_signs : bool
        Whether doubtful points are computed on the processor; float64 only.

    Attributes
    ----------
    recomputed : int
        How many were.
    batch_rows : int
        Points that may be given at once.
    """

    def __init__(
        self,
        device: Device,
        net: Network,
        on_processor: Callable[[FloatArray], Words],
        *,
        dtype: type[np.float64] | type[np.float32] = np.float64,
        exact_signs: bool = True,
    ) -> None:
        self.device, self.net, self.on_processor = device, net, on_processor
        self.dtype, self.exact = dtype, exact_signs and dtype is np.float64
        self.words = (net.pattern_bits + 63) // 64
        self.recomputed = 0
        self._largest = 1
        with device.use():
            self._steps = [
                self._made(layer, net.input_shapes(i)) for i, layer in enumerate(net.layers)
            ]
        self.batch_rows = max(16, _NUMBERS // max(self._largest, *map(prod, net.shapes)))

    def patterns(self, points: Any) -> Any:
        """Return packed patterns, uint64 (batch, words) on the device.

        Parameters
        ----------
        points : float64 array of the device, shape (batch, n)
        """
        xp, rows = self.device.xp, len(points)
        words = xp.zeros((rows, self.words), dtype=np.uint64)
        batch = _Batch(words, xp.zeros(rows, dtype=np.uint8) if self.exact else None)
        slots = [_Slot(points.astype(self.dtype, copy=False), np.float64(0.0))]
        with np.errstate(all="ignore"):
            for position, (layer, step) in enumerate(
                zip(self.net.layers, self._steps, strict=True)
            ):
                slots.append(step([slots[slot] for slot in layer.inputs(position)], batch))
        if self.exact:
            again = xp.flatnonzero(batch.doubtful)
            if len(again):
                self.recomputed += len(again)
                found = self.on_processor(self.device.host(points[again]))
                words[again] = xp.asarray(found)
        return words

    # ---- one step per layer ----

    def _made(self, layer: Layer, shapes: tuple[Shape, ...]) -> _Step:
        if isinstance(layer, (Flatten, Reshape)):
            return lambda slots, _: slots[0]
        if isinstance(layer, Affine):
            return self._linear(layer.weight, layer.bias)
        if isinstance(layer, Conv):
            return self._conv(layer, shapes[0])
        if isinstance(layer, Scale):
            each = prod(shapes[0][1:])
            return self._scale(np.repeat(layer.weight, each), np.repeat(layer.bias, each))
        if isinstance(layer, Pointwise):
            return self._pointwise(layer, shapes[0])
        if isinstance(layer, (MaxPool, Maxout)):
            return self._windows(layer, shapes[0])
        if isinstance(layer, AvgPool):
            return self._average(layer, shapes[0])
        if isinstance(layer, (Permute, Pad)):
            fill = layer.value if isinstance(layer, Pad) else 0.0
            return self._gather(layer.index_map(shapes[0]), fill)
        if isinstance(layer, Add):
            return self._add
        if isinstance(layer, Concat):
            return self._concat
        raise TypeError(f"a device knows no layer {type(layer).__name__}")

    def _there(self, array: npt.NDArray[Any], dtype: Any = None) -> Any:
        return self.device.xp.asarray(np.ascontiguousarray(array, dtype=dtype or self.dtype))

    def _bound(self, slot: _Slot, sizes: FloatArray, bias: FloatArray, terms: int) -> FloatArray:
        """Return the bound of a linear map; sizes: (n,), the sums of |weights|."""
        if not self.exact:
            return np.zeros(())
        largest = float(self.device.xp.abs(slot.values).max()) if slot.values.size else 0.0
        error = float(np.max(slot.error))
        gamma = (terms + 2) * _U / (1 - (terms + 2) * _U)
        rounding = 2 * gamma * (sizes * (largest + error) + np.abs(bias))
        return np.asarray((sizes * error + rounding) * _INFLATE)

    def _linear(self, weight: FloatArray, bias: FloatArray) -> _Step:
        turned, offset = self._there(weight.T), self._there(bias)
        sizes = np.abs(weight).sum(axis=1)

        def step(slots: list[_Slot], _: _Batch) -> _Slot:
            values = slots[0].values @ turned
            values += offset
            return _Slot(values, self._bound(slots[0], sizes, bias, weight.shape[1]))

        return step

    def _conv(self, layer: Conv, shape: Shape) -> _Step:
        """Return a step that gathers what every output sees, and multiplies."""
        xp, groups, filters = self.device.xp, layer.groups, layer.weight.shape[0]
        table = _conv_table(layer, shape)  # (positions, channels, offsets)
        positions, channels, offsets = table.shape
        seen = channels // groups * offsets
        index = table.reshape(positions, groups, seen).transpose(1, 0, 2)
        index = self._there(index, np.int64)
        kernels = layer.weight.reshape(groups, filters // groups, seen)
        turned, offset = self._there(kernels.transpose(0, 2, 1)), self._there(layer.bias)
        sizes = np.abs(layer.weight).reshape(filters, -1).sum(axis=1)
        self._largest = max(self._largest, positions * channels * offsets)

        def step(slots: list[_Slot], _: _Batch) -> _Slot:
            x = slots[0].values
            padded = xp.concatenate([x, xp.zeros((len(x), 1), dtype=x.dtype)], axis=1)
            out = xp.empty((len(x), filters, positions), dtype=x.dtype)
            width = filters // groups
            for g in range(groups):
                product = padded[:, index[g]].reshape(-1, seen) @ turned[g]
                product = product.reshape(len(x), positions, width)
                out[:, g * width : (g + 1) * width] = product.transpose(0, 2, 1)
            out += offset[:, None]
            error = self._bound(slots[0], sizes, layer.bias, seen)
            if error.ndim:
                error = np.repeat(error, positions)
            return _Slot(out.reshape(len(x), -1), error)

        return step

    def _scale(self, weight: FloatArray, bias: FloatArray) -> _Step:
        factor, offset = self._there(weight), self._there(bias)

        def step(slots: list[_Slot], _: _Batch) -> _Slot:
            values = slots[0].values * factor + offset
            return _Slot(values, self._bound(slots[0], np.abs(weight), bias, 1))

        return step

    def _average(self, layer: AvgPool, shape: Shape) -> _Step:
        xp = self.device.xp
        starts, entries, _ = layer.windows(shape)
        counts, divisors = np.diff(starts), layer.divisors(shape)
        n, wide = prod(shape), int(counts.max(initial=0))
        index = self._there(_table(starts, entries, n), np.int64)
        divisor = self._there(divisors)
        sizes = counts / divisors
        self._largest = max(self._largest, index.size)

        def step(slots: list[_Slot], _: _Batch) -> _Slot:
            x = slots[0].values
            padded = xp.concatenate([x, xp.zeros((len(x), 1), dtype=x.dtype)], axis=1)
            values = padded[:, index].sum(axis=2) / divisor
            bias = np.zeros(len(divisors))
            return _Slot(values, self._bound(slots[0], sizes, bias, wide + 2))

        return step

    def _gather(self, index: npt.NDArray[np.int64], fill: float) -> _Step:
        chosen, filled = self._there(index, np.int64), self._there(index < 0, np.bool_)

        def step(slots: list[_Slot], _: _Batch) -> _Slot:
            values = slots[0].values[:, chosen]
            values[:, filled] = fill
            return _Slot(values, np.max(slots[0].error))

        return step

    def _add(self, slots: list[_Slot], _: _Batch) -> _Slot:
        first, second = slots
        values = first.values + second.values
        one = np.ones(1)
        error = [float(np.max(self._bound(slot, one, 0 * one, 1))) for slot in slots]
        return _Slot(values, np.float64(sum(error) * _INFLATE))

    def _concat(self, slots: list[_Slot], _: _Batch) -> _Slot:
        values = self.device.xp.concatenate([slot.values for slot in slots], axis=1)
        return _Slot(values, np.float64(max(float(np.max(slot.error)) for slot in slots)))

    # ---- steps that make bits ----

    def _pointwise(self, layer: Pointwise, shape: Shape) -> _Step:
        pieces = [layer.pieces(c) for c in range(layer.channels)]
        per = prod(shape) // layer.channels
        depth = max(len(cuts) for cuts, _, _ in pieces)
        uniform = all(len(cuts) == depth for cuts, _, _ in pieces)
        cuts = np.array([c for cuts, _, _ in pieces for c in cuts])
        # Where channels differ in the number of their breakpoints, every cut is packed by itself.
        unit_of_cut = np.concatenate(
            [np.repeat(c * per + np.arange(per), len(p[0])) for c, p in enumerate(pieces)]
        )
        each = np.concatenate([np.tile(p[0], per) for p in pieces])
        table = cuts.reshape(layer.channels, depth) if uniform else each[:, None]
        chosen = None if uniform else self._there(unit_of_cut, np.int64)
        function = _Function(self, pieces, per, depth)

        def step(slots: list[_Slot], batch: _Batch) -> _Slot:
            z, error = slots[0].values, slots[0].error
            packed = z if chosen is None else z[:, chosen]
            margin = None
            if self.exact:
                wide = np.broadcast_to(error, (z.shape[1],))
                wide = wide if chosen is None else wide[unit_of_cut]
                margin = self._there(wide * _INFLATE + np.finfo(np.float64).tiny)
            batch.bit = pack_layer(
                self.device,
                packed,
                table,
                batch.words,
                batch.bit,
                margin=margin,
                doubtful=batch.doubtful,
            )
            return _Slot(function(z), function.error(self._bound, slots[0]))

        return step

    def _windows(self, layer: MaxPool | Maxout, shape: Shape) -> _Step:
        xp = self.device.xp
        starts, entries, places = layer.windows(shape)
        n_windows = len(starts) - 1
        bits = layer.pattern_bits(shape) // n_windows if n_windows else 0
        index = self._there(_table(starts, entries, prod(shape)), np.int64)
        codes = self._there(_table(starts, places, 0), np.uint32)
        self._largest = max(self._largest, index.size)

        def step(slots: list[_Slot], batch: _Batch) -> _Slot:
            x, error = slots[0].values, float(np.max(slots[0].error))
            # Behind the last entry stands what never wins.
            padded = xp.concatenate([x, xp.full((len(x), 1), -np.inf, dtype=x.dtype)], axis=1)
            seen = padded[:, index]
            best = seen.argmax(axis=2)[:, :, None]
            top = xp.take_along_axis(seen, best, axis=2)[:, :, 0]
            won = xp.take_along_axis(codes[None, :, :], best, axis=2)[:, :, 0]
            batch.bit = pack_codes(self.device, won, bits, batch.words, batch.bit)
            if self.exact and index.shape[1] > 1:
                xp.put_along_axis(seen, best, -np.inf, axis=2)
                sure = (top - seen.max(axis=2) > 2 * error * _INFLATE).all(axis=1)
                batch.doubtful |= ~sure
            return _Slot(top, np.float64(error))

        return step


class _Function:
    """The values of a pointwise layer, on arrays of shape (batch, channels * per)."""

    def __init__(
        self,
        owner: DeviceForward,
        pieces: list[tuple[FloatArray, FloatArray, float]],
        per: int,
        depth: int,
    ) -> None:
        self.xp = owner.device.xp
        channels = len(pieces)
        cuts = np.full((depth, channels), np.inf)
        slopes, intercepts = np.zeros((depth + 1, channels)), np.zeros((depth + 1, channels))
        spread = np.zeros(channels)  # what enters an intercept
        for c, (points, slope, zero) in enumerate(pieces):
            cuts[: len(points), c] = points
            slopes[: len(slope), c] = slope
            intercepts[: len(slope), c] = _intercepts(points, slope, zero)
            spread[c] = abs(zero) + float(np.abs(np.diff(slope) * points).sum())
        self.depth = depth
        self.is_relu = depth == 1 and not cuts.any() and not intercepts.any()
        self.is_relu = self.is_relu and not slopes[0].any() and bool((slopes[1] == 1).all())
        self.cuts, self.slopes, self.intercepts = (
            owner._there(np.repeat(a, per, axis=1)) for a in (cuts, slopes, intercepts)
        )
        self.steepest = float(np.abs(slopes).max())
        self.offset = 8 * (depth + 2) * float(spread.max(initial=0.0))

    def __call__(self, z: Any) -> Any:
        xp = self.xp
        if self.is_relu:
            return xp.maximum(z, 0)
        out = z * self.slopes[0] + self.intercepts[0]
        for j in range(self.depth):
            piece = z * self.slopes[j + 1] + self.intercepts[j + 1]
            out = xp.where(z > self.cuts[j], piece, out)
        return out

    def error(self, bound: Callable[..., FloatArray], slot: _Slot) -> FloatArray | np.float64:
        if self.is_relu:
            return np.float64(np.max(slot.error))
        found = bound(slot, np.array([self.steepest]), np.array([self.offset]), 1)
        return np.float64(found.max())


def _intercepts(points: FloatArray, slopes: FloatArray, zero: float) -> list[float]:
    """Return the intercepts of the pieces: continuity, from the piece that holds 0."""
    home = int(np.searchsorted(points, 0.0, side="left"))
    found = [zero] * len(slopes)
    for j in range(home, len(points)):
        found[j + 1] = found[j] + float((slopes[j] - slopes[j + 1]) * points[j])
    for j in range(home - 1, -1, -1):
        found[j] = found[j + 1] + float((slopes[j + 1] - slopes[j]) * points[j])
    return found


def _table(
    starts: npt.NDArray[np.int64], entries: npt.NDArray[np.int64], fill: int
) -> npt.NDArray[np.int64]:
    """Return ragged rows as a rectangle, `fill` behind each."""
    counts = np.diff(starts)
    table = np.full((len(counts), int(counts.max(initial=0))), fill, dtype=np.int64)
    table[np.arange(table.shape[1]) < counts[:, None]] = entries
    return table


def _conv_table(layer: Conv, shape: Shape) -> npt.NDArray[np.int64]:
    """Return the flat input of every (output position, channel, kernel offset).

    Padding is the number behind the last input.
    """
    n_axes = len(shape) - 1
    kernel = layer.weight.shape[2:]
    spatial = layer.output_shape(shape)[1:]
    stride, dilation, padding = layer.stride, layer.dilation, layer.padding
    n = prod(shape)
    index = np.arange(n, dtype=np.int64).reshape(shape)
    index = np.pad(index, ((0, 0), *padding), constant_values=n)
    table = np.empty((*spatial, shape[0], *kernel), dtype=np.int64)
    for offset in np.ndindex(*kernel):
        place = tuple(
            slice(o * d, o * d + (m - 1) * s + 1, s)
            for o, d, m, s in zip(offset, dilation, spatial, stride, strict=True)
        )
        seen = np.moveaxis(index[(slice(None), *place)], 0, -1)
        table[(*(slice(None),) * n_axes, slice(None), *offset)] = seen
    return table.reshape(prod(spatial), shape[0], prod(kernel))
