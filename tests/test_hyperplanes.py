# SPDX-License-Identifier: MIT
"""Rows of hyperplanes stay exact on their way to the core."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import linear_regions as lr
from linear_regions import _core
from linear_regions._hyperplanes import checked_rows, lower_hyperplanes, place_of

HUGE = 2**60 + 1  # no double


def test_integers_that_doubles_hold_become_doubles():
    normals, offsets = checked_rows([[1, 2], [3, -(2**70)]], np.array([2**53, 5]))
    assert normals.dtype == offsets.dtype == np.float64
    assert normals.tolist() == [[1, 2], [3, -(2.0**70)]]


@pytest.mark.parametrize("kind", [list, np.array, lambda v: np.array(v, dtype=object)])
def test_integers_beyond_doubles_stay_integers(kind):
    normals, offsets = checked_rows(kind([[1, 2], [3, HUGE]]), [0.5, 5.0])
    assert normals.tolist() == [[2, 4], [3, HUGE]]  # row 0 times its denominator
    assert offsets.tolist() == [1, 5]
    assert all(type(v) is int for v in normals.flat)


def test_fractions_are_taken_exactly():
    normals, offsets = checked_rows([[Fraction(1, 3), 1]], [Fraction(1, 2)])
    assert normals.tolist() == [[2, 6]]
    assert offsets.tolist() == [3]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    with pytest.raises(lr.InvalidInput, match=r"normals must be finite.*\(0, 1\)"):
        checked_rows([[1.0, bad]], [0.0])
    with pytest.raises(lr.InvalidInput, match="offsets must be finite"):
        checked_rows(np.array([[1, HUGE]], dtype=object), np.array([bad], dtype=object))


def test_shapes_and_types_are_checked():
    with pytest.raises(lr.InvalidInput, match=r"normals must have shape \(n, d\)"):
        checked_rows([1.0, 2.0], [0.0])
    with pytest.raises(lr.InvalidInput, match=r"offsets must have shape \(1,\)"):
        checked_rows([[1.0, 2.0]], [0.0, 1.0])
    with pytest.raises(TypeError, match="normals"):
        checked_rows([["1", "2"]], [0.0])


def test_empty_lists_are_the_empty_arrangement():
    assert checked_rows([], [])[0].shape == (0, 0)
    assert checked_rows(np.zeros((0, 3)), [])[0].shape == (0, 3)
    assert checked_rows(np.zeros((2, 0)), [1, -1])[0].shape == (2, 0)


def test_lowering_is_exact_or_says_what_is():
    value, exact = lower_hyperplanes([(1, 2, 3), (2**80, 2**60, 0)])
    assert exact is None
    assert value.tolist() == [[1, 2, 3], [0.5, 0.5**21, 0]]  # up to a power of two
    value, exact = lower_hyperplanes([(1, 2, -3), (HUGE, 0, -1)])
    assert exact == ["1", "2", "-3", "1000000000000001", "0", "-1"]
    assert value[0].tolist() == [1, 2, -3]
    assert value[1].tolist() == [HUGE / 2**61, 0, -1 / 2**61]
    assert lower_hyperplanes([], 2)[0].shape == (0, 3)


def test_core_takes_only_what_was_lowered():
    rows = _core.Hyperplanes(*lower_hyperplanes([(HUGE, 1)]))
    assert (rows.n, rows.d) == (1, 1)
    with pytest.raises(ValueError, match="exact rows"):
        _core.Hyperplanes(np.ones((1, 2)), ["1"])
    with pytest.raises(ValueError, match="exact rows"):
        _core.Hyperplanes(np.ones((1, 2)), ["1", "0x1"])
    with pytest.raises(ValueError, match="finite"):
        _core.Hyperplanes(np.full((1, 2), np.nan))


def values_at(rows: object, point: list[Fraction]) -> list[Fraction]:
    full = [*point, Fraction(1)]
    return [sum(Fraction(a) * v for a, v in zip(row, full, strict=True)) for row in rows]


PLACES = [
    (lr.Box([0.0, -1.0, 0.5], [1.0, np.inf, 0.5]), 2, 3),
    (lr.Box([0.1, 0.1, 0.5], [0.1, 0.1, 0.5]), 0, 0),
    (lr.Segment([0.1, 0.0, 3.0], [1.0, 0.7, 1e-3]), 1, 2),
    (lr.Slice([0.1, 0.2, 0.3], [[1.0, 0.0, 0.5], [0.25, 1.0, 0.1]]), 2, 0),
    (lr.Slice([0.1, 0.2, 0.3], [[1.0, 0.0, 0.5]], within=lr.Box(-1.0, 1.0)), 1, None),
    (lr.Polytope(np.eye(3), [1, 1, 1], [[1.0, 0.3, 0.0]], [0.1]), 2, 3),
    (lr.Space(3), 3, 0),
    (None, 3, 0),
]


@pytest.mark.parametrize(("domain", "dim", "n_sides"), PLACES)
def test_rows_seen_from_a_domain_have_the_same_signs(domain, dim, n_sides, rng):
    table = rng.integers(-3, 4, size=(9, 4)) / 10
    table[:, 3] = table[:, 0] / 7
    normals, offsets = checked_rows(table[:, :3], table[:, 3])
    place = place_of(normals, offsets, domain)
    assert place.dim == dim
    assert n_sides is None or len(place.sides) == n_sides
    place.lowered()
    rows = place.rows.tolist() if isinstance(place.rows, np.ndarray) else place.rows
    for t in rng.integers(-8, 9, size=(5, dim)) / 8:
        exact = [Fraction(v) for v in t.tolist()]
        x = exact if domain is None else embed(domain, exact)
        true = values_at(table.tolist(), x)
        seen = values_at(rows, exact)
        assert [(v > 0) - (v < 0) for v in true] == [(v > 0) - (v < 0) for v in seen]


def embed(domain: lr.Domain, t: list[Fraction]) -> list[Fraction]:
    """Map coordinates to inputs in fractions."""
    if isinstance(domain, lr.Box):
        fixed = [Fraction(v) for v in domain.low.tolist()] if domain.dim < 3 else [Fraction(0)] * 3
        for j, value in zip(domain.free.tolist(), t, strict=True):
            fixed[j] = value
        return fixed
    if isinstance(domain, lr.Segment):
        ends = zip(domain.a.tolist(), domain.b.tolist(), strict=True)
        return [Fraction(a) + t[0] * (Fraction(b) - Fraction(a)) for a, b in ends]
    if isinstance(domain, lr.Slice):
        x = [Fraction(v) for v in domain.origin.tolist()]
        for value, direction in zip(t, domain.directions.tolist(), strict=True):
            x = [u + value * Fraction(v) for u, v in zip(x, direction, strict=True)]
        return x
    if isinstance(domain, lr.Polytope):
        matrix = domain.hull().matrix
        assert matrix is not None
        return values_at(matrix, t)
    return t


def test_a_domain_that_does_not_fit_is_refused():
    normals, offsets = checked_rows(np.eye(3), np.zeros(3))
    with pytest.raises(lr.InvalidInput, match="3"):
        place_of(normals, offsets, lr.Polytope(np.eye(2), np.ones(2)))
    with pytest.raises(lr.DegenerateInput, match="empty"):
        place_of(normals, offsets, lr.Polytope([[1, 0, 0], [-1, 0, 0]], [0, -1]))
    with pytest.raises(lr.Unsupported, match="Ball"):
        place_of(normals, offsets, lr.Ball([0.0, 0.0, 0.0], 1.0))
    with pytest.raises(TypeError, match="domain"):
        place_of(normals, offsets, 3)
