# SPDX-License-Identifier: MIT
"""Pooling and maxout: layers that look at windows of their input."""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import gcd, prod
from typing import ClassVar

import numpy as np

from . import _geometry as geo
from ._geometry import IntArray, Pads, Pair, Shape, Sizes
from ._layer import Layer, channels_first
from .errors import InvalidInput

# Entries of all windows along one axis, where they are looked at one by one: 1 GiB of numbers.
_MOST_ENTRIES = 1 << 27


class _Pool(Layer):
    """What the two poolings share: the geometry of their windows."""

    __slots__ = ("ceil_mode", "kernel_size", "padding", "stride")
    kernel_size: Sizes
    stride: Sizes | None
    padding: Pads
    ceil_mode: bool

    def _set_geometry(
        self, kernel_size: Sizes, stride: Sizes | None, padding: Pads, ceil_mode: bool
    ) -> None:
        name = type(self).__name__
        self._set(
            kernel_size=geo.sizes(f"{name}: kernel_size", kernel_size, 1),
            stride=None if stride is None else geo.sizes(f"{name}: stride", stride, 1),
            padding=geo.pads(f"{name}: padding", padding),
            ceil_mode=bool(ceil_mode),
        )

    def _dilation(self) -> Sizes:
        return 1

    def geometry(self, n_axes: int) -> tuple[Shape, Shape, tuple[Pair, ...], Shape]:
        """Return kernel_size, stride, padding pairs and dilation, spread over the spatial axes.

        Parameters
        ----------
        n_axes : int
            Number of spatial axes of the input.

        Returns
        -------
        kernel_size, stride : tuple of int
        padding : tuple of (before, after)
        dilation : tuple of int

        Raises
        ------
        InvalidInput
            If a tuple has another length.

        Examples
        --------
        >>> MaxPool(2, padding=1).geometry(2)
        ((2, 2), (2, 2), ((1, 1), (1, 1)), (1, 1))
        """
        name = type(self).__name__
        kernel = geo.spread(f"{name}: kernel_size", self.kernel_size, n_axes)
        stride = kernel
        if self.stride is not None:
            stride = geo.spread(f"{name}: stride", self.stride, n_axes)
        return (
            kernel,
            stride,
            geo.spread_pads(f"{name}: padding", self.padding, n_axes),
            geo.spread(f"{name}: dilation", self._dilation(), n_axes),
        )

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return (channels, *spatial)."""
        (shape,) = input_shapes
        name = type(self).__name__
        n_axes = channels_first(name, shape)
        kernel, stride, padding, dilation = self.geometry(n_axes)
        spatial = tuple(
            geo.output_length(
                name, shape[1 + i], kernel[i], stride[i], padding[i], dilation[i], self.ceil_mode
            )
            for i in range(n_axes)
        )
        padded = any(before or after for before, after in padding)
        if (padded or self.ceil_mode) and self._needs_entries():
            if (most := max(map(prod, zip(spatial, kernel, strict=True)))) > _MOST_ENTRIES:
                raise InvalidInput(
                    f"{name}: with padding or ceil_mode, the windows along an axis may have at "
                    f"most {_MOST_ENTRIES} entries together, got {most} for an input {shape}"
                )
            if any(sizes[0] for sizes in self._axis_sizes(shape, spatial)):
                raise InvalidInput(
                    f"{name}: some window sees padding only for an input {shape} with kernel_size="
                    f"{kernel}, stride={stride}, padding={padding}, dilation={dilation}"
                )
        return (shape[0], *spatial)

    def _needs_entries(self) -> bool:
        return True

    def _tables(self, shape: Shape, spatial: Shape) -> list[IntArray]:
        kernel, stride, padding, dilation = self.geometry(len(spatial))
        return [
            geo.axis_table(shape[1 + i], n, kernel[i], stride[i], padding[i], dilation[i])
            for i, n in enumerate(spatial)
        ]

    def _axis_sizes(self, shape: Shape, spatial: Shape) -> list[Counter[int]]:
        kernel, stride, padding, dilation = self.geometry(len(spatial))
        return [
            geo.axis_window_sizes(shape[1 + i], n, kernel[i], stride[i], padding[i], dilation[i])
            for i, n in enumerate(spatial)
        ]

    def windows(self, input_shape: Shape) -> tuple[IntArray, IntArray, IntArray]:
        """Return which input entries each window sees.

        Parameters
        ----------
        input_shape : tuple of int
            (channels, *spatial).

        Returns
        -------
        starts : int64 array, shape (n_out + 1,)
            Window w, in row-major order of the output, owns entries[starts[w]:starts[w + 1]].
        entries : int64 array, shape (starts[-1],)
            Flat, row-major indexes into the input; padding is left out.
        positions : int64 array, shape (starts[-1],)
            Row-major index of each entry within its full kernel window.

        Examples
        --------
        >>> starts, entries, positions = MaxPool(2, stride=1).windows((1, 3))
        >>> starts.tolist(), entries.tolist(), positions.tolist()
        ([0, 2, 4], [0, 1, 1, 2], [0, 1, 0, 1])
        """
        spatial = self.output_shape(input_shape)[1:]
        return geo.gather_windows(input_shape, self._tables(input_shape, spatial))


def window_sizes(pool: _Pool, shape: Shape) -> Counter[int]:
    """Return how many windows of one channel see how many entries; no table of them is made."""
    found = Counter({1: 1})
    for sizes in pool._axis_sizes(shape, pool.output_shape(shape)[1:]):
        grown: Counter[int] = Counter()
        for (one, times), (other, more) in product(found.items(), sizes.items()):
            grown[one * other] += times * more
        found = grown
    return found


def always_disjoint(pool: _Pool, shape: Shape) -> bool:
    """Tell whether strides alone keep all windows of a pooling apart, along every axis.

    Windows that are m strides apart share an entry only where m * stride is fewer than
    kernel * dilation places and a multiple of the dilation.
    """
    kernel, stride, _, dilation = pool.geometry(len(shape) - 1)
    return all(s // gcd(s, d) >= k for k, s, d in zip(kernel, stride, dilation, strict=True))


class MaxPool(_Pool):
    """Largest entry of every window, with PyTorch's rules; padding never wins.

    Parameters
    ----------
    kernel_size : int or tuple of int
        An int is used for every spatial axis of the input.
    stride : int or tuple of int, optional
        Default `kernel_size`.
    padding : int, tuple of int, or tuple of (before, after), default 0
    dilation : int or tuple of int, default 1
    ceil_mode : bool, default False
        Whether a last window that sticks out counts, if it starts inside the input or the left
        padding.
    input : int, optional
        Slot to read; default the previous layer's output.

    Raises
    ------
    InvalidInput
        If a number is out of range; at shape time, if a window sees padding only.

    Examples
    --------
    >>> pool = MaxPool(2)
    >>> pool.output_shape((6, 24, 24))
    (6, 12, 12)
    >>> starts, entries, positions = pool.windows((1, 4, 2))
    >>> entries.reshape(2, 4).tolist()
    [[0, 1, 2, 3], [4, 5, 6, 7]]
    """

    __slots__ = ("dilation",)
    dilation: Sizes
    _fields = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "input")
    _defaults: ClassVar[dict[str, object]] = {
        "stride": None,
        "padding": 0,
        "dilation": 1,
        "ceil_mode": False,
    }

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Pads = 0,
        dilation: Sizes = 1,
        ceil_mode: bool = False,
        *,
        input: int | None = None,
    ) -> None:
        self._set_geometry(kernel_size, stride, padding, ceil_mode)
        self._set(dilation=geo.sizes("MaxPool: dilation", dilation, 1))
        self._set_input(input)

    def _dilation(self) -> Sizes:
        return self.dilation

    def resolve(self, position: int, *input_shapes: Shape) -> MaxPool:
        """Return the same pooling with one size per axis."""
        kernel, stride, padding, dilation = self.geometry(len(input_shapes[0]) - 1)
        input = None if self.input == position else self.input
        return MaxPool(kernel, stride, padding, dilation, self.ceil_mode, input=input)

    def n_units(self, *input_shapes: Shape) -> int:
        """Return the number of windows."""
        return prod(self.output_shape(*input_shapes))

    def pattern_bits(self, *input_shapes: Shape) -> int:
        """Return ceil(log2 q) bits for every window of q kernel positions."""
        (shape,) = input_shapes
        q = prod(self.geometry(len(shape) - 1)[0])
        return prod(self.output_shape(shape)) * (q - 1).bit_length()


class AvgPool(_Pool):
    """Mean of every window, with PyTorch's rules: an exact sum with a rational factor.

    Parameters
    ----------
    kernel_size : int or tuple of int
        An int is used for every spatial axis of the input.
    stride : int or tuple of int, optional
        Default `kernel_size`.
    padding : int, tuple of int, or tuple of (before, after), default 0
        Zeros around the input.
    ceil_mode : bool, default False
        Whether a last window that sticks out counts, if it starts inside the input or the left
        padding.
    count_include_pad : bool, default True
        Whether padding counts in the divisor (see `divisors`).
    input : int, optional
        Slot to read; default the previous layer's output.

    Raises
    ------
    InvalidInput
        If a number is out of range.

    Examples
    --------
    >>> pool = AvgPool(2, padding=1, count_include_pad=False)
    >>> pool.output_shape((1, 2, 2)), pool.divisors((1, 2, 2)).tolist()
    ((1, 2, 2), [1, 1, 1, 1])
    """

    __slots__ = ("count_include_pad",)
    count_include_pad: bool
    _fields = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "input")
    _defaults: ClassVar[dict[str, object]] = {
        "stride": None,
        "padding": 0,
        "ceil_mode": False,
        "count_include_pad": True,
    }

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Pads = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        *,
        input: int | None = None,
    ) -> None:
        self._set_geometry(kernel_size, stride, padding, ceil_mode)
        self._set(count_include_pad=bool(count_include_pad))
        self._set_input(input)

    def _needs_entries(self) -> bool:
        # With the padding counted, the mean of padding alone is 0: odd, but well defined.
        return not self.count_include_pad

    def resolve(self, position: int, *input_shapes: Shape) -> AvgPool:
        """Return the same pooling with one size per axis."""
        kernel, stride, padding, _ = self.geometry(len(input_shapes[0]) - 1)
        input = None if self.input == position else self.input
        return AvgPool(kernel, stride, padding, self.ceil_mode, self.count_include_pad, input=input)

    def divisors(self, input_shape: Shape) -> IntArray:
        """Return the number that the sum of every window is divided by.

        Parameters
        ----------
        input_shape : tuple of int
            (channels, *spatial).

        Returns
        -------
        int64 array, shape (n_out,)
            In row-major order of the output.

        Examples
        --------
        >>> AvgPool(2, padding=1, count_include_pad=False).divisors((1, 3)).tolist()
        [1, 2]
        """
        spatial = self.output_shape(input_shape)[1:]
        kernel, stride, padding, _ = self.geometry(len(spatial))
        return geo.average_divisors(
            input_shape, spatial, kernel, stride, padding, self.count_include_pad
        )


class Maxout(Layer):
    """Largest of every `rank` consecutive features or channels (axis 0).

    Parameters
    ----------
    rank : int
        Number of entries that compete; it must divide the first axis of the input.
    input : int, optional
        Slot to read; default the previous layer's output.

    Raises
    ------
    InvalidInput
        If `rank` is below 1; at shape time, if it does not divide the first axis.

    Examples
    --------
    >>> Maxout(2).output_shape((6, 4, 4))
    (3, 4, 4)
    >>> Maxout(3).windows((6,))[1].tolist()
    [0, 1, 2, 3, 4, 5]
    """

    __slots__ = ("rank",)
    rank: int
    _fields = ("rank", "input")

    def __init__(self, rank: int, *, input: int | None = None) -> None:
        self._set(rank=geo.integer("Maxout: rank", rank, 1))
        self._set_input(input)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return (channels // rank, *spatial)."""
        (shape,) = input_shapes
        if shape[0] % self.rank:
            raise InvalidInput(
                f"Maxout: rank={self.rank} must divide the first axis of the input, got {shape}"
            )
        return (shape[0] // self.rank, *shape[1:])

    def windows(self, input_shape: Shape) -> tuple[IntArray, IntArray, IntArray]:
        """Return which input entries each unit sees, as in `MaxPool.windows`.

        Parameters
        ----------
        input_shape : tuple of int
            (channels, *spatial) or (n,).

        Returns
        -------
        starts, entries, positions : int64 arrays

        Examples
        --------
        >>> [part.tolist() for part in Maxout(2).windows((4,))]
        [[0, 2, 4], [0, 1, 2, 3], [0, 1, 0, 1]]
        """
        groups = self.output_shape(input_shape)[0]
        inner = prod(input_shape[1:])
        index = np.arange(groups * self.rank * inner, dtype=np.int64)
        entries = index.reshape(groups, self.rank, inner).transpose(0, 2, 1).reshape(-1)
        starts = np.arange(groups * inner + 1, dtype=np.int64) * self.rank
        return starts, entries, np.tile(np.arange(self.rank, dtype=np.int64), groups * inner)

    def n_units(self, *input_shapes: Shape) -> int:
        """Return the number of outputs."""
        return prod(self.output_shape(*input_shapes))

    def pattern_bits(self, *input_shapes: Shape) -> int:
        """Return ceil(log2 rank) bits for every output."""
        return prod(self.output_shape(*input_shapes)) * (self.rank - 1).bit_length()
