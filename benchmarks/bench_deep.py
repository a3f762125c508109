# SPDX-License-Identifier: MIT
"""Measure counting in three and more dimensions: the cone engine, with the tree as yardstick.

Every count must be the known number, and the tree must find it, too; `--long` adds networks that
only the cone engine is asked about. CPU seconds of one thread, best of three; of two threads the
wall time is compared.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import linear_regions as lr


@dataclass(frozen=True)
class Case:
    """A He-normal MLP with N(0, 1) biases from a seed, in [-1, 1]^d or in R^d."""

    name: str
    widths: tuple[int, ...]
    box: bool
    target: float  # regions per second
    regions: int | None  # None: not known beforehand
    seed: int = 0
    long: bool = False

    def network(self) -> lr.Network:
        rng = np.random.default_rng(self.seed)
        layers: list[Any] = []
        for n, m in zip(self.widths[:-1], self.widths[1:], strict=True):
            weight = rng.normal(size=(m, n)) * np.sqrt(2 / n)
            layers += [lr.Affine(weight, rng.normal(size=m)), lr.relu()]
        return lr.Network(self.widths[0], layers[:-1])

    def domain(self) -> lr.Box | lr.Space:
        return lr.Box(-1.0, 1.0) if self.box else lr.Space()


CASES = (
    Case("3-32-32-1 box", (3, 32, 32, 1), True, 4e6, 8_120),
    Case("4-16-16-1 box", (4, 16, 16, 1), True, 3e6, 1_452),
    Case("5-20-1 box", (5, 20, 1), True, 10e6, 2_809),
    Case("6-16-16-1 R^6", (6, 16, 16, 1), False, 2.5e6, 1_359_403),
    Case("8-16-8-1 box", (8, 16, 8, 1), True, 2.5e5, 25_314),
    Case("4-64-64-64-1 box", (4, 64, 64, 64, 1), True, 1e6, None, long=True),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_deep", description=__doc__)
    parser.add_argument("--case", action="append", default=[], metavar="NAME")
    parser.add_argument("--long", action="store_true", help="also the networks without a yardstick")
    parser.add_argument("--no-yardstick", action="store_true", help="do not run the tree")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the results here")
    options = parser.parse_args(arguments)
    results = []
    print(f"{'case':18} {'regions':>14} {'cones':>12} {'float':>6} {'two':>6} {'tree':>12}  target")
    for case in CASES:
        if (options.case and case.name not in options.case) or (case.long and not options.long):
            continue
        results.append(_measure(case, yardstick=not (case.long or options.no_yardstick)))
        sys.stdout.flush()
    if options.output is not None:
        options.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


def _measure(case: Case, *, yardstick: bool) -> dict[str, Any]:
    net, domain = case.network(), case.domain()
    regions, seconds = _best(net, domain, "cones", "certified", 1 if case.long else 3)
    if case.regions not in (None, regions):
        raise AssertionError(f"{case.name}: expected {case.regions} regions, got {regions}")
    row: dict[str, Any] = {"case": case.name, "regions": regions, "seconds": seconds}
    row["rate"] = regions / seconds
    _, plain = _best(net, domain, "cones", "float", 1 if case.long else 3)
    row["certified_over_float"] = seconds / plain
    if seconds > 0.02:  # a shorter run ends before a second thread is worth starting
        row["two_threads"] = _gain(net, domain, 1 if case.long else 3)
    tree = ""
    if yardstick:
        same, row["tree_seconds"] = _best(net, domain, "tree", "certified", 1)
        if same != regions:
            raise AssertionError(f"{case.name}: cones count {regions}, the tree {same}")
        tree = f"{same / row['tree_seconds']:,.0f}/s"
    met = "met" if row["rate"] >= case.target else "MISSED"
    gain = f"{row['two_threads']:.2f}x" if "two_threads" in row else ""
    print(
        f"{case.name:18} {regions:14,} {row['rate']:10,.0f}/s {seconds / plain:5.2f}x {gain:>6}"
        f" {tree:>12}"
        f"  {case.target:,.0f}/s {met}"
    )
    return row


def _gain(net: lr.Network, domain: lr.Box | lr.Space, runs: int) -> float:
    """Return the wall time on one thread over that on two."""
    best = [float("inf")] * 2
    for _ in range(runs):
        for i in range(2):
            begin = time.perf_counter()
            lr.count(net, domain, method="cones", threads=i + 1)
            best[i] = min(best[i], time.perf_counter() - begin)
    return best[0] / best[1]


def _best(
    net: lr.Network, domain: lr.Box | lr.Space, method: str, arithmetic: str, runs: int
) -> tuple[int, float]:
    best, value = float("inf"), 0
    for _ in range(runs):
        begin = time.process_time()
        value = lr.count(net, domain, method=method, arithmetic=arithmetic, threads=1).value
        best = min(best, time.process_time() - begin)
    return value, best


if __name__ == "__main__":
    raise SystemExit(main())
