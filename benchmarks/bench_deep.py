# SPDX-License-Identifier: MIT
"""Measure counting in three and more dimensions: the cone engine, with the tree as yardstick.

Random networks are those of several seeds together: the rate is the sum of their regions over the
sum of their times, each the best of three, or of as many as take a third of a second: a run of a
few milliseconds is over before a processor runs at full speed. Every count must be the known
number, and the tree must find it, too; `--long` adds networks that only the cone engine is asked
about. Where LINEAR_REGIONS_DATA names a folder with published networks and their counts
(truth.json), those with a box of three and more free inputs follow.

CPU seconds of one thread. Where that needs 20 ms, two threads are compared with one by the clock,
and behind a stroke two processes with one, each of which counts on its own: more than these the
machine does not give. Listing takes all that `regions` gives: patterns, interior points, vertices,
facets.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np

import linear_regions as lr


@dataclass(frozen=True)
class Case:
    """He-normal MLPs with N(0, 1) biases from seeds, in [-1, 1]^d or in R^d."""

    name: str
    widths: tuple[int, ...]
    box: bool
    target: float  # regions per second
    regions: dict[int, int | None]  # per seed; None: not known beforehand
    listing: float | None = None  # target of listing; None: too many to keep
    long: bool = False
    method: str = "cones"

    def network(self, seed: int) -> lr.Network:
        rng = np.random.default_rng(seed)
        layers: list[Any] = []
        for n, m in zip(self.widths[:-1], self.widths[1:], strict=True):
            weight = rng.normal(size=(m, n)) * np.sqrt(2 / n)
            layers += [lr.Affine(weight, rng.normal(size=m)), lr.relu()]
        return lr.Network(self.widths[0], layers[:-1])

    def problems(self) -> Iterator[Problem]:
        domain = lr.Box(-1.0, 1.0) if self.box else lr.Space()
        for seed, regions in self.regions.items():
            yield Problem(self.network(seed), domain, regions)


@dataclass(frozen=True)
class Problem:
    """A network on a domain, and how many regions it is known to have there."""

    net: lr.Network
    domain: lr.Domain
    regions: int | None

    def checked(self, count: lr.RegionCount) -> int:
        if self.regions not in (None, count.value):
            raise AssertionError(f"expected {self.regions} regions, got {count.value}")
        return count.value


CASES = (
    Case(
        "3-32-32-1 box",
        (3, 32, 32, 1),
        True,
        4e6,
        {0: 8_120, 1: 3_085, 2: 4_437, 3: 5_187, 4: 8_010},
        listing=1e6,
    ),
    Case(
        "4-16-16-1 box",
        (4, 16, 16, 1),
        True,
        3e6,
        {0: 1_452, 1: 3_598, 2: 2_854, 3: 2_534, 4: 1_164},
    ),
    Case("5-20-1 box", (5, 20, 1), True, 10e6, {0: 2_809, 1: 2_586, 2: 2_358, 3: 2_234, 4: 4_554}),
    Case("6-9-8-1 R^6", (6, 9, 8, 1), False, 2.5e6, {0: 17_510}, listing=2e5),
    Case("6-16-16-1 R^6", (6, 16, 16, 1), False, 2.5e6, {0: 1_359_403}),
    Case(
        "8-16-8-1 box",
        (8, 16, 8, 1),
        True,
        2.5e5,
        {0: 25_314, 1: 35_616, 2: 66_223, 3: 21_774, 4: 29_771},
        method="auto",  # the tree
    ),
    Case("10-24-1 R^10", (10, 24, 1), False, 8e6, {0: 4_540_386}, method="auto"),  # the sweep
    Case("4-64-64-64-1 box", (4, 64, 64, 64, 1), True, 1e6, {0: None}, long=True),
)

# Regions per second on published networks, by how their case is called.
PUBLISHED = {"acasxu": 4e5, "robot": 3e5, "vdp": 1e6}

_LEAST = 0.3  # seconds of a call that is repeated


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_deep", description=__doc__)
    parser.add_argument("--case", action="append", default=[], metavar="NAME")
    parser.add_argument("--long", action="store_true", help="also the networks without a yardstick")
    parser.add_argument("--no-yardstick", action="store_true", help="do not run the tree")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the results here")
    options = parser.parse_args(arguments)
    results = []
    print(
        f"{'case':22} {'seeds':>5} {'regions':>13} {'counted':>12} {'target':>10} {'':6}"
        f" {'float':>6} {'two':>9} {'tree':>11} {'listing':>11}"
    )
    for case in (*CASES, *_published()):
        if (options.case and case.name not in options.case) or (case.long and not options.long):
            continue
        results.append(_measure(case, yardstick=not (case.long or options.no_yardstick)))
        sys.stdout.flush()
    if options.output is not None:
        options.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


@dataclass(frozen=True)
class Published:
    """A network and a box that others have published, with the number of its regions."""

    name: str
    target: float
    network: Path
    box: Path
    regions: int
    listing: None = None
    long: bool = False
    method: str = "cones"

    def problems(self) -> Iterator[Problem]:
        (box,) = lr.read_vnnlib(self.box)
        yield Problem(lr.load(self.network), box, self.regions)


def _published() -> Iterator[Published]:
    where = os.environ.get("LINEAR_REGIONS_DATA")
    if where is None:
        print("(published networks: LINEAR_REGIONS_DATA is not set)")
        return
    folder = Path(where)
    for truth in json.loads((folder / "truth.json").read_text())["cases"]:
        domain, name = truth["domain"], truth["case"]
        target = PUBLISHED.get(name.split("_")[0])
        if target is not None and domain["kind"] == "box" and domain["free_inputs"] > 2:
            yield Published(
                name, target, folder / truth["network"], folder / domain["file"], truth["regions"]
            )


def _measure(case: Case | Published, *, yardstick: bool) -> dict[str, Any]:
    runs = 1 if case.long else 3
    problems = list(case.problems())
    regions, seconds = _total([_count(p, method=case.method, check=True) for p in problems], runs)
    row: dict[str, Any] = {"case": case.name, "regions": regions, "seconds": seconds}
    if isinstance(case, Case):
        row["seeds"] = list(case.regions)
    row["rate"] = regions / seconds
    row["target"] = case.target
    # Plain floating point may be wrong: its counts are not checked.
    _, plain = _total([_count(p, method=case.method, arithmetic="float") for p in problems], runs)
    row["certified_over_float"] = seconds / plain
    if seconds > 0.02 * len(problems):  # a shorter run ends before a second thread is of use
        row["two_threads"], row["two_processes"] = _gain(problems, case.method, runs)
    if yardstick:
        found, row["tree_seconds"] = _total(
            [_count(p, method="tree", check=True) for p in problems], 1
        )
        row["tree_rate"] = found / row["tree_seconds"]
    if case.listing is not None:
        found, row["listing_seconds"] = _total([_list(p) for p in problems], runs)
        row["listing_rate"], row["listing_target"] = found / row["listing_seconds"], case.listing
    met = "met" if row["rate"] >= case.target else "MISSED"
    print(
        f"{case.name:22} {len(row.get('seeds', '')) or '':>5} {regions:13,} {row['rate']:10,.0f}/s"
        f" {case.target:8,.0f}/s {met:6} {seconds / plain:5.2f}x"
        f" {_shown(row, 'two_threads', '.2f', '/') + _shown(row, 'two_processes', '.2f', ''):>9}"
        f" {_shown(row, 'tree_rate', ',.0f', '/s'):>11}"
        f" {_shown(row, 'listing_rate', ',.0f', '/s'):>11}"
    )
    return row


def _shown(row: dict[str, Any], name: str, form: str, unit: str) -> str:
    return f"{row[name]:{form}}{unit}" if name in row else ""


def _count(problem: Problem, *, check: bool = False, **options: Any) -> Callable[[], int]:
    def run() -> int:
        chosen = {"threads": 1, **options}
        count = lr.count(problem.net, problem.domain, **chosen)
        return problem.checked(count) if check else count.value

    return run


def _list(problem: Problem) -> Callable[[], int]:
    def run() -> int:
        found = lr.regions(problem.net, problem.domain, method="cones", threads=1)
        if len(found.interior_points) != problem.regions:
            raise AssertionError(f"expected {problem.regions} regions, got {len(found)}")
        return len(found)

    return run


def _total(calls: list[Callable[[], int]], runs: int) -> tuple[int, float]:
    """Return the sum of what the calls return, and of their best CPU times."""
    regions, seconds = 0, 0.0
    for call in calls:
        best, value, spent, done = float("inf"), 0, 0.0, 0
        while done < runs or (runs > 1 and spent < _LEAST):
            begin = time.process_time()
            value = call()
            taken = time.process_time() - begin
            best, spent, done = min(best, taken), spent + taken, done + 1
        regions += value
        seconds += best
    return regions, seconds


def _gain(problems: list[Problem], method: str, runs: int) -> tuple[float, float]:
    """Return how many times as much two threads do as one, and two processes as one."""
    one, two, beside = 0.0, 0.0, 0.0
    for problem in problems:
        best = [float("inf")] * 2
        for _ in range(runs):
            for i in range(2):
                best[i] = min(best[i], _elapsed(problem, method, threads=i + 1))
        one, two = one + best[0], two + best[1]
        with _same_elsewhere(problem, method):
            beside += min(_elapsed(problem, method, threads=1) for _ in range(runs))
    return one / two, 2 * one / beside


def _elapsed(problem: Problem, method: str, threads: int) -> float:
    begin = time.perf_counter()
    lr.count(problem.net, problem.domain, method=method, threads=threads)
    return time.perf_counter() - begin


@contextmanager
def _same_elsewhere(problem: Problem, method: str) -> Iterator[None]:
    """Let another process count the same, again and again."""
    context = multiprocessing.get_context("spawn")
    begun, over = context.Event(), context.Event()
    other = context.Process(target=_count_on, args=(problem, method, begun, over))
    other.start()
    try:
        if not begun.wait(60):
            raise AssertionError("another process does not start")
        yield
    finally:
        over.set()
        other.join()


def _count_on(problem: Problem, method: str, begun: Event, over: Event) -> None:
    while not over.is_set():
        lr.count(problem.net, problem.domain, method=method, threads=1)
        begun.set()


if __name__ == "__main__":
    raise SystemExit(main())
