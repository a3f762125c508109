# SPDX-License-Identifier: MIT
"""Measuring one case: every timed call is checked against the known answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any, TypeVar

import numpy as np

import linear_regions as lr
from linear_regions.domain import Domain

from . import memory, yardstick
from .cases import Case

__all__ = ["Effort", "measure"]

_Answer = TypeVar("_Answer")
_Numbers = dict[str, Any]
_SHORTEST = 2e-3  # seconds; shorter calls are timed several at once
_WORTH_THREADS = 5_000  # regions; a smaller count ends before a second thread has started


@dataclass(frozen=True)
class Effort:
    """How long to repeat a call in the hope of an undisturbed run.

    Attributes
    ----------
    seconds : float
        Repeat so long,
    least : int
        and at least so many times.
    """

    seconds: float = 2.0
    least: int = 5


def measure(case: Case, effort: Effort, *, memory_too: bool = True) -> _Numbers:
    """Return all numbers of a case.

    Parameters
    ----------
    case : Case
    effort : Effort
    memory_too : bool, default True
        Measure the peak of the memory, too, in two processes.

    Returns
    -------
    dict
        Ready for JSON; times in seconds, memory in bytes.

    Raises
    ------
    AssertionError
        If anything gives another number of regions than the case says.
    """
    net, domain = case.build()
    numbers: _Numbers = {"name": case.name, "text": case.text, "regions": case.regions}
    numbers["count"] = _count(case, net, domain, effort)
    numbers["float"] = _float(case, net, domain, effort)
    numbers["certification"] = numbers["count"]["seconds"] / numbers["float"]["seconds"]
    numbers["list"] = _list(case, net, domain, effort)
    if case.regions >= _WORTH_THREADS:
        numbers["two_threads"] = _two_threads(case, net, domain, effort)
    if case.call_target is not None:
        numbers["call"] = _call(case, net, domain, effort)
    if case.yardstick:
        numbers["yardstick"] = _yardstick(case, net, domain, effort)
        numbers["ratio"] = numbers["yardstick"]["seconds"] / numbers["count"]["seconds"]
    if memory_too:
        numbers["memory"] = {action: memory.growth(case, action) for action in ("count", "list")}
    return numbers


def best(
    call: Callable[[], _Answer],
    check: Callable[[_Answer], None],
    clock: Callable[[], float],
    effort: Effort,
) -> _Numbers:
    """Return the time of the fastest run; the answers are checked outside of it.

    Parameters
    ----------
    call : callable
    check : callable
        Takes an answer and raises AssertionError where it is wrong.
    clock : callable
    effort : Effort

    Returns
    -------
    dict
        Seconds of one call, number of runs, calls in each run.
    """
    check(call())  # also fills caches: what is measured is a later call
    start = clock()
    check(call())
    together = max(1, ceil(_SHORTEST / max(clock() - start, 1e-6)))
    times: list[float] = []
    end = time.perf_counter() + effort.seconds
    while len(times) < effort.least or time.perf_counter() < end:
        start = clock()
        for _ in range(together):
            answer = call()
        times.append((clock() - start) / together)
        check(answer)
    return {"seconds": min(times), "runs": len(times), "calls_per_run": together}


def _rated(numbers: _Numbers, regions: int) -> _Numbers:
    return {**numbers, "regions_per_second": regions / numbers["seconds"]}


def _expect(case: Case, what: str, found: int) -> None:
    if found != case.regions:
        raise AssertionError(f"{case.name}, {what}: expected {case.regions} regions, got {found}")


def _count(case: Case, net: lr.Network, domain: Domain, effort: Effort) -> _Numbers:
    def check(result: lr.RegionCount) -> None:
        _expect(case, "count", int(result))  # int() refuses all but complete, certified counts

    def call() -> lr.RegionCount:
        return lr.count(net, domain, threads=1)

    numbers = _rated(best(call, check, time.thread_time, effort), case.regions)
    return {**numbers, "work": dict(call().work)}


def _float(case: Case, net: lr.Network, domain: Domain, effort: Effort) -> _Numbers:
    def call() -> lr.RegionCount:
        return lr.count(net, domain, threads=1, arithmetic="float")

    def check(result: lr.RegionCount) -> None:
        # It need not be the true number: that is what certification is for.
        if result.status != "complete":
            raise AssertionError(f"{case.name}, float: the count is {result.status}")

    numbers = _rated(best(call, check, time.thread_time, effort), case.regions)
    return {**numbers, "value": call().value}


def _list(case: Case, net: lr.Network, domain: Domain, effort: Effort) -> _Numbers:
    def check(table: lr.Regions) -> None:
        _expect(case, "list", int(table.count))
        _expect(case, "list, rows", len(table))
        _expect(case, "list, polygons", len(table.vertex_offsets) - 1)

    def call() -> lr.Regions:
        return lr.regions(net, domain, threads=1)

    _expect(case, "list, different patterns", len(np.unique(call().patterns, axis=0)))
    return _rated(best(call, check, time.thread_time, effort), case.regions)


def _two_threads(case: Case, net: lr.Network, domain: Domain, effort: Effort) -> _Numbers | None:
    """Return wall times of one and of two threads: processor time would not show the gain."""
    if lr.build_info()["processors"] < 2:
        return None

    def check(result: lr.RegionCount) -> None:
        _expect(case, "count on two threads", int(result))

    one, two = (
        best(
            lambda threads=threads: lr.count(net, domain, threads=threads),  # type: ignore[misc]
            check,
            time.perf_counter,
            effort,
        )
        for threads in (1, 2)
    )
    return {"one": one, "two": two, "ratio": one["seconds"] / two["seconds"]}


def _call(case: Case, net: lr.Network, domain: Domain, effort: Effort) -> _Numbers:
    """Return what a call costs: of a known network, and of one that comes as arrays."""
    arrays = [(layer.weight, layer.bias) for layer in net.layers if isinstance(layer, lr.Affine)]

    def check(result: lr.RegionCount) -> None:
        _expect(case, "call", int(result))

    def known() -> lr.RegionCount:
        return lr.count(net, domain, threads=1)

    def fresh() -> lr.RegionCount:
        return lr.count(lr.load(arrays, activation="relu"), domain, threads=1)

    return {
        "known": best(known, check, time.thread_time, effort),
        "fresh": best(fresh, check, time.thread_time, effort),
    }


def _yardstick(case: Case, net: lr.Network, domain: Domain, effort: Effort) -> _Numbers:
    def check(found: int) -> None:
        _expect(case, "yardstick", found)

    fewer = Effort(effort.seconds, min(effort.least, 3))  # its runs are long
    numbers = best(lambda: yardstick.count(net, domain), check, time.perf_counter, fewer)
    return _rated(numbers, case.regions)
