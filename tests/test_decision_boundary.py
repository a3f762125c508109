# SPDX-License-Identifier: MIT
"""Decision boundaries: known ones, and classes on both sides of every piece."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import linear_regions as lr
from linear_regions import reference


def classifier(seed: int, d: int, classes: int) -> lr.Network:
    rng = np.random.default_rng(seed)
    layers = [lr.Affine(rng.normal(size=(6, d)), rng.normal(size=6)), lr.relu()]
    return lr.Network(d, [*layers, lr.Affine(rng.normal(size=(classes, 6)))])


def class_at(net: lr.Network, point: np.ndarray) -> int:
    out = reference.forward(net, [Fraction(float(v)) for v in point])
    return int(out[0] > 0) if len(out) == 1 else out.index(max(out))


@pytest.mark.parametrize(("d", "classes"), [(1, 3), (2, 1), (2, 4), (3, 3), (4, 2)])
def test_classes_change_across_every_piece(d, classes):
    net = classifier(d, d, classes)
    boundary = lr.decision_boundary(net, lr.Box(-2.0, 2.0))
    assert len(boundary) > 0
    for piece in boundary:
        middle = piece.vertices.mean(axis=0)
        assert piece.normal @ middle + piece.offset == pytest.approx(0.0, abs=1e-9)
        assert (piece.inequalities @ np.r_[middle, 1.0] > 0).all()
        step = 1e-7 * piece.normal / np.linalg.norm(piece.normal)
        assert (class_at(net, middle + step), class_at(net, middle - step)) == piece.classes
        assert 0 < piece.size < np.inf


@pytest.mark.parametrize(("d", "classes"), [(1, 3), (2, 4), (3, 3)])
def test_segments_between_classes_cross_the_boundary(d, classes):
    net = classifier(7 + d, d, classes)
    boundary = lr.decision_boundary(net, lr.Box(-2.0, 2.0))
    rng = np.random.default_rng(0)
    for a, b in rng.uniform(-2, 2, (40, 2, d)):
        t = np.linspace(0, 1, 400)[:, None]
        found = net(a + t * (b - a)).argmax(axis=1)
        changes = int((found[1:] != found[:-1]).sum())
        crossings = 0
        for piece in boundary:
            start, end = (float(piece.normal @ p + piece.offset) for p in (a, b))
            if start * end < 0:
                at = a + start / (start - end) * (b - a)
                crossings += bool((piece.inequalities @ np.r_[at, 1.0] > 0).all())
        assert crossings >= changes
        assert (crossings - changes) % 2 == 0


def test_known_lengths_and_areas():
    plane = lr.Network(2, [lr.Affine(np.eye(2))])
    boundary = lr.regions(plane, lr.Box(-1.0, 1.0)).decision_boundary()
    assert (len(boundary), boundary.total_size) == (1, pytest.approx(8.0**0.5))
    assert boundary[0].classes in ((0, 1), (1, 0))
    # Three classes in space: half planes that meet in the diagonal.
    space = lr.decision_boundary(lr.Network(3, [lr.Affine(np.eye(3))]), lr.Box(0.0, 1.0))
    assert len(space) == 3
    assert space.total_size == pytest.approx(3 * 0.5 * 2.0**0.5)
    four = lr.decision_boundary(lr.Network(4, [lr.Affine([[1.0, 0, 0, 0]])]), lr.Box(-1.0, 1.0))
    assert four.total_size == pytest.approx(8.0)


def test_polygons_are_in_order():
    net = lr.Network(3, [lr.Affine([[1.0, 1.0, 1.0]])])
    (piece,) = lr.decision_boundary(net, lr.Box(-1.0, 1.0))
    assert len(piece.vertices) == 6, "the hexagon across a cube"
    sides = np.linalg.norm(piece.vertices - np.roll(piece.vertices, 1, axis=0), axis=1)
    np.testing.assert_allclose(sides, 2.0**0.5)
    assert piece.size == pytest.approx(3.0**0.5 / 4 * 12)


def test_equal_outputs_on_an_open_set_are_the_first_class():
    tie = lr.Network(1, [lr.Affine([[1.0], [1.0]]), lr.relu(), lr.Affine([[1.0, 0], [0, 1]])])
    assert len(lr.decision_boundary(tie)) == 0
    # Zero and zero for t < 0; the second output is larger for t > 0.
    part = lr.Network(1, [lr.Affine([[1.0], [2.0]]), lr.relu()])
    boundary = lr.decision_boundary(part)
    assert boundary.classes.tolist() == [[1, 0]]
    assert boundary[0].vertices.tolist() == [[0.0]]


def test_unbounded_pieces_have_directions():
    (piece,) = lr.decision_boundary(lr.Network(2, [lr.Affine(np.eye(2))]))
    assert np.isinf(piece.size)
    assert len(piece.directions) == 2


def test_networks_without_outputs_have_no_classes():
    with pytest.raises(lr.InvalidInput, match="no outputs"):
        lr.decision_boundary(lr.Network(2, [lr.Affine(np.ones((0, 2)))]), lr.Box(-1.0, 1.0))


def test_stopped_listings_are_refused():
    with pytest.raises(lr.Unsupported, match="limit"):
        lr.decision_boundary(classifier(0, 3, 3), lr.Box(-1.0, 1.0), limit=2)
    with pytest.raises(TypeError, match="Network"):
        lr.decision_boundary([])


def test_the_boundary_is_drawn():
    pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")
    from matplotlib.figure import Figure

    net = classifier(2, 2, 3)
    table = lr.regions(net, lr.Box(-1.0, 1.0))
    boundary = table.decision_boundary()
    ax = lr.plot(table, ax=Figure().add_subplot(), decision_boundary=boundary)
    drawn = [c for c in ax.collections if c.get_label() == "decision boundary"]
    lengths = [np.linalg.norm(np.diff(s, axis=0)) for s in drawn[0].get_segments()]
    assert sum(lengths) == pytest.approx(boundary.total_size)
    rough = lr.plot(table, ax=Figure().add_subplot(), decision_boundary=True)
    drawn = [c for c in rough.collections if c.get_label() == "decision boundary"]
    lengths = [np.linalg.norm(np.diff(s, axis=0)) for s in drawn[0].get_segments()]
    assert sum(lengths) == pytest.approx(boundary.total_size)


def test_in_many_dimensions_cells_are_listed_with_faces_or_refused_at_once():
    rng = np.random.default_rng(0)
    net = lr.load(
        [(rng.standard_normal((3, 9)), np.ones(3)), (rng.standard_normal((2, 3)), [0, 0])]
    )
    place = lr.Box(-1.0, 1.0)
    found = lr.decision_boundary(net, place, method="cones")
    assert len(found) > 0
    assert lr.regions(net, place).decision_boundary(method="cones") == found
    with pytest.raises(lr.Unsupported, match="method='cones'"):
        lr.decision_boundary(net, place)
