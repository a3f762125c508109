# SPDX-License-Identifier: MIT
"""Closed formulas against values that independent exact scripts computed."""

from __future__ import annotations

from functools import partial
from itertools import pairwise, product
from math import comb, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linear_regions import reference
from linear_regions._bounds import activity, histogram
from linear_regions._bounds import fully_connected as dense
from linear_regions._bounds.activity import few_inactive, hinz_2021
from linear_regions._bounds.big import EXACT_BITS, binomial_sum_up, is_exact
from linear_regions._bounds.big import product as big_product
from linear_regions._bounds.folding import Layer, dense_folding, folds, spread
from linear_regions._bounds.histogram import Link, chain_bound, ranks_in_reach, serra_2018
from linear_regions._bounds.windows import (
    consistent_winners,
    maxout_pieces,
    pooling_pieces,
    winners_are_exact,
)
from linear_regions._one_layer.windows import binomial_sum
from linear_regions.layers import MaxPool

# Input dimension, widths; then Pascanu 2013, Montufar 2014 (lower), Serra 2018 (lower; None where
# its precondition fails), Serra 2018 (upper), Montufar 2017 (upper), 2^units.
TABLE = [
    (1, (3, 3), 12, 12, 16, 16, 16, 64),
    (2, (4, 4), 22, 44, None, 121, 121, 256),
    (2, (6, 6), 66, 198, 352, 484, 484, 4096),
    (3, (4, 4, 4), 15, 15, None, 1631, 3375, 4096),
    (2, (8, 8, 8), 592, 9472, 23_125, 50_653, 50_653, 16_777_216),
    (4, (2, 6), 0, 0, None, 37, 88, 256),
]


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_fully_connected_table(row):
    dim, widths, pascanu, montufar, serra_low, serra, montufar_up, everything = row
    assert dense.pascanu_2013(dim, widths) == pascanu
    assert dense.montufar_2014(dim, widths) == montufar
    if serra_low is not None:
        assert dense.serra_2018_lower(dim, widths) == serra_low
    assert serra_2018(dim, widths) == serra
    assert dense.montufar_2017(dim, widths) == montufar_up
    assert dense.trivial(sum(widths)) == everything


def test_arora_and_telgarsky():
    # n_0, m, width of the other layers, number of layers.
    for dim, m, width, depth, value in [(2, 3, 3, 2, 18), (2, 4, 4, 3, 128), (3, 4, 2, 2, 28)]:
        assert dense.arora_2018(dim, [2 * m] + [width] * (depth - 1)) == value
    assert dense.telgarsky_upper([3, 3]) == 36


def serra_by_sum(dim, widths):
    """Theorem 1 of Serra et al. 2018, word for word."""

    def rest(layer, room):
        if layer == len(widths):
            return 1
        n = widths[layer]
        return sum(comb(n, j) * rest(layer + 1, min(room, n - j)) for j in range(min(room, n) + 1))

    return rest(0, dim)


@given(st.integers(1, 6), st.lists(st.integers(1, 7), min_size=1, max_size=4))
def test_histogram_equals_the_sum_of_serra(dim, widths):
    assert serra_2018(dim, widths) == serra_by_sum(dim, widths)
    assert serra_2018(dim, widths) <= dense.montufar_2017(dim, widths)
    assert dense.montufar_2014(dim, widths) <= serra_2018(dim, widths)


def chain_by_histogram(dim, widths, gamma):
    """Push a histogram of ranks forward: the framework of Hinz and van de Geer 2019."""
    histogram = {dim: 1}
    for m in widths:
        following = {}
        for rank, times in histogram.items():
            n = min(rank, m)
            for active, regions in enumerate(gamma(n, m)):
                image = min(n, active)
                following[image] = following.get(image, 0) + times * regions
        histogram = following
    return sum(histogram.values())


def test_histogram_framework():
    def serra(n, m):
        return [comb(m, m - active) if m - active <= n else 0 for active in range(m + 1)]

    def all_active(n, m):
        return [0] * m + [sum(comb(m, j) for j in range(n + 1))]

    for dim, widths, *_ in TABLE:
        assert chain_by_histogram(dim, widths, serra) == serra_2018(dim, widths)
        assert chain_by_histogram(dim, widths, all_active) == dense.montufar_2017(dim, widths)

    # The sharper tables of Hinz 2021 for one and two dimensions.
    def hinz(n, m):
        return activity.gamma(n, m, activity.hinz_2021)

    assert hinz(1, 3) == [0, 1, 2, 1]
    assert hinz(1, 4) == [0, 0, 2, 2, 1]
    assert hinz(2, 3) == [0, 3, 3, 1]
    assert hinz(2, 4) == [0, 2, 4, 4, 1]
    assert hinz(2, 5) == [0, 0, 5, 5, 5, 1]
    assert hinz(2, 6) == [0, 0, 3, 6, 6, 6, 1]
    assert chain_by_histogram(2, (4, 4), hinz) == 109
    assert chain_by_histogram(2, (6, 6), hinz) == 484
    assert chain_by_histogram(1, (3, 3), hinz) == 16
    for dim, widths, *_ in TABLE:
        links = [Link(m, partial(binomial_sum, m), True, dim) for m in widths]
        follow = [chain_bound(dim, links, few) for few in (activity.serra, hinz_2021, few_inactive)]
        assert follow[0] == serra_2018(dim, widths)
        assert follow[0] >= follow[1] >= follow[2]
        if dim <= 2:
            assert follow[1] == chain_by_histogram(dim, widths, hinz)


def test_entries_of_the_tables_that_can_matter_are_proved():
    # Behind a layer of rank n only tails up to n active units count.
    for m in range(1, 40):
        for n in (1, 2):
            for active in range(min(n, m) + 1):
                total = binomial_sum(m, n)
                proved = min(total, few_inactive(n, m, m - active))
                assert proved == min(total, hinz_2021(n, m, m - active))


@pytest.mark.parametrize(
    ("n", "m"), [(1, 2), (1, 5), (2, 3), (2, 4), (2, 5), (2, 6), (3, 4), (3, 5)]
)
def test_cells_with_few_inactive_units(n, m):
    rng = np.random.default_rng([n, m])
    most = [0] * m
    for _ in range(3):
        normals = rng.integers(-99, 100, size=(m, n)).tolist()
        offsets = rng.integers(-99, 100, size=m).tolist()
        vectors = np.array([signs for signs, _ in reference.chambers(normals, offsets)]) > 0
        for signs in product((False, True), repeat=m):
            inactive = (vectors != np.array(signs)).sum(axis=1)
            for c in range(m):
                most[c] = max(most[c], int((inactive <= c).sum()))
    limits = [few_inactive(n, m, c) for c in range(m)]
    assert all(found <= limit for found, limit in zip(most, limits, strict=True)), (most, limits)
    if n in (1, m - 1, m - 2):  # the proved exact values, and these are small enough to be met
        assert most == limits


def test_chain_without_flat_units_is_a_product():
    links = [Link(4, lambda rank: rank + 1, False, 3), Link(2, lambda rank: 10 * rank, False, 2)]
    assert chain_bound(5, links) == 4 * 20


def test_wide_chains_round_ranks_up():
    wide = [Link(m, partial(binomial_sum, m), True, 300) for m in (300, 280, 300, 260)]
    assert ranks_in_reach(300, wide)
    exact = chain_bound(300, wide)
    more = [Link(m, partial(binomial_sum, m), True, 300) for m in (300, 280, 300, 260)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(histogram, "_RANK_WORK", 0)
        assert not ranks_in_reach(300, more)
        rough = chain_bound(300, more)
    everything = prod(link.total(link.units) for link in wide)
    assert exact < rough < everything


def test_long_sums_are_rounded_up_a_little():
    n, top = 90_000, 20_000
    assert not is_exact(n, top)
    exact, above = binomial_sum(n, top), binomial_sum_up(n, top)
    assert exact <= above
    assert (above - exact) * 10**4 < exact
    assert is_exact(5000, 2000)
    assert binomial_sum_up(5000, 2000) == binomial_sum(5000, 2000)
    # Beyond the largest term, all of them; never less with more terms.
    values = [binomial_sum_up(n, top) for top in range(43_000, 47_000, 250)]
    assert values == sorted(values)
    assert values[-1] == 2**n
    assert above.bit_length() > EXACT_BITS


@given(st.lists(st.integers(0, 2**70), max_size=6))
def test_big_product_is_a_product(numbers):
    assert big_product(numbers) == prod(numbers)


# ---- folding ----


@given(st.integers(1, 40), st.integers(1, 12), st.sampled_from([0, 2, 3, 5]))
def test_all_units_are_spread(units, coordinates, rank):
    found = spread(units, coordinates, rank)
    assert sum(size * times for size, times in found) == units
    assert sum(times for _, times in found) == coordinates
    assert (folds(Layer(units, rank), coordinates) == 0) == (units < coordinates)


@given(st.integers(1, 4), st.lists(st.integers(1, 16), min_size=2, max_size=4))
def test_folding_is_above_the_published_lower_bounds(dim, widths):
    value, _ = dense_folding(dim, tuple(map(Layer, widths[:-1])), (widths[-1], 1))
    assert value <= serra_2018(dim, widths)
    if all(width >= dim for width in widths[:-1]):
        assert value >= dense.montufar_2014(dim, widths) >= dense.pascanu_2013(dim, widths)
    if all(width >= 3 * dim for width in widths):
        assert value >= dense.serra_2018_lower(dim, widths)


# ---- maxout: n_0, units, rank; lower and upper of 2014, Serra, sharp ----

MAXOUT = [
    (2, 2, 3, 9, 9, 22, 9),
    (2, 3, 3, 9, 27, 46, 19),
    (2, 4, 3, 9, 81, 79, 33),
    (3, 4, 2, 8, 16, 15, 15),
]


@pytest.mark.parametrize("row", MAXOUT, ids=str)
def test_one_maxout_layer(row):
    dim, units, rank, low, high, serra, sharp = row
    assert dense.maxout_2014_one_layer(dim, units, rank) == (low, high)
    assert dense.maxout_serra(dim, [units], rank) == serra
    assert dense.maxout_sharp(dim, [units], rank) == sharp
    assert maxout_pieces([(rank, units)], dim) == sharp


@pytest.mark.parametrize(
    ("dim", "widths", "rank", "low", "serra", "sharp"),
    [(2, (2, 2), 3, 27, 484, 81), (2, (2, 2, 2), 2, 16, 64, 64), (2, (4, 4), 3, 27, 6241, 1089)],
)
def test_deep_maxout(dim, widths, rank, low, serra, sharp):
    assert dense.maxout_2014_lower(dim, len(widths), rank) == low
    assert dense.maxout_serra(dim, widths, rank) == serra
    assert dense.maxout_sharp(dim, widths, rank) == sharp


def test_windows_of_several_sizes():
    # e_j of (1, 1, 2, 2, 2): 1, 8, 25, 38, 28, 8.
    windows = [(2, 2), (3, 3)]
    assert [maxout_pieces(windows, rank) for rank in range(7)] == [1, 9, 34, 72, 100, 108, 108]
    # Many windows: all count as the largest, never above all combinations.
    many = [(2, 500), (3, 500)]
    values = [maxout_pieces(many, rank) for rank in (1, 100, 150, 400, 999, 1000)]
    assert values == sorted(values)
    assert values[-1] == 2**500 * 3**500


# ---- max pooling of free inputs: choices of winners without a cycle ----


def axis(n, size, stride):
    return [tuple(range(start, start + size)) for start in range(0, n - size + 1, stride)]


@pytest.mark.parametrize(
    ("size", "stride", "values"),
    [
        (2, 1, {n: 2 ** (n - 1) for n in range(2, 9)}),
        (3, 1, dict(zip(range(3, 12), [3, 7, 16, 36, 81, 182, 409, 919, 2065], strict=True))),
        (4, 1, dict(zip(range(4, 11), [4, 10, 24, 56, 128, 292, 664], strict=True))),
        (4, 2, {4: 4, 6: 14, 8: 48}),
        (3, 2, {7: 27}),
    ],
)
def test_pooling_along_one_axis(size, stride, values):
    for n, value in values.items():
        assert consistent_winners(axis(n, size, stride)) == value


@pytest.mark.parametrize(
    ("shape", "size", "stride", "value"),
    [
        ((1, 2, 2), 2, 1, 4),
        ((1, 2, 3), 2, 1, 14),
        ((1, 2, 4), 2, 1, 48),
        ((1, 2, 5), 2, 1, 164),
        ((1, 3, 3), 2, 1, 150),
        ((1, 5, 5), 3, 2, 4801),
        ((1, 4, 4), 2, 2, 4**4),
        ((3, 4, 4), 2, 2, 4**12),
    ],
)
def test_pooling_in_the_plane(shape, size, stride, value):
    layer = MaxPool(size, stride)
    starts, entries, _ = layer.windows((1, *shape[1:]))
    windows = [tuple(entries[a:b].tolist()) for a, b in pairwise(starts.tolist())]
    assert consistent_winners(windows) ** shape[0] == value
    # In chunks it is an upper bound, and below all combinations.
    assert value <= pooling_pieces(shape, layer) <= prod(map(len, windows)) ** shape[0]


def test_pooling_in_a_larger_plane():
    layer = MaxPool(2, 1)
    assert winners_are_exact((1, 4, 4), layer)
    assert pooling_pieces((1, 4, 4), layer) == 45_696
    # a(m + 1) = 4 a(m) - 2 a(m - 1) for two rows, from 4 and 14 on.
    a, b = 4, 14
    for n in range(3, 60):
        assert pooling_pieces((1, 2, n), layer) == b
        a, b = b, 4 * b - 2 * a


def test_pooling_that_is_out_of_reach_is_counted_in_blocks():
    layer = MaxPool(2, 1)
    value = pooling_pieces((3, 30, 30), layer)
    assert not winners_are_exact((3, 30, 30), layer)
    # 8 x 8 blocks of at most 4 x 4 windows.
    assert value < 4 ** (29 * 29 * 3)
    assert value <= pooling_pieces((1, 5, 5), layer) ** (64 * 3)
    assert winners_are_exact((2, 1000), MaxPool(3, 1))
