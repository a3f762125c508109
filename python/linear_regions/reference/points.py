# SPDX-License-Identifier: MIT
"""The network at one point, in rational arithmetic: its output and its activation pattern."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import layers
from ..network import Network
from .activation import is_activation, unit_pieces, winner_windows
from .linear import combinations
from .rational import Number, exact

__all__ = ["forward", "pattern"]


def forward(net: Network, x: Sequence[Any]) -> list[Number]:
    """Evaluate the network at one point without rounding.

    Parameters
    ----------
    net : Network
        The network.
    x : sequence of float, int or Fraction, length input_size
        The point, flat in row-major order.

    Returns
    -------
    list of int or Fraction
        The output, flat in row-major order.

    Raises
    ------
    ValueError
        If `x` does not have one number per input.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network((1,), [lr.Affine([[2.0], [-1.0]], [0.5, 0.0]), lr.relu()])
    >>> forward(net, [1])
    [Fraction(5, 2), 0]
    """
    return _run(net, x)[0]


def pattern(net: Network, x: Sequence[Any]) -> tuple[int, ...]:
    """Return the activation pattern of one point, one bit per entry.

    A unit at a breakpoint belongs to the lower piece; of equal largest values in a window, the
    one of lowest position wins.

    Parameters
    ----------
    net : Network
        The network.
    x : sequence of float, int or Fraction, length input_size
        The point, flat in row-major order.

    Returns
    -------
    tuple of int
        Zeros and ones, layer after layer, units row-major.

    Raises
    ------
    ValueError
        If `x` does not have one number per input.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network((1,), [lr.Affine([[2.0], [-1.0]], [0.5, 0.0]), lr.relu()])
    >>> pattern(net, [1]), pattern(net, [-0.25])
    ((1, 0), (0, 1))
    """
    return _run(net, x)[1]


def _run(net: Network, x: Sequence[Any]) -> tuple[list[Number], tuple[int, ...]]:
    values = [exact(value) for value in x]
    if len(values) != net.input_size:
        raise ValueError(f"expected {net.input_size} input values, got {len(values)}")
    slots = [values]
    bits: list[int] = []
    for index, layer in enumerate(net.layers):
        sources = layer.inputs(index)
        current = slots[sources[0]]
        if is_activation(layer):
            current, new_bits = _activate(layer, current, net.shapes[sources[0]])
            bits += new_bits
        elif isinstance(layer, layers.Add):
            current = [a + b for a, b in zip(*(slots[slot] for slot in sources), strict=True)]
        elif isinstance(layer, layers.Concat):
            current = [value for slot in sources for value in slots[slot]]
        else:
            current = [
                sum((weight * current[i] for i, weight in terms), constant)
                for terms, constant in combinations(layer, net.shapes[sources[0]])
            ]
        slots.append(current)
    return slots[-1], tuple(bits)


def _activate(
    layer: layers.Layer, values: list[Number], shape: tuple[int, ...]
) -> tuple[list[Number], list[int]]:
    output: list[Number] = []
    bits: list[int] = []
    if isinstance(layer, layers.Pointwise):
        for z, pieces in zip(values, unit_pieces(layer, shape), strict=True):
            piece = sum(z > where for where in pieces.breakpoints)
            slope, intercept = pieces.lines[piece]
            output.append(slope * z + intercept)
            bits += pieces.bits(piece)
        return output, bits
    assert isinstance(layer, layers.MaxPool | layers.Maxout)
    for window in winner_windows(layer, shape):
        largest = max(values[i] for _, i in window.entries)
        output.append(largest)
        bits += window.bits(next(p for p, i in window.entries if values[i] == largest))
    return output, bits
