# SPDX-License-Identifier: MIT
"""Convex cells of a domain and how a row cuts them, in exact arithmetic.

A cell is an open convex set, not empty. All cells answer the same two questions: on which sides
of a row {a . t + c = 0} does the cell have points, and what is the part where the row is positive.

The line and the plane have no borders. They are the interval and the square of half-width M,
where M is a symbol greater than every number that occurs: an end or corner is p + M q, and the
sign of u + M v is the sign of v, or of u where v = 0. No big number is ever chosen.

`Polyhedron` asks a linear program instead of looking at corners. It is slower, works in any
dimension, and shares nothing with `Interval` and `Polygon`; the tests compare them.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from .rational import Number, Row, deepest_point, evaluate, ratio

__all__ = ["Cell", "Interval", "Polygon", "Polyhedron", "Side", "SinglePoint", "Vertex", "split"]


class Vertex(NamedTuple):
    """The point + M * direction, for M beyond all bounds."""

    point: tuple[Number, ...]
    direction: tuple[Number, ...]

    @property
    def bounded(self) -> bool:
        """Whether the vertex is a point of the plane."""
        return not any(self.direction)

    def sign(self, row: Row) -> int:
        """Return the sign of a row there: -1, 0 or 1."""
        far: Number = sum(a * q for a, q in zip(row, self.direction, strict=False))
        value = far if far != 0 else evaluate(row, self.point)
        return (value > 0) - (value < 0)


class Cell(Protocol):
    """What the walk through a network needs to know about a cell."""

    def sides(self, row: Row) -> tuple[bool, bool]:
        """Say whether the row is somewhere positive, and whether it is somewhere negative."""

    def cut(self, row: Row) -> Cell:
        """Return the part where the row is positive; the row must take both signs."""

    @property
    def vertices(self) -> tuple[Vertex, ...]:
        """Corners of the cell."""


def split(cell: Cell, row: Row) -> tuple[Cell | None, Cell | None]:
    """Return the parts of a cell where a row is > 0 and <= 0; None for an empty interior.

    A row that is identically zero on the cell is <= 0 there.
    """
    positive, negative = cell.sides(row)
    if positive and negative:
        return cell.cut(row), cell.cut(tuple(-entry for entry in row))
    return (cell, None) if positive else (None, cell)


def _sides(vertices: tuple[Vertex, ...], row: Row) -> tuple[bool, bool]:
    # An affine function on a convex cell is extreme at a corner.
    signs = {vertex.sign(row) for vertex in vertices}
    return 1 in signs, -1 in signs


class SinglePoint(NamedTuple):
    """The whole of R^0, for domains that are one point. Rows are constants."""

    vertices: tuple[Vertex, ...] = (Vertex((), ()),)

    def sides(self, row: Row) -> tuple[bool, bool]:
        """Say whether the row is positive, and whether it is negative."""
        return _sides(self.vertices, row)

    def cut(self, row: Row) -> SinglePoint:
        """Refuse: a constant has one sign."""
        raise AssertionError(f"a point cannot be cut, not by {row} either")


class Interval(NamedTuple):
    """An open interval; either end may be at infinity."""

    low: Vertex
    high: Vertex

    @property
    def vertices(self) -> tuple[Vertex, ...]:
        """The two ends, from low to high."""
        return self.low, self.high

    def sides(self, row: Row) -> tuple[bool, bool]:
        """Say whether the row is somewhere positive, and whether it is somewhere negative."""
        return _sides(self.vertices, row)

    def cut(self, row: Row) -> Interval:
        """Return the part where the row is positive; the row must take both signs."""
        slope, constant = row
        crossing = Vertex((ratio(-constant, slope),), (0,))
        return Interval(crossing, self.high) if slope > 0 else Interval(self.low, crossing)


class Side(NamedTuple):
    """The line a x + b y + c + m M = 0, with a polygon where this is >= 0."""

    a: Number
    b: Number
    c: Number
    m: Number = 0

    def meet(self, other: Side) -> Vertex:
        """Return the common point of two lines that are not parallel."""
        determinant = self.a * other.b - self.b * other.a
        x, y, far_x, far_y = (
            ratio(numerator, determinant)
            for numerator in (
                self.b * other.c - other.b * self.c,
                self.c * other.a - other.c * self.a,
                self.b * other.m - other.b * self.m,
                self.m * other.a - other.m * self.a,
            )
        )
        return Vertex((x, y), (far_x, far_y))


class Polygon(NamedTuple):
    """An open convex polygon.

    Attributes
    ----------
    edges : tuple of Side
        Counter-clockwise: the polygon lies to the left of each.
    vertices : tuple of Vertex
        Vertex i begins edge i and ends edge i - 1.
    """

    edges: tuple[Side, ...]
    vertices: tuple[Vertex, ...]

    @classmethod
    def box(
        cls, low: tuple[Number | None, Number | None], high: tuple[Number | None, Number | None]
    ) -> Polygon:
        """Return a rectangle; None is a side at infinity."""
        edges = (
            Side(0, 1, 0, 1) if low[1] is None else Side(0, 1, -low[1]),
            Side(-1, 0, 0, 1) if high[0] is None else Side(-1, 0, high[0]),
            Side(0, -1, 0, 1) if high[1] is None else Side(0, -1, high[1]),
            Side(1, 0, 0, 1) if low[0] is None else Side(1, 0, -low[0]),
        )
        return cls(edges, tuple(edges[i - 1].meet(edges[i]) for i in range(4)))

    def sides(self, row: Row) -> tuple[bool, bool]:
        """Say whether the row is somewhere positive, and whether it is somewhere negative."""
        return _sides(self.vertices, row)

    def cut(self, row: Row) -> Polygon:
        """Return the part where the row is positive; the row must take both signs."""
        border = Side(*row)
        signs = [vertex.sign(row) for vertex in self.vertices]
        edges: list[Side] = []
        vertices: list[Vertex] = []
        for i, edge in enumerate(self.edges):
            begin, end = signs[i], signs[(i + 1) % len(signs)]
            if begin <= 0 and end <= 0:
                continue
            edges.append(edge)
            vertices.append(self.vertices[i] if begin >= 0 else edge.meet(border))
            if end <= 0:  # here the walk around the polygon leaves the part that is kept
                edges.append(border)
                vertices.append(
                    self.vertices[(i + 1) % len(signs)] if end == 0 else edge.meet(border)
                )
        return Polygon(tuple(edges), tuple(vertices))


class Polyhedron(NamedTuple):
    """An open convex set in any dimension, given by rows that are positive in it.

    Attributes
    ----------
    rows : tuple of Row
        Positive everywhere in the cell; some may be redundant.
    point : tuple of Number
        A point of the cell.
    """

    rows: tuple[Row, ...]
    point: tuple[Number, ...]

    @property
    def vertices(self) -> tuple[Vertex, ...]:
        """Not the corners, which nobody computes, but the interior point."""
        return (Vertex(self.point, (0,) * len(self.point)),)

    def sides(self, row: Row) -> tuple[bool, bool]:
        """Say whether the row is somewhere positive, and whether it is somewhere negative."""
        value = evaluate(row, self.point)
        if not any(row[:-1]):
            return value > 0, value < 0
        opposite = tuple(-entry for entry in row)
        return value > 0 or self._reaches(row), value < 0 or self._reaches(opposite)

    def cut(self, row: Row) -> Polyhedron:
        """Return the part where the row is positive; the row must take both signs."""
        rows = (*self.rows, row)
        return Polyhedron(rows, deepest_point(rows, len(self.point)).point)

    def _reaches(self, row: Row) -> bool:
        return deepest_point((*self.rows, row), len(self.point)).depth > 0
