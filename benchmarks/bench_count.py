# SPDX-License-Identifier: MIT
"""Measure counting and listing.

Every case asserts its number of regions before its times count. The whole takes a few minutes on
one processor; nothing else should run meanwhile. It prints a table and how the targets fared, and
writes benchmarks/results/DATE.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import BLAS_THREADS
from .table import RESULTS, duration, full, rate, size

if TYPE_CHECKING:
    from .cases import Case

_Numbers = dict[str, Any]
_FORMAT = 1
_CONSTANT = 2**20  # bytes; the kernel counts the pages of each processor in batches
_MEMORY_TARGET = 100e6  # bytes that a count may need


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    options = _options(arguments)
    os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
    # Only now: these load NumPy, which reads the environment once.
    from .cases import CASES, case_named
    from .machine import facts
    from .measure import Effort, measure

    effort = Effort(0.0, 1) if options.quick else Effort()
    cases = [case_named(name) for name in options.case] or list(
        CASES[: 1 if options.quick else None]
    )
    started = datetime.now(UTC)
    results: _Numbers = {
        "format": _FORMAT,
        "date": started.isoformat(timespec="seconds"),
        "quick": options.quick,
        "machine": facts(),  # at the start: the load average must not be our own
        "cases": [],
    }
    for case in cases:
        print(f"{case.name}: {case.text}", file=sys.stderr, flush=True)
        results["cases"].append(measure(case, effort, memory_too=not options.quick))
    results["targets"] = list(_targets(cases, results["cases"]))

    print(full(results))
    for target in results["targets"]:
        met = "met" if target["met"] else "MISSED"
        print(f"{target['case']}, {target['what']}: {target['text']}: {met}")
    path = options.output
    if path is None and not (options.quick or options.case):
        path = RESULTS / f"{started.date().isoformat()}.json"
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(f"\nwritten to {path}; python -m benchmarks.table puts it into the pages")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_count", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the smallest case, once; no file")
    parser.add_argument(
        "--case", action="append", default=[], metavar="NAME", help="only this case; no file"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the results here")
    return parser.parse_args(arguments)


def _targets(cases: Sequence[Case], measured: Sequence[_Numbers]) -> Iterator[_Numbers]:
    """Yield what was aimed at, what was reached, and both in words."""
    numbers_of = {numbers["name"]: numbers for numbers in measured}

    def row(what: str, target: float, reached: float, met: bool, text: str) -> _Numbers:
        return {
            "case": case.name,
            "what": what,
            "target": target,
            "reached": reached,
            "met": met,
            "text": text,
        }

    for case in cases:
        numbers = numbers_of[case.name]
        for what, goal in (("count", case.count_target), ("list", case.list_target)):
            if goal is not None:
                reached = numbers[what]["regions_per_second"]
                text = f"{rate(reached)} regions/s, target {rate(goal)}"
                yield row(what, goal, reached, reached >= goal, text)
        if case.call_target is not None:
            goal, reached = case.call_target, numbers["call"]["known"]["seconds"]
            text = f"{duration(reached)}, target {duration(goal)}"
            yield row("call", goal, reached, reached < goal, text)
        if case.threads_target is not None and numbers.get("two_threads"):
            goal, reached = case.threads_target, numbers["two_threads"]["ratio"]
            text = f"{reached:.2f} times one, target {goal:.2f}"
            yield row("two threads", goal, reached, reached >= goal, text)
        needed = numbers.get("memory", {}).get("count")
        smaller = numbers_of.get(case.grows_from or "", {}).get("memory", {}).get("count")
        if needed is not None and smaller is not None:
            most = min(smaller + _CONSTANT, _MEMORY_TARGET)
            text = f"{size(needed)}, {case.grows_from} {size(smaller)}, target the same"
            yield row("memory", most, needed, needed <= most, text)


if __name__ == "__main__":
    raise SystemExit(main())
