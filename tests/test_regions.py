# SPDX-License-Identifier: MIT
"""Tables and streams of regions: columns, views, order, thin and unbounded regions."""

from __future__ import annotations

import pickle
from fractions import Fraction

import numpy as np
import pytest

import linear_regions as lr


def lines(*rows: tuple[float, float, float]) -> lr.Network:
    """Return one ReLU unit per row (gx, gy, offset)."""
    table = np.array(rows, dtype=float)
    return lr.Network(2, [lr.Affine(table[:, :2], table[:, 2]), lr.relu()])


@pytest.fixture(scope="module")
def table() -> lr.Regions:
    rng = np.random.default_rng(5)
    net = lr.Network(
        2,
        [
            lr.Affine(rng.normal(size=(12, 2)), rng.normal(size=12)),
            lr.relu(),
            lr.Affine(rng.normal(size=(9, 12)), rng.normal(size=9)),
            lr.leaky_relu(),
            lr.Affine(rng.normal(size=(3, 9)), rng.normal(size=3)),
        ],
    )
    return lr.regions(net, lr.Box(-2, 2))


def test_columns_fit_each_other(table: lr.Regions) -> None:
    n = len(table)
    assert n == table.count.value == int(lr.count(table.network, lr.Box(-2, 2)))
    assert table.patterns.shape == (n, 1)
    assert table.patterns.dtype == np.uint64
    assert table.interior_points.shape == (n, 2)
    assert table.vertex_offsets.shape == (n + 1,)
    assert table.vertices.shape == (table.vertex_offsets[-1], 3)
    assert table.bounded.all()
    assert table.interior_proved.all()
    assert table.volumes.sum() == pytest.approx(16.0, rel=1e-12)
    assert (table.volumes > 0).all()


def test_a_view_shows_its_row(table: lr.Regions) -> None:
    region = table[7]
    assert region.bits().shape == (21,)
    assert region.bits().sum() == int(table.patterns[7, 0]).bit_count()
    assert region.volume == table.volumes[7]
    matrix, offset = region.affine_map()
    point = region.interior_point
    np.testing.assert_allclose(matrix @ point + offset, table.network(point), atol=1e-12)
    np.testing.assert_allclose(
        region.vertices, table.vertices[slice(*table.vertex_offsets[7:9]), :2]
    )
    assert table[-1].pattern == table.patterns[-1]
    with pytest.raises(IndexError):
        table[len(table)]


def test_slices_and_sorted_keep_rows_together(table: lr.Regions) -> None:
    part = table[3:40:2]
    assert len(part) == 19
    np.testing.assert_array_equal(part[5].vertices, table[13].vertices)
    ordered = table.sorted()
    assert (np.diff(ordered.patterns[:, 0].astype(object)) > 0).all()
    assert set(map(tuple, ordered.patterns)) == set(map(tuple, table.patterns))
    assert ordered.volumes.sum() == pytest.approx(16.0, rel=1e-12)
    assert [r.volume for r in ordered[:3]] == ordered.volumes[:3].tolist()


def test_tables_pickle_and_compare(table: lr.Regions) -> None:
    again = pickle.loads(pickle.dumps(table))
    assert again == table
    assert again[4].vertices.tolist() == table[4].vertices.tolist()
    assert table != table[1:]


def test_maps_over_the_input_agree_with_maps_over_the_domain() -> None:
    rng = np.random.default_rng(2)
    net = lr.Network(
        (1, 4, 4), [lr.Conv(rng.normal(size=(3, 1, 2, 2)), rng.normal(size=3)), lr.relu(),
                    lr.MaxPool(2, 1), lr.Flatten(), lr.Affine(rng.normal(size=(2, 12)))]
    )  # fmt: skip
    where = lr.Slice(rng.normal(size=16), rng.normal(size=(2, 16)), lr.Box(-1, 1))
    found = lr.regions(net, where)
    inputs = where.resolve((1, 4, 4)).embed(found.interior_points)
    ones = np.ones((len(found), 1))
    over_input = np.einsum("rij,rj->ri", found.affine_maps("input"), np.hstack([inputs, ones]))
    over_domain = np.einsum(
        "rij,rj->ri", found.affine_maps(), np.hstack([found.interior_points, ones])
    )
    np.testing.assert_allclose(over_input, over_domain, atol=1e-11)
    np.testing.assert_allclose(over_input, net(inputs), atol=1e-11)
    with pytest.raises(lr.InvalidInput, match="space"):
        found.affine_maps("output")


def test_unbounded_regions_have_directions() -> None:
    found = lr.regions(lines((1, 0, 0), (0, 1, 0)))
    assert len(found) == 4
    assert not found.bounded.any()
    assert np.isinf(found.volumes).all()
    assert found.interior_proved.all()
    first = found[0]
    assert first.vertices.tolist() == [[0.0, 0.0]]
    assert len(first.directions) >= 2
    assert (first.directions >= 0).all()


def test_a_strip_without_vertices_has_an_interior_point() -> None:
    found = lr.regions(lines((0, 1, 3), (0, 1, 2), (0, 1, 1)))
    assert len(found) == 4
    assert found.interior_proved.all()
    assert sorted(found.interior_points[:, 1] > -2) == [False, False, True, True]


def test_a_region_between_neighbouring_doubles_is_listed_with_an_exact_point() -> None:
    low, high = 0.1, np.nextafter(0.1, 1)
    found = lr.regions(lines((1, 0, -low), (1, 0, -high)), lr.Box(0, 1))
    assert len(found) == 3
    thin = int(np.flatnonzero(~found.interior_proved)[0])
    assert np.isnan(found.interior_points[thin]).all()
    x, y = found[thin].interior_fraction()
    assert Fraction(low) < x < Fraction(float(high))
    assert 0 < y < 1
    wide = found[1 if thin == 0 else 0]
    assert wide.interior_fraction() == tuple(Fraction(v) for v in wide.interior_point.tolist())
    moved = found.sorted()
    there = int(np.flatnonzero(~moved.interior_proved)[0])
    assert moved[there].interior_fraction() == (x, y)


def test_segments_have_two_ends() -> None:
    net = lines((1, 0, -0.25), (1, 0, -0.75))
    found = lr.regions(net, lr.Segment([0.0, 0.0], [1.0, 0.0]))
    assert found.dim == 1
    assert sorted(found.volumes.tolist()) == [0.25, 0.25, 0.5]
    assert sorted(tuple(r.vertices[:, 0]) for r in found) == [
        (0.0, 0.25),
        (0.25, 0.75),
        (0.75, 1.0),
    ]
    line = lr.regions(lr.Network(1, [lr.Affine([[1.0]]), lr.relu()]))
    assert sorted(r.directions.tolist() for r in line) == [[[-1.0]], [[1.0]]]
    assert np.isinf(line.volumes).all()


def test_a_point_is_one_region() -> None:
    net = lines((1, 0, 0), (0, 1, 0))
    found = lr.regions(net, lr.Box([0.0, 1.0], [0.0, 1.0]))
    assert len(found) == 1
    assert found.dim == 0
    assert found[0].bits().tolist() == [False, True]
    assert found[0].interior_fraction() == ()


def test_networks_without_activations_have_one_region() -> None:
    net = lr.Network(2, [lr.Affine([[1.0, 2.0]])])
    assert int(lr.count(net)) == 1
    found = lr.regions(net, lr.Box(0, 1))
    assert found.patterns.shape == (1, 0)
    assert found[0].affine_map()[0].tolist() == [[1.0, 2.0]]
    assert len(found.sorted()) == 1


def test_a_stream_joins_to_the_table(table: lr.Regions) -> None:
    with lr.regions(table.network, lr.Box(-2, 2), stream=True, block=10) as stream:
        assert stream.count is None
        parts = list(stream)
    assert all(len(part) == 10 for part in parts[:-1])
    np.testing.assert_array_equal(np.concatenate([p.patterns for p in parts]), table.patterns)
    np.testing.assert_array_equal(np.concatenate([p.vertices for p in parts]), table.vertices)
    assert stream.count == table.count


def test_a_closed_stream_stops(table: lr.Regions) -> None:
    stream = lr.regions(table.network, stream=True, block=1)
    next(stream)
    stream.close()
    assert list(stream) == []
    with pytest.raises(lr.InvalidInput, match="block"):
        lr.regions(table.network, stream=True, block=0)
    with pytest.raises(lr.Unsupported):
        lr.regions(lr.Network(3, [lr.Affine(np.eye(3)), lr.relu()]), stream=True)
