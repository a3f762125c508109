# SPDX-License-Identifier: MIT
"""Measure estimates and brackets of layers that no exact count reaches, on one thread.

Every case asserts its answer: the known number lies within five standard errors and in the bracket.
The yardstick, in the same run, is one trial of direct sampling in plain Python: a random set of
neurons, matched by augmenting paths.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A layer with its number.

    Attributes
    ----------
    name : str
        Input, kernel, filters.
    shape : tuple of int
        (channels, height, width).
    filters, kernel : int
        The layer.
    log10 : float
        Decimal logarithm of the number, by longer runs of other code.
    known_to : float
        Standard error of that number.
    error : float
        Standard error wanted.
    target : float
        Seconds.
    """

    name: str
    shape: tuple[int, ...]
    filters: int
    kernel: int
    log10: float
    known_to: float
    error: float
    target: float


CASES = (
    Case("28x28, 5x5, 6 (LeNet-5)", (1, 28, 28), 6, 5, 800.24, 0.01, 0.01, 20.0),
    Case("32x32x3, 3x3, 64", (3, 32, 32), 64, 3, 5202.0, 0.3, 0.3, 120.0),
)


def plain_trial(draw: random.Random) -> bool:
    """Match one random set of neurons of LeNet-5's first layer, as many as it has inputs."""
    windows = [
        [28 * (i + a) + j + b for a in range(5) for b in range(5)]
        for i in range(24)
        for j in range(24)
    ]
    owner: dict[int, int] = {}

    def place(neuron: int, tried: set[int]) -> bool:
        for entry in windows[neuron // 6]:
            if entry in tried:
                continue
            tried.add(entry)
            if entry not in owner or place(owner[entry], tried):
                owner[entry] = neuron
                return True
        return False

    return all(place(neuron, set()) for neuron in draw.sample(range(6 * 576), 783))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_one_layer_estimate", description=__doc__
    )
    parser.add_argument("--quick", action="store_true", help="the bracket only")
    options = parser.parse_args(arguments)
    import linear_regions as lr
    from linear_regions._one_layer.bracket import bracket
    from linear_regions._one_layer.windows import one_layer

    draw = random.Random(0)
    started = time.process_time()
    for _ in range(5):
        plain_trial(draw)
    each = (time.process_time() - started) / 5
    print(f"plain Python, one trial of LeNet-5's first layer: {1e3 * each:.1f} ms")

    started = time.process_time()
    low, high = bracket(one_layer((3, 224, 224), lr.ConvSpec(64, 7, 2)), 1, "free")
    seconds = time.process_time() - started
    ends = low.bit_length() * 0.30103, high.bit_length() * 0.30103
    assert 162_943 < ends[0] < ends[1] < 163_491, ends
    met = "met" if seconds < 1 else "MISSED"
    print(
        f"224x224x3, 7x7/2, 64: bracket [{ends[0]:.1f}, {ends[1]:.1f}] in {seconds:.3f} s, "
        f"target 1 s: {met}"
    )
    for case in () if options.quick else CASES:
        spec = lr.ConvSpec(case.filters, case.kernel)
        started = time.process_time()
        count = lr.one_layer_maximum(case.shape, spec, weights="free", rng=0, threads=1)
        seconds = time.process_time() - started
        error = count.work["standard_error_log10"]
        assert count.kind == "estimate"
        assert count.bracket is not None
        assert abs(count.log10 - case.log10) < 5 * (error + case.known_to), (case.name, count)
        assert count.bracket[0] <= count.value <= count.bracket[1]
        good = seconds < case.target and error < 1.05 * case.error
        print(
            f"{case.name}: 10^{count.log10:.3f}, standard error {error:.4f} ({count.method}), "
            f"{seconds:.1f} s; target {case.error:g} in {case.target:g} s: "
            f"{'met' if good else 'MISSED'}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
