# SPDX-License-Identifier: MIT
"""The commands on architectures: bounds --arch, compare, expected."""

from __future__ import annotations

import importlib.util

import pytest

import linear_regions as lr
from linear_regions._architecture_text import read_architecture


def test_architectures_as_text():
    assert read_architecture("2,16,1") == lr.Architecture.mlp([2, 16, 1])
    convs = [lr.ConvSpec(6, 5), lr.MaxPool(2), lr.ConvSpec(16, 5, stride=2, padding=1, groups=2)]
    expected = lr.Architecture.cnn((1, 28, 28), convs, [120, 10], "hard_tanh")
    assert read_architecture("1,28,28:6k5,m2,16k5s2p1g2:120,10", "hard_tanh") == expected
    assert read_architecture("3,8:2k3") == lr.Architecture.cnn((3, 8), [lr.ConvSpec(2, 3)])
    pool = lr.Architecture.cnn((1, 9), [lr.MaxPool(3, 2, 1)])
    assert read_architecture("1,9:m3s2p1") == pool
    for wrong in ("", "2,x", "1,8:k3", "1,8:3m2", "1,8:3k", "1,8:2k3:4:5", "1,8:m2g2"):
        with pytest.raises(lr.InvalidInput, match="expected an architecture"):
            read_architecture(wrong)


def test_bounds_of_an_architecture(run, data):
    arch = lr.Architecture.cnn((1, 4), [lr.ConvSpec(2, 2), lr.ConvSpec(3, 2)])
    assert data("bounds", "--arch", "1,4:2k2,3k2")["bounds"] == lr.bounds(arch).to_dict()
    box = data("bounds", "--arch", "3,5,1", "--box", "0,0,1", "1,1,1")["bounds"]
    assert box["dim"] == 2
    out = run("bounds", "--arch", "2,5,1")[1]
    assert "orders of growth" in out
    status, _, err = run("bounds", "--arch", "2,5,1:")
    assert status == 2
    assert "expected an architecture" in err


def test_compare(run, data):
    found = data("compare", "1,8:4k3", "--dense-twin", "units", "--shallow-twin", "parameters")
    assert [row["parameters"] for row in found["rows"]] == [16, 216, 16]
    assert [row["lower"] for row in found["rows"][:2]] == ["817969", "1271626"]
    assert "proved" in found["verdicts"][0]
    out = run("compare", "2,8,8,8,1", "2,44,1")[1]
    assert "23125" in out
    assert "2,8,8,8,1 has more regions per parameter" in out
    status, _, err = run("compare", "2,8,1")
    assert status == 2
    assert "two or more" in err


def test_compare_draws(run, tmp_path):
    if importlib.util.find_spec("matplotlib") is None:
        assert run("compare", "2,8,1", "2,4,4,1", "--plot", "a.png")[0] == 3
        return
    assert run("compare", "2,8,1", "2,4,4,1", "--plot", "a.png")[0] == 0
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert run("compare", "2,8,1", "2,4,4,1", "--plot", "a.nonsense")[0] == 2


def test_expected(run, data):
    found = data("expected", "--arch", "2,6,6,1", "--box", "-1", "1", "--trials", "4")
    box = lr.Box(-1, 1)
    same = lr.expected(lr.Architecture.mlp([2, 6, 6, 1]), box, trials=4, rng=0)
    assert found["expectation"]["counts"] == [str(value) for value in same.counts]
    assert data("expected", "--arch", "1,7,1", "--trials", "2")["expectation"]["mean"] == 8.0
    out = run("expected", "--trials", "2")[1]
    assert "on average" in out
    assert "digits" in out
