# SPDX-License-Identifier: MIT
"""How many cells of a ReLU layer can have few inactive units; the tables of Hinz 2021.

Notation: m units in R^n, in general position (a small perturbation loses no cell and changes no
sign of one, so that general position is the worst case). M(n, m, c) is the largest number of
cells with at most c inactive units, T(n, m) = sum_{j <= n} C(m, j) the number of all cells, and
S(m, c) = sum_{j <= c} C(m, j) the number of sign vectors with at most c inactive units.

Known here, with proofs in docs/bounds_proofs.md:

- M <= min(T, S) (Serra et al. 2018), with equality for n >= m;
- M(0, m, c) = 1 and M(1, m, c) = min(m + 1, 2 c + 1);
- M(2, m, c) <= (4 c m + u) / 3 for 1 <= c < m / 2, u = 2 c + 1 if 3 c < m and u = m otherwise;
- duality: the sign vectors that a layer misses are the cells of m hyperplanes in dimension
  n* = m - n - 1, so that M(n, m, c) = S(m, c) - T(n*, m) + M(n*, m, m - c - 1).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate, pairwise

from .._one_layer.windows import binomial_sum
from .big import EXACT_BITS, binomial_sum_up


@lru_cache(maxsize=64)
def _table(m: int) -> tuple[int, ...]:
    row = [1]
    for j in range(m):
        row.append(row[-1] * (m - j) // (j + 1))
    return tuple(accumulate(row))


def lower_binomials(m: int, top: int) -> int:
    """Return sum_{j <= top} C(m, j), or a little more for a very large m; 0 for a negative `top`.

    Parameters
    ----------
    m, top : int
        Number of units; the largest number of inactive ones.

    Returns
    -------
    int
    """
    if top < 0:
        return 0
    if top >= m:
        return int(2**m)
    # A table of m long sums takes m**2 / 16 bytes and more: above, long sums are rounded up.
    return binomial_sum_up(m, top) if m > EXACT_BITS else _table(m)[top]


def _direct(n: int, m: int, c: int) -> int:
    """Return the best bound on M(n, m, c) without duality."""
    if c < 0:
        return 0
    best = min(lower_binomials(m, n), lower_binomials(m, c))
    if n == 0:
        return 1
    if n == 1:
        return min(best, 2 * c + 1)
    if n == 2 and c >= 1 and 2 * c < m:
        unbounded = 2 * c + 1 if 3 * c < m else m
        return min(best, (4 * c * m + unbounded) // 3)
    return best


def few_inactive(n: int, m: int, c: int) -> int:
    """Bound the number of cells of m units in R^n with at most c inactive units.

    Parameters
    ----------
    n, m, c : int
        Dimension, units, inactive units.

    Returns
    -------
    int

    Examples
    --------
    Four lines in the plane make 11 cells; at most 9 of them have two or more active units.

    >>> few_inactive(2, 4, 2), few_inactive(1, 5, 1)
    (9, 3)
    """
    best = _direct(n, m, c)
    dual = m - n - 1
    if 0 <= dual <= 2 and 0 <= c < m:
        missed = binomial_sum(m, dual) - _direct(dual, m, m - c - 1)
        best = min(best, lower_binomials(m, c) - missed)
    return best


def gains(n: int, m: int) -> bool:
    """Tell whether `few_inactive` can lower a bound that follows ranks up to n through m units.

    Parameters
    ----------
    n, m : int
        Rank, units.

    Returns
    -------
    bool
        False where all numbers that matter, those of at least n active units, equal T(n, m).
    """
    return m < 2 * n or m <= n + 3


def serra(n: int, m: int, c: int) -> int:
    """Return S(m, c): all sign vectors with at most c inactive units (Serra et al. 2018).

    Parameters
    ----------
    n, m, c : int
        As in `few_inactive`; n plays no part.

    Returns
    -------
    int
    """
    return lower_binomials(m, c)


def hinz_2021(n: int, m: int, c: int) -> int:
    """Return the tail sum of the table gamma_{n,m} of Hinz 2021 from m - c active units on.

    Parameters
    ----------
    n, m, c : int
        As in `few_inactive`.

    Returns
    -------
    int
        For n = 1 min(m + 1, 2 c + 1), for n = 2 min(T, 1 + c m), otherwise as Serra et al.
    """
    if n >= m or n not in (1, 2) or c < 0:
        return lower_binomials(m, c)
    return min(binomial_sum(m, n), 1 + c * (2 if n == 1 else m))


def gamma(n: int, m: int, tails: Callable[[int, int, int], int] = few_inactive) -> list[int]:
    """Return the histogram gamma_{n,m}: entry a counts cells with a active units.

    Parameters
    ----------
    n, m : int
        Rank, units.
    tails : callable
        `few_inactive` (proved), `hinz_2021` or `serra`.

    Returns
    -------
    list of int
        Its tail sums are the bounds on cells with a or more active units, none above T(n, m).

    Examples
    --------
    >>> gamma(1, 4), gamma(2, 4, hinz_2021), gamma(2, 4)
    ([0, 0, 2, 2, 1], [0, 2, 4, 4, 1], [0, 2, 4, 4, 1])
    """
    total = binomial_sum(m, n)
    sums = [min(total, tails(n, m, m - active)) for active in range(m + 1)]
    return [a - b for a, b in pairwise([*sums, 0])]


def gamma_is_proved(n: int, m: int) -> bool:
    """Tell whether the published table for n <= 2 is proved here, entry by entry.

    Parameters
    ----------
    n, m : int
        Rank, units.

    Returns
    -------
    bool
        True where `few_inactive` gives the same table.

    Examples
    --------
    >>> [m for m in range(2, 12) if not gamma_is_proved(2, m)]
    [5, 6, 7, 8, 9, 10, 11]
    """
    return gamma(n, m, hinz_2021) == gamma(n, m)
