# SPDX-License-Identifier: MIT
"""One-layer maxima go on after whatever ended them, and end with the same answer."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import linear_regions as lr
from linear_regions import _core, _ledger
from linear_regions._one_layer import compiled, exact
from test_checkpoint import run

Spec = lr.ConvSpec
CASES: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "multiset": (((1, 3, 3), Spec(filters=7, kernel_size=2)), {"rng": 1, "method": "multiset"}),
    "frontier": (
        ((1, 6, 6), Spec(filters=9, kernel_size=2)),
        {"weights": "free", "method": "frontier"},
    ),
    "direct": (((1, 6, 6), Spec(filters=3, kernel_size=3)), {"rng": 2, "method": "direct"}),
    "particles": (((1, 7, 7), Spec(filters=6, kernel_size=4)), {"rng": 2, "method": "particles"}),
    "auto": (((2, 3, 3), Spec(filters=5, kernel_size=2)), {"rng": 3}),
}


CALLS = {
    "multiset": ["count_filter_tuples"],
    "frontier": [],  # its predictions call it as well
    "direct": ["direct_trials"],
    "particles": ["particle_batches"],
    "auto": ["count_filter_tuples"],
}


@pytest.fixture
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ledger, "SAVE_SECONDS", 1e-4)
    monkeypatch.setattr(exact, "_known", {})


@pytest.mark.parametrize("name", CASES)
def test_a_maximum_that_is_stopped_goes_on_and_ends_with_the_same_number(
    name: str, tmp_path: Path, short_slices: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, options = CASES[name]
    whole = lr.one_layer_maximum(*layer, **options)
    seconds = 0.01
    for calls in range(1, 300):
        monkeypatch.setattr(exact, "_known", {})
        found = lr.one_layer_maximum(
            *layer, **options, checkpoint=tmp_path / "c", time_limit=seconds, threads=1 + calls % 2
        )
        if found.status == "complete":
            break
        assert found.status == "time_limit"
        seconds *= 1.2
    assert (found.value, found.kind, found.interval) == (whole.value, whole.kind, whole.interval)
    monkeypatch.setattr(exact, "_known", {})
    for call in CALLS[name]:
        monkeypatch.setattr(_core, call, lambda *_, **__: pytest.fail("it counted"))
    again = lr.one_layer_maximum(*layer, **options, checkpoint=tmp_path / "c")
    assert (again.value, again.interval, again.work) == (found.value, found.interval, found.work)


def test_every_state_of_a_multiset_count_leads_to_the_same_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    states: list[tuple[Any, ...]] = []
    calls: list[dict[str, Any]] = []
    count = _core.count_filter_tuples

    def kept(**arguments: Any) -> dict[str, Any]:
        calls.append(arguments)
        found: dict[str, Any] = count(**arguments, every=1e-9, save=states.append)
        return found

    monkeypatch.setattr(_core, "count_filter_tuples", kept)
    lr.one_layer_maximum((1, 4, 4), Spec(filters=3, kernel_size=2), rng=1, method="multiset")
    arguments = calls[0]
    whole = count(**arguments)
    assert len(states) > 20
    for state in states[:: max(1, len(states) // 8)]:
        if state[0][1] > whole["nodes"]:
            continue
        found = count(**arguments, start=state)
        assert (found["high"], found["low"]) == (whole["high"], whole["low"])
        assert found["nodes"] == whole["nodes"]
    ways = [state[1].tolist() for state in states]
    assert any(len(way) > 2 and any(number & 1 for number in way[1:]) for way in ways)


@pytest.mark.parametrize(
    ("shape", "filters", "kernel"), [((1, 5, 9), 5, 2), ((1, 5, 5), 40, 2), ((1, 4, 30), 3, 3)]
)
def test_every_state_of_a_frontier_count_leads_to_the_same_residues(
    shape: tuple[int, ...], filters: int, kernel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[tuple[Any, ...]] = []
    calls: list[dict[str, Any]] = []
    count = _core.count_frontier
    monkeypatch.setattr(exact, "_known", {})

    def kept(**arguments: Any) -> dict[str, Any]:
        calls.append(arguments)
        found: dict[str, Any] = count(**arguments, every=1e-9, save=states.append)
        return found

    compiled.frontier_cost.cache_clear()
    spec = Spec(filters=filters, kernel_size=kernel)
    lr.one_layer_maximum(shape, spec, weights="free", method="frontier")  # predictions kept
    monkeypatch.setattr(exact, "_known", {})
    monkeypatch.setattr(_core, "count_frontier", kept)
    whole = lr.one_layer_maximum(shape, spec, weights="free", method="frontier")
    assert states
    for state in states[:: max(1, len(states) // 10)]:
        monkeypatch.setattr(exact, "_known", {})
        monkeypatch.setattr(
            _core,
            "count_frontier",
            lambda state=state, **arguments: count(**arguments, start=state),
        )
        found = lr.one_layer_maximum(shape, spec, weights="free", method="frontier")
        assert found.value == whole.value


def test_draws_without_a_seed_are_drawn_once(tmp_path: Path, short_slices: None) -> None:
    layer = ((1, 6, 6), Spec(filters=3, kernel_size=3))
    first = lr.one_layer_maximum(*layer, method="direct", checkpoint=tmp_path / "c")
    again = lr.one_layer_maximum(*layer, method="direct", checkpoint=tmp_path / "c")
    assert again == first


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"conv_spec": Spec(filters=3, kernel_size=2)}, "another layer"),
        ({"input_shape": (1, 4, 4)}, "another layer"),
        ({"breakpoints": 2}, "breakpoints '1', this call has '2'"),
        ({"rng": 2}, "was made with rng"),
        ({"rng": None}, "was made with rng"),
        ({"method": "exact"}, "method 'auto', this call has 'exact'"),
        ({"bias": "free"}, "bias 'shared', this call has 'free'"),
    ],
)
def test_a_checkpoint_of_another_layer_is_refused(
    change: dict[str, Any], text: str, tmp_path: Path
) -> None:
    given: dict[str, Any] = {
        "input_shape": (1, 3, 3), "conv_spec": Spec(filters=2, kernel_size=2), "rng": 1,
    }  # fmt: skip
    lr.one_layer_maximum(**given, checkpoint=tmp_path / "c")
    with pytest.raises(lr.InvalidInput, match=text):
        lr.one_layer_maximum(**{**given, **change}, checkpoint=tmp_path / "c")
    same = lr.one_layer_maximum(
        **{**given, "input_shape": [1, 3, 3], "rng": np.random.default_rng(1)},
        checkpoint=tmp_path / "c",
    )
    assert same.value == 255


def test_a_damaged_checkpoint_of_a_layer_is_refused(tmp_path: Path, short_slices: None) -> None:
    layer = ((1, 4, 4), Spec(filters=2, kernel_size=2))
    options = {"rng": 1, "method": "multiset", "checkpoint": tmp_path / "c"}
    lr.one_layer_maximum(*layer, **options, time_limit=0.01)
    good = (tmp_path / "c").read_bytes()
    for at in range(0, len(good), max(1, len(good) // 40)):
        (tmp_path / "c").write_bytes(good[:at] + bytes([good[at] ^ 0x20]) + good[at + 1 :])
        with pytest.raises(lr.CorruptFile):
            lr.one_layer_maximum(*layer, **options)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the killed process is a fork")
@pytest.mark.parametrize("kind", ["multiset", "estimate"])
def test_a_maximum_that_is_killed_again_and_again_is_the_same(kind: str, tmp_path: Path) -> None:
    lines = run("killed_again_and_again", str(tmp_path), f"layer-{kind}")
    assert lines == ""
    value, status, runs = (tmp_path / "answer").read_text().split()
    import long_run

    whole = lr.one_layer_maximum(**long_run.long_layer(kind))
    assert (int(value), status) == (whole.value, "complete")
    assert int(runs) > 2


@pytest.mark.parametrize("seconds", [0.03, 0.06, 0.1])
def test_a_run_that_stops_before_it_is_back_at_its_state_loses_nothing(
    seconds: float, tmp_path: Path
) -> None:
    """Its table has what was counted, so the way to where that ended must stay with it."""
    call = partial(
        lr.one_layer_maximum,
        (1, 4, 4),
        lr.ConvSpec(filters=3, kernel_size=2),
        rng=1,
        method="multiset",
        threads=1,
        checkpoint=tmp_path / "run",
    )
    call(time_limit=seconds)
    call(time_limit=0.0)
    stop = threading.Event()
    stop.set()
    call(cancel=stop)
    assert call().value == 108_359_232
