# SPDX-License-Identifier: MIT
"""Chambers listed by the sweep or a tree: which engine runs, and what it gives back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._arrangement_runs import kept_sweep_count, kept_tree_count, spread_tree_count
from ._chamber_folder import ChamberFolder, Listed
from ._chamber_listing import list_in_folder, list_spread, stream_kept
from ._chamber_parts import tree_call
from ._hyperplanes import Place, exact_rows
from ._ledger import Ledger
from ._part_runs import ExecutorOrMaker
from ._run import Run
from ._sweep import NotSimple, Sweep
from ._value import FloatArray, SameFields
from .errors import DegenerateInput, Interrupted, InvalidInput, Unsupported

__all__ = ["Chambers", "count_by_tree", "list_chambers", "stream_chambers"]

Words = npt.NDArray[np.uint64]
Sink = Callable[["Chambers"], object]

_LISTING = ("auto", "sweep", "rays", "tree")
_MEMORY = 1 << 36  # bytes; beyond it "auto" does not reserve the sweep's output in one piece
_HELD = 1 << 26  # bytes of sign vectors that a stream keeps, so as not to sweep twice
# Error bounds at least double with every elimination: beyond so many dimensions a sweep leaves most
# to big integers, and a tree is faster by orders of magnitude.
SWEEP_DIMENSIONS = 15


@dataclass(frozen=True, eq=False, repr=False)
class Chambers(SameFields):
    """Chambers of an arrangement, one row each.

    Attributes
    ----------
    sign_vectors : uint64 array, shape (n_chambers, words)
        Bit i mod 64 of word i div 64 is set where hyperplane i is positive.
    points : float64 array, shape (n_chambers, dim), or None
        A proved interior point of every chamber, in the coordinates of the domain; NaN where no
        double lies inside. None where points were not asked for.
    exact_points : dict of int to tuple of Fraction
        Exact interior points of those chambers, by row.
    status : {"complete", "limit", "time_limit", "cancelled"}
        How the call ended.
    method : str
        ``"sweep"``, ``"rays"`` or ``"tree"``.
    arithmetic : {"certified", "float"}
        How decisions were taken.
    seconds : float
        Time taken.
    work : dict of str to int
        Work counters.
    first : int
        Of a block of a stream: the number of its first chamber in the order.

    Examples
    --------
    >>> import linear_regions as lr
    >>> lr.Arrangement([[1.0], [1.0]], [0.0, -1.0]).chambers(points=True).points.shape
    (3, 1)
    """

    sign_vectors: Words
    points: FloatArray | None
    exact_points: dict[int, tuple[Fraction, ...]]
    status: str
    method: str
    arithmetic: str
    seconds: float = field(default=0.0, compare=False)
    work: dict[str, int] = field(default_factory=dict, compare=False)
    first: int = 0

    def __len__(self) -> int:
        """Return the number of chambers."""
        return len(self.sign_vectors)

    def __repr__(self) -> str:
        """Return one line without the arrays."""
        points = "" if self.points is None else ", with points"
        return (
            f"Chambers({len(self)}{points}, {self.status}, method={self.method!r}, "
            f"{self.arithmetic})"
        )


def check_method(method: str, known: tuple[str, ...]) -> None:
    if not isinstance(method, str):
        raise TypeError(f"method must be a string, got {method!r}")
    if method not in known:
        raise InvalidInput(f"method must be one of {', '.join(map(repr, known))}, got {method!r}")


def _sweep_of(place: Place, method: str) -> Sweep | None:
    """Return the sweep where it may run; None where a tree has to."""
    if method in ("rays", "tree") or (method == "auto" and not (place.dim and len(place.rows))):
        return None
    try:
        if place.sides:
            raise Unsupported(
                "method 'sweep' lists the whole space only; use method='rays' or 'tree'"
            )
        rows = place.rows
        if method == "auto" and place.dim > SWEEP_DIMENSIONS:
            return None
        if isinstance(rows, np.ndarray):
            rows = exact_rows(rows[:, :-1], rows[:, -1])
        return Sweep(rows, place.dim)
    except (NotSimple, Unsupported, OverflowError) as refusal:
        if method == "sweep":
            raise _refused(refusal) from None
        return None


def _refused(refusal: Exception) -> Exception:
    if isinstance(refusal, NotSimple):
        return DegenerateInput(
            f"method 'sweep' needs a simple arrangement: {refusal}; use 'rays' or 'tree'"
        )
    return refusal


def list_chambers(
    place: Place,
    method: str,
    run: Run,
    points: bool,
    folder: ChamberFolder | None = None,
    executor: ExecutorOrMaker | None = None,
) -> tuple[Chambers, bool]:
    """Return all chambers, or the first ones, and whether Ctrl-C ended the call."""
    check_method(method, _LISTING)
    if executor is not None and run.limit is not None:
        raise Unsupported(
            "limit lists exactly the first chambers, one after the other: leave executor out"
        )
    sweep = _sweep_of(place, method)
    if folder is not None or executor is not None:
        return _in_parts(place, method, sweep, run, points, folder, executor)
    if sweep is not None:
        size = sweep.size if run.limit is None else min(sweep.size, run.limit)
        if method == "sweep" or size * sweep.words * 8 <= _MEMORY:
            try:
                return _swept_at_once(sweep, size, run, points)
            except NotSimple as refusal:
                if method == "sweep":
                    raise _refused(refusal) from None
    answer = tree_call(_core.sign_tree_list, place, _engine(method), run, points=points)
    columns = cache(answer["columns"])
    if answer["interrupted"]:
        # Joining what was found takes longer than a signal may wait.
        raise Interrupted.later(lambda: _from_tree(answer, columns(), run))
    return _from_tree(answer, columns(), run), False


def _in_parts(
    place: Place,
    method: str,
    sweep: Sweep | None,
    run: Run,
    points: bool,
    folder: ChamberFolder | None,
    executor: ExecutorOrMaker | None,
) -> tuple[Chambers, bool]:
    try:
        if folder is not None:
            answer, listed = list_in_folder(
                place, method, sweep, run, points, _listed, folder, executor
            )
            answer["seconds"] = folder.ledger.seconds
            answer["work"] = {**answer["work"], "runs": folder.ledger.runs}
        else:
            assert executor is not None
            answer, listed = list_spread(place, method, sweep, run, points, _listed, executor)
    except NotSimple as refusal:
        raise _refused(refusal) from None
    found = Chambers(
        listed.words,
        listed.points,
        listed.exact,
        answer["status"],
        answer["method"],
        "certified" if run.certified else "float",
        answer["seconds"],
        answer["work"],
    )
    return found, answer["interrupted"]


def _listed(columns: dict[str, Any]) -> Listed:
    exact = {
        row: tuple(_fraction(text) for text in point)
        for row, point in columns.get("exact_points", ())
    }
    return Listed(columns["signs"], columns.get("points"), exact)


def _swept_at_once(sweep: Sweep, size: int, run: Run, points: bool) -> tuple[Chambers, bool]:
    try:
        found, interrupted = _swept(sweep, 0, size, run, points)
        if interrupted:
            raise Interrupted.later(found)
        return found(), False
    except MemoryError:
        # So many chambers has a simple arrangement; one that is not has fewer, and a tree lists it.
        proof = sweep.prove(replace(run, limit=None))
        if proof["status"] == "complete":
            bytes_needed = size * (8 * sweep.words + 8 * sweep.d * points)
            raise MemoryError(
                f"{size:,} chambers take {bytes_needed / 2**30:,.1f} GiB, which this machine does "
                "not give: take the first ones by limit=, hand them out by stream(), or give "
                "checkpoint= a folder"
            ) from None
    nothing = np.empty((0, sweep.words), dtype=np.uint64)
    where = np.empty((0, sweep.d)) if points else None
    arithmetic = "certified" if run.certified else "float"
    seconds, work = proof["seconds"], proof["work"]
    none = Chambers(nothing, where, {}, proof["status"], "sweep", arithmetic, seconds, work)
    return none, proof["interrupted"]


def _swept(
    sweep: Sweep, first: int, last: int, run: Run, points: bool
) -> tuple[Callable[[], Chambers], bool]:
    """Sweep; return what gives the chambers, with points if asked for, and whether Ctrl-C ended it.

    Points take longer than the sweep.
    """
    start = time.perf_counter()
    words = np.empty((last - first, sweep.words), dtype=np.uint64)
    report = sweep.fill(first, last, words, run)
    words = words[: report["chambers"]]
    status = report["status"]
    if status == "complete" and run.limit is not None and last < sweep.size:
        status = "limit"
    arithmetic = "certified" if run.certified else "float"
    seconds = time.perf_counter() - start
    swept = Chambers(words, None, {}, status, "sweep", arithmetic, seconds, report["work"])

    def found() -> Chambers:
        if not points:
            return swept
        where, exact = sweep.points(first, first + len(words), words)
        seconds = time.perf_counter() - start
        return replace(swept, points=where, exact_points=exact, seconds=seconds)

    return found, report["interrupted"]


def _from_tree(answer: dict[str, Any], columns: dict[str, Any], run: Run) -> Chambers:
    exact = {row: tuple(map(_fraction, texts)) for row, texts in columns.get("exact_points", ())}
    return Chambers(
        columns["signs"],
        columns.get("points"),
        exact,
        answer["status"],
        answer["method"],
        "certified" if run.certified else "float",
        answer["seconds"],
        answer["work"],
    )


def _fraction(text: str) -> Fraction:
    numerator, _, denominator = text.partition("/")
    return Fraction(int(numerator, 16), int(denominator or "1", 16))


def stream_chambers(
    place: Place,
    method: str,
    run: Run,
    points: bool,
    block: int,
    sink: Sink,
    ledger: Ledger | None = None,
) -> dict[str, Any]:
    """Hand out blocks of chambers; the sink stops the call by returning False."""
    check_method(method, _LISTING)
    sweep = _sweep_of(place, method)
    if ledger is not None:
        return _stream_kept(place, method, sweep, run, points, block, sink, ledger)
    if sweep is not None:
        try:
            return _stream_sweep(sweep, run, points, block, sink)
        except NotSimple as refusal:
            if method == "sweep":
                raise _refused(refusal) from None

    at = 0

    def deliver(columns: dict[str, Any]) -> bool:
        nonlocal at
        first, at = at, at + len(columns["signs"])
        return _handed_over(first, columns, run, sink)

    return tree_call(
        _core.sign_tree_stream,
        place,
        _engine(method),
        run,
        points=points,
        block=block,
        sink=deliver,
    )


def _handed_over(first: int, columns: dict[str, Any], run: Run, sink: Sink) -> bool:
    part = {"status": "complete", "seconds": 0.0, "work": {}, "method": columns.pop("method")}
    return sink(replace(_from_tree(part, columns, run), first=first)) is not False


def _stream_kept(
    place: Place,
    method: str,
    sweep: Sweep | None,
    run: Run,
    points: bool,
    block: int,
    sink: Sink,
    ledger: Ledger,
) -> dict[str, Any]:
    def swept(sweep: Sweep, first: int, last: int, run: Run) -> tuple[dict[str, Any], bool]:
        found, interrupted = _swept(sweep, first, last, run, points)
        part = found()
        wanted = not len(part) or sink(replace(part, first=first)) is not False
        report = {"chambers": len(part), "status": part.status, "work": part.work}
        return {**report, "interrupted": interrupted}, wanted

    def deliver(first: int, columns: dict[str, Any]) -> bool:
        return _handed_over(first, columns, run, sink)

    if ledger.noted("not simple"):
        sweep = None
    try:
        return stream_kept(place, method, sweep, run, points, block, deliver, swept, ledger)
    except NotSimple as refusal:
        if method == "sweep":
            raise _refused(refusal) from None
    ledger.forget()
    ledger.note("not simple", lambda: True)
    return stream_kept(place, method, None, run, points, block, deliver, swept, ledger)


def _stream_sweep(sweep: Sweep, run: Run, points: bool, block: int, sink: Sink) -> dict[str, Any]:
    start = time.perf_counter()
    size = sweep.size if run.limit is None else min(sweep.size, run.limit)
    # Before anything is handed out, what is to come is proved; what fits is kept meanwhile.
    held: Words | None = None
    if size * sweep.words * 8 <= _HELD:
        held = np.empty((size, sweep.words), dtype=np.uint64)
        report = sweep.fill(0, size, held, replace(run, limit=None))
    else:
        report = sweep.prove(replace(run, limit=None), 0, min(size, sweep.ranks))
    if report["status"] != "complete":
        return {**report, "chambers": 0, "method": "sweep"}
    work: dict[str, int] = {} if held is None else report["work"]
    status = "complete" if size == sweep.size else "limit"
    done, interrupted = 0, False
    while done < size:
        left = None if run.time_limit is None else run.time_limit - (time.perf_counter() - start)
        if run.poll is not None and not run.poll(done, done / sweep.size):
            status = "cancelled"
            break
        if left is not None and left <= 0.0:
            status = "time_limit"
            break
        last = min(size, done + block)
        if held is None:
            now = replace(run, limit=None, time_limit=left)
            found, interrupted = _swept(sweep, done, last, now, points)
            part = found()
        else:
            part = _held_part(sweep, done, held[done:last].copy(), run, points)
        done += len(part)
        for key, value in part.work.items():
            work[key] = work.get(key, 0) + value
        if len(part) and sink(replace(part, first=done - len(part))) is False:
            status = "cancelled"
            break
        if part.status != "complete":
            status = part.status
            break
    return {
        "chambers": done,
        "status": status,
        "method": "sweep",
        "seconds": time.perf_counter() - start,
        "work": work,
        "interrupted": interrupted,
    }


def _held_part(sweep: Sweep, first: int, words: Words, run: Run, points: bool) -> Chambers:
    where, exact = sweep.points(first, first + len(words), words) if points else (None, {})
    arithmetic = "certified" if run.certified else "float"
    return Chambers(words, where, exact, "complete", "sweep", arithmetic)


def count_by_tree(
    place: Place,
    method: str,
    run: Run,
    ledger: Ledger | None = None,
    executor: ExecutorOrMaker | None = None,
) -> dict[str, Any]:
    """Count by a tree, which stores nothing: "rays", "tree", or whichever suits."""
    if executor is not None:
        return spread_tree_count(place, method, run, ledger, executor)
    if ledger is not None:
        return kept_tree_count(place, method, run, ledger)
    return tree_call(_core.sign_tree_count, place, _engine(method), run)


def count_by_sweep(
    place: Place,
    run: Run,
    ledger: Ledger | None = None,
    executor: ExecutorOrMaker | None = None,
) -> dict[str, Any]:
    """Count by the sweep, which proves that the arrangement is simple."""
    sweep = _sweep_of(place, "sweep")
    assert sweep is not None
    try:
        if ledger is not None or executor is not None:
            return kept_sweep_count(sweep, run, ledger, executor)
        return sweep.prove(run)
    except NotSimple as refusal:
        raise _refused(refusal) from None


def _engine(method: str) -> str:
    return method if method in ("rays", "tree") else "auto"
