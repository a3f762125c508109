# SPDX-License-Identifier: MIT
"""Whitney numbers of an arrangement, exactly: what the modular recursion of the core is asked.

Notation: n hyperplanes in R^d as integer rows (a, b). Their cone is the central arrangement of the
rows in R^(d + 1) together with the hyperplane at infinity (0, ..., 0, 1); N = n + 1 rows of rank
r + 1. Its matroid decides everything: chi_cone(t) = (t - 1) chi(t), and connected components
multiply. The matroid over F_p is that over the rationals when p divides no non-zero minor.

Which p. All minors are at most H, the product of the largest row norms (Hadamard). A prime above
H is right for certain. Where H is too large, primes are drawn at random from those between 2^60
and 2^61: at least 3 * 2^60 / (5 log 2^60) of them (Rosser, Schoenfeld 1962, corollary 3), and a
minor is divisible by at most log2(H) / 60. A run that meets T flats depends on at most N T minors
(a base of a flat and one more row). Nothing met twice proves by itself that all minors are
non-zero. Else runs with independent primes must agree, and all of them would have to be wrong.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import comb, isqrt, log2
from typing import Any

import numpy as np

from . import _core
from ._checkpoint_file import as_array
from ._digest import digest
from ._divisible import State
from ._farkas import Row
from ._flat_parts import FlatSearch, FlatTotals, flat_costs
from ._items import Items
from ._ledger import Ledger
from ._modular_rank import PRIME, modular_rank
from ._part_runs import ExecutorOrMaker, PartRun
from ._run import Run

__all__ = ["FlatCount", "whitney_numbers"]

_SMALL = 1 << 13  # the core's tables of inverses end here
_MERSENNE = (1 << 61) - 1
_LOW = 1 << 60
_STATE = ("levels", "whitney", "counters")
_PRIMES = 3 * _LOW / (5 * 60 * 0.6931471805599454)


@dataclass
class FlatCount:
    """The numbers, how they were found, and how sure they are."""

    whitney: list[int]
    status: str = "complete"
    interrupted: bool = False
    error_probability: float = 0.0
    work: dict[str, int] = field(default_factory=dict)


def whitney_numbers(
    rows: Sequence[Row],
    d: int,
    run: Run,
    ledger: Ledger | None = None,
    executor: ExecutorOrMaker | None = None,
) -> FlatCount:
    """Return the absolute Whitney numbers |w_0|, ..., |w_d| of the arrangement.

    Parameters
    ----------
    rows : sequence of Row
        d + 1 integers each. Rows without a normal are left out, equal ones taken once.
    d : int
    run : Run
        Threads, time limit and poll are used.
    ledger : Ledger, optional
        Keeps the primes that were drawn, the counts that were finished, and the levels of flats of
        the one under way.
    executor : Executor or callable, optional
        Its workers count hyperplane by hyperplane (`_flat_parts`).
    """
    distinct = _distinct(rows)
    if not distinct:
        return FlatCount([1] + [0] * d)
    cone = [(0,) * d + (1,), *distinct]
    if _independent(cone):
        return _finish(_Found(_uniform(len(cone), len(cone))), d, 0.0, 1)
    bound = _minor_bound(cone, d + 1)
    if bound < _MERSENNE:
        # The rank modulo a prime above the bound is the true one; only minors of that order count.
        bound = _minor_bound(cone, len(_coordinates(cone, _MERSENNE)[1]))
    deadline = None if run.time_limit is None else time.monotonic() + run.time_limit
    calls = _Calls(run, deadline, ledger, executor)
    if bound < _MERSENNE:
        p = _next_prime(bound) if bound < _SMALL - 32 else _MERSENNE
        found = _run(cone, p, calls)
        return _finish(found, d, 0.0, 1)
    return _random_primes(cone, bound, d, calls)


def _random_primes(cone: list[Row], bound: int, d: int, calls: _Calls) -> FlatCount:
    each = max(1, int(log2(bound) / 60)) / _PRIMES
    runs = drawn = 0
    previous: _Found | None = None
    while True:
        found = _run(cone, calls.random_prime(drawn), calls)
        drawn += 1
        if found.generic or found.status != "complete":
            return _finish(found, d, 0.0, runs + 1)
        if previous is None or previous.whitney != found.whitney or previous.flats != found.flats:
            runs = 0  # a prime was wrong: begin again with new ones
        runs += 1
        previous = found
        # The bound is claimed for steps of T, so that it does not depend on the draw: a run that
        # met few flats because of a wrong prime went wrong within the first flats of its step.
        step = 1 << 20
        while step < found.flats * len(cone):
            step <<= 8
        probability = (step * each) ** runs
        if probability < 2.0**-63:
            return _finish(found, d, 2.0 * probability, runs)


class _Calls:
    """The calls of the core, and what is kept of them."""

    def __init__(
        self,
        run: Run,
        deadline: float | None,
        ledger: Ledger | None,
        executor: ExecutorOrMaker | None,
    ) -> None:
        self._run, self._deadline, self._ledger = run, deadline, ledger
        self._executor = executor

    def random_prime(self, number: int) -> int:
        """Return the prime that is drawn as number so and so."""
        if self._ledger is None:
            return _random_prime()
        return int(self._ledger.note(f"prime {number}", _random_prime))

    def count(self, rows: Any, p: int) -> dict[str, Any]:
        """Count the flats of a matroid."""
        left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        if self._executor is not None:
            return self._spread(rows, p, left, self._executor)
        options: dict[str, Any] = {
            "threads": self._run.threads, "time_limit": left, "poll": self._run.poll,
        }  # fmt: skip
        ledger = self._ledger
        if ledger is None:
            return _core.count_flats(rows, p, **options)
        key = digest(("flats", rows, p))
        known = ledger.answer(key)
        if known is not None:
            return {**known, "interrupted": False}
        begun, start = ledger.begun(key), None
        if begun is not None:
            try:
                start = tuple(as_array(begun[1], name, np.uint64) for name in _STATE)
                totals = [high << 64 | low for high, low in start[1].tolist()]
                if any(w > comb(len(rows) - 1, k) for k, w in enumerate(totals)):
                    raise ValueError("more flats than hyperplanes in general position have")
            except (KeyError, TypeError, ValueError) as error:
                raise ledger.damage(error) from error

        def save(arrays: tuple[Any, ...]) -> None:
            ledger.keep(key, {}, dict(zip(_STATE, arrays, strict=True)))

        try:
            answer = _core.count_flats(
                rows, p, **options, every=ledger.interval, save=save, start=start
            )
        except ValueError as error:
            if start is None:
                raise
            raise ledger.damage(error) from error
        if answer["status"] == "complete":
            ledger.finish(key, {k: v for k, v in answer.items() if k != "interrupted"})
        return answer

    def _spread(
        self, rows: Any, p: int, left: float | None, executor: ExecutorOrMaker
    ) -> dict[str, Any]:
        """Count hyperplane by hyperplane on an executor; the answer is as the core's."""
        ledger, key = self._ledger, digest(("flats by hyperplanes", rows, p))
        known = None if ledger is None else ledger.answer(key)
        if known is not None:
            return {**known, "interrupted": False}
        totals = FlatTotals(rows.shape[1])
        state = State(Items.unequal(flat_costs(rows)))
        begun = None if ledger is None else ledger.begun(key)
        if ledger is not None and begun is not None:
            try:
                totals.go_on(begun[0])
                state = State(Items.of_arrays(begun[1], len(rows) - 1), sum(totals.whitney) - 1)
            except (KeyError, TypeError, ValueError) as error:
                raise ledger.damage(error) from error
        run = replace(self._run, limit=None, time_limit=left)
        parts = PartRun(FlatSearch(rows, p), run, state, take=totals.take)
        if ledger is not None:
            book = ledger  # not None from here on
            parts.save = lambda now: book.keep(key, totals.state, now.rest.arrays)
            parts.every = ledger.interval
        found = parts.on(executor)
        answer = {
            **totals.state,
            "whitney": [(w >> 64, w & (1 << 64) - 1) for w in totals.whitney],
            "status": found["status"],
        }
        if answer["status"] == "complete" and ledger is not None:
            ledger.finish(key, answer)
        return {**answer, "interrupted": found["interrupted"]}


@dataclass
class _Found:
    """One run over one prime field."""

    whitney: list[int]
    status: str = "complete"
    interrupted: bool = False
    generic: bool = True
    flats: int = 0
    merged: int = 0
    rank: int = 0


def _finish(found: _Found, d: int, probability: float, primes: int) -> FlatCount:
    work = {"flats": found.flats, "merged": found.merged, "primes": primes}
    whitney = found.whitney + [0] * (d + 1 - len(found.whitney))
    return FlatCount(whitney, found.status, found.interrupted, probability, work)


def _run(cone: list[Row], p: int, calls: _Calls) -> _Found:
    """Count over F_p: connected components of the normals are factors of the arrangement."""
    coordinates, basis = _coordinates(cone, p)
    constants, normals = coordinates[0], coordinates[1:]
    out = _Found([1], flats=len(cone) * len(basis), rank=len(basis))
    parts = _components(normals, len(cone))
    for members, pivots in parts:
        central = not any(constants[j] for j in members)
        chosen = pivots if central else [None, *pivots]
        table = [[constants[j] if k is None else normals[k][j] for k in chosen] for j in members]
        if not central:
            table.insert(0, [1] + [0] * len(pivots))  # the hyperplane at infinity
        part = _component(np.array(table, dtype=np.uint64), p, calls)
        factor = _product(part.whitney, [1, 1]) if central else part.whitney
        out.whitney = _product(out.whitney, factor)
        out.flats += part.flats
        out.merged += part.merged
        out.generic = out.generic and part.generic
        if part.status != "complete":
            out.status, out.interrupted = part.status, part.interrupted
            # What is left out is at least 1 chamber, so the numbers stay lower bounds.
            break
    # Several components, a rank below the number of columns and a common point rest on zeros,
    # which may be false; offsets that are zero themselves are not.
    meets = not any(constants[1:]) and any(row[-1] for row in cone[1:])
    out.generic &= len(parts) == 1 and len(basis) == len(cone[0]) and not meets
    return out


def _component(rows: Any, p: int, calls: _Calls) -> _Found:
    """Count a connected matroid, whose first row is taken as the hyperplane at infinity."""
    size, rank = rows.shape
    if rank <= 1:
        return _Found([1])
    if size - rank == 1:  # connected: a circuit
        return _Found(_uniform(size, rank))
    if 2 * (size - rank) < rank:  # the dual is uniform exactly when the component is
        dual = _dual(rows, p)
        if _none_parallel(dual, p):  # else it is not uniform, and nothing that can be counted
            answer = calls.count(dual, p)
            if answer["status"] != "complete":  # what it has not met may still coincide
                return _found(answer, [1])
            if answer["uniform"]:
                return _found(answer, _uniform(size, rank))
    answer = calls.count(rows, p)
    return _found(answer, [(high << 64) + low for high, low in answer["whitney"]])


def _found(answer: dict[str, Any], whitney: list[int]) -> _Found:
    return _Found(
        whitney,
        answer["status"],
        answer["interrupted"],
        answer["uniform"],
        answer["flats"],
        answer["merged"],
    )


def _uniform(size: int, rank: int) -> list[int]:
    """Return |w_k| of `size` - 1 hyperplanes in general position in dimension `rank` - 1."""
    return [comb(size - 1, k) for k in range(rank)]


def _product(a: list[int], b: list[int]) -> list[int]:
    out = [0] * (len(a) + len(b) - 1)
    for i, u in enumerate(a):
        for j, v in enumerate(b):
            out[i + j] += u * v
    return out


# ---- rows over F_p ----


def _distinct(rows: Sequence[Row]) -> list[Row]:
    """Leave out rows without a normal, and all but one of equal and opposite rows."""
    kept: dict[Row, None] = {}
    for row in rows:
        lead = next((v for v in row[:-1] if v), 0)
        if lead:
            kept[row if lead > 0 else tuple(-v for v in row)] = None
    return list(kept)


def _minor_bound(cone: list[Row], columns: int) -> int:
    """Return an integer that no minor of that order exceeds in size (Hadamard's inequality)."""
    squares = sorted((sum(v * v for v in row) for row in cone[1:]), reverse=True)
    if not any(row[-1] for row in cone[1:]):
        columns -= 1  # without the row at infinity, of length 1, the last column is zero
    product = 1
    for square in squares[:columns]:
        product *= square
    return isqrt(product) + 1


def _coordinates(cone: list[Row], p: int) -> tuple[list[list[int]], list[int]]:
    """Return the rows' coordinates in the basis of the earliest independent ones.

    Row k of the result belongs to the k-th basis element; column j to row j of the cone.
    """
    table = np.array([[v % p for v in row] for row in cone], dtype=object).T.copy()
    basis: list[int] = []
    for j in range(len(cone)):
        k = len(basis)
        if k == len(table):
            break
        pivot = next((i for i in range(k, len(table)) if table[i, j]), None)
        if pivot is None:
            continue
        table[[k, pivot]] = table[[pivot, k]]
        table[k] = table[k] * pow(int(table[k, j]), -1, p) % p
        for i in range(len(table)):
            if i != k and table[i, j]:
                table[i] = (table[i] - table[i, j] * table[k]) % p
        basis.append(j)
    return table[: len(basis)].tolist(), basis


def _independent(rows: list[Row]) -> bool:
    """Prove that rows are linearly independent: they are so modulo a prime.

    Then the hyperplanes are in general position, however many dimensions there are. False proves
    nothing.
    """
    if len(rows) > len(rows[0]):
        return False
    table = np.array([[v % PRIME for v in row] for row in rows], dtype=np.int64)
    return modular_rank(table) == len(rows)


def _components(coordinates: list[list[int]], n: int) -> list[tuple[list[int], list[int]]]:
    """Return (members, basis elements) of the connected components of rows 1, ..., n - 1.

    Two elements are connected when a circuit holds both; the fundamental circuits of one basis
    are enough.
    """
    root = list(range(n))

    def find(j: int) -> int:
        while root[j] != j:
            root[j] = root[root[j]]
            j = root[j]
        return j

    unit = [next(j for j, v in enumerate(row) if v) for row in coordinates]
    for k, row in enumerate(coordinates):
        for j, value in enumerate(row):
            if value:
                a, b = find(unit[k]), find(j)
                root[max(a, b)] = min(a, b)
    parts: dict[int, tuple[list[int], list[int]]] = {}
    for j in range(1, n):
        parts.setdefault(find(j), ([], []))[0].append(j)
    for k, j in enumerate(unit):
        parts[find(j)][1].append(k)
    return list(parts.values())


def _dual(rows: Any, p: int) -> Any:
    """Return rows of the dual matroid: [I | A] becomes [-A^T | I], unit rows first."""
    size, rank = rows.shape
    basis = [next(j for j in range(size) if rows[j, k]) for k in range(rank)]
    others = [j for j in range(size) if j not in basis]
    unit = np.eye(len(others), dtype=np.uint64)
    lower = [[-int(rows[j, k]) % p for j in others] for k in range(rank)]
    return np.vstack([unit, np.array(lower, dtype=np.uint64)])


def _none_parallel(rows: Any, p: int) -> bool:
    """Tell whether no two rows are proportional; none is zero."""
    lines = set()
    for row in rows.tolist():
        scale = pow(next(v for v in row if v), -1, p)
        lines.add(tuple(v * scale % p for v in row))
    return len(lines) == len(rows)


# ---- primes ----


def _is_prime(value: int) -> bool:
    """Tell whether value < 3.3e24 is prime (Miller, Rabin; bases by Sorenson, Webster 2015)."""
    small = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
    if value < 2 or any(value % q == 0 for q in small):
        return value in small
    odd, twos = value - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in small:
        x = pow(base, odd, value)
        if x in (1, value - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % value
            if x == value - 1:
                break
        else:
            return False
    return True


def _next_prime(above: int) -> int:
    value = max(above + 1, 3) | 1
    while not _is_prime(value):
        value += 2
    return value


def _random_prime() -> int:
    """Draw uniformly among the primes between 2^60 and 2^61."""
    while True:
        value = _LOW + secrets.randbelow(_LOW)
        if _is_prime(value):
            return value
