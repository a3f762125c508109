# SPDX-License-Identifier: MIT
"""Long calls can be limited, cancelled, interrupted and watched, and say what they found."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time

import numpy as np
import pytest

import linear_regions as lr


def mlp(widths: list[int], seed: int) -> lr.Network:
    rng = np.random.default_rng(seed)
    layers: list[lr.layers.Layer] = []
    for n_in, n_out in itertools.pairwise(widths):
        weight = rng.normal(0, np.sqrt(2 / n_in), (n_out, n_in))
        layers += [lr.Affine(weight, rng.normal(0, 1, n_out)), lr.relu()]
    return lr.Network(widths[0], layers)


@pytest.fixture(scope="module")
def endless() -> lr.Network:
    """Return a network that keeps one core busy for a minute or so."""
    return mlp([2, 700, 700, 700], 1)


@pytest.fixture(scope="module")
def small() -> lr.Network:
    return mlp([2, 20, 20], 2)


@pytest.mark.parametrize("threads", [1, 2])
def test_time_limit_gives_a_lower_bound_in_time(endless: lr.Network, threads: int) -> None:
    begin = time.perf_counter()
    result = lr.count(endless, time_limit=0.2, threads=threads)
    assert time.perf_counter() - begin < 5.0  # generous: the machine may be busy
    assert (result.kind, result.status) == ("lower", "time_limit")
    assert result.value > 0
    with pytest.raises(lr.InvalidInput, match="kind='exact'"):
        int(result)


@pytest.mark.parametrize("threads", [1, 2])
def test_limit_stops_at_the_limit(endless: lr.Network, threads: int) -> None:
    result = lr.count(endless, limit=1000, threads=threads)
    assert (result.value, result.kind, result.status) == (1000, "lower", "limit")


def test_limit_above_the_count_changes_nothing(small: lr.Network) -> None:
    whole = lr.count(small)
    assert lr.count(small, limit=10**30) == whole
    assert int(lr.count(small, limit=whole.value + 1)) == whole.value


def test_listing_with_a_limit_gives_the_first_regions(small: lr.Network) -> None:
    everything = lr.regions(small)
    some = lr.regions(small, limit=17, threads=4)
    assert len(some) == 17
    assert some.count.status == "limit"
    np.testing.assert_array_equal(some.patterns, everything.patterns[:17])


@pytest.mark.parametrize("call", [lr.count, lr.regions])
def test_cancel_stops_and_keeps_what_was_found(endless: lr.Network, call: object) -> None:
    cancel = threading.Event()
    timer = threading.Timer(0.2, cancel.set)
    timer.start()
    begin = time.perf_counter()
    result = call(endless, cancel=cancel)  # type: ignore[operator]
    assert time.perf_counter() - begin < 5.0
    count = result if isinstance(result, lr.RegionCount) else result.count
    assert (count.status, count.kind) == ("cancelled", "lower")
    if isinstance(result, lr.Regions):
        assert len(result) == count.value > 0


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_raises_with_the_partial_result(endless: lr.Network, threads: int) -> None:
    sent = []

    def interrupt() -> None:
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.2, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt) as stop:
        lr.count(endless, threads=threads)
    assert time.perf_counter() - sent[0] < 2.0  # 0.1 s on a quiet machine
    assert isinstance(stop.value, lr.Interrupted)
    assert stop.value.partial.status == "cancelled"
    assert stop.value.partial.value > 0


def test_progress_rises_and_ends_below_or_at_one(endless: lr.Network) -> None:
    seen: list[tuple[int, float]] = []
    lr.count(endless, time_limit=0.5, progress=lambda found, done: seen.append((found, done)))
    assert len(seen) >= 2
    assert all(a <= b for a, b in itertools.pairwise(seen))
    assert 0.0 <= seen[-1][1] <= 1.0


def test_an_error_in_the_progress_callback_reaches_the_caller(endless: lr.Network) -> None:
    def broken(found: int, done: float) -> None:
        raise RuntimeError("no more paper")

    with pytest.raises(RuntimeError, match="no more paper"):
        lr.count(endless, progress=broken)


def test_progress_bar_needs_tqdm_only(endless: lr.Network, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    lr.count(endless, time_limit=0.3, progress=True)
    assert "regions" in capsys.readouterr().err


def test_other_python_threads_run_during_a_count(endless: lr.Network) -> None:
    ticks = 0
    stop = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not stop.wait(0.001):
            ticks += 1

    thread = threading.Thread(target=tick)
    thread.start()
    lr.count(endless, time_limit=0.5, threads=1)
    stop.set()
    thread.join()
    assert ticks > 20


def test_concurrent_calls_share_a_network(small: lr.Network) -> None:
    expected = lr.count(small).value
    fresh = lr.Network(small.input_shape, small.layers)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(lr.count(fresh).value)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 8


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"threads": 0}, lr.InvalidInput, "threads"),
        ({"threads": 1.5}, TypeError, "threads"),
        ({"limit": 0}, lr.InvalidInput, "limit"),
        ({"time_limit": -1}, lr.InvalidInput, "time_limit"),
        ({"time_limit": float("nan")}, lr.InvalidInput, "time_limit"),
        ({"time_limit": "soon"}, TypeError, "time_limit"),
        ({"cancel": True}, TypeError, "cancel"),
        ({"progress": 3}, TypeError, "progress"),
        ({"arithmetic": "exact"}, lr.InvalidInput, "certified"),
        ({"method": "magic"}, lr.InvalidInput, "polygons"),
        ({"method": 3}, TypeError, "method"),
        ({"what": "holes"}, lr.InvalidInput, "activation"),
        ({"what": "linear"}, lr.Unsupported, "activation"),
        ({"domain": 3}, TypeError, "Box"),
    ],
)
def test_wrong_options_are_named(
    small: lr.Network, options: dict, error: type[Exception], words: str
) -> None:
    for call in (lr.count, lr.regions):
        with pytest.raises(error, match=words):
            call(small, **options)


def test_a_network_of_another_kind_is_named() -> None:
    with pytest.raises(TypeError, match="Network"):
        lr.count([1, 2, 3])  # type: ignore[arg-type]


def test_three_dimensions_are_refused_with_alternatives() -> None:
    net = lr.Network(3, [lr.Affine(np.eye(3)), lr.relu()])
    with pytest.raises(lr.Unsupported, match="Slice"):
        lr.count(net)
    with pytest.raises(lr.Unsupported, match="3"):
        lr.count(net, lr.Box(-1, 1))


def test_float_arithmetic_is_an_estimate(small: lr.Network) -> None:
    result = lr.count(small, arithmetic="float")
    assert (result.kind, result.arithmetic) == ("estimate", "float")
    assert result.error_probability is None
    assert result.value == lr.count(small).value
