# SPDX-License-Identifier: MIT
"""Tables of regions in columns, and one region as a view of a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from ._lower import program
from ._planar import PlanarFrame
from ._value import FloatArray
from .domain import Domain
from .errors import InvalidInput, Unsupported
from .network import Network
from .result import RegionCount

__all__ = ["Region", "Regions"]

Words = npt.NDArray[np.uint64]
ExactPoints = Mapping[int, tuple[Fraction, ...]]


class Regions:
    """Activation regions, in columns.

    Made by `regions`. ``len``, indexing and iteration give `Region` views; the columns are NumPy
    arrays for work in bulk. R is the number of regions, d the dimension of the domain; coordinates
    are the domain's own (``regions.domain.embed`` maps them to the input space).

    Attributes
    ----------
    network : Network
    domain : Domain
    patterns : uint64 array, shape (R, words)
        Bit i of a pattern is bit i % 64 of word i // 64, in the order of ``net.pattern_layout``.
    interior_points : float64 array, shape (R, d)
        A point inside each region; NaN where no double lies inside.
    interior_proved : bool array, shape (R,)
        Where the point was proved to lie strictly inside.
    vertices : float64 array, shape (V, d + 1)
        Of all regions, one after the other, homogeneous: a last column 1 marks a vertex, 0 the
        direction of a vertex at infinity. Two-dimensional regions run counter-clockwise.
    vertex_offsets : int64 array, shape (R + 1,)
        Rows ``vertex_offsets[i]`` to ``vertex_offsets[i + 1]`` of `vertices` belong to region i.
    bounded : bool array, shape (R,)
    count : RegionCount
        How the listing ended, as from `count`.

    Notes
    -----
    Patterns are certified; vertices and volumes are rounded to double.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network(2, [lr.Affine([[1.0, 1.0]], [-1.0]), lr.relu()])
    >>> table = lr.regions(net, lr.Box(0.0, 1.0))
    >>> table
    Regions(2 in dimension 2, complete)
    >>> table.volumes.tolist(), table.interior_proved.tolist()
    ([0.5, 0.5], [True, True])
    """

    __slots__ = (
        "_columns",
        "_exact",
        "bounded",
        "count",
        "dim",
        "domain",
        "interior_points",
        "interior_proved",
        "network",
        "patterns",
        "vertex_offsets",
        "vertices",
    )

    def __init__(
        self,
        network: Network,
        domain: Domain,
        dim: int,
        count: RegionCount,
        *,
        patterns: Words,
        interior_points: FloatArray,
        vertices: FloatArray,
        vertex_offsets: npt.NDArray[np.int64],
        bounded: npt.NDArray[np.bool_],
        exact_points: ExactPoints,
        columns: FloatArray,
    ) -> None:
        self.network = network
        self.domain = domain
        self.dim = dim
        self.count = count
        self.patterns = patterns
        self.interior_points = interior_points
        self.vertices = vertices
        self.vertex_offsets = vertex_offsets
        self.bounded = bounded
        self._exact = dict(exact_points)
        self._columns = columns  # (d + 1, n_in): directions and origin of the domain
        proved = np.isfinite(interior_points).all(axis=1)
        self.interior_proved = proved & (count.arithmetic == "certified")

    @property
    def pattern_bits(self) -> int:
        """Number of bits of a pattern."""
        return self.network.pattern_bits

    @property
    def volumes(self) -> FloatArray:
        """Length (d = 1) or area (d = 2) in domain coordinates; infinite where unbounded."""
        volumes = np.ones(len(self))
        if self.dim and len(self):
            first, rest = self.vertex_offsets[:-1], self.vertex_offsets[1:]
            if self.dim == 1:
                volumes = self.vertices[rest - 1, 0] - self.vertices[first, 0]
            else:
                sizes = np.diff(self.vertex_offsets)
                base = np.repeat(self.vertices[first, :2], sizes, axis=0)
                x, y = (self.vertices[:, :2] - base).T
                following = np.arange(1, len(x) + 1)
                following[rest - 1] = first
                twice = x * y[following] - x[following] * y
                volumes = 0.5 * np.add.reduceat(twice, first)
        return np.where(self.bounded, volumes, np.inf)

    def affine_maps(self, space: str = "domain") -> FloatArray:
        """Return the network's affine map on every region.

        Parameters
        ----------
        space : {"domain", "input"}
            What the map takes: domain coordinates, or inputs in row-major order.

        Returns
        -------
        float64 array, shape (R, n_out, d + 1) or (R, n_out, n_in + 1)
            Linear part, and the offset in the last column; rounded to double.

        Raises
        ------
        InvalidInput
            If `space` is neither of the two.

        Examples
        --------
        >>> import linear_regions as lr
        >>> net = lr.Network(1, [lr.Affine([[2.0]], [1.0]), lr.relu()])
        >>> lr.regions(net, lr.Box(-1.0, 1.0)).affine_maps().tolist()
        [[[2.0, 1.0]], [[0.0, 0.0]]]
        """
        if space == "domain":
            columns = self._columns
        elif space == "input":
            n = self.network.input_size
            columns = np.zeros((n + 1, n))
            columns[:n] = np.eye(n)
        else:
            raise InvalidInput(f"space must be 'domain' or 'input', got {space!r}")
        return np.asarray(program(self.network).affine_maps(self.patterns, columns))

    def sorted(self) -> Regions:
        """Return the same regions in ascending order of their pattern words, first word first."""
        order = (
            np.lexsort(self.patterns.T[::-1]) if self.patterns.shape[1] else np.arange(len(self))
        )
        return self._take(order)

    def _take(self, numbers: npt.NDArray[np.int64]) -> Regions:
        """Return the regions with these numbers, in this order."""
        sizes = np.diff(self.vertex_offsets)[numbers]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        shift = np.repeat(self.vertex_offsets[:-1][numbers] - offsets[:-1], sizes)
        place = {int(old): new for new, old in enumerate(numbers)} if self._exact else {}
        return Regions(
            self.network,
            self.domain,
            self.dim,
            self.count,
            patterns=self.patterns[numbers],
            interior_points=self.interior_points[numbers],
            vertices=self.vertices[np.arange(offsets[-1]) + shift],
            vertex_offsets=offsets,
            bounded=self.bounded[numbers],
            exact_points={place[i]: p for i, p in self._exact.items() if i in place},
            columns=self._columns,
        )

    def __len__(self) -> int:
        """Return the number of regions."""
        return len(self.patterns)

    @overload
    def __getitem__(self, index: int) -> Region: ...
    @overload
    def __getitem__(self, index: slice) -> Regions: ...
    def __getitem__(self, index: int | slice) -> Region | Regions:
        """Return one region, or the regions of a slice."""
        if isinstance(index, slice):
            return self._take(np.arange(len(self))[index])
        position = range(len(self))[index]
        return Region(self, position)

    def __iter__(self) -> Iterator[Region]:
        """Iterate over the regions in order."""
        return (Region(self, i) for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        """Compare network, domain and columns by value."""
        if not isinstance(other, Regions):
            return NotImplemented
        return (
            self.network == other.network
            and self.domain == other.domain
            and np.array_equal(self.patterns, other.patterns)
            and np.array_equal(self.interior_points, other.interior_points, equal_nan=True)
            and np.array_equal(self.vertices, other.vertices)
            and np.array_equal(self.vertex_offsets, other.vertex_offsets)
        )

    __hash__ = None  # type: ignore[assignment]  # big and mutable arrays inside

    def __repr__(self) -> str:
        """Show the number of regions and the dimension."""
        return f"Regions({len(self):,} in dimension {self.dim}, {self.count.status})"


class Region:
    """One activation region: a view of a row of `Regions`.

    Attributes
    ----------
    pattern : uint64 array, shape (words,)
    interior_point : float64 array, shape (d,)
    vertices : float64 array, shape (k, d)
        Finite vertices; counter-clockwise in two dimensions.
    bounded : bool
    volume : float
        Length or area in domain coordinates.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network(2, [lr.Affine([[1.0, 1.0]], [-1.0]), lr.relu()])
    >>> region = lr.regions(net, lr.Box(0.0, 1.0))[1]
    >>> region.bits().tolist(), region.vertices.tolist()
    ([False], [[0.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
    >>> A, c = region.affine_map()
    >>> A.tolist(), c.tolist()
    ([[0.0, 0.0]], [0.0])
    """

    __slots__ = ("_index", "_table")

    def __init__(self, table: Regions, index: int) -> None:
        self._table = table
        self._index = index

    @property
    def pattern(self) -> Words:
        """The packed activation pattern."""
        row: Words = self._table.patterns[self._index]
        return row

    def bits(self) -> npt.NDArray[np.bool_]:
        """Return the pattern as one bool per bit."""
        raw = self.pattern.astype("<u8").view(np.uint8)
        return np.unpackbits(raw, bitorder="little")[: self._table.pattern_bits].astype(bool)

    @property
    def interior_point(self) -> FloatArray:
        """A point inside, NaN where no double lies inside."""
        row: FloatArray = self._table.interior_points[self._index]
        return row

    def interior_fraction(self) -> tuple[Fraction, ...]:
        """Return an exact rational point inside, also where no double lies inside.

        Raises
        ------
        Unsupported
            If the listing was not certified and has no point here.
        """
        exact = self._table._exact.get(self._index)
        if exact is not None:
            return exact
        if not np.isfinite(self.interior_point).all():
            raise Unsupported("interior_fraction needs a listing with arithmetic='certified'")
        return tuple(Fraction(float(x)) for x in self.interior_point)

    def _homogeneous(self) -> FloatArray:
        first, last = self._table.vertex_offsets[self._index : self._index + 2]
        return self._table.vertices[first:last]

    @property
    def vertices(self) -> FloatArray:
        """The finite vertices."""
        rows = self._homogeneous()
        return rows[rows[:, -1] == 1, :-1]

    @property
    def directions(self) -> FloatArray:
        """Directions of the vertices at infinity."""
        rows = self._homogeneous()
        return rows[rows[:, -1] == 0, :-1]

    @property
    def bounded(self) -> bool:
        """Whether the region is bounded."""
        return bool(self._table.bounded[self._index])

    @property
    def volume(self) -> float:
        """Length or area in domain coordinates; infinite where unbounded."""
        return float(self._table[self._index : self._index + 1].volumes[0])

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
        """
        whole = self._table[self._index : self._index + 1].affine_maps(space)[0]
        return whole[:, :-1], whole[:, -1]

    def __repr__(self) -> str:
        """Show the number of active bits and the size."""
        return f"Region({int(self.bits().sum())} bits set, volume={self.volume:.6g})"


def table_of(
    net: Network,
    domain: Domain,
    frame: PlanarFrame,
    count: RegionCount,
    columns: Mapping[str, Any],
) -> Regions:
    """Return the core's columns as `Regions` in the domain's own coordinates."""
    vertices, sizes = columns["vertices"], columns["vertex_counts"]
    points, bounded = columns["points"], columns["bounded"].astype(bool)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    if frame.dim < 2:
        vertices, starts, bounded = _drop_dummies(vertices, starts, frame.dim)
    return Regions(
        net,
        domain,
        frame.dim,
        count,
        patterns=columns["patterns"],
        interior_points=np.ascontiguousarray(points[:, : frame.dim]),
        vertices=vertices,
        vertex_offsets=starts,
        bounded=bounded,
        exact_points={
            number: tuple(_fraction(text) for text in (x, y)[: frame.dim])
            for number, x, y in columns["exact_points"]
        },
        columns=np.ascontiguousarray(frame.columns[[*range(frame.dim), 2]]),
    )


def _fraction(text: str) -> Fraction:
    """Read the core's hexadecimal "numerator/denominator"."""
    numerator, denominator = (int(part, 16) for part in text.split("/"))
    return Fraction(numerator, denominator)


def _drop_dummies(
    vertices: FloatArray, starts: npt.NDArray[np.int64], dim: int
) -> tuple[FloatArray, npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Turn the thin rectangles of segments and points into their ends."""
    n = len(starts) - 1
    if dim == 0:
        return np.ones((n, 1)), np.arange(n + 1), np.ones(n, dtype=bool)
    at = np.where(vertices[:, 2] == 1, vertices[:, 0], np.copysign(np.inf, vertices[:, 0]))
    ends = np.empty((n, 2))
    if n:
        ends[:, 0] = np.minimum.reduceat(at, starts[:-1])
        ends[:, 1] = np.maximum.reduceat(at, starts[:-1])
    finite = np.isfinite(ends)
    rows = np.stack([np.where(finite, ends, np.sign(ends)), finite], axis=2).astype(np.float64)
    every = np.asarray(finite.all(axis=1), dtype=np.bool_)
    return rows.reshape(2 * n, 2), 2 * np.arange(n + 1, dtype=np.int64), every
