# SPDX-License-Identifier: MIT
"""How many pieces max pooling and maxout can make of a cell.

Two bounds. First, consistent winners: where a window's winner is chosen by (value, lowest index) at
a point where unequal affine maps have unequal values, "winner beats the others" is part of one
strict order of all entries, so it has no directed cycle. The number of choices without a cycle
bounds the pieces; for pooling of free inputs it is the number of regions (Escobar et al. 2022).
Second, sharp maxout (Montufar, Ren, Zhang 2022): on inputs of rank r, units that take the maximum
of q_i affine functions make at most sum_{j <= r} e_j(q_1 - 1, .., q_m - 1) pieces, with e_j
the elementary symmetric polynomials. Pooling windows are such units with special functions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise, product
from math import prod

import numpy as np

from .._geometry import Shape
from .._one_layer.draws import OutOfReach
from .._pools import always_disjoint, window_sizes
from ..layers import MaxPool
from .big import TooLong, binomial_sum_up

_STEPS = 60_000
"""Steps of the search for consistent winners of all windows: below about a second."""
_BLOCK_STEPS = 3_000
_POLYNOMIAL_WORK = 40_000
_MOST_WINDOWS = 1 << 18
"""Overlapping windows of one channel, which are looked at one by one; they take some seconds."""

Windows = tuple[tuple[int, ...], ...]


def maxout_pieces(windows: Sequence[tuple[int, int]], rank: int) -> int:
    """Return sum_{j <= rank} e_j of (entries - 1) over all windows.

    Parameters
    ----------
    windows : sequence of (entries, times)
        Sizes of the windows with multiplicities.
    rank : int
        Rank of the inputs.

    Returns
    -------
    int
        Where the polynomial would cost too much, all windows count as the largest.

    Examples
    --------
    Two units of rank 3 in the plane: 9 pieces; three: 19.

    >>> maxout_pieces([(3, 2)], 2), maxout_pieces([(3, 3)], 2)
    (9, 19)
    """
    units = sum(times for _, times in windows)
    if rank >= units:
        return int(prod(size**times for size, times in windows))
    largest = max(size for size, _ in windows)
    if len(windows) == 1 or rank**2 * len(windows) > _POLYNOMIAL_WORK:
        value = binomial_sum_up(units, rank, largest - 1)
        if value.bit_length() <= units:  # at least two pieces each
            return value
        return min(value, int(prod(size**times for size, times in windows)))
    polynomial = [1]
    for size, times in windows:
        # Coefficients of (1 + (size - 1) x)**times up to degree `rank`.
        factor = [1]
        for j in range(1, min(times, rank) + 1):
            factor.append(factor[-1] * (times - j + 1) * (size - 1) // j)
        product = [0] * min(rank + 1, len(polynomial) + len(factor) - 1)
        for i, left in enumerate(polynomial):
            for j, right in enumerate(factor[: len(product) - i]):
                product[i + j] += left * right
        polynomial = product
    return sum(polynomial)


def consistent_winners(windows: Sequence[Sequence[int]]) -> int:
    """Count the choices of one winner per window without a directed cycle.

    Parameters
    ----------
    windows : sequence of sequences of int
        The entries of each window.

    Returns
    -------
    int

    Examples
    --------
    One axis, windows of 2 with stride 1 on 4 inputs; windows of 3 on 5.

    >>> consistent_winners([(0, 1), (1, 2), (2, 3)])
    8
    >>> consistent_winners([(0, 1, 2), (1, 2, 3), (2, 3, 4)])
    16
    """
    return _winners(_named(windows), 1 << 62)


def _named(windows: Sequence[Sequence[int]]) -> Windows:
    names = {entry: i for i, entry in enumerate(sorted(set().union(*windows)))}
    return tuple(tuple(names[entry] for entry in window) for window in windows)


@lru_cache(maxsize=1024)
def _winners(windows: Windows, steps: int) -> int:
    """Count by one pass over the windows; OutOfReach where it takes more than `steps` steps.

    A state says which of the entries that later windows see beats which (a bit mask of losers per
    entry, directly or through others). Choices with equal states have the same future.
    """
    last_seen = {entry: i for i, window in enumerate(windows) for entry in window}
    front: list[int] = []
    states: dict[tuple[int, ...], int] = {(): 1}
    for position, window in enumerate(windows):
        steps -= len(states) * len(window)
        if steps < 0:
            raise OutOfReach
        added = [entry for entry in window if entry not in front]
        wide = [*front, *added]
        front = [entry for entry in wide if last_seen[entry] > position]
        alive = sum(1 << entry for entry in front)
        following: dict[tuple[int, ...], int] = defaultdict(int)
        for state, times in states.items():
            below = dict(zip(wide, (*state, *[0] * len(added)), strict=True))
            for winner in window:
                if any(below[entry] >> winner & 1 for entry in window if entry != winner):
                    continue
                reached = 0
                for entry in window:
                    if entry != winner:
                        reached |= below[entry] | 1 << entry
                grown = tuple(
                    (below[v] | reached if v == winner or below[v] >> winner & 1 else below[v])
                    & alive
                    for v in front
                )
                following[grown] += times
        states = dict(following)
    return sum(states.values())


def _table(shape: Shape, layer: MaxPool) -> tuple[Shape, list[tuple[int, ...]]]:
    """Return the numbers of windows per axis, and the entries of each window of one channel."""
    starts, entries, _ = layer.windows((1, *shape[1:]))
    windows = [tuple(entries[a:b].tolist()) for a, b in pairwise(starts.tolist())]
    return layer.output_shape((1, *shape[1:]))[1:], windows


def in_reach(shape: Shape, layer: MaxPool) -> bool:
    """Tell whether the windows of a max pooling are disjoint, or few enough to be looked at.

    Parameters
    ----------
    shape, layer
        As in `pooling_pieces`.

    Returns
    -------
    bool
    """
    windows = prod(layer.output_shape(shape)[1:])
    return windows <= _MOST_WINDOWS or always_disjoint(layer, shape)


def winners_are_exact(shape: Shape, layer: MaxPool) -> bool:
    """Tell whether `pooling_pieces` counts all windows together.

    Parameters
    ----------
    shape : tuple of int
        Shape of the input.
    layer : MaxPool
        The pooling.

    Returns
    -------
    bool
    """
    return _pieces(shape, layer)[1]


def pooling_pieces(shape: Shape, layer: MaxPool) -> int:
    """Bound the combinations of winners of a max pooling, whatever its inputs are.

    Parameters
    ----------
    shape : tuple of int
        Shape of the input.
    layer : MaxPool
        The pooling.

    Returns
    -------
    int
        The number of consistent winners, where that is in reach (along one axis always). Else it
        is counted for blocks of windows and multiplied over blocks and channels: leaving the
        windows of other blocks out can only allow more choices.
    """
    return _pieces(shape, layer)[0]


@lru_cache(maxsize=256)
def _pieces(shape: Shape, layer: MaxPool) -> tuple[int, bool]:
    if always_disjoint(layer, shape):
        entries = window_sizes(layer, shape).items()
        return int(prod(size**times for size, times in entries) ** shape[0]), True
    if not in_reach(shape, layer):
        raise TooLong(f"a max pooling of more than {_MOST_WINDOWS:,} windows that overlap")
    sizes, table = _table(shape, layer)
    if not table:
        return 1, True
    seen = [entry for window in table for entry in window]
    if len(set(seen)) == len(seen):  # disjoint windows
        return int(prod(map(len, table)) ** shape[0]), True
    if len(table) < _STEPS:
        try:
            return _winners(_named(table), _STEPS) ** shape[0], True
        except OutOfReach:
            pass
    numbers = np.arange(len(table)).reshape(sizes)
    side = 4 if len(sizes) < 3 else 2
    while True:
        total = 1
        try:
            for corner in product(*(range(0, size, side) for size in sizes)):
                block = numbers[tuple(slice(start, start + side) for start in corner)]
                total *= _winners(_named([table[i] for i in block.flat]), _BLOCK_STEPS)
        except OutOfReach:
            side -= 1
            continue
        return int(total ** shape[0]), False
