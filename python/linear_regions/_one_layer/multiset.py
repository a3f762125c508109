# SPDX-License-Identifier: MIT
"""True counts of shared filters: one enumeration for every number of filters and breakpoints.

Generic filters are exchangeable, so a set of neurons is a tuple (A_1, .., A_m) of non-empty sets
of windows, one per filter that is used. With n(m, s) = number of ordered independent m-tuples of
total size s, d filters have

    i_s = sum over m of C(d, m) n(m, s)

independent sets of size s, and only m up to the rank occurs. Tuples are listed as multisets: A_1
up to the symmetries of the part (weight: size of its orbit), the others in descending order
(weight: the number of their orders). Rows are eliminated modulo a prime one by one; the first
dependency prunes.

Independent sets are regions if no dependent set of hyperplanes has a common point (Whitney's
theorem). So each row carries the bias of its filter in a last column, which takes no pivot: where a
row depends on the others, what is left there must not be zero. Every circuit is met in this way, as
an independent set and its last row. The relation between the biases is then not the zero
polynomial, so that it misses, for generic biases, also the values that several breakpoints add.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb

import numpy as np
import numpy.typing as npt

from .draws import OutOfReach, draw_vector
from .windows import Part

Row = list[int]
Basis = list[tuple[int, Row]]


def shared_rows(
    part: Part, filters: int, prime: int, rng: np.random.Generator, bias: bool = False
) -> list[list[Row]]:
    """Return the rows of a generic draw of shared filters, by filter and window.

    Parameters
    ----------
    part : Part
        A component of the layer.
    filters : int
        Number of filters to draw.
    prime : int
        Modulus.
    rng : numpy Generator
        Source of the weights.
    bias : bool, default False
        Whether a last column holds the bias of the filter.

    Returns
    -------
    list of list of list of int
        rows[filter][window][slot].
    """
    positions = part.positions()
    places = sorted({place for entries in positions for _, place in entries})
    drawn = []
    for _ in range(filters):
        weights = draw_vector(rng, len(places) * part.channels, prime)
        offset = {place: i * part.channels for i, place in enumerate(places)}
        rows = []
        for entries in positions:
            row = [0] * part.n_inputs
            for slot, place in entries:
                for channel in range(part.channels):
                    row[slot * part.channels + channel] = weights[offset[place] + channel]
            rows.append(row)
        if bias:
            (constant,) = draw_vector(rng, 1, prime)
            for row in rows:
                row.append(constant)
        drawn.append(rows)
    return drawn


def free_rows(part: Part, filters: int, prime: int, rng: np.random.Generator) -> list[list[Row]]:
    """Return the rows of a generic draw with weights of their own at every window.

    Parameters
    ----------
    part, filters, prime, rng
        As in `shared_rows`.

    Returns
    -------
    list of list of list of int
        rows[filter][window][slot].
    """
    positions = part.positions()
    drawn = []
    for _ in range(filters):
        rows = []
        for entries in positions:
            row = [0] * part.n_inputs
            weights = iter(draw_vector(rng, len(entries) * part.channels, prime))
            for slot, _ in entries:
                for channel in range(part.channels):
                    row[slot * part.channels + channel] = next(weights)
            rows.append(row)
        drawn.append(rows)
    return drawn


def reduce_row(row: Row, basis: Basis, prime: int, n: int) -> tuple[int, Row]:
    """Eliminate a row by a basis.

    Parameters
    ----------
    row : list of int
        The row; unchanged.
    basis : list of (pivot, row)
        Rows that are 1 at their pivot.
    prime : int
        Modulus.
    n : int
        Number of columns that can take a pivot.

    Returns
    -------
    pivot : int
        Column where the row is scaled to 1; -1 where it depends on the basis.
    row : list of int
        What is left of the row.
    """
    for pivot, known in basis:
        factor = row[pivot]
        if factor:
            row = [(x - factor * y) % prime for x, y in zip(row, known, strict=True)]
    for pivot, value in enumerate(row[:n]):
        if value:
            inverse = pow(value, -1, prime)
            return pivot, [x * inverse % prime for x in row]
    return -1, row


@lru_cache(maxsize=16)
def shared_orbits(part: Part) -> dict[int, int]:
    """Return one set of windows per orbit of the symmetries, with the sizes of the orbits.

    Parameters
    ----------
    part : Part
        A component of the layer.

    Returns
    -------
    dict of int to int
        Bit masks of windows; not to be changed.
    """
    lengths = [len(block.windows) for block in part.axes]
    n = part.n_positions
    index = np.arange(n).reshape(lengths)
    images = [index]
    for axis, block in enumerate(part.axes):
        if block.symmetric:
            images += [np.flip(image, axis) for image in images]
    for i in range(len(part.axes)):
        for j in range(i):
            if part.axes[i] == part.axes[j]:
                images += [np.swapaxes(image, i, j) for image in images]
    # A few permutations may repeat; the set of images of a mask does not care.
    permutations = {tuple(int(p) for p in image.reshape(-1)) for image in images}
    masks = np.arange(1 << n)
    last = masks.copy()  # of the orbit
    for permutation in permutations:
        np.maximum(last, _images(permutation), out=last)
    firsts = masks[masks == last][1:]  # without the empty set
    orbits = np.sort([_images(permutation)[firsts] for permutation in permutations], axis=0)
    sizes = 1 + (orbits[1:] != orbits[:-1]).sum(axis=0)
    return dict(zip(firsts.tolist(), sizes.tolist(), strict=True))


def _images(permutation: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Return the image of every mask under a permutation of its bits."""
    images = np.zeros(1 << len(permutation), dtype=np.int64)
    for i, target in enumerate(permutation):
        images[1 << i : 2 << i] = images[: 1 << i] | (1 << target)
    return images


class CentralCircuit(Exception):
    """Dependent hyperplanes of a draw share a point: fewer regions than independent sets."""


class _Search:
    """Depth-first enumeration of independent tuples of window sets."""

    def __init__(self, rows: list[list[Row]], rank: int, prime: int, max_nodes: int) -> None:
        self.rows = rows
        self.n_windows = len(rows[0])
        self.n_slots = len(rows[0][0]) - 1
        self.rank = rank
        self.prime = prime
        self.max_nodes = max_nodes
        self.nodes = 0
        # table[m][s] = n(m, s)
        self.table = [[0] * (rank + 1) for _ in range(len(rows) + 1)]
        self.table[0][0] = 1

    def add(self, row: Row, basis: Basis) -> bool:
        """Append a row to the basis; False where it depends on it."""
        self.nodes += 1
        if self.nodes > self.max_nodes:
            raise OutOfReach
        pivot, reduced = reduce_row(row, basis, self.prime, self.n_slots)
        if pivot >= 0:
            basis.append((pivot, reduced))
            return True
        if not reduced[-1]:
            raise CentralCircuit
        return False

    def start(self, mask: int, orbit: int) -> None:
        """Count all tuples whose first set is `mask`, once for each of its orbit."""
        basis: Basis = []
        for window in range(self.n_windows):
            if mask >> window & 1 and not self.add(self.rows[0][window], basis):
                return
        self.table[1][len(basis)] += orbit
        self.next_filter(1, (1 << self.n_windows) - 1, 0, orbit, basis)

    def next_filter(self, m: int, limit: int, run: int, weight: int, basis: Basis) -> None:
        """Add set number m + 1, at most `limit`, which is the last one and occurs `run` times."""
        if m < len(self.rows):
            self.extend(m, 0, self.n_windows, limit, run, weight, basis)

    def extend(
        self, m: int, mask: int, below: int, limit: int, run: int, weight: int, basis: Basis
    ) -> None:
        """Add windows with numbers under `below` to the current set `mask` of filter m."""
        for window in reversed(range(below)):
            grown = mask | 1 << window
            if grown > limit:
                continue  # the sets come in descending order
            if not self.add(self.rows[m][window], basis):
                continue
            # `run` is 0 before the second filter: the first one is not part of the order.
            repeats = run + 1 if grown == limit and run else 1
            ways = weight * m // repeats
            self.table[m + 1][len(basis)] += ways
            # At full rank no row can follow, but none may pass through the common point.
            self.extend(m, grown, window, limit, run, weight, basis)
            self.next_filter(m + 1, grown, repeats, ways, basis)
            basis.pop()


def tuple_table(
    part: Part, filters: int, prime: int, rng: np.random.Generator, max_nodes: int
) -> tuple[list[list[int]], int]:
    """Return n(m, s) of one generic draw, and the number of rows that were eliminated.

    Parameters
    ----------
    part : Part
        A component of the layer.
    filters : int
        Largest number of filters wanted.
    prime : int
        Modulus of the draw.
    rng : numpy Generator
        Source of the draw.
    max_nodes : int
        Budget of eliminated rows.

    Returns
    -------
    table : list of list of int
        table[m][s], m up to min(filters, rank).
    nodes : int

    Raises
    ------
    OutOfReach
        The budget is too small.
    CentralCircuit
        Some dependent hyperplanes of the draw share a point.
    """
    rank = part.rank_limit
    search = _Search(
        shared_rows(part, min(filters, rank), prime, rng, bias=True), rank, prime, max_nodes
    )
    for mask, orbit in shared_orbits(part).items():
        search.start(mask, orbit)
    return search.table, search.nodes


def sizes_from_table(table: list[list[int]], filters: int) -> list[int]:
    """Return the number of independent sets of every size for a number of filters.

    Parameters
    ----------
    table : list of list of int
        n(m, s), complete for this number of filters.
    filters : int
        Number of filters.

    Returns
    -------
    list of int
    """
    return [
        sum(comb(filters, m) * row[size] for m, row in enumerate(table))
        for size in range(len(table[0]))
    ]
