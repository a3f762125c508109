# SPDX-License-Identifier: MIT
"""Closed formulas for fully connected networks; exact integers of any size.

Notation: `dim` is the input dimension n_0 (or the dimension of the domain, see `docs/bounds.md`),
`widths` = (n_1, .., n_L) the hidden widths. The formulas do not check preconditions: a lower bound
whose layers are too narrow comes out as 0, which is true and useless.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import comb, prod

from .._one_layer.windows import binomial_sum


def trivial(units: int, breakpoints: int = 1) -> int:
    """Return (k + 1)**units: one piece per unit.

    Parameters
    ----------
    units : int
        Number of hidden units.
    breakpoints : int
        Breakpoints k of every unit.

    Returns
    -------
    int
        Upper bound (Montufar et al. 2014; Xiong et al. 2020, Lemma 2).
    """
    return int((breakpoints + 1) ** units)


def montufar_2017(dim: int, widths: Sequence[int], breakpoints: int = 1) -> int:
    """Return the product over layers of sum_{j <= min(n_0, .., n_(l-1))} C(n_l, j) k**j.

    Parameters
    ----------
    dim : int
        Input dimension.
    widths : sequence of int
        Hidden widths.
    breakpoints : int
        Breakpoints of every unit.

    Returns
    -------
    int
        Upper bound (Montufar 2017 for k = 1).

    Examples
    --------
    >>> montufar_2017(3, [4, 4, 4])
    3375
    """
    ranks = accumulate((dim, *widths), min)
    return prod(
        binomial_sum(width, rank, breakpoints) for width, rank in zip(widths, ranks, strict=False)
    )


def pascanu_2013(dim: int, widths: Sequence[int]) -> int:
    """Return prod_{l < L} floor(n_l / n_0) * sum_{j <= n_0} C(n_L, j).

    Parameters
    ----------
    dim : int
        Input dimension, at least 1.
    widths : sequence of int
        Hidden widths, n_l >= n_0 for l < L.

    Returns
    -------
    int
        Lower bound of the maximum (Pascanu, Montufar, Bengio 2013).

    Examples
    --------
    >>> pascanu_2013(2, [4, 4])
    22
    """
    folds = prod(width // dim for width in widths[:-1])
    return folds * binomial_sum(widths[-1], dim)


def montufar_2014(dim: int, widths: Sequence[int]) -> int:
    """Return prod_{l < L} floor(n_l / n_0)**n_0 * sum_{j <= n_0} C(n_L, j).

    Parameters
    ----------
    dim : int
        Input dimension, at least 1.
    widths : sequence of int
        Hidden widths, n_l >= n_0 for l < L.

    Returns
    -------
    int
        Lower bound of the maximum (Montufar et al. 2014, Theorem 4).

    Examples
    --------
    >>> montufar_2014(2, [4, 4])
    44
    """
    folds: int = prod((width // dim) ** dim for width in widths[:-1])
    return folds * binomial_sum(widths[-1], dim)


def serra_2018_lower(dim: int, widths: Sequence[int]) -> int:
    """Return prod_{l < L} (floor(n_l / n_0) + 1)**n_0 * sum_{j <= n_0} C(n_L, j).

    Parameters
    ----------
    dim : int
        Input dimension, at least 1.
    widths : sequence of int
        Hidden widths, n_l >= 3 n_0 for all l.

    Returns
    -------
    int
        Lower bound of the maximum (Serra, Tjandraatmadja, Ramalingam 2018).

    Examples
    --------
    >>> serra_2018_lower(2, [6, 6])
    352
    """
    folds: int = prod((width // dim + 1) ** dim for width in widths[:-1])
    return folds * binomial_sum(widths[-1], dim)


def arora_2018(dim: int, widths: Sequence[int]) -> int:
    """Return 2 sum_{j < n_0} C(m - 1, j) * prod_{l > 1} n_l with m = floor(n_1 / 2).

    Parameters
    ----------
    dim : int
        Input dimension, at least 1.
    widths : sequence of int
        Hidden widths, n_1 >= 2.

    Returns
    -------
    int
        Lower bound of the maximum (Arora et al. 2018, for equal widths after the first).

    Notes
    -----
    The first layer computes h(x) = sum_i |b_i . x| of m generic b_i, which is linear and not
    constant on the 2 sum_{j < n_0} C(m - 1, j) chambers of the b_i and takes all positive values on
    each. Every later layer of w units maps (0, 1) onto itself w times, piece by piece, and is
    0 left of 0: w_2 w_3 .. pieces on each chamber.

    Examples
    --------
    >>> arora_2018(2, [6, 3])
    18
    """
    return 2 * binomial_sum(widths[0] // 2 - 1, dim - 1) * prod(widths[1:])


def telgarsky_upper(widths: Sequence[int], pieces: int = 2) -> int:
    """Return prod_l (t n_l): pieces on a line for activations of t pieces.

    Parameters
    ----------
    widths : sequence of int
        Hidden widths.
    pieces : int
        Pieces t of the activation.

    Returns
    -------
    int
        Upper bound for input dimension 1 (Telgarsky 2015; never below `montufar_2017`).

    Examples
    --------
    >>> telgarsky_upper([3, 3])
    36
    """
    return prod(pieces * width for width in widths)


def maxout_2014_lower(dim: int, depth: int, rank: int) -> int:
    """Return k**(L - 1) * k**n_0 for L maxout layers of width n_0.

    Parameters
    ----------
    dim : int
        Input dimension and width.
    depth : int
        Number of layers L.
    rank : int
        Rank k of the units.

    Returns
    -------
    int
        Lower bound of the maximum (Montufar et al. 2014).
    """
    return int(rank ** (depth - 1 + dim))


def maxout_2014_one_layer(dim: int, units: int, rank: int) -> tuple[int, int]:
    """Return k**min(n_0, m) and min(sum_{j <= n_0} C(k**2 m, j), k**m) for one maxout layer.

    Parameters
    ----------
    dim : int
        Input dimension.
    units : int
        Number of units m.
    rank : int
        Rank k of the units.

    Returns
    -------
    lower, upper : int
        Bounds of the maximum (Montufar et al. 2014).
    """
    pairs = binomial_sum(rank**2 * units, dim)
    short = pairs.bit_length() <= units  # then it is the smaller one
    return rank ** min(dim, units), pairs if short else min(pairs, rank**units)


def maxout_serra(dim: int, widths: Sequence[int], rank: int) -> int:
    """Return prod_l sum_{j <= min(n_0, .., n_l)} C(k (k - 1) / 2 * n_l, j).

    Parameters
    ----------
    dim : int
        Input dimension.
    widths : sequence of int
        Number of maxout units per layer.
    rank : int
        Rank k of the units.

    Returns
    -------
    int
        Upper bound (Serra, Tjandraatmadja, Ramalingam 2018): every pair of pieces of a unit makes
        one hyperplane.
    """
    ranks = list(accumulate((dim, *widths), min))[1:]
    return prod(
        binomial_sum(comb(rank, 2) * width, top) for width, top in zip(widths, ranks, strict=True)
    )


def maxout_sharp(dim: int, widths: Sequence[int], rank: int) -> int:
    """Return prod_l sum_{j <= min(n_0, .., n_(l-1))} C(n_l, j) (k - 1)**j.

    Parameters
    ----------
    dim : int
        Input dimension.
    widths : sequence of int
        Number of maxout units per layer.
    rank : int
        Rank k of the units.

    Returns
    -------
    int
        Upper bound; for one layer the maximum itself (Montufar, Ren, Zhang 2022).

    Examples
    --------
    >>> maxout_sharp(2, [4], 3)
    33
    """
    return montufar_2017(dim, widths, rank - 1)
