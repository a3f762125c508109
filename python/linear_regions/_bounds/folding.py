# SPDX-License-Identifier: MIT
"""How often layers can fold the cube: the constructions behind the lower bounds of deep networks.

A *fold* of one coordinate is a piecewise linear map of an interval that takes several neighbouring
intervals onto the same one. If a layer spends p units on a coordinate, its fold has

- ReLU: 1, 2 pieces for p = 1, 2 and p + 1 pieces for p >= 3. With breakpoints t_1 < .. < t_p
  and unit 3 switched off on the right side the slopes 2, -1, 1, -1, .. are possible: the slope on
  the far left is minus the jumps of the reversed units, here -(-1 - 1) = 2;
- maxout of rank k: p (k - 1) + 1 pieces for even p and (p - 1)(k - 1) + 2 for odd p: half of the
  units add convex bends, half of them, with a minus sign, concave ones, in turn.

Different coordinates have units of their own, so that a layer folds D coordinates prod f(p_i)
times, and the next layer, which sees sums of units, sees the whole cube again on each box. Units
are spread as evenly as possible; log f is concave for ReLU, so no other way is better.

The last layer cuts the cube: all regions of an arrangement meet it once they are scaled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf, lgamma, log, prod

import numpy as np

from .._one_layer.windows import binomial_sum
from .big import LONGEST_SUM, check_length, log2_sum

_COORDINATES = 4096


@dataclass(frozen=True)
class Layer:
    """What a layer offers for folding.

    Parameters
    ----------
    units : int
        Units that may be spread over the coordinates.
    rank : int
        0 for ReLU, else the rank of maxout units.
    """

    units: int
    rank: int = 0


def pieces(units: int, rank: int = 0) -> int:
    """Return the number of pieces of the fold that `units` units make of one coordinate.

    Parameters
    ----------
    units : int
        Units spent on the coordinate.
    rank : int
        0 for ReLU, else the rank of maxout units.

    Returns
    -------
    int
        0 without units: the coordinate is lost.

    Examples
    --------
    >>> [pieces(n) for n in range(6)], [pieces(n, 3) for n in range(5)]
    ([0, 1, 2, 4, 5, 6], [0, 2, 5, 6, 9])
    """
    if not units:
        return 0
    if rank:
        return 2 * (units // 2) * (rank - 1) + 1 + units % 2
    return units if units < 3 else units + 1


def spread(units: int, coordinates: int, rank: int = 0) -> tuple[tuple[int, int], ...]:
    """Spread units over coordinates.

    Parameters
    ----------
    units, coordinates : int
        How many there are.
    rank : int
        0 for ReLU, else the rank of maxout units.

    Returns
    -------
    tuple of (units per coordinate, number of such coordinates)
        Evenly; maxout in pairs, if there are enough, and one coordinate with one more.
    """
    if rank and units >= 2 * coordinates:
        each, more = divmod(units // 2, coordinates)
        found = [(2 * each + 2, more), (2 * each, coordinates - more)]
        if units % 2:
            group = 0 if more else 1
            found[group] = (found[group][0], found[group][1] - 1)
            found.append((found[group][0] + 1, 1))
    else:
        each, more = divmod(units, coordinates)
        found = [(each + 1, more), (each, coordinates - more)]
    return tuple((size, times) for size, times in found if times)


def folds(layer: Layer, coordinates: int) -> int:
    """Return how many boxes a layer folds onto the cube.

    Parameters
    ----------
    layer : Layer
        Its units.
    coordinates : int
        Dimension of the cube.

    Returns
    -------
    int

    Examples
    --------
    Five ReLU units on two coordinates: 4 times 2; as three units cost more than they are worth on
    four coordinates, 2 boxes.

    >>> folds(Layer(5), 2), folds(Layer(5), 4)
    (8, 2)
    """
    return prod(
        pieces(size, layer.rank) ** times
        for size, times in spread(layer.units, coordinates, layer.rank)
    )


def dense_folding(dim: int, layers: tuple[Layer, ...], last: tuple[int, int]) -> tuple[int, int]:
    """Return the regions of fully connected layers that fold, and of a last one that cuts.

    Parameters
    ----------
    dim : int
        Dimension of the input.
    layers : tuple of Layer
        The layers before the last.
    last : tuple of (units, hyperplanes per unit)
        The last layer.

    Returns
    -------
    value, coordinates : int
        The number for the best number D <= dim of coordinates that are folded, and that D.

    Examples
    --------
    >>> dense_folding(2, (Layer(6),), (6, 1)), dense_folding(4, (Layer(2),), (6, 1))
    ((352, 2), (22, 2))
    """
    _, best = best_coordinates(dim, layers, last)
    if best < last[0]:
        check_length(log2_sum(last[0], best, last[1]), LONGEST_SUM)
    value: int = prod(folds(layer, best) ** times for layer, times in _counted(layers))
    return value * binomial_sum(last[0], best, last[1]), best


def best_coordinates(
    dim: int, layers: tuple[Layer, ...], last: tuple[int, int]
) -> tuple[float, int]:
    """Return the natural logarithm of `dense_folding` in floating point, and its D.

    Parameters
    ----------
    dim, layers, last
        As in `dense_folding`.

    Returns
    -------
    logarithm : float
    coordinates : int
    """
    most = min([dim, _COORDINATES, *(layer.units for layer in layers)])
    if most < 1:
        return 0.0, 0
    logs = _last_logs(last, most)
    for layer, times in _counted(layers):
        logs = logs + times * _fold_logs(layer, most)
    best = int(np.argmax(logs))
    return float(logs[best]), best + 1


def _counted(layers: Sequence[Layer]) -> list[tuple[Layer, int]]:
    return list(Counter(layers).items())


@lru_cache(maxsize=256)
def _fold_logs(layer: Layer, most: int) -> np.ndarray:
    """Return ln of `folds` for 1 to `most` coordinates."""
    return np.array(
        [
            sum(n * log(pieces(size, layer.rank)) for size, n in spread(layer.units, d, layer.rank))
            for d in range(1, most + 1)
        ]
    )


@lru_cache(maxsize=256)
def _last_logs(last: tuple[int, int], most: int) -> np.ndarray:
    """Return ln of sum_{j <= D} C(n, j) k**j for D from 1 to `most`, in floating point."""
    n, k = last
    terms = [
        lgamma(n + 1) - lgamma(j + 1) - lgamma(n - j + 1) + j * log(k) if j <= n else -inf
        for j in range(most + 1)
    ]
    sums: np.ndarray = np.logaddexp.accumulate(np.array(terms))[1:]
    return sums
