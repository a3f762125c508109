# SPDX-License-Identifier: MIT
"""Results say what was counted, how sure it is, and survive numbers of any size."""

from __future__ import annotations

import json
import math
import operator
import pickle
import sys

import numpy as np
import pytest

from linear_regions._numbers import decimal_string, short_number
from linear_regions.errors import InvalidInput
from linear_regions.result import Bound, Bounds, NotApplicable, RegionCount, SampleCount

HUGE = 10**20_000 + 7


@pytest.mark.parametrize("number", [0, 1, 9, 10**512 - 1, 10**512, 3**999, -(10**600), 2**14_000])
def test_decimal_string_equals_str(number):
    assert decimal_string(number) == str(number)


def test_decimal_string_works_where_python_refuses():
    with pytest.raises(ValueError, match="digits"):
        str(HUGE)
    assert decimal_string(HUGE) == "1" + "0" * 19_999 + "7"
    before = sys.get_int_max_str_digits()
    try:
        sys.set_int_max_str_digits(640)
        assert len(decimal_string(HUGE)) == 20_001
        assert short_number(HUGE) == "1.000e+20000"
    finally:
        sys.set_int_max_str_digits(before)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (10**20 - 1, "99999999999999999999"),
        (10**20, "1.000e+20"),
        (123456 * 10**30, "1.235e+35"),
        (99995 * 10**30, "1.000e+35"),
        (99994 * 10**30, "9.999e+34"),
        (10**300 - 1, "1.000e+300"),
        (-(10**25), "-1.000e+25"),
    ],
)
def test_short_number_shows_at_most_twenty_digits(number, text):
    assert short_number(number) == text


def test_a_count_is_no_number_until_it_is_asked_for_one():
    assert RegionCount(15) != 15
    assert RegionCount(15) not in {15}
    for compare in (operator.lt, operator.ge):
        with pytest.raises(TypeError, match="not supported between instances"):
            compare(RegionCount(15), 20)


def test_int_needs_an_exact_and_complete_count():
    assert int(RegionCount(15)) == 15
    for kind, status in [("exact", "limit"), ("lower", "complete"), ("estimate", "complete")]:
        with pytest.raises(InvalidInput, match="value"):
            int(RegionCount(15, kind=kind, status=status))


def test_exact_without_an_error_probability_is_refused():
    with pytest.raises(InvalidInput, match="error_probability"):
        RegionCount(3, arithmetic="float", error_probability=None)
    estimate = RegionCount(3, kind="estimate", arithmetic="float", error_probability=None)
    assert estimate.interval is None
    assert estimate.bracket is None


def test_interval_and_bracket_follow_from_kind_and_certainty():
    exact = RegionCount(7)
    assert (exact.interval, exact.confidence, exact.bracket) == ((7, 7), 1.0, (7, 7))
    modular = RegionCount(7, arithmetic="modular", error_probability=2.0**-61)
    assert modular.interval == (7, 7)
    assert modular.confidence is not None
    assert modular.confidence < 1.0
    assert modular.bracket is None
    partial = RegionCount(7, kind="lower", status="time_limit")
    assert partial.interval == (7, None)
    assert RegionCount(7, kind="upper").bracket == (0, 7)


def test_counts_compare_by_value_without_the_clock():
    one = RegionCount(7, seconds=1.0, work={"cells": 3})
    two = RegionCount(7, seconds=2.0, work={"cells": 4})
    assert one == two
    assert hash(one) == hash(two)
    assert one != RegionCount(8)
    assert one != RegionCount(7, kind="lower")


def test_results_pickle():
    bound = Bound("trivial", "upper", "maximum", HUGE, "one bit per unit", ("none",))
    items = [
        RegionCount(HUGE, related={"published formula": bound}),
        bound,
        Bounds((bound,), (NotApplicable("other", "padding"),), dim=3),
        SampleCount(3, 4, key=2**127),
    ]
    for item in items:
        assert pickle.loads(pickle.dumps(item)) == item


def test_dict_is_json_with_decimal_strings_beside_the_logarithm():
    bound = Bound("formula", "upper", "maximum", HUGE, "theorem")
    count = RegionCount(HUGE, related={"published formula": bound}, work={"nodes": 3})
    data = json.loads(json.dumps(count.to_dict(), allow_nan=False))
    assert data["value"] == decimal_string(HUGE)
    assert data["log10"] == pytest.approx(20_000)
    assert data["interval"] == [data["value"], data["value"]]
    assert data["related"]["published formula"]["value"] == data["value"]
    assert json.dumps(RegionCount(0).to_dict(), allow_nan=False)
    assert RegionCount(0).log10 == -math.inf
    assert json.dumps(SampleCount(3, 4, key=5).to_dict(), allow_nan=False)


def test_repr_is_one_short_line():
    for item in [
        RegionCount(HUGE, kind="lower", status="limit"),
        Bound("b", "exact", "maximum", HUGE, ""),
        Bounds((Bound("b", "exact", "maximum", HUGE, ""),)),
        SampleCount(10, 10, saturated=True),
    ]:
        assert "\n" not in repr(item)
        assert len(repr(item)) < 200
    assert "1.000e+20000" in repr(RegionCount(HUGE))


def test_numbers_are_checked():
    assert type(RegionCount(np.int64(3)).value) is int
    for bad in (1.5, True, "3"):
        with pytest.raises(TypeError, match="value"):
            RegionCount(bad)
    with pytest.raises(InvalidInput, match="negative"):
        RegionCount(-1)
    with pytest.raises(InvalidInput, match="kind"):
        RegionCount(1, kind="sure")
    with pytest.raises(InvalidInput, match="low <= high"):
        RegionCount(1, kind="estimate", interval=(2, 1))
    with pytest.raises(InvalidInput, match="samples"):
        SampleCount(5, 4)


def test_bounds_pick_the_best_for_their_subject():
    one = Bound("one", "lower", "network", 1, "")
    mean = Bound("mean", "upper", "average", 2, "")
    low = Bound("low", "lower", "maximum", 5, "")
    exact = Bound("exact", "exact", "maximum", 9, "")
    high = Bound("high", "upper", "maximum", 16, "")
    architecture = Bounds((mean, low, exact, high))
    assert architecture.lower is exact
    assert architecture.upper is exact
    network = Bounds((one, mean, low, high), subject="network")
    assert network.lower is one
    assert network.upper is high
    assert network.lower_of_maximum is low
    assert Bounds(()).upper is None
    assert Bounds(()).lower is None


def test_bounds_are_found_by_name():
    bounds = Bounds(
        (Bound("a", "upper", "maximum", 3, ""),), (NotApplicable("b", "a layer has padding"),)
    )
    assert bounds["a"].value == bounds[0].value == 3
    assert "a" in bounds
    assert bounds[0] in bounds
    assert [bound.name for bound in bounds] == ["a"]
    with pytest.raises(KeyError, match="padding"):
        bounds["b"]
    with pytest.raises(KeyError, match="no bound"):
        bounds["c"]
