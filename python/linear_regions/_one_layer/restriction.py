# SPDX-License-Identifier: MIT
"""Layers without biases: regions of the central arrangement of a generic draw.

All hyperplanes pass through the origin, so dependent sets are central and the number of regions is
the sum of the absolute Whitney numbers, T_M(2, 0), of the matroid M of the rows. It follows from
deletion and restriction: adding the hyperplanes one by one, each cuts as many regions as the
earlier ones make on it.
"""

from __future__ import annotations

from .draws import OutOfReach
from .multiset import Basis, Row, reduce_row


def central_regions(rows: list[Row], prime: int, max_nodes: int) -> tuple[int, int]:
    """Count the regions of hyperplanes through the origin with the matroid of `rows`.

    Parameters
    ----------
    rows : list of list of int
        Normals modulo `prime`; none is zero.
    prime : int
        Modulus.
    max_nodes : int
        Budget of work: restrictions, large ones count more.

    Returns
    -------
    regions : int
    nodes : int
        Work done.

    Raises
    ------
    OutOfReach
        The budget is too small.

    Examples
    --------
    Four planes in general position cut space into 14 regions.

    >>> rows = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]
    >>> central_regions(rows, 101, 1000)[0]
    14
    """
    basis: Basis = []
    for row in rows:
        pivot, reduced = reduce_row(row, basis, prime, len(row))
        if pivot >= 0:
            basis.append((pivot, reduced))
    # The pivot columns alone carry the same matroid: on them the basis is triangular.
    pivots = [pivot for pivot, _ in basis]
    nodes = 0

    def count(planes: list[tuple[int, ...]]) -> int:
        nonlocal nodes
        # One unit of work per hundred entries of the arrangement that is handled.
        nodes += 1 + len(planes) * len(planes[0]) // 100 if planes else 1
        if nodes > max_nodes:
            raise OutOfReach
        if len(planes) <= 2:
            return 1 << len(planes)
        if len(planes[0]) == 2:
            return 2 * len(planes)
        total = 1
        for i, plane in enumerate(planes):
            column = next(j for j, value in enumerate(plane) if value)
            total += count(_distinct(_restrict(planes[:i], plane, column, prime), prime))
        return total

    return count(_distinct([[row[pivot] for pivot in pivots] for row in rows], prime)), nodes


def _restrict(
    planes: list[tuple[int, ...]], plane: tuple[int, ...], column: int, prime: int
) -> list[Row]:
    # `plane` is 1 at `column`, its first non-zero entry.
    restricted = []
    for other in planes:
        factor = other[column]
        row = [(x - factor * y) % prime for x, y in zip(other, plane, strict=True)]
        del row[column]
        restricted.append(row)
    return restricted


def _distinct(rows: list[Row], prime: int) -> list[tuple[int, ...]]:
    """Scale rows to 1 at their first entry that is not zero, and drop repeated ones."""
    found: dict[tuple[int, ...], None] = {}
    for row in rows:
        first = next(value for value in row if value)
        inverse = pow(first, -1, prime)
        found[tuple(x * inverse % prime for x in row)] = None
    return list(found)
