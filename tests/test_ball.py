# SPDX-License-Identifier: MIT
"""Regions that meet the inside of a ball: known ones, a reference in rational numbers, samples."""

from __future__ import annotations

import threading
import time
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import helpers
import linear_regions as lr
from interrupted import mlp
from linear_regions import reference


def net_of(seed: int, d: int, widths: tuple[int, ...], integers: bool) -> lr.Network:
    rng = np.random.default_rng(seed)
    layers: list[lr.layers.Layer] = []
    before = d
    for width in widths:
        if integers:
            weight, bias = rng.integers(-3, 4, (width, before)), rng.integers(-3, 4, width)
        else:
            weight, bias = rng.normal(size=(width, before)), rng.normal(size=width)
        layers += [lr.Affine(weight, bias), lr.relu()]
        before = width
    return lr.Network(d, layers)


def check(net: lr.Network, ball: lr.Ball) -> lr.Regions:
    table = lr.regions(net, ball)
    assert int(lr.count(net, ball)) == int(table.count) == len(table)
    found = set(helpers.unpack(table.patterns, net.pattern_bits))
    assert len(found) == len(table)
    center = [Fraction(float(v)) for v in ball.center]
    for region in table:
        point = region.interior_fraction()
        square = sum((p - c) ** 2 for p, c in zip(point, center, strict=True))
        assert square < Fraction(ball.radius) ** 2
        bits = helpers.unpack(region.pattern[None], net.pattern_bits)[0]
        assert reference.pattern(net, point) == bits
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3000, len(center)))
    points *= (rng.uniform(0, 1, 3000) ** (1 / len(center)) / np.linalg.norm(points, axis=1))[
        :, None
    ]
    seen = np.unique(lr.patterns(net, ball.center + 0.999999 * ball.radius * points), axis=0)
    assert set(helpers.unpack(seen, net.pattern_bits)) <= found
    return table


@pytest.mark.parametrize("integers", [False, True])
@pytest.mark.parametrize(("d", "widths"), [(1, (6, 4)), (2, (7, 5)), (3, (6, 4)), (4, (5, 3))])
def test_points_in_the_ball_prove_regions_and_samples_find_no_other(d, widths, integers):
    net = net_of(d, d, widths, integers)
    rng = np.random.default_rng(d)
    check(net, lr.Ball(rng.integers(-1, 2, d).astype(float), 1.0))
    check(net, lr.Ball(rng.normal(size=d), 0.625))


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_hyperplanes_that_touch_the_sphere_cut_nothing(d):
    # x_1 = 1 touches the unit ball; one double less does not.
    net = lr.Network(d, [lr.Affine(np.eye(d)[:1], [-1.0]), lr.relu()])
    ball = lr.Ball(np.zeros(d), 1.0)
    assert len(check(net, ball)) == 1
    near = lr.Network(d, [lr.Affine(np.eye(d)[:1], [-np.nextafter(1.0, 0.0)]), lr.relu()])
    assert len(check(near, ball)) == 2
    # 3 x + 4 y = 5 touches it at (3/5, 4/5), which is no point of doubles.
    if d > 1:
        row = np.zeros((1, d))
        row[0, :2] = 3.0, 4.0
        table = check(lr.Network(d, [lr.Affine(row, [-5.0]), lr.relu()]), ball)
        assert len(table) == 1
        assert table.count.work["exact_distances"] == 1


def test_integers_beyond_doubles_decide_what_cuts_the_sphere():
    # At a distance of 1 / sqrt(1 + 1e-400) from the centre.
    weight, bias = np.array([[1e-200, 1.0], [1.0, 1e-200]]), np.array([-1.0, -1.0])
    net = lr.Network(2, [lr.Affine(weight, bias), lr.relu()])
    assert int(lr.count(net, lr.Ball([0.0, 0.0], 1.0))) == 3
    touching = lr.Network(2, [lr.Affine(np.round(weight), bias), lr.relu()])
    assert int(lr.count(touching, lr.Ball([0.0, 0.0], 1.0))) == 1


def test_a_corner_on_the_sphere_does_not_meet_the_ball():
    # The wedge x >= 3/5, y >= 4/5 has its tip on the sphere.
    net = lr.Network(2, [lr.Affine([[5.0, 0.0], [0.0, 5.0]], [-3.0, -4.0]), lr.relu()])
    table = check(net, lr.Ball([0.0, 0.0], 1.0))
    assert len(table) == 3
    assert len(check(net, lr.Ball([0.0, 0.0], np.nextafter(1.0, 2.0)))) == 4


def test_the_number_in_a_ball_lies_between_those_in_boxes():
    net = net_of(1, 3, (8, 8), False)
    half = 1 / np.sqrt(3) - 1e-9
    inner, outer = lr.count(net, lr.Box(-half, half)), lr.count(net, lr.Box(-1.0, 1.0))
    assert int(inner) <= int(lr.count(net, lr.Ball(np.zeros(3), 1.0))) <= int(outer)


def test_what_a_ball_does_not_allow_is_told():
    net, ball = net_of(0, 3, (5,), False), lr.Ball(np.zeros(3), 1.0)
    with pytest.raises(lr.Unsupported, match="certified"):
        lr.count(net, ball, arithmetic="float")
    with pytest.raises(lr.Unsupported, match="Box around it"):
        lr.decision_boundary(net, ball)
    with pytest.raises(lr.Unsupported, match="neighbours"):
        lr.regions(net, ball, limit=2).adjacency()
    assert lr.count(net, ball, limit=2).value == 2
    assert len(lr.regions(net, ball, limit=2)) == 2
    with pytest.raises(lr.Unsupported, match="Ball of lower dimension"):
        lr.count(net_of(0, 12, (3,), False), lr.Ball(np.zeros(12), 1.0))


def test_a_list_in_a_ball_is_saved_with_both_domains(tmp_path):
    table = lr.regions(net_of(0, 3, (5,), False), lr.Ball(np.zeros(3), 1.0))
    table.save(tmp_path / "ball.npz")
    loaded = lr.load(tmp_path / "ball.npz")
    assert loaded == table
    assert (type(loaded.domain).__name__, type(loaded.place).__name__) == ("Ball", "Box")


# --- neighbours and pieces -----------------------------------------------------------------------


def edges(table: lr.Regions) -> set[tuple[int, int]]:
    i, j, facet = table.adjacency()
    mates = table.facet_mates
    assert (i < j).all()
    assert np.array_equal(mates[mates[facet]], facet)
    assert np.array_equal(table.facet_regions[mates[facet]], j)
    return set(zip(i.tolist(), j.tolist(), strict=True))


def meet_on_segments(table: lr.Regions, ball: lr.Ball, n: int) -> set[tuple[int, int]]:
    """Return pairs of regions that follow each other on random chords: they share a facet."""
    rng = np.random.default_rng(0)
    number = {row.tobytes(): k for k, row in enumerate(table.patterns)}
    found = set()
    d = len(ball.center)
    for _ in range(n):
        ends = rng.normal(size=(2, d))
        ends *= 0.999 * rng.uniform(0.5, 1, (2, 1)) / np.linalg.norm(ends, axis=1)[:, None]
        chord = lr.regions(table.network, lr.Segment(*(ball.center + ball.radius * ends)))
        order = chord.interior_points[:, 0].argsort()
        along = [number[chord.patterns[k].tobytes()] for k in order]
        found |= {(min(p), max(p)) for p in pairwise(along)}
    return found


@pytest.mark.parametrize(("d", "widths"), [(1, (6, 4)), (2, (7, 5)), (3, (6, 3)), (4, (5, 2))])
def test_neighbours_in_a_ball_are_those_that_chords_pass_between(d, widths):
    net = net_of(20 + d, d, widths, False)
    ball = lr.Ball(np.random.default_rng(d).normal(size=d) / 4, 0.75)
    table = lr.regions(net, ball)
    found = edges(table)
    met = meet_on_segments(table, ball, 150)
    assert met <= found
    if d < 3:  # chords are then unlikely to miss a facet
        assert len(met) >= 0.7 * len(found)
    # The ball is convex: its regions hang together.
    parent = list(range(len(table)))
    for _ in range(len(parent)):
        for i, j in found:
            parent[i] = parent[j] = min(parent[i], parent[j])
    assert set(parent) == {0}
    box = lr.regions(net, lr.Box(ball.center - 0.75, ball.center + 0.75))
    assert len(found) <= len(box.adjacency()[0])


@pytest.mark.parametrize("integers", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_neighbours_in_a_disc_share_a_segment_that_is_near_enough(seed, integers):
    net = net_of(seed, 2, (6, 5), integers)
    ball = lr.Ball([0.125, 0.25], 1.0)
    table = lr.regions(net, ball)
    found = edges(table)
    expected = set()
    box = lr.regions(net, table.place)
    number = {row.tobytes(): k for k, row in enumerate(table.patterns)}
    for i, j, facet in zip(*(a.tolist() for a in box.adjacency()), strict=True):
        first, last = box.columns.corner_offsets[facet : facet + 2]
        a, b = box.columns.vertices[box.columns.corners[first:last], :2]
        share = np.clip((ball.center - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        distance = np.linalg.norm(a + share * (b - a) - ball.center)
        assert abs(distance - 1) > 1e-12
        if distance < 1:
            pair = [number[box.patterns[k].tobytes()] for k in (i, j)]
            expected.add((min(pair), max(pair)))
    assert found == expected


def test_facets_that_touch_the_sphere_join_nothing():
    # The corner (3/5, 4/5) of both units lies on the sphere: beyond it their facets go on.
    net = lr.Network(2, [lr.Affine([[5.0, 0.0], [0.0, 5.0]], [-3.0, -4.0]), lr.relu()])
    table = lr.regions(net, lr.Ball([0.0, 0.0], 1.0))
    assert len(table) == 3
    assert len(edges(table)) == 2
    larger = lr.regions(net, lr.Ball([0.0, 0.0], np.nextafter(1.0, 2.0)))
    assert (len(larger), len(edges(larger))) == (4, 4)


def test_equal_maps_that_touch_in_the_box_alone_are_two_linear_regions():
    # relu(1.5 + v - 2 |u|), u = x - y, v = x + y: its zeros meet where v < -1.5, in the corner.
    layers = [
        lr.Affine([[1.0, -1.0], [-1.0, 1.0]]),
        lr.relu(),
        lr.Concat(0),
        lr.Affine([[-2.0, -2.0, 1.0, 1.0]], [1.5]),
        lr.relu(),
    ]
    net = lr.Network(2, layers)
    box, ball = lr.Box(-1.0, 1.0), lr.Ball([0.0, 0.0], 1.0)
    assert int(lr.count(net, box, what="linear")) == 3
    result = lr.count(net, ball, what="linear")
    assert (int(result), result.what, result.kind) == (4, "linear", "exact")
    assert int(lr.count(net, ball, what="affine")) == 3
    table = lr.regions(net, ball, what="linear")
    assert int(table.count) == 4
    assert len(np.unique(table.linear_regions())) == 4


def test_pieces_in_a_ball_are_counted_in_every_dimension():
    for d in range(1, 9):
        twice = [
            lr.Affine(np.eye(d)[[0, 0]] * [[1.0], [-1.0]]),
            lr.relu(),
            lr.Affine([[1.0, -1.0]]),
        ]
        net, ball = lr.Network(d, twice), lr.Ball(np.zeros(d), 1.0)
        numbers = [int(lr.count(net, ball, what=w)) for w in ("activation", "linear", "affine")]
        assert numbers == [2, 1, 1]
        sample = lr.sample(net, ball, 200, rng=0)
        assert sample.distinct == 2
        assert edges(lr.regions(net, ball)) == {(0, 1)}


@pytest.mark.parametrize("dim", [9, 64])
def test_balls_of_many_dimensions_are_refused_with_what_a_ball_can_do(dim):
    net = lr.Network(dim, [lr.Affine(np.eye(dim)[:3]), lr.relu(), lr.Affine(np.ones((1, 3)))])
    for ask in (lr.count, lr.regions):
        with pytest.raises(lr.Unsupported, match="take a Ball of lower dimension, a Box, or"):
            ask(net, lr.Ball(np.zeros(dim), 1.0))


@pytest.mark.parametrize("dim", [2, 3])
def test_a_list_that_looks_at_its_limits_is_the_list(dim):
    net = mlp(dim, 12, 8, 1)
    ball = lr.Ball(np.full(dim, 0.1), 0.8)
    whole = lr.regions(net, ball)
    watched = lr.regions(net, ball, time_limit=1000.0)
    assert watched == whole
    assert watched.count.status == "complete"
    first = lr.regions(net, ball, limit=5, cancel=threading.Event())
    assert first.count.status == "limit"
    assert np.array_equal(first.patterns, whole.patterns[:5])


@pytest.mark.parametrize("what", ["activation", "affine"])
def test_a_list_in_a_ball_ends_with_its_time_limit(what):
    """Deciding about what was listed in 2 s went on for minutes."""
    net, ball = mlp(4, 60, 60, 60, 1), lr.Ball(np.zeros(4), 1.0)
    start = time.perf_counter()
    table = lr.regions(net, ball, what=what, time_limit=1.0)
    assert time.perf_counter() - start < 3.0  # idle: 1.2
    assert (table.count.kind, table.count.status) == ("lower", "time_limit")
    inside = np.isfinite(table.interior_points).all(axis=1)
    assert table.count.work["box_regions"] > 0
    assert len(table) == len(np.unique(table.patterns, axis=0))
    assert (np.linalg.norm(table.interior_points[inside], axis=1) < 1).all()
    assert np.array_equal(lr.patterns(net, table.interior_points[inside]), table.patterns[inside])


def test_a_list_in_a_ball_that_is_cancelled_at_once_is_empty():
    enough = threading.Event()
    enough.set()
    table = lr.regions(mlp(3, 8, 1), lr.Ball(np.zeros(3), 1.0), cancel=enough)
    assert table.count.status == "cancelled"
    assert len(table) == table.count.value <= 128
