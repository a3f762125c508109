# SPDX-License-Identifier: MIT
"""Measure lists of regions, with faces and without, beside counts of the same networks.

Every list must have the known number of regions; the two lists must have the same patterns in the
same order. CPU seconds of one thread, best of some runs; networks as in `bench_deep`. The targets
are of lists without faces.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import linear_regions as lr

from .cases import dense
from .machine import speed


@dataclass(frozen=True)
class Case:
    """A random network (`cases.dense`) in [-1, 1]^d or R^d."""

    name: str
    widths: list[int]
    box: bool
    regions: dict[int, int]  # per seed
    target: float | None = None  # regions per second without faces


CASES = (
    Case("2-32-32-32-1 box", [2, 32, 32, 32, 1], True, {0: 764, 1: 1_318, 2: 1_280}, 2e6),
    Case(
        "3-32-32-1 box",
        [3, 32, 32, 1],
        True,
        {0: 8_120, 1: 3_085, 2: 4_437, 3: 5_187, 4: 8_010},
        1e6,
    ),
    Case("6-16-16-1 box", [6, 16, 16, 1], True, {0: 27_087}, 2e5),
    Case("6-9-8-1 R^6", [6, 9, 8, 1], False, {0: 17_510}, 2e5),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_lists", description=__doc__)
    parser.add_argument("--case", action="append", default=[], metavar="NAME")
    parser.add_argument("--runs", type=int, default=3, metavar="N")
    options = parser.parse_args(arguments)
    if not options.case:
        print(f"this machine at {speed():.2f} of the speed of the one on which targets were set")
    print(
        f"{'case':18} {'regions':>9} {'without faces':>14} {'target':>12} {'':6} {'with':>12} "
        f"{'counted':>12}"
    )
    for case in CASES:
        if not options.case or case.name in options.case:
            _measure(case, options.runs)
    return 0


def _measure(case: Case, runs: int) -> None:
    domain = lr.Box(-1.0, 1.0) if case.box else lr.Space()
    total, seconds = 0, np.zeros(3)
    for seed, regions in case.regions.items():
        net = dense(case.widths, seed)

        def lists(faces: bool, net: lr.Network = net) -> lr.Regions:
            return lr.regions(net, domain, faces=faces, threads=1)

        def counts(net: lr.Network = net) -> lr.RegionCount:
            return lr.count(net, domain, threads=1)

        lean, seconds_lean = _best(partial(lists, False), runs)
        full, seconds_full = _best(partial(lists, True), runs)
        count, seconds_count = _best(counts, runs)
        if not len(lean) == len(full) == count.value == regions:
            raise AssertionError(f"{len(lean)}, {len(full)}, {count.value}; expected {regions}")
        if not np.array_equal(lean.patterns, full.patterns):
            raise AssertionError("the two lists differ")
        total += regions
        seconds += (seconds_lean, seconds_full, seconds_count)
    rates = total / seconds
    target = "" if case.target is None else f"{case.target:,.0f}/s"
    met = "" if case.target is None else "met" if rates[0] >= case.target else "MISSED"
    print(
        f"{case.name:18} {total:9,} {rates[0]:12,.0f}/s {target:>12} {met:6} {rates[1]:10,.0f}/s "
        f"{rates[2]:10,.0f}/s"
    )
    sys.stdout.flush()


def _best(call: Callable[[], Any], runs: int) -> tuple[Any, float]:
    best, value = float("inf"), None
    for _ in range(runs):
        value = None  # one table at a time
        begin = time.process_time()
        value = call()
        best = min(best, time.process_time() - begin)
    return value, best


if __name__ == "__main__":
    raise SystemExit(main())
