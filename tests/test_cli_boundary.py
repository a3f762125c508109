# SPDX-License-Identifier: MIT
"""The command boundary: table, JSON, arrays and picture."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

import linear_regions as lr


@pytest.fixture
def classifier(folder):
    """Save a network with two inputs and three classes; return its path and itself."""
    rng = np.random.default_rng(3)
    net = lr.load(
        [
            (rng.standard_normal((7, 2)), rng.standard_normal(7)),
            (rng.standard_normal((3, 7)), rng.standard_normal(3)),
        ]
    )
    lr.save(net, folder / "net.npz")
    return "net.npz", net


def test_pieces_are_those_of_the_function(classifier, data):
    path, net = classifier
    expected = lr.decision_boundary(net, lr.Box(-2.0, 2.0))
    found = data("boundary", path, "--box", "-2", "2")
    assert found["pieces"] == len(expected) == len(found["boundary"]) > 3
    assert sum(pair["pieces"] for pair in found["pairs"]) == len(expected)
    assert sum(pair["size"] for pair in found["pairs"]) == pytest.approx(expected.total_size)
    for piece, other in zip(found["boundary"], expected, strict=True):
        assert tuple(piece["classes"]) == other.classes
        assert piece["vertices"] == other.vertices.tolist()
        assert piece["normal"] == other.normal.tolist()


@pytest.mark.parametrize("method", ["polygons", "cones"])
def test_methods_that_are_named_give_the_same_pieces(classifier, data, method):
    path, net = classifier
    found = data("boundary", path, "--box", "-2", "2", "--method", method)
    assert found["pieces"] == len(lr.decision_boundary(net, lr.Box(-2.0, 2.0)))
    listed = data("regions", path, "--box", "-2", "2", "--method", method)
    assert (listed["count"]["method"], int(listed["count"]["value"])) == (
        method,
        lr.count(net, lr.Box(-2.0, 2.0)).value,
    )


def test_a_method_that_does_not_list_is_refused(classifier, run):
    for command in ("regions", "boundary"):
        status, _, err = run(command, classifier[0], "--box", "-2", "2", "--method", "arrangement")
        assert status == 2
        assert "arrangement" in err


def test_text_has_pairs_and_pieces(classifier, run):
    status, out, err = run("boundary", classifier[0], "--space")
    assert (status, err) == (0, "")
    assert "between classes" in out
    assert "to " in out
    assert "boundary" in out


def test_arrays_of_the_file(classifier, run, folder):
    path, net = classifier
    status, out, _ = run("boundary", path, "--box", "-2", "2", "-o", "pieces.npz")
    assert status == 0
    assert "pieces.npz" in out
    assert "vertices" not in out
    expected = lr.decision_boundary(net, lr.Box(-2.0, 2.0))
    with np.load(folder / "pieces.npz") as arrays:
        assert np.array_equal(arrays["classes"], expected.classes)
        assert len(arrays["vertex_offsets"]) == len(expected) + 1
        for number, piece in enumerate(expected):
            own = slice(*arrays["vertex_offsets"][number : number + 2])
            corners = arrays["vertices"][own]
            assert np.array_equal(corners[:, :-1], piece.vertices)
            assert np.abs(corners @ arrays["rows"][number]).max() < 1e-9
        assert np.array_equal(arrays["embedding"], expected.cells.embedding)


def test_a_network_of_one_class_has_no_boundary(folder, run, data):
    net = lr.load([(np.ones((3, 2)), np.ones(3)), (np.ones((1, 3)), np.ones(1))])
    lr.save(net, folder / "positive.npz")
    assert data("boundary", "positive.npz", "--box", "0", "1")["boundary"] == []
    assert run("boundary", "positive.npz", "--box", "0", "1")[0] == 0


def test_pictures_and_wrong_names(classifier, run, folder):
    path, _ = classifier
    status, _, err = run("boundary", path, "-o", "pieces.txt")
    assert status == 2
    assert "ends in .npz" in err
    status, _, err = run("boundary", path, "--box", "-1", "1", "--plot", "a.svg")
    if importlib.util.find_spec("matplotlib") is None:
        assert status == 3
        return
    assert (status, err) == (0, "")
    assert (folder / "a.svg").stat().st_size > 1000
