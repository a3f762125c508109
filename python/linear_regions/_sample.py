# SPDX-License-Identifier: MIT
"""Patterns of given points, and counts of distinct patterns in samples.

Point i of a sample is made from block i of a counter-based stream (Philox) and from nothing else,
so the result depends on the key alone: not on batches, and not on how many points follow.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import prod, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from ._device.launch import is_cuda
from ._forward import Points, checked_dtype, forward_pass, point_rows
from ._geometry import integer
from ._proved_patterns import ProvedPatterns
from ._run import Progress, run_control
from ._sample_count import summarize
from ._sample_device import DeviceSample
from ._sample_points import Rng, draw_key, place_of, point_maker, volume_of
from ._sample_tally import HostTally, run_batches
from ._version import __version__
from .domain import Box, Domain
from .errors import Interrupted, InvalidInput, Unsupported
from .network import Network, check_network
from .result import SampleCount

__all__ = ["patterns", "sample"]

Words = npt.NDArray[np.uint64]

DEFAULT_SAMPLES = 10_000
DISTRIBUTIONS = ("uniform", "normal")
_ARITHMETICS = ("auto", "certified", "float")
_BATCH_NUMBERS = 1 << 21  # doubles of the largest slot in one batch: 16 MiB


def patterns(net: Network, points: npt.ArrayLike, *, dtype: str = "float64") -> Words:
    """Return the activation patterns of points, packed into 64-bit words.

    Parameters
    ----------
    net : Network
        The network.
    points : array_like of float
        Shape (batch, *input_shape) or (batch, n), or exactly `input_shape` for one point.
    dtype : {"float64", "float32"}
        Precision of the forward pass, see `sample`.

    Returns
    -------
    uint64 array, shape (batch, words), or (words,) for one point
        Bit i of a pattern is bit i % 64 of word i // 64, in the order of `net.pattern_layout`: a
        unit with k breakpoints has k bits, bit j is z > breakpoint j; a window of q entries has
        ceil(log2 q) bits, the place of its winner, the first of equal ones.

    Raises
    ------
    TypeError
        `net` is no network.
    InvalidInput
        The shape of `points` does not fit, or a number is not finite.
    OverflowError
        A value of the network is beyond the range of `dtype`.

    Notes
    -----
    Signs are those of a forward pass in `dtype`, each sum in the order of its inputs with one
    rounding a term: they do not depend on the other points or on the processor. `regions` lists
    the patterns of the open regions exactly.

    Examples
    --------
    >>> from linear_regions.layers import Affine, relu
    >>> net = Network(2, [Affine([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), relu()])
    >>> patterns(net, [[1.0, -2.0], [1.0, 2.0]])
    array([[1],
           [7]], dtype=uint64)
    """
    check_network(net)
    precision = checked_dtype(dtype)
    array, single = point_rows(net, points)
    words = forward_pass(net, precision).patterns(array)
    return words[0] if single else words


def sample(
    net: Network,
    domain: Domain | None = None,
    n: int | None = None,
    *,
    points: npt.ArrayLike | None = None,
    distribution: str = "uniform",
    device: str = "cpu",
    sketch: str = "exact",
    precision: int = 14,
    keep_patterns: bool = False,
    exact_signs: bool = True,
    arithmetic: str = "auto",
    dtype: str = "float64",
    rng: Rng = None,
    threads: int | None = None,
    time_limit: float | None = None,
    cancel: threading.Event | None = None,
    progress: Progress = False,
) -> SampleCount:
    """Count the distinct activation patterns that sample points meet.

    Parameters
    ----------
    net : Network
        The network.
    domain : Domain, optional
        Where the points lie; default the whole input space, which takes
        ``distribution="normal"``.
    n : int, optional
        Number of points; default 10,000.
    points : array_like of float, optional
        Points to use instead of random ones; then `domain` and `n` stay away.
    distribution : {"uniform", "normal"}
        ``"uniform"`` in a bounded domain of any kind; in a `Polytope` (or a clipped `Slice`) of
        more than two dimensions nearly so, see Notes. ``"normal"``: independent standard normal
        inputs (or coordinates of an unbounded `Slice`).
    device : str, default "cpu"
        ``"cuda"`` or ``"cuda:<number>"``: points, forward pass and counting on a GPU, through CuPy.
    sketch : {"exact", "hll"}
        ``"exact"`` compares full words. ``"hll"`` takes constant memory: beyond 16,384 patterns
        `distinct` is an estimate, with the standard error `relative_error`, and so are the
        singletons that the coverage comes from.
    precision : int, default 14
        Of ``sketch="hll"``: 2**precision registers; 4 to 18.
    keep_patterns : bool, default False
        Keep the patterns and how often each was met, for `SampleCount.region_volumes`.
    exact_signs : bool, default True
        Whether signs are those of one fixed order of operations in double precision. On the CPU
        that holds in any case; on a GPU, points with a value that rounding could bring to the other
        side of a breakpoint are computed once more on the CPU. The result records the choice.
    dtype : {"float64", "float32"}
        Precision of the forward pass on the CPU. ``"float32"`` rounds points, weights and every
        sum to single precision: about half the time, and the count is that of the patterns of the
        network in floats. Points whose values lie within rounding of a breakpoint may have another
        pattern than in float64, so the two counts may differ in either direction.
    arithmetic : {"auto", "certified", "float"}, default "auto"
        ``"certified"``: patterns of the points in exact arithmetic. Error bounds prove nearly all
        signs, integers of any size decide the others, so no pattern comes from rounding: inside
        open regions they are those that `regions` lists. ``"float"``: signs of the forward pass.
        ``"auto"``: certified in double precision on the processor where the first 256 points show
        that it costs little; not in deep networks, where bounds grow beyond the values, and not
        where many points lie on facets. The result says which.
    rng : None, int, SeedSequence, BitGenerator or Generator
        Draws the 128-bit key of the points, nothing else; point i depends on the key and on i.
    threads : int, optional
        Default all processors that this process may use; the answer does not depend on it.
    time_limit : float, optional
        Seconds; the points until then are counted, with status "time_limit".
    cancel : threading.Event, optional
        Stops the call when set, with status "cancelled".
    progress : bool or callable
        True shows a bar (needs tqdm); a callable gets (patterns found, fraction done).

    Returns
    -------
    SampleCount
        Distinct patterns, Good-Turing coverage, Chao's estimate of a lower bound on their total
        with its interval, and `saturated` where nearly every point met a new pattern.

    Raises
    ------
    TypeError
        An argument has a wrong type.
    InvalidInput
        An argument is out of range, the domain is unbounded, or the options do not fit together.
    Unsupported
        The device has no such sketch, or no such `dtype`.
    OverflowError
        A value of the network is beyond the range of `dtype`.
    DeviceError
        The device, or CuPy, is not there.
    DegenerateInput
        The domain is empty, or a polytope is too thin for double precision.
    Interrupted
        Ctrl-C; ``partial`` holds the count of the points so far.

    Notes
    -----
    In a polytope of d > 2 dimensions each point is the end of a hit-and-run walk of its own, of
    d (d + 16) steps along coordinate axes, from the analytic center and in coordinates that make
    the polytope round. The law of such a walk tends to the uniform one with its length; how near it
    is after so many steps is known from tests, not proved. Time of a point: steps times sides.

    References
    ----------
    R. L. Smith, "Efficient Monte Carlo Procedures for Generating Points Uniformly Distributed over
    Bounded Regions", Operations Research 32 (1984).

    Examples
    --------
    >>> from linear_regions.layers import Affine, relu
    >>> net = Network(2, [Affine([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), relu()])
    >>> result = sample(net, Box(-1.0, 1.0), 1000, rng=0)
    >>> result.distinct, result.saturated
    (6, False)
    """
    check_network(net)
    _check_options(distribution, device, sketch, arithmetic)
    real = checked_dtype(dtype)
    precision = integer("precision", precision, 4)
    if precision > 18:
        raise InvalidInput(f"precision must be 4 to 18, got {precision}")
    if keep_patterns and sketch == "hll":
        raise InvalidInput('sketch="hll" keeps no patterns; use sketch="exact"')
    run = run_control(
        arithmetic="certified",
        threads=threads,
        limit=None,
        time_limit=time_limit,
        cancel=cancel,
        progress=progress,
    )
    started = time.perf_counter()
    source, key = distribution, None
    if points is not None:
        if domain is not None or n is not None:
            raise InvalidInput("points=... are the sample: give no domain and no n beside them")
        given, _ = point_rows(net, points)
        total, source = len(given), "points"
        make: Callable[[int, int], Points] = lambda start, stop: given[start:stop]  # noqa: E731
    else:
        total = DEFAULT_SAMPLES if n is None else integer("n", n, 1)
        key = draw_key(rng)
        make = point_maker(net, domain, distribution, key)
    volume, proved = None, None
    tally: HostTally | DeviceSample
    if is_cuda(device):
        if sketch != "exact" or keep_patterns:
            raise Unsupported('on a device, sketch="exact" without keep_patterns is available')
        if real != "float64":
            raise Unsupported('dtype="float32" runs on the processor; on a device use "float64"')
        if points is not None:
            _check_finite(given)
        tally = DeviceSample(net, device, bool(exact_signs))
        rows, run = tally.batch_rows, replace(run, threads=1)
        place = place_of(net, domain) if key is not None else None
        if key is not None and isinstance(place, Box) and distribution == "uniform":
            make = tally.box_maker(place, key)
    else:
        proved = _proved_patterns(net, domain, real, arithmetic, lambda: make(0, min(total, 256)))
        passes = forward_pass(net, real) if proved is None else proved
        tally, rows = HostTally(net, sketch, precision, passes.patterns), _batch_rows(net)
        if total <= rows:
            run = replace(run, threads=1)
    if key is not None and distribution == "uniform":
        volume = volume_of(place_of(net, domain))

    def add(start: int, stop: int) -> None:
        tally.add(make(start, stop))

    def found() -> int:
        return tally.distinct() if isinstance(tally, HostTally) else tally.samples

    try:
        # A device works on whole batches, and its steps are set up for them.
        status, interrupted = run_batches(
            _batches(total, rows), total, add, found, run, short_steps=not is_cuda(device)
        )
    finally:
        run.close()
    result = _summary(
        tally,
        keep_patterns=keep_patterns,
        precision=precision,
        pattern_bits=net.pattern_bits,
        exact_signs=bool(exact_signs),
        dtype=real,
        arithmetic="float" if proved is None else "certified",
        source=source,
        key=key,
        sketch=sketch,
        device=device,
        status=status,
        domain_volume=volume,
        seconds=time.perf_counter() - started,
    )
    if interrupted:
        raise Interrupted(partial=result)
    return result


def _proved_patterns(
    net: Network, domain: Domain | None, dtype: str, arithmetic: str, first: Callable[[], Points]
) -> ProvedPatterns | None:
    """Return what proves patterns, where that is asked for, or "auto" finds that it costs little.

    The first points decide, so the answer does not depend on batches or threads.
    """
    if arithmetic == "float" or (arithmetic == "auto" and dtype != "float64"):
        return None
    if dtype != "float64":
        raise InvalidInput(f'arithmetic="certified" takes dtype="float64", got {dtype!r}')
    proved = ProvedPatterns(net, None if domain is None else place_of(net, domain))
    return proved if arithmetic == "certified" or proved.pays(first()) else None


def _check_finite(points: Points) -> None:
    if not np.isfinite(points).all():
        raise InvalidInput("points must be finite, got NaN or infinity")


def _check_options(distribution: str, device: str, sketch: str, arithmetic: str) -> None:
    if arithmetic not in _ARITHMETICS:
        raise InvalidInput(
            f"arithmetic must be one of {', '.join(map(repr, _ARITHMETICS))}, got {arithmetic!r}"
        )
    if is_cuda(device) and arithmetic == "certified":
        raise Unsupported('arithmetic="certified" runs on the processor: device="cpu"')
    if distribution not in DISTRIBUTIONS:
        raise InvalidInput(f'distribution must be "uniform" or "normal", got {distribution!r}')
    is_cuda(device)
    if sketch not in ("exact", "hll"):
        raise InvalidInput(f'sketch must be "exact" or "hll", got {sketch!r}')


# ---- counting ----


def _summary(
    tally: HostTally | DeviceSample, *, keep_patterns: bool, precision: int, **facts: Any
) -> SampleCount:
    if isinstance(tally, HostTally):
        table, distinct = tally.table(), tally.distinct()
        error = 1.04 / sqrt(2.0**precision) if tally.estimated else 0.0
    else:
        times, number = np.unique(tally.frequencies(), return_counts=True)
        table = dict(zip(times.tolist(), number.tolist(), strict=True))
        distinct, error = int(number.sum()), 0.0
    if keep_patterns and isinstance(tally, HostTally):
        contents = tally.contents()
        facts["patterns"] = contents["keys"]
        facts["frequencies"] = contents["times"].astype(np.int64)
    return summarize(
        table,
        distinct=distinct,
        samples=tally.samples,
        relative_error=error,
        version=__version__,
        **facts,
    )


def _batch_rows(net: Network) -> int:
    widest = max(prod(shape) for shape in net.shapes)
    return int(max(16, _BATCH_NUMBERS // max(widest, 1)))


def _batches(total: int, rows: int) -> Iterator[tuple[int, int]]:
    for start in range(0, total, rows):
        yield start, min(start + rows, total)
