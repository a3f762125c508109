# SPDX-License-Identifier: MIT
"""Bounds for one convolutional layer: the published formula, cut at a rank; and sure brackets.

The formula counts Hall-independent sets of neurons (`_one_layer`). A set of neurons whose rows are
linearly independent is matched to input entries, hence Hall-independent; by Whitney's theorem
independent sets bound the chambers (see `tape`). So on a cell where the layer's input has rank r
the Hall-independent sets of at most r neurons bound the pieces, with any weights, biases, padding,
stride, dilation and groups, and wherever the layer stands in the network.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb

import numpy as np

from .._geometry import Shape
from .._layer import ConvSpec
from .._one_layer.bracket import shared_lower as bracket_below
from .._one_layer.bracket import upper as bracket_above
from .._one_layer.compiled import Control
from .._one_layer.draws import OutOfReach
from .._one_layer.exact import QUICK, free_count, true_count
from .._one_layer.parts import evaluate, hall_count, hall_sizes
from .._one_layer.rounding import Rounded
from .._one_layer.scan import scan_cost
from .._one_layer.windows import OneLayer, Part, one_layer
from .big import TooLong

_MATCHING_NODES = 20_000
# Bounds are asked for in loops: searches stay below about a tenth of a second.
_SCAN_WORK = 3_000_000
_POLYNOMIAL_BITS = 10**6
_POLYNOMIAL_WORK = 10**9
_sizes: dict[tuple[Shape, ConvSpec], list[int]] = {}
_MOST_WINDOWS = 1 << 15
"""Windows along one axis, which are looked at one by one; they take a few seconds."""
_BRACKET = "a proved bracket from below, by rows of windows and the inputs new to them"


def _cut(shape: Shape, spec: ConvSpec) -> OneLayer:
    """Return the layer as independent parts; `TooLong` where an axis has too many windows."""
    if not in_reach(shape, spec):
        longest = max(spec.output_shape(shape)[1:])
        raise TooLong(
            f"a convolution with {longest:,} windows along an axis, of which {_MOST_WINDOWS:,} "
            "are looked at at most"
        )
    return one_layer(shape, spec)


def in_reach(shape: Shape, spec: ConvSpec) -> bool:
    """Tell whether the windows of a layer are few enough for the functions of this file.

    Parameters
    ----------
    shape, spec
        As in `formula`.

    Returns
    -------
    bool
    """
    return max(spec.output_shape(shape)[1:]) <= _MOST_WINDOWS


@lru_cache(maxsize=256)
def formula(shape: Shape, spec: ConvSpec, breakpoints: int) -> int | None:
    """Return the published formula, or None where it is out of reach.

    Parameters
    ----------
    shape : tuple of int
        Shape of the layer's input.
    spec : ConvSpec
        The layer.
    breakpoints : int
        Breakpoints of every neuron.

    Returns
    -------
    int or None
    """
    total = 1
    for part, times in _cut(shape, spec).parts:
        if part.scan_form is not None and not _scan_in_reach(part, breakpoints):
            return None
        try:
            total *= free_count(part, breakpoints, Control(), QUICK).value ** times
        except OutOfReach:
            return None
    return total


@lru_cache(maxsize=1024)
def formula_up_to(shape: Shape, spec: ConvSpec, breakpoints: int, rank: int) -> int | None:
    """Return the formula restricted to sets of at most `rank` neurons, or None.

    Parameters
    ----------
    shape, spec, breakpoints
        As in `formula`.
    rank : int
        Largest number of neurons.

    Returns
    -------
    int or None
    """
    layer = _cut(shape, spec)
    if rank >= sum(part.rank_limit * times for part, times in layer.parts):
        return formula(shape, spec, breakpoints)
    # All sizes up to `rank` as one packed polynomial; no coefficient exceeds C(N, rank).
    n = layer.n_neurons
    bits = comb(n, min(rank, n // 2)).bit_length() + 1 if rank * n.bit_length() < 10**6 else 10**6
    if bits * (rank + 1) > _POLYNOMIAL_BITS or not _sizes_in_reach(layer.parts, bits * (rank + 1)):
        return None
    try:
        sizes = _sizes_up_to(shape, spec, rank, bits)
    except OutOfReach:
        return None
    return evaluate(sizes[: rank + 1], breakpoints)


def _sizes_up_to(shape: Shape, spec: ConvSpec, rank: int, bits: int) -> list[int]:
    """Return the number of Hall-independent sets of 0 to `rank` neurons, perhaps of more.

    Chains of layers ask for one rank after the other, the largest first.
    """
    known = _sizes.get((shape, spec))
    if known is not None and len(known) > rank:
        return known
    mask = (1 << (bits * (rank + 1))) - 1
    packed = 1
    for part, times in _cut(shape, spec).parts:
        sizes = hall_sizes(part, _MATCHING_NODES, rank)
        base = sum(count << (bits * size) for size, count in enumerate(sizes[: rank + 1]))
        packed = _times_power(packed, base, times, mask)
    one = (1 << bits) - 1
    if len(_sizes) >= 64:
        _sizes.clear()
    _sizes[shape, spec] = found = [(packed >> (bits * size)) & one for size in range(rank + 1)]
    return found


@lru_cache(maxsize=256)
def formula_above(shape: Shape, spec: ConvSpec, breakpoints: int) -> int:
    """Return an upper bound of the formula, by rows of windows, for layers of any size.

    Parameters
    ----------
    shape, spec, breakpoints
        As in `formula`.

    Returns
    -------
    int
        Rounded up to 64 bits and an exponent.
    """
    total = Rounded(1, 0, True)
    for part, times in _cut(shape, spec).parts:
        total *= bracket_above(part, breakpoints) ** times
    return int(total)


def _scan_in_reach(part: Part, breakpoints: int) -> bool:
    """Tell whether a scan of a part along one axis takes little time, long integers included."""
    form = part.scan_form
    assert form is not None
    bits = part.n_neurons * (1 + breakpoints).bit_length()
    # A product takes as long as the rest of its step where the integer has some 6,000 bits.
    return scan_cost(*form, part.filters) * (1 + bits // 6_000) <= _SCAN_WORK


def _times_power(packed: int, base: int, times: int, mask: int) -> int:
    while times:
        if times & 1:
            packed = packed * base & mask
        times >>= 1
        if times:
            base = base * base & mask
    return packed


def _sizes_in_reach(parts: tuple[tuple[Part, int], ...], packed_bits: int) -> bool:
    work = 0
    for part, _ in parts:
        form = part.scan_form
        if form is not None:
            work += scan_cost(*form, part.filters) * packed_bits
    return work <= _POLYNOMIAL_WORK


def is_exact(shape: Shape, spec: ConvSpec) -> bool:
    """Tell whether the formula is known to be the maximum with shared filters.

    Parameters
    ----------
    shape : tuple of int
        Shape of the layer's input.
    spec : ConvSpec
        The layer.

    Returns
    -------
    bool
        True where every part overlaps along one axis at most, or unit filters make all neurons
        independent.
    """
    return all(
        part.scan_form is not None or part.all_patterns for part, _ in _cut(shape, spec).parts
    )


@lru_cache(maxsize=256)
def shared_lower(shape: Shape, spec: ConvSpec, breakpoints: int) -> tuple[int, str]:
    """Return a number of regions that some shared filters and biases reach for certain.

    Parameters
    ----------
    shape, spec, breakpoints
        As in `formula`.

    Returns
    -------
    value : int
    how : str
        What the value rests on.
    """
    total, found = 1, set()
    for part, times in _cut(shape, spec).parts:
        value, how = _part_lower(part, breakpoints)
        total *= value**times
        found.add(how)
    return total, "; ".join(sorted(found))


def _part_lower(part: Part, breakpoints: int) -> tuple[int, str]:
    if part.all_patterns:
        return (1 + breakpoints) ** part.n_neurons, "unit filters make all patterns"
    if part.scan_form is not None:
        if _scan_in_reach(part, breakpoints):
            return hall_count(part, breakpoints, 0).value, "exact along one axis"
        return int(bracket_below(part, breakpoints)), _BRACKET
    try:
        # A draw modulo a prime can only lose independent sets: its count is a lower bound.
        rng = np.random.default_rng(0)
        count = true_count(part, breakpoints, rng, "shared", Control(), QUICK)
        return count.value, "independent sets of a generic draw of the shared filters"
    except OutOfReach:
        return int(bracket_below(part, breakpoints)), _BRACKET
