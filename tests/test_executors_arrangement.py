# SPDX-License-Identifier: MIT
"""Executors for chambers and one-layer maxima: workers of any kind give what threads give."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import linear_regions as lr
from arrangements import nearly_simple, resonance, threshold
from linear_regions import _core, _part_runs
from linear_regions._arrangement_runs import SweepSearch
from linear_regions._flat_count import _MERSENNE, _coordinates
from linear_regions._flat_parts import FlatSearch, FlatTotals, flat_costs
from linear_regions._items import Items
from test_executors import Unreliable, spawned

RNG = np.random.default_rng(11)
ARRANGEMENTS = {
    "nearly simple": lr.Arrangement(*nearly_simple(1)),
    "resonance": lr.Arrangement(*resonance(5)),
    "threshold": lr.Arrangement(*threshold(4)),
    "simple": lr.Arrangement(RNG.normal(size=(24, 4)), RNG.normal(size=24)),
    "central": lr.Arrangement(RNG.normal(size=(20, 4)), np.zeros(20)),
    "degenerate": lr.Arrangement(RNG.integers(-2, 3, (30, 4)), RNG.integers(-2, 3, 30)),
    # Two more than dimensions, and some lie in the same circuits: the dual has parallel elements.
    "series": lr.Arrangement(
        [[0, 1, -1, 0], [1, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1], [1, 0, 1, 0]],
        [-1, 0, 0, 0, 0, 1],
    ),
    "empty": lr.Arrangement(np.zeros((0, 3)), np.zeros(0)),
}
LAYERS: dict[str, dict[str, Any]] = {
    "multiset": {"input_shape": (1, 4, 4), "conv_spec": lr.ConvSpec(filters=2, kernel_size=2)},
    "particles": {"input_shape": (1, 7, 7), "conv_spec": lr.ConvSpec(filters=3, kernel_size=4)},
    "direct": {"input_shape": (1, 7, 7), "conv_spec": lr.ConvSpec(filters=2, kernel_size=3)},
}


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with spawned() as pool:
        yield pool


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as pool:
        yield pool


def said(result: lr.RegionCount) -> tuple[object, ...]:
    """Return what does not depend on how the work was divided."""
    return (
        result.value, result.what, result.kind, result.status, result.method, result.arithmetic,
        result.error_probability == 0.0, result.interval,
    )  # fmt: skip


def answers(planes: lr.Arrangement, **options: Any) -> dict[str, object]:
    found: dict[str, object] = {}
    for method in ("auto", "recursion", "rays", "tree", "sweep"):
        try:
            found[method] = said(planes.count(method=method, **options))
        except lr.LinearRegionsError as refusal:
            found[method] = type(refusal)
    found["in a box"] = said(planes.count(lr.Box(-1, 1), **options))
    return found


@pytest.mark.parametrize("name", list(ARRANGEMENTS))
def test_every_method_counts_on_an_executor_what_it_counts_here(
    name: str, threads: ThreadPoolExecutor
) -> None:
    planes = ARRANGEMENTS[name]
    assert answers(planes, executor=threads) == answers(planes)
    again = lr.Arrangement(planes.normals, planes.offsets)
    assert again.characteristic_polynomial(executor=threads) == planes.characteristic_polynomial()
    again = lr.Arrangement(planes.normals, planes.offsets)
    assert again.bounded_count(executor=threads) == planes.bounded_count()


@pytest.mark.parametrize("method", ["recursion", "rays", "tree", "sweep"])
def test_processes_count_chambers(method: str, processes: ProcessPoolExecutor) -> None:
    planes = ARRANGEMENTS["simple"]
    found = planes.count(method=method, executor=processes)
    assert said(found) == said(planes.count(method=method))


def same_list(one: Any, other: Any) -> bool:
    return (
        np.array_equal(one.sign_vectors, other.sign_vectors)
        and (one.points is None) == (other.points is None)
        and (one.points is None or np.array_equal(one.points, other.points, equal_nan=True))
        and one.exact_points == other.exact_points
        and (one.status, one.method) == (other.status, other.method)
    )


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("resonance", "rays"),
        ("resonance", "tree"),
        ("simple", "auto"),
        ("simple", "tree"),
        ("central", "auto"),
        ("degenerate", "auto"),
    ],
)
def test_lists_come_in_the_order_of_one_thread(
    name: str, method: str, threads: ThreadPoolExecutor, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(_part_runs, "TASK_SECONDS", 0.05)
    monkeypatch.setattr(_part_runs, "SLICE_SECONDS", 0.01)
    planes = ARRANGEMENTS[name]
    whole = planes.chambers(method=method, points=True)
    assert same_list(planes.chambers(method=method, points=True, executor=threads), whole)
    folder = tmp_path / "kept"
    options: dict[str, Any] = {"method": method, "points": True, "checkpoint": folder}
    assert same_list(planes.chambers(**options, executor=threads), whole)
    assert same_list(planes.chambers(**options), whole)  # answered by the folder
    signs = planes.sign_vectors(method=method, executor=threads)
    assert np.array_equal(signs, whole.sign_vectors)


@pytest.mark.parametrize("method", ["sweep", "rays", "tree"])
def test_a_list_goes_from_threads_to_an_executor_and_back(
    method: str, threads: ThreadPoolExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_part_runs, "TASK_SECONDS", 0.001)
    planes = ARRANGEMENTS["simple"]
    whole = planes.chambers(method=method)
    options: dict[str, Any] = {"method": method, "checkpoint": tmp_path / "kept"}
    seen = 0

    def some(found: int, fraction: float) -> None:
        nonlocal seen
        seen += 1
        if seen == 3:
            raise KeyboardInterrupt

    assert planes.chambers(**options, limit=500, threads=1).status == "limit"
    with pytest.raises(KeyboardInterrupt):  # of the callable, or an Interrupted
        planes.chambers(**options, executor=threads, progress=some)
    assert same_list(planes.chambers(**options, executor=threads), whole)
    assert same_list(planes.chambers(**options, threads=2), whole)


@pytest.mark.parametrize("method", ["recursion", "rays", "tree", "sweep"])
def test_a_count_that_stops_on_an_executor_goes_on(
    method: str, threads: ThreadPoolExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_part_runs, "TASK_SECONDS", 0.001)
    planes = ARRANGEMENTS["simple"]
    whole = planes.count(method=method)
    cancel = threading.Event()

    def stop(found: int, fraction: float) -> None:
        if found:
            cancel.set()

    options: dict[str, Any] = {"method": method, "checkpoint": tmp_path / "kept"}
    first = planes.count(**options, executor=threads, progress=stop, cancel=cancel)
    assert first.status in ("cancelled", "complete")
    assert first.value <= whole.value
    assert said(planes.count(**options, executor=threads)) == said(whole)
    assert said(planes.count(**options)) == said(whole)


@pytest.mark.parametrize("method", list(LAYERS))
def test_maxima_on_an_executor_are_those_of_threads(
    method: str, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    options: dict[str, Any] = {**LAYERS[method], "method": method, "rng": 3}
    whole = lr.one_layer_maximum(**options)
    assert said(lr.one_layer_maximum(**options, executor=threads)) == said(whole)
    path = tmp_path / "kept"
    stopped = lr.one_layer_maximum(**options, executor=threads, checkpoint=path, time_limit=0.0)
    assert stopped.status == "time_limit"
    found = lr.one_layer_maximum(**options, executor=threads, checkpoint=path)
    assert said(found) == said(whole)
    assert said(lr.one_layer_maximum(**options, checkpoint=path)) == said(whole)


def test_processes_count_maxima(processes: ProcessPoolExecutor) -> None:
    for method, layer in LAYERS.items():
        options: dict[str, Any] = {**layer, "method": method, "rng": 3}
        found = lr.one_layer_maximum(**options, executor=processes)
        assert said(found) == said(lr.one_layer_maximum(**options))


# ---- what goes wrong ----


@pytest.mark.parametrize("method", ["recursion", "rays", "tree", "sweep"])
def test_a_broken_executor_is_finished_here(method: str) -> None:
    planes = ARRANGEMENTS["simple"]
    made: list[Executor] = []

    def make() -> Executor:
        made.append(Unreliable(1))
        return made[-1]

    with pytest.warns(RuntimeWarning, match="finished in this process"):
        found = planes.count(method=method, executor=Unreliable(1))
    assert said(found) == said(planes.count(method=method))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert said(planes.count(method=method, executor=make)) == said(found)
    assert len(made) > 1  # it was called again
    with pytest.warns(RuntimeWarning, match="finished in this process"):
        listed = planes.chambers(method="tree", executor=Unreliable(1))
    assert np.array_equal(listed.sign_vectors, planes.sign_vectors(method="tree"))


@pytest.mark.parametrize("method", list(LAYERS))
def test_a_broken_executor_costs_a_maximum_nothing(method: str) -> None:
    options: dict[str, Any] = {**LAYERS[method], "method": method, "rng": 3}
    with pytest.warns(RuntimeWarning, match="finished in this process"):
        found = lr.one_layer_maximum(**options, executor=Unreliable(1))
    assert said(found) == said(lr.one_layer_maximum(**options))


CALLS: dict[str, Any] = {
    "tree": lambda **options: lr.Arrangement(*resonance(6)).count(method="tree", **options),
    "recursion": lambda **options: lr.Arrangement(*resonance(6)).count(**options),
    "particles": lambda **options: lr.one_layer_maximum(
        **LAYERS["particles"], method="particles", rng=3, **options
    ),
}


class Killer:
    """A progress function that kills a worker as soon as the workers are at it."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self.killed = 0

    def __call__(self, found: int, fraction: float) -> None:
        pid = 0 if self.killed else self._worker()
        if pid:
            self.killed = pid
            os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(os.name != "posix", reason="the worker is killed by a signal")
@pytest.mark.parametrize("name", ["tree", "particles"])
def test_a_killed_worker_process_costs_nothing_but_time(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_part_runs, "TASK_SECONDS", 0.1)
    made: list[ProcessPoolExecutor] = []

    def make() -> ProcessPoolExecutor:
        made.append(spawned())
        return made[-1]

    def worker() -> int:
        return next(iter(made[0]._processes), 0) if made and made[0]._processes else 0

    killer = Killer(worker)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = CALLS[name](executor=make, progress=killer)
    assert said(found) == said(CALLS[name]())
    assert killer.killed


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the worker is killed by a signal")
def test_dask_workers_are_killed_and_the_answers_are_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(_part_runs, "TASK_SECONDS", 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dask's own
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
            for call in CALLS.values():
                client.wait_for_workers(2)
                pids = list(client.run(os.getpid).values())
                killer = Killer(iter([pids[0], *[0] * 10**6]).__next__)
                found = call(executor=client.get_executor(), progress=killer)
                assert said(found) == said(call())
                assert killer.killed


def test_what_a_worker_raises_comes_back_with_its_context(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real, calls = _part_runs.work_on, []
    planes = ARRANGEMENTS["simple"]

    def failing(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 2:
            raise ZeroDivisionError("in the worker")
        return real(*args)

    for method in ("recursion", "sweep"):
        calls.clear()
        monkeypatch.setattr(_part_runs, "work_on", failing)
        path = tmp_path / method
        with ThreadPoolExecutor(1) as pool, pytest.raises(ZeroDivisionError) as caught:
            planes.count(method=method, executor=pool, checkpoint=path)
        assert any("raised by a worker" in note for note in caught.value.__notes__)
        monkeypatch.setattr(_part_runs, "work_on", real)
        assert said(planes.count(method=method, checkpoint=path)) == said(
            planes.count(method=method)
        )


def test_what_cannot_be_divided_is_refused(threads: ThreadPoolExecutor, tmp_path: Path) -> None:
    planes = ARRANGEMENTS["simple"]
    with pytest.raises(lr.Unsupported, match="arithmetic='certified'"):
        planes.count(method="tree", arithmetic="float", executor=threads)
    with pytest.raises(lr.Unsupported, match="leave executor out"):
        planes.chambers(limit=3, executor=threads)
    with pytest.raises(lr.Unsupported, match="a GPU sweeps in one piece"):
        planes.sign_vectors(device="cuda", executor=threads)
    with pytest.raises(lr.Unsupported, match="a GPU sweeps in one piece"):
        planes.count(device="cuda", executor=threads)
    for method in ("scan", "matching", "frontier", "restriction"):
        with pytest.raises(lr.Unsupported, match="cannot be divided"):
            lr.one_layer_maximum((1, 5), lr.ConvSpec(2, 2), method=method, executor=threads)
    with pytest.raises(TypeError, match="executor must be"):
        planes.count(executor=3)  # type: ignore[arg-type]
    assert planes.count(executor=threads, time_limit=0.0).status == "time_limit"
    assert planes.count(method="tree", executor=threads, limit=10).value == 10


def test_ctrl_c_between_two_calls_of_the_core_has_a_partial_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object) -> lr.RegionCount:
        raise KeyboardInterrupt

    monkeypatch.setattr("linear_regions._one_layer.maximum._answer", interrupted)
    with pytest.raises(lr.Interrupted) as caught:
        lr.one_layer_maximum((1, 4, 4), lr.ConvSpec(filters=2, kernel_size=2))
    assert caught.value.partial.status == "cancelled"
    assert caught.value.partial.value > 0


# ---- the parts ----


def rows_over_field(planes: lr.Arrangement) -> Any:
    table = np.column_stack([planes.normals, planes.offsets]).astype(int).tolist()
    kept: dict[tuple[int, ...], None] = {}
    for row in table:
        lead = next((v for v in row[:-1] if v), 0)
        g = int(np.gcd.reduce(row)) or 1
        if lead:
            kept[tuple(v // g if lead > 0 else -v // g for v in row)] = None
    cone = [(0,) * planes.dim + (1,), *kept]
    return np.array(_coordinates(cone, _MERSENNE)[0], dtype=np.uint64).T.copy()


@pytest.mark.parametrize("seed", range(6))
def test_hyperplanes_add_up_to_the_recursion(seed: int) -> None:
    rng = np.random.default_rng(seed)
    high = 2 + 40 * (seed % 2)  # small numbers coincide, large ones hardly
    planes = lr.Arrangement(rng.integers(-high, high, (14, 4)), rng.integers(-high, high, 14))
    rows = rows_over_field(planes)
    whole = _core.count_flats(rows, _MERSENNE, 1, None, None)
    search, totals = FlatSearch(rows, _MERSENNE), FlatTotals(rows.shape[1])
    rest = Items.unequal(flat_costs(rows))
    for part in rest.pieces(5):
        outcome = search.run(part)
        assert not len(outcome.rest)
        totals.take(outcome.blocks)
    assert totals.whitney == [high << 64 | low for high, low in whole["whitney"]]
    assert totals.uniform == whole["uniform"]


@pytest.mark.parametrize("seed", range(20))
def test_pieces_of_items_are_disjoint_and_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    whole = Items.equal(n) if seed % 2 else Items.unequal(rng.random(n).tolist())
    pieces = whole.pieces(int(rng.integers(1, 12)))
    again = [piece for part in pieces for piece in part.pieces(int(rng.integers(1, 5)))]
    for parts in (pieces, again):
        assert all(len(part) for part in parts)
        joined = Items.join(parts).ordered()
        assert joined.ranges == [(0, n)]
        assert joined.weight == pytest.approx(1.0)
    low, high = whole.below(n // 3)
    assert Items.join([high, low]).ordered().ranges == [(0, n)]
    kept = Items(whole.ranges, whole.shares, {0: (np.arange(3), np.ones(2))})
    read = Items.of_arrays(kept.arrays, n)
    assert (read.ranges, read.shares) == (kept.ranges, kept.shares)
    assert np.array_equal(read.begun[0][1], np.ones(2))


@pytest.mark.parametrize(
    "ranges",
    [[(0, 5), (4, 6)], [(3, 3)], [(0, 11)], [(5, 2)]],
    ids=["double", "empty", "far", "back"],
)
def test_damaged_ranges_are_refused(ranges: list[tuple[int, int]]) -> None:
    arrays = {"ranges": np.array(ranges, np.uint64), "shares": np.full(len(ranges), 0.5)}
    with pytest.raises(ValueError, match="ranges overlap"):
        Items.of_arrays(arrays, 10)


def test_a_sweep_stops_where_its_time_is_over_and_goes_on() -> None:
    planes = ARRANGEMENTS["simple"]
    table = np.column_stack([planes.normals, planes.offsets])
    search = SweepSearch([tuple(int(v * 2**60) for v in row) for row in table], 4, True)
    part, found = Items.equal(int(planes.count())), 0
    for _ in range(1000):
        outcome = search.run(part, pause_after=1e-4)
        found += outcome.regions
        part = outcome.rest
        if not len(part):
            break
    assert found == int(planes.count())
