# SPDX-License-Identifier: MIT
"""The coordinates of a domain on which a network's regions depend.

Where neither sides nor units change along some directions, all regions are products with the space
L of these directions: a network on R^784 whose first layer has six units is a matter of six
dimensions. The domain is cut down to coordinates that span a complement of L, the others are zero.
Every region meets that slice in one region of the same pattern, so no count changes.

Coordinates are chosen exactly, some at a time: of those chosen so far and the next ones, as many
are kept as the rows of all units have rank there. The columns kept span the columns seen, so in the
end they span all; before it, where there are as many as values that the first units see.
"""

from __future__ import annotations

from math import prod

import numpy as np

from . import _core
from ._farkas import Row
from ._lineality import complement_of, essential_rows
from ._lower import program
from ._methods import MOST_DIMENSIONS
from ._modular_rank import PRIME, modular_pivots
from ._value import FloatArray
from .domain import Box, Domain, Slice, Space
from .network import Network

__all__ = ["essential_part"]

_AT_A_TIME = 32  # rows are integers of any size: what a network sees of many inputs costs most


def essential_part(net: Network, domain: Domain) -> Domain:
    """Return a part of a domain that meets every region once, of as few dimensions as that takes.

    The domain itself where that is of two dimensions or bounded, or cut by other sides than those
    of a box, or where more than `MOST_DIMENSIONS` coordinates matter: counts there hardly ever end.

    Examples
    --------
    >>> from linear_regions import Affine, relu
    >>> net = Network(4, [Affine([[0.0, 1.0, 2.0, 0.0], [0.0, 0.0, 0.0, 3.0]]), relu()])
    >>> part = essential_part(net, Space())
    >>> part.dim, part.directions.tolist()
    (2, [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    """
    place = domain.resolve(net.input_shape)
    if isinstance(place, Space):
        n = net.input_size
        place_box: Box | None = Box(np.full(n, -np.inf), np.full(n, np.inf))
    elif isinstance(place, Slice):
        place_box = _box_of(place)
    else:
        place_box = place if isinstance(place, Box) else None
    if place_box is None or (place.dim or 0) <= 2:
        return place
    lines = np.isinf(place_box.low) & np.isinf(place_box.high)
    if not lines.any():
        return place
    free = place_box.free
    cut, along = free[~lines[free]].tolist(), free[lines[free]].tolist()
    room = MOST_DIMENSIONS - len(cut)
    if room < 0:
        return place
    kept = _spanning(net, place, along, room)
    if kept is None or len(kept) == len(along):
        return place
    return _spanned(place, place_box, sorted(cut + kept))


def _box_of(plane: Slice) -> Box | None:
    """Return the sides of a slice in its own coordinates, none of which is fixed."""
    if not plane.is_free():
        return None
    k = len(plane.directions)
    return plane.domain if isinstance(plane.domain, Box) else Box(np.full(k, -np.inf), np.inf)


def _rows(place: Domain, coordinates: list[int], n: int) -> FloatArray:
    """Return the directions of these coordinates."""
    if isinstance(place, Slice):
        return place.directions.reshape(-1, n)[coordinates]
    rows = np.zeros((len(coordinates), n))
    rows[np.arange(len(coordinates)), coordinates] = 1.0
    return rows


def _spanning(net: Network, place: Domain, along: list[int], room: int) -> list[int] | None:
    """Return those of the coordinates that span what the units see; None if more than `room`."""
    kept: list[int] = []
    tape, n, rank = program(net), net.input_size, _most_rank(net)
    for start in range(0, len(along), _AT_A_TIME):
        if len(kept) == rank:
            break
        tried = kept + along[start : start + _AT_A_TIME]
        k = len(tried)
        columns = np.vstack([_rows(place, tried, n), np.zeros((1, n))])
        rows = essential_rows(tape, _core.DomainFrame(columns, np.zeros((0, k + 1))))
        if len(rows) > room:
            return None
        kept = [tried[j] for j in _pivots(rows, k)]
    return kept


def _most_rank(net: Network) -> int:
    """Return what the rank of all units' rows cannot exceed."""
    if not net.pattern_layout:
        return 0
    first = net.pattern_layout[0][0]
    later = enumerate(net.layers[first + 1 :], first + 1)
    if any(slot <= first for position, layer in later for slot in layer.inputs(position)):
        return net.input_size  # something goes round the first units
    return sum(prod(shape) for shape in net.input_shapes(first))


def _pivots(rows: list[Row], k: int) -> list[int]:
    """Return as many of the k columns as there are rows, which are independent, exactly."""
    table = np.array([[v % PRIME for v in row] for row in rows], dtype=np.int64).reshape(-1, k)
    pivots = modular_pivots(table)
    if len(pivots) == len(rows):  # a minor that is not zero modulo a prime is not zero
        return pivots
    return complement_of(k, rows).kept


def _spanned(place: Domain, box: Box, kept: list[int]) -> Domain:
    """Return the part of a domain where all other coordinates are zero."""
    if isinstance(place, Slice):
        origin = place.origin.reshape(-1)
    elif isinstance(place, Box):
        origin = np.where(box.low < box.high, 0.0, box.low)
    else:
        origin = np.zeros(box.low.size)
    if not kept:
        return Box(origin, origin)
    low, high = box.low[kept], box.high[kept]
    sides = Box(low, high) if np.isfinite([low, high]).any() else None
    return Slice(origin, _rows(place, kept, origin.size), domain=sides)
