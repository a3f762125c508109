# SPDX-License-Identifier: MIT
"""The region that holds one point, without listing any other."""

from __future__ import annotations

from fractions import Fraction
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._cell_facets import ExactCell, needed_facets, row_columns
from ._floating_point import in_default_floating_point
from ._forward import forward_pass
from ._frame import DomainFrame, domain_frame
from ._lower import frame_of, program
from ._planar import nearest, over_one_denominator
from ._region import Facet, Region
from ._region_columns import IntArray, Words
from ._region_table import Regions
from ._value import FloatArray, float_array
from ._version import __version__
from .domain import Box, Domain, as_domain
from .errors import DegenerateInput, InvalidInput, Unsupported
from .network import Network, check_network
from .result import RegionCount

__all__ = ["LocatedRegion", "located", "region_at"]

# A cell of more dimensions has too many vertices to be worth their time.
MOST_DIMENSIONS_WITH_VERTICES = 8


def region_at(net: Network, x: npt.ArrayLike, domain: Domain | None = None) -> LocatedRegion:
    """Return the activation region that holds a point; no other region is looked at.

    Parameters
    ----------
    net : Network
    x : array_like of float or sequence of Fraction
        A point in the domain's own coordinates. In the whole space, a full `Box` or a full
        `Polytope` these are the inputs: of the input's shape, or flat in row-major order.
    domain : Domain, optional
        Default the whole input space.

    Returns
    -------
    LocatedRegion
        A `Region`. Pattern and affine map are there at once, in any dimension; inequalities, facets
        and vertices are computed when they are asked for.

    Raises
    ------
    DegenerateInput
        If the point lies on the boundary of a region, or of the domain.
    InvalidInput
        If the point lies outside of the domain, or its shape does not fit.
    Unsupported
        If the domain is a `Ball`.
    TypeError
        If `net` is no `Network`.

    Notes
    -----
    Guarantee: exact. Values at the point are computed in doubles with bounds of their errors; signs
    that these leave open are decided in integers of any size. Cost: two forward passes.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network(2, [lr.Affine([[1.0, 1.0], [1.0, -1.0]], [-1.0, 0.0]), lr.relu()])
    >>> region = lr.region_at(net, [0.5, 0.25], lr.Box(0.0, 1.0))
    >>> region.bits().tolist(), region.volume
    ([False, True], 0.25)
    >>> [(facet.normal.tolist(), facet.offset, facet.bit) for facet in region.facets]
    [([0.0, 1.0], 0.0, -1), ([-1.0, -1.0], 1.0, 0), ([1.0, -1.0], 0.0, 1)]
    >>> lr.region_at(net, [0.5, 0.5])
    Traceback (most recent call last):
    ...
    linear_regions.errors.DegenerateInput: the point lies on a facet: ... pattern bits 0, 1 change
    """
    check_network(net)
    place = as_domain(domain).resolve(net.input_shape)
    frame = domain_frame(place, net.input_shape)
    point = _point(x, frame, net, place)
    _check_inside(frame, point)
    core, at = frame_of(frame), _point_frame(frame, point)
    guess = forward_pass(net).guess(np.nan_to_num(at.columns))[0]
    found = _core.locate(program(net), core, frame_of(at), guess, None)
    if len(found["on"]):
        bits = sorted(set(found["on"][:, 0].tolist()))
        shown = ", ".join(map(str, bits[:8])) + (", ..." if len(bits) > 8 else "")
        raise DegenerateInput(
            f"the point lies on a facet: several regions touch it, and pattern bits {shown} change"
        )
    return LocatedRegion(net, place, frame, core, found["pattern"], point)


def located(
    net: Network, domain: Domain, pattern: Words, point: tuple[Fraction, ...]
) -> LocatedRegion:
    """Return the region of a pattern, given a point that is proved to lie inside."""
    frame = domain_frame(domain, net.input_shape)
    return LocatedRegion(net, domain, frame, frame_of(frame), pattern, point)


def _point(x: Any, frame: DomainFrame, net: Network, place: Domain) -> tuple[Fraction, ...]:
    entries = list(x) if isinstance(x, (tuple, list)) else None
    if entries and any(isinstance(value, Fraction) for value in entries):
        exact = tuple(map(_exact, entries))
    else:
        array = float_array("x", x)
        if array.shape == net.input_shape and array.size == frame.dim:
            array = array.reshape(-1)
        if array.ndim != 1:
            raise InvalidInput(f"x must be one point of shape ({frame.dim},), got {array.shape}")
        if not np.isfinite(array).all():
            raise InvalidInput(f"x must be finite, got {array.tolist()}")
        exact = tuple(map(Fraction, array.tolist()))
    if len(exact) != frame.dim:
        fixed = isinstance(place, Box) and len(exact) == net.input_size
        hint = "; the Box fixes some inputs: give the others, x[domain.free]" if fixed else ""
        raise InvalidInput(
            f"x must be a point in the domain's own coordinates, {frame.dim} numbers, got "
            f"{len(exact)}{hint}"
        )
    return exact


def _exact(value: Any) -> Fraction:
    """Return one entry of a point that has fractions."""
    try:
        return Fraction(float(value) if isinstance(value, np.floating) else value)
    except (OverflowError, TypeError, ValueError):
        raise InvalidInput(f"x must be finite numbers, got {value!r}") from None


def _check_inside(frame: DomainFrame, point: tuple[Fraction, ...]) -> None:
    for i, side in enumerate(frame.sides):
        if frame.exact_sides is None:
            used = np.flatnonzero(side[:-1]).tolist()
            value = Fraction(float(side[-1]))
            value += sum(Fraction(float(side[j])) * point[j] for j in used)
        else:
            row = frame.exact_sides[i]
            value = Fraction(row[-1]) + sum(a * t for a, t in zip(row, point, strict=False) if a)
        if value < 0:
            raise InvalidInput(f"x lies outside of the domain: beyond its side {i}")
        if value == 0:
            raise DegenerateInput(
                f"x lies on side {i} of the domain; a domain means its relative interior"
            )


def _point_frame(frame: DomainFrame, point: tuple[Fraction, ...]) -> DomainFrame:
    """Return the point as a domain of dimension zero."""
    if frame.exact_columns is not None:
        numerators, common = frame.exact_columns
        weights = [*point, Fraction(1)]
        used = [(t, column) for t, column in zip(weights, numerators, strict=True) if t != 0]
        values = [
            sum((t * column[i] for t, column in used), Fraction(0)) / common
            for i in range(len(numerators[0]))
        ]
    else:
        values = list(map(Fraction, frame.columns[-1].tolist()))
        for t, column in zip(point, frame.columns[:-1], strict=True):
            for i in np.flatnonzero(column).tolist() if t else ():
                values[i] += t * Fraction(float(column[i]))
    rounded = [nearest(value) for value in values]
    same = all(isfinite(r) and Fraction(r) == v for r, v in zip(rounded, values, strict=True))
    return DomainFrame(
        dim=0,
        columns=np.array([rounded]),
        exact_columns=None if same else over_one_denominator([values]),
        sides=np.empty((0, 1)),
        exact_sides=None,
        bounded=True,
        lineality=[],
    )


class LocatedRegion(Region):
    """The region of one point; made by `region_at`.

    Beside what every `Region` has, there is the description by all inequalities. What needs
    geometry (facets, vertices, volume) is computed at its first use.

    Attributes
    ----------
    network : Network
    domain : Domain

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network(2, [lr.Affine([[1.0, 1.0], [1.0, 1.0]], [-1.0, -3.0]), lr.relu()])
    >>> region = lr.region_at(net, [0.0, 0.0])
    >>> rows, bits = region.inequalities()
    >>> rows.tolist(), bits.tolist()
    ([[-1.0, -1.0, 1.0], [-1.0, -1.0, 3.0]], [0, 1])
    >>> [facet.bit for facet in region.facets], region.bounded
    ([0], False)
    """

    __slots__ = (
        "_cell",
        "_core_frame",
        "_facets",
        "_frame",
        "_made",
        "_pattern",
        "_point",
        "domain",
        "network",
    )

    def __init__(
        self,
        network: Network,
        domain: Domain,
        frame: DomainFrame,
        core: _core.DomainFrame,
        pattern: Words,
        point: tuple[Fraction, ...],
    ) -> None:
        self.network = network
        self.domain = domain
        self._index = 0
        self._faced = self
        self._frame = frame
        self._core_frame = core
        self._pattern = pattern
        self._point = point
        self._cell: ExactCell | None = None
        self._facets: list[int] | None = None
        self._made: Regions | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle what defines the region; its faces are found anew."""
        return located, (self.network, self.domain, self._pattern, self._point)

    def _whole(self) -> tuple[Network, Domain]:
        return self.network, self.domain

    @property
    def pattern(self) -> Words:
        """The packed activation pattern."""
        return self._pattern

    @property
    def interior_point(self) -> FloatArray:
        """The point itself; NaN where it is rational and no point of doubles."""
        rounded = [nearest(value) for value in self._point]
        same = all(isfinite(r) and r == v for r, v in zip(rounded, self._point, strict=True))
        return np.array(rounded) if same else np.full(len(rounded), np.nan)

    def bits(self) -> npt.NDArray[np.bool_]:
        """Return the pattern as one bool per bit."""
        raw = self._pattern.astype("<u8").view(np.uint8)
        return np.unpackbits(raw, bitorder="little")[: self.network.pattern_bits].astype(bool)

    def interior_fraction(self) -> tuple[Fraction, ...]:
        """Return the point itself, exactly."""
        return self._point

    @in_default_floating_point
    def affine_map(self, space: str = "domain") -> tuple[FloatArray, FloatArray]:
        """Return the network's map here as (A, c) (see `Region.affine_map`)."""
        n = self.network.input_size
        if space not in ("domain", "input"):
            raise InvalidInput(f"space must be 'domain' or 'input', got {space!r}")
        columns = self._frame.columns if space == "domain" else np.eye(n + 1, n)
        whole = forward_pass(self.network).affine_maps(self._pattern[None], columns)[0]
        return whole[:, :-1], whole[:, -1]

    def _exact_cell(self) -> ExactCell:
        if self._cell is None:
            self._cell = ExactCell(self.network, self._frame, self._core_frame, self._pattern)
        return self._cell

    @in_default_floating_point
    def inequalities(self) -> tuple[FloatArray, IntArray]:
        """Return all inequalities that describe the region; some are redundant.

        Returns
        -------
        rows : float64 array, shape (m, d + 1)
            (a, c) with a . t + c > 0 inside: the sides of the domain, then the units in the order
            of their bits, without those that are constant on the region. Rounded to doubles.
        bits : int64 array, shape (m,)
            The pattern bit of the unit (of a window: its first bit), -1 for sides.
        """
        cell = self._exact_cell()
        return cell.rows, np.maximum(cell.labels[:, 0], -1).astype(np.int64)

    def _needed(self) -> list[int]:
        if self._facets is None:
            self._facets = needed_facets(self._exact_cell(), self._point)
        return self._facets

    @property
    @in_default_floating_point
    def facets(self) -> list[Facet]:
        """The irredundant facets, proved; above eight dimensions without their vertices."""
        if self._frame.dim <= MOST_DIMENSIONS_WITH_VERTICES:
            return super().facets
        cell = self._exact_cell()
        rows, bits = self.inequalities()
        none = np.empty((0, self._frame.dim))
        return [
            Facet(cell.rows[i, :-1], float(rows[i, -1]), int(bits[i]), none) for i in self._needed()
        ]

    @property
    @in_default_floating_point
    def bounded(self) -> bool:
        """Whether the region is bounded."""
        if self._frame.bounded:
            return True
        if self._frame.dim <= MOST_DIMENSIONS_WITH_VERTICES:
            return super().bounded
        return self._exact_cell().is_bounded(self._needed())

    @property
    @in_default_floating_point
    def neighbours(self) -> IntArray:
        """Not known: no other region was looked at."""
        raise Unsupported("region_at looks at one region; list with regions() for its neighbours")

    @property
    def _table(self) -> Regions:  # type: ignore[override]
        if self._made is None:
            if self._frame.dim > MOST_DIMENSIONS_WITH_VERTICES:
                raise Unsupported(
                    f"vertices and volumes are computed in up to {MOST_DIMENSIONS_WITH_VERTICES} "
                    f"dimensions, this domain has {self._frame.dim}: use facets or inequalities(), "
                    "or a Slice"
                )
            cell = self._exact_cell()
            columns, quotient = row_columns(cell, self._needed(), self._pattern, self._point)
            count = RegionCount(1, method="region_at", version=__version__)
            self._made = Regions(
                self.network,
                self.domain,
                count,
                columns,
                self._frame.columns,
                whole=False,
                quotient=quotient,
            )
        return self._made

    def __repr__(self) -> str:
        """Show the number of active bits and the dimension."""
        return f"LocatedRegion({int(self.bits().sum())} bits set, dimension {self._frame.dim})"
