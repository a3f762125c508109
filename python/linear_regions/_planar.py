# SPDX-License-Identifier: MIT
"""Frames: a domain of dimension at most two as a polygon in a plane that lies in the input space.

Notation: x = t1 column1 + t2 column2 + origin; the polygon is the intersection of its edges
a1 t1 + a2 t2 + a3 >= 0. Edges run counter-clockwise: edge i from corner i to corner i + 1, its
inside on the left. Where the domain is unbounded, edges of the box |t1|, |t2| <= M take part, with
M larger than every number.

Doubles are given where they are exact; where they are not, exact integers stand beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, inf, isfinite, prod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ._geometry import Shape, shape_of
from ._hull import AffineRow, Hull, Side
from ._value import FloatArray
from .domain import Box, Domain, Polytope, Segment, Slice, Space
from .errors import Unsupported

__all__ = ["PlanarFrame", "planar_frame", "plane_of_hull"]

ExactColumns: TypeAlias = tuple[list[list[int]], int]

# The sides of a dummy coordinate, -1 <= t <= 1.
_DUMMY_BOTTOM, _DUMMY_TOP = (0.0, 1.0, 1.0), (0.0, -1.0, 1.0)
_DUMMY_RIGHT, _DUMMY_LEFT = (-1.0, 0.0, 1.0), (1.0, 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class PlanarFrame:
    """A domain of dimension `dim` <= 2 as a polygon in a plane.

    Attributes
    ----------
    dim : int
        Dimension of the domain. Its coordinates are t1, t2; those from `dim` on are dummies
        between -1 and 1 that move nothing.
    columns : float64 array, shape (3, n)
        Direction 1, direction 2 (zero for dummies) and origin.
    exact_columns : None or (list of 3 lists of int, int)
        The same exactly, numerators over one positive denominator; None where `columns` is exact.
    edges : float64 array, shape (k, 3)
        Irredundant, counter-clockwise.
    exact_edges : None or list of k triples of int
        The same exactly, each up to a positive factor; None where `edges` is exact.
    at_infinity : bool array, shape (k,)
        Edges of the growing box: (a1, a2) is (+-1, 0) or (0, +-1), and a3 has no meaning.
    """

    dim: int
    columns: FloatArray
    exact_columns: ExactColumns | None
    edges: FloatArray
    exact_edges: list[tuple[int, int, int]] | None
    at_infinity: npt.NDArray[np.bool_]


def planar_frame(domain: Domain, input_shape: int | Shape) -> PlanarFrame:
    """Return the frame of a domain of dimension at most two.

    Parameters
    ----------
    domain : Domain
    input_shape : int or tuple of int
        Of the network.

    Returns
    -------
    PlanarFrame

    Raises
    ------
    Unsupported
        If the dimension is above two, or the domain is a `Ball`.
    InvalidInput
        If the domain does not fit the input shape.
    DegenerateInput
        If the domain is empty.

    Examples
    --------
    >>> frame = planar_frame(Box([0.0, 5.0], [1.0, 7.0]), 2)
    >>> frame.edges.tolist()
    [[0.0, 1.0, -5.0], [-1.0, 0.0, 1.0], [0.0, -1.0, 7.0], [1.0, 0.0, 0.0]]
    """
    shape = shape_of("input_shape", input_shape)
    resolved = domain.resolve(shape)
    if isinstance(resolved, Box):
        return _box_frame(resolved)
    if isinstance(resolved, Segment):
        return _segment_frame(resolved)
    if isinstance(resolved, Slice):
        return _slice_frame(resolved)
    if isinstance(resolved, Polytope):
        hull = resolved.hull()
        _check_dim(hull.dim)
        n = hull.n
        if hull.matrix is None:
            columns = np.zeros((3, n))
            columns[range(n), range(n)] = 1.0
            return _frame(hull.dim, columns, None, hull.sides)
        return _exact_frame(hull, hull.matrix)
    if isinstance(resolved, Space):
        n = prod(shape)
        _check_dim(n)
        columns = np.zeros((3, n))
        columns[range(n), range(n)] = 1.0
        low, high = np.full(n, -np.inf), np.full(n, np.inf)
        return _box_edges(columns, low, high)
    raise Unsupported(
        f"{type(resolved).__name__}: only count, regions and sample take it; use a Box, Polytope, "
        "Slice or Segment"
    )


def _check_dim(dim: int) -> None:
    if dim > 2:
        raise Unsupported(
            f"the domain has dimension {dim}, this method takes at most 2: count on a plane with "
            "Slice(origin, directions) or Slice.through(points), on a line with Segment(a, b), or "
            "in a Box with all but two inputs fixed"
        )


def _box_frame(box: Box) -> PlanarFrame:
    free = box.free
    d = len(free)
    _check_dim(d)
    columns = np.zeros((3, box.low.size))
    columns[2] = box.low
    columns[2, free] = 0.0
    columns[range(d), free] = 1.0
    return _box_edges(columns, box.low[free], box.high[free])


def _box_edges(columns: FloatArray, low: FloatArray, high: FloatArray) -> PlanarFrame:
    """Return the frame of low <= t <= high, sides possibly infinite; doubles are exact here."""
    d = len(low)
    edges = np.array([_DUMMY_BOTTOM, _DUMMY_RIGHT, _DUMMY_TOP, _DUMMY_LEFT])
    at_infinity = np.zeros(4, dtype=np.bool_)
    for j in range(d):
        lower, upper = (3, 1) if j == 0 else (0, 2)
        for side, value in ((lower, -float(low[j])), (upper, float(high[j]))):
            at_infinity[side] = value == np.inf
            edges[side, 2] = 0.0 if value == np.inf else value + 0.0  # never -0.0
    return PlanarFrame(d, columns, None, edges, None, at_infinity)


def _segment_frame(segment: Segment) -> PlanarFrame:
    (direction, origin), exact = segment_columns(segment)
    columns = np.stack([direction, np.zeros_like(direction), origin])
    if exact is not None:
        (difference, start), denominator = exact
        exact = [difference, [0] * len(start), start], denominator
    edges = np.array([_DUMMY_BOTTOM, _DUMMY_RIGHT, _DUMMY_TOP, (1.0, 0.0, 0.0)])
    return PlanarFrame(1, columns, exact, edges, None, np.zeros(4, dtype=np.bool_))


def segment_columns(segment: Segment) -> tuple[FloatArray, ExactColumns | None]:
    """Return direction and origin of a segment, shape (2, n), and the same exactly if rounded."""
    a, b = segment.a, segment.b
    difference = b - a
    columns = np.stack([difference, a])
    # Error-free difference: b - a = difference + error, exactly.
    part = difference - b
    error = (b - (difference - part)) - (a + part)
    if not error.any() and np.isfinite(error).all():
        return columns, None
    start, end = [Fraction(v) for v in a.tolist()], [Fraction(v) for v in b.tolist()]
    return columns, over_one_denominator([[v - u for u, v in zip(start, end, strict=True)], start])


def _slice_frame(plane: Slice) -> PlanarFrame:
    k, n = plane.directions.shape
    if plane.is_free():
        _check_dim(k)
        columns = np.zeros((3, n))
        columns[:k], columns[2] = plane.directions, plane.origin
        if isinstance(plane.domain, Box):
            return _box_edges(columns, plane.domain.low, plane.domain.high)
        return _box_edges(columns, np.full(k, -np.inf), np.full(k, np.inf))
    hull = plane.hull()
    _check_dim(hull.dim)
    if hull.matrix is None:
        columns = np.zeros((3, n))
        columns[:k], columns[2] = plane.directions, plane.origin
        return _frame(hull.dim, columns, None, hull.sides)
    return _exact_frame(hull, slice_rows(plane, hull.matrix))


def slice_rows(plane: Slice, matrix: list[AffineRow]) -> list[AffineRow]:
    """Return every input as an affine function of the hull's free coordinates.

    x = origin + t @ directions, and `matrix` gives t as functions of the free coordinates.
    """
    directions = [[Fraction(v) for v in row] for row in plane.directions.tolist()]
    affine: list[AffineRow] = []
    for i, start in enumerate(plane.origin.tolist()):
        row = [Fraction(0)] * (len(matrix[0]) - 1) + [Fraction(start)]
        for t, direction in zip(matrix, directions, strict=True):
            if direction[i]:
                row = [u + direction[i] * v for u, v in zip(row, t, strict=True)]
        affine.append(row)
    return affine


def _exact_frame(hull: Hull, affine: list[AffineRow]) -> PlanarFrame:
    """Return the frame of exact columns: input i is the affine function affine[i] of t."""
    zero = Fraction(0)
    d = hull.dim
    exact = [[row[j] for row in affine] if j < d else [zero] * len(affine) for j in range(2)]
    exact.append([row[d] for row in affine])
    columns = np.array([[nearest(v) for v in column] for column in exact])
    same = all(
        isfinite(rounded) and Fraction(rounded) == value
        for given, column in zip(columns.tolist(), exact, strict=True)
        for rounded, value in zip(given, column, strict=True)
    )
    return _frame(d, columns, None if same else over_one_denominator(exact), hull.sides)


def plane_of_hull(hull: Hull) -> PlanarFrame:
    """Return the frame of a polytope that fills the line or plane of its own coordinates."""
    _check_dim(hull.dim)
    return _frame(hull.dim, np.eye(3, 2), None, hull.sides)


def nearest(value: Fraction) -> float:
    """Return the nearest double, infinite beyond their range."""
    try:
        return float(value)
    except OverflowError:  # no double is near: the exact column decides everything
        return inf if value > 0 else -inf


def over_one_denominator(columns: list[list[Fraction]]) -> ExactColumns:
    """Return the fractions as numerators over one positive denominator."""
    denominator = 1
    for column in columns:
        for value in column:
            denominator = denominator * value.denominator // gcd(denominator, value.denominator)
    return [
        [value.numerator * (denominator // value.denominator) for value in column]
        for column in columns
    ], denominator


def _frame(
    d: int, columns: FloatArray, exact_columns: ExactColumns | None, sides: list[Side]
) -> PlanarFrame:
    """Return the frame for the sides that the hull found, with dummies where d < 2."""
    bottom, right, top, left = (
        Side(0, 1, 1),
        Side(-1, 0, 1),
        Side(0, -1, 1),
        Side(1, 0, 1),
    )
    if d == 1:
        right, left = sides
    polygon = sides if d == 2 else [bottom, right, top, left]
    triples = [(side.a1, side.a2, 0 if side.m else side.c) for side in polygon]
    rounded = [as_doubles(triple) for triple in triples]
    exact = all(ok for _, ok in rounded)
    return PlanarFrame(
        d,
        columns,
        exact_columns,
        np.array([values for values, _ in rounded]),
        None if exact else triples,
        np.array([bool(side.m) for side in polygon]),
    )


def as_doubles(row: Sequence[int]) -> tuple[list[float], bool]:
    """Return integers as doubles, up to a power of two, and whether they are exact."""
    bits = max(value.bit_length() for value in row)
    scale = 1 << (bits if bits > 53 else 0)
    # Division of integers rounds correctly, whatever their size.
    values = [value / scale for value in row]
    exact = all(Fraction(v) * scale == value for v, value in zip(values, row, strict=True))
    return values, exact
