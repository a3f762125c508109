# SPDX-License-Identifier: MIT
"""The lowest-vertex sweep against sign vectors in rational arithmetic; its proof of simplicity."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction
from math import comb

import numpy as np
import pytest

from linear_regions._run import run_control
from linear_regions._sweep import NotSimple, Sweep

RUN = run_control(
    arithmetic="certified", threads=1, limit=None, time_limit=None, cancel=None, progress=False
)


def run_with(**options):
    base = {
        "arithmetic": "certified", "threads": 1, "limit": None, "time_limit": None,
        "cancel": None, "progress": False,
    }  # fmt: skip
    return run_control(**(base | options))


def swept(rows, d, run=RUN):
    sweep = Sweep(rows, d)
    out = np.empty((sweep.size, sweep.words), np.uint64)
    report = sweep.fill(0, sweep.size, out, run)
    assert report["status"] == "complete"
    assert report["chambers"] == sweep.size
    return out


def draw(generator, n, d, size=999, central=False):
    def entry():
        return generator.randrange(-size, size + 1)

    return [tuple([entry() for _ in range(d)] + [0 if central else entry()]) for _ in range(n)]


def signs_at(rows, point):
    values = [sum(a * x for a, x in zip(row, (*point, 1), strict=True)) for row in rows]
    assert all(values)
    return tuple(v > 0 for v in values)


def solve(matrix, right):
    """Return the solution of a square rational system, or None where it is singular."""
    size = len(matrix)
    rows = [[Fraction(v) for v in (*row, b)] for row, b in zip(matrix, right, strict=True)]
    for c in range(size):
        pivot = next((r for r in range(c, size) if rows[r][c]), None)
        if pivot is None:
            return None
        rows[c], rows[pivot] = rows[pivot], rows[c]
        rows[c] = [v / rows[c][c] for v in rows[c]]
        for r in range(size):
            if r != c and rows[r][c]:
                rows[r] = [u - rows[r][c] * v for u, v in zip(rows[r], rows[c], strict=True)]
    return [row[-1] for row in rows]


def around_vertices(rows, d):
    """Return the sign vectors around all vertices: of a simple arrangement of n >= d, all of them.

    Every chamber of a simple arrangement with at least d hyperplanes has a vertex, and all sign
    combinations of the d hyperplanes through a vertex occur around it.
    """
    found = set()
    for chosen in itertools.combinations(range(len(rows)), d):
        vertex = solve([rows[i][:-1] for i in chosen], [-rows[i][-1] for i in chosen])
        assert vertex is not None
        values = [sum(a * x for a, x in zip(r, (*vertex, 1), strict=True)) for r in rows]
        for combination in itertools.product((False, True), repeat=d):
            signs = [v > 0 for v in values]
            for i, sign in zip(chosen, combination, strict=True):
                signs[i] = sign
            found.add(tuple(signs))
    return found


def unpacked(words, n):
    bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")[:, :n]
    return {tuple(bool(b) for b in row) for row in bits.tolist()}


@pytest.mark.parametrize("seed", range(25))
def test_sweep_finds_the_sign_vectors_around_all_vertices(seed):
    generator = random.Random(seed)
    d = generator.randrange(1, 5)
    n = generator.randrange(d, 9)
    rows = draw(generator, n, d)
    words = swept(rows, d)
    expected = around_vertices(rows, d)
    assert unpacked(words, n) == expected
    assert len(words) == len(expected)


@pytest.mark.parametrize("seed", range(10))
def test_sweep_of_central_arrangements_is_symmetric_and_complete(seed):
    generator = random.Random(seed)
    d = generator.randrange(1, 5)
    n = generator.randrange(1, 9)
    rows = draw(generator, n, d, central=True)
    words = swept(rows, d)
    found = unpacked(words, n)
    assert len(found) == len(words) == 2 * sum(comb(n - 1, i) for i in range(d))
    assert found == {tuple(not s for s in signs) for signs in found}
    # The half with the last sign positive is an affine arrangement of one dimension less, whose
    # sign vectors come from points on random rays.
    for _ in range(200):
        point = [generator.randrange(-(10**6), 10**6) for _ in range(d)]
        values = [sum(a * x for a, x in zip(row, point, strict=False)) for row in rows]
        if all(values):
            assert tuple(v > 0 for v in values) in found


@pytest.mark.parametrize(
    ("n", "d"), [(0, 0), (0, 3), (1, 1), (3, 7), (64, 2), (65, 2), (129, 2), (20, 5)]
)
def test_sweep_counts_as_zaslavsky(n, d):
    words = swept(draw(random.Random(n * 10 + d), n, d, 10**6), d)
    assert len(words) == sum(comb(n, i) for i in range(d + 1))
    if n:
        assert len(np.unique(words, axis=0)) == len(words)


@pytest.mark.parametrize("gap", [1e-9, 1e-12, 2.0**-52])
def test_nearly_concurrent_lines_are_told_apart(gap):
    # Three lines through nearly one point: seven chambers, one of them tiny.
    ratio = Fraction(gap)
    rows = [(1, 0, 0), (0, 1, 0), (ratio.denominator, ratio.denominator, ratio.numerator)]
    assert len(np.unique(swept(rows, 2), axis=0)) == 7


@pytest.mark.parametrize("seed", range(5))
def test_large_integers_give_the_same_as_their_reference(seed):
    generator = random.Random(seed)
    rows = draw(generator, 7, 3, 10**40)
    assert unpacked(swept(rows, 3), 7) == around_vertices(rows, 3)


@pytest.mark.parametrize(
    ("rows", "d", "what"),
    [
        ([(1, 0, 0), (0, 1, 0), (1, 1, 0), (1, 2, 5)], 2, "meet in a common point"),
        ([(1, 1, 0), (2, 2, 7), (0, 1, 1)], 2, "dependent normals"),
        ([(1, 0, 0), (0, 0, 4)], 2, "zero normal"),
        ([(1, 2, 3), (2, 4, 6)], 2, "."),
        ([(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (1, 1, 0, 0)], 3, "."),
    ],
)
def test_arrangements_that_are_not_simple_are_refused_with_a_witness(rows, d, what):
    with pytest.raises(NotSimple, match=what):
        Sweep(rows, d).prove(RUN)


def test_order_does_not_depend_on_threads_or_blocks():
    rows = draw(random.Random(5), 40, 4)
    whole = swept(rows, 4)
    assert np.array_equal(whole, swept(rows, 4, run_with(threads=7)))
    sweep = Sweep(rows, 4)
    pieces, first = [], 0
    for size in (1, 7, 1000, 12_345, 10**9):
        last = min(sweep.size, first + size)
        out = np.empty((last - first, sweep.words), np.uint64)
        sweep.fill(first, last, out, RUN)
        pieces.append(out)
        first = last
    assert np.array_equal(whole, np.concatenate(pieces))


def test_blocks_of_central_arrangements_join_to_the_whole():
    rows = draw(random.Random(6), 65, 3, central=True)
    whole = swept(rows, 3)
    sweep = Sweep(rows, 3)
    pieces = []
    for first in range(0, sweep.size, 999):
        last = min(sweep.size, first + 999)
        out = np.empty((last - first, sweep.words), np.uint64)
        sweep.fill(first, last, out, RUN)
        pieces.append(out)
    assert np.array_equal(whole, np.concatenate(pieces))


def test_a_time_limit_leaves_a_valid_beginning():
    rows = draw(random.Random(7), 60, 5)
    sweep = Sweep(rows, 5)
    out = np.zeros((sweep.size, sweep.words), np.uint64)
    done, seconds = 0, 0.01
    while not done:  # a busy machine may not begin at once
        report = sweep.fill(0, sweep.size, out, run_with(time_limit=seconds, threads=2))
        done, seconds = report["chambers"], 2 * seconds
    assert report["status"] == "time_limit"
    assert 0 < done < sweep.size
    again = np.empty((done, sweep.words), np.uint64)
    sweep.fill(0, done, again, RUN)
    assert np.array_equal(out[:done], again)


@pytest.mark.parametrize("seed", range(20))
def test_points_lie_in_their_chambers_in_rational_arithmetic(seed):
    generator = random.Random(seed)
    d = generator.randrange(1, 6)
    n = generator.randrange(1, 12)
    rows = draw(generator, n, d, central=seed % 3 == 0)
    sweep = Sweep(rows, d)
    out = np.empty((sweep.size, sweep.words), np.uint64)
    sweep.fill(0, sweep.size, out, RUN)
    points, exact = sweep.points(0, sweep.size, out)
    assert points.shape == (sweep.size, d)
    bits = np.unpackbits(out.view(np.uint8), axis=1, bitorder="little")[:, :n]
    for rank, point in enumerate(points.tolist()):
        assert np.isnan(point).any() == (rank in exact)
        where = exact[rank] if rank in exact else [Fraction(v) for v in point]
        assert signs_at(rows, where) == tuple(bool(b) for b in bits[rank])


def test_a_chamber_between_adjacent_doubles_has_an_exact_point():
    low, high = Fraction(1), Fraction(1) + Fraction(1, 2**52)
    rows = [(1, -low.numerator)]
    rows += [(high.denominator, -high.numerator)]
    sweep = Sweep(rows, 1)
    out = np.empty((sweep.size, 1), np.uint64)
    sweep.fill(0, sweep.size, out, RUN)
    points, exact = sweep.points(0, sweep.size, out)
    between = int(np.flatnonzero(out[:, 0] == 1)[0])
    assert np.isnan(points[between]).all()
    assert low < exact[between][0] < high
    assert len(exact) == 1


@pytest.mark.parametrize("central", [False, True])
def test_interior_points_do_not_depend_on_how_the_ranks_are_divided(central):
    rng = np.random.default_rng(5)
    n, d = 17, 4
    table = rng.integers(-50, 50, (n, d + 1))
    table[:, d] *= not central
    sweep = Sweep([tuple(row) for row in table.tolist()], d)
    run = run_control(
        arithmetic="certified", threads=1, limit=None, time_limit=None, cancel=None, progress=False
    )
    words = np.empty((sweep.size, sweep.words), np.uint64)
    sweep.fill(0, sweep.size, words, run)
    whole, exact = sweep.points(0, sweep.size, words)
    for _ in range(60):
        first = int(rng.integers(sweep.size))
        last = min(sweep.size, first + int(rng.integers(1, 40)))
        points, here = sweep.points(first, last, words[first:last])
        assert np.array_equal(points, whole[first:last], equal_nan=True)
        assert here == {i - first: point for i, point in exact.items() if first <= i < last}
