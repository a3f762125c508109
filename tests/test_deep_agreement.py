# SPDX-License-Identifier: MIT
"""Regions in three to ten dimensions: methods that share no search find the same ones.

The cone engine is compared with the tree of linear programs, with the sign tree of arrangements,
with HiGHS and with rational geometry: sets of patterns, points, volumes, neighbours and samples.
"""

from __future__ import annotations

from fractions import Fraction
from math import comb
from typing import Any

import numpy as np
import pytest

import draws
import helpers
import linear_regions as lr
import strategies
from linear_programs import patterns_by_programs
from linear_regions import _core, reference
from linear_regions._exact_facets import match_exactly
from linear_regions._frame import domain_frame
from linear_regions._lower import frame_of, program
from linear_regions.reference.domains import frame

BOX = lr.Box(-1.0, 1.0)


def place(half: float | None) -> lr.Domain:
    return lr.Space() if half is None else lr.Box(-half, half)


def he_normal(widths: list[int], seed: int) -> lr.Network:
    return strategies.mlp_of(widths, np.random.default_rng([seed, *widths]))


def table_of(method: str, net: lr.Network, domain: lr.Domain, threads: int = 1) -> np.ndarray:
    """Return the packed patterns that a method of the core lists, in its order."""
    where = frame_of(domain_frame(domain, net.input_shape))
    engine = {"cones": _core.list_cones, "tree": _core.list_tree}[method]
    answer = engine(program(net), where, True, threads, None, None, None, False)
    assert answer["status"] == "complete"
    return np.asarray(answer["columns"]()["patterns"])


def in_word_order(patterns: np.ndarray) -> np.ndarray:
    """Return the rows in word order; no two are equal."""
    ordered = np.unique(patterns, axis=0)
    assert len(ordered) == len(patterns), "a pattern was listed twice"
    return ordered


# --- dense networks ------------------------------------------------------------------------------

QUICK, SLOW = (), (pytest.mark.slow,)


def dense_cases() -> list[Any]:
    cases = [
        ([3, 16, 16, 1], 1.0, 3, QUICK),
        ([3, 16, 16, 1], None, 2, QUICK),
        ([3, 32, 32, 1], 1.0, 1, QUICK),
        ([3, 32, 32, 1], None, 3, SLOW),
        ([4, 16, 16, 1], 1.0, 1, QUICK),
        ([4, 16, 16, 1], None, 3, SLOW),
        ([5, 20, 1], 1.0, 2, QUICK),
        ([5, 20, 1], None, 1, QUICK),
        ([6, 16, 16, 1], 0.25, 1, QUICK),
        ([6, 16, 16, 1], 1.0, 2, SLOW),
        ([6, 16, 16, 1], None, 2, SLOW),
        ([8, 16, 8, 1], 0.125, 1, QUICK),
        ([8, 16, 8, 1], 1.0, 2, SLOW),
        ([8, 16, 8, 1], None, 2, SLOW),
        ([10, 12, 1], 0.25, 1, QUICK),
        ([10, 24, 1], 0.25, 1, SLOW),
    ]
    return [
        pytest.param(widths, half, seed, marks=marks, id=f"{widths}-{half}-{seed}")
        for widths, half, seeds, marks in cases
        for seed in range(seeds)
    ]


@pytest.mark.parametrize(("widths", "half", "seed"), dense_cases())
def test_cones_and_the_tree_of_programs_list_the_same_patterns(widths, half, seed) -> None:
    net, domain = he_normal(widths, seed), place(half)
    one, other = (in_word_order(table_of(method, net, domain)) for method in ("cones", "tree"))
    np.testing.assert_array_equal(one, other)
    assert int(lr.count(net, domain, method="cones", threads=1)) == len(one)


@pytest.mark.parametrize(
    ("widths", "seeds"),
    [
        ([5, 20, 1], 3),
        ([8, 16, 1], 3),
        ([10, 15, 1], 2),
        pytest.param([10, 24, 1], 2, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_one_hidden_layer_has_as_many_regions_as_its_arrangement_has_chambers(
    widths: list[int], seeds: int
) -> None:
    d, n = widths[:2]
    for seed in range(seeds):
        net = he_normal(widths, seed)
        first = net.layers[0]
        assert isinstance(first, lr.Affine)
        planes = lr.Arrangement(first.weight, first.bias)
        formula = sum(comb(n, k) for k in range(d + 1))
        assert int(lr.count(net, method="cones")) == int(planes.count()) == formula
        assert int(lr.count(net, BOX, method="cones")) == int(planes.count(BOX, method="tree"))


@pytest.mark.parametrize(
    "widths",
    [
        [3, 10, 10, 1],
        [4, 8, 7, 1],
        pytest.param([3, 32, 32, 1], marks=pytest.mark.slow),
        pytest.param([4, 16, 16, 1], marks=pytest.mark.slow),
        pytest.param([6, 14, 8, 1], marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_a_second_layer_cuts_every_region_of_the_first_like_an_arrangement(
    widths: list[int],
) -> None:
    # Rounded rows change no number in a box; where few units are on, they would at infinity.
    net = he_normal(widths, 1)
    first = lr.regions(lr.Network(net.input_shape, net.layers[:2]), BOX, threads=1)
    two = lr.Network(net.input_shape, net.layers[:3])
    maps = lr.Regions(two, BOX, first.count, first.columns, first.embedding).affine_maps()
    total = 0
    for number, rows in enumerate(maps):
        own = slice(*first.facet_offsets[number : number + 2].tolist())
        sides = first.facet_rows[own]
        cell = lr.Polytope(-sides[:, :-1], sides[:, -1])
        total += int(lr.Arrangement(rows[:, :-1], rows[:, -1]).count(cell, threads=1))
    assert int(lr.count(net, BOX, method="cones", threads=1)) == total


@pytest.mark.parametrize(
    ("widths", "half", "seeds"),
    [
        ([3, 16, 16, 1], 0.125, 1),
        ([4, 16, 16, 1], 0.0625, 1),
        ([5, 20, 1], 0.25, 1),
        ([6, 16, 16, 1], 0.0625, 1),
        pytest.param([3, 16, 16, 1], 1.0, 2, marks=pytest.mark.slow),
        pytest.param([3, 16, 16, 1], None, 1, marks=pytest.mark.slow),
        pytest.param([5, 20, 1], 0.5, 2, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_cones_and_linear_programs_of_highs_find_the_same_regions(widths, half, seeds) -> None:
    for seed in range(seeds):
        net = he_normal(widths, seed)
        found = table_of("cones", net, place(half))
        listed = set(helpers.unpack(found, net.pattern_bits))
        assert len(listed) > 5
        assert listed == patterns_by_programs(net, half)


# --- every kind of layer in slices ---------------------------------------------------------------

FEW_INPUTS = {"mlp", "bent", "echo", "maxout", "residual"}  # at most three
SLICES = [
    (family, d)
    for family in sorted(set(strategies.FAMILIES) - {"linear_only"})
    for d in (3, 4, 5)
    if d == 3 or (family not in FEW_INPUTS and (family, d) != ("concat", 5))
]


def in_slice(
    family: str, style: str, d: int, seed: int, half: float = 0.5
) -> tuple[lr.Network, lr.Domain]:
    """Return a network of a family with a d-dimensional slice of its inputs."""
    net = next(
        net
        for number in range(40)
        if (net := strategies.network(family, style, seed + 97 * number)).input_size >= d
    )
    rng = np.random.default_rng([seed, d])
    origin, directions = draws.origin_for(rng, net, style), draws.directions_for(rng, net, d, style)
    return net, lr.Slice(origin, directions, lr.Box(-half, half))


@pytest.mark.parametrize(("family", "d"), SLICES)
@pytest.mark.parametrize("style", ["generic", "degenerate"])
def test_methods_and_threads_agree_on_slices(family: str, style: str, d: int) -> None:
    net, domain = in_slice(family, style, d, 1, 0.5 if d < 5 else 0.25)
    first = table_of("cones", net, domain)
    expected = in_word_order(first)
    np.testing.assert_array_equal(in_word_order(table_of("tree", net, domain)), expected)
    for threads in (2, 3):
        np.testing.assert_array_equal(table_of("cones", net, domain, threads), first)
        assert int(lr.count(net, domain, threads=threads)) == len(first)


@pytest.mark.parametrize(("family", "d"), SLICES)
def test_slices_have_the_regions_of_the_reference(family: str, d: int) -> None:
    half = {3: 0.25, 4: 0.125, 5: 0.03125}[d]
    for style in ("generic", "degenerate", "zero_bias"):
        net, domain = in_slice(family, style, d, 2, half)
        found = table_of("cones", net, domain)
        if len(found) > 12:  # fractions take tens of milliseconds per region
            continue
        expected = {r.pattern for r in reference.regions(net, domain, geometry="programs")}
        assert set(helpers.unpack(found, net.pattern_bits)) == expected
        assert len(found) == len(expected)


def wide_conv(d: int, seed: int) -> tuple[lr.Network, lr.Domain]:
    """Return a network with padding, strides, groups, both kinds of pooling and a residual link."""
    rng = np.random.default_rng([d, seed])
    layers = [
        lr.Conv(rng.normal(size=(4, 2, 3, 3)) / 3, rng.normal(size=4) / 4, padding=1),
        lr.relu(),
        lr.Conv(rng.normal(size=(4, 2, 3, 3)) / 3, rng.normal(size=4) / 4, padding=1, groups=2),
        lr.Add(1),
        lr.relu(),
        lr.AvgPool(2),
        lr.Conv(rng.normal(size=(3, 4, 2, 2)) / 3, rng.normal(size=3) / 4, stride=2, padding=1),
        lr.relu(),
        lr.MaxPool(2, stride=1),
        lr.Flatten(),
    ]
    outputs = int(np.prod(lr.Network((2, 6, 6), layers).output_shape))
    layers.append(lr.Affine(rng.normal(size=(2, outputs))))
    net = lr.Network((2, 6, 6), layers)
    directions = rng.normal(size=(d, net.input_size)) / 4
    half = {3: 0.25, 4: 0.125, 5: 0.0625}[d]
    return net, lr.Slice(rng.normal(size=net.input_size), directions, lr.Box(-half, half))


@pytest.mark.parametrize("d", [3, 4, 5])
def test_a_residual_network_with_pooling_and_groups_in_slices(d: int) -> None:
    net, domain = wide_conv(d, 0)
    first = table_of("cones", net, domain)
    assert len(first) > 50
    np.testing.assert_array_equal(
        in_word_order(table_of("tree", net, domain)), in_word_order(first)
    )
    np.testing.assert_array_equal(table_of("cones", net, domain, 2), first)
    assert int(lr.count(net, domain)) == len(first)


# --- what is said about each region --------------------------------------------------------------


def described() -> list[Any]:
    dense = [
        pytest.param(he_normal(widths, 4), place(half), id=f"{widths}-{half}")
        for widths, half in [
            ([3, 8, 6, 1], 1.0),
            ([3, 6, 5, 1], None),
            ([4, 7, 4, 1], 1.0),
            ([5, 6, 3, 1], 0.5),
            ([6, 6, 3, 1], 0.5),
            ([7, 5, 2, 1], None),
            ([8, 4, 1], 0.5),
        ]
    ]
    slices = [
        pytest.param(*in_slice(family, style, d, 3, half), id=f"{family}-{style}-{d}")
        for family in ("conv_relu", "relu_maxpool", "average", "constant_image")
        for style in ("generic", "degenerate")
        for d, half in ((3, 0.25), (4, 0.125))
    ]
    conv = [pytest.param(*wide_conv(d, 1), id=f"residual-{d}") for d in (3, 4, 5)]
    return [*dense, *slices, *conv]


@pytest.mark.parametrize(("net", "domain"), described())
def test_what_a_list_says_is_true(net: lr.Network, domain: lr.Domain) -> None:
    table = lr.regions(net, domain, threads=2)
    assert table.count.arithmetic == "certified"
    check_points(table)
    check_volumes(table)
    check_neighbours(table)
    check_samples(table)


def check_points(table: lr.Regions) -> None:
    """Interior points have their patterns in rational arithmetic and lie inside all facets."""
    where = frame(table.network, table.domain, geometry="programs")
    values = np.einsum(
        "fi,fi->f",
        table.facet_rows,
        np.column_stack([table.interior_points, np.ones(len(table))])[table.facet_regions],
    )
    assert (values[np.isfinite(values)] > 0).all()
    bits = helpers.unpack(table.patterns, table.pattern_bits)
    most = 60 if table.pattern_bits < 50 else 10  # fractions of large networks take long
    some = set(range(0, len(table), max(1, len(table) // most)))
    for number in sorted(some | set(np.flatnonzero(~table.interior_proved).tolist()[:most])):
        point = table.interior_points[number].tolist()
        if table.interior_proved[number]:
            t = [Fraction(v) for v in point]
        else:
            t = list(table[number].interior_fraction())
        assert reference.pattern(table.network, helpers.embed(where, t)) == bits[number]


def check_volumes(table: lr.Regions) -> None:
    """Volumes are positive and add up to that of the domain."""
    box = table.domain.domain if isinstance(table.domain, lr.Slice) else table.domain
    if isinstance(box, lr.Box):
        assert table.bounded.all()
        assert (table.volumes > 0).all()
        low, high = np.broadcast_arrays(box.low, box.high)
        size = float(np.prod(high - low))
        assert table.volumes.sum() == pytest.approx(size, rel=1e-9)
    else:
        assert not table.bounded.all()


def check_neighbours(table: lr.Regions) -> None:
    """Every facet within the domain has one mate, both ways, and they are the same set."""
    i, j, facet = table.adjacency()
    assert (i < j).all()
    assert len({*zip(i.tolist(), j.tolist(), strict=True)}) == len(i)
    mates = table.facet_mates
    inner = np.flatnonzero(mates >= 0)
    assert np.array_equal(inner, np.flatnonzero(table.facet_bits >= 0))
    assert np.array_equal(mates[mates[inner]], inner)
    assert np.array_equal(table.facet_regions[facet], i)
    assert np.array_equal(table.facet_regions[mates[facet]], j)
    assert 2 * len(i) == len(inner)
    if len(inner) <= 300:  # facets as sets of rational corners
        one, other = match_exactly(
            table.network, table.place, table.columns, inner, method=table.count.method
        )
        assert 2 * len(one) == len(inner)
        assert np.array_equal(mates[one], other)
    # Regions of a convex domain hang together.
    parent = list(range(len(table)))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    for a, b in zip(i.tolist(), j.tolist(), strict=True):
        parent[root(a)] = root(b)
    assert len({root(k) for k in range(len(table))}) == 1


def check_samples(table: lr.Regions) -> None:
    """Points never have a pattern that the list lacks."""
    points = np.random.default_rng(0).uniform(-1, 1, (4000, table.dim))
    domain = table.domain.resolve(table.network.input_shape)
    if isinstance(domain, lr.Slice):
        points = domain.embed(points * np.asarray(domain.domain.high))
    elif isinstance(domain, lr.Box):
        points *= domain.high
    else:
        points *= 10.0 ** np.random.default_rng(1).uniform(-2, 3, (4000, 1))
    seen = np.unique(lr.patterns(table.network, points), axis=0)
    listed = {row.tobytes() for row in table.patterns}
    assert {row.tobytes() for row in seen} <= listed
    if not isinstance(domain, lr.Space):
        sample = lr.sample(table.network, table.domain, 2000, rng=1)
        assert sample.distinct <= len(table)
