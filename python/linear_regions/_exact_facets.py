# SPDX-License-Identifier: MIT
"""Facets as exact sets of points, for the few that patterns alone do not match.

The facets of a region lie on hyperplanes with integer rows. A corner is where the hyperplanes of
its facets meet, as a rational point, or a direction where it lies at infinity; a facet is the set
of its corners. Two facets are mates where these sets are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import gcd

import numpy as np

from . import _core
from ._frame import domain_frame
from ._lineality import Quotient
from ._lower import frame_of, program
from ._planar import planar_frame
from ._region_columns import Columns, IntArray
from .domain import Domain
from .network import Network

__all__ = ["match_exactly"]

Row = list[int]
Corner = tuple[Fraction, ...]


def match_exactly(
    net: Network,
    domain: Domain,
    columns: Columns,
    facets: IntArray,
    quotient: Quotient | None = None,
    *,
    method: str,
    look: Callable[[], object] | None = None,
) -> tuple[IntArray, IntArray]:
    """Match those of the given facets that are the same set of points.

    Parameters
    ----------
    net : Network
    domain : Domain
        Resolved.
    columns : Columns
    facets : int64 array
        Numbers of facets.
    quotient : Quotient, optional
        Where the regions contain lines: corners are then those of the slice across them.
    method : str
        That listed the regions: it says how the sides of the domain are numbered.
    look : callable, optional
        Called for every facet; it ends the work by raising.

    Returns
    -------
    one, other : int64 array
        Numbers of facets that are mates of each other.

    Notes
    -----
    Exact. A millisecond or more per region: only for facets that are left over.
    """
    sides = _side_rows(net, domain, method)
    core = frame_of(domain_frame(domain, net.input_shape))
    kept = range(columns.vertices.shape[1]) if quotient is None else [*quotient.kept, -1]
    faces = columns.known_faces()
    across = replace(columns, faces=replace(faces, vertices=faces.vertices[:, list(kept)]))
    owners = np.searchsorted(columns.facet_offsets, facets, side="right") - 1
    first_seen: dict[tuple[Corner, frozenset[Corner]], int] = {}
    pairs = []
    rows: list[Row] = []
    current = -1
    for facet, owner in zip(facets.tolist(), owners.tolist(), strict=True):
        if look is not None:
            look()
        if owner != current:
            whole = _rows_of_region(net, core, columns, owner, sides)
            current, rows = owner, [[row[j] for j in kept] for row in whole]
        # Parallel facets may have all their corners at infinity, where they coincide.
        plane = _hyperplane(rows[facet - int(columns.facet_offsets[owner])])
        key = (plane, _corners(across, owner, facet, rows))
        if key in first_seen:
            pairs.append((first_seen.pop(key), facet))
        else:
            first_seen[key] = facet
    found = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _side_rows(net: Network, domain: Domain, method: str) -> list[Row]:
    """Return the sides of the domain as integers, in the order of the labels."""
    if method != "polygons":
        frame = domain_frame(domain, net.input_shape)
        return [list(row) for row in frame.exact_sides or ()] or [
            _integers(row) for row in frame.sides.tolist()
        ]
    plane = planar_frame(domain, net.input_shape)
    whole = [list(row) for row in plane.exact_edges or ()] or [
        _integers(row) for row in plane.edges.tolist()
    ]
    return [[*row[: plane.dim], row[2]] for row in whole]


def _integers(row: list[float]) -> Row:
    exact = [Fraction(value) for value in row]
    common = 1
    for value in exact:
        common = common * value.denominator // gcd(common, value.denominator)
    return [int(value * common) for value in exact]


def _rows_of_region(
    net: Network, core: _core.DomainFrame, columns: Columns, owner: int, sides: list[Row]
) -> list[Row]:
    first, last = columns.facet_offsets[owner : owner + 2].tolist()
    labels = columns.facet_labels[first:last]
    units = labels[labels[:, 0] >= 0]
    texts = _core.exact_facet_rows(program(net), core, columns.patterns[owner], units)
    width = columns.facet_rows.shape[1]
    values = iter([int(text, 16) for text in texts])
    made = iter([[next(values) for _ in range(width)] for _ in range(len(units))])
    return [next(made) if bit >= 0 else sides[-1 - bit] for bit in labels[:, 0].tolist()]


def _hyperplane(row: Row) -> Corner:
    """Return the row up to a factor of either sign."""
    lead = next(value for value in row if value)
    return tuple(Fraction(value, lead) for value in row)


def _corners(columns: Columns, owner: int, facet: int, rows: list[Row]) -> frozenset[Corner]:
    first, last = columns.facet_offsets[owner : owner + 2].tolist()
    corner_offsets, corners = columns.corner_offsets, columns.corners
    found = set()
    for vertex in corners[corner_offsets[facet] : corner_offsets[facet + 1]].tolist():
        meeting = [
            rows[f - first]
            for f in range(first, last)
            if (corners[corner_offsets[f] : corner_offsets[f + 1]] == vertex).any()
        ]
        found.add(_meeting_point(meeting, columns.vertices[vertex].tolist()))
    return frozenset(found)


def _meeting_point(rows: list[Row], near: list[float]) -> Corner:
    """Return the point (t, 1) on all rows, or the direction (t, 0) on the side of `near`."""
    n = len(near)
    at_infinity = near[-1] == 0.0
    if at_infinity:
        rows = [*rows, [0] * (n - 1) + [1]]
    reduced: list[list[Fraction]] = []
    pivots: list[int] = []
    for row in rows:
        rest = [Fraction(value) for value in row]
        for pivot, other in zip(pivots, reduced, strict=True):
            if rest[pivot]:
                factor = rest[pivot]
                rest = [a - factor * b for a, b in zip(rest, other, strict=True)]
        lead = next((k for k, value in enumerate(rest) if value), None)
        if lead is None:
            continue
        rest = [value / rest[lead] for value in rest]
        reduced = [
            [a - other[lead] * b for a, b in zip(other, rest, strict=True)] for other in reduced
        ]
        reduced.append(rest)
        pivots.append(lead)
    (free,) = set(range(n)) - set(pivots)
    point = [Fraction(0)] * n
    point[free] = Fraction(1)
    for pivot, row_ in zip(pivots, reduced, strict=True):
        point[pivot] = -row_[free]
    if not at_infinity:
        return tuple(value / point[-1] for value in point)
    largest = max(range(n), key=lambda k: abs(point[k]))
    scale = abs(point[largest]) * (1 if (point[largest] > 0) == (near[largest] > 0) else -1)
    return tuple(value / scale for value in point)
