# SPDX-License-Identifier: MIT
"""Exact counts of the independent parts of a layer, by the fastest method that reaches them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from math import factorial

import numpy as np

from .compiled import Control, frontier_cost, frontier_values, lanes_needed
from .draws import ERROR_GOAL, OutOfReach
from .multiset import shared_orbits, shared_rows, sizes_from_table
from .parts import Answer, evaluate, hall_count, hall_sizes
from .residues import random_prime
from .tuples import filter_tuples
from .windows import Part, binomials

FEW_NODES = 300
"""Below this many search nodes the plain search is the quickest."""


@dataclass(frozen=True)
class Effort:
    """How far an exact count may go.

    Parameters
    ----------
    seconds : float
        Largest predicted time of a frontier count.
    sets : int
        Largest number of filter multisets.
    nodes : int
        Rows tested per draw of shared filters.
    insertions : int
        States inserted in a frontier count.
    """

    seconds: float
    sets: int
    nodes: int
    insertions: int = 1 << 62


QUICK = Effort(seconds=0.2, sets=200_000, nodes=200_000, insertions=100_000)
"""Bounds are asked for in loops."""

_QUICK_POSITIONS, _QUICK_LANES = 400, 30

AUTO = Effort(seconds=90.0, sets=2_000_000_000, nodes=1_000_000_000)
"""What an answer may take before it turns to estimates: a minute or two."""

EXACT = Effort(seconds=3600.0, sets=10**11, nodes=10**11)

FORCED = Effort(seconds=24 * 3600.0, sets=10**12, nodes=10**12)
"""A method that was asked for by name runs for a day."""

_MOST_DRAWS = 4

_known: dict[tuple[Part, int], Answer] = {}


def free_count(
    part: Part, weight: int, control: Control, effort: Effort, method: str = "auto"
) -> Answer:
    """Return the sum over Hall-independent sets of neurons of weight**size.

    Parameters
    ----------
    part : Part
        A component of the layer.
    weight : int
        Weight of a neuron: the number of breakpoints, or its negative.
    control : Control
        How the count is watched.
    effort : Effort
        How far it may go.
    method : {"auto", "frontier"}
        ``"frontier"`` takes no other method.

    Returns
    -------
    Answer

    Raises
    ------
    OutOfReach
        The effort does not suffice.
    StoppedEarly
        The run was stopped.
    """
    if method == "auto":
        if part.scan_form is not None:
            return hall_count(part, weight, 0, control.watch)
        if part.all_patterns:
            return Answer((1 + weight) ** part.n_neurons, "all_patterns")
        with suppress(OutOfReach):
            sizes = hall_sizes(part, FEW_NODES, None, control.watch)
            return Answer(evaluate(sizes, weight), "matching")
    known = _known.get((part, weight))
    if known is not None:
        return known
    if effort is QUICK:
        if part.n_positions > _QUICK_POSITIONS or lanes_needed(part) > _QUICK_LANES:
            raise OutOfReach
    else:
        cost = frontier_cost(part)
        left = control.remaining()
        if cost.seconds > min(effort.seconds, float("inf") if left is None else left):
            raise OutOfReach
        if not cost.fits:
            raise OutOfReach
    (value,), work = frontier_values(part, [weight], control, effort.insertions)
    answer = Answer(value, "frontier", 0.0, work["insertions"])
    if len(_known) >= 64:
        _known.clear()
    _known[part, weight] = answer
    return answer


def free_sizes(part: Part, control: Control, effort: Effort) -> list[int]:
    """Return the number of Hall-independent sets of every size.

    Parameters
    ----------
    part, control, effort
        As in `free_count`.

    Returns
    -------
    list of int

    Raises
    ------
    OutOfReach
        The effort does not suffice.
    StoppedEarly
        The run was stopped.
    """
    if part.scan_form is not None or part.all_patterns:
        return list(hall_sizes(part, 0, None, control.watch))
    rank = part.rank_limit
    if frontier_cost(part).seconds * (rank + 1) > effort.seconds:
        raise OutOfReach
    # A polynomial of degree `rank` from its values at 0, .., rank (Newton's differences).
    values, _ = frontier_values(part, range(rank + 1), control)
    return _coefficients(values)


def _coefficients(values: list[int]) -> list[int]:
    """Return the coefficients of a polynomial with integer coefficients from values at 0, 1, .."""
    n = len(values)
    divided = list(values)  # divided differences, times the factorial of their order
    for step in range(1, n):
        for i in range(n - 1, step - 1, -1):
            divided[i] -= divided[i - 1]
    result: list[int] = []
    for j in reversed(range(n)):
        # result * (x - j) + divided difference of order j, an integer for such a polynomial
        shifted = [0, *result]
        for i, value in enumerate(result):
            shifted[i] -= j * value
        shifted[0] += divided[j] // factorial(j)
        result = shifted
    return result[:n]


def shared_sets_bound(part: Part, most: int | None = None) -> int:
    """Return the number of multisets that a count of shared filters may have to list.

    Parameters
    ----------
    part : Part
        A component of the layer.
    most : int, optional
        Largest number of interest. The number grows with the filters and with the rank, fast: it
        is clear for few of them that it is larger.

    Returns
    -------
    int
        Tuples of at most as many sets as filters, at most as many rows as the rank, the first
        set up to symmetry and the others unordered.

    Raises
    ------
    OutOfReach
        The number is larger than `most`, or the positions are too many.
    """
    if part.n_positions > 16:
        raise OutOfReach
    caps, cap = [part.rank_limit], 4
    while most is not None and cap < part.rank_limit:
        caps.insert(-1, cap)
        cap *= 2
    bound = 0
    for cap in caps:
        bound = _sets_bound(part, cap)
        if most is not None and bound > most:
            raise OutOfReach
    return bound


@lru_cache(maxsize=256)
def _sets_bound(part: Part, cap: int) -> int:
    """Return the number for at most `cap` filters and rows."""
    rank, positions = min(part.rank_limit, cap), part.n_positions
    sets = min(part.filters, rank)
    # multisets[j][s]: of j non-empty sets, s elements in all; one factor per set of that size.
    multisets = [[0] * (rank + 1) for _ in range(sets)]
    multisets[0][0] = 1
    for size, ways in enumerate(binomials(positions)):
        if size == 0 or size > rank:
            continue
        grown = [row[:] for row in multisets]
        repeat, chosen = 1, 1
        while repeat < sets and repeat * size <= rank:
            chosen = chosen * (ways + repeat - 1) // repeat  # multisets of `repeat` among `ways`
            for j in range(sets - repeat):
                for s in range(rank + 1 - repeat * size):
                    grown[j + repeat][s + repeat * size] += multisets[j][s] * chosen
            repeat += 1
        multisets = grown
    first = [0] * (rank + 1)
    for mask in shared_orbits(part):
        if mask.bit_count() <= rank:
            first[mask.bit_count()] += 1
    totals = [sum(row[s] for row in multisets) for s in range(rank + 1)]
    return sum(first[s] * sum(totals[: rank + 1 - s]) for s in range(rank + 1))


def _error_of_a_set(part: Part) -> float:
    """Bound the chance that one draw modulo one random prime loses a given independent set.

    The minor is a polynomial of degree at most r: a draw makes it vanish with chance r / p. It is
    zero modulo p only if p divides one of its coefficients, which are at most H = min(r!, w**r); at
    most log2(H) / 60 primes above 2**60 do, of the more than 0.6 * 2**60 / log(2**60) between
    2**60 and 2**61 (Rosser and Schoenfeld 1962, corollary 3).
    """
    rank = part.rank_limit
    entries = part.channels * max(part.window_sizes())
    height = min(factorial(min(rank, 400)), entries**rank)
    bad = (height.bit_length() - 1) // 60
    return float(rank * 2.0**-60 + bad * 2.0**-53)


def shared_table(
    part: Part,
    rng: np.random.Generator,
    bias: str,
    control: Control,
    effort: Effort,
) -> tuple[list[list[int]], int]:
    """Return n(m, s) of one draw of shared filters modulo a random prime, and the rows tested.

    Parameters
    ----------
    part : Part
        A component of the layer.
    rng : numpy Generator
        Source of the draw.
    bias : {"shared", "free", "none"}
        Which biases dependent rows have: one per filter, one per neuron (no check is needed), or
        a common one.
    control, effort
        As in `free_count`.

    Returns
    -------
    table : list of list of int
    nodes : int

    Raises
    ------
    OutOfReach
        The effort does not suffice, or dependent hyperplanes share a point.
    StoppedEarly
        The run was stopped.
    """
    shared_sets_bound(part, effort.sets)
    prime = random_prime(rng)
    filters = min(part.filters, part.rank_limit)
    drawn = shared_rows(part, filters, prime, rng, bias=True)
    if bias == "none":
        drawn = [[[*row[:-1], 1] for row in block] for block in drawn]
    return filter_tuples(part, drawn, prime, bias != "free", control, effort.nodes)


def shared_sizes(
    part: Part,
    rng: np.random.Generator,
    bias: str,
    control: Control,
    effort: Effort,
    formula: int | None = None,
) -> tuple[list[int], float, int]:
    """Return the number of independent sets by size for shared filters, and its error.

    Parameters
    ----------
    part, rng, bias, control, effort
        As in `shared_table`.
    formula : int, optional
        Number of Hall-independent sets: a draw that reaches it is a proof.

    Returns
    -------
    sizes : list of int
    error_probability : float
    nodes : int

    Raises
    ------
    OutOfReach
        The effort does not suffice, or dependent hyperplanes share a point.
    StoppedEarly
        The run was stopped.
    """
    each = shared_sets_bound(part, effort.sets) * _error_of_a_set(part)
    best: list[int] = []
    nodes, error = 0, 1.0
    for draw in range(_MOST_DRAWS):
        table, tested = shared_table(part, rng, bias, control, effort)
        nodes += tested
        error *= min(1.0, each)
        sizes = sizes_from_table(table, part.filters)
        # No draw has a set that generic weights lack: the larger one is nearer, size by size.
        best = [max(pair) for pair in zip(sizes, best or sizes, strict=True)]
        if sum(best) == formula:
            return best, 0.0, nodes
        if draw > 0 and error < ERROR_GOAL:
            return best, error, nodes
    raise OutOfReach


def true_count(
    part: Part,
    breakpoints: int,
    rng: np.random.Generator,
    bias: str,
    control: Control,
    effort: Effort,
    force: bool = False,
) -> Answer:
    """Return the maximum with filters that all windows share.

    Parameters
    ----------
    part : Part
        A component of the layer.
    breakpoints : int
        Breakpoints of a neuron; negative for the alternating sum.
    rng : numpy Generator
        Source of the draws.
    bias, control, effort
        As in `shared_table`.
    force : bool
        Count draws also where a theorem makes the formula exact.

    Returns
    -------
    Answer

    Raises
    ------
    OutOfReach
        The effort does not suffice.
    StoppedEarly
        The run was stopped.
    """
    if not force and (part.scan_form is not None or part.all_patterns):
        return free_count(part, breakpoints, control, effort)
    shared_sets_bound(part, effort.sets)  # OutOfReach before the formula is counted
    formula = None
    with suppress(OutOfReach):
        formula = free_count(part, 1, control, effort).value
    sizes, error, nodes = shared_sizes(part, rng, bias, control, effort, formula)
    return Answer(evaluate(sizes, breakpoints), "multiset", error, nodes)
