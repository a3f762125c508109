# SPDX-License-Identifier: MIT
"""Searches that can be divided: what a part of one is, and what searching a part gives.

`_parts` divides the trees of networks, `_chamber_parts` those of arrangements, `_items` what is
numbered. `_part_runs` works all of them off, here or on the workers of an executor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

__all__ = ["Divisible", "Outcome", "Poll", "Searchable", "State"]

Poll: TypeAlias = Callable[[int, float], bool] | None


class Divisible(Protocol):
    """A part of a search: disjoint pieces, in some order."""

    def __len__(self) -> int:
        """Return the number of pieces; zero: nothing is left."""

    @property
    def weight(self) -> float:
        """Share of the whole search, between 0 and 1."""

    def pieces(self, n: int) -> list[Any]:
        """Divide into at most `n` parts of about the same weight, none of them empty."""

    @staticmethod
    def join(parts: Sequence[Any]) -> Any:
        """Return all pieces of disjoint parts."""

    def ordered(self) -> Any:
        """Return the same pieces in the order of the search."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What searching a part gave.

    Attributes
    ----------
    regions : int
        Regions found in the part, less those of `rest`.
    status : str
        As of `RegionCount`, or ``"paused"``.
    rest : Divisible
        What is left of the part.
    wide : bool
        Whether some cell needed wide masks.
    seconds : float
    work : dict of str to int
    interrupted : bool
    blocks : list of (key, anything)
        What was found, where more than its number is wanted. Keys order it.
    setup_seconds : float
        Spent on the ways to the pieces, over all threads.
    """

    regions: int
    status: str
    rest: Any
    wide: bool = False
    seconds: float = 0.0
    work: dict[str, int] = field(default_factory=dict)
    interrupted: bool = False
    blocks: list[Any] = field(default_factory=list)
    setup_seconds: float = 0.0


class Searchable(Protocol):
    """What is searched. It pickles, so that workers can search as well."""

    def run(
        self,
        part: Any,
        *,
        threads: int = 1,
        limit: int | None = None,
        time_limit: float | None = None,
        pause_after: float | None = None,
        pause_at: int | None = None,
        poll: Poll = None,
        wide: bool = False,
    ) -> Outcome:
        """Search a part until it is done, a limit stops it, or it is time for a pause."""

    def cut(self, part: Any, share: float, poll: Poll = None) -> Outcome:
        """Cut a part into pieces of at most about `share` of the whole; it may find some."""


@dataclass
class State:
    """How far a search has come.

    Attributes
    ----------
    rest : Divisible
        What is left.
    found : int
        Regions outside `rest`.
    wide : bool
        Whether the search needs wide masks.
    seconds : float
        Spent so far, over all runs.
    work : dict of str to int
    runs : int
        Processes that worked on it.
    chunk_rows : list of int
        Of a listing on disk: regions of each chunk.
    """

    rest: Any
    found: int = 0
    wide: bool = False
    seconds: float = 0.0
    work: dict[str, int] = field(default_factory=dict)
    runs: int = 0
    chunk_rows: list[int] = field(default_factory=list)

    def add_work(self, work: dict[str, int]) -> None:
        """Add work counters."""
        for name, value in work.items():
            self.work[name] = self.work.get(name, 0) + value
