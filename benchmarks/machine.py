# SPDX-License-Identifier: MIT
"""Where and with what a benchmark ran: the facts that its numbers cannot be read without."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import linear_regions as lr

from . import BLAS_THREADS

__all__ = ["facts"]

_ROOT = Path(__file__).parents[1]


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
