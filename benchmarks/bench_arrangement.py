# SPDX-License-Identifier: MIT
"""Time counts of chambers, each with its known answer: python -m benchmarks.bench_arrangement.

The yardstick is the same recursion without merging, in plain Python, over one large prime. Goals,
in seconds of one core: resonance_7 6, threshold_6 1.5, E_8 20; two threads 1.9 times as fast.

Then the sweep of simple arrangements (n, d), with goals in millions of proved sign vectors a second
of one core: (60, 5) 30, (25, 8) 15, (30, 10) 8, (200, 3) 15. "cost" is what certification adds to
the time of ``arithmetic="float"`` (aim: at most 30 %), "exact" the share of signs that took exact
arithmetic. Yardsticks in the same run: a tree with one linear program of SciPy per question, on the
first hyperplanes of the case, and a compiled one in plain floating point (``method="tree",
arithmetic="float"``), over its first chambers; printed is how many times as many chambers a second
the sweep finds. `benchmarks.bench_sign_tree` measures degenerate arrangements.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from math import comb
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np

import linear_regions as lr
from arrangements import COUNTED, LARGE, SMALL

from .lp_tree import rate

_P = (1 << 61) - 1


def plain_recursion(rows: list[tuple[int, ...]]) -> int:
    """Count the chambers of affine rows (a, b): r = 1 + sum of r(earlier rows on row i)."""
    total = 1
    for i, row in enumerate(rows):
        pivot = next(j for j, v in enumerate(row[:-1]) if v)
        restricted: dict[tuple[int, ...], None] = {}
        for other in rows[:i]:
            factor = other[pivot]
            reduced = [(a - factor * b) % _P for a, b in zip(other, row, strict=True)]
            del reduced[pivot]
            lead = next((v for v in reduced[:-1] if v), 0)
            if lead:
                inverse = pow(lead, -1, _P)
                restricted[tuple(v * inverse % _P for v in reduced)] = None
        total += plain_recursion(list(restricted))
    return total


def yardstick(normals: list[list[int]], offsets: list[int]) -> int:
    """Return the number of chambers by the plain recursion."""
    rows: dict[tuple[int, ...], None] = {}
    for normal, offset in zip(normals, offsets, strict=True):
        inverse = pow(next(v for v in normal if v) % _P, -1, _P)
        rows[tuple(v * inverse % _P for v in (*normal, offset))] = None
    return plain_recursion(list(rows))


def sweep(n: int, d: int) -> str:
    """Return the numbers of one simple arrangement: the best of three runs each."""
    table = np.random.default_rng(0).integers(-10_000, 10_001, size=(n, d + 1))
    planes = lr.Arrangement(table[:, :-1], table[:, -1])
    chambers = min(sum(comb(n, k) for k in range(d + 1)), 6_000_000)
    first = planes.chambers(method="sweep", threads=1, limit=chambers)
    words = first.sign_vectors
    different = np.unique(words[:, 0]) if words.shape[1] == 1 else np.unique(words, axis=0)
    assert len(different) == chambers
    exact = first.work["exact_signs"] / (n * chambers)
    del first, words, different

    def seconds(clock: Callable[[], float], limit: int, **options: Any) -> float:
        best = np.inf
        for _ in range(3):
            start = clock()
            found = planes.sign_vectors(limit=limit, **options)
            best = min(best, clock() - start)
            assert len(found) == limit
        return float(best)

    processor, wall = time.process_time, time.perf_counter
    ours = seconds(processor, chambers, method="sweep", threads=1)
    plain = seconds(processor, chambers, method="sweep", threads=1, arithmetic="float")
    one, two = (seconds(wall, chambers, method="sweep", threads=t) for t in (1, 2))
    some = 50_000
    tree = seconds(processor, some, method="tree", threads=1, arithmetic="float") / some
    few = d + 2
    by_programs = rate(table[:few].astype(np.float64), sum(comb(few, k) for k in range(d + 1)))
    ratio = "" if by_programs is None else f"{chambers / ours / by_programs:,.0f}"
    return (
        f"{chambers / ours / 1e6:8.1f} million/s   2 threads {one / two:4.2f}   "
        f"cost {ours / plain - 1:4.0%}   exact {exact:.1e}   "
        f"compiled tree x {chambers / ours * tree:,.0f}   linear programs x {ratio}"
    )


def main() -> None:
    """Print one line per case."""
    for name in ("resonance_5", "threshold_4", "shi_5"):
        generate, chambers = SMALL[name]
        normals, offsets = generate()
        start = time.process_time()
        assert yardstick(normals, offsets) == chambers
        plain = time.process_time() - start
        start = time.process_time()
        assert int(lr.Arrangement(normals, offsets).count(threads=1)) == chambers
        ours = time.process_time() - start
        print(f"{name:20} {chambers:>13,} {ours:8.3f} s   plain {plain:8.3f} s")
    for name, (generate, chambers) in {**LARGE, **COUNTED}.items():
        planes = lr.Arrangement(*generate())
        start = time.process_time()
        assert int(planes.count(threads=1)) == chambers
        seconds = time.process_time() - start
        start = time.perf_counter()
        assert int(planes.count(threads=2)) == chambers
        gain = seconds / (time.perf_counter() - start)
        print(f"{name:20} {chambers:>13,} {seconds:8.3f} s   2 threads {gain:4.2f}")
    for n, d in ((60, 5), (25, 8), (30, 10), (200, 3)):
        print(f"{f'sweep ({n}, {d})':20} {sweep(n, d)}")


if __name__ == "__main__":
    main()
