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

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import prod

import numpy as np

from .._geometry import Shape
from .._one_layer.windows import binomial_sum
from ..layers import MaxPool

_CHUNK_CHOICES = 3_000
_POLYNOMIAL_WORK = 40_000


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
    everything: int = prod(size**times for size, times in windows)
    if rank >= units:
        return everything
    largest = max(size for size, _ in windows)
    if len(windows) == 1 or rank**2 * len(windows) > _POLYNOMIAL_WORK:
        return min(binomial_sum(units, rank, largest - 1), everything)
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
    names = {entry: i for i, entry in enumerate(sorted(set().union(*windows)))}
    return _winners(tuple(tuple(names[entry] for entry in window) for window in windows))


@lru_cache(maxsize=1024)
def _winners(windows: tuple[tuple[int, ...], ...]) -> int:
    size = 1 + max(map(max, windows))

    def count(position: int, below: list[int]) -> int:
        # below[v]: the entries (bits) that v beats, directly or through others.
        if position == len(windows):
            return 1
        total = 0
        for winner in windows[position]:
            losers = [entry for entry in windows[position] if entry != winner]
            if any(below[entry] >> winner & 1 for entry in losers):
                continue
            reached = 0
            for entry in losers:
                reached |= below[entry] | 1 << entry
            grown = [
                mask | reached if v == winner or mask >> winner & 1 else mask
                for v, mask in enumerate(below)
            ]
            total += count(position + 1, grown)
        return total

    return count(0, [0] * size)


@lru_cache(maxsize=256)
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
        Consistent winners of chunks of windows, multiplied over chunks and channels: leaving the
        windows of other chunks out can only allow more choices.
    """
    starts, entries, _ = layer.windows((1, *shape[1:]))
    table = [tuple(entries[a:b].tolist()) for a, b in pairwise(starts.tolist())]
    if len(np.unique(entries)) == len(entries):  # disjoint windows
        return int(prod(map(len, table)) ** shape[0])
    total = 1
    chunk: list[tuple[int, ...]] = []
    choices = 1
    for window in table:
        if chunk and choices * len(window) > _CHUNK_CHOICES:
            total *= consistent_winners(chunk)
            chunk, choices = [], 1
        chunk.append(window)
        choices *= len(window)
    return int((total * consistent_winners(chunk)) ** shape[0])
