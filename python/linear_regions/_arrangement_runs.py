# SPDX-License-Identifier: MIT
"""Counts of chambers that can be continued: what the engines are asked, and what is kept.

Parts of a count are ranges of ranks for the sweep, sub-trees for the trees, and levels of flats for
the recursion (`_flat_count`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import _core
from ._checkpoint_file import as_array
from ._hyperplanes import Place
from ._ledger import Ledger
from ._run import Run
from ._sweep import Sweep
from .errors import CheckpointError, InvalidInput, Unsupported

__all__ = [
    "Ranks",
    "added",
    "continued",
    "kept_sweep_count",
    "kept_tree_count",
    "tree_call",
    "tree_start",
]


def tree_call(
    call: Callable[..., dict[str, Any]], place: Place, engine: str, run: Run, **options: Any
) -> dict[str, Any]:
    """Call one of the core's three functions."""
    planes, sides = place.lowered()
    try:
        return call(
            planes,
            sides,
            certified=run.certified,
            threads=run.threads,
            limit=run.limit,
            time_limit=run.time_limit,
            poll=run.poll,
            engine=engine,
            **options,
        )
    except _core.ForeignChamberPart as error:
        raise InvalidInput(f"{error}: begin anew, or go on where it was begun") from None
    except ValueError as refusal:
        if engine == "rays":  # the input was checked before
            raise Unsupported(str(refusal)) from None
        raise


def added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Add work counters."""
    return {**one, **{name: one.get(name, 0) + value for name, value in other.items()}}


def continued(run: Run, found: int, done: float) -> Run:
    """Return the options of a run that goes on where so much is found and done."""
    limit = None if run.limit is None else run.limit - found
    poll = run.poll
    if poll is None or not (found or done):
        return replace(run, limit=limit)
    return replace(
        run, limit=limit, poll=lambda more, fraction: poll(found + more, done + fraction)
    )


@dataclass(frozen=True)
class TreeStart:
    """Where a call of a tree begins: with a ledger, after what earlier processes did.

    Parameters
    ----------
    ledger : Ledger
    key : str
        Of the call.
    state : dict
        As it was kept; empty for the whole tree.
    arrays : tuple of arrays, or None
        Rows and shares of the sub-trees that are left; None: the whole tree.
    engine : str
        The engine that goes on.
    found : int
        Chambers.
    work : dict
        Counters.
    """

    ledger: Ledger
    key: str
    state: dict[str, Any]
    arrays: tuple[Any, Any] | None
    engine: str
    found: int
    work: dict[str, int]

    @property
    def done(self) -> float:
        """Share of the tree that is done."""
        return 0.0 if self.arrays is None else 1.0 - float(self.arrays[1].sum())

    @property
    def forced(self) -> str:
        """What the core is told about the engine."""
        return self.engine if self.engine in ("rays", "tree") else "auto"

    def keep(self, now: dict[str, Any], **more: Any) -> None:
        """Keep what the core has handed over."""
        rows, shares = now["rest"]
        state = {
            "method": now["method"],
            "chambers": self.found + now["chambers"],
            "work": added(self.work, now["work"]),
            **more,
        }
        self.ledger.keep(self.key, state, {"rows": rows, "shares": shares})


def tree_start(ledger: Ledger, key: str, method: str, run: Run) -> TreeStart:
    """Return where a call of a tree begins.

    Raises
    ------
    Unsupported
        Without certified arithmetic.
    CorruptFile
        If the state is damaged.
    """
    if not run.certified:
        raise Unsupported(
            "with arithmetic='float' a tree depends on what was found before, so parts of it have "
            "no lasting names: use arithmetic='certified'"
        )
    begun = ledger.begun(key)
    if begun is None:
        return TreeStart(ledger, key, {}, None, method, 0, {})
    state, arrays = begun
    try:
        left = (as_array(arrays, "rows", np.uint64), as_array(arrays, "shares", np.float64))
    except (KeyError, TypeError) as error:
        raise ledger.damage(error) from error
    engine, found = str(state.get("method", method)), int(state.get("chambers", 0))
    return TreeStart(ledger, key, state, left, engine, found, dict(state.get("work", {})))


def kept_tree_count(place: Place, method: str, run: Run, ledger: Ledger) -> dict[str, Any]:
    """Count by a tree, from where the ledger says."""
    key = f"tree:{method}"
    answer = ledger.answer(key)
    if answer is not None:
        return {**answer, "interrupted": False}
    start = tree_start(ledger, key, method, run)
    if run.limit is not None and start.found >= run.limit:
        return _partial(start.found, start.work, start.engine, "limit", run)
    try:
        out = tree_call(
            _core.sign_tree_count,
            place,
            start.forced,
            continued(run, start.found, start.done),
            every=ledger.interval,
            save=start.keep,
            start=start.arrays,
        )
    except CheckpointError as error:
        kept = ledger.state
        if kept:
            error.partial = _partial(
                kept["chambers"], kept["work"], kept["method"], "cancelled", run
            )
        raise
    out["chambers"] += start.found
    out["work"] = added(start.work, out["work"])
    if out["status"] == "complete":
        ledger.finish(key, {name: value for name, value in out.items() if name != "interrupted"})
    return out


def _partial(
    found: int, work: dict[str, int], engine: str, status: str, run: Run
) -> dict[str, Any]:
    return {
        "chambers": found if run.limit is None else min(found, run.limit),
        "work": work,
        "method": engine,
        "status": status,
        "seconds": 0.0,
        "interrupted": False,
    }


class Ranks:
    """Ranges of ranks that take a few seconds each.

    Parameters
    ----------
    first, last : int
        What is to be swept.
    """

    def __init__(self, first: int, last: int, most: int = 1 << 62) -> None:
        self.done, self.last, self._most = first, last, most
        self._size = 1 << 20

    def next(self) -> int:
        """Return the end of the next range."""
        return min(self.last, self.done + self._size)

    def note(self, chambers: int, seconds: float, wanted: float) -> None:
        """Enter that so many ranks took so long."""
        self.done += chambers
        grown = chambers * wanted / max(seconds, 1e-9)
        self._size = int(min(max(grown, 1 << 10), 8 * self._size, self._most))


def kept_sweep_count(sweep: Sweep, run: Run, ledger: Ledger) -> dict[str, Any]:
    """Prove that the arrangement is simple, range by range."""
    key, start = "sweep", time.monotonic()
    answer = ledger.answer(key)
    if answer is not None:
        return {**answer, "interrupted": False}
    begun = ledger.begun(key)
    state = begun[0] if begun is not None else {}
    ranks = Ranks(int(state.get("ranks", 0)), sweep.ranks)
    work: dict[str, int] = dict(state.get("work", {}))
    factor = 2 if sweep.central else 1
    report: dict[str, Any] = {"status": "complete", "interrupted": False}
    while ranks.done < ranks.last and report["status"] == "complete":
        left = None if run.time_limit is None else run.time_limit - (time.monotonic() - start)
        now = continued(
            replace(run, limit=None, time_limit=left if left is None else max(left, 0.0)),
            0,
            ranks.done / ranks.last,
        )
        report = sweep.prove(now, ranks.done, ranks.next())
        ranks.note(report["chambers"] // factor, report["seconds"], ledger.interval)
        work = added(work, report["work"])
        ledger.keep(key, {"ranks": ranks.done, "work": work, "chambers": ranks.done * factor}, {})
    out = {
        **report,
        "chambers": ranks.done * factor,
        "work": work,
        "seconds": time.monotonic() - start,
        "method": "sweep",
    }
    if report["status"] == "complete":
        ledger.finish(key, {name: value for name, value in out.items() if name != "interrupted"})
    return out
