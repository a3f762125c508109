# SPDX-License-Identifier: MIT
"""Checkpoints of arrangements and of one-layer maxima, taken in the middle of a call."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np

import linear_regions as lr
from linear_regions import _ledger, _part_runs

SECONDS = 1.0  # for what a changed state leaves to do

Call = Callable[[Path], object]


def _count(planes: lr.Arrangement, method: str) -> Call:
    return lambda path: planes.count(method=method, threads=1, checkpoint=path, time_limit=SECONDS)


def _maximum(size: int, kernel: int, method: str, weights: str = "shared") -> Call:
    spec = lr.ConvSpec(filters=2, kernel_size=kernel)
    return lambda path: lr.one_layer_maximum(
        (1, size, size),
        spec,
        weights=weights,
        method=method,
        rng=1,
        threads=1,
        checkpoint=path,
        time_limit=SECONDS,
    )


@cache
def calls() -> dict[str, Call]:
    """Return calls that take some hundredths of a second, and save states."""
    rng = np.random.default_rng(0)
    simple = lr.Arrangement(rng.normal(size=(20, 4)), rng.normal(size=20))
    whole = lr.Arrangement(rng.integers(-2, 3, (22, 5)), rng.integers(-2, 3, 22))
    return {
        "rays": _count(whole, "rays"),
        "tree": _count(simple, "tree"),
        "sweep": _count(simple, "sweep"),
        "recursion": _count(whole, "recursion"),
        "multiset": _maximum(4, 2, "multiset"),
        "particles": _maximum(6, 3, "particles"),
        "direct": _maximum(6, 3, "direct"),
        "frontier": _maximum(5, 3, "frontier", "free"),
    }


@cache
def states() -> dict[bytes, str]:
    """Return the states that these calls save on their way, and whose they are."""
    found: dict[bytes, str] = {}
    for name, call in calls().items():
        written: list[bytes] = []

        def keep(source: str, target: str, written: list[bytes] = written) -> None:
            written.append(Path(source).read_bytes())
            os.rename(source, target)

        with (
            tempfile.TemporaryDirectory() as folder,
            mock.patch.object(_ledger, "SAVE_SECONDS", 0.002),
            mock.patch.object(_part_runs, "SLICE_SECONDS", 0.002),
            mock.patch.object(_ledger, "_SHARE_OF_SAVING", 1.0),
            mock.patch.object(_part_runs, "_SHARE_OF_SAVING", 1.0),
            mock.patch("os.replace", keep),
        ):
            call(Path(folder, "state"))
        middle = written[len(written) // 2]
        found |= {written[0]: name, middle: name, written[-1]: name}
    return found


def read(path: Path) -> None:
    """Go on from a file with every call: all but its own refuse it."""
    before = path.read_bytes()
    refused = []
    for call in calls().values():
        path.write_bytes(before)
        try:
            call(path)
        except lr.InvalidInput as error:  # it belongs to another call
            refused.append(error)
    if len(refused) == len(calls()):
        raise refused[0]
