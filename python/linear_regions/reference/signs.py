# SPDX-License-Identifier: MIT
"""Sign vectors of a hyperplane arrangement, by inserting one hyperplane after the other."""

from __future__ import annotations

from typing import Any

from .cells import Cell, Polyhedron, split
from .rational import Row, exact

__all__ = ["chambers", "sign_vectors"]


def chambers(normals: Any, offsets: Any) -> list[tuple[tuple[int, ...], tuple[Any, ...]]]:
    """List the chambers of an arrangement with a point in each, exactly.

    Parameters
    ----------
    normals : sequence of sequence of float, shape (n, d)
        One normal per hyperplane {x : normal . x + offset = 0}; parallel, equal and zero normals
        are allowed.
    offsets : sequence of float, shape (n,)
        One offset per hyperplane.

    Returns
    -------
    list of (tuple of int, tuple of Number)
        Sign vector (bit i is 1 where normal i . x + offset i > 0) and an interior point of
        every chamber. A hyperplane of normal zero has the same sign everywhere, and a row that
        is identically zero has bit 0.

    Raises
    ------
    ValueError
        If the numbers of normals and offsets differ.

    Notes
    -----
    Every chamber asks one linear program per hyperplane (`rational.deepest_point`). For small
    arrangements, up to about a thousand chambers.

    Examples
    --------
    >>> for signs, point in chambers([[1], [1]], [0, -1]):
    ...     print(signs, *point)
    (1, 1) 2
    (1, 0) 1/2
    (0, 0) -1
    """
    if len(normals) != len(offsets):
        raise ValueError(f"expected one offset per normal, got {len(normals)} and {len(offsets)}")
    rows: list[Row] = [
        (*(exact(entry) for entry in normal), exact(offset))
        for normal, offset in zip(normals, offsets, strict=True)
    ]
    dimension = len(rows[0]) - 1 if rows else 0
    cells: list[tuple[tuple[int, ...], Cell]] = [((), Polyhedron((), (0,) * dimension))]
    for row in rows:
        cells = [
            ((*signs, bit), part)
            for signs, cell in cells
            for bit, part in zip((1, 0), split(cell, row), strict=True)
            if part is not None
        ]
    return [(signs, cell.vertices[0].point) for signs, cell in cells]


def sign_vectors(normals: Any, offsets: Any) -> list[tuple[int, ...]]:
    """List the sign vectors of the chambers of an arrangement, exactly.

    Parameters
    ----------
    normals : sequence of sequence of float, shape (n, d)
        One normal per hyperplane.
    offsets : sequence of float, shape (n,)
        One offset per hyperplane.

    Returns
    -------
    list of tuple of int
        One per chamber; bit i is 1 where normal i . x + offset i > 0. No promised order.

    Raises
    ------
    ValueError
        If the numbers of normals and offsets differ.

    Examples
    --------
    Three lines in general position cut the plane into seven chambers:

    >>> len(sign_vectors([[1, 0], [0, 1], [1, 1]], [0, 0, -1]))
    7
    """
    return [signs for signs, _ in chambers(normals, offsets)]
