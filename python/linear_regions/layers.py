# SPDX-License-Identifier: MIT
"""The layers of a piecewise linear network.

Every layer is an immutable value with a keyword `input`: the slot that it reads (0 is the network
input, i the output of layer i - 1; None, the default, the previous layer's output). Shapes are
channels first, without a batch axis, and flat indexes are row-major.

Here are the layers with numbers in them (affine maps and activations); pooling and maxout are in
`_pools`, and the layers that only move entries in `_wiring`.
"""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt

from . import _geometry as geo
from ._geometry import Pads, Pair, Shape, Sizes
from ._layer import (
    AffineSpec,
    ConvSpec,
    FloatArray,
    Layer,
    PointwiseSpec,
    ScaleSpec,
    finite_array,
)
from ._pools import AvgPool, Maxout, MaxPool
from ._wiring import Add, Concat, Flatten, Pad, Permute, Reshape
from .errors import InvalidInput

__all__ = [
    "Add",
    "Affine",
    "AvgPool",
    "Concat",
    "Conv",
    "Flatten",
    "Layer",
    "MaxPool",
    "Maxout",
    "Pad",
    "Permute",
    "Pointwise",
    "Reshape",
    "Scale",
    "absolute",
    "hard_tanh",
    "leaky_relu",
    "relu",
    "relu6",
]


def _bias(name: str, bias: npt.ArrayLike | None, n: int, per: str) -> FloatArray:
    if bias is None:
        zeros = np.zeros(n)
        zeros.setflags(write=False)
        return zeros
    array = finite_array(f"{name}: bias", bias)
    if array.shape != (n,):
        raise InvalidInput(f"{name}: bias must have shape ({n},), one per {per}, got {array.shape}")
    return array


class Affine(Layer):
    """Fully connected layer: weight @ x + bias.

    Parameters
    ----------
    weight : array_like of float, shape (n_out, n_in)
        Copied; numbers that float64 cannot hold exactly are refused.
    bias : array_like of float, shape (n_out,), optional
        Default zeros.
    input : int, optional
        Slot to read; default the previous layer's output. It must be flat, shape (n_in,).

    Raises
    ------
    InvalidInput
        If a shape does not fit or a number is not finite.

    Examples
    --------
    >>> layer = Affine([[1.0, -1.0], [0.0, 2.0], [3.0, 0.5]])
    >>> layer
    Affine(3 x 2)
    >>> layer.output_shape((2,))
    (3,)
    """

    __slots__ = ("bias", "weight")
    weight: FloatArray
    bias: FloatArray
    _fields = ("weight", "bias", "input")

    def __init__(
        self,
        weight: npt.ArrayLike,
        bias: npt.ArrayLike | None = None,
        *,
        input: int | None = None,
    ) -> None:
        array = finite_array("Affine: weight", weight)
        if array.ndim != 2:
            raise InvalidInput(f"Affine: weight must have shape (n_out, n_in), got {array.shape}")
        object.__setattr__(self, "weight", array)
        object.__setattr__(self, "bias", _bias("Affine", bias, array.shape[0], "row of weight"))
        self._set_input(input)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return (n_out,)."""
        (shape,) = input_shapes
        n_out, n_in = self.weight.shape
        if len(shape) != 1:
            raise InvalidInput(
                f"Affine: expected a flat input ({n_in},), got {shape}; put Flatten() before it"
            )
        if shape[0] != n_in:
            raise InvalidInput(
                f"Affine: weight of shape {self.weight.shape} expects an input ({n_in},), "
                f"got {shape}"
            )
        return (n_out,)

    @property
    def spec(self) -> AffineSpec:
        """The weightless form."""
        return AffineSpec(self.weight.shape[0], input=self.input)

    def n_parameters(self, *input_shapes: Shape) -> int:
        """Return n_out * (n_in + 1)."""
        return self.weight.size + self.bias.size

    def _arguments(self) -> list[str]:
        tail = [] if self.input is None else [f"input={self.input}"]
        return [f"{self.weight.shape[0]} x {self.weight.shape[1]}", *tail]


class Conv(Layer):
    """Convolution (as everywhere in machine learning: cross-correlation) in 1 to 3 spatial axes.

    Parameters
    ----------
    weight : array_like of float, shape (filters, channels // groups, *kernel_size)
        Copied; numbers that float64 cannot hold exactly are refused.
    bias : array_like of float, shape (filters,), optional
        Default zeros.
    stride, dilation : int or tuple of int, default 1
        One number, or one per spatial axis; kept as a tuple.
    padding : int, tuple of int, or tuple of (before, after), default 0
        Zeros around the input; kept as one pair (before, after) per spatial axis.
    groups : int, default 1
        The channels fall into this many groups that do not see each other.
    input : int, optional
        Slot to read; default the previous layer's output.

    Attributes
    ----------
    kernel_size : tuple of int

    Raises
    ------
    InvalidInput
        If a shape does not fit or a number is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Conv(np.ones((6, 1, 5, 5)), stride=2, padding=((1, 2), (1, 2)))
    >>> layer.output_shape((1, 28, 28))
    (6, 14, 14)
    """

    __slots__ = ("bias", "dilation", "groups", "kernel_size", "padding", "stride", "weight")
    weight: FloatArray
    bias: FloatArray
    kernel_size: Shape
    stride: Shape
    padding: tuple[Pair, ...]
    dilation: Shape
    groups: int
    _fields = ("weight", "bias", "stride", "padding", "dilation", "groups", "input")

    def __init__(
        self,
        weight: npt.ArrayLike,
        bias: npt.ArrayLike | None = None,
        stride: Sizes = 1,
        padding: Pads = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        *,
        input: int | None = None,
    ) -> None:
        array = finite_array("Conv: weight", weight)
        if not 3 <= array.ndim <= 5 or 0 in array.shape:
            raise InvalidInput(
                "Conv: weight must have shape (filters, channels // groups, *kernel_size) with 1 "
                f"to 3 kernel axes, got {array.shape}"
            )
        n_axes = array.ndim - 2
        groups = geo.integer("Conv: groups", groups, 1)
        if array.shape[0] % groups:
            raise InvalidInput(
                f"Conv: groups must divide the filters, got groups={groups} and weight of shape "
                f"{array.shape}"
            )
        self._set(
            weight=array,
            bias=_bias("Conv", bias, array.shape[0], "filter"),
            kernel_size=array.shape[2:],
            stride=geo.spread("Conv: stride", geo.sizes("Conv: stride", stride, 1), n_axes),
            padding=geo.spread_pads("Conv: padding", geo.pads("Conv: padding", padding), n_axes),
            dilation=geo.spread("Conv: dilation", geo.sizes("Conv: dilation", dilation, 1), n_axes),
            groups=groups,
        )
        self._set_input(input)

    def _restore_state(self, state: tuple[object, ...]) -> None:
        super()._restore_state(state)
        self._set(kernel_size=self.weight.shape[2:])

    @property
    def spec(self) -> ConvSpec:
        """The weightless form."""
        return ConvSpec(
            self.weight.shape[0],
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            input=self.input,
        )

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return (filters, *spatial)."""
        (shape,) = input_shapes
        channels = self.weight.shape[1] * self.groups
        if len(shape) != 1 + len(self.kernel_size) or shape[0] != channels:
            axes = ("n", "h, w", "d, h, w")[len(self.kernel_size) - 1]
            raise InvalidInput(
                f"Conv: weight of shape {self.weight.shape} with groups={self.groups} expects an "
                f"input ({channels}, {axes}), got {shape}"
            )
        spatial = (
            geo.output_length(
                "Conv", shape[1 + i], k, self.stride[i], self.padding[i], self.dilation[i], False
            )
            for i, k in enumerate(self.kernel_size)
        )
        return (self.weight.shape[0], *spatial)

    def n_parameters(self, *input_shapes: Shape) -> int:
        """Return the number of weights and biases."""
        return self.weight.size + self.bias.size

    def _arguments(self) -> list[str]:
        shown = [f"{self.weight.shape[0]} filters {self.kernel_size}"]
        shown += [
            f"{name}={getattr(self, name)}" for name in ("stride", "padding", "dilation", "groups")
        ]
        return shown if self.input is None else [*shown, f"input={self.input}"]


class Scale(Layer):
    """One factor and one offset per channel: weight[c] * x[c] + bias[c].

    This is what a batch normalisation is at inference, where it cannot be folded into a
    neighbouring affine layer (or shall not: folding rounds).

    Parameters
    ----------
    weight : array_like of float, shape (channels,)
    bias : array_like of float, shape (channels,), optional
        Default zeros.
    input : int, optional
        Slot to read; default the previous layer's output.

    Raises
    ------
    InvalidInput
        If a shape does not fit or a number is not finite.

    Examples
    --------
    >>> Scale([2.0, 0.5], [0.0, 1.0]).output_shape((2, 7, 7))
    (2, 7, 7)
    """

    __slots__ = ("bias", "weight")
    weight: FloatArray
    bias: FloatArray
    _fields = ("weight", "bias", "input")

    def __init__(
        self,
        weight: npt.ArrayLike,
        bias: npt.ArrayLike | None = None,
        *,
        input: int | None = None,
    ) -> None:
        array = finite_array("Scale: weight", weight)
        if array.ndim != 1:
            raise InvalidInput(f"Scale: weight must have shape (channels,), got {array.shape}")
        self._set(weight=array, bias=_bias("Scale", bias, array.shape[0], "channel"))
        self._set_input(input)

    @property
    def spec(self) -> ScaleSpec:
        """The weightless form."""
        return ScaleSpec(input=self.input)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return the input's shape."""
        (shape,) = input_shapes
        if shape[0] != self.weight.shape[0]:
            raise InvalidInput(
                f"Scale: expected an input with {self.weight.shape[0]} channels (axis 0), "
                f"got {shape}"
            )
        return shape

    def n_parameters(self, *input_shapes: Shape) -> int:
        """Return 2 * channels."""
        return self.weight.size + self.bias.size

    def _arguments(self) -> list[str]:
        tail = [] if self.input is None else [f"input={self.input}"]
        return [f"{self.weight.shape[0]} channels", *tail]


class Pointwise(Layer):
    """Continuous piecewise linear function of every entry.

    Parameters
    ----------
    breakpoints : array_like of float, shape (k,) or (channels, k)
        Strictly increasing along the last axis.
    slopes : array_like of float, shape (k + 1,) or (channels, k + 1)
        Slopes of the pieces from left to right. Equal neighbours are one piece: the breakpoint
        between them is none (see `pieces`).
    value_at_zero : float or array_like of float, shape (channels,), default 0.0
        The function's value at zero; with the slopes it fixes the function.
    input : int, optional
        Slot to read; default the previous layer's output.

    Attributes
    ----------
    breakpoints : float64 array, shape (channels or 1, k)
    slopes : float64 array, shape (channels or 1, k + 1)
    value_at_zero : float64 array, shape (channels or 1,)

    Raises
    ------
    InvalidInput
        If a shape does not fit, a number is not finite or breakpoints do not increase.

    Examples
    --------
    The "hard shrink" that is zero between -1 and 1:

    >>> layer = Pointwise([-1.0, 1.0], [1.0, 0.0, 1.0])
    >>> layer.channels, layer.n_units((3, 4))
    (1, 12)
    """

    __slots__ = ("_merged", "breakpoints", "slopes", "value_at_zero")
    breakpoints: FloatArray
    slopes: FloatArray
    value_at_zero: FloatArray
    _merged: tuple[tuple[FloatArray, FloatArray, float], ...]
    _fields = ("breakpoints", "slopes", "value_at_zero", "input")

    def __init__(
        self,
        breakpoints: npt.ArrayLike,
        slopes: npt.ArrayLike,
        value_at_zero: npt.ArrayLike = 0.0,
        *,
        input: int | None = None,
    ) -> None:
        cuts = finite_array("Pointwise: breakpoints", breakpoints)
        rises = finite_array("Pointwise: slopes", slopes)
        zeros = finite_array("Pointwise: value_at_zero", value_at_zero)
        if cuts.ndim not in (1, 2) or rises.ndim not in (1, 2) or zeros.ndim > 1:
            raise InvalidInput(
                "Pointwise: breakpoints and slopes must have 1 or 2 axes and value_at_zero at most "
                f"1, got shapes {cuts.shape}, {rises.shape} and {zeros.shape}"
            )
        cuts, rises, zeros = np.atleast_2d(cuts), np.atleast_2d(rises), np.atleast_1d(zeros)
        rows = {n for n in (len(cuts), len(rises), len(zeros)) if n != 1}
        if rises.shape[1] != cuts.shape[1] + 1 or len(rows) > 1 or 0 in rows:
            raise InvalidInput(
                "Pointwise: k breakpoints need k + 1 slopes, and per-channel rows must agree; got "
                f"shapes {cuts.shape}, {rises.shape} and {zeros.shape}"
            )
        if (cuts[:, 1:] <= cuts[:, :-1]).any():
            raise InvalidInput(
                f"Pointwise: breakpoints must increase strictly, got {cuts.tolist()}"
            )
        n = rows.pop() if rows else 1
        self._set(breakpoints=_rows(cuts, n), slopes=_rows(rises, n), value_at_zero=_rows(zeros, n))
        self._set_input(input)
        self._merge()

    def _restore_state(self, state: tuple[object, ...]) -> None:
        super()._restore_state(state)
        self._merge()

    def _merge(self) -> None:
        merged = []
        for cuts, rises, zero in zip(
            self.breakpoints, self.slopes, self.value_at_zero, strict=True
        ):
            true = rises[1:] != rises[:-1]
            if not true.all():
                cuts, rises = cuts[true], rises[np.concatenate(([True], true))]
                cuts.setflags(write=False)
                rises.setflags(write=False)
            merged.append((cuts, rises, float(zero)))
        object.__setattr__(self, "_merged", tuple(merged))

    @property
    def channels(self) -> int:
        """Number of rows: 1 where every channel has the same function."""
        return self.breakpoints.shape[0]

    def pieces(self, channel: int) -> tuple[FloatArray, FloatArray, float]:
        """Return the function of one channel with equal neighbouring slopes merged.

        Parameters
        ----------
        channel : int
            Index along axis 0 of the input; with one row for all channels it does not matter.

        Returns
        -------
        breakpoints : float64 array, shape (k',), k' <= k
        slopes : float64 array, shape (k' + 1,)
        value_at_zero : float

        Examples
        --------
        >>> cuts, slopes, zero = Pointwise([0.0, 1.0], [0.0, 1.0, 1.0]).pieces(0)
        >>> cuts.tolist(), slopes.tolist(), zero
        ([0.0], [0.0, 1.0], 0.0)
        """
        return self._merged[0 if len(self._merged) == 1 else channel]

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return the input's shape."""
        (shape,) = input_shapes
        if self.channels not in (1, shape[0]):
            raise InvalidInput(
                f"Pointwise: has a function for each of {self.channels} channels (axis 0), got an "
                f"input {shape}"
            )
        return shape

    @property
    def spec(self) -> PointwiseSpec:
        """The weightless form."""
        return PointwiseSpec(
            max(len(cuts) for cuts, _, _ in self._merged),
            min(int((slopes == 0).sum()) for _, slopes, _ in self._merged),
            any(bool((cuts == 0).any()) for cuts, _, _ in self._merged),
            input=self.input,
        )

    def n_units(self, *input_shapes: Shape) -> int:
        """Return the number of entries; 0 when no entry has a breakpoint."""
        (shape,) = input_shapes
        return prod(shape) if any(len(cuts) for cuts, _, _ in self._merged) else 0

    def pattern_bits(self, *input_shapes: Shape) -> int:
        """Return one bit for every breakpoint of every entry."""
        (shape,) = input_shapes
        bits = sum(len(cuts) for cuts, _, _ in self._merged)
        return bits * prod(shape) // len(self._merged)

    def _arguments(self) -> list[str]:
        shown = [f"{self.breakpoints.tolist()}", f"{self.slopes.tolist()}"]
        if self.channels == 1:
            shown = [f"{self.breakpoints[0].tolist()}", f"{self.slopes[0].tolist()}"]
        if self.value_at_zero.any():
            shown.append(f"value_at_zero={self.value_at_zero.tolist()}")
        return shown if self.input is None else [*shown, f"input={self.input}"]


def _rows(array: FloatArray, n: int) -> FloatArray:
    if array.shape[0] != n:
        array = np.repeat(array, n, axis=0)
    array.setflags(write=False)
    return array


def relu(*, input: int | None = None) -> Pointwise:
    """Return max(0, z).

    Parameters
    ----------
    input : int, optional
        Slot to read; default the previous layer's output.

    Returns
    -------
    Pointwise

    Examples
    --------
    >>> relu()
    Pointwise([0.0], [0.0, 1.0])
    """
    return _RELU if input is None else Pointwise([0.0], [0.0, 1.0], input=input)


def leaky_relu(negative_slope: float = 0.01, *, input: int | None = None) -> Pointwise:
    """Return z for z > 0 and negative_slope * z else.

    Parameters
    ----------
    negative_slope : float, default 0.01
        PyTorch's default.
    input : int, optional
        Slot to read; default the previous layer's output.

    Returns
    -------
    Pointwise

    Examples
    --------
    >>> leaky_relu(0.25)
    Pointwise([0.0], [0.25, 1.0])
    """
    return Pointwise([0.0], [negative_slope, 1.0], input=input)


def hard_tanh(
    min_value: float = -1.0, max_value: float = 1.0, *, input: int | None = None
) -> Pointwise:
    """Return z clipped to [min_value, max_value].

    Parameters
    ----------
    min_value, max_value : float, default -1.0 and 1.0
        Ends of the linear piece.
    input : int, optional
        Slot to read; default the previous layer's output.

    Returns
    -------
    Pointwise

    Raises
    ------
    InvalidInput
        If not min_value < max_value.

    Examples
    --------
    >>> hard_tanh(1.0, 2.0).value_at_zero
    array([1.])
    """
    if not min_value < max_value:
        raise InvalidInput(
            f"hard_tanh: expected min_value < max_value, got {min_value} and {max_value}"
        )
    at_zero = min(max(0.0, min_value), max_value)
    return Pointwise([min_value, max_value], [0.0, 1.0, 0.0], at_zero, input=input)


def relu6(*, input: int | None = None) -> Pointwise:
    """Return z clipped to [0, 6].

    Parameters
    ----------
    input : int, optional
        Slot to read; default the previous layer's output.

    Returns
    -------
    Pointwise

    Examples
    --------
    >>> relu6()
    Pointwise([0.0, 6.0], [0.0, 1.0, 0.0])
    """
    return Pointwise([0.0, 6.0], [0.0, 1.0, 0.0], input=input)


def absolute(*, input: int | None = None) -> Pointwise:
    """Return the absolute value.

    Parameters
    ----------
    input : int, optional
        Slot to read; default the previous layer's output.

    Returns
    -------
    Pointwise

    Examples
    --------
    >>> absolute()
    Pointwise([0.0], [-1.0, 1.0])
    """
    return Pointwise([0.0], [-1.0, 1.0], input=input)


# ReLU is asked for thousands of times in loops over small networks; immutable, so one serves all.
_RELU = Pointwise([0.0], [0.0, 1.0])
