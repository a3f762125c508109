# SPDX-License-Identifier: MIT
"""Rank and pivots of an integer matrix modulo a prime: never more than its rank."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["PRIME", "modular_pivots", "modular_rank"]

PRIME = 2**31 - 1  # products of two residues stay below 2**62
_BLOCK = 2**20  # numbers between two looks at signals


def modular_rank(matrix: npt.NDArray[np.int64]) -> int:
    """Return the rank modulo `PRIME`, by elimination: about n^2 d / 2 products for shape (n, d).

    Independent rows modulo a prime are independent; rows that are not may be so nevertheless.

    Examples
    --------
    >>> modular_rank(np.array([[1, 2, 3], [2, 4, 6], [0, 1, 1]]))
    2
    """
    return len(modular_pivots(matrix))


def modular_pivots(matrix: npt.NDArray[np.int64]) -> list[int]:
    """Return columns that are independent modulo `PRIME`, and so independent; as many as the rank.

    Examples
    --------
    >>> modular_pivots(np.array([[0, 1, 2], [0, 2, 4], [0, 1, 1]]))
    [1, 2]
    """
    rows = np.empty_like(matrix)
    step = max(1, _BLOCK // max(1, rows.shape[1]))
    for start in range(0, len(rows), step):  # signals are looked at between blocks
        rows[start : start + step] = matrix[start : start + step] % PRIME
    pivots: list[int] = []
    for column in range(rows.shape[1]):
        rank = len(pivots)
        below = rows[rank:, column]
        if not below.any():
            continue
        pivot = rank + int((below != 0).argmax())
        rows[[rank, pivot]] = rows[[pivot, rank]]
        inverse = pow(int(rows[rank, column]), -1, PRIME)
        factors = rows[rank + 1 :, column] * inverse % PRIME
        todo = factors.nonzero()[0] + rank + 1
        for some in (todo[start : start + step] for start in range(0, len(todo), step)):
            rows[some, column:] -= factors[some - rank - 1, None] * rows[rank, column:] % PRIME
            rows[some, column:] %= PRIME
        pivots.append(column)
    return pivots
