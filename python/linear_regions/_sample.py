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
from math import lgamma, prod, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from ._device.launch import is_cuda
from ._geometry import generator, integer
from ._lower import program
from ._planar import PlanarFrame, planar_frame
from ._run import Progress, run_control
from ._sample_count import summarize
from ._sample_device import DeviceSample
from ._sample_tally import HostTally, run_batches
from ._version import __version__
from .domain import Ball, Box, Domain, Polytope, Segment, Slice, Space
from .errors import Interrupted, InvalidInput, Unsupported
from .network import Network
from .result import SampleCount

__all__ = ["patterns", "sample"]

FloatArray = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]
Rng = int | np.random.SeedSequence | np.random.BitGenerator | np.random.Generator | None

DEFAULT_SAMPLES = 10_000
DISTRIBUTIONS = ("uniform", "normal")
_BATCH_NUMBERS = 1 << 21  # doubles of the largest slot in one batch: 16 MiB
_BLOCK = 4  # 64-bit numbers per counter value of Philox


def patterns(net: Network, points: npt.ArrayLike) -> Words:
    """Return the activation patterns of points, packed into 64-bit words.

    Parameters
    ----------
    net : Network
        The network.
    points : array_like of float
        Shape (batch, *input_shape) or (batch, n), or exactly `input_shape` for one point.

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

    Notes
    -----
    Signs are those of a forward pass in double precision. `regions` lists the patterns of the open
    regions exactly.

    Examples
    --------
    >>> from linear_regions.layers import Affine, relu
    >>> net = Network(2, [Affine([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), relu()])
    >>> patterns(net, [[1.0, -2.0], [1.0, 2.0]])
    array([[1],
           [7]], dtype=uint64)
    """
    _check_network(net)
    array, single = net.as_points(points)
    _check_finite(array)
    words = program(net).patterns(array)
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
        ``"uniform"`` in a bounded `Box`, a `Slice` with a `Box` or with at most two dimensions, a
        `Segment`, a `Ball`, or a `Polytope` of at most two dimensions; ``"normal"``: independent
        standard normal inputs (or coordinates of an unbounded `Slice`).
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
        The domain has more than two dimensions and is none of those above, or the device has no
        such sketch.
    DeviceError
        The device, or CuPy, is not there.
    Interrupted
        Ctrl-C; ``partial`` holds the count of the points so far.

    Examples
    --------
    >>> from linear_regions.layers import Affine, relu
    >>> net = Network(2, [Affine([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), relu()])
    >>> result = sample(net, Box(-1.0, 1.0), 1000, rng=0)
    >>> result.distinct, result.saturated
    (6, False)
    """
    _check_network(net)
    _check_options(distribution, device, sketch)
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
        given, _ = net.as_points(points)
        _check_finite(given)
        total, source = len(given), "points"
        make: Callable[[int, int], FloatArray] = lambda start, stop: given[start:stop]  # noqa: E731
    else:
        total = DEFAULT_SAMPLES if n is None else integer("n", n, 1)
        key = _draw_key(rng)
        make = _point_maker(net, domain, distribution, key)
    volume = None
    tally: HostTally | DeviceSample
    if is_cuda(device):
        if sketch != "exact" or keep_patterns:
            raise Unsupported('on a device, sketch="exact" without keep_patterns is available')
        tally = DeviceSample(net, device, bool(exact_signs))
        rows, run = tally.batch_rows, replace(run, threads=1)
        place = _place(net, domain) if key is not None else None
        if key is not None and isinstance(place, Box) and distribution == "uniform":
            make = tally.box_maker(place, key)
    else:
        tally, rows = HostTally(net, sketch, precision), _batch_rows(net)
        if total <= rows:
            run = replace(run, threads=1)
    if key is not None and distribution == "uniform":
        volume = _volume(_place(net, domain))

    def add(start: int, stop: int) -> None:
        tally.add(make(start, stop))

    def found() -> int:
        return tally.distinct() if isinstance(tally, HostTally) else tally.samples

    try:
        status, interrupted = run_batches(_batches(total, rows), total, add, found, run)
    finally:
        run.close()
    result = _summary(
        tally,
        keep_patterns=keep_patterns,
        precision=precision,
        pattern_bits=net.pattern_bits,
        exact_signs=bool(exact_signs),
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


def _check_network(net: object) -> None:
    if not isinstance(net, Network):
        raise TypeError(
            f"expected a Network, got {type(net).__name__}; load(...) makes one of other models"
        )


def _check_finite(array: FloatArray) -> None:
    if not np.isfinite(array).all():
        raise InvalidInput("points must be finite, got NaN or infinity")


def _check_options(distribution: str, device: str, sketch: str) -> None:
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


# ---- points ----


def _draw_key(rng: Rng) -> int:
    return int.from_bytes(generator(rng).bytes(16), "little")


def _uniform(key: int, start: int, stop: int, per_point: int) -> FloatArray:
    """Return numbers strictly between 0 and 1, shape (stop - start, per_point)."""
    blocks = -(-per_point // _BLOCK)
    stream = np.random.Philox(key=key, counter=start * blocks)
    raw = stream.random_raw((stop - start) * blocks * _BLOCK).reshape(stop - start, -1)
    # The middle of one of 2**52 equal parts: neither 0 nor 1, and exact.
    whole = (raw[:, :per_point] >> np.uint64(12)).astype(np.float64)
    numbers: FloatArray = (whole + 0.5) * 2.0**-52
    return numbers


def _normal(key: int, start: int, stop: int, per_point: int) -> FloatArray:
    """Return standard normal numbers, shape (stop - start, per_point), by Box and Muller."""
    pairs = (per_point + 1) // 2
    uniform = _uniform(key, start, stop, 2 * pairs)
    radius = np.sqrt(-2.0 * np.log(np.ascontiguousarray(uniform[:, :pairs])))
    angle = 2.0 * np.pi * np.ascontiguousarray(uniform[:, pairs:])
    both = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return np.ascontiguousarray(both[:, :per_point])


def _place(net: Network, domain: Domain | None) -> Domain:
    if domain is None:
        domain = Space()
    if not isinstance(domain, Domain):
        raise TypeError(f"domain must be a Box, Slice, ..., got {type(domain).__name__}")
    return domain.resolve(net.input_shape)


def _point_maker(
    net: Network, domain: Domain | None, distribution: str, key: int
) -> Callable[[int, int], FloatArray]:
    """Return the function that makes points `start` to `stop` - 1."""
    place = _place(net, domain)
    if distribution == "normal":
        dim = place.dim
        free = isinstance(place, Slice) and place.is_free() and not isinstance(place.domain, Box)
        if dim is None or not (isinstance(place, Space) or free):
            raise InvalidInput(
                'distribution="normal" fills the whole space (or an unbounded Slice); in '
                f'a {type(place).__name__} use distribution="uniform"'
            )
        return lambda start, stop: place.embed(_normal(key, start, stop, dim))
    if isinstance(place, Ball):
        return lambda start, stop: _in_ball(place, key, start, stop)
    sides = _box_sides(place)
    if sides is not None:
        low, high = sides
        _check_bounded(np.isfinite(low).all() and np.isfinite(high).all(), place)
        return lambda start, stop: place.embed(
            _between(low, high, _uniform(key, start, stop, len(low)))
        )
    if isinstance(place, Space):
        _check_bounded(False, place)
    if isinstance(place, Polytope | Slice) and (place.dim or 0) > 2:
        raise Unsupported(
            f"uniform samples in a {type(place).__name__} of dimension {place.dim} need a Box; "
            "use a Box (also as the domain of a Slice), or give points=..."
        )
    return _polygon_maker(planar_frame(place, net.input_shape), place, key)


def _box_sides(place: Domain) -> tuple[FloatArray, FloatArray] | None:
    """Return the range of each coordinate where the domain is a box of its coordinates."""
    if isinstance(place, Box):
        return place.low[place.free], place.high[place.free]
    if isinstance(place, Segment):
        return np.zeros(1), np.ones(1)
    if isinstance(place, Slice) and place.is_free() and isinstance(place.domain, Box):
        return place.domain.low, place.domain.high
    return None


def _check_bounded(bounded: object, place: Domain) -> None:
    if not bounded:
        raise InvalidInput(
            f"uniform samples need a bounded domain, got an unbounded {type(place).__name__}; "
            'give a Box, or use distribution="normal" in the whole space'
        )


def _between(low: FloatArray, high: FloatArray, u: FloatArray) -> FloatArray:
    # The difference high - low may overflow, the mean does not. Rounding may leave [low, high] by
    # an ulp, which the clip takes back.
    points: FloatArray = np.clip(low * (1.0 - u) + high * u, low, high)
    return points


def _in_ball(ball: Ball, key: int, start: int, stop: int) -> FloatArray:
    """Return uniform points: a normal direction, and a radius u**(1/d)."""
    dim = ball.dim
    pairs = 2 * ((dim + 1) // 2)
    uniform = _uniform(key, start, stop, pairs + 1)
    radius = np.sqrt(-2.0 * np.log(np.ascontiguousarray(uniform[:, : pairs // 2])))
    angle = 2.0 * np.pi * np.ascontiguousarray(uniform[:, pairs // 2 : pairs])
    both: FloatArray
    both = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)[:, :dim]
    length = np.sqrt((both * both).sum(axis=1, keepdims=True))
    size = np.ascontiguousarray(uniform[:, pairs:]) ** (1.0 / dim)
    points: FloatArray = ball.center.reshape(-1) + ball.radius * size * both / length
    return points


def _polygon_maker(frame: PlanarFrame, place: Domain, key: int) -> Callable[[int, int], FloatArray]:
    """Return uniform points in a polygon: a triangle of a fan by its area, then a point in it."""
    _check_bounded(not frame.at_infinity.any(), place)
    before = np.roll(frame.edges, 1, axis=0)
    # Corner i is where edge i - 1 meets edge i.
    homogeneous = np.cross(before, frame.edges)
    corners = homogeneous[:, :2] / homogeneous[:, 2:]
    first, second = corners[1:-1] - corners[0], corners[2:] - corners[0]
    areas = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    limits = np.cumsum(areas) / areas.sum()

    def make(start: int, stop: int) -> FloatArray:
        u = _uniform(key, start, stop, 3)
        triangle = np.minimum(np.searchsorted(limits, u[:, 0], side="right"), len(limits) - 1)
        root = np.sqrt(u[:, 1])
        a, b = (root * (1.0 - u[:, 2]))[:, None], (root * u[:, 2])[:, None]
        t = corners[0] + a * first[triangle] + b * second[triangle]
        return place.embed(np.ascontiguousarray(t[:, : frame.dim]))

    return make


def _volume(place: Domain) -> float | None:
    """Return the volume of a box or ball in its own coordinates; None of other domains."""
    sides = _box_sides(place)
    if sides is not None and not isinstance(place, Segment):
        return float(np.prod(sides[1] - sides[0]))
    if isinstance(place, Ball):
        half = place.dim / 2
        return float(np.exp(half * np.log(np.pi) - lgamma(half + 1)) * place.radius**place.dim)
    return None
