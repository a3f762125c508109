# SPDX-License-Identifier: MIT
"""Executors: workers of any kind count the same, whatever they lose."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from typing import Any

import numpy as np
import pytest

import helpers
import linear_regions as lr
import strategies
from linear_regions import _part_runs

RNG = np.random.default_rng(7)
NET = strategies.mlp_of([3, 25, 25, 1], RNG)
BOX = lr.Box(-1, 1)


class Unreliable(Executor):
    """Runs tasks here, in order; breaks for good after some."""

    def __init__(self, tasks: int) -> None:
        self.left = tasks
        self._max_workers = 2

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.left -= 1
        if self.left < -2:
            raise BrokenExecutor("it is broken")
        if self.left < 0:
            future.set_exception(BrokenExecutor("it broke"))
        else:
            future.set_result(call(*args, **kwargs))
        return future


@pytest.fixture(scope="module")
def whole() -> lr.RegionCount:
    return lr.count(NET, BOX)


def spawned() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with spawned() as pool:
        yield pool


def test_processes_count_and_list_what_one_process_does(
    whole: lr.RegionCount, processes: ProcessPoolExecutor, tmp_path: Any
) -> None:
    found = lr.count(NET, BOX, executor=processes)
    assert found == whole
    assert found.work["tasks"] >= 2
    assert lr.count(NET, BOX, executor=processes, method="tree", limit=100).status == "limit"
    listed = lr.regions(NET, BOX)
    assert np.array_equal(lr.regions(NET, BOX, executor=processes).patterns, listed.patterns)
    folder = lr.regions(NET, BOX, executor=processes, out=tmp_path / "f")
    assert np.array_equal(folder.read().patterns, listed.patterns)
    assert lr.count(NET, BOX, what="affine", executor=processes).value == (
        lr.count(NET, BOX, what="affine").value
    )


def test_threads_are_workers_too(whole: lr.RegionCount, tmp_path: Any) -> None:
    with ThreadPoolExecutor(3) as pool:
        assert lr.count(NET, BOX, executor=pool) == whole
        cut = lr.count(NET, BOX, executor=pool, checkpoint=tmp_path / "c", time_limit=0.0)
        assert cut.status == "time_limit"
        assert lr.count(NET, BOX, executor=pool, checkpoint=tmp_path / "c") == whole
    assert lr.count(NET, BOX, checkpoint=tmp_path / "c") == whole
    assert lr.count(NET, BOX, executor=lambda: ThreadPoolExecutor(2)) == whole


def test_a_checkpoint_goes_from_processes_to_threads_and_back(
    whole: lr.RegionCount, processes: ProcessPoolExecutor, tmp_path: Any
) -> None:
    path = tmp_path / "c"
    lr.count(NET, BOX, checkpoint=path, limit=200, threads=1)
    lr.count(NET, BOX, checkpoint=path, limit=1000, executor=processes)
    assert lr.count(NET, BOX, checkpoint=path, threads=2) == whole


def test_a_maker_is_called_again_three_times_at_most(whole: lr.RegionCount) -> None:
    made = []

    def make() -> Executor:
        made.append(Unreliable(1))
        return made[-1]

    with pytest.warns(RuntimeWarning, match="finished in this process"):
        found = lr.count(NET, BOX, executor=make)
    assert found == whole
    assert len(made) == 4
    assert found.work["finished_here"] > 0
    assert found.work["lost_parts"] >= 4


def test_a_broken_executor_is_finished_here_with_a_warning(whole: lr.RegionCount) -> None:
    with pytest.warns(RuntimeWarning, match="the executor broke"):
        found = lr.count(NET, BOX, executor=Unreliable(3))
    assert found == whole
    assert found.work["finished_here"] > 0
    listed = lr.regions(NET, BOX)
    with pytest.warns(RuntimeWarning, match="the executor broke"):
        again = lr.regions(NET, BOX, executor=Unreliable(5))
    assert np.array_equal(again.patterns, listed.patterns)


def test_what_a_worker_raises_comes_back_with_its_context(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, whole: lr.RegionCount
) -> None:
    real, calls = _part_runs.work_on, []

    def failing(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 3:
            raise ZeroDivisionError("in the worker")
        return real(*args)

    monkeypatch.setattr(_part_runs, "work_on", failing)
    with ThreadPoolExecutor(1) as pool, pytest.raises(ZeroDivisionError) as caught:
        lr.count(NET, BOX, executor=pool, checkpoint=tmp_path / "c")
    assert any("raised by a worker" in note for note in caught.value.__notes__)
    # Nothing that was found is lost.
    monkeypatch.setattr(_part_runs, "work_on", real)
    assert lr.count(NET, BOX, checkpoint=tmp_path / "c") == whole


def test_limits_cancelling_and_wrong_executors() -> None:
    cancel = threading.Event()
    cancel.set()
    with ThreadPoolExecutor(1) as pool:
        assert lr.count(NET, BOX, executor=pool, cancel=cancel).status == "cancelled"
        with pytest.raises(lr.Unsupported, match="leave executor out"):
            lr.regions(NET, BOX, executor=pool, limit=3)
    with pytest.raises(TypeError, match="executor must be"):
        lr.count(NET, BOX, executor=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="executor must be"):
        lr.count(NET, BOX, executor=lambda: 3)  # type: ignore[arg-type,return-value]


@pytest.mark.skipif(os.name != "posix", reason="the worker is killed by a signal")
def test_a_killed_worker_process_costs_nothing_but_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_part_runs, "TASK_SECONDS", 0.2)
    net = strategies.mlp_of([3, 40, 40, 40, 1], np.random.default_rng(1))
    whole = lr.count(net, BOX)
    made: list[ProcessPoolExecutor] = []
    killed: list[int] = []

    def make() -> ProcessPoolExecutor:
        made.append(spawned())
        return made[-1]

    def progress(found: int, fraction: float) -> None:
        if found and not killed:  # the workers are at it
            killed.append(next(iter(made[0]._processes)))
            os.kill(killed[0], signal.SIGKILL)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = lr.count(net, BOX, executor=make, progress=progress)
    assert found == whole
    assert killed


@pytest.mark.skipif(os.name != "posix", reason="the worker is killed by a signal")
@pytest.mark.parametrize("inherited", [False, True])
def test_a_worker_that_dies_while_it_hands_over_is_missed(
    whole: lr.RegionCount, inherited: bool, request: pytest.FixtureRequest
) -> None:
    made: list[ProcessPoolExecutor] = []
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Semaphore(0)

    def make() -> ProcessPoolExecutor:
        dies = {"initializer": helpers.die_while_handing_over, "initargs": (ready,)}
        made.append(ProcessPoolExecutor(2, mp_context=spawn, **({} if made else dies)))
        if inherited:  # as by a process that was forked since
            held = os.dup(made[-1]._result_queue._writer.fileno())  # type: ignore[attr-defined]
            request.addfinalizer(lambda: os.close(held))
        return made[-1]

    found = lr.count(NET, BOX, executor=make)
    assert found == whole
    assert found.work["lost_parts"] > 0
    assert len(made) == 2
    made.clear()
    with pytest.warns(RuntimeWarning, match="the executor broke"), make() as pool:
        assert lr.count(NET, BOX, executor=pool) == whole
    made.clear()
    while ready.acquire(block=False):
        pass
    with make() as pool:  # what ends before the pool is missed leaves none behind
        pool._launch_processes()  # type: ignore[attr-defined]
        assert ready.acquire(timeout=60)  # processes start slowly where others work
        assert ready.acquire(timeout=60)
        stopped = lr.count(NET, BOX, executor=pool, time_limit=0.5)
    assert stopped.status == "time_limit"


@pytest.mark.skipif(os.name != "posix", reason="the worker is killed by a signal")
def test_a_worker_that_dies_when_all_is_done_is_not_waited_for(whole: lr.RegionCount) -> None:
    def make() -> ProcessPoolExecutor:
        spawn = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(2, mp_context=spawn, initializer=helpers.die_at_the_end)

    found: list[lr.RegionCount] = []
    call = threading.Thread(
        target=lambda: found.append(lr.count(NET, BOX, executor=make)), daemon=True
    )
    call.start()
    call.join(60)
    assert found == [whole]


@pytest.mark.parametrize(
    ("how", "spread"),  # the lines are further and further apart
    [
        ("here", 0.1),
        ("broken executor", 0.1),
        ("listed", 0.6),
        pytest.param("executor", 0.0, marks=pytest.mark.slow),
        pytest.param("broken executor", 0.0, marks=pytest.mark.slow),
        pytest.param("listed", 0.01, marks=pytest.mark.slow),
    ],
)
def test_ctrl_c_at_any_line_neither_loses_nor_doubles_a_region(
    how: str, spread: float, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python raises it between any two steps: a state on disk must be whole at each of them."""
    monkeypatch.setattr(_part_runs, "SLICE_SECONDS", 0.0005)
    monkeypatch.setattr(_part_runs, "TASK_SECONDS", 0.001)
    net = strategies.mlp_of([3, 9, 9, 1], np.random.default_rng(3))
    whole = lr.count(net, BOX)
    path = tmp_path / "state"

    def call(alone: bool = False) -> Any:
        executor = None if alone else Unreliable(6 if how == "broken executor" else 10**6)
        if how == "listed":
            return lr.regions(net, BOX, executor=executor, out=path).count
        return lr.count(net, BOX, executor=None if how == "here" else executor, checkpoint=path)

    file = _part_runs.__file__
    lines = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal lines
        if frame.f_code.co_filename != file:
            return None
        lines += event == "line"
        if lines == stop:
            os.kill(os.getpid(), signal.SIGINT)
        return trace

    def remove() -> None:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    ended, stop = 0, 1
    while ended < 3:
        lines = 0
        before = sys.gettrace()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            try:
                sys.settrace(trace)
                call()
                ended += 1
            except KeyboardInterrupt as error:
                sys.settrace(before)
                part = getattr(error, "partial", None)
                assert part is None or getattr(part, "count", part).value <= whole.value
            finally:
                sys.settrace(before)
        assert call(alone=True) == whole, stop
        if how == "listed":
            found = lr.load(path).read().patterns
            assert len(np.unique(found, axis=0)) == len(found) == whole.value
        remove()
        stop += 1 + int(stop * spread)
    assert stop > 60


def test_dask_workers_count_and_one_of_them_is_killed() -> None:
    distributed = pytest.importorskip("distributed")
    net = strategies.mlp_of([3, 60, 60, 60, 1], np.random.default_rng(2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dask's own
        whole = lr.count(net, BOX)
        with (
            distributed.LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                host="127.0.0.1",
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            executor = client.get_executor()
            assert lr.count(net, BOX, executor=executor) == whole
            pids = list(client.run(os.getpid).values())
            timer = threading.Timer(0.5, lambda: os.kill(pids[0], signal.SIGKILL))
            timer.start()
            start = time.monotonic()
            while timer.is_alive() or time.monotonic() - start < 1:
                assert lr.count(net, BOX, executor=executor) == whole
