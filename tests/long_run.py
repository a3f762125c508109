# SPDX-License-Identifier: MIT
"""Programs that the tests of long runs start and end: ``python long_run.py NAME FOLDER ...``."""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

import linear_regions as lr
from linear_regions import _part_runs


def network(widths: list[int], seed: int = 0) -> lr.Network:
    """Return a generic ReLU network of these widths."""
    rng = np.random.default_rng(seed)
    layers: list[lr.Layer] = []
    for n_in, n_out in pairwise(widths):
        weight = rng.normal(size=(n_out, n_in)) * (2.0 / n_in) ** 0.5
        layers += [lr.Affine(weight, rng.normal(size=n_out)), lr.relu()]
    return lr.Network(widths[0], layers[:-1])


def long_net() -> lr.Network:
    """Return a network that takes about a second."""
    return network([2, 300, 300, 300, 1])


def killed_again_and_again(folder: str, kind: str) -> None:
    """Kill a call ten times at random moments, then let it finish; its answer goes to a file."""
    _part_runs.SLICE_SECONDS = 0.02
    net, domain = long_net(), lr.Box(-1, 1)
    path = os.path.join(folder, "state")

    def work() -> None:
        if kind == "count":
            found = lr.count(net, domain, threads=1, checkpoint=path)
        else:
            found = lr.regions(net, domain, threads=2, out=path).count
        Path(folder, "answer").write_text(f"{found.value} {found.status} {found.work['runs']}")

    draw = random.Random(1)
    killed, most, last = 0, 0.1, b""
    state = path if kind == "count" else os.path.join(path, "state")
    while not os.path.exists(os.path.join(folder, "answer")):
        child = os.fork()
        if child == 0:
            work()
            os._exit(0)
        if killed < 10:
            time.sleep(draw.uniform(0.0, most))
            os.kill(child, signal.SIGKILL)
            killed += 1
            now = Path(state).read_bytes() if os.path.exists(state) else b""
            most = most * 1.5 if now == last else most  # a busy machine: it did not get ahead
            last = now
        os.waitpid(child, 0)


def full_disk(folder: str) -> None:
    """Count with a disk that takes ten thousand bytes per file."""
    _part_runs.SLICE_SECONDS = 0.01
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    net = long_net()
    path = os.path.join(folder, "state")
    lr.count(net, lr.Box(-1, 1), threads=1, time_limit=0.05, checkpoint=path)
    before = Path(path).read_bytes()
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    try:
        lr.count(net, lr.Box(-1, 1), threads=1, checkpoint=path)
    except lr.CheckpointError as error:
        print("refused:", error, type(error.partial).__name__, error.partial.value > 0)
    print("untouched:", Path(path).read_bytes() == before, sorted(os.listdir(folder)))
    try:
        lr.regions(net, lr.Box(-1, 1), out=os.path.join(folder, "listing"))
    except lr.CheckpointError as error:
        print("refused:", error)


def little_memory(folder: str) -> None:
    """List and count with little memory: an error, no crash."""
    net, domain = long_net(), lr.Box(-1, 1)
    lr.count(net, domain, threads=1, limit=1)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (48 << 20), resource.RLIM_INFINITY))
    try:
        lr.regions(net, domain, threads=2)
    except MemoryError:
        print("MemoryError")
    print(lr.count(net, domain, threads=1, limit=1000).status)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
