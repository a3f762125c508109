# SPDX-License-Identifier: MIT
"""The regions of a network: walk through its layers and cut the domain where a unit bends.

A state of the walk is a cell on which all layers so far are affine, together with those affine
maps (one per slot, one row per entry) and the pattern bits that led there.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations as pairs
from typing import Any, NamedTuple

from .. import layers
from ..network import Network
from .activation import (
    Pieces,
    WinnerWindow,
    is_activation,
    unit_pieces,
    winner_windows,
)
from .cells import Cell, Polygon, Vertex, split
from .domains import frame
from .linear import Combination, combinations
from .rational import Number, Row, subtract

__all__ = ["Region", "count", "neighbours", "regions", "segment_patterns", "slice_patterns"]

Rows = list[Row]


class Region(NamedTuple):
    """One activation region.

    Attributes
    ----------
    pattern : tuple of int
        Zeros and ones, layer after layer, units row-major.
    cell : Cell
        The region, in the coordinates of the domain; `cell.vertices` are its corners.
    output : tuple of Row
        The network on the region: each output as an affine function of the domain's coordinates.

    Examples
    --------
    >>> import linear_regions as lr
    >>> found = regions(lr.Network(1, [lr.Affine([[2.0]], [1.0]), lr.relu()]))
    >>> [(region.pattern, region.output) for region in found]
    [((1,), ((2, 1),)), ((0,), ((0, 0),))]
    """

    pattern: tuple[int, ...]
    cell: Cell
    output: tuple[Row, ...]


class _State(NamedTuple):
    cell: Cell
    slots: list[Rows]
    bits: tuple[int, ...]


class _Part(NamedTuple):
    """A part of a cell, with the rows and bits of the units of one layer seen so far."""

    cell: Cell
    rows: Rows
    bits: list[int]


def regions(net: Network, domain: Any = None, *, geometry: str = "corners") -> list[Region]:
    """List the activation regions of a network in a domain, exactly.

    Parameters
    ----------
    net : Network
        The network.
    domain : Box, Polytope, Space, Slice, Segment or None, default None
        Where to look; None is the whole input space. Regions are taken in its relative interior.
    geometry : {"corners", "programs"}, default "corners"
        Cells with corners (domains of dimension 2 at most) or cells that ask linear programs
        (any dimension, slower).

    Returns
    -------
    list of Region
        One per pattern that holds on an open set, in no promised order.

    Raises
    ------
    DegenerateInput
        If the domain is empty.
    Unsupported
        If its dimension is too large for cells with corners.

    Notes
    -----
    Exact: numbers are integers and fractions, no decision is rounded. The cost grows with
    regions times units times corners, about a millisecond per region of a small network.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network((2,), [lr.Affine([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), lr.relu()])
    >>> len(regions(net)), len(regions(net, lr.Box(1.0, 2.0)))
    (6, 1)
    """
    dimension, embedding, cell = frame(net, domain, geometry=geometry)
    states = [_State(cell, [embedding], ())]
    for index, layer in enumerate(net.layers):
        sources = layer.inputs(index)
        shape = net.shapes[sources[0]]
        if is_activation(layer):
            units = _units(layer, shape)
            states = [
                _State(part.cell, [*state.slots, part.rows], (*state.bits, *part.bits))
                for state in states
                for part in _split_by_layer(state.cell, units, state.slots[sources[0]])
            ]
        elif isinstance(layer, layers.Add | layers.Concat):
            for state in states:
                state.slots.append(_join(layer, [state.slots[slot] for slot in sources]))
        else:
            entries = combinations(layer, shape)
            for state in states:
                state.slots.append(_combine(entries, state.slots[sources[0]], dimension))
    return [Region(state.bits, state.cell, tuple(state.slots[-1])) for state in states]


def segment_patterns(net: Network, domain: Any) -> list[tuple[int, ...]]:
    """List the patterns along a one-dimensional domain, from its low to its high end.

    Parameters
    ----------
    net : Network
        The network.
    domain : Segment, Slice, Box, Polytope or Space
        A domain of dimension 1.

    Returns
    -------
    list of tuple of int
        One pattern per activation region.

    Raises
    ------
    ValueError
        If the domain is not one-dimensional.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network((1,), [lr.Affine([[1.0], [1.0]], [0.0, -1.0]), lr.relu()])
    >>> segment_patterns(net, lr.Space())
    [(0, 0), (1, 0), (1, 1)]
    """
    found = _of_dimension(net, domain, 1)
    # Cells do not overlap, so they are in the order of their low ends; M is beyond every number.
    found.sort(key=lambda region: _place(region.cell.vertices[0]))
    return [region.pattern for region in found]


def slice_patterns(
    net: Network, domain: Any = None
) -> list[tuple[tuple[int, ...], tuple[Vertex, ...]]]:
    """List the patterns and polygons on a two-dimensional domain.

    Parameters
    ----------
    net : Network
        The network.
    domain : Slice, Box, Polytope, Space or None, default None
        A domain of dimension 2; None is the whole input space.

    Returns
    -------
    list of (tuple of int, tuple of Vertex)
        Pattern and counter-clockwise corners of each activation region. A corner of an unbounded
        region is a point + M * direction, with M beyond all bounds.

    Raises
    ------
    ValueError
        If the domain is not two-dimensional.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network((2,), [lr.Affine([[1.0, 1.0]]), lr.relu()])
    >>> for pattern, corners in slice_patterns(net, lr.Box(0.0, 1.0)):
    ...     print(pattern, [corner.point for corner in corners])
    (1,) [(1, 0), (1, 1), (0, 1), (0, 0)]
    """
    return [(region.pattern, region.cell.vertices) for region in _of_dimension(net, domain, 2)]


def count(net: Network, domain: Any = None, *, what: str = "activation") -> int:
    """Count activation regions, linear regions or affine pieces.

    Parameters
    ----------
    net : Network
        The network.
    domain : Box, Polytope, Space, Slice, Segment or None, default None
        Where to look; None is the whole input space.
    what : {"activation", "linear", "affine"}, default "activation"
        Patterns that hold on an open set; maximal connected open sets on which the network is
        one affine map; or distinct affine maps.

    Returns
    -------
    int
        The number, exact.

    Raises
    ------
    ValueError
        If `what` is none of the three.

    Examples
    --------
    The hat function max(0, 1 - |x|) is zero on both sides of its support:

    >>> import linear_regions as lr
    >>> hat = [
    ...     lr.Affine([[1.0], [1.0], [1.0]], [1.0, 0.0, -1.0]),
    ...     lr.relu(),
    ...     lr.Affine([[1.0, -2.0, 1.0]]),
    ... ]
    >>> net = lr.Network((1,), hat)
    >>> [count(net, what=what) for what in ("activation", "linear", "affine")]
    [4, 4, 3]
    """
    if what not in ("activation", "linear", "affine"):
        raise ValueError(f'what must be "activation", "linear" or "affine", got {what!r}')
    found = regions(net, domain)
    if what == "activation":
        return len(found)
    same_map: dict[tuple[Row, ...], list[Region]] = {}
    for region in found:
        same_map.setdefault(region.output, []).append(region)
    if what == "affine":
        return len(same_map)
    return sum(_connected_parts([r.cell for r in group]) for group in same_map.values())


def neighbours(found: list[Region]) -> set[tuple[int, int]]:
    """List the pairs of regions that share a facet.

    Parameters
    ----------
    found : list of Region
        Of a domain of dimension 2 at most, from `regions`.

    Returns
    -------
    set of (int, int)
        Positions i < j in the list.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network((1,), [lr.Affine([[1.0], [1.0]], [0.0, -1.0]), lr.relu()])
    >>> [len(neighbours(regions(net, domain))) for domain in (lr.Space(), lr.Box(0.5, 2.0))]
    [2, 1]
    """
    return {
        (i, j)
        for i, j in pairs(range(len(found)), 2)
        if _share_a_facet(found[i].cell, found[j].cell)
    }


def _of_dimension(net: Network, domain: Any, dimension: int) -> list[Region]:
    found = regions(net, domain)
    got = len(found[0].cell.vertices[0].point)
    if got != dimension:
        raise ValueError(f"expected a domain of dimension {dimension}, got dimension {got}")
    return found


def _place(end: Vertex) -> tuple[Number, Number]:
    return end.direction[0], end.point[0]


def _units(layer: layers.Layer, shape: tuple[int, ...]) -> list[tuple[int, Pieces] | WinnerWindow]:
    """Return one record per unit: the entry it reads and its pieces, or its window."""
    if isinstance(layer, layers.Pointwise):
        return list(enumerate(unit_pieces(layer, shape)))
    assert isinstance(layer, layers.MaxPool | layers.Maxout)
    return list(winner_windows(layer, shape))


def _split_by_layer(
    cell: Cell, units: list[tuple[int, Pieces] | WinnerWindow], before: Rows
) -> list[_Part]:
    """Cut a cell by all units of a layer, one after the other."""
    parts = [_Part(cell, [], [])]
    for unit in units:
        after = []
        for part in parts:
            if isinstance(unit, WinnerWindow):
                options = list(_winners(part.cell, unit, before))
            else:
                options = list(_bends(part.cell, unit[1], before[unit[0]]))
            for piece, row, bits in options[1:]:
                after.append(_Part(piece, [*part.rows, row], [*part.bits, *bits]))
            piece, row, bits = options[0]
            part.rows.append(row)  # the lists of the part go on in its first option
            part.bits.extend(bits)
            after.append(_Part(piece, part.rows, part.bits))
        parts = after
    return parts


def _bends(cell: Cell, pieces: Pieces, z: Row) -> Iterator[tuple[Cell, Row, tuple[int, ...]]]:
    """Cut a cell at the breakpoints of one unit, from the lowest piece to the highest."""
    rest: Cell | None = cell
    for piece, (slope, intercept) in enumerate(pieces.lines):
        if rest is None:
            return
        below: Cell | None = rest
        if piece < len(pieces.breakpoints):
            rest, below = split(rest, (*z[:-1], z[-1] - pieces.breakpoints[piece]))
        if below is not None:
            row = (*(slope * a for a in z[:-1]), slope * z[-1] + intercept)
            yield below, row, pieces.bits(piece)


def _winners(
    cell: Cell, window: WinnerWindow, before: Rows
) -> Iterator[tuple[Cell, Row, tuple[int, ...]]]:
    """Cut a cell by the winner of one window; equal maps win as one, at the lowest position."""
    lowest: dict[Row, int] = {}
    for position, entry in window.entries:
        lowest.setdefault(before[entry], position)
    for winner, position in lowest.items():
        part: Cell | None = cell
        for loser in lowest:
            if part is not None and loser != winner:
                part, _ = split(part, subtract(winner, loser))
        if part is not None:
            yield part, winner, window.bits(position)


def _join(layer: layers.Add | layers.Concat, operands: list[Rows]) -> Rows:
    if isinstance(layer, layers.Concat):
        return [row for rows in operands for row in rows]
    return [
        tuple(a + b for a, b in zip(left, right, strict=True))
        for left, right in zip(*operands, strict=True)
    ]


def _combine(entries: list[Combination], before: Rows, dimension: int) -> Rows:
    alive = [any(row) for row in before]
    result: Rows = []
    for terms, constant in entries:
        total: list[Number] = [*[0] * dimension, constant]
        for i, weight in terms:
            if alive[i]:
                for k, entry in enumerate(before[i]):
                    total[k] += weight * entry
        result.append(tuple(total))
    return result


def _connected_parts(cells: list[Cell]) -> int:
    """Count the groups of cells that are joined through common facets."""
    group = list(range(len(cells)))
    for i, j in pairs(range(len(cells)), 2):
        if group[i] != group[j] and _share_a_facet(cells[i], cells[j]):
            old, new = group[j], group[i]
            group = [new if g == old else g for g in group]
    return len(set(group))


def _share_a_facet(one: Cell, other: Cell) -> bool:
    """Say whether two disjoint cells touch along an interval (polygons) or at an end."""
    if not isinstance(one, Polygon) or not isinstance(other, Polygon):
        return bool(set(one.vertices) & set(other.vertices))
    # Along its edge with the other polygon on the far side, a polygon of the same line runs
    # in the opposite direction. Both edges overlap when each begins before the other ends.
    for i, edge in enumerate(one.edges):
        begin, end = one.vertices[i], one.vertices[(i + 1) % len(one.vertices)]
        if edge.m != 0:
            continue  # a side at infinity is the border of the domain
        for j in range(len(other.edges)):
            far, near = other.vertices[(j + 1) % len(other.vertices)], other.vertices[j]
            if far.sign(edge[:3]) == 0 == near.sign(edge[:3]):
                along = (edge.b, -edge.a)  # direction of the walk, interior on the left
                if _ahead(along, begin, near) and _ahead(along, far, end):
                    return True
    return False


def _ahead(along: tuple[Number, Number], start: Vertex, goal: Vertex) -> bool:
    """Say whether the goal lies strictly ahead of the start."""
    far = sum(a * (q - p) for a, q, p in zip(along, goal.direction, start.direction, strict=True))
    near = sum(a * (q - p) for a, q, p in zip(along, goal.point, start.point, strict=True))
    return bool(far > 0 or (far == 0 and near > 0))
