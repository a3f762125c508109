# SPDX-License-Identifier: MIT
"""Interior points of the chambers that the lowest-vertex sweep numbers, proved one by one.

A chamber's point is its lowest vertex, moved half of the way that it can go inside along the ray
on which the hyperplanes of the vertex all rise alike. A chamber of a lower level is seen at
infinity: its point is far enough in the direction found there. Doubles first, for whole blocks;
where the signs at the rounded point are not certain, rational arithmetic for the one chamber.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import comb, isfinite

import numpy as np
import numpy.typing as npt

from ._farkas import Row, solve_exactly
from ._value import FloatArray

__all__ = ["combinations_of", "exact_point", "float_points", "inside"]

_Ints = npt.NDArray[np.int64]
_Signs = npt.NDArray[np.bool_]
Point = tuple[Fraction, ...]

_UNIT = 1.2e-16  # above the unit roundoff of doubles
_TINY = 2.0**-900  # above what underflow can lose


def combinations_of(n: int, k: int, ranks: _Ints) -> _Ints:
    """Return the k-subsets of range(n) with the given lexicographic ranks, shape (len(ranks), k).

    There are C(n, j) - C(n - c, j) subsets of size j whose first element is below c.
    """
    chosen = np.empty((len(ranks), k), dtype=np.int64)
    rest = ranks.astype(np.int64)
    start = np.zeros(len(ranks), dtype=np.int64)
    for i in range(k):
        j = k - i
        below = np.array([comb(n, j) - comb(n - c, j) for c in range(n + 1)], dtype=np.int64)
        rest = rest + below[start]
        element = np.searchsorted(below, rest, side="right") - 1
        chosen[:, i] = element
        rest -= below[element]
        start = element + 1
    return chosen


def float_points(rows: FloatArray, level: int, chosen: _Ints, signs: _Signs) -> FloatArray:
    """Return one point per chamber in the sweep's coordinates, in doubles and without proof.

    Parameters
    ----------
    rows : float64 array, shape (n, d + 1)
    level : int
    chosen : int64 array, shape (m, level)
        Hyperplanes of the lowest vertices.
    signs : bool array, shape (m, n)

    Returns
    -------
    float64 array, shape (m, d)
        May hold NaN or infinity.
    """
    d, m = rows.shape[1] - 1, len(chosen)
    normals = rows[:, :level]
    offsets = rows[:, d] if level == d else -rows[:, level]
    point = np.zeros((m, level))
    if level:
        own = np.take_along_axis(np.where(signs, 1.0, -1.0), chosen, axis=1)
        right = np.stack((-offsets[chosen], own), axis=-1)
        matrices = normals[chosen]
        solved = _solved(matrices, right)
        vertex, ray = solved[..., 0], solved[..., 1]
        value = products(vertex, normals) + offsets
        slope = products(ray, normals)
        np.put_along_axis(slope, chosen, 0.0, axis=1)
        way = np.where((slope != 0) & ((slope < 0) == signs), -value / slope, np.inf)
        way = np.maximum(way.min(axis=1), 0.0)
        point = vertex + np.where(np.isfinite(way), way / 2, 1.0)[:, None] * ray
    if level == d:
        return point
    full = np.zeros((m, d))
    full[:, :level] = point
    full[:, level] = -1.0
    value = products(full, rows[:, :d])
    far = np.maximum(1.0, np.max(np.abs(rows[:, d] / value), axis=1, initial=0.0))
    return np.asarray(2.0 * far[:, None] * full, dtype=np.float64)


def products(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return a @ b.T, every entry by itself: it does not depend on how many rows there are."""
    columns = np.ascontiguousarray(b.T)  # the inner loop goes along them
    return np.asarray(np.einsum("ij,jk->ik", a, columns), dtype=np.float64)


def _solved(matrices: FloatArray, right: FloatArray) -> FloatArray:
    """Solve systems one by one; NaN where there is no solution to doubles."""
    try:
        return np.asarray(np.linalg.solve(matrices, right), dtype=np.float64)
    except np.linalg.LinAlgError:
        if len(matrices) == 1:
            return np.full(right.shape, np.nan)
        half = len(matrices) // 2
        return np.concatenate(
            [_solved(matrices[:half], right[:half]), _solved(matrices[half:], right[half:])]
        )


def inside(rows: FloatArray, points: FloatArray, signs: _Signs) -> _Signs:
    """Return which points certainly have the given signs, shape (m,).

    `rows` may be off by one rounding in every entry, by 2^-1075 where that is below 2^-1022. A sum
    of d products in any order and fused or not is off by at most (d + 2) u times the sum of the
    sizes.
    """
    normals, offsets = rows[:, :-1], rows[:, -1]
    value = products(points, normals) + offsets
    size = products(np.abs(points), np.abs(normals)) + np.abs(offsets)
    blurred = 2.0**-1074 * np.abs(points).sum(axis=1)[:, None]
    doubt = (points.shape[1] + 6) * _UNIT * size + blurred + _TINY
    return np.asarray(((np.abs(value) > doubt) & ((value > 0) == signs)).all(axis=1))


def exact_point(
    rows: Sequence[Row], d: int, level: int, chosen: Sequence[int], signs: Sequence[bool]
) -> Point:
    """Return a point of one chamber in the sweep's d coordinates, exactly."""

    def offset(row: Row) -> int:
        return row[d] if level == d else -row[level]

    matrix = [rows[i][:level] for i in chosen]
    vertex = solve_exactly(matrix, [-offset(rows[i]) for i in chosen])
    ray = solve_exactly(matrix, [1 if signs[i] else -1 for i in chosen])
    # The arrangement is simple: its hyperplanes meet in one point.
    assert vertex is not None
    assert ray is not None
    way: Fraction | None = None
    for i, row in enumerate(rows):
        slope = sum(a * u for a, u in zip(row[:level], ray, strict=True))
        if i in chosen or not slope or (slope > 0) == signs[i]:
            continue
        value = sum(a * v for a, v in zip(row[:level], vertex, strict=True)) + offset(row)
        reach = -value / slope
        way = reach if way is None else min(way, reach)
    step = Fraction(1) if way is None else way / 2
    point = [v + step * u for v, u in zip(vertex, ray, strict=True)]
    if level == d:
        return tuple(point)
    point += [Fraction(-1)] + [Fraction(0)] * (d - level - 1)
    far = Fraction(1)
    for row in rows:
        reach = sum((a * v for a, v in zip(row[:d], point, strict=True)), Fraction(0))
        far = max(far, abs(row[d] / reach))
    return tuple(2 * far * v for v in point)


def nearest(point: Point) -> list[float]:
    """Return the doubles nearest to the coordinates (infinite beyond their range)."""
    out = []
    for value in point:
        try:
            out.append(float(value))
        except OverflowError:
            out.append(float("inf") if value > 0 else float("-inf"))
    return out


def exactly_inside(rows: Sequence[Row], point: Sequence[float], signs: Sequence[bool]) -> bool:
    """Return whether a point of doubles has the given signs, in rational arithmetic."""
    if not all(isfinite(v) for v in point):
        return False
    exact = [*map(Fraction, point), Fraction(1)]
    values = (sum(a * v for a, v in zip(row, exact, strict=True)) for row in rows)
    return all(
        value != 0 and (value > 0) == sign for value, sign in zip(values, signs, strict=True)
    )
