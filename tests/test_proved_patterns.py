# SPDX-License-Identifier: MIT
"""Samples whose patterns are those of exact arithmetic, against rational evaluation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import linear_regions as lr
import strategies
from draws import STYLES
from linear_regions import reference
from linear_regions._forward import forward_pass
from linear_regions._proved_patterns import ProvedPatterns
from linear_regions.reference.packing import pack

FAMILIES = sorted(strategies.FAMILIES)


def drawn(family: str, style: str, seed: int) -> lr.Network:
    return strategies.FAMILIES[family](np.random.default_rng([seed, STYLES.index(style)]), style)


def points_of(net: lr.Network, seed: int) -> np.ndarray:
    """Return random points, and whole numbers and halves, of which many lie on facets."""
    rng = np.random.default_rng(seed)
    n = net.input_size
    some = [rng.uniform(-2.0, 2.0, (8, n)), rng.integers(-4, 5, (8, n)) / 2.0, np.zeros((1, n))]
    return np.concatenate(some)


def exact_patterns(net: lr.Network, points: np.ndarray) -> np.ndarray:
    rows = [
        pack(map(bool, reference.pattern(net, [Fraction(v) for v in point])))
        for point in points.tolist()
    ]
    return np.array(rows, dtype=np.uint64).reshape(len(points), -1)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("family", FAMILIES)
def test_patterns_are_those_of_rational_arithmetic_on_facets_too(family: str, style: str) -> None:
    for seed in range(3):
        net = drawn(family, style, seed)
        points = points_of(net, seed)
        expected = exact_patterns(net, points)
        found = ProvedPatterns(net, None).patterns(points)
        assert np.array_equal(found, expected)
        # What is remembered of the first time serves the second, and gives the same.
        again = ProvedPatterns(net, None)
        assert np.array_equal(again.patterns(np.repeat(points, 3, axis=0))[::3], expected)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("family", FAMILIES)
def test_bits_without_a_doubt_are_proved(family: str, style: str) -> None:
    net = drawn(family, style, 7)
    points = points_of(net, 7)
    words, doubts, _ = forward_pass(net).doubtful_patterns(points)
    exact = exact_patterns(net, points)
    for i in range(len(points)):
        bits = np.unpackbits((words[i] ^ exact[i]).view(np.uint8), bitorder="little")
        wrong = np.flatnonzero(bits)
        named = doubts[doubts[:, 0] == i]
        # A window is named by its first bit; later layers may follow from a wrong one.
        if len(wrong):
            assert len(named)
            assert named[:, 1].min() <= wrong.min()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_certified_sample_meets_no_pattern_that_the_list_lacks(family: str, style: str) -> None:
    net = drawn(family, style, 11)
    box = lr.Box(-1.0, 1.0)
    if net.input_size > 5 or lr.count(net, box, limit=1000).status != "complete":
        pytest.skip("too many regions to list here")
    listed = {row.tobytes() for row in lr.regions(net, box).patterns}
    found = lr.sample(net, box, 400, rng=5, keep_patterns=True, arithmetic="certified")
    assert found.arithmetic == "certified"
    assert {row.tobytes() for row in found.patterns} <= listed


def test_units_that_are_zero_everywhere_make_no_patterns_of_their_own() -> None:
    # The second layer's units are w relu(z) and u relu(z), the third layer's their combination
    # u w relu(z) - w u relu(z): zero, but rounding leaves either sign.
    w, u = 0.1, 0.7
    product = Fraction(w) * Fraction(u)
    assert Fraction(w * u) != product
    net = lr.Network(
        1,
        [
            lr.Affine([[1.0]], [2.0]),
            lr.relu(),
            lr.Affine([[w], [u]], None),
            lr.relu(),
            lr.Affine([[u, -w]], None),
            lr.relu(),
        ],
    )
    segment = lr.Box(-1.0, 1.0)
    assert lr.count(net, segment).value == 1
    assert lr.sample(net, segment, 2000, rng=1, arithmetic="float").distinct > 1
    proved = lr.sample(net, segment, 2000, rng=1)
    assert (proved.distinct, proved.arithmetic) == (1, "certified")


def test_auto_certifies_shallow_networks_and_says_so() -> None:
    net = strategies.mlp_of([2, 16, 16, 1], np.random.default_rng(0))
    auto = lr.sample(net, lr.Box(-1.0, 1.0), 3000, rng=0)
    plain = lr.sample(net, lr.Box(-1.0, 1.0), 3000, rng=0, arithmetic="float")
    assert (auto.arithmetic, plain.arithmetic) == ("certified", "float")
    assert auto.distinct == plain.distinct
    assert auto.to_dict()["arithmetic"] == "certified"


def test_auto_leaves_deep_networks_and_floats_to_the_forward_pass() -> None:
    deep = strategies.mlp_of([3] + [32] * 30 + [1], np.random.default_rng(0))
    assert lr.sample(deep, lr.Box(-1.0, 1.0), 300, rng=0).arithmetic == "float"
    net = strategies.mlp_of([2, 8, 1], np.random.default_rng(0))
    single = lr.sample(net, lr.Box(-1.0, 1.0), 300, rng=0, dtype="float32")
    assert single.arithmetic == "float"


def test_certified_samples_do_not_depend_on_threads() -> None:
    net = drawn("echo", "quantised", 3)
    box = lr.Box(-1.0, 1.0)
    options = {"rng": 2, "keep_patterns": True, "arithmetic": "certified"}
    one = lr.sample(net, box, 50_000, threads=1, **options)
    two = lr.sample(net, box, 50_000, threads=2, **options)
    assert one == two
    assert np.array_equal(one.patterns, two.patterns)


def test_fixed_inputs_and_given_points_are_taken_exactly() -> None:
    net = drawn("echo", "degenerate", 4)
    low, high = np.zeros(net.input_size), np.ones(net.input_size)
    high[0] = 0.0
    if net.input_size > 1:
        box = lr.Box(low, high)
        listed = {row.tobytes() for row in lr.regions(net, box).patterns}
        found = lr.sample(net, box, 500, rng=0, keep_patterns=True, arithmetic="certified")
        assert {row.tobytes() for row in found.patterns} <= listed
    points = points_of(net, 4)
    given = lr.sample(net, points=points, keep_patterns=True, arithmetic="certified")
    assert np.array_equal(given.patterns, np.unique(exact_patterns(net, points), axis=0))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"arithmetic": "exact"}, lr.InvalidInput, "'auto', 'certified', 'float'"),
        ({"arithmetic": "certified", "dtype": "float32"}, lr.InvalidInput, "float64"),
        ({"arithmetic": "certified", "device": "cuda"}, lr.Unsupported, "processor"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: dict[str, str], error: type[Exception], message: str
) -> None:
    net = strategies.mlp_of([2, 4, 1], np.random.default_rng(0))
    with pytest.raises(error, match=message):
        lr.sample(net, lr.Box(-1.0, 1.0), 10, **options)
