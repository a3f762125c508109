# SPDX-License-Identifier: MIT
"""Layers that bend: pieces of pointwise functions, and windows of which the largest entry wins.

Bits of a pattern: a unit with k breakpoints takes k bits, bit j says z > b_j, so that z = b_j
belongs to the lower piece. A window of q positions takes ceil(log2 q) bits: the position of its
winner, least significant bit first.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from .. import layers
from .linear import flat_index, windows
from .rational import Number, exact

__all__ = ["Pieces", "WinnerWindow", "is_activation", "unit_pieces", "winner_windows"]


class Pieces(NamedTuple):
    """A continuous piecewise linear function of one variable.

    Attributes
    ----------
    breakpoints : tuple of Number
        Increasing; the slope really changes at each of them.
    lines : tuple of (Number, Number)
        Slope and intercept of each piece, one more than breakpoints.
    """

    breakpoints: tuple[Number, ...]
    lines: tuple[tuple[Number, Number], ...]

    def bits(self, piece: int) -> tuple[int, ...]:
        """Return the pattern bits of a piece."""
        return tuple(int(j < piece) for j in range(len(self.breakpoints)))


class WinnerWindow(NamedTuple):
    """One unit of a max pooling or maxout layer.

    Attributes
    ----------
    size : int
        Number q of positions of the full window, padding included.
    entries : tuple of (int, int)
        Position in the window and flat input index of each entry that is not padding, by
        increasing position.
    """

    size: int
    entries: tuple[tuple[int, int], ...]

    def bits(self, position: int) -> tuple[int, ...]:
        """Return the pattern bits of a winner."""
        return tuple(position >> j & 1 for j in range((self.size - 1).bit_length()))


def is_activation(layer: layers.Layer) -> bool:
    """Say whether the layer takes part in the pattern."""
    return isinstance(layer, layers.Pointwise | layers.MaxPool | layers.Maxout)


def unit_pieces(layer: layers.Pointwise, shape: tuple[int, ...]) -> list[Pieces]:
    """Return the function of every unit of a pointwise layer, row-major.

    Parameters
    ----------
    layer : Pointwise
        One function for all units or one per channel (axis 0).
    shape : tuple of int
        Shape of its input.
    """
    functions = [
        _pieces(breakpoints, slopes, at_zero)
        for breakpoints, slopes, at_zero in zip(
            layer.breakpoints.tolist(),
            layer.slopes.tolist(),
            layer.value_at_zero.tolist(),
            strict=True,
        )
    ]
    if len(functions) == 1:
        functions = functions * shape[0]
    return [function for function in functions for _ in range(prod(shape[1:]))]


def _pieces(breakpoints: list[float], slopes: list[float], at_zero: float) -> Pieces:
    """Merge equal adjacent slopes, and find the intercepts from continuity and f(0)."""
    kept: list[Number] = []
    kept_slopes = [exact(slopes[0])]
    for breakpoint_, slope in zip(breakpoints, slopes[1:], strict=True):
        if exact(slope) != kept_slopes[-1]:
            kept.append(exact(breakpoint_))
            kept_slopes.append(exact(slope))
    intercepts: list[Number] = [0]
    for where, left, right in zip(kept, kept_slopes, kept_slopes[1:], strict=False):
        # left * b + intercept = right * b + next intercept
        intercepts.append(intercepts[-1] + (left - right) * where)
    piece_of_zero = sum(where < 0 for where in kept)
    shift = exact(at_zero) - intercepts[piece_of_zero]
    lines = ((s, c + shift) for s, c in zip(kept_slopes, intercepts, strict=True))
    return Pieces(tuple(kept), tuple(lines))


def winner_windows(
    layer: layers.MaxPool | layers.Maxout, shape: tuple[int, ...]
) -> list[WinnerWindow]:
    """Return the windows of a max pooling or maxout layer, row-major over its output."""
    if isinstance(layer, layers.Maxout):
        rest = prod(shape[1:])
        return [
            WinnerWindow(
                layer.rank,
                tuple((r, (group * layer.rank + r) * rest + place) for r in range(layer.rank)),
            )
            for group in range(shape[0] // layer.rank)
            for place in range(rest)
        ]
    places = windows(
        shape[1:],
        layer.kernel_size,
        layer.kernel_size if layer.stride is None else layer.stride,
        layer.padding,
        layer.dilation,
        ceil_mode=layer.ceil_mode,
    )
    axes = len(shape) - 1
    kernel = layer.kernel_size
    size = kernel**axes if isinstance(kernel, int) else prod(kernel)
    return [
        WinnerWindow(
            size,
            tuple((position, flat_index((channel, *where), shape)) for position, where in entries),
        )
        for channel in range(shape[0])
        for entries, _ in places
    ]
