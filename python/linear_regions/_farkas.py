# SPDX-License-Identifier: MIT
"""Systems of linear inequalities in exact arithmetic, feasible or not, and why; and of equations.

Notation: a row (a_1, ..., a_r, c) of integers stands for a . t + c >= 0. Floats are dyadic
rationals, so every row of floats is a row of integers times a positive factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import TypeAlias

import numpy as np

from .errors import DegenerateInput

Row: TypeAlias = tuple[int, ...]


def integer_row(values: Sequence[float]) -> Row:
    """Return the smallest integers that are the floats `values` times one positive factor."""
    ratios = [value.as_integer_ratio() for value in values]
    denominator = max(d for _, d in ratios)  # powers of two: the largest is a common multiple
    return primitive([p * (denominator // d) for p, d in ratios])


def primitive(row: Sequence[int]) -> Row:
    """Divide by the greatest common divisor."""
    divisor = gcd(*row)
    return tuple(v // divisor for v in row) if divisor > 1 else tuple(row)


def empty_domain() -> DegenerateInput:
    """Return the error for a domain without any point."""
    return DegenerateInput("empty domain: no point satisfies all of its constraints")


def implied_equalities(r: int, rows: list[Row]) -> list[Row]:
    """Return implied equalities of {t in R^r : rows >= 0}: none, or at least one, or raise.

    By Motzkin's theorem either some t has all rows positive, or some y >= 0, y != 0 has
    sum y_i a_i = 0 and sum y_i c_i <= 0. In the second case the polytope is empty if the last sum
    is negative, and else every row with y_i > 0 is an implied equality.
    """
    if not rows or strict_point(r, rows) is not None:
        return []
    # Columns: one per row of the polytope, and the slack of sum y c <= 0; sum y = 1.
    columns = [[*map(Fraction, row), Fraction(1)] for row in rows]
    columns.append([Fraction(0)] * r + [Fraction(1), Fraction(0)])
    target = [Fraction(0)] * (r + 1) + [Fraction(1)]
    solution = _feasible_point(columns, target)
    if solution is None:
        return []
    if solution.get(len(rows)):
        raise empty_domain()
    return [rows[i] for i, value in solution.items() if value]


def value_at(row: Row, point: Row) -> int:
    """Return the value of a row at (numerators, denominator), times the denominator."""
    return sum(a * v for a, v in zip(row, point, strict=True))


def strict_point(r: int, rows: list[Row]) -> Row | None:
    """Try to find a point strictly inside by floating-point steps; it is proved exactly.

    The point is (numerators, common positive denominator).
    """
    scales = [max(map(abs, row)) for row in rows]
    table = np.array([[v / scale for v in row] for row, scale in zip(rows, scales, strict=True)])
    norms = np.sqrt((table[:, :r] ** 2).sum(axis=1))
    if not norms.all():
        return None
    table /= norms[:, None]
    point = np.zeros(r)
    margin = 1.0
    for step in range(400):
        slack = table[:, :r] @ point + table[:, r]
        worst = int(slack.argmin())
        if slack[worst] > 0.25 * margin:
            break
        point += (margin - slack[worst]) * table[worst, :r]
        if step % 20 == 19:
            margin /= 2
    if not np.isfinite(point).all():
        return None
    exact = integer_row([*point.tolist(), 1.0])
    return exact if all(value_at(row, exact) > 0 for row in rows) else None


def _feasible_point(
    columns: list[list[Fraction]], target: list[Fraction]
) -> dict[int, Fraction] | None:
    """Return some y >= 0 with sum y_j columns[j] = target >= 0, or None (simplex, Bland's rule)."""
    m, n = len(target), len(columns)
    # Tableau rows: coefficients of the n columns, then the right side; artificials stay implicit
    # because one that left the basis never returns.
    tableau = [[column[i] for column in columns] + [target[i]] for i in range(m)]
    basis = [n + i for i in range(m)]
    cost = [sum((row[j] for row in tableau), Fraction(0)) for j in range(n + 1)]
    while cost[n] > 0:
        entering = next((j for j in range(n) if cost[j] > 0), None)
        if entering is None:
            return None
        candidates = [i for i in range(m) if tableau[i][entering] > 0]
        leaving = min(candidates, key=lambda i: (tableau[i][n] / tableau[i][entering], basis[i]))
        pivot_row = tableau[leaving]
        pivot = pivot_row[entering]
        pivot_row = tableau[leaving] = [v / pivot for v in pivot_row]
        for i in range(m):
            factor = tableau[i][entering]
            if i != leaving and factor:
                tableau[i] = [u - factor * v for u, v in zip(tableau[i], pivot_row, strict=True)]
        factor = cost[entering]
        cost = [u - factor * v for u, v in zip(cost, pivot_row, strict=True)]
        basis[leaving] = entering
    return {basis[i]: tableau[i][n] for i in range(m) if basis[i] < n}


def irredundant(r: int, rows: Sequence[Row]) -> list[Row]:
    """Return the rows that the polyhedron {t in R^r : rows >= 0} needs, in their order.

    Parameters
    ----------
    r : int
    rows : sequence of Row
        None is a positive multiple of another, and the polyhedron has an interior point.

    Notes
    -----
    A row that alone stops a ray from an interior point is needed. The others are dropped where
    they are combinations with factors >= 0 of rows that stay and of 1 >= 0 (Farkas 1902).
    """
    remaining = list(rows)
    needed = _stopping_rows(r, remaining)
    for row in rows:
        if row not in needed and _implied(row, [other for other in remaining if other in needed]):
            remaining.remove(row)
    for row in list(remaining):
        if row not in needed and _implied(row, [other for other in remaining if other != row]):
            remaining.remove(row)
    return remaining


def _stopping_rows(r: int, rows: list[Row]) -> set[Row]:
    """Return rows that are first, alone, on some ray from an interior point along a normal."""
    found: set[Row] = set()
    point = strict_point(r, rows) if r and rows else None
    if point is None:
        return found
    for row in rows:
        # Towards the row's hyperplane; sizes are evened out, exactness of the direction is free.
        size = max(map(abs, row[:r]))
        direction = integer_row([-a / size for a in row[:r]])
        first: list[Row] = []
        best: tuple[int, int] | None = None
        for other in rows:
            speed = -sum(a * v for a, v in zip(other, direction, strict=False))
            if speed <= 0:
                continue
            room = value_at(other, point)  # reached after room / speed
            if best is None or room * best[1] < best[0] * speed:
                best, first = (room, speed), [other]
            elif room * best[1] == best[0] * speed:
                first.append(other)
        if len(first) == 1:
            found.add(first[0])
    return found


def _implied(row: Row, others: list[Row]) -> bool:
    """Tell whether row >= 0 follows from the others (whose polyhedron has a point)."""
    # Some y >= 0 with sum y_i others_i + y_0 (0, ..., 0, 1) = row; the simplex wants it positive.
    signs = [-1 if value < 0 else 1 for value in row]
    unit = (*(0 for _ in row[:-1]), 1)
    columns = [
        [Fraction(sign * value) for sign, value in zip(signs, other, strict=True)]
        for other in (*others, unit)
    ]
    return _feasible_point(columns, [Fraction(abs(value)) for value in row]) is not None


def is_bounded(r: int, rows: Sequence[Row]) -> bool:
    """Tell whether the polyhedron {t in R^r : rows >= 0}, which has a point, is bounded.

    It is where the normals span R^r and are dependent with positive factors (Stiemke 1915).
    """
    if lineality(r, rows):
        return False
    total = [sum(row[j] for row in rows) for j in range(r)]
    # sum (1 + y_i) a_i = 0 with y >= 0
    signs = [-1 if value > 0 else 1 for value in total]
    columns = [[Fraction(s * v) for s, v in zip(signs, row, strict=False)] for row in rows]
    return _feasible_point(columns, [Fraction(abs(value)) for value in total]) is not None


def lineality(r: int, rows: Sequence[Row]) -> list[Row]:
    """Return a basis, in integers, of the directions in which no row changes."""
    pivots: dict[int, list[Fraction]] = {}  # reduced row echelon form
    for row in rows:
        current = [Fraction(v) for v in row[:r]]
        for column, solved in pivots.items():
            if current[column]:
                factor = current[column]
                current = [u - factor * v for u, v in zip(current, solved, strict=True)]
        pivot = next((j for j in range(r) if current[j]), None)
        if pivot is None:
            continue
        current = [v / current[pivot] for v in current]
        for column, solved in pivots.items():
            if solved[pivot]:
                factor = solved[pivot]
                pivots[column] = [u - factor * v for u, v in zip(solved, current, strict=True)]
        pivots[pivot] = current
        if len(pivots) == r:
            return []
    basis = []
    for free in range(r):
        if free in pivots:
            continue
        others = {column: -solved[free] for column, solved in pivots.items()}
        vector = [0] * r
        vector[free] = lcm(*(value.denominator for value in others.values()))
        for column, value in others.items():
            vector[column] = int(value * vector[free])
        basis.append(primitive(vector))
    return basis


def solve_exactly(
    matrix: Sequence[Sequence[int | Fraction]], right: Sequence[int | Fraction]
) -> list[Fraction] | None:
    """Return the solution of a square system, None where it is singular; Gauss-Jordan."""
    n = len(right)
    table = [[Fraction(v) for v in (*row, value)] for row, value in zip(matrix, right, strict=True)]
    for k in range(n):
        pivot = next((i for i in range(k, n) if table[i][k]), None)
        if pivot is None:
            return None
        table[k], table[pivot] = table[pivot], table[k]
        table[k] = [v / table[k][k] for v in table[k]]
        for i in range(n):
            if i != k and table[i][k]:
                factor = table[i][k]
                table[i] = [u - factor * v for u, v in zip(table[i], table[k], strict=True)]
    return [row[n] for row in table]
