# SPDX-License-Identifier: MIT
"""The layers of a piecewise linear network.

Every layer is an immutable value with a keyword `input`: the slot that it reads (0 is the network
input, i the output of layer i - 1; None, the default, the previous layer's output). Shapes are
channels first, without a batch axis, and flat indexes are row-major.

Here are the affine layers with numbers in them; activations are in `_pointwise`, pooling and maxout
in `_pools`, and the layers that only move entries in `_wiring`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import _geometry as geo
from ._geometry import Pads, Pair, Shape, Sizes
from ._layer import (
    AffineSpec,
    ConvSpec,
    Layer,
    ScaleSpec,
)
from ._pointwise import Pointwise, absolute, hard_tanh, leaky_relu, relu, relu6
from ._pools import AvgPool, Maxout, MaxPool
from ._value import FloatArray, finite_array
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
        if bias is not None and np.shape(bias) == array.shape[1:] != array.shape[:1]:
            raise InvalidInput(
                f"Affine: bias must have shape {array.shape[:1]}, got {array.shape[1:]}; "
                f"weight must have shape (n_out, n_in), got {array.shape}: transpose it"
            )
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
        return self.spec._arguments()


class Scale(Layer):
    """One factor and one offset per channel: weight[c] * x[c] + bias[c].

    This is what a batch normalization is at inference, where it cannot be folded into a
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
