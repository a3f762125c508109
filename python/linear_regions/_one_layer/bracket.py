# SPDX-License-Identifier: MIT
"""A proved bracket of the maximum of one layer, mostly in milliseconds.

Above: as many neurons that see everything (`binomial_sum_bounds`), and, by the axis, *rows*: the
numbers of neurons in the rows of an independent set satisfy Hall's condition between rows and the
inputs they see, so a scan over rows whose weights are the numbers of independent sets of one row
counts at least all of them.

Below, weights of their own at every window: *strips*. Give runs of rows disjoint strips of
inputs that all their windows contain. Fewer edges, fewer independent sets, and what is left is a
product of layers with one axis less.

Below, shared filters: *new inputs*. Take rows in order, and of each the inputs that no earlier row
sees. docs/design/one-layer-estimates.md proves that the product of the numbers of these layers
with one axis less, sharing their filters, is reached by one draw of the filters. Or *kernel
places*: set all but a few consecutive places of one axis to zero, and keep windows whose kept
places see disjoint inputs. Fewer neurons and special weights; what is left are layers with one axis
less, side by side, each with the same generic filters. With padding, either may be the better one.

Where a call was stopped, nobody waits for the best bounds: parts whose turn comes too late have
the fully connected layer above, and one region below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from math import frexp, inf, prod

import numpy as np

from .rounding import Rounded, binomial_sum_bounds, exactly
from .scan_bounds import (
    TINY,
    TimeIsUp,
    Vector,
    binomial_weights,
    gauge_of,
    in_time,
    scaled,
    scan_bound,
    walk,
    weighted_binomials,
    within,
)
from .windows import Block, OneLayer, Part, Window

_ROW_WORK = 40_000_000
"""Multiplications that the counts of one row, with sizes, may take."""


def bracket(
    layer: OneLayer, breakpoints: int, weights: str, seconds: float = inf
) -> tuple[int, int]:
    """Return proved bounds on the maximum of a layer with biases.

    Parameters
    ----------
    layer : OneLayer
        The layer.
    breakpoints : int
        Breakpoints of the activation.
    weights : {"shared", "free"}
        Whether all positions share the filters.
    seconds : float
        After so long no better bounds are looked for.

    Returns
    -------
    low, high : int

    Examples
    --------
    >>> from .windows import one_layer
    >>> from .._layer import ConvSpec
    >>> bracket(one_layer((1, 7, 7), ConvSpec(64, 3)), 1, "free")[0] > 10**88
    True
    """
    low, high = Rounded(1, 0, False), Rounded(1, 0, True)
    lower = shared_lower if weights == "shared" else free_lower
    with within(seconds):
        for part, times in layer.parts:
            with suppress(TimeIsUp):
                low *= lower(part, breakpoints) ** times
            try:
                high *= upper(part, breakpoints) ** times
            except TimeIsUp:
                high *= _all_inputs(part, breakpoints) ** times
    return int(low), int(high)


def _all_inputs(part: Part, breakpoints: int) -> Rounded:
    """Bound by as many neurons that see everything."""
    return binomial_sum_bounds(part.n_neurons, part.rank_limit, breakpoints)[1]


def _simple(part: Part, breakpoints: int, up: bool) -> Rounded | None:
    """Bound parts with a closed answer, which holds for shared filters as well."""
    if part.all_patterns:
        return exactly(1 + breakpoints, up) ** part.n_neurons
    in_time()
    form = part.scan_form
    return None if form is None else scan_bound(*form, part.filters, breakpoints, up)


# ---- above ----


@lru_cache(maxsize=256)
def upper(part: Part, breakpoints: int) -> Rounded:
    """Return an upper bound for a part, whether weights are shared or not.

    Parameters
    ----------
    part : Part
        A component of the layer.
    breakpoints : int
        Breakpoints of a neuron.

    Returns
    -------
    Rounded
    """
    simple = _simple(part, breakpoints, True)
    if simple is not None:
        return simple
    best = _all_inputs(part, breakpoints)
    for axis, block in enumerate(part.axes):
        if len(block.windows) > 1 and block not in part.axes[:axis]:
            rows = _rows(part, axis, breakpoints)
            if rows is not None and rows.log2 < best.log2:
                best = rows
    return best


def _rows(part: Part, axis: int, breakpoints: int) -> Rounded | None:
    """Bound by a scan over the rows along an axis; None where that takes too long."""
    block = part.axes[axis]
    others = (*part.axes[:axis], *part.axes[axis + 1 :])
    per_input = part.channels * prod(b.size for b in others)
    if per_input * max(end - start for start, end, _ in block.windows) > 3_000:
        return None
    gauge = gauge_of(part, breakpoints)
    weights = []
    for start, end, _ in block.windows:
        size = end - start
        row = Part((*others, Block(size, ((0, size, 0),))), part.channels, part.filters)
        sizes = _row_sizes(row, breakpoints, gauge)
        if sizes is None:
            return None
        weights.append(sizes)
    return walk(block.windows, per_input, weights, gauge, True)


@lru_cache(maxsize=64)
def _row_sizes(row: Part, breakpoints: int, gauge: int) -> tuple[Vector, int, int] | None:
    """Return upper bounds on the numbers of independent sets of a row, by size.

    They are scaled: entry s stands for value * 2**(exponent + s * gauge); and the number of
    roundings in them.
    """
    form = row.scan_form
    n, top = row.n_neurons, row.rank_limit
    if form is None:
        # No scan: binomials, the number of all sets of that size.
        in_time()
        return scaled(weighted_binomials(n, top, breakpoints), gauge)
    windows, channels = form
    spans = [(end - start) * channels for start, end, _ in windows]
    if sum(span * min(span, row.filters) for span in spans) * (top + 1) > _ROW_WORK:
        return None
    state, exponent, operations = np.ones((1, 1)), 0, 0
    follower = [*windows[1:], (windows[-1][0], 0, 0)]
    for (start, _, _), (next_start, _, _), span in zip(windows, follower, spans, strict=True):
        in_time()
        weight, shift, roundings = binomial_weights(row.filters, span, breakpoints, gauge)
        used, sizes = state.shape
        grown = np.zeros((span + 1, min(sizes + len(weight) - 1, top + 1)))
        for t, factor in enumerate(weight):
            if t % 64 == 0:
                in_time()
            rows, columns = min(used, span + 1 - t), min(sizes, grown.shape[1] - t)
            if rows <= 0 or columns <= 0:
                break
            grown[t : t + rows, t : t + columns] += factor * state[:rows, :columns]
        gone = min((next_start - start) * channels, span)
        state = np.concatenate([grown[: gone + 1].sum(axis=0)[None, :], grown[gone + 1 :]])
        largest = frexp(float(state.max()))[1]
        state = np.ldexp(state, -largest)
        # An upper bound may raise what would underflow.
        state = np.where(state > 0, np.maximum(state, TINY), 0.0)
        exponent += largest + shift
        operations += len(weight) + span + roundings + 2
    return state.sum(axis=0), exponent, operations + state.shape[0]


# ---- below ----


@lru_cache(maxsize=4096)
def free_lower(part: Part, breakpoints: int) -> Rounded:
    """Return a lower bound for a part with weights of their own at every window.

    Parameters
    ----------
    part : Part
        A component of the layer.
    breakpoints : int
        Breakpoints of a neuron.

    Returns
    -------
    Rounded
    """
    simple = _simple(part, breakpoints, False)
    if simple is not None:
        return simple
    best = Rounded(1, 0, False)
    for axis, block in enumerate(part.axes):
        if len(block.windows) == 1 or block in part.axes[:axis]:
            continue

        def value(inputs: int, rows: int, axis: int = axis) -> Rounded:
            return free_lower(_flat(part, axis, inputs, part.filters * rows), breakpoints)

        found = Rounded(1, 0, False)
        for (inputs, rows), times in _best_strips(block, value).items():
            found *= value(inputs, rows) ** times
        if found.log2 > best.log2:
            best = found
    return best


@lru_cache(maxsize=4096)
def shared_lower(part: Part, breakpoints: int) -> Rounded:
    """Return a lower bound for a part with filters shared by all windows.

    Parameters
    ----------
    part : Part
        A component of the layer.
    breakpoints : int
        Breakpoints of a neuron.

    Returns
    -------
    Rounded
    """
    simple = _simple(part, breakpoints, False)
    if simple is not None:
        return simple
    best = Rounded(1, 0, False)
    if all(block.common_place for block in part.axes):
        # As many filters as channels, each a copy of one entry: every pattern.
        few = min(part.filters, part.channels)
        best = exactly(1 + breakpoints, False) ** (part.n_positions * few)
    for axis, block in enumerate(part.axes):
        if len(block.windows) == 1 or block in part.axes[:axis]:
            continue

        def value(inputs: int, axis: int = axis) -> Rounded:
            return shared_lower(_flat(part, axis, inputs, part.filters), breakpoints)

        for windows in (block.windows, _mirrored(block)):
            found = Rounded(1, 0, False)
            for inputs, times in _best_new_inputs(windows, value).items():
                found *= value(inputs) ** times
            if found.log2 > best.log2:
                best = found
        for first, width, times in _disjoint_windows(block):
            single = Block(width, ((0, width, first),))
            axes = (*part.axes[:axis], single, *part.axes[axis + 1 :])
            found = shared_lower(Part(axes, part.channels, part.filters), breakpoints) ** times
            if found.log2 > best.log2:
                best = found
    return best


def _disjoint_windows(block: Block) -> list[tuple[int, int, int]]:
    """Return, per number of kernel places, the first place and how many windows are disjoint."""
    places = sorted({p + i for a, b, p in block.windows for i in range(b - a)})
    found = []
    for width in range(1, len(places) + 1):
        best = (0, 0)
        for first in places[: len(places) - width + 1]:
            times = end_of_last = 0
            for start, end, place in block.windows:
                begin = start + first - place
                if first < place or begin + width > end or begin < end_of_last:
                    continue
                times, end_of_last = times + 1, begin + width
            # Padding makes a difference between the places; the earliest best one is kept.
            best = max(best, (times, -first))
        if best[0]:
            found.append((-best[1], width, best[0]))
    return found


def _flat(part: Part, axis: int, inputs: int, filters: int) -> Part:
    """Return the part with one window, of so many inputs, along an axis."""
    single = Block(inputs, ((0, inputs, 0),))
    return Part((*part.axes[:axis], single, *part.axes[axis + 1 :]), part.channels, filters)


def _mirrored(block: Block) -> tuple[Window, ...]:
    return tuple((block.size - end, block.size - start, 0) for start, end, _ in block.windows[::-1])


def _best_strips(block: Block, value: Callable[[int, int], Rounded]) -> Counter[tuple[int, int]]:
    """Return the best sequence of strips: (inputs, rows of windows) with multiplicities.

    Longest path over (windows done, inputs used). A strip of rows i..j - 1 may take inputs from
    [start of the last, end of the first), which all its windows contain.
    """
    windows = block.windows
    logs: dict[tuple[int, int], float] = {}

    def log_of(inputs: int, rows: int) -> float:
        if (inputs, rows) not in logs:
            logs[inputs, rows] = value(inputs, rows).log2
        return logs[inputs, rows]

    # best[i][p]: value and last step for windows 0..i - 1 with inputs below p used.
    best: list[dict[int, tuple[float, int, int, int]]] = [{} for _ in range(len(windows) + 1)]
    best[0][0] = (0.0, 0, 0, 0)
    for i in range(len(windows)):
        in_time()
        for p, (total, *_) in best[i].items():
            _keep(best[i + 1], p, (total, i, p, 0))  # leave the window out
            for j in range(i + 1, len(windows) + 1):
                low, high = max(p, windows[j - 1][0]), windows[i][1]
                if low >= high:
                    break
                for q in range(low + 1, high + 1):
                    _keep(best[j], q, (total + log_of(q - low, j - i), i, p, q - low))
    used: Counter[tuple[int, int]] = Counter()
    i = len(windows)
    p = max(best[i], key=lambda q: best[i][q][0])
    while i > 0:
        _, i_before, p_before, inputs = best[i][p]
        if inputs:
            used[inputs, i - i_before] += 1
        i, p = i_before, p_before
    return used


def _keep(
    table: dict[int, tuple[float, int, int, int]], key: int, entry: tuple[float, int, int, int]
) -> None:
    if key not in table or table[key][0] < entry[0]:
        table[key] = entry


def _best_new_inputs(windows: Sequence[Window], value: Callable[[int], Rounded]) -> Counter[int]:
    """Return how many inputs are new at each of the best chosen windows, with multiplicities."""
    logs: dict[int, float] = {}
    best: list[tuple[float, int, int]] = []  # total, inputs new at this window, window before
    for i, (start, end, _) in enumerate(windows):
        options = [(0.0, -1)]
        for j in range(i - 1, -1, -1):
            options.append((best[j][0], j))
            if windows[j][1] <= start:
                break
        entry = (float("-inf"), 0, -1)
        for total, j in options:
            inputs = end - (start if j < 0 else max(start, windows[j][1]))
            # The window before the first option but one is disjoint from all later ones.
            if j < 0 and i > 0 and windows[0][1] <= start:
                continue
            if inputs <= 0:
                continue
            if inputs not in logs:
                logs[inputs] = value(inputs).log2
            entry = max(entry, (total + logs[inputs], inputs, j))
        if entry[1] == 0:  # nothing is new: the same as leaving it out
            entry = (best[i - 1][0], 0, i - 1)
        best.append(entry)
    used: Counter[int] = Counter()
    i = max(range(len(best)), key=lambda j: best[j][0])
    while i >= 0:
        _, inputs, before = best[i]
        if inputs:
            used[inputs] += 1
        i = before
    return used
