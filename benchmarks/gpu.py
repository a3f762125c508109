# SPDX-License-Identifier: MIT
"""Everything that needs a GPU, in one go: python benchmarks/gpu.py, below eight minutes.

Runs the tests of tests/gpu, the same under compute-sanitizer where that is installed, and the
benchmarks, each with its answer asserted; prints and writes the numbers with chip and date. Without
CuPy or a device it ends with the DeviceError, exit code 3.

Goals: packing, hashing and counting at most 15 % on top of the matrix products; 1e9 sign vectors a
second.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from math import comb
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

import linear_regions as lr
from benchmarks.machine import facts
from linear_regions import _core
from linear_regions._device.launch import Device, open_device
from linear_regions._device.rows import RowSet, pack_layer
from linear_regions._device.tally import DeviceTally
from linear_regions._hyperplanes import exact_rows
from linear_regions._run import run_control
from linear_regions._sweep import Sweep
from linear_regions._sweep_device import CudaSweep

ROOT = Path(__file__).parents[1]
_WIDTHS = (784, 256, 256, 10)
_SWEEPS = ((64, 5), (60, 6))
_TESTS_SECONDS = 150
_SANITIZER_SECONDS = 90


def best(device: Device, call: Callable[[], object], repeat: int) -> float:
    """Return the seconds of the fastest of some runs, the device's work included."""
    times = []
    for _ in range(repeat + 1):  # the first one compiles
        _wait(device)
        start = time.perf_counter()
        call()
        _wait(device)
        times.append(time.perf_counter() - start)
    return min(times[1:] or times)


def _wait(device: Device) -> None:
    if hasattr(device.xp, "cuda"):
        device.xp.cuda.get_current_stream().synchronize()


def copy_bandwidth(device: Device, size: int, repeat: int) -> float:
    """Return bytes a second, read and written, of a copy on the device."""
    source = device.xp.ones(size // 8, dtype=np.float64)
    target = device.xp.empty_like(source)

    def copy() -> None:
        target[:] = source

    return 2 * source.nbytes / best(device, copy, repeat)


def pattern_overhead(device: Device, rows: int, repeat: int) -> dict[str, Any]:
    """Time packing, hashing and counting beside the matrix products that they follow."""
    xp, generator = device.xp, np.random.default_rng(1)
    weights = [
        xp.asarray(generator.normal(0, (2 / a) ** 0.5, (a, b)).astype(np.float32))
        for a, b in pairwise(_WIDTHS)
    ]
    points = generator.normal(size=(rows, _WIDTHS[0])).astype(np.float32)
    points[rows // 2 :] = points[: rows - rows // 2]  # half of the patterns are met twice
    layers = [xp.asarray(points)]

    def products() -> None:
        del layers[1:]
        for weight in weights:
            layers.append((xp.maximum(layers[-1], 0) if len(layers) > 1 else layers[0]) @ weight)

    products()
    # Without the activations, whose time is not theirs.
    inputs = [layers[0], *(xp.maximum(values, 0) for values in layers[1:-1])]

    def multiply() -> list[Any]:
        return [x @ weight for x, weight in zip(inputs, weights, strict=True)]

    bits = sum(_WIDTHS[1:-1])
    cuts = np.zeros((1, 1))
    words = xp.empty((rows, (bits + 63) // 64), dtype=np.uint64)
    tallies: list[DeviceTally] = []

    def pack() -> None:
        bit = 0
        for values in layers[1:-1]:
            bit = pack_layer(device, values, cuts, words, bit)

    def count() -> None:
        pack()
        tallies[:] = [DeviceTally(device, words.shape[1], 1, False, 14, 0)]
        tallies[0].insert(words)

    seconds = {
        "products": best(device, multiply, repeat),
        "pack": best(device, pack, repeat),
        "pack, hash and count": best(device, count, repeat),
    }
    # The same pre-activations, packed and counted by NumPy and the core.
    signs = np.concatenate([device.host(values) > 0 for values in layers[1:-1]], axis=1)
    padded = np.zeros((rows, 64 * words.shape[1]), dtype=bool)
    padded[:, :bits] = signs
    expected = np.packbits(padded, axis=1, bitorder="little").view(np.uint64)
    assert np.array_equal(device.host(words), expected)
    distinct = _core.distinct_rows(expected)[0]
    assert len(tallies[0].contents()["keys"]) == distinct
    return {
        "rows": rows,
        "distinct": distinct,
        "seconds": seconds,
        "on_top": seconds["pack, hash and count"] / seconds["products"],
        "bytes_per_second": 4 * rows * bits / seconds["pack"],
        "goal": "on_top <= 0.15",
    }


def insertions(device: Device, rows: int, repeat: int) -> dict[str, Any]:
    """Time hashing and inserting of rows of 192 bits, a tenth of them distinct."""
    generator = np.random.default_rng(2)
    distinct = generator.integers(0, 2**64, (max(rows // 10, 1), 3), dtype=np.uint64)
    batch = device.xp.asarray(distinct[generator.integers(0, len(distinct), rows)])
    sets: list[RowSet] = []

    def insert() -> None:
        sets[:] = [RowSet(device, 3)]
        sets[0].insert(batch)

    seconds = best(device, insert, repeat)
    assert sets[0].size == _core.distinct_rows(device.host(batch))[0]
    return {"rows": rows, "seconds": seconds, "rows_per_second": rows / seconds}


def sweep_rate(device: Device, n: int, d: int, bandwidth: float, repeat: int) -> dict[str, Any]:
    """Time all sign vectors of a simple arrangement; the words stay on the device."""
    generator = np.random.default_rng([n, d])
    rows = exact_rows(generator.normal(size=(n, d)), generator.normal(size=n))
    run = run_control(
        arithmetic="certified",
        threads=None,
        limit=None,
        time_limit=None,
        cancel=None,
        progress=False,
    )
    size = sum(comb(n, k) for k in range(d + 1))
    there, here = CudaSweep(rows, d, device), Sweep(rows, d)
    assert there.size == size
    out = device.xp.empty((size, there.words), dtype=np.uint64)
    reports: list[dict[str, Any]] = []
    seconds = best(device, lambda: reports.append(there.fill(0, size, out, run)), repeat)
    assert all(report["chambers"] == size for report in reports)
    # Blocks of the processor, spread over all ranks.
    for first in np.linspace(0, size - min(size, 2000), 25).astype(int).tolist():
        last = min(size, first + 2000)
        expected = np.empty((last - first, here.words), dtype=np.uint64)
        here.fill(first, last, expected, run)
        assert np.array_equal(device.host(out[first:last]), expected)
    return {
        "n": n,
        "d": d,
        "sign_vectors": size,
        "seconds": seconds,
        "sign_vectors_per_second": size / seconds,
        "share_of_copy_bandwidth": out.nbytes / seconds / bandwidth,
        "left_open": reports[-1]["work"]["exact_chambers"],
        "goal": "sign_vectors_per_second >= 1e9",
    }


def run_tests(sanitizer: bool) -> dict[str, Any]:
    """Run tests/gpu, or its quick part under compute-sanitizer."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/gpu"]
    limit = _TESTS_SECONDS
    if sanitizer:
        tool = shutil.which("compute-sanitizer")
        if tool is None:
            return {"result": "compute-sanitizer is not installed"}
        chosen = ["-k", "packed or order_of_first or tallies or (sign_vectors and (12-8 or 24-5))"]
        command = [tool, "--tool", "memcheck", "--error-exitcode", "9", *command, *chosen]
        limit = _SANITIZER_SECONDS
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return {"result": f"stopped after {limit} s", "passed": None}
    lines = done.stdout.strip().splitlines()[-25:]
    return {
        "passed": done.returncode == 0,
        "result": lines[-1] if lines else "",
        "seconds": time.perf_counter() - start,
        "output": [] if done.returncode == 0 else lines,
    }


def measure(device: Device, *, quick: bool) -> dict[str, Any]:
    """Return the numbers of all benchmarks."""
    repeat = 1 if quick else 5
    with device.use():
        bandwidth = copy_bandwidth(device, 1 << (20 if quick else 30), repeat)
        return {
            "copy_bytes_per_second": bandwidth,
            "patterns": pattern_overhead(device, 2_000 if quick else 1 << 18, repeat),
            "insertions": insertions(device, 20_000 if quick else 10_000_000, repeat),
            "sweeps": [
                sweep_rate(device, n, d, bandwidth, repeat)
                for n, d in (((12, 3),) if quick else _SWEEPS)
            ],
        }


def chip(device: Device) -> dict[str, Any]:
    """Return what the numbers cannot be read without."""
    cupy = device.xp
    number = int(device.name.partition(":")[2])
    properties = cupy.cuda.runtime.getDeviceProperties(number)
    return {
        "name": properties["name"].decode(),
        "compute_capability": f"{properties['major']}.{properties['minor']}",
        "multiprocessors": properties["multiProcessorCount"],
        "memory_bytes": properties["totalGlobalMem"],
        "driver": cupy.cuda.runtime.driverGetVersion(),
        "runtime": cupy.cuda.runtime.runtimeGetVersion(),
        "cupy": cupy.__version__,
    }


def main(arguments: list[str] | None = None) -> int:
    """Run everything; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="cuda or cuda:<number>")
    parser.add_argument("--quick", action="store_true", help="small sizes, no tests")
    parser.add_argument("--no-tests", action="store_true", help="only the benchmarks")
    parser.add_argument("--output", type=Path, help="default benchmarks/results/gpu-<date>.json")
    options = parser.parse_args(arguments)
    try:
        device = open_device(options.device)
    except lr.DeviceError as error:
        print(f"gpu.py: {error}", file=sys.stderr)
        return 3
    today = datetime.date.today().isoformat()
    results: dict[str, Any] = {"date": today, "chip": chip(device), "machine": facts()}
    print(json.dumps(results["chip"], indent=2), flush=True)
    if not (options.quick or options.no_tests):
        for name, sanitizer in (("tests", False), ("compute_sanitizer", True)):
            results[name] = run_tests(sanitizer)
            print(name, json.dumps(results[name], indent=2), flush=True)
    results["benchmarks"] = measure(device, quick=options.quick)
    print(json.dumps(results["benchmarks"], indent=2))
    output = options.output or ROOT / "benchmarks" / "results" / f"gpu-{today}.json"
    output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"written to {output}")
    passed = [results.get(name, {}).get("passed") for name in ("tests", "compute_sanitizer")]
    return 1 if False in passed else 0


if __name__ == "__main__":
    sys.exit(main())
