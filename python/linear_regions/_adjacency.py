# SPDX-License-Identifier: MIT
"""Which facets of different regions are the same set of points.

The regions of a network form a polyhedral complex: every layer refines it by a continuous function
that is affine on each cell. So two regions that share an interior part of a facet share all of it,
and every facet inside the domain has exactly one *mate*.

Where one unit alone changes across a facet, the mate belongs to the region whose pattern differs
by that unit; the core looks it up. Where several change, the facets are matched by layers, without
arithmetic. Consider the facets with the label of one unit u of layer l whose regions agree in all
earlier layers: they lie on one hyperplane h, on its two sides, and mates are among them. Let a unit
of layer l or a later one be 1 in all regions on one side and 0 in all on the other. It is
continuous and affine on h, at least 0 from one side and at most 0 from the other, hence 0 on h: it
changes across every facet. Any other unit does not vanish on the facets, or does not change, and
has the same bit in both regions of a pair of mates. So all bits of one side follow from the other
side; facets are grouped by them, and the next layer is looked at. The same holds for windows whose
winner is one entry on one side and another one on the other; other windows are left to exact
geometry.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from . import _core
from ._exact_facets import match_exactly
from ._lineality import Quotient
from ._region_columns import Columns, IntArray, Words
from ._run import Aside
from .domain import Ball, Domain
from .network import Network

if TYPE_CHECKING:
    from ._region_table import Regions

__all__ = ["Block", "facet_mates", "mates_of", "pattern_blocks"]

Bits = npt.NDArray[np.uint8]
# First bit, number of bits and bits per unit of one activation layer.
Block = tuple[int, int, int]


def mates_of(table: Regions, look: Callable[[], object] | None = None) -> IntArray:
    """Return the mate of every facet of a complete table (see `facet_mates`)."""
    if isinstance(table.domain, Ball):
        from ._ball_facets import mates_in_ball

        return mates_in_ball(table, look)
    method, quotient = table.count.method, table._quotient
    return facet_mates(
        table.network, table.place, table.columns, quotient, method=method, look=look
    )


def facet_mates(
    net: Network,
    domain: Domain,
    columns: Columns,
    quotient: Quotient | None = None,
    *,
    method: str,
    look: Callable[[], object] | None = None,
) -> IntArray:
    """Return the mate of every facet of a complete listing, -1 on the sides of the domain.

    Parameters
    ----------
    net : Network
    domain : Domain
        Resolved.
    columns : Columns
        Of all regions of the domain.
    quotient : Quotient, optional
        Where the regions contain lines.
    method : str
        That listed the regions.
    look : callable, optional
        Called again and again where it takes long; it ends the work by raising.

    Returns
    -------
    int64 array, shape (F,)
    """
    mates = np.asarray(
        _core.facet_mates(columns.patterns, columns.facet_offsets, columns.facet_labels)
    )
    single = columns.facet_labels[:, 1] < 0
    left = np.flatnonzero((mates < 0) & (columns.facet_labels[:, 0] >= 0) & single)
    if len(left):
        owners = np.searchsorted(columns.facet_offsets, left, side="right") - 1
        bits = columns.facet_labels[left, 0].astype(np.int64)
        match = partial(_match_by_layers, pattern_blocks(net), columns.patterns[owners], bits)
        one, other = Aside(match, len(left))()
        mates[left[one]], mates[left[other]] = left[other], left[one]
    left = np.flatnonzero((mates < 0) & (columns.facet_labels[:, 0] >= 0))
    if len(left):
        one, other = match_exactly(net, domain, columns, left, quotient, method=method, look=look)
        mates[one], mates[other] = other, one
    return mates


def pattern_blocks(net: Network) -> tuple[Block, ...]:
    """Return where each activation layer's bits are, and how many a unit has."""
    blocks = []
    for position, first, bits in net.pattern_layout:
        layer = net.layers[position]
        windows = layer.n_units(*net.input_shapes(position)) if hasattr(layer, "windows") else bits
        blocks.append((first, bits, bits // windows))
    return tuple(blocks)


def _match_by_layers(
    blocks: tuple[Block, ...], patterns: Words, bits: IntArray
) -> tuple[IntArray, IntArray]:
    """Match facets, given by the patterns of their regions and the bits of their labels.

    Returns
    -------
    one, other : int64 array
        Numbers of facets that are mates of each other.
    """
    side = _bit(patterns, bits)
    layer = np.searchsorted([first for first, _, _ in blocks], bits, side="right") - 1
    groups = bits.copy()  # facets in one group may be mates
    for number, (first, size, width) in enumerate(blocks):
        values = _unpack(patterns, first, size)
        begun = layer <= number
        if begun.any():
            flips = _changing(values, groups, side, begun, width)
            values = values ^ flips
        groups = _refine(groups, values)
    order = np.lexsort((side, groups))
    ordered = groups[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    pairs = starts[np.diff(np.r_[starts, len(ordered)]) == 2]
    one, other = order[pairs], order[pairs + 1]
    proper = (side[one] == 0) & (side[other] == 1)
    return one[proper], other[proper]


def _changing(
    values: Bits, groups: IntArray, side: Bits, begun: npt.NDArray[np.bool_], width: int
) -> Bits:
    """Return, for facets on side 1, the bits of this layer that change across them."""
    flips = np.zeros_like(values)
    chosen = np.flatnonzero(begun)
    order = chosen[np.lexsort((side[chosen], groups[chosen]))]
    key = 2 * groups[order] + side[order]
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    low = np.minimum.reduceat(values[order], starts, axis=0)
    constant = low == np.maximum.reduceat(values[order], starts, axis=0)
    if width > 1:  # a window is constant where its whole code is
        units = constant.reshape(len(starts), -1, width).all(axis=2)
        constant = np.repeat(units, width, axis=1)
    # Side 1 of a group comes after its side 0, where it has both.
    both = np.flatnonzero((key[starts][1:] == key[starts][:-1] + 1) & (key[starts][1:] % 2 == 1))
    change = np.zeros_like(low)
    change[both + 1] = (low[both] ^ low[both + 1]) & constant[both] & constant[both + 1]
    flips[order] = np.repeat(change, np.diff(np.r_[starts, len(order)]), axis=0)
    return flips


def _refine(groups: IntArray, values: Bits) -> IntArray:
    """Split groups by equal rows of values."""
    packed = np.packbits(values, axis=1)
    whole = np.concatenate([groups[:, None].view(np.uint8).reshape(len(groups), 8), packed], axis=1)
    rows = np.ascontiguousarray(whole).view([("", np.void, whole.shape[1])]).reshape(-1)
    return np.unique(rows, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _bit(patterns: Words, bits: IntArray) -> Bits:
    words = patterns[np.arange(len(bits)), bits >> 6]
    return np.asarray((words >> (bits & 63).astype(np.uint64)) & np.uint64(1)).astype(np.uint8)


def _unpack(patterns: Words, first: int, size: int) -> Bits:
    """Return bits first to first + size of every pattern, one byte each."""
    low, high = first // 64, (first + size + 63) // 64
    words = np.ascontiguousarray(patterns[:, low:high]).astype("<u8", copy=False)
    raw = words.view(np.uint8).reshape(len(patterns), -1)
    start = first - 64 * low
    bits: Bits = np.unpackbits(raw, axis=1, bitorder="little")[:, start : start + size]
    return bits
