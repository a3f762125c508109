# SPDX-License-Identifier: MIT
"""Programs that the tests of long runs start and end: ``python long_run.py NAME FOLDER ...``."""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import linear_regions as lr
from arrangements import resonance
from linear_regions import _ledger, _part_runs


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


def long_arrangement(kind: str) -> lr.Arrangement:
    """Return an arrangement that takes about a second by this method."""
    rng = np.random.default_rng(0)
    if kind in ("rays", "listed"):
        return lr.Arrangement(*resonance(6))
    n, d = {"recursion": (46, 6), "tree": (32, 5), "sweep": (64, 5)}[kind]
    # Small integers, so that flats coincide; the sweep and the tree take any.
    normals = rng.integers(-2, 3, (n, d)) if kind == "recursion" else rng.normal(size=(n, d))
    offsets = rng.integers(-2, 3, n) if kind == "recursion" else rng.normal(size=n)
    return lr.Arrangement(normals, offsets)


def long_layer(kind: str) -> dict[str, Any]:
    """Return the arguments of a maximum that takes about a second."""
    if kind == "multiset":
        spec = lr.ConvSpec(filters=3, kernel_size=2)
        return {"input_shape": (1, 4, 4), "conv_spec": spec, "rng": 1, "method": "multiset"}
    spec = lr.ConvSpec(filters=6, kernel_size=5)
    return {"input_shape": (1, 12, 12), "conv_spec": spec, "rng": 1, "method": "particles"}


def call_of(kind: str, path: str) -> Callable[[], lr.RegionCount]:
    """Return a call that takes about a second and is its own continuation."""
    what, _, how = kind.partition("-")
    if what == "chambers" and how == "listed":

        def listed() -> lr.RegionCount:
            found = long_arrangement(how).chambers(method="rays", threads=2, checkpoint=path)
            count = long_arrangement(how).count()
            return replace(count, value=len(found), status=found.status, work=found.work)

        return listed
    if what == "chambers":
        planes = long_arrangement(how)
        return lambda: planes.count(method=how, threads=2, checkpoint=path)
    if what == "layer":
        return lambda: lr.one_layer_maximum(**long_layer(how), threads=1, checkpoint=path)
    net, domain = long_net(), lr.Box(-1, 1)
    if what == "count":
        return lambda: lr.count(net, domain, threads=1, checkpoint=path)
    return lambda: lr.regions(net, domain, threads=2, out=path).count


def killed_again_and_again(folder: str, kind: str) -> None:
    """Kill a call ten times, then let it finish; its answer goes to a file.

    Some die by their own hand around a save, which needs no clock: the call gets ahead, however
    fast or busy the machine is. The others die at random moments.
    """
    _part_runs.SLICE_SECONDS = _ledger.SAVE_SECONDS = 0.02
    _part_runs._SHARE_OF_SAVING = _ledger._SHARE_OF_SAVING = 1.0  # however slow the disk is
    call = call_of(kind, os.path.join(folder, "state"))
    draw = random.Random(1)
    answer = Path(folder, "answer")
    ends = [*_SAVED_ONCE, "moment", "replacing", "moment", "saved", "moment", "moment", "replacing"]
    while not answer.exists():
        end = ends.pop(0) if ends else ""
        child = os.fork()
        if child == 0:
            if end in ("saved", "replacing"):
                _die_at_a_save(before=end == "replacing")
            found = call()
            answer.write_text(f"{found.value} {found.status} {found.work['runs']}")
            os._exit(0)
        if end == "moment":
            time.sleep(draw.uniform(0.0, 0.1))
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


_SAVED_ONCE = ("saved", "saved", "saved")  # so that at least four processes share the work


def _die_at_a_save(*, before: bool) -> None:
    """Let this process kill itself: before it replaces any file, or once its state is saved."""
    replace_file = os.replace

    def last_replace(source: str, target: str) -> None:
        if not before:
            replace_file(source, target)
        if before or os.path.basename(target) == "state":
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = last_replace


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


def full_disk_chambers(folder: str) -> None:
    """Count and list chambers with a disk that takes a hundred bytes per file."""
    _ledger.SAVE_SECONDS = 0.001
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    planes = long_arrangement("tree")
    path = os.path.join(folder, "state")
    planes.count(method="tree", threads=1, time_limit=0.05, checkpoint=path)
    before = Path(path).read_bytes()
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    try:
        planes.count(method="tree", threads=1, checkpoint=path)
    except lr.CheckpointError as error:
        print("refused:", type(error.partial).__name__, error.partial.value > 0)
    print("untouched:", Path(path).read_bytes() == before)
    try:
        planes.chambers(method="tree", checkpoint=os.path.join(folder, "listing"))
    except lr.CheckpointError:
        print("refused list")


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
