# SPDX-License-Identifier: MIT
"""The frontier count in plain Python, and how a part is swept.

Windows come one by one. What the numbers t_1, .., t_m of neurons chosen so far leave to the future
is the function

    g(U) = min over sets J of the windows so far of c |N(J) u U| - t(J)

on the sets U of inputs seen so far that are unions of traces of future windows (c channels, N(J)
the inputs of J). A set F of future windows can still take g(U) + c |N(F) minus seen| neurons, U
the trace of F: Hall's condition for all sets of windows. So histories with equal g have the same
future and are merged. The compiled core does the same with compressed states.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import permutations, product
from math import comb

from .windows import Block, Part

Windows = list[frozenset[int]]


def swept(part: Part) -> tuple[Windows, list[list[int]]]:
    """Return the windows in the order of the sweep, and the symmetries across it.

    Parameters
    ----------
    part : Part
        A component of the layer.

    Returns
    -------
    windows : list of frozenset of int
        Inputs of every window, channels not counted; the longest axis is the outermost loop.
    symmetries : list of list of int
        Permutations of the inputs that keep the windows and the place on the longest axis.
    """
    axes = sorted(part.axes, key=lambda block: -len(block.windows))
    ordered = Part(tuple(axes), part.channels, part.filters)
    windows = [frozenset(slot for slot, _ in entries) for entries in ordered.positions()]
    return windows, _symmetries(axes)


def _symmetries(axes: Sequence[Block]) -> list[list[int]]:
    cross = range(1, len(axes))
    spans = [[(start, end) for start, end, _ in block.windows] for block in axes]

    def mirrored(i: int) -> bool:
        size = axes[i].size
        return sorted((size - end, size - start) for start, end in spans[i]) == sorted(spans[i])

    flips = [
        [False] if i == 0 or axes[i].size == 1 or not mirrored(i) else [False, True]
        for i in range(len(axes))
    ]
    sizes = [block.size for block in axes]
    images = set()
    for order in permutations(cross):
        # Axis i of the image is read along axis order[i - 1].
        if any(
            sizes[i] != sizes[j] or spans[i] != spans[j] for i, j in zip(cross, order, strict=True)
        ):
            continue
        for flip in product(*flips):
            image = []
            for index in product(*(range(size) for size in sizes)):
                moved = (index[0], *(index[j] for j in order))
                flat = 0
                for i, size in enumerate(sizes):
                    flat = flat * size + (size - 1 - moved[i] if flip[i] else moved[i])
                image.append(flat)
            images.add(tuple(image))
    images.discard(tuple(range(len(next(iter(images))))))
    return [list(image) for image in sorted(images)]


def frontier_count(part: Part, breakpoints: int = 1) -> int:
    """Return the sum over Hall-independent sets of neurons of breakpoints**size.

    The reference of the compiled count: obvious and slow. It may be given negative breakpoints.

    Parameters
    ----------
    part : Part
        A component of the layer.
    breakpoints : int
        Weight of a neuron.

    Returns
    -------
    int

    Examples
    --------
    >>> axis = Block(3, ((0, 2, 0), (1, 3, 0)))
    >>> frontier_count(Part((axis, axis), channels=1, filters=2))
    256
    """
    windows, _ = swept(part)
    c, filters = part.channels, part.filters
    seen: frozenset[int] = frozenset()
    family = [frozenset[int]()]
    states: Counter[tuple[int, ...]] = Counter({(0,): 1})
    for m, window in enumerate(windows):
        number = {sets: i for i, sets in enumerate(family)}
        seen_after = seen | window
        family = _unions([later & seen_after for later in windows[m + 1 :]])

        def read(sets: frozenset[int]) -> tuple[int, int]:
            return number[sets & seen], c * len(sets - seen)  # noqa: B023

        without = [read(sets) for sets in family]
        with_it = [read(sets | window) for sets in family]
        grown: Counter[tuple[int, ...]] = Counter()
        for g, count in states.items():
            x = [g[i] + added for i, added in without]
            y = [g[i] + added for i, added in with_it]
            for t in range(min(filters, y[0]) + 1):
                key = tuple(min(a, b - t) for a, b in zip(x, y, strict=True))
                grown[key] += count * comb(filters, t) * breakpoints**t
        states, seen = grown, seen_after
    (total,) = states.values()
    return total


def _unions(traces: Sequence[frozenset[int]]) -> list[frozenset[int]]:
    found = {frozenset[int]()}
    for trace in set(traces):
        found |= {sets | trace for sets in found}
    return sorted(found, key=lambda sets: (len(sets), sorted(sets)))
