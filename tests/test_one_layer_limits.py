# SPDX-License-Identifier: MIT
"""What exact counts of one layer cost, where they end early, and what they refuse."""

from __future__ import annotations

import threading
import time
from itertools import product

import numpy as np
import pytest

import linear_regions as lr
from helpers import layer_maximum as maximum
from helpers import layer_part as part_of
from linear_regions._one_layer import compiled, exact, parts
from linear_regions._one_layer.beyond import rigorous_bracket
from linear_regions._one_layer.compiled import (
    frontier_cost,
    frontier_values,
)
from linear_regions._one_layer.draws import OutOfReach
from linear_regions._one_layer.matching import matching_sizes
from linear_regions._one_layer.parts import hall_sizes
from linear_regions._one_layer.question import checked
from linear_regions._one_layer.windows import axis_blocks

MERSENNE = 2**61 - 1


def test_cost_is_predicted_within_a_factor():
    for shape, filters, kernel in [((1, 7, 7), 64, 2), ((1, 6, 6), 64, 3), ((1, 20, 6), 64, 3)]:
        part = part_of(shape, filters, kernel)
        _, work = frontier_values(part, [1])
        cost = frontier_cost(part)
        assert cost.fits
        assert 0.3 < cost.bytes / work["bytes"] < 8
    for shape, filters, kernel in [((1, 12, 12), 64, 3), ((1, 28, 28), 6, 5), ((3, 32, 32), 64, 3)]:
        cost = frontier_cost(part_of(shape, filters, kernel))
        assert not cost.fits


def test_layers_out_of_reach_are_refused_before_the_work():
    with pytest.raises(lr.Unsupported, match="out of reach"):
        maximum((1, 28, 28), 6, 5, weights="free", method="exact")
    with pytest.raises(lr.Unsupported, match="out of reach"):
        maximum((1, 28, 28), 6, 5, method="exact")
    with pytest.raises(OutOfReach):
        frontier_values(part_of((1, 7, 7), 64, 3), [1], max_insertions=1000)
    with pytest.raises(lr.Unsupported, match="weights"):
        maximum((1, 3, 3), 2, 2, method="frontier")


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(compiled, "MAX_BYTES", 1 << 20)
    with pytest.raises(OutOfReach):
        frontier_values(part_of((1, 7, 7), 64, 3), [1])


def test_time_limit_and_cancel_leave_a_bracket():
    exact._known.clear()
    count = maximum((1, 8, 8), 63, 2, weights="free", method="frontier", cancel=set_event())
    assert (count.kind, count.status) == ("lower", "cancelled")
    low, high = count.bracket
    truth = int(maximum((1, 8, 8), 63, 2, weights="free"))
    assert low <= truth <= high
    count = maximum((1, 4, 4), 3, 2, method="multiset", cancel=set_event())
    assert (count.kind, count.status) == ("lower", "cancelled")


def test_an_upper_bound_that_had_no_time_for_a_better_one_says_so(tmp_path):
    exact._known.clear()
    asked = {"breakpoints": 2, "bias": "none", "checkpoint": tmp_path / "c"}
    first = maximum((1, 4), 2, 2, time_limit=0.0, **asked)
    assert (first.kind, first.status) == ("upper", "time_limit")
    whole = maximum((1, 4), 2, 2, **asked)
    assert (whole.kind, whole.status) == ("upper", "complete")
    assert whole.value == 441 < first.value


@pytest.mark.parametrize("options", [{"cancel": None}, {"time_limit": 0.0}])
def test_a_scan_hears_that_it_is_to_stop(options):
    """A scan of 51 windows of 4,000 filters takes most of a minute."""
    if "cancel" in options:
        options = {"cancel": set_event()}
    count = maximum((8, 100), 4000, 50, **options)
    assert (count.kind, count.status) == (
        "lower",
        "cancelled" if "cancel" in options else "time_limit",
    )
    assert 1 <= count.bracket[0] <= count.bracket[1]


@pytest.mark.parametrize("layer", [((1, 6), 3, 2), ((1, 3, 3), 2, 2)])
def test_what_was_counted_in_part_is_not_kept(layer):
    class Enough(Exception):
        pass

    steps = iter(range(1000))

    def watch():
        if next(steps) == 3:
            raise Enough

    parts._sizes.clear()
    with pytest.raises(Enough):
        hall_sizes(part_of(*layer), 1000, None, watch)
    found = hall_sizes(part_of(*layer), 1000)
    assert found == hall_sizes(part_of(*layer), 1000, None, watch)
    assert list(found) == matching_sizes(part_of(*layer))[: len(found)]


@pytest.mark.parametrize("options", [{"bias": "none"}, {}, {"weights": "free"}])
def test_a_row_of_a_hundred_thousand_windows_ends_with_its_time_limit(options):
    """Without biases, the sum of 100,000 long binomials came on top: two seconds."""
    start = time.perf_counter()
    count = maximum((1, 100_000), 2, 3, time_limit=1.5, **options)
    assert time.perf_counter() - start < 2.5  # idle: 1.6
    assert count.status == "time_limit"
    assert count.kind == ("upper" if options.get("bias") else "lower")


def test_the_central_limit_is_rounded_up_where_its_sum_is_long(monkeypatch):
    part = part_of((1, 60), 2, 3)
    exact_sum = parts.central_limit(part)
    monkeypatch.setattr(parts, "_EXACT_TERMS", 10)
    above = parts.central_limit(part)
    assert exact_sum < above < exact_sum * (1 + 1e-6)


def test_windows_that_begin_before_others_end_are_counted_as_one_by_one():
    for length, kernel, stride, padding, dilation in product(
        (1, 5, 17), (1, 3, 4), (1, 2, 3), ((0, 0), (3, 1)), (1, 2)
    ):
        for block in axis_blocks(length, kernel, stride, padding, dilation):
            windows = block.windows
            slow = (
                sum(start < stop for start, _, _ in windows[i:])
                for i, (_, stop, _) in enumerate(windows)
            )
            assert compiled._overlap(block) == max(slow)


@pytest.mark.parametrize("weights", ["shared", "free"])
def test_a_bracket_without_time_holds_the_better_one(weights):
    question = checked((8, 8, 8), lr.ConvSpec(40, 3), weights=weights)
    low, high = rigorous_bracket(question, -1.0)
    better = rigorous_bracket(question)
    assert 1 <= low <= better[0] <= better[1] <= high
    assert better == rigorous_bracket(question)


def set_event():
    event = threading.Event()
    event.set()
    return event


def test_ctrl_c_raises_interrupted_with_the_bracket():
    def interrupt(found, fraction):
        raise KeyboardInterrupt

    with pytest.raises(lr.Interrupted) as caught:
        maximum((1, 4, 4), 3, 2, method="multiset", progress=interrupt)
    assert caught.value.partial.status == "cancelled"


def test_an_error_of_the_callback_comes_through():
    def fail(found, fraction):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        maximum((1, 4, 4), 3, 2, method="multiset", progress=fail)


def test_core_refuses_what_is_malformed():
    from linear_regions import _core

    good = {
        "n_inputs": 2, "channels": 1, "windows": [[0], [1]], "symmetries": [],
        "primes": np.array([MERSENNE], dtype=np.uint64),
        "weights": np.array([[1], [1]], dtype=np.uint64),
        "max_bytes": 1 << 30, "max_insertions": 100, "time_limit": None, "poll": None,
    }  # fmt: skip
    assert _core.count_frontier(**good)["residues"] == [4]
    for change in (
        {"windows": []},
        {"windows": [[0], []]},
        {"windows": [[0], [2]]},
        {"channels": 0},
        {"symmetries": [[0]]},
        {"windows": [[0]], "symmetries": [[1, 0]]},
        {"primes": np.array([0], dtype=np.uint64)},
        {"weights": np.array([[MERSENNE], [1]], dtype=np.uint64)},
    ):
        with pytest.raises(ValueError, match=r"layer|window|symmetry|modulus|weights"):
            _core.count_frontier(**{**good, **change})


@pytest.mark.parametrize("weights", ["free", "shared"])
def test_the_number_of_filters_costs_nothing(weights):
    # Four windows see four of nine inputs each: only sets of at most nine neurons count.
    count = maximum((1, 3, 3), 10**12, 2, weights=weights, time_limit=5)
    assert (count.kind, count.status) == ("exact", "complete")
    # Sets of nine neurons lead (docs/bounds.md, Growth); those of eight are smaller by the filters.
    assert abs(int(count) - 29 * 10**108 // 72) < 10**98
