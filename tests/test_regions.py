# SPDX-License-Identifier: MIT
"""The table of regions as a container, and one region as its row."""

from __future__ import annotations

import copy
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import linear_regions as lr
import strategies


@pytest.fixture(scope="module")
def table() -> lr.Regions:
    """Return the regions of a small network in the whole plane: bounded ones and others."""
    return lr.regions(strategies.mlp_of([2, 7, 5, 2], np.random.default_rng(4)))


@pytest.fixture(scope="module")
def thin() -> lr.Regions:
    """Return three regions on a segment; no double lies in the middle one."""
    cuts = lr.Affine([[1.0], [1.0]], [-1.0, -float(np.nextafter(1.0, 2.0))])
    return lr.regions(lr.Network(1, [cuts, lr.relu()]), lr.Box(0.0, 2.0))


def test_columns_have_one_row_per_region(table: lr.Regions) -> None:
    n = len(table)
    assert n == table.count.value > 20
    assert table.patterns.shape == (n, 1)
    assert table.patterns.dtype == np.uint64
    assert table.interior_points.shape == (n, 2)
    assert table.interior_proved.all()
    assert table.vertex_offsets.shape == (n + 1,)
    assert table.vertices.shape == (table.vertex_offsets[-1], 3)
    assert set(np.unique(table.vertices[:, 2])) == {0.0, 1.0}
    assert table.bounded.shape == table.volumes.shape == (n,)
    assert 0 < table.bounded.sum() < n
    assert np.isinf(table.volumes[~table.bounded]).all()
    assert (table.volumes > 0).all()


def test_indexing_follows_sequences(table: lr.Regions) -> None:
    n = len(table)
    assert np.array_equal(table[-1].pattern, table[n - 1].pattern)
    assert [region.volume for region in table] == table.volumes.tolist()
    for wrong in (n, -n - 1):
        with pytest.raises(IndexError):
            table[wrong]
    part = table[3:12:2]
    assert isinstance(part, lr.Regions)
    assert len(part) == 5
    for row, index in enumerate(range(3, 12, 2)):
        assert np.array_equal(part[row].pattern, table[index].pattern)
        assert np.array_equal(part[row].vertices, table[index].vertices)
        assert np.array_equal(part[row].interior_point, table[index].interior_point)
        assert part[row].volume == table[index].volume
    assert len(table[5:5]) == 0


def test_a_region_knows_its_row(table: lr.Regions) -> None:
    maps = {space: table.affine_maps(space) for space in ("domain", "input")}
    for index in range(0, len(table), 5):
        region = table[index]
        low, high = table.vertex_offsets[index : index + 2]
        rows = table.vertices[low:high]
        assert np.array_equal(region.vertices, rows[rows[:, 2] == 1, :2])
        assert np.array_equal(region.directions, rows[rows[:, 2] == 0, :2])
        assert region.bounded == table.bounded[index] == (len(region.directions) == 0)
        assert region.bits().shape == (12,)
        for space, all_maps in maps.items():
            weight, offset = region.affine_map(space)
            assert np.array_equal(np.column_stack([weight, offset]), all_maps[index])
        exact = region.interior_fraction()
        assert [float(t) for t in exact] == region.interior_point.tolist()


def test_maps_give_the_values_of_the_network(table: lr.Regions) -> None:
    for region in table:
        weight, offset = region.affine_map()
        value = table.network(region.interior_point)
        np.testing.assert_allclose(weight @ region.interior_point + offset, value, atol=1e-11)


def test_unknown_space_is_refused(table: lr.Regions) -> None:
    with pytest.raises(ValueError, match="space must be 'domain' or 'input'"):
        table.affine_maps("output")


def test_sorting_keeps_rows_together(table: lr.Regions, thin: lr.Regions) -> None:
    for some in (table, thin):
        rank = {tuple(row): i for i, row in enumerate(some.patterns.tolist())}
        ordered = some.sorted()
        assert ordered.patterns.tolist() == sorted(some.patterns.tolist())
        for region in ordered:
            original = some[rank[tuple(region.pattern.tolist())]]
            assert np.array_equal(region.vertices, original.vertices)
            assert region.interior_fraction() == original.interior_fraction()
            assert region.bounded == original.bounded


def test_patterns_of_several_words_sort_by_the_first_word_first() -> None:
    shifts = np.random.default_rng(0).permutation(150).astype(float)
    table = lr.regions(lr.Network(1, [lr.Affine(np.ones((150, 1)), shifts), lr.relu()]))
    assert table.patterns.shape == (151, 3)
    rows = table.sorted().patterns.tolist()
    assert rows == sorted(rows)


def test_tables_compare_by_value(table: lr.Regions) -> None:
    again = lr.regions(table.network)
    assert again == table
    assert (table == 3) is False
    assert table[1:] != table[:-1]
    assert repr(table) == f"Regions({len(table)} in dimension 2, complete)"
    assert repr(table[1:]) == f"Regions({len(table) - 1} in dimension 2, part of a complete list)"


def test_a_region_without_a_double_inside_has_a_fraction(thin: lr.Regions) -> None:
    missing = np.flatnonzero(~thin.interior_proved)
    assert len(missing) == 1
    region = thin[int(missing[0])]
    (x,) = region.interior_fraction()
    assert isinstance(x, Fraction)
    assert 1 < x < 1 + Fraction(1, 2**52)
    assert np.isnan(region.interior_point).all()


def test_texts_are_one_line(table: lr.Regions) -> None:
    for text in (repr(table), repr(table[0]), repr(table.count)):
        assert "\n" not in text
        assert len(text) < 120


def test_dimension_zero() -> None:
    net = lr.Network(2, [lr.relu()])
    table = lr.regions(net, lr.Box([1.0, -1.0], [1.0, -1.0]))
    assert len(table) == 1
    assert table[0].bits().tolist() == [True, False]
    assert table.affine_maps().tolist() == [[[1.0], [0.0]]]
    assert table.affine_maps("input").tolist() == [[[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]]
    assert table[0].interior_fraction() == ()
    assert table.bounded.tolist() == [True]


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("whole", [False, True])
def test_cones_list_polygons_in_the_order_of_the_planar_engine(d: int, whole: bool) -> None:
    """Sizes and pictures go around a polygon by its vertices."""
    box = lr.Box(np.full(d, -1.5), np.full(d, 2.0))
    for seed in range(8):
        rng = np.random.default_rng(seed)
        net = strategies.mlp_of([3, 6, 4, 2], rng)
        points = rng.normal(size=(d + 1, 3))
        domain = lr.Slice(points[0], points[1:], None if whole else box)
        planar, cones = (lr.regions(net, domain, method=m).sorted() for m in ("polygons", "cones"))
        assert np.array_equal(planar.patterns, cones.patterns)
        assert np.array_equal(planar.bounded, cones.bounded)
        assert np.allclose(planar.volumes, cones.volumes, rtol=1e-9, atol=1e-12)
        if d == 1:
            continue
        for one, other in zip(planar, cones, strict=True):
            assert one.bounded == other.bounded
            if not one.bounded:
                continue
            shape = other.vertices[:, :2]
            sides = np.roll(shape, -1, axis=0) - shape
            turns = sides[:, 0] * np.roll(sides[:, 1], -1) - sides[:, 1] * np.roll(sides[:, 0], -1)
            assert (turns > -1e-9).all()


def test_half_planes_and_strips_have_their_lines_among_the_vertices_at_infinity():
    net = lr.Network(2, [lr.Affine([[1.0, 1.0], [2.0, 2.0]], [0.0, -1.0]), lr.relu()])
    table = lr.regions(net)
    assert table.lineality.shape == (0, 2)
    for region in table:
        found = {tuple(row) for row in region.directions.tolist()}
        assert {(1.0, -1.0), (-1.0, 1.0)} <= found
        assert len(region.vertices) == 0


STORED = (
    "patterns", "interior_points", "interior_proved", "bounded", "embedding",
    "vertices", "vertex_offsets", "facet_rows", "facet_offsets", "facet_mates",
)  # fmt: skip


def test_table_cannot_be_changed_by_writing_into_its_columns(tmp_path: Path) -> None:
    net = lr.Network(2, [lr.Affine([[1.0, 0.5], [0.5, -1.0]], [0.1, 0.2]), lr.relu()])
    table = lr.regions(net, lr.Box(-1.0, 1.0))
    table.save(tmp_path / "table.npz")
    read = lr.load(tmp_path / "table.npz")
    for one in (table, table.sorted(), read, copy.deepcopy(table), lr.regions(net, lr.Box(-1, 1))):
        for name in STORED:
            column = getattr(one, name)
            if one is not table and name in ("embedding", "interior_proved", "facet_mates"):
                continue  # computed anew, or copied with its slot
            assert not column.flags.writeable, name
            with pytest.raises(ValueError, match="read-only"):
                column[:1] = 0
        with pytest.raises(ValueError, match="read-only"):
            one.affine_pieces()[:] = 0
    assert table == read
    boundary = table.decision_boundary()
    for kept in (boundary.classes, boundary.cell_classes, boundary.facets, boundary.sizes):
        assert not kept.flags.writeable
