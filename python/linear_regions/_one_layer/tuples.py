# SPDX-License-Identifier: MIT
"""The count of filter tuples by the compiled core, here or on an executor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._digest import digest
from .._divisible import Poll, State
from .._items import Items, ItemSearch, Piece
from .._part_runs import ExecutorOrMaker, PartRun
from .compiled import NEVER, Control, StoppedEarly, kept_call
from .draws import OutOfReach
from .multiset import shared_orbits
from .windows import Part


def filter_tuples(
    part: Part,
    rows: Sequence[Sequence[Sequence[int]]],
    prime: int,
    check_bias: bool,
    control: Control,
    max_nodes: int,
) -> tuple[list[list[int]], int]:
    """Return the table n(m, s) of a draw of shared filters, and the number of rows tested.

    Parameters
    ----------
    part : Part
        A component of the layer.
    rows : sequence, [filter][window][slot + bias]
        The draw modulo `prime`, as from `shared_rows` with biases.
    prime : int
        Between 2**60 and 2**61.
    check_bias : bool
        Whether dependent rows must have independent biases.
    control : Control
        How the count is watched.
    max_nodes : int
        Budget of tested rows.

    Returns
    -------
    table : list of list of int
        table[m][s].
    nodes : int

    Raises
    ------
    OutOfReach
        The budget is too small, or dependent hyperplanes share a point.
    StoppedEarly
        The run was stopped.
    """
    from .. import _core

    orbits = shared_orbits(part)
    rank = part.rank_limit
    arguments = {
        "rows": np.array(rows, dtype=np.uint64),
        "prime": prime,
        "rank": rank,
        "firsts": list(orbits),
        "orbits": list(orbits.values()),
        "check_bias": check_bias,
        "max_nodes": max_nodes,
    }
    if control.executor is not None:
        table, nodes = _spread_tuples(arguments, control, control.executor)
        return _in_rows(table, rank), nodes
    found = kept_call(
        "tuples",
        _core.count_filter_tuples,
        arguments,
        control,
        {"counters": np.uint64, "way": np.uint32, "high": np.uint64, "low": np.uint64},
    )
    if found["end"] != "done":
        raise OutOfReach
    return _in_rows(_wide(found), rank), found["nodes"]


def _wide(found: dict[str, Any]) -> list[int]:
    return [high << 64 | low for high, low in zip(found["high"], found["low"], strict=True)]


def _in_rows(flat: list[int], rank: int) -> list[list[int]]:
    return [flat[i : i + rank + 1] for i in range(0, len(flat), rank + 1)]


class TupleSearch(ItemSearch):
    """First sets of filters, up to symmetry: each with all tuples that it begins. Pickles.

    Parameters
    ----------
    arguments : dict
        Of the core's count of all of them.
    """

    most_at_once = 1

    def __init__(self, arguments: dict[str, Any]) -> None:
        self._arguments = arguments

    def piece(
        self, first: int, last: int, begun: Any, threads: int, seconds: float | None, poll: Poll
    ) -> Piece:
        """Count the tuples that one set begins."""
        from .. import _core

        states: list[tuple[Any, ...]] = []
        own = {name: [self._arguments[name][first]] for name in ("firsts", "orbits")}
        found = _core.count_filter_tuples(
            **{**self._arguments, **own},
            time_limit=seconds,
            poll=poll,
            every=NEVER,
            save=states.append,
            start=begun,
        )
        if found["end"] == "stopped":
            return Piece(
                first,
                status=found["status"],
                interrupted=found["interrupted"],
                begun=states[-1] if states else None,
            )
        if found["end"] != "done":
            raise OutOfReach
        return Piece(first + 1, work={"nodes": found["nodes"]}, result=_wide(found))


def _spread_tuples(
    arguments: dict[str, Any], control: Control, executor: ExecutorOrMaker
) -> tuple[list[int], int]:
    """Count on an executor; return the table, row after row, and the number of rows tested."""
    n, ledger = len(arguments["firsts"]), control.ledger
    key = digest(("tuples by first sets", list(arguments.items())))
    known = None if ledger is None else ledger.answer(key)
    if known is not None:
        return list(known["table"]), int(known["nodes"])
    table: list[int] = []
    state = State(Items.equal(n))
    begun = None if ledger is None else ledger.begun(key)
    if ledger is not None and begun is not None:
        try:
            table = [int(value) for value in begun[0]["table"]]
            state = State(Items.of_arrays(begun[1], n), work={"nodes": int(begun[0]["nodes"])})
        except (KeyError, TypeError, ValueError) as error:
            raise ledger.damage(error) from error

    def take(blocks: list[tuple[int, list[int]]]) -> None:
        for _, more in blocks:
            old = table or [0] * len(more)
            table[:] = [a + b for a, b in zip(old, more, strict=True)]
            table[0] = 1  # no filter at all: in every one of the tables

    parts = PartRun(TupleSearch(arguments), control.run(), state, take=take)
    if ledger is not None:
        book = ledger  # not None from here on
        parts.every = ledger.interval
        parts.save = lambda now: book.keep(
            key, {"table": table, "nodes": now.work.get("nodes", 0)}, now.rest.arrays
        )
    out = parts.on(executor)
    nodes = state.work.get("nodes", 0)
    if out["status"] != "complete":
        raise StoppedEarly(out["status"], out["interrupted"])
    if nodes > arguments["max_nodes"]:
        raise OutOfReach
    if ledger is not None:
        ledger.finish(key, {"table": table, "nodes": nodes})
    return table, nodes
