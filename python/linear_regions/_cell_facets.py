# SPDX-License-Identifier: MIT
"""One cell by its inequalities: which of them are facets, proved, and the corners they make.

An inequality is needed where some ray from an interior point meets its hyperplane strictly before
all others: that is looked for in doubles, with bounds of all errors. What no ray proves is asked of
the certified sign tree: a row of the others' cell is needed where its hyperplane cuts that cell.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from . import _core
from ._farkas import Row, is_bounded, primitive, solve_exactly
from ._frame import DomainFrame
from ._hull import Hull, affine_hull
from ._hyperplanes import hyperplanes
from ._least_distance import least_distance
from ._lineality import Quotient, lifted, quotient_of, restricted
from ._lower import frame_of, planar_domain, program
from ._planar import as_doubles, nearest, plane_of_hull
from ._region_columns import Columns, Words, cone_columns, planar_columns
from ._run import whole
from ._value import FloatArray
from .layers import Affine
from .network import Network

__all__ = ["ExactCell", "needed_facets", "oriented_rows", "row_columns"]

# Beyond it a search costs more than asking the sign tree.
MOST_DIMENSIONS_OF_SEARCH = 32
_ROUNDOFF = 2.0**-52  # twice the unit roundoff: room for the bounds' own rounding
_TINY = 2.0**-900  # above what underflow can lose


class ExactCell:
    """The inequalities of one region.

    Attributes
    ----------
    rows : float64 array, shape (m, d + 1)
        (a, c) with a . t + c > 0 inside: sides of the domain, then units; none is constant.
    errors : float64 array, shape (m,)
        Every entry of a row is that close to the true one.
    labels : int32 array, shape (m, 3)
        As in `Columns`.
    """

    def __init__(
        self, net: Network, frame: DomainFrame, core: _core.DomainFrame, pattern: Words
    ) -> None:
        self.net, self.frame, self._core, self._pattern = net, frame, core, pattern
        tape = program(net)
        labels = np.asarray(_core.cell_labels(tape, pattern))
        start = np.array([0, len(labels)], dtype=np.int64)
        rows, errors = _core.facet_rows(tape, core, pattern[None], start, labels)
        keep = np.array(self._changing(rows, errors, labels), dtype=np.bool_)
        n_sides = len(frame.sides)
        sides = np.full((n_sides, 3), -1, dtype=np.int32)
        sides[:, 0] = -1 - np.arange(n_sides)
        sizes = np.abs(frame.sides).max(axis=1, initial=0.0)
        inexact = 0.0 if frame.exact_sides is None else _ROUNDOFF
        self.rows = np.vstack([frame.sides, rows[keep]])
        self.errors = np.concatenate([inexact * sizes, errors[keep]])
        self.labels = np.vstack([sides, labels[keep]])
        self._exact: dict[int, Row] = {}

    def _changing(
        self, rows: FloatArray, errors: FloatArray, labels: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.bool_]:
        """Tell which rows are not constant; exactly."""
        sizes = np.abs(rows[:, :-1]).max(axis=1, initial=0.0)
        changing = np.asarray(sizes > errors)
        doubtful = np.flatnonzero(~changing & ~((sizes == 0.0) & (errors == 0.0)))
        for i, row in zip(doubtful.tolist(), self._unit_rows(labels[doubtful]), strict=True):
            changing[i] = any(row[:-1])
        return changing

    def _unit_rows(self, labels: npt.NDArray[np.int32]) -> list[Row]:
        return oriented_rows(self.net, self._core, self._pattern, labels, self.frame.dim + 1)

    def exact_rows(self, numbers: list[int]) -> list[Row]:
        """Return inequalities as smallest integers."""
        missing = [i for i in numbers if i not in self._exact]
        units = [i for i in missing if self.labels[i, 0] >= 0]
        self._exact.update(zip(units, self._unit_rows(self.labels[units]), strict=True))
        for i in missing:
            if self.labels[i, 0] < 0:
                given = self.frame.exact_sides
                exact = list(map(Fraction, self.frame.sides[i].tolist())) if given is None else None
                if exact is None:
                    assert given is not None
                    self._exact[i] = primitive(given[i])
                else:
                    common = max(v.denominator for v in exact)
                    self._exact[i] = primitive([int(v * common) for v in exact])
        return [self._exact[i] for i in numbers]

    def is_bounded(self, facets: list[int]) -> bool:
        """Tell whether the cell with these facets is bounded."""
        d = self.frame.dim
        return len(facets) > d and is_bounded(d, self.exact_rows(facets))


def oriented_rows(
    net: Network,
    core: _core.DomainFrame,
    pattern: Words,
    labels: npt.NDArray[np.int32],
    width: int,
) -> list[Row]:
    """Return the rows of units as smallest integers, positive in the region of the pattern."""
    if not len(labels):
        return []
    texts = _core.exact_facet_rows(program(net), core, pattern, labels)
    entries = [int(text, 16) for text in texts]
    found = []
    for k, (bit, winner, _) in enumerate(labels.tolist()):
        row = entries[k * width : (k + 1) * width]
        off = winner < 0 and not (int(pattern[bit >> 6]) >> (bit & 63)) & 1
        found.append(primitive([-v for v in row] if off else row))
    return found


def needed_facets(cell: ExactCell, point: tuple[Fraction, ...]) -> list[int]:
    """Return the inequalities that the cell needs; of equal ones the first."""
    m = len(cell.rows)
    proved = _first_on_rays(cell, np.array([nearest(v) for v in point]), point)
    if proved.all():
        return list(range(m))
    # A ray to a point of the facet, well within the others, or multipliers that say there is none.
    x = np.array([nearest(v) for v in point])
    supports: dict[int, list[int]] = {}
    if np.isfinite(x).all() and cell.frame.dim <= MOST_DIMENSIONS_OF_SEARCH:
        directions, supports = _search(cell, x, np.flatnonzero(~proved).tolist())
        proved |= _first_on_rays(cell, x, point, directions)
    exact = cell.exact_rows(list(range(m)))
    # Equal rows are one facet; the first is a side of the domain or a unit of an early layer.
    first: dict[Row, int] = {}
    for i, row in enumerate(exact):
        first.setdefault(row, i)
    remaining = sorted(first.values())
    for i in [i for i in remaining if not proved[i]]:
        # Facets are unique: what follows from other rows is none, whether these are facets or not.
        chosen = sorted({first[exact[k]] for k in supports.get(i, ())} - {i})
        if chosen and _is_sum(exact[i], [exact[k] for k in chosen]):
            remaining.remove(i)
            continue
        others = [exact[k] for k in remaining if k != i]
        d = cell.frame.dim
        found = _core.sign_tree_count(
            hyperplanes([exact[i]], d), hyperplanes(others, d), True, 1, None, None, None
        )
        if whole(found)["chambers"] < 2:
            remaining.remove(i)
    return remaining


def _search(
    cell: ExactCell, x: FloatArray, numbers: list[int]
) -> tuple[FloatArray, dict[int, list[int]]]:
    """Return directions towards facets, one per row, and rows that may make others redundant."""
    directions = np.zeros((len(cell.rows), cell.frame.dim))
    supports: dict[int, list[int]] = {}
    _, powers = np.frexp(np.abs(cell.rows).max(axis=1))
    with np.errstate(all="ignore"):
        rows = np.ldexp(cell.rows, -powers[:, None])
        norms = np.linalg.norm(rows[:, :-1], axis=1)
        normals = rows[:, :-1] / norms[:, None]
        values = normals @ x + rows[:, -1] / norms
    if not (np.isfinite(normals).all() and np.isfinite(values).all()):
        return directions, supports
    for i in numbers:
        signed, bounds = normals.copy(), -(1 - 1e-6) * values
        signed[i], bounds[i] = -normals[i], values[i]
        step, y = least_distance(signed, bounds)
        if step is not None and (signed @ step >= bounds - 1e-9 * np.abs(bounds)).all():
            directions[i] = step
        supports[i] = [k for k in np.flatnonzero(y > 0).tolist() if k != i]
    return directions, supports


def _is_sum(row: Row, others: list[Row]) -> bool:
    """Tell whether the row is proved to follow from others by factors >= 0 (Farkas 1902)."""
    normals = [other[:-1] for other in others]
    factors = solve_exactly(
        [[Fraction(_dot(a, b)) for b in normals] for a in normals],
        [Fraction(_dot(a, row[:-1])) for a in normals],
    )
    if factors is None or any(factor < 0 for factor in factors):
        return False
    total = [
        sum((f * other[k] for f, other in zip(factors, others, strict=True)), Fraction(0))
        for k in range(len(row))
    ]
    return total[:-1] == list(row[:-1]) and total[-1] <= row[-1]


def _dot(a: Row, b: Row) -> int:
    return sum(u * v for u, v in zip(a, b, strict=True))


def _first_on_rays(
    cell: ExactCell,
    x: FloatArray,
    point: tuple[Fraction, ...],
    given: FloatArray | None = None,
) -> npt.NDArray[np.bool_]:
    """Return the rows that some ray from the point meets strictly first, proved.

    `given` are directions to try, one per row, in place of the usual ones.
    """
    m, d = len(cell.rows), cell.frame.dim
    normals, offsets = cell.rows[:, :-1], cell.rows[:, -1]
    proved = np.zeros(m, dtype=np.bool_)
    if not np.isfinite(x).all() or not np.isfinite(cell.errors).all() or not m or not d:
        return proved
    # x may be a rounded point: its own error counts as one of the rows.
    slack = 0.0 if all(Fraction(v) == p for v, p in zip(x, point, strict=True)) else _ROUNDOFF
    size = np.abs(x)
    gamma = (d + 8) * _ROUNDOFF
    with np.errstate(all="ignore"):
        reach = np.abs(normals) @ size + np.abs(offsets)
        doubt = cell.errors * (size.sum() + 1) + (gamma + slack) * reach
        doubt += _TINY * (np.abs(normals).sum(axis=1) + 1)
        value = normals @ x + offsets
        low, high = value - doubt, value + doubt
        norms = np.linalg.norm(normals, axis=1)
        sets = [-normals / (norms * norms)[:, None]] if given is None else [given]
        if (
            given is None and m <= d
        ):  # independent rows: along column i of the pseudo-inverse only row i changes
            sets.append(-np.linalg.pinv(normals).T)
        for directions in sets:
            for begin in range(0, m, 512):
                rays = directions[begin : begin + 512]
                speed = -normals @ rays.T
                slip = gamma * (np.abs(normals) @ np.abs(rays).T)
                slip += np.outer(cell.errors, np.abs(rays).sum(axis=1)) + _TINY
                fast = speed + slip
                soonest = np.where(fast <= 0, np.inf, low[:, None] / fast)
                soonest[low <= 0] = -np.inf
                own = np.arange(len(rays))
                slow = (speed - slip)[begin + own, own]
                arrival = np.where(slow > 0, high[begin : begin + len(rays)] / slow, np.inf)
                soonest[begin + own, own] = np.inf
                first = arrival * (1 + 1e-12) < soonest.min(axis=0) * (1 - 1e-12)
                proved[begin : begin + len(rays)] |= first & np.isfinite(arrival)
    return proved


def row_columns(
    cell: ExactCell, facets: list[int], pattern: Words, point: tuple[Fraction, ...]
) -> tuple[Columns, Quotient | None]:
    """Return one region with its corners, listed as the only one of a network without units."""
    d = cell.frame.dim
    exact = cell.exact_rows(facets)
    quotient = None
    if d <= 2:
        columns, order = _planar_cell(d, exact)
        place = [facets[k] for k in order]
    else:
        rounded = [as_doubles(row) for row in exact]
        frame = DomainFrame(
            dim=d,
            columns=np.eye(d + 1, d),
            exact_columns=None,
            sides=np.array([values for values, _ in rounded]).reshape(-1, d + 1),
            exact_sides=None if all(same for _, same in rounded) else exact,
            bounded=False,
            lineality=[tuple(int(i == j) for i in range(d)) for j in range(d)],
        )
        tape = program(Network(d, [Affine(np.zeros((1, d)))]))
        core = frame_of(frame)
        quotient = quotient_of(tape, frame, core)
        if quotient is not None:
            core = frame_of(restricted(frame, quotient))
        answer = _core.list_cones(tape, core, True, 1, None, None, None)
        columns = cone_columns(whole(answer)["columns"]())
        if quotient is not None:
            columns = lifted(columns, quotient)
        place = [facets[-1 - k] for k in columns.facet_labels[:, 0].tolist()]
    at = np.array([[nearest(v) for v in point]]).reshape(1, d)
    # Python compares floats and fractions exactly, infinite ones too.
    inexact = any(v != p for v, p in zip(at[0].tolist(), point, strict=True))
    faces = replace(
        columns.known_faces(),
        facet_rows=np.ascontiguousarray(cell.rows[place]).reshape(-1, d + 1),
        facet_labels=np.ascontiguousarray(cell.labels[place]).reshape(-1, 3),
    )
    return replace(
        columns,
        patterns=pattern[None],
        interior_points=np.full((1, d), np.nan) if inexact else at,
        faces=faces,
        exact_points={0: point} if inexact else {},
    ), quotient


def _planar_cell(d: int, rows: list[Row]) -> tuple[Columns, list[int]]:
    hull: Hull = affine_hull(d, [], rows)
    plane = plane_of_hull(hull)
    tape = program(Network(2, [Affine(np.zeros((1, 2)))]))
    answer = _core.list_planar(tape, planar_domain(plane), True, 1, None, None, None)
    columns = planar_columns(plane, whole(answer)["columns"]())
    sides = [tuple(side)[: d + 1] for side in _side_triples(hull, d)]
    order = []
    for label in columns.facet_labels[:, 0].tolist():
        order.append(rows.index(sides[-1 - label]))
    return columns, order


def _side_triples(hull: Hull, d: int) -> list[Row]:
    if d == 2:
        return [primitive((side.a1, side.a2, side.c)) for side in hull.sides]
    nothing = (0, 0)
    if d == 1:
        right, left = ((side.a1, side.c) for side in hull.sides)
        return [nothing, primitive(right), nothing, primitive(left)]
    return []
