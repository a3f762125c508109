# SPDX-License-Identifier: MIT
"""Scores of architecture search equal plain NumPy and plain PyTorch."""

from __future__ import annotations

import json
import sys
from fractions import Fraction

import numpy as np
import pytest

import linear_regions as lr
import strategies
from helpers import packed
from linear_regions._modular_rank import modular_rank
from linear_regions.nas import hamming_kernel, naswot, te_nas


def plain_kernel(bits: np.ndarray) -> np.ndarray:
    """Return the kernel as the paper writes it."""
    x = bits.astype(np.float64)
    return x @ x.T + (1 - x) @ (1 - x).T


def true_rank(matrix: np.ndarray) -> int:
    """Return the rank over the rationals."""
    rows = [[Fraction(int(v)) for v in row] for row in matrix]
    rank = 0
    for column in range(len(matrix)):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for i in range(rank + 1, len(rows)):
            factor = rows[i][column] / rows[rank][column]
            rows[i] = [u - factor * v for u, v in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank


@pytest.mark.parametrize("n_bits", [1, 7, 63, 64, 65, 200, 1000])
@pytest.mark.parametrize("n", [1, 2, 17])
def test_kernel_and_score_equal_plain_numpy(n, n_bits):
    z = np.random.default_rng([n, n_bits]).normal(size=(n, n_bits))
    result = naswot(z)
    expected = plain_kernel(z > 0)
    np.testing.assert_array_equal(result.kernel, expected)
    np.testing.assert_array_equal(hamming_kernel(z), expected)
    assert result.rank == true_rank(expected)
    assert result.distinct == len(np.unique(z > 0, axis=0))
    if result.rank == n:
        assert result.score == pytest.approx(np.linalg.slogdet(expected)[1], rel=1e-9, abs=1e-9)
    assert np.isfinite(result.score)


def test_layers_and_packed_words_give_the_same():
    z = np.random.default_rng(0).normal(size=(20, 90)).astype(np.float32)
    whole = naswot(z)
    parts = naswot([z[:, :30].reshape(20, 2, 3, 5), z[:, 30:]])
    words = naswot(packed(z > 0), bits=90)
    for other in (parts, words):
        np.testing.assert_array_equal(whole.kernel, other.kernel)
        assert (other.score, other.rank, other.bits) == (whole.score, whole.rank, 90)


def test_score_is_finite_where_samples_share_a_pattern():
    z = np.random.default_rng(1).normal(size=(12, 50))
    z[[3, 7]] = z[0]
    result = naswot(z)
    kernel = plain_kernel(z > 0)
    assert (result.rank, result.distinct, result.singular) == (10, 10, True)
    assert np.linalg.slogdet(kernel)[1] < result.score < np.inf
    values = np.linalg.eigvalsh(kernel)[2:]
    assert result.score == pytest.approx(np.log(values).sum())
    same = naswot(np.ones((5, 4)))
    assert (same.rank, same.distinct) == (1, 1)
    assert same.score == pytest.approx(np.log(5 * 4))


def test_rank_is_that_of_the_integer_matrix():
    rng = np.random.default_rng(2)
    for n_bits in (1, 2, 3, 5, 8):  # distinct patterns that depend on each other
        bits = rng.integers(0, 2, size=(14, n_bits))
        kernel = plain_kernel(bits).astype(np.int64)
        assert modular_rank(kernel) == true_rank(kernel)
        assert naswot(bits).rank == true_rank(kernel) <= n_bits + 1


def test_networks_without_units_score_minus_infinity():
    net = strategies.network("linear_only", "generic", 0)
    result = naswot(net, np.zeros((3, net.input_size)))
    assert (result.score, result.rank, result.bits) == (-np.inf, 0, 0)
    assert int(te_nas(net, np.zeros((3, net.input_size)))) == 1


@pytest.mark.parametrize("family", ["mlp", "bent", "maxout", "relu_maxpool", "residual"])
def test_network_scores_are_those_of_its_patterns(family):
    net = strategies.network(family, "generic", 3)
    points = np.random.default_rng(0).normal(size=(30, *net.input_shape))
    words = lr.patterns(net, points)
    assert int(te_nas(net, points)) == len(np.unique(words, axis=0))
    np.testing.assert_array_equal(
        naswot(net, points).kernel, naswot(words, bits=net.pattern_bits).kernel
    )


def test_te_nas_says_when_it_measures_the_batch():
    net = strategies.mlp_of([20, 100, 100], np.random.default_rng(0))
    full = te_nas(net, n=200, rng=0)
    assert (int(full), full.samples, full.saturated) == (200, 200, True)
    small = te_nas(strategies.mlp_of([2, 3], np.random.default_rng(0)), n=500, rng=0)
    assert small.coverage > 0.9
    assert not small.saturated
    assert te_nas(net).samples == 3000


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((np.zeros(3),), {}, "pre-activations of shape"),
        (("model",), {}, "expected a Network"),
        (([],), {}, "at least one array"),
        (([np.zeros((2, 3)), np.zeros((3, 3))],), {}, "of 2 and of 3 samples"),
        ((np.zeros((2, 3)), np.zeros((2, 3))), {}, "points are for a Network"),
        ((np.zeros((2, 1), np.uint64),), {}, "need bits="),
        ((np.zeros((2, 1), np.uint64),), {"bits": 65}, "need bits="),
        ((np.full((2, 1), 8, np.uint64),), {"bits": 3}, "bits set behind the last of 3"),
        ((np.zeros((2, 3)),), {"bits": 3}, "bits= is for packed patterns"),
        ((np.zeros((0, 3)),), {}, "at least one sample"),
        (([np.zeros((2, 3)), np.array([[0.0], [np.nan]])],), {}, "layer 1 has NaN"),
    ],
)
def test_wrong_input_is_named(arguments, options, words):
    with pytest.raises(lr.InvalidInput, match=words):
        naswot(*arguments, **options)


def test_networks_need_fitting_points():
    net = strategies.mlp_of([4, 5], np.random.default_rng(0))
    with pytest.raises(lr.InvalidInput, match="needs points"):
        naswot(net)
    with pytest.raises(lr.InvalidInput, match="points must have shape"):
        naswot(net, np.zeros((3, 5)))
    with pytest.raises(lr.InvalidInput, match="must be finite"):
        te_nas(net, np.full((3, 4), np.nan))
    with pytest.raises(lr.InvalidInput, match="give no points"):
        te_nas(net, np.zeros((3, 4)), n=3)
    with pytest.raises(lr.InvalidInput, match="the network has"):
        te_nas(net, input_shape=5)


def test_modules_need_pytorch(monkeypatch):
    class Module:
        pass

    Module.__module__ = "torch.nn.modules.module"
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(lr.MissingExtra, match="torch"):
        naswot(Module(), np.zeros((2, 3)))
    with pytest.raises(lr.MissingExtra, match="torch"):
        lr.local_complexity(Module(), np.zeros((2, 3)))


def test_scores_go_to_json():
    net = strategies.mlp_of([3, 5, 2], np.random.default_rng(0))
    count = te_nas(net, n=50, rng=0)
    assert json.loads(json.dumps(count.to_dict()))["distinct"] == str(count.distinct)
    score = naswot(net, np.random.default_rng(1).normal(size=(4, 3)))
    shown = json.loads(json.dumps(score.to_dict()))
    assert (shown["score"], shown["rank"]) == (score.score, score.rank)
    assert naswot(np.zeros((2, 0))).to_dict()["score"] is None
