# SPDX-License-Identifier: MIT
"""Measure both sign trees on degenerate arrangements: python -m benchmarks.bench_sign_tree.

Every case asserts its number of chambers. Millions of chambers a second of this process, the best
of some runs: visited by the engine that "auto" takes ("rays" here), listed by it, visited by the
tree of witnesses, certified and in floating point; the ratio of these two is what certification
costs. Two threads are timed by the clock. Targets: 2.5 million chambers a second, at most 1.3 times
the time in floating point, two threads 1.9 times as fast (a count, a listing, a stream). "exact" is
the share of decisions that took exact arithmetic: of the signs and programs of the tree of
witnesses, and of the rays of the other. The yardstick, a tree with one linear program of SciPy per
question, is run where SciPy is installed, on a small arrangement of the same kind; "LPs" is how
many times as many chambers a second "auto" visits.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from linear_regions import _core
from linear_regions._hyperplanes import hyperplanes

from .lp_tree import rate

Rows = np.ndarray


def resonance(d: int) -> Rows:
    """All 0/1 normals but zero."""
    return _central([v for v in itertools.product([0, 1], repeat=d) if any(v)])


def threshold(n: int) -> Rows:
    """All normals (1, +-1, .., +-1)."""
    return _central([(1, *v) for v in itertools.product([1, -1], repeat=n)])


def e7() -> Rows:
    """The positive roots of E7, twice their size, in R^8."""
    unit = np.eye(8, dtype=int) * 2
    roots = [unit[i] + s * unit[j] for i, j in itertools.combinations(range(8), 2) for s in (1, -1)]
    roots += [np.array([1, *s]) for s in itertools.product([1, -1], repeat=7) if np.prod(s) == 1]
    return _central([v for v in roots if v[6] + v[7] == 0])


def _central(normals: Sequence[Any]) -> Rows:
    table = np.array(normals, dtype=float)
    return np.concatenate([table, np.zeros((len(table), 1))], axis=1)


CASES: dict[str, tuple[Callable[[], Rows], int]] = {
    "threshold_5": (lambda: threshold(5), 94_572),
    "resonance_6": (lambda: resonance(6), 1_066_044),
    "E7": (e7, 2_903_040),
}


def measured(
    rows: Rows,
    chambers: int,
    runs: int,
    *,
    engine: str = "auto",
    certified: bool = True,
    threads: int = 1,
    action: str = "count",
    clock: Callable[[], float] = time.process_time,
) -> tuple[float, dict[str, int]]:
    """Return best seconds of some runs, and the work."""
    planes, nothing = hyperplanes(rows), hyperplanes(np.zeros((0, rows.shape[1])))
    best, work = np.inf, {}
    for _ in range(runs):
        limits = {"threads": threads, "limit": None, "time_limit": None, "poll": None}
        start = clock()
        if action == "list":
            found = _core.sign_tree_list(planes, nothing, certified, False, engine=engine, **limits)
        elif action == "stream":
            found = _core.sign_tree_stream(
                planes, nothing, certified, False, block=65_536, sink=_take, engine=engine, **limits
            )
        else:
            found = _core.sign_tree_count(planes, nothing, certified, engine=engine, **limits)
        best, work = min(best, clock() - start), found["work"]
        if certified:
            assert found["chambers"] == chambers, (found["chambers"], chambers)
    return best, work


def _take(block: dict[str, Any]) -> bool:
    return len(block) > 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", action="append", choices=CASES, default=[])
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args(arguments)
    small = resonance(4)
    yardstick = rate(small.astype(np.float64), 370)
    print(
        f"{'case':14}{'chambers':>10}{'auto':>7}{'listed':>8}{'2 threads':>18}"
        f"{'witnesses':>11}{'float':>7}{'cost':>7}{'exact':>14}{'LPs':>9}  work"
    )
    for name in options.case or CASES:
        make, chambers = CASES[name]
        case = (make(), chambers, options.runs)
        seconds, work = measured(*case)
        listed, _ = measured(*case, action="list")
        gains = []
        for action in ("count", "list", "stream"):
            one, two = (
                measured(*case, threads=t, action=action, clock=time.perf_counter)[0]
                for t in (1, 2)
            )
            gains.append(f"{one / two:.2f}")
        tree, tree_work = measured(*case, engine="tree")
        plain, _ = measured(*case, engine="tree", certified=False)
        questions = sum(tree_work[k] for k in ("lps", "steps_across", "circuits_reused"))
        exact = (tree_work["exact_signs"] + tree_work["exact_lps"]) / questions
        of_rays = work["exact_rays"] / work["rays"]
        speed = chambers / seconds
        ratio = "" if yardstick is None else f"{speed / yardstick:,.0f}"
        print(
            f"{name:14}{chambers:>10}{speed / 1e6:>7.2f}"
            f"{chambers / listed / 1e6:>8.2f}{' '.join(gains):>18}{chambers / tree / 1e6:>11.2f}"
            f"{chambers / plain / 1e6:>7.2f}{tree / plain - 1:>7.0%}"
            f"{f'{exact:.2%} {of_rays:.0%}':>14}{ratio:>9}  {work}"
        )
    if yardstick is not None:
        print(f"yardstick, resonance_4 by linear programs: {yardstick:.0f} chambers/s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
