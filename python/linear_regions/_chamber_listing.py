# SPDX-License-Identifier: MIT
"""Listings and streams of chambers that can be continued."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from . import _core
from ._arrangement_runs import (
    CHUNK_BYTES,
    SweepSearch,
    added,
    continued,
    items_state,
    keep_tree,
    kept_sweep_count,
    tree_start,
    tree_state,
    work_off,
)
from ._chamber_folder import ChamberFolder, FolderBook, Listed, joined_blocks
from ._chamber_parts import Key, TreeSearch, engine_for, tree_call
from ._divisible import State
from ._hyperplanes import Place
from ._items import Items
from ._ledger import Ledger
from ._part_runs import ExecutorOrMaker
from ._run import Run
from ._sweep import NotSimple, Sweep

__all__ = ["list_in_folder", "list_spread", "stream_kept"]

Answer = dict[str, Any]
Convert = Callable[[dict[str, Any]], Listed]


def list_in_folder(
    place: Place,
    method: str,
    sweep: Sweep | None,
    run: Run,
    points: bool,
    convert: Convert,
    folder: ChamberFolder,
    executor: ExecutorOrMaker | None = None,
) -> tuple[Answer, Listed]:
    """List what is left and return the whole list, and how the call ended.

    `convert` makes what the core lists into `Listed`. `NotSimple` goes to the caller where the
    method is the sweep; "auto" begins anew with a tree.
    """
    if sweep is not None and not folder.ledger.noted("not simple"):
        try:
            return _swept(sweep, run, points, folder, executor)
        except NotSimple:
            if method == "sweep":
                raise
        folder.ledger.forget()
        folder.ledger.note("not simple", lambda: True)
        folder.begin()
    return _by_tree(place, method, run, points, convert, folder, executor)


def list_spread(
    place: Place,
    method: str,
    sweep: Sweep | None,
    run: Run,
    points: bool,
    convert: Convert,
    executor: ExecutorOrMaker,
) -> tuple[Answer, Listed]:
    """List on the workers of an executor, in memory; otherwise as `list_in_folder`."""
    blocks: list[tuple[Key, Listed]] = []
    words, dim = (len(place.rows) + 63) // 64, place.dim if points else None
    if sweep is not None:
        try:
            out = work_off(
                _search_of(sweep, run, points),
                run,
                State(Items.equal(sweep.size)),
                "sweep",
                None,
                executor,
                _keep_nothing,
                lambda new: blocks.extend(((first,), listed) for first, listed in new),
                _rows(words),
            )
            return out, joined_blocks(blocks, words, dim)
        except NotSimple:
            if method == "sweep":
                raise
        blocks.clear()
    state, _ = tree_state(None, "", method, run)
    search = TreeSearch(place, engine_for(place, method), True, points)
    out = work_off(
        search,
        run,
        state,
        search.engine,
        None,
        executor,
        _keep_nothing,
        lambda new: blocks.extend((key, convert(columns)) for key, columns in new),
    )
    return out, joined_blocks(blocks, words, dim)


def _keep_nothing(now: State) -> None:
    pass


def _search_of(sweep: Sweep, run: Run, points: bool) -> SweepSearch:
    return SweepSearch(sweep.rows, sweep.d, run.certified, lists=True, points=points)


def _rows(words: int) -> int:
    return max(1 << 10, CHUNK_BYTES // (8 * max(words, 1)))


def _swept(
    sweep: Sweep,
    run: Run,
    points: bool,
    folder: ChamberFolder,
    executor: ExecutorOrMaker | None,
) -> tuple[Answer, Listed]:
    key, ledger = "listed:sweep", folder.ledger
    size = sweep.size if run.limit is None else min(sweep.size, run.limit)
    known = ledger.answer(key)
    if known is not None:
        folder.take_up(known)
        out = {**known, "status": "complete", "interrupted": False, "method": "sweep"}
    else:
        out = _swept_ranges(key, sweep, run, points, folder, executor, size)
    if out["status"] == "complete" and size < sweep.size:
        out["status"] = "limit"
    return out, folder.read(sweep.words, sweep.d if points else None, size)


def _swept_ranges(
    key: str,
    sweep: Sweep,
    run: Run,
    points: bool,
    folder: ChamberFolder,
    executor: ExecutorOrMaker | None,
    size: int,
) -> Answer:
    """Sweep the ranks below `size` that are left."""
    ledger = folder.ledger
    state, begun = items_state(ledger, key, sweep.size), ledger.begun(key)
    if begun is not None:
        folder.take_up(begun[0])
    folder.clear()
    left = state.rest.ordered()
    book = FolderBook(folder, [(first,) for first, _ in left.ranges])
    state.rest, beyond = left.below(size)

    def keep(now: State) -> None:
        left = Items.join([now.rest, beyond]).ordered()
        book.enter([(first,) for first, _ in left.ranges])
        kept = {**folder.place(), "chambers": now.found, "work": now.work}
        ledger.keep(key, kept, left.arrays)

    def take(blocks: list[Any]) -> None:
        book.take([((first,), listed) for first, listed in blocks])

    out = work_off(
        _search_of(sweep, run, points),
        replace(run, limit=None),
        state,
        "sweep",
        ledger,
        executor,
        keep,
        take,
        _rows(sweep.words),
    )
    if out["status"] == "complete" and not len(beyond):
        folder.end()
        ledger.finish(key, {**folder.place(), "work": out["work"]})
    return out


def _by_tree(
    place: Place,
    method: str,
    run: Run,
    points: bool,
    convert: Convert,
    folder: ChamberFolder,
    executor: ExecutorOrMaker | None,
) -> tuple[Answer, Listed]:
    key, ledger = f"listed:{method}", folder.ledger
    words = (len(place.rows) + 63) // 64
    out: Answer
    known = ledger.answer(key)
    if known is not None:
        folder.take_up(known)
        out = {**known, "status": "complete", "interrupted": False}
    elif executor is not None:
        out = _spread_in_folder(key, place, method, run, points, convert, folder, executor)
    else:
        out = _listed_by_tree(key, place, method, run, points, convert, folder)
    listed = folder.read(words, place.dim if points else None, run.limit)
    if run.limit is not None and len(listed.words) == run.limit and folder.left:
        out["status"] = "limit"
    return out, listed


def _spread_in_folder(
    key: str,
    place: Place,
    method: str,
    run: Run,
    points: bool,
    convert: Convert,
    folder: ChamberFolder,
    executor: ExecutorOrMaker,
) -> Answer:
    ledger = folder.ledger
    state, engine = tree_state(ledger, key, method, run)
    begun = ledger.begun(key)
    if begun is not None:
        folder.take_up(begun[0])
    folder.clear()
    search = TreeSearch(place, engine_for(place, engine), True, points)
    book = FolderBook(folder, state.rest.keys)

    def keep(now: State) -> None:
        book.enter(now.rest.ordered().keys)
        keep_tree(ledger, key, search.engine, now, **folder.place())

    def take(blocks: list[Any]) -> None:
        book.take([(name, convert(columns)) for name, columns in blocks])

    out = work_off(search, run, state, search.engine, ledger, executor, keep, take)
    return _ended(key, folder, out)


def _listed_by_tree(
    key: str,
    place: Place,
    method: str,
    run: Run,
    points: bool,
    convert: Convert,
    folder: ChamberFolder,
) -> Answer:
    ledger = folder.ledger
    start = tree_start(ledger, key, method, run)
    if start.arrays is not None:
        folder.take_up(start.state)
        if len(start.arrays[1]) != folder.left:
            raise ledger.damage("other sub-trees are left than the order says")
    folder.clear()
    first = folder.first_rows
    out: Answer = {"status": "limit", "interrupted": False, "seconds": 0.0, "method": start.engine}
    if run.limit is not None and first >= run.limit:
        return {**out, "work": start.work}

    def save(now: dict[str, Any]) -> None:
        blocks = [convert(columns) for columns in now["found"]]
        folder.enter(blocks, now["place"], now["found_origin"], now["origin"])
        start.keep(now, **folder.place())

    out = tree_call(
        _core.sign_tree_list,
        place,
        start.forced,
        # The first ones are asked for: those that are found later do not count.
        continued(run, start.found if run.limit is None else first, start.done),
        points=points,
        every=ledger.interval,
        save=save,
        start=start.arrays,
    )
    out["work"] = added(start.work, out["work"])
    return _ended(key, folder, out)


def _ended(key: str, folder: ChamberFolder, out: Answer) -> Answer:
    """Return the answer, which the ledger keeps where it is complete."""
    if out["status"] == "complete":
        folder.end()
        kept = {name: out[name] for name in ("method", "work", "seconds")}
        folder.ledger.finish(key, {**folder.place(), **kept})
    return out


def stream_kept(
    place: Place,
    method: str,
    sweep: Sweep | None,
    run: Run,
    points: bool,
    block: int,
    deliver: Callable[[int, dict[str, Any]], bool],
    swept: Callable[[Sweep, int, int, Run], tuple[dict[str, Any], bool]],
    ledger: Ledger,
) -> Answer:
    """Hand out the blocks that no state counts.

    `deliver` takes the number of the first chamber and the core's columns; `swept` sweeps a range
    of ranks, hands it out, and returns its report and whether more is wanted. `NotSimple` goes to
    the caller, before anything is handed out.
    """
    if sweep is not None:
        proof = kept_sweep_count(sweep, run, ledger)
        if proof["status"] != "complete":
            return {**proof, "chambers": 0}
        return _stream_sweep(sweep, run, block, swept, ledger)
    return _stream_tree(place, method, run, points, block, deliver, ledger)


def _stream_sweep(
    sweep: Sweep,
    run: Run,
    block: int,
    swept: Callable[[Sweep, int, int, Run], tuple[dict[str, Any], bool]],
    ledger: Ledger,
) -> Answer:
    key, start = "streamed:sweep", time.monotonic()
    begun = ledger.begun(key)
    state = begun[0] if begun is not None else {}
    done, work = int(state.get("chambers", 0)), dict(state.get("work", {}))
    known = ledger.answer(key)
    if known is not None:
        done, work = sweep.size, dict(known["work"])
    size = sweep.size if run.limit is None else min(sweep.size, run.limit)
    report: Answer = {"status": "complete", "interrupted": False}
    saved = time.monotonic()

    def keep() -> None:
        ledger.keep(key, {"chambers": done, "work": work}, {})

    while done < size and report["status"] == "complete":
        left = None if run.time_limit is None else run.time_limit - (time.monotonic() - start)
        now = replace(run, limit=None, time_limit=left if left is None else max(left, 0.0))
        report, wanted = swept(sweep, done, min(size, done + block), now)
        done += report["chambers"]
        work = added(work, report["work"])
        if not wanted:
            report["status"] = "cancelled"
        if time.monotonic() - saved > ledger.interval:
            keep()
            saved = time.monotonic()
    if report["status"] == "complete" and done < sweep.size:
        report["status"] = "limit"
    if report["status"] == "complete" and known is None:
        ledger.finish(key, {"work": work})
    elif known is None:
        keep()
    return {
        "chambers": min(done, size),
        "status": report["status"],
        "method": "sweep",
        "seconds": time.monotonic() - start,
        "work": work,
        "interrupted": report["interrupted"],
    }


def _stream_tree(
    place: Place,
    method: str,
    run: Run,
    points: bool,
    block: int,
    deliver: Callable[[int, dict[str, Any]], bool],
    ledger: Ledger,
) -> Answer:
    key = f"streamed:{method}"
    known = ledger.answer(key)
    if known is not None:
        return {**known, "interrupted": False}
    start = tree_start(ledger, key, method, run)
    ended = {"method": start.engine, "work": start.work, "seconds": 0.0, "interrupted": False}
    if run.limit is not None and start.found >= run.limit:
        return {**ended, "chambers": run.limit, "status": "limit"}
    at = start.found

    def hand_over(columns: dict[str, Any]) -> bool:
        nonlocal at
        first, at = at, at + len(columns["signs"])
        return deliver(first, columns)

    out = tree_call(
        _core.sign_tree_stream,
        place,
        start.forced,
        continued(run, start.found, start.done),
        points=points,
        block=block,
        sink=hand_over,
        every=ledger.interval,
        save=start.keep,
        start=start.arrays,
    )
    out["chambers"] += start.found
    out["work"] = added(start.work, out["work"])
    if out["status"] == "complete":
        ledger.finish(key, {k: v for k, v in out.items() if k not in ("interrupted", "columns")})
    return out
