# SPDX-License-Identifier: MIT
"""The columns of a table of regions: what any engine lists, in any dimension.

R regions of dimension d with V vertices and F facets in all. Region i has the rows offsets[i] to
offsets[i + 1] of the columns of its vertices and of its facets.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from typing import Any, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

from ._planar import PlanarFrame
from ._value import FloatArray, ReadOnlyFields
from .errors import Unsupported

__all__ = [
    "AT_INFINITY",
    "PLAIN",
    "Columns",
    "ExactPoints",
    "Faces",
    "IntArray",
    "Words",
    "cone_columns",
    "planar_columns",
    "repeated",
    "row_number",
    "spread",
    "tree_columns",
]

Words: TypeAlias = npt.NDArray[np.uint64]
IntArray: TypeAlias = npt.NDArray[np.int64]
ExactPoints: TypeAlias = dict[int, tuple[Fraction, ...]]

# The label of a planar edge at infinity, which is no facet.
AT_INFINITY = -(2**31)


_AT_ONCE = 4096  # regions, or groups of other rows, that one step of NumPy takes


def row_number(index: SupportsIndex, n: int) -> int:
    """Return the row that an index of a sequence of n names; negative ones count from the end.

    Raises
    ------
    TypeError, IndexError
        If it is no integer or beyond the end.
    """
    try:
        number = operator.index(index)
    except TypeError:
        raise TypeError(
            f"an index must be an int or a slice, got {type(index).__name__}; for several rows "
            "take [table[i] for i in rows], or index the arrays of columns"
        ) from None
    if not -n <= number < n:
        raise IndexError(f"there is no row {number}: there are {n}")
    return number % n


@dataclass(frozen=True, eq=False)
class Faces(ReadOnlyFields):
    """Vertices and facets of regions.

    Attributes
    ----------
    vertices : float64 array, shape (V, d + 1)
        Homogeneous: a last column 1 marks a vertex, 0 the direction of one at infinity.
    vertex_offsets : int64 array, shape (R + 1,)
    facet_rows : float64 array, shape (F, d + 1)
        (a, c) with a . t + c > 0 inside.
    facet_labels : int32 array, shape (F, 3)
        Bit, from, to: a pattern bit and (-1, -1), or the first bit of a window and its winner's
        place here and beyond the facet. A bit below zero: side -1 - bit of the domain.
    facet_offsets : int64 array, shape (R + 1,)
    corner_offsets : int64 array, shape (F + 1,)
    corners : int64 array
        Rows of `vertices` that lie on each facet, facet after facet.
    """

    vertices: FloatArray
    vertex_offsets: IntArray
    facet_rows: FloatArray
    facet_labels: npt.NDArray[np.int32]
    facet_offsets: IntArray
    corner_offsets: IntArray
    corners: IntArray

    def take(self, numbers: IntArray) -> Faces:
        """Return the rows of the regions with these numbers, in this order."""
        vertices, vertex_offsets = spread(self.vertex_offsets, numbers)
        facets, facet_offsets = spread(self.facet_offsets, numbers)
        corners, corner_offsets = spread(self.corner_offsets, facets)
        # Vertices of one region stay together: each moves by what its region moves.
        shift = vertex_offsets[:-1] - self.vertex_offsets[:-1][numbers]
        per_facet = repeated(shift, facet_offsets)
        return Faces(
            vertices=self.vertices[vertices],
            vertex_offsets=vertex_offsets,
            facet_rows=self.facet_rows[facets],
            facet_labels=self.facet_labels[facets],
            facet_offsets=facet_offsets,
            corner_offsets=corner_offsets,
            corners=self.corners[corners] + repeated(per_facet, corner_offsets),
        )


@dataclass(frozen=True, eq=False)
class Columns(ReadOnlyFields):
    """What is stored of regions.

    Attributes
    ----------
    patterns : uint64 array, shape (R, words)
    interior_points : float64 array, shape (R, d)
        NaN where no double lies inside.
    bounded : bool array, shape (R,)
    faces : Faces or None
        None where the regions were listed without.
    exact_points : dict of int to tuple of Fraction
        Interior points of the regions without a double inside.
    """

    patterns: Words
    interior_points: FloatArray
    bounded: npt.NDArray[np.bool_]
    faces: Faces | None
    exact_points: ExactPoints = field(default_factory=dict)

    def known_faces(self) -> Faces:
        """Return the faces.

        Raises
        ------
        Unsupported
            If the regions were listed without.
        """
        if self.faces is None:
            raise Unsupported(
                "these regions were listed without faces: vertices, facets and what follows "
                "from them (volumes, neighbours, pictures, linear regions) need a list with "
                "faces=True. Those of single regions are found on demand: table[i].facets, "
                "table[i].vertices, table[i].volume"
            )
        return self.faces

    @property
    def vertices(self) -> FloatArray:
        """Homogeneous vertices, shape (V, d + 1)."""
        return self.known_faces().vertices

    @property
    def vertex_offsets(self) -> IntArray:
        """Where each region's vertices begin, shape (R + 1,)."""
        return self.known_faces().vertex_offsets

    @property
    def facet_rows(self) -> FloatArray:
        """Rows of the facets, shape (F, d + 1)."""
        return self.known_faces().facet_rows

    @property
    def facet_labels(self) -> npt.NDArray[np.int32]:
        """What changes across the facets, shape (F, 3)."""
        return self.known_faces().facet_labels

    @property
    def facet_offsets(self) -> IntArray:
        """Where each region's facets begin, shape (R + 1,)."""
        return self.known_faces().facet_offsets

    @property
    def corner_offsets(self) -> IntArray:
        """Where each facet's corners begin, shape (F + 1,)."""
        return self.known_faces().corner_offsets

    @property
    def corners(self) -> IntArray:
        """Rows of `vertices` on each facet."""
        return self.known_faces().corners

    def take(self, numbers: IntArray) -> Columns:
        """Return the rows of the regions with these numbers, in this order."""
        place: dict[int, list[int]] = {}
        if self.exact_points:
            for new, old in enumerate(numbers.tolist()):
                place.setdefault(old, []).append(new)
        return Columns(
            patterns=self.patterns[numbers],
            interior_points=self.interior_points[numbers],
            bounded=self.bounded[numbers],
            faces=None if self.faces is None else self.faces.take(numbers),
            exact_points={
                new: point for i, point in self.exact_points.items() for new in place.get(i, ())
            },
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return all columns but the exact points, by name."""
        arrays = {name: getattr(self, name) for name in PLAIN}
        if self.faces is not None:
            arrays.update({f.name: getattr(self.faces, f.name) for f in fields(Faces)})
        return arrays

    @staticmethod
    def of(arrays: Mapping[str, Any], exact_points: ExactPoints, has_faces: bool) -> Columns:
        """Return columns from what `arrays` gave; KeyError where something is missing."""
        faces = Faces(**{f.name: arrays[f.name] for f in fields(Faces)}) if has_faces else None
        plain = {name: arrays[name] for name in PLAIN}
        return Columns(**plain, faces=faces, exact_points=exact_points)


PLAIN = ("patterns", "interior_points", "bounded")  # columns that every list has


def spread(offsets: IntArray, numbers: IntArray) -> tuple[IntArray, IntArray]:
    """Return the rows of the groups with these numbers, one after the other, and new offsets."""
    sizes = np.diff(offsets)[numbers]
    new = np.zeros(len(numbers) + 1, dtype=np.int64)
    np.cumsum(sizes, out=new[1:])
    rows = np.arange(new[-1])
    rows += repeated(offsets[:-1][numbers] - new[:-1], new)
    return rows, new


def repeated(values: IntArray, offsets: IntArray) -> IntArray:
    """Return the value of its group for every row; other threads run meanwhile, and signals."""
    rows = np.empty(offsets[-1], dtype=np.int64)
    for first in range(0, len(values), _AT_ONCE):
        some = offsets[first : first + _AT_ONCE + 1]
        rows[some[0] : some[-1]] = np.repeat(values[first : first + _AT_ONCE], np.diff(some))
    return rows


def planar_columns(frame: PlanarFrame, listed: Mapping[str, Any]) -> Columns:
    """Return what the planar engine listed, in the domain's own coordinates."""
    faces = None
    if "vertices" in listed:
        offsets = _offsets(listed["vertex_counts"])
        faces = (_points, _segments, _polygons)[frame.dim](listed, offsets)
    return Columns(
        patterns=listed["patterns"],
        interior_points=np.ascontiguousarray(listed["points"][:, : frame.dim]),
        bounded=listed["bounded"].astype(bool),
        faces=faces,
        exact_points={
            number: tuple(_fraction(text) for text in (x, y)[: frame.dim])
            for number, x, y in listed["exact_points"]
        },
    )


def cone_columns(listed: Mapping[str, Any]) -> Columns:
    """Return what the cone engine listed, whose arrays are taken over."""
    return Columns(
        patterns=listed["patterns"],
        interior_points=listed["points"],
        bounded=listed["bounded"].astype(bool),
        faces=_cone_faces(listed) if "vertices" in listed else None,
        exact_points=_exact_points(listed),
    )


def tree_columns(listed: Mapping[str, Any]) -> Columns:
    """Return what the tree listed; it knows no faces."""
    return Columns(
        patterns=listed["patterns"],
        interior_points=listed["points"],
        bounded=listed["bounded"].astype(bool),
        faces=None,
        exact_points=_exact_points(listed),
    )


def _exact_points(listed: Mapping[str, Any]) -> ExactPoints:
    return {
        number: tuple(_fraction(text) for text in coordinates)
        for number, coordinates in listed["exact_points"]
    }


def _cone_faces(listed: Mapping[str, Any]) -> Faces:
    vertex_offsets = _offsets(listed["vertex_counts"])
    facet_offsets = _offsets(listed["facet_counts"])
    corner_offsets = _offsets(listed["corner_counts"])
    # Corner numbers count within each region. They may fill half of the memory: no copies.
    corners = listed["corners"]
    for first in range(0, len(vertex_offsets) - 1, _AT_ONCE):
        last = min(first + _AT_ONCE, len(vertex_offsets) - 1)
        facets = facet_offsets[first : last + 1]
        sizes = np.diff(corner_offsets[facets])
        rows = slice(corner_offsets[facets[0]], corner_offsets[facets[-1]])
        corners[rows] += np.repeat(vertex_offsets[first:last], sizes)
    faces = Faces(
        vertices=listed["vertices"],
        vertex_offsets=vertex_offsets,
        facet_rows=listed["rows"],
        facet_labels=listed["labels"],
        facet_offsets=facet_offsets,
        corner_offsets=corner_offsets,
        corners=corners,
    )
    return _in_order(faces) if faces.vertices.shape[1] in (2, 3) else faces


def _in_order(faces: Faces) -> Faces:
    """Order vertices as the planar engine does: intervals upwards, polygons counter-clockwise."""
    vertices, offsets = faces.vertices, faces.vertex_offsets
    if vertices.shape[1] == 2:
        at = np.where(vertices[:, 1] != 0, vertices[:, 0], np.copysign(np.inf, vertices[:, 0]))
        order = np.lexsort([at, np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))])
    else:
        order = np.concatenate(
            [np.empty(0, dtype=np.int64), *(_around(faces, r) for r in range(len(offsets) - 1))]
        )
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return replace(faces, vertices=vertices[order], corners=place[faces.corners])


def _around(faces: Faces, region: int) -> IntArray:
    """Return the vertices of a polygon counter-clockwise, from edge to edge."""
    first, last = faces.vertex_offsets[region : region + 2].tolist()
    ends: dict[int, list[int]] = {v: [] for v in range(first, last)}
    edges = []
    for facet in range(*faces.facet_offsets[region : region + 2].tolist()):
        corners = faces.corners[slice(*faces.corner_offsets[facet : facet + 2])].tolist()
        if len(corners) == 2:
            edges.append((facet, *corners))
            ends[corners[0]].append(corners[1])
            ends[corners[1]].append(corners[0])
    if not edges:
        return np.arange(first, last)
    # A chain begins at an end; its ends are at infinity.
    walk = [min(ends, key=lambda v: len(ends[v]))]
    for _ in range(first + 1, last):
        walk += [v for v in ends[walk[-1]] if v not in walk[-2:]][:1]
    if len(set(walk)) != last - first:  # with a line in it: no chain of edges
        return np.arange(first, last)
    turn = 0.0
    for facet, one, other in edges:
        a, b = one, other
        if walk[(walk.index(a) + 1) % len(walk)] != b:
            a, b = b, a
        x, y = _as_unit(_step(faces.vertices[a], faces.vertices[b]))
        u, v = _as_unit(faces.facet_rows[facet, :2])
        turn += x * v - y * u
    return np.array(walk if turn > 0 else walk[::-1])


def _step(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the way from one end of an edge to the other, either of which may be a direction.

    NaN where both lie beyond the range of doubles.
    """
    with np.errstate(invalid="ignore"):
        step: FloatArray = b[:2] / 2 - a[:2] / 2 if a[2] == b[2] else b[:2] if b[2] == 0 else -a[:2]
    return step


def _as_unit(vector: FloatArray) -> FloatArray:
    """Return a vector in the plane with length one; zero where it is zero, overflows or is NaN."""
    size = float(np.abs(vector).max())
    if not 0.0 < size < np.inf:
        return np.zeros(2)
    scaled = vector / size
    unit: FloatArray = scaled / np.hypot(*scaled)
    return unit


def _offsets(sizes: npt.NDArray[Any]) -> IntArray:
    offsets = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets


def _polygons(listed: Mapping[str, Any], offsets: IntArray) -> Faces:
    """Edge i of a polygon runs from its vertex i to the next one; edges at infinity go."""
    total = int(offsets[-1])
    following = np.arange(1, total + 1)
    following[offsets[1:] - 1] = offsets[:-1]
    labels, rows = listed["labels"], listed["rows"]
    start, facet_offsets = np.arange(total), offsets
    finite = labels[:, 0] != AT_INFINITY
    if not finite.all():
        facet_offsets = np.concatenate([[0], np.cumsum(finite)])[offsets].astype(np.int64)
        labels, rows, start = labels[finite], rows[finite], start[finite]
    return Faces(
        vertices=listed["vertices"],
        vertex_offsets=offsets,
        facet_rows=rows,
        facet_labels=labels,
        facet_offsets=facet_offsets,
        corner_offsets=np.arange(0, 2 * len(start) + 1, 2, dtype=np.int64),
        corners=np.stack([start, following[start]], axis=1).reshape(-1),
    )


def _segments(listed: Mapping[str, Any], offsets: IntArray) -> Faces:
    """Turn the thin rectangles of segments into their ends, the low one first.

    Counter-clockwise, the edge after the bottom of the dummy coordinate (side 0 of the domain) is
    the high end, and the one before it the low end.
    """
    n = len(offsets) - 1
    labels, rows, vertices = listed["labels"], listed["rows"], listed["vertices"]
    bottom = (labels[:, 0].reshape(n, 4) == -1).argmax(axis=1)
    numbers = (4 * np.arange(n)[:, None] + (bottom[:, None] + [3, 1]) % 4).reshape(-1)
    at = np.where(vertices[numbers, 2] == 1, vertices[numbers, 0], np.nan)
    finite = labels[numbers, 0] != AT_INFINITY
    outward = np.tile([-1.0, 1.0], n)
    ends = np.stack([np.where(finite, at, outward), finite], axis=1).astype(np.float64)
    facet_offsets = np.concatenate([[0], np.cumsum(finite)])[::2].astype(np.int64)
    kept = numbers[finite]
    return Faces(
        vertices=ends,
        vertex_offsets=2 * np.arange(n + 1, dtype=np.int64),
        facet_rows=np.ascontiguousarray(rows[kept][:, [0, 2]]),
        facet_labels=labels[kept],
        facet_offsets=facet_offsets,
        corner_offsets=np.arange(len(kept) + 1, dtype=np.int64),
        corners=np.flatnonzero(finite),
    )


def _points(listed: Mapping[str, Any], offsets: IntArray) -> Faces:
    n = len(offsets) - 1
    return Faces(
        vertices=np.ones((n, 1)),
        vertex_offsets=np.arange(n + 1),
        facet_rows=np.empty((0, 1)),
        facet_labels=np.empty((0, 3), dtype=np.int32),
        facet_offsets=np.zeros(n + 1, dtype=np.int64),
        corner_offsets=np.zeros(1, dtype=np.int64),
        corners=np.empty(0, dtype=np.int64),
    )


def _fraction(text: str) -> Fraction:
    """Read the core's hexadecimal "numerator/denominator"."""
    numerator, denominator = (int(part, 16) for part in text.split("/"))
    return Fraction(numerator, denominator)
