# SPDX-License-Identifier: MIT
"""The recursion over flats in parts: one hyperplane after the other.

The whole count is b(A) = [1, 0, ...] + sum_i shifted b(A_i), where A_i is what the hyperplanes
before H_i cut out of H_i. Every A_i is counted by itself, with all that merges inside it. What
would merge between two of them is counted in both: a third more flats for the resonance
arrangement of dimension 7.

All is modulo p, where the matroid is that over the rationals (see `_flat_count`); a restriction is
a contraction of the same matroid, so p is as good for it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._divisible import Poll
from ._items import ItemSearch, Piece

__all__ = ["FlatSearch", "FlatTotals", "flat_costs", "restricted"]

_NEVER = 1e9  # seconds between two states: there is one, where a count is stopped
Rows = npt.NDArray[np.uint64]


class FlatTotals:
    """What has been added up so far.

    Attributes
    ----------
    whitney : list of int
        Absolute Whitney numbers: lower bounds until all is added.
    flats, merged : int
    uniform : bool
        Whether no two flats met so far coincide.
    """

    def __init__(self, rank: int) -> None:
        self.whitney = [1] + [0] * (rank - 1)
        self.flats, self.merged, self.uniform = 1, 0, True

    def take(self, blocks: list[tuple[int, dict[str, Any]]]) -> None:
        """Add what some hyperplanes gave."""
        for _, found in blocks:
            for k, value in enumerate(found["whitney"]):
                self.whitney[k + 1] += value
            self.flats += found["flats"]
            self.merged += found["merged"]
            self.uniform = self.uniform and found["uniform"]

    @property
    def state(self) -> dict[str, Any]:
        """What a file holds."""
        return dict(vars(self))

    def go_on(self, state: dict[str, Any]) -> None:
        """Take a state up.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is damaged.
        """
        whitney = [int(value) for value in state["whitney"]]
        if len(whitney) != len(self.whitney) or min(whitney) < 0:
            raise ValueError("the numbers of another arrangement")
        self.whitney, self.flats = whitney, int(state["flats"])
        self.merged, self.uniform = int(state["merged"]), bool(state["uniform"])


class FlatSearch(ItemSearch):
    """The hyperplanes of an arrangement; item i is row i + 1. Pickles.

    Parameters
    ----------
    rows : uint64 array, shape (n, r)
        As `_core.count_flats` takes them: row 0 is the hyperplane at infinity, (1, 0, ..., 0).
    p : int
        The prime.
    """

    most_at_once = 1

    def __init__(self, rows: Rows, p: int) -> None:
        self._rows, self._p = rows, p

    def piece(
        self, first: int, last: int, begun: Any, threads: int, seconds: float | None, poll: Poll
    ) -> Piece:
        """Count what the hyperplanes before one cut out of it."""
        table, uniform = restricted(self._rows[: first + 2].tolist(), self._p)
        rank = len(table[0])
        if len(table) == rank:  # independent: every set of them meets
            whitney = [comb(rank - 1, k) for k in range(rank)]
            found = {"whitney": whitney, "flats": sum(whitney), "merged": 0, "uniform": uniform}
            return Piece(first + 1, sum(whitney), result=found)
        state: list[tuple[Any, ...]] = []
        answer = _core.count_flats(
            np.array(table, dtype=np.uint64),
            self._p,
            threads=threads,
            time_limit=seconds,
            poll=poll,
            every=_NEVER,
            save=_keeper(state),
            start=begun,
        )
        if answer["status"] != "complete":
            return Piece(
                first,
                status=answer["status"],
                interrupted=answer["interrupted"],
                begun=state[-1] if state else None,
            )
        whitney = [high << 64 | low for high, low in answer["whitney"]]
        found = {
            "whitney": whitney,
            "flats": answer["flats"],
            "merged": answer["merged"],
            "uniform": uniform and answer["uniform"],
        }
        return Piece(first + 1, sum(whitney), result=found)


def _keeper(states: list[tuple[Any, ...]]) -> Callable[[tuple[Any, ...]], None]:
    return states.append


def flat_costs(rows: Rows) -> list[float]:
    """Guess what the hyperplanes cost, up to a factor: as if all were in general position."""
    n, rank = rows.shape
    return [float(comb(i, min(i, max(rank - 2, 0)))) for i in range(1, n)]


def restricted(rows: list[list[int]], p: int) -> tuple[list[list[int]], bool]:
    """Restrict all rows but the last to the last one, over F_p.

    Parameters
    ----------
    rows : list of rows
        Row 0 is (1, 0, ..., 0), no two are proportional.
    p : int

    Returns
    -------
    rows : list of rows
        Row 0 is (1, 0, ..., 0) again, no two are proportional, and they span: in the coordinates
        of the first independent ones.
    uniform : bool
        Whether none was left out, and they are independent or have full rank.
    """
    own = rows[-1]
    pivot = next(c for c in range(1, len(own)) if own[c])
    inverse = pow(own[pivot], -1, p)
    kept: dict[tuple[int, ...], None] = {}
    for row in rows[:-1]:
        factor = row[pivot] * inverse % p
        reduced = [(a - factor * b) % p for a, b in zip(row, own, strict=True)]
        del reduced[pivot]
        scale = pow(next(v for v in reduced if v), -1, p)
        kept[tuple(v * scale % p for v in reduced)] = None
    table = _in_own_coordinates(list(kept), p)
    full = len(table[0]) == min(len(table), len(own) - 1)
    return table, full and len(kept) == len(rows) - 1


def _in_own_coordinates(rows: list[tuple[int, ...]], p: int) -> list[list[int]]:
    """Return the rows' coordinates in the basis of the earliest independent ones."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    rank = 0
    for j in range(len(rows)):
        pivot = next((i for i in range(rank, len(columns)) if columns[i][j]), None)
        if pivot is None:
            continue
        columns[rank], columns[pivot] = columns[pivot], columns[rank]
        inverse = pow(columns[rank][j], -1, p)
        columns[rank] = [v * inverse % p for v in columns[rank]]
        for i, column in enumerate(columns):
            if i != rank and column[j]:
                factor = column[j]
                columns[i] = [
                    (a - factor * b) % p for a, b in zip(column, columns[rank], strict=True)
                ]
        rank += 1
        if rank == len(columns):
            break
    return [list(row) for row in zip(*columns[:rank], strict=True)]
