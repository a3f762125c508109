# SPDX-License-Identifier: MIT
"""Domains that are given by points and directions: segments, slices, balls."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from numbers import Real

import numpy as np
import numpy.typing as npt

from ._farkas import Row, integer_row, primitive
from ._geometry import Shape, shape_of
from ._hull import Hull, affine_hull
from ._polyhedra import (
    Box,
    Domain,
    Polytope,
    Space,
    apply_hull,
    flat_array,
    no_domain,
    signed_rows,
)
from ._value import FloatArray, finite_array
from .errors import DegenerateInput, InvalidInput


class Segment(Domain):
    """The open segment from a to b: x = a + t (b - a), 0 < t < 1.

    The difference is taken exactly, also where b - a is no double.

    Parameters
    ----------
    a, b : array_like of float
        Of the input's shape, or flat in row-major order.

    Raises
    ------
    InvalidInput
        If the shapes differ, a number is not finite, or b - a overflows.
    DegenerateInput
        If a equals b (a single point is ``Box(a, a)``).

    Examples
    --------
    >>> Segment([0.0, 0.0], [1.0, 4.0]).embed([[0.5]])
    array([[0.5, 2. ]])
    """

    __slots__ = ("a", "b")
    a: FloatArray
    b: FloatArray
    _fields = ("a", "b")

    def __init__(self, a: npt.ArrayLike, b: npt.ArrayLike) -> None:
        start, end = finite_array("Segment: a", a), finite_array("Segment: b", b)
        if start.shape != end.shape or start.ndim == 0 or not start.size:
            raise InvalidInput(
                f"Segment: a and b must be points of equal shape, got {start.shape} and {end.shape}"
            )
        if np.array_equal(start, end):
            raise DegenerateInput(
                "Segment: a and b are the same point; for a single point use Box(a, a)"
            )
        with np.errstate(over="ignore"):
            if not np.isfinite(end - start).all():
                raise InvalidInput("Segment: b - a overflows float64")
        self._set(a=start, b=end)

    @property
    def ambient_dim(self) -> int:
        """Number of inputs."""
        return self.a.size

    @property
    def dim(self) -> int:
        """Return 1."""
        return 1

    def resolve(self, input_shape: int | Shape) -> Segment:
        """Return this segment with flat ends (see `Domain.resolve`)."""
        shape = shape_of("input_shape", input_shape)
        flat = (
            flat_array("Segment: a and b", self.a, shape),
            flat_array("Segment: b", self.b, shape),
        )
        if flat[0] is self.a:
            return self
        segment = Segment.__new__(Segment)
        segment._set(a=flat[0], b=flat[1])
        return segment

    def embed(self, t: npt.ArrayLike) -> FloatArray:
        """Return a + t (b - a) (see `Domain.embed`)."""
        array = self._coordinates(t)
        start, end = self.a.reshape(-1), self.b.reshape(-1)
        out: FloatArray = start + array * (end - start)
        return out


class Ball(Domain):
    """Euclidean ball, for sampling, and for counting and listing in up to eight dimensions.

    Parameters
    ----------
    center : array_like of float
        Of the input's shape, or flat in row-major order.
    radius : float
        Positive.

    Raises
    ------
    InvalidInput
        If a number is not finite or the radius is not positive.

    Examples
    --------
    >>> Ball([0.0, 0.0], 2.0).dim
    2
    """

    __slots__ = ("center", "radius")
    center: FloatArray
    radius: float
    _fields = ("center", "radius")

    def __init__(self, center: npt.ArrayLike, radius: float) -> None:
        middle = finite_array("Ball: center", center)
        size = finite_array("Ball: radius", radius)
        if middle.ndim == 0 or size.ndim or size <= 0:
            raise InvalidInput(
                f"Ball: expected a center point and a positive radius, got a center of shape "
                f"{middle.shape} and radius {radius!r}"
            )
        self._set(center=middle, radius=float(size))

    @property
    def ambient_dim(self) -> int:
        """Number of inputs."""
        return self.center.size

    @property
    def dim(self) -> int:
        """Number of inputs."""
        return self.center.size

    def resolve(self, input_shape: int | Shape) -> Ball:
        """Return this ball with a flat center (see `Domain.resolve`)."""
        return Ball(
            flat_array("Ball: center", self.center, shape_of("input_shape", input_shape)),
            self.radius,
        )

    def embed(self, t: npt.ArrayLike) -> FloatArray:
        """Return a copy of the coordinates, which are the inputs (see `Domain.embed`)."""
        return np.array(self._coordinates(t))


class Slice(Domain):
    """Affine subspace of the inputs, {origin + t @ directions}, cut to a domain of t.

    Parameters
    ----------
    origin : array_like of float
        Of the input's shape, or flat in row-major order.
    directions : array_like of float, shape (k, *shape of origin) or (k, n)
        Linearly independent.
    domain : Box, Polytope or Space, optional
        In the coordinates t; default all of them.
    within : Box, optional
        In the inputs: only the part of the slice inside this box counts. The cut is exact.

    Raises
    ------
    InvalidInput
        If a shape does not fit or a number is not finite.
    DegenerateInput
        If the directions are linearly dependent (decided exactly), or, when `dim` is asked for,
        if the domain is empty.

    Examples
    --------
    >>> plane = Slice([0.0, 0.0, 1.0], [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]], domain=Box(-1.0, 1.0))
    >>> plane.dim
    2
    >>> plane.embed([0.5, -0.25])
    array([ 0.5 , -0.25,  0.75])
    """

    __slots__ = ("_hull", "directions", "domain", "origin", "within")
    origin: FloatArray
    directions: FloatArray
    domain: Box | Polytope | None
    within: Box | None
    _hull: Hull | None
    _fields = ("origin", "directions", "domain", "within")

    def __init__(
        self,
        origin: npt.ArrayLike,
        directions: npt.ArrayLike,
        domain: Box | Polytope | Space | None = None,
        within: Box | None = None,
    ) -> None:
        point = finite_array("Slice: origin", origin)
        if point.ndim == 0 or not point.size:
            raise InvalidInput(f"Slice: origin must be a point, got shape {point.shape}")
        table = finite_array("Slice: directions", directions)
        k = len(table) if table.ndim else 0
        if table.shape[1:] != point.shape:
            if (
                table.ndim < 2
                or table.size != k * point.size
                or 1 not in (table.ndim - 1, point.ndim)
            ):
                raise InvalidInput(
                    f"Slice: directions must have shape (k, {', '.join(map(str, point.shape))}), "
                    f"one row per direction, got {table.shape}"
                )
            if point.ndim == 1:
                point = point.reshape(table.shape[1:])
            table = table.reshape(k, *point.shape)
        if not isinstance(domain, Box | Polytope | Space | None):
            raise no_domain("Slice: domain must be a Box, Polytope, Space or None", domain)
        if not isinstance(within, Box | None):
            raise no_domain("Slice: within must be a Box or None", within)
        if not k or not _independent(table.reshape(k, point.size)):
            raise DegenerateInput(
                f"Slice: the {k} directions must be linearly independent (and at least one)"
            )
        for array in (point, table):
            array.setflags(write=False)
        inner = None if domain is None else domain.resolve((k,))
        self._set(
            origin=point,
            directions=table,
            domain=None if isinstance(inner, Space) else inner,
            within=within,
            _hull=None,
        )

    def _restore_state(self, state: tuple[object, ...]) -> None:
        super()._restore_state(state)
        self._set(_hull=None)

    @classmethod
    def through(cls, points: npt.ArrayLike, margin: float = 0.0) -> Slice:
        """Return the slice through k + 1 points, cut to the box that they span.

        Parameters
        ----------
        points : array_like of float, shape (k + 1, ...)
            Three points make a plane, two a line. The first is the origin (t = 0); point i + 1 is
            at the unit vector i, up to the rounding of the difference to float64.
        margin : float, default 0.0
            The box is -margin <= t <= 1 + margin.

        Returns
        -------
        Slice

        Raises
        ------
        InvalidInput
            If there are fewer than two points, or the margin is not above -0.5.
        DegenerateInput
            If the points do not span k dimensions.

        Examples
        --------
        >>> Slice.through([[0.0, 0.0], [2.0, 0.0], [0.0, 3.0]], margin=0.5).domain
        Box(low=array([-0.5, -0.5]), high=array([1.5, 1.5]))
        """
        array = finite_array("Slice.through: points", points)
        if array.ndim < 2 or len(array) < 2:
            raise InvalidInput(
                f"Slice.through: points must have shape (k + 1, ...) with k >= 1, got {array.shape}"
            )
        if not isinstance(margin, Real):
            raise TypeError(f"Slice.through: margin must be one number, got {margin!r}")
        if not margin > -0.5 or not np.isfinite(margin):
            raise InvalidInput(f"Slice.through: margin must be finite and above -0.5, got {margin}")
        try:
            return cls(array[0], array[1:] - array[0], domain=Box(-margin, 1.0 + margin))
        except DegenerateInput:
            k = len(array) - 1
            raise DegenerateInput(
                f"Slice.through: {k + 1} points must span {k} dimensions; some are equal or lie in "
                "a smaller plane"
            ) from None

    @property
    def ambient_dim(self) -> int:
        """Number of inputs."""
        return self.origin.size

    @property
    def dim(self) -> int:
        """Dimension of the domain, found exactly."""
        return len(self.directions) if self.is_free() else self.hull().dim

    def is_free(self) -> bool:
        """Tell whether every t is a coordinate of its own, without need of exact arithmetic.

        Examples
        --------
        >>> Slice([0.0, 0.0], [[1.0, 1.0]]).is_free()
        True
        >>> Slice([0.0, 0.0], [[1.0, 1.0]], within=Box(0.0, 1.0)).is_free()
        False
        """
        if self.within is not None:
            return False
        return self.domain is None or (
            isinstance(self.domain, Box) and self.domain.dim == len(self.directions)
        )

    def hull(self) -> Hull:
        """Return the affine hull in the coordinates t and the constraints within it, exactly.

        Raises
        ------
        DegenerateInput
            If the domain is empty.

        Examples
        --------
        >>> Slice([0.0, 0.0], [[1.0, 2.0]], within=Box(0.0, 1.0)).hull().rows
        [(1, 0), (-1, 1), (-2, 1)]
        """
        if self._hull is None:
            k = len(self.directions)
            equalities: list[Row] = []
            inequalities: list[Row] = []
            if isinstance(self.domain, Box):
                fixed, sides = _box_rows(self.domain)
                equalities += fixed
                inequalities += sides
            elif self.domain is not None:
                equalities += map(integer_row, signed_rows(self.domain.A_eq, self.domain.b_eq))
                inequalities += map(integer_row, signed_rows(self.domain.A, self.domain.b))
            if self.within is not None:
                fixed, sides = self._within_rows()
                equalities += fixed
                inequalities += sides
            self._set(_hull=affine_hull(k, equalities, inequalities))
        assert self._hull is not None
        return self._hull

    def _within_rows(self) -> tuple[list[Row], list[Row]]:
        """Return the sides of `within` as rows in t: equalities of fixed inputs, inequalities."""
        assert self.within is not None
        box = self.within.resolve(self.origin.shape)
        origin = self.origin.reshape(-1)
        table = self.directions.reshape(len(self.directions), -1).T
        equalities, inequalities = [], []
        for i in self._binding_inputs(box):
            # low <= origin + t . d <= high; origin - low may be no double, so it stays a pair.
            columns, start = table[i].tolist(), float(origin[i])
            low, high = float(box.low[i]), float(box.high[i])
            if low == high:
                equalities.append(_joined_row([*columns, start, -low]))
                continue
            if low != -np.inf:
                inequalities.append(_joined_row([*columns, start, -low]))
            if high != np.inf:
                inequalities.append(_joined_row([-c for c in columns] + [-start, high]))
        return equalities, inequalities

    def _binding_inputs(self, box: Box) -> list[int]:
        """Return the inputs whose sides may cut the slice's own box; the others surely do not."""
        n, inner = self.origin.size, self.domain
        if not isinstance(inner, Box) or not np.isfinite([inner.low, inner.high]).all():
            return list(range(n))
        origin, table = self.origin.reshape(-1), self.directions.reshape(len(self.directions), -1)
        with np.errstate(over="ignore", invalid="ignore"):
            middle = (inner.low + inner.high) / 2
            reach = np.maximum(inner.high - middle, middle - inner.low) * (1 + 1e-12)
            center = origin + middle @ table
            radius = reach @ abs(table)
            # Far above the rounding of these few sums; a wrong "may cut" costs time only.
            error = 1e-12 * (abs(origin) + abs(middle) @ abs(table) + radius) + 1e-290
            inside = (center - radius - error > box.low) & (center + radius + error < box.high)
        return [int(i) for i in np.flatnonzero(~inside)]

    def resolve(self, input_shape: int | Shape) -> Slice:
        """Return this slice with flat arrays (see `Domain.resolve`)."""
        shape = shape_of("input_shape", input_shape)
        origin = flat_array("Slice: origin", self.origin, shape)
        within = None if self.within is None else self.within.resolve(shape)
        if origin is self.origin and within is self.within:
            return self
        directions = self.directions.reshape(len(self.directions), prod(shape))
        directions.setflags(write=False)
        flat = Slice.__new__(Slice)
        flat._set(
            origin=origin,
            directions=directions,
            domain=self.domain,
            within=within,
            _hull=self._hull,
        )
        return flat

    def embed(self, t: npt.ArrayLike) -> FloatArray:
        """Return origin + t @ directions (see `Domain.embed`)."""
        array = self._coordinates(t)
        if not self.is_free():
            array = apply_hull(self.hull(), array)
        table = self.directions.reshape(len(self.directions), -1)
        out: FloatArray = self.origin.reshape(-1) + array @ table
        return out


def _joined_row(values: list[float]) -> Row:
    """Return the integer row whose constant is the exact sum of the last two floats."""
    row = integer_row(values)
    return primitive([*row[:-2], row[-2] + row[-1]])


def _box_rows(box: Box) -> tuple[list[Row], list[Row]]:
    """Return a box as rows: equalities of its fixed sides, inequalities of the finite others."""
    k = box.low.size
    equalities, inequalities = [], []
    for j, (low, high) in enumerate(zip(box.low.tolist(), box.high.tolist(), strict=True)):
        unit = [0.0] * k
        unit[j] = 1.0
        if low == high:
            equalities.append(integer_row([*unit, -low]))
            continue
        if low != -np.inf:
            inequalities.append(integer_row([*unit, -low]))
        if high != np.inf:
            unit[j] = -1.0
            inequalities.append(integer_row([*unit, high]))
    return equalities, inequalities


def _independent(table: FloatArray) -> bool:
    """Tell exactly whether the rows are linearly independent."""
    k, n = table.shape
    largest = abs(table).max(axis=1, initial=0.0)
    if not largest.all() or k > n:
        return False
    if k == 1:
        return True
    # Quick proofs first: a minor, or a ratio of singular values, far above its rounding error.
    if k == 2:
        u, v = table
        pivot = int(abs(u).argmax())
        with np.errstate(over="ignore", invalid="ignore"):
            left, right = u[pivot] * v, v[pivot] * u
            if (abs(left - right) > 1e-9 * (abs(left) + abs(right)) + 1e-290).any():
                return True
    elif (largest > 1e-290).all():
        values = np.linalg.svd(table / largest[:, None], compute_uv=False)
        if values[-1] > 1e-9 * n * values[0]:
            return True
    rows = [[Fraction(v) for v in row] for row in table.tolist()]
    return bool(_rank(rows) == k)


def _rank(rows: list[list[Fraction]]) -> int:
    rank = 0
    while rows:
        pivot_row = rows.pop()
        pivot = next((j for j, v in enumerate(pivot_row) if v), None)
        if pivot is None:
            continue
        rank += 1
        rows = [
            [u - row[pivot] / pivot_row[pivot] * v for u, v in zip(row, pivot_row, strict=True)]
            if row[pivot]
            else row
            for row in rows
        ]
    return rank
