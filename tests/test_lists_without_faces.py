# SPDX-License-Identifier: MIT
"""Lists without faces: the same regions in the same order as with, and nothing else."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import draws
import helpers
import linear_regions as lr
import strategies
from linear_regions import reference
from linear_regions._frame import domain_frame
from linear_regions.cli import main

BOX = lr.Box(-1.0, 1.0)
DOMAINS = {2: BOX, 3: BOX, 4: lr.Space(), 6: lr.Space()}


def dense(widths: list[int], seed: int = 0) -> lr.Network:
    return strategies.mlp_of(widths, np.random.default_rng([seed, *widths]))


def whole(seed: int, d: int, widths: tuple[int, ...]) -> lr.Network:
    """Return a network of small integers: ties and parallel units are frequent."""
    generator = np.random.default_rng(seed)
    layers: list[object] = []
    before = d
    for width in widths:
        weight = generator.integers(-2, 3, (width, before)).astype(float)
        layers += [lr.Affine(weight, generator.integers(-1, 2, width)), lr.relu()]
        before = width
    return lr.Network(d, layers)


def proves_points(table: lr.Regions) -> None:
    """Check in rational arithmetic that every region's point lies inside it and the domain."""
    net = table.network
    bits = helpers.unpack(table.patterns, net.pattern_bits)
    place = domain_frame(table.domain, net.input_shape)
    sides = place.sides.tolist() if place.exact_sides is None else place.exact_sides
    if place.exact_columns is None:
        columns, common = place.columns.tolist(), 1
    else:
        columns, common = place.exact_columns
    for region, pattern in zip(table, bits, strict=True):
        point = (*region.interior_fraction(), Fraction(1))
        assert all(sum(Fraction(a) * t for a, t in zip(s, point, strict=True)) > 0 for s in sides)
        inputs = [
            sum((Fraction(a) * t for a, t in zip(column, point, strict=True)), Fraction(0)) / common
            for column in zip(*columns, strict=True)
        ]
        assert reference.pattern(net, inputs) == pattern


def same_regions(lean: lr.Regions, full: lr.Regions) -> None:
    assert not lean.has_faces
    assert full.has_faces
    assert np.array_equal(lean.patterns, full.patterns)
    assert np.array_equal(lean.bounded, full.bounded)
    assert lean.count.value == full.count.value == len(lean)
    assert lean.count.status == full.count.status


# --- the same regions ----------------------------------------------------------------------------


def place(net: lr.Network, dimension: int, style: str) -> object:
    """Return a domain of this dimension."""
    if dimension < 3:
        return draws.domain(net, dimension, style, dimension)
    rng = np.random.default_rng(dimension)
    directions = rng.integers(-2, 3, (3, *net.input_shape)).astype(float)
    inner = lr.Box(-1.0, 1.0) if dimension == 3 else lr.Space()
    return lr.Slice(np.zeros(net.input_shape), directions, inner)


@pytest.mark.parametrize("dimension", [1, 2, 3, 4])
@pytest.mark.parametrize("family", sorted(strategies.FAMILIES))
def test_regions_order_and_bounds_are_those_of_the_list_with_faces(family, dimension):
    for style in ("generic", "degenerate"):
        net = strategies.network(family, style, dimension)
        if dimension > 2 and net.input_size < 3:
            continue
        domain = place(net, dimension, style)
        try:
            full = lr.regions(net, domain, limit=300)
        except lr.DegenerateInput:  # directions that depend on each other
            continue
        limit = None if full.count.status == "complete" else 300
        lean = lr.regions(net, domain, limit=limit, faces=False)
        same_regions(lean, full)
        proves_points(lean[:8])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("d", "widths"), [(3, (5, 4)), (3, (4, 3, 2)), (4, (5, 2)), (5, (4, 3))])
@pytest.mark.parametrize("kind", ["box", "space"])
def test_degenerate_networks_are_listed_like_the_reference(seed, d, widths, kind):
    net, domain = whole(seed, d, widths), BOX if kind == "box" else lr.Space()
    lean = lr.regions(net, domain, faces=False)
    same_regions(lean, lr.regions(net, domain))
    proves_points(lean[::4])
    if seed == 0:
        expected = {r.pattern for r in reference.regions(net, domain, geometry="programs")}
        assert set(helpers.unpack(lean.patterns, net.pattern_bits)) == expected


@pytest.mark.parametrize(
    ("widths", "domain"),
    [
        ([2, 16, 16, 1], BOX),
        ([3, 12, 12, 1], BOX),
        ([3, 70, 1], BOX),
        ([3, 10, 8, 1], lr.Space()),
        ([4, 9, 7, 1], BOX),
        ([6, 8, 5, 1], lr.Space()),
        ([7, 3, 4, 1], lr.Space()),  # all regions contain lines
    ],
)
def test_every_way_to_list_gives_the_same_points(widths, domain):
    net = dense(widths)
    table = lr.regions(net, domain, faces=False, threads=1)
    same_regions(table, lr.regions(net, domain))
    proves_points(table[:: max(1, len(table) // 40)])
    assert lr.regions(net, domain, faces=False, threads=2) == table
    n = len(table) // 2
    assert np.array_equal(
        lr.regions(net, domain, faces=False, limit=n).interior_points, table.interior_points[:n]
    )
    with lr.regions(net, domain, faces=False, stream=True, block=7) as stream:
        parts = list(stream)
    assert not any(part.has_faces for part in parts)
    for name in ("patterns", "interior_points", "bounded"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert np.array_equal(joined, getattr(table, name))


def test_a_region_between_adjacent_doubles_has_an_exact_point():
    one = np.nextafter(1.0, 2.0)
    for d in (1, 2, 3):
        weight = np.zeros((2, d))
        weight[:, 0] = 1.0
        net = lr.Network(d, [lr.Affine(weight, [-1.0, -one]), lr.relu()])
        table = lr.regions(net, faces=False)
        same_regions(table, lr.regions(net))
        assert list(table.columns.exact_points) == [
            i for i in range(3) if not table.interior_proved[i]
        ]
        (thin,) = table.columns.exact_points
        proves_points(table)
        assert [facet.bit for facet in table[thin].facets] in ([0, 1], [1, 0])


def test_a_region_beyond_wide_masks_is_listed():
    # More than 64 facets in one cell: a polygon with 80 sides, and its prism.
    angles = np.arange(80) * (2 * np.pi / 80)
    normals = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(80)])
    net = lr.Network(3, [lr.Affine(-normals, np.ones(80)), lr.relu()])
    domain = lr.Box(-1.01, 1.01)
    table = lr.regions(net, domain, faces=False)
    same_regions(table, lr.regions(net, domain))
    inner = int(
        np.flatnonzero(np.unpackbits(table.patterns.view(np.uint8), axis=1).sum(1) == 80)[0]
    )
    assert len(table[inner].facets) == 82


def test_float_lists_have_no_faces_either():
    net = dense([3, 8, 6, 1])
    table = lr.regions(net, BOX, faces=False, arithmetic="float")
    assert np.array_equal(table.patterns, lr.regions(net, BOX, faces=False).patterns)
    with pytest.raises(lr.Unsupported, match="arithmetic='certified'"):
        _ = table[0].facets


# --- by the tree ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("widths", [(3, 6, 5, 1), (4, 6, 4, 1), (5, 5, 1)])
def test_the_tree_lists_the_regions_of_the_cones(widths, seed, tmp_path):
    for i, net in enumerate((dense(list(widths), seed), whole(seed, widths[0], widths[1:-1]))):
        cones = lr.regions(net, BOX, method="cones", faces=False)
        table = lr.regions(net, BOX, method="tree", faces=False, threads=1)
        assert table.count.method == "tree"
        assert np.array_equal(table.sorted().patterns, cones.sorted().patterns)
        assert table.bounded.all()
        proves_points(table[::5])
        same = int(np.flatnonzero((cones.patterns == table.patterns[1]).all(axis=1))[0])
        bits = [[facet.bit for facet in region.facets] for region in (table[1], cones[same])]
        assert bits[0] == bits[1]
        assert np.array_equal(
            lr.regions(net, BOX, method="tree", faces=False, threads=2).patterns, table.patterns
        )
        out = lr.regions(net, BOX, method="tree", faces=False, out=tmp_path / str(i))
        assert np.array_equal(out.read().patterns, table.patterns)
        with lr.regions(net, BOX, method="tree", faces=False, stream=True, block=9) as stream:
            assert np.array_equal(np.concatenate([p.patterns for p in stream]), table.patterns)


def test_boxes_of_ten_dimensions_are_listed_by_the_tree():
    net = dense([10, 6, 4, 1])
    table = lr.regions(net, BOX, faces=False)
    assert table.count.method == "tree"
    assert len(table) == lr.count(net, BOX).value
    proves_points(table[:: max(1, len(table) // 10)])
    assert len(table[0].facets) > 10
    with pytest.raises(lr.Unsupported, match="lists them without faces"):
        lr.regions(net, BOX, faces=True)


@pytest.mark.parametrize(("d", "faces"), [(8, True), (9, False)])
def test_lists_have_faces_up_to_eight_dimensions_unless_told_otherwise(d, faces):
    net = lr.Network(d, [lr.Affine(np.eye(2, d), np.zeros(2)), lr.relu()])
    assert lr.regions(net, BOX).has_faces is faces
    assert lr.regions(net).has_faces is faces


def unbounded(d: int) -> dict[str, lr.Domain]:
    """Domains with and without lines, with one, two and many directions at infinity."""
    first = np.eye(d)[0]
    return {
        "space": lr.Space(d),
        "half-space": lr.Polytope(np.ones((1, d)), np.ones(1)),
        "slab": lr.Polytope(np.array([first, -first]), [1.0, 1.0]),
        "orthant": lr.Polytope(-np.eye(d), np.full(d, 0.5)),
        "tube": lr.Polytope(np.vstack([np.eye(d)[1:], -np.eye(d)[1:]]), np.ones(2 * d - 2)),
        "simplex, no box": lr.Polytope(
            np.vstack([np.ones(d) + np.eye(d), -np.ones(d) - first]), np.ones(d + 1)
        ),
    }


@pytest.mark.parametrize("domain", list(unbounded(3)))
@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_the_tree_knows_which_regions_are_bounded(d, domain):
    other = "polygons" if d <= 2 else "cones"
    for seed in range(3):
        few = dense([d, max(1, d - 1), 4, 1], seed)  # lines in every region of the space
        nets = (dense([d, d + 2, 4, 1], seed), few, whole(seed, d, (d + 2, 3)))
        for net in nets:
            place = unbounded(d)[domain]
            expected = lr.regions(net, place, method=other).sorted()
            found = lr.regions(net, place, method="tree", faces=False).sorted()
            assert np.array_equal(found.patterns, expected.patterns)
            assert np.array_equal(found.bounded, expected.bounded)


@pytest.mark.parametrize("family", list(strategies.FAMILIES))
def test_the_tree_knows_which_regions_of_every_layer_kind_are_bounded(family):
    for style in strategies.STYLES:
        for seed in range(2):
            net = strategies.network(family, style, seed)
            d = int(np.prod(net.input_shape))
            place = slice_of(net, min(d, 3), seed)
            other = "polygons" if min(d, 3) <= 2 else "cones"
            expected = lr.regions(net, place, method=other).sorted()
            found = lr.regions(net, place, method="tree", faces=False).sorted()
            assert np.array_equal(found.patterns, expected.patterns)
            assert np.array_equal(found.bounded, expected.bounded)


def slice_of(net: lr.Network, dim: int, seed: int) -> lr.Slice:
    """A slice without sides through a point of small integers, along small integers."""
    rng = np.random.default_rng(seed)
    n = int(np.prod(net.input_shape))
    directions = np.eye(n)[rng.permutation(n)[:dim]] + rng.integers(-1, 2, (dim, n)) / 4
    return lr.Slice(rng.integers(-1, 2, n).astype(float), directions)


@pytest.mark.parametrize("exponent", [-300, -40, 40, 300])
def test_bounded_regions_of_very_small_and_large_weights_are_known(exponent):
    for seed in range(3):
        net = dense([3, 6, 4, 1], seed)
        layers = [
            lr.Affine(np.ldexp(layer.weight, exponent), layer.bias)
            if isinstance(layer, lr.Affine)
            else layer
            for layer in net.layers
        ]
        net = lr.Network(3, layers)
        expected = lr.regions(net, method="cones").sorted()
        found = lr.regions(net, method="tree", faces=False).sorted()
        assert np.array_equal(found.patterns, expected.patterns)
        assert np.array_equal(found.bounded, expected.bounded)


@pytest.mark.parametrize(("d", "n"), [(12, 13), (12, 14), (15, 16), (10, 13)])
def test_bounded_chambers_in_high_dimensions_are_as_many_as_zaslavsky_says(d, n):
    net = lr.Network(d, [*dense([d, n], 5).layers[:1], lr.relu()])
    table = lr.regions(net, method="tree", faces=False)
    assert len(table) == sum(math.comb(n, k) for k in range(d + 1))
    assert int(table.bounded.sum()) == math.comb(n - 1, d)


def test_streams_folders_and_executors_tell_bounded_regions_as_lists_do(tmp_path):
    net = dense([4, 7, 4, 1], 2)
    asked = {"method": "tree", "faces": False}
    table = lr.regions(net, **asked)
    assert 0 < int(table.bounded.sum()) < len(table)
    with lr.regions(net, stream=True, block=9, **asked) as stream:
        assert np.array_equal(np.concatenate([part.bounded for part in stream]), table.bounded)
    out = lr.regions(net, out=tmp_path / "out", **asked)
    assert np.array_equal(out.read().bounded, table.bounded)
    with ThreadPoolExecutor(2) as pool:
        assert np.array_equal(lr.regions(net, executor=pool, **asked).bounded, table.bounded)
    lr.save(table, tmp_path / "table.npz")
    assert np.array_equal(lr.load(tmp_path / "table.npz").bounded, table.bounded)


# --- single regions on demand --------------------------------------------------------------------


@pytest.mark.parametrize(("widths", "domain"), [([2, 8, 6, 1], BOX), ([3, 6, 4, 1], lr.Space())])
def test_faces_of_single_regions_are_found_on_demand(widths, domain):
    net = dense(widths)
    lean, full = lr.regions(net, domain, faces=False), lr.regions(net, domain)
    for one, other in list(zip(lean, full, strict=True))[::7]:
        mine, others = one.facets, other.facets
        assert sorted(facet.bit for facet in mine) == sorted(facet.bit for facet in others)
        assert one.volume == pytest.approx(other.volume)
        assert len(one.vertices) == len(other.vertices)
        assert len(one.directions) == len(other.directions)
        assert one.bounded == other.bounded
        for a, b in zip(one.affine_map(), other.affine_map(), strict=True):
            assert np.array_equal(a, b)
        assert "volume" not in repr(one)


# --- what a table without faces refuses, and what it does ----------------------------------------


def test_what_needs_faces_of_all_regions_is_refused_with_one_error():
    net = dense([2, 6, 1])
    table = lr.regions(net, BOX, faces=False)
    asked = [
        lambda: table.vertices,
        lambda: table.vertex_offsets,
        lambda: table.facet_rows,
        lambda: table.facet_offsets,
        lambda: table.facet_bits,
        lambda: table.facet_regions,
        lambda: table.facet_mates,
        lambda: table.neighbours,
        lambda: table[0].neighbours,
        lambda: table.volumes,
        table.adjacency,
        table.to_networkx,
        table.linear_regions,
        lambda: lr.plot(table),
    ]
    for ask in asked:
        with pytest.raises(lr.Unsupported, match="listed without faces"):
            ask()


def test_questions_that_need_faces_are_refused_before_the_work():
    net = dense([2, 6, 1])
    with pytest.raises(lr.Unsupported, match="what='linear' needs faces=True"):
        lr.regions(net, BOX, what="linear", faces=False)
    with pytest.raises(lr.Unsupported, match="Ball"):
        lr.regions(net, lr.Ball(np.zeros(2), 1.0), faces=False)
    with pytest.raises(TypeError, match="faces must be True, False or None"):
        lr.regions(net, BOX, faces=0)


def test_maps_and_pieces_need_no_faces():
    net = dense([3, 6, 5, 1])
    full = lr.regions(net, BOX, what="affine")
    lean = lr.regions(net, BOX, what="affine", faces=False)
    assert lean.count.value == full.count.value
    assert np.array_equal(lean.affine_pieces(), full.affine_pieces())
    assert np.array_equal(lean.affine_maps(), full.affine_maps())


def test_slices_order_frames_and_files_keep_what_there_is(tmp_path):
    net = dense([3, 6, 5, 1])
    table, full = lr.regions(net, BOX, faces=False), lr.regions(net, BOX)
    assert table != full
    assert np.array_equal(table.sorted().patterns, full.sorted().patterns)
    assert np.array_equal(table[3:9].interior_points, table.interior_points[3:9])
    assert [region.bounded for region in table[:4]] == [True] * 4
    lr.save(table, tmp_path / "lean.npz")
    read = lr.load(tmp_path / "lean.npz")
    assert isinstance(read, lr.Regions)
    assert read == table
    assert not read.has_faces
    with pytest.raises(lr.Unsupported, match="without faces"):
        _ = read.volumes
    pytest.importorskip("pandas", reason="pandas is not installed")
    frame = table.to_pandas()
    assert list(frame.columns) == ["pattern", "units_on", "bounded", "proved", "t0", "t1", "t2"]
    assert np.array_equal(frame["pattern"], full.to_pandas()["pattern"])


@pytest.mark.parametrize("domain", [BOX, lr.Slice(np.zeros(3), np.eye(3)[:2], BOX)])
def test_folders_and_checkpoints_say_that_there_are_no_faces(domain, tmp_path: Path):
    net = dense([3, 8, 6, 1])
    table = lr.regions(net, domain, faces=False)
    first = lr.regions(net, domain, faces=False, out=tmp_path / "out", limit=5)
    assert (len(first), first.count.status) == (5, "limit")
    with pytest.raises(lr.InvalidInput, match="question"):
        lr.regions(net, domain, out=tmp_path / "out")
    rest = lr.regions(net, domain, faces=False, out=tmp_path / "out")
    read = lr.load(tmp_path / "out").read()
    for found in (
        rest.read(),
        read,
        lr.regions(net, domain, faces=False, checkpoint=tmp_path / "c"),
    ):
        assert not found.has_faces
        for name in ("patterns", "interior_points", "bounded"):
            assert np.array_equal(getattr(found, name), getattr(table, name))
    empty = lr.regions(net, domain, faces=False, out=tmp_path / "e", time_limit=1e-9)
    assert len(empty) == 0
    assert not empty.read().has_faces


def test_the_command_lists_without_faces(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    net = dense([3, 5, 1])
    net.save(tmp_path / "net.npz")
    ask = ["regions", str(tmp_path / "net.npz"), "--box", "-1", "1", "--no-faces"]
    table = lr.regions(net, BOX, faces=False)
    assert main(ask) == 0
    text = capsys.readouterr().out
    assert "bounded" in text
    assert "vertices" not in text
    assert main([*ask, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["regions"]
    assert [row["interior_point"] for row in rows] == table.interior_points.tolist()
    assert set(rows[0]) == {"pattern", "interior_point", "bounded"}
    assert main([*ask, "-o", str(tmp_path / "out.npz")]) == 0
    assert not lr.load(tmp_path / "out.npz").has_faces
