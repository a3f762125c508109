# SPDX-License-Identifier: MIT
"""Shards of a count are merged to the count, and nothing else is."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import linear_regions as lr
import strategies
from linear_regions.cli import main

RNG = np.random.default_rng(11)
NET = strategies.mlp_of([2, 20, 20, 1], RNG)
SOLID = strategies.mlp_of([3, 9, 9, 1], RNG)
BOX = lr.Box(-1, 1)


def parts(folder: Path, net: lr.Network, n: int, **options: object) -> list[Path]:
    paths = [folder / f"part{i}" for i in range(1, n + 1)]
    for i, path in enumerate(paths, 1):
        found = lr.count_shard(net, BOX, shard=(i, n), out=path, **options)  # type: ignore[arg-type]
        assert found.status == "complete"
        assert found.kind == ("exact" if n == 1 else "lower")
    return paths


@pytest.mark.parametrize("n", [1, 2, 5, 40])
@pytest.mark.parametrize(("net", "method"), [(NET, "auto"), (SOLID, "cones"), (SOLID, "tree")])
def test_shards_add_up(net: lr.Network, method: str, n: int, tmp_path: Path) -> None:
    whole = lr.count(net, BOX, method=method)
    merged = lr.merge_counts(parts(tmp_path, net, n, method=method)[::-1])
    assert merged == whole
    assert merged.work["shards"] == n


def test_missing_double_foreign_and_unfinished_parts_are_refused(tmp_path: Path) -> None:
    first, second, third = parts(tmp_path, NET, 3)
    with pytest.raises(lr.InvalidInput, match="1 of 3 shards are missing: 2"):
        lr.merge_counts([first, third])
    with pytest.raises(lr.InvalidInput, match="there twice"):
        lr.merge_counts([first, second, third, second])
    (tmp_path / "other").mkdir()
    foreign = parts(tmp_path / "other", SOLID, 3)
    with pytest.raises(lr.InvalidInput, match="another count"):
        lr.merge_counts([first, second, foreign[2]])
    (tmp_path / "four").mkdir()
    four = parts(tmp_path / "four", NET, 4)
    with pytest.raises(lr.InvalidInput, match="cut|is shard"):
        lr.merge_counts([first, second, four[2]])
    lr.count(NET, BOX, checkpoint=tmp_path / "whole")
    with pytest.raises(lr.InvalidInput, match="a whole count"):
        lr.merge_counts([tmp_path / "whole"])
    with pytest.raises(lr.InvalidInput, match="no parts"):
        lr.merge_counts([])
    with pytest.raises(lr.InvalidInput, match="made with shard"):
        lr.count_shard(NET, BOX, shard=(2, 3), out=first)
    stopped = threading.Event()
    stopped.set()
    lr.count_shard(NET, BOX, shard=(1, 3), out=tmp_path / "late", cancel=stopped)
    with pytest.raises(lr.InvalidInput, match="not finished"):
        lr.merge_counts([tmp_path / "late", second, third])
    lr.count_shard(NET, BOX, shard=(1, 3), out=tmp_path / "late")
    assert lr.merge_counts([tmp_path / "late", second, third]) == lr.count(NET, BOX)


def test_wrong_shards_say_what_is_expected(tmp_path: Path) -> None:
    for shard in ((0, 3), (4, 3)):
        with pytest.raises(lr.InvalidInput, match="shard"):
            lr.count_shard(NET, BOX, shard=shard, out=tmp_path / "p")
    with pytest.raises(TypeError, match="a pair"):
        lr.count_shard(NET, BOX, shard="1/3", out=tmp_path / "p")  # type: ignore[arg-type]


def test_the_command_line_counts_shards_and_merges_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(tmp_path / "net.npz")
    lr.save(NET, model)
    paths = [str(tmp_path / f"part{i}") for i in (1, 2)]
    for i, path in enumerate(paths, 1):
        assert main(["count", model, "--box", "-1", "1", "--shard", f"{i}/2", "--out", path]) == 0
    capsys.readouterr()
    assert main(["merge", *paths, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert int(found["count"]["value"]) == int(lr.count(NET, BOX))
    assert main(["merge", paths[0]]) == 2
    assert "1 of 2 shards are missing" in capsys.readouterr().err
    assert main(["count", model, "--shard", "1/2"]) == 2
    assert "--out FILE" in capsys.readouterr().err
    assert main(["count", model, "--shard", "x", "--out", paths[0]]) == 2
    assert "as in 3/16" in capsys.readouterr().err
    file = str(tmp_path / "c")
    for _ in range(2):
        assert main(["count", model, "--box", "-1", "1", "--checkpoint", file, "--json"]) == 0
        again = json.loads(capsys.readouterr().out)
        assert again["count"]["value"] == found["count"]["value"]


# --- several calls at once -----------------------------------------------------------------------


def test_calls_from_many_threads_on_shared_networks_do_not_disturb_each_other(
    tmp_path: Path,
) -> None:
    nets = [strategies.mlp_of([2, 15, 15, 1], RNG), strategies.mlp_of([3, 8, 8, 1], RNG)]
    planes = lr.Arrangement(RNG.normal(size=(9, 3)), RNG.normal(size=9))

    def work(i: int) -> tuple[object, ...]:
        net = nets[i % 2]
        kind = i % 5
        if kind == 0:
            return kind, i % 2, lr.count(net, BOX, threads=1 + i % 3).value
        if kind == 1:
            return kind, i % 2, lr.regions(net, BOX, threads=2).patterns.tobytes()
        if kind == 2:
            return kind, i % 2, lr.count(net, BOX, checkpoint=tmp_path / f"c{i}").value
        if kind == 3:
            return kind, i % 2, lr.count(net, BOX, method="tree").value
        return kind, 0, planes.count().value

    alone = {(kind, which): rest for kind, which, *rest in map(work, range(10))}
    with ThreadPoolExecutor(8) as pool:
        for kind, which, *rest in pool.map(work, range(10, 90)):
            assert alone[kind, which] == rest


# --- forecasts -----------------------------------------------------------------------------------


def test_a_forecast_is_near_the_truth_and_says_how_it_was_made() -> None:
    small = lr.predict_cost(NET, BOX, time_limit=20.0)  # of which it takes what it needs
    assert small.exact
    assert small.regions == lr.count(NET, BOX).value
    net = strategies.mlp_of([2, 400, 400, 400, 1], np.random.default_rng(3))
    guess = lr.predict_cost(net, BOX, time_limit=1.0)
    truth = lr.count(net, BOX).value
    if not guess.exact:
        assert guess.regions is not None
        assert truth / 4 < guess.regions < truth * 4
        assert guess.ways > 0
    endless = lr.predict_cost(
        strategies.mlp_of([2, *[700] * 6, 1], np.random.default_rng(0)), time_limit=0.5
    )
    assert not endless.exact
    assert "one core" in repr(endless) or "no way ended" in repr(endless)
    one = strategies.mlp_of([4, 30, 1], np.random.default_rng(0))
    with pytest.raises(lr.Unsupported, match="recursion over flats"):
        lr.predict_cost(one)
    with pytest.raises(lr.InvalidInput, match="above 0"):
        lr.predict_cost(NET, time_limit=0.0)


def test_a_count_of_hours_without_limits_warns_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linear_regions._forecast._PATIENCE", 0.1)
    monkeypatch.setattr("linear_regions._forecast._LONG", 0.001)
    net = strategies.mlp_of([2, *[300] * 4, 1], np.random.default_rng(0))
    stop = threading.Event()
    timer = threading.Timer(2.0, stop.set)
    timer.start()
    with pytest.warns(lr.LongRunWarning, match="checkpoint=") as seen:
        lr.count(net, cancel=stop, threads=1)
    timer.cancel()
    assert len(seen) == 1
    assert seen[0].filename == __file__
