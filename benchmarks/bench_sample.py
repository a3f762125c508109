# SPDX-License-Identifier: MIT
"""Measure samples and counters of patterns, beside straightforward NumPy in the same run.

Answers are asserted before times count: numbers of patterns against np.unique of packed bits, where
signs agree (a value next to zero may round to the other side: at most one row in a thousand).
Targets: 1e6 samples of [2, 64, 64, 64, 1] in at most half the time of NumPy; 1e5 samples of
784-256-256-10 in float32 in at most 1.1 times NumPy's forward pass alone; hash and insert of rows
of 192 bits at 30 million a second.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

import linear_regions as lr


def best(call: Callable[[], Any], times: int) -> tuple[float, Any]:
    """Return the shortest time in seconds, and the answer."""
    seconds, answer = [], None
    for _ in range(times):
        start = time.perf_counter()
        answer = call()
        seconds.append(time.perf_counter() - start)
    return min(seconds), answer


def network(widths: Sequence[int], seed: int = 0) -> tuple[lr.Network, list[Any]]:
    """Return a He-normal network with N(0, 1) biases, and its arrays."""
    rng = np.random.default_rng(seed)
    arrays, layers = [], []
    for n, m in pairwise(widths):
        arrays.append((rng.normal(size=(m, n)) * np.sqrt(2 / n), rng.normal(size=m)))
        layers += [lr.Affine(*arrays[-1]), lr.relu()]
    return lr.Network(widths[0], layers[:-1]), arrays


def plain(points: np.ndarray, arrays: list[Any]) -> int:
    """Count patterns as most scripts do: products, packed bits, unique rows."""
    x, signs = points, []
    for weight, bias in arrays[:-1]:
        z = x @ weight.T + bias
        signs.append(z > 0)
        x = np.maximum(z, 0)
    rows = np.packbits(np.concatenate(signs, axis=1), axis=1)
    return len(np.unique(rows.view(f"V{rows.shape[1]}")))


def forward(points: np.ndarray, arrays: list[Any]) -> np.ndarray:
    """Evaluate the network, as fast as NumPy does: no copies but those of the products."""
    x = points
    for weight, bias in arrays[:-1]:
        x = x @ weight.T
        x += bias
        np.maximum(x, 0, out=x)
    return x @ arrays[-1][0].T + arrays[-1][1]


def sampling(widths: Sequence[int], n: int, dtype: str, times: int) -> None:
    net, arrays = network(widths)
    arrays = [(weight.astype(dtype), bias.astype(dtype)) for weight, bias in arrays]
    points = np.random.default_rng(1).uniform(-1, 1, size=(n, widths[0])).astype(dtype)
    lr.patterns(net, points[:1], dtype=dtype)  # packs the weights
    yardstick, expected = best(lambda: plain(points, arrays), times)
    alone, _ = best(lambda: forward(points, arrays), times)
    seconds, found = best(lambda: lr.sample(net, points=points, threads=1, dtype=dtype), times)
    if abs(found.distinct - expected) > 1 + n // 1000:
        raise AssertionError(f"{widths}: expected {expected} patterns, got {found.distinct}")
    name = "-".join(map(str, widths))
    print(
        f"sample {name:16} {dtype} {n:9,} points {found.distinct:7,} patterns {seconds:6.3f} s; "
        f"NumPy {yardstick:6.3f} s, ratio {seconds / yardstick:.2f}; "
        f"its forward pass {alone:6.3f} s, ratio {seconds / alone:.2f}"
    )


def inserting(sketch: dict[str, Any], n: int, distinct: int, times: int) -> None:
    rng = np.random.default_rng(2)
    rows = rng.integers(0, 2**64, size=(distinct, 3), dtype=np.uint64)
    words = rows[rng.integers(0, distinct, size=n)] if distinct < n else rows

    def run() -> lr.PatternCounter:
        counter = lr.PatternCounter(**sketch)
        counter.update_packed(words)
        return counter

    seconds, counter = best(run, times)
    expected = len(np.unique(words.view("V24")))
    if abs(counter.count() - expected) > 5 * counter.relative_error() * expected:
        raise AssertionError(f"{sketch}: expected {expected} patterns, got {counter.count()}")
    print(
        f"insert {sketch!s:42} {n:10,} rows {expected:10,} distinct "
        f"{n / seconds / 1e6:7.1f} million rows/s"
    )


def streaming(n: int, rows: int = 2_000_000) -> None:
    """Count a stream of different rows in constant memory; the memory is asserted, too."""
    base = np.random.default_rng(3).integers(0, 2**64, size=(min(rows, n), 3), dtype=np.uint64)
    words, counter, seconds = np.empty_like(base), lr.PatternCounter(sketch="hll"), 0.0
    for start in range(0, n, len(base)):
        np.add(base, np.uint64(start * 0x9E3779B97F4A7C15 % 2**64), out=words)
        begun = time.perf_counter()
        counter.update_packed(words)
        seconds += time.perf_counter() - begun
    error = counter.count() / counter.samples - 1
    if abs(error) > 5 * counter.relative_error() or counter.nbytes > 800_000:
        raise AssertionError(f"expected {n} patterns in 0.8 MB, got {counter}, {counter.nbytes} B")
    print(
        f"stream {counter.samples:,} rows, all different: {error:+.2%}, {counter.nbytes:,} bytes, "
        f"{counter.samples / seconds / 1e6:.1f} million rows/s"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_sample", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, for the tests")
    parser.add_argument("--stream", action="store_true", help="only a stream of 1e9 rows")
    options = parser.parse_args(arguments)
    if options.stream:
        streaming(1_000_000_000)
        return 0
    scale, times = (100, 1) if options.quick else (1, 3)
    for dtype in ("float64", "float32"):
        sampling((2, 64, 64, 64, 1), 1_000_000 // scale, dtype, times)
        sampling((784, 256, 256, 10), 100_000 // (scale * 5), dtype, times)
    sys.stdout.flush()
    n = 10_000_000 // scale
    for sketch in (
        {"sketch": "hll"},
        {"sketch": "hash"},
        {"sketch": "hash", "hash_bits": 128},
        {"sketch": "exact"},
    ):
        inserting(sketch, n, min(10_000, n), times)
        inserting(sketch, n, n, 1)
    streaming(n)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
