# SPDX-License-Identifier: MIT
"""Counts of chambers that can be continued: what the engines are asked, and what is kept.

Parts of a count are ranges of ranks for the sweep, sub-trees for the trees (`_chamber_parts`), and
levels of flats or hyperplanes for the recursion (`_flat_count`, `_flat_parts`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from . import _core
from ._chamber_folder import Listed
from ._chamber_parts import TreePart, TreeSearch, engine_for, tree_call
from ._checkpoint_file import as_array
from ._divisible import Poll, Searchable, State
from ._farkas import Row
from ._hyperplanes import Place
from ._items import Items, ItemSearch, Piece
from ._ledger import Ledger
from ._part_runs import ExecutorOrMaker, PartRun
from ._run import Run
from ._sweep import Sweep
from .errors import CheckpointError, Unsupported

__all__ = [
    "SweepSearch", "added", "continued", "items_state", "keep_tree", "kept_sweep_count",
    "kept_tree_count", "spread_tree_count", "tree_start", "tree_state", "work_off",
]  # fmt: skip

CHUNK_BYTES = 1 << 27  # of sign vectors, about

Answer: TypeAlias = dict[str, Any]


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


def check_certified(run: Run) -> None:
    """Raise where a tree has no parts."""
    if not run.certified:
        raise Unsupported(
            "with arithmetic='float' a tree depends on what was found before, so parts of it have "
            "no lasting names: use arithmetic='certified'"
        )


def tree_start(ledger: Ledger, key: str, method: str, run: Run) -> TreeStart:
    """Return where a call of a tree begins.

    Raises
    ------
    Unsupported
        Without certified arithmetic.
    CorruptFile
        If the state is damaged.
    """
    check_certified(run)
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


def kept_sweep_count(
    sweep: Sweep, run: Run, ledger: Ledger | None, executor: ExecutorOrMaker | None = None
) -> Answer:
    """Prove that the arrangement is simple, range by range."""
    key = "sweep"
    known = None if ledger is None else ledger.answer(key)
    if known is not None:
        return {**known, "interrupted": False}
    state = items_state(ledger, key, sweep.ranks)
    search = SweepSearch(sweep.rows, sweep.d, run.certified)

    def keep(now: State) -> None:
        assert ledger is not None
        ledger.keep(key, {"chambers": now.found, "work": now.work}, now.rest.arrays)

    out = work_off(search, replace(run, limit=None), state, "sweep", ledger, executor, keep)
    if out["status"] == "complete" and ledger is not None:
        ledger.finish(key, {name: value for name, value in out.items() if name != "interrupted"})
    return out


def items_state(ledger: Ledger | None, key: str, n: int) -> State:
    """Return where a search of `n` equal items begins."""
    begun = None if ledger is None else ledger.begun(key)
    if begun is None or ledger is None:
        return State(Items.equal(n))
    state, arrays = begun
    try:
        rest = Items.of_arrays(arrays, n)
        work = {str(name): int(value) for name, value in state["work"].items()}
        return State(rest, int(state["chambers"]), work=work)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ledger.damage(error) from error


def work_off(
    search: Searchable,
    run: Run,
    state: State,
    method: str,
    ledger: Ledger | None,
    executor: ExecutorOrMaker | None,
    keep: Callable[[State], None],
    take: Callable[[list[Any]], None] | None = None,
    rows: int | None = None,
) -> Answer:
    """Search what is left, here or on an executor, and answer as the core does."""
    parts = PartRun(search, run, state, take=take, rows=rows)
    if ledger is not None:
        parts.save, parts.every = keep, ledger.interval
    try:
        answer = parts.here() if executor is None else parts.on(executor)
    except CheckpointError as error:
        error.partial = _named(parts.answer("cancelled"), method)
        raise
    return _named(answer, method)


def _named(answer: Answer, method: str) -> Answer:
    work = {name: value for name, value in answer["work"].items() if name != "runs"}
    return {**answer, "chambers": answer["regions"], "work": work, "method": method}


def spread_tree_count(
    place: Place, method: str, run: Run, ledger: Ledger | None, executor: ExecutorOrMaker
) -> Answer:
    """Count by a tree on the workers of an executor."""
    key = f"tree:{method}"
    known = None if ledger is None else ledger.answer(key)
    if known is not None:
        return {**known, "interrupted": False}
    state, engine = tree_state(ledger, key, method, run)
    search = TreeSearch(place, engine_for(place, engine))

    def keep(now: State) -> None:
        if ledger is not None:
            keep_tree(ledger, key, search.engine, now)

    out = work_off(search, run, state, search.engine, ledger, executor, keep)
    if out["status"] == "complete" and ledger is not None:
        ledger.finish(key, {name: value for name, value in out.items() if name != "interrupted"})
    return out


def tree_state(ledger: Ledger | None, key: str, method: str, run: Run) -> tuple[State, str]:
    """Return where the parts of a tree begin, and the engine."""
    if ledger is None:
        check_certified(run)
        return State(TreePart.whole()), method
    start = tree_start(ledger, key, method, run)
    rest = TreePart.whole() if start.arrays is None else TreePart.of_arrays(*start.arrays)
    return State(rest, start.found, work=dict(start.work)), start.engine


def keep_tree(ledger: Ledger, key: str, engine: str, now: State, **more: Any) -> None:
    """Keep sub-trees that are left; a tree that nothing is left of is entered as an answer."""
    if len(now.rest) and now.rest.arrays is not None:
        rows, shares = now.rest.ordered().arrays
        state = {"method": engine, "chambers": now.found, "work": now.work, **more}
        ledger.keep(key, state, {"rows": rows, "shares": shares})


class SweepSearch(ItemSearch):
    """The ranks of a sweep. Pickles.

    Parameters
    ----------
    rows : sequence of Row
    d : int
    certified : bool
    lists : bool
        Whether sign vectors are wanted.
    points : bool
        Whether interior points are.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        d: int,
        certified: bool,
        lists: bool = False,
        points: bool = False,
    ) -> None:
        self._rows, self._d, self._certified = list(rows), d, certified
        self._lists, self._points = lists, points

    @cached_property
    def _sweep(self) -> Sweep:
        # All ranges together prove something only in the same coordinates.
        return Sweep(self._rows, self._d, tries=1)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the core's objects out."""
        return {k: v for k, v in self.__dict__.items() if k != "_sweep"}

    def piece(
        self, first: int, last: int, begun: Any, threads: int, seconds: float | None, poll: Poll
    ) -> Piece:
        """Sweep ranks from `first` on."""
        run = Run(self._certified, threads, None, seconds, poll, _nothing)
        sweep, result = self._sweep, None
        if self._lists:
            last = min(last, first + max(1 << 10, CHUNK_BYTES // (8 * sweep.words)))
            words = np.empty((last - first, sweep.words), dtype=np.uint64)
            report = sweep.fill(first, last, words, run)
            done = report["chambers"]
            if done:
                result = Listed(words[:done])
                if self._points:
                    result.points, result.exact = sweep.points(first, first + done, result.words)
        else:
            report = sweep.prove(run, first, last)
            done = report["chambers"] // (2 if sweep.central else 1)
        return Piece(
            first + done,
            report["chambers"],
            report["status"],
            report["interrupted"],
            report["work"],
            result,
        )


def _nothing() -> None:
    pass
