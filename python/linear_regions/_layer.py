# SPDX-License-Identifier: MIT
"""The base class of all layers, and the weightless forms of the layers that have weights.

A layer is an immutable value: it compares and hashes by value, pickles, and knows which slots it
reads and which shape it makes. Slot 0 is the network input, slot i the output of layer i - 1 (so
layer `position` reads slot `position` unless `input=` says otherwise).
"""

from __future__ import annotations

from math import prod
from typing import ClassVar, Self

from . import _geometry as geo
from ._geometry import Pads, Pair, Shape, Sizes
from ._value import Value, restore
from .errors import InvalidInput


class Layer(Value):
    """Base class of every layer and of every weightless spec.

    Attributes
    ----------
    input : int or None
        Slot that the layer reads; None means the output of the previous layer.

    Examples
    --------
    >>> from linear_regions.layers import Flatten, relu
    >>> relu().inputs(position=3), relu(input=1).inputs(position=3)
    ((3,), (1,))
    >>> Flatten() == Flatten(), Flatten() == Flatten(input=1)
    (True, False)
    """

    __slots__ = ("input",)
    input: int | None
    _fields: ClassVar[tuple[str, ...]] = ("input",)
    _defaults: ClassVar[dict[str, object]] = {}

    def _set_input(self, input: int | None) -> None:
        if input is not None:
            input = geo.integer(f"{type(self).__name__}: input (a slot number)", input, 0)
        object.__setattr__(self, "input", input)

    def _arguments(self) -> list[str]:
        # For people: equal sizes of all axes as one number, and no defaults.
        values = {name: getattr(self, name) for name in self._fields}
        for name in values.keys() & {"kernel_size", "stride", "padding", "dilation"}:
            values[name] = _collapsed(values[name])
        defaults = {"input": None, **self._defaults}
        return [
            f"{name}={value!r}"
            for name, value in values.items()
            if name not in defaults or value != defaults[name]
        ]

    def inputs(self, position: int) -> tuple[int, ...]:
        """Return the slots that this layer reads when it is layer number `position` (from 0).

        Parameters
        ----------
        position : int
            Index of this layer in the tape; its previous slot has the same number.

        Returns
        -------
        tuple of int
            Slot numbers, the current input first.

        Examples
        --------
        >>> from linear_regions.layers import Add, relu
        >>> relu().inputs(3), relu(input=1).inputs(3), Add(0).inputs(3)
        ((3,), (1,), (3, 0))
        """
        return (position if self.input is None else self.input,)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return the shape of the output for the shapes of the slots that the layer reads.

        Parameters
        ----------
        *input_shapes : tuple of int
            One shape per slot of `inputs`, without a batch axis.

        Returns
        -------
        tuple of int

        Raises
        ------
        InvalidInput
            If the layer cannot take such an input; the message names layer, expected and got.

        Examples
        --------
        >>> ConvSpec(6, 5).output_shape((1, 28, 28))
        (6, 24, 24)
        """
        raise NotImplementedError

    @property
    def spec(self) -> Layer:
        """The weightless form; a layer without weights is its own."""
        return self

    def resolve(self, position: int, *input_shapes: Shape) -> Self:
        """Return the canonical form at a place: sizes spread over the axes, plain input None.

        Two architectures are equal when these forms are.

        Parameters
        ----------
        position : int
            Index of this layer in the tape.
        *input_shapes : tuple of int
            As in `output_shape`.

        Returns
        -------
        Layer
            Of the same type; itself where nothing changes.

        Examples
        --------
        >>> ConvSpec(6, 5, input=3).resolve(3, (1, 28, 28)).kernel_size
        (5, 5)
        """
        if self.input == position:
            twin = restore(type(self), self._state())
            object.__setattr__(twin, "input", None)
            assert isinstance(twin, type(self))
            return twin
        return self

    def n_parameters(self, *input_shapes: Shape) -> int:
        """Return the number of weights and biases.

        Parameters
        ----------
        *input_shapes : tuple of int
            As in `output_shape`.

        Returns
        -------
        int

        Examples
        --------
        >>> ConvSpec(6, 5).n_parameters((1, 28, 28))
        156
        """
        return 0

    def n_units(self, *input_shapes: Shape) -> int:
        """Return the number of hidden units: entries of an activation, windows of a maximum.

        Parameters
        ----------
        *input_shapes : tuple of int
            As in `output_shape`.

        Returns
        -------
        int

        Examples
        --------
        >>> from linear_regions.layers import MaxPool, relu
        >>> relu().n_units((6, 4, 4)), MaxPool(2).n_units((6, 4, 4))
        (96, 24)
        """
        return 0

    def pattern_bits(self, *input_shapes: Shape) -> int:
        """Return the number of bits of an activation pattern that belong to this layer.

        Parameters
        ----------
        *input_shapes : tuple of int
            As in `output_shape`.

        Returns
        -------
        int
            One per breakpoint of a unit; ceil(log2 q) per window of q places.

        Examples
        --------
        >>> from linear_regions.layers import MaxPool, relu
        >>> relu().pattern_bits((6, 4, 4)), MaxPool(2).pattern_bits((6, 4, 4))
        (96, 48)
        """
        return 0


def _collapsed(value: object) -> object:
    """Return (5, 5) as 5 and ((1, 1), (1, 1)) as 1, anything else as it is."""
    if isinstance(value, tuple) and value:
        items = [_collapsed(item) for item in value]
        if isinstance(items[0], int) and all(item == items[0] for item in items):
            return items[0]
    return value


def channels_first(name: str, shape: Shape, max_axes: int = 3) -> int:
    """Return the number of spatial axes of `shape`, which must be (channels, *spatial)."""
    n_axes = len(shape) - 1
    if not 1 <= n_axes <= max_axes:
        expected = "(channels, n), (channels, h, w) or (channels, d, h, w)"
        hint = "; put Reshape(...) before it" if n_axes == 0 else ""
        raise InvalidInput(f"{name}: expected an input of shape {expected}, got {shape}{hint}")
    return n_axes


class AffineSpec(Layer):
    """Weightless form of `Affine`: a fully connected layer.

    Parameters
    ----------
    n_out : int
        Number of outputs.
    input : int, optional
        Slot to read; default the previous layer's output.

    Raises
    ------
    InvalidInput
        If `n_out` is negative.

    Examples
    --------
    >>> AffineSpec(16).output_shape((2,)), AffineSpec(16).n_parameters((2,))
    ((16,), 48)
    """

    __slots__ = ("n_out",)
    n_out: int
    _fields = ("n_out", "input")

    def __init__(self, n_out: int, *, input: int | None = None) -> None:
        self._set(n_out=geo.integer("AffineSpec: n_out", n_out, 0))
        self._set_input(input)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return (n_out,)."""
        (shape,) = input_shapes
        if len(shape) != 1:
            raise InvalidInput(
                f"Affine: expected a flat input (n,), got {shape}; put Flatten() before it"
            )
        return (self.n_out,)

    def n_parameters(self, *input_shapes: Shape) -> int:
        """Return n_out * (n_in + 1)."""
        return self.n_out * (input_shapes[0][0] + 1)


class ConvSpec(Layer):
    """Weightless form of `Conv`: a convolution in 1 to 3 spatial axes.

    Parameters
    ----------
    filters : int
        Number of filters (output channels).
    kernel_size : int or tuple of int
        An int is used for every spatial axis of the input.
    stride : int or tuple of int, default 1
    padding : int, tuple of int, or tuple of (before, after), default 0
        Zeros around the input: one number, one per axis, or one pair per axis.
    dilation : int or tuple of int, default 1
    groups : int, default 1
        The channels fall into this many groups that do not see each other.
    input : int, optional
        Slot to read; default the previous layer's output.

    Raises
    ------
    InvalidInput
        If a number is out of range or `groups` does not divide `filters`.

    Examples
    --------
    >>> ConvSpec(6, 5).output_shape((1, 28, 28)), ConvSpec(6, 5).n_parameters((1, 28, 28))
    ((6, 24, 24), 156)
    """

    __slots__ = ("dilation", "filters", "groups", "kernel_size", "padding", "stride")
    filters: int
    kernel_size: Sizes
    stride: Sizes
    padding: Pads
    dilation: Sizes
    groups: int
    _fields = ("filters", "kernel_size", "stride", "padding", "dilation", "groups", "input")
    _defaults: ClassVar[dict[str, object]] = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Pads = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        *,
        input: int | None = None,
    ) -> None:
        self._set(
            filters=geo.integer("ConvSpec: filters", filters, 1),
            kernel_size=geo.sizes("ConvSpec: kernel_size", kernel_size, 1),
            stride=geo.sizes("ConvSpec: stride", stride, 1),
            padding=geo.pads("ConvSpec: padding", padding),
            dilation=geo.sizes("ConvSpec: dilation", dilation, 1),
            groups=geo.integer("ConvSpec: groups", groups, 1),
        )
        self._set_input(input)
        if self.filters % self.groups:
            raise InvalidInput(
                f"ConvSpec: groups must divide filters, got groups={groups}, filters={filters}"
            )

    def geometry(self, n_axes: int) -> tuple[Shape, Shape, tuple[Pair, ...], Shape]:
        """Return kernel_size, stride, padding pairs and dilation, spread over the spatial axes.

        Parameters
        ----------
        n_axes : int
            Number of spatial axes.

        Returns
        -------
        kernel_size, stride : tuple of int
        padding : tuple of (before, after)
        dilation : tuple of int

        Raises
        ------
        InvalidInput
            If a size is given for another number of axes.

        Examples
        --------
        >>> ConvSpec(6, 5, padding=1).geometry(2)
        ((5, 5), (1, 1), ((1, 1), (1, 1)), (1, 1))
        """
        return (
            geo.spread("Conv: kernel_size", self.kernel_size, n_axes),
            geo.spread("Conv: stride", self.stride, n_axes),
            geo.spread_pads("Conv: padding", self.padding, n_axes),
            geo.spread("Conv: dilation", self.dilation, n_axes),
        )

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return (filters, *spatial)."""
        (shape,) = input_shapes
        kernel, stride, padding, dilation = self.geometry(channels_first("Conv", shape))
        if shape[0] % self.groups:
            raise InvalidInput(
                f"Conv: groups={self.groups} must divide the channels of the input, got {shape}"
            )
        spatial = (
            geo.output_length("Conv", shape[1 + i], k, stride[i], padding[i], dilation[i], False)
            for i, k in enumerate(kernel)
        )
        return (self.filters, *spatial)

    def resolve(self, position: int, *input_shapes: Shape) -> ConvSpec:
        """Return the same convolution with one size per axis."""
        kernel, stride, padding, dilation = self.geometry(len(input_shapes[0]) - 1)
        input = None if self.input == position else self.input
        return ConvSpec(self.filters, kernel, stride, padding, dilation, self.groups, input=input)

    def n_parameters(self, *input_shapes: Shape) -> int:
        """Return filters * (channels / groups * kernel entries + 1)."""
        (shape,) = input_shapes
        kernel = geo.spread("Conv: kernel_size", self.kernel_size, len(shape) - 1)
        return self.filters * (shape[0] // self.groups * prod(kernel) + 1)


class ScaleSpec(Layer):
    """Weightless form of `Scale`: one factor and one offset per channel.

    Parameters
    ----------
    input : int, optional
        Slot to read; default the previous layer's output.

    Examples
    --------
    >>> ScaleSpec().n_parameters((6, 24, 24))
    12
    """

    __slots__ = ()

    def __init__(self, *, input: int | None = None) -> None:
        self._set_input(input)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return the input's shape."""
        return input_shapes[0]

    def n_parameters(self, *input_shapes: Shape) -> int:
        """Return 2 * channels."""
        return 2 * input_shapes[0][0]


class PointwiseSpec(Layer):
    """Weightless form of `Pointwise`: what the bounds need to know of an activation.

    Parameters
    ----------
    breakpoints : int
        Largest number of breakpoints of a unit (1 for ReLU, 2 for hard tanh).
    flat : int, default 0
        Number of constant pieces that every unit has at the least (1 for ReLU, 2 for hard tanh).
    at_zero : bool, default False
        Whether some unit has a breakpoint at zero, so that without biases it is not generic.
    input : int, optional
        Slot to read; default the previous layer's output.

    Raises
    ------
    InvalidInput
        If `breakpoints` is negative or `flat` is not between 0 and `breakpoints` + 1.

    Examples
    --------
    >>> PointwiseSpec(1, flat=1, at_zero=True).n_units((6, 24, 24))
    3456
    """

    __slots__ = ("at_zero", "breakpoints", "flat")
    breakpoints: int
    flat: int
    at_zero: bool
    _fields = ("breakpoints", "flat", "at_zero", "input")
    _defaults: ClassVar[dict[str, object]] = {"flat": 0, "at_zero": False}

    def __init__(
        self, breakpoints: int, flat: int = 0, at_zero: bool = False, *, input: int | None = None
    ) -> None:
        self._set(
            breakpoints=geo.integer("PointwiseSpec: breakpoints", breakpoints, 0),
            flat=geo.integer("PointwiseSpec: flat", flat, 0),
            at_zero=bool(at_zero),
        )
        self._set_input(input)
        if self.flat > self.breakpoints + 1:
            raise InvalidInput(
                f"PointwiseSpec: {breakpoints} breakpoints make {self.breakpoints + 1} pieces, "
                f"got flat={flat}"
            )

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return the input's shape."""
        return input_shapes[0]

    def n_units(self, *input_shapes: Shape) -> int:
        """Return the number of entries; 0 when the activation is affine."""
        return prod(input_shapes[0]) if self.breakpoints else 0

    def pattern_bits(self, *input_shapes: Shape) -> int:
        """Return `breakpoints` bits for every entry: the most that the activation can need."""
        return prod(input_shapes[0]) * self.breakpoints
