# SPDX-License-Identifier: MIT
"""Listings and streams of chambers that can be continued."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from . import _core
from ._arrangement_runs import Ranks, added, continued, kept_sweep_count, tree_call, tree_start
from ._chamber_folder import ChamberFolder, Listed
from ._hyperplanes import Place
from ._ledger import Ledger
from ._run import Run
from ._sweep import NotSimple, Sweep

__all__ = ["list_in_folder", "stream_kept"]

_CHUNK_BYTES = 1 << 27  # of sign vectors, about

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
) -> tuple[Answer, Listed]:
    """List what is left and return the whole list, and how the call ended.

    `convert` makes what the core lists into `Listed`. `NotSimple` goes to the caller where the
    method is the sweep; "auto" begins anew with a tree.
    """
    if sweep is not None and not folder.ledger.noted("not simple"):
        try:
            return _swept(sweep, run, points, folder)
        except NotSimple:
            if method == "sweep":
                raise
        folder.ledger.forget()
        folder.ledger.note("not simple", lambda: True)
        folder.begin()
    return _by_tree(place, method, run, points, convert, folder)


def _swept(sweep: Sweep, run: Run, points: bool, folder: ChamberFolder) -> tuple[Answer, Listed]:
    key, start, ledger = "listed:sweep", time.monotonic(), folder.ledger
    known = ledger.answer(key)
    size = sweep.size if run.limit is None else min(sweep.size, run.limit)
    report: Answer = {"status": "complete", "interrupted": False, "method": "sweep"}
    if known is not None:
        folder.take_up(known)
        work = dict(known["work"])
    else:
        begun = ledger.begun(key)
        state = begun[0] if begun is not None else {}
        if begun is not None:
            folder.take_up(state)
        folder.clear()
        work = dict(state.get("work", {}))
        ranks = Ranks(
            int(state.get("ranks", 0)), size, max(1 << 10, _CHUNK_BYTES // (8 * sweep.words))
        )
        while ranks.done < size and report["status"] == "complete":
            left = None if run.time_limit is None else run.time_limit - (time.monotonic() - start)
            now = continued(
                replace(run, limit=None, time_limit=left if left is None else max(left, 0.0)),
                0,
                ranks.done / sweep.size,
            )
            words = np.empty((ranks.next() - ranks.done, sweep.words), dtype=np.uint64)
            report = {**sweep.fill(ranks.done, ranks.next(), words, now), "method": "sweep"}
            block = Listed(words[: report["chambers"]])
            if points:
                block.points, block.exact = sweep.points(
                    ranks.done, ranks.done + len(block.words), block.words
                )
            work = added(work, report["work"])
            if not len(block.words):
                break
            folder.append(block)
            ranks.note(len(block.words), report["seconds"], ledger.interval)
            ledger.keep(
                key,
                {**folder.place(), "ranks": ranks.done, "work": work, "chambers": ranks.done},
                {},
            )
        if report["status"] == "complete" and size == sweep.size:
            folder.end()
            ledger.finish(key, {**folder.place(), "work": work})
    if report["status"] == "complete" and size < sweep.size:
        report["status"] = "limit"
    report |= {"work": work, "seconds": time.monotonic() - start}
    return report, folder.read(sweep.words, sweep.d if points else None, size)


def _by_tree(
    place: Place, method: str, run: Run, points: bool, convert: Convert, folder: ChamberFolder
) -> tuple[Answer, Listed]:
    key, ledger = f"listed:{method}", folder.ledger
    words = (len(place.rows) + 63) // 64
    out: Answer
    known = ledger.answer(key)
    if known is not None:
        folder.take_up(known)
        out = {**known, "status": "complete", "interrupted": False}
    else:
        out = _listed_by_tree(key, place, method, run, points, convert, folder)
    listed = folder.read(words, place.dim if points else None, run.limit)
    if run.limit is not None and len(listed.words) == run.limit and folder.left:
        out["status"] = "limit"
    return out, listed


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
    if out["status"] == "complete":
        folder.end()
        kept = {name: out[name] for name in ("method", "work", "seconds")}
        ledger.finish(key, {**folder.place(), **kept})
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
        proof = kept_sweep_count(sweep, replace(run, limit=None), ledger)
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
