# SPDX-License-Identifier: MIT
"""One axis: the number of Hall-independent sets of neurons, by one scan from left to right.

Slots are input entries times channels. Supports are intervals with monotone ends, so matching
each chosen neuron to the first free slot that it sees is optimal (exchange argument), and all that
the future needs to know is the first slot that is still free.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import comb

from .windows import Window

Watch = Callable[[], None]


def unwatched() -> None:
    """Let a count go on."""


def scan_cost(windows: Sequence[Window], channels: int, filters: int) -> int:
    """Return the number of multiplications of `scan`, for a decision beforehand.

    Parameters
    ----------
    windows : sequence of (start, end, place)
        The windows from left to right.
    channels, filters : int
        Channels per input entry, filters per window.

    Returns
    -------
    int
    """
    spans = [(end - start) * channels for start, end, _ in windows]
    return sum(span * min(span, filters) for span in spans)


def scan(
    windows: Sequence[Window],
    channels: int,
    filters: int,
    breakpoints: int = 1,
    watch: Watch = unwatched,
) -> int:
    """Return the sum over Hall-independent sets of neurons of breakpoints**size.

    Parameters
    ----------
    windows : sequence of (start, end, place)
        Inputs start to end - 1; starts and ends increase weakly.
    channels : int
        Slots per input.
    filters : int
        Neurons per window.
    breakpoints : int
        Weight of one neuron.
    watch : callable
        Called again and again; what it raises ends the scan.

    Returns
    -------
    int
        The sum over all t with t_i neurons at window i of the products of C(filters, t_i)
        breakpoints**t_i, restricted to the t that satisfy Hall's condition.

    Examples
    --------
    Three inputs, kernel 2: (1 + d) (1 + d**2) regions with d filters.

    >>> [scan([(0, 2, 0), (1, 3, 0)], 1, d) for d in (1, 2, 3)]
    [4, 15, 40]
    """
    widest = max(end - start for start, end, _ in windows) * channels
    weights = [comb(filters, t) * breakpoints**t for t in range(min(filters, widest) + 1)]
    return sum(_walk(windows, channels, weights, 0, 0, watch))


def scan_sizes(
    windows: Sequence[Window],
    channels: int,
    filters: int,
    top: int | None = None,
    watch: Watch = unwatched,
) -> list[int]:
    """Return how many Hall-independent sets have 0, 1, ..., `top` neurons.

    Parameters
    ----------
    windows : sequence of (start, end, place)
        Inputs start to end - 1; starts and ends increase weakly.
    channels, filters : int
        Slots per input, neurons per window.
    top : int, optional
        Largest size wanted; default the number of slots.
    watch : callable
        As in `scan`.

    Returns
    -------
    list of int

    Examples
    --------
    >>> scan_sizes([(0, 2, 0), (1, 3, 0)], 1, 3)
    [1, 6, 15, 18]
    """
    n = len(windows) * filters
    most = min(n, windows[-1][1] * channels)
    top = most if top is None else min(top, most)
    # Polynomials in the size are packed into one integer, `bits` per coefficient: no coefficient
    # exceeds C(n, size), so that sums and products never carry into the next one.
    bits = comb(n, min(top, n // 2)).bit_length() + 1
    widest = max(end - start for start, end, _ in windows) * channels
    weights = [comb(filters, t) for t in range(min(filters, widest, top) + 1)]
    packed = sum(_walk(windows, channels, weights, bits, top, watch))
    mask = (1 << bits) - 1
    return [(packed >> (bits * size)) & mask for size in range(top + 1)]


def _walk(
    windows: Sequence[Window],
    channels: int,
    weights: list[int],
    bits: int,
    top: int,
    watch: Watch,
) -> list[int]:
    """Return the total weights by the number of slots that are used up at the end.

    With `bits` > 0 they are packed polynomials in the number of neurons, cut after degree `top`.
    """
    mask = (1 << (bits * (top + 1))) - 1
    # state[i]: total weight of the choices after which the first free slot is start + i.
    state = [1]
    follower = [*windows[1:], (windows[-1][0], 0, 0)]
    for (start, end, _), (next_start, _, _) in zip(windows, follower, strict=True):
        span = (end - start) * channels
        grown = [0] * (span + 1)
        for used, total in enumerate(state):
            if not total:
                continue
            watch()
            for t, weight in enumerate(weights[: span + 1 - used]):
                grown[used + t] += (total * weight) << (t * bits)
        if bits:
            grown = [value & mask for value in grown]
        # Slots left of the next window are of no use any more.
        gone = min((next_start - start) * channels, span)
        state = [sum(grown[: gone + 1]), *grown[gone + 1 :]]
    return state


def is_monotone(windows: Sequence[Window]) -> bool:
    """Tell whether starts and ends increase weakly, which `scan` relies on.

    Parameters
    ----------
    windows : sequence of (start, end, place)
        The windows.

    Returns
    -------
    bool
    """
    return all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(windows))
