# SPDX-License-Identifier: MIT
"""Measure the method "tree" in dimensions where few others count.

Numbers of regions of one generic layer are those of Zaslavsky (1975); the deep case has two inputs
and is counted by the polygons in the same run, which is the yardstick. Prints a table.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from math import comb
from time import process_time

from . import BLAS_THREADS

# Regions per second on one thread, certified.
TARGET = 100_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if a number of regions is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_tree", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="the best of so many runs counts")
    options = parser.parse_args(arguments)
    os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
    # Only now: these load NumPy, which reads the environment once.
    import linear_regions as lr

    from .cases import dense

    plane = dense([2, 24, 24, 1], 1)
    cases = [
        (
            f"{d}-{n}-1, all of R^{d}",
            dense([d, n, 1], 1),
            None,
            sum(map(comb, [n] * (d + 1), range(d + 1))),
        )
        for d, n in ((5, 20), (8, 15), (10, 14), (16, 13))
    ]
    cases.append(("2-24-24-1, plane", plane, None, int(lr.count(plane))))
    print(f"{'case':24}{'regions':>10}{'seconds':>10}{'regions/s':>12}{'programs/region':>17}")
    wrong = 0
    for name, net, domain, regions in cases:
        best = float("inf")
        for _ in range(options.repeats):
            start = process_time()
            number = lr.count(net, domain, method="tree", threads=1)
            best = min(best, process_time() - start)
            wrong += int(number) != regions
        rate = regions / best
        programs = number.work["lps"] / regions
        print(f"{name:24}{regions:>10,}{best:>10.3f}{rate:>12,.0f}{programs:>17.1f}")
    print(f"target: {TARGET:,} regions/s of one layer")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
