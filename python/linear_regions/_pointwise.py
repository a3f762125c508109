# SPDX-License-Identifier: MIT
"""Activations: a continuous piecewise linear function of every entry."""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt

from ._geometry import Shape
from ._layer import Layer, PointwiseSpec
from ._value import MOST_SHOWN, FloatArray, finite_array
from .errors import InvalidInput


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
        return len(self.breakpoints)

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
        if self.channels > 1 and self.slopes.size > MOST_SHOWN:
            shown = [f"{self.channels} channels", f"breakpoints={self.breakpoints.shape[1]}"]
        elif self.value_at_zero.any():
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
