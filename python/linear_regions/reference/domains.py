# SPDX-License-Identifier: MIT
"""Domains, reduced to their affine hull: where a network is looked at, and by which coordinates.

Every domain becomes an affine embedding of d coordinates t into the input space and a cell of
full dimension in these coordinates (the relative interior of the domain):

* the line and the plane: all coordinates of the domain, in order;
* a side of a box of width zero: that coordinate is fixed, the others stay, in order;
* a polytope with equations, written or implied: some of its coordinates stay, in order, and
  the others are affine functions of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf
from typing import Any, NamedTuple

from .. import domain as domains
from ..errors import DegenerateInput, Unsupported
from ..network import Network
from .cells import Cell, Interval, Polygon, Polyhedron, SinglePoint, Vertex
from .rational import Number, Row, deepest_point, exact, ratio

__all__ = ["Frame", "frame"]


class Frame(NamedTuple):
    """Coordinates of the affine hull of a domain.

    Attributes
    ----------
    dimension : int
        Dimension d of the domain.
    embedding : list of Row
        Input entry i as a row: an affine function of the d coordinates.
    cell : Cell
        The relative interior of the domain.
    """

    dimension: int
    embedding: list[Row]
    cell: Cell


def frame(net: Network, domain: Any = None, *, geometry: str = "corners") -> Frame:
    """Reduce a domain to its affine hull.

    Parameters
    ----------
    net : Network
        Its input shape says what scalars in the domain mean.
    domain : Box, Polytope, Space, Slice, Segment or None, default None
        Where to look; None is the whole input space.
    geometry : {"corners", "programs"}, default "corners"
        Cells with corners (dimension 2 at most) or cells that ask linear programs (any).

    Returns
    -------
    Frame
        Dimension, embedding and cell.

    Raises
    ------
    DegenerateInput
        If the domain is empty.
    Unsupported
        If its dimension is too large for cells with corners.
    """
    if domain is None:
        domain = domains.Space()
    domain = domain.resolve(net.input_shape)
    identity = _identity(net.input_size)
    rows: list[Row] = []
    match domain:
        case domains.Space():
            embedding = identity
        case domains.Box() | domains.Polytope():
            embedding, rows = _constrain(identity, net.input_size, domain)
        case domains.Segment():
            embedding = [
                (exact(b) - exact(a), exact(a))
                for a, b in zip(_floats(domain.a), _floats(domain.b), strict=True)
            ]
            rows = [(1, 0), (-1, 1)]
        case domains.Slice():
            embedding, rows = _slice(domain)
        case _:
            raise Unsupported(
                f"the reference looks at Box, Polytope, Space, Slice and Segment, "
                f"got {type(domain).__name__}"
            )
    embedding, rows = _to_affine_hull(embedding, rows)
    dimension = len(embedding[0]) - 1
    if geometry == "programs":
        cell: Cell = Polyhedron(tuple(rows), deepest_point(rows, dimension).point)
    else:
        cell = _cell_with_corners(rows, dimension)
    return Frame(dimension, embedding, cell)


def _floats(values: Any) -> list[float]:
    flat: list[float] = values.ravel().tolist()
    return flat


def _identity(size: int) -> list[Row]:
    return [tuple(int(i == j) for j in range(size + 1)) for i in range(size)]


def _slice(domain: domains.Slice) -> tuple[list[Row], list[Row]]:
    """Return the embedding of a slice and the rows that are >= 0 in it."""
    count = len(domain.directions)
    columns = [_floats(direction) for direction in domain.directions]
    embedding: list[Row] = [
        tuple(exact(value) for value in entries)
        for entries in zip(*columns, _floats(domain.origin), strict=True)
    ]
    rows: list[Row] = []
    if domain.within is not None:
        for row, low, high in zip(
            embedding, _floats(domain.within.low), _floats(domain.within.high), strict=True
        ):
            rows += _between(row, low, high)
    if domain.domain is not None and not isinstance(domain.domain, domains.Space):
        inner, more = _constrain(_identity(count), count, domain.domain.resolve((count,)))
        embedding, rows = _compose(embedding, inner), _compose(rows, inner) + more
    return embedding, rows


def _constrain(
    embedding: list[Row], size: int, domain: domains.Box | domains.Polytope
) -> tuple[list[Row], list[Row]]:
    """Return coordinates of a box or polytope in R^size and the rows that are >= 0 in it."""
    if isinstance(domain, domains.Box):
        low, high = _floats(domain.low), _floats(domain.high)
        equations = [
            (*row[:-1], -exact(a)) for row, a, b in zip(embedding, low, high, strict=True) if a == b
        ]
        rows = [
            side
            for row, a, b in zip(embedding, low, high, strict=True)
            if a != b
            for side in _between(row, a, b)
        ]
    else:
        rows = [
            (*(-exact(a) for a in _floats(normal)), exact(b))
            for normal, b in zip(domain.A, _floats(domain.b), strict=True)
        ]
        equations = [
            (*(exact(a) for a in _floats(normal)), -exact(b))
            for normal, b in zip(domain.A_eq, _floats(domain.b_eq), strict=True)
        ]
    inner = _solve(equations, size)
    return _compose(embedding, inner), _compose(rows, inner)


def _between(row: Row, low: float, high: float) -> list[Row]:
    """Return rows that are >= 0 where low <= row <= high."""
    result = []
    if not isinf(low):
        result.append((*row[:-1], row[-1] - exact(low)))
    if not isinf(high):
        result.append((*(-a for a in row[:-1]), exact(high) - row[-1]))
    return result


def _compose(outer: Sequence[Row], inner: Sequence[Row]) -> list[Row]:
    """Substitute the affine functions `inner` for the coordinates of `outer`."""
    if not inner:
        return list(outer)
    result: list[Row] = []
    for row in outer:
        total: list[Number] = [*[0] * (len(inner[0]) - 1), row[-1]]
        for a, substitute in zip(row, inner, strict=False):
            if a != 0:
                total = [value + a * entry for value, entry in zip(total, substitute, strict=True)]
        result.append(tuple(total))
    return result


def _solve(equations: Sequence[Row], size: int) -> list[Row]:
    """Solve a . x + c = 0 for all rows: x_i as affine functions of the coordinates that stay.

    Gauss elimination. Later coordinates are eliminated first, so that the first ones stay.
    """
    solved: dict[int, list[Number]] = {}  # pivot coordinate: its reduced equation
    for equation in equations:
        row = list(equation)
        for pivot, other in solved.items():
            row = _eliminate(row, other, pivot)
        pivot = next((j for j in reversed(range(size)) if row[j] != 0), -1)
        if pivot < 0:
            if row[-1] != 0:
                raise DegenerateInput("empty domain: its equations contradict each other")
            continue
        row = [ratio(entry, row[pivot]) for entry in row]
        solved = {key: _eliminate(other, row, pivot) for key, other in solved.items()}
        solved[pivot] = row
    stay = [j for j in range(size) if j not in solved]
    result: list[Row] = []
    for i in range(size):
        if i in solved:
            result.append((*(-solved[i][j] for j in stay), -solved[i][-1]))
        else:
            result.append((*(int(i == j) for j in stay), 0))
    return result


def _eliminate(row: list[Number], pivot_row: list[Number], pivot: int) -> list[Number]:
    factor = row[pivot]
    if factor == 0:
        return row
    return [entry - factor * other for entry, other in zip(row, pivot_row, strict=True)]


def _to_affine_hull(embedding: list[Row], rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Turn rows that vanish on the whole domain into equations, until an interior is left."""
    while True:
        dimension = len(embedding[0]) - 1
        if any(row[-1] < 0 for row in rows if not any(row[:-1])):
            raise DegenerateInput("empty domain: its inequalities contradict each other")
        rows = [row for row in rows if any(row[:-1])]
        depth, _, tight = deepest_point(rows, dimension)
        if depth < 0:
            raise DegenerateInput("empty domain: its inequalities contradict each other")
        if depth > 0:
            return embedding, rows
        inner = _solve([rows[i] for i in tight], dimension)
        embedding, rows = _compose(embedding, inner), _compose(rows, inner)


def _cell_with_corners(rows: list[Row], dimension: int) -> Cell:
    if dimension == 0:
        return SinglePoint()
    if dimension == 1:
        cell: Cell = Interval(Vertex((0,), (-1,)), Vertex((0,), (1,)))
    elif dimension == 2:
        cell = Polygon.box((None, None), (None, None))
    else:
        raise Unsupported(
            f"cells with corners have dimension 2 at most, this domain has {dimension}; "
            'use a Slice or Segment, or geometry="programs"'
        )
    for row in rows:
        positive, negative = cell.sides(row)
        assert positive, "the interior was proved not to be empty"
        if negative:
            cell = cell.cut(row)
    return cell
