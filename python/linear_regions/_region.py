# SPDX-License-Identifier: MIT
"""One region as a view of a row of a table, and its facets."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ._floating_point import in_default_floating_point
from ._region_columns import IntArray, Words
from ._value import FloatArray, SameFields, fields_repr
from .errors import Unsupported

if TYPE_CHECKING:
    from ._region_table import Regions
    from .domain import Domain
    from .network import Network

__all__ = ["Facet", "Region"]


@dataclass(frozen=True, eq=False, repr=False)
class Facet(SameFields):
    """One facet of a region: the region lies where ``normal @ t + offset > 0``.

    Attributes
    ----------
    normal : float64 array, shape (d,)
        Not of unit length: with `offset` it is the pre-activation of the unit (minus its
        breakpoint), up to sign, as a function of the domain's coordinates.
    offset : float
    bit : int
        Pattern bit of the unit that makes the facet (of a window: its first bit), -1 on a side of
        the domain. Where several units vanish there, one of the earliest layer.
    vertices : float64 array, shape (k, d)
        Finite vertices of the facet.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network(1, [lr.Affine([[2.0]], [-1.0]), lr.relu()])
    >>> [(facet.normal.tolist(), facet.offset, facet.bit) for facet in lr.regions(net)[0].facets]
    [([2.0], -1.0, 0)]
    """

    normal: FloatArray
    offset: float
    bit: int
    vertices: FloatArray

    __repr__ = fields_repr


class Region:
    """One activation region: a view of a row of `Regions`.

    In a list made with ``faces=False``, vertices, facets and volume are found when they are first
    asked for, exactly, as by `region_at`.

    Attributes
    ----------
    pattern : uint64 array, shape (words,)
    interior_point : float64 array, shape (d,)
    vertices : float64 array, shape (k, d)
        Finite vertices; counter-clockwise in two dimensions.
    directions : float64 array, shape (l, d)
        Of the vertices at infinity.
    bounded : bool
    volume : float
        Length, area or volume in domain coordinates.
    facets : list of Facet
        Irredundant.
    neighbours : int64 array, shape (number of facets,)

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network(2, [lr.Affine([[1.0, 1.0]], [-1.0]), lr.relu()])
    >>> region = lr.regions(net, lr.Box(0.0, 1.0))[1]
    >>> region.bits().tolist(), region.vertices.tolist()
    ([False], [[0.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
    >>> [(facet.normal.tolist(), facet.offset, facet.bit) for facet in region.facets]
    [([1.0, 0.0], 0.0, -1), ([0.0, 1.0], 0.0, -1), ([-1.0, -1.0], 1.0, 0)]
    >>> A, c = region.affine_map()
    >>> A.tolist(), c.tolist()
    ([[0.0, 0.0]], [0.0])
    """

    __slots__ = ("_faced", "_index", "_table")

    def __init__(self, table: Regions, index: int) -> None:
        self._table = table
        self._index = index
        self._faced: Region | None = None if not table.has_faces else self

    def _whole(self) -> tuple[Network, Domain]:
        return self._table.network, self._table.domain

    def __eq__(self, other: object) -> bool:
        """Compare as sets: the same pattern of equal networks in equal domains."""
        if not isinstance(other, Region):
            return NotImplemented
        same = bool(np.array_equal(self.pattern, other.pattern))
        return same and self._whole() == other._whole()

    def __hash__(self) -> int:
        """Hash by the pattern."""
        return hash(self.pattern.tobytes())

    def _with_faces(self) -> Region:
        if self._faced is None:
            self._faced = self._table._located(self._index)
        return self._faced

    @property
    def pattern(self) -> Words:
        """The packed activation pattern."""
        row: Words = self._table.patterns[self._index]
        return row

    def bits(self) -> npt.NDArray[np.bool_]:
        """Return the pattern as one bool per bit.

        Returns
        -------
        bool array, shape (pattern_bits,)
            In the order of `Network.pattern_layout`.

        Examples
        --------
        >>> import linear_regions as lr
        >>> net = lr.Network(2, [lr.Affine([[1.0, 0.0], [0.0, 1.0]]), lr.relu()])
        >>> [region.bits().tolist() for region in lr.regions(net)][:2]
        [[True, True], [True, False]]
        """
        raw = self.pattern.astype("<u8").view(np.uint8)
        return np.unpackbits(raw, bitorder="little")[: self._table.pattern_bits].astype(bool)

    @property
    def interior_point(self) -> FloatArray:
        """A point inside, NaN where no double lies inside."""
        row: FloatArray = self._table.interior_points[self._index]
        return row

    def interior_fraction(self) -> tuple[Fraction, ...]:
        """Return an exact rational point inside, also where no double lies inside.

        Returns
        -------
        tuple of Fraction, length d

        Raises
        ------
        Unsupported
            If the listing was not certified and has no point here.

        Examples
        --------
        No double lies between these two breakpoints:

        >>> import numpy as np, linear_regions as lr
        >>> b = [-1.0, -float(np.nextafter(1.0, 2.0))]
        >>> table = lr.regions(lr.Network(1, [lr.Affine([[1.0], [1.0]], b), lr.relu()]))
        >>> [region.interior_point.tolist() for region in table][1]
        [nan]
        >>> 1 < table[1].interior_fraction()[0] < 1 + 2.0**-52
        True
        """
        exact = self._table.columns.exact_points.get(self._index)
        if exact is not None:
            return exact
        if not np.isfinite(self.interior_point).all():
            raise Unsupported("interior_fraction needs a listing with arithmetic='certified'")
        return tuple(Fraction(float(x)) for x in self.interior_point)

    def _homogeneous(self) -> FloatArray:
        if self._with_faces() is not self:
            return self._with_faces()._homogeneous()
        first, last = self._table.vertex_offsets[self._index : self._index + 2]
        return self._table.vertices[first:last]

    @property
    def vertices(self) -> FloatArray:
        """The finite vertices."""
        return _finite(self._homogeneous())

    @property
    def directions(self) -> FloatArray:
        """Directions of the vertices at infinity."""
        rows = self._homogeneous()
        return rows[rows[:, -1] == 0, :-1]

    @property
    @in_default_floating_point
    def facets(self) -> list[Facet]:
        """The irredundant facets; in two dimensions counter-clockwise."""
        if self._with_faces() is not self:
            return self._with_faces().facets
        columns = self._table.columns
        first, last = columns.facet_offsets[self._index : self._index + 2].tolist()
        bits = self._table.facet_bits
        found = []
        for f in range(first, last):
            corners = columns.corners[columns.corner_offsets[f] : columns.corner_offsets[f + 1]]
            row = columns.facet_rows[f]
            vertices = _finite(columns.vertices[corners])
            found.append(Facet(row[:-1], float(row[-1]), int(bits[f]), vertices))
        return found

    @property
    def neighbours(self) -> IntArray:
        """Numbers of the regions across the facets, in their order; -1 on sides of the domain."""
        first, last = self._table.facet_offsets[self._index : self._index + 2]
        return self._table.neighbours[first:last]

    @property
    def bounded(self) -> bool:
        """Whether the region is bounded."""
        return bool(self._table.bounded[self._index])

    @property
    def volume(self) -> float:
        """Length, area or volume in domain coordinates; infinite where unbounded."""
        if self._with_faces() is not self:
            return self._with_faces().volume
        return float(self._table[self._index : self._index + 1].volumes[0])

    @in_default_floating_point
    def affine_map(self, space: str = "domain") -> tuple[FloatArray, FloatArray]:
        """Return the network's map here as (A, c): output = A @ t + c.

        Parameters
        ----------
        space : {"domain", "input"}
            What t is: domain coordinates, or the input in row-major order.

        Returns
        -------
        A : float64 array, shape (n_out, d) or (n_out, n_in)
        c : float64 array, shape (n_out,)
            Both rounded to double.

        Raises
        ------
        InvalidInput
            If `space` is neither of the two.

        Examples
        --------
        >>> import linear_regions as lr
        >>> net = lr.Network(2, [lr.Affine([[1.0, 2.0]], [3.0]), lr.relu()])
        >>> place = lr.Segment([0.0, 0.0], [1.0, 1.0])
        >>> region = lr.regions(net, place)[0]
        >>> [part.tolist() for part in region.affine_map()]
        [[[3.0]], [3.0]]
        >>> [part.tolist() for part in region.affine_map(space="input")]
        [[[1.0, 2.0]], [3.0]]
        """
        whole = self._table[self._index : self._index + 1].affine_maps(space)[0]
        return whole[:, :-1], whole[:, -1]

    def __repr__(self) -> str:
        """Show the number of active bits and the size; a size that is not known is not found."""
        if not self._table.has_faces:
            return f"Region({int(self.bits().sum())} bits set)"
        return f"Region({int(self.bits().sum())} bits set, volume={self.volume:.6g})"


def _finite(rows: FloatArray) -> FloatArray:
    return rows[rows[:, -1] == 1, :-1]
