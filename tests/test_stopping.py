# SPDX-License-Identifier: MIT
"""Long calls can be stopped, watched and run side by side."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import linear_regions as lr
import strategies


@pytest.fixture(scope="module")
def small() -> lr.Network:
    """Return a network with some thousand regions, counted in milliseconds."""
    return strategies.mlp_of([2, 40, 40, 1], np.random.default_rng(0))


@pytest.fixture(scope="module")
def endless() -> lr.Network:
    """Return a network that nobody waits for."""
    return strategies.mlp_of([2, *[700] * 6, 1], np.random.default_rng(0))


def count(net: lr.Network, **options: Any) -> lr.RegionCount:
    return lr.count(net, **options)


def listed(net: lr.Network, **options: Any) -> lr.RegionCount:
    found = lr.regions(net, **options)
    assert len(found) == found.count.value
    return found.count


both = pytest.mark.parametrize("call", [count, listed])
Call = Callable[..., lr.RegionCount]


def later(seconds: float, action: Callable[[], object]) -> threading.Timer:
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()
    return timer


# --- limits --------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("threads", [1, 2])
def test_a_time_limit_gives_what_was_found(call: Call, endless: lr.Network, threads: int) -> None:
    start = time.perf_counter()
    number = call(endless, time_limit=0.2, threads=threads)
    assert time.perf_counter() - start < 60.0  # the call itself would not end
    assert (number.status, number.kind, number.arithmetic) == ("time_limit", "lower", "certified")
    assert number.value > 0
    assert number.interval is not None
    assert number.interval[0] == number.value
    with pytest.raises(lr.LinearRegionsError):
        int(number)


@both
def test_a_time_limit_that_is_not_reached_changes_nothing(call: Call, small: lr.Network) -> None:
    assert call(small, time_limit=600.0).status == "complete"
    assert call(small, time_limit=float("inf")).status == "complete"


@both
def test_a_limit_stops_an_endless_run(call: Call, endless: lr.Network) -> None:
    number = call(endless, limit=10)
    assert (number.status, number.kind) == ("limit", "lower")
    assert number.value >= 10


@both
@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"limit": 0}, ValueError, "limit must be at least 1"),
        ({"limit": 1.5}, TypeError, "limit must be an int"),
        ({"time_limit": -1.0}, ValueError, "time_limit must be"),
        ({"time_limit": float("nan")}, ValueError, "time_limit must be"),
        ({"time_limit": "1"}, TypeError, "time_limit must be"),
        ({"threads": 0}, ValueError, "threads must be at least 1"),
        ({"threads": 2.0}, TypeError, "threads must be an int"),
        ({"cancel": True}, TypeError, "cancel must be a threading.Event"),
        ({"progress": 3}, TypeError, "progress must be"),
        ({"arithmetic": "exact"}, ValueError, "'certified' or 'float'"),
        ({"method": "magic"}, ValueError, "method must be"),
        ({"what": "pieces"}, ValueError, "what must be one of"),
        ({"domain": (0, 1)}, TypeError, "domain must be"),
    ],
)
def test_wrong_options_say_what_is_expected(
    call: Call, small: lr.Network, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        call(small, **options)


def test_what_is_counted_must_be_a_network() -> None:
    with pytest.raises(TypeError, match="net must be a Network"):
        lr.count([1, 2, 3])  # type: ignore[arg-type]
    for call in (lr.count, lr.regions, lr.sample):
        with pytest.raises(TypeError, match="an Architecture, which has no weights; bounds"):
            call(lr.Architecture.mlp([2, 3, 1]))  # type: ignore[arg-type]


# --- stopping from outside -----------------------------------------------------------------------


@both
@pytest.mark.parametrize("threads", [1, 2])
def test_cancel_stops_soon(call: Call, endless: lr.Network, threads: int) -> None:
    event = threading.Event()
    later(0.2, event.set)
    start = time.perf_counter()
    number = call(endless, cancel=event, threads=threads)
    assert 0.1 < time.perf_counter() - start < 60.0  # the call itself would not end
    assert (number.status, number.kind) == ("cancelled", "lower")


@both
@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_gives_the_partial_result(call: Call, endless: lr.Network) -> None:
    later(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(lr.Interrupted) as caught:
        call(endless)
    assert isinstance(caught.value, KeyboardInterrupt)
    partial = caught.value.partial
    number = partial if call is count else partial.count
    assert number.status == "cancelled"
    assert number.value > 0


@both
def test_an_error_in_the_callback_reaches_the_caller(call: Call, endless: lr.Network) -> None:
    def watch(found: int, fraction: float) -> None:
        raise LookupError("stop here")

    with pytest.raises(LookupError, match="stop here"):
        call(endless, progress=watch, time_limit=60.0)


@both
def test_progress_only_grows(call: Call, endless: lr.Network) -> None:
    seen: list[tuple[int, float]] = []
    enough = threading.Event()

    def watch(found: int, part: float) -> None:
        seen.append((found, part))
        if len(seen) == 5:
            enough.set()

    call(endless, progress=watch, cancel=enough, time_limit=60.0)
    assert len(seen) >= 5
    for (found, part), (more, further) in pairwise(seen):
        assert found <= more
        assert 0.0 <= part <= further <= 1.0


# --- side by side --------------------------------------------------------------------------------


def test_other_python_threads_run_meanwhile(endless: lr.Network) -> None:
    ticks = 0
    done = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.wait(0.001):
            ticks += 1

    other = threading.Thread(target=tick)
    other.start()
    lr.count(endless, time_limit=0.5, threads=1)
    done.set()
    other.join()
    assert ticks > 5


def test_one_network_may_be_counted_by_many_threads(small: lr.Network) -> None:
    expected = int(lr.count(small, threads=1))
    fresh = lr.Network(small.input_shape, small.layers)  # its program is not built yet
    results: list[int] = []

    def work() -> None:
        for _ in range(5):
            results.append(int(lr.count(fresh, threads=2)))

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == [expected] * 30


def test_networks_can_be_counted_in_a_loop_without_growing_memory(small: lr.Network) -> None:
    resource = pytest.importorskip("resource", reason="reads the peak of memory")

    def peak() -> int:
        return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

    for _ in range(20):
        lr.regions(small)
    before = peak()
    for _ in range(200):
        lr.regions(small)
    assert peak() - before < 50_000  # kilobytes


# --- floating point ------------------------------------------------------------------------------


def test_a_float_count_is_an_estimate(small: lr.Network) -> None:
    number = lr.count(small, arithmetic="float")
    assert (number.kind, number.status, number.arithmetic) == ("estimate", "complete", "float")
    assert number.error_probability is None
    # Generic weights have no near-ties, so the number is right, but nothing says so.
    assert number.value == int(lr.count(small))
    with pytest.raises(lr.LinearRegionsError):
        int(number)
    found = lr.regions(small, arithmetic="float")
    assert not found.interior_proved.any()


# --- streams -------------------------------------------------------------------------------------


def test_a_stream_gives_all_regions_and_then_its_count(small: lr.Network) -> None:
    stream = lr.regions(small, stream=True, block=100)
    assert stream.count is None
    sizes = [len(block) for block in stream]
    assert max(sizes) <= 100
    assert sum(sizes) == int(stream.count) == int(lr.count(small))
    assert list(stream) == []


def test_a_stream_can_be_closed_early(endless: lr.Network) -> None:
    before = threading.active_count()
    with lr.regions(endless, stream=True, block=50) as stream:
        first = next(stream)
    assert len(first) == 50
    assert threading.active_count() == before
    with pytest.raises(StopIteration):
        next(stream)


def test_a_stream_obeys_limits(small: lr.Network, endless: lr.Network) -> None:
    stream = lr.regions(small, stream=True, limit=130, block=50)
    assert sum(len(block) for block in stream) == 130
    assert stream.count.status == "limit"
    stream = lr.regions(endless, stream=True, time_limit=0.2)
    assert sum(len(block) for block in stream) > 0
    assert stream.count.status == "time_limit"


def test_a_stream_checks_its_arguments_at_once(small: lr.Network) -> None:
    with pytest.raises(ValueError, match="block must be at least 1"):
        lr.regions(small, stream=True, block=0)
    with pytest.raises(lr.Unsupported):
        lr.regions(lr.Network(3, [lr.relu()]), lr.Ball([0.0, 0.0, 0.0], 1.0), stream=True)


def test_listing_with_a_limit_gives_the_first_regions(small: lr.Network) -> None:
    everything = lr.regions(small)
    some = lr.regions(small, limit=17, threads=4)
    assert (len(some), some.count.status) == (17, "limit")
    np.testing.assert_array_equal(some.patterns, everything.patterns[:17])


def test_a_limit_above_the_count_changes_nothing(small: lr.Network) -> None:
    whole = lr.count(small)
    assert lr.count(small, limit=10**30) == whole
    assert int(lr.count(small, limit=whole.value + 1)) == whole.value


def test_a_progress_bar_needs_tqdm_only(
    endless: lr.Network, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    lr.count(endless, time_limit=0.3, progress=True)
    assert "regions" in capsys.readouterr().err


def test_too_many_dimensions_are_refused_with_alternatives() -> None:
    net = lr.Network(21, [lr.Affine(np.eye(21)), lr.relu()] * 2)
    for domain in (None, lr.Box(-1, 1)):
        with pytest.raises(lr.Unsupported, match=r"21.*Slice"):
            lr.count(net, domain)


@both
def test_a_call_that_is_cancelled_beforehand_finds_nothing(call: Call, small: lr.Network) -> None:
    cancel = threading.Event()
    cancel.set()
    found = call(small, cancel=cancel)
    assert (found.value, found.kind, found.status) == (0, "lower", "cancelled")
