# SPDX-License-Identifier: MIT
"""Counts of chambers that begin with a sweep, and what follows where it is refuted."""

from __future__ import annotations

import time
from math import comb

import numpy as np
import pytest

import linear_regions as lr
from arrangements import nearly_simple
from linear_regions import _arrangement_count


def test_counts_in_general_position_are_swept_where_that_is_faster():
    rng = np.random.default_rng(5)
    for n, d, method in [(12, 4, "sweep"), (18, 9, "sweep"), (15, 3, "recursion")]:
        planes = lr.Arrangement(rng.normal(size=(n, d)), rng.normal(size=n))
        result = planes.count(verify=True)
        assert int(result) == sum(comb(n, k) for k in range(d + 1))
        assert (result.method, result.arithmetic, result.kind) == (method, "certified", "exact")
    # The dual of 20 hyperplanes in R^14 has rank six.
    planes = lr.Arrangement(rng.normal(size=(20, 14)), rng.normal(size=20))
    assert planes.count().method == "recursion"
    scales = 2.0 ** rng.integers(-300, 300, size=(12, 1))  # of no importance
    table = rng.normal(size=(12, 6)) * scales
    assert lr.Arrangement(table[:, :5], table[:, 5]).count().method == "sweep"


@pytest.mark.parametrize("seed", range(6))
def test_a_refuted_sweep_gives_way_to_the_recursion(seed):
    planes = lr.Arrangement(*nearly_simple(seed))
    result = planes.count()
    chambers = len(planes.sign_vectors(method="tree"))
    assert (result.method, int(result)) == ("recursion", chambers)
    assert chambers == sum(planes.whitney_numbers()) < sum(comb(13, k) for k in range(6))
    assert int(planes.count(time_limit=60, threads=2, verify=True)) == chambers


def test_time_limits_of_a_refuted_sweep_are_those_of_the_call(monkeypatch):
    seen = []

    def slow(place, run, *rest):
        time.sleep(0.2)
        raise lr.DegenerateInput("not simple")

    def recursion(place, run, *rest):
        seen.append(run.time_limit)
        raise lr.Unsupported("enough")

    monkeypatch.setattr(_arrangement_count, "count_by_sweep", slow)
    monkeypatch.setattr(_arrangement_count, "_by_recursion", recursion)
    planes = lr.Arrangement(*nearly_simple(0))
    for limit in (None, 100.0, 0.1):
        with pytest.raises(lr.Unsupported, match="enough"):
            planes.count(time_limit=limit)
    assert seen[0] is None
    assert 99 < seen[1] <= 99.8
    assert seen[2] == 0.0


def test_inputs_of_very_different_scales_are_left_to_the_recursion():
    # Doubles decide hardly a sign of such a sweep.
    rng = np.random.default_rng(3)
    for n, d, power in [(12, 7, 20), (13, 8, 40), (16, 5, 200)]:
        table = rng.normal(size=(n, d + 1)) * 2.0 ** np.r_[-power, np.zeros(d - 1), power]
        result = lr.Arrangement(table[:, :d], table[:, d]).count()
        assert (result.method, int(result)) == ("recursion", sum(comb(n, k) for k in range(d + 1)))
        turned = table[:, :d] @ np.linalg.qr(rng.normal(size=(d, d)))[0]
        assert lr.Arrangement(turned, table[:, d]).count().method == "recursion"


def test_progress_and_seconds_of_a_refuted_sweep_are_those_of_the_call(monkeypatch):
    def refuted(place, run, *rest):
        time.sleep(0.2)
        run.poll(40, 0.5)
        raise lr.DegenerateInput("not simple")

    def whitney(rows, dim, run, *rest):
        time.sleep(0.1)  # a bar is drawn at most 20 times a second
        run.poll(3, 0.1)
        return found(rows, dim, run, *rest)

    found = _arrangement_count.whitney_numbers
    monkeypatch.setattr(_arrangement_count, "count_by_sweep", refuted)
    monkeypatch.setattr(_arrangement_count, "whitney_numbers", whitney)
    seen = []
    result = lr.Arrangement(*nearly_simple(0)).count(progress=lambda *now: seen.append(now))
    assert result.seconds > 0.2
    assert len(seen) > 1
    assert seen == sorted(seen)
    assert [fraction for _, fraction in seen] == sorted(fraction for _, fraction in seen)


@pytest.mark.parametrize("row", [[0.0] * 6, [0.0] * 5 + [1.0]])
def test_counts_with_rows_that_cut_nothing(row):
    rng = np.random.default_rng(1)
    table = np.vstack([rng.normal(size=(9, 6)), row])
    result = lr.Arrangement(table[:, :5], table[:, 5]).count()
    assert int(result) == sum(comb(9, k) for k in range(6))


def test_entries_beyond_doubles_are_counted():
    rng = np.random.default_rng(2)
    table = [[int(v) * 10**400 for v in row] for row in rng.integers(-99, 100, size=(9, 6))]
    planes = lr.Arrangement([row[:5] for row in table], [row[5] for row in table])
    assert int(planes.count()) == sum(comb(9, k) for k in range(6))
