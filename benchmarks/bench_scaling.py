# SPDX-License-Identifier: MIT
"""Measure one and two threads and processes, then predict many workers from sizes of sub-trees.

``--idle`` instead measures how long threads wait for work, on even and on skewed trees: how often
they are found asleep. A thread that only waits for a processor is not.

The answer is checked in every run. The prediction is a simulation of what `executor=` does. It
assumes that all workers are as fast as this core; that sub-trees fall into the first parts at
random; that a task costs a fixed time to send and set up
(--overhead, default the measured one); that sub-trees are as large as measured here, and parts of
one are spread over it evenly once it is divided; and that the driver is never late. A count of
--hours is simulated by repeating the measured sizes, so its largest sub-tree is no smaller a share
of a second than it is here.
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import json
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np

import linear_regions as lr
from linear_regions._part_runs import TASK_SECONDS
from linear_regions._parts import Part, Search

from .bench_deep import CASES


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_scaling", description=__doc__)
    parser.add_argument("--case", default="4-64-64-64-1 box", choices=[case.name for case in CASES])
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="measured; default 2")
    parser.add_argument("--parts", type=int, default=2000, metavar="N", help="sub-trees measured")
    parser.add_argument("--hours", type=float, default=100.0, metavar="H", help="of one core")
    parser.add_argument("--overhead", type=float, metavar="SECONDS", help="per task")
    parser.add_argument("--idle", action="store_true", help="measure how long threads wait")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.idle:
        rows = [waiting(name, call, options.workers) for name, call in searches().items()]
        sys.stdout.write(json.dumps(rows) + "\n" if options.json else "".join(map(line, rows)))
        return 0
    case = next(case for case in CASES if case.name == options.case)
    problem = next(case.problems())
    found = measured(problem.net, problem.domain, options.workers, options.parts)
    sizes = np.array(found.pop("sizes"))
    overhead = found["overhead"] if options.overhead is None else options.overhead
    copies = max(1, round(options.hours * 3600 / sizes.sum()))
    found["predicted"] = [
        {"workers": n, "efficiency": simulated(sizes, copies, n, overhead)}
        for n in (1, 2, 10, 100, 1000)
    ]
    found["assumed"] = {
        "hours": copies * float(sizes.sum()) / 3600,
        "overhead": overhead,
        "sub-trees": len(sizes) * copies,
        "largest share": float(sizes.max() / sizes.sum() / copies),
    }
    sys.stdout.write(json.dumps(found) + "\n" if options.json else text(options.case, found))
    return 0


def measured(net: lr.Network, domain: lr.Domain, workers: int, n: int) -> dict[str, Any]:
    """Return times of whole counts, and the times of about `n` sub-trees."""
    whole, one = timed(net, domain, threads=1)
    regions, threads = timed(net, domain, threads=workers)
    assert regions == whole
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        list(pool.map(abs, range(4 * workers)))  # started, and this package imported
        timed(net, domain, executor=pool)
        regions, processes = timed(net, domain, executor=pool)
    assert regions == whole
    method = lr.count(net, domain, limit=1).method
    search = Search(net, domain, method, True)
    cut = search.cut(Part.whole(), 1 / n).rest
    sizes, waste, total = [], 0.0, 0
    for i in range(len(cut)):
        start = time.perf_counter()
        outcome = search.run(cut.take(i, i + 1))
        spent = time.perf_counter() - start
        own = max(outcome.seconds - outcome.setup_seconds, 0.0)
        sizes.append(own)
        waste += spent - own
        total += outcome.regions
    assert total == whole
    return {
        "regions": whole,
        "seconds": one,
        f"{workers} threads": one / threads / workers,
        f"{workers} processes": one / processes / workers,
        "sizes": sizes,
        # Sending a task to another process and back takes about a millisecond on top.
        "overhead": waste / len(cut) + 1e-3,
        "sub-trees": len(cut),
        "largest sub-tree": max(sizes) / sum(sizes),
        "median sub-tree": float(np.median(sizes) / sum(sizes)),
    }


def timed(net: lr.Network, domain: lr.Domain, **options: Any) -> tuple[int, float]:
    start = time.perf_counter()
    regions = int(lr.count(net, domain, **options))
    return regions, time.perf_counter() - start


# --- how long threads wait -----------------------------------------------------------------------


def searches() -> dict[str, Callable[[int], int]]:
    """Return counts on a number of threads. Skewed: all units cross one corner of the box."""
    rng = np.random.default_rng(3)

    def mlp(*widths: int) -> lr.Network:
        layers: list[lr.Layer] = []
        for n_in, n_out in pairwise(widths):
            weight = rng.normal(size=(n_out, n_in)) * (2.0 / n_in) ** 0.5
            layers += [lr.Affine(weight, rng.normal(size=n_out)), lr.relu()]
        return lr.Network(widths[0], layers[:-1])

    even, corner = lr.Box(-1.0, 1.0), lr.Box(-1.0, 1000.0)
    plane, space, deep = mlp(2, 300, 300, 300, 1), mlp(4, 40, 40, 1), mlp(8, 16, 8, 1)
    normals = [row for row in product((0, 1), repeat=7) if any(row)]
    resonance = lr.Arrangement(normals, [0] * len(normals))
    small = lr.Arrangement([row[:6] for row in normals if row[6] == 0], [0] * 63)

    def count(net: lr.Network, domain: lr.Domain, method: str) -> Callable[[int], int]:
        return lambda n: int(lr.count(net, domain, method=method, threads=n))

    def chambers(planes: lr.Arrangement, method: str) -> Callable[[int], int]:
        return lambda n: int(planes.count(method=method, threads=n))

    return {
        "polygons": count(plane, even, "polygons"),
        "polygons, skewed": count(plane, corner, "polygons"),
        "cones": count(space, even, "cones"),
        "cones, skewed": count(space, corner, "cones"),
        "tree": count(deep, even, "tree"),
        "tree, skewed": count(deep, corner, "tree"),
        "rays": chambers(small, "rays"),
        "sign tree": chambers(small, "tree"),
        "recursion": chambers(resonance, "recursion"),
    }


def waiting(name: str, call: Callable[[int], int], threads: int) -> dict[str, Any]:
    """Return seconds and the share of the threads' time in which they slept."""
    begin = time.perf_counter()
    whole = call(1)
    one = time.perf_counter() - begin
    begin, used = time.perf_counter(), time.process_time()
    with Sleepers() as sleepers:
        assert call(threads) == whole
    spent, used = time.perf_counter() - begin, time.process_time() - used
    return {
        "search": name,
        "regions": whole,
        "seconds": one,
        "gain": one / spent,
        "more work": used / one - 1,
        "waiting": sleepers.share,
    }


class Sleepers:
    """Looks every few milliseconds which threads of a call sleep. Linux.

    A thread that could run, but for which no processor is free, does not sleep. So other work on
    the machine does not count.
    """

    def __init__(self) -> None:
        self._others = set(os.listdir("/proc/self/task")) - {str(os.getpid())}
        self._seen = self._asleep = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Sleepers:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def share(self) -> float:
        """Share of the threads' time."""
        return self._asleep / max(self._seen, 1)

    def _look(self) -> None:
        self._others.add(str(threading.get_native_id()))
        while not self._done.wait(0.005):
            for task in set(os.listdir("/proc/self/task")) - self._others:
                with contextlib.suppress(OSError):
                    state = Path(f"/proc/self/task/{task}/stat").read_text().rpartition(")")[2]
                    self._seen += 1
                    self._asleep += state.split()[0] != "R"


def line(row: dict[str, Any]) -> str:
    return (
        f"{row['search']:18} {row['regions']:12,} {row['seconds']:7.2f} s {row['gain']:5.2f}x "
        f"more work {row['more work']:6.1%}, waiting {row['waiting']:6.1%}\n"
    )


# --- prediction ----------------------------------------------------------------------------------


def simulated(sizes: np.ndarray, copies: int, workers: int, overhead: float) -> float:
    """Return the efficiency of `workers` that take parts as `executor=` hands them out."""
    rng = np.random.default_rng(0)
    work = float(sizes.sum()) * copies
    # The first cut: every measured sub-tree, as often as it is there, falls into a random part.
    n = 8 * workers
    counts = rng.multinomial(copies, np.full(n, 1 / n), size=len(sizes))
    parts = (sizes @ counts).tolist()
    waiting = [-size for size in parts if size > 0]
    heapq.heapify(waiting)
    idle, busy, clock = workers, [], 0.0
    push, pop = partial(heapq.heappush, busy), partial(heapq.heappop, busy)
    while waiting or busy:
        hungry = len(waiting) < workers
        budget = TASK_SECONDS / 5 if hungry else TASK_SECONDS
        while idle and waiting:
            size = -heapq.heappop(waiting)
            push((clock + overhead + min(size, budget), max(size - budget, 0.0)))
            idle -= 1
        clock, left = pop()
        idle += 1
        if left > 0:
            # Divided where workers wait for it, into parts as uneven as sub-trees are.
            pieces = min(2 * (idle + 1), 64) if len(waiting) < workers else 1
            shares = rng.choice(sizes, pieces) + 1e-9
            for share in shares / shares.sum():
                heapq.heappush(waiting, -left * share)
    return work / (clock * workers)


def text(name: str, found: dict[str, Any]) -> str:
    lines = [f"{name}: {found['regions']:,} regions in {found['seconds']:.2f} s on one thread"]
    lines += [
        f"  efficiency of {key}: {value:.2f}"
        for key, value in found.items()
        if key.endswith(("threads", "processes"))
    ]
    lines.append(
        f"  {found['sub-trees']:,} sub-trees: the largest is {found['largest sub-tree']:.2%}, the "
        f"median {found['median sub-tree']:.4%} of the work"
    )
    assumed = found["assumed"]
    lines.append(
        f"  predicted for {assumed['hours']:.3g} core hours, {assumed['overhead']:.2g} s per task:"
    )
    lines += [
        f"    {row['workers']:5d} workers: efficiency {row['efficiency']:.3f}"
        for row in found["predicted"]
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
