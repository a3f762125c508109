# SPDX-License-Identifier: MIT
"""Regions that meet the inside of a ball: known ones, a reference in rational numbers, samples."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import helpers
import linear_regions as lr
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
    with pytest.raises(lr.Unsupported, match="touch inside the ball"):
        lr.count(net, ball, what="linear")
    with pytest.raises(lr.Unsupported, match="certified"):
        lr.count(net, ball, arithmetic="float")
    table = lr.regions(net, ball)
    with pytest.raises(lr.Unsupported, match="neighbours"):
        table.adjacency()
    assert len(np.unique(table.affine_pieces())) == len(table)
    assert lr.count(net, ball, limit=2).value == 2
    assert len(lr.regions(net, ball, limit=2)) == 2
    with pytest.raises(lr.Unsupported, match="lists no regions"):
        lr.count(net_of(0, 12, (3,), False), lr.Ball(np.zeros(12), 1.0))


def test_a_list_in_a_ball_is_saved_with_both_domains(tmp_path):
    table = lr.regions(net_of(0, 3, (5,), False), lr.Ball(np.zeros(3), 1.0))
    table.save(tmp_path / "ball.npz")
    loaded = lr.load(tmp_path / "ball.npz")
    assert loaded == table
    assert (type(loaded.domain).__name__, type(loaded.place).__name__) == ("Ball", "Box")
