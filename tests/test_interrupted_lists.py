# SPDX-License-Identifier: MIT
"""Ctrl-C ends a list at once: the table of what was found is made when it is asked for."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import linear_regions as lr
from interrupted import mlp
from linear_regions import _chambers, _region_listing, _regions
from linear_regions._region_columns import Columns
from linear_regions._run import Aside, whole

BOX = lr.Box(-1.0, 1.0)
Interrupt = Callable[..., lr.Interrupted]


def spied(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, called: list[str]) -> None:
    """Note the calls of a function."""
    own = getattr(module, name)

    def call(*args: Any) -> Any:
        called.append(name)
        return own(*args)

    monkeypatch.setattr(module, name, call)


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Interrupt:
    """Return a function that lets Ctrl-C come while a call is inside the core.

    It checks that the call did not make columns before they were asked for.
    """
    made: list[str] = []
    for name in ("cone_columns", "tree_columns", "planar_columns"):
        spied(monkeypatch, _regions, name, made)
    spied(monkeypatch, _chambers, "_from_tree", made)
    spied(monkeypatch, _region_listing, "join_listed", made)

    def run(call: Callable[..., object]) -> lr.Interrupted:
        def progress(found: int, fraction: float) -> None:
            if found > 0:
                raise KeyboardInterrupt

        made.clear()
        with pytest.raises(lr.Interrupted) as caught:
            call(progress=progress)
        assert made == []
        found = caught.value.partial
        assert len(set(made)) == len(made)
        assert caught.value.partial is found
        return caught.value

    return run


LISTS: dict[str, tuple[lr.Network, dict[str, Any]]] = {
    "polygons": (mlp(2, *[300] * 4, 1), {}),
    "cones": (mlp(4, 60, 60, 60, 1), {"method": "cones"}),
    "cones, one thread": (mlp(4, 60, 60, 60, 1), {"method": "cones", "threads": 1}),
    "without faces": (mlp(4, 60, 60, 60, 1), {"method": "cones", "faces": False}),
    "tree": (mlp(9, 80, 80, 1), {"method": "tree", "faces": False}),
}


@pytest.mark.parametrize("name", LISTS)
def test_the_table_of_an_interrupted_list_is_made_later(name: str, interrupt: Interrupt) -> None:
    net, options = LISTS[name]
    table = interrupt(lambda progress: lr.regions(net, BOX, progress=progress, **options)).partial
    assert isinstance(table, lr.Regions)
    assert (table.count.status, table.count.kind) == ("cancelled", "lower")
    assert len(table) == table.count.value > 0
    assert table.has_faces == options.get("faces", True)
    assert len(np.unique(table.patterns, axis=0)) == len(table)
    inside = np.isfinite(table.interior_points).all(axis=1)
    assert np.array_equal(lr.patterns(net, table.interior_points[inside]), table.patterns[inside])


@pytest.mark.parametrize("name", LISTS)
def test_the_table_of_a_list_that_a_limit_ended_is_made_later(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joining what was found would go beyond a time limit by a tenth of it, or a third."""
    net, options = LISTS[name]
    made: list[str] = []
    for own in ("cone_columns", "tree_columns", "planar_columns"):
        spied(monkeypatch, _regions, own, made)
    cancel = threading.Event()

    def progress(found: int, fraction: float) -> None:
        if found > 0:
            cancel.set()

    table = lr.regions(net, BOX, cancel=cancel, progress=progress, **options)
    assert table.count.status == "cancelled"
    assert made == []
    again = pickle.loads(pickle.dumps(table))
    assert len(made) == 1
    assert len(again) == len(table) == table.count.value > 0
    assert np.array_equal(again.patterns, table.patterns)
    assert len(made) == 1


@pytest.mark.parametrize("what", ["linear", "affine"])
def test_pieces_of_a_list_that_a_limit_ended_are_counted_before_it_is_joined(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, made = mlp(4, 60, 60, 60, 1), []
    spied(monkeypatch, _regions, "cone_columns", made)
    table = lr.regions(net, BOX, what=what, method="cones", time_limit=1.0)
    count = table.count
    assert (count.what, count.kind, count.status) == (what, "lower", "time_limit")
    assert count.work["activation_regions"] > 4096
    assert made == []
    assert len(table) == count.work["activation_regions"]
    assert 256 <= count.value <= table.affine_pieces().max() + 1


def test_the_table_of_a_checkpoint_that_a_limit_ended_is_read_later(tmp_path: Path) -> None:
    net, folder = mlp(4, 60, 60, 60, 1), tmp_path / "list"
    table = lr.regions(net, BOX, time_limit=0.5, checkpoint=folder)
    assert table.count.status == "time_limit"
    assert not isinstance(table._columns, Columns)
    # More comes to the folder, which is not of that table.
    more = lr.regions(net, BOX, time_limit=0.5, checkpoint=folder)
    assert len(more) == more.count.value > table.count.value
    assert len(table) == table.count.value > 0


def test_a_stopped_list_pickles_where_assertions_are_left_out() -> None:
    """Its columns were joined inside an assertion, once: a pickle had none of them."""
    code = """
import pickle
import linear_regions as lr
from interrupted import BOX, mlp

if __debug__:
    raise SystemExit("assertions are on")
table = lr.regions(mlp(4, 60, 60, 60, 1), BOX, time_limit=1.0)
again = pickle.loads(pickle.dumps(table))
if not (table.count.status == "time_limit" and len(again) == table.count.value > 0):
    raise SystemExit("a pickle lost regions")
if again != table or len(again.interior_points) != len(again):
    raise SystemExit("a pickle is another list")
"""
    here = os.path.dirname(__file__)
    path = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
    ran = subprocess.run(
        [sys.executable, "-O", "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_a_list_is_whole_where_joining_it_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    net, whole_list = mlp(3, 24, 24, 1), lr.regions(mlp(3, 24, 24, 1), BOX)
    assert len(whole_list) > 1000
    own, go = _regions.cone_columns, threading.Event()

    def joined(listed: Any) -> Any:
        os.kill(os.getpid(), signal.SIGALRM)
        assert go.wait(100)
        return own(listed)

    monkeypatch.setattr(_regions, "cone_columns", joined)
    with pytest.raises(lr.Interrupted) as caught, interrupted_after(1000):
        lr.regions(net, BOX, method="cones")
    go.set()
    assert caught.value.partial == whole_list


def test_an_interruption_of_a_list_pickles_with_its_table(interrupt: Interrupt) -> None:
    net, options = LISTS["cones"]
    stop = interrupt(lambda progress: lr.regions(net, BOX, progress=progress, **options))
    again = pickle.loads(pickle.dumps(stop)).partial
    assert np.array_equal(again.patterns, stop.partial.patterns)
    assert again.count == stop.partial.count


@pytest.mark.parametrize("what", ["linear", "affine"])
def test_the_pieces_of_an_interrupted_list_are_counted_later(
    what: str, interrupt: Interrupt
) -> None:
    net, _ = LISTS["cones"]
    stop = interrupt(lambda progress: lr.count(net, BOX, what=what, progress=progress))
    assert isinstance(stop.partial, lr.RegionCount)
    assert (stop.partial.what, stop.partial.kind) == (what, "lower")
    assert stop.partial.status == "cancelled"


def test_a_list_in_a_ball_is_cut_later(interrupt: Interrupt) -> None:
    net, _ = LISTS["polygons"]
    ball = lr.Ball([0.0, 0.0], 1.0)
    table = interrupt(lambda progress: lr.regions(net, ball, progress=progress)).partial
    assert isinstance(table.domain, lr.Ball)
    assert table.count.status == "cancelled"


def test_a_list_of_an_executor_is_joined_later(interrupt: Interrupt) -> None:
    net, _ = LISTS["cones"]
    with ThreadPoolExecutor(2) as pool:
        table = interrupt(
            lambda progress: lr.regions(net, BOX, progress=progress, executor=pool)
        ).partial
    assert len(table) == table.count.value > 0


def test_the_table_of_a_checkpoint_is_read_later(tmp_path: Path) -> None:
    net, _ = LISTS["cones"]

    def progress(found: int, fraction: float) -> None:
        if found > 0:
            raise KeyboardInterrupt

    with pytest.raises(lr.Interrupted) as caught:
        lr.regions(net, BOX, progress=progress, checkpoint=tmp_path / "list")
    # More comes to the folder, which is not of that table.
    lr.regions(net, BOX, time_limit=0.3, checkpoint=tmp_path / "list")
    table = caught.value.partial
    assert len(table) == table.count.value > 0
    assert len(lr.load(tmp_path / "list")) > len(table)


@pytest.mark.parametrize("method", ["rays", "tree"])
@pytest.mark.parametrize("points", [False, True])
def test_chambers_are_joined_later(method: str, points: bool, interrupt: Interrupt) -> None:
    rng = np.random.default_rng(0)
    planes = lr.Arrangement(rng.normal(size=(60, 7)), rng.normal(size=60))
    found = interrupt(
        lambda progress: planes.chambers(method=method, points=points, progress=progress)
    ).partial
    assert isinstance(found, lr.Chambers)
    assert found.status == "cancelled"
    assert len(found) == len(np.unique(found.sign_vectors, axis=0)) > 0


def test_a_sweep_places_points_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Placing points takes longer than the sweep: seconds for what a moment has found."""
    rng = np.random.default_rng(0)
    planes = lr.Arrangement(rng.normal(size=(60, 6)), rng.normal(size=60))
    placed = []

    def points(*args: Any) -> Any:
        placed.append(1)
        return np.zeros((len(args[3]), 6)), {}

    def progress(found: int, fraction: float) -> None:
        if found > 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(_chambers.Sweep, "points", points)
    with pytest.raises(lr.Interrupted) as caught:
        planes.chambers(points=True, method="sweep", threads=1, progress=progress)
    assert placed == []
    assert len(caught.value.partial) == len(caught.value.partial.points) > 0
    assert placed == [1]


def test_affine_pieces_that_were_interrupted_are_not_kept() -> None:
    net = mlp(3, 40, 40, 1)
    table, again = lr.regions(net, BOX), lr.regions(net, BOX)
    with pytest.raises(KeyboardInterrupt), interrupted_after(0.02):
        table.affine_pieces()
    assert np.array_equal(table.affine_pieces(), again.affine_pieces())


def test_a_ball_of_which_nothing_was_listed_yet_is_a_table_of_the_ball(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net, ball = mlp(3, 4, 1), lr.Ball(np.zeros(3), 1.0)
    none = lr.regions(net, BOX)[:0]

    def stopped(*args: Any, **options: Any) -> lr.Regions:
        raise lr.Interrupted(partial=none)

    monkeypatch.setattr(_regions, "regions", stopped)
    with pytest.raises(lr.Interrupted) as caught:
        lr.regions(net, ball)  # which lists the box by the other one
    found = caught.value.partial
    assert isinstance(found, lr.Regions)
    assert len(found) == 0
    assert found.domain == ball


@contextlib.contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Raise KeyboardInterrupt in this thread, as Ctrl-C does."""

    def handler(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def test_who_waits_for_a_step_hears_ctrl_c_and_may_ask_again() -> None:
    go = threading.Event()

    def step() -> int:
        os.kill(os.getpid(), signal.SIGALRM)
        assert go.wait(100)
        return 7

    aside = Aside(step, 10**6)
    with pytest.raises(KeyboardInterrupt), interrupted_after(1000):
        aside()
    go.set()
    assert aside() == aside() == 7


def test_a_step_raises_what_it_raised_to_everyone_who_asks() -> None:
    aside = Aside(lambda: 1 // 0, 10**6)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            aside()


def test_a_part_of_an_answer_is_not_taken_for_the_whole() -> None:
    with pytest.raises(KeyboardInterrupt):
        whole({"interrupted": True})
    assert whole({"interrupted": False, "n": 1})["n"] == 1
