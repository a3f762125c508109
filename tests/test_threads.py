# SPDX-License-Identifier: MIT
"""Python threads that call at the same time, on shared objects, get what one thread gets.

On a free-threaded interpreter (PYTHON_GIL=0) nothing but the package keeps them apart.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import linear_regions as lr
import strategies

THREADS, ROUNDS = 6, 3
BOX = lr.Box(-1.0, 1.0)
SPEC = lr.ConvSpec(filters=2, kernel_size=2)


class Shared:
    """Objects that all threads use, new for every round: their caches are empty."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.plane = strategies.mlp_of([2, 12, 12, 2], rng)
        self.space = strategies.mlp_of([3, 8, 8, 1], rng)
        self.planes = lr.Arrangement(rng.integers(-2, 3, (9, 3)), rng.integers(-2, 3, 9))
        self.points = rng.normal(size=(50, 2))
        self.table = lr.regions(strategies.mlp_of([2, 6, 6, 1], rng), BOX)
        self.network = self.table.network

    def calls(self, folder: Path) -> dict[str, Callable[[], Any]]:
        pre = self.plane(self.points)
        return {
            "polygons": lambda: lr.count(self.plane, BOX).value,
            "cones": lambda: lr.count(self.space, BOX, method="cones", threads=2).value,
            "tree": lambda: lr.count(self.space, BOX, method="tree").value,
            "regions": lambda: lr.regions(self.space, BOX).patterns.tobytes(),
            "stream": lambda: sum(len(b) for b in lr.regions(self.plane, BOX, stream=True)),
            "linear": lambda: lr.count(self.plane, BOX, what="linear").value,
            "sample": lambda: lr.sample(self.plane, BOX, 300, rng=1).distinct,
            "segments": lambda: lr.count_segments(self.plane, self.points, -self.points).tobytes(),
            "region at": lambda: lr.region_at(self.plane, [0.1, 0.2]).pattern.tobytes(),
            "patterns": lambda: lr.patterns(self.plane, self.points).tobytes(),
            "unstable": lambda: [u.tobytes() for u in lr.unstable(self.plane, BOX, exact=True)],
            "bounds": lambda: lr.bounds(self.plane, BOX).upper.value,
            "boundary": lambda: len(lr.decision_boundary(self.plane, BOX)),
            "te_nas": lambda: int(lr.nas.te_nas(self.plane, n=100, rng=2)),
            "local": lambda: lr.local_complexity(self.plane, self.points, rng=3).values.tobytes(),
            "counter": lambda: _counted(pre),
            "recursion": lambda: self.planes.count(method="recursion").value,
            "whitney": lambda: self.planes.whitney_numbers(),
            "rays": lambda: self.planes.chambers(method="rays", points=True).points.tobytes(),
            "sign tree": lambda: self.planes.sign_vectors(method="tree").tobytes(),
            "maximum": lambda: lr.one_layer_maximum((1, 3, 3), SPEC, rng=4).value,
            "checkpoint": lambda: lr.count(self.plane, BOX, checkpoint=_new(folder)).value,
            "out": lambda: len(lr.regions(self.plane, BOX, out=_new(folder))),
            # Computed on demand, and kept by the table.
            "volumes": lambda: self.table.volumes.tobytes(),
            "neighbours": lambda: self.table.neighbours.tobytes(),
            "pieces": lambda: self.table.affine_pieces().tobytes(),
            "adjacency": lambda: [part.tobytes() for part in self.table.adjacency()],
            "again": lambda: lr.count(self.network, BOX).value,
        }


_numbers = iter(range(10**9))
_lock = threading.Lock()


def _new(folder: Path) -> Path:
    with _lock:
        return folder / f"file {next(_numbers)}"


def _counted(values: np.ndarray) -> int:
    counter = lr.PatternCounter()
    counter.update(values)
    return counter.count()


def test_threads_that_call_at_once_agree_with_one(tmp_path: Path) -> None:
    expected = {name: call() for name, call in Shared().calls(tmp_path).items()}
    for _ in range(ROUNDS):
        calls = Shared().calls(tmp_path)
        wrong: list[str] = []
        start = threading.Barrier(THREADS)

        def work(number: int, calls: Any = calls, wrong: Any = wrong, start: Any = start) -> None:
            names = list(calls)
            turn = number * len(names) // THREADS
            # The first half of the threads begin with the same call.
            order = names if number < THREADS // 2 else names[turn:] + names[:turn]
            start.wait()
            for name in order:
                try:
                    if calls[name]() != expected[name]:
                        wrong.append(name)
                except Exception as error:
                    wrong.append(f"{name}: {error!r}")

        workers = [threading.Thread(target=work, args=(i,)) for i in range(THREADS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert not wrong


def test_threads_may_feed_one_counter() -> None:
    rng = np.random.default_rng(1)
    blocks = [np.where(rng.integers(0, 2, (400, 9)), 1.0, -1.0) for _ in range(24)]
    for sketch in ("exact", "hash", "hll"):
        alone, shared = lr.PatternCounter(sketch=sketch), lr.PatternCounter(sketch=sketch)
        for block in blocks:
            alone.update(block)

        def feed(number: int, counter: Any = shared) -> None:
            for block in blocks[number::THREADS]:
                counter.update(block)

        workers = [threading.Thread(target=feed, args=(i,)) for i in range(THREADS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert (shared.count(), shared.samples) == (alone.count(), alone.samples)


@pytest.mark.skipif(
    getattr(sys, "_is_gil_enabled", lambda: True)(), reason="the interpreter has a GIL"
)
def test_the_core_does_not_turn_the_gil_on() -> None:
    assert "linear_regions._core" in sys.modules
    assert not sys._is_gil_enabled()
