# SPDX-License-Identifier: MIT
"""The obvious way to volumes: cut into simplices, sum their determinants.

Pulling triangulation: a polytope is the union of the pyramids from its first vertex over the
facets that do not contain it, and these are polytopes of one dimension less. Faces are sets of
vertices; the facets of a face are its maximal proper intersections with facets of the polytope, so
no coordinate takes part in the combinatorics.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import factorial

import numpy as np
import numpy.typing as npt

from linear_regions._region_columns import Columns, IntArray

_Face = frozenset[int]


def volumes_of(columns: Columns, bounded: npt.NDArray[np.bool_]) -> np.ndarray:
    """Return the volumes of the bounded regions; the others get infinity.

    Notes
    -----
    Rounded: vertices are doubles, and the simplices are summed in doubles. Cost: proportional to
    the number of simplices, which grows steeply with the dimension.
    """
    d = columns.vertices.shape[1] - 1
    out = np.full(len(bounded), np.inf)
    for i in np.flatnonzero(bounded).tolist():
        first, last = columns.vertex_offsets[i : i + 2].tolist()
        facets = _corner_sets(columns, i)
        simplices = list(_simplices(frozenset(range(last - first)), facets, d))
        corners = columns.vertices[first:last, :d][np.array(simplices)]
        edges = corners[:, 1:] - corners[:, :1]
        out[i] = float(np.abs(np.linalg.det(edges)).sum()) / factorial(d)
    return out


def facet_sizes(columns: Columns, facets: IntArray) -> np.ndarray:
    """Return the volumes of facets, one dimension down; infinite where unbounded, 1 for points."""
    d = columns.vertices.shape[1] - 1
    out = np.full(len(facets), np.inf)
    owners = np.searchsorted(columns.facet_offsets, facets, side="right") - 1
    for k, (facet, owner) in enumerate(zip(facets.tolist(), owners.tolist(), strict=True)):
        first = int(columns.vertex_offsets[owner])
        begin, end = columns.corner_offsets[facet : facet + 2].tolist()
        corners = columns.vertices[columns.corners[begin:end]]
        if not corners[:, -1].all():
            continue
        sets = _corner_sets(columns, owner)
        own = sets[facet - int(columns.facet_offsets[owner])]
        simplices = list(_simplices(own, sets, d - 1))
        points = columns.vertices[first + np.array(simplices), :d]
        edges = points[:, 1:] - points[:, :1]
        squares = np.linalg.det(edges @ edges.transpose(0, 2, 1))
        out[k] = float(np.sqrt(np.maximum(squares, 0.0)).sum()) / factorial(d - 1)
    return out


def _corner_sets(columns: Columns, region: int) -> list[_Face]:
    """Return the vertices of every facet of a region, numbered within the region."""
    first = int(columns.vertex_offsets[region])
    found = []
    for facet in range(*columns.facet_offsets[region : region + 2].tolist()):
        start, end = columns.corner_offsets[facet : facet + 2].tolist()
        found.append(frozenset((columns.corners[start:end] - first).tolist()))
    return found


def _simplices(face: _Face, facets: list[_Face], dim: int) -> Iterator[list[int]]:
    """Yield the simplices of a face of dimension `dim`, as lists of vertices."""
    if dim == 0:
        yield sorted(face)
        return
    apex = min(face)
    parts = {face & facet for facet in facets} - {face, frozenset()}
    maximal = [part for part in parts if not any(part < other for other in parts)]
    for part in sorted(maximal, key=sorted):
        if apex not in part:
            for simplex in _simplices(part, facets, dim - 1):
                yield [apex, *simplex]
