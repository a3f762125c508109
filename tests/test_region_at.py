# SPDX-License-Identifier: MIT
"""`region_at`: one region from one point is the region that a list has."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import helpers
import linear_regions as lr
import strategies
from draws import STYLES
from linear_regions import reference


def facets_of(region: lr.Region) -> set[tuple[int, tuple[float, ...]]]:
    rows = [(facet.bit, np.r_[facet.normal, facet.offset]) for facet in region.facets]
    return {(bit, tuple(np.round(row / np.abs(row).max(), 9) + 0.0)) for bit, row in rows}


def compare(net: lr.Network, domain: lr.Domain, most: int = 25) -> None:
    """Compare every listed region with the one that is found from its interior point."""
    table = lr.regions(net, domain)
    for listed in table[:most]:
        found = lr.region_at(net, listed.interior_fraction(), domain)
        assert np.array_equal(found.pattern, listed.pattern)
        assert found.bounded == listed.bounded
        assert found.volume == pytest.approx(listed.volume, rel=1e-6)
        assert len(found.facets) == len(listed.facets)
        # Where several units vanish on a facet, list and point may name different ones.
        rows = {row for _, row in facets_of(found)}
        if len({bit for bit, _ in facets_of(listed)} - {-1}) == len(listed.facets):
            assert rows == {row for _, row in facets_of(listed)}
        for a, b in zip(found.affine_map(), listed.affine_map(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
        inequalities, bits = found.inequalities()
        at = inequalities @ np.r_[found.interior_point, 1.0]
        assert (at > -1e-9).all()
        assert len(bits) == len(inequalities)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("family", sorted(strategies.FAMILIES))
def test_region_of_an_interior_point_is_the_listed_one(family, style):
    net = strategies.network(family, style, 5)
    for dimension in (1, 2):
        compare(net, strategies.domain(net, dimension, style, 5), most=8)


@pytest.mark.parametrize("d", [3, 4])
def test_region_in_space_and_in_a_box_is_the_listed_one(d):
    rng = np.random.default_rng(d)
    layers = [lr.Affine(rng.integers(-3, 4, (5, d)), rng.integers(-3, 4, 5)), lr.relu()]
    layers += [lr.Affine(rng.integers(-3, 4, (4, 5))), lr.relu()]
    net = lr.Network(d, layers)
    compare(net, lr.Box(-np.ones(d), np.ones(d)))
    compare(net, lr.Space())


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("family", sorted(strategies.FAMILIES))
def test_points_are_located_as_in_rational_arithmetic_or_refused_on_facets(family, style, rng):
    net = strategies.network(family, style, 2)
    refused = 0
    for _ in range(25):
        x = rng.integers(-3, 4, net.input_size).astype(float)
        try:
            found = lr.region_at(net, x)
        except lr.DegenerateInput:
            refused += 1
            # Some neighbour on a tiny sphere has another pattern.
            near = x + 1e-6 * rng.normal(size=(200, net.input_size))
            assert len(np.unique(lr.patterns(net, near), axis=0)) > 1
            continue
        bits = helpers.unpack(found.pattern[None], net.pattern_bits)[0]
        near = [Fraction(float(v)) for v in x]
        assert reference.pattern(net, near) == bits
    assert refused < 25 or style != "normal"


def test_a_dead_unit_makes_no_facet():
    net = lr.Network(2, [lr.Affine([[0.0, 0.0], [1.0, 0.0]]), lr.relu()])
    assert lr.region_at(net, [1.0, 5.0]).bits().tolist() == [False, True]
    with pytest.raises(lr.DegenerateInput, match="bits 1 change"):
        lr.region_at(net, [0.0, 5.0])


def test_a_region_between_adjacent_doubles_has_rational_points_only():
    one = np.nextafter(1.0, 2.0)
    net = lr.Network(1, [lr.Affine([[1.0], [1.0]], [-1.0, -one]), lr.relu()])
    middle = (Fraction(1) + Fraction(float(one))) / 2
    region = lr.region_at(net, [middle])
    assert region.bits().tolist() == [True, False]
    assert region.interior_fraction() == (middle,)
    assert [facet.bit for facet in region.facets] == [0, 1]
    assert np.isnan(region.interior_point).all()
    with pytest.raises(lr.DegenerateInput, match="facet"):
        lr.region_at(net, [1.0])


def test_points_outside_and_on_sides_are_told():
    net = lr.Network(2, [lr.Affine(np.eye(2), [5.0, 5.0]), lr.relu()])
    with pytest.raises(lr.InvalidInput, match="outside"):
        lr.region_at(net, [2.0, 0.0], lr.Box(-1.0, 1.0))
    with pytest.raises(lr.DegenerateInput, match="side"):
        lr.region_at(net, [1.0, 0.0], lr.Box(-1.0, 1.0))
    with pytest.raises(lr.InvalidInput, match="2 numbers"):
        lr.region_at(net, [1.0, 0.0, 0.0])
    with pytest.raises(TypeError, match="Network"):
        lr.region_at([], [0.0])
    with pytest.raises(lr.Unsupported, match="neighbours"):
        _ = lr.region_at(net, [0.0, 0.0]).neighbours


def test_many_inputs_give_pattern_map_and_all_inequalities():
    rng = np.random.default_rng(0)
    layers = [lr.Affine(rng.normal(size=(60, 784)) / 28, rng.normal(size=60)), lr.relu()]
    net = lr.Network((1, 28, 28), [lr.Flatten(), *layers, lr.Affine(rng.normal(size=(10, 60)))])
    x = rng.normal(size=(1, 28, 28))
    region = lr.region_at(net, x)
    assert np.array_equal(region.pattern, lr.patterns(net, x))
    slope, offset = region.affine_map()
    np.testing.assert_allclose(slope @ x.reshape(-1) + offset, net(x), rtol=1e-9)
    rows, bits = region.inequalities()
    assert rows.shape == (60, 785)
    assert bits.tolist() == list(range(60))
    assert len(region.facets) == 60, "independent hyperplanes are all needed"
    assert not region.bounded
    with pytest.raises(lr.Unsupported, match="vertices"):
        _ = region.vertices


def test_regions_with_lines_have_points_directions_and_lines():
    rng = np.random.default_rng(1)
    net = lr.Network(5, [lr.Affine(rng.integers(-3, 4, (3, 5)), [1, 0, 2]), lr.relu()])
    table = lr.regions(net)
    assert len(table) == 8
    assert table.lineality.shape == (2, 5)
    assert not (table.facet_rows[:, :-1] @ table.lineality.T > 1e-12).any()
    assert not table.bounded.any()
    assert np.isinf(table.volumes).all()
    i, _, _ = table.adjacency()
    assert len(i) == 12
    assert set(helpers.unpack(table.patterns, 3)) == {
        region.pattern for region in reference.regions(net, lr.Space(), geometry="programs")
    }
    points = np.random.default_rng(0).normal(size=(200, 5)) * 3
    inside = table.facet_rows @ np.column_stack((points, np.ones(200))).T > 0
    member = np.minimum.reduceat(inside, table.facet_offsets[:-1], axis=0)
    assert np.array_equal(table.patterns[member.argmax(axis=0)], lr.patterns(net, points))
    region = lr.region_at(net, points[0])
    assert (len(region.facets), region.bounded) == (3, False)
    assert int(lr.count(net, what="linear")) == 8


def test_a_point_with_the_inputs_that_a_box_fixes_is_told_how_to_go(rng):
    net = lr.Network(3, [lr.Affine(rng.normal(size=(4, 3)), rng.normal(size=4)), lr.relu()])
    box = lr.Box([-1.0, 0.5, -1.0], [1.0, 0.5, 1.0])
    x = np.array([0.25, 0.5, -0.25])
    with pytest.raises(lr.InvalidInput, match=r"fixes some inputs: give the others, x\[domain"):
        lr.region_at(net, x, box)
    region = lr.region_at(net, x[box.free], box)
    assert region.pattern.tolist() == lr.region_at(net, x).pattern.tolist()


def test_fractions_may_stand_beside_other_numbers_but_not_beside_none():
    half, box = Fraction(1, 2), lr.Box(-4.0, 4.0)
    net = lr.Network(2, [lr.relu()])
    for other in (0.25, np.float32(0.25), np.float16(0.25), np.int8(3)):
        assert lr.region_at(net, [half, other], box).interior_fraction()[1] == float(other)
    for other in (float("nan"), np.float32("inf"), None, "a"):
        with pytest.raises(lr.InvalidInput, match="x must be finite numbers"):
            lr.region_at(net, [half, other], box)
