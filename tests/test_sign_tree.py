# SPDX-License-Identifier: MIT
"""Both sign trees visit every chamber of any arrangement once, and prove it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from linear_regions import _core
from linear_regions._hyperplanes import checked_rows, hyperplanes
from linear_regions.reference.rational import deepest_point

Rows = Sequence[Sequence[Any]]


def core(rows: Rows | np.ndarray, d: int | None = None) -> _core.Hyperplanes:
    """Rows (a, b) as the core's object, exactly."""
    if len(rows) == 0:
        return hyperplanes(np.zeros((0, (d or 0) + 1)))
    table = np.array(rows, dtype=object) if not isinstance(rows, np.ndarray) else rows
    normals, offsets = checked_rows(table[:, :-1], table[:, -1])
    both = np.concatenate([normals, offsets[:, None]], axis=1)
    return hyperplanes(both, both.shape[1] - 1)


ENGINES = ("rays", "tree")
engines = pytest.mark.parametrize("engine", ENGINES)


def count(rows: Rows | np.ndarray, sides: Rows = (), *, threads: int = 1, **options: Any) -> Any:
    planes = core(rows)
    keys = {
        "certified": True, "limit": None, "time_limit": None, "poll": None, "engine": "tree",
    } | options  # fmt: skip
    return _core.sign_tree_count(planes, core(sides, planes.d), threads=threads, **keys)


def listed(
    rows: Rows | np.ndarray, sides: Rows = (), *, d: int | None = None, **options: Any
) -> Any:
    planes = core(rows, d)
    keys = {
        "certified": True, "points": True, "threads": 1, "limit": None, "time_limit": None,
        "poll": None, "engine": "tree",
    } | options  # fmt: skip
    found = _core.sign_tree_list(planes, core(sides, planes.d), **keys)
    return {**found, "columns": found["columns"]()}


def sign_strings(signs: np.ndarray, n: int) -> list[str]:
    bits = np.unpackbits(signs.view(np.uint8).reshape(len(signs), -1), axis=1, bitorder="little")
    assert not bits[:, n:].any()
    return ["".join("01"[b] for b in row[:n]) for row in bits.tolist()]


def reference(rows: Rows | np.ndarray, sides: Rows = ()) -> set[str]:
    """Extend sign vectors by one row after another; a cell lives if it has an interior point."""
    exact = [[Fraction(v) for v in row] for row in np.asarray(rows, dtype=object).tolist()]
    d = len(exact[0]) - 1

    def lives(cell: list[list[Fraction]]) -> bool:
        return deepest_point([tuple(row) for row in cell], d).depth > 0

    cells = [("", [[Fraction(v) for v in row] for row in sides])]
    for row in exact:
        minus = [-v for v in row]
        if not any(row[:-1]):
            cells = [(word + "01"[row[-1] > 0], cell) for word, cell in cells]
            continue
        cells = [
            (word + sign, [*cell, side])
            for word, cell in cells
            for sign, side in (("0", minus), ("1", row))
            if lives([*cell, side])
        ]
    return {word for word, _ in cells}


def check(rows: Rows | np.ndarray, sides: Rows = ()) -> Any:
    """Both trees' sets of sign vectors are the reference's, and points prove them."""
    expected = reference(rows, sides)
    check_one(rows, sides, "rays", expected)
    return check_one(rows, sides, "tree", expected)


def check_one(rows: Rows | np.ndarray, sides: Rows, engine: str, expected: set[str]) -> Any:
    found = listed(rows, sides, engine=engine)
    assert found["method"] in (engine, "tree")  # without any hyperplane there are no rays
    n, columns = len(rows), found["columns"]
    words = sign_strings(columns["signs"], n)
    assert len(words) == len(set(words)) == found["chambers"]
    assert set(words) == expected
    assert found["status"] == "complete"
    exact_points = dict(columns["exact_points"])
    exact = [[Fraction(v) for v in row] for row in np.asarray(rows, dtype=object).tolist()]
    for i, word in enumerate(words):
        if i in exact_points:
            assert np.isnan(columns["points"][i]).all()
            point = [
                Fraction(int(top, 16), int(bottom, 16))
                for top, bottom in (text.split("/") for text in exact_points[i])
            ]
        else:
            point = [Fraction(v) for v in columns["points"][i].tolist()]
        for row, bit in zip(exact, word, strict=True):
            value = sum((a * x for a, x in zip(row, point, strict=False)), row[-1])
            assert value > 0 if bit == "1" else value < 0 or not any(row)
        for side in sides:
            assert sum((a * x for a, x in zip(side, point, strict=False)), side[-1]) > 0
    return found


# ---- families with known numbers ----


def resonance(d: int) -> list[list[int]]:
    return [[*v, 0] for v in itertools.product([0, 1], repeat=d) if any(v)]


def threshold(n: int) -> list[list[int]]:
    return [[1, *v, 0] for v in itertools.product([1, -1], repeat=n)]


def differences(n: int, offsets: Sequence[int], pairs: Any = None) -> list[list[int]]:
    """Rows x_i - x_j = c."""
    rows = []
    for i, j in pairs or itertools.combinations(range(n), 2):
        for c in offsets:
            row = [0] * (n + 1)
            row[i], row[j], row[n] = 1, -1, -c
            rows.append(row)
    return rows


def roots(n: int, *, short: bool) -> list[list[int]]:
    rows = differences(n, [0])
    for i, j in itertools.combinations(range(n), 2):
        rows.append([1 if k in (i, j) else 0 for k in range(n + 1)])
    return rows + [[int(k == i) for k in range(n + 1)] for i in range(n) if short]


def e8() -> list[list[int]]:
    rows = [
        [2 if k == i else 2 * s if k == j else 0 for k in range(8)]
        for i, j in itertools.combinations(range(8), 2)
        for s in (1, -1)
    ]
    return rows + [[1, *s] for s in itertools.product([1, -1], repeat=7) if np.prod(s) == 1]


def e7() -> list[list[int]]:
    return [[*v, 0] for v in e8() if v[6] + v[7] == 0]


def e6() -> list[list[int]]:
    return [[*v, 0] for v in e8() if v[5] == v[6] == v[7]]


def f4() -> list[list[int]]:
    return roots(4, short=True) + [[1, *s, 0] for s in itertools.product([1, -1], repeat=3)]


KNOWN = [
    ("resonance_2", resonance(2), 6),
    ("resonance_3", resonance(3), 32),
    ("resonance_4", resonance(4), 370),
    ("resonance_5", resonance(5), 11_292),
    ("threshold_2", threshold(2), 14),
    ("threshold_3", threshold(3), 104),
    ("threshold_4", threshold(4), 1_882),
    ("threshold_5", threshold(5), 94_572),
    ("braid_6", differences(6, [0]), math.factorial(6)),
    ("B_4", roots(4, short=True), 2**4 * 24),
    ("B_5", roots(5, short=True), 2**5 * 120),
    ("D_5", roots(5, short=False), 2**4 * 120),
    ("F_4", f4(), 1_152),
    ("E_6", e6(), 51_840),
    ("Shi_5", differences(5, [0, 1]), 6**4),
    ("Catalan_4", differences(4, [-1, 0, 1]), math.comb(8, 4) // 5 * 24),
    ("Linial_5", differences(5, [1]), 246),
    ("semiorder_4", differences(4, [-1, 1]), 183),
    ("K_44", differences(8, [0], list(itertools.product(range(4), range(4, 8)))), 6_902),
]  # Sources: OEIS A034997, A000609, A007889, A006531, A048163; Weyl groups' orders; Shi, Catalan.


@engines
@pytest.mark.parametrize(("rows", "chambers"), [k[1:] for k in KNOWN], ids=[k[0] for k in KNOWN])
def test_known_families_have_their_number_of_chambers(rows, chambers, engine):
    found = count(rows, engine=engine)
    assert found["chambers"] == chambers
    assert found["status"] == "complete"


LARGE = pytest.mark.parametrize(
    ("rows", "chambers"), [(resonance(6), 1_066_044), (e7(), 2_903_040)], ids=["resonance_6", "E_7"]
)


@pytest.mark.slow
@LARGE
def test_large_families_have_their_number_of_chambers(rows, chambers):
    assert count(rows)["chambers"] == chambers


@LARGE
def test_rays_count_large_families(rows, chambers):
    found = count(rows, engine="auto")
    assert (found["method"], found["chambers"]) == ("rays", chambers)


def test_rays_visit_no_chamber_twice():
    signs = listed(resonance(6), points=False, engine="rays")["columns"]["signs"]
    assert len(np.unique(signs)) == len(signs) == 1_066_044


@engines
@pytest.mark.parametrize(("n", "d"), [(12, 2), (16, 3), (14, 5), (10, 8), (70, 2), (7, 12)])
def test_simple_arrangements_have_zaslavskys_number(n, d, engine):
    rows = np.random.default_rng(n).normal(size=(n, d + 1))
    assert count(rows, engine=engine)["chambers"] == sum(math.comb(n, i) for i in range(d + 1))
    rows[:, -1] = 0
    central = 2 * sum(math.comb(n - 1, i) for i in range(d))
    assert count(rows, engine=engine)["chambers"] == central


@engines
@pytest.mark.parametrize("n", [63, 64, 65, 128, 129])
def test_any_number_of_rows_is_packed_right(n, engine):
    rows = np.random.default_rng(n).normal(size=(n, 3)).round(3)
    found = listed(rows, engine=engine)
    words = sign_strings(found["columns"]["signs"], n)
    assert len(set(words)) == 1 + n + math.comb(n, 2)
    points = found["columns"]["points"]
    assert not np.isnan(points).any()
    positive = points @ rows[:, :2].T + rows[:, 2] > 0
    assert words == ["".join("01"[b] for b in row) for row in positive.tolist()]


def test_dimensions_beyond_twenty_are_ordinary():
    rows = np.eye(24, 25)[:11]
    rows[:, 24] = 1
    extra = np.ones((1, 25))
    found = count(np.concatenate([rows, extra, -extra]))
    assert found["chambers"] == 2**12


# ---- against the reference ----


@pytest.mark.parametrize("seed", range(30))
def test_random_small_integers_agree_with_the_reference(seed):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 5))
    n = int(rng.integers(1, 9 if d < 4 else 7))
    check(rng.integers(-2, 3, size=(n, d + 1)).tolist())


@pytest.mark.parametrize("seed", range(12))
def test_domains_agree_with_the_reference(seed):
    rng = np.random.default_rng(100 + seed)
    d = int(rng.integers(1, 4))
    rows = rng.integers(-2, 3, size=(6, d + 1)).tolist()
    sides = [[*row, 1] for row in np.concatenate([np.eye(d), -np.eye(d)]).astype(int).tolist()]
    if seed % 2:
        sides.append([1] * d + [1])
    check(rows, sides)


def test_degenerate_rows_are_ordinary():
    check([[1, 0, 0], [2, 0, 0], [-3, 0, 0], [0, 0, 0], [0, 0, 1], [0, 0, -1], [1, 0, 1]])
    check([[1, 1, 2], [1, -1, 0], [1, 0, 1]])  # all through (-1, -1)
    check([[0, 0, 0], [0, 0, 0]])
    check([[1, 2, 3, 4], [2, 4, 6, 8], [1, 2, 3, 5]])
    check([[1, 0]])
    check([[3], [-2], [0]])  # R^0


def test_the_empty_arrangement_has_one_chamber():
    for d in (0, 1, 3):
        found = listed([], d=d)
        assert found["chambers"] == 1
        assert found["columns"]["signs"].shape == (1, 0)
        assert found["columns"]["points"].shape == (1, d)


def test_bundles_of_parallels_make_a_grid():
    rows = [[int(k == axis) for k in range(3)] + [-c] for axis in range(3) for c in range(4)]
    check([row for row in rows if row[-1] > -3])
    assert count(rows)["chambers"] == 5**3
    rng = np.random.default_rng(1)
    normals = rng.normal(size=(3, 3))
    bundle = [[*normal, c] for normal in normals for c in rng.normal(size=5)]
    found = count(np.array(bundle))
    assert found["chambers"] == 6**3


# ---- numbers that tolerances get wrong ----


@pytest.mark.parametrize("gap", [1e-7, 1e-9, 1e-12, 2e-16])
def test_thin_cells_are_found(gap):
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(4, 3))
    rows = np.concatenate([rows, rows * (1 + gap * rng.integers(-2, 3, size=rows.shape))])
    check(rows)


def test_three_lines_almost_through_a_point_have_seven_cells():
    for nudge in (0.0, 1e-9, 2.0**-51, -(2.0**-52)):
        found = check([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0], [1.0, 1.0, -2.0 - nudge]])
        assert found["chambers"] == (6 if nudge == 0 else 7)


def test_cells_between_adjacent_doubles_are_found():
    third = 1 / 3
    rows = [[1.0, -third], [1.0, -math.nextafter(third, 1)], [1.0, -math.nextafter(third, 0)]]
    found = check(rows)
    assert found["chambers"] == 4
    assert len(found["columns"]["exact_points"]) == 2  # no double lies between
    plane = [[1.0, 0.0, -v] for v in (third, math.nextafter(third, 1))]
    check([*plane, *([0.0, 1.0, -v] for v in (third, math.nextafter(third, 1))), [1.0, 1.0, -0.7]])


@pytest.mark.parametrize("seed", range(4))
def test_numbers_of_extreme_size_are_exact(seed):
    rng = np.random.default_rng(seed)
    rows = rng.integers(-2, 3, size=(5, 3)) * np.exp2(rng.integers(-990, 990, size=(5, 3)))
    check(rows)
    check(rng.integers(-2, 3, size=(5, 3)) * np.array([1e300, 1e-300, 5e-324]))


def test_integers_beyond_doubles_stay_apart():
    big = 2**60
    found = check([[big, 1, 0], [big + 1, 1, 0], [big, 1, 1], [2 * big, 2, 0], [1, 0, -big]])
    assert found["chambers"] > 4


def test_float_arithmetic_is_an_estimate_of_the_same_tree():
    assert count(resonance(4), certified=False)["chambers"] == 370


# ---- order, limits, streams, threads ----


@pytest.mark.parametrize(
    ("engine", "rows", "chambers"),
    [("tree", resonance(5), 11_292), ("rays", threshold(5), 94_572), ("rays", e6(), 51_840)],
    ids=["tree", "rays", "rays in six dimensions"],
)
def test_order_does_not_depend_on_threads(engine, rows, chambers):
    one = listed(rows, points=False, engine=engine)["columns"]["signs"]
    for threads in (2, 5):
        many = listed(rows, points=False, threads=threads, engine=engine)["columns"]["signs"]
        np.testing.assert_array_equal(one, many)
    assert count(rows, threads=3, engine=engine)["chambers"] == chambers


@engines
def test_a_limit_gives_the_first_chambers(engine):
    rows = resonance(4)
    everything = listed(rows, engine=engine)["columns"]["signs"]
    for limit in (1, 2, 7, 369):
        found = listed(rows, limit=limit, threads=2, engine=engine)
        assert found["chambers"] == limit
        assert found["status"] == "limit"
        np.testing.assert_array_equal(found["columns"]["signs"], everything[:limit])
    found = listed(rows, limit=370, engine=engine)
    assert (found["chambers"], found["status"]) == (370, "complete")


@engines
def test_a_stream_is_the_list_in_blocks(engine):
    rows = np.random.default_rng(5).normal(size=(14, 4))
    blocks: list[dict[str, Any]] = []

    def take(block: dict[str, Any]) -> bool:
        blocks.append(block)
        return True

    planes = core(rows)
    found = _core.sign_tree_stream(
        planes, core([], 3), True, True, 1, 100, None, None, None, take, engine
    )
    whole = listed(rows, engine=engine)["columns"]
    assert found["chambers"] == len(whole["signs"])
    assert [len(b["signs"]) for b in blocks[:-1]] == [100] * (len(blocks) - 1)
    np.testing.assert_array_equal(np.concatenate([b["signs"] for b in blocks]), whole["signs"])
    np.testing.assert_array_equal(np.concatenate([b["points"] for b in blocks]), whole["points"])
    stopped = _core.sign_tree_stream(
        planes, core([], 3), True, False, 1, 10, None, None, None, lambda block: False, engine
    )
    assert stopped["status"] == "cancelled"


@engines
def test_a_time_limit_and_a_cancel_end_the_run(engine):
    rows = np.random.default_rng(6).normal(size=(60, 7))
    assert count(rows, time_limit=0.05, threads=2, engine=engine)["status"] == "time_limit"
    cancelled = count(rows, poll=lambda found, fraction: found < 1, engine=engine)
    assert cancelled["status"] == "cancelled"


@engines
def test_a_domain_without_interior_is_refused(engine):
    with pytest.raises(ValueError, match="no interior point"):
        count([[1, 0]], [[1, 0], [-1, 0]], engine=engine)
    with pytest.raises(ValueError, match="no interior point"):
        count([[1, 1, 0]], [[1, 0, -1], [-1, 1, -1], [0, -1, 1]], engine=engine)


# ---- which tree runs ----


def test_a_trial_gives_degenerate_input_to_rays_and_simple_input_to_witnesses():
    assert count(resonance(5), engine="auto")["method"] == "rays"
    simple = np.random.default_rng(7).normal(size=(24, 8))
    assert count(simple, engine="auto", limit=10)["method"] == "tree"
    cube = [[*side, 1] for side in np.concatenate([np.eye(16), -np.eye(16)]).astype(int).tolist()]
    in_cube = count([[1] * 16 + [0]], cube, engine="auto")
    assert (in_cube["chambers"], in_cube["method"]) == (2, "tree")


def test_rays_name_what_they_do_not_take():
    with pytest.raises(ValueError, match="256 distinct hyperplanes"):
        count([[1, i] for i in range(257)], engine="rays")
    with pytest.raises(ValueError, match="certified"):
        count([[1, 0]], engine="rays", certified=False)


def test_rays_that_doubles_do_not_hold_are_exact():
    rng = np.random.default_rng(11)
    rows = rng.integers(-40, 41, size=(9, 5)) * rng.integers(1, 2**40, size=(9, 1)) + 1
    found = count(rows.tolist(), engine="rays")
    assert found["work"]["exact_rays"] == found["work"]["rays"] > 0
    assert found["chambers"] == count(rows.tolist())["chambers"]
    small = count(resonance(4), engine="rays")
    assert small["work"]["exact_rays"] == 0
