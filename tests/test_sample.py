# SPDX-License-Identifier: MIT
"""Packed patterns, points that depend on key and index alone, and estimators."""

from __future__ import annotations

import itertools
import math
import threading
from collections import Counter

import numpy as np
import pytest

import linear_regions._sample as sample_module
import linear_regions._sample_points as module
import strategies
from helpers import unpack
from linear_regions import reference
from linear_regions._sample import patterns, sample
from linear_regions._sample_count import chao1, good_turing, summarize
from linear_regions.domain import Ball, Box, Polytope, Segment, Slice, Space
from linear_regions.errors import DegenerateInput, DeviceError, Interrupted, InvalidInput
from linear_regions.layers import Affine, relu
from linear_regions.network import Network


def small_net(n_inputs: int = 2, width: int = 6, seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    hidden = Affine(rng.normal(size=(width, n_inputs)), rng.normal(size=width))
    return Network(n_inputs, [hidden, relu(), Affine(rng.normal(size=(width, width))), relu()])


def points_of(net: Network, domain: object, n: int, distribution: str = "uniform", key: int = 7):
    return module.point_maker(net, domain, distribution, key)(0, n)


# ---- patterns ----


@pytest.mark.parametrize("family", strategies.FAMILIES)
def test_patterns_follow_the_rulings(family: str) -> None:
    net = strategies.network(family, "generic", 3)
    points = np.random.default_rng(1).normal(size=(5, net.input_size))
    words = patterns(net, points)
    assert words.dtype == np.uint64
    assert unpack(words, net.pattern_bits) == [reference.pattern(net, x) for x in points.tolist()]
    shaped = points.reshape(5, *net.input_shape)
    assert np.array_equal(patterns(net, shaped), words)
    assert np.array_equal(patterns(net, shaped[0]), words[0])


def test_patterns_check_their_arguments() -> None:
    net = small_net()
    with pytest.raises(TypeError, match="Network"):
        patterns(object(), [[0.0, 0.0]])
    with pytest.raises(InvalidInput, match="finite"):
        patterns(net, [[0.0, math.nan]])
    with pytest.raises(InvalidInput, match="shape"):
        patterns(net, [[0.0, 0.0, 0.0]])


# ---- the count of a sample ----


def test_distinct_patterns_of_given_points() -> None:
    net = small_net()
    points = np.random.default_rng(2).normal(size=(3000, 2))
    found = Counter(map(tuple, patterns(net, points).tolist()))
    result = sample(net, points=points)
    assert (result.samples, result.distinct) == (3000, len(found))
    assert result.singletons == sum(times == 1 for times in found.values())
    assert result.doubletons == sum(times == 2 for times in found.values())
    assert result.coverage == good_turing(3000, result.singletons)
    assert (result.source, result.key, result.dtype) == ("points", None, "float64")
    assert not result.saturated


def test_a_sample_never_exceeds_the_exact_count() -> None:
    for seed in range(3):
        net = strategies.network("mlp", "generic", seed)
        if net.input_size != 2:
            continue
        domain = Box(-2.0, 2.0)
        exact = reference.count(net, domain)
        assert sample(net, domain, 20_000, rng=seed).distinct <= exact


@pytest.mark.parametrize("n", [1, 5, 1000])
def test_the_same_rng_gives_the_same_result(n: int) -> None:
    net, box = small_net(), Box(-3.0, 3.0)
    first, second = sample(net, box, n, rng=5), sample(net, box, n, rng=5)
    assert first == second
    assert first.key == sample(net, box, 2 * n, rng=np.random.default_rng(5)).key
    assert first.key != sample(net, box, n, rng=6).key


def test_without_activation_there_is_one_pattern() -> None:
    net = Network(2, [Affine([[1.0, 2.0]])])
    result = sample(net, Box(0.0, 1.0), 50, rng=0)
    assert (result.distinct, result.pattern_bits, result.saturated) == (1, 0, False)


def test_no_points() -> None:
    result = sample(small_net(), points=np.zeros((0, 2)))
    assert (result.samples, result.distinct, result.coverage) == (0, 0, 0.0)
    assert not result.saturated


def test_saturation_is_flagged() -> None:
    net = small_net(n_inputs=8, width=40)
    result = sample(net, Box(-1.0, 1.0), 200, rng=0)
    assert result.saturated
    assert result.distinct > 150
    assert "saturated" in repr(result)


# ---- batches ----


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
@pytest.mark.parametrize("n_inputs", [1, 2, 3, 5, 9])
def test_points_do_not_depend_on_batches(distribution: str, n_inputs: int) -> None:
    net = small_net(n_inputs)
    domain = Box(-1.0, 2.0) if distribution == "uniform" else Space()
    make = module.point_maker(net, domain, distribution, key=2**127 + 12345)
    whole = make(0, 203)
    for size in (1, 7, 64):
        pieces = [make(start, min(start + size, 203)) for start in range(0, 203, size)]
        assert np.array_equal(np.concatenate(pieces), whole)


def test_the_result_does_not_depend_on_batches_or_threads(monkeypatch) -> None:
    net, box = small_net(), Box(-3.0, 3.0)
    expected = sample(net, box, 5000, rng=1)
    for rows in (333, 1000, 5000):
        monkeypatch.setattr(sample_module, "_batch_rows", lambda net, rows=rows: rows)
        for threads in (1, 2, 7):
            assert sample(net, box, 5000, rng=1, threads=threads) == expected


def test_ctrl_c_keeps_what_was_counted(monkeypatch) -> None:
    net, calls = small_net(), []
    add = sample_module.HostTally.add

    def stop(self, words):
        add(self, words)
        calls.append(len(words))
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(sample_module.HostTally, "add", stop)
    monkeypatch.setattr(sample_module, "_batch_rows", lambda net: 100)
    with pytest.raises(Interrupted) as stopped:
        sample(net, Box(-1.0, 1.0), 1000, rng=0, threads=1)
    assert stopped.value.partial.samples == sum(calls) > 0


# ---- points: range and law ----


def test_uniform_numbers_are_inside_and_even() -> None:
    numbers = module._uniform(3, 0, 20_000, 5)
    assert numbers.shape == (20_000, 5)
    assert numbers.min() > 0.0
    assert numbers.max() < 1.0
    # Standard error of a mean of 20,000 numbers of variance 1/12: 0.002.
    assert np.abs(numbers.mean(axis=0) - 0.5).max() < 0.01
    assert np.abs(np.corrcoef(numbers.T) - np.eye(5)).max() < 0.04


def test_first_uniform_numbers_are_golden() -> None:
    # Philox 4x64-10 of this key, counter 1; bits 12 to 63 as a fraction.
    raw = np.random.Philox(key=42, counter=0).random_raw(4)
    expected = [((int(word) >> 12) + 0.5) / 2**52 for word in raw]
    assert module._uniform(42, 0, 1, 4).tolist() == [expected]
    assert module._uniform(42, 1, 2, 2)[0, 0] == module._uniform(42, 0, 2, 2)[1, 0]


def test_normal_numbers() -> None:
    numbers = module._normal(3, 0, 20_000, 3)
    assert np.abs(numbers.mean(axis=0)).max() < 0.04
    assert np.abs(numbers.std(axis=0) - 1.0).max() < 0.03
    inside = (np.abs(numbers) < 1.0).mean()
    assert inside == pytest.approx(0.6827, abs=0.01)


def test_box_sides_of_width_zero_are_fixed() -> None:
    net = small_net(3)
    points = points_of(net, Box([0.0, 5.0, -1.0], [1.0, 5.0, 1.0]), 100)
    assert (points[:, 1] == 5.0).all()
    assert ((points[:, 0] > 0) & (points[:, 0] < 1)).all()
    huge = points_of(small_net(1), Box([-1.7e308], [1.7e308]), 1000)
    assert np.isfinite(huge).all()


def test_slice_segment_and_ball() -> None:
    net = small_net(3)
    plane = Slice([1.0, 1.0, 1.0], [[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]], domain=Box(-1.0, 1.0))
    points = points_of(net, plane.resolve(3), 500)
    assert (points[:, 2] == 1.0).all()
    assert np.abs(points[:, 1] - 1.0).max() == pytest.approx(2.0, abs=0.05)
    line = points_of(net, Segment([0.0, 0.0, 0.0], [1.0, 2.0, 3.0]), 500)
    assert np.allclose(line[:, 1], 2 * line[:, 0])
    ball = points_of(net, Ball([1.0, 0.0, 0.0], 2.0), 20_000)
    radius = np.linalg.norm(ball - [1.0, 0.0, 0.0], axis=1)
    assert radius.max() <= 2.0 + 1e-12
    assert (radius < 1.0).mean() == pytest.approx(1 / 8, abs=0.01)
    assert np.abs(ball.mean(axis=0) - [1.0, 0.0, 0.0]).max() < 0.03


def test_polygons_are_filled_evenly() -> None:
    net = small_net(2)
    triangle = Polytope([[1.0, 1.0], [-1.0, 0.0], [0.0, -1.0]], [1.0, 0.0, 0.0])
    points = points_of(net, triangle, 20_000)
    assert points.min() > 0
    assert points.sum(axis=1).max() < 1
    assert points.mean(axis=0) == pytest.approx([1 / 3, 1 / 3], abs=0.01)
    # A square cut by a corner: the share of the upper half is known.
    cut = Polytope(
        [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [1.0, 1.0]], [1.0, 1.0, 1.0, 1.0, 1.0]
    )
    points = points_of(net, cut, 20_000)
    assert (points[:, 1] > 0).mean() == pytest.approx((2 - 0.5) / (4 - 0.5), abs=0.015)
    # A segment as a polytope, and one within a box.
    flat = Polytope([[1.0, 0.0], [-1.0, 0.0]], [1.0, 0.0], [[1.0, 1.0]], [1.0])
    points = points_of(net, flat, 1000)
    assert np.allclose(points.sum(axis=1), 1.0)
    assert points[:, 0].mean() == pytest.approx(0.5, abs=0.05)
    inside = Slice([0.0, 0.0, 0.0], [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]], within=Box(-1.0, 1.0))
    points = points_of(small_net(3), inside, 1000)
    assert np.abs(points).max() <= 1.0
    assert np.abs(points).max() > 0.9


@pytest.mark.parametrize("size", [1e-310, 1e-170, 1.0, 1e160, 1.5e308])
def test_polygons_of_any_size_are_filled_evenly(size: float) -> None:
    square = Polytope([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], [size, size, size, size])
    points = points_of(small_net(2), square, 20_000)
    above = points[:, 1] > points[:, 0]
    assert above.mean() == pytest.approx(0.5, abs=0.02)
    assert (points[:, 0] > size / 2).mean() == pytest.approx(0.25, abs=0.02)
    assert np.abs(points).max() <= size


def test_polygons_with_corners_beyond_doubles_are_refused() -> None:
    wide = Polytope([[1e-200, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], [1e200, 0.0, 1.0, 1.0])
    with pytest.raises(InvalidInput, match="range of doubles"):
        sample(small_net(2), wide, 10)


def test_a_single_point() -> None:
    result = sample(small_net(2), Box([1.0, 2.0], [1.0, 2.0]), 10, rng=0)
    assert (result.distinct, result.coverage) == (1, 1.0)


# ---- polytopes of more dimensions ----


def simplex(d: int) -> Polytope:
    return Polytope(np.vstack([-np.eye(d), np.ones((1, d))]), [0.0] * d + [1.0])


@pytest.mark.parametrize("d", [3, 6])
def test_walks_in_a_simplex_are_uniform(d: int) -> None:
    net = small_net(d)
    n = 20_000
    points = points_of(net, simplex(d), n)
    assert (points > -1e-15).all()
    assert (points.sum(axis=1) < 1 + 1e-14).all()
    # Barycentric coordinates are Dirichlet(1, ..., 1): P(x > s) = (1 - s)**d for each of them.
    weights = np.column_stack([points, 1 - points.sum(axis=1)])
    for s in (0.05, 0.2, 0.5):
        share = (1 - s) ** d
        allowed = 5 * math.sqrt(share * (1 - share) / n)
        assert abs((weights > s).mean(axis=0) - share).max() < allowed


def test_walks_fill_a_thin_slanted_box_evenly() -> None:
    rng = np.random.default_rng(5)
    directions = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    sizes = np.array([1.0, 100.0, 1e-3, 5.0])
    box = Polytope(np.vstack([directions, -directions]), np.concatenate([sizes, sizes]))
    n = 20_000
    u = points_of(small_net(4), box, n) @ directions.T / sizes
    assert abs(u).max() < 1 + 1e-9
    assert abs(u.mean(axis=0)).max() < 5 / math.sqrt(3 * n)
    assert abs((u**2).mean(axis=0) - 1 / 3).max() < 5 * math.sqrt(4 / 45 / n)
    assert abs(np.corrcoef(u.T) - np.eye(4)).max() < 5 / math.sqrt(n)


def test_walks_take_polytopes_in_a_smaller_hull_and_clipped_slices() -> None:
    net = small_net(4)
    flat = Polytope(-np.eye(4), np.zeros(4), [[1.0, 1.0, 1.0, 1.0]], [1.0])
    points = points_of(net, flat, 500)
    assert abs(points.sum(axis=1) - 1).max() < 1e-14
    assert (points > -1e-15).all()
    cut = Slice(np.zeros(4), np.eye(4)[:3], within=Box(0.0, 1.0))
    points = points_of(net, cut.resolve(4), 5000)
    assert (points[:, 3] == 0).all()
    assert abs(points[:, :3].mean(axis=0) - 0.5).max() < 5 / math.sqrt(12 * 5000)


def test_walks_depend_on_key_and_number_alone() -> None:
    net = small_net(3)
    make = module.point_maker(net, simplex(3), "uniform", key=99)
    whole = make(0, 50)
    assert np.array_equal(np.concatenate([make(i, i + 1) for i in range(50)]), whole)
    results = [sample(net, simplex(3), 3000, rng=1, threads=t) for t in (1, 2, 7)]
    assert results[0] == results[1] == results[2]


def test_polytopes_too_thin_for_doubles_are_refused() -> None:
    sliver = Polytope(np.vstack([np.eye(3), -np.eye(3)]), [1, 1, 1, 0, 0, -1 + 2.0**-53])
    with pytest.raises(DegenerateInput, match="thin"):
        sample(small_net(3), sliver, 10)


# ---- refused ----


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"domain": None}, InvalidInput, "normal"),
        ({"domain": Space()}, InvalidInput, "bounded"),
        ({"domain": Box(0.0, np.inf)}, InvalidInput, "bounded"),
        ({"domain": Polytope([[1.0, 0.0, 0.0]], [1.0])}, InvalidInput, "bounded"),
        ({"domain": Polytope(-np.eye(3), np.zeros(3))}, InvalidInput, "bounded"),
        ({"domain": Slice(np.zeros(3), np.eye(3))}, InvalidInput, "bounded"),
        (
            {"domain": Polytope([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]], [0.0, -1.0])},
            DegenerateInput,
            "empty",
        ),
        ({"domain": Slice(np.zeros(3), [[1.0, 0.0, 0.0]])}, InvalidInput, "bounded"),
        ({"domain": Box(0.0, 1.0), "distribution": "normal"}, InvalidInput, "normal"),
        ({"domain": Box(0.0, 1.0), "distribution": "cauchy"}, InvalidInput, "distribution"),
        ({"domain": Box(0.0, 1.0), "device": "cuda:99"}, DeviceError, "cuda"),
        ({"domain": Box(0.0, 1.0), "device": "tpu"}, InvalidInput, "device"),
        ({"domain": Box(0.0, 1.0), "sketch": "hll", "keep_patterns": True}, InvalidInput, "hll"),
        ({"domain": Box(0.0, 1.0), "sketch": "hll", "precision": 40}, InvalidInput, "precision"),
        ({"domain": Box(0.0, 1.0), "sketch": "bloom"}, InvalidInput, "sketch"),
        ({"domain": Box(0.0, 1.0), "n": 0}, InvalidInput, "n must"),
        ({"domain": Box(0.0, 1.0), "n": 1.5}, TypeError, "n must"),
        ({"domain": 3}, TypeError, "domain"),
        ({"domain": Polytope([[0.0, 0.0, 0.0]], [1.0])}, InvalidInput, "unbounded"),
        ({"domain": Box(0.0, 1.0), "points": [[0.0, 0.0, 0.0]]}, InvalidInput, "points"),
        ({"points": [[0.0, 0.0, np.inf]]}, InvalidInput, "finite"),
    ],
)
def test_what_cannot_be_sampled_says_so(arguments, error, words) -> None:
    with pytest.raises(error, match=words):
        sample(small_net(3), **arguments)


def test_normal_fills_space_and_unbounded_slices() -> None:
    net = small_net(3)
    assert sample(net, distribution="normal", rng=0, n=100).source == "normal"
    plane = Slice(np.zeros(3), [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    points = points_of(net, plane.resolve(3), 1000, "normal")
    assert (points[:, 2] == 0.0).all()
    assert points[:, :2].std() == pytest.approx(1.0, abs=0.1)


# ---- estimators on populations whose size is known ----


def draw(weights: np.ndarray, n: int, seed: int) -> np.ndarray:
    met = np.random.default_rng(seed).multinomial(n, weights / weights.sum())
    return met[met > 0].astype(np.int64)


def test_coverage_estimates_the_share_that_was_seen() -> None:
    weights = 1.0 / np.arange(1, 2001)
    shares, estimates = [], []
    for seed in range(50):
        met = np.random.default_rng(seed).multinomial(3000, weights / weights.sum())
        shares.append(weights[met > 0].sum() / weights.sum())
        estimates.append(good_turing(3000, int((met == 1).sum())))
    assert np.mean(estimates) == pytest.approx(np.mean(shares), abs=0.005)


def test_chao_is_right_for_equal_probabilities() -> None:
    # Where all patterns are equally likely the estimate is consistent, not only a lower bound.
    found = [chao1(draw(np.ones(1000), 2000, seed)) for seed in range(60)]
    assert np.mean([estimate for estimate, _ in found]) == pytest.approx(1000, rel=0.02)
    held = np.mean([low <= 1000 <= high for _, (low, high) in found])
    assert held > 0.85


def test_chao_is_a_lower_estimate_for_unequal_probabilities() -> None:
    weights = 1.0 / np.arange(1, 5001)
    estimates = [chao1(draw(weights, 4000, seed))[0] for seed in range(30)]
    seen = [len(draw(weights, 4000, seed)) for seed in range(30)]
    assert np.mean(estimates) < 5000
    assert np.mean(estimates) > 1.5 * np.mean(seen)


def test_chao_at_the_edges() -> None:
    assert chao1(np.array([1])) == (1.0, (1.0, 1.0))
    estimate, (low, high) = chao1(np.array([1, 1, 1]))
    assert estimate == 3 + 2 / 3 * 3  # bias-corrected form: no pattern was met twice
    assert 3 < low < estimate < high
    estimate, (low, high) = chao1(np.array([50, 60, 70]))
    assert estimate == low == 3.0
    assert high == pytest.approx(3.0)
    estimate, (low, high) = chao1(np.zeros(0, dtype=np.int64))
    assert (estimate, low, high) == (0.0, 0.0, 0.0)
    many = np.ones(100_000, dtype=np.int64)
    estimate, (low, high) = chao1(many)
    assert math.isfinite(estimate)
    assert 100_000 <= low <= estimate <= high


# ---- stopping, sketches, curves, volumes ----


def test_a_sample_stops_at_its_time_limit_or_when_cancelled() -> None:
    net, box, event = small_net(), Box(-3.0, 3.0), threading.Event()
    for threads in (1, 2):
        found = sample(net, box, 10**9, rng=0, time_limit=0.1, threads=threads)
        assert found.status == "time_limit"
        assert 0 < found.samples < 10**9
        assert found.seconds < 5
        seen: list[float] = []

        def stop(patterns: int, fraction: float, seen: list[float] = seen) -> None:
            seen.append(fraction)
            event.set()

        event.clear()
        found = sample(net, box, 10**9, rng=0, cancel=event, progress=stop, threads=threads)
        assert found.status == "cancelled"
        assert seen


def test_a_sketch_of_few_patterns_is_exact() -> None:
    net, box = small_net(), Box(-3.0, 3.0)
    exact, sketch = (sample(net, box, 20_000, rng=1, sketch=kind) for kind in ("exact", "hll"))
    assert (sketch.distinct, sketch.interval) == (exact.distinct, exact.interval)
    assert (sketch.sketch, sketch.relative_error) == ("hll", 0.0)


def test_a_sketch_of_many_patterns_states_its_error() -> None:
    net, box = small_net(n_inputs=8, width=40), Box(-1.0, 1.0)
    exact, sketch = (sample(net, box, 40_000, rng=1, sketch=kind) for kind in ("exact", "hll"))
    assert exact.distinct > 20_000
    assert sketch.relative_error == 1.04 / 128
    assert sketch.distinct == pytest.approx(exact.distinct, rel=5 * sketch.relative_error)
    assert sketch.coverage == pytest.approx(exact.coverage, abs=0.05)


def test_rarefaction_is_the_mean_over_subsets() -> None:
    times = [1, 1, 2, 3]
    labels = [i for i, k in enumerate(times) for _ in range(k)]
    found = summarize(Counter(times), distinct=4, samples=7)
    for m in range(8):
        subsets = [len(set(some)) for some in itertools.combinations(labels, m)]
        assert found.rarefaction(m) == pytest.approx(np.mean(subsets))
    with pytest.raises(InvalidInput, match="at most 7"):
        found.rarefaction(8)


def test_region_volumes_are_those_of_the_regions() -> None:
    net = Network(2, [Affine([[1.0, 0.0], [0.0, 1.0]], [0.0, -0.5]), relu()])
    found = sample(net, Box(-1.0, 1.0), 50_000, rng=3, keep_patterns=True)
    assert found.patterns is not None
    assert found.patterns[:, 0].tolist() == [0, 1, 2, 3]
    volumes = found.region_volumes(confidence=0.9999)
    assert (volumes[:, 1] < [1.5, 1.5, 0.5, 0.5]).all()
    assert (volumes[:, 2] > [1.5, 1.5, 0.5, 0.5]).all()
    assert volumes[:, 0].sum() == pytest.approx(4.0)
    with pytest.raises(InvalidInput, match="keep_patterns"):
        sample(net, Box(-1.0, 1.0), 10, rng=3).region_volumes()
    ball = sample(net, Ball([0.0, 0.0], 2.0), 10, rng=3)
    assert ball.domain_volume == pytest.approx(4 * np.pi)
