# SPDX-License-Identifier: MIT
"""Lists of regions in three and more dimensions: sets, points, facets, neighbours, pieces."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import factorial

import numpy as np
import pytest

import helpers
import linear_regions as lr
import triangulation
from linear_regions import reference
from linear_regions._volumes import facet_sizes


def small_network(seed: int, d: int, widths: tuple[int, ...], size: int = 3) -> lr.Network:
    """Return a network of small integers: ties are frequent."""
    generator = np.random.default_rng(seed)
    layers, before = [], d
    for width in widths:
        weight = generator.integers(-size, size + 1, (width, before)).astype(float)
        layers += [lr.Affine(weight, generator.integers(-size, size + 1, width)), lr.relu()]
        before = width
    layers.append(lr.Affine(generator.integers(-size, size + 1, (1, before)).astype(float)))
    return lr.Network(d, layers)


CASES = [
    (seed, d, widths, domain)
    for seed, (d, widths) in enumerate(
        [(3, (4, 3)), (3, (5,)), (4, (5, 2)), (3, (4, 3, 2)), (5, (5, 2))]
    )
    for domain in ("box", "space")
]


def exact_regions(net: lr.Network, domain: lr.Domain) -> list[reference.Region]:
    return reference.regions(net, domain, geometry="programs")


def place(kind: str, d: int) -> lr.Domain:
    return lr.Box(-np.ones(d), np.ones(d)) if kind == "box" else lr.Space(d)


@pytest.mark.parametrize(("seed", "d", "widths", "kind"), CASES)
def test_list_holds_the_patterns_of_the_reference(seed, d, widths, kind):
    net, domain = small_network(seed, d, widths), place(kind, d)
    table = lr.regions(net, domain)
    assert (table.dim, table.count.method) == (d, "cones")
    bits = helpers.unpack(table.patterns, net.pattern_bits)
    assert len(set(bits)) == len(bits) == len(table)
    assert set(bits) == {region.pattern for region in exact_regions(net, domain)}


@pytest.mark.parametrize(("seed", "d", "widths", "kind"), CASES)
def test_interior_points_have_their_patterns_in_rational_arithmetic(seed, d, widths, kind):
    net, domain = small_network(seed, d, widths), place(kind, d)
    table = lr.regions(net, domain)
    assert table.interior_proved.all()
    bits = helpers.unpack(table.patterns, net.pattern_bits)
    for pattern, point in zip(bits, table.interior_points.tolist(), strict=True):
        assert reference.pattern(net, [Fraction(v) for v in point]) == pattern
        if kind == "box":
            assert max(map(abs, point)) < 1


def facet_points(table: lr.Regions) -> np.ndarray:
    """Return a point inside every facet: the mean of its corners, and on along its directions."""
    out = np.empty((len(table.facet_rows), table.dim))
    columns = table.columns
    for facet in range(len(out)):
        first, last = columns.corner_offsets[facet : facet + 2]
        corners = columns.vertices[columns.corners[first:last]]
        finite = corners[:, -1] == 1
        assert finite.any()
        out[facet] = corners[finite, :-1].mean(axis=0) + corners[~finite, :-1].sum(axis=0)
    return out


@pytest.mark.parametrize(("seed", "d", "widths", "kind"), CASES)
def test_both_sides_of_a_facet_are_the_regions_that_it_parts(seed, d, widths, kind):
    net, domain = small_network(seed, d, widths), place(kind, d)
    table = lr.regions(net, domain)
    points = facet_points(table)
    inward = table.facet_rows[:, :-1] / np.linalg.norm(table.facet_rows[:, :-1], axis=1)[:, None]
    for step, owner in ((1e-7, table.facet_regions), (-1e-7, None)):
        found = lr.patterns(net, points + step * inward)
        inner = table.facet_mates >= 0
        assert np.array_equal(inner, table.facet_bits >= 0)
        if owner is None:
            owner = np.where(inner, table.facet_regions[table.facet_mates], 0)
            assert np.array_equal(found[inner], table.patterns[owner[inner]])
        else:
            assert np.array_equal(found, table.patterns[owner])


@pytest.mark.parametrize(("seed", "d", "widths", "kind"), CASES)
def test_facets_part_a_region_from_all_others(seed, d, widths, kind):
    net, domain = small_network(seed, d, widths), place(kind, d)
    table = lr.regions(net, domain)
    points = np.random.default_rng(seed).uniform(-1, 1, (300, d))
    inside = table.facet_rows @ np.column_stack((points, np.ones(300))).T > 0
    member = np.minimum.reduceat(inside, table.facet_offsets[:-1], axis=0)
    assert (member.sum(axis=0) == 1).all()
    assert np.array_equal(table.patterns[member.argmax(axis=0)], lr.patterns(net, points))


@pytest.mark.parametrize(("seed", "d", "widths", "kind"), CASES)
def test_pieces_are_those_of_the_exact_maps(seed, d, widths, kind):
    net, domain = small_network(seed, d, widths), place(kind, d)
    maps = {region.pattern: region.output for region in exact_regions(net, domain)}
    assert int(lr.count(net, domain, what="affine")) == len(set(maps.values()))
    table = lr.regions(net, domain)
    bits = helpers.unpack(table.patterns, net.pattern_bits)
    parent = list(range(len(table)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    for i, j in zip(*(ends.tolist() for ends in table.adjacency()[:2]), strict=True):
        if maps[bits[i]] == maps[bits[j]]:
            parent[root(i)] = root(j)
    linear = sum(parent[i] == i for i in range(len(table)))
    assert int(lr.count(net, domain, what="linear")) == linear


def test_facets_of_a_cube_and_its_vertices():
    table = lr.regions(
        lr.Network(3, [lr.Affine(np.eye(3), np.full(3, 9.0)), lr.relu()]), place("box", 3)
    )
    assert len(table) == 1
    assert table.bounded.all()
    assert len(table.facet_rows) == 6
    assert np.allclose(np.abs(table.vertices), 1.0, rtol=1e-14, atol=0.0)
    assert len(np.unique(np.sign(table.vertices), axis=0)) == len(table.vertices) == 8
    assert table.volumes.tolist() == pytest.approx([8.0], rel=1e-14)
    assert "volume=8" in repr(table[0])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("d", "widths"), [(3, (5, 4)), (4, (4, 3)), (5, (5,))])
def test_volumes_add_up_to_that_of_the_box(seed, d, widths):
    table = lr.regions(small_network(seed, d, widths), place("box", d))
    assert len(table) > 1
    assert (table.volumes > 0).all()
    assert table.volumes.sum() == pytest.approx(2.0**d, rel=1e-9)


def test_volumes_are_shares_of_random_points():
    table = lr.regions(small_network(1, 3, (4, 3)), place("box", 3))
    points = np.random.default_rng(0).uniform(-1, 1, (20_000, 3))
    found = lr.patterns(table.network, points)[:, 0]
    share = np.array([(found == word).mean() for word in table.patterns[:, 0]])
    doubt = 5 * np.sqrt(table.volumes / 8 / 20_000)
    assert (np.abs(share - table.volumes / 8) < doubt + 1e-3).all()


def test_a_stream_gives_the_same_regions_in_the_same_order():
    net = small_network(7, 3, (6, 5))
    whole = lr.regions(net, place("box", 3), threads=2)
    with lr.regions(net, place("box", 3), stream=True, block=10) as stream:
        parts = [part.patterns for part in stream]
    assert len(parts) > 1
    assert np.array_equal(np.concatenate(parts), whole.patterns)
    assert np.array_equal(lr.regions(net, place("box", 3), limit=5).patterns, whole.patterns[:5])


@pytest.mark.parametrize(("d", "width"), [(4, 3), (3, 1), (3, 0)])
def test_regions_with_lines_are_counted_and_listed(d, width):
    net = small_network(2, d, (width,))
    assert int(lr.count(net, lr.Space(d))) == len(lr.regions(net, lr.Space(d))) == 2**width


WITH_LINES = [
    # Of four entries only two differences count.
    ([lr.Affine(np.eye(4)), lr.Maxout(2)], 4, 2),
    # One input bends; what goes on beside the units and reaches no other unit cuts nothing,
    ([lr.Pointwise([[0.0]] * 3, [[0.0, 1.0], [1.0, 1.0], [1.0, 1.0]])], 3, 2),
    ([lr.Affine([[1.0, 2.0, 0.0]], [1.0]), lr.relu(), lr.Concat(0)], 3, 2),
    # what reaches another one does.
    ([lr.Affine([[1.0, 2.0, 0.0]]), lr.relu(), lr.Concat(0), lr.Maxout(4)], 3, 0),
    (
        [lr.Affine([[1.0, 2.0, 0.0]]), lr.relu(), lr.Affine(np.ones((2, 3)), input=0), lr.relu()],
        3,
        1,
    ),
    ([lr.Affine([[1.0, 2.0, 0.0]]), lr.absolute(), lr.Affine([[1.0]], [-1.0]), lr.relu()], 3, 2),
]


@pytest.mark.parametrize(("layers", "d", "lines"), WITH_LINES)
def test_lists_name_the_lines_that_all_regions_contain(layers, d, lines):
    net = lr.Network(d, layers)
    table = lr.regions(net, method="cones")
    assert table.lineality.shape == (lines, d)
    assert len(table) == int(lr.count(net, method="tree")) == reference_count(net)
    assert np.isinf(table.volumes).sum() == len(table) - table.bounded.sum()
    along = table.facet_rows[:, :-1] @ table.lineality.T
    assert not along.any()
    assert len(table.adjacency()[0]) >= len(table) - 1


def reference_count(net: lr.Network) -> int:
    return len(exact_regions(net, lr.Space()))


@pytest.mark.parametrize("seed", [70, 112, 422])
def test_facets_between_regions_with_lines_are_matched_exactly(seed):
    rng = np.random.default_rng(seed)
    layers = []
    for before in (3, 2):
        layers.append(lr.Affine(rng.integers(-1, 2, (4, before)), rng.integers(-1, 2, 4)))
        layers.append(lr.Maxout(2))
    table = lr.regions(lr.Network(3, layers), method="cones")
    assert len(table.lineality) > 0
    i, j, _ = table.adjacency()
    assert 2 * len(i) == len(table.facet_rows)  # the space has no sides
    assert {*i.tolist(), *j.tolist()} == set(range(len(table)))


def test_domains_of_too_many_dimensions_name_what_to_do():
    with pytest.raises(lr.Unsupported, match="take faces=False"):
        lr.regions(small_network(0, 12, (3,)), place("box", 12), faces=True)
    # Linear regions are joined across facets, and `count` has no option of that name.
    with pytest.raises(lr.Unsupported, match="take what='affine'"):
        lr.count(small_network(0, 12, (3,)), place("box", 12), what="linear")


@pytest.mark.parametrize(("seed", "d", "widths", "kind"), CASES)
def test_volumes_and_facet_sizes_are_those_of_a_triangulation(seed, d, widths, kind):
    table = lr.regions(small_network(seed, d, widths), place(kind, d))
    expected = triangulation.volumes_of(table.columns, table.bounded)
    np.testing.assert_allclose(table.volumes, expected, rtol=1e-9, atol=1e-15)
    facets = np.arange(len(table.facet_rows))[::3]
    sizes = facet_sizes(table.columns, facets)
    expected = triangulation.facet_sizes(table.columns, facets)
    # There a determinant of squares is rounded before its root.
    np.testing.assert_allclose(sizes, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("d", [3, 4, 5])
def test_flat_faces_that_rounding_makes_at_a_vertex_change_no_volume(d):
    # Rounded offsets split each vertex of the cross polytope into many that lie 1e-16 apart.
    rng = np.random.default_rng(0)
    normals = np.array(list(product([-1.0, 1.0], repeat=d)))
    center = rng.normal(size=d).round(3)
    domain = lr.Polytope(normals, 1.5 + normals @ center)
    unit = lr.Affine(rng.integers(-2, 3, (3, d)), rng.integers(-1, 2, 3))
    table = lr.regions(lr.Network(d, [unit, lr.relu()]), domain)
    assert table.volumes.sum() == pytest.approx(3.0**d / factorial(d), rel=1e-12)


@pytest.mark.parametrize("method", ["cones", "polygons"])
def test_areas_leave_the_range_of_doubles_only_where_they_must(method):
    net = lr.Network(2, [lr.Affine([[1.0, 1.0], [1.0, -3.0]]), lr.relu()])
    for size, area in ((1e200, np.inf), (1e-200, 0.0), (2.0**511, 2.0**1023)):
        volumes = lr.regions(net, lr.Box(-size, size), method=method).volumes
        assert (volumes == area).all() if area in (0.0, np.inf) else volumes.max() < area
        assert not np.isnan(volumes).any()


def test_volumes_in_eight_dimensions_take_a_moment():
    table = lr.regions(small_network(0, 8, (3,)), place("box", 8))
    assert len(table) > 2
    assert table.volumes.sum() == pytest.approx(2.0**8, rel=1e-9)
