# SPDX-License-Identifier: MIT
"""Exact counts on many segments in one call."""

from __future__ import annotations

import threading
import time

import numpy as np
import numpy.typing as npt

from . import _core
from ._count import count
from ._lower import program
from ._run import Progress, Run, run_control
from .domain import Segment
from .errors import Interrupted, InvalidInput
from .network import Network, check_network

__all__ = ["count_segments"]

_Counts = npt.NDArray[np.int64]
_FloatArray = npt.NDArray[np.float64]
_WHATS = ("activation", "linear", "affine")


def count_segments(
    net: Network,
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    what: str = "activation",
    threads: int | None = None,
    time_limit: float | None = None,
    cancel: threading.Event | None = None,
    progress: Progress = False,
) -> _Counts:
    """Count the regions that each of many segments meets, exactly.

    Parameters
    ----------
    net : Network
        Its float64 weights are taken as exact numbers.
    a, b : array_like of float, shape (m, *input_shape) or (m, n)
        Ends of the segments, in the form of points of the network; a single point is the common
        end of all segments. Differences are taken exactly.
    what : {"activation", "linear", "affine"}, default "activation"
        As in `count`. The last two list the regions of one segment after the other, which takes
        several times as long.
    threads : int, optional
        Default as many as this process may use; segments are shared out among them. The result
        does not depend on it.
    time_limit : float, optional
        Stop after so many seconds.
    cancel : threading.Event, optional
        Setting it stops the call within 0.1 seconds.
    progress : bool or callable, default False
        As in `count`.

    Returns
    -------
    int64 array, shape (m,), or () where both ends are single points
        Entry i is the number of regions that meet the relative interior of segment i, so 1 where
        both ends are the same point. Where `time_limit` or `cancel` stopped the call before a
        segment was counted, and only there, its entry is -1.

    Raises
    ------
    TypeError
        If `net` is no Network.
    InvalidInput
        If the points do not fit the network or each other, are not finite, or their difference
        overflows.
    Interrupted
        On Ctrl-C, with the array so far in its attribute ``partial``.

    Notes
    -----
    Guarantee: exact and certified, entry by entry the number of ``count(net, Segment(a, b))``. Time
    is that of one affine forward pass per segment, plus one update of a layer for each unit that
    changes its piece on the way.

    References
    ----------
    M. Raghu, B. Poole, J. Kleinberg, S. Ganguli, J. Sohl-Dickstein, "On the Expressive Power of
    Deep Neural Networks", ICML 2017, arXiv:1606.05336 (transitions along a trajectory); B. Hanin,
    D. Rolnick, "Complexity of Linear Regions in Deep Networks", ICML 2019, arXiv:1901.09021.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network(2, [lr.Affine([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), lr.relu()])
    >>> lr.count_segments(net, [[-1.0, -2.0], [1.0, 1.0]], [[2.0, 1.0], [3.0, 2.0]])
    array([4, 1])
    >>> int(lr.count_segments(net, [-1.0, -2.0], [2.0, 1.0]))
    4
    """
    check_network(net)
    if what not in _WHATS:
        raise InvalidInput(f"what must be one of {', '.join(map(repr, _WHATS))}, got {what!r}")
    starts, ends, single = _ends(net, a, b)
    run = run_control(
        arithmetic="certified",
        threads=threads,
        limit=None,
        time_limit=time_limit,
        cancel=cancel,
        progress=progress,
    )
    try:
        if what == "activation":
            counts, interrupted = _batch(net, starts, ends, run)
        else:
            counts, interrupted = _pieces(net, starts, ends, what, run)
    finally:
        run.close()
    result = counts.reshape(()) if single else counts
    if interrupted:
        raise Interrupted(partial=result)
    return result


def _ends(
    net: Network, a: npt.ArrayLike, b: npt.ArrayLike
) -> tuple[_FloatArray, _FloatArray, bool]:
    """Return both ends as rows, and whether there is one segment given by two points."""
    (starts, one_start), (ends, one_end) = net.as_points(a), net.as_points(b)
    if one_start and not one_end:
        starts = np.repeat(starts, len(ends), axis=0)
    elif one_end and not one_start:
        ends = np.repeat(ends, len(starts), axis=0)
    if len(starts) != len(ends):
        raise InvalidInput(
            f"a and b must hold equally many points, got {len(starts)} and {len(ends)}"
        )
    for name, rows in (("a", starts), ("b", ends)):
        if not np.isfinite(rows).all():
            raise InvalidInput(f"{name} must be finite, got NaN or infinity")
    with np.errstate(over="ignore"):
        overflows = ~np.isfinite(ends - starts).all(axis=1)
    if overflows.any():
        raise InvalidInput(f"b - a overflows float64 in segment {int(overflows.argmax())}")
    return starts, ends, one_start and one_end


def _batch(net: Network, starts: _FloatArray, ends: _FloatArray, run: Run) -> tuple[_Counts, bool]:
    answer = _core.count_segments(
        program(net), starts, ends, True, run.threads, run.time_limit, run.poll
    )
    return answer["counts"], answer["interrupted"]


def _pieces(
    net: Network, starts: _FloatArray, ends: _FloatArray, what: str, run: Run
) -> tuple[_Counts, bool]:
    """Count linear regions or affine pieces, segment after segment."""
    counts = np.full(len(starts), -1, dtype=np.int64)
    until = None if run.time_limit is None else time.monotonic() + run.time_limit
    found = 0
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        left = None if until is None else max(0.0, until - time.monotonic())
        if left == 0.0 or (run.poll is not None and not run.poll(found, i / len(starts))):
            break
        if np.array_equal(start, end):
            counts[i] = 1
            continue
        try:
            result = count(
                net, Segment(start, end), what=what, threads=run.threads, time_limit=left
            )
        except KeyboardInterrupt:
            return counts, True
        if result.status == "complete":
            counts[i] = int(result)
            found += int(result)
    return counts, False
