# SPDX-License-Identifier: MIT
"""Where the class of a classifier changes, piece by piece and exactly.

The class is the first of the largest outputs, or for one output whether it is positive. A window
over all outputs (or a unit behind the one) is appended to the network; its regions are those of the
network, parted by class. The boundary is made of the facets with different classes on both sides.
Which facets these are is decided exactly; no tolerance tells two outputs apart. Outputs that are
equal on an open set are one class there, the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._region_columns import IntArray, row_number
from ._region_table import Regions
from ._regions import regions
from ._value import FloatArray, SameFields, fields_repr, read_only
from ._volumes import facet_sizes
from .domain import Ball, Domain
from .errors import InvalidInput, Unsupported
from .layers import Flatten, Maxout, relu
from .network import Network, check_network

__all__ = ["BoundaryPiece", "DecisionBoundary", "decision_boundary"]


@dataclass(frozen=True, eq=False, repr=False)
class BoundaryPiece(SameFields):
    """One flat piece of a decision boundary.

    Attributes
    ----------
    classes : tuple of int
        Where ``normal @ t + offset`` is positive, and where it is negative.
    normal : float64 array, shape (d,)
        In coordinates of the domain.
    offset : float
    vertices : float64 array, shape (k, d)
        Finite vertices: the ends of a segment; in three dimensions a polygon in its order.
    directions : float64 array, shape (l, d)
        Where the piece is unbounded: directions of its vertices at infinity.
    inequalities : float64 array, shape (m, d + 1)
        The piece is where its own row is zero and these rows (a, c) have a . t + c >= 0.
    size : float
        Length, area, ... in coordinates of the domain; infinite where unbounded, 1 for points.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network(2, [lr.Affine([[1.0, 1.0]])])
    >>> (piece,) = lr.decision_boundary(net, lr.Box(-1.0, 1.0))
    >>> piece.classes, piece.vertices.tolist()
    ((1, 0), [[-1.0, 1.0], [1.0, -1.0]])
    """

    classes: tuple[int, int]
    normal: FloatArray
    offset: float
    vertices: FloatArray
    directions: FloatArray
    inequalities: FloatArray
    size: float

    __repr__ = fields_repr


class DecisionBoundary:
    """The pieces on which the class changes; made by `decision_boundary`.

    ``len`` is the number of pieces; indexing and iteration give `BoundaryPiece` objects.

    Attributes
    ----------
    network : Network
        The classifier.
    cells : Regions
        The regions, parted by class.
    cell_classes : int64 array, shape (R,)
        The class of each cell.
    facets : int64 array, shape (P,)
        The facet of `cells` that is the piece, seen from the cell with the lower number.
    classes : int64 array, shape (P, 2)
        Where the row of the facet is positive, and where it is negative.

    Examples
    --------
    >>> import linear_regions as lr
    >>> net = lr.Network(2, [lr.Affine([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]), lr.relu()])
    >>> boundary = lr.decision_boundary(net, lr.Box(-1.0, 1.0))
    >>> len(boundary), boundary.classes.tolist(), boundary.total_size
    (3, [[0, 1], [0, 2], [1, 2]], 3.82842712474619)
    >>> boundary[0].vertices.tolist(), boundary[0].normal.tolist()
    ([[1.0, 1.0], [0.0, 0.0]], [1.0, -1.0])
    """

    __slots__ = ("_sizes", "cell_classes", "cells", "classes", "facets", "network")

    def __init__(self, network: Network, cells: Regions, cell_classes: IntArray) -> None:
        i, j, facet = cells.adjacency()
        changes = cell_classes[i] != cell_classes[j]
        self.network = network
        self.cells = cells
        self.cell_classes = read_only(cell_classes)
        self.facets = read_only(facet[changes])
        classes = np.stack([cell_classes[i[changes]], cell_classes[j[changes]]], axis=1)
        self.classes = read_only(classes)
        self._sizes: FloatArray | None = None

    @property
    def sizes(self) -> FloatArray:
        """Length, area, ... of every piece; infinite where unbounded, 1 for points."""
        if self._sizes is None:
            sizes = facet_sizes(self.cells.columns, self.facets)
            if len(self.cells.lineality):
                sizes[:] = np.inf
            self._sizes = read_only(sizes)
        return self._sizes

    @property
    def total_size(self) -> float:
        """Sum of `sizes`."""
        with np.errstate(over="ignore"):
            return float(self.sizes.sum())

    def __len__(self) -> int:
        """Return the number of pieces."""
        return len(self.facets)

    def __eq__(self, other: object) -> bool:
        """Compare by network and cells; the pieces follow from them."""
        if not isinstance(other, DecisionBoundary):
            return NotImplemented
        return self.network == other.network and self.cells == other.cells

    __hash__ = None  # type: ignore[assignment]  # big arrays inside

    def __getitem__(self, index: int) -> BoundaryPiece:
        """Return one piece."""
        number = row_number(index, len(self))
        facet = int(self.facets[number])
        columns = self.cells.columns
        corners = columns.corners[columns.corner_offsets[facet] : columns.corner_offsets[facet + 1]]
        owner = int(np.searchsorted(columns.facet_offsets, facet, side="right")) - 1
        first, last = columns.facet_offsets[owner : owner + 2].tolist()
        if self.cells.dim == 3:
            corners = _around(self.cells, facet, range(first, last))
        vertices = columns.vertices[corners]
        finite = vertices[:, -1] == 1
        others = [f for f in range(first, last) if f != facet]
        row = columns.facet_rows[facet]
        a, b = self.classes[number].tolist()
        return BoundaryPiece(
            classes=(a, b),
            normal=row[:-1],
            offset=float(row[-1]),
            vertices=vertices[finite, :-1],
            directions=vertices[~finite, :-1],
            inequalities=columns.facet_rows[others],
            size=float(self.sizes[number]),
        )

    def __iter__(self) -> Iterator[BoundaryPiece]:
        """Iterate over the pieces in order."""
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        """Show the number of pieces and of classes."""
        n = len(np.unique(self.cell_classes))
        return f"DecisionBoundary({len(self):,} pieces between {n} classes)"


def _around(cells: Regions, facet: int, facets: range) -> IntArray:
    """Return the corners of a facet in three dimensions along its edges, not by angles.

    An edge of the facet is where another facet of the same region has two of its corners.
    """
    columns = cells.columns

    def corners_of(f: int) -> list[int]:
        first, last = columns.corner_offsets[f : f + 2]
        found: list[int] = columns.corners[first:last].tolist()
        return found

    own = corners_of(facet)
    edges = [[v for v in corners_of(f) if v in own] for f in facets if f != facet]
    links: dict[int, list[int]] = {v: [] for v in own}
    for a, b in (edge for edge in edges if len(edge) == 2):
        links[a].append(b)
        links[b].append(a)
    start = next((v for v in own if len(links[v]) == 1), own[0])  # an open chain has ends
    order = [start]
    while True:
        following = [v for v in links[order[-1]] if v not in order]
        if not following:
            break
        order.append(following[0])
    order += [v for v in own if v not in order]
    return np.array(order, dtype=np.int64)


def decision_boundary(
    net: Network, domain: Domain | None = None, **options: Any
) -> DecisionBoundary:
    """Return the exact pieces on which the class of a classifier changes.

    Parameters
    ----------
    net : Network
        Its class is the first of its largest outputs; of a network with one output, 1 where it is
        positive and 0 elsewhere.
    domain : Domain, optional
        As for `regions`.
    **options
        ``method, threads, time_limit, cancel, progress``, as for `regions`.

    Returns
    -------
    DecisionBoundary

    Raises
    ------
    Unsupported
        If the listing was stopped, and as in `regions`; for a `Ball`.
    InvalidInput, DegenerateInput, TypeError, Interrupted
        As in `regions`.

    Notes
    -----
    Guarantee: exact, up to the rounding of vertices and sizes. Cost: a list of the regions, parted
    by class.

    Examples
    --------
    >>> import linear_regions as lr
    >>> layers = [lr.Affine([[1.0], [-1.0]]), lr.relu(), lr.Affine([[1.0, 1.0]], [-1.0])]
    >>> net = lr.Network(1, layers)
    >>> boundary = lr.decision_boundary(net)
    >>> [piece.vertices.tolist() for piece in boundary], boundary.classes.tolist()
    ([[[1.0]], [[-1.0]]], [[1, 0], [1, 0]])
    """
    check_network(net)
    if isinstance(domain, Ball):
        raise Unsupported(
            "pieces of the boundary are polytopes, which a Ball would cut: take the Box around it, "
            "Box(center - radius, center + radius)"
        )
    n = int(np.prod(net.output_shape))
    if not n:
        raise InvalidInput("the network has no outputs, hence no classes")
    last = [relu()] if n == 1 else [Maxout(n)]
    whole = Network(net.input_shape, [*net.layers, Flatten(), *last])
    cells = regions(whole, domain, **{**options, "faces": True})
    if cells.count.status != "complete":
        raise Unsupported(
            f"the boundary needs all regions, the listing ended with {cells.count.status}: raise "
            "the limit, or take a smaller domain"
        )
    classes = np.zeros(len(cells), dtype=np.int64)
    for place, bit in enumerate(range(net.pattern_bits, whole.pattern_bits)):
        words = cells.patterns[:, bit >> 6] >> np.uint64(bit & 63)
        classes |= (words & np.uint64(1)).astype(np.int64) << place
    return DecisionBoundary(net, cells, classes)
