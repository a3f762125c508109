# SPDX-License-Identifier: MIT
"""The compiled engine and the reference list the same regions."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given

import helpers
import linear_regions as lr
import strategies
from linear_regions import reference
from linear_regions._planar import planar_frame
from linear_regions.network import Network
from linear_regions.reference.cells import Polygon, Side, Vertex
from linear_regions.reference.domains import frame
from linear_regions.reference.rational import evaluate

CASES = list(product(strategies.FAMILIES, strategies.STYLES, (1, 2)))
SEEDS = range(3)


def drawn(family: str, style: str, dimension: int, seed: int) -> tuple[Network, object]:
    net = strategies.network(family, style, seed)
    return net, strategies.domain(net, dimension, style, seed)


def compare(net: Network, domain: object) -> None:
    """Compare lists and counts of one case."""
    expected = [region.pattern for region in reference.regions(net, domain)]
    found = lr.regions(net, domain)
    listed = helpers.unpack(found.patterns, net.pattern_bits)
    assert len(set(listed)) == len(listed), "a pattern was listed twice"
    assert set(listed) == set(expected)
    number = lr.count(net, domain)
    assert int(number) == number.value == len(expected)
    for result in (number, found.count):
        assert (result.kind, result.status) == ("exact", "complete")
        assert (result.arithmetic, result.error_probability) == ("certified", 0.0)
        assert result.value == len(expected)


@pytest.mark.parametrize(("family", "style", "dimension"), CASES)
def test_every_kind_of_network_and_domain(family: str, style: str, dimension: int) -> None:
    for seed in SEEDS:
        compare(*drawn(family, style, dimension, seed))


@given(strategies.cases())
def test_random_networks_and_domains(case: tuple[Network, object]) -> None:
    compare(*case)


@given(strategies.rough_cases())
def test_numbers_of_every_size(case: tuple[Network, object]) -> None:
    compare(*case)


@given(strategies.cases())
def test_frames_of_domains(case: tuple[Network, object]) -> None:
    """What the engine is given is the domain, exactly."""
    net, domain = case
    expected = frame(net, domain)
    got = planar_frame(lr.Space() if domain is None else domain, net.input_shape)
    assert got.dim == expected.dimension
    columns: list[list[Fraction]] = [[Fraction(v) for v in c] for c in got.columns.tolist()]
    if got.exact_columns is not None:
        numerators, denominator = got.exact_columns
        columns = [[Fraction(v, denominator) for v in column] for column in numerators]
    for i, row in enumerate(expected.embedding):
        dummies = [0] * (2 - got.dim)
        assert [column[i] for column in columns] == [*row[:-1], *dummies, row[-1]]
    triples = got.exact_edges
    if triples is None:
        triples = [[Fraction(v) for v in edge] for edge in got.edges.tolist()]
    sides = [
        Side(a, b, 0, 1) if far else Side(a, b, c)
        for (a, b, c), far in zip(triples, got.at_infinity, strict=True)
    ]
    corners = [sides[i - 1].meet(side) for i, side in enumerate(sides)]
    if got.dim == 2:
        assert same_cycle(corners, list(expected.cell.vertices))
    elif got.dim == 1:
        ends = {(v.point[0], v.direction[0]) for v in corners}
        assert ends == {(v.point[0], v.direction[0]) for v in expected.cell.vertices}


def same_cycle(one: list[Vertex], other: list[Vertex]) -> bool:
    return any(one[i:] + one[:i] == other for i in range(len(one)))


# --- what is said about each region --------------------------------------------------------------


@given(strategies.cases())
def test_interior_points_evaluate_to_their_pattern(case: tuple[Network, object]) -> None:
    net, domain = case
    where = frame(net, domain)
    found = lr.regions(net, domain)
    assert found.interior_points.shape == (len(found), where.dimension)
    for index, bits in enumerate(helpers.unpack(found.patterns, net.pattern_bits)[:15]):
        point = found.interior_points[index].tolist()
        if found.interior_proved[index]:
            t = [Fraction(value) for value in point]
        else:
            assert np.isnan(point).all()
            t = list(found[index].interior_fraction())
        assert reference.pattern(net, helpers.embed(where, t)) == bits


@given(strategies.cases())
def test_corners_sizes_and_maps_equal_the_reference(case: tuple[Network, object]) -> None:
    net, domain = case
    where = frame(net, domain)
    by_pattern = {region.pattern: region for region in reference.regions(net, domain)}
    found = lr.regions(net, domain)
    maps = found.affine_maps()
    listed = helpers.unpack(found.patterns, net.pattern_bits)
    assert found.vertex_offsets.tolist()[0] == 0
    for index, bits in enumerate(listed):
        region = by_pattern[bits]
        low, high = found.vertex_offsets[index : index + 2]
        expected = [homogeneous(vertex) for vertex in region.cell.vertices]
        check_corners(found.vertices[low:high], expected, where.dimension)
        bounded = helpers.bounded(region.cell)
        assert found.bounded[index] == bounded
        volume = float(helpers.size(region.cell.vertices)) if bounded else np.inf
        if where.dimension:
            np.testing.assert_allclose(found.volumes[index], volume, rtol=1e-6, atol=1e-9)
        exact = [[float(a) for a in row] for row in region.output]
        scale = 1e-12 * (1 + np.abs(exact).max(initial=0))
        np.testing.assert_allclose(maps[index], exact, rtol=1e-9, atol=scale)


def homogeneous(vertex: Vertex) -> list[float]:
    """Return (point, 1), or (direction, 0) with a largest entry of 1."""
    if vertex.bounded:
        return [*map(float, vertex.point), 1.0]
    longest = max(abs(q) for q in vertex.direction)
    return [*(float(q / Fraction(longest)) for q in vertex.direction), 0.0]


def check_corners(got: np.ndarray, expected: list[list[float]], dimension: int) -> None:
    assert got.shape == (len(expected), dimension + 1)
    if dimension < 2:
        expected, got = sorted(expected), np.array(sorted(got.tolist()))
    turns = [expected[i:] + expected[:i] for i in range(len(expected))]
    assert any(np.allclose(got, turn, rtol=1e-9, atol=1e-9) for turn in turns)


@given(strategies.cases())
def test_maps_on_the_input_restrict_to_maps_on_the_domain(case: tuple[Network, object]) -> None:
    net, domain = case
    where = frame(net, domain)
    found = lr.regions(net, domain)
    inside, outside = found.affine_maps(), found.affine_maps(space="input")
    assert outside.shape == (len(found), inside.shape[1], net.input_size + 1)
    embedding = np.array([[float(a) for a in row] for row in where.embedding])
    embedding = np.vstack([embedding, [*[0.0] * where.dimension, 1.0]])
    scale = 1 + np.abs(outside).max() * np.abs(embedding).max()
    np.testing.assert_allclose(outside @ embedding, inside, rtol=1e-9, atol=1e-12 * scale)


# --- order, threads, limits ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def wide() -> Network:
    """Return a network with several hundred regions in the box, more than 64 units."""
    return strategies.mlp_of([2, 30, 30, 20, 1], np.random.default_rng(7))


def test_answers_do_not_depend_on_threads(wide: Network) -> None:
    one = lr.regions(wide, threads=1)
    assert len(one) > 1000
    for threads in (2, 7, None):
        other = lr.regions(wide, threads=threads)
        np.testing.assert_array_equal(other.patterns, one.patterns)
        np.testing.assert_array_equal(other.vertices, one.vertices)
        np.testing.assert_array_equal(other.interior_points, one.interior_points)
        assert int(lr.count(wide, threads=threads)) == len(one)


@given(strategies.cases())
def test_small_answers_do_not_depend_on_threads(case: tuple[Network, object]) -> None:
    one = lr.regions(*case, threads=1)
    for threads in (2, 7):
        other = lr.regions(*case, threads=threads)
        np.testing.assert_array_equal(other.patterns, one.patterns)
        assert lr.count(*case, threads=threads).value == len(one)


@pytest.mark.parametrize("limit", [1, 2, 17, 100])
def test_a_limit_gives_the_first_regions(wide: Network, limit: int) -> None:
    whole = lr.regions(wide, lr.Box(-1.0, 1.0))
    for threads in (1, 2):
        first = lr.regions(wide, lr.Box(-1.0, 1.0), limit=limit, threads=threads)
        assert len(first) == limit
        np.testing.assert_array_equal(first.patterns, whole.patterns[:limit])
        assert first.count.status == "limit"
        assert first.count.kind == "lower"
        number = lr.count(wide, lr.Box(-1.0, 1.0), limit=limit, threads=threads)
        assert number.status == "limit"
        assert number.value >= limit


def test_a_limit_above_the_count_changes_nothing(wide: Network) -> None:
    box = lr.Box(-0.1, 0.1)
    number = lr.count(wide, box)
    assert lr.count(wide, box, limit=int(number) + 1).status == "complete"


def test_streamed_blocks_are_the_stored_regions(wide: Network) -> None:
    whole = lr.regions(wide, lr.Box(-1.0, 1.0))
    blocks = list(lr.regions(wide, lr.Box(-1.0, 1.0), stream=True))
    np.testing.assert_array_equal(np.concatenate([b.patterns for b in blocks]), whole.patterns)
    np.testing.assert_array_equal(np.concatenate([b.vertices for b in blocks]), whole.vertices)


def test_sorted_regions_are_in_word_order(wide: Network) -> None:
    found = lr.regions(wide, lr.Box(-1.0, 1.0))
    rows = found.sorted().patterns.tolist()
    assert rows == sorted(found.patterns.tolist())


def test_sizes_of_a_subdivision_add_up(wide: Network) -> None:
    found = lr.regions(wide, lr.Box([-1.0, -2.0], [3.0, 0.5]))
    np.testing.assert_allclose(found.volumes.sum(), 10.0, rtol=1e-12)
    assert found.bounded.all()


def test_regions_evaluate_like_the_network(wide: Network) -> None:
    found = lr.regions(wide, lr.Box(-2.0, 2.0))
    values = wide(found.interior_points)
    maps = found.affine_maps()
    points = np.hstack([found.interior_points, np.ones((len(found), 1))])
    np.testing.assert_allclose(np.einsum("rij,rj->ri", maps, points), values, atol=1e-10)
    np.testing.assert_array_equal(
        helpers.point_patterns(wide, found.interior_points), found.patterns
    )


def test_one_region_is_the_row_of_all(wide: Network) -> None:
    domain = lr.Box(-0.5, 0.5)
    found = lr.regions(wide, domain)
    for index in (0, len(found) - 1):
        region = found[index]
        np.testing.assert_array_equal(region.pattern, found.patterns[index])
        bits = helpers.unpack(found.patterns[index : index + 1], wide.pattern_bits)[0]
        assert region.bits().tolist() == [bool(b) for b in bits]
        weight, offset = region.affine_map()
        np.testing.assert_array_equal(np.column_stack([weight, offset]), found.affine_maps()[index])
        exact = [Fraction(v) for v in region.interior_fraction()]
        assert reference.pattern(wide, exact) == bits
        assert region.bounded
        assert region.volume == found.volumes[index]


def test_reference_vertices_lie_on_the_cuts() -> None:
    net, domain = drawn("mlp", "whole", 2, 3)
    for region in reference.regions(net, domain):
        cell = region.cell
        assert isinstance(cell, Polygon)
        for i, vertex in enumerate(cell.vertices):
            if vertex.bounded:
                for edge in (cell.edges[i - 1], cell.edges[i]):
                    assert evaluate(edge[:3], vertex.point) == 0
