# SPDX-License-Identifier: MIT
"""The reference's linear program and arrangements against theorems."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracles
from linear_regions.reference import chambers, sign_vectors
from linear_regions.reference.rational import deepest_point, evaluate, exact, ratio


def test_exact_converts_without_rounding() -> None:
    assert exact(0.1) == Fraction(3602879701896397, 2**55)
    assert type(exact(2.0)) is int
    assert type(exact(np.float32(0.5))) is Fraction
    assert type(exact(Fraction(4, 2))) is int
    assert ratio(1, 3) == Fraction(1, 3)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_exact_refuses_what_is_no_number(value: float) -> None:
    with pytest.raises((OverflowError, ValueError)):
        exact(value)


rows = st.integers(1, 3).flatmap(
    lambda d: st.lists(st.tuples(*[st.integers(-3, 3)] * (d + 1)), max_size=8)
)


@given(rows)
def test_no_point_is_deeper_than_the_deepest(some: list[tuple[int, ...]]) -> None:
    dimension = len(some[0]) - 1 if some else 2
    depth, point, tight = deepest_point(some, dimension)
    assert all(evaluate(row, point) >= depth for row in some)
    if depth < 1:
        # The tight rows prove it: they all equal the depth, and even they alone allow no more.
        assert tight
        assert all(evaluate(some[i], point) == depth for i in tight)
        assert deepest_point([some[i] for i in tight], dimension).depth == depth


def test_depth_of_a_flat_set_is_zero_and_its_equations_are_named() -> None:
    strip = [(1, 0, 0), (-1, 0, 0), (0, 1, 5)]
    depth, _, tight = deepest_point(strip, 2)
    assert depth == 0
    assert sorted(tight) == [0, 1]


def test_depth_of_an_empty_set_is_negative() -> None:
    assert deepest_point([(1, -2), (-1, 1)], 1).depth == Fraction(-1, 2)


def test_without_rows_there_is_room_everywhere() -> None:
    assert deepest_point([], 3).depth == 1


@pytest.mark.parametrize(("n", "d"), [(1, 1), (4, 1), (5, 2), (6, 3), (5, 4), (3, 4), (0, 2)])
def test_general_position(n: int, d: int, rng: np.random.Generator) -> None:
    found = sign_vectors(rng.normal(size=(n, d)), rng.normal(size=n))
    assert len(found) == len(set(found)) == oracles.general_position(n, d)


@pytest.mark.parametrize(("n", "d"), [(4, 2), (5, 3), (4, 4)])
def test_central_general_position(n: int, d: int, rng: np.random.Generator) -> None:
    found = sign_vectors(rng.normal(size=(n, d)), np.zeros(n))
    assert len(found) == oracles.central_general_position(n, d)


def test_parallel_families() -> None:
    normals = [[1, 0]] * 3 + [[0, 1]] * 2 + [[1, 1]]
    offsets = [0, 1, 2, 0, 1, 17]
    assert len(sign_vectors(normals, offsets)) == oracles.parallel_families([3, 2, 1])


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_boolean_arrangement(n: int) -> None:
    assert len(sign_vectors(np.eye(n), np.zeros(n))) == oracles.boolean(n)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_braid_arrangement(n: int) -> None:
    normals = oracles.braid_normals(n)
    assert len(sign_vectors(normals, [0] * len(normals))) == oracles.braid(n)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_resonance_arrangement(n: int) -> None:
    normals = oracles.resonance_normals(n)
    assert len(sign_vectors(normals, [0] * len(normals))) == oracles.RESONANCE[n]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_threshold_arrangement(n: int) -> None:
    normals = oracles.threshold_normals(n)
    assert len(sign_vectors(normals, [0] * len(normals))) == oracles.THRESHOLD[n]


def test_repeated_opposite_and_constant_rows_cut_nothing_new() -> None:
    normals = [[1, 0], [2, 0], [-1, 0], [0, 0], [0, 0], [0, 0]]
    offsets = [1, 2, -1, 3, -3, 0]
    assert set(sign_vectors(normals, offsets)) == {(1, 1, 0, 1, 0, 0), (0, 0, 1, 1, 0, 0)}


def test_every_chamber_comes_with_a_point_inside(rng: np.random.Generator) -> None:
    normals, offsets = rng.integers(-2, 3, size=(7, 3)), rng.integers(-1, 2, size=7)
    for signs, point in chambers(normals.tolist(), offsets.tolist()):
        for normal, offset, sign in zip(normals.tolist(), offsets.tolist(), signs, strict=True):
            value = evaluate((*normal, offset), point)
            assert (value > 0) == bool(sign)
            assert value != 0 or (offset == 0 and not any(normal))


def test_numbers_of_normals_and_offsets_must_agree() -> None:
    with pytest.raises(ValueError, match="one offset per normal"):
        sign_vectors([[1, 0]], [])
