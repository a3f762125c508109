# SPDX-License-Identifier: MIT
"""Frames of domains of any dimension: columns, sides, boundedness, lines."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from linear_regions._farkas import integer_row, irredundant, is_bounded, lineality
from linear_regions._frame import DomainFrame, domain_frame
from linear_regions._lower import frame_of
from linear_regions.domain import Ball, Box, Polytope, Segment, Slice, Space
from linear_regions.errors import DegenerateInput, Unsupported


def exact_sides(frame: DomainFrame) -> list[tuple[int, ...]]:
    if frame.exact_sides is not None:
        return frame.exact_sides
    return [integer_row(row) for row in frame.sides.tolist()]


def inside(frame: DomainFrame, t: list[Fraction]) -> bool:
    """Tell whether t is in the closed domain."""
    return all(
        sum(a * v for a, v in zip(side, [*t, 1], strict=True)) >= 0 for side in exact_sides(frame)
    )


def embed(frame: DomainFrame, t: list[Fraction]) -> list[Fraction]:
    """Return the input at t, exactly."""
    if frame.exact_columns is None:
        columns = [[Fraction(v) for v in column] for column in frame.columns.tolist()]
    else:
        numerators, common = frame.exact_columns
        columns = [[Fraction(v, common) for v in column] for column in numerators]
    return [
        sum((c * v for c, v in zip(entry, [*t, Fraction(1)], strict=True)), Fraction(0))
        for entry in zip(*columns, strict=True)
    ]


def test_box_keeps_its_free_inputs_and_finite_sides():
    low, high = [0.0, -np.inf, 2.0, -np.inf], [1.0, 3.0, 2.0, np.inf]
    frame = domain_frame(Box(low, high), 4)
    assert frame.dim == 3
    assert len(frame.sides) == 3
    assert not frame.bounded
    assert frame.lineality == [(0, 0, 1)]
    assert embed(frame, [Fraction(1, 2), Fraction(1), Fraction(7)]) == [Fraction(1, 2), 1, 2, 7]
    assert frame_of(frame).dim == 3


@pytest.mark.parametrize(
    ("domain", "dim", "sides", "bounded", "lines"),
    [
        (Space(3), 3, 0, False, 3),
        (Box(-1.0, 1.0), 3, 6, True, 0),
        (Box([0.0, 1.0, 2.0], [0.0, 1.0, 2.0]), 0, 0, True, 0),
        (Segment([0.0, 0.1, 0.0], [1.0, 0.3, 0.5]), 1, 2, True, 0),
        (Slice([0.0, 0.0, 0.0], [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]), 2, 0, False, 2),
        (Slice([0.0] * 3, np.eye(3), Box(-1.0, [1.0, np.inf, 1.0])), 3, 5, False, 0),
        (Slice([0.0] * 3, np.eye(3), within=Box(-1.0, [1.0, 2.0, 1.0])), 3, 6, True, 0),
        (Polytope(np.vstack([-np.eye(3), np.ones((1, 3))]), [0, 0, 0, 1]), 3, 4, True, 0),
        (Polytope([[1.0, 2.0, 3.0]], [0.1]), 3, 1, False, 2),
        (Polytope([[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]], [0.1, 0.3]), 3, 2, False, 2),
        (Polytope([[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]], [0.1, -0.1]), 2, 0, False, 2),
        (Polytope(np.vstack([np.eye(3), -np.eye(3)]), [1] * 6, [[1, 1, 1]], [0]), 2, 6, True, 0),
    ],
)
def test_frame_has_the_dimension_and_sides_of_its_domain(domain, dim, sides, bounded, lines):
    frame = domain_frame(domain, 3)
    assert frame.dim == dim
    assert frame.columns.shape == (dim + 1, 3)
    assert frame.sides.shape == (sides, dim + 1)
    assert frame.bounded == bounded
    assert len(frame.lineality) == lines
    for vector in frame.lineality:
        assert any(vector)
        for side in exact_sides(frame):
            assert sum(a * v for a, v in zip(side, vector, strict=False)) == 0
    frame_of(frame)


def test_points_of_the_frame_are_points_of_the_polytope(rng):
    for _ in range(30):
        n = int(rng.integers(2, 5))
        matrix, right = rng.integers(-3, 4, (6, n)) / 3.0, rng.integers(0, 4, 6) / 3.0
        equal = rng.integers(-2, 3, (int(rng.integers(0, n)), n)) / 3.0
        polytope = Polytope(matrix, right, equal, np.zeros(len(equal)))
        frame = domain_frame(polytope, n)
        for values in product((-2, Fraction(-1, 3), 0, Fraction(1, 5), 1), repeat=frame.dim):
            t = [Fraction(v) for v in values]
            x = embed(frame, t)
            slack = [
                Fraction(b) - sum(Fraction(a) * v for a, v in zip(row, x, strict=True))
                for row, b in zip(matrix.tolist(), right.tolist(), strict=True)
            ]
            assert inside(frame, t) == (min(slack) >= 0)


def test_redundant_rows_are_dropped_and_only_those(rng):
    for _ in range(40):
        r = int(rng.integers(1, 5))
        rows = {integer_row([*a, float(c)]) for a, c in zip(
            rng.integers(-2, 3, (8, r)).astype(float), rng.integers(1, 4, 8), strict=True
        ) if a.any()}  # fmt: skip
        kept = irredundant(r, sorted(rows))
        # A row is needed exactly where dropping it makes the set larger: two independent LPs.
        for row in rows - set(kept):
            assert not _can_be_negative(r, kept, row)
        for row in kept:
            assert _can_be_negative(r, [other for other in kept if other != row], row)


def _can_be_negative(r: int, rows: list[tuple[int, ...]], row: tuple[int, ...]) -> bool:
    optimize = pytest.importorskip("scipy.optimize", reason="compares with another LP solver")
    answer = optimize.linprog(
        row[:-1],
        A_ub=-np.array([other[:-1] for other in rows], dtype=float).reshape(-1, r),
        b_ub=np.array([other[-1] for other in rows], dtype=float),
        bounds=[(-1000.0, 1000.0)] * r,
    )
    return bool(answer.fun + row[-1] < -1e-7)


def test_boundedness_and_lines_of_small_systems():
    square = [(1, 0, 1), (-1, 0, 1), (0, 1, 1), (0, -1, 1)]
    assert is_bounded(2, square)
    assert not is_bounded(2, square[:3])
    assert is_bounded(0, [])
    assert not is_bounded(1, [])
    assert lineality(2, square[:2]) == [(0, 1)]
    assert lineality(3, [(1, 1, 0, 5)]) == [(-1, 1, 0), (0, 0, 1)]
    assert irredundant(1, [(1, 1), (1, 2), (-1, 3)]) == [(1, 1), (-1, 3)]


def test_empty_domains_and_balls_are_refused():
    with pytest.raises(DegenerateInput):
        domain_frame(Polytope(np.vstack([np.eye(3), -np.eye(3)]), [1, 1, 1, -2, 0, 0]), 3)
    with pytest.raises(Unsupported):
        domain_frame(Ball([0.0, 0.0], 1.0), 2)
