# SPDX-License-Identifier: MIT
"""Forecasts of a search from random ways down its tree, and the warning that they lead to.

Knuth (1975): go down from the root, at every node into a child drawn at random. What is met on the
way, divided by the chance of getting there, has the sum over the whole tree as its mean.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ._parts import Search
from ._run import Run
from ._value import FloatArray
from .errors import LongRunWarning

__all__ = ["Forecast", "forecast", "warned"]

_RESAMPLES = 200
_WAYS = 100_000
# Seconds of a count before it is forecast, seconds that this may take, what is long, and how far
# the weight may mislead.
_PATIENCE, _LOOK, _LONG, _DOUBT = 3.0, 0.3, 3600.0, 10.0

Range = tuple[float, float | None]


@dataclass(frozen=True)
class Forecast:
    """Means over the ways that ended, and 90 % intervals of them; None where no way ended."""

    seconds: float | None
    seconds_interval: Range
    regions: float | None
    regions_interval: Range
    ways: int
    interrupted: bool


def forecast(search: Search, seconds: float, seed: int) -> Forecast:
    """Go down random ways for some seconds."""
    ways = search.probe(seed, _WAYS, seconds)
    n = len(ways["seconds"])
    if n == 0:
        return Forecast(None, (seconds, None), None, (1.0, None), 0, ways["interrupted"])
    rng = np.random.default_rng(seed)
    return Forecast(
        float(ways["seconds"].mean()),
        _interval(ways["seconds"], rng),
        float(ways["regions"].mean()),
        _interval(ways["regions"], rng),
        n,
        ways["interrupted"],
    )


def _interval(values: FloatArray, rng: np.random.Generator) -> Range:
    """Return 5 % and 95 % points of resampled means; no high end from fewer than ten values."""
    n = len(values)
    if n < 10:
        return float(values.min()), None
    # Some thousand values show the spread of the means as well as all of them.
    few = values if n <= 5000 else rng.choice(values, 5000, replace=False)
    means = np.array([rng.choice(few, len(few)).mean() for _ in range(_RESAMPLES)])
    spread = (means - few.mean()) * np.sqrt(len(few) / n) + values.mean()
    low, high = np.quantile(spread, [0.05, 0.95])
    return max(float(low), 0.0), float(high)


def warned(run: Run, search: Callable[[], Search]) -> Run:
    """Return the run with a look at its end: once, after some seconds, where nothing limits it."""
    if run.limit is not None or run.time_limit is not None:
        return run
    start, looked = time.monotonic(), False

    def poll(found: int, fraction: float) -> bool:
        nonlocal looked
        spent = time.monotonic() - start
        if not looked and spent > _PATIENCE:
            looked = True
            # By the weight that is done, which costs nothing; ways are drawn where that is little.
            if spent > fraction * _LONG / _DOUBT:
                _look(search(), run.threads)
        return run.poll is None or run.poll(found, fraction)

    return replace(run, poll=poll)


def _look(search: Search, threads: int) -> None:
    seen = forecast(search, _LOOK, 0)
    if seen.interrupted:
        raise KeyboardInterrupt
    if seen.seconds is None or seen.seconds_interval[0] < _LONG * threads:
        return
    hours = seen.seconds / threads / 3600
    warnings.warn(
        f"this count is forecast to take about {hours:,.3g} hours on {threads} threads (see "
        "predict_cost). time_limit= or limit= end it with a lower bound, checkpoint= lets it be "
        "ended and continued, executor= spreads it over machines, and a Slice or a smaller box "
        "has fewer regions",
        LongRunWarning,
        stacklevel=5,  # this function, poll, the call, its protection
    )
