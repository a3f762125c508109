# SPDX-License-Identifier: MIT
"""Measure counts on many segments and scores of networks: python -m benchmarks.bench_nas.

Segments: 1,000 between random points of a 784-256-256-10 network, by one call, by `lr.count` one by
one, and by a plain NumPy program (floating point, no certificate) that follows the breakpoints
layer by layer; all must give the same numbers. Target: ten times as fast as one by one.

Scores: NASWOT of a small CNN on a batch of 64 images, from one pass of PyTorch, beside the paper's
kernel written in PyTorch with hooks; equal kernels and scores are asserted. Where PyTorch is
missing, these are left out. Target: not slower than the hooks.

Seconds by the clock, the best of some runs.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from . import BLAS_THREADS

__all__ = ["main", "plain_segment_count"]


def best(runs: int, call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the shortest time of some runs, and the answer."""
    seconds, answer = float("inf"), None
    for _ in range(runs):
        started = time.perf_counter()
        answer = call()
        seconds = min(seconds, time.perf_counter() - started)
    return seconds, answer


def plain_segment_count(weights: Sequence[tuple[Any, Any]], a: Any, b: Any) -> int:
    """Count the regions of a ReLU network on a segment by breakpoints, in floating point."""
    import numpy as np

    values = np.stack([a, b])  # the layer's input at the breakpoints, affine in between
    t = np.array([0.0, 1.0])
    for weight, bias in weights:
        z = values @ weight.T + bias
        piece, unit = np.nonzero((z[:-1] > 0) != (z[1:] > 0))
        left, right = z[piece, unit], z[piece + 1, unit]
        share = left / (left - right)
        new = t[piece] + share * (t[piece + 1] - t[piece])
        at = z[piece] + share[:, None] * (z[piece + 1] - z[piece])
        order = np.argsort(np.concatenate([t, new]), kind="stable")
        t = np.concatenate([t, new])[order]
        values = np.maximum(np.concatenate([z, at])[order], 0.0)
    return len(t) - 1


def segments(m: int, runs: int) -> None:
    """Measure and print the segments."""
    import numpy as np

    import linear_regions as lr

    rng = np.random.default_rng(0)
    widths = [784, 256, 256, 10]
    weights = [
        (rng.standard_normal((n_out, n_in)) * np.sqrt(2 / n_in), 0.1 * rng.standard_normal(n_out))
        for n_in, n_out in pairwise(widths)
    ]
    net = lr.load(weights)
    a, b = rng.uniform(size=(2, m, 784))
    lr.count_segments(net, a[:1], b[:1])
    ours, counts = best(runs, lambda: lr.count_segments(net, a, b, threads=1))
    one_by_one, single = best(
        1,
        lambda: [int(lr.count(net, lr.Segment(x, y), threads=1)) for x, y in zip(a, b)],  # noqa: B905
    )
    plain, numpy_counts = best(
        1,
        lambda: [plain_segment_count(weights[:-1], x, y) for x, y in zip(a, b)],  # noqa: B905
    )
    forward, _ = best(runs, lambda: net(np.concatenate([a, b])))
    assert counts.tolist() == single == numpy_counts, "the counts differ"
    print(f"{m} segments of 784-256-256-10, {counts.mean():.0f} regions each (one thread)")
    for name, seconds in (
        ("count_segments", ours),
        ("count, one by one", one_by_one),
        ("plain NumPy, uncertified", plain),
        ("forward pass of both ends", forward),
    ):
        print(f"  {name:<28} {1e6 * seconds / m:9.1f} us a segment  {seconds / ours:6.2f} x")


def scores(networks: int, runs: int) -> None:
    """Measure and print the scores."""
    import numpy as np

    import linear_regions as lr

    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: no scores")
        return
    torch.set_num_threads(1)
    nn = torch.nn

    def model(seed: int) -> Any:
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.AvgPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Flatten(), nn.Linear(32 * 64, 10),
        )  # fmt: skip

    def hooks(network: Any) -> tuple[Any, float]:
        kernel = np.zeros((len(batch), len(batch)))

        def add(module: Any, inputs: Any, output: Any) -> None:
            nonlocal kernel
            x = (inputs[0] > 0).flatten(1).float()
            kernel = kernel + (x @ x.T + (1 - x) @ (1 - x).T).numpy()

        handles = [m.register_forward_hook(add) for m in network if isinstance(m, nn.ReLU)]
        with torch.no_grad():
            network(batch)
        for handle in handles:
            handle.remove()
        return kernel, float(np.linalg.slogdet(kernel)[1])

    batch = torch.randn(64, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    models = [model(seed) for seed in range(networks)]
    lr.nas.naswot(models[0], batch)
    ours, mine = best(runs, lambda: [lr.nas.naswot(m, batch) for m in models])
    plain, theirs = best(runs, lambda: [hooks(m) for m in models])
    with torch.no_grad():
        forward, _ = best(runs, lambda: [m(batch) for m in models])
    for result, (kernel, score) in zip(mine, theirs, strict=True):
        assert np.array_equal(result.kernel, kernel), "the kernels differ"
        assert abs(result.score - score) < 1e-6 * abs(score), "the scores differ"
    print(f"NASWOT of {networks} CNNs, 64 images, {mine[0].bits} units (one thread)")
    for name, seconds in (
        ("naswot", ours),
        ("PyTorch with hooks", plain),
        ("forward pass alone", forward),
    ):
        print(f"  {name:<28} {1e3 * seconds / networks:9.2f} ms a network  {seconds / ours:6.2f} x")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_nas", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few segments and networks, once")
    quick = parser.parse_args(arguments).quick
    os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
    segments(20 if quick else 1000, 1 if quick else 5)
    scores(2 if quick else 20, 1 if quick else 5)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
