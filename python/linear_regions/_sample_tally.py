# SPDX-License-Identifier: MIT
"""Counting the patterns of batches of points: on threads, stoppable, in bounded memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from . import _core
from ._forward import Points, Words
from ._run import Run
from .network import Network

__all__ = ["HostTally", "run_batches"]

_KINDS = {"exact": 0, "hll": 3}
_TICK = 0.05  # seconds between looks at cancel, time limit and progress
_STEP = 0.02  # seconds that a thread works on without a look, about
_FIRST_STEP = 16  # points


class HostTally:
    """Patterns of a network's points, and how often each was met; any thread may add."""

    def __init__(
        self, net: Network, sketch: str, precision: int, patterns: Callable[[Points], Words]
    ) -> None:
        self._patterns = patterns
        words = (net.pattern_bits + 63) // 64
        self._tally = _core.PatternTally(words, _KINDS[sketch], True, precision)

    @property
    def samples(self) -> int:
        """Points so far."""
        return self._tally.rows

    @property
    def estimated(self) -> bool:
        """Whether the number of patterns is an estimate."""
        return not self._tally.exact_count()

    def add(self, points: Points) -> None:
        """Count the patterns of points, shape (batch, n)."""
        rows: Any = np.ascontiguousarray(points)
        self._tally.insert(self._patterns(rows))

    def distinct(self) -> int:
        """Return the number of patterns."""
        return round(self._tally.distinct())

    def table(self) -> dict[int, int]:
        """Return how many patterns were met once, twice, and so on."""
        times, number = self._tally.frequencies()
        return dict(zip(times.tolist(), number.tolist(), strict=True))

    def contents(self) -> dict[str, Any]:
        """Return patterns and times."""
        return self._tally.contents()


class _Steps:
    """Adds batches in steps short enough that a stop is heard between two of them.

    Parameters
    ----------
    add : callable
        Of the first point and the one behind the last.
    short : bool
        False: batches are added in one piece.
    """

    def __init__(self, add: Callable[[int, int], None], short: bool) -> None:
        self._add, self._short = add, short
        self._points = _FIRST_STEP  # of a step; threads may change it at the same time
        self.halt = threading.Event()

    def one(self, start: int, stop: int) -> int:
        """Add the first points of a batch; return where they end."""
        points = self._points if self._short else stop - start
        end = min(start + points, stop)
        began = time.monotonic()
        self._add(start, end)
        spent = time.monotonic() - began
        if spent > 2 * _STEP:
            self._points = max(1, points // 2)
        elif spent < _STEP / 2 and end - start == points:
            self._points = 2 * points
        return end

    def all(self, start: int, stop: int) -> None:
        """Add a batch, or what of it comes before the halt."""
        while start < stop and not self.halt.is_set():
            start = self.one(start, stop)


def run_batches(
    batches: Iterator[tuple[int, int]],
    total: int,
    add: Callable[[int, int], None],
    found: Callable[[], int],
    run: Run,
    *,
    short_steps: bool = True,
) -> tuple[str, bool]:
    """Call add(start, stop) for every batch, or for steps of it, on the threads of `run`.

    Returns
    -------
    status : str
    interrupted : bool
        Whether Ctrl-C came; the steps that were under way are counted.
    """
    steps = _Steps(add, short_steps)
    deadline = None if run.time_limit is None else time.monotonic() + run.time_limit
    done = 0

    def stopped() -> str | None:
        if run.poll is not None and not run.poll(found(), done / max(total, 1)):
            return "cancelled"
        return "time_limit" if deadline is not None and time.monotonic() >= deadline else None

    if run.threads == 1:
        try:
            for start, stop in batches:
                while start < stop:
                    if early := stopped():
                        return early, False
                    start = done = steps.one(start, stop)
        except KeyboardInterrupt:
            return "cancelled", True
        return "complete", False
    pending: dict[Future[None], int] = {}
    status: str | None = None
    with ThreadPoolExecutor(run.threads) as pool:
        try:
            more = True
            while more or pending:
                if status := stopped():
                    break
                while more and len(pending) < 2 * run.threads:
                    batch = next(batches, None)
                    more = batch is not None
                    if batch is not None:
                        pending[_submit(pool, steps.all, batch)] = batch[1] - batch[0]
                for future in wait(pending, _TICK, FIRST_COMPLETED).done:
                    done += pending.pop(future)
                    future.result()
        except KeyboardInterrupt:
            return "cancelled", True
        finally:
            steps.halt.set()
            for future in pending:
                future.cancel()
    return status or "complete", False


def _submit(
    pool: ThreadPoolExecutor, add: Callable[[int, int], None], batch: tuple[int, int]
) -> Future[None]:
    try:
        return pool.submit(add, *batch)
    except RuntimeError as error:  # it says so, though the stack of a thread is what lacks
        raise MemoryError(f"{error}: not enough memory for threads; use fewer") from error
