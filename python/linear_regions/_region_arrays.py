# SPDX-License-Identifier: MIT
"""The arrays of a table of regions, and what follows from them alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ._lineality import Quotient
from ._region_columns import Columns, IntArray, Words, repeated
from ._value import FloatArray, read_only
from ._volumes import volumes_of
from .errors import Unsupported
from .network import Network
from .result import RegionCount

__all__ = ["RegionArrays"]


class RegionArrays:
    """Columns as attributes; `Regions` says what they are."""

    __slots__ = ("_columns", "_proved", "_quotient", "_whole", "count", "dim", "network")

    _columns: Columns | Callable[[], Columns]
    count: RegionCount
    dim: int
    network: Network
    _proved: npt.NDArray[np.bool_] | None
    _quotient: Quotient | None
    _whole: bool

    def __getstate__(self) -> object:
        """Pickle and copy columns, not what makes them."""
        self._columns = self.columns
        return super().__getstate__()

    def _needs_all(self) -> None:
        if not self._whole or self.count.arithmetic != "certified":
            part = "" if self._whole else ", and a part of a list"
            raise Unsupported(
                "which regions are neighbours is known for a complete, certified listing only; "
                f"this one is {self.count.status}, {self.count.arithmetic}{part}"
            )

    def __len__(self) -> int:
        """Return the number of regions."""
        return len(self.patterns)

    @property
    def columns(self) -> Columns:
        """All that is stored of the regions; that of a stopped list is joined when asked for."""
        if not isinstance(self._columns, Columns):
            self._columns = self._columns()
        return self._columns

    @property
    def patterns(self) -> Words:
        """Packed patterns, shape (R, words)."""
        return self.columns.patterns

    @property
    def interior_points(self) -> FloatArray:
        """Points inside, shape (R, d)."""
        return self.columns.interior_points

    @property
    def interior_proved(self) -> npt.NDArray[np.bool_]:
        """Where the interior point was proved to lie strictly inside, shape (R,)."""
        if self._proved is None:
            found = np.asarray(np.isfinite(self.interior_points).all(axis=1))
            self._proved = read_only(np.asarray(found & (self.count.arithmetic == "certified")))
        return self._proved

    @property
    def has_faces(self) -> bool:
        """Whether vertices and facets were listed, too."""
        return self.columns.faces is not None

    @property
    def vertices(self) -> FloatArray:
        """Homogeneous vertices of all regions, shape (V, d + 1)."""
        return self.columns.vertices

    @property
    def vertex_offsets(self) -> IntArray:
        """Where each region's vertices begin, shape (R + 1,)."""
        return self.columns.vertex_offsets

    @property
    def bounded(self) -> npt.NDArray[np.bool_]:
        """Whether each region is bounded, shape (R,)."""
        return self.columns.bounded

    @property
    def facet_rows(self) -> FloatArray:
        """Rows (a, c) of all facets with a . t + c > 0 inside, shape (F, d + 1)."""
        return self.columns.facet_rows

    @property
    def facet_offsets(self) -> IntArray:
        """Where each region's facets begin, shape (R + 1,)."""
        return self.columns.facet_offsets

    @property
    def facet_bits(self) -> IntArray:
        """Pattern bit of the unit that makes each facet, -1 on sides of the domain, shape (F,)."""
        return np.maximum(self.columns.facet_labels[:, 0], -1).astype(np.int64)

    @property
    def facet_regions(self) -> IntArray:
        """Number of the region that each facet belongs to, shape (F,)."""
        return repeated(np.arange(len(self)), self.facet_offsets)

    @property
    def lineality(self) -> FloatArray:
        """Directions of the lines that every region contains, shape (l, d); mostly none.

        Where there are some, a region has no vertices: `vertices` then has one point of each of
        its smallest faces, and the region is all that these, the directions at infinity and the
        lines span. Lists by ``"polygons"`` have none: there both directions of a line are vertices
        at infinity.
        """
        if self._quotient is None:
            return np.empty((0, self.dim))
        return self._quotient.directions()

    @property
    def pattern_bits(self) -> int:
        """Number of bits of a pattern."""
        return self.network.pattern_bits

    @property
    def volumes(self) -> FloatArray:
        """Length, area or volume in domain coordinates; infinite where unbounded.

        Rounded to doubles; NaN or infinite where a vertex lies beyond their range. Above two
        dimensions every face of every region is measured once.
        """
        if self._quotient is not None:
            return np.full(len(self), np.inf)
        if self.dim > 2:
            return volumes_of(self.columns)
        volumes = np.ones(len(self))
        if self.dim and len(self):
            first, rest = self.vertex_offsets[:-1], self.vertex_offsets[1:]
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                if self.dim == 1:
                    volumes = self.vertices[rest - 1, 0] - self.vertices[first, 0]
                else:
                    volumes = self._areas(first, rest)
        return np.where(self.bounded, volumes, np.inf)

    def _areas(self, first: IntArray, rest: IntArray) -> FloatArray:
        sizes = np.diff(self.vertex_offsets)
        base = np.repeat(self.vertices[first, :2], sizes, axis=0)
        steps = self.vertices[:, :2] / 2 - base / 2
        # Powers of two: products of coordinates may leave the range that areas do not.
        _, powers = np.frexp(np.maximum.reduceat(np.abs(steps), first))
        x, y = np.ldexp(steps, -np.repeat(powers, sizes, axis=0)).T
        following = np.arange(1, len(x) + 1)
        following[rest - 1] = first
        twice = x * y[following] - x[following] * y
        return np.asarray(np.ldexp(np.abs(np.add.reduceat(twice, first)), powers.sum(axis=1) + 1))
