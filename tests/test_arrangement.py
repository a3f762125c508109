# SPDX-License-Identifier: MIT
"""lr.Arrangement: every engine gives what the fraction reference and the theorems say."""

from __future__ import annotations

import pickle
import random
import threading
import time
from fractions import Fraction
from math import comb, factorial

import numpy as np
import pytest

import linear_regions as lr
from arrangements import (
    COUNTED,
    LARGE,
    SMALL,
    braid,
    moment_curve,
    random_integers,
    resonance,
    threshold,
    type_b,
)
from linear_regions import reference
from linear_regions.reference.rational import deepest_point, evaluate, exact


def as_ints(words: np.ndarray) -> list[int]:
    return [sum(int(w) << (64 * k) for k, w in enumerate(row)) for row in words.tolist()]


def true_signs(normals, offsets, sides=()) -> set[int]:
    """Sign vectors of the reference as integers, inside the sides where there are some."""
    rows = [tuple(map(exact, (*a, b))) for a, b in zip(normals, offsets, strict=True)]
    found = set()
    for signs in reference.sign_vectors(normals, offsets):
        halves = [
            row if bit else tuple(-v for v in row)
            for bit, row in zip(signs, rows, strict=True)
            if any(row[:-1])
        ]
        if not sides or deepest_point([*halves, *sides], len(sides[0]) - 1).depth > 0:
            found.add(sum(bit << i for i, bit in enumerate(signs)))
    return found


def random_tables(rng, count):
    for _ in range(count):
        d = int(rng.integers(1, 4))
        n = int(rng.integers(0, 8 if d == 3 else 10))
        normals, offsets = random_integers(rng, n, d, int(rng.integers(1, 4)))
        yield np.array(normals, dtype=np.int64).reshape(n, d), np.array(offsets, dtype=np.int64)


# ---- agreement ----


def test_tree_and_recursion_agree_with_the_reference_on_small_integers(rng):
    for normals, offsets in random_tables(rng, 40):
        planes = lr.Arrangement(normals, offsets)
        expected = true_signs(normals.tolist(), offsets.tolist()) if len(normals) else {0}
        listed = as_ints(planes.sign_vectors(method="tree"))
        assert len(listed) == len(set(listed))
        assert set(listed) == expected
        assert set(as_ints(planes.sign_vectors())) == expected
        assert int(planes.count()) == int(planes.count(method="tree")) == len(expected)
        polynomial = reference.characteristic_polynomial(
            normals.tolist(), offsets.tolist(), planes.dim
        )
        assert planes.characteristic_polynomial() == polynomial
        rank = np.linalg.matrix_rank(normals) if len(normals) else 0
        bounded = abs(sum(polynomial)) if rank == planes.dim else 0
        assert planes.bounded_count() == bounded


def test_chambers_in_a_box_are_those_of_the_reference(rng):
    for normals, offsets in random_tables(rng, 25):
        if not len(normals):
            continue
        d = normals.shape[1]
        low, high = [-1.5] * d, [0.75] * (d - 1) + [2.0]
        sides = []
        for j in range(d):
            for value, sign in ((low[j], 1), (high[j], -1)):
                row = [0] * (d + 1)
                row[j], row[d] = sign, exact(-sign * value)
                sides.append(tuple(row))
        expected = true_signs(normals.tolist(), offsets.tolist(), sides)
        planes = lr.Arrangement(normals, offsets)
        box = lr.Box(low, high)
        assert set(as_ints(planes.sign_vectors(box))) == expected
        assert int(planes.count(box)) == len(expected)
        matrix = np.vstack([np.eye(d), -np.eye(d)])
        right = np.array([*high, *(-v for v in low)])
        assert int(planes.count(lr.Polytope(matrix, right))) == len(expected)


@pytest.mark.parametrize("name", SMALL)
def test_listing_finds_every_chamber_of_the_families_once(name):
    generate, chambers = SMALL[name]
    normals, offsets = generate()
    planes = lr.Arrangement(normals, offsets)
    listed = planes.sign_vectors(verify=True)
    assert len(listed) == len(np.unique(listed, axis=0)) == chambers


@pytest.mark.parametrize("name", ["threshold_5", "braid_8", "E_6", "B_6", "moment_40_4"])
def test_listing_finds_every_chamber_of_larger_families(name):
    generate, chambers = LARGE[name]
    listed = lr.Arrangement(*generate()).sign_vectors()
    assert len(listed) == len(np.unique(listed, axis=0)) == chambers


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resonance_6", "E_7", "shi_7", "K_55", "demicube_6"])
def test_listing_finds_every_chamber_of_the_largest_families(name):
    generate, chambers = LARGE[name]
    planes = lr.Arrangement(*generate())
    assert int(planes.count(method="tree")) == chambers


def test_sweep_and_tree_list_the_same_chambers(rng):
    for n, d in ((9, 2), (10, 3), (8, 4), (7, 6), (70, 2)):
        table = rng.integers(-999, 1000, size=(n, d + 1))
        planes = lr.Arrangement(table[:, :d], table[:, d])
        swept = planes.chambers(method="sweep")
        tree = planes.chambers(method="tree")
        assert (swept.method, tree.method) == ("sweep", "tree")
        assert set(as_ints(swept.sign_vectors)) == set(as_ints(tree.sign_vectors))
        assert len(swept) == sum(comb(n, k) for k in range(d + 1)) == int(planes.count())


def test_sweep_refuses_what_is_not_simple():
    with pytest.raises(lr.DegenerateInput, match="simple"):
        lr.Arrangement(*braid(4)).sign_vectors(method="sweep")
    with pytest.raises(lr.DegenerateInput, match="simple"):
        lr.Arrangement(*braid(4)).count(method="sweep")


@pytest.mark.parametrize("gap", [1e-9, 1e-12, 2.0**-52])
def test_relative_gaps_below_every_tolerance_are_counted(gap):
    """Three lines that nearly meet in a point; tools with tolerances see a point."""
    planes = lr.Arrangement([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [0.0, 0.0, gap])
    assert int(planes.count()) == 7
    for method in ("tree", "sweep"):
        assert len(planes.sign_vectors(method=method)) == 7
    # Planes through a common point, all but one.
    rows = [[1.0, t, t * t] for t in (1.0, 2.0, 3.0, 4.0, 5.0)]
    near = [0.0, 0.0, 0.0, 0.0, gap]
    found = lr.Arrangement(rows, near)
    assert int(found.count()) == int(found.count(method="tree"))
    assert int(found.count()) > int(lr.Arrangement(rows, [0.0] * 5).count())


def test_one_gap_of_one_unit_in_the_last_place_is_a_chamber():
    above = np.nextafter(1.0, 2.0)
    found = lr.Arrangement([[1.0], [1.0]], [-1.0, -above]).chambers(points=True)
    assert len(found) == 3
    assert np.isnan(found.points).any(axis=1).sum() == len(found.exact_points)


# ---- degenerate input ----


@pytest.mark.parametrize(
    ("normals", "offsets", "chambers"),
    [
        (np.zeros((0, 3)), [], 1),
        ([], [], 1),
        (np.zeros((2, 0)), [1, -1], 1),
        ([[0, 0]], [0], 1),
        ([[0, 0], [0, 0]], [1, -1], 1),
        ([[0, 0], [1, 0]], [1, 0], 2),
        ([[1, 2], [2, 4], [-1, -2]], [1, 2, -1], 2),
        ([[1, 2], [1, 2], [-1, -2]], [1, 2, 3], 4),
        ([[1, 0, 0], [0, 1, 0]], [0, 5], 4),
        ([[3]], [1], 2),
    ],
)
def test_degenerate_rows_are_ordinary_input(normals, offsets, chambers):
    planes = lr.Arrangement(normals, offsets)
    assert int(planes.count()) == int(planes.count(method="tree")) == chambers
    signs = planes.sign_vectors()
    assert signs.shape == (chambers, (planes.n + 63) // 64)
    points = planes.interior_points()
    assert points.shape == (chambers, planes.dim)


def test_a_zero_row_has_the_sign_of_its_offset():
    signs = lr.Arrangement([[0, 0], [0, 0], [0, 0]], [0, 2, -3]).sign_vectors()
    assert signs.tolist() == [[2]]


@pytest.mark.parametrize("n", [63, 64, 65, 128, 129, 200])
def test_any_number_of_words(n):
    planes = lr.Arrangement(np.ones((n, 1)), -np.arange(n))
    signs = planes.sign_vectors()
    assert signs.shape == (n + 1, (n + 63) // 64)
    assert set(as_ints(signs)) == {(1 << k) - 1 for k in range(n + 1)}


def test_integers_beyond_doubles_count_exactly():
    big = 2**61
    planes = lr.Arrangement([[1, 0], [0, 1], [big, big + 1]], [0, 0, 0])
    assert int(planes.count()) == int(planes.count(method="tree")) == 6
    planes = lr.Arrangement([[big, big + 1], [big + 1, big + 2], [1, 1]], [0, 0, 0])
    assert int(planes.count()) == int(planes.count(method="tree")) == 6
    parallel = lr.Arrangement([[big + 1, 1], [2 * big + 2, 2]], [0, 1])
    assert int(parallel.count()) == int(parallel.count(method="tree")) == 3


def test_interior_points_prove_their_sign_vectors(rng):
    for normals, offsets in random_tables(rng, 15):
        planes = lr.Arrangement(normals, offsets)
        for method in ("auto", "tree"):
            found = planes.chambers(points=True, method=method)
            assert found.points.shape == (len(found), planes.dim)
            for row, (signs, point) in enumerate(
                zip(as_ints(found.sign_vectors), found.points.tolist(), strict=True)
            ):
                at = found.exact_points.get(row) or [Fraction(v) for v in point]
                for i, (a, b) in enumerate(zip(normals.tolist(), offsets.tolist(), strict=True)):
                    value = evaluate((*a, b), at)
                    assert (value > 0) == bool(signs >> i & 1)
                    assert value != 0 or not any(a)


# ---- numbers ----


def test_characteristic_polynomials_of_reflection_arrangements():
    # Exponents: braid 0, ..., n - 1; B_n 1, 3, ..., 2 n - 1 (Orlik, Solomon 1980).
    for planes, exponents in (
        (lr.Arrangement(*braid(5)), range(5)),
        (lr.Arrangement(*type_b(4)), (1, 3, 5, 7)),
    ):
        expected = np.array([1], dtype=object)
        for e in exponents:
            expected = np.convolve(expected, np.array([1, -e], dtype=object))
        assert planes.characteristic_polynomial() == expected[::-1].tolist()


def test_bounded_chambers_of_general_position():
    for n, d in ((6, 2), (9, 3), (8, 4)):
        planes = lr.Arrangement(*moment_curve(n, d))
        assert planes.bounded_count() == comb(n - 1, d)


def test_numbers_of_any_size_are_exact():
    planes = lr.Arrangement(np.eye(100), np.zeros(100))
    assert int(planes.count()) == 2**100
    assert planes.whitney_numbers() == [comb(100, k) for k in range(101)]
    grid = np.repeat(np.eye(30), 20, axis=0)
    planes = lr.Arrangement(grid, np.tile(np.arange(20), 30))
    assert int(planes.count()) == 21**30


def test_count_of_the_known_large_cases():
    generate, chambers = COUNTED["threshold_6"]
    result = lr.Arrangement(*generate()).count()
    assert int(result) == chambers
    assert (result.what, result.method, result.kind) == ("chamber", "recursion", "exact")
    assert result.error_probability == 0.0
    assert factorial(10) == int(lr.Arrangement(*braid(10)).count())


def test_modular_counts_state_their_error():
    table = np.array(resonance(4)[0], dtype=float) + 0.0
    planes = lr.Arrangement(table * 0.1, np.zeros(len(table)))
    result = planes.count(verify=True)
    assert int(result) == 370
    # The braid arrangement in other coordinates: its minors are too large for one sure prime.
    generator = random.Random(1)
    turn = [[generator.randrange(-(10**25), 10**25) for _ in range(4)] for _ in range(4)]
    normals = [
        [sum(int(row[k]) * turn[k][j] for k in range(4)) for j in range(4)] for row in braid(4)[0]
    ]
    result = lr.Arrangement(normals, [0] * len(normals)).count()
    assert result.arithmetic == "modular"
    assert 0 < result.error_probability < 2.0**-60
    assert int(result) == 24


# ---- the class ----


def test_arrangements_compare_hash_and_pickle_by_value():
    a = lr.Arrangement([[1, 2], [3, 4]], [0, 1])
    b = lr.Arrangement([[1.0, 2.0], [3.0, 4.0]], [-0.0, 1.0])
    assert a == b
    assert hash(a) == hash(b)
    a.count()
    assert pickle.loads(pickle.dumps(a)) == a
    big = lr.Arrangement([[2**60 + 1, 0]], [1])
    assert pickle.loads(pickle.dumps(big)) == big
    assert hash(pickle.loads(pickle.dumps(big))) == hash(big)
    assert big != lr.Arrangement([[2**60, 0]], [1])
    assert repr(a) == "Arrangement(n=2, dim=2)"
    assert len(a) == 2
    with pytest.raises(AttributeError):
        a.normals = None
    with pytest.raises(ValueError, match="read-only"):
        a.normals[0, 0] = 3


def test_order_does_not_depend_on_threads():
    for table in (resonance(5), moment_curve(20, 4)):
        planes = lr.Arrangement(*table)
        serial = planes.sign_vectors(threads=1)
        for threads in (2, 7):
            np.testing.assert_array_equal(planes.sign_vectors(threads=threads), serial)


@pytest.mark.parametrize("table", [resonance(4), moment_curve(12, 3)])
def test_limit_gives_the_first_chambers(table):
    planes = lr.Arrangement(*table)
    whole = planes.sign_vectors(threads=1)
    found = planes.chambers(limit=37)
    np.testing.assert_array_equal(found.sign_vectors, whole[:37])
    assert found.status == "limit"
    result = planes.count(limit=37)
    assert (result.kind, result.status) == ("lower", "limit")
    assert 37 <= result.value <= len(whole)


@pytest.mark.parametrize("table", [resonance(4), moment_curve(12, 3)])
def test_stream_hands_out_the_list_in_blocks(table):
    planes = lr.Arrangement(*table)
    parts = []
    result = planes.stream(lambda part: parts.append(part), block=50, points=True)
    whole = planes.chambers(points=True, threads=1)
    joined = np.concatenate([p.sign_vectors for p in parts])
    np.testing.assert_array_equal(joined, whole.sign_vectors)
    assert int(result) == len(whole)
    assert len(parts) > 3
    stopped = planes.stream(lambda part: False, block=10)
    assert (stopped.status, stopped.value) == ("cancelled", 10)


@pytest.mark.parametrize("method", ["sweep", "rays", "tree"])
def test_streams_come_in_the_serial_order_whatever_the_threads(method):
    planes = lr.Arrangement(*moment_curve(26, 4))
    whole = planes.sign_vectors(method=method, threads=1)
    for threads in (1, 2, 5):
        parts = []
        result = planes.stream(parts.append, method=method, block=999, threads=threads)
        assert int(result) == len(whole)
        assert {len(part) for part in parts[:-1]} == {999}
        assert [part.first for part in parts] == list(range(0, len(whole), 999))
        joined = np.concatenate([part.sign_vectors for part in parts])
        np.testing.assert_array_equal(joined, whole)


def test_sign_vectors_that_memory_does_not_hold(monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr("linear_regions._chambers._swept", full)
    simple, other = lr.Arrangement(*moment_curve(12, 3)), lr.Arrangement(*resonance(4))
    with pytest.raises(MemoryError, match=r"299 chambers take .* GiB.*limit=.*stream"):
        simple.chambers()
    # Without proof that there are so many, there may be fewer.
    assert len(other.chambers()) == 370
    with pytest.raises(lr.DegenerateInput, match="simple"):
        other.chambers(method="sweep")


def test_cancel_and_time_limit_stop_a_long_call():
    planes = lr.Arrangement(*threshold(6))
    cancel = threading.Event()
    cancel.set()
    for method in ("recursion", "tree"):
        result = planes.count(method=method, cancel=cancel)
        assert (result.kind, result.status) == ("lower", "cancelled")
    result = planes.count(method="tree", time_limit=0.05)
    assert (result.kind, result.status) == ("lower", "time_limit")
    assert planes.chambers(time_limit=0.05).status == "time_limit"


def test_a_count_that_a_time_limit_finds_done_is_complete():
    planes = lr.Arrangement([[1, 0], [0, 1], [1, 1]], [0, 0, -1])
    assert planes.count(time_limit=0.0).status == "complete"
    assert planes.whitney_numbers(time_limit=0.0) == [1, 3, 3]


class SecondCall:
    """Called back with progress, it does something the second time: in the middle of the run."""

    def __init__(self, action):
        self.calls, self.action = 0, action

    def __call__(self, found, fraction):
        self.calls += 1
        if self.calls == 2:
            self.action()


@pytest.mark.parametrize("call", ["whitney_numbers", "characteristic_polynomial", "bounded_count"])
@pytest.mark.parametrize("threads", [1, 2])
def test_whitney_numbers_that_are_cut_short_come_as_lower_bounds(call, threads):
    planes = lr.Arrangement(*resonance(7))
    cancel = threading.Event()
    options = {"threads": threads, "cancel": cancel, "progress": SecondCall(cancel.set)}
    with pytest.raises(lr.Unfinished, match="was cancelled.*lower bounds") as cut:
        getattr(planes, call)(**options)
    assert len(cut.value.partial) == 8
    assert cut.value.partial[0] == 1
    assert 1 < sum(cut.value.partial) < 347_326_352
    cancel.clear()

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(lr.Interrupted) as stop:
        getattr(planes, call)(threads=threads, progress=SecondCall(interrupt))
    assert 1 < sum(stop.value.partial) < 347_326_352


def test_wrong_arguments_are_named():
    planes = lr.Arrangement([[1, 0]], [0])
    with pytest.raises(lr.InvalidInput, match="method"):
        planes.count(method="magic")
    with pytest.raises(lr.InvalidInput, match="method"):
        planes.sign_vectors(method="recursion")
    with pytest.raises(lr.Unsupported, match="tree"):
        planes.count(lr.Box(-1, 1), method="recursion")
    with pytest.raises(lr.Unsupported, match="tree"):
        planes.sign_vectors(lr.Box(-1, 1), method="sweep")
    with pytest.raises(lr.InvalidInput, match="float"):
        planes.count(method="recursion", arithmetic="float")
    with pytest.raises(lr.InvalidInput, match="finite"):
        lr.Arrangement([[np.nan]], [0.0])
    with pytest.raises(TypeError, match="domain"):
        planes.count(3)
    with pytest.raises(lr.InvalidInput, match="normals must be an array"):
        lr.Arrangement([[1, 2], [3]], [0, 0])
    with pytest.raises(TypeError, match="sink"):
        planes.stream(None)
    with pytest.raises(lr.Unsupported, match="256 distinct"):
        lr.Arrangement([[1]] * 257, range(257)).count(method="rays")


def test_domains_of_lower_dimension_take_their_own_coordinates():
    planes = lr.Arrangement(*resonance(3))
    line = lr.Segment([-2.0, 1.0, 0.5], [2.0, 1.5, -0.25])
    result = planes.count(line)
    assert int(result) == len(planes.sign_vectors(line))
    assert planes.interior_points(line).shape == (int(result), 1)
    flat = lr.Slice([0.1, 0.2, 0.3], [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    assert int(planes.count(flat)) == int(planes.count(flat, method="tree"))
    fixed = lr.Box([-1.0, 0.5, -1.0], [1.0, 0.5, 1.0])
    assert int(planes.count(fixed)) == len(planes.sign_vectors(fixed))


def test_high_dimensions_go_to_a_tree():
    planes = lr.Arrangement(np.eye(24, dtype=int), np.ones(24, dtype=int))
    found = planes.chambers(limit=1000)
    assert (len(found), found.status) == (1000, "limit")
    assert found.method in ("rays", "tree")


def test_a_stream_with_a_limit_proves_no_more_than_it_hands_out(monkeypatch):
    planes = lr.Arrangement(*moment_curve(40, 5))  # 760,000 chambers, 6 MB
    whole = planes.sign_vectors(method="sweep", limit=3000)
    for held in (1 << 20, 0):  # bytes
        monkeypatch.setattr("linear_regions._chambers._HELD", held)
        parts = []
        result = planes.stream(parts.append, block=700, limit=3000)
        assert (result.value, result.status, result.method) == (3000, "limit", "sweep")
        joined = np.concatenate([part.sign_vectors for part in parts])
        np.testing.assert_array_equal(joined, whole)


@pytest.mark.parametrize("held", [1 << 26, 0])
def test_a_stream_of_the_sweep_stops_between_blocks(monkeypatch, held):
    monkeypatch.setattr("linear_regions._chambers._HELD", held)
    planes, cancel = lr.Arrangement(*moment_curve(20, 3)), threading.Event()
    result = planes.stream(lambda part: cancel.set(), block=100, cancel=cancel)
    assert (result.status, result.value) == ("cancelled", 100)
    result = planes.stream(lambda part: time.sleep(0.06), block=100, time_limit=0.05)
    assert result.status == "time_limit"
    assert result.value in (0, 100)  # none where the machine is slow
