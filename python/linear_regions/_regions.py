# SPDX-License-Identifier: MIT
"""Listing activation regions, stored or streamed."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from os import PathLike
from types import TracebackType
from typing import Any, Literal, NamedTuple, overload

import numpy as np

from . import _core
from ._ball_regions import list_in_ball
from ._count import check_question, refuse_parts_of_ball, result_of
from ._divisible import State
from ._frame import domain_frame
from ._geometry import integer
from ._lineality import Quotient, lifted, quotient_of, restricted
from ._lower import frame_of, planar_domain, program
from ._methods import MOST_FACED, method_named
from ._part_runs import ExecutorOrMaker
from ._parts import Search
from ._pieces import with_pieces
from ._planar import planar_frame
from ._region_chunks import RegionFolder
from ._region_columns import Columns, cone_columns, planar_columns, tree_columns
from ._region_listing import Listing, check_parts
from ._region_table import Facet, Region, Regions
from ._run import Aside, Progress, Run, run_control, whole
from ._value import FloatArray
from .domain import Ball, Domain, as_domain
from .errors import Interrupted, Unsupported
from .network import Network, check_network
from .result import RegionCount

__all__ = ["Facet", "Region", "RegionFolder", "RegionStream", "Regions", "regions"]


@overload
def regions(
    net: Network,
    domain: Domain | None = None,
    *,
    what: str = ...,
    faces: bool | None = ...,
    method: str = ...,
    arithmetic: str = ...,
    threads: int | None = ...,
    limit: int | None = ...,
    time_limit: float | None = ...,
    cancel: threading.Event | None = ...,
    progress: Progress = ...,
    stream: Literal[False] = ...,
    block: int = ...,
    executor: ExecutorOrMaker | None = ...,
    checkpoint: str | PathLike[str] | None = ...,
    out: None = ...,
) -> Regions: ...
@overload
def regions(
    net: Network,
    domain: Domain | None = None,
    *,
    what: str = ...,
    faces: bool | None = ...,
    method: str = ...,
    arithmetic: str = ...,
    threads: int | None = ...,
    limit: int | None = ...,
    time_limit: float | None = ...,
    cancel: threading.Event | None = ...,
    progress: Progress = ...,
    stream: Literal[True],
    block: int = ...,
    executor: None = ...,
    checkpoint: None = ...,
    out: None = ...,
) -> RegionStream: ...
@overload
def regions(
    net: Network,
    domain: Domain | None = None,
    *,
    what: str = ...,
    faces: bool | None = ...,
    method: str = ...,
    arithmetic: str = ...,
    threads: int | None = ...,
    limit: int | None = ...,
    time_limit: float | None = ...,
    cancel: threading.Event | None = ...,
    progress: Progress = ...,
    stream: Literal[False] = ...,
    block: int = ...,
    executor: ExecutorOrMaker | None = ...,
    checkpoint: None = ...,
    out: str | PathLike[str],
) -> RegionFolder: ...
def regions(
    net: Network,
    domain: Domain | None = None,
    *,
    what: str = "activation",
    faces: bool | None = None,
    method: str = "auto",
    arithmetic: str = "certified",
    threads: int | None = None,
    limit: int | None = None,
    time_limit: float | None = None,
    cancel: threading.Event | None = None,
    progress: Progress = False,
    stream: bool = False,
    block: int = 16384,
    executor: ExecutorOrMaker | None = None,
    checkpoint: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
) -> Regions | RegionStream | RegionFolder:
    """List the regions of a network in a domain: patterns, points, vertices, facets, affine maps.

    Parameters
    ----------
    net : Network
    domain : Domain, optional
        Of dimension up to about eight, without faces up to twenty, not counting directions in which
        neither sides nor units change; default the whole input space.
        In a `Ball` the regions are those that meet its inside; their facets, vertices and volumes
        are taken in the box around it (`Regions.place`), their interior points lie in the ball.
    what : {"activation", "linear", "affine"}, default "activation"
        The table always has one row per activation region. With ``"linear"`` or ``"affine"`` its
        `count` is that of linear regions or affine pieces, and `Regions.linear_regions` or
        `Regions.affine_pieces` say which rows make up each.
    faces : bool, optional
        With vertices and facets. Without, there are patterns, interior points, whether regions are
        bounded, and affine maps; a list takes a fraction of the time and a few dozen bytes per
        region. Faces of single regions are then found on demand (`Region.facets`). Default: with
        faces in up to eight dimensions, beyond them where the question needs them (a `Ball`,
        ``what="linear"``); `Regions.has_faces` says which.
    method, arithmetic, threads, time_limit, cancel, progress : see `count`
    limit : int, optional
        List exactly the first `limit` activation regions; runs on one thread.
    stream : bool, default False
        Give an iterator of `Regions` with about `block` regions each instead of one table; memory
        then does not grow with the number of regions. Streaming runs on one thread of its own.
    block : int, default 16384
        Regions per block of a stream.
    executor : see `count`
        Not with `limit`: the first regions of the order are found one after the other.
    checkpoint : str or path, optional
        Folder that records the regions found so far and what is left, every few seconds; the same
        call goes on from there. See `count`.
    out : str or path, optional
        Folder that takes the regions in chunks of columns, in constant memory; it is a checkpoint,
        too. A listing that was cut short can be read as far as it goes (`load`).

    Returns
    -------
    Regions, RegionStream or RegionFolder
        In the depth-first order of the search, which does not depend on the threads.

    Raises
    ------
    Unsupported, InvalidInput, DegenerateInput, TypeError
        As in `count`.
    CorruptFile, CheckpointError
        If the folder is damaged, or cannot be read or written.
    Interrupted
        On Ctrl-C; its attribute ``partial`` holds the regions listed so far.

    Notes
    -----
    Guarantee: the set of patterns is exact; every interior point with ``interior_proved`` lies
    strictly inside its region. A region so thin that no double lies inside is listed all the same
    and has an exact rational point (`Region.interior_fraction`).

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network(2, [lr.Affine([[1.0, 0.0], [0.0, 1.0]]), lr.relu()])
    >>> table = lr.regions(net, lr.Box(-1, 1))
    >>> len(table), table.volumes.tolist(), table.patterns[:, 0].tolist()
    (4, [1.0, 1.0, 1.0, 1.0], [3, 1, 2, 0])
    """
    place = as_domain(domain)
    asked: dict[str, Any] = {
        "arithmetic": arithmetic,
        "threads": threads,
        "limit": limit,
        "time_limit": time_limit,
        "cancel": cancel,
        "progress": progress,
    }
    if faces is not None and not isinstance(faces, bool):
        raise TypeError(f"faces must be True, False or None, got {faces!r}")
    if isinstance(place, Ball) and isinstance(net, Network):
        if faces is False:
            raise Unsupported(
                "which regions meet a Ball follows from their facets: take faces=True, or a Box"
            )
        if stream:
            raise Unsupported("regions in a Ball are not streamed: take stream=False, or a Box")
        refuse_parts_of_ball(executor, out if checkpoint is None else checkpoint)
        return list_in_ball(net, place, what, {"method": method, **asked})
    if faces is None:
        check_network(net)
        dim = place.resolve(net.input_shape).dim or 0
        faces = what == "linear" or dim <= MOST_FACED
    chosen = check_question(net, place, what, method, faces=faces)
    if not chosen.lists:
        raise Unsupported(
            f"method {chosen.name!r}, which this domain would take, counts but lists no regions: "
            "list in a domain of lower dimension, or with method='cones'; see methods()"
        )
    if chosen.name == "tree" and faces:
        other = "what='affine'" if what == "linear" else "faces=False"
        raise Unsupported(
            "method 'tree', which this domain takes unless told otherwise, knows regions by points "
            "and inequalities and lists them without faces (those of single regions are found on "
            f"demand): take {other}, a domain of lower dimension, or method='cones'"
        )
    run = run_control(**asked)
    if what == "linear" and not faces:
        raise Unsupported(
            "linear regions are joined across facets: what='linear' needs faces=True. Affine maps "
            "are compared without: what='affine'"
        )
    if what != "activation" and (stream or not run.certified):
        raise Unsupported(
            f"what={what!r} compares affine maps exactly, over all regions: it needs "
            "arithmetic='certified' and stream=False"
        )
    in_parts = executor is not None or checkpoint is not None or out is not None
    if in_parts:
        check_parts(what, run, stream, executor, checkpoint, out)
    engine = _engine(net, place, chosen.name, faces)
    resolved = place.resolve(net.input_shape)

    def result(answer: dict[str, Any]) -> RegionCount:
        return result_of(answer, chosen, arithmetic)

    def table(answer: dict[str, Any], columns: Columns | Aside[Columns]) -> Regions:
        return Regions(
            net, resolved, result(answer), columns, engine.embedding, quotient=engine.quotient
        )

    if stream:
        return RegionStream(engine, run, integer("block", block, 1), table, result)
    start = time.monotonic()
    try:
        if in_parts:
            search = Search(net, place, chosen.name, run.certified, lists=True, faces=faces)
            listing = Listing(search, run, engine, executor, out or checkpoint)
            answer = listing.work(result)
            if out is not None:
                on_disk = RegionFolder(out)
                on_disk.count = result(answer)
                if answer["interrupted"]:
                    raise Interrupted(partial=on_disk)
                return on_disk
            join = listing.columns()
        else:
            options = (run.certified, run.threads, run.limit, run.time_limit, run.poll)
            answer = engine.list(engine.tape, engine.place, *options, faces)
            join = partial(engine.joined, answer)
        # Joining what was found takes longer than a signal, or a limit that is over, may wait.
        columns = Aside(join, answer["regions"])

        def found(run: Run) -> Regions:
            listed = table(answer, columns)
            if what == "activation":
                if answer["status"] in ("complete", "limit"):
                    columns()
                return listed
            left = None if run.time_limit is None else run.time_limit - (time.monotonic() - start)
            return with_pieces(listed, what, run, left, answer.get("first_patterns"))

        try:
            whole(answer)
            return found(run)
        except KeyboardInterrupt as stop:
            if isinstance(stop, Interrupted):
                raise
            if what != "activation":
                answer["status"] = "cancelled"
            raise Interrupted.later(partial(found, replace(run, poll=None))) from None
    finally:
        run.close()


class _Engine(NamedTuple):
    """An engine that lists, with its form of network and domain."""

    list: Callable[..., dict[str, Any]]
    stream: Callable[..., dict[str, Any]]
    tape: _core.Tape
    place: object
    columns: Callable[[dict[str, Any]], Columns]
    embedding: FloatArray
    quotient: Quotient | None = None
    faces: bool = True

    def joined(self, answer: dict[str, Any]) -> Columns:
        """Return the columns of what was listed."""
        return self.columns(answer["columns"]())

    def list_nothing(self) -> dict[str, Any]:
        """Return the columns of no regions."""
        stopped = self.list(
            self.tape, self.place, True, 1, 1, None, lambda found, done: False, self.faces
        )
        columns: dict[str, Any] = stopped["columns"]()
        return columns


def _engine(net: Network, domain: Domain, method: str, faces: bool = True) -> _Engine:
    tape = program(net)
    if method == "polygons":
        plane = planar_frame(domain, net.input_shape)
        embedding = np.ascontiguousarray(plane.columns[[*range(plane.dim), 2]])
        return _Engine(
            _core.list_planar,
            _core.stream_planar,
            tape,
            planar_domain(plane),
            partial(planar_columns, plane),
            embedding,
            faces=faces,
        )
    frame = domain_frame(domain, net.input_shape)
    place, columns, calls = frame_of(frame), tree_columns, (_core.list_tree, _core.stream_tree)
    if method == "cones":
        columns, calls = cone_columns, (_core.list_cones, _core.stream_cones)
    quotient = quotient_of(tape, frame, place)
    if quotient is not None:
        place = frame_of(restricted(frame, quotient))
        columns = partial(_across, columns, quotient)
    faces = faces and method == "cones"
    return _Engine(*calls, tape, place, columns, frame.columns, quotient, faces)


def _across(
    columns: Callable[[Mapping[str, Any]], Columns], quotient: Quotient, listed: Mapping[str, Any]
) -> Columns:
    return lifted(columns(listed), quotient)


def embedding_and_quotient(
    net: Network, domain: Domain, method: str
) -> tuple[FloatArray, Quotient | None]:
    """Return what a table needs to know of its domain."""
    engine = _engine(net, domain, method)
    return engine.embedding, engine.quotient


def counted(state: State, names: dict[str, str]) -> RegionCount:
    """Return how far a listing on disk has come."""
    answer = {
        "regions": state.found,
        "status": "cancelled" if len(state.rest) else "complete",
        "seconds": state.seconds,
        "work": state.work,
    }
    return result_of(answer, method_named(names["method"]), names["arithmetic"])


def part_count(count: RegionCount, n: int) -> RegionCount:
    """Return the count of a table with `n` of the regions."""
    part = {"regions": n, "status": "limit", "seconds": 0.0, "work": {}}
    return result_of(part, method_named(count.method), count.arithmetic)


class RegionStream(Iterator[Regions]):
    """Blocks of regions as they are found, in constant memory.

    Made by ``regions(..., stream=True)``. The search runs on a thread of its own and waits while
    two blocks are ready. Closing the stream (or leaving its ``with`` block) stops the search.

    Attributes
    ----------
    count : RegionCount or None
        How the listing ended; None until the last block was taken.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network(2, [lr.Affine([[1.0, 0.0], [0.0, 1.0]]), lr.relu()])
    >>> with lr.regions(net, stream=True, block=3) as stream:
    ...     sizes = [len(part) for part in stream]
    >>> sizes, int(stream.count)
    ([3, 1], 4)
    """

    def __init__(
        self,
        engine: _Engine,
        run: Run,
        block: int,
        table: Callable[[dict[str, Any], Columns], Regions],
        result: Callable[[dict[str, Any]], RegionCount],
    ) -> None:
        self.count: RegionCount | None = None
        self._table, self._columns = table, engine.columns
        self._result = result
        self._ready: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=2)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._search, args=(engine, run, block), daemon=True)
        self._thread.start()

    def _search(self, engine: _Engine, run: Run, block: int) -> None:
        def poll(found: int, fraction: float) -> bool:
            return not self._closed.is_set() and (run.poll is None or run.poll(found, fraction))

        try:
            answer = engine.stream(
                engine.tape,
                engine.place,
                run.certified,
                block,
                run.limit,
                run.time_limit,
                poll,
                lambda columns: self._put("columns", columns),
                engine.faces,
            )
            self._put("end", answer)
        except BaseException as error:  # handed to the reader, who raises it
            self._put("error", error)
        finally:
            run.close()

    def _put(self, kind: str, item: Any) -> bool:
        while not self._closed.is_set():
            try:
                self._ready.put((kind, item), timeout=0.05)
            except queue.Full:
                continue
            return True
        return False

    def __next__(self) -> Regions:
        """Return the next block."""
        if self._closed.is_set():
            raise StopIteration
        try:
            kind, item = self._ready.get()
        except KeyboardInterrupt:  # nobody will take what the thread still finds
            self.close()
            raise
        if kind == "columns":
            # A block by itself is a partial listing.
            part = {"regions": len(item["patterns"]), "status": "limit", "seconds": 0.0, "work": {}}
            return self._table(part, self._columns(item))
        self.close()
        if kind == "error":
            raise item
        self.count = self._result(item)
        raise StopIteration

    def close(self) -> None:
        """Stop the search and release its thread.

        Examples
        --------
        >>> import linear_regions as lr
        >>> net = lr.Network(2, [lr.Affine([[1.0, 0.0], [0.0, 1.0]]), lr.relu()])
        >>> stream = lr.regions(net, stream=True)
        >>> stream.close()
        >>> list(stream)
        []
        """
        self._closed.set()
        self._thread.join()

    def __enter__(self) -> RegionStream:
        """Return the stream itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the stream."""
        self.close()
