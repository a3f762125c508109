# SPDX-License-Identifier: MIT
"""Families of arrangements with known numbers of chambers, each with its source.

Every generator returns (normals, offsets) as lists of int. Where a vector is half-integral it is
doubled, which changes no hyperplane.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations, permutations, product
from math import comb, factorial

import numpy as np

Table = tuple[list[list[int]], list[int]]


def central(normals: Iterable[Iterable[int]]) -> Table:
    rows = [list(row) for row in normals]
    return rows, [0] * len(rows)


def unit(n: int, *entries: tuple[int, int]) -> list[int]:
    row = [0] * n
    for index, value in entries:
        row[index] = value
    return row


def resonance(n: int) -> Table:
    """All non-zero 0/1 normals in R^n. OEIS A034997; Kamiya, Takemura, Terao 2011."""
    return central(v for v in product((0, 1), repeat=n) if any(v))


def threshold(n: int) -> Table:
    """Normals (1, v), v in {0, 1}^n, in R^(n + 1). OEIS A000609 (threshold functions)."""
    return central((1, *v) for v in product((0, 1), repeat=n))


def braid(n: int) -> Table:
    """x_i = x_j in R^n: n! chambers (Stanley 2007)."""
    return graphical(n, combinations(range(n), 2))


def graphical(n: int, edges: Iterable[tuple[int, int]]) -> Table:
    """x_i = x_j for the edges: one chamber per acyclic orientation (Greene, Zaslavsky 1983)."""
    return central(unit(n, (i, 1), (j, -1)) for i, j in edges)


def complete_bipartite(a: int, b: int) -> Table:
    """Graphical arrangement of K_(a,b). OEIS A048163 for a = b (poly-Bernoulli numbers)."""
    return graphical(a + b, product(range(a), range(a, a + b)))


def type_b(n: int) -> Table:
    """x_i = 0, x_i = x_j, x_i = -x_j: 2^n n! (order of the Weyl group; Humphreys 1990)."""
    return central([unit(n, (i, 1)) for i in range(n)] + type_d(n)[0])


def type_d(n: int) -> Table:
    """x_i = x_j, x_i = -x_j: 2^(n - 1) n! (order of the Weyl group)."""
    pairs = combinations(range(n), 2)
    return central(unit(n, (i, 1), (j, s)) for i, j in pairs for s in (-1, 1))


def type_f4() -> Table:
    """Roots of F4, doubled: 1152 (order of the Weyl group)."""
    short = [unit(4, (i, 2)) for i in range(4)]
    half = [[1, *v] for v in product((-1, 1), repeat=3)]
    return central(short + half + [[2 * v for v in row] for row in type_d(4)[0]])


def type_e8() -> Table:
    """Roots of E8, doubled: 696,729,600 (order of the Weyl group)."""
    half = [[1, *v] for v in product((-1, 1), repeat=7) if sum(x < 0 for x in v) % 2 == 0]
    return central([[2 * v for v in row] for row in type_d(8)[0]] + half)


def type_e7() -> Table:
    """Roots of E8 that are orthogonal to one root: 2,903,040."""
    return central(row for row in type_e8()[0] if row[0] == row[1])


def type_e6() -> Table:
    """Roots of E8 that are orthogonal to a root system A2: 51,840."""
    return central(row for row in type_e8()[0] if row[0] == row[1] == row[2])


def deformation(n: int, constants: Iterable[int], ordered: bool) -> Table:
    """x_i - x_j = c for the constants, over i < j or over all ordered pairs."""
    pairs = list(permutations(range(n), 2) if ordered else combinations(range(n), 2))
    rows = [(unit(n, (i, 1), (j, -1)), -c) for i, j in pairs for c in constants]
    return [row for row, _ in rows], [offset for _, offset in rows]


def shi(n: int) -> Table:
    """x_i - x_j = 0, 1 for i < j: (n + 1)^(n - 1) (Shi 1986)."""
    return deformation(n, (0, 1), False)


def catalan(n: int) -> Table:
    """x_i - x_j = -1, 0, 1: n! times the Catalan number (Postnikov, Stanley 2000)."""
    return deformation(n, (-1, 0, 1), False)


def linial(n: int) -> Table:
    """x_i - x_j = 1 for i < j. OEIS A007889 (Postnikov, Stanley 2000)."""
    return deformation(n, (1,), False)


def semiorder(n: int) -> Table:
    """x_i - x_j = 1 for i != j. OEIS A006531 (Stanley 1996)."""
    return deformation(n, (1,), True)


def cross_polytope(n: int) -> Table:
    """Normals (1, +-e_i): 2 * 3^n - 2^n, by the sizes of |x_i| against |x_0| (direct count)."""
    return central([1, *unit(n, (i, s))] for i in range(n) for s in (-1, 1))


def demicube(n: int) -> Table:
    """Normals (1, v), v in {0, 1}^n with an even number of ones.

    Numbers: Brysiewicz, Eble, Kuehne 2021 (arXiv 2105.14542).
    """
    return central((1, *v) for v in product((0, 1), repeat=n) if sum(v) % 2 == 0)


def permutohedron(n: int) -> Table:
    """Normals: all permutations of 1, ..., n (vertices of the permutohedron)."""
    return central(permutations(range(1, n + 1)))


def grid(sizes: Iterable[int]) -> Table:
    """Parallel hyperplanes x_i = 0, 1, ...: product of (size + 1)."""
    sizes = list(sizes)
    rows = [(unit(len(sizes), (i, 1)), -k) for i, size in enumerate(sizes) for k in range(size)]
    return [row for row, _ in rows], [offset for _, offset in rows]


def moment_curve(n: int, d: int) -> Table:
    """Normals (t, ..., t^d), offset 1: general position, as Vandermonde determinants say."""
    return [[t**k for k in range(1, d + 1)] for t in range(1, n + 1)], [1] * n


def moment_curve_central(n: int, d: int) -> Table:
    """Normals (1, t, ..., t^(d - 1)): central general position."""
    return central([t**k for k in range(d)] for t in range(1, n + 1))


def bundles(sizes: list[int], d: int) -> Table:
    """Bundles of parallel hyperplanes with normals on the moment curve and generic offsets."""
    normals, offsets = [], []
    for t, size in enumerate(sizes, 1):
        for k in range(size):
            normals.append([t**j for j in range(d)])
            offsets.append(7 ** (3 * t) + 11 ** (2 * k) * 5**t)
    return normals, offsets


def random_integers(rng: np.random.Generator, n: int, d: int, size: int = 2) -> Table:
    """Small integers: zero, equal, opposite and parallel rows are common."""
    table = rng.integers(-size, size + 1, size=(n, d + 1))
    return table[:, :d].tolist(), table[:, d].tolist()


def nearly_simple(seed: int, n: int = 13, d: int = 5) -> Table:
    """Random hyperplanes, the last d + 1 of which meet in a point or have dependent normals."""
    rng = np.random.default_rng(seed)
    normals = rng.integers(-99, 100, size=(n, d))
    offsets = rng.integers(-99, 100, size=n)
    if seed % 2:
        offsets[-d - 1 :] = -normals[-d - 1 :] @ rng.integers(-3, 4, size=d)
    else:
        normals[-1] = normals[-d:-1].sum(axis=0)
    return normals.tolist(), offsets.tolist()


def _bundle_chambers(sizes: list[int], d: int) -> int:
    """Sum over the choices of at most d bundles of the products of their sizes (Zaslavsky 1975)."""
    elementary = [1] + [0] * d
    for size in sizes:
        for k in range(d, 0, -1):
            elementary[k] += elementary[k - 1] * size
    return sum(elementary)


# name -> (generator, chambers). The numbers are published or closed formulas; none was computed
# by the engines under test.
SMALL: dict[str, tuple[Callable[[], Table], int]] = {
    "resonance_2": (lambda: resonance(2), 6),
    "resonance_3": (lambda: resonance(3), 32),
    "resonance_4": (lambda: resonance(4), 370),
    "resonance_5": (lambda: resonance(5), 11_292),
    "threshold_2": (lambda: threshold(2), 14),
    "threshold_3": (lambda: threshold(3), 104),
    "threshold_4": (lambda: threshold(4), 1_882),
    "braid_4": (lambda: braid(4), factorial(4)),
    "braid_6": (lambda: braid(6), factorial(6)),
    "B_3": (lambda: type_b(3), 48),
    "B_4": (lambda: type_b(4), 384),
    "D_4": (lambda: type_d(4), 192),
    "D_5": (lambda: type_d(5), 1_920),
    "F_4": (type_f4, 1_152),
    "shi_3": (lambda: shi(3), 16),
    "shi_5": (lambda: shi(5), 6**4),
    "catalan_3": (lambda: catalan(3), 30),
    "catalan_4": (lambda: catalan(4), 336),
    "linial_4": (lambda: linial(4), 36),
    "linial_5": (lambda: linial(5), 246),
    "semiorder_3": (lambda: semiorder(3), 19),
    "semiorder_4": (lambda: semiorder(4), 183),
    "semiorder_5": (lambda: semiorder(5), 2_371),
    "K_33": (lambda: complete_bipartite(3, 3), 230),
    "K_44": (lambda: complete_bipartite(4, 4), 6_902),
    "cross_polytope_5": (lambda: cross_polytope(5), 454),
    "cross_polytope_6": (lambda: cross_polytope(6), 1_394),
    "demicube_4": (lambda: demicube(4), 146),
    "demicube_5": (lambda: demicube(5), 3_756),
    "grid_345": (lambda: grid([3, 4, 5]), 120),
    "grid_1111111": (lambda: grid([1] * 7), 128),
    "bundles_3221_2": (lambda: bundles([3, 2, 2, 1], 2), _bundle_chambers([3, 2, 2, 1], 2)),
    "bundles_32222_3": (lambda: bundles([3, 2, 2, 2, 2], 3), _bundle_chambers([3, 2, 2, 2, 2], 3)),
    "moment_12_3": (lambda: moment_curve(12, 3), sum(comb(12, k) for k in range(4))),
    "moment_10_6": (lambda: moment_curve(10, 6), sum(comb(10, k) for k in range(7))),
    "moment_central_11_4": (
        lambda: moment_curve_central(11, 4), 2 * sum(comb(10, k) for k in range(4)),
    ),
}  # fmt: skip

LARGE: dict[str, tuple[Callable[[], Table], int]] = {
    "resonance_6": (lambda: resonance(6), 1_066_044),
    "threshold_5": (lambda: threshold(5), 94_572),
    "braid_8": (lambda: braid(8), factorial(8)),
    "B_6": (lambda: type_b(6), 2**6 * factorial(6)),
    "D_6": (lambda: type_d(6), 2**5 * factorial(6)),
    "E_6": (type_e6, 51_840),
    "E_7": (type_e7, 2_903_040),
    "shi_7": (lambda: shi(7), 8**6),
    "catalan_6": (lambda: catalan(6), factorial(6) * 132),
    "linial_7": (lambda: linial(7), 21_652),
    "K_55": (lambda: complete_bipartite(5, 5), 329_462),
    "cross_polytope_9": (lambda: cross_polytope(9), 38_854),
    "demicube_6": (lambda: demicube(6), 291_558),
    "moment_40_4": (lambda: moment_curve(40, 4), sum(comb(40, k) for k in range(5))),
}

# Counted, not listed.
COUNTED: dict[str, tuple[Callable[[], Table], int]] = {
    "resonance_7": (lambda: resonance(7), 347_326_352),
    "threshold_6": (lambda: threshold(6), 15_028_134),
    "E_8": (type_e8, 696_729_600),
    "braid_10": (lambda: braid(10), factorial(10)),
    "demicube_7": (lambda: demicube(7), 74_656_464),
    "cross_polytope_12": (lambda: cross_polytope(12), 1_058_786),
}
