# SPDX-License-Identifier: MIT
"""Count more than a thousand million regions: python -m benchmarks.bench_long [--threads N].

Two networks side by side, on inputs of their own, have the product of their numbers of regions,
and a box is the product of their boxes. So the answer is known from two counts in the plane, while
the count of both together, in four dimensions, knows nothing of it: the cone engine visits every
region of all layers but the last, and certifies every sign. The run keeps a checkpoint; where it
is ended, the same command goes on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import linear_regions as lr

from .machine import facts

_WIDTHS = (2, 48, 512, 1)
_BOX = lr.Box(-1.0, 1.0)


def weights(seed: int) -> list[tuple[Any, Any]]:
    """Return He-normal weights and standard normal biases, layer by layer."""
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(size=(m, n)) * np.sqrt(2 / n), rng.normal(size=m)) for n, m in pairwise(_WIDTHS)
    ]


def network(layers: Sequence[tuple[Any, Any]]) -> lr.Network:
    """Return the network with ReLU after every layer but the last."""
    made = [layer for pair in layers for layer in (lr.Affine(*pair), lr.relu())]
    return lr.Network(layers[0][0].shape[1], made[:-1])


def side_by_side(
    one: Sequence[tuple[Any, Any]], other: Sequence[tuple[Any, Any]]
) -> list[tuple[Any, Any]]:
    """Return the layers of both networks on separate inputs."""
    layers = []
    for (a, b), (c, d) in zip(one, other, strict=True):
        upper = np.hstack([a, np.zeros((len(a), c.shape[1]))])
        lower = np.hstack([np.zeros((len(c), a.shape[1])), c])
        layers.append((np.vstack([upper, lower]), np.hstack([b, d])))
    return layers


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the count; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_long", description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 1), metavar=("ONE", "OTHER"))
    parser.add_argument("--checkpoint", type=Path, help="kept file, to go on where a run ended")
    options = parser.parse_args(arguments)
    where = facts()
    print(f"{where['processor']}, {where['simd']}, commit {where['commit']}", flush=True)
    one, other = map(weights, options.seeds)
    factors = [int(lr.count(network(layers), _BOX, method="polygons")) for layers in (one, other)]
    expected = factors[0] * factors[1]
    print(f"{factors[0]:,} x {factors[1]:,} = {expected:,} regions expected", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        file = options.checkpoint or Path(folder) / "count.checkpoint"
        wall, cpu = time.perf_counter(), time.process_time()
        found = lr.count(
            network(side_by_side(one, other)),
            _BOX,
            method="cones",
            threads=options.threads,
            checkpoint=file,
            progress=_shown,
        )
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if (found.kind, found.arithmetic, found.value) != ("exact", "certified", expected):
        raise AssertionError(f"expected {expected} exactly, certified; got {found!r}")
    print(f"{found.value:,} regions, certified, {options.threads} threads: {wall:.0f} s elapsed")
    print(f"{cpu:.0f} s of processor time, {found.value / cpu / 1e6:.2f} million regions in each")
    return 0


_last = [0.0]


def _shown(regions: int, fraction: float) -> None:
    if time.monotonic() > _last[0] + 20:
        _last[0] = time.monotonic()
        print(f"  {regions:15,} regions, {fraction:6.1%} of the work", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
