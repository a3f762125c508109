# SPDX-License-Identifier: MIT
"""Exact counting of activation regions."""

from __future__ import annotations

import threading
from dataclasses import replace
from os import PathLike
from typing import Any

from . import _core
from ._checkpoint import Checkpoint
from ._divisible import State
from ._essential import essential_part
from ._first_layer import check_one_layer, count_by_arrangement, is_one_layer
from ._forecast import warned
from ._frame import domain_frame
from ._lower import frame_of, planar_domain, program
from ._methods import Method, choose
from ._part_runs import ExecutorOrMaker, PartRun
from ._parts import Part, Search
from ._planar import planar_frame
from ._run import Progress, Run, run_control
from ._version import __version__
from .domain import Ball, Domain, as_domain, sides_of
from .errors import CheckpointError, Interrupted, InvalidInput, Unsupported
from .layers import Maxout, MaxPool
from .network import Network, check_network
from .result import RegionCount

__all__ = ["check_question", "count", "result_of"]

_WHATS = ("activation", "linear", "affine")
_MOST_LISTED = 4096  # dimensions of a domain whose directions make a matrix in memory
_REFERENCE = "Zaslavsky 1975 on each layer cell; definition: Hanin & Rolnick 2019"


def count(
    net: Network,
    domain: Domain | None = None,
    *,
    what: str = "activation",
    method: str = "auto",
    arithmetic: str = "certified",
    threads: int | None = None,
    limit: int | None = None,
    time_limit: float | None = None,
    cancel: threading.Event | None = None,
    progress: Progress = False,
    executor: ExecutorOrMaker | None = None,
    checkpoint: str | PathLike[str] | None = None,
) -> RegionCount:
    """Count the regions of a network in a domain, exactly.

    Parameters
    ----------
    net : Network
        Its float64 weights are taken as exact numbers.
    domain : Domain, optional
        `Box`, `Polytope`, `Space`, `Slice` or `Segment` of any dimension; default the whole input
        space. Regions are counted in its relative interior. A `Ball` of up to eight dimensions: the
        regions of the box around it are visited, on one thread.
    what : {"activation", "linear", "affine"}, default "activation"
        Activation regions (one per activation pattern); linear regions (maximal connected open
        sets on which the network is one affine map); or affine pieces (distinct affine maps). The
        last two list the activation regions, so memory grows with their number.
    method : str, default "auto"
        A name from `methods`. ``"auto"`` takes one by the domain and the layers.
    arithmetic : {"certified", "float"}, default "certified"
        ``"certified"``: signs that rounding leaves open are recomputed in integers of any size,
        and the result is the true number. ``"float"``: they are taken as zero, and the result is
        an estimate.
    threads : int, optional
        Default as many as this process may use. The result does not depend on it.
    limit : int, optional
        Stop once that many activation regions were found.
    time_limit : float, optional
        Stop after so many seconds.
    cancel : threading.Event, optional
        Setting it stops the call within 0.1 seconds.
    progress : bool or callable, default False
        True shows a bar (extra ``progress``); a callable is called at most 20 times a second with
        the number of regions found and the estimated fraction of the work done.
    executor : concurrent.futures.Executor or callable, optional
        Count on its workers, in tasks of about five seconds: a `ProcessPoolExecutor`,
        ``mpi4py.futures``, a Dask client's ``get_executor()``. A callable without arguments that
        makes one is called again, three times at most, where the executor breaks; parts that a
        given executor loses are finished in this process, with a warning.
    checkpoint : str or path, optional
        File that records what was found and what is left, every few seconds. The same call goes on
        from there, whatever ended the last one; a finished checkpoint answers at once. Needs a
        method with parts: polygons, cones or tree.

    Returns
    -------
    RegionCount
        kind ``"exact"`` when complete; a stopped call gives kind ``"lower"`` and its status.

    Raises
    ------
    Unsupported
        If the method does not take the domain's dimension, or ``"auto"`` finds that regions depend
        on more than twenty dimensions, and there is more than one layer.
    InvalidInput, DegenerateInput, TypeError
        If an argument is wrong, or the domain is empty; or if the checkpoint belongs to another
        network, domain or question.
    CorruptFile, CheckpointError
        If the checkpoint is damaged, or cannot be read or written.
    Interrupted
        On Ctrl-C, with the partial result in its attribute ``partial``.

    Warns
    -----
    LongRunWarning
        Once, where a count without limit, time limit and checkpoint is forecast to take more than
        an hour.

    Notes
    -----
    Guarantee: exact. No tolerance takes part; coinciding, parallel and dead units, ties and
    vertices on a hyperplane are ordinary input. A unit that is identically zero on a region counts
    as off there. Directions in which neither sides nor units change cost no dimension: a network of
    six units behind 784 inputs is counted in six. Time grows with the number of regions after each
    layer; memory does not.

    References
    ----------
    B. Hanin, D. Rolnick, "Deep ReLU Networks Have Surprisingly Few Activation Patterns", NeurIPS
    2019, arXiv:1906.00904 (definition of activation regions).

    Examples
    --------
    Three lines in general position cut the plane into seven regions, five of which meet a square:

    >>> import linear_regions as lr
    >>> weight, bias = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [0.0, 0.0, -1.5]
    >>> net = lr.Network(2, [lr.Affine(weight, bias), lr.relu()])
    >>> int(lr.count(net)), int(lr.count(net, lr.Box(-1, 1)))
    (7, 5)
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
    if isinstance(place, Ball) and isinstance(net, Network):
        from ._ball_regions import count_in_ball

        refuse_parts_of_ball(executor, checkpoint)
        return count_in_ball(net, place, what, {"method": method, **asked})
    if what != "activation":
        parts = {"executor": executor, "checkpoint": checkpoint}
        return _pieces(net, domain, what=what, method=method, **asked, **parts)
    in_parts = executor is not None or checkpoint is not None
    merged = not in_parts and limit is None and arithmetic == "certified"
    place, chosen = counting(net, place, method, merged=merged)
    run = run_control(**asked)
    try:
        if in_parts:
            search = Search(net, place, chosen.name, run.certified)
            file = None if checkpoint is None else Checkpoint(checkpoint, search)
            return count_in_parts(search, run, chosen, executor, file)
        if chosen.name == "arrangement":
            return count_by_arrangement(net, place, run)
        run = warned(run, lambda: Search(net, place, chosen.name, True))
        options = (run.certified, run.threads, run.limit, run.time_limit, run.poll)
        if chosen.name == "polygons":
            polygon = planar_domain(planar_frame(place, net.input_shape))
            answer = _core.count_planar(program(net), polygon, *options)
        else:
            frame = frame_of(domain_frame(place, net.input_shape))
            engine = _core.count_cones if chosen.name == "cones" else _core.count_tree
            answer = engine(program(net), frame, *options)
    finally:
        run.close()
    result = result_of(answer, chosen, arithmetic)
    if answer["interrupted"]:
        raise Interrupted(partial=result)
    return result


def count_in_parts(
    search: Search,
    run: Run,
    method: Method,
    executor: ExecutorOrMaker | None,
    file: Checkpoint | None,
    *,
    whole: bool = True,
) -> RegionCount:
    """Count on an executor, or from a checkpoint, or both; `whole`: not a shard alone."""
    arithmetic = "certified" if run.certified else "float"
    parts = PartRun(search, run, State(Part.whole()) if file is None else file.read())
    parts.save = None if file is None else file.write
    try:
        answer = parts.here() if executor is None else parts.on(executor)
    except CheckpointError as error:
        error.partial = result_of(parts.answer("cancelled"), method, arithmetic)
        raise
    result = result_of(answer, method, arithmetic)
    if not whole and result.kind == "exact":
        result = replace(result, kind="lower", interval=None, confidence=None, bracket=None)
    if answer["interrupted"]:
        raise Interrupted(partial=result)
    return result


def _pieces(net: Network, domain: Domain | None, **options: Any) -> RegionCount:
    """Count linear regions or affine pieces: their activation regions are listed first."""
    from ._regions import regions

    try:
        found: RegionCount = regions(net, domain, **options).count
    except Interrupted as stop:
        raise count_of(stop) from None
    return found


def count_of(stop: Interrupted) -> Interrupted:
    """Return an interruption with the count of the list that was interrupted."""
    return Interrupted.later(lambda: getattr(stop.partial, "count", None))


def refuse_parts_of_ball(executor: object, checkpoint: object) -> None:
    """Raise where a ball is to be searched in parts."""
    if executor is not None or checkpoint is not None:
        raise Unsupported(
            "regions in a Ball are picked from those of the box around it, in one piece: leave "
            "executor and checkpoint out, or take the Box"
        )


def counting(
    net: Network, domain: Domain, method: str, *, merged: bool = False
) -> tuple[Domain, Method]:
    """Return where and by which method the activation regions are counted.

    The count may be `merged` (see `choose`), or else is a search that can be divided or stopped.
    """
    check_network(net)
    part = essential_part(net, domain)
    return part, check_question(net, part, "activation", method, merged=merged)


def check_question(
    net: Network,
    domain: Domain,
    what: str,
    method: str,
    *,
    faces: bool | None = None,
    merged: bool = False,
) -> Method:
    """Check the arguments that say what is asked of which network; return the method to run."""
    check_network(net)
    if what not in _WHATS:
        raise InvalidInput(f"what must be one of {', '.join(map(repr, _WHATS))}, got {what!r}")
    place = domain.resolve(net.input_shape)
    units = [bits for _, _, bits in net.pattern_layout]
    dim = place.dim or 0
    if faces is not None and 2 < dim <= _MOST_LISTED:  # across lines, but never on a plane
        dim = max(essential_part(net, place).dim or 0, 3)
    chosen = choose(
        method,
        dim,
        sides=sides_of(place),
        units=units,
        windows=any(isinstance(layer, (Maxout, MaxPool)) for layer in net.layers),
        faces=faces,
        chambers=what == "activation" and faces is None and is_one_layer(net),
        merged=merged,
    )
    if chosen.name == "arrangement":
        check_one_layer(net)
    return chosen


def result_of(answer: dict[str, Any], method: Method, arithmetic: str) -> RegionCount:
    """Return the core's answer as a result."""
    certified = arithmetic == "certified"
    complete = answer["status"] == "complete"
    return RegionCount(
        value=answer["regions"],
        what="activation",
        kind="estimate" if not certified else "exact" if complete else "lower",
        status=answer["status"],
        method=method.name,
        arithmetic="certified" if certified else "float",
        error_probability=0.0 if certified else None,
        seconds=answer["seconds"],
        work=answer["work"],
        reference=_REFERENCE,
        version=__version__,
    )
