# SPDX-License-Identifier: MIT
"""Measure exact counts of one layer: processor time of the first call, nothing cached before.

Every case asserts its answer. The yardstick is the count in plain Python of a smaller layer, in
the same run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose


@dataclass(frozen=True)
class Case:
    """A layer with its answer.

    Attributes
    ----------
    name : str
        Input, kernel, filters.
    shape : tuple of int
        (channels, height, width).
    filters, kernel : int
        The layer.
    weights : {"shared", "free"}
        Whether filters are shared.
    value : int or float
        The answer, or its decimal logarithm where that is a float.
    target : float
        Seconds.
    """

    name: str
    shape: tuple[int, ...]
    filters: int
    kernel: int
    weights: str
    value: int | float
    target: float


CASES = (
    Case("3x3, 2x2, 9", (1, 3, 3), 9, 2, "shared", 101_673_148, 0.1),
    Case("4x4, 2x2, 3", (1, 4, 4), 3, 2, "shared", 108_359_232, 1.0),
    Case("5x5, 3x3, 3", (1, 5, 5), 3, 3, "shared", 134_215_942, 3.0),
    Case("7x7, 3x3, 64", (1, 7, 7), 64, 3, "free", 93.3071883064, 0.5),
    Case("200x6, 3x3, 64", (1, 200, 6), 64, 3, "free", 2449.4981746286, 1.0),
    Case("9x9, 2x2, 64", (1, 9, 9), 64, 2, "free", 167.1504977233, 3.0),
    Case("8x8, 3x3, 64", (1, 8, 8), 64, 3, "free", 124.8500870065, 10.0),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_one_layer", description=__doc__
    )
    parser.add_argument("--quick", action="store_true", help="the smallest case only")
    options = parser.parse_args(arguments)
    import linear_regions as lr
    from linear_regions._one_layer.frontier import frontier_count
    from linear_regions._one_layer.windows import one_layer

    ((part, _),) = one_layer((1, 5, 5), lr.ConvSpec(64, 2)).parts
    started = time.process_time()
    assert frontier_count(part) % (2**61 - 1) > 0
    print(f"plain Python, 5x5, 2x2, 64 filters: {time.process_time() - started:.3f} s")
    for case in CASES[:1] if options.quick else CASES:
        spec = lr.ConvSpec(case.filters, case.kernel)
        started = time.process_time()
        count = lr.one_layer_maximum(case.shape, spec, weights=case.weights, rng=0, method="exact")
        seconds = time.process_time() - started
        if isinstance(case.value, int):
            assert int(count) == case.value, (case.name, count)
        else:
            assert isclose(count.log10, case.value, abs_tol=1e-9), (case.name, count)
        met = "met" if seconds < case.target else "MISSED"
        print(f"{case.name:16} {case.weights:7} {seconds:8.3f} s  target {case.target:g} s: {met}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
