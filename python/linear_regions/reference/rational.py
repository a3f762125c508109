# SPDX-License-Identifier: MIT
"""Exact numbers, and the one linear program of the reference.

A number here is an ``int`` or a ``Fraction``: both are exact, they mix freely, and whole numbers
stay fast. Floats never take part in a computation; they are converted once, without rounding.

Notation: a *row* is a tuple (a_1, ..., a_d, c) and stands for the affine function
a . t + c of the d domain coordinates t. With d = 0 a row is the constant (c,).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

__all__ = ["Number", "Optimum", "Row", "deepest_point", "evaluate", "exact", "ratio", "subtract"]

Number = int | Fraction
Row = tuple[Number, ...]


def exact(value: Any) -> Number:
    """Convert a float, NumPy scalar, int or Fraction without rounding.

    Raises
    ------
    OverflowError, ValueError
        If `value` is infinite or not a number.

    Examples
    --------
    >>> exact(3.0), exact(0.5)
    (3, Fraction(1, 2))
    """
    if isinstance(value, Fraction):
        number = value
    elif isinstance(value, int):
        return int(value)
    else:
        number = Fraction(float(value))
    return number.numerator if number.denominator == 1 else number


def ratio(numerator: Number, denominator: Number) -> Number:
    """Divide exactly (``/`` between two Python integers would give a float)."""
    return exact(Fraction(numerator) / Fraction(denominator))


def subtract(left: Row, right: Row) -> Row:
    """Return the row of the difference of two affine functions."""
    return tuple(a - b for a, b in zip(left, right, strict=True))


def evaluate(row: Row, point: Sequence[Number]) -> Number:
    """Return the value of a row at a point."""
    value = row[-1]
    for a, t in zip(row, point, strict=False):
        value = value + a * t
    return value


class Optimum(NamedTuple):
    """Answer of `deepest_point`.

    Attributes
    ----------
    depth : Number
        Largest s, at most 1, with a_i . t + c_i >= s for all rows.
    point : tuple of Number
        A point that attains it.
    tight : tuple of int
        Rows with a positive multiplier in the certificate of optimality. When the depth is 0,
        these rows vanish at *every* point where all rows are >= 0.
    """

    depth: Number
    point: tuple[Number, ...]
    tight: tuple[int, ...]


def deepest_point(rows: Iterable[Row], dimension: int) -> Optimum:
    """Maximise s <= 1 subject to a_i . t + c_i >= s, exactly.

    The rows describe a set with non-empty interior exactly when the depth is positive, and an
    empty set exactly when it is negative.

    Parameters
    ----------
    rows : iterable of Row
        Affine functions of `dimension` coordinates. A constant row is allowed.
    dimension : int
        Number of coordinates.

    Returns
    -------
    Optimum
        Depth, a point that attains it, and the rows that prove that no point does better.

    Notes
    -----
    Simplex method on a dictionary, Bland's rule, so it ends. Variables are numbered
    0 .. d-1 for the coordinates (free), d for the depth s (free), and d+1+i for the slack
    a_i . t + c_i - s of row i, the last one being the slack 1 - s (all of them >= 0). The
    dictionary writes each basic variable as a constant plus a combination of the non-basic ones,
    which are all 0 at the current corner.

    Examples
    --------
    The unit interval, 0 <= t <= 1:

    >>> deepest_point([(1, 0), (-1, 1)], 1)
    Optimum(depth=Fraction(1, 2), point=(Fraction(1, 2),), tight=(0, 1))
    """
    rows = list(rows)
    depth = dimension
    first_slack = dimension + 1
    columns = list(range(dimension + 1))  # the non-basic variables, in the order of the columns
    table: dict[int, list[Number]] = {
        first_slack + i: [row[-1], *row[:-1], -1] for i, row in enumerate(rows)
    }
    table[first_slack + len(rows)] = [1, *[0] * dimension, -1]

    # First corner: t = 0 and s the least constant, which makes every slack >= 0.
    _pivot(table, columns, depth, min(table, key=lambda slack: table[slack][0]))
    while (entering := _entering(table[depth], columns, dimension)) is not None:
        variable, direction = entering
        column = columns.index(variable) + 1
        _pivot(table, columns, variable, _leaving(table, column, direction, first_slack))

    point = tuple(table[j][0] if j in table else 0 for j in range(dimension))
    slacks = range(first_slack, first_slack + len(rows))
    tight = sorted(
        variable - first_slack
        for variable, slope in zip(columns, table[depth][1:], strict=True)
        if slope != 0 and variable in slacks
    )
    return Optimum(exact(table[depth][0]), point, tuple(tight))


def _entering(
    objective: list[Number], columns: list[int], dimension: int
) -> tuple[int, int] | None:
    """Return the first non-basic variable that can raise the depth, and its direction."""
    for variable, slope in sorted(zip(columns, objective[1:], strict=True)):
        if slope > 0:
            return variable, 1
        if slope < 0 and variable < dimension:  # coordinates are free: they may also go down
            return variable, -1
    return None


def _leaving(table: dict[int, list[Number]], column: int, direction: int, first_slack: int) -> int:
    """Return the slack that reaches zero first; there is one, because s <= 1 bounds the ascent."""
    steps = [
        (ratio(row[0], -row[column] * direction), basic)
        for basic, row in table.items()
        if basic >= first_slack and row[column] * direction < 0
    ]
    return min(steps)[1]


def _pivot(table: dict[int, list[Number]], columns: list[int], entering: int, leaving: int) -> None:
    """Exchange a non-basic and a basic variable."""
    column = columns.index(entering) + 1
    row = table.pop(leaving)
    # leaving = row[0] + ... + row[column] * entering + ...; solve for the entering variable.
    inverse = ratio(1, row[column])
    solved = [-entry * inverse for entry in row]
    solved[column] = inverse
    for other in table.values():
        factor = other[column]
        if factor == 0:
            continue
        for j, entry in enumerate(solved):
            other[j] = factor * entry if j == column else other[j] + factor * entry
    table[entering] = solved
    columns[column - 1] = leaving
