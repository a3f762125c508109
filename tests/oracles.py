# SPDX-License-Identifier: MIT
"""Numbers of regions that are known from theorems, each with its source.

Nothing here computes a geometry: closed formulas and published values only.
"""

from __future__ import annotations

from itertools import combinations, product
from math import comb, factorial

# Chambers of the resonance arrangement {sum of x_i over S = 0 : S not empty} in R^n.
# OEIS A034997; Kamiya, Takemura, Terao, Advances in Applied Mathematics 47 (2011).
RESONANCE = {1: 2, 2: 6, 3: 32, 4: 370, 5: 11_292, 6: 1_066_044}

# Threshold functions of n Boolean variables, that is chambers of {w . v + b = 0 : v in {0, 1}^n}
# in R^(n + 1). OEIS A000609; Winder (1965).
THRESHOLD = {1: 4, 2: 14, 3: 104, 4: 1_882, 5: 94_572, 6: 15_028_134}


def general_position(n: int, d: int) -> int:
    """Chambers of n hyperplanes in general position in R^d (Zaslavsky 1975; Schlaefli)."""
    return sum(comb(n, i) for i in range(d + 1))


def bounded_general_position(n: int, d: int) -> int:
    """Bounded chambers of n hyperplanes in general position in R^d (Zaslavsky 1975)."""
    return comb(n - 1, d)


def central_general_position(n: int, d: int) -> int:
    """Chambers of n hyperplanes through the origin, otherwise general (Cover 1965)."""
    return 2 * sum(comb(n - 1, i) for i in range(d))


def parallel_families(sizes: list[int]) -> int:
    """Chambers of families of parallel lines in the plane, directions otherwise general.

    Regions = 1 + lines + crossings (Roberts 1889), and lines of one family do not cross.
    """
    crossings = sum(a * b for a, b in combinations(sizes, 2))
    return 1 + sum(sizes) + crossings


def boolean(n: int) -> int:
    """Chambers of the n coordinate hyperplanes."""
    return 2**n


def braid(n: int) -> int:
    """Chambers of {x_i = x_j : i < j} in R^n: one per permutation (Stanley 2007, section 1)."""
    return factorial(n)


def general_position_pieces(n: int, k: int, d: int) -> int:
    """Regions of one layer of n units with k breakpoints each, generic weights, in R^d.

    Every unit is a family of k parallel hyperplanes, so choosing i units and one breakpoint of
    each gives one flat: sum of C(n, i) k^i (Xiong et al. 2020 for k = 1; Zaslavsky).
    """
    return sum(comb(n, i) * k**i for i in range(d + 1))


def maxout_general_position(n: int, rank: int) -> int:
    """Largest number of regions of one maxout layer of n units in R^1: n (rank - 1) + 1."""
    return n * (rank - 1) + 1


def resonance_normals(n: int) -> list[list[int]]:
    """Normals of the resonance arrangement in R^n."""
    return [list(v) for v in product((0, 1), repeat=n) if any(v)]


def threshold_normals(n: int) -> list[list[int]]:
    """Normals of the threshold arrangement in R^(n + 1)."""
    return [[*v, 1] for v in product((0, 1), repeat=n)]


def braid_normals(n: int) -> list[list[int]]:
    """Normals of the braid arrangement in R^n."""
    return [
        [1 if i == a else -1 if i == b else 0 for i in range(n)]
        for a, b in combinations(range(n), 2)
    ]


def sawtooth(depth: int) -> int:
    """Linear pieces on (0, 1) of the tent map applied `depth` times (Telgarsky 2015, lemma 2.4)."""
    return 2**depth
