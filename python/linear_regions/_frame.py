# SPDX-License-Identifier: MIT
"""Frames: a domain of any dimension as a polyhedron in coordinates of its own.

Notation: x = t_1 column_1 + ... + t_d column_d + origin, and the polyhedron is the intersection of
its sides a . t + c >= 0. It has an interior point; it may be unbounded and contain lines.

Doubles are given where they are exact; where they are not, exact integers stand beside them. For
dimensions up to two `_planar` gives the same sets as polygons.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isfinite, prod

import numpy as np

from ._farkas import Row, irredundant, is_bounded, lineality
from ._geometry import Shape, shape_of
from ._hull import AffineRow, Hull
from ._planar import (
    ExactColumns,
    as_doubles,
    nearest,
    over_one_denominator,
    segment_columns,
    slice_rows,
)
from ._value import FloatArray
from .domain import Box, Domain, Polytope, Segment, Slice, Space
from .errors import Unsupported

__all__ = ["DomainFrame", "domain_frame"]


@dataclass(frozen=True, eq=False)
class DomainFrame:
    """A domain of dimension `dim` as a polyhedron with interior points.

    Attributes
    ----------
    dim : int
        Dimension d of the domain.
    columns : float64 array, shape (d + 1, n)
        The d directions, then the origin.
    exact_columns : None or (list of d + 1 lists of int, int)
        The same exactly, numerators over one positive denominator; None where `columns` is exact.
    sides : float64 array, shape (k, d + 1)
        Irredundant; the constants are last.
    exact_sides : None or list of k rows of int
        The same exactly, each up to a positive factor; None where `sides` is exact.
    bounded : bool
        Whether the domain is bounded.
    lineality : list of Row
        Basis, in integers, of the directions of the lines that the domain contains; shape (l, d).
    """

    dim: int
    columns: FloatArray
    exact_columns: ExactColumns | None
    sides: FloatArray
    exact_sides: list[Row] | None
    bounded: bool
    lineality: list[Row]


def domain_frame(domain: Domain, input_shape: int | Shape) -> DomainFrame:
    """Return the frame of a domain of any dimension.

    Parameters
    ----------
    domain : Domain
    input_shape : int or tuple of int
        Of the network.

    Returns
    -------
    DomainFrame
        In the coordinates that the domain's class documents; inputs that are fixed have none.

    Raises
    ------
    Unsupported
        If the domain is a `Ball`.
    InvalidInput
        If the domain does not fit the input shape.
    DegenerateInput
        If the domain is empty.

    Examples
    --------
    >>> frame = domain_frame(Box([0.0, 5.0, 2.0], [1.0, 7.0, 2.0]), 3)
    >>> frame.dim, frame.sides.tolist(), frame.bounded
    (2, [[1.0, 0.0, 0.0], [-1.0, 0.0, 1.0], [0.0, 1.0, -5.0], [0.0, -1.0, 7.0]], True)
    """
    shape = shape_of("input_shape", input_shape)
    resolved = domain.resolve(shape)
    if isinstance(resolved, Box):
        free, n = resolved.free, resolved.low.size
        if len(free) == n:
            return _box_frame(np.eye(n + 1, n), None, resolved.low, resolved.high)
        columns = np.zeros((len(free) + 1, n))
        columns[-1] = resolved.low
        columns[-1, free] = 0.0
        columns[np.arange(len(free)), free] = 1.0
        return _box_frame(columns, None, resolved.low[free], resolved.high[free])
    if isinstance(resolved, Segment):
        columns, exact = segment_columns(resolved)
        return _box_frame(columns, exact, np.zeros(1), np.ones(1))
    if isinstance(resolved, Slice):
        return _slice_frame(resolved)
    if isinstance(resolved, Polytope):
        hull = resolved.hull()
        if hull.matrix is None:
            return _hull_frame(hull, np.eye(hull.n + 1, hull.n), None)
        return _exact_frame(hull, hull.matrix)
    if isinstance(resolved, Space):
        n = prod(shape)
        return _box_frame(np.eye(n + 1, n), None, np.full(n, -np.inf), np.full(n, np.inf))
    raise Unsupported(
        f"{type(resolved).__name__}: only count, regions and sample take it; use a Box, Polytope, "
        "Space, Slice or Segment"
    )


def _box_frame(
    columns: FloatArray, exact: ExactColumns | None, low: FloatArray, high: FloatArray
) -> DomainFrame:
    """Return the frame of low <= t <= high, sides possibly infinite; doubles are exact here."""
    d = len(low)
    sides = np.zeros((2 * d, d + 1))
    sides.reshape(-1)[:: 2 * d + 3] = 1.0  # t_j - low_j >= 0 in row 2 j
    sides.reshape(-1)[d + 1 :: 2 * d + 3] = -1.0  # high_j - t_j >= 0 in the row below it
    sides[::2, d] = 0.0 - low  # never -0.0
    sides[1::2, d] = high + 0.0
    finite = np.isfinite(sides[:, d])
    bounded = bool(finite.all())
    lines: list[int] = [] if bounded else np.flatnonzero(~(finite[::2] | finite[1::2])).tolist()
    return DomainFrame(
        dim=d,
        columns=columns,
        exact_columns=exact,
        sides=sides if bounded else sides[finite],
        exact_sides=None,
        bounded=bounded,
        lineality=[tuple(int(i == j) for i in range(d)) for j in lines],
    )


def _slice_frame(plane: Slice) -> DomainFrame:
    k, _ = plane.directions.shape
    columns = np.vstack([plane.directions, plane.origin])
    if plane.is_free():
        if isinstance(plane.domain, Box):
            return _box_frame(columns, None, plane.domain.low, plane.domain.high)
        return _box_frame(columns, None, np.full(k, -np.inf), np.full(k, np.inf))
    hull = plane.hull()
    if hull.matrix is None:
        return _hull_frame(hull, columns, None)
    return _exact_frame(hull, slice_rows(plane, hull.matrix))


def _exact_frame(hull: Hull, affine: list[AffineRow]) -> DomainFrame:
    """Return the frame of exact columns: input i is the affine function affine[i] of t."""
    exact = [[row[j] for row in affine] for j in range(hull.dim + 1)]
    columns = np.array([[nearest(v) for v in column] for column in exact])
    same = all(
        isfinite(rounded) and Fraction(rounded) == value
        for given, column in zip(columns.tolist(), exact, strict=True)
        for rounded, value in zip(given, column, strict=True)
    )
    return _hull_frame(hull, columns, None if same else over_one_denominator(exact))


def _hull_frame(hull: Hull, columns: FloatArray, exact: ExactColumns | None) -> DomainFrame:
    d = hull.dim
    rows = irredundant(d, hull.rows)
    rounded = [as_doubles(row) for row in rows]
    return DomainFrame(
        dim=d,
        columns=columns,
        exact_columns=exact,
        sides=np.array([values for values, _ in rounded]).reshape(-1, d + 1),
        exact_sides=None if all(same for _, same in rounded) else rows,
        bounded=is_bounded(d, rows),
        lineality=lineality(d, rows),
    )
