# SPDX-License-Identifier: MIT
"""The number of regions of one independent part of a layer, by whatever method reaches it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .draws import OutOfReach, choose_prime
from .matching import matching_nodes, matching_sizes
from .multiset import free_rows, shared_rows
from .restriction import central_regions
from .rounding import binomial_sum_bounds
from .scan import Watch, scan, scan_sizes, unwatched
from .windows import Part, binomial_sum, binomials

DRAWS = 2
_EXACT_TERMS = 20_000


@dataclass(frozen=True)
class Budget:
    """How much work may be spent on one part.

    Parameters
    ----------
    matching : int
        Nodes of the search for Hall-independent sets.
    restriction : int
        Work per draw in the count without biases.
    """

    matching: int = 500_000
    restriction: int = 40_000


@dataclass(frozen=True)
class Answer:
    """What was found about a part.

    Parameters
    ----------
    value : int
        Number of regions.
    method : str
        Method that found it.
    error_probability : float
        Chance that the draws spoilt it; 0.0 is a proof.
    nodes : int
        Work done.
    """

    value: int
    method: str
    error_probability: float = 0.0
    nodes: int = 0


def evaluate(sizes: Iterable[int], breakpoints: int) -> int:
    """Return the sum of sizes[s] * breakpoints**s.

    Parameters
    ----------
    sizes : iterable of int
        Number of independent sets by size.
    breakpoints : int
        Weight of an element.

    Returns
    -------
    int
    """
    total, power = 0, 1
    for count in sizes:
        total += count * power
        power *= breakpoints
    return total


_sizes: dict[tuple[Part, int | None], tuple[int, ...]] = {}


def hall_sizes(
    part: Part, max_nodes: int, top: int | None = None, watch: Watch = unwatched
) -> tuple[int, ...]:
    """Return the number of Hall-independent sets by size.

    Parameters
    ----------
    part : Part
        A component of the layer.
    max_nodes : int
        Budget of search nodes where the part is no scan.
    top : int, optional
        Largest size wanted; larger ones may be missing.
    watch : callable
        Called again and again; what it raises ends the count.

    Returns
    -------
    tuple of int

    Raises
    ------
    OutOfReach
        The budget is too small.
    """
    form = part.scan_form
    if form is None and not part.all_patterns and matching_nodes(part) > max_nodes:
        raise OutOfReach
    known = _sizes.get((part, top))
    if known is not None:
        return known
    if form is not None:
        windows, channels = form
        found = scan_sizes(windows, channels, part.filters, top, watch)
    elif part.all_patterns:
        found = binomials(part.n_neurons, top)
    else:
        found = matching_sizes(part, top, watch)
    if len(_sizes) >= 128:
        _sizes.clear()
    _sizes[part, top] = tuple(found)
    return tuple(found)


def hall_count(part: Part, breakpoints: int, max_nodes: int, watch: Watch = unwatched) -> Answer:
    """Return the published formula: sum over Hall vectors of prod C(d, t_i) breakpoints**t_i.

    Parameters
    ----------
    part : Part
        A component of the layer.
    breakpoints : int
        Breakpoints of a neuron.
    max_nodes : int
        Budget of search nodes where the part is no scan.
    watch : callable
        As in `hall_sizes`.

    Returns
    -------
    Answer

    Raises
    ------
    OutOfReach
        The budget is too small.
    """
    form = part.scan_form
    if form is not None:
        windows, channels = form
        return Answer(scan(windows, channels, part.filters, breakpoints, watch), "scan")
    if part.all_patterns:
        return Answer((1 + breakpoints) ** part.n_neurons, "all_patterns")
    return Answer(evaluate(hall_sizes(part, max_nodes, None, watch), breakpoints), "matching")


def _prime_for(part: Part) -> tuple[int, float]:
    sets = binomial_sum(part.n_neurons, part.rank_limit)
    row_entries = part.channels * max(part.window_sizes())
    return choose_prime(sets, part.rank_limit, row_entries, DRAWS)


def central_count(part: Part, weights: str, rng: np.random.Generator, budget: Budget) -> Answer:
    """Return the true maximum without biases, all breakpoints at zero.

    Parameters
    ----------
    part : Part
        A component of the layer.
    weights : {"shared", "free"}
        Whether the windows share their filters.
    rng : numpy Generator
        Source of the draws.
    budget : Budget
        Work allowed.

    Returns
    -------
    Answer

    Raises
    ------
    OutOfReach
        The budget is too small.
    """
    if part.all_patterns:  # independent rows: biases make no difference
        return Answer(1 << part.n_neurons, "all_patterns")
    # At least one restriction per pair of neurons is needed, of rows of this many entries.
    if part.n_neurons**2 * part.rank_limit > 100 * budget.restriction:
        raise OutOfReach
    prime, error = _prime_for(part)
    make = shared_rows if weights == "shared" else free_rows
    best = nodes = 0
    for _ in range(DRAWS):
        drawn = make(part, part.filters, prime, rng)
        value, visited = central_regions(
            [row for rows in drawn for row in rows], prime, budget.restriction
        )
        best, nodes = max(best, value), nodes + visited
    return Answer(best, "restriction", error, nodes)


def central_limit(part: Part) -> int:
    """Return the number of regions of as many generic hyperplanes through the origin.

    Parameters
    ----------
    part : Part
        A component of the layer.

    Returns
    -------
    int
        2 sum_{i < r} C(N - 1, i): no central arrangement of N hyperplanes of rank r has more.
        Rounded up where the sum has so many terms that it would take seconds.
    """
    n, top = part.n_neurons - 1, part.rank_limit - 1
    if min(top, n - top) > _EXACT_TERMS:
        return 2 * int(binomial_sum_bounds(n, top, 1)[1])
    return 2 * binomial_sum(n, top)
