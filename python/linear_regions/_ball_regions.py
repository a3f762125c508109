# SPDX-License-Identifier: MIT
"""Regions that meet the inside of a ball, certified.

The regions of the smallest box of doubles around the ball are listed. An open region meets the open
ball where the distance of its closure from the centre is less than the radius. With rows
a_i . t + b_i > 0 of the region, values v_i at the centre, and any y >= 0,

    distance >= -(sum y_i v_i) / |sum y_i a_i|,

with equality for the multipliers of the nearest point. Both come from a small least-squares problem
in doubles; a point of the region in the ball, or multipliers that prove the distance, are then
checked with bounds of all errors. What neither proves is solved in rational numbers.

References: C. L. Lawson, R. J. Hanson, "Solving Least Squares Problems", SIAM 1995, chapter 23.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _core
from ._cell_facets import oriented_rows
from ._farkas import Row, solve_exactly
from ._frame import domain_frame
from ._least_distance import least_distance
from ._lower import frame_of, program
from ._methods import MOST_DIMENSIONS
from ._pieces import with_pieces
from ._region_chunks import join_columns
from ._region_columns import Columns, IntArray, Words
from ._region_table import Regions
from ._run import Aside, run_control
from ._value import FloatArray
from .domain import Ball, Box
from .errors import Interrupted, Unsupported
from .network import Network
from .result import RegionCount

__all__ = ["BallTest", "count_in_ball", "list_in_ball"]

_ROUNDOFF = 2.0**-52
# Far from this range squares of doubles may under- or overflow: rational numbers decide.
_MODERATE = (1e-100, 1e100)
_AT_ONCE = 128  # regions that are decided before a limit is looked at
_Made: TypeAlias = Callable[[list[Columns], RegionCount, int, FloatArray], Regions]


def list_in_ball(net: Network, ball: Ball, what: str, options: dict[str, Any]) -> Regions:
    """List the regions that meet the inside of a ball (see `regions`)."""
    from ._regions import regions

    _check(options)
    limit = options.pop("limit")
    start = time.monotonic()
    test = BallTest(net, ball)
    _check_method(net, test.box, options["method"])

    def made(parts: list[Columns], count: RegionCount, seen: int, embedding: FloatArray) -> Regions:
        n, status = sum(len(part.bounded) for part in parts), count.status
        if limit is not None and limit <= n:
            parts = [join_columns(parts).take(np.arange(limit))]
            n, status = limit, "limit"
        table = Regions(
            net,
            ball.resolve(net.input_shape),
            _count_of(count, n, status, test, seen),
            Aside(partial(join_columns, parts), n),
            embedding,
            place=test.box,
        )
        if what == "activation":
            return table
        asked = {name: option for name, option in options.items() if name != "method"}
        run = run_control(**{**asked, "limit": None, "progress": False})
        left = None if run.time_limit is None else run.time_limit - (time.monotonic() - start)
        return with_pieces(table, what, run, left)

    def cut(whole: Regions) -> Regions:
        return made([test.kept(whole)], whole.count, len(whole), whole.embedding)

    if options["time_limit"] is not None or options["cancel"] is not None:
        return _list_while_allowed(test, limit, options, made)
    try:
        whole = regions(net, test.box, **options)
    except Interrupted as stop:
        heard = stop

        def part() -> Regions | None:  # of no regions, too
            return None if heard.partial is None else cut(heard.partial)

        raise Interrupted.later(part) from None
    return cut(whole)


def _list_while_allowed(
    test: BallTest, limit: int | None, options: dict[str, Any], made: _Made
) -> Regions:
    """Decide about regions as they are found: to decide takes longer than to find them."""
    from ._regions import regions

    start, cancel, seconds = time.monotonic(), options["cancel"], options["time_limit"]
    none = regions(test.net, test.box, limit=1, **{**options, "progress": False})
    parts, seen = [none.columns.take(np.arange(0))], 0

    def so_far(status: Any) -> Regions:
        spent = time.monotonic() - start
        count = replace(none.count, status=status, seconds=spent, work={})
        return made(parts, count, seen, none.embedding)

    try:
        with regions(test.net, test.box, stream=True, block=_AT_ONCE, **options) as stream:
            for part in stream:
                parts.append(test.kept(part))
                seen += len(part)
                if limit is not None and sum(len(one.bounded) for one in parts) >= limit:
                    return so_far("limit")
                if cancel is not None and cancel.is_set():
                    return so_far("cancelled")
                if seconds is not None and time.monotonic() - start > seconds:
                    return so_far("time_limit")
            ended = stream.count
    except KeyboardInterrupt:
        raise Interrupted.later(partial(so_far, "cancelled")) from None
    assert ended is not None
    return made(parts, ended, seen, none.embedding)


def _check_method(net: Network, box: Box, method: str) -> None:
    from ._count import check_question

    # What "auto" says of many dimensions names methods that a ball does not have.
    much = method == "auto" and box.dim is not None and box.dim > MOST_DIMENSIONS
    if much or check_question(net, box, "activation", method, faces=True).name == "tree":
        raise Unsupported(
            "regions in a Ball are found among those of the box around it, by their facets, which "
            "method 'tree' does not know: take a Ball of lower dimension, a Box, or method='cones'"
        )


def count_in_ball(net: Network, ball: Ball, what: str, options: dict[str, Any]) -> RegionCount:
    """Count the regions that meet the inside of a ball (see `count`).

    Memory does not grow with the number of activation regions; the other two list them.
    """
    from ._count import count_of
    from ._regions import regions

    if what != "activation":
        try:
            return list_in_ball(net, ball, what, options).count
        except Interrupted as stop:
            raise count_of(stop) from None
    _check(options)
    limit = options.pop("limit")
    options.pop("threads")
    test = BallTest(net, ball)
    _check_method(net, test.box, options["method"])
    found, seen, method = 0, 0, ""
    try:
        with regions(net, test.box, stream=True, block=4096, **options) as stream:
            for part in stream:
                found += len(test.kept(part).bounded)
                seen += len(part)
                method = part.count.method
                if limit is not None and found >= limit:
                    base = RegionCount(found, method=method)
                    return _count_of(base, min(found, limit), "limit", test, seen)
            count = stream.count
    except KeyboardInterrupt:
        base = RegionCount(found, method=method)
        partial = _count_of(base, found, "cancelled", test, seen)
        raise Interrupted(partial=partial) from None
    assert count is not None
    return _count_of(count, found, count.status, test, seen)


def _check(options: dict[str, Any]) -> None:
    if options["arithmetic"] != "certified":
        raise Unsupported("a Ball needs arithmetic='certified': its boundary is decided exactly")


def _count_of(
    count: RegionCount, value: int, status: Any, test: BallTest, listed: int
) -> RegionCount:
    return replace(
        count,
        value=value,
        kind="exact" if status == "complete" else "lower",
        status=status,
        interval=None,
        confidence=None,
        bracket=None,
        work={
            **count.work,
            "box_regions": listed,
            "distances": test.distances,
            "exact_distances": test.exact,
        },
    )


class BallTest:
    """Decides which regions of the box around a ball meet its inside."""

    def __init__(self, net: Network, ball: Ball) -> None:
        flat = ball.resolve(net.input_shape)
        self.net, self.center, self.radius = net, flat.center, flat.radius
        self.box = Box(
            np.nextafter(self.center - self.radius, -np.inf),
            np.nextafter(self.center + self.radius, np.inf),
        ).resolve(net.input_shape)
        self.core = frame_of(domain_frame(self.box, net.input_shape))
        self.distances = self.exact = 0
        low, high = _MODERATE
        self.moderate = low < self.radius < high and bool((np.abs(self.center) < high).all())

    def kept(self, table: Regions) -> Columns:
        """Return the regions that meet the ball, with interior points inside it."""
        columns = table.columns
        inside = self.in_ball(columns.interior_points)
        points = columns.interior_points.copy()
        exact_points = dict(columns.exact_points)
        doubtful = np.flatnonzero(~inside)
        if len(doubtful):
            self._decide(columns, doubtful, inside, points, exact_points)
        changed = replace(columns, interior_points=points, exact_points=exact_points)
        return changed.take(np.flatnonzero(inside))

    def in_ball(self, points: FloatArray) -> Any:
        """Tell which points are proved to be inside."""
        if not self.moderate:
            return np.zeros(len(points), dtype=np.bool_)
        with np.errstate(invalid="ignore", over="ignore"):
            squares = ((points - self.center) ** 2).sum(axis=1)
        grown = squares * (1 + (points.shape[1] + 8) * _ROUNDOFF)
        return grown < self.radius**2 * (1 - 4 * _ROUNDOFF)

    def _decide(
        self,
        columns: Columns,
        doubtful: Any,
        inside: Any,
        points: FloatArray,
        exact_points: dict[int, tuple[Fraction, ...]],
    ) -> None:
        # Sides of the box play no part: the ball lies within them.
        part = columns.take(doubtful)
        units = part.facet_labels[:, 0] >= 0
        starts = np.concatenate([[0], np.cumsum(units)])[part.facet_offsets].astype(np.int64)
        labels = np.ascontiguousarray(part.facet_labels[units])
        rows, errors = self.rows_of(part.patterns, starts, labels)
        for k, number in enumerate(doubtful.tolist()):
            self.distances += 1
            own = slice(int(starts[k]), int(starts[k + 1]))
            inner = points[number]
            found: Any = None
            answer: bool | None = None
            if self.moderate and np.isfinite(inner).all():
                answer, found = self._by_doubles(rows[own], errors[own], inner)
            if answer is None:
                self.exact += 1
                given = exact_points.get(number)
                start = given or tuple(Fraction(v) for v in inner.tolist())
                exact = oriented_rows(
                    self.net, self.core, part.patterns[k], labels[own], len(self.center) + 1
                )
                point = self._exactly(exact, start)
                answer = point is not None
                if point is not None:
                    points[number] = np.nan
                    exact_points[number] = point
            elif answer:
                points[number] = found
            inside[number] = answer

    def _by_doubles(
        self, rows: FloatArray, errors: FloatArray, inner: FloatArray
    ) -> tuple[bool | None, FloatArray | None]:
        """Return True and a point, False, or None where doubles do not decide."""
        scaled = self.scale(rows, errors)
        if scaled is None:
            return None, None
        normals, offsets, doubt = scaled
        step, disproved = self.bounded_away(normals, offsets, doubt)
        reach = np.inf if step is None else float(np.linalg.norm(step))
        if step is not None and reach < self.radius:
            # From the nearest point towards an inner one, half of the way to the sphere.
            nearest = self.center + step
            away = float(np.linalg.norm(inner - nearest))
            share = min(1.0, 0.5 * (self.radius - reach) / away) if away > 0 else 1.0
            point = nearest + share * (inner - nearest)
            at = normals @ point + offsets
            room = self.room(normals, offsets, doubt, point[None])[0]
            if (at > room).all() and self.in_ball(point[None])[0]:
                return True, point
        return (False if disproved else None), None

    def rows_of(
        self, patterns: Words, starts: IntArray, labels: npt.NDArray[np.int32]
    ) -> tuple[FloatArray, FloatArray]:
        """Return rows in doubles and bounds of their errors for these facets of regions."""
        return _core.facet_rows(program(self.net), self.core, patterns, starts, labels)

    def scale(
        self, rows: FloatArray, errors: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray] | None:
        """Return normals of length 1, offsets and errors; None where doubles say nothing."""
        norms = np.linalg.norm(rows[:, :-1], axis=1)
        if not (np.isfinite(errors).all() and (norms > 0).all()):
            return None
        scaled = rows / norms[:, None]
        return scaled[:, :-1], scaled[:, -1], errors / norms * (1 + self._gamma(len(rows)))

    def _gamma(self, n: int) -> float:
        return (len(self.center) + n + 16) * _ROUNDOFF

    def room(
        self, normals: FloatArray, offsets: FloatArray, doubt: FloatArray, points: FloatArray
    ) -> FloatArray:
        """Return bounds of the errors of all rows at the points."""
        sizes = np.abs(points) @ np.abs(normals).T + np.abs(offsets)
        far = np.abs(points).sum(axis=1)[:, None] + 1
        return np.asarray(doubt * far + self._gamma(len(normals)) * sizes)

    def bounded_away(
        self, normals: FloatArray, offsets: FloatArray, doubt: FloatArray
    ) -> tuple[FloatArray | None, bool]:
        """Return about the way to the nearest point, and whether it is proved not to be inside."""
        gamma = self._gamma(len(normals))
        values = normals @ self.center + offsets
        value_errors = self.room(normals, offsets, doubt, self.center[None])[0]
        step, y = least_distance(normals, -values)
        total = y @ normals
        slip = (y @ doubt) * np.sqrt(len(self.center))
        slip += gamma * np.linalg.norm(y @ np.abs(normals))
        length = (np.linalg.norm(total) + slip) * (1 + gamma)
        gain = -(y @ values) - y @ value_errors - gamma * (y @ np.abs(values))
        return step, bool(gain > self.radius * length * (1 + gamma))

    def nearest(self, rows: list[Row]) -> list[Fraction]:
        """Return the way from the centre to the nearest point with rows >= 0, exactly."""
        center = [Fraction(v) for v in self.center.tolist()]
        return _nearest(rows, [row[-1] + _dot(row, center) for row in rows], len(center))

    def _exactly(self, rows: list[Row], inner: tuple[Fraction, ...]) -> tuple[Fraction, ...] | None:
        """Return a point of the region in the ball, None where there is none."""
        center = [Fraction(v) for v in self.center.tolist()]
        square = Fraction(self.radius) ** 2
        step = self.nearest(rows)
        if _dot(step, step) >= square:
            return None
        share = Fraction(1)
        while True:
            point = [
                c + s + share * (p - c - s) for c, s, p in zip(center, step, inner, strict=True)
            ]
            if sum((p - c) ** 2 for p, c in zip(point, center, strict=True)) < square:
                return tuple(point)
            share /= 2


def _dot(a: Iterable[Any], b: Iterable[Any]) -> Fraction:
    return sum((Fraction(x) * y for x, y in zip(a, b, strict=False)), Fraction(0))


def _nearest(rows: list[Row], values: list[Fraction], d: int) -> list[Fraction]:
    """Return the shortest u with a_i . u + v_i >= 0 for all rows, exactly.

    It is a combination with factors >= 0 of independent normals whose rows it makes zero; all sets
    of at most d rows are tried, those that the centre violates most first.
    """
    sizes = [sum(a * a for a in row[:-1]) for row in rows]
    # By squares with a sign: no root, and no number leaves the range of doubles.
    order = sorted(
        range(len(rows)), key=lambda i: values[i] * abs(values[i]) / sizes[i] if sizes[i] else 0
    )
    for size in range(d + 1):
        for chosen in combinations(order, size):
            factors = solve_exactly(
                [[_dot(rows[i][:-1], rows[j][:-1]) for j in chosen] for i in chosen],
                [-values[i] for i in chosen],
            )
            if factors is None or any(f < 0 for f in factors):
                continue
            u = [
                sum((f * rows[i][k] for f, i in zip(factors, chosen, strict=True)), Fraction(0))
                for k in range(d)
            ]
            if all(_dot(row[:-1], u) + v >= 0 for row, v in zip(rows, values, strict=True)):
                return u
    raise AssertionError("a region has a point nearest to the centre")
