# SPDX-License-Identifier: MIT
"""The characteristic polynomial of an arrangement, by deletion and restriction in fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from .rational import Row, exact

__all__ = ["characteristic_polynomial"]


def characteristic_polynomial(
    normals: Any, offsets: Any, dimension: int | None = None
) -> list[int]:
    """Return the coefficients of the characteristic polynomial, constant term first.

    Parameters
    ----------
    normals : sequence of sequence of number, shape (n, d)
        One normal per hyperplane; zero, equal, opposite and parallel rows are allowed.
    offsets : sequence of number, shape (n,)
        One offset per hyperplane.
    dimension : int, optional
        Needed where there is no normal.

    Returns
    -------
    list of int, length d + 1

    Notes
    -----
    chi(A) = chi(A without H) - chi(A restricted to H). Exponential; up to about 15 hyperplanes.

    Examples
    --------
    >>> characteristic_polynomial([[1, 0], [0, 1], [1, 1]], [0, 0, 0])
    [2, -3, 1]
    """
    rows = [
        tuple(exact(value) for value in (*normal, offset))
        for normal, offset in zip(normals, offsets, strict=True)
    ]
    return _polynomial(rows, len(rows[0]) - 1 if dimension is None else dimension)


def _polynomial(rows: Sequence[Row], dimension: int) -> list[int]:
    distinct: dict[Row, None] = {}
    for row in rows:
        lead = next((value for value in row[:-1] if value), 0)
        if lead:
            distinct[tuple(exact(Fraction(value) / lead) for value in row)] = None
    if not distinct:
        return [0] * dimension + [1]
    *others, last = distinct
    pivot = next(j for j, value in enumerate(last[:-1]) if value)
    restricted = []
    for row in others:
        factor = row[pivot]
        reduced = [a - factor * b for a, b in zip(row, last, strict=True)]
        restricted.append(tuple(reduced[:pivot] + reduced[pivot + 1 :]))
    deleted = _polynomial(others, dimension)
    inside = _polynomial(restricted, dimension - 1)
    return [a - b for a, b in zip(deleted, [*inside, 0], strict=True)]
