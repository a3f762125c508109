# SPDX-License-Identifier: MIT
"""The monitor writes what the functions say, line by line, and resumes."""

from __future__ import annotations

import json

import numpy as np
import pytest

import linear_regions as lr
import strategies

POINTS = np.random.default_rng(1).normal(size=(6, 3))


def small() -> lr.Network:
    return strategies.mlp_of([3, 8, 8, 2], np.random.default_rng(0))


def test_lines_hold_what_the_functions_give(tmp_path):
    net, file = small(), tmp_path / "new" / "log.jsonl"
    plane = lr.Slice.through(POINTS[:3])
    monitor = lr.Monitor(
        file, domain=plane, segments=(POINTS[:-1], POINTS[1:]), points=POINTS, radius=0.3, rng=4
    )
    line = monitor(0, net, loss=np.float32(0.5), note="first", bad=float("nan"))
    assert line == json.loads(file.read_text(encoding="utf-8"))
    assert line["count"]["value"] == int(lr.count(net, plane))
    assert (line["count"]["kind"], line["count"]["status"]) == ("exact", "complete")
    counts = lr.count_segments(net, POINTS[:-1], POINTS[1:])
    assert line["segments"] == {"counts": counts.tolist(), "mean": counts.mean(), "complete": True}
    assert line["patterns"]["distinct"] == lr.nas.te_nas(net, POINTS).distinct
    assert line["naswot"]["score"] == lr.nas.naswot(net, POINTS).score
    local = lr.local_complexity(net, POINTS, radius=0.3, directions=3, rng=4)
    assert line["local"]["mean"] == local.mean
    assert (line["loss"], line["note"], line["bad"]) == (0.5, "first", None)


def test_only_multiples_are_logged_and_files_are_continued(tmp_path):
    file = tmp_path / "log.jsonl"
    for _ in range(2):  # the second run starts again from 4
        monitor = lr.Monitor(file, every=2, points=POINTS)
        for epoch in range(0 if not file.exists() else 4, 7):
            assert (monitor(epoch, small(), run=1) is None) == bool(epoch % 2)
    assert [line["epoch"] for line in lr.Monitor.read(file)] == [0, 2, 4, 6]
    assert len(file.read_text(encoding="utf-8").splitlines()) == 6


def test_unfinished_line_of_a_killed_run_is_left_behind(tmp_path):
    file = tmp_path / "log.jsonl"
    monitor = lr.Monitor(file, points=POINTS)
    monitor(0, small())
    with file.open("ab") as out:
        out.write(b'{"epoch": 1, "cou')
    monitor(1, small(), loss=2.0)
    assert [(line["epoch"], line.get("loss")) for line in lr.Monitor.read(file)] == [
        (0, None),
        (1, 2.0),
    ]


def test_stopped_counts_say_so(tmp_path):
    monitor = lr.Monitor(
        tmp_path / "log", segments=(POINTS[:-1], POINTS[1:]), domain=lr.Box(-1, 1), time_limit=0.0
    )
    line = monitor(0, small())
    assert line["segments"]["complete"] is False
    assert line["count"]["status"] == "time_limit"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "nothing to log"),
        ({"radius": 1.0, "domain": lr.Box(-1, 1)}, "give points="),
        ({"segments": POINTS}, "a pair"),
        ({"points": POINTS, "every": 0}, "every"),
    ],
)
def test_wrong_options_are_named(tmp_path, options, words):
    with pytest.raises(lr.InvalidInput, match=words):
        lr.Monitor(tmp_path / "log", **options)


def test_wrong_calls_are_named_and_write_nothing(tmp_path):
    monitor = lr.Monitor(tmp_path / "log", points=POINTS)
    with pytest.raises(TypeError, match="must be a Network"):
        monitor(0, "model")
    with pytest.raises(lr.InvalidInput, match="naswot: a name of the monitor's own"):
        monitor(0, small(), naswot=1)
    with pytest.raises(TypeError, match="cannot hold"):
        monitor(0, small(), thing=object())
    with pytest.raises(TypeError, match="domain must be"):
        lr.Monitor(tmp_path / "log", domain=3)
    assert not (tmp_path / "log").exists()


def test_modules_are_followed_while_they_train(tmp_path):
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    model.train()
    monitor = lr.Monitor(tmp_path / "log", segments=(POINTS[:-1], POINTS[1:]), points=POINTS)
    first = monitor(0, model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(-1).add_(0.7)
    second = monitor(1, model, loss=torch.tensor(0.25))
    net = lr.load(model, input_shape=3)
    assert second["segments"]["counts"] == lr.count_segments(net, POINTS[:-1], POINTS[1:]).tolist()
    assert second["segments"]["counts"] != first["segments"]["counts"]
    assert second["loss"] == 0.25
    assert model.training
