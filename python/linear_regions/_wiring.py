# SPDX-License-Identifier: MIT
"""Layers without arithmetic of their own: reordering, padding, sums and joins of slots."""

from __future__ import annotations

from math import prod
from typing import ClassVar

import numpy as np

from . import _geometry as geo
from ._geometry import IntArray, Pair, Shape
from ._layer import Layer
from ._value import finite_array
from .errors import InvalidInput


class Flatten(Layer):
    """Reshape to one axis, in row-major order.

    Parameters
    ----------
    input : int, optional
        Slot to read; default the previous layer's output.

    Examples
    --------
    >>> Flatten().output_shape((6, 4, 4))
    (96,)
    """

    __slots__ = ()

    def __init__(self, *, input: int | None = None) -> None:
        self._set_input(input)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return (n,)."""
        (shape,) = input_shapes
        return (prod(shape),)

    def index_map(self, input_shape: Shape) -> IntArray:
        """Return, per flat output, the flat input that it copies: the identity.

        Parameters
        ----------
        input_shape : tuple of int

        Returns
        -------
        int64 array, shape (n,)

        Examples
        --------
        >>> Flatten().index_map((2, 2)).tolist()
        [0, 1, 2, 3]
        """
        return np.arange(prod(input_shape), dtype=np.int64)


class Reshape(Layer):
    """Give the entries, in row-major order, another shape.

    Parameters
    ----------
    shape : int or tuple of int
        Without a batch axis; one entry may be -1 and is then computed.
    input : int, optional
        Slot to read; default the previous layer's output.

    Raises
    ------
    InvalidInput
        If a size is impossible; at shape time, if the number of entries differs.

    Examples
    --------
    >>> Reshape((1, -1)).output_shape((12,))
    (1, 12)
    """

    __slots__ = ("shape",)
    shape: Shape
    _fields = ("shape", "input")

    def __init__(self, shape: int | Shape, *, input: int | None = None) -> None:
        shape = geo.shape_of("Reshape: shape", shape, -1)
        if not shape or 0 in shape or shape.count(-1) > 1:
            raise InvalidInput(
                f"Reshape: shape must have positive sizes and at most one -1, got {shape}"
            )
        self._set(shape=shape)
        self._set_input(input)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return the new shape."""
        (shape,) = input_shapes
        n, known = prod(shape), prod(size for size in self.shape if size != -1)
        if -1 in self.shape and n % known == 0:
            return tuple(n // known if size == -1 else size for size in self.shape)
        if known != n:
            raise InvalidInput(
                f"Reshape: cannot give shape {self.shape} to an input {shape} of {n} entries"
            )
        return self.shape

    def resolve(self, position: int, *input_shapes: Shape) -> Reshape:
        """Return the same layer without -1."""
        input = None if self.input == position else self.input
        return Reshape(self.output_shape(*input_shapes), input=input)

    def index_map(self, input_shape: Shape) -> IntArray:
        """Return, per flat output, the flat input that it copies: the identity.

        Parameters
        ----------
        input_shape : tuple of int

        Returns
        -------
        int64 array, shape (n,)

        Examples
        --------
        >>> Reshape((2, 2)).index_map((4,)).tolist()
        [0, 1, 2, 3]
        """
        self.output_shape(input_shape)
        return np.arange(prod(input_shape), dtype=np.int64)


class Permute(Layer):
    """Reorder the axes, as `numpy.transpose` does.

    Parameters
    ----------
    order : tuple of int
        Axis i of the output is axis order[i] of the input (no batch axis).
    input : int, optional
        Slot to read; default the previous layer's output.

    Raises
    ------
    InvalidInput
        If `order` is no permutation; at shape time, if the input has another number of axes.

    Examples
    --------
    >>> Permute((1, 0)).index_map((2, 3)).tolist()
    [0, 3, 1, 4, 2, 5]
    """

    __slots__ = ("order",)
    order: Shape
    _fields = ("order", "input")

    def __init__(self, order: Shape, *, input: int | None = None) -> None:
        order = geo.shape_of("Permute: order", order, 0)
        if sorted(order) != list(range(len(order))) or not order:
            raise InvalidInput(
                f"Permute: order must contain each of 0 to {max(len(order) - 1, 0)} once, "
                f"got {order}"
            )
        self._set(order=order)
        self._set_input(input)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return the shape with its axes reordered."""
        (shape,) = input_shapes
        if len(shape) != len(self.order):
            raise InvalidInput(
                f"Permute: order {self.order} expects {len(self.order)} axes, got an input {shape}"
            )
        return tuple(shape[axis] for axis in self.order)

    def index_map(self, input_shape: Shape) -> IntArray:
        """Return, per flat output, the flat input that it copies.

        Parameters
        ----------
        input_shape : tuple of int

        Returns
        -------
        int64 array, shape (n,)

        Examples
        --------
        >>> Permute((1, 0)).index_map((2, 3)).tolist()
        [0, 3, 1, 4, 2, 5]
        """
        self.output_shape(input_shape)
        index = np.arange(prod(input_shape), dtype=np.int64).reshape(input_shape)
        return index.transpose(self.order).reshape(-1)


class Pad(Layer):
    """Surround the spatial axes with a constant.

    Parameters
    ----------
    padding : int, tuple of int, or tuple of (before, after)
        One number, one per spatial axis, or one pair per spatial axis.
    value : float, default 0.0
        The constant.
    input : int, optional
        Slot to read; default the previous layer's output.

    Raises
    ------
    InvalidInput
        If a size is negative or `value` is not finite.

    Examples
    --------
    >>> Pad(((1, 0),)).index_map((1, 3)).tolist()
    [-1, 0, 1, 2]
    """

    __slots__ = ("padding", "value")
    padding: geo.Pads
    value: float
    _fields = ("padding", "value", "input")
    _defaults: ClassVar[dict[str, object]] = {"value": 0.0}

    def __init__(self, padding: geo.Pads, value: float = 0.0, *, input: int | None = None) -> None:
        constant = finite_array("Pad: value", value)
        if constant.ndim:
            raise InvalidInput(f"Pad: value must be one number, got shape {constant.shape}")
        self._set(padding=geo.pads("Pad: padding", padding), value=float(constant))
        self._set_input(input)

    def geometry(self, n_axes: int) -> tuple[Pair, ...]:
        """Return the padding of every spatial axis.

        Parameters
        ----------
        n_axes : int
            Number of spatial axes.

        Returns
        -------
        tuple of (before, after)

        Raises
        ------
        InvalidInput
            If pairs are given for another number of axes.

        Examples
        --------
        >>> Pad(1).geometry(2)
        ((1, 1), (1, 1))
        """
        return geo.spread_pads("Pad: padding", self.padding, n_axes)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return (channels, *spatial), the spatial axes grown."""
        (shape,) = input_shapes
        if len(shape) < 2:
            raise InvalidInput(
                f"Pad: expected an input (channels, *spatial), got {shape}; put Reshape(...) "
                "before it"
            )
        pairs = self.geometry(len(shape) - 1)
        grown = (
            size + before + after for size, (before, after) in zip(shape[1:], pairs, strict=True)
        )
        return (shape[0], *grown)

    def resolve(self, position: int, *input_shapes: Shape) -> Pad:
        """Return the same padding with one pair per axis."""
        input = None if self.input == position else self.input
        return Pad(self.geometry(len(input_shapes[0]) - 1), self.value, input=input)

    def index_map(self, input_shape: Shape) -> IntArray:
        """Return, per flat output, the flat input that it copies; -1 for the constant.

        Parameters
        ----------
        input_shape : tuple of int

        Returns
        -------
        int64 array, shape (n_out,)

        Examples
        --------
        >>> Pad(((1, 0),)).index_map((1, 2)).tolist()
        [-1, 0, 1]
        """
        self.output_shape(input_shape)
        index = np.arange(prod(input_shape), dtype=np.int64).reshape(input_shape)
        pairs = ((0, 0), *self.geometry(len(input_shape) - 1))
        return np.pad(index, pairs, constant_values=-1).reshape(-1)


class Add(Layer):
    """Sum of the current input and another slot (a residual link).

    Parameters
    ----------
    slot : int
        0 is the network input, i the output of layer i - 1. The shapes must be equal.
    input : int, optional
        The current input's slot; default the previous layer's output.

    Raises
    ------
    InvalidInput
        If `slot` is negative; at shape time, if the shapes differ.

    Examples
    --------
    >>> Add(0).inputs(3)
    (3, 0)
    """

    __slots__ = ("slot",)
    slot: int
    _fields = ("slot", "input")

    def __init__(self, slot: int, *, input: int | None = None) -> None:
        self._set(slot=geo.integer("Add: slot", slot, 0))
        self._set_input(input)

    def inputs(self, position: int) -> tuple[int, ...]:
        """Return (current, slot)."""
        return (position if self.input is None else self.input, self.slot)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return the common shape."""
        current, other = input_shapes
        if current != other:
            raise InvalidInput(
                f"Add: expected equal shapes, got {current} (current) and {other} (slot "
                f"{self.slot})"
            )
        return current


class Concat(Layer):
    """Join the current input and other slots along axis 0 (features or channels).

    Parameters
    ----------
    slots : int or tuple of int
        The result is (current, *slots) in this order; the other axes must be equal.
    input : int, optional
        The current input's slot; default the previous layer's output.

    Raises
    ------
    InvalidInput
        If a slot is negative or none is given; at shape time, if the shapes do not fit.

    Examples
    --------
    >>> Concat(0).output_shape((4, 7, 7), (2, 7, 7))
    (6, 7, 7)
    """

    __slots__ = ("slots",)
    slots: tuple[int, ...]
    _fields = ("slots", "input")

    def __init__(self, slots: int | tuple[int, ...], *, input: int | None = None) -> None:
        slots = geo.shape_of("Concat: slots", slots, 0)
        if not slots:
            raise InvalidInput("Concat: expected at least one slot, got none")
        self._set(slots=slots)
        self._set_input(input)

    def inputs(self, position: int) -> tuple[int, ...]:
        """Return (current, *slots)."""
        return (position if self.input is None else self.input, *self.slots)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return (sum of the channels, *spatial)."""
        tails = {shape[1:] for shape in input_shapes}
        if len(tails) != 1:
            raise InvalidInput(
                "Concat: expected shapes that agree after axis 0, got "
                + ", ".join(map(str, input_shapes))
            )
        return (sum(shape[0] for shape in input_shapes), *tails.pop())
