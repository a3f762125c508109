# SPDX-License-Identifier: MIT
"""The affine hull of a polytope, exactly: what "relative interior" means in numbers.

Notation: a row (a_1, ..., a_r, c) of integers stands for a . t + c >= 0 (inequality) or = 0
(equality). Floats are dyadic rationals, so every row of floats is a row of integers times a
positive factor. No tolerance takes part anywhere here.

An inequality that holds with equality on the whole polytope is an *implied equality*. The hull is
found by eliminating equalities until no inequality is an implied one; then the polytope has a
point that is strictly inside all inequalities that are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import TypeAlias

from ._farkas import Row, empty_domain, implied_equalities, primitive

# One affine function of the free coordinates: r coefficients, then the constant.
AffineRow: TypeAlias = list[Fraction]


@dataclass(frozen=True)
class Hull:
    """The affine hull of a polytope in R^n, and the polytope within it.

    Attributes
    ----------
    n : int
        Dimension of the surrounding space.
    free : tuple of int
        The coordinates, r of them, that serve as coordinates of the hull: the earliest possible.
    matrix : list of list of Fraction, or None
        Row i gives coordinate i as an affine function of the free ones; None is the identity
        (the polytope has full dimension).
    rows : list of Row
        The inequalities in the free coordinates, r + 1 integers each, without trivial or repeated
        ones; redundant ones may be among them.
    sides : list of Side
        For r = 2 the irredundant sides of the polygon, counter-clockwise; for r = 1 the upper and
        the lower end, as sides a1 t1 + c >= 0. Empty for other r.
    """

    n: int
    free: tuple[int, ...]
    matrix: list[AffineRow] | None
    rows: list[Row]
    sides: list[Side]

    @property
    def dim(self) -> int:
        """Dimension r of the polytope."""
        return len(self.free)


@dataclass(frozen=True)
class Side:
    """A side of a polygon: a1 t1 + a2 t2 + c + m M >= 0, with m = 1 for a side at infinity."""

    a1: int
    a2: int
    c: int
    m: int = 0


# The box |t1|, |t2| <= M, counter-clockwise, where M is a symbol larger than every number.
BOX_AT_INFINITY = [Side(0, 1, 0, 1), Side(-1, 0, 0, 1), Side(0, -1, 0, 1), Side(1, 0, 0, 1)]


def affine_hull(n: int, equalities: Sequence[Row], inequalities: Sequence[Row]) -> Hull:
    """Return the affine hull of {t in R^n : equalities = 0, inequalities >= 0}.

    Parameters
    ----------
    n : int
    equalities, inequalities : sequence of Row
        n + 1 integers each.

    Returns
    -------
    Hull

    Raises
    ------
    DegenerateInput
        If the polytope is empty.
    """
    equal = list(equalities)
    while True:
        free, matrix = _eliminate(n, equal)
        rows = list(inequalities) if matrix is None else _substitute(inequalities, matrix)
        rows = _without_trivial(rows)
        sides: list[Side] = []
        if len(free) == 2:
            sides, implied = _clip_all(rows)
        elif len(free) == 1:
            sides, implied = _interval(rows)
        elif free:
            implied = implied_equalities(len(free), rows)
        else:
            implied = []
        if not implied:
            return Hull(n, free, matrix, rows, sides)
        # Back to the coordinates of R^n: free coordinate j is coordinate free[j].
        for row in implied:
            full = [0] * (n + 1)
            for j, index in enumerate(free):
                full[index] = row[j]
            full[n] = row[-1]
            equal.append(tuple(full))


def _without_trivial(rows: list[Row]) -> list[Row]:
    """Leave out rows 0 >= -c, raise if one of them is false, and leave out repeated rows."""
    kept: dict[Row, None] = {}
    for row in rows:
        if any(row[:-1]):
            kept[row] = None
        elif row[-1] < 0:
            raise empty_domain()
    return list(kept)


def _eliminate(n: int, equalities: list[Row]) -> tuple[tuple[int, ...], list[AffineRow] | None]:
    """Solve the equalities for the last possible coordinates (reduced row echelon form)."""
    pivots: dict[int, list[Fraction]] = {}
    for row in equalities:
        current = [Fraction(v) for v in row]
        for column, solved in pivots.items():
            if current[column]:
                factor = current[column]
                current = [u - factor * v for u, v in zip(current, solved, strict=True)]
        pivot = next((j for j in range(n - 1, -1, -1) if current[j]), None)
        if pivot is None:
            if current[n]:
                raise empty_domain()
            continue
        current = [v / current[pivot] for v in current]
        for column, solved in pivots.items():
            if solved[pivot]:
                factor = solved[pivot]
                pivots[column] = [u - factor * v for u, v in zip(solved, current, strict=True)]
        pivots[pivot] = current
    free = tuple(j for j in range(n) if j not in pivots)
    if not pivots:
        return free, None
    zero, one = Fraction(0), Fraction(1)
    matrix = []
    for i in range(n):
        if i in pivots:
            matrix.append([-pivots[i][j] for j in free] + [-pivots[i][n]])
        else:
            matrix.append([one if j == i else zero for j in free] + [zero])
    return free, matrix


def _substitute(rows: Sequence[Row], matrix: list[AffineRow]) -> list[Row]:
    """Write the rows in the free coordinates."""
    width = len(matrix[0]) if matrix else 1
    out = []
    for row in rows:
        total = [Fraction(0)] * width
        total[-1] += row[-1]
        for coefficient, affine in zip(row, matrix, strict=False):
            if coefficient:
                total = [u + coefficient * v for u, v in zip(total, affine, strict=True)]
        scale = 1
        for value in total:
            scale = scale * value.denominator // gcd(scale, value.denominator)
        out.append(primitive([int(value * scale) for value in total]))
    return out


def _interval(rows: list[Row]) -> tuple[list[Side], list[Row]]:
    """Return the two ends (upper, lower) of a line's part, or its implied equalities."""
    upper = lower = None
    for a, c in rows:
        if a > 0:
            # Ends are compared as fractions -c / a by cross-multiplication.
            if lower is None or -c * lower[0] > -lower[1] * a:
                lower = (a, c)
        elif upper is None or c * upper[0] > upper[1] * a:
            upper = (a, c)
    if upper is not None and lower is not None:
        # Value of the upper row at the lower end, times a positive number.
        gap = upper[1] * lower[0] - upper[0] * lower[1]
        if gap < 0:
            raise empty_domain()
        if gap == 0:
            return [], [lower]
    right = BOX_AT_INFINITY[1] if upper is None else Side(upper[0], 0, upper[1])
    left = BOX_AT_INFINITY[3] if lower is None else Side(lower[0], 0, lower[1])
    return [right, left], []


def _clip_all(rows: Sequence[Row]) -> tuple[list[Side], list[Row]]:
    """Return the polygon of the rows (in the plane), or its implied equalities."""
    sides = list(BOX_AT_INFINITY)
    for a1, a2, c in rows:
        sides, implied = clip(sides, Side(a1, a2, c))
        if implied:
            return [], implied
    return sides, []


def _corner(before: Side, after: Side) -> tuple[int, int, int, int, int]:
    """Return where two sides meet: x + xm M, y + ym M over the common denominator w > 0."""
    return (
        before.a2 * after.c - before.c * after.a2,
        before.a2 * after.m - before.m * after.a2,
        before.c * after.a1 - before.a1 * after.c,
        before.m * after.a1 - before.a1 * after.m,
        before.a1 * after.a2 - before.a2 * after.a1,
    )


def clip(sides: list[Side], cut: Side) -> tuple[list[Side], list[Row]]:
    """Cut a convex polygon by a half-plane.

    Parameters
    ----------
    sides : list of Side
        Irredundant, counter-clockwise; side i runs from corner i to corner i + 1.
    cut : Side
        With m = 0.

    Returns
    -------
    sides : list of Side
        What is left, in the same form; `sides` itself when the cut is redundant.
    implied : list of Row
        Not empty when no area is left but a segment or a point: equalities that hold there.

    Raises
    ------
    DegenerateInput
        If nothing is left.

    Notes
    -----
    Signs at corners that depend on M are those for all large M: first the factor of M counts,
    then the rest.
    """
    signs = []
    for i, side in enumerate(sides):
        x, xm, y, ym, w = _corner(sides[i - 1], side)
        at_infinity = cut.a1 * xm + cut.a2 * ym
        signs.append(at_infinity or cut.a1 * x + cut.a2 * y + cut.c * w)
    if min(signs) >= 0:
        return sides, []
    if max(signs) <= 0:
        touching = [i for i, sign in enumerate(signs) if sign == 0]
        if not touching:
            raise empty_domain()
        if len(touching) == 1:
            equal = [sides[touching[0] - 1], sides[touching[0]]]
        else:
            i, j = touching
            equal = [sides[i if j == i + 1 else j]]
        # A side at infinity cannot touch an ordinary line in these ways.
        return [], [(side.a1, side.a2, side.c) for side in equal]
    # Sides with a part strictly inside form one run; the cut closes it.
    n = len(sides)
    inside = [signs[i] > 0 or signs[(i + 1) % n] > 0 for i in range(n)]
    if all(inside):  # only one corner is cut off; it is where the run starts and ends
        start = next(i for i in range(n) if signs[i] < 0)
    else:
        start = next(i for i in range(n) if inside[i] and not inside[i - 1])
    run = [sides[(start + j) % n] for j in range(n) if inside[(start + j) % n]]
    return [*run, cut], []
