# SPDX-License-Identifier: MIT
"""Searches of numbered items: ranges of them are parts.

Items are whatever a computation does one after the other and adds up: ranks of a sweep,
hyperplanes of a recursion, first sets of filters, chunks of trials. An item that takes long may be
left half done; what it needs to go on travels with the part.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ._divisible import Outcome, Poll

__all__ = ["ItemSearch", "Items", "Piece"]

Range = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Items:
    """Ranges of items that are left.

    Attributes
    ----------
    ranges : list of (first, last)
        Disjoint, none of them empty; `last` is not in the range.
    shares : list of float
        Of the whole, by range.
    begun : dict of int to anything
        Where items stand that are left half done.
    """

    ranges: list[Range]
    shares: list[float]
    begun: dict[int, Any] = field(default_factory=dict)

    @staticmethod
    def equal(n: int) -> Items:
        """Return `n` items that take equally long."""
        return Items([(0, n)], [1.0]) if n else Items([], [])

    @staticmethod
    def unequal(costs: Sequence[float]) -> Items:
        """Return one item per cost; what they cost, up to a factor, is a guess."""
        total = sum(costs) or 1.0
        return Items([(i, i + 1) for i in range(len(costs))], [cost / total for cost in costs])

    def __len__(self) -> int:
        """Return the number of ranges."""
        return len(self.ranges)

    @property
    def weight(self) -> float:
        """Share of the whole."""
        return sum(self.shares)

    def pieces(self, n: int) -> list[Items]:
        """Divide into at most `n` parts of about the same weight, none of them empty."""
        if n < 2 or not self.ranges:
            return [self] if self.ranges else []
        each = self.weight / n
        divided: list[tuple[Range, float]] = []
        for (first, last), share in zip(self.ranges, self.shares, strict=True):
            size = last - first
            parts = min(size, max(1, round(share / each))) if each > 0 else 1
            bounds = [first + size * i // parts for i in range(parts + 1)]
            divided += [((a, b), share * (b - a) / size) for a, b in pairwise(bounds)]
        reached = [0.0, *accumulate(share for _, share in divided)]
        owners: dict[int, list[tuple[Range, float]]] = {}
        for entry, before in zip(divided, reached, strict=False):
            middle = before + entry[1] / 2
            number = min(n - 1, int(middle / self.weight * n)) if self.weight > 0 else 0
            owners.setdefault(number, []).append(entry)
        return [self._of(entries) for entries in owners.values()]

    def _of(self, entries: list[tuple[Range, float]]) -> Items:
        ranges = [entry[0] for entry in entries]
        begun = {i: s for i, s in self.begun.items() if any(a <= i < b for a, b in ranges)}
        return Items(ranges, [entry[1] for entry in entries], begun)

    @staticmethod
    def join(parts: Sequence[Items]) -> Items:
        """Return all items of disjoint parts."""
        begun: dict[int, Any] = {}
        for part in parts:
            begun |= part.begun
        return Items(
            [r for part in parts for r in part.ranges],
            [s for part in parts for s in part.shares],
            begun,
        )

    def ordered(self) -> Items:
        """Return the same items by number; ranges that meet become one.

        Shares that were divided add up with rounding: never to more than the whole.
        """
        ranges: list[Range] = []
        shares: list[float] = []
        for (first, last), share in sorted(zip(self.ranges, self.shares, strict=True)):
            if ranges and ranges[-1][1] == first:
                ranges[-1], shares[-1] = (ranges[-1][0], last), min(1.0, shares[-1] + share)
            else:
                ranges.append((first, last))
                shares.append(share)
        return Items(ranges, shares, self.begun)

    def below(self, end: int) -> tuple[Items, Items]:
        """Return the items below a number, and the others."""
        low: list[tuple[Range, float]] = []
        high: list[tuple[Range, float]] = []
        for (first, last), share in zip(self.ranges, self.shares, strict=True):
            middle = min(max(first, end), last)
            each = share / (last - first)
            if first < middle:
                low.append(((first, middle), min(share, each * (middle - first))))
            if middle < last:
                high.append(((middle, last), min(share, each * (last - middle))))
        return self._of(low), self._of(high)

    @property
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What a file holds of the items; those half done are tuples of arrays."""
        begun = {
            f"begun {i} {j}": array
            for i, state in self.begun.items()
            for j, array in enumerate(state)
        }
        return {
            "ranges": np.array(self.ranges, np.uint64).reshape(-1, 2),
            "shares": np.array(self.shares, np.float64),
            **begun,
        }

    @staticmethod
    def of_arrays(arrays: Mapping[str, npt.NDArray[Any]], n: int) -> Items:
        """Return the ranges that a file holds, of `n` items.

        Raises
        ------
        KeyError, ValueError
            If that is damaged.
        """
        ranges, shares = arrays["ranges"], arrays["shares"]
        if ranges.dtype != np.uint64 or shares.dtype != np.float64:
            raise ValueError("arrays of another dtype")
        if ranges.ndim != 2 or ranges.shape[1:] != (2,) or shares.shape != ranges.shape[:1]:
            raise ValueError("arrays of another shape")
        pairs = [(int(a), int(b)) for a, b in ranges.tolist()]
        reached = 0
        for first, last in sorted(pairs):
            if not reached <= first < last <= n:
                raise ValueError("ranges overlap, are empty, or go too far")
            reached = last
        if not ((shares >= 0) & (shares <= 1)).all():
            raise ValueError("a share of the search is not between 0 and 1")
        begun: dict[int, tuple[Any, ...]] = {}
        for name in arrays:
            if name.startswith("begun "):
                _, i, j = name.split(" ")
                state = begun.setdefault(int(i), ())
                if int(j) != len(state):
                    raise ValueError("a state without its beginning")
                begun[int(i)] = (*state, arrays[name])
        if any(not any(a <= i < b for a, b in pairs) for i in begun):
            raise ValueError("an item is begun that is not left")
        return Items(pairs, shares.tolist(), begun)


@dataclass
class Piece:
    """What doing some items gave.

    Attributes
    ----------
    last : int
        Items before it are done.
    regions : int
        Regions of these.
    status : str
        As the core says it.
    interrupted : bool
    work : dict of str to int
    result : anything
        What a block of a listing holds; None: no block.
    begun : anything
        Where item `last` stands; None: it was not begun.
    """

    last: int
    regions: int = 0
    status: str = "complete"
    interrupted: bool = False
    work: dict[str, int] = field(default_factory=dict)
    result: Any = None
    begun: Any = None


class ItemSearch(ABC):
    """A search of numbered items. Pickles."""

    most_at_once = 1 << 62
    """Items that `piece` is asked for, at most."""

    @abstractmethod
    def piece(
        self, first: int, last: int, begun: Any, threads: int, seconds: float | None, poll: Poll
    ) -> Piece:
        """Do items from `first` on, `last` - 1 at most, for about so many seconds."""

    def run(
        self,
        part: Items,
        *,
        threads: int = 1,
        limit: int | None = None,
        time_limit: float | None = None,
        pause_after: float | None = None,
        pause_at: int | None = None,
        poll: Poll = None,
        wide: bool = False,
    ) -> Outcome:
        """Do the items of a part until they are done, a limit stops it, or it is time for a pause.

        `pause_at` counts items; `limit` and `wide` mean nothing here.
        """
        start = time.monotonic()
        out = Outcome(0, "complete", part)
        ends = [t for t in (time_limit, pause_after) if t is not None]
        most = min(ends) if ends else None
        ranges, shares, begun = list(part.ranges), list(part.shares), dict(part.begun)
        regions, rows, status, interrupted = 0, 0, "complete", False
        work: dict[str, int] = {}
        done_share = 0.0
        while ranges and status == "complete":
            left = None if most is None else most - (time.monotonic() - start)
            if left is not None and left <= 0:
                status = "time_limit"
                break
            if pause_at is not None and rows >= pause_at:
                status = "paused"
                break
            first, last = ranges[0]
            at_once = self.most_at_once if pause_at is None else min(self.most_at_once, pause_at)
            end = min(last, first + at_once)
            watch = _later(poll, regions, done_share)
            old = begun.pop(first, None)
            piece = self.piece(first, end, old, threads, left, watch)
            if piece.last == first and piece.begun is None:
                piece.begun = old
                if piece.status == "time_limit" and most is not None and most != time_limit:
                    # A pause, but it got nowhere: what has to be set up first takes longer.
                    most = 4 * most if time_limit is None else min(4 * most, time_limit)
                    piece.status = "complete"
            regions += piece.regions
            rows += piece.last - first
            for name, value in piece.work.items():
                work[name] = work.get(name, 0) + value
            if piece.result is not None:
                out.blocks.append((first, piece.result))
            share = shares[0] * (piece.last - first) / (last - first)
            done_share += share
            if piece.last == last:
                del ranges[0], shares[0]
            else:
                ranges[0], shares[0] = (piece.last, last), shares[0] - share
                if piece.begun is not None:
                    begun[piece.last] = piece.begun
            status, interrupted = piece.status, piece.interrupted
        if status == "time_limit" and (time_limit is None or most != time_limit):
            status = "paused"
        return Outcome(
            regions,
            status,
            Items(ranges, shares, begun),
            seconds=time.monotonic() - start,
            work=work,
            interrupted=interrupted,
            blocks=out.blocks,
        )

    def cut(self, part: Items, share: float, poll: Poll = None) -> Outcome:
        """Divide ranges until none has more than about `share` of the whole."""
        n = max(1, round(part.weight / share)) if share > 0 else 1
        return Outcome(0, "paused", Items.join(part.pieces(n)))


def _later(poll: Poll, found: int, done: float) -> Poll:
    if poll is None or not (found or done):
        return poll
    return lambda more, fraction: poll(found + more, done + fraction)
