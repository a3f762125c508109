# SPDX-License-Identifier: MIT
"""Measure bounds of large networks: processor time of the first call, nothing cached before.

Every case asserts the decimal logarithms of its best bounds before its time counts. The yardstick
is the largest sum of binomials of the case to the last digit, which the bounds round up when it is
long.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import BLAS_THREADS

_SHORT = 1e-4  # relative tolerance of the logarithms: the bounds may still become better


@dataclass(frozen=True)
class Case:
    """An architecture with the logarithms that its bounds must reach.

    Attributes
    ----------
    name, text : str
        Short name, description.
    build : callable
        Makes the architecture.
    lower, upper : float
        Decimal logarithms of the best bounds; better ones are welcome.
    target : float
        Seconds.
    sum : tuple of int
        (n, top): the largest sum of binomials, for the yardstick.
    """

    name: str
    text: str
    build: Callable[[], object]
    lower: float
    upper: float
    target: float
    sum: tuple[int, int]


def _cases() -> tuple[Case, ...]:
    import linear_regions as lr

    def residual() -> lr.Architecture:
        layers = [lr.ConvSpec(64, 7, stride=2, padding=3), lr.relu(), lr.MaxPool(3, 2, padding=1)]
        for _ in range(16):
            start = len(layers)
            layers += [lr.ConvSpec(64, 3, padding=1), lr.relu()]
            layers += [lr.ConvSpec(64, 3, padding=1), lr.Add(start), lr.relu()]
        layers += [lr.AvgPool(7), lr.Flatten(), lr.AffineSpec(10)]
        return lr.Architecture((3, 224, 224), layers)

    def plain() -> lr.Architecture:
        convs = [lr.ConvSpec(64, 7, stride=2), lr.ConvSpec(64, 3), lr.ConvSpec(64, 3)]
        return lr.Architecture.cnn((3, 224, 224), convs)

    def mlp(*widths: int) -> Callable[[], lr.Architecture]:
        return lambda: lr.Architecture.mlp(list(widths))

    def lenet() -> lr.Architecture:
        convs = [lr.ConvSpec(6, 5), lr.MaxPool(2), lr.ConvSpec(16, 5), lr.MaxPool(2)]
        return lr.Architecture.cnn((1, 28, 28), convs, dense=[120, 84, 10])

    return (
        Case("small", "[2, 16, 16, 1]", mlp(2, 16, 16, 1), 4.0452, 4.2735, 0.05, (16, 2)),
        Case("lenet", "LeNet-5, 28 x 28", lenet, 695.38, 1846.0, 1.0, (3456, 784)),
        Case("deep", "[50, 100 x 100, 10]", mlp(50, *[100] * 100, 10), 2003.2, 2983.6, 5.0,
             (100, 50)),
        Case("wide", "[784, 4096 x 100, 10]", mlp(784, *[4096] * 100, 10), 62430, 86687, 5.0,
             (4096, 784)),
        Case("square", "[3000, 3000 x 100, 10]", mlp(3000, *[3000] * 100, 10), 60431, 90282, 5.0,
             (3000, 1500)),
        Case("residual", "33 convolutions with links, 224 x 224", residual, 107961, 2285000, 5.0,
             (802816, 150528)),
        Case("plain", "three convolutions, 224 x 224", plain, 152262, 484750, 5.0,
             (760384, 150528)),
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_bounds", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the smallest case only")
    options = parser.parse_args(arguments)
    os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
    import linear_regions as lr
    from linear_regions._one_layer.windows import binomial_sum

    cases = _cases()
    print(f"{'case':10} {'log10 lower':>12} {'log10 upper':>12} {'seconds':>8} {'one sum':>8}")
    for case in cases[:1] if options.quick else cases:
        arch = case.build()
        assert isinstance(arch, lr.Architecture)
        started = time.process_time()
        found = lr.bounds(arch)
        seconds = time.process_time() - started
        assert found.lower is not None
        assert found.upper is not None
        assert found.lower.log10 >= case.lower * (1 - _SHORT), (case.name, found)
        assert found.upper.log10 <= case.upper * (1 + _SHORT), (case.name, found)
        binomial_sum.cache_clear()
        started = time.process_time()
        binomial_sum(*case.sum)
        one = time.process_time() - started
        met = "met" if seconds < case.target else "MISSED"
        print(
            f"{case.name:10} {found.lower.log10:12.2f} {found.upper.log10:12.2f} {seconds:8.3f} "
            f"{one:8.3f}  target {case.target:g} s: {met}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
