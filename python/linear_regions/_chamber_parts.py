# SPDX-License-Identifier: MIT
"""Parts of a search of chambers by a tree: sub-trees named by signs.

A sub-tree is what the core calls it: the chambers that have certain signs. Its *key* orders it: a
sub-tree's blocks and what is left of it have its key and one number more, in the order of the
search.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._divisible import Outcome, Poll
from ._hyperplanes import Place
from ._run import Run
from .errors import InvalidInput, Unsupported

__all__ = ["Key", "TreePart", "TreeSearch", "engine_for", "laid_out", "tree_call"]

Key = tuple[int, ...]
_NEVER = 1e9  # seconds between two states: there is one, at the end
_LOOK = 2000  # chambers of the first look at a tree
_MOST_SECONDS = 3600.0


@dataclass(frozen=True, eq=False)
class TreePart:
    """Disjoint sub-trees.

    Attributes
    ----------
    rows : uint64 array, shape (n, 2 + 2 words)
        Their names, as the core gives them.
    shares : float64 array, shape (n,)
        Of the whole search.
    keys : list of tuple of int
        Where they come in the order of the search.
    """

    rows: npt.NDArray[np.uint64]
    shares: npt.NDArray[np.float64]
    keys: list[Key]

    def __len__(self) -> int:
        """Return the number of sub-trees."""
        return len(self.shares)

    @property
    def weight(self) -> float:
        """Share of the whole search."""
        return float(self.shares.sum())

    @staticmethod
    def whole() -> TreePart:
        """Return the whole tree, which has no name."""
        return TreePart(np.zeros((1, 0), np.uint64), np.ones(1), [()])

    @staticmethod
    def none() -> TreePart:
        """Return no sub-tree."""
        return TreePart(np.zeros((0, 2), np.uint64), np.zeros(0), [])

    @staticmethod
    def of_arrays(rows: npt.NDArray[np.uint64], shares: npt.NDArray[np.float64]) -> TreePart:
        """Return sub-trees that a file holds in their order."""
        return TreePart(rows, shares, [(i,) for i in range(len(shares))])

    @property
    def arrays(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.float64]] | None:
        """The form that the core takes; None: the whole."""
        return (self.rows, self.shares) if self.rows.shape[1] else None

    def _take(self, numbers: Sequence[int]) -> TreePart:
        chosen = list(numbers)
        return TreePart(self.rows[chosen], self.shares[chosen], [self.keys[i] for i in chosen])

    def pieces(self, n: int) -> list[TreePart]:
        """Divide into at most `n` parts of about the same weight, none of them empty."""
        if n < 2 or len(self) < 2:
            return [self] if len(self) else []
        shares = self.shares.tolist()
        total = max(self.weight, 1e-300)
        owners: dict[int, list[int]] = {}
        for i, reached in enumerate(accumulate(shares)):
            owners.setdefault(min(n - 1, int((reached - shares[i] / 2) / total * n)), []).append(i)
        return [self._take(numbers) for numbers in owners.values()]

    @staticmethod
    def join(parts: Sequence[TreePart]) -> TreePart:
        """Return all sub-trees of disjoint parts."""
        parts = [part for part in parts if len(part)]
        if not parts:
            return TreePart.none()
        return TreePart(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.shares for part in parts]),
            [key for part in parts for key in part.keys],
        )

    def ordered(self) -> TreePart:
        """Return the same sub-trees in the order of the search."""
        return self._take(sorted(range(len(self)), key=self.keys.__getitem__))


@dataclass(frozen=True)
class TreeSearch:
    """A tree over the chambers of an arrangement. Pickles.

    Attributes
    ----------
    place : Place
    engine : str
        ``"rays"`` or ``"tree"``, or ``"auto"`` for the first look.
    lists : bool
        Whether chambers are listed.
    points : bool
        Whether with points.
    """

    place: Place
    engine: str
    lists: bool = False
    points: bool = False

    def run(
        self,
        part: TreePart,
        *,
        threads: int = 1,
        limit: int | None = None,
        time_limit: float | None = None,
        pause_after: float | None = None,
        pause_at: int | None = None,
        poll: Poll = None,
        wide: bool = False,
    ) -> Outcome:
        """Search a part until it is done, a limit stops it, or it is time for a pause.

        The pause gets longer until the search gets ahead: the way to a sub-tree takes its time.
        `pause_at` and `wide` mean nothing here.
        """
        start = time.monotonic()
        pause = pause_after
        while True:
            left = None if time_limit is None else time_limit - (time.monotonic() - start)
            ends = [t for t in (left, pause) if t is not None]
            most = max(min(ends), 0.0) if ends else None
            out, found, rest, blocks = self._once(
                part, Run(True, threads, limit, most, poll, _nothing)
            )
            paused = out["status"] == "time_limit" and most == pause
            ahead = found > 0 or rest.weight < part.weight
            if not paused or ahead or pause is None:
                break
            pause = min(4 * pause + 0.01, _MOST_SECONDS)
        return Outcome(
            found,
            "paused" if paused else out["status"],
            rest,
            seconds=time.monotonic() - start,
            work=out["work"],
            interrupted=out["interrupted"],
            blocks=blocks,
        )

    def _once(self, part: TreePart, run: Run) -> tuple[dict[str, Any], int, TreePart, list[Any]]:
        state: dict[str, Any] = {}
        options: dict[str, Any] = {"every": _NEVER, "save": state.update, "start": part.arrays}
        call: Callable[..., dict[str, Any]] = _core.sign_tree_count
        if self.lists:
            call = _core.sign_tree_list
            options["points"] = self.points
        out = tree_call(call, self.place, self.engine, run, **options)
        if not state:
            return out, out["chambers"], TreePart.none(), []
        found = range(len(state["found"]))
        origins, left = state["found_origin"], state["origin"]
        laid: dict[int, list[tuple[bool, int]]] = laid_out(state["place"], origins, left)
        keys: list[Key] = [()] * len(left)
        block_keys: list[Key] = [()] * len(found)
        for origin, entries in laid.items():
            for number, (is_left, i) in enumerate(entries):
                (keys if is_left else block_keys)[i] = (*part.keys[origin], number)
        blocks = [(block_keys[i], state["found"][i]) for i in found]
        rows, shares = state["rest"]
        # Not those of `out`, which go up to a limit only: there may be one more.
        return out, state["chambers"], TreePart(rows, shares, keys), blocks

    def cut(self, part: TreePart, share: float, poll: Poll = None) -> Outcome:
        """Look into the tree for a moment: what is left then are many sub-trees."""
        return self.run(part, limit=_LOOK, poll=poll)


def laid_out(
    places: Sequence[int], origins: Sequence[int], left: Sequence[int]
) -> dict[int, list[tuple[bool, int]]]:
    """Return what takes the place of every sub-tree: blocks and sub-trees that are left, in order.

    Parameters
    ----------
    places : sequence of int
        Block i comes before number ``places[i]`` of the sub-trees that are left now.
    origins : sequence of int
        Of the blocks: the number of the sub-tree, as numbered before, that they are from.
    left : sequence of int
        The same of the sub-trees that are left now.

    Returns
    -------
    dict of int to list of (is_left, number)
    """
    out: dict[int, list[tuple[bool, int]]] = {}
    at = 0
    for number, origin in enumerate(left):
        while at < len(places) and places[at] <= number:
            out.setdefault(origins[at], []).append((False, at))
            at += 1
        out.setdefault(origin, []).append((True, number))
    for i in range(at, len(places)):
        out.setdefault(origins[i], []).append((False, i))
    return out


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


def engine_for(place: Place, method: str) -> str:
    """Return the engine that runs: the one that was asked for, or the one that suits the input."""
    run = Run(True, 1, None, 0.0, None, _nothing)
    asked = method if method in ("rays", "tree") else "auto"
    engine: str = tree_call(_core.sign_tree_count, place, asked, run)["method"]
    return engine


def _nothing() -> None:
    pass
