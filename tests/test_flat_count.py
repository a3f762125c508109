# SPDX-License-Identifier: MIT
"""The modular recursion over flats gives the known Whitney numbers."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from math import comb

import numpy as np
import pytest

from arrangements import COUNTED, LARGE, SMALL, moment_curve, resonance
from linear_regions import _core, _flat_count
from linear_regions._flat_count import whitney_numbers
from linear_regions._run import run_control


def run(threads=1, **options):
    common = {"arithmetic": "certified", "limit": None, "time_limit": None, "cancel": None}
    return run_control(**{**common, "progress": False, "threads": threads, **options})


def rows_of(table):
    return [(*normal, offset) for normal, offset in zip(*table, strict=True)]


def count(table, **options):
    return whitney_numbers(rows_of(table), len(table[0][0]), run(**options))


FAMILIES = {**SMALL, **LARGE}


@pytest.mark.parametrize("name", FAMILIES)
def test_whitney_numbers_add_up_to_the_known_number(name):
    generate, chambers = FAMILIES[name]
    table = generate()
    found = count(table)
    assert sum(found.whitney) == chambers
    assert found.whitney[:1] == [1]
    assert found.error_probability < 2.0**-60
    if not any(table[1]):  # central: chi(1) = 0
        assert sum((-1) ** k * b for k, b in enumerate(found.whitney)) == 0


@pytest.mark.parametrize("name", ["threshold_6", "braid_10", "cross_polytope_12"])
def test_numbers_too_large_to_list_are_right(name):
    generate, chambers = COUNTED[name]
    assert sum(count(generate(), threads=2).whitney) == chambers


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resonance_7", "demicube_7", "E_8"])
def test_the_largest_known_numbers_are_right(name):
    generate, chambers = COUNTED[name]
    assert sum(count(generate()).whitney) == chambers


@pytest.mark.parametrize("name", ["resonance_5", "shi_5", "E_6", "moment_10_6"])
@pytest.mark.parametrize("threads", [2, 7])
def test_threads_do_not_change_a_number(name, threads):
    table = FAMILIES[name][0]()
    assert count(table, threads=threads).whitney == count(table).whitney


@pytest.mark.parametrize("name", ["resonance_4", "threshold_4", "shi_5", "K_44", "F_4", "grid_345"])
def test_random_primes_agree_with_certain_ones(name, monkeypatch):
    table = FAMILIES[name][0]()
    sure = count(table)
    assert sure.error_probability == 0.0
    monkeypatch.setattr(_flat_count, "_MERSENNE", 0)
    drawn = count(table)
    assert drawn.whitney == sure.whitney
    assert 0 < drawn.error_probability < 2.0**-60
    assert drawn.work["primes"] >= 2


def test_general_position_is_proved_by_one_prime():
    normals, offsets = moment_curve(24, 5)
    found = count((normals, offsets))
    assert found.whitney == [comb(24, k) for k in range(6)]
    assert (found.error_probability, found.work["primes"]) == (0.0, 1)
    huge = 10**40
    scaled = [[v * huge + 1 for v in row] for row in normals], [1] * 24
    found = count(scaled)
    assert found.error_probability == 0.0


def test_a_wrong_prime_is_noticed(monkeypatch):
    """Modulo 3 many minors vanish: such a run must not be taken when another disagrees."""
    table = resonance(4)
    primes = iter([1_000_003, 3, 1_000_003, 1_000_033, 1_000_037, 1_000_039])
    monkeypatch.setattr(_flat_count, "_MERSENNE", 0)
    monkeypatch.setattr(_flat_count, "_random_prime", lambda: next(primes))
    found = count(table)
    assert sum(found.whitney) == 370


def test_full_stores_are_worked_off_in_parts():
    """A level that does not fit merges less, and counts the same."""
    rows = rows_of(resonance(6))
    coordinates, _ = _flat_count._coordinates(rows, 8191)
    table = np.array(coordinates, dtype=np.uint64).T.copy()
    answers = [
        _core.count_flats(table, 8191, threads, None, None, store_bytes)
        for threads in (1, 3)
        for store_bytes in (1 << 28, 1000)
    ]
    assert len({tuple(answer["whitney"]) for answer in answers}) == 1
    assert answers[1]["merged"] < answers[0]["merged"]
    assert sum(low for _, low in answers[0]["whitney"]) == 1_066_044 // 2


def test_uniform_matroids_of_small_corank_are_counted_by_their_duals():
    generator = np.random.default_rng(7)
    rows = [tuple(row) for row in generator.integers(-(10**6), 10**6, size=(43, 41)).tolist()]
    found = whitney_numbers(rows, 40, run())
    assert found.whitney == [comb(43, k) for k in range(41)]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_stopped_look_at_the_dual_does_not_say_that_a_matroid_is_uniform(workers):
    """The numbers of a uniform matroid are the largest ones, so no lower bounds."""
    generator = np.random.default_rng(7)
    rows = generator.integers(-9, 10, size=(20, 15))
    rows[:3, 2:] = 0  # three hyperplanes with a line of normals in a plane
    rows = [tuple(row) for row in rows.tolist()]
    whole = whitney_numbers(rows, 14, run()).whitney
    stop = threading.Event()
    stop.set()
    with ThreadPoolExecutor(1) as pool:
        found = whitney_numbers(rows, 14, run(cancel=stop), executor=pool if workers else None)
    assert found.status == "cancelled"
    assert all(some <= all_ for some, all_ in zip(found.whitney, whole, strict=True))


def test_independent_hyperplanes_cut_like_the_coordinate_ones():
    generator = np.random.default_rng(7)
    rows = [tuple(row) for row in generator.integers(-9, 10, size=(70, 101)).tolist()]
    assert sum(whitney_numbers(rows, 100, run()).whitney) == 2**70


def test_independence_is_proved_or_left_open():
    p = 2**31 - 1
    rng = np.random.default_rng(5)
    for _ in range(200):
        n, d = rng.integers(1, 9, size=2).tolist()
        rank = int(rng.integers(0, min(n, d) + 1))
        rows = rng.integers(-9, 10, size=(n, rank)) @ rng.integers(-9, 10, size=(rank, d))
        true = np.linalg.matrix_rank(rows.astype(float)) == n  # small integers
        assert _flat_count._independent([tuple(map(int, row)) for row in rows]) == true
    assert _flat_count._independent([(2**200, 1), (1, 2**200)])
    assert not _flat_count._independent([(p, 0), (0, 1)])  # independent, but not modulo p
    whole = whitney_numbers([(p, 0, 1), (0, p, 1)], 2, run())
    assert whole.whitney == [1, 2, 1]
    assert 0 < whole.error_probability < 2.0**-60


def test_a_time_limit_gives_a_lower_bound():
    found = count(COUNTED["E_8"][0](), time_limit=0.05)
    assert found.status == "time_limit"
    assert 0 < sum(found.whitney) < 696_729_600


def test_primes_are_prime():
    primes = [v for v in range(2, 2000) if _flat_count._is_prime(v)]
    assert primes == [v for v in range(2, 2000) if all(v % q for q in range(2, v))]
    assert not _flat_count._is_prime(3_215_031_751)  # a strong pseudoprime to bases 2, 3, 5, 7
    assert 2**60 < _flat_count._random_prime() < 2**61
