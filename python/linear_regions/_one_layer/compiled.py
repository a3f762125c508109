# SPDX-License-Identifier: MIT
"""The frontier count of the compiled core with its predicted cost, and how core calls are kept.

Beside `tuples` and `sampler` no module here calls the core.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from math import comb, exp, log
from time import monotonic
from typing import Any, Protocol

import numpy as np

from .._checkpoint_file import as_array
from .._digest import digest
from .._ledger import Ledger
from .._part_runs import ExecutorOrMaker
from .._run import Run
from .draws import OutOfReach
from .frontier import swept
from .residues import from_residues, large_primes, primes_for
from .windows import Block, Part, binomial_sum, log10_binomial_sum

MAX_BYTES = 3 << 30
"""Memory that the states of one frontier count may take."""

NEVER = 1e9  # seconds between two states: there is one, where a count is stopped
_POLL_SECONDS = 0.02  # between two questions to `poll`, which may be the user's progress
_PILOT_INSERTIONS = 400_000
_RECORDED = 1 << 22
"""Transitions that the core keeps for a second use."""


class StoppedEarly(Exception):
    """A time limit, a cancel event or Ctrl-C ended the count."""

    def __init__(self, status: str, interrupted: bool) -> None:
        self.status = status
        self.interrupted = interrupted
        super().__init__(status)


class _Deadline(Protocol):
    def __call__(self) -> float | None: ...


@dataclass(frozen=True)
class Control:
    """How a count is watched.

    Parameters
    ----------
    poll : callable or None
        Receives (found, fraction done) and returns False to stop.
    remaining : callable
        Seconds that are left; None for no limit.
    ledger : Ledger or None
        Keeps the answers of finished counts, and how far the one under way has come.
    executor : Executor, callable or None
        Whose workers count what can be divided.
    """

    poll: Callable[[int, float], bool] | None = None
    remaining: _Deadline = lambda: None
    ledger: Ledger | None = None
    executor: ExecutorOrMaker | None = None
    _asked: list[float] = field(default_factory=lambda: [monotonic()], repr=False)

    def watch(self) -> None:
        """Raise StoppedEarly where a count in Python is to end; for loops of short steps."""
        if self.remaining() == 0.0:
            raise StoppedEarly("time_limit", False)
        now = monotonic()
        if self.poll is not None and now >= self._asked[0] + _POLL_SECONDS:
            self._asked[0] = now
            if not self.poll(0, 0.0):
                raise StoppedEarly("cancelled", False)

    def run(self) -> Run:
        """Return the options of a search in parts that begins now."""
        return Run(True, 1, None, self.remaining(), self.poll, _nothing)


def _nothing() -> None:
    pass


def control_of(run: Run, clock: Callable[[], float]) -> Control:
    """Return the control of a call that starts now.

    Parameters
    ----------
    run : Run
        The checked options.
    clock : callable
        Seconds, as `time.perf_counter`.

    Returns
    -------
    Control
    """
    if run.time_limit is None:
        return Control(run.poll)
    end = clock() + run.time_limit
    return Control(run.poll, lambda: max(0.0, end - clock()))


@dataclass(frozen=True)
class Cost:
    """What a frontier count will take, found out on narrower layers.

    Parameters
    ----------
    seconds : float
        On one core.
    bytes : float
        Memory of the states.
    """

    seconds: float
    bytes: float

    @property
    def fits(self) -> bool:
        """Whether the memory suffices."""
        return self.bytes <= MAX_BYTES


def _sweep(
    part: Part,
    points: Sequence[int],
    primes: Sequence[int],
    control: Control,
    max_insertions: int,
) -> dict[str, Any]:
    """Run the core with one lane per point and prime."""
    from .. import _core

    windows, symmetries = swept(part)
    most = min(part.filters, part.channels * max(map(len, windows)))
    lanes = [prime for _ in points for prime in primes]
    weights = [
        [comb(part.filters, t) * point**t % prime for point in points for prime in primes]
        for t in range(most + 1)
    ]
    return kept_call(
        "frontier",
        _core.count_frontier,
        {
            "n_inputs": part.n_inputs // part.channels,
            "channels": part.channels,
            "windows": [sorted(window) for window in windows],
            "symmetries": symmetries,
            "primes": np.array(lanes, dtype=np.uint64),
            "weights": np.array(weights, dtype=np.uint64),
            "max_bytes": MAX_BYTES,
            "max_insertions": max_insertions,
        },
        control,
        {"scalars": np.uint64, "keys": np.uint64, "counts": np.uint64},
    )


def kept_call(
    name: str,
    call: Callable[..., dict[str, Any]],
    arguments: dict[str, Any],
    control: Control,
    state: dict[str, type],
) -> dict[str, Any]:
    """Call the core, from where the ledger says; `state` names the arrays of its states.

    Raises
    ------
    StoppedEarly
        The run was stopped.
    CorruptFile
        The ledger has a state of another count.
    """
    ledger, options = control.ledger, {}
    key = ""
    if ledger is not None:
        key = digest((name, list(arguments.items())))
        known = ledger.answer(key)
        if known is not None:
            return known
        options = _states(ledger, key, state)
    watched = {"time_limit": control.remaining(), "poll": control.poll}
    try:
        found = call(**arguments, **watched, **options)
    except ValueError as error:
        if ledger is None or options["start"] is None:
            raise
        raise ledger.damage(error) from error
    if found["end"] == "stopped":
        raise StoppedEarly(found["status"], found["interrupted"])
    if ledger is not None:
        ledger.finish(key, {k: v for k, v in found.items() if k != "interrupted"})
    return dict(found)


def _states(ledger: Ledger, key: str, names: dict[str, type]) -> dict[str, Any]:
    """Return the options that let a call of the core begin from a state and keep others."""
    begun, start = ledger.begun(key), None
    if begun is not None:
        try:
            start = tuple(as_array(begun[1], name, kind) for name, kind in names.items())
        except (KeyError, TypeError) as error:
            raise ledger.damage(error) from error

    def save(arrays: tuple[Any, ...]) -> None:
        ledger.keep(key, {}, dict(zip(names, arrays, strict=True)))

    return {"every": ledger.interval, "save": save, "start": start}


def frontier_values(
    part: Part,
    points: Sequence[int],
    control: Control | None = None,
    max_insertions: int = 1 << 62,
) -> tuple[list[int], dict[str, int]]:
    """Return the sums over Hall-independent sets of neurons of point**size, for several points.

    Parameters
    ----------
    part : Part
        A component of the layer.
    points : sequence of int
        Weights of a neuron; negative ones are allowed.
    control : Control, optional
        How the count is watched.
    max_insertions : int
        Budget of work.

    Returns
    -------
    values : list of int
    work : dict

    Raises
    ------
    OutOfReach
        The budget or the memory is too small.
    StoppedEarly
        The run was stopped.
    ArithmeticError
        The check modulo a spare prime failed.
    """
    largest = max(abs(point) for point in points)
    primes = primes_for(binomial_sum(part.n_neurons, part.rank_limit, max(largest, 1)))
    found = _sweep(part, points, primes, control or Control(), max_insertions)
    if found["end"] != "done":
        raise OutOfReach
    values = []
    for i in range(len(points)):
        residues = found["residues"][i * len(primes) : (i + 1) * len(primes)]
        value = from_residues(residues[:-1], primes[:-1], signed=True)
        if value % primes[-1] != residues[-1]:
            raise ArithmeticError("the residues of a frontier count contradict each other")
        values.append(value)
    return values, found["work"]


@lru_cache(maxsize=256)
def frontier_cost(part: Part) -> Cost:
    """Predict the cost of a frontier count from counts on narrower layers.

    Parameters
    ----------
    part : Part
        A component of the layer.

    Returns
    -------
    Cost

    Notes
    -----
    The widest axis across the sweep is cut to 1, 2, 3, ... windows, the sweep to the few rows after
    which the number of states no longer grows. The logarithms of work, states and sets are
    extended by their last differences and second differences. Costs milliseconds.
    """
    axes = sorted(part.axes, key=lambda block: -len(block.windows))
    rows = 2 * _overlap(axes[0]) + 2
    across = max(range(1, len(axes)), key=lambda i: len(axes[i].windows), default=None)
    width = 1 if across is None else len(axes[across].windows)
    measured: list[tuple[float, float, float]] = []
    for w in range(1, width + 1):
        # At least as many rows as columns: the sweep runs along the longest axis.
        cut = [_first_windows(axes[0], max(rows, w)), *axes[1:]]
        if across is not None:
            cut[across] = _first_windows(axes[across], w)
        pilot = Part(tuple(cut), part.channels, part.filters)
        found = _sweep(pilot, (1,), large_primes(1, 50), Control(), _PILOT_INSERTIONS)
        if found["end"] != "done":
            break
        work = found["work"]
        measured.append(
            (
                log(work["insertions"] / pilot.n_positions),
                log(work["max_states"]),
                log(work["vector_bytes"]),
            )
        )
    if not measured:
        return Cost(float("inf"), float("inf"))
    insertions, states, vector = (
        exp(min(700.0, _extended([entry[i] for entry in measured], width))) for i in range(3)
    )
    primes = lanes_needed(part)
    total = insertions * part.n_positions
    # Rows of windows after the first few lead to states that are known (cpp/src/one_layer/
    # recording.hpp), if these are not too many.
    known = insertions * min(part.n_positions, rows * part.n_positions / len(axes[0].windows))
    expanded = known if known < _RECORDED else total
    # Nanoseconds: a look-up and its vector; the residues.
    each = 80 + 0.5 * vector + 2 * primes
    return Cost(
        (expanded * each + total * 0.8 * primes) * 1e-9,
        2 * states * (vector + 8 * primes + 16) + min(known, _RECORDED) * (16 + 0.25 * vector),
    )


def lanes_needed(part: Part) -> float:
    """Return about how many primes a count takes, without the number itself.

    Parameters
    ----------
    part : Part
        A component of the layer.

    Returns
    -------
    float
    """
    return log10_binomial_sum(part.n_neurons, part.rank_limit) / 15 + 2


def _overlap(block: Block) -> int:
    """Return the largest number of windows from one on that begin before it ends."""
    starts = [start for start, _, _ in block.windows]
    return max(bisect_left(starts, stop) - i for i, (_, stop, _) in enumerate(block.windows))


def _first_windows(block: Block, n: int) -> Block:
    windows = block.windows[:n]
    return Block(windows[-1][1], windows)


def _extended(values: list[float], width: int) -> float:
    """Extend a convex sequence to its entry number `width`."""
    if len(values) == 1 and width > 1:
        return float("inf")
    steps = [b - a for a, b in pairwise(values)]
    bend = max(0.0, steps[-1] - steps[-2]) if len(steps) > 1 else 0.0
    total = values[-1]
    for i in range(1, width - len(values) + 1):
        total += steps[-1] + i * bend
    return total
