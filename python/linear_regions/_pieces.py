# SPDX-License-Identifier: MIT
"""Linear regions and affine pieces: activation regions with one affine map.

Two activation regions are in one affine piece where their maps are equal as functions on the
affine hull of the domain, and in one linear region where a chain of neighbours with that map joins
them. Contact in less than a facet joins nothing: the union of two such regions has no connected
interior.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import _core
from ._frame import domain_frame
from ._lower import frame_of, program
from ._region_columns import IntArray, Words
from ._run import Run
from .errors import Interrupted, Unsupported

if TYPE_CHECKING:
    from ._region_table import Regions

__all__ = ["Pieces", "affine_pieces", "linear_regions", "with_pieces"]


_AFTER_A_STOP = 0.02  # seconds for the maps of a listing that a stop has ended


class Pieces(NamedTuple):
    """Numbers of the pieces, by activation region.

    Attributes
    ----------
    of : int64 array, shape (R,)
        Numbered by first occurrence.
    n : int
        How many there are.
    exact_maps : int
        Maps that were computed in exact arithmetic.
    complete : bool
        False where the work was stopped: `n` is then a lower bound.
    interrupted : bool
        Whether Ctrl-C stopped it.
    """

    of: IntArray
    n: int
    exact_maps: int
    complete: bool
    interrupted: bool


def affine_pieces(
    table: Regions,
    poll: Callable[[int, float], bool] | None = None,
    patterns: Words | None = None,
) -> Pieces:
    """Group the regions of a table, or some with these patterns, by their affine maps, exactly."""
    if table.count.arithmetic != "certified":
        raise Unsupported("affine maps are compared exactly: list with arithmetic='certified'")
    net = table.network
    found = _core.map_classes(
        program(net),
        frame_of(domain_frame(table.place, net.input_shape)),
        table.patterns if patterns is None else patterns,
        poll,
    )
    return Pieces(
        found["of"], found["n"], found["exact_maps"], found["complete"], found["interrupted"]
    )


def _of_the_first(table: Regions, patterns: Words | None) -> Pieces:
    """Group as many of the regions with these patterns as a moment suffices for.

    Without patterns, or where they are those of all regions, of the table itself.
    """
    if patterns is None or len(patterns) == table.count.value:
        patterns = table.patterns
    end = time.monotonic() + _AFTER_A_STOP
    n = 256
    while True:
        begin = time.monotonic()
        found = affine_pieces(table, None, patterns[:n])
        now = time.monotonic()
        if found.interrupted or n >= table.count.value:
            return found
        if n >= len(patterns) or now + 4 * (now - begin) > end:
            return found._replace(complete=False)
        n *= 4


def linear_regions(
    table: Regions, affine: IntArray, look: Callable[[], object] | None = None
) -> IntArray:
    """Return the linear region of every region of a complete table, given the affine pieces.

    `look` is called now and then, and ends the work by raising.
    """
    if len(affine) and int(affine.max()) + 1 == len(affine):
        return affine
    table._find_mates(look)
    i, j, _ = table.adjacency()
    same = affine[i] == affine[j]
    return np.asarray(_core.components(len(table), i[same], j[same]))


class _Stopped(Exception):
    """The work was ended from outside."""


def _now_and_then(poll: Callable[[int, float], bool], found: int) -> Callable[[], None]:
    """Return a function that asks whether to go on, at most 20 times a second."""
    last = -1.0

    def look() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > 0.05:
            last = now
            if not poll(found, 1.0):
                raise _Stopped

    return look


def with_pieces(
    table: Regions,
    what: str,
    run: Run,
    seconds_left: float | None,
    first: Words | None = None,
) -> Regions:
    """Return the table with the count of its linear regions or affine pieces.

    Parameters
    ----------
    table : Regions
        As listed: its count is of activation regions.
    what : {"linear", "affine"}
    run : Run
    seconds_left : float or None
    first : uint64 array, optional
        Patterns of a few of its regions, where joining the columns is to wait.

    Returns
    -------
    Regions
        The same columns. Of an incomplete listing the distinct affine maps are counted, which are
        a lower bound for both questions; where a stop ended it, those of the first regions, as
        many as a moment suffices for.
    """
    start = time.monotonic()
    stopped = ""
    ended = table.count.status in ("cancelled", "time_limit")

    def poll(found: int, fraction: float) -> bool:
        nonlocal stopped
        if seconds_left is not None and time.monotonic() - start > seconds_left:
            stopped = "time_limit"
        elif run.poll is not None and not run.poll(found, fraction):
            stopped = "cancelled"
        return not stopped

    affine = _of_the_first(table, first) if ended else affine_pieces(table, poll)
    n_regions = table.count.value if ended else len(table)
    table._affine = affine if affine.complete else None
    status, value, interrupted = table.count.status, affine.n, affine.interrupted
    if not affine.complete and not ended:
        status = "time_limit" if stopped == "time_limit" else "cancelled"
    if what == "linear" and status == "complete":
        try:
            value = int(linear_regions(table, affine.of, _now_and_then(poll, value)).max()) + 1
        except _Stopped:
            status = "time_limit" if stopped == "time_limit" else "cancelled"
        except KeyboardInterrupt:
            status, interrupted = "cancelled", True
    table.count = replace(
        table.count,
        value=value,
        what=what,
        kind="exact" if status == "complete" else "lower",
        status=status,
        interval=None,
        confidence=None,
        bracket=None,
        seconds=table.count.seconds + time.monotonic() - start,
        work={
            **table.count.work,
            "activation_regions": n_regions,
            "exact_maps": affine.exact_maps,
        },
    )
    if interrupted:
        raise Interrupted(partial=table)
    return table
