# SPDX-License-Identifier: MIT
"""Scans over windows in floating point with a proved error, and the time that bounds may take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from math import frexp, inf, log2
from time import monotonic

import numpy as np
import numpy.typing as npt

from .rounding import Rounded, exactly, from_float
from .scan import scan, scan_cost
from .windows import Block, Part, Window, binomials

TINY = 2.0**-500
_EXACT_SCAN = 20_000
"""Multiplications up to which the exact scan is as fast."""

Vector = npt.NDArray[np.float64]


_until: ContextVar[float] = ContextVar("_until", default=inf)


class TimeIsUp(Exception):
    """The better bound would take too long."""


def in_time() -> None:
    """Raise `TimeIsUp`; called where a bound takes another step."""
    if monotonic() > _until.get():
        raise TimeIsUp


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let `in_time` raise after so many seconds, or sooner where an outer call said so."""
    token = _until.set(min(_until.get(), monotonic() + seconds))
    try:
        yield
    finally:
        _until.reset(token)


@lru_cache(maxsize=4096)
def scan_bound(
    windows: tuple[Window, ...], channels: int, filters: int, breakpoints: int, up: bool
) -> Rounded:
    """Return a bound on `scan`, also where its integers would be too long.

    Parameters
    ----------
    windows, channels, filters, breakpoints
        As in `scan`.
    up : bool
        Direction.

    Returns
    -------
    Rounded
    """
    if scan_cost(windows, channels, filters) <= _EXACT_SCAN:
        return exactly(scan(windows, channels, filters, breakpoints), up)
    part = Part((Block(windows[-1][1], windows),), channels, filters)
    gauge = gauge_of(part, breakpoints)
    weights = []
    for start, end, _ in windows:
        span = (end - start) * channels
        weights.append(binomial_weights(filters, span, breakpoints, gauge, up))
    return walk(windows, channels, weights, gauge, up)


def gauge_of(part: Part, breakpoints: int) -> int:
    """Return e so that a factor 2**-e per used slot keeps the terms of a scan within range."""
    share = min(part.n_inputs / part.n_neurons, 0.999)
    return max(0, round(log2(breakpoints * (1 - share) / share)))


@lru_cache(maxsize=1024)
def binomial_weights(
    filters: int, span: int, breakpoints: int, gauge: int, up: bool = True
) -> tuple[Vector, int, int]:
    top = min(filters, span)
    return scaled(weighted_binomials(filters, top, breakpoints), gauge, up)


def weighted_binomials(n: int, top: int, breakpoints: int) -> list[int]:
    """Return C(n, t) * breakpoints**t up to `top`."""
    return [value * breakpoints**t for t, value in enumerate(binomials(n, top))]


def scaled(numbers: list[int], gauge: int, up: bool = True) -> tuple[Vector, int, int]:
    """Return numbers[t] * 2**(-exponent - gauge t) as doubles, the exponent, and 1 rounding."""
    exponent = max(number.bit_length() - gauge * t for t, number in enumerate(numbers))
    values = []
    for t, number in enumerate(numbers):
        shift = exponent + gauge * t
        # Division of integers is correctly rounded.
        small = number.bit_length() - shift < -498
        values.append(0.0 if small else number / (1 << shift) if shift >= 0 else number << -shift)
    vector = np.array(values, dtype=np.float64)
    return (np.maximum(vector, TINY) if up else vector), exponent, 1


def walk(
    windows: Sequence[Window],
    channels: int,
    weights: Sequence[tuple[Vector, int, int]],
    gauge: int,
    up: bool,
) -> Rounded:
    """Scan windows with given weights per number of slots, as `scan` does, and round.

    The state by first free slot f carries the factor 2**(-gauge f), so that moving on over slots
    that stay free costs the gauge, too. Weights are (values, exponent, roundings).
    """
    state, exponent, operations = np.ones(1), 0, 0
    follower = [*windows[1:], (windows[-1][0], 0, 0)]
    for (start, end, _), (next_start, _, _), (weight, shift, roundings) in zip(
        windows, follower, weights, strict=True
    ):
        in_time()
        span = (end - start) * channels
        grown = np.zeros(span + 1)
        found = np.convolve(state[: span + 1], weight)[: span + 1]
        grown[: len(found)] = found
        gone = min((next_start - start) * channels, span)
        # Slots left free are gauged like used ones: a factor 2**-gauge for each.
        skipped = np.ldexp(grown[: gone + 1], -gauge * np.arange(gone, -1, -1))
        state = np.concatenate([[skipped.sum()], grown[gone + 1 :]])
        largest = frexp(float(state.max()))[1]
        state = np.ldexp(state, -largest)
        if up:
            state = np.where(state > 0, np.maximum(state, TINY), 0.0)
        else:
            state[state < TINY] = 0.0
        exponent += largest + shift
        operations += min(len(weight), span) + roundings + gone + 4
    # Undo the gauge, relative to the last slot. What underflows is far below the rest: an upper
    # bound adds more than that.
    last = len(state) - 1
    total = float(np.ldexp(state, gauge * (np.arange(last + 1) - last)).sum())
    exponent += gauge * (windows[-1][0] * channels + last)
    return from_float(total + (2.0**-900 if up else 0.0), exponent, operations + last + 4, up)
