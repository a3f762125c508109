# SPDX-License-Identifier: MIT
"""Counting chambers in a domain: which engine runs, and the result that says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from math import comb
from typing import Any

import numpy as np

from ._chambers import SWEEP_DIMENSIONS, check_method, count_by_sweep, count_by_tree
from ._device.launch import is_cuda
from ._digest import digest
from ._flat_count import whitney_numbers
from ._hyperplanes import Place, exact_rows
from ._ledger import Ledger
from ._part_runs import ExecutorOrMaker
from ._run import Run
from ._sweep_device import count_on_device, list_on_device
from ._value import FloatArray
from ._version import __version__
from .domain import Domain, Space
from .errors import (
    CheckpointError,
    DegenerateInput,
    Interrupted,
    InvalidInput,
    LinearRegionsError,
    Unsupported,
)
from .result import RegionCount

__all__ = [
    "IN_ONE_PIECE", "check_equal", "count_again", "count_place", "kept", "names_of",
    "sign_vectors_on_device", "visited",
]  # fmt: skip

IN_ONE_PIECE = "a GPU sweeps in one piece: leave checkpoint and executor out, or take device='cpu'"
_LEAST_SWEPT = 4  # dimensions: below, the recursion is as fast
_DUAL = 8  # chambers that are swept while the recursion visits one flat of a dual
_MINORS = 64
_LEAST_MINOR = 1e-10  # of rows of norm one
_MOST_CONDITION = 1000.0  # of normals of norm one: some of 4000 take the sweep 15 times as long
_COUNTING = ("auto", "recursion", "rays", "tree", "sweep")
_TREES = ("rays", "tree")
_REFERENCE = {
    "recursion": "Zaslavsky 1975; no-broken-circuit recursion with merged flats",
    "rays": "Fukuda, Prodon 1996 (double description); cones split depth-first, exact",
    "tree": "Rada, Cerny 2018 (incremental enumeration), certified",
    "sweep": "Zaslavsky 1975; one lowest vertex per chamber",
}


def count_place(
    place: Place,
    method: str,
    run: Run,
    *,
    verify: bool = False,
    device: str = "cpu",
    ledger: Ledger | None = None,
    executor: ExecutorOrMaker | None = None,
) -> RegionCount:
    """Count the chambers of hyperplanes in the coordinates of a domain."""
    check_method(method, _COUNTING)
    if is_cuda(device):
        if ledger is not None or executor is not None:
            raise Unsupported(IN_ONE_PIECE)
        result = visited(count_on_device(place, method, run, device), "sweep", run)
        if verify and result.status == "complete":
            check_equal(result.value, "sweep", count_place(place, "recursion", run))
        return result
    start = time.perf_counter()
    if method == "auto":
        can = not place.sides and run.certified and run.limit is None
        if can and _looks_simple(place):
            swept, run = _swept(place, run, ledger, executor)
            if swept is not None:
                return _verified(swept, place, run, ledger, executor) if verify else swept
        method = "recursion" if can else "either tree"
    if method in (*_TREES, "either tree"):
        answer = count_by_tree(place, method, run, ledger, executor)
        result = visited(answer, answer["method"], run)
    elif method == "sweep":
        if run.limit is not None:
            raise Unsupported("method 'sweep' counts without a limit; use method='rays' or 'tree'")
        result = visited(count_by_sweep(place, run, ledger, executor), "sweep", run)
    else:
        result = _by_recursion(place, run, ledger, executor, start)
    return _verified(result, place, run, ledger, executor) if verify else result


def _verified(
    result: RegionCount,
    place: Place,
    run: Run,
    ledger: Ledger | None,
    executor: ExecutorOrMaker | None,
) -> RegionCount:
    """Return the result after another engine has found the same, where it is complete."""
    if result.status == "complete":
        other = count_again(place, result.method, run, ledger, executor)
        check_equal(result.value, result.method, other)
    return result


def _looks_simple(place: Place) -> bool:
    """Tell whether counting may begin with the sweep: it is faster where it succeeds.

    No minor of a sample is (nearly) zero. Then most flats that the recursion would visit are
    different, and it takes longer than a sweep that fails at the very end. But the normals must be
    well conditioned: where inputs have very different scales the sweep, which mixes them, leaves
    most signs to integers, and takes hundreds of times as long as the recursion.
    """
    n, d = len(place.rows), place.dim
    if not (_LEAST_SWEPT <= d <= SWEEP_DIMENSIONS and d < n):
        return False
    # The recursion turns to the dual where its rank is smaller.
    if _most_chambers(n, d) > _DUAL * _most_chambers(n, n - d):
        return False
    try:
        table = np.array(place.rows, dtype=np.float64)
    except OverflowError:
        return False
    with np.errstate(all="ignore"):
        table /= np.abs(table).max(axis=1, keepdims=True)  # units have no scale of their own
        if not _condition(table[:, :-1]) < _MOST_CONDITION:
            return False
        table /= np.abs(table).max(axis=0)  # nor have minors that of the inputs
        table = np.vstack([table, np.eye(1, d + 1, d)])  # the hyperplane at infinity
        table /= np.linalg.norm(table, axis=1, keepdims=True)
        picks = np.random.default_rng(0).random((_MINORS, n + 1)).argsort(axis=1)[:, : d + 1]
        # NaN is not large either.
        return bool((np.abs(np.linalg.det(table[picks])) > _LEAST_MINOR).all())


def _condition(normals: FloatArray) -> float:
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    return float(np.linalg.cond(normals)) if np.isfinite(normals).all() else np.inf


def _most_chambers(n: int, d: int) -> int:  # also beyond 2^63, where `sweep_size` gives up
    return sum(comb(n, k) for k in range(d + 1))


def _swept(
    place: Place, run: Run, ledger: Ledger | None, executor: ExecutorOrMaker | None
) -> tuple[RegionCount | None, Run]:
    """Return the count by the sweep, None where it is refuted; and the run with what is left."""
    if ledger is not None and ledger.noted("refuted"):
        return None, run
    start = time.perf_counter()
    run = _onward(run)
    try:
        return visited(count_by_sweep(place, run, ledger, executor), "sweep", run), run
    except (DegenerateInput, Unsupported, OverflowError):
        if ledger is not None:
            ledger.note("refuted", lambda: True)
            ledger.forget()
        if run.time_limit is None:
            return None, run
        left = max(0.0, run.time_limit - (time.perf_counter() - start))
        return None, replace(run, time_limit=left)


def _onward(run: Run) -> Run:
    """Return options whose progress does not go back where another engine starts anew."""
    poll, most = run.poll, (0, 0.0)
    if poll is None:
        return run

    def onward(found: int, fraction: float) -> bool:
        nonlocal most
        most = (max(most[0], found), max(most[1], fraction))
        return poll(*most)

    return replace(run, poll=onward)


def names_of(
    rows: tuple[Any, Any], domain: Domain | None, method: str, run: Run, question: str
) -> dict[str, str]:
    """Name what a checkpoint belongs to; `rows` are normals and offsets."""
    dim = rows[0].shape[1]
    return {
        "arrangement": digest(rows),
        "domain": digest(Space().resolve((dim,)) if domain is None else domain.resolve((dim,))),
        "method": method,
        "arithmetic": "certified" if run.certified else "float",
        "question": question,
        "version": __version__,
    }


def kept(ledger: Ledger | None, run: Run, answer: Callable[[], RegionCount]) -> RegionCount:
    """Answer with the help of a ledger, which gets the last word on time and on what is over."""
    if ledger is None:
        return answer()
    try:
        with ledger.reading():
            result = answer()
    except Interrupted as stop:
        if isinstance(stop.partial, RegionCount):
            stop.partial = _over_all_runs(stop.partial, ledger)
        ledger.close(complete=False)
        raise
    except CheckpointError as error:
        if isinstance(error.partial, dict):
            error.partial = visited(error.partial, error.partial["method"], run)
        raise
    ledger.close(complete=result.status == "complete")
    return _over_all_runs(result, ledger)


def _over_all_runs(result: RegionCount, ledger: Ledger) -> RegionCount:
    work = {**result.work, "runs": ledger.runs}
    return replace(result, seconds=ledger.seconds, work=work)


def sign_vectors_on_device(
    place: Place, method: str, run: Run, device: str, *, verify: bool
) -> Any:
    """Return the sign vectors of all chambers as an array of a device."""
    words, report = list_on_device(place, method, run, device)
    if report["interrupted"]:
        raise Interrupted(partial=words)
    if verify and report["status"] == "complete" and run.limit is None:
        check_equal(len(words), "sweep", count_place(place, "recursion", run))
    return words


def count_again(
    place: Place,
    method: str,
    run: Run,
    ledger: Ledger | None = None,
    executor: ExecutorOrMaker | None = None,
) -> RegionCount:
    """Count by another engine than the one that this method names."""
    run = replace(run, limit=None)
    if not place.sides and method != "recursion":
        return count_place(place, "recursion", run, ledger=ledger, executor=executor)
    if method in _TREES:
        other = "tree" if method == "rays" else "rays"
        return count_place(place, other, run, ledger=ledger, executor=executor)
    answer = count_by_tree(place, "auto", run, ledger, executor)
    return visited(answer, answer["method"], run)


def check_equal(value: int, method: str, other: RegionCount) -> None:
    """Raise where two engines disagree."""
    if other.status == "complete" and other.value != value:
        raise LinearRegionsError(
            f"verify: method {method!r} found {value} chambers, method {other.method!r} "
            f"{other.value}; please report this arrangement"
        )


def _by_recursion(
    place: Place, run: Run, ledger: Ledger | None, executor: ExecutorOrMaker | None, start: float
) -> RegionCount:
    if place.sides:
        raise Unsupported(
            "method 'recursion' counts in the whole space or a free slice; use method='rays' or "
            "'tree'"
        )
    if not run.certified:
        raise InvalidInput("arithmetic='float' is for the methods 'tree' and 'sweep'")
    if run.limit is not None:
        raise Unsupported("method 'recursion' counts without a limit; use 'rays' or 'tree'")
    rows = place.rows
    if isinstance(rows, np.ndarray):
        rows = exact_rows(rows[:, :-1], rows[:, -1])
    found = whitney_numbers(rows, place.dim, run, ledger, executor)
    result = RegionCount(
        value=sum(found.whitney),
        what="chamber",
        kind="exact" if found.status == "complete" else "lower",
        status=found.status,  # type: ignore[arg-type]
        method="recursion",
        arithmetic="modular" if found.error_probability else "certified",
        error_probability=found.error_probability,
        seconds=time.perf_counter() - start,
        work=found.work,
        reference=_REFERENCE["recursion"],
        version=__version__,
    )
    if found.interrupted:
        raise Interrupted(partial=result)
    return result


def visited(answer: dict[str, Any], method: str, run: Run) -> RegionCount:
    complete = answer["status"] == "complete"
    result = RegionCount(
        value=answer["chambers"],
        what="chamber",
        kind="estimate" if not run.certified else "exact" if complete else "lower",
        status=answer["status"],
        method=method,
        arithmetic="certified" if run.certified else "float",
        error_probability=0.0 if run.certified else None,
        seconds=answer["seconds"],
        work=answer["work"],
        reference=_REFERENCE[method],
        version=__version__,
    )
    if answer["interrupted"]:
        raise Interrupted(partial=result)
    return result
