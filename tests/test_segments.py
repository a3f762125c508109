# SPDX-License-Identifier: MIT
"""Counts on many segments equal the reference and the counts one by one."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import linear_regions as lr
import strategies
from linear_regions import reference


def ends(net: lr.Network, m: int, style: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ends whose difference is no double, whole numbers, and some equal ones."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, m, net.input_size))
    if style != "generic":
        a, b = rng.integers(-2, 3, size=(2, m, net.input_size)).astype(float)
        b[::2] /= 3.0
    b[1] = a[1]
    return a, b


def expected(net: lr.Network, a: np.ndarray, b: np.ndarray) -> list[int]:
    return [
        1 if np.array_equal(x, y) else reference.count(net, lr.Segment(x, y))
        for x, y in zip(a, b, strict=True)
    ]


@pytest.mark.parametrize("family", strategies.FAMILIES)
@pytest.mark.parametrize("style", strategies.STYLES)
def test_counts_equal_the_reference(family, style):
    net = strategies.network(family, style, 0)
    a, b = ends(net, 6, style, 1)
    found = lr.count_segments(net, a, b, threads=2)
    assert found.dtype == np.int64
    assert found.tolist() == expected(net, a, b)


@pytest.mark.parametrize("kind", strategies.ROUGH)
def test_numbers_of_every_size(kind):
    rng = np.random.default_rng(3)
    for _ in range(4):
        net = strategies.rough_network(rng, strategies.ROUGH[kind])
        a, b = strategies.ROUGH[kind](rng, (2, 5, net.input_size))
        assert lr.count_segments(net, a, b).tolist() == expected(net, a, b)


def test_difference_is_taken_exactly():
    # 1 - 2**-60 rounds to 1: along the rounded direction the second input would not move.
    net = lr.Network(2, [lr.Affine([[2.0**60, -(2.0**60)]], [-0.25]), lr.relu()])
    a, b = np.array([0.0, 2.0**-60]), np.array([1.0, 1.0])
    assert int(lr.count_segments(net, a, b)) == int(lr.count(net, lr.Segment(a, b)))
    for shift in (-(2.0**-60), 0.0, 2.0**-60):
        start, end = np.array([2.0**-60 + shift, 0.0]), np.array([1.0, 1.0 - 2.0**-53])
        one = int(lr.count(net, lr.Segment(start, end)))
        assert (
            int(lr.count_segments(net, start, end))
            == one
            == reference.count(net, lr.Segment(start, end))
        )


def test_single_points_are_common_ends_and_images_keep_their_shape():
    net = strategies.network("relu_maxpool", "generic", 1)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, *net.input_shape))
    flat = lr.count_segments(net, a.reshape(3, -1), b.reshape(3, -1))
    assert lr.count_segments(net, a, b).tolist() == flat.tolist()
    assert lr.count_segments(net, a[0], b).tolist() == [
        int(lr.count_segments(net, a[0], end)) for end in b
    ]
    assert lr.count_segments(net, a[0], b[0]).shape == ()
    assert lr.count_segments(net, a[:0], b[:0]).shape == (0,)


def test_reversed_segments_have_equal_counts():
    net = strategies.mlp_of([5, 30, 30, 2], np.random.default_rng(0))
    a, b = np.random.default_rng(1).normal(size=(2, 40, 5))
    forth, back = lr.count_segments(net, a, b), lr.count_segments(net, b, a)
    assert forth.tolist() == back.tolist()
    assert [lr.count_segments(net, a, b, threads=t).tolist() for t in (1, 2, 7)] == [
        forth.tolist()
    ] * 3


def test_linear_regions_and_pieces_on_segments():
    # |x| seen by a sum: two units with one kink that cancels for the second layer's output.
    net = lr.Network(1, [lr.Affine([[1.0], [-1.0]]), lr.relu(), lr.Affine([[1.0, -1.0]], [0.0])])
    assert lr.count_segments(net, [[-1.0]], [[2.0]]).tolist() == [2]
    assert lr.count_segments(net, [[-1.0], [0.5]], [[2.0], [0.5]], what="linear").tolist() == [1, 1]
    assert lr.count_segments(net, [[-1.0]], [[2.0]], what="affine").tolist() == [1]


def test_cancelled_counts_are_minus_one():
    net = strategies.mlp_of([4, 10, 2], np.random.default_rng(0))
    a, b = np.random.default_rng(1).normal(size=(2, 5, 4))
    cancel = threading.Event()
    cancel.set()
    for what in ("activation", "linear"):
        found = lr.count_segments(net, a, b, cancel=cancel, what=what)
        assert found.tolist() == [-1] * 5
    partly = lr.count_segments(net, np.repeat(a, 4000, 0), np.repeat(b, 4000, 0), time_limit=0.005)
    true = np.repeat(lr.count_segments(net, a, b), 4000)
    assert ((partly == true) | (partly == -1)).all()
    assert (partly == -1).any()


def test_progress_ends_near_one():
    seen: list[float] = []
    net = strategies.mlp_of([4, 100, 100, 2], np.random.default_rng(0))
    a, b = np.random.default_rng(1).normal(size=(2, 3000, 4))
    lr.count_segments(net, a, b, threads=1, progress=lambda found, share: seen.append(share))
    assert seen == sorted(seen)
    assert not seen or seen[-1] <= 1.0 + 1e-9


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (np.zeros((2, 3)), np.zeros((2, 2)), "points must have shape"),
        (np.zeros((2, 2)), np.zeros((3, 2)), "equally many points, got 2 and 3"),
        (np.full((1, 2), np.nan), np.zeros((1, 2)), "a must be finite"),
        (np.zeros((1, 2)), np.full((1, 2), np.inf), "b must be finite"),
        ([[0.0, 0.0], [-1e308, 0.0]], [[1.0, 1.0], [1e308, 0.0]], "overflows float64 in segment 1"),
    ],
)
def test_wrong_points_are_named(a, b, words):
    net = lr.Network(2, [lr.Affine(np.eye(2)), lr.relu()])
    with pytest.raises(lr.InvalidInput, match=words):
        lr.count_segments(net, a, b)


def test_wrong_arguments_are_named():
    net = lr.Network(2, [lr.Affine(np.eye(2)), lr.relu()])
    with pytest.raises(TypeError, match="net must be a Network"):
        lr.count_segments("net", [0.0, 0.0], [1.0, 1.0])
    with pytest.raises(lr.InvalidInput, match="what must be one of"):
        lr.count_segments(net, [0.0, 0.0], [1.0, 1.0], what="chambers")
