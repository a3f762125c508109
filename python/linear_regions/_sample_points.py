# SPDX-License-Identifier: MIT
"""Random points of domains, point i from a counter-based stream (Philox) by its number alone.

Boxes, balls, polygons and normal laws take a fixed number of random numbers. Other polytopes are
walked through: see `_polytope_maker`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import lgamma

import numpy as np
import numpy.typing as npt

from . import _core
from ._farkas import Row, is_bounded, strict_point
from ._geometry import generator
from ._planar import PlanarFrame, as_doubles, nearest, planar_frame
from .domain import Ball, Box, Domain, Polytope, Segment, Slice, Space, as_domain
from .errors import DegenerateInput, InvalidInput
from .network import Network

__all__ = ["Rng", "draw_key", "place_of", "point_maker", "volume_of"]

FloatArray = npt.NDArray[np.float64]
Rng = int | np.random.SeedSequence | np.random.BitGenerator | np.random.Generator | None
Rational = int | Fraction
Maker = Callable[[int, int], FloatArray]

_BLOCK = 4  # 64-bit numbers per counter value of Philox
_WALK_WORDS = 1 << 20  # random words of walks at a time


def draw_key(rng: Rng) -> int:
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
    return np.ascontiguousarray(_box_muller(uniform)[:, :per_point])


def _box_muller(uniform: FloatArray) -> FloatArray:
    pairs = uniform.shape[1] // 2
    radius = np.sqrt(-2.0 * np.log(np.ascontiguousarray(uniform[:, :pairs])))
    angle = 2.0 * np.pi * np.ascontiguousarray(uniform[:, pairs:])
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def place_of(net: Network, domain: Domain | None) -> Domain:
    return as_domain(domain).resolve(net.input_shape)


def point_maker(net: Network, domain: Domain | None, distribution: str, key: int) -> Maker:
    """Return the function that makes points `start` to `stop` - 1."""
    place = place_of(net, domain)
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
        if isinstance(place, Slice) and place.is_free():
            _check_bounded(False, place)
        return _polytope_maker(place, key)
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
    both = _box_muller(uniform[:, :pairs])[:, :dim]
    length = np.sqrt((both * both).sum(axis=1, keepdims=True))
    size = np.ascontiguousarray(uniform[:, pairs:]) ** (1.0 / dim)
    points: FloatArray = ball.center.reshape(-1) + ball.radius * size * both / length
    return points


def _polygon_maker(frame: PlanarFrame, place: Domain, key: int) -> Maker:
    """Return uniform points in a polygon: a triangle of a fan by its area, then a point in it."""
    _check_bounded(not frame.at_infinity.any(), place)
    corners = _corners(frame)
    # Halves, so that no difference overflows, in units in which no product leaves the doubles.
    first, second = (end / 2 - corners[0] / 2 for end in (corners[1:-1], corners[2:]))
    _, exponents = np.frexp(np.maximum(np.abs(first), np.abs(second)).max(axis=0))
    first, second = np.ldexp(first, -exponents), np.ldexp(second, -exponents)
    areas = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    limits = np.cumsum(areas) / areas.sum()

    def make(start: int, stop: int) -> FloatArray:
        u = _uniform(key, start, stop, 3)
        triangle = np.minimum(np.searchsorted(limits, u[:, 0], side="right"), len(limits) - 1)
        root = np.sqrt(u[:, 1])
        a, b = (root * (1.0 - u[:, 2]))[:, None], (root * u[:, 2])[:, None]
        t = (1.0 - a - b) * corners[0] + a * corners[triangle + 1] + b * corners[triangle + 2]
        return place.embed(np.ascontiguousarray(t[:, : frame.dim]))

    return make


def _corners(frame: PlanarFrame) -> FloatArray:
    """Return the corners of a bounded polygon, rounded once: they may be anywhere in the doubles.

    Corner i is where edge i - 1 meets edge i.
    """
    doubles = [tuple(map(Fraction, edge)) for edge in frame.edges.tolist()]
    rows: Sequence[tuple[Rational, ...]] = frame.exact_edges or doubles
    corners = []
    for (a, b, c), (d, e, f) in zip([rows[-1], *rows[:-1]], rows, strict=True):
        weight = Fraction(a * e - b * d)
        corners.append([nearest((b * f - c * e) / weight), nearest((c * d - a * f) / weight)])
    if not np.isfinite(corners).all():
        raise InvalidInput("uniform samples need corners in the range of doubles")
    return np.array(corners)


def volume_of(place: Domain) -> float | None:
    """Return the volume of a box or ball in its own coordinates; None of other domains.

    Infinite where it is beyond doubles, as the product of many long sides may be.
    """
    sides = _box_sides(place)
    with np.errstate(over="ignore"):
        if sides is not None and not isinstance(place, Segment):
            return float(np.prod(sides[1] - sides[0]))
        if isinstance(place, Ball):
            half, radius = place.dim / 2, np.float64(place.radius)
            unit = np.exp(half * np.log(np.pi) - lgamma(half + 1))
            return float(unit * radius**place.dim)
    return None


# ---- polytopes of more than two dimensions ----


def walk_steps(dim: int) -> int:
    """Return the number of steps of one walk: dim + 16 along each coordinate, on average."""
    return dim * (dim + 16)


def _polytope_maker(place: Polytope | Slice, key: int) -> Maker:
    """Return nearly uniform points in a bounded polytope, by hit-and-run.

    Every point has a walk of its own, from the analytic center c (where the product of the slacks
    is greatest) through coordinates y with t = c + L y, in which the polytope lies between the unit
    ball and the ball of radius m, for m sides (Boyd and Vandenberghe, Convex Optimization, 8.5.3).
    """
    rows = place.hull().rows
    _check_bounded(rows, place)  # sides without a normal are none
    table = _unit_rows(rows)
    center, factor = _rounding(table, rows, place)
    sides = np.column_stack([table[:, :-1] @ factor, table[:, :-1] @ center + table[:, -1]])
    sides /= sides[:, -1:]  # every slack is 1 at the center
    dim = len(center)
    steps = walk_steps(dim)
    blocks, at_once = -(-steps // _BLOCK), max(1, _WALK_WORDS // steps)
    start = np.zeros(dim)

    def walked(first: int, last: int) -> FloatArray:
        stream = np.random.Philox(key=key, counter=first * blocks)
        words = stream.random_raw((last - first) * blocks * _BLOCK).reshape(last - first, -1)
        y = _core.hit_and_run(sides, start, np.ascontiguousarray(words[:, :steps]))
        t = np.tile(center, (len(y), 1))
        for j in range(dim):  # one after the other: a product of matrices depends on the batch
            t += y[:, j, None] * factor[:, j]
        return t

    def make(start: int, stop: int) -> FloatArray:
        parts = [walked(first, min(first + at_once, stop)) for first in range(start, stop, at_once)]
        return place.embed(np.concatenate(parts))

    return make


def _unit_rows(rows: list[Row]) -> FloatArray:
    """Return the sides in doubles, with normals of length one."""
    table = np.array([as_doubles(row)[0] for row in rows])
    table /= np.abs(table[:, :-1]).max(axis=1, keepdims=True)
    unit: FloatArray = table / np.sqrt((table[:, :-1] ** 2).sum(axis=1, keepdims=True))
    return unit


def _rounding(table: FloatArray, rows: list[Row], place: Domain) -> tuple[FloatArray, FloatArray]:
    """Return the analytic center and a factor L of the inverse Hessian of the barrier there.

    Newton's steps on f(t) = -sum of log(slacks). A decrement below 1 proves that f has a minimum
    (Nesterov, Introductory Lectures on Convex Optimization, theorem 4.1.11), so that the polytope
    is bounded; where none comes up, exact arithmetic decides.
    """
    inside = strict_point(table.shape[1] - 1, rows)
    if inside is None:
        raise DegenerateInput(
            f"the {type(place).__name__} is too thin for points inside it in double precision; "
            "give points=..."
        )
    t = np.array([v / inside[-1] for v in inside[:-1]])
    for _ in range(500):
        scaled = table[:, :-1] / (table[:, :-1] @ t + table[:, -1])[:, None]
        hessian, descent = scaled.T @ scaled, scaled.sum(axis=0)
        try:
            lower = np.linalg.cholesky(hessian)
        except np.linalg.LinAlgError:
            break
        half = np.linalg.solve(lower, descent)
        decrement = float(np.sqrt(half @ half))
        if decrement < 1e-3:
            return t, np.linalg.inv(lower).T
        t = t + np.linalg.solve(lower.T, half) / (1.0 + decrement)
    _check_bounded(is_bounded(len(t), rows), place)
    raise DegenerateInput(
        f"the {type(place).__name__} is too thin for walks inside it in double precision; "
        "give points=..."
    )
