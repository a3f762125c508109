# SPDX-License-Identifier: MIT
"""Planar frames: exact polygons, bounded or not, against properties that define them."""

from __future__ import annotations

import timeit
from fractions import Fraction

import numpy as np
import pytest

from linear_regions._planar import planar_frame
from linear_regions.domain import Ball, Box, Polytope, Segment, Slice, Space
from linear_regions.errors import DegenerateInput, InvalidInput, Unsupported

# ---- an exact polygon, read off a frame ----
# Numbers are pairs (p, q) = p + q M, compared as M grows without end: by q, then by p.


def exact_edges(frame):
    """Return the edges as (a1, a2, (c, m)) in fractions, c + m M being the constant."""
    rows = []
    for i, edge in enumerate(frame.edges.tolist()):
        given = edge if frame.exact_edges is None else frame.exact_edges[i]
        a1, a2, a3 = map(Fraction, given)
        infinite = bool(frame.at_infinity[i])
        if infinite:
            assert sorted((abs(a1), abs(a2))) == [0, 1]
        rows.append((a1, a2, (Fraction(0), Fraction(1)) if infinite else (a3, Fraction(0))))
    return rows


def corner(e, f):
    """Return where two edges meet: ((x, xm), (y, ym)), the second parts being factors of M."""
    w = e[0] * f[1] - e[1] * f[0]
    assert w > 0, "edges must turn to the left, by less than half a turn"
    x = tuple((e[1] * f[2][k] - e[2][k] * f[1]) / w for k in (0, 1))
    y = tuple((e[2][k] * f[0] - e[0] * f[2][k]) / w for k in (0, 1))
    return x, y


def value(row, point):
    """Return a1 x + a2 y + c as (factor of M, rest): tuples that compare as numbers do."""
    (x, xm), (y, ym) = point
    a1, a2, (c, m) = row
    return (a1 * xm + a2 * ym + m, a1 * x + a2 * y + c)


def corners(frame):
    edges = exact_edges(frame)
    return [corner(edges[i - 1], edge) for i, edge in enumerate(edges)]


def check_polygon(frame):
    """Check what every frame promises: convex, counter-clockwise, every edge of some length."""
    edges, points = exact_edges(frame), corners(frame)
    for i, edge in enumerate(edges):
        after = (i + 1) % len(edges)
        assert value(edge, points[i]) == value(edge, points[after]) == (0, 0)
        for j, point in enumerate(points):
            if j not in (i, after):
                assert value(edge, point) > (0, 0), "edge i is redundant or corner j outside"
    assert frame.columns.dtype == frame.edges.dtype == np.float64
    assert frame.columns.flags.c_contiguous
    assert frame.edges.flags.c_contiguous
    assert len(frame.at_infinity) == len(frame.edges) >= 3


def check_same_set(frame, rows):
    """Check that the polygon is {rows >= 0}: corners satisfy rows, and finite edges are rows."""
    check_polygon(frame)
    exact = [(Fraction(a), Fraction(b), (Fraction(c), Fraction(0))) for a, b, c in rows]
    for row in exact:
        assert all(value(row, point) >= (0, 0) for point in corners(frame))
    directions = {normalized(row) for row in exact if row[0] or row[1]}
    for edge in exact_edges(frame):
        assert edge[2][1] or normalized(edge) in directions


def normalized(row):
    scale = abs(row[0]) or abs(row[1])
    return row[0] / scale, row[1] / scale, row[2][0] / scale


def frame_of(rows):
    """Return the frame of the plane polytope {a1 x + a2 y + c >= 0}."""
    table = np.array(rows, dtype=float).reshape(-1, 3)
    return planar_frame(Polytope(-table[:, :2], table[:, 2]), 2)


# ---- polytopes in the plane ----

TRIANGLE = [(1, 0, 0), (0, 1, 0), (-1, -1, 1)]


@pytest.mark.parametrize(
    ("rows", "finite", "infinite"),
    [
        ([], 0, 4),  # the whole plane
        ([(1, 1, 0)], 1, 2),  # a half-plane through corners of the growing box
        ([(1, 2, 3)], 1, 3),
        ([(2, 1, 3)], 1, 3),
        ([(1, 0, 7)], 1, 3),
        ([(1, 1, 1), (-1, -1, 1)], 2, 2 + 2),  # strips
        ([(0, 1, 1), (0, -1, 1)], 2, 2),
        ([(1, 3, 1), (-1, -3, 1)], 2, 2),
        ([(1, 0, 0), (0, 1, 0)], 2, 2),  # wedges
        ([(1, 1, 0), (-1, 1, 0)], 2, 1),
        ([(1, 2, 0), (2, 1, 0)], 2, 2 + 0),
        ([(1, 0, 0), (0, 1, 0), (-1, 0, 1)], 3, 1),  # a half-strip
        (TRIANGLE, 3, 0),
        ([*TRIANGLE, *TRIANGLE, (2, 0, 0), (1, 0, 5), (-1, -1, 2), (0, 0, 3), (0, 0, 0)], 3, 0),
        ([*TRIANGLE, (1, 1, 0), (-1, 0, 1)], 3, 0),  # rows that touch in a corner
    ],
)
def test_polytopes_in_the_plane(rows, finite, infinite):
    frame = frame_of(rows)
    check_same_set(frame, rows)
    assert frame.dim == 2
    assert frame.at_infinity.sum() == infinite
    assert len(frame.edges) == finite + infinite
    assert frame.exact_edges is None
    assert frame.exact_columns is None
    np.testing.assert_array_equal(frame.columns, [[1, 0], [0, 1], [0, 0]])


@pytest.mark.parametrize(
    "rows",
    [
        [(0, 0, -1)],
        [(1, 0, 0), (-1, 0, -1)],
        [*TRIANGLE, (1, 1, -2)],
        [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, -1)],
        [(1, 1, 0), (-1, -1, 0), (1, -1, 0), (-1, 1, 0), (1, 0, -1)],
    ],
)
def test_empty_polytopes_are_refused(rows):
    with pytest.raises(DegenerateInput, match="empty domain"):
        frame_of(rows)


@pytest.mark.parametrize(
    ("rows", "edges"),
    [
        # (x = y, x <= 1): a ray; the coordinate is x.
        ([(1, -1, 0), (-1, 1, 0), (-1, 0, 1)], {(-1, 0, 1), (1, 0, None)}),
        ([(1, 0, 0), (-1, 0, 0)], {(-1, 0, None), (1, 0, None)}),
        ([*TRIANGLE, (-1, 0, 0)], {(1, 0, 0), (-1, 0, 1)}),
        # Of a triangle, the side x + y = 1, cut at x = 3/4 by a row that needs both.
        ([*TRIANGLE, (1, 1, -1), (-1, 1, Fraction(1, 2))], {(1, 0, 0), (-4, 0, 3)}),
    ],
)
def test_polytope_that_is_a_segment_or_ray_or_line(rows, edges):
    frame = frame_of(rows)
    assert frame.dim == 1
    check_polygon(frame)
    assert [e[:2] for e in exact_edges(frame)][::2] == [(0, 1), (0, -1)]
    right, left = exact_edges(frame)[1::2]
    found = {(int(a1), int(a2), None if m else int(c)) for a1, a2, (c, m) in (right, left)}
    assert found == edges
    assert not frame.columns[1].any()


def test_polytope_that_is_a_point():
    frame = frame_of([*TRIANGLE, (1, 1, -1), (1, -1, -1)])
    assert frame.dim == 0
    assert frame.columns.tolist() == [[0, 0], [0, 0], [1, 0]]
    np.testing.assert_array_equal(frame.edges, [[0, 1, 1], [-1, 0, 1], [0, -1, 1], [1, 0, 1]])
    check_polygon(frame)


@pytest.mark.parametrize("seed", range(40))
def test_random_polytopes_are_the_set_of_their_rows(seed):
    rng = np.random.default_rng(seed)
    for _ in range(25):
        rows = np.column_stack(
            (rng.integers(-2, 3, (m := int(rng.integers(1, 8)), 2)), rng.integers(0, 3, m))
        ).tolist()
        frame = frame_of(rows)  # it holds the origin
        if frame.dim == 2:
            check_same_set(frame, rows)
            # The origin of a set of non-negative constants lies in it.
            assert all(edge[2] >= (0, 0) or edge[2][1] for edge in exact_edges(frame))
        else:
            check_polygon(frame)
            assert has_implied_equality(rows)


def has_implied_equality(rows):
    """Tell whether no small step from a point inside stays inside in all directions.

    With the origin inside, full dimension means that some direction enters the tight rows.
    """
    tight = [(a, b) for a, b, c in rows if c == 0 and (a or b)]
    directions = [(x, y) for x in range(-25, 26) for y in range(-25, 26) if x or y]
    return not any(all(a * x + b * y > 0 for a, b in tight) for x, y in directions)


def test_rows_of_extreme_sizes_stay_exact():
    tiny, huge = 5e-324, 1.7e308
    rows = [(tiny, 0, tiny), (-huge, 0.0, huge), (0.0, 1.0, tiny), (0.1, -huge, 0.3)]
    frame = frame_of(rows)
    check_same_set(frame, rows)
    thin = [(1.0, 0.0, 0.0), (-1.0, 0.0, tiny), (0.0, 1.0, 0.0), (0.0, -1.0, 1.0)]
    assert frame_of(thin).dim == 2
    check_same_set(frame_of(thin), thin)


# ---- equalities ----


def test_polytope_with_equalities_has_exact_columns():
    # x + 3 y + z = 1/10 (the double), in the cube: y and z depend on x, or z on x and y.
    cube = np.vstack((np.eye(3), -np.eye(3)))
    polytope = Polytope(cube, np.ones(6), [[1.0, 1.0, 3.0]], [0.1])
    frame = planar_frame(polytope, 3)
    assert frame.dim == 2
    check_polygon(frame)
    numerators, denominator = frame.exact_columns
    exact = [[Fraction(v, denominator) for v in column] for column in numerators]
    assert exact[0] == [1, 0, Fraction(-1, 3)]
    assert exact[1] == [0, 1, Fraction(-1, 3)]
    assert exact[2] == [0, 0, Fraction(0.1) / 3]
    np.testing.assert_array_equal(frame.columns, np.array(exact, dtype=float))
    check_rows_in_coordinates(frame, polytope, exact)


def check_rows_in_coordinates(frame, polytope, exact):
    """Check that the polygon is the polytope's, through the exact columns."""
    rows = []
    for normal, right in zip(polytope.A.tolist(), polytope.b.tolist(), strict=True):
        a = [-sum(Fraction(u) * v for u, v in zip(normal, column, strict=True)) for column in exact]
        rows.append((a[0], a[1], a[2] + Fraction(right)))
    check_same_set(frame, rows)


def test_two_equalities_in_four_dimensions():
    rng = np.random.default_rng(3)
    for _ in range(10):
        equal = rng.integers(-3, 4, (2, 4))
        if np.linalg.matrix_rank(equal) < 2:
            continue
        box = np.vstack((np.eye(4), -np.eye(4)))
        polytope = Polytope(box, rng.integers(1, 5, 8), equal, [0, 0])
        frame = planar_frame(polytope, (2, 2))
        numerators, denominator = frame.exact_columns or (frame.columns.tolist(), 1)
        exact = [[Fraction(v) / denominator for v in column] for column in numerators]
        for row in equal.tolist():
            for column in exact:
                assert sum(a * v for a, v in zip(row, column, strict=True)) == 0
        check_rows_in_coordinates(frame, polytope, exact)


def test_polytope_of_implied_equalities_in_many_dimensions_is_planar():
    # 0 <= x_i <= x_0 for i > 1 and their sum at most 0: only x_0 and x_1 are left.
    n = 6
    rows, right = [], []
    for i in range(2, n):
        unit = np.zeros(n)
        unit[i] = -1
        rows.append(unit)
        right.append(0.0)
    rows.append(np.array([0, 0] + [1] * (n - 2)))
    right.append(0.0)
    frame = planar_frame(Polytope(rows, right), n)
    assert frame.dim == 2
    assert frame.at_infinity.all()
    assert frame.exact_columns is None


# ---- boxes, the whole space, segments ----


def test_box_in_many_dimensions_with_fixed_sides():
    low = np.linspace(-1.0, 1.0, 784)
    high = low.copy()
    high[[5, 700]] += [2.0, 0.5]
    frame = planar_frame(Box(low, high), (1, 28, 28))
    check_same_set(
        frame, [(1, 0, -low[5]), (-1, 0, high[5]), (0, 1, -low[700]), (0, -1, high[700])]
    )
    assert frame.columns[0].nonzero()[0].tolist() == [5]
    assert frame.columns[1].nonzero()[0].tolist() == [700]
    expected = low.copy()
    expected[[5, 700]] = 0
    np.testing.assert_array_equal(frame.columns[2], expected)


@pytest.mark.parametrize(
    ("low", "high", "dim", "at_infinity"),
    [
        ([0.0, 0.0], [1.0, 1.0], 2, [False] * 4),
        ([-np.inf, 0.0], [1.0, np.inf], 2, [False, False, True, True]),
        ([2.0, 0.0], [2.0, 1.0], 1, [False] * 4),
        ([2.0, 0.0], [2.0, np.inf], 1, [False, True, False, False]),
        ([2.0, 0.0], [2.0, 0.0], 0, [False] * 4),
    ],
)
def test_boxes(low, high, dim, at_infinity):
    frame = planar_frame(Box(low, high), 2)
    assert frame.dim == dim
    assert frame.at_infinity.tolist() == at_infinity
    check_polygon(frame)
    assert not np.signbit(frame.edges[frame.edges == 0]).any()
    assert not frame.columns[dim:2].any()


def test_whole_space():
    for n in (1, 2):
        frame = planar_frame(Space(), n)
        assert frame.dim == n
        check_polygon(frame)
        assert frame.at_infinity.tolist() == [n == 2, True, n == 2, True]


def test_segment_with_exact_difference():
    frame = planar_frame(Segment([0.0, 1.0], [0.5, 3.0]), 2)
    assert frame.dim == 1
    assert frame.exact_columns is None
    assert frame.columns.tolist() == [[0.5, 2.0], [0, 0], [0, 1]]
    check_same_set(frame, [(1, 0, 0), (-1, 0, 1), (0, 1, 1), (0, -1, 1)])


def test_segment_whose_difference_is_no_double():
    rng = np.random.default_rng(0)
    cases = [([0.1], [1e17]), ([0.1], [0.7]), ([-1e-300], [1.0]), ([1.0], [4.0])]
    cases += [(rng.normal(size=5), rng.normal(size=5) * 1e3) for _ in range(20)]
    inexact = 0
    for a, b in cases:
        segment = Segment(a, b)
        frame = planar_frame(segment, len(a))
        true = [Fraction(float(v)) - Fraction(float(u)) for u, v in zip(a, b, strict=True)]
        rounded = [Fraction(v) for v in frame.columns[0].tolist()]
        assert (frame.exact_columns is None) == (true == rounded)
        if frame.exact_columns is not None:
            inexact += 1
            (first, second, start), denominator = frame.exact_columns
            assert denominator > 0
            assert [Fraction(v, denominator) for v in first] == true
            assert [Fraction(v, denominator) for v in start] == [Fraction(float(u)) for u in a]
            assert not any(second)
    assert inexact == len(cases) - 1


# ---- slices ----


def slice_rows(plane, box):
    """Return the sides of an input box as exact rows in the slice's coordinates."""
    rows = []
    columns = [plane.directions[0].tolist(), plane.directions[1].tolist(), plane.origin.tolist()]
    for i, (low, high) in enumerate(zip(box.low.tolist(), box.high.tolist(), strict=True)):
        u, v, o = (Fraction(column[i]) for column in columns)
        if low > -np.inf:
            rows.append((u, v, o - Fraction(low)))
        if high < np.inf:
            rows.append((-u, -v, Fraction(high) - o))
    return rows


def test_slice_with_box_domain():
    rng = np.random.default_rng(1)
    plane = Slice(rng.normal(size=9), rng.normal(size=(2, 9)), domain=Box([-1, 0], [2, 3]))
    frame = planar_frame(plane, (1, 3, 3))
    check_same_set(frame, [(1, 0, 1), (-1, 0, 2), (0, 1, 0), (0, -1, 3)])
    np.testing.assert_array_equal(frame.columns[:2], plane.directions)
    np.testing.assert_array_equal(frame.columns[2], plane.origin)
    assert planar_frame(Slice(plane.origin, plane.directions), 9).at_infinity.all()
    line = planar_frame(Slice(plane.origin, plane.directions[:1], domain=Box(0, 1)), 9)
    assert line.dim == 1
    assert not line.columns[1].any()


@pytest.mark.parametrize("inner", [None, Box(-1, 1), Box(-np.inf, 1), Box(-1e6, 1e6)])
def test_slice_within_a_box_is_cut_exactly(inner):
    rng = np.random.default_rng(2)
    for n in (3, 50):
        origin = rng.uniform(0.1, 0.9, n)
        directions = rng.normal(size=(2, n)) * 0.3
        low, high = np.zeros(n), np.ones(n)
        high[0] = np.inf
        plane = Slice(origin, directions, domain=inner, within=Box(low, high))
        frame = planar_frame(plane, n)
        rows = slice_rows(plane, plane.within)
        if inner is not None:
            rows += [(1, 0, -inner.low)] * 2 if np.isfinite(inner.low) else []
            side = int(inner.high)
            rows += [(-1, 0, side), (0, -1, side)]
            if np.isfinite(inner.low):
                rows += [(1, 0, side), (0, 1, side)]
        rows = [row for row in rows if np.isfinite(float(row[2]))]
        check_same_set(frame, rows)
        np.testing.assert_array_equal(frame.columns[:2], directions)
        if frame.exact_edges is not None:
            for edge, exact in zip(frame.edges.tolist(), frame.exact_edges, strict=True):
                scale = max(map(abs, exact)) / max(map(abs, edge))
                np.testing.assert_allclose(np.array(edge), np.array(exact, float) / scale)


def test_slice_within_needs_exact_edges_where_a_difference_is_no_double():
    plane = Slice([0.1, 0.0], np.eye(2), within=Box([-1e17, -1.0], [1.0, 1.0]))
    frame = planar_frame(plane, 2)
    assert frame.exact_edges is not None
    check_same_set(frame, slice_rows(plane, plane.within))


def test_slice_with_fixed_coordinate_has_an_exact_origin():
    plane = Slice(
        [0.1, 0.2, 0.0], [[0.3, 0.7, 1.0], [1.0, 0.0, 0.0]], domain=Box([0.1, 0], [0.1, 1])
    )
    frame = planar_frame(plane, 3)
    assert frame.dim == 1
    numerators, denominator = frame.exact_columns
    t = Fraction(0.1)
    expected = [Fraction(0.1) + t * Fraction(0.3), Fraction(0.2) + t * Fraction(0.7), t]
    assert [Fraction(v, denominator) for v in numerators[2]] == expected
    assert frame.columns[0].tolist() == [1.0, 0.0, 0.0]


def test_slice_of_three_directions_may_be_planar_all_the_same():
    plane = Slice(np.zeros(3), np.eye(3), domain=Box([0, 0, 1], [1, 1, 1]))
    assert planar_frame(plane, 3).dim == 2
    plane = Slice(np.zeros(3), np.eye(3), domain=Polytope(np.eye(3), np.ones(3), [[1, 1, 1]], [0]))
    frame = planar_frame(plane, 3)
    assert frame.dim == 2
    assert frame.columns.tolist() == [[1, 0, -1], [0, 1, -1], [0, 0, 0]]


def test_frames_agree_with_embed():
    rng = np.random.default_rng(4)
    t = np.array([0.25, 0.5])
    domains = [
        Box([0, 1, 0, 2], [1, 1, 1, 2]),
        Slice(np.ones(4), rng.integers(-3, 4, (2, 4)), domain=Box(0, 1)),
        Polytope(np.empty((0, 4)), [], [[1, 1, 1, 0], [1, 0, 0, 2]], [1, 2]),
        Slice(np.ones(4), np.eye(4)[:3], domain=Box([0, 0, 2], [1, 1, 2])),
        Segment(np.zeros(4), np.arange(4.0)),
        Box(np.zeros(4), [0, 2, 0, 0]),
    ]
    for domain in domains:
        frame = planar_frame(domain, (2, 2))
        used = t[: frame.dim]
        np.testing.assert_allclose(
            domain.embed(used), used @ frame.columns[: frame.dim] + frame.columns[2], rtol=1e-15
        )
        assert frame.dim == domain.dim


# ---- refusals and speed ----


@pytest.mark.parametrize(
    "domain",
    [
        Box(0, 1),
        Space(),
        Polytope(np.eye(3), np.ones(3)),
        Slice(np.zeros(3), np.eye(3)),
        Slice(np.zeros(3), np.eye(3), within=Box(-1, 1)),
    ],
    ids=repr,
)
def test_three_dimensions_are_refused_naming_them_and_what_to_do(domain):
    with pytest.raises(Unsupported, match=r"dimension 3, .* Slice\.through.* Segment"):
        planar_frame(domain, 3)


def test_other_domains_are_refused():
    with pytest.raises(Unsupported, match="Ball"):
        planar_frame(Ball([0.0, 0.0], 1.0), 2)
    with pytest.raises(InvalidInput):
        planar_frame(Box([0.0], [1.0]), 2)


def test_frames_of_boxes_take_microseconds():
    n = 784
    low, high = np.zeros(n), np.zeros(n)
    high[:2] = 1.0
    box = Box(low, high)
    plane = Slice(low, np.eye(2, n), domain=Box(-1, 1))
    for domain in (box, plane):
        seconds = min(timeit.repeat(lambda d=domain: planar_frame(d, n), number=100, repeat=5))
        # About 15 microseconds; the generous limit only guards against fractions in this path.
        assert seconds / 100 < 200e-6
