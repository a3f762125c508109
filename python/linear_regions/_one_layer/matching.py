# SPDX-License-Identifier: MIT
"""Two or more axes: Hall-independent sets by depth-first search with augmenting paths.

A vector t (t_i neurons at window i) satisfies Hall's condition for every set of windows exactly if
the chosen neurons can be matched to input slots that they see, each to its own (Hall's theorem).
The search adds one neuron after the other and repairs the matching by one augmenting path each.
"""

from __future__ import annotations

from collections.abc import Sequence

from .scan import Watch, unwatched
from .windows import Part, binomials


def matching_nodes(part: Part) -> int:
    """Return an upper bound on the number of search nodes of `matching_sizes`.

    Parameters
    ----------
    part : Part
        A component of the layer.

    Returns
    -------
    int
    """
    nodes = 1
    for entries in part.window_sizes()[:-1]:
        nodes *= min(part.filters, entries * part.channels) + 1
        if nodes > 1 << 62:
            break
    return nodes


class _Matching:
    """Windows matched to inputs, each of which can serve `channels` neurons."""

    def __init__(self, windows: Sequence[Sequence[int]], channels: int) -> None:
        self.windows = windows
        self.channels = channels
        self.served: list[list[int]] = [[] for _ in range(1 + max(map(max, windows)))]

    def add(self, window: int) -> bool:
        """Match one more neuron of a window; False when Hall's condition forbids it."""
        seen = {window}
        parents: dict[int, tuple[int, int]] = {}
        queue = [window]
        for current in queue:
            for slot in self.windows[current]:
                if len(self.served[slot]) < self.channels:
                    self._shift(current, slot, parents)
                    return True
                for other in self.served[slot]:
                    if other not in seen:
                        seen.add(other)
                        parents[other] = (current, slot)
                        queue.append(other)
        return False

    def _shift(self, current: int, slot: int, parents: dict[int, tuple[int, int]]) -> None:
        self.served[slot].append(current)
        while current in parents:
            previous, slot = parents[current]
            self.served[slot].remove(current)
            self.served[slot].append(previous)
            current = previous

    def save(self) -> list[list[int]]:
        return [list(owners) for owners in self.served]


def matching_sizes(part: Part, top: int | None = None, watch: Watch = unwatched) -> list[int]:
    """Return how many Hall-independent sets of neurons have 0, 1, 2, ... elements.

    Parameters
    ----------
    part : Part
        A component of the layer; `matching_nodes` tells the cost.
    top : int, optional
        Largest size wanted; default the number of inputs.
    watch : callable
        Called at every node; what it raises ends the search.

    Returns
    -------
    list of int

    Examples
    --------
    A 3x3 input under one 2x2 filter: all 16 subsets of the four neurons.

    >>> from .windows import Block
    >>> axis = Block(3, ((0, 2, 0), (1, 3, 0)))
    >>> matching_sizes(Part((axis, axis), channels=1, filters=1))
    [1, 4, 6, 4, 1, 0, 0, 0, 0, 0]
    """
    windows = [[slot for slot, _ in entries] for entries in part.positions()]
    matching = _Matching(windows, part.channels)
    top = part.n_inputs if top is None else min(top, part.n_inputs)
    sizes = [0] * (top + 1)
    # No window has more neurons than inputs that it sees, however many the filters are.
    widest = max(map(len, windows)) * part.channels
    choices = binomials(part.filters, min(top, widest))

    def visit(window: int, size: int, weight: int) -> None:
        watch()
        before = matching.save()
        last = window + 1 == len(windows)
        for t, ways in enumerate(choices):
            if size + t > top or (t and not matching.add(window)):
                break
            if last:
                sizes[size + t] += weight * ways
            else:
                visit(window + 1, size + t, weight * ways)
        matching.served = before

    visit(0, 0, 1)
    return sizes
