# SPDX-License-Identifier: MIT
"""Regions that contain whole lines.

Where no side of the domain and no unit changes along some directions, every region is a product
with the space L of these directions. It is listed in a complement of L: some coordinates, set to
zero, leave a slice that meets every region once. Rows are lifted back exactly up to rounding: along
a basis vector l of L a row must not change, so its entries in the coordinates that were left out
follow from the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from . import _core
from ._farkas import Row, lineality
from ._frame import DomainFrame
from ._region_columns import Columns
from ._value import FloatArray

__all__ = ["Quotient", "complement_of", "essential_rows", "lifted", "quotient_of", "restricted"]


@dataclass(frozen=True, eq=False)
class Quotient:
    """A complement of the lines.

    Attributes
    ----------
    kept : list of int
        Coordinates of the slice; the others are zero there.
    left_out : list of int
        One per vector of the basis: there it alone is not zero.
    basis : list of Row
        Integers, shape (l, d).
    """

    kept: list[int]
    left_out: list[int]
    basis: list[Row]

    def directions(self) -> FloatArray:
        """Return the basis in doubles, the largest entry of each vector 1 in size."""
        scaled = [[v / max(map(abs, row)) for v in row] for row in self.basis]
        return np.array(scaled, dtype=np.float64).reshape(len(self.basis), -1)


def quotient_of(tape: _core.Tape, frame: DomainFrame, core: _core.DomainFrame) -> Quotient | None:
    """Return the complement in which a network's regions contain no line; None if they do not."""
    if frame.bounded or not frame.dim or not frame.lineality:
        return None
    rows = essential_rows(tape, core)
    return None if len(rows) == frame.dim else complement_of(frame.dim, rows)


def essential_rows(tape: _core.Tape, core: _core.DomainFrame) -> list[Row]:
    """Return independent rows that span those of all sides and units; a path shows them all."""
    entries, d = [int(text, 16) for text in _core.essential_rows(tape, core)], core.dim
    return [tuple(entries[i : i + d]) for i in range(0, len(entries), d)]


def complement_of(d: int, rows: list[Row]) -> Quotient:
    """Return a complement of the lines along which no row changes."""
    basis = lineality(d, rows)
    left_out = [
        next(j for j in range(d) if v[j] and not any(w[j] for w in basis if w is not v))
        for v in basis
    ]
    return Quotient([j for j in range(d) if j not in left_out], left_out, basis)


def restricted(frame: DomainFrame, quotient: Quotient) -> DomainFrame:
    """Return the frame of the slice."""
    columns = [*quotient.kept, frame.dim]
    exact = frame.exact_columns
    if exact is not None:
        numerators, common = exact
        exact = [numerators[j] for j in columns], common
    sides = frame.exact_sides
    return replace(
        frame,
        dim=len(quotient.kept),
        columns=np.ascontiguousarray(frame.columns[columns]),
        exact_columns=exact,
        sides=np.ascontiguousarray(frame.sides[:, columns]),
        exact_sides=None if sides is None else [tuple(row[j] for j in columns) for row in sides],
        bounded=False,
        lineality=[],
    )


def lifted(columns: Columns, quotient: Quotient) -> Columns:
    """Return regions of the slice as regions of the domain."""
    kept, left_out = quotient.kept, quotient.left_out
    d = len(kept) + len(left_out)
    place = [*kept, d]

    def spread(rows: FloatArray, width: int, where: list[int]) -> FloatArray:
        out = np.zeros((len(rows), width))
        out[:, where] = rows
        return out

    faces = columns.faces
    if faces is not None:
        facet_rows = spread(faces.facet_rows, d + 1, place)
        for j, vector in zip(left_out, quotient.basis, strict=True):
            shares = [_scientific(Fraction(-vector[k], vector[j])) for k in kept]
            share = np.array([size for size, _ in shares])
            powers = np.array([power for _, power in shares], dtype=np.int32)
            with np.errstate(over="ignore", invalid="ignore"):  # beyond the range of doubles
                facet_rows[:, j] = np.ldexp(faces.facet_rows[:, :-1], powers) @ share
        vertices = spread(faces.vertices, d + 1, place)
        faces = replace(faces, vertices=vertices, facet_rows=facet_rows)
    zero = Fraction(0)
    exact_points = {}
    for number, point in columns.exact_points.items():
        at = dict(zip(kept, point, strict=True))
        exact_points[number] = tuple(at.get(j, zero) for j in range(d))
    return replace(
        columns,
        interior_points=spread(columns.interior_points, d, kept),
        bounded=np.zeros_like(columns.bounded),
        faces=faces,
        exact_points=exact_points,
    )


def _scientific(value: Fraction) -> tuple[float, int]:
    """Return a number of size about one, and the power of two to multiply it by."""
    power = value.numerator.bit_length() - value.denominator.bit_length()
    return float(value / Fraction(2) ** power), power
