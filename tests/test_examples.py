# SPDX-License-Identifier: MIT
"""The scripts in examples/ run and make what the package and the README show."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import linear_regions as lr

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run(name: str, *arguments: object) -> str:
    command = [sys.executable, str(ROOT / "examples" / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_has_a_test():
    tested = re.findall(r'run\("(\w+\.py)"', Path(__file__).read_text(encoding="utf-8"))
    assert {path.name for path in EXAMPLES} == set(tested)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_says_what_it_does_and_how_it_is_run(path):
    doc = compile(path.read_text(encoding="utf-8"), str(path), "exec").co_consts[0]
    assert f"python examples/{path.name}" in doc


def test_slice_picture_draws_what_the_readme_shows(tmp_path):
    pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")
    from matplotlib.image import imread

    out = run("slice_picture.py", "--output", tmp_path)
    assert out.startswith("12,853 regions, exact")
    for theme in ("light", "dark"):
        made = imread(tmp_path / f"digits_{theme}.png")[..., :3]
        shown = imread(ROOT / "docs" / "images" / f"digits_{theme}.png")[..., :3]
        assert made.shape == shown.shape
        # Releases of Matplotlib place single pixels differently.
        assert np.mean(abs(made - shown).max(axis=2) > 0.1) < 0.01


def test_training_writes_a_network_and_a_plane_through_three_digits(tmp_path):
    pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    out = run("train_digits_cnn.py", "--epochs", 2, "--output", tmp_path)
    assert "test accuracy: " in out
    net = lr.load(tmp_path / "digits_cnn.npz")
    assert (net.input_shape, net.output_shape, net.n_units) == ((1, 8, 8), (10,), 366)
    with np.load(tmp_path / "digits_points.npz") as plane:
        domain = lr.Slice(plane["origin"], plane["directions"], lr.Box(plane["low"], plane["high"]))
        assert len(set(plane["labels"].tolist())) == 3
        np.testing.assert_array_equal(
            net(plane["points"]).argmax(axis=1), plane["labels"], "all three are recognized"
        )
    assert lr.count(net, domain, limit=100).value == 100


def test_decision_boundary_prints_lengths_and_draws(tmp_path):
    pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")
    out = run("decision_boundary.py", "--output", tmp_path)
    assert re.match(r"[\d,]+ regions, \d+ pieces of the boundary\nclasses 0 and", out)
    assert (tmp_path / "decision_boundary.png").stat().st_size > 10_000


def test_training_is_logged_and_drawn(tmp_path):
    pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")
    out = run("watch_training.py", "--epochs", 6, "--output", tmp_path)
    assert "regions in the square: " in out
    log = lr.Monitor.read(tmp_path / "regions.jsonl")
    assert [line["epoch"] for line in log] == list(range(7))
    assert all(line["count"]["kind"] == "exact" for line in log)
    assert (tmp_path / "training.png").stat().st_size > 10_000


def test_networks_are_ranked_as_plain_pytorch_does():
    pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    out = run("rank_networks.py", "--networks", 4)
    assert out.startswith("4 networks: ")
    assert "TE-NAS count of the first" in out
