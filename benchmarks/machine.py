# SPDX-License-Identifier: MIT
"""Where and with what a benchmark ran: the facts that its numbers cannot be read without."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

import linear_regions as lr

from . import BLAS_THREADS, yardstick
from .cases import case_named

__all__ = ["facts", "speed"]

_ROOT = Path(__file__).parents[1]
_GOALS_FROM = _ROOT / "benchmarks" / "results" / "2026-11-24.json"
"""Results of the machine with AVX-512 on which the goals of all benchmarks were set."""


def speed() -> float:
    """Return how fast this machine is now, as a share of the one on which goals were set.

    A plain NumPy program that never changes is timed on one case, the best of three runs, and
    compared with its recorded time there. Goals in regions a second are for a share of one. What
    the program does not show: vector instructions, which only the package uses.
    """
    case = case_named("dense-box")
    stored = json.loads(_GOALS_FROM.read_text(encoding="utf-8"))["cases"]
    there = next(it["yardstick"]["seconds"] for it in stored if it["name"] == case.name)
    net, domain = case.build()
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        if yardstick.count(net, domain) != case.regions:
            raise AssertionError("the yardstick does not find the known number of regions")
        best = min(best, time.perf_counter() - start)
    return float(there) / best


def facts() -> dict[str, Any]:
    """Return processor, versions, threads, load and commit.

    Returns
    -------
    dict
        Ready for JSON. Unknown things are None.
    """
    return {
        "processor": _processor(),
        "system": platform.platform(),
        "build": lr.build_info(),
        "simd": lr.build_info()["simd"],
        "threads": {"count": 1, **{name: os.environ.get(name) for name in BLAS_THREADS}},
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "commit": _git("rev-parse", "HEAD"),
        "modified": bool(_git("status", "--porcelain", "--untracked-files=no")),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(_ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
