# SPDX-License-Identifier: MIT
"""The compiled one-layer counts against plain Python, brute force and known numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import permutations, product
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import linear_regions as lr
from helpers import layer_maximum as maximum
from helpers import layer_part as part_of
from linear_regions import reference
from linear_regions._one_layer import exact
from linear_regions._one_layer.compiled import (
    Control,
    frontier_values,
)
from linear_regions._one_layer.draws import OutOfReach
from linear_regions._one_layer.frontier import frontier_count, swept
from linear_regions._one_layer.matching import matching_nodes, matching_sizes
from linear_regions._one_layer.multiset import shared_orbits, shared_rows, tuple_table
from linear_regions._one_layer.parts import evaluate
from linear_regions._one_layer.residues import (
    from_residues,
    is_prime,
    large_primes,
    random_prime,
)
from linear_regions._one_layer.tuples import filter_tuples
from linear_regions._one_layer.windows import one_layer

MERSENNE = 2**61 - 1


# ---- free weights: known values, computed by independent code ----

FRONTIER = [
    ((1, 6, 6), 64, 2, {}, 71.6909455400, 1819013381874108675),
    ((1, 7, 7), 64, 2, {}, 99.1004749800, 319548606197644549),
    ((1, 8, 8), 64, 2, {}, 130.9199740608, 560690781531111731),
    ((1, 6, 6), 64, 3, {}, 66.1903891549, 1857305022254214939),
    ((1, 7, 7), 64, 3, {}, 93.3071883064, 908488636001432888),
    ((1, 50, 6), 64, 3, {}, 606.9910359920, None),
    ((3, 5, 5), 64, 3, {}, 95.5074021698, None),
    ((1, 11, 11), 64, 3, {"stride": 2}, 182.5188234896, None),
    ((1, 5, 5), 64, 3, {"padding": 1}, 54.7442570317, None),
    ((1, 6, 6), 64, 3, {"padding": 1}, 79.2258597828, None),
    ((1, 8, 8), 6, 5, {}, 28.8987323855, None),
]
FRONTIER_SLOW = [
    ((1, 9, 9), 64, 2, {}, 167.1504977233, 1829487380944664460),
    ((1, 8, 8), 64, 3, {}, 124.8500870065, 1915572852896228550),
    ((1, 200, 6), 64, 3, {}, 2449.4981746286, None),
    ((3, 6, 6), 64, 2, {}, 169.4832945801, None),
]


def check_frontier(shape, filters, kernel, geometry, power, residue):
    count = maximum(shape, filters, kernel, weights="free", **geometry)
    assert count.method == "frontier"
    assert (count.kind, count.arithmetic, count.error_probability) == ("exact", "certified", 0.0)
    assert count.log10 == pytest.approx(power, abs=1e-9)
    if residue is not None:
        assert int(count) % MERSENNE == residue


@pytest.mark.parametrize("case", FRONTIER, ids=str)
def test_frontier_gives_the_known_values(case):
    check_frontier(*case)


@pytest.mark.slow
@pytest.mark.parametrize("case", FRONTIER_SLOW, ids=str)
def test_frontier_gives_the_known_values_of_larger_layers(case):
    check_frontier(*case)


FRONTIER_RUN = """
import json, sys
import linear_regions as lr
from linear_regions import _core
from linear_regions._one_layer.compiled import frontier_values
from linear_regions._one_layer.tuples import filter_tuples
from linear_regions._one_layer.windows import one_layer
found = []
for shape, filters, kernel in json.loads(sys.argv[1]):
    ((part, _),) = one_layer(tuple(shape), lr.ConvSpec(filters, kernel)).parts
    values, work = frontier_values(part, [1, -2])
    found.append([[str(v) for v in values], work["insertions"], work["states"]])
print(json.dumps([_core.build_info()["simd"], found]))
"""


def test_frontier_is_the_same_with_and_without_vector_instructions():
    # The last but one has vectors of 16 bits, the last is a strip whose rows come back.
    layers = [[[1, 6, 6], 64, 3], [[2, 4, 4], 5, 2], [[90, 3, 3], 3, 2], [[1, 24, 5], 64, 3]]
    found = {}
    for simd in ("generic", "avx2"):
        run = subprocess.run(
            [sys.executable, "-c", FRONTIER_RUN, json.dumps(layers)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "LINEAR_REGIONS_SIMD": simd},
        )
        name, found[simd] = json.loads(run.stdout)
        assert name == "generic" or simd == "avx2"
    assert found["generic"] == found["avx2"]


@pytest.mark.parametrize("length", [7, 12, 19])
def test_long_strips_equal_plain_python(length):
    part = part_of((1, length, 4), 9, (2, 3))
    values, _ = frontier_values(part, [1, 2, -1])
    assert values == [frontier_count(part, point) for point in (1, 2, -1)]


def test_frontier_goes_on_in_one_pass_where_no_step_comes_back():
    # 14 million transitions: more than are recorded; the residue is of independent code.
    part = part_of((1, 9, 9), 64, 2)
    (value,), work = frontier_values(part, [1])
    assert value % MERSENNE == 1829487380944664460
    assert work["insertions"] == 14129320


def test_frontier_takes_the_shorter_side_whatever_the_order_of_the_axes():
    spec, turned = lr.ConvSpec(64, (3, 2)), lr.ConvSpec(64, (2, 3))
    tall = lr.one_layer_maximum((1, 30, 5), spec, weights="free")
    wide = lr.one_layer_maximum((1, 5, 30), turned, weights="free")
    assert int(tall) == int(wide)


# ---- the core against plain Python and against brute force ----

SMALL = {
    "height": st.integers(1, 4),
    "width": st.integers(1, 5),
    "kernel": st.tuples(st.integers(1, 3), st.integers(1, 3)),
    "stride": st.tuples(st.integers(1, 2), st.integers(1, 2)),
    "padding": st.tuples(st.integers(0, 1), st.integers(0, 2)),
    "dilation": st.integers(1, 2),
    "channels": st.integers(1, 3),
    "filters": st.integers(1, 6),
}


def small_parts(height, width, kernel, stride, padding, dilation, channels, filters):
    try:
        spec = lr.ConvSpec(filters, kernel, stride, padding, dilation)
        return [part for part, _ in one_layer((channels, height, width), spec).parts]
    except lr.InvalidInput:
        return []


@settings(max_examples=150)
@given(**SMALL)
def test_core_frontier_equals_plain_python_and_matching(**layer):
    for part in small_parts(**layer):
        if part.n_positions > 12:
            continue
        points = (-2, -1, 1, 3)
        values, work = frontier_values(part, points)
        assert work["max_states"] >= 1
        if part.n_positions <= 9:
            assert values == [frontier_count(part, point) for point in points]
        if matching_nodes(part) <= 3000:
            sizes = matching_sizes(part)
            assert values == [evaluate(sizes, point) for point in points]


@settings(max_examples=20)
@given(
    sizes=st.tuples(st.integers(2, 3), st.integers(2, 3), st.integers(2, 4)),
    kernel=st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(1, 2)),
    padding=st.integers(0, 1),
    channels=st.integers(1, 2),
    filters=st.integers(1, 3),
)
def test_core_frontier_equals_plain_python_in_three_axes(sizes, kernel, padding, channels, filters):
    padding = tuple(padding if k > 1 and s == 2 else 0 for k, s in zip(kernel, sizes, strict=True))
    spec = lr.ConvSpec(filters, kernel, 1, padding)
    for part, _ in one_layer((channels, *sizes), spec).parts:
        if part.n_positions > 12:
            continue
        (value,), _ = frontier_values(part, [1])
        assert value == frontier_count(part)


def test_three_axes_with_a_single_window_in_one_are_two_axes():
    flat = maximum((2, 4, 4), 4, 2, weights="free")
    deep = maximum((1, 2, 4, 4), 4, 2, weights="free")
    assert int(flat) == int(deep)


def test_symmetries_map_windows_to_windows():
    windows, symmetries = swept(part_of((1, 4, 4, 5), 2, 2))
    assert len(symmetries) == 7  # of the square across the sweep, without the identity
    for image in symmetries:
        assert {frozenset(image[i] for i in window) for window in windows} == set(windows)


@pytest.mark.parametrize(("shape", "group"), [((1, 4, 4), 8), ((1, 3, 4), 4), ((1, 4), 2)])
def test_orbits_of_window_sets_are_those_of_the_images_of_every_set(shape, group):
    part = part_of(shape, 2, 2)
    sides = [size - 1 for size in shape[1:]]
    grid = np.arange(part.n_positions).reshape(sides)
    images = {tuple(turned.reshape(-1).tolist()) for turned in turns(grid)}
    assert len(images) == group
    orbits = {}
    for mask in range(1, 1 << grid.size):
        orbit = {sum(1 << image[i] for i in range(grid.size) if mask >> i & 1) for image in images}
        orbits[max(orbit)] = len(orbit)
    assert shared_orbits(part) == orbits


def turns(grid):
    for axes in permutations(range(grid.ndim)):
        turned = grid.transpose(axes)
        if turned.shape == grid.shape:
            for flipped in product((False, True), repeat=grid.ndim):
                yield np.flip(turned, [axis for axis, flip in enumerate(flipped) if flip])


@settings(max_examples=60)
@given(**SMALL)
def test_core_filter_tuples_equal_plain_python(**layer):
    rng = np.random.default_rng(17)
    for part in small_parts(**layer):
        try:
            if part.n_positions > 6 or exact.shared_sets_bound(part) > 3000:
                continue
        except OutOfReach:
            continue
        prime = random_prime(rng)
        filters = min(part.filters, part.rank_limit)
        seed = int(rng.integers(1 << 30))
        table, _ = tuple_table(part, filters, prime, np.random.default_rng(seed), 10**6)
        rows = shared_rows(part, filters, prime, np.random.default_rng(seed), bias=True)
        assert filter_tuples(part, rows, prime, True, Control(), 10**7)[0] == table


def test_dependent_rows_through_one_point_are_refused_also_at_full_rank():
    # One input, two filters: a spanning circuit of two rows. Equal ratios of bias to weight.
    part = part_of((1, 1), 2, 1)
    prime = large_primes(2)[1]
    with pytest.raises(OutOfReach):
        filter_tuples(part, [[[2, 4]], [[3, 6]]], prime, True, Control(), 10**6)
    table, _ = filter_tuples(part, [[[2, 4]], [[3, 5]]], prime, True, Control(), 10**6)
    assert table == [[1, 0], [0, 1]] + ([[0, 0]] if len(table) == 3 else [])
    filter_tuples(part, [[[2, 4]], [[3, 6]]], prime, False, Control(), 10**6)


# ---- shared weights: the true values ----


def test_three_filters_where_filters_commute():
    count = maximum((1, 4, 4), 3, 2)
    assert (int(count), count.related["published formula"].value) == (108_359_232, 109_178_314)
    assert 0 < count.error_probability < 2.0**-60
    count = maximum((1, 5, 5), 3, 3)
    assert (int(count), count.related["published formula"].value) == (134_215_942, 134_217_700)


def test_more_layers_where_filters_commute():
    assert int(maximum((1, 4, 3), 3, 2)) == 243_651
    assert int(maximum((1, 5, 5), 2, 3)) == 262_143


def test_any_number_of_filters_of_a_small_layer():
    truths = [16, 255, 3998, 48903, 391966, 2202621, 9492820, 33533453, 101673148]
    for filters, truth in enumerate(truths, start=1):
        count = maximum((1, 3, 3), filters, 2)
        assert int(count) == truth
    # Beyond the rank the polynomial goes on: formula - d (d - 1) (4 d - 7) / 2.
    count = maximum((1, 3, 3), 64, 2)
    assert int(count) == count.related["published formula"].value - 64 * 63 * (4 * 64 - 7) // 2


@pytest.mark.parametrize(
    ("shape", "filters", "kernel", "value"),
    [
        ((1, 4, 4), 8, 3, 2_443_732_589),
        ((1, 4, 4), 16, 3, 697_439_518_852_233),
        ((2, 3, 3), 8, 2, 3_459_170_397),
        ((2, 3, 3), 18, 2, 52_954_738_726_839_808),
    ],
)
def test_a_draw_that_meets_the_formula_proves_it(shape, filters, kernel, value):
    count = maximum(shape, filters, kernel)
    assert (int(count), count.error_probability, count.method) == (value, 0.0, "multiset")
    assert count.related["published formula"].value == value
    assert "a draw of shared filters has as many" in count.reference


def test_sizes_of_independent_sets():
    spec = lr.ConvSpec
    assert lr.one_layer_sizes((1, 3, 3), spec(2, 2), rng=0) == (1, 8, 28, 56, 70, 56, 28, 8)
    assert lr.one_layer_sizes((1, 2, 2), spec(1, 2, padding=1), rng=0) == (1, 9, 36, 80, 97)
    assert lr.one_layer_sizes((1, 4, 4), spec(2, 2), rng=0) == (
        1, 18, 153, 816, 3060, 8568, 18564, 31824, 43754, 48580, 43578, 31328, 17632, 7340, 1892,
    )  # fmt: skip
    assert lr.one_layer_sizes((1, 4, 4), spec(3, 2), rng=0) == (
        1, 27, 351, 2925, 17550, 80730, 296010, 888030, 2220063, 4686575, 8433693, 13020573,
        17299859, 19734921, 19051152, 14851096, 7775676,
    )  # fmt: skip
    assert lr.one_layer_sizes((1, 3), spec(3, 2)) == (1, 6, 15, 18)
    # Groups multiply.
    grouped = lr.one_layer_sizes((2, 3), spec(6, 2, groups=2))
    assert grouped == tuple(np.convolve((1, 6, 15, 18), (1, 6, 15, 18)))


def test_free_sizes_by_interpolation_equal_the_search():
    part = part_of((1, 4, 3), 3, 2)
    assert list(lr.one_layer_sizes((1, 4, 3), lr.ConvSpec(3, 2), weights="free")) == [
        size for size in matching_sizes(part) if size
    ]


def test_bounded_regions():
    # T(0, 1) of the matroid: 8 and 1 of 40 and 15.
    assert int(lr.one_layer_bounded((1, 3), lr.ConvSpec(3, 2))) == 8
    assert int(lr.one_layer_bounded((1, 3), lr.ConvSpec(2, 2))) == 1
    for weights in ("shared", "free"):
        for k in (1, 2):
            count = lr.one_layer_bounded(
                (1, 3, 3), lr.ConvSpec(3, 2), weights=weights, breakpoints=k, rng=0
            )
            sizes = lr.one_layer_sizes((1, 3, 3), lr.ConvSpec(3, 2), weights=weights, rng=0)
            assert int(count) == abs(evaluate(sizes, -k))
    # As many neurons as inputs at most: nothing is bounded.
    assert int(lr.one_layer_bounded((1, 3, 3), lr.ConvSpec(1, 2))) == 0


def test_biases_of_every_kind_give_the_same_number():
    for bias in ("shared", "free"):
        assert int(maximum((1, 3, 3), 3, 2, bias=bias)) == 3998
    assert int(maximum((1, 3, 3), 3, 2, bias="none", breakpoint_at_zero=False)) == 3998


# ---- chambers of generic layers by rational linear programs ----


@pytest.mark.parametrize(
    ("shape", "filters", "kernel", "geometry", "shared"),
    [
        ((1, 3), 3, 2, {}, True),
        ((1, 4), 2, 3, {"padding": 1}, True),
        ((2, 3), 2, 2, {}, True),
        ((1, 2, 3), 2, 2, {}, True),
        ((1, 2, 2), 1, 2, {"padding": 1}, True),
        ((1, 2, 2), 1, 2, {"padding": 1}, False),
    ],
)
def test_chambers_of_a_random_layer_are_the_maximum(shape, filters, kernel, geometry, shared):
    spec = lr.ConvSpec(filters, kernel, **geometry)
    rng = np.random.default_rng(11)
    normals, offsets = [], []
    for part, times in one_layer(shape, spec).parts:
        assert times == 1
        positions = part.positions()
        places = sorted({place for entries in positions for _, place in entries})
        for _ in range(filters):
            bias = int(rng.integers(-999, 999))
            weight = rng.integers(-999, 999, (len(places), part.channels))
            for entries in positions:
                row = np.zeros((part.n_inputs // part.channels, part.channels), dtype=int)
                for slot, place in entries:
                    own = weight[places.index(place)]
                    row[slot] = own if shared else rng.integers(-999, 999, part.channels)
                normals.append(row.reshape(-1).tolist())
                offsets.append(bias)
    expected = maximum(shape, filters, kernel, weights="shared" if shared else "free", **geometry)
    assert len(reference.sign_vectors(normals, offsets)) == int(expected)


# ---- residues ----


def test_integers_come_back_from_their_residues():
    primes = large_primes(12)
    rng = np.random.default_rng(2)
    assert primes[0] == MERSENNE
    assert len(set(primes)) == 12
    for _ in range(20):
        value = int.from_bytes(rng.bytes(80), "little") - (1 << 639)
        residues = [value % prime for prime in primes]
        assert from_residues(residues, primes, signed=True) == value


def test_primality():
    sieve = [n for n in range(2000) if n > 1 and all(n % i for i in range(2, n))]
    assert [n for n in range(2000) if is_prime(n)] == sieve
    assert not is_prime(3_215_031_751)  # a strong pseudoprime to the bases 2, 3, 5, 7
    prime = random_prime(np.random.default_rng(1))
    assert 2**60 < prime < 2**61
    assert is_prime(prime)


def test_bound_of_multisets_is_no_smaller_than_the_listing():
    part = part_of((1, 3, 3), 3, 2)
    # All triples of at most 9 rows: every listed tuple is one of them.
    assert exact.shared_sets_bound(part) >= 6 * comb(4, 2)
    rng = np.random.default_rng(0)
    rows = shared_rows(part, 3, large_primes(2)[1], rng, bias=True)
    _, nodes = filter_tuples(part, rows, large_primes(2)[1], True, Control(), 10**6)
    assert nodes < 4 * exact.shared_sets_bound(part) + 100


@pytest.mark.parametrize("layer", [((1, 3, 3), 3, 2), ((1, 4, 4), 2, 3), ((2, 4, 4), 3, 2)])
def test_bound_of_multisets_is_given_up_only_above_what_is_asked(layer):
    part = part_of(*layer)
    bound = exact.shared_sets_bound(part)
    assert exact.shared_sets_bound(part, bound) == bound
    with pytest.raises(OutOfReach):
        exact.shared_sets_bound(part, bound - 1)


def test_many_filters_are_out_of_reach_after_few_of_them(monkeypatch):
    """With all 200 rows of this layer the bound alone took most of a minute."""
    caps, real = [], exact._sets_bound
    monkeypatch.setattr(exact, "_sets_bound", lambda part, cap: caps.append(cap) or real(part, cap))
    with pytest.raises(OutOfReach):
        exact.shared_sets_bound(part_of((8, 8, 8), 4000, 5), exact.AUTO.sets)
    assert max(caps) <= 32
