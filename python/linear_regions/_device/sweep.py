# SPDX-License-Identifier: MIT
"""The lowest-vertex sweep on a device: blocks of ranks, and what rounding left open.

Notation: rank, level and lowest vertex are those of cpp/include/linear_regions/sweep.hpp; a line is
a choice of level - 1 hyperplanes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt

from .launch import Device

__all__ = ["DeviceSweep", "supports"]

MAX_LEVEL = 8
MAX_HYPERPLANES = 256
_COLUMNS = MAX_LEVEL + 1
_STAGE = 32
_TINY = 2.0**-900
_BLOCK = 1 << 26  # ranks between two looks at the run's limits
_LINES = 32  # of one team
_OPEN = 1 << 16  # open vertices that one launch may name

# The core's sweep of some ranks: fills the array, returns its report.
Fallback = Callable[[int, int, "npt.NDArray[np.uint64] | None"], dict[str, Any]]


def supports(n: int, d: int) -> bool:
    """Say whether the kernels take so many hyperplanes in so many dimensions."""
    return n <= MAX_HYPERPLANES and d <= MAX_LEVEL


def binomials(n: int) -> npt.NDArray[np.uint64]:
    """Return C(i, k) for i <= n and k <= 8."""
    table = [[comb(i, k) for k in range(_COLUMNS)] for i in range(n + 1)]
    return np.array(table, dtype=np.uint64)


def start_rows(value: npt.NDArray[np.float64], exact: bool, level: int) -> npt.NDArray[np.float64]:
    """Return what a level starts with: its columns, the offset and the bounds of their errors.

    Parameters
    ----------
    value : float64 array, shape (n, d + 1)
        Rows (a, b), nearest to positive multiples of the true ones.
    exact : bool
        Whether they are equal to them.
    level : int

    Returns
    -------
    float64 array, shape (level + 3, n + 1)
        Each row is scaled by a power of two; the last one is the functional.
    """
    n, d = value.shape[0], value.shape[1] - 1
    _, exponent = np.frexp(np.abs(value[:, :level]).max(axis=1))
    scale = 1 - exponent  # the largest entry comes into [1, 2)
    start = np.zeros((level + 3, n + 1))
    start[:level, :n] = np.ldexp(value[:, :level], scale[:, None]).T
    start[level - 1, n] = 1.0
    offset = value[:, d] if level == d else -value[:, level]
    with np.errstate(over="ignore"):  # what is infinite decides nothing
        start[level, :n] = np.ldexp(offset, scale)
    doubt = 0.0 if exact else 2.0**-52
    blurred = 0.0 if exact else np.ldexp(1.0, scale - 1074)  # where entries are below 2^-1022
    start[level + 1, :n] = 2 * doubt + _TINY + blurred
    start[level + 2, :n] = doubt * np.abs(start[level, :n]) + _TINY + blurred
    return start


def line_of(n: int, level: int, rank: int) -> int:
    """Return the number of the line on which the vertex of a rank lies."""
    line, p, left = 0, 0, level
    while left > 1:
        below = comb(n - 1 - p, left - 1)
        if rank < below:
            left -= 1
        else:
            rank -= below
            line += comb(n - 2 - p, left - 2)
        p += 1
    return line


class DeviceSweep:
    """The sweep of one arrangement in generic coordinates.

    Parameters
    ----------
    device : Device
    value, exact
        As for `start_rows`.
    """

    def __init__(self, device: Device, value: npt.NDArray[np.float64], exact: bool) -> None:
        self.device, self.value, self.exact = device, value, exact
        self.n, self.d = value.shape[0], value.shape[1] - 1
        self.words = (self.n + 63) // 64
        with device.use():
            self._binomials = device.xp.asarray(binomials(self.n))
        self._starts: dict[int, Any] = {}

    def run(
        self,
        first: int,
        last: int,
        out: Any,
        time_limit: float | None,
        poll: Callable[[int, float], bool] | None,
        fallback: Fallback,
    ) -> dict[str, Any]:
        """Compute the ranks [first, last), into `out` (on the device) or only as a proof.

        Parameters
        ----------
        first, last : int
        out : uint64 array of the device, shape (last - first, words), or None
        time_limit, poll
            As for the core's sweep.
        fallback : callable
            The core's certified sweep of a range of ranks.

        Returns
        -------
        dict
            As the core's sweep: "chambers", "status", "seconds", "work", "interrupted", or
            "not_simple" with "coordinates".
        """
        begin = time.perf_counter()
        work = {"lines": 0, "exact_signs": 0, "exact_chambers": 0, "device_chambers": 0}
        report = {"status": "complete", "interrupted": False}
        done = first
        try:
            for low, high, level, base in self._blocks(first, last):
                if time_limit is not None and time.perf_counter() - begin > time_limit:
                    report["status"] = "time_limit"
                elif poll is not None and not poll(done - first, (done - first) / (last - first)):
                    report["status"] = "cancelled"
                else:
                    place = None if out is None else out[low - first : high - first]
                    with self.device.use():
                        stop = self._block(low, high, level, base, place, work, fallback)
                    report = stop or report
                if "not_simple" in report:
                    return report
                if report["status"] != "complete":
                    break
                done = high
        except KeyboardInterrupt:
            report = {"status": "cancelled", "interrupted": True}
        return {
            "chambers": done - first,
            "status": report["status"],
            "seconds": time.perf_counter() - begin,
            "work": work,
            "interrupted": report["interrupted"],
        }

    def _blocks(self, first: int, last: int) -> Any:
        """Return pieces (low, high, level, first rank of the level); levels 0 and 1 are one."""
        base = 0
        for level in range(min(self.n, self.d), 1, -1):
            size = comb(self.n, level)
            low, high = max(first, base), min(last, base + size)
            for begin in range(low, high, _BLOCK):
                yield begin, min(high, begin + _BLOCK), level, base
            base += size
        if last > max(first, base):
            yield max(first, base), last, 0, base

    def _block(
        self,
        low: int,
        high: int,
        level: int,
        base: int,
        out: Any,
        work: dict[str, int],
        fallback: Fallback,
    ) -> dict[str, Any] | None:
        """Compute one piece; return the core's report where it refuses or was stopped."""
        if level == 0:  # few chambers
            return self._by_core([(low, high)], low, out, work, fallback)
        device, xp, n = self.device, self.device.xp, self.n
        words = self.words if out is None else out.shape[1]
        if level not in self._starts:
            rows = start_rows(self.value, self.exact, level)
            self._starts[level] = xp.asarray(rows)
        first_line = line_of(n, level, low - base)
        n_lines = line_of(n, level, high - 1 - base) - first_line + 1
        capacity = _OPEN
        while True:
            n_open = xp.zeros(1, dtype=np.uint64)
            left_open = xp.empty(capacity, dtype=np.uint64)
            device.launch(
                "lr_sweep_lines",
                -(-n_lines // _LINES),
                self._starts[level],
                self._binomials,
                n,
                level,
                low - base,
                high - base,
                first_line,
                n_lines,
                _LINES,
                out,
                words,
                left_open,
                capacity,
                n_open,
                doubles=team_doubles(n, level, words),
            )
            found = int(device.host(n_open)[0])
            if found <= capacity:
                break
            capacity = found  # once more, with room for all
        work["lines"] += n_lines
        work["device_chambers"] += high - low - found
        if not found:
            return None
        ranks = np.sort(device.host(left_open[:found])).astype(np.int64) + base
        breaks = np.flatnonzero(np.diff(ranks) != 1) + 1
        runs = [(int(run[0]), int(run[-1]) + 1) for run in np.split(ranks, breaks)]
        return self._by_core(runs, low, out, work, fallback)

    def _by_core(
        self,
        runs: list[tuple[int, int]],
        low: int,
        out: Any,
        work: dict[str, int],
        fallback: Fallback,
    ) -> dict[str, Any] | None:
        for first, last in runs:
            words = None
            if out is not None:
                words = np.zeros((last - first, out.shape[1]), dtype=np.uint64)
            report = fallback(first, last, words)
            if "not_simple" in report or report["status"] != "complete":
                return report
            for key, value in report["work"].items():
                work[key] += value
            if words is not None:
                out[first - low : last - low] = self.device.xp.asarray(words)
        return None


def team_doubles(n: int, level: int, words: int) -> int:
    """Return the doubles of one team's memory: sweep_doubles of cuda/sweep_lines.hpp."""
    return (n + 1) * (level + 8) + 2 * n + 2 * MAX_LEVEL + n + _STAGE * words + MAX_LEVEL
