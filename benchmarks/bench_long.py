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
from pathlib import Path

import numpy as np

import linear_regions as lr

from .cases import dense
from .machine import facts, speed

_WIDTHS = [2, 48, 512, 1]
_BOX = lr.Box(-1.0, 1.0)


def side_by_side(one: lr.Network, other: lr.Network) -> lr.Network:
    """Return both dense networks on separate inputs."""
    layers: list[lr.Affine | lr.Pointwise] = []
    for x, y in zip(one.layers, other.layers, strict=True):
        if not isinstance(x, lr.Affine) or not isinstance(y, lr.Affine):
            layers.append(lr.relu())
            continue
        (a, b), (c, d) = x.weight.shape, y.weight.shape
        weight = np.zeros((a + c, b + d))
        weight[:a, :b], weight[a:, b:] = x.weight, y.weight
        layers.append(lr.Affine(weight, np.hstack([x.bias, y.bias])))
    return lr.Network(one.input_size + other.input_size, layers)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the count; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_long", description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 1), metavar=("ONE", "OTHER"))
    parser.add_argument("--checkpoint", type=Path, help="kept file, to go on where a run ended")
    options = parser.parse_args(arguments)
    where = facts()
    print(f"{where['processor']}, {where['simd']}, commit {where['commit']}", flush=True)
    print(f"{speed():.2f} of the speed of the machine that goals were set on", flush=True)
    one, other = (dense(_WIDTHS, seed) for seed in options.seeds)
    factors = [int(lr.count(net, _BOX, method="polygons")) for net in (one, other)]
    expected = factors[0] * factors[1]
    print(f"{factors[0]:,} x {factors[1]:,} = {expected:,} regions expected", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        file = options.checkpoint or Path(folder) / "count.checkpoint"
        wall, cpu = time.perf_counter(), time.process_time()
        found = lr.count(
            side_by_side(one, other),
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
