# SPDX-License-Identifier: MIT
"""Shards: one count on machines that do not know of each other.

Every machine cuts the search in the same way and takes every n-th sub-tree. A part file is a
checkpoint that begins with these sub-trees instead of the whole, so a shard that was ended goes on
where it was. It also names the cut, so that parts of different cuts are never added up.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from itertools import islice
from os import PathLike

from ._checkpoint import Checkpoint
from ._count import count_in_parts, counting, result_of
from ._digest import digest
from ._divisible import State
from ._geometry import integer
from ._methods import method_named
from ._part_runs import ExecutorOrMaker
from ._parts import Part, Search
from ._run import Progress, run_control
from .domain import Domain, as_domain
from .errors import CorruptFile, InvalidInput
from .network import Network
from .result import RegionCount

__all__ = ["count_shard", "merge_counts"]

_PARTS_PER_SHARD = 16


def count_shard(
    net: Network,
    domain: Domain | None = None,
    *,
    shard: tuple[int, int],
    out: str | PathLike[str],
    method: str = "auto",
    arithmetic: str = "certified",
    threads: int | None = None,
    time_limit: float | None = None,
    cancel: threading.Event | None = None,
    progress: Progress = False,
    executor: ExecutorOrMaker | None = None,
) -> RegionCount:
    """Count one shard of the regions and write it to a file, for `merge_counts`.

    Parameters
    ----------
    net, domain, method, arithmetic, threads, time_limit, cancel, progress, executor
        As for `count`, and the same for every shard. Regions are activation regions.
    shard : (int, int)
        Number i and how many there are, n: ``(1, n)`` to ``(n, n)``.
    out : str or path
        The part file. It is a checkpoint: the same call goes on where the last one was ended.

    Returns
    -------
    RegionCount
        The regions of this shard: kind ``"lower"``, unless there is one shard alone.

    Raises
    ------
    InvalidInput, DegenerateInput, Unsupported, CorruptFile, CheckpointError, TypeError, Interrupted
        As in `count` with a checkpoint.

    Notes
    -----
    Guarantee: the shards of one count are disjoint and add up to it. Their times differ by as much
    as the sub-trees do; more shards than machines even that out.

    Examples
    --------
    >>> import linear_regions as lr, os, tempfile
    >>> net = lr.Network(2, [lr.Affine([[1.0, 0.0], [0.0, 1.0]]), lr.relu()])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = [os.path.join(folder, f"part{i}") for i in (1, 2)]
    ...     parts = [lr.count_shard(net, shard=(i, 2), out=paths[i - 1]) for i in (1, 2)]
    ...     int(lr.merge_counts(paths)), parts[0].kind
    (4, 'lower')
    """
    number, n = _checked(shard)
    place, chosen = counting(net, as_domain(domain), method)
    run = run_control(
        arithmetic=arithmetic,
        threads=threads,
        limit=None,
        time_limit=time_limit,
        cancel=cancel,
        progress=progress,
    )
    search = Search(net, place, chosen.name, run.certified)
    outcome = search.cut(Part.whole(), 1 / (_PARTS_PER_SHARD * n))
    if outcome.interrupted:
        raise KeyboardInterrupt
    cut: Part = outcome.rest
    names = {"shard": f"{number}/{n}", "cut": digest(cut.arrays)}
    file = Checkpoint(out, search, names, cut.every(number - 1, n))
    try:
        return count_in_parts(search, run, chosen, executor, file, whole=n == 1)
    finally:
        run.close()


_SHARD = re.compile(r"[1-9]\d{0,8}/[1-9]\d{0,8}")
_NAMES = {"shard", "cut", "method", "arithmetic", "network", "domain"}


def _checked(shard: object) -> tuple[int, int]:
    if not isinstance(shard, tuple) or len(shard) != 2:
        raise TypeError(f"shard must be a pair (number, how many), got {shard!r}")
    n = integer("shard[1]", shard[1], 1)
    number = integer("shard[0]", shard[0], 1)
    if number > n:
        raise InvalidInput(f"shard must be from (1, {n}) to ({n}, {n}), got {shard}")
    return number, n


def merge_counts(paths: Sequence[str | PathLike[str]]) -> RegionCount:
    """Add up the shards of a count.

    Parameters
    ----------
    paths : sequence of str or path
        One part file for every shard, in any order.

    Returns
    -------
    RegionCount
        As `count` would have returned it; `seconds` is the sum over the shards.

    Raises
    ------
    InvalidInput
        If a shard is missing, double or not finished, or belongs to another count.
    CorruptFile
        If a file is damaged.
    OSError
        If a file cannot be opened.

    Examples
    --------
    >>> import linear_regions as lr, os, tempfile
    >>> net = lr.Network(2, [lr.Affine([[1.0, 0.0], [0.0, 1.0]]), lr.relu()])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "part")
    ...     _ = lr.count_shard(net, shard=(1, 1), out=path)
    ...     int(lr.merge_counts([path]))
    4
    """
    if isinstance(paths, (str, bytes)):
        raise TypeError("paths must be a sequence of paths, got one text")
    texts = [os.fspath(path) for path in paths]
    if not texts:
        raise InvalidInput("there are no parts to merge")
    first: dict[str, str] = {}
    whole = State(rest=Part.whole().take(0, 0))
    seen: dict[int, str] = {}
    for path in texts:
        header, state = Checkpoint.open(path)
        names: dict[str, str] = header["of"]
        shard = names.get("shard")
        if shard is None:
            raise InvalidInput(f"{path} is a checkpoint of a whole count, not a part of one")
        if not _SHARD.fullmatch(shard) or not names.keys() >= _NAMES:
            raise CorruptFile(f"{path}: not a part of a count, or damaged: shard {shard[:40]!r}")
        number = int(shard.partition("/")[0])
        for name in names.keys() - {"shard"}:
            if first and names[name] != first.get(name):
                raise InvalidInput(
                    f"{path} is of another count than {texts[0]}: they differ in their {name}"
                )
        first = first or names
        if shard.partition("/")[2] != first["shard"].partition("/")[2]:
            raise InvalidInput(f"{path} is shard {shard}, {texts[0]} is shard {first['shard']}")
        if number in seen:
            raise InvalidInput(f"shard {shard} is there twice: {seen[number]} and {path}")
        seen[number] = path
        if len(state.rest):
            raise InvalidInput(
                f"{path}: shard {shard} is not finished, {state.rest.weight:.2g} of the search is "
                "left: call it again with the same file"
            )
        whole.found += state.found
        whole.seconds += state.seconds
        whole.add_work(state.work)
    n = int(first["shard"].partition("/")[2])
    absent = n - len(seen)
    if absent > 0:
        missing = list(islice((i for i in range(1, n + 1) if i not in seen), 10))
        listed = ", ".join(map(str, missing)) + (", ..." if absent > 10 else "")
        raise InvalidInput(f"{absent} of {n} shards are missing: {listed}")
    answer = {
        "regions": whole.found,
        "status": "complete",
        "seconds": whole.seconds,
        "work": {**whole.work, "shards": n},
    }
    if first["arithmetic"] not in ("certified", "float"):
        raise CorruptFile(f"{texts[0]}: not a part of a count, or damaged: its arithmetic")
    try:
        method = method_named(first["method"])
    except InvalidInput as error:
        raise CorruptFile(f"{texts[0]}: not a part of a count, or damaged: {error}") from None
    return result_of(answer, method, first["arithmetic"])
