# SPDX-License-Identifier: MIT
"""Files that say where to look: slices and segments, and the plane that ships with the package."""

from __future__ import annotations

import numpy as np
import pytest

import linear_regions as lr
from linear_regions._digits import digits_network, digits_place
from linear_regions._domain_files import random_place, read_segment, read_slice

SHAPE = (1, 2, 2)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def same_set(domain, other):
    """Compare domains by value, whatever shape their points were given in."""
    return domain.resolve(SHAPE) == other.resolve(SHAPE)


def test_slice_files_of_every_kind_say_the_same():
    points = np.random.default_rng(5).integers(-8, 8, (3, 4)) / 8.0
    u, v = points[1] - points[0], points[2] - points[0]
    ends = {"low": np.full(2, -0.25), "high": np.full(2, 1.25)}
    np.savez("a.npz", origin=points[0], directions=[u, v], **ends)
    np.savez("b.npz", origin=points[0], u=u, v=v, **ends)
    np.savez("c.npz", points=points.reshape(3, 1, 2, 2))
    np.savez("d.npz", points=points, margin=0.25)
    np.save("e.npy", points)
    np.savetxt("f.csv", points, delimiter=",")
    np.savetxt("g.txt", points)
    shaped = [direction.reshape(SHAPE) for direction in (u, v)]
    np.savez("h.npz", origin=points[0].reshape(SHAPE), directions=shaped, **ends)
    expected = lr.Slice.through(points, 0.25)
    for name in ["a.npz", "b.npz", "c.npz", "d.npz", "e.npy", "f.csv", "g.txt", "h.npz"]:
        place = read_slice(name, SHAPE)
        assert same_set(place.domain, expected), name
        assert name in place.text


def test_slice_without_limits_is_cut_at_one_and_margins_can_be_given():
    np.savez("a.npz", origin=np.zeros(4), directions=np.eye(4)[:2])
    expected = lr.Slice(np.zeros(4), np.eye(4)[:2], lr.Box(-1.0, 1.0))
    assert same_set(read_slice("a.npz", SHAPE).domain, expected)
    np.savez("b.npz", points=np.eye(4)[:3], margin=2.0)
    assert same_set(read_slice("b.npz", SHAPE).domain, lr.Slice.through(np.eye(4)[:3], 2.0))


def test_segment_files_of_every_kind_say_the_same():
    p, q = np.array([0.0, 1.0, -1.0, 0.5]), np.array([1.0, -2.0, 1.0, 0.0])
    np.savez("a.npz", p=p, q=q)
    np.savez("b.npz", a=p.reshape(SHAPE), b=q.reshape(SHAPE))
    np.savez("c.npz", points=[p, q, p])
    np.savetxt("d.csv", [p, q], delimiter=",")
    for name in ["a.npz", "b.npz", "c.npz", "d.csv"]:
        assert same_set(read_segment(name, SHAPE).domain, lr.Segment(p, q)), name


def test_points_beside_a_slice_are_marked_and_named():
    points = np.eye(4)[:2]
    plane = {"origin": np.zeros(4), "directions": np.eye(4)[:2]}
    np.savez("a.npz", **plane, points=points, labels=["x", "y"])
    place = read_slice("a.npz", SHAPE)
    assert place.labels == ("x", "y")
    np.testing.assert_array_equal(place.points.reshape(2, 4), points)
    assert place.segment().text == "segment from x to y"
    np.savez("b.npz", **plane, points=points)
    assert read_slice("b.npz", SHAPE).labels == ("point 1", "point 2")
    np.savez("c.npz", **plane)
    assert read_slice("c.npz", SHAPE).segment() is None


@pytest.mark.parametrize(
    ("arrays", "error", "words"),
    [
        ({"something": np.zeros(3)}, lr.CorruptFile, "origin and directions"),
        ({"origin": np.zeros(4)}, lr.CorruptFile, "directions, or u and v"),
        ({"origin": np.array(["a"]), "directions": np.eye(1)}, lr.CorruptFile, "numbers"),
        ({"points": np.zeros((3, 5))}, lr.InvalidInput, "points must have shape"),
        ({"points": np.zeros((3, 4))}, lr.DegenerateInput, "smaller plane"),
        ({"origin": np.zeros(3), "directions": np.eye(3)[:2]}, lr.InvalidInput, "origin"),
        (
            {"origin": np.zeros(4), "u": np.ones(4), "v": np.ones(3)},
            lr.InvalidInput,
            "u and v differ",
        ),
        ({"origin": np.zeros(4), "directions": 1.0}, lr.InvalidInput, "one row each"),
        ({"origin": np.zeros(1), "directions": [[1.0]], "low": [1, 2]}, lr.InvalidInput, "low"),
        ({"points": np.eye(3, 4), "margin": [0.1, 0.2]}, lr.InvalidInput, "margin must be one"),
        ({"origin": np.array([{}], dtype=object), "u": [1]}, lr.CorruptFile, "expected an .npz"),
    ],
)
def test_slice_files_with_other_contents_are_refused(arrays, error, words):
    np.savez("a.npz", **arrays)
    with pytest.raises(error, match=words):
        read_slice("a.npz", SHAPE)


@pytest.mark.parametrize(
    "arrays", [{"p": np.zeros(4)}, {"points": np.zeros((1, 4))}, {"x": np.zeros(4)}]
)
def test_segment_files_with_other_contents_are_refused(arrays):
    np.savez("a.npz", **arrays)
    with pytest.raises(lr.CorruptFile, match="expected arrays p and q"):
        read_segment("a.npz", SHAPE)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.npz", b"PK\x03\x04 and nothing else"),
        ("b.npy", b"\x93NUMPY"),
        ("c.csv", b"one,two\n"),
        ("d.csv", b"1,2\n1,2,3\n"),
        ("e.csv", b"\xff\xfe"),
        ("f.npz", b""),
    ],
)
def test_damaged_files_are_refused_by_name(folder, name, content):
    (folder / name).write_bytes(content)
    for read in (read_slice, read_segment):
        with pytest.raises(lr.CorruptFile, match=name):
            read(name, SHAPE)


def test_numbers_that_double_precision_cannot_hold_are_refused():
    points = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 2**53 + 1, 0, 0]])
    np.savez("far.npz", points=points)
    with pytest.raises(lr.InvalidInput, match=r"^far\.npz has int64 .*cannot hold exactly"):
        read_slice("far.npz", SHAPE)
    np.savez("near.npz", points=points - [0, 1, 0, 0])
    read_slice("near.npz", SHAPE)


def test_missing_files_are_missing():
    with pytest.raises(FileNotFoundError):
        read_slice("none.npz", SHAPE)


def test_stand_in_plane_is_the_same_each_time_and_fits_the_input():
    assert random_place((1,)).domain == lr.Box([-1.0], [1.0])
    assert random_place((2,)).domain.dim == 2
    first, second = random_place(SHAPE), random_place(SHAPE)
    assert first.domain == second.domain
    assert first.domain.ambient_dim == 4
    assert len(first.points) == len(first.labels) == 3


# ---- the digits ----


def test_the_three_digits_lie_on_their_plane_exactly_and_are_classified_right():
    place = digits_place()
    assert place.labels == ("digit 2", "digit 5", "digit 6")
    at = [[-0.5, 0.0], [0.5, 0.0], [0.0, 1.0]]
    np.testing.assert_array_equal(place.domain.embed(at), place.points.reshape(3, 64))
    assert digits_network()(place.points).argmax(axis=1).tolist() == [2, 5, 6]


def test_digits_and_weights_are_short_binary_fractions():
    pixels = digits_place().points * 16
    assert (pixels == pixels.round()).all()
    assert pixels.min() == 0
    assert pixels.max() == 16
    for layer in digits_network().layers:
        for name in ("weight", "bias"):
            values = getattr(layer, name, np.zeros(1)) * 2.0**12
            assert (values == values.round()).all()
            assert abs(values).max() < 2**24, "exact in single precision"


def test_sides_of_the_triangle_of_digits_differ_by_less_than_a_percent():
    points = digits_place().points.reshape(3, 64)
    squared = [((points[i] - points[i - 1]) ** 2).sum() for i in range(3)]
    assert max(squared) < 1.01 * min(squared)


def test_digits_model_is_as_accurate_as_its_notes_say():
    sklearn = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    data = sklearn.load_digits()
    test = np.random.default_rng(0).permutation(len(data.target))[1347:]
    net = digits_network()
    classes = net((data.images[test] / 16.0)[:, None]).argmax(axis=1)
    correct = int((classes == data.target[test]).sum())
    assert correct >= 0.97 * len(test)
    assert f"{correct} of {len(test)} test images right" in net.notes[0]


def test_counts_of_the_digits_are_those_of_the_documentation():
    net, place = digits_network(), digits_place()
    assert int(lr.count(net, place.domain)) == 12_853
    assert int(lr.count(net, place.segment().domain)) == 80
