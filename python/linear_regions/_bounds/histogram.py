# SPDX-License-Identifier: MIT
"""Upper bounds that follow how the rank of the affine map shrinks from layer to layer.

Consider a chain of activation layers. On a cell of the layers before it, the map that feeds layer l
is affine; let i bound its rank. The layer cuts the cell into at most `total(i)` pieces. If all its
units are flat on one side (ReLU), the rank behind a piece with a active units is at most
min(i, a), and the number of pieces with at least a active units is at most

    tail(a) = min(total(i), few(i, m, m - a)),

where few(n, m, c) bounds the cells of m units in R^n with at most c inactive units (`activity`).
Let T_l(i) bound the number of pieces that layers l, l + 1, .. make of a cell where the rank is at
most i. T_l grows with i, so that shifting pieces to more active units, up to the limits of the
tails, only increases the sum:

    T_l(i) = sum_a (tail(a) - tail(a + 1)) T_(l+1)(min(i, a)).

With total(i) = sum_{j <= i} C(m, j) and few = `activity.serra` this is the bound of Serra et al.
2018 (Theorem 1); in the words of Hinz and van de Geer 2019 the differences of the tails are the
table gamma_{i,m}. Layers that are not flat on one side leave the rank alone:
T_l(i) = total(i) T_(l+1)(i).

Thousands of ranks through layers as wide are too many to follow one by one. Then ranks are rounded
up to one of `_GRID` values, which only increases the sum.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

from .._one_layer.windows import binomial_sum
from .activity import gains, serra
from .big import EXACT_BITS, product

_RANK_WORK = 4_000_000
_GRID = 16
_ROUNDED_BITS = 256

Few = Callable[[int, int, int], int]


@dataclass(frozen=True)
class Link:
    """One activation layer of a chain.

    Parameters
    ----------
    units : int
        Number of units m.
    total : callable
        total(i) bounds the pieces of a cell whose rank is at most i; it must not decrease and, for
        flat units, not exceed sum_{j <= i} C(m, j) by more than a rounding.
    flat : bool
        Whether every unit has one breakpoint and is constant on one side of it.
    cap : int
        Largest rank that the affine layers before it let through.
    """

    units: int
    total: Callable[[int], int]
    flat: bool
    cap: int


def ranks_in_reach(dim: int, links: Sequence[Link]) -> bool:
    """Tell whether following every rank costs no more than seconds.

    Parameters
    ----------
    dim : int
        Dimension of the domain.
    links : sequence of Link
        The activation layers in order.

    Returns
    -------
    bool
        False where flat layers of thousands of units are about as wide as the ranks that reach
        them, so that each of thousands of ranks would have to be followed through each.
    """
    narrow = [2 * min(dim, link.cap) - link.units for link in links if link.flat]
    return sum(max(width, 0) ** 2 for width in narrow) <= _RANK_WORK


def chain_bound(dim: int, links: Sequence[Link], few: Few = serra) -> int:
    """Return the bound T_1(dim).

    Parameters
    ----------
    dim : int
        Dimension of the domain.
    links : sequence of Link
        The activation layers in order.
    few : callable
        few(n, m, c) bounds the cells of m units in R^n with at most c inactive ones.

    Returns
    -------
    int
        Where `ranks_in_reach` is False, ranks are rounded up: larger, and still a bound.
    """
    exact = ranks_in_reach(dim, links)
    total_bits = max((link.units for link in links), default=0)
    grid = range(dim + 1) if exact else sorted({dim * i // _GRID for i in range(_GRID + 1)})

    def times(left: int, right: int) -> int:
        return left * right if exact and total_bits < EXACT_BITS else product((left, right))

    @cache
    def pieces(position: int, rank: int) -> int:
        if position == len(links):
            return 1
        link = links[position]
        rank = min(rank, link.cap)
        total = link.total(rank)
        if not link.flat:
            return times(total, pieces(position + 1, rank))
        # From many active units to few: `seen` pieces are placed already, behind a rank `top`.
        seen = result = 0
        top = rank
        for low in reversed(grid[: bisect_left(grid, rank)]):
            if seen == total:
                break
            if link.units >= 2 * rank and not gains(rank, link.units):
                break  # already the pieces with `rank` or more active units can be all
            tail = max(seen, min(total, few(rank, link.units, link.units - low - 1)))
            result += times(tail - seen, pieces(position + 1, top))
            seen, top = tail, low
        result += times(total - seen, pieces(position + 1, top))
        return result if exact else _rounded_up(result)

    # Deeper layers first, so that the recursion stays shallow in deep networks.
    for position in range(len(links) - 1, -1, -1):
        pieces(position, dim)
    return pieces(0, dim)


def _rounded_up(number: int) -> int:
    shift = max(number.bit_length() - _ROUNDED_BITS, 0)
    return -(-number >> shift) << shift


def serra_2018(dim: int, widths: Sequence[int]) -> int:
    """Return the upper bound of Serra et al. 2018, Theorem 1, for ReLU networks.

    Parameters
    ----------
    dim : int
        Input dimension.
    widths : sequence of int
        Hidden widths.

    Returns
    -------
    int
        The sum over all (j_1, .., j_L) with 0 <= j_l <= min(n_0, n_1 - j_1, .., n_(l-1) - j_(l-1),
        n_l) of prod C(n_l, j_l).

    Examples
    --------
    >>> serra_2018(2, [4, 4]), serra_2018(3, [4, 4, 4])
    (121, 1631)
    """
    links = [Link(width, partial(binomial_sum, width), flat=True, cap=dim) for width in widths]
    return chain_bound(dim, links)
