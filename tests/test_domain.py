# SPDX-License-Identifier: MIT
"""Domains: validation, dimensions, coordinates, exact affine hulls."""

from __future__ import annotations

import pickle
from fractions import Fraction
from functools import partial
from itertools import combinations

import numpy as np
import pytest

import linear_regions as lr
from linear_regions._farkas import implied_equalities, integer_row
from linear_regions._hull import affine_hull
from linear_regions.domain import Ball, Box, Polytope, Segment, Slice, Space
from linear_regions.errors import DegenerateInput, InvalidInput

SQUARE = Polytope([[1, 0], [-1, 0], [0, 1], [0, -1]], [1, 1, 1, 1])
EVERY_DOMAIN = [
    Box(0.0, 1.0),
    Box([0.0, 2.0], [1.0, 2.0]),
    SQUARE,
    Polytope(np.empty((0, 2)), [], [[1, 1]], [3]),
    Space(),
    Space(3),
    Segment([0.0, 0.0], [0.1, 1.0]),
    Ball([0.0, 1.0], 2.0),
    Slice([0.0, 1.0, 2.0], [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]], domain=Box(-1, 1)),
    Slice([0.0, 1.0, 2.0], [[1.0, 0.0, 0.0]], within=Box(-1, 3)),
    Slice([0.0, 1.0, 2.0], [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]], domain=SQUARE),
]


@pytest.mark.parametrize("domain", EVERY_DOMAIN, ids=repr)
def test_domains_are_immutable_values(domain):
    _ = domain.dim
    twin = pickle.loads(pickle.dumps(domain))
    assert twin == domain
    assert hash(twin) == hash(domain)
    assert twin.dim == domain.dim
    assert sum(domain == other for other in EVERY_DOMAIN) == 1
    with pytest.raises(AttributeError, match="immutable"):
        domain.dim = 3


# ---- boxes ----


def test_box_sides_may_be_scalars_shaped_or_flat():
    shaped = Box(np.zeros((1, 2, 2)), 1.0).resolve((1, 2, 2))
    flat = Box(0.0, np.ones(4)).resolve((1, 2, 2))
    assert shaped == flat == Box(0, 1).resolve((1, 2, 2))
    assert shaped.low.shape == (4,)
    assert Box(np.zeros((2, 2)), np.ones(4)).resolve((2, 2)) == flat
    assert flat.resolve((4,)) is flat


def test_box_coordinates_are_its_free_inputs():
    box = Box([0.0, 3.0, -1.0, 2.0], [1.0, 3.0, 1.0, 2.0])
    assert box.dim == 2
    assert box.free.tolist() == [0, 2]
    np.testing.assert_array_equal(
        box.embed([[0.25, 0.5], [1.0, 0.0]]), [[0.25, 3, 0.5, 2], [1.0, 3, 0.0, 2]]
    )
    assert Box([1.0], [1.0]).dim == 0
    assert Box([1.0, 2.0], [1.0, 2.0]).embed(np.empty(0)).tolist() == [1.0, 2.0]


def test_box_of_scalars_has_no_dimension_before_it_is_resolved():
    box = Box(0, 1)
    assert box.dim is None
    assert box.ambient_dim is None
    for question in (lambda: box.embed([0.5]), lambda: box.free):
        with pytest.raises(InvalidInput, match="resolve"):
            question()
    assert box.resolve((1, 3, 3)).dim == 9


@pytest.mark.parametrize(
    ("low", "high", "error", "message"),
    [
        ([0.0, 1.0], [1.0, 0.5], DegenerateInput, r"empty domain: .* at index \(1,\)"),
        (1.0, 0.0, DegenerateInput, "empty domain"),
        ([0.0, np.nan], [1.0, 1.0], InvalidInput, "NaN"),
        ([0.0], [1.0, 1.0], InvalidInput, "equal shapes"),
        (np.zeros((2, 2)), np.ones((4, 1)), InvalidInput, "equal shapes"),
        (np.inf, np.inf, InvalidInput, "no finite point"),
        ([[0.0, "a"]], 1.0, TypeError, "real numbers"),
    ],
)
def test_impossible_boxes_are_refused(low, high, error, message):
    with pytest.raises(error, match=message):
        Box(low, high)


def test_box_must_fit_the_input_shape():
    with pytest.raises(InvalidInput, match=r"\(2, 3\) or \(6,\), got \(3, 2\)"):
        Box(np.zeros((3, 2)), 1.0).resolve((2, 3))
    with pytest.raises(InvalidInput, match=r"\(3,\), got \(2,\)"):
        Box([0.0, 0.0], [1.0, 1.0]).resolve((3,))


# ---- polytopes and hulls ----


def dimension_by_corners(rows, equalities, n):
    """Return the dimension (-1: empty) of a small polytope: affine rank of its corners.

    A far box keeps the corners finite; coordinates of the tests are far below it.
    """
    far = 10**6
    box = []
    for j in range(n):
        unit = [0] * n
        unit[j] = 1
        box += [(*unit, far), (*[-u for u in unit], far)]
    tight = list(equalities)
    rows_and_box = [*rows, *box]
    corners = []
    # An equality that says something takes the place of one tight row; 0 = 0 does not.
    sizes = {n, n - len(tight)}
    for chosen in (c for size in sizes for c in combinations(rows_and_box, size)):
        corner = solve([*chosen, *tight], n)
        if corner is None:
            continue
        values = [
            sum(a * x for a, x in zip(row, corner, strict=False)) + row[-1] for row in rows_and_box
        ]
        if min(values) >= 0:
            corners.append(corner)
    if not corners:
        return -1
    origin = corners[0]
    return rank([[u - v for u, v in zip(corner, origin, strict=True)] for corner in corners])


def reduced(rows):
    """Return a row echelon form, in fractions."""
    rows = [[Fraction(v) for v in row] for row in rows]
    done = []
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((row for row in rows if row[column]), None)
        if pivot is None:
            continue
        rows.remove(pivot)
        pivot = [v / pivot[column] for v in pivot]
        done = [[u - row[column] * v for u, v in zip(row, pivot, strict=True)] for row in done]
        rows = [[u - row[column] * v for u, v in zip(row, pivot, strict=True)] for row in rows]
        done.append(pivot)
    return done


def rank(rows):
    return len(reduced(rows))


def solve(rows, n):
    """Return the only solution of rows = 0, or None."""
    echelon = reduced(rows)
    if len(echelon) != n or any(not any(row[:n]) for row in echelon):
        return None
    return [-row[n] for row in echelon]


@pytest.mark.parametrize("seed", range(60))
def test_dimension_of_random_polytopes_equals_the_rank_of_their_corners(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5))
    m = int(rng.integers(0, 6))
    rows = np.column_stack((rng.integers(-1, 2, (m, n)), rng.integers(0, 2, m)))
    if m and rng.integers(2):
        # An opposite row makes an equality, or an empty set.
        rows = np.vstack((rows, -rows[:1]))
        rows[-1, -1] -= rng.integers(0, 2) * int(rng.integers(2))
    p = int(rng.integers(0, 2))
    equal = np.column_stack((rng.integers(-1, 2, (p, n)), rng.integers(-1, 2, p)))
    expected = dimension_by_corners(rows.tolist(), equal.tolist(), n)
    polytope = Polytope(-rows[:, :n], rows[:, n], -equal[:, :n], equal[:, n])
    if expected < 0:
        with pytest.raises(DegenerateInput, match="empty domain"):
            _ = polytope.dim
        return
    assert polytope.dim == expected
    hull = polytope.hull()
    # A point strictly inside all rows of the hull satisfies everything, exactly.
    if hull.matrix is not None:
        assert len(hull.matrix) == n
        for row in equal.tolist():
            for j in range(expected + 1):
                constant = row[-1] if j == expected else 0
                assert sum(a * f[j] for a, f in zip(row, hull.matrix, strict=False)) + constant == 0


def test_hull_coordinates_are_the_first_inputs_that_determine_the_others():
    polytope = Polytope(np.empty((0, 3)), [], [[1, 1, 1]], [6])
    assert polytope.hull().free == (0, 1)
    np.testing.assert_array_equal(polytope.embed([1.0, 2.0]), [1.0, 2.0, 3.0])
    fixed = Polytope(np.empty((0, 3)), [], [[1, 0, 0], [0, 1, -2]], [5, 0])
    assert fixed.hull().free == (1,)
    np.testing.assert_array_equal(fixed.embed([[4.0]]), [[5.0, 4.0, 2.0]])
    assert SQUARE.embed([0.5, 1.0]).tolist() == [0.5, 1.0]


def test_hull_finds_chains_of_implied_equalities():
    # x <= y <= z <= w <= x, and x >= 1, in four dimensions: a ray.
    rows = [[1, -1, 0, 0], [0, 1, -1, 0], [0, 0, 1, -1], [-1, 0, 0, 1], [-1, 0, 0, 0]]
    assert Polytope(rows, [0, 0, 0, 0, -1]).dim == 1
    # The smallest doubles decide: one step makes the set empty, or full-dimensional.
    tiny = 5e-324
    assert Polytope(rows[:4], [0, 0, 0, tiny]).dim == 4
    with pytest.raises(DegenerateInput, match="empty domain"):
        _ = Polytope(rows[:4], [0, 0, 0, -tiny]).dim


def test_full_dimensional_polytope_in_many_dimensions():
    rng = np.random.default_rng(0)
    n = 12
    matrix = np.vstack((np.eye(n), -np.eye(n), rng.normal(size=(30, n))))
    polytope = Polytope(matrix, np.ones(len(matrix)))
    assert polytope.dim == n
    assert polytope.hull().matrix is None


def test_implied_equalities_without_a_point_nearby():
    # Far from the origin and thin: the floating-point search fails, the exact one does not.
    rows = [integer_row(row) for row in [[1, 1, 1, -1e9], [-1, -1, -1, 1e9 + 1e-6], [1, -1, 0, 0]]]
    assert implied_equalities(3, rows) == []
    rows.append(integer_row([-1.0, 1.0, 0.0, 0.0]))
    assert set(implied_equalities(3, rows)) <= set(rows[2:])
    assert affine_hull(3, [], rows).dim == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Polytope([1, 2], [1]), r"shape \(m, n\)"),
        (lambda: Polytope([[1, 2]], [1, 2]), r"shape \(1,\)"),
        (lambda: Polytope([[1, 2]], [np.inf]), "finite"),
        (lambda: Polytope([[1, 2]], [1], [[1, 1]]), "come together"),
        (lambda: Polytope([[1, 2]], [1], [[1, 1, 1]], [1]), "2 columns"),
        (lambda: SQUARE.resolve(3), "2 columns, but the network has 3 inputs"),
        (lambda: SQUARE.embed([1.0]), r"\(..., 2\)"),
        (lambda: Space(2).resolve(3), "3 inputs"),
        (lambda: Space().embed([1.0]), "resolve"),
        (lambda: Space(0), "at least 1"),
    ],
)
def test_impossible_polytopes_and_spaces_are_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()


# ---- segments, slices, balls ----


def test_segment():
    segment = Segment(np.zeros((1, 2, 2)), np.ones((1, 2, 2)) * 4).resolve((1, 2, 2))
    assert (segment.dim, segment.ambient_dim) == (1, 4)
    np.testing.assert_array_equal(segment.embed([[0.0], [0.25]]), [[0] * 4, [1] * 4])
    assert segment.resolve(4) is segment


@pytest.mark.parametrize(
    ("a", "b", "error"),
    [
        ([0.0, 1.0], [0.0, 1.0], DegenerateInput),
        ([0.0], [0.0, 1.0], InvalidInput),
        (0.0, 1.0, InvalidInput),
        ([np.nan], [1.0], InvalidInput),
        ([-1.7e308], [1.7e308], InvalidInput),
    ],
)
def test_impossible_segments_are_refused(a, b, error):
    with pytest.raises(error):
        Segment(a, b)


def test_slice_dimensions_and_embedding():
    plane = Slice(np.ones((1, 2, 2)), np.arange(8.0).reshape(2, 4))
    assert plane.directions.shape == (2, 1, 2, 2)
    assert (plane.dim, plane.ambient_dim) == (2, 4)
    flat = plane.resolve((1, 2, 2))
    assert flat.directions.shape == (2, 4)
    np.testing.assert_array_equal(flat.embed([1.0, 2.0]), [9, 12, 15, 18])
    np.testing.assert_array_equal(plane.embed([1.0, 2.0]), flat.embed([1.0, 2.0]))
    assert Slice([0.0, 0.0], [[1.0, 0.0]], domain=Space()).domain is None
    assert Slice(np.zeros(4), np.ones((1, 2, 2))).origin.shape == (2, 2)


def test_slice_drops_coordinates_that_its_domain_fixes():
    directions = [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]
    fixed = Slice([0.0, 0.0, 0.0], directions, domain=Box([0.0, 2.0], [1.0, 2.0]))
    assert fixed.dim == 1
    np.testing.assert_array_equal(fixed.embed([0.5]), [0.5, 2.0, 2.5])
    within = Slice([0.0, 0.0, 0.0], directions, within=Box([0, 0, 0], [1, 1, 0]))
    assert within.dim == 0
    np.testing.assert_array_equal(within.embed(np.empty(0)), [0.0, 0.0, 0.0])
    diagonal = Slice([0.0, 0.0, 3.0], directions, within=Box([-1, -1, 3], [1, 1, 3]))
    assert diagonal.dim == 1
    np.testing.assert_array_equal(diagonal.embed([0.5]), [0.5, -0.5, 3.0])


def test_slice_that_misses_its_box_is_empty():
    plane = Slice([5.0, 0.0], [[0.0, 1.0]], within=Box(-1, 1))
    with pytest.raises(DegenerateInput, match="empty domain"):
        _ = plane.dim


@pytest.mark.parametrize(
    "directions",
    [
        np.empty((0, 3)),
        [[0.0, 0.0, 0.0]],
        [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]],
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]],
        np.eye(4)[:, :3],
        [[1e-320, 2e-320, 0.0], [2e-320, 4e-320, 0.0]],
    ],
)
def test_dependent_directions_are_refused(directions):
    with pytest.raises(DegenerateInput, match="linearly independent"):
        Slice([0.0, 0.0, 0.0], directions)


def test_nearly_dependent_directions_are_independent():
    almost = np.nextafter(2.0, 3.0)
    assert Slice([0.0, 0.0], [[1.0, 2.0], [1.0, almost]]).dim == 2
    rows = np.eye(3)
    rows[2] = rows[0] + rows[1]
    rows[2, 2] = 5e-324
    assert Slice([0.0, 0.0, 0.0], rows).dim == 3
    assert Slice([0.0, 0.0], np.diag([1e-320, 1e300])).dim == 2


def test_slice_through_points():
    plane = Slice.through([[0.0, 1.0], [2.0, 1.0], [0.0, 5.0]], margin=0.25)
    np.testing.assert_array_equal(plane.embed([[0, 0], [1, 0], [0, 1]]), [[0, 1], [2, 1], [0, 5]])
    assert plane.domain == Box([-0.25, -0.25], [1.25, 1.25])
    assert Slice.through(np.eye(2).reshape(2, 1, 2)).origin.shape == (1, 2)
    with pytest.raises(DegenerateInput, match="through: 3 points must span 2 dimensions"):
        Slice.through([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    for points, margin in (([[0.0, 0.0]], 0.0), ([[0.0], [1.0]], -0.5), ([[0.0], [1.0]], np.nan)):
        with pytest.raises(InvalidInput):
            Slice.through(points, margin=margin)
    with pytest.raises(TypeError, match=r"margin must be one number, got \[1.0, 2.0\]"):
        Slice.through([[0.0], [1.0]], margin=[1.0, 2.0])


def test_impossible_slices_are_refused():
    with pytest.raises(InvalidInput, match="one row per direction"):
        Slice([0.0, 0.0], [[1.0, 0.0, 0.0]])
    with pytest.raises(InvalidInput, match="one row per direction"):
        Slice([0.0, 0.0], [1.0, 0.0])
    with pytest.raises(InvalidInput, match="must be a point"):
        Slice(0.0, [[1.0]])
    with pytest.raises(TypeError, match="domain must be a Box"):
        Slice([0.0], [[1.0]], domain=3)
    with pytest.raises(TypeError, match="within must be a Box"):
        Slice([0.0], [[1.0]], within=SQUARE)
    with pytest.raises(InvalidInput, match=r"\(1,\), got \(2,\)"):
        Slice([0.0, 0.0], [[1.0, 0.0]], domain=Box([0, 0], [1, 1]))
    with pytest.raises(InvalidInput, match="origin must have shape"):
        Slice(np.zeros(3), np.ones((1, 3))).resolve(4)


def test_ball():
    ball = Ball(np.zeros((2, 2)), 1.5).resolve((2, 2))
    assert (ball.dim, ball.center.shape) == (4, (4,))
    for center, radius in ((0.0, 1.0), ([0.0], 0.0), ([0.0], np.inf), ([np.nan], 1.0)):
        with pytest.raises(InvalidInput):
            Ball(center, radius)


def test_something_else_than_a_domain_is_named_with_the_way_to_one():
    net = lr.load([([[1.0, 2.0]], [0.5]), ([[1.0]], [0.0])])
    lines = lr.Arrangement([[1.0, 2.0]], [0.5])
    asks = [lines.count, lambda place: lr.region_at(net, [0.5, 0.5], place)]
    for ask in (lr.count, lr.regions, lr.bounds, lr.sample, lr.predict_cost, lr.expected):
        asks.append(partial(ask, net))
    for ask in asks:
        with pytest.raises(TypeError, match="must be a Box, .* or Ball, got tuple; a box is"):
            ask((0.0, 1.0))
        with pytest.raises(TypeError, match="of 1 domains; take one of them, as in `box, = read"):
            ask([SQUARE])  # as read_vnnlib gives it
        with pytest.raises(TypeError, match="of 2 domains; take one of them, or ask of each"):
            ask([SQUARE, SQUARE])
        with pytest.raises(TypeError, match="got the class Box"):
            ask(Box)
    with pytest.raises(TypeError, match="box must be a Box, got list of 1 domains"):
        lr.unstable(net, [SQUARE])


def test_domains_and_layers_of_images_are_shown_on_one_short_line():
    image = np.arange(784.0).reshape(1, 28, 28)
    shown = "array(shape=(1, 28, 28), min=0, max=783)"
    assert repr(Ball(image, 1.0)) == f"Ball(center={shown}, radius=1.0)"
    assert repr(Box(-1, [0, 1])) == "Box(low=array([-1., -1.]), high=array([0., 1.]))"
    assert repr(Box(-1, 1)) == "Box(low=-1.0, high=1.0)"
    plane = Slice.through(np.stack([image, image + 1.0, 2.0 * image]), margin=0.5)
    segment, polytope = Segment(image, image + 1.0), Polytope(np.ones((9, 784)), np.ones(9))
    prelu = lr.Pointwise(np.zeros((64, 1)), np.ones((64, 2)), np.arange(64.0))
    for value in (plane, plane.resolve((1, 28, 28)), segment, Box(image, image + 1.0), polytope):
        assert shown in repr(value) or "(784,)" in repr(value) or "(9, 784)" in repr(value)
    for value in (plane, segment, polytope, prelu):
        assert "\n" not in repr(value)
        assert len(repr(value)) < 240
    facet = lr.regions(lr.Network(2, [lr.Affine([[1.0, 2.0]]), lr.relu()]), Box(-1, 1))[0].facets[0]
    assert "\n" not in repr(facet)
