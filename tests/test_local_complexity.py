# SPDX-License-Identifier: MIT
"""Local complexity equals its definition, written out in NumPy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import linear_regions as lr
import strategies


def plain(weights: list, points: np.ndarray, radius: float, frame: np.ndarray) -> np.ndarray:
    """Count sign changes over the corners, layer by layer, in plain NumPy."""
    columns = np.zeros((len(points), len(weights)), dtype=np.int64)
    for i, point in enumerate(points):
        values = np.concatenate([point + radius * frame, point - radius * frame])
        for layer, (weight, bias) in enumerate(weights):
            z = values @ weight.T + bias
            columns[i, layer] = ((z > 0).any(axis=0) & ~(z > 0).all(axis=0)).sum()
            values = np.maximum(z, 0)
    return columns


def network(rng: np.random.Generator, widths: list[int]) -> tuple[lr.Network, list]:
    weights = [(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in pairwise(widths)]
    return lr.load([*weights, (np.eye(widths[-1]), np.zeros(widths[-1]))]), weights


def test_values_equal_the_definition():
    rng = np.random.default_rng(0)
    net, weights = network(rng, [6, 30, 20, 10])
    points = rng.normal(size=(25, 6))
    frame = np.linalg.qr(rng.normal(size=(6, 4)))[0].T
    found = lr.local_complexity(net, points, radius=0.3, directions=frame)
    expected = plain(weights, points, 0.3, frame)
    np.testing.assert_array_equal(found.per_layer, expected)
    np.testing.assert_array_equal(found.values, expected.sum(axis=1))
    np.testing.assert_array_equal(np.asarray(found), found.values)
    assert found.mean == expected.sum(axis=1).mean() > 0
    assert (len(found), found.directions, found.key) == (25, 4, None)
    each = lr.local_complexity(
        net, points, radius=0.3, directions=np.broadcast_to(frame, (25, 4, 6))
    )
    np.testing.assert_array_equal(each.values, found.values)


def test_directions_are_orthonormal_and_belong_to_the_point_alone():
    from linear_regions._local_complexity import _frames

    frames, key = _frames(3, 7, 9, 25, 5)
    all_of_them = frames(0, 7)
    np.testing.assert_allclose(
        all_of_them @ np.swapaxes(all_of_them, 1, 2),
        np.broadcast_to(np.eye(3), (7, 3, 3)),
        atol=1e-12,
    )
    np.testing.assert_array_equal(frames(4, 6), all_of_them[4:6])
    assert key == _frames(3, 7, 9, 25, 5)[1] != _frames(3, 7, 9, 25, 6)[1]
    assert len(np.unique(all_of_them)) == all_of_them.size


def test_same_seed_gives_the_same_values_in_any_batch(monkeypatch):
    net, _ = network(np.random.default_rng(1), [5, 40, 40])
    points = np.random.default_rng(2).normal(size=(11, 5))
    first = lr.local_complexity(net, points, radius=0.2, rng=3)
    monkeypatch.setattr("linear_regions._local_complexity._BATCH_NUMBERS", 120)
    second = lr.local_complexity(net, points, radius=0.2, rng=3)
    np.testing.assert_array_equal(first.per_layer, second.per_layer)
    assert first.key == second.key
    assert (
        first.values.tolist() != lr.local_complexity(net, points, radius=0.2, rng=4).values.tolist()
    )


def test_first_layer_is_exact_and_regions_are_at_least_the_cuts_on_a_line():
    rng = np.random.default_rng(4)
    net, _ = network(rng, [4, 25])
    points = rng.normal(size=(12, 4))
    frame = np.linalg.qr(rng.normal(size=(4, 1)))[0].T
    corners = lr.local_complexity(net, points, radius=0.5, directions=frame)
    regions = lr.local_complexity(net, points, radius=0.5, directions=frame, method="regions")
    # On a line, k hyperplanes in general position make k + 1 regions.
    np.testing.assert_array_equal(regions.values, corners.per_layer[:, 0] + 1)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_regions_equal_counts_in_the_cross_polytope(p):
    rng = np.random.default_rng(5)
    net, _ = network(rng, [3, 8, 8])
    points = rng.normal(size=(3, 3))
    frame = np.linalg.qr(rng.normal(size=(3, p)))[0].T
    found = lr.local_complexity(net, points, radius=0.7, directions=frame, method="regions")
    signs = np.array(np.meshgrid(*[[-1.0, 1.0]] * p)).reshape(p, -1).T
    for point, value in zip(points, found.values, strict=True):
        ball = lr.Polytope(signs, np.ones(len(signs)))
        assert int(lr.count(net, lr.Slice(point, 0.7 * frame, ball))) == value
    assert found.per_layer is None


def test_windows_count_once():
    net = lr.Network((1, 4), [lr.MaxPool(4)])
    points = [[[1.0, 1.01, 0.0, 0.0]]]
    frame = np.eye(4)[:2]
    assert lr.local_complexity(net, points, radius=0.1, directions=frame).values.tolist() == [1]
    assert lr.local_complexity(net, points, radius=0.001, directions=frame).values.tolist() == [0]


def test_units_with_two_breakpoints_count_each():
    net = lr.Network(1, [lr.Affine([[1.0]]), lr.hard_tanh()])
    values = lr.local_complexity(net, [[1.0], [0.0], [5.0]], radius=1.5, directions=1, rng=0).values
    assert values.tolist() == [1, 2, 0]


def test_network_without_units_and_batch_without_points():
    net = strategies.network("linear_only", "generic", 0)
    assert lr.local_complexity(net, np.zeros((2, net.input_size))).values.tolist() == [0, 0]
    empty, _ = network(np.random.default_rng(0), [3, 4])
    assert lr.local_complexity(empty, np.zeros((0, 3))).values.shape == (0,)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"radius": 0.0}, "radius must be positive"),
        ({"radius": np.nan}, "radius must be positive"),
        ({"method": "ball"}, "method must be"),
        ({"directions": 4}, "no 4 orthogonal directions among 3"),
        ({"directions": 0}, "directions"),
        ({"directions": np.zeros((2, 4))}, "directions must have shape"),
        ({"directions": np.zeros((3, 2, 3))}, "directions are for 3 points, there are 2"),
        ({"directions": np.full((1, 3), np.inf)}, "directions must be finite"),
    ],
)
def test_wrong_arguments_are_named(options, words):
    net, _ = network(np.random.default_rng(0), [3, 4])
    with pytest.raises(lr.InvalidInput, match=words):
        lr.local_complexity(net, np.zeros((2, 3)), **options)


def test_what_is_not_supported_says_so():
    net, _ = network(np.random.default_rng(0), [6, 4])
    with pytest.raises(lr.Unsupported, match="at most 4 directions, got 5"):
        lr.local_complexity(net, np.zeros((2, 6)), method="regions", directions=5)
    with pytest.raises(TypeError, match="must be a Network"):
        lr.local_complexity([1.0], np.zeros((2, 6)))
