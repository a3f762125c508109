# SPDX-License-Identifier: MIT
"""Rows of hyperplanes: exact storage, restriction to a domain, and lowering to the core.

Notation: a row (a_1, ..., a_d, b) stands for the hyperplane a . x + b = 0, whose positive side is
a . x + b > 0; multiplying a row by a positive number changes nothing. Rows are float64 where
doubles hold them exactly, and integers of any size (object arrays) where they do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf, isfinite, lcm
from numbers import Rational
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _core
from ._farkas import Row, integer_row, primitive
from ._hull import AffineRow
from ._value import FloatArray
from .domain import Box, Domain, Polytope, Segment, Slice, Space, as_domain
from .errors import InvalidInput, Unsupported

__all__ = [
    "Place",
    "checked_rows",
    "hyperplanes",
    "lower_hyperplanes",
    "place_of",
]

RowArray: TypeAlias = npt.NDArray[Any]  # float64, or object with Python integers


# ---- storage ----


def checked_rows(normals: npt.ArrayLike, offsets: npt.ArrayLike) -> tuple[RowArray, RowArray]:
    """Return normals (n, d) and offsets (n,), read-only: float64 where exact, else integers.

    Raises
    ------
    InvalidInput
        If a shape does not fit or a number is not finite.
    TypeError
        If the entries are not real numbers.
    """
    normal, offset = _numbers("normals", normals), _numbers("offsets", offsets)
    if normal.ndim == 1 and not normal.size:
        normal = normal.reshape(0, 0)  # the empty list
    if normal.ndim != 2:
        raise InvalidInput(f"Arrangement: normals must have shape (n, d), got {normal.shape}")
    if offset.shape != (len(normal),):
        raise InvalidInput(
            f"Arrangement: offsets must have shape ({len(normal)},), one per row of normals, got "
            f"{offset.shape}"
        )
    if normal.dtype == object or offset.dtype == object:
        normal, offset = _exact_pair(normal, offset)
    for array in (normal, offset):
        array.setflags(write=False)
    return normal, offset


def _numbers(name: str, value: npt.ArrayLike) -> RowArray:
    """Return a float64 copy, or an object array of exact numbers where float64 would round."""
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise InvalidInput(f"Arrangement: {name} must be an array, got {error}") from None
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8:
        array = array.astype(np.float64)
        _check_finite(name, array)
        return array
    if array.dtype.kind in "iub":
        if array.dtype.itemsize < 8 or not array.size:
            return array.astype(np.float64)
        array = array.astype(object)
    elif not array.size:
        return array.astype(np.float64)
    if array.dtype != object:
        raise TypeError(
            f"Arrangement: {name} must be float64, integers or fractions, got dtype {array.dtype}"
        )
    exact = np.empty(array.shape, dtype=object)
    for index, entry in np.ndenumerate(array):
        exact[index] = _exact_number(name, entry, index)
    # Python's own floats: comparing NumPy's with a large integer would round the integer.
    rounded = [_double(v) for v in exact.flat]
    same = all(isfinite(r) and r == v for r, v in zip(rounded, exact.flat, strict=True))
    return np.array(rounded).reshape(exact.shape) if same else exact


def _exact_number(name: str, entry: object, index: tuple[int, ...]) -> int | Fraction:
    if isinstance(entry, (int, np.integer, np.bool_)):
        return int(entry)
    if isinstance(entry, Rational):
        return Fraction(entry)
    if isinstance(entry, (float, np.floating)):
        if not np.isfinite(entry):
            raise InvalidInput(f"Arrangement: {name} must be finite, got {entry} at index {index}")
        return Fraction(*entry.as_integer_ratio())
    raise TypeError(f"Arrangement: {name} must be real numbers, got {entry!r} at index {index}")


def _check_finite(name: str, array: FloatArray) -> None:
    if not np.isfinite(array).all():
        bad = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InvalidInput(f"Arrangement: {name} must be finite, got {array[bad]} at index {bad}")


def _double(value: int | Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf


def _exact_pair(normals: RowArray, offsets: RowArray) -> tuple[RowArray, RowArray]:
    """Return both as integers: each row times the positive common denominator of its entries."""
    out = np.empty((len(normals), normals.shape[1] + 1), dtype=object)
    for i, (row, offset) in enumerate(zip(normals.tolist(), offsets.tolist(), strict=True)):
        exact = [Fraction(v) for v in (*row, offset)]
        factor = lcm(*(v.denominator for v in exact))
        out[i] = [v.numerator * (factor // v.denominator) for v in exact]
    return out[:, :-1].copy(), out[:, -1].copy()


def exact_rows(normals: RowArray, offsets: RowArray) -> list[Row]:
    """Return every row as the smallest integers (a, b), up to a positive factor."""
    table = np.column_stack((normals, offsets))
    if table.dtype == object:
        return [primitive(row) for row in table.tolist()]
    return [integer_row(row) for row in table.tolist()]


# ---- lowering ----


def lower_hyperplanes(
    rows: RowArray | Sequence[Row], d: int | None = None
) -> tuple[FloatArray, list[str] | None]:
    """Return rows (a, b) in the form that the core's `Hyperplanes` takes.

    Parameters
    ----------
    rows : float64 array, shape (n, d + 1), or sequence of n rows of d + 1 integers
        Floats are taken as they are.
    d : int, optional
        Needed where a sequence is empty.

    Returns
    -------
    value : float64 array, shape (n, d + 1)
        Row i is nearest to a positive multiple (a power of two) of the true row i.
    exact : None or list of n (d + 1) str
        None where `value` is exact; else all rows as signed hexadecimal integers.

    Notes
    -----
    An entry that is 2^1000 times smaller than the largest of its row may underflow in `value`.
    """
    table: list[Sequence[int]]
    if isinstance(rows, np.ndarray):
        if rows.dtype == np.float64:
            return np.ascontiguousarray(rows), None
        d, table = rows.shape[1] - 1, rows.tolist()
    else:
        table = list(rows)
    columns = len(table[0]) if d is None else d + 1
    value = np.zeros((len(table), columns))
    exact = True
    for i, row in enumerate(table):
        bits = max(entry.bit_length() for entry in row)
        scale = 1 << (bits if bits > 53 else 0)
        # Division of integers rounds correctly, whatever their size.
        value[i] = [entry / scale for entry in row]
        if exact and bits > 53:
            parts = (v.as_integer_ratio() for v in value[i].tolist())
            exact = all(
                top * scale == entry * bottom
                for (top, bottom), entry in zip(parts, row, strict=True)
            )
    if exact:
        return value, None
    return value, [f"{entry:x}" for row in table for entry in row]


def hyperplanes(rows: RowArray | Sequence[Row], d: int | None = None) -> _core.Hyperplanes:
    """Return rows (a, b) as the core's object (see `lower_hyperplanes`)."""
    return _core.Hyperplanes(*lower_hyperplanes(rows, d))


# ---- domains ----


@dataclass(frozen=True)
class Place:
    """Hyperplanes in the coordinates t of a domain, x = matrix t + constant.

    Attributes
    ----------
    dim : int
        Number of coordinates of the domain.
    rows : float64 array (n, dim + 1) or list of Row
        The hyperplanes in those coordinates, each up to a positive factor.
    sides : list of Row
        The domain is {t : a . t + c > 0 for all sides}, and not empty.
    """

    dim: int
    rows: RowArray | list[Row]
    sides: list[Row]

    def lowered(self) -> tuple[_core.Hyperplanes, _core.Hyperplanes]:
        """Return hyperplanes and sides as the core's objects."""
        return hyperplanes(self.rows, self.dim), hyperplanes(self.sides, self.dim)


def place_of(normals: RowArray, offsets: RowArray, domain: Domain | None) -> Place:
    """Return the hyperplanes as seen from a domain, exactly.

    Raises
    ------
    InvalidInput
        If the domain does not fit the dimension.
    DegenerateInput
        If the domain is empty.
    Unsupported
        If the domain is a ball.
    """
    d = normals.shape[1]
    table = np.column_stack((normals, offsets))
    if domain is None:
        return Place(d, table, [])
    resolved = as_domain(domain).resolve((d,))
    if isinstance(resolved, Space):
        return Place(d, table, [])
    if isinstance(resolved, Box):
        return _box_place(table, resolved)
    if isinstance(resolved, Segment):
        return _segment_place(table, resolved)
    if isinstance(resolved, Polytope):
        hull = resolved.hull()
        if hull.matrix is None:
            return Place(d, table, hull.rows)
        return Place(hull.dim, _composed(table, hull.matrix), hull.rows)
    if isinstance(resolved, Slice):
        return _slice_place(table, resolved)
    raise Unsupported(
        f"{type(resolved).__name__}: arrangements are counted in a Box, Polytope, Space, Slice or "
        "Segment"
    )


def _box_place(table: RowArray, box: Box) -> Place:
    free = [int(j) for j in box.free]
    sides: list[Row] = []
    for k, j in enumerate(free):
        for value, sign in ((box.low[j], 1), (box.high[j], -1)):
            if np.isfinite(value):
                row = [0.0] * (len(free) + 1)
                row[k], row[-1] = float(sign), -sign * float(value)
                sides.append(integer_row(row))
    if len(free) == box.low.size:
        return Place(len(free), table, sides)
    affine: list[AffineRow] = []
    for j, low in enumerate(box.low.tolist()):
        unit = [Fraction(int(k == j)) for k in free]
        affine.append([*unit, Fraction(0 if j in free else low)])
    return Place(len(free), _composed(table, affine), sides)


def _segment_place(table: RowArray, segment: Segment) -> Place:
    affine: list[AffineRow] = [
        [Fraction(b) - Fraction(a), Fraction(a)]
        for a, b in zip(segment.a.tolist(), segment.b.tolist(), strict=True)
    ]
    return Place(1, _composed(table, affine), [(1, 0), (-1, 1)])


def _slice_place(table: RowArray, plane: Slice) -> Place:
    # x = origin + t @ directions with t an affine function of the hull's free coordinates.
    hull = plane.hull()
    width = hull.dim + 1
    directions = [[Fraction(v) for v in row] for row in plane.directions.tolist()]
    one = Fraction(1)
    coordinates = hull.matrix
    if coordinates is None:
        coordinates = [
            [one if j == i else Fraction(0) for j in range(width)] for i in range(hull.dim)
        ]
    affine: list[AffineRow] = []
    for i, start in enumerate(plane.origin.tolist()):
        row = [Fraction(0)] * hull.dim + [Fraction(start)]
        for t, direction in zip(coordinates, directions, strict=True):
            if direction[i]:
                row = [u + direction[i] * v for u, v in zip(row, t, strict=True)]
        affine.append(row)
    return Place(hull.dim, _composed(table, affine), hull.rows)


def _composed(table: RowArray, affine: list[AffineRow]) -> list[Row]:
    """Return the rows after x_i = affine[i] . (t, 1), as smallest integers."""
    out: list[Row] = []
    width = len(affine[0]) if affine else 1
    for row in table.tolist():
        total = [Fraction(0)] * width
        total[-1] += Fraction(row[-1])
        for coefficient, values in zip(row[:-1], affine, strict=True):
            if coefficient:
                exact = Fraction(coefficient)
                total = [u + exact * v for u, v in zip(total, values, strict=True)]
        scale = lcm(*(v.denominator for v in total))
        out.append(primitive([v.numerator * (scale // v.denominator) for v in total]))
    return out
