# SPDX-License-Identifier: MIT
"""Patterns of given points, and counts of distinct patterns in samples.

Point i of a sample is made from block i of a counter-based stream (Philox) and from nothing else,
so the result depends on the key alone: not on batches, and not on how many points follow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from math import prod

import numpy as np
import numpy.typing as npt

from . import _core
from ._device.launch import is_cuda
from ._geometry import integer
from ._lower import program
from ._planar import PlanarFrame, planar_frame
from ._sample_count import SATURATED_COVERAGE, chao1, good_turing
from ._sample_device import DeviceSample
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
_KEPT_BYTES = 1 << 29  # packed patterns that are kept before equal ones are merged
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
    exact_signs: bool = True,
    rng: Rng = None,
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
    sketch : {"exact"}
        How patterns are told apart; ``"exact"`` compares full words.
    exact_signs : bool, default True
        Whether signs are those of one fixed order of operations in double precision. On the CPU
        that holds in any case; on a GPU, points with a value that rounding could bring to the other
        side of a breakpoint are computed once more on the CPU. The result records the choice.
    rng : None, int, SeedSequence, BitGenerator or Generator
        Draws the 128-bit key of the points, nothing else; point i depends on the key and on i.

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
        The domain has more than two dimensions and is none of those above, or the sketch is not
        available.
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
    tally: _Tally | DeviceSample
    if is_cuda(device):
        tally = DeviceSample(net, device, bool(exact_signs))
        rows = tally.batch_rows
        place = _place(net, domain) if key is not None else None
        if key is not None and isinstance(place, Box) and distribution == "uniform":
            make = tally.box_maker(place, key)
    else:
        tally, rows = _Tally(net), _batch_rows(net)
    interrupted = False
    try:
        for start, stop in _batches(total, rows):
            tally.add(np.ascontiguousarray(make(start, stop)))
    except KeyboardInterrupt:
        interrupted = True
    result = _summary(
        tally,
        pattern_bits=net.pattern_bits,
        exact_signs=bool(exact_signs),
        source=source,
        key=key,
        device=device,
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
    if sketch == "hll":
        raise Unsupported('sketch="hll" is not available in this version; use sketch="exact"')
    if sketch != "exact":
        raise InvalidInput(f'sketch must be "exact" or "hll", got {sketch!r}')


# ---- counting ----


class _Tally:
    """Packed patterns and how often each was met, in memory that follows the distinct ones."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.n_words = (net.pattern_bits + 63) // 64
        self.samples = 0
        self.fresh: list[Words] = []
        self.fresh_bytes = 0
        self.known: Words | None = None
        self.times = np.zeros(0, dtype=np.int64)

    def add(self, points: FloatArray) -> None:
        words = program(self.net).patterns(points)
        self.samples += len(words)
        self.fresh.append(words)
        self.fresh_bytes += words.nbytes
        if self.fresh_bytes > _KEPT_BYTES:
            self._merge()

    def _merge(self) -> None:
        """Keep one row of equal ones. It sorts, so it runs only where memory would grow."""
        rows = np.concatenate([*([] if self.known is None else [self.known]), *self.fresh])
        n_known = len(self.times)
        weights = np.concatenate([self.times, np.ones(len(rows) - n_known, dtype=np.int64)])
        self.known, inverse = np.unique(rows, axis=0, return_inverse=True)
        self.times = np.zeros(len(self.known), dtype=np.int64)
        np.add.at(self.times, inverse.reshape(-1), weights)
        self.fresh, self.fresh_bytes = [], 0

    def frequencies(self) -> npt.NDArray[np.int64]:
        """Return how often each distinct pattern was met, in no particular order."""
        if not self.samples:
            return np.zeros(0, dtype=np.int64)
        if not self.n_words:  # a network without activation: one region
            return np.array([self.samples], dtype=np.int64)
        if self.known is not None:
            self._merge()
            return self.times
        rows = self.fresh[0] if len(self.fresh) == 1 else np.concatenate(self.fresh)
        self.fresh = [rows]
        return _core.distinct_rows(rows)[1]


def _summary(
    tally: _Tally | DeviceSample,
    *,
    pattern_bits: int,
    exact_signs: bool,
    source: str,
    key: int | None,
    device: str,
    seconds: float,
) -> SampleCount:
    frequencies = tally.frequencies()
    once = int((frequencies == 1).sum())
    coverage = good_turing(tally.samples, once)
    estimate, interval = chao1(frequencies)
    return SampleCount(
        distinct=len(frequencies),
        samples=tally.samples,
        singletons=once,
        doubletons=int((frequencies == 2).sum()),
        coverage=coverage,
        total_estimate=estimate,
        interval=interval,
        saturated=tally.samples > 0 and coverage < SATURATED_COVERAGE,
        pattern_bits=pattern_bits,
        exact_signs=exact_signs,
        source=source,
        key=key,
        device=device,
        seconds=seconds,
        version=__version__,
    )


def _batch_rows(net: Network) -> int:
    widest = max(prod(shape) for shape in net.shapes)
    return int(max(16, _BATCH_NUMBERS // max(widest, 1)))


def _batches(total: int, rows: int) -> Iterator[tuple[int, int]]:
    for start in range(0, total, rows):
        yield start, min(start + rows, total)


# ---- points ----


def _draw_key(rng: Rng) -> int:
    return int.from_bytes(np.random.default_rng(rng).bytes(16), "little")


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
