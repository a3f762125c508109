# SPDX-License-Identifier: MIT
"""Time counts of chambers, each with its known answer: python benchmarks/bench_arrangement.py.

The yardstick is the same recursion without merging, in plain Python, over one large prime. Goals,
in seconds of one core: resonance_7 6, threshold_6 1.5, E_8 20. Then the sweep of simple
arrangements (n, d), with goals in millions of proved sign vectors a second of one core: (60, 5) 30,
(25, 8) 15, (30, 10) 8, (200, 3) 15.
"""

from __future__ import annotations

import sys
import time
from math import comb
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np

import linear_regions as lr
from arrangements import COUNTED, LARGE, SMALL

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


def sweep(n: int, d: int) -> float:
    """Return millions of sign vectors a second, the best of three runs over at most 6,000,000."""
    table = np.random.default_rng(0).integers(-10_000, 10_001, size=(n, d + 1))
    planes = lr.Arrangement(table[:, :-1], table[:, -1])
    chambers = min(sum(comb(n, k) for k in range(d + 1)), 6_000_000)
    best = 0.0
    for _ in range(3):
        start = time.process_time()
        found = planes.sign_vectors(method="sweep", threads=1, limit=chambers)
        best = max(best, chambers / (time.process_time() - start) / 1e6)
        assert len(found) == chambers
    assert len(np.unique(found, axis=0)) == chambers
    return best


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
        print(f"{name:20} {chambers:>13,} {time.process_time() - start:8.3f} s")
    for n, d in ((60, 5), (25, 8), (30, 10), (200, 3)):
        print(f"{f'sweep ({n}, {d})':20} {sweep(n, d):8.1f} million sign vectors/s")


if __name__ == "__main__":
    main()
